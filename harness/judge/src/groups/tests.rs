use super::*;
use crate::check::Check;
use crate::model::{BotStep, Counts, Trial, TrialKind};

fn found(item: Item, outcome: Outcome) -> Finding {
    Finding { item, outcome, property: None, detail: String::new() }
}

fn message(uid: u32) -> Item {
    Item::Message { account: "u01@mail.example".into(), folder: "INBOX".into(), uid, corpus: None }
}

fn file(volume: &str, path: &str) -> Item {
    Item::File { volume: volume.into(), path: path.into() }
}

fn snapshot(volume: &str, path: &str) -> Item {
    Item::Snapshot { volume: volume.into(), path: path.into() }
}

fn alias(key: &str) -> Item {
    Item::Row { database: "main.db".into(), table: "alias".into(), key: key.into() }
}

fn trial() -> Item {
    Item::Trial { trial: Trial::new(TrialKind::MailOut, ["a@relayed.example"]) }
}

fn known() -> Known {
    let totals = [
        (Check::Messages, 120),
        (Check::Rows { database: "main.db".into(), table: "alias".into() }, 3),
        (Check::Files("mail".into()), 400),
        (Check::Trial(TrialKind::MailOut), 2),
        (Check::Trial(TrialKind::MailIn), 3),
    ];
    let homes = [("messages", "mail"), ("rows of main.db", "data")];
    let homes = homes.map(|(content, volume)| (content.to_owned(), BTreeSet::from([volume.to_owned()])));
    Known { totals: totals.into(), homes: homes.into() }
}

fn told(findings: Vec<Finding>) -> Verdict {
    Verdict::new(Counts::default(), findings).told(&known())
}

#[test]
fn the_headline_says_how_many_of_how_many() {
    let mut findings: Vec<Finding> = (1..=35).map(|uid| found(message(uid), Outcome::Lost)).collect();
    findings.extend(["a", "b", "c"].map(|key| found(alias(key), Outcome::Lost)));
    findings.push(found(snapshot("mail", "."), Outcome::Lost));
    findings.push(found(trial(), Outcome::Altered));
    findings.push(found(message(90), Outcome::Unread));
    let headline = "35 of 120 messages and 3 of 3 rows of alias are lost; 1 of 5 trials gave another result";
    assert_eq!(told(findings).headline.as_deref(), Some(headline));
}

#[test]
fn of_what_could_not_be_read_the_headline_says_so() {
    assert_eq!(told(vec![found(message(1), Outcome::Unread)]).headline.as_deref(), Some("1 of 120 messages could not be read"));
    assert_eq!(told(vec![found(message(1), Outcome::Recovered)]).headline, None);
    assert_eq!(
        told(vec![found(snapshot("mail", "."), Outcome::Lost)]).headline.as_deref(),
        Some("volume mail is not in the snapshot")
    );
}

#[test]
fn causes_come_before_what_may_follow_from_them() {
    let mut findings: Vec<Finding> = (1..=2).map(|uid| found(message(uid), Outcome::Lost)).collect();
    findings.extend([
        found(trial(), Outcome::Altered),
        found(file("mail", "u01/cur/1"), Outcome::Lost),
        found(file("dkim", "a.key"), Outcome::Lost),
        found(snapshot("mail", "u01"), Outcome::Lost),
        found(alias("a"), Outcome::Lost),
        found(message(3), Outcome::Recovered),
    ]);
    let verdict = told(findings);
    let said: Vec<(&str, &[usize])> = verdict.groups.iter().map(|g| (g.what.as_str(), &g.follows[..])).collect();
    let expected: [(&str, &[usize]); 7] = [
        ("1 file of volume mail is not in the snapshot", &[]),
        ("1 file of volume dkim is lost", &[]),
        ("1 of 400 files of volume mail is lost", &[0]),
        ("1 of 3 rows of alias is lost", &[]),
        ("2 of 120 messages are lost", &[0]),
        ("1 of 5 trials gave another result", &[0, 1, 3]),
        ("1 message was written during the backup and is back", &[]),
    ];
    assert_eq!(said, expected);
    let all: usize = verdict.groups.iter().map(|g| g.findings.len()).sum();
    assert_eq!(all, verdict.findings.len(), "each finding is in one group");
    assert!(verdict.groups.iter().all(|g| g.meaning().is_some()));
}

#[test]
fn a_failed_step_comes_first_and_may_explain_all() {
    let step = Finding { property: Some("hook".into()), ..found(Item::Step { step: BotStep::Backup }, Outcome::Failed) };
    let verdict = told(vec![found(alias("a"), Outcome::Lost), step]);
    assert_eq!(verdict.headline.as_deref(), Some("the backup failed (hook); 1 of 3 rows of alias is lost"));
    assert_eq!((verdict.groups[0].meaning.as_str(), verdict.groups[1].follows.as_slice()), ("hook", &[0][..]));
}

#[test]
fn fewer_items_than_declared_come_after_those_that_are_lost() {
    let fewer = found(Item::Observation { what: "check \"rows of main.db, alias\"".into() }, Outcome::Unread);
    let unread = found(Item::Observation { what: "declaration \"checks\"".into() }, Outcome::Unread);
    let groups = told(vec![fewer.clone(), found(alias("a"), Outcome::Lost), unread]).groups;
    let order: Vec<&[usize]> = groups.iter().map(|g| g.findings.as_slice()).collect();
    assert_eq!((order, &groups[2].follows[..]), (vec![&[2][..], &[0], &[1]], &[1][..]));
    assert_eq!(told(vec![fewer]).groups[0].follows, [0; 0]);
}

#[test]
fn a_missing_folder_holds_what_is_in_it_and_not_what_begins_like_it() {
    let missing = BTreeSet::from(["u01", "a/b"]);
    let held = ["u01", "u01/cur/1", "u012/cur", "a", "a/b/c", "a/bc"].map(|path| holds(&missing, path));
    assert_eq!(held, [true, true, false, false, true, false]);
    assert!(holds(&BTreeSet::from(["."]), "anything"));
}

#[test]
fn what_changed_is_said_where_it_is_the_same_of_all() {
    let changed = |uid, property: &str| Finding { property: Some(property.into()), ..found(message(uid), Outcome::Altered) };
    let verdict = told(vec![changed(1, "flags"), changed(2, "flags"), changed(2, "bytes"), found(message(3), Outcome::Lost)]);
    let said: Vec<&str> = verdict.groups.iter().map(|g| g.what.as_str()).collect();
    let expected =
        ["1 of 120 messages is lost", "1 of 120 messages has changed (bytes)", "2 of 120 messages have changed (flags)"];
    assert_eq!(said, expected);
    assert_eq!(verdict.headline.as_deref(), Some("1 of 120 messages is lost; 2 of 120 messages have changed"));
}

#[test]
fn several_of_what_a_database_has_are_in_the_plural() {
    let object = |what: &str, name: &str| {
        found(Item::Object { database: "app/db".into(), what: what.into(), name: name.into() }, Outcome::Lost)
    };
    for (what, expected) in [
        ("index", "2 indexes of app/db are lost"),
        ("default privileges", "2 default privileges of app/db are lost"),
        ("role", "2 roles of app/db are lost"),
        ("policy", "2 policies of app/db are lost"),
        ("foreign key", "2 foreign keys of app/db are lost"),
        ("operator class", "2 operator classes of app/db are lost"),
    ] {
        assert_eq!(told(vec![object(what, "a"), object(what, "b")]).groups[0].what, expected);
    }
}

/// What a name holds does not decide what a finding means.
#[test]
fn a_name_cannot_change_a_meaning() {
    let poisoned = found(file("mail", "x: altered (owner)"), Outcome::Lost);
    assert_eq!(told(vec![poisoned]).groups[0].meaning, "file-lost");
}
