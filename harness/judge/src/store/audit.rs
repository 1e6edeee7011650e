//! What the audit saw, in the store.

use std::fmt;

use recipe::inventory::Class;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

use super::evidence::Evidence;
use super::files::class_of;
use crate::count::counted;
use crate::error::Result;
use crate::redact::redact;

/// Files and bytes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A file that differs between the live volume and the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// The volume's compose name.
    pub volume: String,
    /// The path from the volume's root.
    pub path: String,
    /// `hash`, or both sizes.
    pub what: String,
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} KiB", counted(self.files, "file"), self.bytes.div_ceil(1024))
    }
}

/// Where a file was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// In the volume of the running stack.
    Live,
    /// In the snapshot.
    Snapshot,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Snapshot => "snapshot",
        }
    }
}

/// A file that the audit saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFile {
    /// From the volume's root.
    pub path: String,
    /// What a backup owes it.
    pub class: Class,
    /// The path of the dump that carries its content, if one does.
    pub dump: Option<String>,
    /// Bytes, once read.
    pub size: Option<u64>,
    /// SHA-256 in hexadecimal digits, once read.
    pub sha256: Option<String>,
}

fn amount(row: &Row<'_>, at: usize) -> rusqlite::Result<Amount> {
    Ok(Amount { files: row.get(at)?, bytes: row.get(at + 1)? })
}

impl Evidence {
    /// How many durable and valuable files the audit looked for in the snapshot, by volume.
    pub fn audited(&self) -> Result<Vec<(String, u64)>> {
        self.with(|db| {
            let sql = "SELECT volume, count(*) FROM audit_file WHERE side = 'live' AND class IN ('durable', 'valuable') GROUP BY volume";
            db.prepare(sql)?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        })
    }

    /// Forgets an earlier audit.
    pub fn clear_audit(&self) -> Result<()> {
        self.with(|db| {
            db.execute_batch(
                "DELETE FROM audit_file; DELETE FROM audit_dump;
                 DELETE FROM run WHERE key IN ('audit', 'audit listed', 'audit later');",
            )
        })
    }

    /// Stores files of a volume; what was known of them before is replaced.
    pub fn put_audit_files(&self, side: Side, volume: &str, files: &[AuditFile]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for f in files {
                tx.prepare_cached("INSERT OR REPLACE INTO audit_file VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    side.name(),
                    volume,
                    f.path,
                    f.class.name(),
                    f.dump,
                    f.size,
                    f.sha256
                ])?;
            }
            tx.commit()
        })
    }

    /// Stores the live files of a volume that were there before the backup was begun.
    pub fn put_before(&self, volume: &str, paths: &[String]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for path in paths {
                tx.prepare_cached("INSERT OR REPLACE INTO audit_before VALUES (?, ?)")?.execute([volume, path.as_str()])?;
            }
            tx.commit()
        })
    }

    /// Forgets the live files that were not there, under that name, before the backup was begun. How many.
    pub fn forget_later(&self) -> Result<u64> {
        self.with(|db| {
            let sql = "DELETE FROM audit_file WHERE side = 'live' AND dump IS NULL AND NOT EXISTS (
                         SELECT 1 FROM audit_before AS b WHERE b.volume = audit_file.volume AND b.path = audit_file.path)";
            Ok(db.execute(sql, [])? as u64)
        })
    }

    /// Forgets what the bot listed like files and is a folder: something listed is in it.
    pub fn forget_folders_of_snapshot(&self) -> Result<()> {
        self.with(|db| {
            // Text is ordered by bytes, and `0` follows `/`.
            db.execute(
                "DELETE FROM audit_file WHERE side = 'snapshot' AND sha256 IS NULL AND EXISTS (SELECT 1 FROM audit_file AS s
                   WHERE s.side = 'snapshot' AND s.volume = audit_file.volume
                   AND s.path > audit_file.path || '/' AND s.path < audit_file.path || '0')",
                [],
            )
            .map(drop)
        })
    }

    /// Forgets a path that the bot listed like a file and handed over as something else.
    pub fn forget_listed(&self, volume: &str, path: &str) -> Result<()> {
        self.with(|db| {
            db.prepare_cached("DELETE FROM audit_file WHERE side = 'snapshot' AND volume = ? AND path = ? AND sha256 IS NULL")?
                .execute([volume, path])
                .map(drop)
        })
    }

    /// How many files of the snapshot were listed and not read, and the first of them; none if all were read. The first line of a
    /// name with a line feed is no file, and is forgotten.
    pub fn unread_of_snapshot(&self) -> Result<Option<(u64, String)>> {
        self.with(|db| {
            db.execute(
                "DELETE FROM audit_file WHERE side = 'snapshot' AND sha256 IS NULL AND EXISTS (SELECT 1 FROM audit_file AS s
                   WHERE s.side = 'snapshot' AND s.volume = audit_file.volume AND s.sha256 IS NOT NULL
                   AND substr(s.path, 1, length(audit_file.path) + 4) = audit_file.path || '\\x0a')",
                [],
            )?;
            db.query_row(
                "SELECT count(*), min(volume || ': ' || path) FROM audit_file WHERE side = 'snapshot' AND sha256 IS NULL",
                [],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .map(|(n, first): (u64, Option<String>)| first.map(|first| (n, first)))
        })
    }

    /// Stores how a dump in the snapshot is.
    pub fn put_dump(&self, volume: &str, path: &str, complaint: Option<&str>) -> Result<()> {
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO audit_dump VALUES (?, ?, ?)", params![volume, path, complaint.map(redact)])
                .map(drop)
        })
    }

    /// The paths of a volume that the audit saw live.
    pub fn audited_live(&self, volume: &str) -> Result<Vec<String>> {
        self.with(|db| {
            db.prepare("SELECT path FROM audit_file WHERE side = 'live' AND volume = ? ORDER BY path")?
                .query_map([volume], |r| r.get(0))?
                .collect()
        })
    }

    /// The durable and valuable files that are live and not in the snapshot, nor carried by a dump: volume, path, bytes.
    pub fn missed(&self) -> Result<Vec<(String, String, u64)>> {
        self.with(|db| {
            db.prepare(
                "SELECT volume, path, coalesce(size, 0) FROM audit_file AS l
                 WHERE side = 'live' AND class IN ('durable', 'valuable') AND dump IS NULL AND NOT EXISTS (SELECT 1 FROM audit_file AS s
                   WHERE s.side = 'snapshot' AND s.volume = l.volume AND s.path = l.path)
                 ORDER BY volume, path",
            )?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
            .collect()
        })
    }

    /// Whether the snapshot has a durable or valuable file of a volume, or of a folder in it.
    pub(crate) fn any_captured(&self, volume: &str, folder: Option<&str>) -> Result<bool> {
        // Text is ordered by bytes, and `0` follows `/`.
        let (from, to) = folder.map_or_else(|| (String::new(), "\u{10ffff}".into()), |f| (format!("{f}/"), format!("{f}0")));
        self.with(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM audit_file
                   WHERE side = 'snapshot' AND volume = ? AND path >= ? AND path < ? AND class IN ('durable', 'valuable'))",
            )?
            .query_row(params![volume, from, to], |r| r.get(0))
        })
    }

    /// The dumps of live files that the snapshot lacks: volume, file, dump.
    pub(crate) fn dumps_absent(&self) -> Result<Vec<(String, String, String)>> {
        self.with(|db| {
            db.prepare(
                "SELECT volume, path, dump FROM audit_file AS l
                 WHERE side = 'live' AND dump IS NOT NULL AND class IN ('durable', 'valuable') AND NOT EXISTS (SELECT 1 FROM audit_file AS s
                   WHERE s.side = 'snapshot' AND s.volume = l.volume AND s.path = l.dump)
                 ORDER BY volume, path",
            )?
            .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
            .collect()
        })
    }

    /// The dumps in the snapshot that are not whole: volume, path, what is wrong.
    pub(crate) fn dumps_wrong(&self) -> Result<Vec<(String, String, String)>> {
        self.with(|db| {
            db.prepare("SELECT volume, path, complaint FROM audit_dump WHERE complaint IS NOT NULL ORDER BY volume, path")?
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
                .collect()
        })
    }

    /// What the snapshot holds, by volume and class.
    pub fn captured(&self) -> Result<Vec<(String, Class, Amount)>> {
        self.with(|db| {
            db.prepare(
                "SELECT volume, class, count(*), coalesce(sum(size), 0) FROM audit_file WHERE side = 'snapshot'
                 GROUP BY volume, class ORDER BY volume, class",
            )?
            .query_map([], |r| Ok((r.get(0)?, class_of(r, 1)?, amount(r, 2)?)))?
            .collect()
        })
    }

    /// How many files differ between the live volumes and the snapshot, and the first of them.
    pub fn differing(&self, first: usize) -> Result<(u64, Vec<Difference>)> {
        const PAIRS: &str = "FROM audit_file AS l JOIN audit_file AS s
            ON l.side = 'live' AND s.side = 'snapshot' AND s.volume = l.volume AND s.path = l.path AND s.sha256 <> l.sha256";
        self.with(|db| {
            let count = db.query_row(&format!("SELECT count(*) {PAIRS}"), [], |r| r.get(0))?;
            let what =
                "CASE WHEN s.size = l.size THEN 'hash' ELSE 'size: ' || l.size || ' live, ' || s.size || ' in the snapshot' END";
            let sql = format!("SELECT l.volume, l.path, {what} {PAIRS} ORDER BY l.volume, l.path LIMIT {first}");
            let rows = db
                .prepare(&sql)?
                .query_map([], |r| Ok(Difference { volume: r.get(0)?, path: r.get(1)?, what: r.get(2)? }))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((count, rows))
        })
    }
}
