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
    assert_eq!(across(|s| s.checks[1].1 = "row 3 missing".into()), ["database main.db: altered (integrity_check)"]);
}
