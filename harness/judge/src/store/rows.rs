//! Databases as observations saw them: their own checks, and their rows.

use rusqlite::params;

use super::evidence::{Evidence, ObservationId};
use super::run::RunFact;
use crate::error::Result;

/// A row as one observation saw it: the database, the table, the key, the durable columns as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSeen {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// The values of its key columns, comma-separated.
    pub key: String,
    /// A JSON object of the durable columns.
    pub columns: String,
}

/// A row out of db, tbl, key and columns.
pub(super) fn row_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<RowSeen> {
    Ok(RowSeen { database: r.get(0)?, table: r.get(1)?, key: r.get(2)?, columns: r.get(3)? })
}

impl Evidence {
    /// Stores the rows of a database and its checks (property, value).
    pub fn put_rows(&self, o: ObservationId, database: &str, checks: &[(String, String)], rows: &[RowSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for (property, value) in checks {
                tx.execute("INSERT INTO db_check VALUES (?, ?, ?, ?)", params![o.0, database, property, value])?;
            }
            for r in rows {
                tx.prepare_cached("INSERT OR REPLACE INTO db_row VALUES (?, ?, ?, ?, ?)")?
                    .execute(params![o.0, database, r.table, r.key, r.columns])?;
            }
            tx.commit()
        })
    }

    /// The names of the databases that the run looks into.
    pub fn databases(&self) -> Result<Vec<String>> {
        Ok(self.get(RunFact::Databases)?.iter().flat_map(|names| names.lines().map(str::to_owned)).collect())
    }

    /// The checks of a database, by property.
    pub fn checks(&self, o: ObservationId, database: &str) -> Result<Vec<(String, String)>> {
        self.with(|db| {
            db.prepare("SELECT property, value FROM db_check WHERE observation = ? AND db = ? ORDER BY property")?
                .query_map(params![o.0, database], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect()
        })
    }

    /// The rows of all databases, by database, table and key.
    pub fn rows(&self, o: ObservationId) -> Result<Vec<RowSeen>> {
        self.with(|db| {
            db.prepare("SELECT db, tbl, key, columns FROM db_row WHERE observation = ? ORDER BY db, tbl, key")?
                .query_map([o.0], row_of)?
                .collect()
        })
    }

    /// How many rows of each table an observation has, by database and table.
    pub fn row_counts(&self, o: ObservationId) -> Result<Vec<(String, String, u64)>> {
        self.with(|db| {
            let sql = "SELECT db, tbl, count(*) FROM db_row WHERE observation = ? GROUP BY db, tbl";
            db.prepare(sql)?.query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
        })
    }
}
