//! Which runs of this machine live: locks on files in the state directory. The system releases a lock when its process ends,
//! however it ends, so here it is known at once that a run is dead. Others go by its lease ([`super::lease`]).

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::secret::Secret;

/// `RESTORE_DRILL_STATE_DIR`, else `$XDG_STATE_HOME/restore-drill`, else `~/.local/state/restore-drill`. Where there is no home, or it
/// cannot be written, as in a container of another user, a folder of this user's where temporary files are.
pub fn state_dir() -> Result<PathBuf> {
    let var = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let made = |dir: PathBuf| std::fs::create_dir_all(&dir).map_err(Error::io(&dir)).map(|()| dir);
    if let Some(asked) = var("RESTORE_DRILL_STATE_DIR") {
        return made(asked);
    }
    let of_home = || var("HOME").map(|home| home.join(".local/state"));
    let usual = var("XDG_STATE_HOME").or_else(of_home).map(|dir| made(dir.join("restore-drill")));
    match usual {
        Some(Ok(dir)) => Ok(dir),
        Some(Err(_)) | None => own_folder(&std::env::temp_dir()),
    }
}

/// Who this process is, by a file that it makes in a folder.
pub(crate) fn user(folder: &Path) -> Result<u32> {
    let made = tempfile::tempfile_in(folder).and_then(|file| file.metadata());
    made.map(|metadata| metadata.uid()).map_err(Error::io(folder))
}

/// Whether something is a folder of a user's, no link to one, and nobody else has any of these permissions to it.
pub(crate) fn is_users(folder: &Path, user: u32, of_others: u32) -> Result<bool> {
    let found = folder.symlink_metadata().map_err(Error::io(folder))?;
    Ok(found.is_dir() && found.uid() == user && found.mode() & of_others == 0)
}

/// A folder of this user's where anybody may make folders.
fn own_folder(of_all: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let user = user(of_all)?;
    let dir = of_all.join(format!("restore-drill-{user}"));
    match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::io(&dir)(e)),
        _ => {}
    }
    if !is_users(&dir, user, 0o077)? {
        return Err(Error::Usage(format!(
            "{} is not yours, or others can use it too. Remove it, or name another state directory with RESTORE_DRILL_STATE_DIR",
            dir.display()
        )));
    }
    Ok(dir)
}

/// A name for this machine and state directory, for the label of what runs create: only where a run's lock can be asked for
/// is it known to be dead. The directory has an id of its own, as two containers of one image have the same path and machine
/// id; the machine's id is part of it, as locks may not reach another machine that shares the directory.
pub fn host_id() -> Result<String> {
    id_of(&state_dir()?)
}

fn id_of(dir: &Path) -> Result<String> {
    use std::io::Write as _;
    let path = dir.join("id");
    if !path.exists() {
        let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
        file.write_all(Secret::random()?.derive("state directory").as_bytes()).map_err(Error::io(&path))?;
        match file.persist_noclobber(&path) {
            Err(e) if e.error.kind() != ErrorKind::AlreadyExists => return Err(Error::io(&path)(e.error)),
            // Another process was faster.
            _ => {}
        }
    }
    let id = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    // A copy of the directory has the same id in it, and not the same locks.
    let inode = std::fs::metadata(&path).map_err(Error::io(&path))?.ino();
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    Ok(hex::encode(&Sha256::digest(format!("{}\n{}\n{inode}", machine.trim(), id.trim()))[..6]))
}

/// How often a lock is tried for, and how long in between.
const TRIES: usize = 5;
const MOMENT: Duration = Duration::from_millis(20);

fn open(name: &str) -> Result<(PathBuf, File)> {
    let path = state_dir()?.join(name);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(Error::io(&path))?;
    Ok((path, file))
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(Error::io(path)(e)),
    }
}

/// What the names of directories begin with that a run needs for a while.
pub(crate) const TEMPORARY: &str = "tmp-";
/// When one of which nothing else is known is a dead run's.
const OLD: Duration = Duration::from_secs(3600);
/// The same where another machine shares the directory: a run there may take hours, and that machine collects its own.
const OLD_ELSEWHERE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Makes directories that only this user can look into, whatever the umask.
fn private<'a, 'b>() -> tempfile::Builder<'a, 'b> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(std::fs::Permissions::from_mode(0o700));
    builder
}

/// A directory of a run's own, for files that have secrets or users' data in them: if the run is killed, the next `gc` removes it.
///
/// # Errors
/// The state directory cannot be written.
pub fn temporary(run: &str) -> Result<tempfile::TempDir> {
    let state = state_dir()?;
    private().prefix(&format!("{TEMPORARY}{}-{run}-", host_id()?)).tempdir_in(&state).map_err(Error::io(&state))
}

/// What the names of those begin with that are no run's.
const PROCESS: &str = "process";

/// The same for a process that has no run. `gc` leaves it alone for as long as the process lives.
#[derive(Debug)]
pub(crate) struct Temporary {
    dir: tempfile::TempDir,
    alive: Alive,
}

impl Temporary {
    /// Makes one.
    ///
    /// # Errors
    /// As [`temporary`].
    pub(crate) fn new() -> Result<Self> {
        let name = format!("{PROCESS}-{}", &Secret::random()?.derive("temporary")[..8]);
        // The lock comes first, so that the directory is never without.
        let alive = Alive::take(&name)?;
        Ok(Self { dir: temporary(&name)?, alive })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.alive.tidy();
    }
}

/// Removes the directories that dead runs and processes left.
///
/// # Errors
/// The state directory cannot be read.
pub fn remove_temporary() -> Result<()> {
    let (state, here) = (state_dir()?, host_id()?);
    for entry in std::fs::read_dir(&state).map_err(Error::io(&state))?.flatten() {
        let name = entry.file_name();
        let rest = name.to_str().and_then(|n| n.strip_prefix(TEMPORARY)).and_then(|n| n.rsplit_once('-'));
        let Some((host, run)) = rest.and_then(|(rest, _)| rest.split_once('-')) else { continue };
        let is_old = |old| entry.metadata().and_then(|m| m.modified()).is_ok_and(|t| t.elapsed().is_ok_and(|age| age > old));
        // Locks of another machine that shares the directory may not be seen here.
        let is_dead = match is_held(run)?.filter(|_| host == here) {
            Some(held) => !held,
            None => is_old(if host == here { OLD } else { OLD_ELSEWHERE }),
        };
        if is_dead {
            let _ = std::fs::remove_dir_all(entry.path());
            if run.starts_with(PROCESS) {
                let _ = std::fs::remove_file(state.join(self::name(run)));
            }
        }
    }
    Ok(())
}

/// The lock of a run, or of a process that has none. Its file stays when the process is killed: then it is free, which says that the run is dead.
#[derive(Debug)]
pub struct Alive {
    file: File,
    path: PathBuf,
}

impl Alive {
    /// Takes the lock of `run`.
    pub fn take(run: &str) -> Result<Self> {
        let (path, file) = open(&name(run))?;
        // Whoever only asks has it for a moment.
        for _ in 0..TRIES {
            if try_lock(&file, &path)? {
                return Ok(Self { file, path });
            }
            std::thread::sleep(MOMENT);
        }
        Err(Error::UnderWay { run: run.to_owned() })
    }

    /// A standard input for a child process that keeps the run alive until the child has
    /// ended too: `docker stack deploy` goes on creating services when its parent is killed.
    pub fn inherit(&self) -> Result<Stdio> {
        self.file.try_clone().map(Stdio::from).map_err(Error::io(&self.path))
    }

    /// Removes the file, once nothing of the run is left.
    pub fn tidy(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn name(run: &str) -> String {
    format!("run-{run}.lock")
}

/// Whether the lock of a run is held; none where it has no file here.
pub fn is_held(run: &str) -> Result<Option<bool>> {
    let path = state_dir()?.join(name(run));
    let file = match File::open(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(Error::io(&path))?,
    };
    // Shared, so that several may ask at once.
    match file.try_lock_shared() {
        Ok(()) => Ok(Some(false)),
        Err(TryLockError::WouldBlock) => Ok(Some(true)),
        Err(TryLockError::Error(e)) => Err(Error::io(&path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_anybody_may_make_folders_a_folder_is_this_users_alone() {
        let all = tempfile::tempdir().expect("a directory");
        let own = own_folder(all.path()).expect("a folder");
        assert_eq!(own_folder(all.path()).expect("the same"), own);
        std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).expect("set");
        assert!(own_folder(all.path()).expect_err("others see it").to_string().contains("others can use it too"));
        std::fs::remove_dir(&own).expect("removed");
        std::os::unix::fs::symlink(all.path(), &own).expect("linked");
        assert!(own_folder(all.path()).is_err());
    }

    #[test]
    fn what_a_process_needs_for_a_while_goes_with_it() {
        let needed = Temporary::new().expect("a directory");
        let name = format!("{PROCESS}-that-was-killed-{}", std::process::id());
        drop(Alive::take(&name).expect("a lock"));
        let left = temporary(&name).expect("a directory").keep();
        assert_eq!(left.metadata().expect("there").permissions().mode() & 0o777, 0o700, "secrets are in it");
        let lock = state_dir().expect("a directory").join(super::name(&name));
        assert!(left.is_dir() && lock.exists());
        remove_temporary().expect("removed");
        assert!(!left.exists() && !lock.exists(), "of a process that was killed");
        assert!(needed.path().is_dir(), "of one that lives");
        let (gone, lock) = (needed.path().to_owned(), needed.alive.path.clone());
        drop(needed);
        assert!(!gone.exists() && !lock.exists());
    }

    #[test]
    fn a_state_directory_has_one_id_and_another_at_its_path_has_another() {
        let dir = tempfile::tempdir().expect("a directory");
        let state = dir.path().join("state");
        let made = || std::fs::create_dir(&state).expect("made");
        let ids = || -> Vec<String> {
            std::thread::scope(|scope| {
                let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| id_of(&state).expect("an id"))).collect();
                asked.into_iter().map(|id| id.join().expect("asked")).collect()
            })
        };
        made();
        let first = ids();
        assert!(first.iter().all(|id| *id == first[0]), "{first:?}");
        // As in the next container of an image, whose machine id and paths are the same.
        std::fs::remove_dir_all(&state).expect("removed");
        made();
        let second = ids();
        assert_ne!(second[0], first[0]);
        // A copy has the file with the id, and locks of its own.
        let copy = dir.path().join("copy");
        std::fs::create_dir(&copy).expect("made");
        std::fs::copy(state.join("id"), copy.join("id")).expect("copied");
        assert_ne!(id_of(&copy).expect("an id"), second[0]);
    }
}
