//! Statements in a database's dialect, and running them with its `write` command.

use judge::store::{RowSeen, TableSeen};
use recipe::scenario::{Database, Dialect, QUERY};
use serde_json::{Map, Value};

use crate::drill::Drill;
use crate::error::{FaultError, Result};

/// Runs a statement; whether the database took it.
pub async fn run(drill: &Drill, database: &Database, statement: &str) -> Result<std::result::Result<(), String>> {
    let command: Vec<String> = database.write.iter().map(|word| word.replace(QUERY, statement)).collect();
    let service = drill.app.stack.service(database.service.as_deref().unwrap_or_default());
    let output = drill.app.owned.engine().exec(&service, &command, &[], None).await?;
    Ok(output.ok("the database's write command").map(drop).map_err(|e| e.to_string()))
}

/// A table of the baseline.
pub fn table(drill: &Drill, database: &Database, name: &str) -> Result<TableSeen> {
    let evidence = &drill.run.evidence;
    let baseline = evidence.completed(judge::BASELINE)?;
    let tables = baseline.map(|o| evidence.tables(o, &database.name)).transpose()?.unwrap_or_default();
    tables.into_iter().find(|t| t.table == name).ok_or_else(|| no_table(database, name).into())
}

/// The error of a table that is not there.
pub fn no_table(database: &Database, name: &str) -> FaultError {
    FaultError::Nothing { what: format!("table {name}"), place: format!("database {}", database.name) }
}

/// A name in SQL.
pub fn name(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Mariadb => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A text in SQL.
pub fn text(dialect: Dialect, value: &str) -> String {
    let value = value.replace('\'', "''");
    format!("'{}'", if dialect == Dialect::Mariadb { value.replace('\\', "\\\\") } else { value })
}

/// A value of the evidence in SQL; none for one of which only a part is known.
pub fn literal(dialect: Dialect, value: &Value) -> Option<String> {
    Some(match value {
        Value::Null => "NULL".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(hash) if hash.starts_with("sha256:") => return None,
        Value::String(value) => text(dialect, value),
        Value::Object(typed) => {
            let hex = typed.get("blob").and_then(Value::as_str).filter(|hex| !hex.starts_with("sha256:"))?;
            if dialect == Dialect::Postgresql { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
        }
        Value::Array(_) => return None,
    })
}

/// The columns of a row of the evidence.
pub fn columns(row: &RowSeen) -> Map<String, Value> {
    serde_json::from_str(&row.columns).unwrap_or_default()
}

fn is_json(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok())
}

/// The condition that one row fulfils: by its key, or in a table without one by all that is known of it.
pub fn place(dialect: Dialect, table: &TableSeen, row: &RowSeen) -> String {
    let columns = columns(row);
    let known = |column: &String| columns.get(column).is_some_and(|value| literal(dialect, value).is_some());
    // Of a secret key only the hash is known.
    let keyless = table.key.is_empty() || !table.key.iter().all(known);
    let by: Vec<&String> = if keyless { columns.keys().collect() } else { table.key.iter().collect() };
    let is = |column: &String| {
        let (name, value) = (name(dialect, column), literal(dialect, columns.get(column)?)?);
        Some(match (dialect, keyless) {
            (_, false) => format!("{name} = {value}"),
            // The type json has no comparison.
            (Dialect::Postgresql, true) if columns.get(column).is_some_and(is_json) => format!("{name}::text = {value}"),
            (Dialect::Postgresql, true) => format!("{name} IS NOT DISTINCT FROM {value}"),
            (Dialect::Sqlite, true) => format!("{name} IS {value}"),
            (Dialect::Mariadb, true) => format!("{name} <=> {value}"),
        })
    };
    by.into_iter().filter_map(is).collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(key: &[&str]) -> TableSeen {
        TableSeen { table: "t".into(), key: key.iter().map(ToString::to_string).collect(), ..TableSeen::default() }
    }

    fn row(columns: &str) -> RowSeen {
        RowSeen { database: "d".into(), table: "t".into(), key: "k".into(), columns: columns.into() }
    }

    #[test]
    fn a_row_is_found_by_its_key_or_its_content() {
        let row = row(r#"{"a":"O'Neil","n":7,"b":{"blob":"00ff"},"s":"sha256:00","z":null}"#);
        assert_eq!(place(Dialect::Sqlite, &table(&["a", "n"]), &row), "\"a\" = 'O''Neil' AND \"n\" = 7");
        let all = place(Dialect::Sqlite, &table(&[]), &row);
        assert_eq!(all.matches(" IS ").count(), 4, "{all}");
        assert!(all.contains("\"b\" IS x'00ff'") && all.contains("\"z\" IS NULL"), "{all}");
        assert!(place(Dialect::Mariadb, &table(&["b"]), &row).contains("`b` = x'00ff'"));
        assert!(place(Dialect::Postgresql, &table(&[]), &row).contains("\"n\" IS NOT DISTINCT FROM 7"));
    }
}
