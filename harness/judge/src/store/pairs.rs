//! The differences between two observations. What is the same is never loaded, so that memory grows with the differences and not
//! with the data.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::evidence::{Evidence, ObservationId, columns};
use super::mail::{MESSAGE, MessageSeen, message_of};
use super::rows::{RowSeen, row_of};
use crate::error::Result;
use crate::message_id::MessageId;

/// The messages of an account that differ between two observations.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MessagePairs {
    /// Messages in the same place with the same bytes, of which something else changed: before, after.
    pub changed: Vec<(MessageSeen, MessageSeen)>,
    /// Messages without such a counterpart after, by folder and UID.
    pub only_before: Vec<MessageSeen>,
    /// Messages without such a counterpart before, by folder and UID.
    pub only_after: Vec<MessageSeen>,
}

/// A message whose mailbox is not as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    /// The mailbox.
    pub account: String,
    /// The message.
    pub item: MessageId,
    /// Whether it was expunged. Then it must not be there; else it must, with the body that was submitted.
    pub expunged: bool,
    /// Where it is, folder and UID.
    pub found: Option<(String, u32)>,
}

/// What of a baseline is users' own, by which a wipe is proven.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    /// The baseline.
    pub before: ObservationId,
    /// What a new deployment has by itself; that is not users'.
    pub fresh: Option<ObservationId>,
    /// After an upgrade, what was there before it: what only the baseline has may be what the newer version made by itself.
    pub older: Option<ObservationId>,
}

impl Own {
    /// The parameters of SQL: ?1 the baseline, ?2 the observation after the wipe, ?3 the fresh deployment, ?4 what was before an upgrade.
    pub(super) fn and(self, after: ObservationId) -> [Option<i64>; 4] {
        [Some(self.before.0), Some(after.0), self.fresh.map(|o| o.0), self.older.map(|o| o.0)]
    }
}

/// Whether an observation has the row `o`.
fn row_in(observation: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM db_row AS n WHERE n.observation = {observation} AND n.db = o.db AND n.tbl = o.tbl AND n.key = o.key
         AND n.columns = o.columns)"
    )
}

/// Rows that tell which deployment they are of: not the revision of the schema, which any deployment of a version has.
const OWN: &str = "NOT EXISTS (SELECT 1 FROM db_table AS t WHERE t.observation = o.observation AND t.db = o.db AND t.tbl = o.tbl
     AND json_extract(t.shape, '$.revision'))";

impl Evidence {
    /// Compares the ledger with an observation, in the mailboxes that could be read: where a message that SMTP accepted is missing,
    /// one that was expunged is there, or the body differs.
    pub(crate) fn unlike_ledger(&self, o: ObservationId) -> Result<Vec<Unlike>> {
        self.with(|db| {
            db.prepare(
                "SELECT l.account, l.item, l.expunged, m.folder, m.uid
                 FROM ledger AS l JOIN account AS a ON a.observation = ?1 AND a.account = l.account AND a.status = 'read'
                 LEFT JOIN message AS m ON m.item = l.item AND m.observation = ?1 AND m.account = l.account
                 WHERE CASE WHEN m.uid IS NULL THEN l.sent = 'ok' AND NOT l.expunged
                       ELSE l.expunged OR m.body_sha256 <> l.body_sha256 END
                 ORDER BY l.account, l.item, m.folder, m.uid",
            )?
            .query_map([o.0], |r| {
                let found = r.get::<_, Option<String>>(3)?.zip(r.get(4)?);
                Ok(Unlike { account: r.get(0)?, item: r.get(1)?, expunged: r.get(2)?, found })
            })?
            .collect()
        })
    }

    /// How many rows an observation has that a fresh deployment does not have by itself.
    pub fn rows_besides(&self, o: ObservationId, fresh: Option<ObservationId>) -> Result<u64> {
        self.with(|db| {
            let sql = format!("SELECT count(*) FROM db_row AS o WHERE o.observation = ?1 AND NOT {}", row_in("?2"));
            db.query_row(&sql, params![o.0, fresh.map(|f| f.0)], |r| r.get(0))
        })
    }

    /// The first of those rows that a third observation has as well, with the same content: a fresh deployment numbers its own
    /// rows as the lost one did.
    pub fn row_still_there(&self, own: Own, after: ObservationId) -> Result<Option<RowSeen>> {
        self.with(|db| {
            let sql = format!(
                "SELECT db, tbl, key, columns FROM db_row AS o WHERE o.observation = ?1 AND {OWN} AND NOT {} AND {}
                 AND (?4 IS NULL OR EXISTS (SELECT 1 FROM db_row AS u
                      WHERE u.observation = ?4 AND u.db = o.db AND u.tbl = o.tbl AND u.key = o.key)) LIMIT 1",
                row_in("?3"),
                row_in("?2"),
            );
            db.query_row(&sql, own.and(after), |r| row_of(r, 0)).optional()
        })
    }

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
    pub(crate) fn has_bytes(&self, o: ObservationId, account: &str, folder: &str, sha256: &[u8]) -> Result<bool> {
        self.with(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM message WHERE sha256 = ? AND observation = ? AND account = ? AND folder = ?)",
            )?
            .query_row(params![sha256, o.0, account, folder], |r| r.get(0))
        })
    }

    /// The corpus messages of an account that were expunged before the baseline.
    pub(crate) fn expunged_of(&self, account: &str) -> Result<BTreeSet<MessageId>> {
        self.with(|db| {
            db.prepare_cached("SELECT item FROM ledger WHERE account = ? AND expunged = 1")?
                .query_map([account], |r| r.get(0))?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::rows::TableSeen;

    #[test]
    fn a_row_is_still_there_unless_it_comes_by_itself() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let stored = |name: &str, keys: &[&str]| {
            let row =
                |key: &&str| RowSeen { database: "m.db".into(), table: "t".into(), key: (*key).into(), columns: "{}".into() };
            let o = evidence.observation(name).expect("an observation");
            evidence.put_rows(o, "m.db", &[], &keys.iter().map(row).collect::<Vec<_>>()).expect("stored");
            o
        };
        let (before, fresh) = (stored("before", &["a", "b", "own"]), stored("fresh", &["own"]));
        // The revision of a newer version, which the fresh deployment of the older one did not have.
        let revision = |o| {
            let row = RowSeen { database: "m.db".into(), table: "revision".into(), key: "2".into(), columns: "{}".into() };
            let table = TableSeen { table: "revision".into(), revision: true, ..TableSeen::default() };
            evidence.put_table(o, "m.db", &table).expect("stored");
            evidence.put_rows(o, "m.db", &[], &[row]).expect("stored");
        };
        revision(before);
        let (wiped, left) = (stored("wiped", &["own", "c"]), stored("left", &["own", "b"]));
        revision(wiped);
        let still =
            |fresh, older, after| evidence.row_still_there(Own { before, fresh, older }, after).expect("read").map(|r| r.key);
        assert_eq!(still(Some(fresh), None, wiped), None);
        assert_eq!(still(Some(fresh), None, left), Some("b".into()));
        assert_eq!(still(None, None, wiped), Some("own".into()));
        let (older, all) = (stored("installed", &["a", "own"]), stored("all", &["a", "b"]));
        assert_eq!(still(Some(fresh), Some(older), left), None, "the upgrade may have made it");
        assert_eq!(still(Some(fresh), Some(older), all), Some("a".into()));
        assert_eq!([Some(fresh), None].map(|f| evidence.rows_besides(before, f).expect("read")), [3, 4]);
    }
}
