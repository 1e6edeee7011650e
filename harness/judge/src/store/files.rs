//! Entries of volumes as observations saw them: files, folders, links, pipes, sockets, devices.

use std::collections::{BTreeMap, BTreeSet};

use inside::Kind;
use recipe::inventory::{Class, Compared};
use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};

use super::evidence::{Evidence, ObservationId, columns};
use super::pairs::Own;
use crate::error::Result;
use crate::redact::redact;
use crate::word::UnknownWord;

/// Extended attributes: name, and value in hexadecimal digits.
pub type Xattrs = BTreeMap<String, String>;

/// An entry of a volume as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// The volume's compose name.
    pub volume: String,
    /// From the volume's root, escaped ([`inside::name`]); `.` is the root.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// What a backup owes it.
    pub class: Class,
    /// What of it is compared.
    pub compared: Compared,
    /// Of the content, in hexadecimal digits; empty where the content is not compared here, and of all but regular files.
    pub sha256: String,
    /// In bytes, of a regular file.
    pub size: u64,
    /// Bytes on the disk; none where they could not be read.
    pub allocated: Option<u64>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// When it was last modified, in nanoseconds since 1970.
    pub mtime: i64,
    /// Where a symbolic link leads; of other entries empty.
    pub target: String,
    /// The first name in order of a file that has several; else empty. Before [`Evidence::name_links`], whatever its names have in
    /// common.
    pub link: String,
    /// A device's major and minor number, as `8:1`; of other entries empty.
    pub device: String,
    /// Extended attributes; none where they could not be read, and then fractions of a second could not be either.
    pub xattrs: Option<Xattrs>,
}

impl FileSeen {
    /// A regular file of a durable volume that is compared whole, with nothing but a name: what tests start from.
    pub fn of(volume: &str, path: &str) -> Self {
        Self {
            volume: volume.to_owned(),
            path: path.to_owned(),
            kind: Kind::File,
            class: Class::Durable,
            compared: Compared::Whole,
            sha256: String::new(),
            size: 0,
            allocated: Some(0),
            uid: 0,
            gid: 0,
            mode: 0o600,
            mtime: 0,
            target: String::new(),
            link: String::new(),
            device: String::new(),
            xattrs: Some(Xattrs::new()),
        }
    }
}

/// An entry that differs between two observations: before, after.
pub type FilePair = (Option<FileSeen>, Option<FileSeen>);

/// How many entries of a class a volume had, by what of them is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCount {
    /// The volume's compose name.
    pub volume: String,
    /// What a backup owes them.
    pub class: Class,
    /// What of them is compared.
    pub compared: Compared,
    /// Entries.
    pub entries: u64,
}

/// The columns that [`file_of`] reads, and how many they are.
const FILE: &str =
    "volume, path, kind, class, compared, sha256, size, allocated, uid, gid, mode, mtime, target, link, device, xattrs";
const COLUMNS: usize = 16;

/// One of some words, out of a column.
fn word<T: Copy>(r: &Row<'_>, at: usize, what: &'static str, all: &[T], name: fn(T) -> &'static str) -> rusqlite::Result<T> {
    let text = r.get_ref(at)?.as_str()?;
    let unknown = || Box::new(UnknownWord { what, text: text.to_owned() });
    let found = all.iter().copied().find(|w| name(*w) == text);
    found.ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, unknown()))
}

pub(super) fn class_of(r: &Row<'_>, at: usize) -> rusqlite::Result<Class> {
    word(r, at, "class", &Class::ALL, Class::name)
}

fn compared_of(r: &Row<'_>, at: usize) -> rusqlite::Result<Compared> {
    word(r, at, "way to compare", &Compared::ALL, Compared::name)
}

/// An entry out of its row, from that column on.
fn file_of(r: &Row<'_>, from: usize) -> rusqlite::Result<FileSeen> {
    let xattrs: Option<String> = r.get(from + 15)?;
    let parse = |text: String| serde_json::from_str(&text);
    let bad = |e| rusqlite::Error::FromSqlConversionFailure(from + 15, Type::Text, Box::new(e));
    Ok(FileSeen {
        volume: r.get(from)?,
        path: r.get(from + 1)?,
        kind: word(r, from + 2, "kind of file", &Kind::ALL, Kind::name)?,
        class: class_of(r, from + 3)?,
        compared: compared_of(r, from + 4)?,
        sha256: r.get(from + 5)?,
        size: r.get(from + 6)?,
        allocated: r.get(from + 7)?,
        uid: r.get(from + 8)?,
        gid: r.get(from + 9)?,
        mode: r.get(from + 10)?,
        mtime: r.get(from + 11)?,
        target: r.get(from + 12)?,
        link: r.get(from + 13)?,
        device: r.get(from + 14)?,
        xattrs: xattrs.map(parse).transpose().map_err(bad)?,
    })
}

/// The folder that a path is in; of the root, nothing.
fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(at) => &path[..at],
        None if path == "." => "",
        None => ".",
    }
}

impl Evidence {
    /// Stores entries of volumes.
    pub fn put_files(&self, o: ObservationId, files: &[FileSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            let mut insert =
                tx.prepare_cached("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
            for f in files {
                let text =
                    |xattrs| serde_json::to_string(xattrs).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)));
                let xattrs = f.xattrs.as_ref().map(text).transpose()?;
                insert.execute(params![
                    o.0,
                    f.volume,
                    f.path,
                    parent(&f.path),
                    f.kind.name(),
                    f.class.name(),
                    f.compared.name(),
                    f.sha256,
                    f.size,
                    f.allocated,
                    f.uid,
                    f.gid,
                    f.mode,
                    f.mtime,
                    f.target,
                    f.link,
                    f.device,
                    xattrs,
                ])?;
            }
            drop(insert);
            tx.commit()
        })
    }

    /// Stores that an entry of a volume could not be read.
    pub fn put_file_unread(&self, o: ObservationId, volume: &str, path: &str, why: &str) -> Result<()> {
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO file_unread VALUES (?, ?, ?, ?)", params![o.0, volume, path, redact(why)])
                .map(drop)
        })
    }

    /// The entries that could not be read: volume, path and why.
    pub fn files_unread(&self, o: ObservationId) -> Result<Vec<(String, String, String)>> {
        self.with(|db| {
            db.prepare("SELECT volume, path, why FROM file_unread WHERE observation = ? ORDER BY volume, path")?
                .query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
                .collect()
        })
    }

    /// Makes hard links comparable: the names of one file, which were stored with whatever they have in common, are now links to
    /// the first of them in order. A name whose other names were not stored is no link.
    pub fn name_links(&self, o: ObservationId) -> Result<()> {
        self.with(|db| {
            db.execute(
                "WITH named AS MATERIALIZED (
                   SELECT volume, path, min(path) OVER same AS first, count(*) OVER same AS names FROM file
                   WHERE observation = ?1 AND link <> '' AND compared <> 'no'
                   WINDOW same AS (PARTITION BY volume, link))
                 UPDATE file SET link = CASE named.names WHEN 1 THEN '' ELSE named.first END
                 FROM named WHERE file.observation = ?1 AND file.volume = named.volume AND file.path = named.path",
                params![o.0],
            )
            .map(drop)
        })
    }

    /// A file or link that is as it was at `before`, and that a fresh deployment does not have by itself: volume and path. What has
    /// no content tells nothing of where it is from.
    pub fn file_still_there(&self, own: Own, after: ObservationId) -> Result<Option<(String, String)>> {
        let same = |n: &str| {
            format!(
                "{n}.volume = o.volume AND {n}.path = o.path AND {n}.kind = o.kind
                 AND {n}.sha256 = o.sha256 AND {n}.size = o.size AND {n}.target = o.target"
            )
        };
        let sql = format!(
            "SELECT o.volume, o.path FROM file AS o JOIN file AS n ON n.observation = ?2 AND {}
             WHERE o.observation = ?1 AND o.compared IN ('whole', 'attributes') AND (o.size > 0 OR o.kind = 'symlink')
             AND NOT EXISTS (SELECT 1 FROM file AS f WHERE f.observation = ?3 AND {})
             AND (?4 IS NULL OR EXISTS (SELECT 1 FROM file AS u WHERE u.observation = ?4 AND u.volume = o.volume AND u.path = o.path))
             ORDER BY o.volume, o.path LIMIT 1",
            same("n"),
            same("f")
        );
        self.with(|db| db.query_row(&sql, own.and(after), |r| Ok((r.get(0)?, r.get(1)?))).optional())
    }

    /// The entries, by volume and path.
    pub fn files(&self, o: ObservationId) -> Result<Vec<FileSeen>> {
        self.with(|db| {
            db.prepare(&format!("SELECT {FILE} FROM file WHERE observation = ? ORDER BY volume, path"))?
                .query_map([o.0], |r| file_of(r, 0))?
                .collect()
        })
    }

    /// How many entries an observation has, by volume, class and what of them is compared.
    pub fn file_counts(&self, o: ObservationId) -> Result<Vec<FileCount>> {
        self.with(|db| {
            let count = |r: &Row<'_>| {
                Ok(FileCount { volume: r.get(0)?, class: class_of(r, 1)?, compared: compared_of(r, 2)?, entries: r.get(3)? })
            };
            db.prepare(
                "SELECT volume, class, compared, count(*) FROM file WHERE observation = ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            )?
            .query_map([o.0], count)?
            .collect()
        })
    }

    /// The volumes of an observation in which some attributes of entries could not be read.
    pub(crate) fn volumes_read_in_part(&self, o: ObservationId) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare("SELECT DISTINCT volume FROM file WHERE observation = ? AND xattrs IS NULL AND compared <> 'no'")?
                .query_map([o.0], |r| r.get(0))?
                .collect()
        })
    }

    /// The entries in which two observations differ, by volume and path. What is not compared of them is made equal: which bytes
    /// and times count, [`crate::files`] decides for each pair.
    pub(crate) fn file_pairs(&self, before: ObservationId, after: ObservationId) -> Result<Vec<FilePair>> {
        let twin = "n.observation = ?2 AND n.volume = o.volume AND n.path = o.path";
        let changed = format!(
            "SELECT {}, {} FROM file AS o JOIN file AS n ON {twin} WHERE o.observation = ?1 AND o.compared <> 'no'
             AND (o.uid <> n.uid OR o.gid <> n.gid OR o.mode <> n.mode OR o.kind <> n.kind OR o.link <> n.link
                  OR o.target <> n.target OR o.device <> n.device OR o.xattrs IS NOT n.xattrs
                  OR o.compared = 'whole' AND (o.sha256 <> n.sha256 OR o.mtime <> n.mtime OR o.allocated IS NOT n.allocated))
             ORDER BY o.volume, o.path",
            columns(FILE, "o"),
            columns(FILE, "n"),
        );
        // What the app or its server names anew each time may be there or not. Of what could not be read, nothing is known: neither
        // whether it is there, nor what is in it.
        let only = format!(
            "SELECT {} FROM file AS o WHERE o.observation = ?1 AND o.compared IN ('whole', 'attributes')
             AND NOT EXISTS (SELECT 1 FROM file AS n WHERE {twin})
             AND NOT EXISTS (SELECT 1 FROM file_unread AS u WHERE u.observation = ?2 AND u.volume = o.volume
                             AND (u.path = o.path OR u.path = '.' OR substr(o.path, 1, length(u.path) + 1) = u.path || '/'))
             ORDER BY o.volume, o.path",
            columns(FILE, "o"),
        );
        self.with(|db| {
            let pair = |r: &Row<'_>| Ok((Some(file_of(r, 0)?), Some(file_of(r, COLUMNS)?)));
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

    /// The folders whose time tells nothing, of two observations: something in them was made or removed meanwhile, or may be at any
    /// time, because it is not compared whole.
    pub(crate) fn restless_folders(&self, before: ObservationId, after: ObservationId) -> Result<BTreeSet<(String, String)>> {
        self.with(|db| {
            db.prepare(
                "SELECT DISTINCT volume, parent FROM file AS o WHERE observation IN (?1, ?2) AND (compared <> 'whole' OR NOT EXISTS
                   (SELECT 1 FROM file AS n WHERE n.observation = ?1 + ?2 - o.observation AND n.volume = o.volume AND n.path = o.path))",
            )?
            .query_map([before.0, after.0], |r| Ok((r.get(0)?, r.get(1)?)))?
            .collect()
        })
    }

    /// Whether an observation has an entry.
    pub(crate) fn has_file(&self, o: ObservationId, volume: &str, path: &str) -> Result<bool> {
        self.with(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM file WHERE observation = ? AND volume = ? AND path = ?)")?
                .query_row(params![o.0, volume, path], |r| r.get(0))
        })
    }

    /// The names at the top of a volume that an observation has.
    pub(crate) fn top_folders(&self, o: ObservationId, volume: &str) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare("SELECT DISTINCT path FROM file WHERE observation = ? AND volume = ? AND parent = '.'")?
                .query_map(params![o.0, volume], |r| r.get(0))?
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, sha256: &str, link: &str) -> FileSeen {
        FileSeen { sha256: sha256.into(), size: 1, link: link.into(), ..FileSeen::of("v", path) }
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
    fn an_entry_is_read_as_it_was_stored() {
        let (_dir, evidence) = evidence();
        let every = Kind::ALL.map(|kind| FileSeen {
            kind,
            class: Class::Valuable,
            compared: Compared::Attributes,
            sha256: "aa".into(),
            size: 1 << 40,
            allocated: None,
            uid: u32::MAX,
            gid: 7,
            mode: 0o4755,
            mtime: -47_174_399_999_999_999,
            target: "../x".into(),
            device: "8:1".into(),
            xattrs: Some([("user.kind".to_owned(), "00ff".to_owned())].into()),
            ..FileSeen::of("v", kind.name())
        });
        let o = stored(&evidence, "one", &every);
        let mut expected = every.to_vec();
        expected.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(evidence.files(o).expect("read"), expected);
        assert_eq!(evidence.volumes_read_in_part(o).expect("read"), BTreeSet::new());
        let count = FileCount { volume: "v".into(), class: Class::Valuable, compared: Compared::Attributes, entries: 7 };
        assert_eq!(evidence.file_counts(o).expect("read"), [count]);
    }

    #[test]
    fn the_names_of_a_file_are_links_to_the_first_of_them() {
        let (_dir, evidence) = evidence();
        // The same number in another volume is another file; a name whose other names are not here is no link.
        let files = [file("c", "aa", "17"), file("a", "aa", "17"), file("d", "bb", "18"), file("e", "cc", "")];
        let other = FileSeen { volume: "w".into(), ..file("b", "aa", "17") };
        let o = stored(&evidence, "one", &[&files[..], &[other]].concat());
        let links: Vec<_> = evidence.files(o).expect("read").into_iter().map(|f| (f.path, f.link)).collect();
        let expected = [("a", "a"), ("c", "a"), ("d", ""), ("e", ""), ("b", "")];
        assert_eq!(links, expected.map(|(p, l)| (p.to_owned(), l.to_owned())));
    }

    #[test]
    fn what_could_not_be_read_is_neither_lost_nor_new() {
        let (_dir, evidence) = evidence();
        let before = stored(&evidence, "before", &[file("a", "aa", ""), file("d/b", "bb", ""), file("db", "cc", "")]);
        let after = stored(&evidence, "after", &[]);
        evidence.put_file_unread(after, "v", "a", "Input/output error").expect("stored");
        evidence.put_file_unread(after, "v", "d", "Input/output error").expect("stored");
        let told = |a, b| evidence.file_pairs(a, b).expect("read").len();
        assert_eq!((told(before, after), told(after, before)), (1, 1), "db alone is known to differ");
    }

    #[test]
    fn an_entry_is_still_there_by_name_and_content_unless_a_fresh_deployment_has_it() {
        let (_dir, evidence) = evidence();
        let link = |target: &str| FileSeen { kind: Kind::Symlink, target: target.into(), ..FileSeen::of("v", "link") };
        let left_out = FileSeen { compared: Compared::No, ..file("cache", "cc", "") };
        let lock = FileSeen { size: 0, ..file("lock", "", "") };
        let both = [left_out, lock];
        let before = stored(&evidence, "before", &[&both[..], &[file("a", "aa", ""), file("b", "bb", ""), link("x")]].concat());
        let fresh = stored(&evidence, "fresh", &[file("b", "bb", ""), link("y")]);
        let still = |name: &str, files: &[FileSeen]| {
            let after = stored(&evidence, name, files);
            evidence.file_still_there(Own { before, fresh: Some(fresh), older: None }, after).expect("read").map(|(_, path)| path)
        };
        let others = [file("a", "bb", ""), file("c", "aa", ""), file("b", "bb", "")];
        assert_eq!(still("one", &[&both[..], &others].concat()), None);
        assert_eq!(still("two", &[file("a", "aa", "")]), Some("a".into()));
        assert_eq!(still("three", &[link("x")]), Some("link".into()));
        assert_eq!(still("four", &[link("y")]), None);
        let after = stored(&evidence, "five", &[file("b", "bb", "")]);
        let left = |older| evidence.file_still_there(Own { before, fresh: None, older }, after).expect("read");
        assert_eq!(left(None), Some(("v".into(), "b".into())));
        assert_eq!(left(Some(stored(&evidence, "installed", &[file("a", "aa", "")]))), None, "the upgrade may have made it");
    }

    #[test]
    fn a_folder_is_restless_where_something_in_it_comes_goes_or_is_not_compared() {
        let (_dir, evidence) = evidence();
        let left_out = FileSeen { compared: Compared::No, ..FileSeen::of("v", "b/lock") };
        let both = [file("a/1", "", ""), file("c/1", "", ""), file("d/e/1", "", "")];
        let before = stored(&evidence, "before", &[&both[..], &[left_out, file("top", "", "")]].concat());
        let after = stored(&evidence, "after", &[&both[..], &[file("c/2", "", "")]].concat());
        let restless: Vec<String> =
            evidence.restless_folders(before, after).expect("read").into_iter().map(|(_, folder)| folder).collect();
        assert_eq!(restless, [".", "b", "c"]);
    }
}
