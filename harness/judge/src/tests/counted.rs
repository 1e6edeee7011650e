//! What a verdict counts, and the words in which databases differ.

use super::*;
use crate::checks::{performed, text};

#[test]
fn a_verdict_counts_what_was_compared_of_each_kind() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen());
    let Verdict { compared, coverage, .. } = judge(&evidence, RESTORED).expect("judged");
    // A kind of which there is nothing is absent.
    let said =
        "6 of 6 durable files, 1 of 1 table, 2 of 2 folders, 3 of 3 messages, 2 of 2 sieve scripts, 1 of 1 fact, 1 of 1 trial";
    assert_eq!(coverage.to_string(), said);
    let (accounts, folders, messages, rows) = (1, 2, 3, 1);
    let (files, paths, scripts, facts, keys, trials) = (1, 5, 2, 1, 0, 1);
    assert_eq!(compared, Counts { accounts, folders, messages, rows, files, paths, scripts, facts, keys, trials });
}

#[test]
fn a_database_differs_in_the_words_of_findings() {
    let (_dir, evidence) = evidence();
    let before = store(&evidence, "before", &seen());
    let after = store(&evidence, "after", &Seen { rows: vec![], ..seen() });
    let as_found = |from, to| database_as(&evidence, from, to, "main.db").expect("compared");
    assert_eq!(as_found(before, after), ["database main.db, table user, row u1@mail.test: lost".to_owned()].into());
    assert_eq!(as_found(before, before), [].into());
}

/// A server checks its database itself: of what was not asked, nothing is missing.
#[test]
fn a_baseline_of_a_server_has_no_checks_of_a_file() {
    let (_dir, evidence) = evidence();
    let checks = vec![(FILE.to_owned(), READABLE.to_owned())];
    let o = store(&evidence, BASELINE, &Seen { checks, ..seen() });
    assert_eq!(seeding(&evidence, o).expect("judged"), []);
}

#[test]
fn every_kind_of_check_counts_what_was_compared() {
    let (_dir, evidence) = evidence();
    let before = store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen());
    let object = |name: &str| ObjectSeen { what: "index".into(), name: name.into(), ..ObjectSeen::default() };
    evidence.put_objects(before, "main.db", &[object("a"), object("b")]).expect("stored");
    let key = KeySeen {
        database: 0,
        key: "k".into(),
        kind: "string".into(),
        expires: false,
        soon: false,
        length: 1,
        value: "aa".into(),
    };
    evidence.put_redis(before, "redis", None).expect("stored");
    evidence.put_keys(before, "redis", &[key]).expect("stored");
    let checks = || text(&performed(&evidence, RESTORED).expect("counted"));
    assert!(!checks().contains("mounts"), "none was looked at: {}", checks());
    evidence.set_number(RunFact::Mounts, 4).expect("stored");
    let expected = "\"database main.db\" = 1\n\"fact training\" = 1\n\"files of dkim\" = 1\n\"files of mail\" = 5\n\"folders\" = 2\n\
                    \"keys of redis\" = 1\n\"logins over IMAP\" = 1\n\"messages\" = 3\n\"mounts\" = 4\n\
                    \"objects of main.db, index\" = 2\n\"quotas\" = 1\n\"rows of main.db, user\" = 1\n\"sieve scripts\" = 2\n";
    let tried = "\"trial: mail to an alias, …\" = 1\n";
    assert_eq!(checks(), format!("{expected}{tried}"));
    // Where nothing was tried on purpose, no trial counts, and none that is declared is missing.
    evidence.try_nothing(RESTORED).expect("stored");
    assert_eq!(checks(), expected);
    evidence.set(RunFact::Checks, r#"{"trial: mail to an alias, …": 1, "messages": 4}"#).expect("stored");
    let found: Vec<String> = judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect();
    let short = "check \"messages\": unread: checks.toml declares at least 4, 3 were compared";
    assert!(found.contains(&short.to_owned()) && !found.iter().any(|f| f.contains("trial: ")), "{found:?}");
}

/// A database that was read, and has no table; settings that are about nothing in it.
#[test]
fn a_database_without_tables_is_no_baseline() {
    let (_dir, evidence) = evidence();
    let settings = |said: &str| vec![(FILE.to_owned(), READABLE.to_owned()), (SETTINGS.to_owned(), said.to_owned())];
    let seeded = |said: &str| {
        let o = store(&evidence, BASELINE, &Seen { checks: settings(said), ..seen() });
        seeding(&evidence, o).expect("judged").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let nothing = "database main.db: unread: it has no table, so there is nothing to compare";
    assert_eq!(seeded(""), [nothing]);
    let about = |what: &str| format!("database main.db: unread (settings): {what}");
    assert_eq!(seeded("one\ntwo"), [nothing.to_owned(), about("one"), about("two")]);
}

/// Without the keys of a Redis there is no baseline of them.
#[test]
fn keys_that_were_not_read_before_the_backup_are_unread() {
    let (_dir, evidence) = evidence();
    let o = store(&evidence, BASELINE, &seen());
    evidence.put_redis(o, "one", None).expect("stored");
    evidence.put_redis(o, "two", Some("no answer")).expect("stored");
    let found: Vec<String> = seeding(&evidence, o).expect("judged").iter().map(ToString::to_string).collect();
    assert_eq!(found, ["redis two, key *: unread: no answer"]);
}
