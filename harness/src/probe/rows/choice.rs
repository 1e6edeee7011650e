//! What of a database is compared: all of it, but for what its scenario leaves out.

use std::collections::{BTreeMap, BTreeSet};

use judge::store::{ObjectSeen, RowSeen, TableSeen};
use recipe::glob::matches;
use recipe::scenario::faults::Globs;
use recipe::scenario::{Database, LeftOut};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::cell;
use super::named::opens;

/// Hexadecimal digits of a row's hash in its key.
const DIGITS: usize = 16;

/// A table as the database describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Its name in findings.
    pub name: String,
    /// Its name in SQL, quoted.
    pub sql: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Whether it has rows of its own to read.
    pub has_rows: bool,
}

/// A column of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    /// Its type, as its dialect tells values by it.
    pub kind: String,
    /// Its place in the primary key, from 1; 0 outside of it.
    pub key: u32,
    /// Whether the database computes it.
    pub computed: bool,
}

/// How a table is read.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub seen: TableSeen,
    database: String,
    /// The columns to read, in the order in which a row has them.
    pub columns: Vec<Column>,
    secret: BTreeSet<String>,
    /// Conditions of rows that are left out.
    pub conditions: Vec<String>,
    /// Whether its rows are read.
    pub has_rows: bool,
    /// Whether all of its rows are left out, and its counters with them.
    pub left_out: bool,
}

impl Plan {
    /// A row, from the values of the plan's columns.
    pub(super) fn row(&self, values: Vec<Value>) -> RowSeen {
        let cells = self.columns.iter().zip(values).map(|(column, value)| {
            let name = column.name.as_str();
            (name, if self.secret.contains(name) { cell::secret(&value) } else { value })
        });
        let cells: BTreeMap<&str, Value> = cells.collect();
        let columns = serde_json::to_string(&cells).unwrap_or_default();
        let part = |name: &String| {
            let shown = cells.get(name.as_str()).map(cell::shown).unwrap_or_default();
            let shown = if self.secret.contains(name) { shown.chars().take("sha256:".len() + DIGITS).collect() } else { shown };
            if self.seen.key.len() > 1 { shown.replace('\\', "\\\\").replace(',', "\\,") } else { shown }
        };
        let key = match &self.seen.key[..] {
            [] => hex::encode(Sha256::digest(&columns)).chars().take(DIGITS).collect(),
            key => key.iter().map(part).collect::<Vec<_>>().join(","),
        };
        RowSeen { database: self.database.clone(), table: self.seen.table.clone(), key, columns }
    }
}

/// What the scenario says of a database, and what of it was about something in the database.
pub(super) struct Choices<'a> {
    spec: &'a Database,
    /// All databases that the scenario describes.
    all: &'a [Database],
    /// Globs of `leave_out` that matched: the entry's number, and the glob.
    matched: BTreeSet<(usize, &'a str)>,
    /// Tables of the scenario that were there.
    tables: BTreeSet<&'a str>,
    wrong: Vec<String>,
}

impl<'a> Choices<'a> {
    pub(super) fn of(spec: &'a Database, all: &'a [Database]) -> Self {
        Self { spec, all, matched: BTreeSet::new(), tables: BTreeSet::new(), wrong: Vec::new() }
    }

    /// How a table is read.
    pub(super) fn plan(&mut self, shape: &Shape) -> Plan {
        let (mut left, mut conditions, mut whole) = (BTreeSet::new(), Vec::new(), false);
        for (n, entry) in self.spec.leave_out.iter().enumerate() {
            if !self.matching(n, entry.table.as_ref(), &shape.name) {
                continue;
            }
            match (&entry.column, &entry.condition) {
                (Some(columns), _) => {
                    for column in &shape.columns {
                        if self.matching(n, Some(columns), &column.name) {
                            left.insert(column.name.clone());
                        }
                    }
                }
                (None, Some(condition)) => conditions.push(condition.clone()),
                (None, None) => whole = true,
            }
        }
        let settings = self.settings(shape);
        let primary = || {
            let mut key: Vec<&Column> = shape.columns.iter().filter(|c| c.key > 0).collect();
            key.sort_by_key(|c| c.key);
            key.into_iter().map(|c| c.name.clone()).collect::<Vec<_>>()
        };
        let mut key = settings.map(|t| t.key.clone()).filter(|key| !key.is_empty()).unwrap_or_else(primary);
        // Without a part of its key, a row is known by its content.
        if key.iter().any(|column| left.contains(column) || !shape.columns.iter().any(|c| c.name == *column)) {
            key.clear();
        }
        let columns = shape.columns.iter().filter(|c| !left.contains(&c.name)).cloned().collect();
        let writable = shape.columns.iter().filter(|c| !c.computed).map(|c| c.name.clone()).collect();
        let (table, sql) = (shape.name.clone(), shape.sql.clone());
        Plan {
            seen: TableSeen { table, sql, key, columns: writable, revision: settings.is_some_and(|t| t.revision) },
            database: self.spec.name.clone(),
            columns,
            secret: settings.map(|t| t.secret.iter().cloned().collect()).unwrap_or_default(),
            conditions,
            has_rows: shape.has_rows && !whole,
            left_out: whole,
        }
    }

    /// What the scenario says of the table, whose columns must have the names that it says.
    fn settings(&mut self, shape: &Shape) -> Option<&'a recipe::scenario::Table> {
        let settings = self.spec.table(&shape.name)?;
        self.tables.insert(&settings.name);
        for (what, names) in [("key", &settings.key), ("secret", &settings.secret)] {
            for column in names.iter().filter(|column| !shape.columns.iter().any(|c| c.name == **column)) {
                let table = &shape.name;
                self.wrong
                    .push(format!("[[database.table]] {table:?}: {what} names column {column:?}, which the table does not have"));
            }
        }
        Some(settings)
    }

    /// Whether a glob of an entry matches a name. Those that do are remembered.
    fn matching(&mut self, n: usize, globs: Option<&'a Globs>, name: &str) -> bool {
        let globs = globs.iter().flat_map(|globs| &globs.0);
        let found: Vec<_> = globs.filter(|glob| matches(glob, name)).map(|glob| (n, glob.as_str())).collect();
        self.matched.extend(found.iter().copied());
        !found.is_empty()
    }

    /// Whether an object's property is compared.
    pub(super) fn compares(&mut self, object: &ObjectSeen) -> bool {
        let name = if object.what.is_empty() { "database".to_owned() } else { format!("{} {}", object.what, object.name) };
        let mut left = false;
        for (n, entry) in self.spec.leave_out.iter().enumerate().filter(|(_, entry)| entry.object.is_some()) {
            left |= self.matching(n, entry.object.as_ref(), &name)
                && (entry.property.is_none() || self.matching(n, entry.property.as_ref(), &object.property));
        }
        !left
    }

    /// Takes that a check of the whole database cannot be made, which the scenario may leave out.
    pub(super) fn untold(&mut self, property: &str, why: &str) {
        let object = ObjectSeen { property: property.to_owned(), ..ObjectSeen::default() };
        if self.compares(&object) {
            self.wrong.push(format!(
                "{property} cannot be made: {why}, which only the app has. Leave it out with object = \"database\", property = \"{property}\""
            ));
        }
    }

    /// What is to be said of another database of the server; none where the scenario describes it or leaves it out. Nothing of any
    /// other is compared, so nobody knows whether it is restored.
    pub(super) fn other_database(&mut self, name: &str) -> Option<ObjectSeen> {
        let object = ObjectSeen { what: "other database".into(), name: name.into(), ..ObjectSeen::default() };
        let described = self.all.iter().any(|other| other.service == self.spec.service && is_about(other, name));
        if !self.compares(&object) || described {
            return None;
        }
        self.wrong.push(format!(
            "the server has another database, {name:?}, of which nothing is compared: describe it with a [[database]] of its own, or \
             leave it out with object = \"other database {name}\""
        ));
        Some(object)
    }

    /// What the scenario says that is about nothing in the database, one a line.
    pub(super) fn unmatched(self) -> String {
        let gone = self.spec.tables.iter().filter(|t| !self.tables.contains(t.name.as_str()));
        let gone = gone.map(|t| format!("[[database.table]] {:?}: the database has no such table", t.name));
        let entry = |(n, entry): (usize, &LeftOut)| {
            let all =
                [("table", &entry.table), ("column", &entry.column), ("object", &entry.object), ("property", &entry.property)];
            let globs =
                all.into_iter().flat_map(|(what, globs)| globs.iter().flat_map(move |g| g.0.iter().map(move |g| (what, g))));
            let missing = globs.filter(|(_, glob)| !self.matched.contains(&(n, glob.as_str())));
            missing
                .map(|(what, glob)| format!("[[database.leave_out]] with {entry}: the database has no {what} {glob:?}"))
                .collect::<Vec<_>>()
        };
        let entries = self.spec.leave_out.iter().enumerate().flat_map(entry);
        self.wrong.iter().cloned().chain(gone).chain(entries).collect::<Vec<_>>().join("\n")
    }
}

/// Whether a database of the scenario is the one of that name on its server: it has the name, or its client opens that one.
fn is_about(database: &Database, name: &str) -> bool {
    database.name == name || opens(&database.command, name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(text: &str) -> Database {
        toml::from_str(&format!("name = 'd'\ndialect = 'sqlite'\nvolume = 'v'\nfile = 'f'\n{text}")).expect("valid")
    }

    fn shape(name: &str, columns: &[(&str, u32)]) -> Shape {
        let column = |(name, key): &(&str, u32)| Column { name: (*name).into(), key: *key, ..Column::default() };
        Shape { name: name.into(), sql: name.into(), columns: columns.iter().map(column).collect(), has_rows: true }
    }

    #[test]
    fn a_row_is_known_by_its_key_or_its_content() {
        let spec = spec("[[table]]\nname = 't'\nsecret = ['pw']\n[[leave_out]]\ntable = '*'\ncolumn = 'seen'\nwhy = 'Now.'");
        let mut choices = Choices::of(&spec, &[]);
        let plan = choices.plan(&shape("t", &[("b", 2), ("a", 1), ("pw", 0), ("seen", 0)]));
        assert_eq!((plan.seen.key.clone(), plan.seen.columns.len(), plan.columns.len()), (vec!["a".into(), "b".into()], 4, 3));
        let row = plan.row(vec![json!(7), json!("x,y"), json!("geheim")]);
        let hash = hex::encode(Sha256::digest("geheim"));
        assert_eq!((row.key.as_str(), row.columns), ("x\\,y,7", format!(r#"{{"a":"x,y","b":7,"pw":"sha256:{hash}"}}"#)));
        let plan = choices.plan(&shape("log", &[("line", 0), ("seen", 1)]));
        let (one, other) = (plan.row(vec![json!("1")]), plan.row(vec![json!(1)]));
        assert!(one.key != other.key && one.key.len() == DIGITS);
        assert_eq!(choices.unmatched(), "");
    }

    #[test]
    fn what_is_about_nothing_is_said() {
        let spec = spec(
            "[[table]]\nname = 'users'\n[[table]]\nname = 't'\nkey = ['k']\n
             [[leave_out]]\ntable = 'session'\nwhy = 'x'\n[[leave_out]]\ntable = 't'\ncolumn = ['a', 'seen']\nwhy = 'x'\n
             [[leave_out]]\nobject = 'role *'\nproperty = 'password'\nwhy = 'x'",
        );
        let mut choices = Choices::of(&spec, &[]);
        choices.plan(&shape("t", &[("a", 1)]));
        let role = ObjectSeen { what: "role".into(), name: "r".into(), property: "login".into(), ..ObjectSeen::default() };
        assert!(choices.compares(&role));
        let said = choices.unmatched();
        let expected = [
            "[[database.table]] \"t\": key names column \"k\", which the table does not have",
            "[[database.table]] \"users\": the database has no such table",
            "[[database.leave_out]] with table = \"session\": the database has no table \"session\"",
            "[[database.leave_out]] with table = \"t\", column = \"a, seen\": the database has no column \"seen\"",
            "[[database.leave_out]] with object = \"role *\", property = \"password\": the database has no property \"password\"",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn another_database_of_the_server_is_described_or_left_out_or_unknown() {
        let server = |name: &str, word: &str| {
            let text =
                format!("name = '{name}'\ndialect = 'postgresql'\nservice = 'db'\ncommand = ['psql', '{{query}}', '{word}']");
            toml::from_str::<Database>(&text).expect("valid")
        };
        let mut elsewhere = server("files", "files");
        elsewhere.service = Some("other".into());
        let all =
            [server("wiki", "--dbname=wiki"), server("chat", "--dbname=talk"), server("x", "postgresql:///shop"), elsewhere];
        let leave_out = "[[leave_out]]\nobject = 'other database scratch*'\nwhy = 'x'";
        let own = toml::from_str::<Database>(&format!("name = 'wiki'\ndialect = 'postgresql'\nservice = 'db'\n{leave_out}"));
        let own = own.expect("valid");
        let mut choices = Choices::of(&own, &all);
        for known in ["wiki", "chat", "talk", "shop", "scratch2"] {
            assert_eq!(choices.other_database(known), None, "{known}");
        }
        for unknown in ["files", "alk"] {
            let object = choices.other_database(unknown).expect("nothing is said of it");
            assert_eq!((object.what.as_str(), object.name.as_str()), ("other database", unknown));
        }
        let said = choices.unmatched();
        assert_eq!(said.lines().count(), 2, "{said}");
        assert!(said.starts_with("the server has another database, \"files\", of which nothing is compared"), "{said}");
    }

    #[test]
    fn tables_and_rows_and_objects_are_left_out() {
        let spec = spec(
            "[[leave_out]]\ntable = 'session*'\nwhy = 'x'\n[[leave_out]]\ntable = 't'\nwhere = 'a < 3'\nwhy = 'x'\n
             [[leave_out]]\nobject = ['sequence *', 'database']\nproperty = ['value', 'setting *']\nwhy = 'x'",
        );
        let mut choices = Choices::of(&spec, &[]);
        assert!(choices.plan(&shape("sessions", &[])).left_out);
        assert_eq!(choices.plan(&shape("t", &[("a", 1)])).conditions, ["a < 3"]);
        let object =
            |what: &str, property: &str| ObjectSeen { what: what.into(), property: property.into(), ..ObjectSeen::default() };
        assert!(!choices.compares(&object("sequence", "value")) && choices.compares(&object("sequence", "owner")));
        assert!(!choices.compares(&object("", "setting x")) && choices.compares(&object("role", "value")));
        assert_eq!(choices.unmatched(), "");
    }
}
