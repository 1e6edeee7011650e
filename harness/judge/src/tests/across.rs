//! Two versions of an app.

use super::*;

/// A newer version may add columns, tables and a revision; what was there must be as it was.
#[test]
fn across_versions_more_is_allowed_and_other_is_not() {
    let across = |change: fn(&mut Seen)| {
        let (_dir, evidence) = evidence();
        let (mut old, mut new) = (seen(), seen());
        let revision = |key: &str| RowSeen { table: "revision".into(), ..row(key, "{}") };
        old.rows.push(revision("older"));
        new.rows.push(revision("newer"));
        change(&mut new);
        for (name, seen) in [("old", &old), ("new", &new)] {
            let o = store(&evidence, name, seen);
            let table = TableSeen { table: "revision".into(), revision: true, ..TableSeen::default() };
            evidence.put_table(o, "main.db", &table).expect("stored");
        }
        let verdict = super::across(&evidence, "old", "new").expect("judged");
        verdict.findings.iter().map(|f| crate::model::essence(&f.item, f.outcome, f.property.as_deref())).collect::<Vec<_>>()
    };
    assert_eq!(across(|_| ()), [""; 0]);
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":1,"quota_bytes":5,"invented":0}"#.into()), [""; 0]);
    assert_eq!(across(|s| s.rows.push(RowSeen { table: "invented".into(), ..row("1", "{}") })), [""; 0]);
    let user = "database main.db, table user, row u1@mail.test";
    assert_eq!(
        across(|s| s.rows.push(row("u2@mail.test", "{}"))),
        ["database main.db, table user, row u2@mail.test: unexpected"]
    );
    let changed =
        |s: &mut Seen| s.rows.iter_mut().for_each(|r| r.key = if r.table == "revision" { "older".into() } else { r.key.clone() });
    assert_eq!(across(changed), [""; 0], "a newer version may keep the revision");
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":0,"quota_bytes":5}"#.into()), [format!("{user}: altered (enabled)")]);
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":1}"#.into()), [format!("{user}: altered (quota_bytes)")]);
    assert_eq!(across(|s| s.rows.clear()), [format!("{user}: lost")], "the revision may change");
    let new = [file("new", "aa"), FileSeen { compared: Compared::Attributes, ..file("new", "aa") }];
    let with = |file: &FileSeen| {
        let (_dir, evidence) = evidence();
        store(&evidence, "old", &seen());
        store(&evidence, "new", &Seen { files: seen().files.into_iter().chain([file.clone()]).collect(), ..seen() });
        super::across(&evidence, "old", "new").expect("judged").status
    };
    assert_eq!(new.map(|file| with(&file)), [Status::Held; 2], "a newer version may make files of its own");
    assert_eq!(across(|s| s.checks[1].1 = "row 3 missing".into()), ["database main.db: altered (integrity_check)"]);
}

/// A backup of the older version, restored onto the newer one, must lead to what an upgrade leads to.
#[test]
fn what_an_upgrade_makes_must_be_there_after_the_restore_of_an_older_backup() {
    let (_dir, evidence) = evidence();
    let object = |what: &str, name: &str, part_of: &str| ObjectSeen {
        what: what.into(),
        name: name.into(),
        part_of: part_of.into(),
        ..ObjectSeen::default()
    };
    let user = object("table", "user", "");
    let new = [object("index", "user_email", "user"), object("table", "token", ""), object("role", "app", "")];
    for (name, objects) in [(INSTALLED, vec![]), (UPGRADED, new.to_vec()), ("restored across versions", vec![])] {
        let o = store(&evidence, name, &seen());
        evidence.put_objects(o, "main.db", &[vec![user.clone()], objects].concat()).expect("stored");
    }
    let found = |stage| essences(&super::across(&evidence, INSTALLED, stage).expect("judged").findings);
    assert_eq!(found(UPGRADED), [].into());
    let lost = ["database main.db, index user_email: lost", "database main.db, table token: lost"];
    assert_eq!(found("restored across versions"), lost.map(str::to_owned).into());
}
