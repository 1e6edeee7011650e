//! The files that a recipe may name. A recipe is a stranger's: its links may lead anywhere, its pipes never end, its devices have no
//! size.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The largest file of a recipe that is read, in bytes. Swarm's configs may have 1,000 KiB, and no compose file comes near that.
pub const LARGEST: u64 = 10 << 20;
/// `O_NONBLOCK`: opening a pipe does not wait for somebody who writes.
const NONBLOCK: i32 = 0o4000;

/// Reads a text file.
///
/// # Errors
/// It is no regular file, it is too large, it is not UTF-8, or it cannot be read.
pub fn read_text(file: &Path) -> Result<String> {
    let (opened, size) = open(file)?;
    let mut text = String::with_capacity(size as usize);
    opened.take(LARGEST).read_to_string(&mut text).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => Error::input(file, None, "it is no text in UTF-8; save it as UTF-8"),
        _ => Error::unreadable(file)(e),
    })?;
    Ok(text)
}

/// Reads a text file of the folder `root`. Links may lead to another place in the folder, and not out of it.
///
/// # Errors
/// As [`read_text`]; and the file is outside of the folder.
pub fn read_text_in(root: &Path, file: &Path) -> Result<String> {
    within(root, file).and_then(|place| read_text(&place))
}

/// Where a file of the folder `root` is, without links.
///
/// # Errors
/// It is not there, or outside of the folder.
pub fn within(root: &Path, file: &Path) -> Result<PathBuf> {
    let place = file.canonicalize().map_err(Error::unreadable(file))?;
    let root = root.canonicalize().map_err(Error::unreadable(root))?;
    if let Ok(below) = place.strip_prefix(&root) {
        if below.components().any(|part| part.as_os_str() == ".git") {
            let message = "it is git's own, which may have a token in it; expected a file of the recipe";
            return Err(Error::input(file, None, message));
        }
        return Ok(place);
    }
    let message = format!("it leads out of the recipe's folder {}; expected a file in it", root.display());
    Err(Error::input(file, None, message))
}

/// Opens a regular file that is not too large. Gives its size too.
fn open(file: &Path) -> Result<(File, u64)> {
    let opened = OpenOptions::new().read(true).custom_flags(NONBLOCK).open(file).map_err(Error::unreadable(file))?;
    let metadata = opened.metadata().map_err(Error::unreadable(file))?;
    if !metadata.is_file() {
        return Err(Error::input(file, None, "expected a regular file"));
    }
    if metadata.len() > LARGEST {
        let message = format!("{} MiB; expected at most {} MiB", metadata.len() >> 20, LARGEST >> 20);
        return Err(Error::input(file, None, message));
    }
    Ok((opened, metadata.len()))
}

/// Checks that a file of the folder `root` may be handed to the deployment. Gives where it is, without links.
///
/// # Errors
/// As [`read_text_in`], but for its content.
pub fn usable(root: &Path, file: &Path) -> Result<PathBuf> {
    let place = within(root, file)?;
    open(&place)?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn refused(result: Result<impl std::fmt::Debug>) -> String {
        result.expect_err("refused").to_string()
    }

    #[test]
    fn only_regular_files_of_the_folder_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, outside) = (dir.path().join("recipe"), dir.path().join("secret.txt"));
        std::fs::create_dir(&root).expect("made");
        std::fs::write(&outside, "the host's").expect("written");
        std::fs::write(root.join("pg_backup.sh"), "pg_dump").expect("written");
        symlink("pg_backup.sh", root.join("link.sh")).expect("linked");
        symlink(&outside, root.join("out.sh")).expect("linked");
        assert_eq!(read_text_in(&root, &root.join("link.sh")).expect("read"), "pg_dump");
        for file in ["out.sh", "../secret.txt"] {
            let said = refused(read_text_in(&root, &root.join(file)));
            assert!(said.contains("it leads out of the recipe's folder"), "{said}");
        }
        assert!(refused(read_text_in(&root, &root.join("absent.sh"))).contains("absent.sh"));
        assert!(refused(read_text(&root)).ends_with("expected a regular file"));
        assert!(refused(read_text(Path::new("/dev/zero"))).ends_with("expected a regular file"));
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let pipe = dir.path().join("compose.yml");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("run").success());
        assert!(refused(read_text(&pipe)).ends_with("expected a regular file"));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("large");
        File::create(&file).and_then(|f| f.set_len(LARGEST + 1)).expect("made");
        assert!(refused(usable(dir.path(), &file)).ends_with("10 MiB; expected at most 10 MiB"));
    }
}
