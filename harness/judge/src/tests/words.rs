//! What items, findings and counts are called.

use super::*;
use crate::check::Check;
use crate::model::essences;

#[test]
fn every_item_has_a_name_and_a_check() {
    let account = || ACCOUNT.to_owned();
    let message = |corpus| Item::Message { account: account(), folder: "INBOX".into(), uid: 7, corpus };
    let snapshot = |path: &str| Item::Snapshot { volume: "v".into(), path: path.into() };
    for (item, name, check) in [
        (Item::Account { account: account() }, "mailbox u1@mail.test", "logins over IMAP"),
        (Item::Folder { account: account(), folder: "A".into() }, "mailbox u1@mail.test, folder A", "folders"),
        (message(None), "mailbox u1@mail.test, folder INBOX, message with UID 7", "messages"),
        (
            message(Some(MessageId::Corpus(3))),
            "mailbox u1@mail.test, folder INBOX, message with UID 7 (corpus message 3)",
            "messages",
        ),
        (
            message(Some(MessageId::Live(3))),
            "mailbox u1@mail.test, folder INBOX, message with UID 7 (message live-3)",
            "messages",
        ),
        (Item::Database { database: "d".into() }, "database d", "database d"),
        (Item::Row { database: "d".into(), table: "t".into(), key: "1".into() }, "database d, table t, row 1", "rows of d, t"),
        (
            Item::Object { database: "d".into(), what: "index".into(), name: "t_i".into() },
            "database d, index t_i",
            "objects of d, index",
        ),
        (Item::Mount { service: "app".into(), path: "/srv".into() }, "service app, mount /srv", "mounts"),
        (Item::Layer { service: "app".into(), path: "/srv/x".into() }, "service app, path /srv/x", "mounts"),
        (Item::Key { service: "db".into(), number: Some(1), key: "k".into() }, "redis db, database 1, key k", "keys of db"),
        (Item::Key { service: "db".into(), number: None, key: "*".into() }, "redis db, key *", "keys of db"),
        (Item::File { volume: "v".into(), path: "p".into() }, "volume v, file p", "files of v"),
        (snapshot("."), "snapshot, volume v", "snapshot of v"),
        (snapshot("p"), "snapshot, volume v, path p", "snapshot of v"),
        (Item::Script { account: account(), script: "s".into() }, "mailbox u1@mail.test, sieve script s", "sieve scripts"),
        (Item::Fact { fact: "jobs".into() }, "jobs", "fact jobs"),
        (
            Item::Trial { trial: Trial::new(TrialKind::OpenRelay, [""; 0]) },
            "trial: mail from another server to yet another",
            "trial: mail from another server to yet another",
        ),
        (Item::Secret { secret: "KEY".into() }, "secret KEY", "new secrets"),
        (Item::Step { step: BotStep::Restore }, "restore", "step restore"),
        (Item::Observation { what: "run".into() }, "run", "run"),
    ] {
        assert_eq!((item.to_string().as_str(), Check::of(&item).to_string().as_str()), (name, check));
        let finding = Finding { item, outcome: Outcome::Altered, property: Some("x".into()), detail: "was 1".into() };
        assert_eq!(essences(&[finding]), [format!("{name}: altered (x)")].into());
    }
}

#[test]
fn counts_and_status_in_words() {
    let some = Counts { rows: 1, files: 1602, ..Counts::default() };
    let all = Counts { accounts: 2, folders: 1, messages: 1, scripts: 1, facts: 2, trials: 1, paths: 2, ..some };
    assert_eq!(Counts::default().to_string(), "nothing");
    assert_eq!(some.to_string(), "1 row, 1,602 files");
    assert_eq!(
        all.to_string(),
        "1 message in 1 folder of 2 mailboxes, 1 row, 1,602 files, 1 sieve script, 2 facts, 1 trial, 2 files whose content is \
         compared elsewhere"
    );
    assert_eq!((some.items(), all.items()), (1603, 1606));
    assert_eq!([Status::Held, Status::Unknown, Status::Broken].map(Status::word), ["HELD", "UNKNOWN", "BROKEN"]);
    assert_eq!([MessageId::Corpus(3), MessageId::Live(3)].map(MessageId::corpus), [Some(3), None]);
}

#[test]
fn a_meaning_is_printed_whole() {
    let text = crate::meaning::find("uidvalidity")[0].text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "uidvalidity");
    assert!(lines.contains(&"Usual causes:") && lines.contains(&"What to do:"), "{text}");
    assert!(text.contains("\n  - ") && text.ends_with("\n\n"), "{text}");
}
