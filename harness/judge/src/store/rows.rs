//! The rows of databases as observations saw them, and the databases' own checks.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, ObservationId};
use super::run::RunFact;
use crate::error::Result;

/// Rows that are stored at once.
const BATCH: usize = 1_000;
/// Rows that a transaction stores at once out of the temporary table.
const PAGE: u64 = 20_000;
/// Bytes of rows that are stored at once.
const BATCH_BYTES: usize = 4 << 20;

/// A row as one observation saw it: the database, the table, the key, the columns as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSeen {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
    /// The values of its key columns, comma-separated; in a table without a key, a hash of its content. Of several rows with the same
    /// one, all but the first have a number behind it.
    pub key: String,
    /// A JSON object of the columns, key columns too. What no JSON can hold is an object in it: `{"blob": "00ff"}`.
    pub columns: String,
}

/// A table as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableSeen {
    /// Its name in findings.
    pub table: String,
    /// Its name in SQL, quoted.
    pub sql: String,
    /// The columns by which its rows are known; none where it has no key.
    pub key: Vec<String>,
    /// All columns that can be written, also those that are left out.
    pub columns: Vec<String>,
    /// Whether it holds the revision of the schema, which changes with an upgrade of the app.
    pub revision: bool,
}

/// The rows in which two observations of a database differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RowPairs {
    /// Rows under the same key with other columns: before, after.
    pub changed: Vec<(RowSeen, RowSeen)>,
    /// Rows whose key is not there after, in tables that are.
    pub only_before: Vec<RowSeen>,
    /// Rows whose key was not there before, in tables that were.
    pub only_after: Vec<RowSeen>,
}

/// A row out of db, tbl, key and columns, from that column on.
pub(super) fn row_of(r: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<RowSeen> {
    Ok(RowSeen { database: r.get(from)?, table: r.get(from + 1)?, key: r.get(from + 2)?, columns: r.get(from + 3)? })
}

/// Stores the rows of a database as they are read. They wait in a temporary table: put in the order of their keys, they are stored many
/// times faster than in the order in which a database gives them, and memory does not grow with the database.
pub struct RowWriter<'a> {
    evidence: &'a Evidence,
    observation: ObservationId,
    database: String,
    batch: Vec<RowSeen>,
    bytes: usize,
    /// Whether the temporary table is there.
    waiting: bool,
}

impl RowWriter<'_> {
    /// Takes a row, which [`Self::finish`] stores.
    pub fn add(&mut self, row: RowSeen) -> Result<()> {
        self.bytes += row.key.len() + row.columns.len();
        self.batch.push(row);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Stores all rows. Gives how many there were.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        if !self.waiting {
            return Ok(0);
        }
        let table = self.temporary();
        let sort = format!("CREATE TABLE {table}_sorted AS SELECT * FROM {table} ORDER BY tbl, key, columns; DROP TABLE {table}");
        self.evidence.with(|db| db.execute_batch(&sort))?;
        let (o, database, before) = (self.observation, self.database.as_str(), (String::new(), String::new()));
        let mut storing = Storing { o, database, table: &table, before, times: 0, doubled: 0, stored: 0 };
        storing.all(self.evidence, "sorted", Storing::first)?;
        if storing.doubled > 0 {
            storing.all(self.evidence, "doubled", Storing::numbered)?;
        }
        Ok(storing.stored)
    }

    /// The name of the temporary table. Databases have any names.
    fn temporary(&self) -> String {
        format!("temp.waiting_{}", hex::encode(&self.database))
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (rows, table) = (std::mem::take(&mut self.batch), self.temporary());
        self.bytes = 0;
        let first = !std::mem::replace(&mut self.waiting, true);
        self.evidence.with(|db| {
            let tx = db.transaction()?;
            if first {
                tx.execute_batch(&format!(
                    "{}
                     CREATE TABLE {table} (tbl TEXT NOT NULL, key TEXT NOT NULL, columns TEXT NOT NULL);
                     CREATE TABLE {table}_doubled (tbl TEXT NOT NULL, key TEXT NOT NULL, columns TEXT NOT NULL);",
                    drop_all(&table)
                ))?;
            }
            {
                let mut insert = tx.prepare_cached(&format!("INSERT INTO {table} VALUES (?, ?, ?)"))?;
                rows.iter().try_for_each(|row| insert.execute(params![row.table, row.key, row.columns]).map(drop))?;
            }
            tx.commit()
        })
    }
}

impl Drop for RowWriter<'_> {
    fn drop(&mut self) {
        if !self.waiting {
            return;
        }
        let table = self.temporary();
        // What is left is gone with the connection.
        let _ = self.evidence.with(|db| db.execute_batch(&drop_all(&table)));
    }
}

/// The statements that remove a temporary table, and those that are made from it.
fn drop_all(table: &str) -> String {
    ["", "_sorted", "_doubled"].map(|of| format!("DROP TABLE IF EXISTS {table}{of};")).concat()
}

/// What becomes of a row.
type Stores<'a> = fn(&mut Storing<'a>, &Connection, &Waiting<'_>) -> rusqlite::Result<()>;

/// Rows on their way out of the temporary table.
struct Storing<'a> {
    o: ObservationId,
    database: &'a str,
    table: &'a str,
    /// The table and the key of the row before.
    before: (String, String),
    /// How often that key came until now.
    times: u64,
    /// Rows whose key had come before. They are stored last, so that their numbers do not take the key of another row.
    doubled: u64,
    stored: u64,
}

impl<'a> Storing<'a> {
    /// Stores each row of a table, in which the rows of a key come one after the other: page by page, so that whoever else writes
    /// evidence waits for a page at most.
    fn all(&mut self, evidence: &Evidence, of: &str, store: Stores<'a>) -> Result<()> {
        let query =
            format!("SELECT rowid, tbl, key, columns FROM {}_{of} WHERE rowid > ? ORDER BY rowid LIMIT {PAGE}", self.table);
        self.times = 0;
        let mut last = Some(0);
        while let Some(from) = last {
            last = evidence.with(|db| self.page(db, &query, from, store))?;
        }
        Ok(())
    }

    /// Stores the rows after one. Gives the last one; none if there was none.
    fn page(&mut self, db: &mut Connection, query: &str, from: i64, store: Stores<'a>) -> rusqlite::Result<Option<i64>> {
        let transaction = db.transaction()?;
        let mut last = None;
        {
            let mut statement = transaction.prepare_cached(query)?;
            let mut found = statement.query([from])?;
            while let Some(row) = found.next()? {
                let text = |at: usize| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str()?);
                let (table, key, columns) = (text(1)?, text(2)?, text(3)?);
                if self.times == 0 || self.before.0 != table || self.before.1 != key {
                    (self.before, self.times) = ((table.to_owned(), key.to_owned()), 0);
                }
                self.times += 1;
                store(self, &transaction, &Waiting { table, key, columns, times: self.times })?;
                last = Some(row.get(0)?);
            }
        }
        transaction.commit()?;
        Ok(last)
    }

    /// The first row of a key; another one waits once more.
    fn first(&mut self, db: &Connection, row: &Waiting<'_>) -> rusqlite::Result<()> {
        if row.times > 1 {
            self.doubled += 1;
            let insert = format!("INSERT INTO {}_doubled VALUES (?, ?, ?)", self.table);
            return db.prepare_cached(&insert)?.execute(params![row.table, row.key, row.columns]).map(drop);
        }
        self.insert(db, row, row.key).map(drop)
    }

    /// Another row of a key, under the next number that is free.
    fn numbered(&mut self, db: &Connection, row: &Waiting<'_>) -> rusqlite::Result<()> {
        let mut number = row.times + 1;
        while !self.insert(db, row, &numbered(row.key, number))? {
            number += 1;
        }
        Ok(())
    }

    /// False where there is such a key.
    fn insert(&mut self, db: &Connection, row: &Waiting<'_>, key: &str) -> rusqlite::Result<bool> {
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO db_row VALUES (?, ?, ?, ?, ?)")?;
        let inserted = insert.execute(params![self.o.0, self.database, row.table, key, row.columns])? > 0;
        self.stored += u64::from(inserted);
        Ok(inserted)
    }
}

/// A row out of the temporary table.
struct Waiting<'a> {
    table: &'a str,
    key: &'a str,
    columns: &'a str,
    /// How often its key came until now.
    times: u64,
}

fn numbered(key: &str, n: u64) -> String {
    format!("{key} ({n})")
}

impl Evidence {
    /// Begins to store the rows of a database.
    pub fn row_writer(&self, observation: ObservationId, database: &str) -> RowWriter<'_> {
        RowWriter { evidence: self, observation, database: database.to_owned(), batch: Vec::new(), bytes: 0, waiting: false }
    }

    /// Stores the rows of a database and its checks (property, value).
    pub fn put_rows(&self, o: ObservationId, database: &str, checks: &[(String, String)], rows: &[RowSeen]) -> Result<()> {
        self.put_checks(o, database, checks)?;
        let mut writer = self.row_writer(o, database);
        rows.iter().try_for_each(|row| writer.add(row.clone()))?;
        writer.finish().map(drop)
    }

    /// Stores the checks of a database (property, value).
    pub fn put_checks(&self, o: ObservationId, database: &str, checks: &[(String, String)]) -> Result<()> {
        self.with(|db| {
            checks.iter().try_for_each(|(property, value)| {
                let mut insert = db.prepare_cached("INSERT INTO db_check VALUES (?, ?, ?, ?)")?;
                insert.execute(params![o.0, database, property, value]).map(drop)
            })
        })
    }

    /// Stores a table of a database.
    pub fn put_table(&self, o: ObservationId, database: &str, table: &TableSeen) -> Result<()> {
        self.with(|db| {
            let shape = serde_json::to_string(table).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
            db.prepare_cached("INSERT INTO db_table VALUES (?, ?, ?, ?)")?
                .execute(params![o.0, database, table.table, shape])
                .map(drop)
        })
    }

    /// Forgets what was stored of a database, whose reading begins anew.
    pub fn forget_database(&self, o: ObservationId, database: &str) -> Result<()> {
        self.with(|db| {
            ["db_check", "db_row", "db_table", "db_object"].iter().try_for_each(|table| {
                db.execute(&format!("DELETE FROM {table} WHERE observation = ? AND db = ?"), params![o.0, database]).map(drop)
            })
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

    /// The tables of a database, by name.
    pub fn tables(&self, o: ObservationId, database: &str) -> Result<Vec<TableSeen>> {
        let wrong = |e: serde_json::Error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into());
        self.with(|db| {
            db.prepare_cached("SELECT shape FROM db_table WHERE observation = ? AND db = ? ORDER BY tbl")?
                .query_map(params![o.0, database], |r| serde_json::from_str(r.get_ref(0)?.as_str()?).map_err(wrong))?
                .collect()
        })
    }

    /// The rows of all databases, by database, table and key.
    pub fn rows(&self, o: ObservationId) -> Result<Vec<RowSeen>> {
        self.with(|db| {
            db.prepare("SELECT db, tbl, key, columns FROM db_row WHERE observation = ? ORDER BY db, tbl, key")?
                .query_map([o.0], |r| row_of(r, 0))?
                .collect()
        })
    }

    /// The rows of a table, by key.
    pub fn rows_of(&self, o: ObservationId, database: &str, table: &str) -> Result<Vec<RowSeen>> {
        self.with(|db| {
            db.prepare("SELECT db, tbl, key, columns FROM db_row WHERE observation = ? AND db = ? AND tbl = ? ORDER BY key")?
                .query_map(params![o.0, database, table], |r| row_of(r, 0))?
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

    /// The rows of a database in which two observations differ, by table and key. Of a table that only one of them has, no rows.
    pub(crate) fn row_pairs(&self, before: ObservationId, after: ObservationId, database: &str) -> Result<RowPairs> {
        let changed = "SELECT o.db, o.tbl, o.key, o.columns, n.db, n.tbl, n.key, n.columns FROM db_row AS o JOIN db_row AS n
             ON n.observation = ?2 AND n.db = o.db AND n.tbl = o.tbl AND n.key = o.key
             WHERE o.observation = ?1 AND o.db = ?3 AND o.columns <> n.columns ORDER BY o.tbl, o.key";
        let only = "SELECT db, tbl, key, columns FROM db_row AS o WHERE o.observation = ?1 AND o.db = ?3
             AND NOT EXISTS (SELECT 1 FROM db_row AS n
                             WHERE n.observation = ?2 AND n.db = o.db AND n.tbl = o.tbl AND n.key = o.key)
             AND (EXISTS (SELECT 1 FROM db_table AS t WHERE t.observation = ?2 AND t.db = o.db AND t.tbl = o.tbl)
                  OR NOT EXISTS (SELECT 1 FROM db_table AS t WHERE t.observation = ?1 AND t.db = o.db AND t.tbl = o.tbl))
             ORDER BY o.tbl, o.key";
        self.with(|db| {
            let rows = |a: ObservationId, b: ObservationId| -> rusqlite::Result<Vec<RowSeen>> {
                db.prepare_cached(only)?.query_map(params![a.0, b.0, database], |r| row_of(r, 0))?.collect()
            };
            Ok(RowPairs {
                changed: db
                    .prepare_cached(changed)?
                    .query_map(params![before.0, after.0, database], |r| Ok((row_of(r, 0)?, row_of(r, 4)?)))?
                    .collect::<rusqlite::Result<_>>()?,
                only_before: rows(before, after)?,
                only_after: rows(after, before)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, columns: &str) -> RowSeen {
        RowSeen { database: "m.db".into(), table: "t".into(), key: key.into(), columns: columns.into() }
    }

    fn stored(evidence: &Evidence, name: &str, rows: &[RowSeen]) -> ObservationId {
        let o = evidence.observation(name).expect("an observation");
        evidence.put_rows(o, "m.db", &[], rows).expect("stored");
        o
    }

    #[test]
    fn two_rows_are_never_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let one =
            stored(&evidence, "one", &[row("a", "{\"n\":2}"), row("a", "{\"n\":1}"), row("a (2)", "{\"n\":3}"), row("b", "{}")]);
        let two = stored(&evidence, "two", &[row("a (2)", "{\"n\":3}"), row("b", "{}"), row("a", "{\"n\":1}")]);
        let keys: Vec<String> = evidence.rows(one).expect("read").into_iter().map(|r| r.key).collect();
        assert_eq!(keys.len(), 4, "{keys:?}");
        let pairs = evidence.row_pairs(one, two, "m.db").expect("read");
        assert_eq!((pairs.only_before.len(), pairs.only_after.len()), (1, 0), "one of the two that share a key is gone");
        // Its number is never the key of another row, in whatever order they come.
        let expected = ["a", "a (2)", "a (3)", "b"];
        assert_eq!(keys, expected);
        let again = [row("a", "{\"n\":1}"), row("a (2)", "{\"n\":3}"), row("a", "{\"n\":2}"), row("b", "{}")];
        let again = stored(&evidence, "again", &again);
        assert_eq!(evidence.row_pairs(one, again, "m.db").expect("read"), RowPairs::default());
    }

    #[test]
    fn rows_of_one_key_come_in_any_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let one = stored(&evidence, "one", &[row("a", "{\"n\":2}"), row("a", "{\"n\":1}"), row("a", "{\"n\":3}")]);
        let two = stored(&evidence, "two", &[row("a", "{\"n\":3}"), row("a", "{\"n\":2}"), row("a", "{\"n\":1}")]);
        assert_eq!(evidence.row_pairs(one, two, "m.db").expect("read"), RowPairs::default());
        let doubled = stored(
            &evidence,
            "doubled",
            &[row("a", "{\"n\":3}"), row("a", "{\"n\":2}"), row("a", "{\"n\":1}"), row("a", "{\"n\":3}")],
        );
        let pairs = evidence.row_pairs(one, doubled, "m.db").expect("read");
        assert_eq!(pairs.only_after, [row("a (4)", "{\"n\":3}")]);
        assert_eq!((pairs.changed, pairs.only_before), (vec![], vec![]));
    }

    #[test]
    fn the_rows_of_a_table_that_is_gone_are_not_told_one_by_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let (before, after) = (stored(&evidence, "before", &[row("a", "{}")]), stored(&evidence, "after", &[]));
        assert_eq!(evidence.row_pairs(before, after, "m.db").expect("read").only_before.len(), 1);
        let table = TableSeen { table: "t".into(), ..TableSeen::default() };
        evidence.put_table(before, "m.db", &table).expect("stored");
        assert_eq!(evidence.row_pairs(before, after, "m.db").expect("read"), RowPairs::default());
        evidence.put_table(after, "m.db", &table).expect("stored");
        assert_eq!(evidence.row_pairs(before, after, "m.db").expect("read").only_before.len(), 1);
    }
}
