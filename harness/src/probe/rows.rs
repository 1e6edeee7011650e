//! The rows probe: SQLite databases, each copied out of its volume with its journal and read row by row, and databases of
//! servers, which their own clients ask.

use std::path::Path;

use judge::store::{Evidence, ObservationId, RowSeen};
use recipe::scenario::{Database as Spec, QUERY, Table};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Probe, Progress, Reading, When};
use crate::error::{Error, Result};
use crate::stack::ownership::Owned;
use crate::stack::volumes::{Helper, full_name};

/// How what is said of a database begins that is there and cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// Copies made before the database counts as unreadable: one taken amid a write is torn.
const COPIES: u32 = 3;

/// The rows probe.
pub struct Rows {
    /// The run.
    pub owned: Owned,
    /// The stack.
    pub stack: String,
    /// An image that is present, for the helper container.
    pub image: String,
    /// What to read.
    pub specs: Vec<Spec>,
}

impl Probe for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn when(&self) -> When {
        When::AfterLogins
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let mut rows = 0;
            for (database, seen) in self.read().await? {
                evidence.put_rows(observation, &database, &seen.checks, &seen.rows)?;
                rows += seen.rows.len() as u64;
            }
            progress(rows, rows);
            Ok(())
        })
    }
}

/// What is in a database.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// (property, value): integrity, foreign keys, schema revision.
    pub checks: Vec<(String, String)>,
    /// The rows of the tables asked for.
    pub rows: Vec<RowSeen>,
}

impl Rows {
    /// What is in each database, by its name.
    pub async fn read(&self) -> Result<Vec<(String, Seen)>> {
        let each = self.specs.clone().into_iter().map(|spec| async move {
            let seen = match (spec.sqlite(), spec.server()) {
                (Some((volume, file)), _) => self.copied(&spec, volume, file).await?,
                (None, Some((service, rows))) => self.asked(&spec, service, rows).await?,
                (None, None) => Seen::default(),
            };
            Ok((spec.name, seen))
        });
        futures_util::future::try_join_all(each).await
    }

    /// Has a server's client read its tables. What it cannot read is what was observed, as with a file.
    async fn asked(&self, spec: &Spec, service: &str, rows: &str) -> Result<Seen> {
        let service = format!("{}_{service}", self.stack);
        let ask = async |query: &str| {
            let command: Vec<String> = spec.command.iter().map(|word| word.replace(QUERY, query)).collect();
            let output = self.owned.engine().exec(&service, &command, &[], None).await?;
            Ok::<_, Error>(if output.code == 0 { Ok(output.stdout) } else { Err(output.stderr.trim().to_owned()) })
        };
        let revision = match ask(&spec.revision).await? {
            Ok(text) => text.trim_end().lines().collect::<Vec<_>>().join("; "),
            Err(why) => return Ok(unreadable(&why)),
        };
        let checks = vec![("file".to_owned(), "readable".to_owned()), (judge::REVISION.to_owned(), revision)];
        let mut seen = Seen { checks, rows: vec![] };
        for table in &spec.tables {
            let text = match ask(&rows.replace("{table}", &table.name)).await? {
                Ok(text) => text,
                Err(why) => return Ok(unreadable(&why)),
            };
            for line in text.lines().filter(|l| !l.trim().is_empty()) {
                let Ok(Value::Object(row)) = serde_json::from_str(line) else {
                    return Ok(unreadable(&format!("table {}: expected a JSON object a line, found {line:?}", table.name)));
                };
                match told(&spec.name, table, row) {
                    Ok(row) => seen.rows.push(row),
                    Err(why) => return Ok(unreadable(&why)),
                }
            }
        }
        Ok(seen)
    }

    /// Copies a database out and reads it. A database that is not there has no rows.
    async fn copied(&self, spec: &Spec, volume: &str, database: &str) -> Result<Seen> {
        let volume = full_name(&self.stack, volume);
        let helper = Helper::open(&self.owned, &self.image, &volume).await?;
        let mut last = None;
        for _ in 0..COPIES {
            let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
            let file = dir.path().join("copy.db");
            if !helper.copy_out(database, &file).await? {
                helper.close().await?;
                return Ok(Seen { checks: vec![("file".into(), "absent".into())], rows: vec![] });
            }
            for suffix in ["-journal", "-wal"] {
                helper.copy_out(&format!("{database}{suffix}"), &dir.path().join(format!("copy.db{suffix}"))).await?;
            }
            match read(&file, spec) {
                Ok(seen) => {
                    helper.close().await?;
                    return Ok(seen);
                }
                Err(e) => last = Some(e),
            }
        }
        helper.close().await?;
        let why = last.map_or_else(String::new, |e| e.to_string());
        // A database that cannot be read is what was observed, and not as it was at the baseline.
        Ok(unreadable(&why))
    }
}

fn unreadable(why: &str) -> Seen {
    Seen { checks: vec![("file".into(), format!("{UNREADABLE}: {why}"))], rows: vec![] }
}

/// Reads a database file.
pub fn read(file: &Path, spec: &Spec) -> rusqlite::Result<Seen> {
    let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut checks = vec![("file".to_owned(), "readable".to_owned())];
    let lines = |sql: &str| -> rusqlite::Result<Vec<String>> {
        db.prepare(sql)?.query_map([], |r| r.get_ref(0).map(|v| text(to_json(v))))?.collect()
    };
    checks.push(("integrity_check".into(), lines("PRAGMA integrity_check")?.join("; ")));
    checks.push(("foreign_key_check".into(), lines("PRAGMA foreign_key_check")?.join("; ")));
    checks.push((judge::REVISION.into(), lines(&spec.revision)?.join("; ")));
    let mut rows = Vec::new();
    for table in &spec.tables {
        let mut statement = db.prepare(&format!("SELECT * FROM \"{}\"", table.name))?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        for column in table.key.iter().chain(&table.volatile).chain(&table.secret) {
            if !names.contains(column) {
                return Err(rusqlite::Error::InvalidColumnName(format!("{}.{column}", table.name)));
            }
        }
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let values = names.iter().enumerate().map(|(at, name)| Ok((name.clone(), to_json(row.get_ref(at)?))));
            let values = values.collect::<rusqlite::Result<Map<_, _>>>()?;
            rows.push(told(&spec.name, table, values).map_err(rusqlite::Error::InvalidColumnName)?);
        }
    }
    Ok(Seen { checks, rows })
}

/// A row as it is compared: its key, and its durable columns, of which secret ones are hashed. An error names a column that
/// the scenario has and the table has not.
fn told(database: &str, table: &Table, mut values: Map<String, Value>) -> Result<RowSeen, String> {
    let lacks = |column: &String| format!("{}.{column}", table.name);
    let mut key = Vec::new();
    for column in &table.key {
        key.push(text(values.remove(column).ok_or_else(|| lacks(column))?));
    }
    for column in &table.volatile {
        values.remove(column).ok_or_else(|| lacks(column))?;
    }
    for column in &table.secret {
        let value = values.get_mut(column).ok_or_else(|| lacks(column))?;
        *value = json!(format!("sha256:{}", hex::encode(Sha256::digest(text(value.take())))));
    }
    let (database, table) = (database.to_owned(), table.name.clone());
    Ok(RowSeen { database, table, key: key.join(","), columns: Value::Object(values).to_string() })
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn to_json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => json!(n),
        ValueRef::Real(n) => json!(n),
        ValueRef::Text(bytes) => json!(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => json!(format!("blob:{}", hex::encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        toml::from_str(
            "name = 'm.db'\nvolume = 'v'\nfile = 'm.db'\nrevision = 'SELECT v FROM rev'\n
             [[table]]\nname = 't'\nkey = ['k']\nvolatile = ['at']\nsecret = ['pw']\n",
        )
        .expect("valid")
    }

    #[test]
    fn rows_leave_out_the_volatile_and_hash_the_secret() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("m.db");
        let db = Connection::open(&file).expect("a database");
        db.execute_batch(
            "CREATE TABLE rev (v); INSERT INTO rev VALUES ('abc'); CREATE TABLE t (k, at, pw, n);
             INSERT INTO t VALUES ('a', 1, 'geheim', 7);",
        )
        .expect("created");
        let seen = read(&file, &spec()).expect("read");
        let hash = hex::encode(Sha256::digest("geheim"));
        assert_eq!(
            seen,
            Seen {
                checks: [("file", "readable"), ("integrity_check", "ok"), ("foreign_key_check", ""), ("schema revision", "abc")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned()))
                    .to_vec(),
                rows: vec![RowSeen {
                    database: "m.db".into(),
                    table: "t".into(),
                    key: "a".into(),
                    columns: format!("{{\"n\":7,\"pw\":\"sha256:{hash}\"}}")
                }],
            }
        );
    }

    #[test]
    fn a_torn_file_is_an_error_and_not_an_empty_database() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("m.db");
        std::fs::write(&file, b"SQLite format 3\0 and then nothing of sense").expect("written");
        assert!(read(&file, &spec()).is_err());
        std::fs::write(&file, b"").expect("written");
        assert!(read(&file, &spec()).is_err(), "an empty file has no tables");
    }
}
