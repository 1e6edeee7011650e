//! The store: what is written is read, and what is forgotten is gone.

use super::*;
use crate::audit::AuditReport;
use crate::error::Error;
use recipe::inventory::Class;

#[test]
fn a_directory_holds_one_run_of_one_version() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = |result: Result<Evidence, Error>| result.err().expect("no evidence").to_string();
    let said = |what: &str| format!("{} {what}", dir.path().display());
    let none = "holds no evidence.db; expected the directory that a run printed as its evidence";
    assert_eq!(error(Evidence::open(dir.path())), said(none));
    let evidence = Evidence::create(dir.path()).expect("evidence");
    assert_eq!(evidence.dir(), dir.path());
    assert_eq!(error(Evidence::create(dir.path())), said("holds a run already; choose another --evidence directory"));
    evidence.set(RunFact::Run, "1a2b").expect("stored");
    let o = evidence.observation("first").expect("begun");
    evidence.complete(o).expect("stored");
    evidence.rename_observation("first", "second").expect("renamed");
    assert_eq!(["first", "second"].map(|name| evidence.completed(name).expect("read").is_some()), [false, true]);
    drop(evidence);
    let again = Evidence::open(dir.path()).expect("evidence");
    assert_eq!(again.get(RunFact::Run).expect("read").as_deref(), Some("1a2b"));
    drop(again);
    let file = dir.path().join("evidence.db");
    rusqlite::Connection::open(&file).expect("opened").pragma_update(None, "user_version", 1).expect("set");
    let wrong = "schema version 1, expected 11; judge it with the restore-drill that wrote it";
    assert_eq!(error(Evidence::open(dir.path())), format!("{}: {wrong}", file.display()));
    std::fs::write(&file, "no database").expect("written");
    assert!(error(Evidence::open(dir.path())).starts_with(&format!("evidence {}: ", file.display())));
    let beneath = file.join("run");
    assert!(
        error(Evidence::create(&beneath)).starts_with(&format!("the run's directory {} cannot be made: ", beneath.display()))
    );
}

#[test]
fn the_ledger_counts_and_tells_failures() {
    let (_dir, evidence) = evidence();
    let line = |item: u64, sent, reply: &str| LedgerLine {
        item: MessageId::Corpus(item),
        account: ACCOUNT.into(),
        sent,
        reply: reply.into(),
        body_sha256: [0; 32],
        bytes: 10,
        expunged: false,
    };
    let refused = |n| line(n, Sent::Failed, "550 no");
    evidence.ledger(&[line(1, Sent::Ok, "250"), refused(2), refused(3), line(4, Sent::Indeterminate, "lost")]).expect("stored");
    assert_eq!(Sent::ALL.map(|sent| evidence.ledger_count(sent).expect("counted")), [1, 2, 1]);
    let failures = ["failed: 550 no (2 times)", "indeterminate: lost (1 times)"];
    assert_eq!(evidence.ledger_failures().expect("read"), failures);
    evidence.expunged(MessageId::Corpus(1), ACCOUNT).expect("stored");
    assert_eq!(evidence.expunged_of(ACCOUNT).expect("read"), [MessageId::Corpus(1)].into());
    assert_eq!(Sent::ALL.map(|sent| sent.to_string().parse()), Sent::ALL.map(Ok));
}

#[test]
fn what_is_read_again_replaces_what_was_read() {
    let (_dir, evidence) = evidence();
    let o = store(&evidence, RESTORED, &seen());
    assert_eq!(evidence.messages(o, ACCOUNT).expect("read").len(), 3);
    evidence.clear_folder(o, ACCOUNT, "INBOX").expect("cleared");
    let left = evidence.messages(o, ACCOUNT).expect("read");
    assert_eq!(left, [message("Archive", 1, 3, "3")]);
    assert_eq!(evidence.folders(o, ACCOUNT).expect("read"), [folder("Archive")]);
    assert_eq!(evidence.accounts(o).expect("read"), [(ACCOUNT.to_owned(), Login::Read)]);
    evidence.clear_account(o, ACCOUNT).expect("cleared");
    assert_eq!(evidence.messages(o, ACCOUNT).expect("read"), []);
    assert_eq!((evidence.folders(o, ACCOUNT).expect("read"), evidence.accounts(o).expect("read")), (vec![], vec![]));
    assert_eq!(evidence.quota(o, ACCOUNT).expect("read"), None);
    let altered = AlteredSeen { account: ACCOUNT.into(), folder: "INBOX".into(), uid: 7, item: None, bytes: b"a".to_vec() };
    evidence.put_altered(o, &altered).expect("stored");
    evidence.put_altered(o, &AlteredSeen { bytes: b"b".to_vec(), ..altered.clone() }).expect("stored");
    assert_eq!(evidence.altered(o).expect("read"), [AlteredSeen { bytes: b"b".to_vec(), ..altered }]);
}

fn audited_file(path: &str, class: Class, size: u64, sha256: Option<&str>) -> AuditFile {
    AuditFile { path: path.into(), class, dump: None, size: sha256.map(|_| size), sha256: sha256.map(str::to_owned) }
}

#[test]
fn the_report_of_an_audit_is_what_the_snapshot_holds() {
    let (_dir, evidence) = evidence();
    assert_eq!(AuditReport::read(&evidence).expect("read"), None);
    let live = [
        audited_file("a", Class::Durable, 1024, Some("aa")),
        audited_file("b", Class::Durable, 5, Some("bb")),
        audited_file("c", Class::Durable, 5, Some("cc")),
        audited_file("cache", Class::Cache, 1024, Some("dd")),
    ];
    evidence.put_audit_files(Side::Live, "data", &live).expect("stored");
    let snapshot = [
        audited_file("a", Class::Durable, 1024, Some("aa")),
        audited_file("b", Class::Durable, 7, Some("b2")),
        audited_file("c", Class::Durable, 5, Some("c2")),
        audited_file("cache", Class::Cache, 1024, Some("dd")),
    ];
    evidence.put_audit_files(Side::Snapshot, "data", &snapshot).expect("stored");
    evidence.set(RunFact::Audit, "1a2b3c4d").expect("stored");
    assert_eq!(evidence.audited_live("data").expect("read"), ["a", "b", "c", "cache"]);
    assert_eq!(evidence.audited().expect("read"), [("data".to_owned(), 3)]);
    let report = AuditReport::read(&evidence).expect("read").expect("a report");
    let difference = |path: &str, what: &str| Difference { volume: "data".into(), path: path.into(), what: what.into() };
    let expected = AuditReport {
        snapshot: "1a2b3c4d".into(),
        captured: vec![
            ("data".into(), Class::Cache, Amount { files: 1, bytes: 1024 }),
            ("data".into(), Class::Durable, Amount { files: 3, bytes: 1036 }),
        ],
        differing: 2,
        differing_first: vec![difference("b", "size: 5 live, 7 in the snapshot"), difference("c", "hash")],
        later: 0,
    };
    assert_eq!(report, expected);
    assert_eq!((report.total(), report.junk()), (Amount { files: 4, bytes: 2060 }, Amount { files: 1, bytes: 1024 }));
    let text = "snapshot 1a2b3c4d: 4 files, 3 KiB\n  volume data, cache: 1 file, 1 KiB\n  volume data, durable: 3 files, 2 KiB\n\
                files that need no backup (cache, regenerated): 25 % of the files, 50 % of the bytes\n\
                files that differ between the live volumes and the snapshot: 2\n  \
                volume data, b: size: 5 live, 7 in the snapshot\n  volume data, c: hash\n";
    assert_eq!(report.to_string(), text);
    let empty = AuditReport { captured: vec![], differing: 0, differing_first: vec![], ..report };
    let text =
        "snapshot 1a2b3c4d: 0 files, 0 KiB\nfiles that need no backup (cache, regenerated): 0 % of the files, 0 % of the bytes\n";
    assert_eq!(empty.to_string(), text);
}

#[test]
fn what_is_listed_and_not_handed_over_is_unread_and_half_a_name_is_no_file() {
    let (_dir, evidence) = evidence();
    let put = |path: &str, sha256| {
        evidence.put_audit_files(Side::Snapshot, "v", &[audited_file(path, Class::Durable, 1, sha256)]).expect("stored");
    };
    put("a", Some("aa"));
    assert_eq!(evidence.unread_of_snapshot().expect("read"), None);
    // The bot's list has a line for each line of a name.
    put("b", None);
    put("b\\x0ac", Some("bb"));
    assert_eq!(evidence.unread_of_snapshot().expect("read"), None);
    put("z", None);
    put("y", None);
    assert_eq!(evidence.unread_of_snapshot().expect("read"), Some((2, "v: y".into())));
    // Its content is known later.
    put("y", Some("aa"));
    assert_eq!(evidence.unread_of_snapshot().expect("read"), Some((1, "v: z".into())));
}

#[test]
fn a_word_of_the_store_that_nobody_knows_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    let db = rusqlite::Connection::open(dir.path().join("evidence.db")).expect("opened");
    let insert = |sql: &str| db.execute_batch(sql).expect("stored");
    insert("INSERT INTO audit_file VALUES ('snapshot', 'v', 'p', 'precious', NULL, 1, 'aa')");
    assert!(evidence.captured().expect_err("no class").to_string().ends_with("there is no class \"precious\""));
    insert("INSERT INTO trial VALUES ('s', 'dance', '[]', 'e', 'v', '')");
    assert!(evidence.trials("s").is_err());
    insert("DELETE FROM trial; INSERT INTO trial VALUES ('s', 'webmail of …', '{', 'e', 'v', '')");
    assert!(evidence.trials("s").is_err());
    insert("INSERT INTO step VALUES ('backup', 'boredom', 'm')");
    assert!(evidence.complaints().is_err());
    assert!(crate::across(&evidence, "a", "b").is_err_and(|e| e.to_string().contains("\"a\" or \"b\" was not completed")));
}

/// A baseline that is not what was submitted.
#[test]
fn seeding_finds_what_was_not_read_or_is_not_as_submitted() {
    let (_dir, evidence) = evidence();
    let line = |item: &str, expunged, body: u8| LedgerLine {
        item: item.parse().expect("an id"),
        account: ACCOUNT.into(),
        sent: Sent::Ok,
        reply: "250".into(),
        body_sha256: [body; 32],
        bytes: 10,
        expunged,
    };
    evidence.ledger(&[line("1", false, 1), line("2", false, 9), line("3", true, 3), line("7", false, 7)]).expect("stored");
    let o = store(&evidence, BASELINE, &Seen { facts: vec![fact(None)], checks: vec![], ..seen() });
    evidence.put_account(o, "u2@mail.test", &Login::Refused("no".into())).expect("stored");
    evidence.put_file_unread(o, "mail", "x", "no answer").expect("stored");
    let found: Vec<String> = crate::seeding(&evidence, o).expect("judged").iter().map(ToString::to_string).collect();
    let expected = [
        "mailbox u2@mail.test: unread: no",
        "mailbox u1@mail.test, folder Archive, message with UID 1 (corpus message 3): resurrected: it was expunged and is still there",
        "mailbox u1@mail.test, folder INBOX, message with UID 0 (corpus message 7): lost: it was accepted over SMTP and is not in the mailbox",
        "mailbox u1@mail.test, folder INBOX, message with UID 2 (corpus message 2): altered (bytes): the body is not the one that was submitted",
        "database main.db: unread (file): it was not read",
        "volume mail, file x: unread: no answer",
        "training: unread: the command that prints it failed",
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_was_read_of_a_service_or_a_database_can_be_forgotten() {
    let (_dir, evidence) = evidence();
    let o = store(&evidence, RESTORED, &seen());
    let key = KeySeen {
        database: 0,
        key: "k".into(),
        kind: "string".into(),
        expires: true,
        soon: false,
        length: 3,
        value: "aa".into(),
    };
    for service in ["one", "two"] {
        evidence.put_keys(o, service, std::slice::from_ref(&key)).expect("stored");
    }
    evidence.clear_keys(o, "one").expect("cleared");
    assert_eq!(evidence.key_counts(o).expect("read"), [("two".to_owned(), 1)]);
    assert_eq!(evidence.keys(o, "two", None).expect("read"), [(key, false)]);
    let index = |value: &str| ObjectSeen {
        what: "index".into(),
        name: "i".into(),
        property: "definition".into(),
        value: value.into(),
        part_of: "user".into(),
    };
    let table = TableSeen { table: "user".into(), ..TableSeen::default() };
    let rest = |database: &str| {
        let count = |n: usize| n as u64;
        let rows = evidence.row_counts(o).expect("read").into_iter().filter(|(of, ..)| of == database).map(|(.., n)| n).sum();
        let checks = count(evidence.checks(o, database).expect("read").len());
        let tables = count(evidence.tables(o, database).expect("read").len());
        [rows, checks, tables, count(evidence.objects(o, database).expect("read").len())]
    };
    for database in ["main.db", "other.db"] {
        evidence.put_table(o, database, &table).expect("stored");
        evidence.put_objects(o, database, &[index("old")]).expect("stored");
        evidence.put_objects(o, database, &[index("new")]).expect("stored");
        assert_eq!(evidence.objects(o, database).expect("read"), [index("new")]);
    }
    assert_eq!([rest("main.db"), rest("other.db")], [[1, 3, 1, 1], [0, 0, 1, 1]]);
    evidence.forget_database(o, "main.db").expect("forgotten");
    assert_eq!([rest("main.db"), rest("other.db")], [[0; 4], [0, 0, 1, 1]]);
}

/// An error of the store is none of a declaration.
#[test]
fn a_store_that_cannot_be_read_is_an_error_and_no_finding() {
    let (dir, evidence) = evidence();
    rusqlite::Connection::open(dir.path().join("evidence.db")).expect("opened").execute_batch("DROP TABLE run").expect("dropped");
    let error = judge(&evidence, RESTORED).expect_err("no table").to_string();
    assert!(error.ends_with("no such table: run"), "{error}");
}

/// An app goes on while it is backed up: what it made or renamed since then is not held against the snapshot, what it replaced is.
#[test]
fn what_got_its_name_after_the_backup_began_is_not_missed() {
    let (_dir, evidence) = evidence();
    evidence.put_before("data", &["replaced".into(), "renamed".into()]).expect("stored");
    let live = ["replaced", "renamed-since", "new"].map(|path| audited_file(path, Class::Durable, 1, Some("aa")));
    evidence.put_audit_files(Side::Live, "data", &live).expect("stored");
    assert_eq!(evidence.forget_later().expect("forgotten"), 2);
    assert_eq!(evidence.missed().expect("read"), [("data".to_owned(), "replaced".to_owned(), 1)]);
}
