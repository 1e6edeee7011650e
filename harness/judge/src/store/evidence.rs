//! `evidence.db`: its schema, the ledger, observations, and what mail and rows look like in it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::error::{Error, Result};
use crate::redact::redact;

/// Version of the schema; a directory with another one is refused.
const SCHEMA_VERSION: i64 = 6;

const SCHEMA: &str = "
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- The ledger: one row for each message and each mailbox it is delivered to.
-- sent: ok (accepted with 250), failed (refused), indeterminate (connection lost after DATA).
CREATE TABLE ledger (
  item TEXT NOT NULL, account TEXT NOT NULL, sent TEXT NOT NULL, reply TEXT NOT NULL,
  body_sha256 BLOB NOT NULL, bytes INTEGER NOT NULL, expunged INTEGER NOT NULL,
  PRIMARY KEY (account, item)) WITHOUT ROWID;
CREATE TABLE observation (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, complete INTEGER NOT NULL DEFAULT 0);
-- status: read, refused (the server denied the login), unread (anything else).
CREATE TABLE account (
  observation INTEGER NOT NULL, account TEXT NOT NULL, status TEXT NOT NULL, detail TEXT NOT NULL,
  PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- In KiB (RFC 2087 counts in those), as the server says; no row where it has no quota.
CREATE TABLE quota (
  observation INTEGER NOT NULL, account TEXT NOT NULL, used INTEGER NOT NULL, most INTEGER NOT NULL,
  PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- modseq: HIGHESTMODSEQ, null where the server has none. special_use: attributes of RFC 6154, space-separated.
CREATE TABLE folder (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL, messages INTEGER NOT NULL, subscribed INTEGER NOT NULL, modseq INTEGER, special_use TEXT NOT NULL,
  PRIMARY KEY (observation, account, folder)) WITHOUT ROWID;
-- internal_date: seconds since 1970. item: the corpus message, where the header names one.
CREATE TABLE message (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL,
  sha256 BLOB NOT NULL, body_sha256 BLOB NOT NULL, size INTEGER NOT NULL, flags TEXT NOT NULL,
  keywords TEXT NOT NULL, internal_date INTEGER NOT NULL, item TEXT,
  PRIMARY KEY (observation, account, folder, uid)) WITHOUT ROWID;
CREATE INDEX message_bytes ON message (sha256);
CREATE INDEX message_item ON message (item);
-- What is there now of some messages with other bytes than at the baseline.
CREATE TABLE altered (
  observation INTEGER NOT NULL, account TEXT NOT NULL, folder TEXT NOT NULL, uid INTEGER NOT NULL, item TEXT, bytes BLOB NOT NULL,
  PRIMARY KEY (observation, account, folder, uid)) WITHOUT ROWID;
CREATE TABLE db_check (
  observation INTEGER NOT NULL, db TEXT NOT NULL, property TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (observation, db, property)) WITHOUT ROWID;
-- columns: a JSON object of the durable columns; secret ones as their SHA-256.
CREATE TABLE db_row (
  observation INTEGER NOT NULL, db TEXT NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, columns TEXT NOT NULL,
  PRIMARY KEY (observation, db, tbl, key)) WITHOUT ROWID;
-- sha256 is empty where only owner, mode and time are compared.
CREATE TABLE file (
  observation INTEGER NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, sha256 TEXT NOT NULL,
  size INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL, mtime INTEGER NOT NULL, link TEXT NOT NULL,
  PRIMARY KEY (observation, volume, path)) WITHOUT ROWID;
-- The audit. side: live or snapshot. class: what a backup owes the file; dump: the path of the dump that carries its content.
-- size and sha256 are null where only the bot's list names the file.
CREATE TABLE audit_file (
  side TEXT NOT NULL, volume TEXT NOT NULL, path TEXT NOT NULL, class TEXT NOT NULL, dump TEXT, size INTEGER, sha256 TEXT,
  PRIMARY KEY (side, volume, path)) WITHOUT ROWID;
-- complaint: what is wrong with a dump in the snapshot.
CREATE TABLE audit_dump (volume TEXT NOT NULL, path TEXT NOT NULL, complaint TEXT, PRIMARY KEY (volume, path)) WITHOUT ROWID;
-- Sieve scripts, and the accounts of which they could not be read.
CREATE TABLE script (
  observation INTEGER NOT NULL, account TEXT NOT NULL, script TEXT NOT NULL, active INTEGER NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (observation, account, script)) WITHOUT ROWID;
CREATE TABLE script_unread (
  observation INTEGER NOT NULL, account TEXT NOT NULL, why TEXT NOT NULL, PRIMARY KEY (observation, account)) WITHOUT ROWID;
-- What a command in a container printed; null where it failed.
CREATE TABLE fact (
  observation INTEGER NOT NULL, fact TEXT NOT NULL, value TEXT, PRIMARY KEY (observation, fact)) WITHOUT ROWID;
-- What was tried through a door at a stage of the drill. value is null, and why says it, where nothing can be told.
CREATE TABLE trial (
  stage TEXT NOT NULL, trial TEXT NOT NULL, expected TEXT NOT NULL, value TEXT, why TEXT NOT NULL,
  PRIMARY KEY (stage, trial)) WITHOUT ROWID;
-- What the bot said went wrong in a step of the drill.
CREATE TABLE step (step TEXT NOT NULL, cause TEXT NOT NULL, message TEXT NOT NULL);
-- What was done while the backup ran: one row for each operation. Times in milliseconds of the run's clock; ended is null where
-- it is not known to have ended well. message: the UID it is about, or the number in the corpus; detail: the flag that was
-- changed, or the body's SHA-256 in hex.
CREATE TABLE live (
  number INTEGER PRIMARY KEY, kind TEXT NOT NULL, account TEXT NOT NULL, message TEXT NOT NULL, detail TEXT NOT NULL,
  began INTEGER NOT NULL, ended INTEGER, error TEXT NOT NULL);
CREATE TABLE finding (verdict TEXT NOT NULL, finding TEXT NOT NULL);
";

/// The tables of which each row is of one observation.
const OBSERVED: [&str; 11] =
    ["account", "quota", "folder", "message", "altered", "db_check", "db_row", "file", "script", "script_unread", "fact"];

/// How the submission of one message to one mailbox went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Accepted with 250.
    Ok,
    /// Refused.
    Failed,
    /// The connection broke at a point where it may have been accepted.
    Indeterminate,
}

impl Sent {
    /// As in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// A line of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerLine {
    /// The corpus message.
    pub item: String,
    /// The mailbox it is delivered to.
    pub account: String,
    /// How the submission went.
    pub sent: Sent,
    /// The server's reply, or the error.
    pub reply: String,
    /// Of the body as submitted.
    pub body_sha256: [u8; 32],
    /// Size as submitted.
    pub bytes: u64,
    /// Whether it is expunged before the baseline.
    pub expunged: bool,
}

/// An account as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Everything in it was read.
    Read,
    /// The server denied the login.
    Refused(String),
    /// It could not be read.
    Unread(String),
}

/// A folder as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSeen {
    /// The name as the server gives it.
    pub folder: String,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: u32,
    /// EXISTS.
    pub messages: u32,
    /// Whether LSUB lists it.
    pub subscribed: bool,
    /// HIGHESTMODSEQ (RFC 7162), where the server has one.
    pub modseq: Option<u64>,
    /// What it is for (RFC 6154): `\Sent`, …, sorted, space-separated.
    pub special_use: String,
}

/// The storage quota of an account (RFC 2087).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In KiB.
    pub used: u64,
    /// In KiB.
    pub most: u64,
}

/// A message as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSeen {
    /// The folder.
    pub folder: String,
    /// UID.
    pub uid: u32,
    /// Of the full bytes as served; empty for a message that the server cannot serve.
    pub sha256: Vec<u8>,
    /// Of the bytes after the first empty line.
    pub body_sha256: Vec<u8>,
    /// RFC822.SIZE as the server says.
    pub size: u64,
    /// System flags but `\Recent`, sorted, space-separated.
    pub flags: String,
    /// Keywords, sorted, space-separated.
    pub keywords: String,
    /// INTERNALDATE, seconds since 1970.
    pub internal_date: i64,
    /// The corpus message that the header names.
    pub item: Option<String>,
}

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

/// The columns that [`message_of`] reads.
pub(super) const MESSAGE: &str = "folder, uid, sha256, body_sha256, size, flags, keywords, internal_date, item";

/// Those columns of a table that goes by another name.
pub(super) fn columns(of: &str, table: &str) -> String {
    of.split(", ").map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", ")
}

/// A row out of db, tbl, key and columns.
pub(super) fn row_of(r: &rusqlite::Row<'_>) -> rusqlite::Result<RowSeen> {
    Ok(RowSeen { database: r.get(0)?, table: r.get(1)?, key: r.get(2)?, columns: r.get(3)? })
}

/// A message out of its row, from that column on.
pub(super) fn message_of(r: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<MessageSeen> {
    Ok(MessageSeen {
        folder: r.get(from)?,
        uid: r.get(from + 1)?,
        sha256: r.get(from + 2)?,
        body_sha256: r.get(from + 3)?,
        size: r.get(from + 4)?,
        flags: r.get(from + 5)?,
        keywords: r.get(from + 6)?,
        internal_date: r.get(from + 7)?,
        item: r.get(from + 8)?,
    })
}

/// The number of an observation in `evidence.db`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObservationId(pub(super) i64);

/// The evidence of one run. One writer at a time: writes are short and batched.
pub struct Evidence {
    dir: PathBuf,
    db: Mutex<Connection>,
}

impl Evidence {
    /// A new directory for a run; it must not hold another run.
    pub fn create(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir.join("logs")).map_err(|source| Error::Io { path: dir.to_owned(), source })?;
        let path = dir.join("evidence.db");
        if path.exists() {
            return Err(Error::Taken(dir.to_owned()));
        }
        let db = Connection::open(&path).map_err(|source| Error::Store { path: path.clone(), source })?;
        let evidence = Self { dir: dir.to_owned(), db: Mutex::new(db) };
        evidence.with(|db| {
            db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
            db.execute_batch(SCHEMA)?;
            db.pragma_update(None, "user_version", SCHEMA_VERSION)
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
        let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fail)?;
        if version != SCHEMA_VERSION {
            return Err(Error::Schema { path, found: version, expected: SCHEMA_VERSION });
        }
        Ok(Self { dir: dir.to_owned(), db: Mutex::new(db) })
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

    /// Remembers a fact of the run.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        self.with(|db| db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", [key, &redact(value)]).map(drop))
    }

    /// A fact of the run.
    pub fn get(&self, key: &str) -> Result<Option<String>> {
        self.with(|db| db.query_row("SELECT value FROM run WHERE key = ?", [key], |r| r.get(0)).optional())
    }

    /// Writes lines of the ledger.
    pub fn ledger(&self, lines: &[LedgerLine]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for l in lines {
                tx.prepare_cached("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    l.item,
                    l.account,
                    l.sent.name(),
                    redact(&l.reply),
                    l.body_sha256,
                    l.bytes,
                    l.expunged
                ])?;
            }
            tx.commit()
        })
    }

    /// Marks a message as expunged before the baseline.
    pub fn expunged(&self, item: &str, account: &str) -> Result<()> {
        self.with(|db| db.execute("UPDATE ledger SET expunged = 1 WHERE item = ? AND account = ?", [item, account]).map(drop))
    }

    /// How many lines of the ledger have that outcome.
    pub fn ledger_count(&self, sent: Sent) -> Result<u64> {
        self.with(|db| db.query_row("SELECT count(*) FROM ledger WHERE sent = ?", [sent.name()], |r| r.get(0)))
    }

    /// How the run's submissions failed, one line for each distinct reply.
    pub fn ledger_failures(&self) -> Result<Vec<String>> {
        self.with(|db| {
            db.prepare("SELECT sent || ': ' || reply || ' (' || count(*) || ' times)' FROM ledger WHERE sent <> 'ok' GROUP BY sent, reply LIMIT 5")?
                .query_map([], |r| r.get(0))?
                .collect()
        })
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
                for table in OBSERVED {
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

    /// The observation of that name, if it was completed.
    pub fn completed(&self, name: &str) -> Result<Option<ObservationId>> {
        self.with(|db| {
            db.query_row("SELECT id FROM observation WHERE name = ? AND complete = 1", [name], |r| r.get(0).map(ObservationId))
                .optional()
        })
    }

    /// The names of the completed observations, in the order in which they were begun.
    pub fn observations(&self) -> Result<Vec<String>> {
        self.with(|db| {
            db.prepare("SELECT name FROM observation WHERE complete = 1 ORDER BY id")?.query_map([], |r| r.get(0))?.collect()
        })
    }

    /// Stores how a login went.
    pub fn put_account(&self, o: ObservationId, account: &str, login: &Login) -> Result<()> {
        let (status, detail) = match login {
            Login::Read => ("read", ""),
            Login::Refused(detail) => ("refused", detail.as_str()),
            Login::Unread(detail) => ("unread", detail.as_str()),
        };
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", params![o.0, account, status, redact(detail)])
                .map(drop)
        })
    }

    /// Stores a folder.
    pub fn put_folder(&self, o: ObservationId, account: &str, f: &FolderSeen) -> Result<()> {
        self.with(|db| {
            db.execute(
                "INSERT INTO folder VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![o.0, account, f.folder, f.uid_validity, f.uid_next, f.messages, f.subscribed, f.modseq, f.special_use],
            )
            .map(drop)
        })
    }

    /// Stores a batch of messages.
    pub fn put_messages(&self, o: ObservationId, account: &str, messages: &[MessageSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for m in messages {
                tx.prepare_cached("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    o.0,
                    account,
                    m.folder,
                    m.uid,
                    m.sha256,
                    m.body_sha256,
                    m.size,
                    m.flags,
                    m.keywords,
                    m.internal_date,
                    m.item
                ])?;
            }
            tx.commit()
        })
    }

    /// Forgets what was read of an account, before it is read again.
    pub fn clear_account(&self, o: ObservationId, account: &str) -> Result<()> {
        self.with(|db| {
            for table in ["account", "quota", "folder", "message"] {
                db.execute(&format!("DELETE FROM {table} WHERE observation = ? AND account = ?"), params![o.0, account])?;
            }
            Ok(())
        })
    }

    /// Forgets what was read of a folder, before it is read again.
    pub fn clear_folder(&self, o: ObservationId, account: &str, folder: &str) -> Result<()> {
        self.with(|db| {
            for table in ["folder", "message"] {
                let sql = format!("DELETE FROM {table} WHERE observation = ? AND account = ? AND folder = ?");
                db.execute(&sql, params![o.0, account, folder])?;
            }
            Ok(())
        })
    }

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

    /// Stores a judgement, in place of the last one.
    pub fn put_findings(&self, verdict: &crate::model::Verdict) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            tx.execute("DELETE FROM finding", [])?;
            for finding in &verdict.findings {
                let json = serde_json::to_string(finding).unwrap_or_else(|_| finding.to_string());
                tx.execute("INSERT INTO finding VALUES (?, ?)", params![verdict.status.to_string(), redact(&json)])?;
            }
            tx.commit()
        })
    }

    /// The accounts of an observation, by address.
    pub fn accounts(&self, o: ObservationId) -> Result<Vec<(String, Login)>> {
        self.with(|db| {
            db.prepare("SELECT account, status, detail FROM account WHERE observation = ? ORDER BY account")?
                .query_map([o.0], |r| {
                    let detail = r.get(2)?;
                    let login = match r.get_ref(1)?.as_str()? {
                        "read" => Login::Read,
                        "refused" => Login::Refused(detail),
                        _ => Login::Unread(detail),
                    };
                    Ok((r.get(0)?, login))
                })?
                .collect()
        })
    }

    /// The folders of an account, by name.
    pub fn folders(&self, o: ObservationId, account: &str) -> Result<Vec<FolderSeen>> {
        self.with(|db| {
            db.prepare(
                "SELECT folder, uid_validity, uid_next, messages, subscribed, modseq, special_use FROM folder
                 WHERE observation = ? AND account = ? ORDER BY folder",
            )?
            .query_map(params![o.0, account], |r| {
                Ok(FolderSeen {
                    folder: r.get(0)?,
                    uid_validity: r.get(1)?,
                    uid_next: r.get(2)?,
                    messages: r.get(3)?,
                    subscribed: r.get(4)?,
                    modseq: r.get(5)?,
                    special_use: r.get(6)?,
                })
            })?
            .collect()
        })
    }

    /// The messages of an account, by folder and UID. Some 200 bytes each in memory.
    pub fn messages(&self, o: ObservationId, account: &str) -> Result<Vec<MessageSeen>> {
        self.with(|db| {
            db.prepare(&format!("SELECT {MESSAGE} FROM message WHERE observation = ? AND account = ? ORDER BY folder, uid"))?
                .query_map(params![o.0, account], |r| message_of(r, 0))?
                .collect()
        })
    }

    /// The (account, folder) other than `not` in which `after` has a message with these bytes and `before` had none.
    pub fn strayed(
        &self,
        before: ObservationId,
        after: ObservationId,
        sha256: &[u8],
        not: &str,
    ) -> Result<Option<(String, String)>> {
        self.with(|db| {
            db.query_row(
                "SELECT account, folder FROM message AS m WHERE observation = ?1 AND sha256 = ?2 AND account <> ?3
                 AND NOT EXISTS (SELECT 1 FROM message AS o
                   WHERE o.observation = ?4 AND o.account = m.account AND o.sha256 = ?2) LIMIT 1",
                params![after.0, sha256, not, before.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
        })
    }

    /// The names of the databases that the run looks into.
    pub fn databases(&self) -> Result<Vec<String>> {
        Ok(self.get("databases")?.iter().flat_map(|names| names.lines().map(str::to_owned)).collect())
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
        assert_eq!(tables, OBSERVED.map(str::to_owned).into());
        let fact = FactSeen { fact: "spam training".into(), value: None };
        let first = evidence.observation("restored").expect("begun");
        evidence.put_facts(first, &[fact]).expect("stored");
        let second = evidence.observation("restored").expect("begun");
        assert_eq!(evidence.facts(second).expect("read"), []);
    }
}
