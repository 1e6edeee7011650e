//! Databases: whether they can be read, their rows, and everything else that they have.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::say::{changed, finding, part};
use crate::stage::Versions;
use crate::store::{Evidence, ObjectAlone, ObjectPair, ObjectPairs, ObservationId, RowPairs, RowSeen, TableSeen};

/// The check that says whether a database could be read.
pub const FILE: &str = "file";
/// What it says of a database that was read.
pub const READABLE: &str = "readable";
/// What it says where the server, or the volume, has no such database.
pub const ABSENT: &str = "absent";
/// The check that says which settings of the scenario have nothing in the database that they are about.
pub const SETTINGS: &str = "settings";
/// What is said of the rows of a materialized view that are what its query gives.
pub const AS_QUERIED: &str = "what its query gives";
/// What is said of a materialized view that was never filled.
pub const NOT_FILLED: &str = "not filled";

/// Whether these are the checks of a database that was read.
pub(crate) fn is_read(checks: &[(String, String)]) -> bool {
    !checks.is_empty() && checks.iter().all(|(check, how)| check != FILE || how == READABLE)
}

/// Compares the checks of a database. What cannot be said of a database that is gone or cannot be read is one finding.
pub(crate) fn database(name: &str, old: &[(String, String)], new: &[(String, String)], findings: &mut Vec<Finding>) {
    let item = || Item::Database { database: name.into() };
    let new: BTreeMap<&str, &str> = new.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let unread = new.get(FILE).is_some_and(|how| *how != READABLE);
    if new.get(FILE) == Some(&ABSENT) && old.iter().any(|(property, how)| property == FILE && how != ABSENT) {
        return findings.push(finding(item(), Outcome::Lost, None, String::new()));
    }
    for (property, was) in old.iter().filter(|(property, _)| property != SETTINGS) {
        match new.get(property.as_str()) {
            Some(is) if is == was => {}
            Some(is) => findings.push(finding(item(), Outcome::Altered, Some(property), changed(was, is))),
            None if unread => {}
            None => findings.push(finding(item(), Outcome::Unread, Some(property), "it was not read".into())),
        }
    }
}

/// What keeps an observation from being the baseline of a comparison: settings of the scenario that are about nothing in the
/// database, and a database that has no table.
pub(crate) fn unsound(evidence: &Evidence, o: ObservationId, name: &str, findings: &mut Vec<Finding>) -> Result<()> {
    let item = || Item::Database { database: name.into() };
    let checks = evidence.checks(o, name)?;
    let check = |property: &str| checks.iter().find(|(p, _)| p == property).map(|(_, value)| value.as_str());
    for wrong in check(SETTINGS).unwrap_or_default().lines() {
        findings.push(finding(item(), Outcome::Unread, Some(SETTINGS), wrong.to_owned()));
    }
    // Where no settings were held against the database, its tables were not listed.
    if check(FILE) == Some(READABLE) && check(SETTINGS).is_some() && evidence.tables(o, name)?.is_empty() {
        findings.push(finding(item(), Outcome::Unread, None, "it has no table, so there is nothing to compare".into()));
    }
    Ok(())
}

/// A database before the backup and after the restore.
pub(crate) struct Sides<'a> {
    /// Where both were stored.
    pub evidence: &'a Evidence,
    /// The observation before.
    pub before: ObservationId,
    /// The observation after.
    pub after: ObservationId,
    /// The database.
    pub name: &'a str,
    /// Which versions of the app wrote them.
    pub versions: Versions,
}

impl Sides<'_> {
    /// Compares what the database holds. Of one that was not read, nothing is said here.
    pub(crate) fn content(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let checks = self.evidence.checks(self.after, self.name)?;
        if checks.iter().any(|(property, how)| property == FILE && how != READABLE) {
            return Ok(());
        }
        self.tables(findings)?;
        self.rows(findings)?;
        // A newer version may have another schema.
        if self.versions == Versions::Same {
            objects(self.name, self.evidence.object_pairs(self.before, self.after, self.name)?, findings);
        }
        Ok(())
    }

    /// Tables that only one observation has.
    fn tables(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let names =
            |o| -> Result<BTreeSet<String>> { Ok(self.evidence.tables(o, self.name)?.into_iter().map(|t| t.table).collect()) };
        let (old, new) = (names(self.before)?, names(self.after)?);
        let table =
            |name: &String| (Item::Object { database: self.name.into(), what: TABLE.into(), name: name.clone() }, String::new());
        alone(old.difference(&new).map(table), Outcome::Lost, findings);
        if self.versions == Versions::Same {
            alone(new.difference(&old).map(table), Outcome::Unexpected, findings);
        }
        Ok(())
    }

    fn rows(&self, findings: &mut Vec<Finding>) -> Result<()> {
        let Self { evidence, before, after, name, versions } = *self;
        let item = |r: &RowSeen| Item::Row { database: r.database.clone(), table: r.table.clone(), key: r.key.clone() };
        let RowPairs { mut changed, mut only_before, mut only_after } = evidence.row_pairs(before, after, name)?;
        let tables = evidence.tables(before, name)?;
        if versions == Versions::OlderThenNewer {
            let of_revision = |r: &RowSeen| tables.iter().any(|t| t.revision && t.table == r.table);
            changed.retain(|(o, _)| !of_revision(o));
            only_before.retain(|r| !of_revision(r));
            let filled: BTreeSet<(String, String)> = evidence.row_counts(before)?.into_iter().map(|(db, t, _)| (db, t)).collect();
            let known = |r: &RowSeen| filled.contains(&(r.database.clone(), r.table.clone())) && !of_revision(r);
            only_after.retain(known);
        }
        // A column that only one of the tables has is one finding, and none on each row.
        let shapes = evidence.tables(after, name)?;
        let told = |table: &str, column: &String| {
            let has = |tables: &[TableSeen]| tables.iter().any(|t| t.table == table && t.columns.contains(column));
            versions == Versions::Same && has(&tables) != has(&shapes)
        };
        for (old, new) in changed {
            altered(&item(&old), &old.columns, &new.columns, versions, |column| told(&old.table, column), findings);
        }
        let keyless = |r: &RowSeen| tables.iter().any(|t| t.table == r.table && t.key.is_empty());
        let row = |r: &RowSeen| (item(r), if keyless(r) { part(&r.columns) } else { String::new() });
        alone(only_before.iter().map(row), Outcome::Lost, findings);
        alone(only_after.iter().map(row), Outcome::Unexpected, findings);
        Ok(())
    }
}

/// A finding for each item that only one observation has, with what is said of it.
fn alone(items: impl Iterator<Item = (Item, String)>, outcome: Outcome, findings: &mut Vec<Finding>) {
    findings.extend(items.map(|(item, detail)| finding(item, outcome, None, detail)));
}

const TABLE: &str = "table";
/// Properties of a table that change with its parts.
const AS_A_WHOLE: [&str; 2] = [DEFINITION, "order of columns"];
const DEFINITION: &str = "definition";
/// Properties of a table that its definition has too.
const IN_DEFINITION: [&str; 4] = ["engine", "collation", "comment", "partitions"];

/// A finding for each column in which a row differs.
fn altered(item: &Item, old: &str, new: &str, versions: Versions, told: impl Fn(&String) -> bool, findings: &mut Vec<Finding>) {
    let parse = |text: &str| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text);
    let (Ok(was), Ok(is)) = (parse(old), parse(new)) else {
        let detail = "its columns in the evidence are no JSON object".to_owned();
        return findings.push(finding(item.clone(), Outcome::Unread, None, detail));
    };
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let mut is_told = false;
    for name in names.into_iter().filter(|n| versions == Versions::Same || was.contains_key(*n)) {
        if told(name) {
            is_told = true;
            continue;
        }
        let show = |v: Option<&serde_json::Value>| v.map_or_else(|| "absent".to_owned(), |v| part(&v.to_string()));
        if was.get(name) != is.get(name) {
            let detail = changed(show(was.get(name)), show(is.get(name)));
            findings.push(finding(item.clone(), Outcome::Altered, Some(name), detail));
            is_told = true;
        }
    }
    // Two numbers that are written differently may be read as one.
    if !is_told && versions == Versions::Same {
        findings.push(finding(item.clone(), Outcome::Altered, None, changed(part(old), part(new))));
    }
}

fn objects(database: &str, pairs: ObjectPairs, findings: &mut Vec<Finding>) {
    let object = |what: String, name: String| Item::Object { database: database.into(), what, name };
    let ObjectPairs { changed: pairs, only_before, only_after } = pairs;
    let parts = pairs.iter().map(|p| &p.part_of).chain(only_before.iter().chain(&only_after).map(|x| &x.part_of));
    let mut parts: BTreeSet<String> = parts.cloned().collect();
    let told = pairs.iter().filter(|p| p.what == TABLE && IN_DEFINITION.contains(&p.property.as_str()));
    parts.extend(told.map(|p| p.name.clone()));
    for ObjectPair { what, name, property, before, after, .. } in pairs {
        // What a part of a table tells, its definition as a whole tells again.
        if what == TABLE && AS_A_WHOLE.contains(&property.as_str()) && parts.contains(&name) {
            continue;
        }
        // A view that was out of date, and was filled anew, has lost nothing.
        if what == "materialized view" && after.as_deref() == Some(AS_QUERIED) && before.as_deref() != Some(NOT_FILLED) {
            continue;
        }
        let item = if what.is_empty() { Item::Database { database: database.into() } } else { object(what, name) };
        let (was, is) = differing(before.as_deref().unwrap_or("absent"), after.as_deref().unwrap_or("absent"));
        findings.push(finding(item, Outcome::Altered, Some(&property), changed(was, is)));
    }
    for (of, outcome) in [(only_before, Outcome::Lost), (only_after, Outcome::Unexpected)] {
        // Tables that only one side has are told with the rows.
        let told = of.into_iter().filter(|x| x.what != TABLE);
        alone(told.map(|x| (object(x.what, x.name), String::new())), outcome, findings);
    }
}

/// What a database lacks, restored from a backup of the older version, that it has after an upgrade to the newer one: tables, columns,
/// indexes, constraints, …. Roles and their rights may be in no backup of a database, and large objects are data.
pub(crate) fn not_as_upgraded(database: &str, pairs: ObjectPairs, findings: &mut Vec<Finding>) {
    let is_own = |x: &ObjectAlone| !["role", "default privileges", "large object"].contains(&x.what.as_str());
    let detail = "the database has it after an upgrade, and not after the restore of an older backup";
    let told = |x: ObjectAlone| (Item::Object { database: database.into(), what: x.what, name: x.name }, detail.to_owned());
    alone(pairs.only_before.into_iter().filter(is_own).map(told), Outcome::Lost, findings);
}

/// Two texts from shortly before where they differ.
fn differing(was: &str, is: &str) -> (String, String) {
    const BEFORE: usize = 20;
    let same = was.chars().zip(is.chars()).take_while(|(a, b)| a == b).count();
    let cut = |text: &str| {
        let from = same.saturating_sub(BEFORE);
        let rest: String = text.chars().skip(from).collect();
        part(&if from == 0 { rest } else { format!("…{rest}") })
    };
    if was.chars().count().max(is.chars().count()) <= crate::say::PART { (part(was), part(is)) } else { (cut(was), cut(is)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ObjectSeen, TableSeen};

    fn found(change: impl FnOnce(&Evidence, ObservationId), versions: Versions) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let before = evidence.observation("before").expect("an observation");
        store(&evidence, before, &["t", "log"], &[("t", "1", "{\"a\":1}"), ("log", "3f9a", "{\"line\":\"x\"}")]);
        let after = evidence.observation("after").expect("an observation");
        change(&evidence, after);
        let mut findings = Vec::new();
        let sides = Sides { evidence: &evidence, before, after, name: "d", versions };
        sides.content(&mut findings).expect("compared");
        findings.iter().map(ToString::to_string).collect()
    }

    fn store(evidence: &Evidence, o: ObservationId, tables: &[&str], rows: &[(&str, &str, &str)]) {
        for table in tables {
            let key = if *table == "log" { vec![] } else { vec!["a".to_owned()] };
            let seen = TableSeen { table: (*table).to_owned(), key, revision: *table == "revision", ..TableSeen::default() };
            evidence.put_table(o, "d", &seen).expect("stored");
            let what = |what: &str, name: String| ObjectSeen {
                what: what.into(),
                name,
                part_of: if what == "table" { String::new() } else { (*table).to_owned() },
                ..ObjectSeen::default()
            };
            evidence.put_objects(o, "d", &[what("table", (*table).into()), what("index", format!("{table}_i"))]).expect("stored");
        }
        let row = |(table, key, columns): &(&str, &str, &str)| RowSeen {
            database: "d".into(),
            table: (*table).into(),
            key: (*key).into(),
            columns: (*columns).into(),
        };
        evidence.put_rows(o, "d", &[(FILE.into(), READABLE.into())], &rows.iter().map(row).collect::<Vec<_>>()).expect("stored");
    }

    #[test]
    fn a_table_that_is_gone_is_one_finding() {
        let gone = found(|e, o| store(e, o, &["t"], &[("t", "1", "{\"a\":1}")]), Versions::Same);
        assert_eq!(gone, ["database d, table log: lost"]);
        let more = |e: &Evidence, o| {
            store(
                e,
                o,
                &["t", "log", "new"],
                &[("t", "1", "{\"a\":1}"), ("log", "3f9a", "{\"line\":\"x\"}"), ("new", "1", "{}")],
            );
        };
        assert_eq!(found(more, Versions::Same), ["database d, table new: unexpected"]);
        assert_eq!(found(more, Versions::OlderThenNewer), [""; 0]);
    }

    /// A column that only one of the tables has is told with the table; a row's other columns are told with the row.
    #[test]
    fn a_column_that_came_or_went_is_not_told_for_each_row() {
        let shaped = |table: &str, columns: &[&str]| TableSeen {
            table: table.into(),
            key: vec!["a".into()],
            columns: columns.iter().map(|c| (*c).to_owned()).collect(),
            ..TableSeen::default()
        };
        let row = |table: &str, columns: &str| RowSeen {
            database: "d".into(),
            table: table.into(),
            key: "1".into(),
            columns: columns.into(),
        };
        let told = |old: &[TableSeen], new: &[TableSeen], versions| {
            let dir = tempfile::tempdir().expect("a directory");
            let evidence = Evidence::create(dir.path()).expect("evidence");
            let o = [("before", old, r#"{"a":1,"b":1}"#), ("after", new, r#"{"a":2,"c":1}"#)].map(|(name, tables, columns)| {
                let o = evidence.observation(name).expect("an observation");
                tables.iter().for_each(|table| evidence.put_table(o, "d", table).expect("stored"));
                let rows = [row("t", columns), row("u", r#"{"b":1}"#)];
                evidence.put_rows(o, "d", &[(FILE.into(), READABLE.into())], &rows).expect("stored");
                o
            });
            let mut findings = Vec::new();
            let sides = Sides { evidence: &evidence, before: o[0], after: o[1], name: "d", versions };
            sides.rows(&mut findings).expect("compared");
            findings.into_iter().filter_map(|f| f.property).collect::<Vec<_>>()
        };
        let other = shaped("u", &["b", "c"]);
        let (old, new) = ([shaped("t", &["a", "b"]), other.clone()], [shaped("t", &["a", "c"]), other]);
        assert_eq!(told(&old, &new, Versions::Same), ["a"]);
        assert_eq!(told(&old, &old, Versions::Same), ["a", "b", "c"]);
        assert_eq!(told(&old, &new, Versions::OlderThenNewer), ["a", "b"], "a newer version may add columns, and must keep them");
    }

    #[test]
    fn rows_differ_by_column_and_without_a_key_by_their_content() {
        let change =
            |e: &Evidence, o| store(e, o, &["t", "log"], &[("t", "1", "{\"a\":\"1\"}"), ("log", "77aa", "{\"line\":\"y\"}")]);
        let expected = [
            "database d, table t, row 1: altered (a): was 1, is \"1\"",
            "database d, table log, row 3f9a: lost: {\"line\":\"x\"}",
            "database d, table log, row 77aa: unexpected: {\"line\":\"y\"}",
        ];
        assert_eq!(found(change, Versions::Same), expected);
        let lost = |e: &Evidence, o| store(e, o, &["t", "log"], &[("log", "3f9a", "{\"line\":\"x\"}")]);
        assert_eq!(found(lost, Versions::Same), ["database d, table t, row 1: lost"]);
        let broken = |e: &Evidence, o| store(e, o, &["t", "log"], &[("t", "1", "{"), ("log", "3f9a", "{\"line\":\"x\"}")]);
        let detail = "its columns in the evidence are no JSON object";
        assert_eq!(found(broken, Versions::Same), [format!("database d, table t, row 1: unread: {detail}")]);
    }

    /// A client may write the same number in two ways, and the reader of JSON take two numbers for one.
    #[test]
    fn rows_that_differ_are_told_though_their_values_are_read_as_the_same() {
        let differ =
            |e: &Evidence, o| store(e, o, &["t", "log"], &[("t", "1", "{\"a\":1.0e0}"), ("log", "3f9a", "{\"line\":\"x\"}")]);
        let zero = |e: &Evidence, o| store(e, o, &["t", "log"], &[("t", "1", "{ \"a\":1}"), ("log", "3f9a", "{\"line\":\"x\"}")]);
        assert_eq!(found(differ, Versions::Same).len(), 1);
        assert_eq!(found(zero, Versions::Same), ["database d, table t, row 1: altered: was {\"a\":1}, is { \"a\":1}"]);
    }

    #[test]
    fn objects_are_named_by_what_they_are() {
        let change = |e: &Evidence, o: ObservationId| {
            store(e, o, &["t", "log"], &[("t", "1", "{\"a\":1}"), ("log", "3f9a", "{\"line\":\"x\"}")]);
            let role = ObjectSeen { what: "role".into(), name: "backup".into(), ..ObjectSeen::default() };
            let setting = ObjectSeen { property: "setting TimeZone".into(), value: "UTC".into(), ..ObjectSeen::default() };
            e.put_objects(o, "d", &[role, setting]).expect("stored");
        };
        let expected = ["database d: altered (setting TimeZone): was absent, is UTC", "database d, role backup: unexpected"];
        assert_eq!(found(change, Versions::Same), expected);
    }

    /// A definition as a whole is told where nothing more precise is.
    #[test]
    fn a_table_whose_parts_differ_is_not_told_again() {
        let change = |part: bool| {
            move |e: &Evidence, o: ObservationId| {
                store(e, o, &["t", "log"], &[("t", "1", "{\"a\":1}"), ("log", "3f9a", "{\"line\":\"x\"}")]);
                let table = |property: &str| ObjectSeen {
                    what: TABLE.into(),
                    name: "t".into(),
                    property: property.into(),
                    value: "other".into(),
                    part_of: String::new(),
                };
                let column =
                    ObjectSeen { what: "column".into(), name: "t.b".into(), part_of: "t".into(), ..ObjectSeen::default() };
                e.put_objects(o, "d", &[table("definition"), table("owner")]).expect("stored");
                e.put_objects(o, "d", if part { std::slice::from_ref(&column) } else { &[] }).expect("stored");
            }
        };
        let engine = |e: &Evidence, o: ObservationId| {
            change(false)(e, o);
            let seen = ObjectSeen { what: TABLE.into(), name: "t".into(), property: "engine".into(), ..ObjectSeen::default() };
            e.put_objects(o, "d", &[seen]).expect("stored");
        };
        let said: Vec<String> = found(engine, Versions::Same).into_iter().map(|f| f.replace(": was absent", "")).collect();
        assert!(said.len() == 2 && said[0].contains("(engine)") && said[1].contains("(owner)"), "{said:?}");
        let (owner, other) = ("database d, table t: altered (owner): was absent, is other", "was absent, is other");
        assert_eq!(found(change(true), Versions::Same), [owner, "database d, column t.b: unexpected"]);
        assert_eq!(found(change(false), Versions::Same), [&format!("database d, table t: altered (definition): {other}"), owner]);
    }

    #[test]
    fn a_view_that_was_filled_anew_is_not_told() {
        let between = |was: &str, is: &str| {
            let pair = ObjectPair {
                what: "materialized view".into(),
                name: "v".into(),
                property: "rows".into(),
                before: Some(was.into()),
                after: Some(is.into()),
                part_of: String::new(),
            };
            let mut findings = Vec::new();
            objects("d", ObjectPairs { changed: vec![pair], ..ObjectPairs::default() }, &mut findings);
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(between("1 rows, sum 7", AS_QUERIED), [""; 0]);
        let expected = format!("database d, materialized view v: altered (rows): was {NOT_FILLED}, is {AS_QUERIED}");
        assert_eq!(between(NOT_FILLED, AS_QUERIED), [expected]);
        let expected = format!("database d, materialized view v: altered (rows): was {AS_QUERIED}, is 0 rows, sum 0");
        assert_eq!(between(AS_QUERIED, "0 rows, sum 0"), [expected]);
    }

    #[test]
    fn of_a_database_that_is_gone_or_unread_there_is_one_finding() {
        let checks = |file: &str| vec![(FILE.to_owned(), file.to_owned()), ("integrity_check".to_owned(), "ok".to_owned())];
        let said = |new: &[(String, String)]| {
            let mut findings = Vec::new();
            database("d", &checks(READABLE), new, &mut findings);
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(said(&checks(ABSENT)[..1]), ["database d: lost"]);
        let unreadable = "database d: altered (file): was readable, is unreadable: torn";
        assert_eq!(said(&checks("unreadable: torn")[..1]), [unreadable]);
        assert_eq!(said(&[]).len(), 2, "nobody read it");
        // Of one that was not there before the backup either, nothing is lost; of one that was, it is enough to know that.
        let (mut findings, absent) = (Vec::new(), &checks(ABSENT)[..1]);
        database("d", absent, absent, &mut findings);
        assert_eq!(findings, []);
        database("d", &checks(READABLE)[..1], absent, &mut findings);
        assert_eq!(findings.iter().map(ToString::to_string).collect::<Vec<_>>(), ["database d: lost"]);
        let unread = |e: &Evidence, o: ObservationId| {
            e.put_checks(o, "d", &checks("unreadable: torn")[..1]).expect("stored");
        };
        assert_eq!(found(unread, Versions::Same), [""; 0]);
    }

    #[test]
    fn a_long_text_is_shown_where_it_differs() {
        let (long, other) = (format!("{}{}", "a".repeat(500), "b"), format!("{}{}", "a".repeat(500), "c"));
        let (was, is) = differing(&long, &other);
        assert!(was.starts_with('…') && was.ends_with('b') && is.ends_with('c') && was.chars().count() < 50, "{was}");
        assert_eq!(differing("a\nb", "c"), ("a b".into(), "c".into()));
    }
}
