//! Reads folders with every kind of entry.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use inside::{Content, Entry, Hashed, Kind, Line};

fn lines(folder: &Path, hashed: &Hashed) -> Vec<Line> {
    let mut out = Vec::new();
    inside::read(folder, hashed, &mut out).expect("read");
    out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| serde_json::from_slice(l).expect("a line")).collect()
}

fn entries(folder: &Path) -> BTreeMap<String, Entry> {
    let all = lines(folder, &Hashed::all());
    assert_eq!(all.last(), Some(&Line::End(all.len() as u64 - 1)));
    let entry = |line| match line {
        Line::Entry(entry) => Some((entry.path.clone(), entry)),
        Line::End(_) => None,
        Line::Unread(path, why) => panic!("{path}: {why}"),
    };
    all.into_iter().filter_map(entry).collect()
}

#[test]
fn every_kind_of_entry_is_read_with_its_attributes() {
    let dir = tempfile::tempdir().expect("a directory");
    let root = dir.path();
    fs::create_dir(root.join("empty")).expect("made");
    fs::write(root.join("file"), "synthetic\n").expect("written");
    fs::set_permissions(root.join("file"), fs::Permissions::from_mode(0o4640)).expect("set");
    fs::hard_link(root.join("file"), root.join("again")).expect("linked");
    symlink("../outside", root.join("link")).expect("linked");
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"r\xe9sum\xe9\n")), "").expect("written");
    assert!(Command::new("mkfifo").arg(root.join("pipe")).status().expect("run").success());
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("bound");
    let sparse = File::create(root.join("sparse")).expect("made");
    sparse.set_len(1 << 24).expect("sized");
    let old = File::create(root.join("old")).expect("made");
    let before = SystemTime::UNIX_EPOCH - Duration::new(47_174_399, 999_999_999);
    old.set_times(FileTimes::new().set_modified(before)).expect("set");

    let all = entries(root);
    let kinds: Vec<(&str, Kind)> = all.values().map(|e| (e.path.as_str(), e.kind)).collect();
    assert_eq!(
        kinds,
        [
            (".", Kind::Folder),
            ("again", Kind::File),
            ("empty", Kind::Folder),
            ("file", Kind::File),
            ("link", Kind::Symlink),
            ("old", Kind::File),
            ("pipe", Kind::Pipe),
            ("r\\xe9sum\\xe9\\x0a", Kind::File),
            ("socket", Kind::Socket),
            ("sparse", Kind::File),
        ]
    );
    let file = &all["file"];
    let sha256 = "18c4f85a180cf29ddc1f8e3a3143ff54d643d1c306dbe610f4f70482632071d4";
    assert_eq!((file.size, file.mode), (10, 0o4640));
    assert_eq!(file.content, Content::Sha256(sha256.into()));
    assert!(file.inode.is_some() && file.inode == all["again"].inode && file.content == all["again"].content);
    assert_eq!(all["old"].inode, None);
    assert_eq!(all["link"].target.as_deref(), Some("../outside"));
    assert_eq!(all["old"].mtime, -47_174_399_999_999_999);
    assert_eq!((all["sparse"].size, all["sparse"].allocated), (1 << 24, 0));
}

#[test]
fn extended_attributes_are_read() {
    // Not every file system has them, and the temporary folder may be on one without: the build's folder is where they are needed.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    fs::write(dir.path().join("file"), "").expect("written");
    xattr::set(dir.path().join("file"), "user.kind", b"invoice").expect("set");
    let all = entries(dir.path());
    assert_eq!(all["file"].xattrs, BTreeMap::from([("user.kind".to_owned(), hex::encode("invoice"))]));
    assert_eq!(all["."].xattrs, BTreeMap::new());
}

#[test]
fn the_first_glob_decides_what_is_hashed() {
    let dir = tempfile::tempdir().expect("a directory");
    for name in ["a.log", "b.log", "c"] {
        fs::write(dir.path().join(name), "x").expect("written");
    }
    let globs = vec![("a.*".to_owned(), true), ("*.log".to_owned(), false)];
    let asked: BTreeMap<String, bool> = lines(dir.path(), &Hashed { globs, others: true })
        .into_iter()
        .filter_map(|line| match line {
            Line::Entry(e) if e.kind == Kind::File => Some((e.path, e.content != Content::NotAsked)),
            _ => None,
        })
        .collect();
    assert_eq!(asked, BTreeMap::from([("a.log".into(), true), ("b.log".into(), false), ("c".into(), true)]));
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(inside::read(&dir.path().join("none"), &Hashed::all(), Vec::new()).is_err());
}
