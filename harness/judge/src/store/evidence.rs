//! The directory of a run and its `evidence.db`; the observations in it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::schema;
use crate::error::{Error, Result};

/// The number of an observation in `evidence.db`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservationId(pub(super) i64);

/// KiB that SQLite keeps in memory of the evidence, and as much again while it sorts.
const CACHE_KIB: i64 = 32 << 10;

/// The evidence of one run. One writer at a time: writes are short and batched.
pub struct Evidence {
    dir: PathBuf,
    db: Mutex<Connection>,
    ending: Arc<AtomicBool>,
}

impl Evidence {
    /// Asks everything that is read for this run to end soon.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// Whether that was asked, for whoever reads something that may take long.
    pub fn ending(&self) -> Arc<AtomicBool> {
        self.ending.clone()
    }

    /// A new directory for a run, which only this user can read; it must not hold another run.
    pub fn create(dir: &Path) -> Result<Self> {
        let unmade = |source| Error::Io { path: dir.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(dir.join("logs")).map_err(unmade)?;
        let path = dir.join("evidence.db");
        if path.exists() {
            return Err(Error::Taken(dir.to_owned()));
        }
        let db = Connection::open(&path).map_err(|source| Error::Store { path: path.clone(), source })?;
        let evidence = Self { dir: dir.to_owned(), db: Mutex::new(db), ending: Arc::default() };
        evidence.with(|db| {
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            db.pragma_update(None, "cache_size", -CACHE_KIB)?;
            db.execute_batch(schema::TABLES)?;
            db.pragma_update(None, "user_version", schema::VERSION)
        })?;
        Ok(evidence)
    }

    /// The evidence of a finished run.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("evidence.db");
        if !path.is_file() {
            return Err(Error::NoRun(dir.to_owned()));
        }
        let fail = |source| Error::Store { path: path.clone(), source };
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fail)?;
        db.pragma_update(None, "cache_size", -CACHE_KIB).map_err(fail)?;
        let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fail)?;
        if version != schema::VERSION {
            return Err(Error::Schema { path, found: version, expected: schema::VERSION });
        }
        Ok(Self { dir: dir.to_owned(), db: Mutex::new(db), ending: Arc::default() })
    }

    /// The run's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        f(&mut self.lock()).map_err(|source| Error::Store { path: self.dir.join("evidence.db"), source })
    }

    /// Gives a completed observation another name.
    pub fn rename_observation(&self, from: &str, to: &str) -> Result<()> {
        self.with(|db| db.execute("UPDATE observation SET name = ? WHERE name = ?", [to, from]).map(drop))
    }

    /// Begins an observation. One of the same name is replaced.
    pub fn observation(&self, name: &str) -> Result<ObservationId> {
        self.with(|db| {
            let tx = db.transaction()?;
            if let Some(old) =
                tx.query_row("SELECT id FROM observation WHERE name = ?", [name], |r| r.get::<_, i64>(0)).optional()?
            {
                for table in schema::OBSERVED {
                    tx.execute(&format!("DELETE FROM {table} WHERE observation = ?"), [old])?;
                }
                tx.execute("DELETE FROM observation WHERE id = ?", [old])?;
            }
            tx.execute("INSERT INTO observation (name) VALUES (?)", [name])?;
            let id = tx.last_insert_rowid();
            tx.commit()?;
            Ok(ObservationId(id))
        })
    }

    /// Marks an observation as read to its end.
    pub fn complete(&self, observation: ObservationId) -> Result<()> {
        self.with(|db| db.execute("UPDATE observation SET complete = 1 WHERE id = ?", [observation.0]).map(drop))
    }

    /// The names of the observations, in order.
    pub fn observations(&self) -> Result<Vec<String>> {
        self.with(|db| db.prepare("SELECT name FROM observation ORDER BY id")?.query_map([], |r| r.get(0))?.collect())
    }

    /// The observation of that name, if it was completed.
    pub fn completed(&self, name: &str) -> Result<Option<ObservationId>> {
        self.with(|db| {
            db.query_row("SELECT id FROM observation WHERE name = ? AND complete = 1", [name], |r| r.get(0).map(ObservationId))
                .optional()
        })
    }
}

/// Those columns of a table by the name that it has in a query.
pub(super) fn columns(of: &str, table: &str) -> String {
    of.split(", ").map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::FactSeen;

    #[test]
    fn an_observation_that_is_replaced_takes_all_that_was_seen_along() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let tables: std::collections::BTreeSet<String> = evidence
            .with(|db| {
                db.prepare(
                    "SELECT m.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
                     WHERE m.type = 'table' AND c.name = 'observation'",
                )?
                .query_map([], |r| r.get(0))?
                .collect()
            })
            .expect("read");
        assert_eq!(tables, schema::OBSERVED.map(str::to_owned).into());
        let fact = FactSeen { fact: "uptime".into(), value: None };
        let first = evidence.observation("restored").expect("begun");
        evidence.put_facts(first, &[fact]).expect("stored");
        let second = evidence.observation("restored").expect("begun");
        assert_eq!(evidence.facts(second).expect("read"), []);
    }
}
