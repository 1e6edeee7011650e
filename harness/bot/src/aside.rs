//! What restic cannot restore over.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::bot::Result;
use crate::contract;
use crate::restic::{self, Node};

/// What the names begin with. A name that begins with a dot is no message in a Maildir.
const PREFIX: &str = ".before-restore.";
/// The bytes that a name may have on Linux.
const LONGEST: usize = 255;

/// Files that stand aside while restic makes them anew.
pub(crate) struct Aside(Vec<(PathBuf, PathBuf)>);

impl Aside {
    /// Moves aside what restic 0.14, which is Debian 12's, cannot restore over, and a restore is about to make anew: a symbolic
    /// link that is there is an error to it, and of a file with hard links that are there it removes all but one, without a word. It would
    /// follow a link in the place of a folder to wherever that leads.
    pub(crate) async fn make_way(id: &str, target: &str, paths: &[String]) -> Result<Self> {
        let listed = restic::run(&["ls", "--json", id]).await?;
        let is_on_the_way = |path: &Path| paths.iter().any(|p| path.starts_with(p) || is_above(path, Path::new(p)));
        let nodes = restic::nodes(&listed).filter(|node| is_on_the_way(Path::new(&node.path)));
        Self::moved(in_the_way(nodes, target))
    }

    /// Moves all of these aside, or none.
    fn moved(places: Vec<PathBuf>) -> Result<Self> {
        let mut moved = Self(Vec::new());
        for place in places {
            let aside = beside(&place);
            if let Err(e) = std::fs::rename(&place, &aside) {
                let undone = moved.settle().err().map(|e| format!("; then {e}"));
                return Err(format!("{}: {e}{}", place.display(), undone.unwrap_or_default()));
            }
            moved.0.push((place, aside));
        }
        Ok(moved)
    }

    /// After the restore: what was made anew replaces what stood aside, and what was not gets its place back. One that fails does not
    /// keep the others aside. The folders keep the times that restic gave them.
    pub(crate) fn settle(self) -> Result<()> {
        let folders: BTreeSet<PathBuf> = self.0.iter().filter_map(|(place, _)| place.parent().map(Path::to_owned)).collect();
        let times: Vec<(File, SystemTime)> = folders.iter().filter_map(|folder| with_time(folder).ok()).collect();
        let settled = self.0.into_iter().map(|(place, aside)| {
            let made = place.symlink_metadata().is_ok();
            let settled = if made { std::fs::remove_file(&aside) } else { std::fs::rename(&aside, &place) };
            settled.map_err(|e| format!("{}: {e}", place.display()))
        });
        let settled = settled.fold(Ok(()), Result::and);
        times.into_iter().for_each(|(folder, time)| _ = folder.set_modified(time));
        settled
    }
}

/// A folder, and when it was last modified.
fn with_time(folder: &Path) -> std::io::Result<(File, SystemTime)> {
    let folder = File::open(folder)?;
    let time = folder.metadata()?.modified()?;
    Ok((folder, time))
}

/// Whether a path is of a folder in a volume through which another path leads. The volume's own folder is not the app's to replace.
fn is_above(path: &Path, other: &Path) -> bool {
    let in_volume = path.strip_prefix(contract::VOLUMES_ROOT).is_ok_and(|path| path.components().count() > 2);
    in_volume && other.starts_with(path)
}

/// The places of a snapshot's entries, parents first, at which something is that has to go.
fn in_the_way(nodes: impl Iterator<Item = Node>, target: &str) -> Vec<PathBuf> {
    let (mut all, mut links): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), Vec::new());
    for Node { path, kind, .. } in nodes {
        let place = Path::new(target).join(path.trim_start_matches('/'));
        // What is below a link is elsewhere.
        if links.last().is_some_and(|link| place.starts_with(link)) {
            continue;
        }
        let Ok(there) = place.symlink_metadata() else { continue };
        let is_linked = there.is_symlink() || (there.is_file() && there.nlink() > 1);
        if there.is_symlink() && kind == "dir" {
            links.push(place.clone());
        }
        if is_linked && matches!(kind.as_str(), "dir" | "symlink" | "file") {
            all.push(place);
        }
    }
    all
}

/// Where a file stands aside: in its folder, under a name that has its own, or a hash of it where that would be too long.
fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default();
    let mut aside = std::ffi::OsString::from(PREFIX);
    if PREFIX.len() + name.len() <= LONGEST {
        aside.push(name);
    } else {
        let mut hash = DefaultHasher::new();
        name.as_bytes().hash(&mut hash);
        aside.push(format!("{:016x}", hash.finish()));
    }
    place.with_file_name(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn all_that_stands_in_the_way_is_moved_or_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = |name: &str| dir.path().join(name);
        let (short, long) = ("a".to_owned(), "b".repeat(LONGEST));
        [&short, &long].into_iter().for_each(|name| std::fs::write(place(name), name).expect("written"));
        assert!(Aside::moved(vec![place(&short), place("gone"), place(&long)]).is_err(), "one is not there");
        assert_eq!(names(dir.path()), [short.clone(), long.clone()]);

        let aside = Aside::moved(vec![place(&short), place(&long)]).expect("moved");
        assert!(names(dir.path()).iter().all(|name| name.starts_with(PREFIX)));
        // One was restored, and the other not.
        std::fs::write(place(&short), "new").expect("written");
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        with_time(dir.path()).and_then(|(folder, _)| folder.set_modified(time)).expect("set");
        aside.settle().expect("settled");
        assert_eq!(names(dir.path()), [short.clone(), long.clone()]);
        assert_eq!(with_time(dir.path()).expect("read").1, time);
        assert_eq!(
            [short, long.clone()].map(|name| std::fs::read_to_string(place(&name)).expect("read")),
            ["new".to_owned(), long]
        );
    }

    #[test]
    fn folders_of_a_volume_on_the_way_to_what_is_selected_count() {
        let path = |path: &str| PathBuf::from(format!("{}/{path}", contract::VOLUMES_ROOT));
        let selected = path("s_data/_data/sub/file");
        for (of, above) in [("s_data/_data/sub", true), ("s_data/_data", false), ("s_data", false), ("s_data/_data/su", false)] {
            assert_eq!(is_above(&path(of), &selected), above, "{of}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_folder_goes_and_is_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = |name: &str| dir.path().join(name);
        ["other", "own/sub"].into_iter().for_each(|name| std::fs::create_dir_all(place(name)).expect("made"));
        std::fs::write(place("other/a"), "theirs").expect("written");
        std::fs::hard_link(place("other/a"), place("other/b")).expect("linked");
        for link in ["own/x", "own/file"] {
            std::os::unix::fs::symlink(place("other"), place(link)).expect("linked");
        }
        let node = |kind: &str, path: &str| Node { kind: kind.into(), path: path.into(), mtime: String::new(), size: None };
        let nodes = [
            ("dir", "/own"),
            ("dir", "/own/sub"),
            ("dir", "/own/x"),
            ("file", "/own/x/a"),
            ("file", "/own/xy"),
            ("file", "/own/file"),
        ];
        let nodes = nodes.iter().map(|(kind, path)| node(kind, path));
        let found = in_the_way(nodes, &dir.path().display().to_string());
        assert_eq!(found, [place("own/x"), place("own/file")]);
    }

    #[test]
    fn one_that_cannot_be_settled_keeps_no_other_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = |name: &str| dir.path().join(name);
        ["a", "b"].into_iter().for_each(|name| std::fs::write(place(name), name).expect("written"));
        let aside = Aside::moved(vec![place("a"), place("b")]).expect("moved");
        std::fs::remove_file(beside(&place("a"))).expect("removed");
        assert!(aside.settle().expect_err("one is gone").contains("/a: "));
        assert_eq!(names(dir.path()), ["b"]);
    }

    #[test]
    fn names_that_are_no_text_differ_aside_too() {
        let aside = |name: &[u8]| beside(&Path::new("/v").join(std::ffi::OsStr::from_bytes(name)));
        assert_ne!(aside(b"\xff"), aside(b"\xfe"));
        assert_eq!(aside(b"m"), Path::new("/v/.before-restore.m"));
    }
}
