//! Files as observations saw them.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, Row, params};

use super::evidence::{Evidence, ObservationId, columns};
use crate::error::Result;

/// How the link of a symbolic link begins: what it points to follows.
pub const SYMBOLIC: &str = "to ";
/// How the link of a file with several names begins: its first name follows.
pub const HARD: &str = "is ";

/// A file as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// The volume's compose name.
    pub volume: String,
    /// From the volume's root.
    pub path: String,
    /// Of the content, in hex; empty where only owner and mode are compared.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub mtime: u64,
    /// `to …`, where a symbolic link points to; `is …`, the first name of a file that has several; else empty.
    pub link: String,
}

/// A file that differs between two observations: before, after. Files with a hash and files without one are of different kinds.
pub type FilePair = (Option<FileSeen>, Option<FileSeen>);

/// The columns that [`file_of`] reads.
const FILE: &str = "volume, path, sha256, size, uid, gid, mode, mtime, link";

/// A file out of its row, from that column on.
fn file_of(r: &Row<'_>, from: usize) -> rusqlite::Result<FileSeen> {
    Ok(FileSeen {
        volume: r.get(from)?,
        path: r.get(from + 1)?,
        sha256: r.get(from + 2)?,
        size: r.get(from + 3)?,
        uid: r.get(from + 4)?,
        gid: r.get(from + 5)?,
        mode: r.get(from + 6)?,
        mtime: r.get(from + 7)?,
        link: r.get(from + 8)?,
    })
}

impl Evidence {
    /// Stores files. The first name of a file must come before its other names, which have its content.
    pub fn put_files(&self, o: ObservationId, files: &[FileSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for f in files {
                let first = match f.link.strip_prefix(HARD).filter(|_| f.sha256.is_empty()) {
                    None => None,
                    Some(first) => tx
                        .prepare_cached("SELECT sha256, size FROM file WHERE observation = ? AND volume = ? AND path = ?")?
                        .query_row(params![o.0, f.volume, first], |r| Ok((r.get(0)?, r.get(1)?)))
                        .optional()?,
                };
                let (sha256, size) = first.unwrap_or_else(|| (f.sha256.clone(), f.size));
                tx.prepare_cached("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
                    .execute(params![o.0, f.volume, f.path, sha256, size, f.uid, f.gid, f.mode, f.mtime, f.link])?;
            }
            tx.commit()
        })
    }

    /// Makes hard links comparable. An archive stores a file under the name that it meets first, and the others as links to it; from
    /// now on they are links to the first name in order, whatever the archive's order was. A name whose other names were not stored
    /// is not a link.
    pub fn name_links(&self, o: ObservationId) -> Result<()> {
        self.with(|db| {
            db.execute(
                "WITH met AS MATERIALIZED (
                   SELECT volume, path, substr(link, 1 + length(?2)) AS first FROM file
                   WHERE observation = ?1 AND substr(link, 1, length(?2)) = ?2),
                 name AS MATERIALIZED (
                   SELECT * FROM met UNION
                   SELECT volume, path, path FROM file
                   WHERE observation = ?1 AND (volume, path) IN (SELECT volume, first FROM met)),
                 named AS MATERIALIZED (
                   SELECT volume, path, min(path) OVER same AS first, count(*) OVER same AS names FROM name
                   WINDOW same AS (PARTITION BY volume, first))
                 UPDATE file SET link = CASE named.names WHEN 1 THEN '' ELSE ?2 || named.first END
                 FROM named WHERE file.observation = ?1 AND file.volume = named.volume AND file.path = named.path",
                params![o.0, HARD],
            )
            .map(drop)
        })
    }

    /// A file that both observations have with the same content.
    pub fn file_still_there(&self, before: ObservationId, after: ObservationId) -> Result<Option<(String, String)>> {
        self.with(|db| {
            db.query_row(
                "SELECT o.volume, o.path FROM file AS o JOIN file AS n
                 ON n.observation = ?2 AND n.volume = o.volume AND n.path = o.path AND n.sha256 = o.sha256
                 WHERE o.observation = ?1 AND o.sha256 <> '' LIMIT 1",
                [before.0, after.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
        })
    }

    /// The files, by volume and path.
    pub fn files(&self, o: ObservationId) -> Result<Vec<FileSeen>> {
        self.with(|db| {
            db.prepare(&format!("SELECT {FILE} FROM file WHERE observation = ? ORDER BY volume, path"))?
                .query_map([o.0], |r| file_of(r, 0))?
                .collect()
        })
    }

    /// How many files an observation has with a hash, and how many without: only their owner, mode and link are compared.
    pub fn file_counts(&self, o: ObservationId) -> Result<(u64, u64)> {
        self.with(|db| {
            db.query_row(
                "SELECT count(*) FILTER (WHERE sha256 <> ''), count(*) FILTER (WHERE sha256 = '') FROM file WHERE observation = ?",
                [o.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
        })
    }

    /// How many files an observation has, by volume and by whether they are compared whole.
    pub(crate) fn file_kinds(&self, o: ObservationId) -> Result<Vec<(String, bool, u64)>> {
        self.with(|db| {
            let sql = "SELECT volume, sha256 != '', count(*) FROM file WHERE observation = ? GROUP BY 1, 2";
            db.prepare(sql)?.query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
        })
    }

    /// The files in which two observations differ, by volume and path.
    pub(crate) fn file_pairs(&self, before: ObservationId, after: ObservationId) -> Result<Vec<FilePair>> {
        let twin = "n.observation = ?2 AND n.volume = o.volume AND n.path = o.path AND (n.sha256 = '') = (o.sha256 = '')";
        let changed = format!(
            "SELECT {}, {} FROM file AS o JOIN file AS n ON {twin} WHERE o.observation = ?1
             AND (o.uid <> n.uid OR o.gid <> n.gid OR o.mode <> n.mode OR o.link <> n.link OR o.sha256 <> n.sha256
                  OR (o.sha256 <> '' AND o.mtime <> n.mtime))
             ORDER BY o.volume, o.path",
            columns(FILE, "o"),
            columns(FILE, "n"),
        );
        // A file without a hash is another probe's: that one looks for it.
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
    pub(crate) fn has_file(&self, o: ObservationId, volume: &str, path: &str) -> Result<bool> {
        self.with(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM file WHERE observation = ? AND volume = ? AND path = ?)")?
                .query_row(params![o.0, volume, path], |r| r.get(0))
        })
    }

    /// The names at the top of a volume that an observation has files in, or has as files.
    pub(crate) fn top_folders(&self, o: ObservationId, volume: &str) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare(
                "SELECT DISTINCT substr(path, 1, instr(path || '/', '/') - 1) FROM file WHERE observation = ? AND volume = ?",
            )?
            .query_map(params![o.0, volume], |r| r.get(0))?
            .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, sha256: &str, link: &str) -> FileSeen {
        let (path, sha256, link) = (path.into(), sha256.into(), link.into());
        FileSeen { volume: "v".into(), path, sha256, size: 0, uid: 0, gid: 0, mode: 0, mtime: 0, link }
    }

    fn stored(evidence: &Evidence, name: &str, files: &[FileSeen]) -> ObservationId {
        let o = evidence.observation(name).expect("an observation");
        evidence.put_files(o, files).expect("stored");
        evidence.name_links(o).expect("named");
        o
    }

    fn evidence() -> (tempfile::TempDir, Evidence) {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        (dir, evidence)
    }

    #[test]
    fn a_file_with_several_names_has_one_that_stands_for_all() {
        let (_dir, evidence) = evidence();
        // Met in this order, and in the other one; a file of the same name in another volume is another file.
        let others = [file("d", "bb", ""), file("s", "cc", "to d"), FileSeen { volume: "w".into(), ..file("c", "dd", "") }];
        let some = [file("c", "aa", ""), file("a", "", "is c"), file("b", "", "is c")];
        let again = [file("b", "aa", ""), file("a", "", "is b"), file("c", "", "is b")];
        let one = stored(&evidence, "one", &[&some[..], &others].concat());
        let two = stored(&evidence, "two", &[&again[..], &others].concat());
        let seen = evidence.files(one).expect("read");
        assert_eq!(seen, evidence.files(two).expect("read"));
        let seen: Vec<_> = seen.iter().map(|f| (f.path.as_str(), f.sha256.as_str(), f.link.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("a", "aa", "is a"),
                ("b", "aa", "is a"),
                ("c", "aa", "is a"),
                ("d", "bb", ""),
                ("s", "cc", "to d"),
                ("c", "dd", "")
            ]
        );
        assert_eq!(evidence.file_pairs(one, two).expect("read"), []);
    }

    #[test]
    fn names_of_which_the_first_is_not_compared() {
        let (_dir, evidence) = evidence();
        // A symbolic link has names as any file has.
        let files = [file("b", "aa", "is cache"), file("a", "aa", "is cache"), file("c", "bb", "is other")];
        let links = [file("t", "cc", "to a"), file("s", "", "is t")];
        let o = stored(&evidence, "one", &[&files[..], &links].concat());
        let links: Vec<_> = evidence.files(o).expect("read").into_iter().map(|f| (f.path, f.sha256, f.link)).collect();
        let expected = [("a", "aa", "is a"), ("b", "aa", "is a"), ("c", "bb", ""), ("s", "cc", "is s"), ("t", "cc", "is s")];
        assert_eq!(links, expected.map(|(p, s, l)| (p.to_owned(), s.to_owned(), l.to_owned())));
    }

    #[test]
    fn a_file_is_still_there_by_name_and_content() {
        let (_dir, evidence) = evidence();
        let before = stored(&evidence, "one", &[file("a", "aa", ""), file("b", "bb", ""), file("mail", "", "")]);
        let other = stored(&evidence, "two", &[file("a", "bb", ""), file("c", "aa", ""), file("mail", "", "")]);
        assert_eq!(evidence.file_still_there(before, other).expect("read"), None);
        let same = stored(&evidence, "three", &[file("b", "bb", "")]);
        assert_eq!(evidence.file_still_there(before, same).expect("read"), Some(("v".into(), "b".into())));
    }
}
