//! Keys of Redis as observations saw them.

use rusqlite::{OptionalExtension as _, params};

use super::evidence::{Evidence, ObservationId};
use super::pairs::Own;
use crate::error::Result;

/// A key as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    /// The number of the database.
    pub database: u32,
    /// The key; bytes that are not printable ASCII as `%XX`.
    pub key: String,
    /// `string`, `list`, ….
    pub kind: String,
    /// Whether it expires.
    pub expires: bool,
    /// Whether it expires so soon that it may be gone by itself before it is looked at again.
    pub soon: bool,
    /// Bytes of a string, members of anything else.
    pub length: u64,
    /// The hash of its value, in hexadecimal digits.
    pub value: String,
}

/// A key of a service that differs: before, after.
pub type KeyPair = (String, Option<KeySeen>, Option<KeySeen>);

const COLUMNS: &str = "number, key, kind, expires, length, value";

fn key_of(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Option<KeySeen>> {
    let Some(database) = r.get(at)? else { return Ok(None) };
    let (key, kind, expires) = (r.get(at + 1)?, r.get(at + 2)?, r.get::<_, u8>(at + 3)?);
    let (expires, soon) = (expires > 0, expires == SOON);
    Ok(Some(KeySeen { database, key, kind, expires, soon, length: r.get::<_, i64>(at + 4)? as u64, value: r.get(at + 5)? }))
}

/// How it is stored that a key expires soon; that it expires at all is 1. Only what does not is counted, lost or new.
const SOON: u8 = 2;

/// The same key in the other observation, with nothing that differs.
const SAME: &str = "n.service = o.service AND n.number = o.number AND n.key = o.key AND n.kind = o.kind AND n.value = o.value";

impl Evidence {
    /// Stores some keys of a service.
    pub fn put_keys(&self, o: ObservationId, service: &str, keys: &[KeySeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for k in keys {
                // A scan may give a key twice.
                tx.prepare_cached("INSERT OR REPLACE INTO redis_key VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    o.0,
                    service,
                    k.database,
                    k.key,
                    k.kind,
                    if k.soon { SOON } else { u8::from(k.expires) },
                    k.length as i64,
                    k.value
                ])?;
            }
            tx.commit()
        })
    }

    /// Stores that all keys of a service were read, or why they were not.
    pub fn put_redis(&self, o: ObservationId, service: &str, unread: Option<&str>) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO redis VALUES (?, ?, ?)";
        self.with(|db| db.execute(sql, params![o.0, service, unread]).map(drop))
    }

    /// Forgets what was read of a service.
    pub fn clear_keys(&self, o: ObservationId, service: &str) -> Result<()> {
        let sql = "DELETE FROM redis_key WHERE observation = ? AND service = ?";
        self.with(|db| db.execute(sql, params![o.0, service]).map(drop))
    }

    /// The services whose keys were to be read, each with why they could not be.
    pub fn redis(&self, o: ObservationId) -> Result<Vec<(String, Option<String>)>> {
        self.with(|db| {
            db.prepare("SELECT service, unread FROM redis WHERE observation = ? ORDER BY service")?
                .query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect()
        })
    }

    /// How many keys of each service an observation has.
    pub fn key_counts(&self, o: ObservationId) -> Result<Vec<(String, u64)>> {
        self.with(|db| {
            db.prepare("SELECT service, count(*) FROM redis_key WHERE observation = ? AND expires < 2 GROUP BY service")?
                .query_map([o.0], |r| Ok((r.get(0)?, r.get::<_, i64>(1)? as u64)))?
                .collect()
        })
    }

    /// The keys of a service, by number and key, each with whether `fresh` has it with the same value.
    pub fn keys(&self, o: ObservationId, service: &str, fresh: Option<ObservationId>) -> Result<Vec<(KeySeen, bool)>> {
        let sql = format!(
            "SELECT {COLUMNS}, EXISTS (SELECT 1 FROM redis_key AS n WHERE n.observation = ?3 AND {SAME})
             FROM redis_key AS o WHERE observation = ?1 AND service = ?2 AND expires < 2 ORDER BY number, key"
        );
        self.with(|db| {
            let rows = db
                .prepare(&sql)?
                .query_map(params![o.0, service, fresh.map(|f| f.0)], |r| Ok((key_of(r, 0)?, r.get(6)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(rows.into_iter().filter_map(|(key, fresh)| Some((key?, fresh))).collect())
        })
    }

    /// The keys that differ between two observations, by service, number and key.
    pub fn key_pairs(&self, before: ObservationId, after: ObservationId) -> Result<Vec<KeyPair>> {
        let of = |table: &str| COLUMNS.split(", ").map(|c| format!("{table}.{c}")).collect::<Vec<_>>().join(", ");
        let (o, n) = (of("o"), of("n"));
        let on = "n.service = o.service AND n.number = o.number AND n.key = o.key";
        let sql = format!(
            "SELECT o.service AS s, {o}, {n} FROM redis_key AS o LEFT JOIN redis_key AS n ON n.observation = ?2 AND {on}
             WHERE o.observation = ?1
               AND (o.expires < 2 AND (n.key IS NULL OR n.kind <> o.kind OR n.value <> o.value) OR (n.expires > 0) <> (o.expires > 0))
             UNION ALL
             SELECT n.service AS s, {o}, {n} FROM redis_key AS n LEFT JOIN redis_key AS o ON o.observation = ?1 AND {on}
             WHERE n.observation = ?2 AND n.expires < 2 AND o.key IS NULL
             ORDER BY 1, 2, 3, 8, 9"
        );
        self.with(|db| {
            db.prepare(&sql)?.query_map([before.0, after.0], |r| Ok((r.get(0)?, key_of(r, 1)?, key_of(r, 7)?)))?.collect()
        })
    }

    /// A key of `before` that is in `after` with the same value, and is none that a fresh deployment has by itself: its service, its
    /// database, itself.
    pub fn key_still_there(&self, own: Own, after: ObservationId) -> Result<Option<(String, u32, String)>> {
        let sql = format!(
            "SELECT o.service, o.number, o.key FROM redis_key AS o WHERE o.observation = ?1 AND o.expires < 2
               AND EXISTS (SELECT 1 FROM redis_key AS n WHERE n.observation = ?2 AND {SAME})
               AND NOT EXISTS (SELECT 1 FROM redis_key AS n WHERE n.observation = ?3 AND {SAME})
               AND (?4 IS NULL OR EXISTS (SELECT 1 FROM redis_key AS u WHERE u.observation = ?4
                    AND u.service = o.service AND u.number = o.number AND u.key = o.key)) LIMIT 1"
        );
        self.with(|db| {
            let row = |r: &rusqlite::Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?));
            db.query_row(&sql, own.and(after), row).optional()
        })
    }
}
