//! Faults of rows: gone, altered, added, doubled, by statements that the scenario's `write` command runs.

use futures_util::future::BoxFuture;
use judge::model::{Item, Outcome, essence as line};
use judge::store::RowSeen;
use recipe::scenario::faults::{Fault as Declared, Group, Table as Hint};
use recipe::scenario::{Database, QUERY, Scenario, Table};
use serde_json::Value;

use crate::drill::Drill;
use crate::error::{Error, Result};
use crate::fault::deed::{Deed, Derived, Together, When};
use crate::fault::known::Items;
use crate::probe::Probe as _;

/// The observation from which a row is chosen that changes after the older snapshot.
const OLDER: &str = "older";

/// What is done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Gone,
    Altered,
    Added,
    Doubled,
}

impl Change {
    const ALL: [(Self, &str, &str); 4] = [
        (Self::Gone, "gone", "A row is missing"),
        (Self::Altered, "altered", "A row has changed"),
        (Self::Added, "added", "There is a row that never was"),
        (Self::Doubled, "doubled", "A row is there twice, under two keys"),
    ];
}

/// A table of which a row is struck.
#[derive(Debug)]
pub struct Struck {
    database: Database,
    table: Table,
    hint: Option<Hint>,
    change: Change,
    /// Whether it is an error that the table has no row.
    must: bool,
}

/// The tables of a scenario whose databases take statements.
pub fn tables(scenario: &Scenario) -> impl Iterator<Item = (&Database, &Table)> {
    let written = scenario.spec.databases.iter().filter(|d| !d.write.is_empty());
    written.flat_map(|d| d.tables.iter().map(move |t| (d, t)))
}

/// What the scenario says of a table.
fn hint<'a>(scenario: &'a Scenario, database: &Database, table: &Table) -> Option<&'a Hint> {
    scenario.faults.tables.iter().find(|h| h.database == database.name && h.name == table.name)
}

impl Change {
    /// Whether it can be done to a table.
    fn is_possible(self, hint: Option<&Hint>) -> bool {
        match self {
            Self::Gone | Self::Added => true,
            Self::Altered => hint.is_none_or(|h| !h.only_key),
            Self::Doubled => hint.is_none_or(|h| h.distinct.is_empty()),
        }
    }
}

/// The faults of a scenario's rows.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let of_table = |(database, table): (&Database, &Table)| {
        let hint = hint(scenario, database, table);
        let fault = |(change, word, what): (Change, &str, &str)| {
            let what = format!("{what}. Database {}, table {}.", database.name, table.name);
            let declared = Declared::new(format!("{}-{}-row-{word}", database.name, table.name), what, Group::Content);
            let (database, table, hint) = (database.clone(), table.clone(), hint.cloned());
            (declared, Some(Box::new(Struck { database, table, hint, change, must: true }) as Box<dyn Deed>))
        };
        Change::ALL.into_iter().filter(|(change, ..)| change.is_possible(hint)).map(fault).collect::<Vec<_>>()
    };
    tables(scenario).flat_map(of_table).collect()
}

/// The same, a row of every table of a database struck at once.
pub fn together(scenario: &Scenario) -> Vec<Derived> {
    let of_database = |database: &Database| {
        let fault = |(change, word, what): (Change, &str, &str)| {
            let strike = |table: &Table| {
                let hint = hint(scenario, database, table);
                let (database, table, hint_) = (database.clone(), table.clone(), hint.cloned());
                let struck = Struck { database, table, hint: hint_, change, must: false };
                change.is_possible(hint).then(|| Box::new(struck) as Box<dyn Deed>)
            };
            let struck: Vec<_> = database.tables.iter().filter_map(strike).collect();
            let what = format!("{what}, in every table. Database {}.", database.name);
            let declared = Declared::new(format!("{}-rows-{word}", database.name), what, Group::Content);
            (!struck.is_empty()).then(|| (declared, Some(Box::new(Together(struck)) as Box<dyn Deed>)))
        };
        Change::ALL.into_iter().filter_map(fault).collect::<Vec<_>>()
    };
    scenario.spec.databases.iter().filter(|d| !d.write.is_empty()).flat_map(of_database).collect()
}

/// Runs a statement; whether the database took it.
async fn run(drill: &Drill, database: &Database, statement: &str) -> Result<std::result::Result<(), String>> {
    let command: Vec<String> = database.write.iter().map(|word| word.replace(QUERY, statement)).collect();
    let service = drill.app.stack.service(database.service.as_deref().unwrap_or_default());
    let output = drill.app.owned.engine().exec(&service, &command, &[], None).await?;
    Ok(output.ok("the database's write command").map(drop).map_err(|e| e.to_string()))
}

/// Deletes a row.
pub async fn delete(drill: &Drill, row: &Item) -> Result<()> {
    let Item::Row { database, table, key } = row else { return Ok(()) };
    let database = drill.app.scenario.spec.databases.iter().find(|d| &d.name == database);
    let found = database.and_then(|d| Some((d, d.tables.iter().find(|t| &t.name == table)?)));
    let (database, table) = found.ok_or_else(|| Error::Unknown(format!("{row} is in no table of the scenario")))?;
    let statement = format!("DELETE FROM {} WHERE {}", name(&table.name), place(table, key));
    run(drill, database, &statement).await?.map_err(Error::Unknown)
}

/// A name in SQL.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The values of the key columns.
fn values<'a>(table: &Table, key: &'a str) -> Vec<&'a str> {
    key.splitn(table.key.len(), ',').collect()
}

/// The condition that one row fulfils.
fn place(table: &Table, key: &str) -> String {
    let is = |(column, value): (&String, &str)| format!("{} = {}", name(column), text(value));
    table.key.iter().zip(values(table, key)).map(is).collect::<Vec<_>>().join(" AND ")
}

/// Another value than a column has; none for one of no kind that is known.
fn other(value: &Value) -> Option<String> {
    match value {
        // Only its hash is known.
        Value::String(hash) if hash.starts_with("sha256:") => None,
        Value::String(was) => Some(text(&format!("{was}-x"))),
        Value::Number(was) => Some(was.as_i64().map(|n| (n + 100_000).to_string())?),
        Value::Bool(was) => Some((!was).to_string()),
        _ => None,
    }
}

impl Struck {
    /// A row that is altered.
    pub fn altered(database: &Database, table: &Table) -> Self {
        Self { database: database.clone(), table: table.clone(), hint: None, change: Change::Altered, must: true }
    }

    /// A row of an observation: one that no fresh deployment has, if there is one.
    fn row(&self, mut rows: Vec<RowSeen>, fresh: &[RowSeen]) -> Result<RowSeen> {
        rows.retain(|r| r.database == self.database.name && r.table == self.table.name);
        let made = |r: &RowSeen| fresh.iter().any(|f| (&f.database, &f.table, &f.key) == (&r.database, &r.table, &r.key));
        let at = rows.iter().position(|r| !made(r)).unwrap_or_default();
        let none = || Error::Unknown(format!("table {} of {} has no row to strike", self.table.name, self.database.name));
        rows.into_iter().nth(at).ok_or_else(none)
    }

    /// The columns that are compared and may be altered, the declared one alone if there is one; texts before other kinds.
    fn alterable(&self, columns: &serde_json::Map<String, Value>) -> Vec<(String, String)> {
        let only = self.hint.as_ref().and_then(|h| h.alter.as_ref());
        let distinct = self.hint.as_ref().map_or(&[][..], |h| &h.distinct);
        let mut found: Vec<(bool, String, String)> = columns
            .iter()
            .filter(|(column, _)| only.map_or(!distinct.contains(column), |only| only == *column))
            .filter_map(|(column, value)| Some((!value.is_string(), column.clone(), other(value)?)))
            .collect();
        found.sort_by_key(|(is_other, ..)| *is_other);
        found.into_iter().map(|(_, column, value)| (column, value)).collect()
    }

    /// Alters the row: the first column for which the database takes another value.
    async fn alter(&self, drill: &Drill, row: &RowSeen) -> Result<String> {
        let columns: serde_json::Map<String, Value> = serde_json::from_str(&row.columns).unwrap_or_default();
        let mut why = "it has no column that may be altered".to_owned();
        for (column, value) in self.alterable(&columns) {
            let condition = place(&self.table, &row.key);
            let statement = format!("UPDATE {} SET {} = {value} WHERE {condition}", name(&self.table.name), name(&column));
            match run(drill, &self.database, &statement).await? {
                Ok(()) => return Ok(column),
                Err(refused) => why = refused,
            }
        }
        Err(Error::Unknown(format!("no row of table {} can be altered: {why}", self.table.name)))
    }

    /// A copy of the row under another key; where it must be told from the first, with other columns. Gives the key.
    async fn copy(&self, drill: &Drill, row: &RowSeen) -> Result<String> {
        let columns: serde_json::Map<String, Value> = serde_json::from_str(&row.columns).unwrap_or_default();
        let (key, last) = self.other_key(row);
        let distinct = self.hint.as_ref().map_or(&[][..], |h| &h.distinct);
        let only_key = self.hint.as_ref().is_some_and(|h| h.only_key);
        let changed: Vec<Option<(String, String)>> = match self.change {
            Change::Doubled => vec![None],
            _ if distinct.is_empty() && !only_key => self.alterable(&columns).into_iter().map(Some).collect(),
            _ => vec![None],
        };
        let mut why = "it has no column that may be another".to_owned();
        for changed in changed {
            let value = |column: &String| {
                let key_column = self.table.key.last() == Some(column);
                let distinct = distinct.contains(column).then(|| columns.get(column).and_then(other)).flatten();
                let changed = changed.as_ref().filter(|(c, _)| c == column).map(|(_, value)| value.clone());
                if key_column { last.clone() } else { distinct.or(changed).unwrap_or_else(|| name(column)) }
            };
            let all = self.table.key.iter().chain(columns.keys()).chain(&self.table.volatile);
            let (names, values): (Vec<_>, Vec<_>) = all.map(|column| (name(column), value(column))).unzip();
            let table = name(&self.table.name);
            let condition = place(&self.table, &row.key);
            let statement =
                format!("INSERT INTO {table} ({}) SELECT {} FROM {table} WHERE {condition}", names.join(", "), values.join(", "));
            match run(drill, &self.database, &statement).await? {
                Ok(()) => return Ok(key),
                Err(refused) => why = refused,
            }
        }
        Err(Error::Unknown(format!("no row can be added to table {}: {why}", self.table.name)))
    }

    /// A key that no row has: it differs in its last column, whose value in SQL it gives too.
    fn other_key(&self, row: &RowSeen) -> (String, String) {
        let mut values: Vec<String> = values(&self.table, &row.key).into_iter().map(str::to_owned).collect();
        let mut sql = String::new();
        if let Some(last) = values.last_mut() {
            *last = last.parse::<i64>().map_or_else(|_| format!("{last}-x"), |n| (n + 100_000).to_string());
            sql = text(last);
        }
        (values.join(","), sql)
    }

    /// Alters a row before the baseline. Gives what the restore of the older snapshot must show.
    pub async fn depart(&self, drill: &Drill) -> Result<Vec<String>> {
        let older = drill.run.evidence.observation(OLDER)?;
        drill.app.rows_probe().observe(&drill.run.evidence, older, &|_, _| ()).await?;
        let fresh = drill.run.evidence.completed(crate::drill::FRESH)?.map(|f| drill.run.evidence.rows(f)).transpose()?;
        let row = self.row(drill.run.evidence.rows(older)?, &fresh.unwrap_or_default())?;
        let column = self.alter(drill, &row).await?;
        Ok(vec![line(&item(&row), Outcome::Altered, Some(&column))])
    }
}

fn item(row: &RowSeen) -> Item {
    Item::Row { database: row.database.clone(), table: row.table.clone(), key: row.key.clone() }
}

impl Deed for Struck {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, _: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let evidence = &drill.run.evidence;
            let rows =
                |name: &str| Ok::<_, Error>(evidence.completed(name)?.map(|o| evidence.rows(o)).transpose()?.unwrap_or_default());
            let baseline = rows(judge::BASELINE)?;
            let mine = |r: &RowSeen| r.database == self.database.name && r.table == self.table.name;
            if !self.must && !baseline.iter().any(mine) {
                return Ok(vec![]);
            }
            let row = self.row(baseline, &rows(crate::drill::FRESH)?)?;
            Ok(vec![match self.change {
                Change::Gone => {
                    delete(drill, &item(&row)).await?;
                    line(&item(&row), Outcome::Lost, None)
                }
                Change::Altered => line(&item(&row), Outcome::Altered, Some(&self.alter(drill, &row).await?)),
                Change::Added | Change::Doubled => {
                    let key = self.copy(drill, &row).await?;
                    line(&item(&RowSeen { key, ..row }), Outcome::Unexpected, None)
                }
            }])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(change: Change, hint: Option<Hint>) -> Struck {
        let database = "name = 'wiki'\nservice = 'db'\nwrite = ['sql', '{query}']\nrevision = 'r'\n\
                        [[table]]\nname = 'link'\nkey = ['page', 'n']\nvolatile = ['seen']";
        let database: Database = toml::from_str(database).expect("valid");
        let table = database.tables[0].clone();
        Struck { database, table, hint, change, must: true }
    }

    fn row(key: &str, columns: &str) -> RowSeen {
        RowSeen { database: "wiki".into(), table: "link".into(), key: key.into(), columns: columns.into() }
    }

    #[test]
    fn a_row_is_named_by_its_key() {
        assert_eq!(place(&struck(Change::Gone, None).table, "O'Neil,7"), "\"page\" = 'O''Neil' AND \"n\" = '7'");
    }

    #[test]
    fn another_key_differs_in_its_last_column() {
        let other = |key: &str| struck(Change::Added, None).other_key(&row(key, "{}"));
        assert_eq!(other("home,7"), ("home,100007".into(), "'100007'".into()));
        assert_eq!(other("home,a"), ("home,a-x".into(), "'a-x'".into()));
    }

    #[test]
    fn texts_are_altered_before_other_kinds_and_hashes_never() {
        let columns = serde_json::json!({"a": 1, "b": "sha256:00", "c": "it's", "d": null});
        let columns = columns.as_object().expect("an object");
        let alterable = |hint| struck(Change::Altered, hint).alterable(columns);
        assert_eq!(alterable(None), [("c".into(), "'it''s-x'".into()), ("a".into(), "100001".into())]);
        let hint =
            Hint { database: "wiki".into(), name: "link".into(), distinct: vec!["c".into()], alter: None, only_key: false };
        assert_eq!(alterable(Some(hint)), [("a".into(), "100001".into())]);
    }

    #[test]
    fn a_row_that_a_fresh_deployment_lacks_is_struck_first() {
        let rows = vec![row("a,1", "{}"), row("b,1", "{}")];
        let chosen = struck(Change::Gone, None).row(rows.clone(), &rows[..1]).expect("a row");
        assert_eq!(chosen.key, "b,1");
        assert_eq!(struck(Change::Gone, None).row(rows.clone(), &rows).expect("a row").key, "a,1");
        assert!(struck(Change::Gone, None).row(vec![], &[]).is_err());
    }
}
