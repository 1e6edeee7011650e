//! Faults of rows: gone, altered, added, doubled, all of a table's, by statements that the scenario's `write` command runs.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;
use judge::checks::Check;
use judge::model::{Item, Outcome, essence as line};
use judge::store::{RowSeen, TableSeen};
use recipe::scenario::faults::Table as Hint;
use recipe::scenario::{Database, Dialect, Scenario};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::sql::{self, columns, literal, name, place, run, text};
use crate::drill::Drill;
use crate::error::{Error, FaultError, Result};
use crate::fault::deed::{Deed, Derived, Together, When, in_content};
use crate::fault::known::Items;
use crate::probe::Probe as _;

/// The observation from which a row is chosen that changes after the older snapshot.
const OLDER: &str = "older";
/// The key of a row that is added where keys are secret.
const SECRET: &str = "synthetic";

/// What the database took: the column that was altered, or the key of the row that was added. Else why it took none.
type Taken = Result<String, FaultError>;

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
        (Self::Added, "added", "There is a row that was never there before"),
        (Self::Doubled, "doubled", "A row is there twice"),
    ];

    /// Whether it can be done to a table.
    fn is_possible(self, hint: Option<&Hint>) -> bool {
        let is = |of: fn(&Hint) -> bool| hint.is_some_and(of);
        match self {
            Self::Gone => true,
            Self::Added => !is(|h| h.keyless),
            Self::Altered => !is(|h| h.only_key || h.keyless),
            Self::Doubled => !is(|h| !h.distinct.is_empty()),
        }
    }
}

/// A table of which a row is struck.
#[derive(Debug)]
pub struct Struck {
    database: Database,
    table: String,
    hint: Option<Hint>,
    change: Change,
    /// Whether it is an error that the table has no row.
    must: bool,
}

/// The tables of a scenario of which single rows are struck: those of which the scenario, or its faults, say something.
pub fn tables(scenario: &Scenario) -> impl Iterator<Item = (&Database, &str)> {
    scenario.spec.written_databases().flat_map(|d| {
        let said = d.tables.iter().map(|t| t.name.as_str());
        let hints = scenario.faults.tables.iter().filter(|h| h.database == d.name).map(|h| h.name.as_str());
        // In their order, each once.
        let mut all: Vec<&str> = Vec::new();
        said.chain(hints).for_each(|t| {
            if !all.contains(&t) {
                all.push(t)
            }
        });
        all.into_iter().map(move |t| (d, t))
    })
}

/// The databases with their tables that have rows, and of which no single rows are struck; none without such a table.
fn others(scenario: &Scenario) -> impl Iterator<Item = (&Database, Vec<String>)> {
    let of_database = |database: &Database| -> Vec<String> {
        let struck: BTreeSet<&str> = tables(scenario).filter(|(d, _)| d.name == database.name).map(|(_, t)| t).collect();
        let table = |check: &String| match check.parse() {
            Ok(Check::Rows { database: of, table }) => (of == database.name && !struck.contains(table.as_str())).then_some(table),
            _ => None,
        };
        scenario.checks.keys().filter_map(table).collect()
    };
    let all = scenario.spec.written_databases().map(move |database| (database, of_database(database)));
    all.filter(|(_, tables)| !tables.is_empty())
}

/// What the scenario says of a table.
fn hint<'a>(scenario: &'a Scenario, database: &Database, table: &str) -> Option<&'a Hint> {
    scenario.faults.tables.iter().find(|h| h.database == database.name && h.name == table)
}

/// The faults of a scenario's rows.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let of_table = |(database, table): (&Database, &str)| {
        let hint = hint(scenario, database, table);
        let fault = |(change, word, what): (Change, &str, &str)| {
            let what = format!("{what}. Database {}, table {table}.", database.name);
            let name = format!("{}-{table}-row-{word}", database.name);
            let (database, table, hint) = (database.clone(), table.to_owned(), hint.cloned());
            in_content(name, what, Struck { database, table, hint, change, must: true })
        };
        Change::ALL.into_iter().filter(|(change, ..)| change.is_possible(hint)).map(fault).collect::<Vec<_>>()
    };
    tables(scenario).flat_map(of_table).chain(of_others(scenario)).collect()
}

/// The same, a row of every table of a database struck at once.
pub fn together(scenario: &Scenario) -> Vec<Derived> {
    let of_database = |database: &Database| {
        let fault = |(change, word, what): (Change, &str, &str)| {
            let strike = |(database, table): (&Database, &str)| {
                let hint = hint(scenario, database, table);
                let (database, table, hint_) = (database.clone(), table.to_owned(), hint.cloned());
                let struck = Struck { database, table, hint: hint_, change, must: false };
                change.is_possible(hint).then(|| Box::new(struck) as Box<dyn Deed>)
            };
            let struck: Vec<_> = tables(scenario).filter(|(d, _)| d.name == database.name).filter_map(strike).collect();
            let what = format!("{what}, in every table. Database {}.", database.name);
            let name = format!("{}-rows-{word}", database.name);
            (!struck.is_empty()).then(|| in_content(name, what, Together(struck)))
        };
        Change::ALL.into_iter().filter_map(fault).collect::<Vec<_>>()
    };
    scenario.spec.written_databases().flat_map(of_database).chain(of_others(scenario)).collect()
}

/// The faults of the tables of which no single rows are struck: all are emptied, or a row of each is altered or added.
fn of_others(scenario: &Scenario) -> impl Iterator<Item = Derived> {
    let emptied = |(database, tables): (&Database, Vec<String>)| {
        let what = format!("Tables that scenario.toml does not mention are empty. Database {}.", database.name);
        let name = format!("{}-other-tables-emptied", database.name);
        in_content(name, what, Emptied { database: database.clone(), tables })
    };
    let struck = |(database, tables): (&Database, Vec<String>)| {
        let fault = |(change, word, what): (Change, &str, &str)| {
            let what = format!("{what}, in every table that scenario.toml does not mention. Database {}.", database.name);
            let name = format!("{}-other-tables-row-{word}", database.name);
            in_content(name, what, Others { database: database.clone(), tables: tables.clone(), change })
        };
        let changes = Change::ALL.into_iter().filter(|(change, ..)| matches!(change, Change::Altered | Change::Added));
        changes.map(fault).collect::<Vec<_>>()
    };
    others(scenario).map(emptied).chain(others(scenario).flat_map(struck))
}

/// Tables of which nothing is known but what the database says of them: a row of each is altered or added, where it takes that.
#[derive(Debug)]
struct Others {
    database: Database,
    tables: Vec<String>,
    change: Change,
}

impl Deed for Others {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, _: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let evidence = &drill.run.evidence;
            let Some(baseline) = evidence.completed(judge::BASELINE)? else { return Ok(vec![]) };
            let mut found = Vec::new();
            for name in &self.tables {
                let rows = evidence.rows_of(baseline, &self.database.name, name)?;
                if rows.is_empty() {
                    continue;
                }
                let table = sql::table(drill, &self.database, name)?;
                // Of a row without a key there may be a copy, and no altered one.
                let change = match (table.key.is_empty(), self.change) {
                    (true, Change::Altered) => continue,
                    (true, _) => Change::Doubled,
                    (false, change) => change,
                };
                let struck = Struck { database: self.database.clone(), table: name.clone(), hint: None, change, must: true };
                let row = struck.row(rows, &[])?;
                // What the database refuses here is said as a check that no fault turned red.
                found.extend(struck.struck(drill, &table, &row).await?);
            }
            Ok(found)
        })
    }
}

/// Tables that are emptied.
#[derive(Debug)]
struct Emptied {
    database: Database,
    tables: Vec<String>,
}

impl Deed for Emptied {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, _: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let evidence = &drill.run.evidence;
            let Some(baseline) = evidence.completed(judge::BASELINE)? else { return Ok(vec![]) };
            let mut found = Vec::new();
            for table in &self.tables {
                let rows = evidence.rows_of(baseline, &self.database.name, table)?;
                if !rows.is_empty() {
                    let statement = format!("DELETE FROM {}", sql::table(drill, &self.database, table)?.sql);
                    let what = format!("table {table} cannot be emptied");
                    run(drill, &self.database, &statement).await?.map_err(|why| FaultError::Refused { what, why })?;
                }
                found.extend(rows.iter().map(|row| line(&item(row), Outcome::Lost, None)));
            }
            Ok(found)
        })
    }
}

/// Deletes a row of the baseline.
pub async fn delete(drill: &Drill, row: &Item) -> Result<()> {
    let Item::Row { database, table, key } = row else { return Ok(()) };
    let evidence = &drill.run.evidence;
    let database = drill.app.scenario.spec.databases.iter().find(|d| &d.name == database);
    let baseline = evidence.completed(judge::BASELINE)?;
    let none = || FaultError::NotInBaseline { item: Box::new(row.clone()) };
    let (database, baseline) = database.zip(baseline).ok_or_else(none)?;
    let seen = evidence.rows_of(baseline, &database.name, table)?.into_iter().find(|r| &r.key == key).ok_or_else(none)?;
    let table = sql::table(drill, database, table)?;
    let statement = format!("DELETE FROM {} WHERE {}", table.sql, place(database.dialect, &table, &seen));
    let deleted = run(drill, database, &statement).await?;
    Ok(deleted.map_err(|why| FaultError::Refused { what: format!("{row} cannot be deleted"), why })?)
}

/// Another value than a column has; none for one of no kind that is known.
fn other(dialect: Dialect, value: &Value) -> Option<Value> {
    literal(dialect, value)?;
    match value {
        Value::String(was) => Some(Value::String(format!("{was}-x"))),
        Value::Number(was) => Some(Value::from(was.as_i64()?.checked_add(100_000)?)),
        Value::Bool(was) => Some(Value::Bool(!was)),
        _ => None,
    }
}

impl Struck {
    /// A row that is altered.
    pub fn altered(database: &Database, table: &str) -> Self {
        Self { database: database.clone(), table: table.to_owned(), hint: None, change: Change::Altered, must: true }
    }

    /// A row of an observation: one that no fresh deployment has, if there is one; and none that is there twice.
    fn row(&self, rows: Vec<RowSeen>, fresh: &[RowSeen]) -> Result<RowSeen> {
        let numbered: Vec<String> = rows.iter().filter_map(|r| Some(r.key.strip_suffix(" (2)")?.to_owned())).collect();
        let is_one = |r: &&RowSeen| !r.key.ends_with(')') && !numbered.contains(&r.key);
        let made = |r: &RowSeen| fresh.iter().any(|f| (&f.table, &f.key) == (&r.table, &r.key));
        let single: Vec<&RowSeen> = rows.iter().filter(is_one).collect();
        let found = single.iter().find(|r| !made(r)).or(single.first()).copied().or(rows.first());
        let place = || format!("table {} of {}", self.table, self.database.name);
        found.cloned().ok_or_else(|| FaultError::Nothing { what: "row".into(), place: place() }.into())
    }

    /// The columns that are compared and may be altered, the declared one alone if there is one; texts before other kinds.
    fn alterable(&self, table: &TableSeen, row: &RowSeen) -> Vec<(String, String)> {
        let only = self.hint.as_ref().and_then(|h| h.alter.as_ref());
        let distinct = self.hint.as_ref().map_or(&[][..], |h| &h.distinct);
        let mut found: Vec<(bool, String, String)> = columns(row)
            .iter()
            .filter(|(column, _)| table.columns.contains(column) && !table.key.contains(column))
            .filter(|(column, _)| only.map_or(!distinct.contains(column), |only| only == *column))
            .filter_map(|(column, value)| Some((!value.is_string(), column.clone(), self.literal(&self.other(value)?)?)))
            .collect();
        found.sort_by_key(|(is_other, ..)| *is_other);
        found.into_iter().map(|(_, column, value)| (column, value)).collect()
    }

    fn other(&self, value: &Value) -> Option<Value> {
        other(self.database.dialect, value)
    }

    fn literal(&self, value: &Value) -> Option<String> {
        literal(self.database.dialect, value)
    }

    fn name(&self, column: &str) -> String {
        name(self.database.dialect, column)
    }

    /// Alters the row: the first column for which the database takes another value.
    async fn alter(&self, drill: &Drill, table: &TableSeen, row: &RowSeen) -> Result<Taken> {
        let mut why = "it has no column that may be altered".to_owned();
        for (column, value) in self.alterable(table, row) {
            let condition = place(self.database.dialect, table, row);
            let statement = format!("UPDATE {} SET {} = {value} WHERE {condition}", table.sql, self.name(&column));
            match run(drill, &self.database, &statement).await? {
                Ok(()) => return Ok(Ok(column)),
                Err(refused) => why = refused,
            }
        }
        Ok(Err(FaultError::Refused { what: format!("no row of table {} can be altered", self.table), why }))
    }

    /// A copy of the row under another key; where it must be told from the first, with other columns. Gives the key.
    async fn copy(&self, drill: &Drill, table: &TableSeen, row: &RowSeen) -> Result<Taken> {
        let columns = columns(row);
        let (key, last) = self.other_key(table, row);
        let distinct = self.hint.as_ref().map_or(&[][..], |h| &h.distinct);
        let only_key = self.hint.as_ref().is_some_and(|h| h.only_key);
        let changed: Vec<Option<(String, String)>> = match self.change {
            Change::Doubled => vec![None],
            _ if distinct.is_empty() && !only_key => self.alterable(table, row).into_iter().map(Some).collect(),
            _ => vec![None],
        };
        let mut why = "it has no column that may have another value".to_owned();
        for changed in changed {
            let value = |column: &String| {
                let key_column = table.key.last() == Some(column);
                let another = || self.literal(&self.other(columns.get(column)?)?);
                let distinct = distinct.contains(column).then(another).flatten();
                let changed = changed.as_ref().filter(|(c, _)| c == column).map(|(_, value)| value.clone());
                if key_column { last.clone() } else { distinct.or(changed).unwrap_or_else(|| self.name(column)) }
            };
            let (names, values): (Vec<_>, Vec<_>) = table.columns.iter().map(|c| (self.name(c), value(c))).unzip();
            let condition = place(self.database.dialect, table, row);
            let (names, values, into) = (names.join(", "), values.join(", "), &table.sql);
            let statement = format!("INSERT INTO {into} ({names}) SELECT {values} FROM {into} WHERE {condition}");
            match run(drill, &self.database, &statement).await? {
                Ok(()) => return Ok(Ok(key)),
                Err(refused) => why = refused,
            }
        }
        Ok(Err(FaultError::Refused { what: format!("no row can be added to table {}", self.table), why }))
    }

    /// A key that no row has: it differs in its last column, whose value in SQL it gives too. A row without a key is there twice.
    fn other_key(&self, table: &TableSeen, row: &RowSeen) -> (String, String) {
        let Some(last) = table.key.last() else { return (format!("{} (2)", row.key), String::new()) };
        let was = columns(row).remove(last).unwrap_or_default();
        if was.as_str().is_some_and(|hash| hash.starts_with("sha256:")) {
            let digits: String = hex::encode(Sha256::digest(SECRET)).chars().take(16).collect();
            return (format!("sha256:{digits}"), text(self.database.dialect, SECRET));
        }
        let (shown, is) = match &was {
            Value::Number(n) => (n.to_string(), Value::from(n.as_i64().unwrap_or_default() + 100_000)),
            Value::String(s) => {
                let number = s.parse::<i64>().map(|n| (n + 100_000).to_string());
                (s.clone(), Value::String(number.unwrap_or_else(|_| format!("{s}-x"))))
            }
            _ => (String::new(), Value::Null),
        };
        let sql = self.literal(&is).unwrap_or_else(|| text(self.database.dialect, "x"));
        let is = is.as_str().map_or_else(|| is.to_string(), str::to_owned);
        // A key of several columns has its commas escaped, which does not change that it ends with the last one.
        let escape =
            |text: &str| if table.key.len() > 1 { text.replace('\\', "\\\\").replace(',', "\\,") } else { text.to_owned() };
        let rest = row.key.strip_suffix(&escape(&shown)).unwrap_or_default();
        (format!("{rest}{}", escape(&is)), sql)
    }

    /// Does it to a row. Gives what must be found, or why the database takes no such change.
    async fn struck(&self, drill: &Drill, table: &TableSeen, row: &RowSeen) -> Result<Taken> {
        Ok(match self.change {
            Change::Gone => {
                delete(drill, &item(row)).await?;
                Ok(line(&item(row), Outcome::Lost, None))
            }
            Change::Altered => {
                self.alter(drill, table, row).await?.map(|column| line(&item(row), Outcome::Altered, Some(&column)))
            }
            Change::Added | Change::Doubled => {
                let added = self.copy(drill, table, row).await?;
                added.map(|key| line(&item(&RowSeen { key, ..row.clone() }), Outcome::Unexpected, None))
            }
        })
    }

    /// Alters a row before the baseline. Gives what the restore of the older snapshot must show.
    pub async fn depart(&self, drill: &Drill) -> Result<Vec<String>> {
        let evidence = &drill.run.evidence;
        let older = evidence.observation(OLDER)?;
        drill.app.rows_probe().observe(evidence, older, &|_, _| ()).await?;
        let rows = |o| evidence.rows_of(o, &self.database.name, &self.table);
        let fresh = evidence.completed(judge::FRESH)?.map(rows).transpose()?.unwrap_or_default();
        let row = self.row(rows(older)?, &fresh)?;
        let tables = evidence.tables(older, &self.database.name)?;
        let table = tables.into_iter().find(|t| t.table == self.table);
        let table = table.ok_or_else(|| sql::no_table(&self.database, &self.table))?;
        let column = self.alter(drill, &table, &row).await??;
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
            let rows = |name: &str| {
                let rows = |o| evidence.rows_of(o, &self.database.name, &self.table);
                Ok::<_, Error>(evidence.completed(name)?.map(rows).transpose()?.unwrap_or_default())
            };
            let baseline = rows(judge::BASELINE)?;
            if !self.must && baseline.is_empty() {
                return Ok(vec![]);
            }
            let row = self.row(baseline, &rows(judge::FRESH)?)?;
            let table = sql::table(drill, &self.database, &self.table)?;
            Ok(vec![self.struck(drill, &table, &row).await??])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(change: Change, hint: Option<Hint>) -> Struck {
        let database = "name = 'wiki'\ndialect = 'postgresql'\nservice = 'db'\nwrite = ['sql', '{query}']";
        let database: Database = toml::from_str(database).expect("valid");
        Struck { database, table: "link".into(), hint, change, must: true }
    }

    fn row(key: &str, columns: &str) -> RowSeen {
        RowSeen { database: "wiki".into(), table: "link".into(), key: key.into(), columns: columns.into() }
    }

    fn table(key: &[&str]) -> TableSeen {
        let own = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        TableSeen {
            table: "link".into(),
            key: own(key),
            columns: own(&["page", "n", "a", "b", "c", "d"]),
            ..TableSeen::default()
        }
    }

    #[test]
    fn another_key_differs_in_its_last_column() {
        let other = |key: &str, columns: &str| struck(Change::Added, None).other_key(&table(&["page", "n"]), &row(key, columns));
        assert_eq!(other("home,7", r#"{"page":"home","n":7}"#), ("home,100007".into(), "100007".into()));
        assert_eq!(other("home,7", r#"{"page":"home","n":"7"}"#), ("home,100007".into(), "'100007'".into()));
        assert_eq!(other("home,a\\,b", r#"{"page":"home","n":"a,b"}"#), ("home,a\\,b-x".into(), "'a,b-x'".into()));
        assert_eq!(struck(Change::Doubled, None).other_key(&table(&[]), &row("3f9a", "{}")).0, "3f9a (2)");
    }

    #[test]
    fn texts_are_altered_before_other_kinds_and_hashes_and_keys_never() {
        let row = row("home,7", r#"{"a": 1, "b": "sha256:00", "c": "it's", "d": null, "page": "home", "n": 7, "computed": 8}"#);
        let alterable = |hint| struck(Change::Altered, hint).alterable(&table(&["page", "n"]), &row);
        assert_eq!(alterable(None), [("c".into(), "'it''s-x'".into()), ("a".into(), "100001".into())]);
        let (database, name, distinct) = ("wiki".into(), "link".into(), vec!["c".into()]);
        let hint = Hint { database, name, distinct, alter: None, only_key: false, keyless: false };
        assert_eq!(alterable(Some(hint)), [("a".into(), "100001".into())]);
    }

    #[test]
    fn a_row_that_a_fresh_deployment_lacks_is_struck_first() {
        let rows = vec![row("a,1", "{}"), row("b,1", "{}")];
        let chosen = struck(Change::Gone, None).row(rows.clone(), &rows[..1]).expect("a row");
        assert_eq!(chosen.key, "b,1");
        assert_eq!(struck(Change::Gone, None).row(rows.clone(), &rows).expect("a row").key, "a,1");
        assert!(struck(Change::Gone, None).row(vec![], &[]).is_err());
        let doubled = vec![row("a", "{}"), row("a (2)", "{}"), row("b", "{}")];
        assert_eq!(
            struck(Change::Gone, None).row(doubled, &[]).expect("a row").key,
            "b",
            "a copy of another row is told from it"
        );
    }
}
