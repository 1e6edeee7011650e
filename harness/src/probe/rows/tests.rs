//! SQLite files, read and compared whole.

use std::collections::BTreeSet;
use std::path::Path;

use judge::store::Evidence;
use rusqlite::Connection;

use super::*;

fn spec(more: &str) -> Spec {
    toml::from_str(&format!("name = 'm.db'\ndialect = 'sqlite'\nvolume = 'v'\nfile = 'm.db'\n{more}")).expect("valid")
}

fn observed(evidence: &Evidence, name: &str, file: &Path, spec: &Spec) -> ObservationId {
    let o = evidence.observation(name).expect("an observation");
    let mut store = Store::begin(evidence, o, spec, &[]).expect("begun");
    sqlite::read(file, &mut store).expect("stored").expect("readable");
    store.finish().expect("stored");
    o
}

const SCHEMA: &str = "
CREATE TABLE domain (name TEXT PRIMARY KEY);
CREATE TABLE alias (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT NOT NULL DEFAULT 'x', domain TEXT REFERENCES domain (name), pw TEXT);
CREATE TABLE log (line);
CREATE TABLE pair (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE UNIQUE INDEX alias_email ON alias (email);
CREATE VIEW emails AS SELECT email FROM alias;
CREATE TRIGGER alias_log AFTER DELETE ON alias BEGIN INSERT INTO log VALUES ('gone'); END;
INSERT INTO domain VALUES ('mail.test');
INSERT INTO alias (email, domain, pw) VALUES ('a@mail.test', 'mail.test', 'geheim'), ('b@mail.test', NULL, NULL);
INSERT INTO log VALUES ('same'), ('same'), (1), ('1'), (NULL), ('NULL'), (x'31'), (CAST(x'ff' AS TEXT));
INSERT INTO pair VALUES (1, 2), ('1', 2);
PRAGMA user_version = 7;
";

/// The findings after a change of the database.
fn found(change: &str) -> BTreeSet<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spec) = (dir.path().join("m.db"), spec("[[table]]\nname = 'alias'\nsecret = ['pw']"));
    let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
    let db = Connection::open(&file).expect("a database");
    db.execute_batch(SCHEMA).expect("made");
    let before = observed(&evidence, "before", &file, &spec);
    assert_eq!(evidence.rows(before).expect("read").len(), 13);
    db.execute_batch(change).expect("changed");
    let after = observed(&evidence, "after", &file, &spec);
    judge::database_as(&evidence, before, after, "m.db").expect("compared")
}

fn finds(change: &str, expected: &[&str]) {
    assert_eq!(found(change), expected.iter().map(|f| format!("database m.db{f}")).collect(), "{change}");
}

#[test]
fn everything_that_a_database_is_is_compared() {
    finds("", &[]);
    finds("REINDEX; VACUUM; ANALYZE", &[]);
    finds("PRAGMA user_version = 8", &[": altered (user_version)"]);
    finds("PRAGMA journal_mode = WAL", &[": altered (journal_mode)"]);
    finds("PRAGMA auto_vacuum = FULL; VACUUM", &[": altered (auto_vacuum)"]);
    finds("PRAGMA page_size = 8192; VACUUM", &[": altered (page_size)"]);
    finds("PRAGMA application_id = 8", &[": altered (application_id)"]);
    finds("DROP INDEX alias_email", &[", index alias_email: lost"]);
    finds("DROP TRIGGER alias_log", &[", trigger alias_log: lost"]);
    finds("DROP VIEW emails", &[", view emails: lost"]);
    finds("DROP TABLE log", &[", table log: lost"]);
    finds("CREATE TABLE more (a)", &[", table more: unexpected"]);
    finds("UPDATE sqlite_sequence SET seq = 1", &[", sequence alias: altered (value)"]);
    finds("ALTER TABLE alias ADD COLUMN at DEFAULT 0", &[", column alias.at: unexpected"]);
}

#[test]
fn a_table_that_was_made_anew_without_its_constraints_is_told() {
    let anew = "ALTER TABLE alias RENAME TO old; DROP VIEW emails; CREATE TABLE alias (id, email, domain, pw); INSERT INTO alias SELECT * FROM old;
                DROP TABLE old; CREATE UNIQUE INDEX alias_email ON alias (email);
                CREATE VIEW emails AS SELECT email FROM alias;
                CREATE TRIGGER alias_log AFTER DELETE ON alias BEGIN INSERT INTO log VALUES ('gone'); END;";
    let found = found(anew);
    for expected in [
        "column alias.email: altered (not null)",
        "column alias.email: altered (default)",
        "column alias.id: altered (primary key)",
        "foreign key alias (domain) to domain: lost",
        "sequence alias: lost",
    ] {
        assert!(found.contains(&format!("database m.db, {expected}")), "{expected}: {found:?}");
    }
}

#[test]
fn rows_are_compared_with_their_types() {
    finds(
        "PRAGMA foreign_keys = OFF; DELETE FROM domain",
        &[", table domain, row mail.test: lost", ": altered (foreign_key_check)"],
    );
    finds("UPDATE alias SET pw = 'other' WHERE id = 1", &[", table alias, row 1: altered (pw)"]);
    finds("UPDATE alias SET pw = 'NULL' WHERE id = 2", &[", table alias, row 2: altered (pw)"]);
    let pair = found("DELETE FROM pair WHERE a = '1' AND typeof(a) = 'text'");
    assert!(pair.contains("database m.db, table pair, row 1,2 (2): lost"), "1 and '1' are two keys: {pair:?}");
    for change in [
        "DELETE FROM log WHERE rowid = 2",
        "DELETE FROM log WHERE line = '1' AND typeof(line) = 'text'",
        "DELETE FROM log WHERE line IS NULL",
    ] {
        let found = found(change);
        assert!(found.len() == 1 && found.iter().all(|f| f.ends_with(": lost")), "{change}: {found:?}");
    }
    let doubled = found("INSERT INTO log VALUES ('same')");
    assert!(doubled.len() == 1 && doubled.iter().all(|f| f.ends_with(" (3): unexpected")), "{doubled:?}");
}

#[test]
fn a_torn_file_is_an_error_and_not_an_empty_database() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, spec) = (dir.path().join("m.db"), spec(""));
    let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
    std::fs::write(&file, b"SQLite format 3\0 and then nothing of sense").expect("written");
    let o = evidence.observation("torn").expect("an observation");
    let mut store = Store::begin(&evidence, o, &spec, &[]).expect("begun");
    assert!(sqlite::read(&file, &mut store).expect("stored").is_err());
    // An empty file is a database without tables: no baseline, and after a restore every table is lost.
    std::fs::write(&file, b"").expect("written");
    let o = observed(&evidence, judge::BASELINE, &file, &spec);
    evidence.set(judge::store::RunFact::Databases, "m.db").expect("stored");
    let unsound = judge::seeding(&evidence, o).expect("judged");
    assert!(unsound.iter().any(|f| f.detail.contains("no table")), "{unsound:?}");
}

#[test]
fn what_is_left_out_is_not_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("m.db");
    Connection::open(&file).expect("a database").execute_batch(SCHEMA).expect("made");
    let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
    let left = "[[leave_out]]\ntable = 'alias'\nwhy = 'x'\n[[leave_out]]\ntable = 'log'\nwhere = 'line = 1'\nwhy = 'x'\n
                [[leave_out]]\nobject = 'view *'\nwhy = 'x'\n[[leave_out]]\ntable = 'gone'\nwhy = 'x'";
    let o = observed(&evidence, "before", &file, &spec(left));
    let counts: Vec<_> = evidence.row_counts(o).expect("read").into_iter().map(|(_, table, n)| (table, n)).collect();
    assert_eq!(counts, [("domain".into(), 1), ("log".into(), 7), ("pair".into(), 2)]);
    let kinds: Vec<String> = evidence.object_counts(o, "m.db").expect("read").into_keys().collect();
    assert!(!kinds.contains(&"view".to_owned()) && !kinds.contains(&"sequence".to_owned()), "{kinds:?}");
    let checks = evidence.checks(o, "m.db").expect("read");
    let settings = checks.iter().find(|(property, _)| property == judge::SETTINGS).map(|(_, value)| value.as_str());
    assert_eq!(settings, Some("[[database.leave_out]] with table = \"gone\": the database has no table \"gone\""));
}

/// What the app alone has, such as a collation, keeps a check from being made, and rows from nothing.
#[test]
fn a_check_that_only_the_app_can_make_is_unknown_or_left_out() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("m.db");
    let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
    let db = Connection::open(&file).expect("a database");
    db.execute_batch(
        "CREATE TABLE t (a TEXT); CREATE INDEX i ON t (a); INSERT INTO t VALUES ('x'), ('y');
         PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a TEXT COLLATE own)' WHERE name = 't'",
    )
    .expect("made");
    let said = |o, property: &str| {
        let checks = evidence.checks(o, "m.db").expect("read");
        checks.into_iter().find(|(p, _)| p == property).map(|(_, said)| said)
    };
    let plain = observed(&evidence, "plain", &file, &spec(""));
    assert_eq!(evidence.rows(plain).expect("read").len(), 2);
    assert_eq!(said(plain, "integrity_check"), None);
    assert!(said(plain, judge::SETTINGS).expect("said").starts_with("integrity_check cannot be made: no such collation"));
    let left_out =
        spec("[[leave_out]]\nobject = 'database'\nproperty = 'integrity_check'\nwhy = 'Its collation belongs to the app.'");
    let left_out = observed(&evidence, "left out", &file, &left_out);
    assert_eq!(said(left_out, judge::SETTINGS).as_deref(), Some(""));
}

/// A transaction that was under way when the files were copied is undone, as the app would do it.
#[test]
fn a_hot_journal_is_rolled_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let (live, copy) = (dir.path().join("live.db"), dir.path().join("copy.db"));
    let db = Connection::open(&live).expect("a database");
    let many = "WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200)";
    db.execute_batch(&format!("CREATE TABLE t (a); INSERT INTO t {many} SELECT zeroblob(2000) FROM c")).expect("made");
    let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
    let before = observed(&evidence, "before", &live, &spec(""));
    db.execute_batch("PRAGMA cache_size = 5; BEGIN; UPDATE t SET a = zeroblob(2001)").expect("changed");
    for suffix in ["", "-journal"] {
        std::fs::copy(format!("{}{suffix}", live.display()), format!("{}{suffix}", copy.display())).expect("copied");
    }
    let after = observed(&evidence, "after", &copy, &spec(""));
    assert_eq!(judge::database_as(&evidence, before, after, "m.db").expect("compared"), BTreeSet::new());
}
