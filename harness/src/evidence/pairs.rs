//! Two observations side by side, as far as they differ: what is the same is never loaded, so that memory follows the
//! differences and not the data.

use std::collections::BTreeSet;

use rusqlite::{Row, params};

use super::{Evidence, FILE, FileSeen, MESSAGE, MessageSeen, ObservationId, file_of, message_of};
use crate::error::Result;

/// Messages of one account, as far as two observations differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MessagePairs {
    /// In the same place with the same bytes, and something else is not the same: before, after.
    pub changed: Vec<(MessageSeen, MessageSeen)>,
    /// Without such a twin after, by folder and UID.
    pub only_before: Vec<MessageSeen>,
    /// Without such a twin before, by folder and UID.
    pub only_after: Vec<MessageSeen>,
}

/// Files, as far as two observations differ: before, after. Those with a hash and those without are of different kinds.
pub type FilePair = (Option<FileSeen>, Option<FileSeen>);

fn columns(of: &str, table: &str) -> String {
    of.split(", ").map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", ")
}

impl Evidence {
    /// How many messages of an account an observation has.
    pub fn message_count(&self, o: ObservationId, account: &str) -> Result<u64> {
        self.with(|db| {
            db.prepare_cached("SELECT count(*) FROM message WHERE observation = ? AND account = ?")?
                .query_row(params![o.0, account], |r| r.get(0))
        })
    }

    /// The messages of an account in which two observations differ.
    pub fn message_pairs(&self, before: ObservationId, after: ObservationId, account: &str) -> Result<MessagePairs> {
        let changed = format!(
            "SELECT {}, {} FROM message AS o JOIN message AS n
             ON n.observation = ?2 AND n.account = ?3 AND n.folder = o.folder AND n.uid = o.uid AND n.sha256 = o.sha256
             WHERE o.observation = ?1 AND o.account = ?3
             AND (o.flags <> n.flags OR o.keywords <> n.keywords OR o.internal_date <> n.internal_date OR o.size <> n.size)
             ORDER BY o.folder, o.uid",
            columns(MESSAGE, "o"),
            columns(MESSAGE, "n"),
        );
        let only = format!(
            "SELECT {} FROM message AS o WHERE o.observation = ?1 AND o.account = ?3 AND NOT EXISTS
             (SELECT 1 FROM message AS n WHERE n.observation = ?2 AND n.account = ?3
              AND n.folder = o.folder AND n.uid = o.uid AND n.sha256 = o.sha256)
             ORDER BY o.folder, o.uid",
            columns(MESSAGE, "o"),
        );
        self.with(|db| {
            let rows = |a: ObservationId, b: ObservationId| -> rusqlite::Result<Vec<MessageSeen>> {
                db.prepare_cached(&only)?.query_map(params![a.0, b.0, account], |r| message_of(r, 0))?.collect()
            };
            Ok(MessagePairs {
                changed: db
                    .prepare_cached(&changed)?
                    .query_map(params![before.0, after.0, account], |r| Ok((message_of(r, 0)?, message_of(r, 9)?)))?
                    .collect::<rusqlite::Result<_>>()?,
                only_before: rows(before, after)?,
                only_after: rows(after, before)?,
            })
        })
    }

    /// Whether an observation has a message with these bytes in a folder.
    pub fn has_bytes(&self, o: ObservationId, account: &str, folder: &str, sha256: &[u8]) -> Result<bool> {
        self.with(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM message WHERE sha256 = ? AND observation = ? AND account = ? AND folder = ?)",
            )?
            .query_row(params![sha256, o.0, account, folder], |r| r.get(0))
        })
    }

    /// How many files an observation has with a hash, and how many of which only owner, mode and link are compared.
    pub fn file_counts(&self, o: ObservationId) -> Result<(u64, u64)> {
        self.with(|db| {
            db.query_row(
                "SELECT count(*) FILTER (WHERE sha256 <> ''), count(*) FILTER (WHERE sha256 = '') FROM file WHERE observation = ?",
                [o.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
        })
    }

    /// The files in which two observations differ, by volume and path.
    pub fn file_pairs(&self, before: ObservationId, after: ObservationId) -> Result<Vec<FilePair>> {
        let twin = "n.observation = ?2 AND n.volume = o.volume AND n.path = o.path AND (n.sha256 = '') = (o.sha256 = '')";
        let changed = format!(
            "SELECT {}, {} FROM file AS o JOIN file AS n ON {twin} WHERE o.observation = ?1
             AND (o.uid <> n.uid OR o.gid <> n.gid OR o.mode <> n.mode OR o.link <> n.link OR o.sha256 <> n.sha256
                  OR (o.sha256 <> '' AND o.mtime <> n.mtime))
             ORDER BY o.volume, o.path",
            columns(FILE, "o"),
            columns(FILE, "n"),
        );
        // What only has attributes here is looked for by another probe.
        let only = format!(
            "SELECT {} FROM file AS o WHERE o.observation = ?1 AND o.sha256 <> ''
             AND NOT EXISTS (SELECT 1 FROM file AS n WHERE {twin}) ORDER BY o.volume, o.path",
            columns(FILE, "o"),
        );
        self.with(|db| {
            let pair = |r: &Row<'_>| Ok((Some(file_of(r, 0)?), Some(file_of(r, 9)?)));
            let mut pairs: Vec<FilePair> =
                db.prepare(&changed)?.query_map([before.0, after.0], pair)?.collect::<rusqlite::Result<_>>()?;
            let mut statement = db.prepare(&only)?;
            for lost in statement.query_map([before.0, after.0], |r| file_of(r, 0))? {
                pairs.push((Some(lost?), None));
            }
            for new in statement.query_map([after.0, before.0], |r| file_of(r, 0))? {
                pairs.push((None, Some(new?)));
            }
            Ok(pairs)
        })
    }

    /// Whether an observation has a file.
    pub fn has_file(&self, o: ObservationId, volume: &str, path: &str) -> Result<bool> {
        self.with(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM file WHERE observation = ? AND volume = ? AND path = ?)")?
                .query_row(params![o.0, volume, path], |r| r.get(0))
        })
    }

    /// The folders at the top of the volumes that an observation has anything in or of.
    pub fn top_folders(&self, o: ObservationId) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare("SELECT DISTINCT substr(path, 1, instr(path || '/', '/') - 1) FROM file WHERE observation = ?")?
                .query_map([o.0], |r| r.get(0))?
                .collect()
        })
    }

    /// The corpus messages of an account that were expunged before the baseline.
    pub fn expunged_of(&self, account: &str) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare_cached("SELECT item FROM ledger WHERE account = ? AND expunged = 1")?
                .query_map([account], |r| r.get(0))?
                .collect()
        })
    }
}
