//! Reads a folder with everything in it: the names on one thread, contents and attributes on all cores. Nothing is collected, so
//! that memory does not grow with the volume.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rayon::iter::{ParallelBridge as _, ParallelIterator as _};
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;
use wildmatch::WildMatchPattern;

use crate::entry::{Content, Entry, Hashed, Kind, Line};
use crate::name::escape;

/// Read at once of a file.
const BUFFER: usize = 256 << 10;

/// Attributes that the machine sets and not the app: a volume on another machine may have others.
const OF_THE_MACHINE: [&str; 2] = ["security.selinux", "trusted."];

/// The globs of [`Hashed`], compiled.
struct Asked {
    globs: Vec<(WildMatchPattern<'*', '\0'>, bool)>,
    others: bool,
}

impl Asked {
    fn new(hashed: &Hashed) -> Self {
        let globs = hashed.globs.iter().map(|(glob, asked)| (WildMatchPattern::new(glob), *asked)).collect();
        Self { globs, others: hashed.others }
    }

    fn of(&self, path: &str) -> bool {
        self.globs.iter().find(|(glob, _)| glob.matches(path)).map_or(self.others, |(_, asked)| *asked)
    }
}

/// Writes a line for each entry of a folder, itself among them, in no particular order, and one for the end.
///
/// # Errors
/// The folder is not there, or the output cannot be written. What cannot be read in it is a line.
pub fn read(folder: &Path, hashed: &Hashed, out: impl Write + Send) -> io::Result<()> {
    let asked = Asked::new(hashed);
    std::fs::read_dir(folder)?;
    let (out, count) = (Mutex::new(out), AtomicU64::new(0));
    let say = |line: &Line| {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        out.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write_all(&text)
    };
    let lines = WalkDir::new(folder).follow_links(false).into_iter().par_bridge().map(|found| {
        let line = match found {
            Ok(found) => entry(folder, found.path(), &asked),
            Err(e) => {
                let path = path_in(folder, e.path().unwrap_or(folder));
                unless_gone(e.into(), path)
            }
        };
        let Some(line) = line else { return Ok(()) };
        if matches!(line, Line::Entry(_)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        say(&line)
    });
    lines.collect::<io::Result<()>>()?;
    say(&Line::End(count.into_inner()))?;
    out.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).flush()
}

/// The path of an entry from the folder that is read.
fn path_in(folder: &Path, path: &Path) -> String {
    let path = path.strip_prefix(folder).unwrap_or(path);
    if path.as_os_str().is_empty() { ".".to_owned() } else { escape(path.as_os_str().as_bytes()) }
}

/// What could not be read; nothing of what is not there any more.
fn unless_gone(error: io::Error, path: String) -> Option<Line> {
    (error.kind() != io::ErrorKind::NotFound).then(|| Line::Unread(path, error.to_string()))
}

fn entry(folder: &Path, place: &Path, asked: &Asked) -> Option<Line> {
    let path = path_in(folder, place);
    match seen(place, &path, asked) {
        Ok(entry) => Some(Line::Entry(entry)),
        Err(e) => unless_gone(e, path),
    }
}

fn seen(place: &Path, path: &str, asked: &Asked) -> io::Result<Entry> {
    let meta = place.symlink_metadata()?;
    let kind = kind(&meta)?;
    let is_device = matches!(kind, Kind::Block | Kind::Character);
    let target = match kind {
        Kind::Symlink => Some(escape(std::fs::read_link(place)?.as_os_str().as_bytes())),
        _ => None,
    };
    let content = if kind == Kind::File && asked.of(path) { Content::Sha256(sha256(place)?) } else { Content::NotAsked };
    Ok(Entry {
        path: path.to_owned(),
        kind,
        size: if kind == Kind::File { meta.size() } else { 0 },
        allocated: if kind == Kind::File { meta.blocks() * 512 } else { 0 },
        uid: meta.uid(),
        gid: meta.gid(),
        mode: meta.mode() & 0o7777,
        mtime: nanoseconds(meta.mtime(), meta.mtime_nsec()),
        changed: nanoseconds(meta.ctime(), meta.ctime_nsec()),
        target,
        inode: (kind != Kind::Folder && meta.nlink() > 1).then(|| meta.ino()),
        device: is_device.then(|| (major(meta.rdev()), minor(meta.rdev()))),
        xattrs: xattrs(place)?,
        content,
    })
}

fn nanoseconds(seconds: i64, more: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(more)
}

fn kind(meta: &Metadata) -> io::Result<Kind> {
    let kind = meta.file_type();
    [
        (kind.is_file(), Kind::File),
        (kind.is_dir(), Kind::Folder),
        (kind.is_symlink(), Kind::Symlink),
        (kind.is_fifo(), Kind::Pipe),
        (kind.is_socket(), Kind::Socket),
        (kind.is_block_device(), Kind::Block),
        (kind.is_char_device(), Kind::Character),
    ]
    .into_iter()
    .find_map(|(is, kind)| is.then_some(kind))
    .ok_or_else(|| io::Error::other("an entry of a kind that is not known"))
}

fn sha256(file: &Path) -> io::Result<String> {
    let mut file = File::open(file)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(hash.finalize())),
            Ok(n) => hash.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

fn xattrs(place: &Path) -> io::Result<BTreeMap<String, String>> {
    let names = match xattr::list(place) {
        Ok(names) => names,
        // A file system without them.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => return Ok(BTreeMap::new()),
        Err(e) => return Err(e),
    };
    let mut all = BTreeMap::new();
    for name in names {
        let text = escape(name.as_bytes());
        if OF_THE_MACHINE.iter().any(|of| text.starts_with(of)) {
            continue;
        }
        if let Some(value) = xattr::get(place, &name)? {
            all.insert(text, hex::encode(value));
        }
    }
    Ok(all)
}

/// As glibc's `major` and `minor` take a device's number apart (`bits/sysmacros.h`).
fn major(device: u64) -> u64 {
    ((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff)
}

fn minor(device: u64) -> u64 {
    ((device >> 12) & 0xffff_ff00) | (device & 0xff)
}
