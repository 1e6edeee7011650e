//! What comes with this program: beside it, as `make dist` puts it, or in it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use recipe::scenario::FOLDER;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::stack::alive::{TEMPORARY, is_users, state_dir, user};

/// The scenarios, as `build.rs` packs them.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scenarios.tar"));
/// The folder of the drills' own bot, beside the scenarios.
const BOT: &str = "backupbot";

/// What `make dist` put at a path of the prefix in which this program is; none where there is nothing.
pub fn beside(path: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    Some(exe.parent()?.parent()?.join(path)).filter(|path| path.exists())
}

/// The folder of scenarios: the one that the user named. If they named none, the one in the current folder, else the one that came
/// with the program.
///
/// # Errors
/// As [`own_scenarios`].
pub fn scenarios(asked: PathBuf) -> Result<PathBuf> {
    if asked != Path::new(FOLDER) || asked.is_dir() { Ok(asked) } else { own_scenarios() }
}

/// The folder of scenarios that came with the program. What is in the program is unpacked into the state directory, once.
///
/// # Errors
/// The state directory cannot be written, or the folder there is not this user's.
pub fn own_scenarios() -> Result<PathBuf> {
    match beside("share/restore-drill/scenarios") {
        Some(folder) => Ok(folder),
        None => unpacked(PACKED, &state_dir()?),
    }
}

/// The folder of the drills' own bot: the one beside the scenarios, else the one that came with the program.
///
/// # Errors
/// As [`own_scenarios`].
pub fn bot(scenarios: &Path) -> Result<PathBuf> {
    let here = scenarios.join(BOT);
    if here.is_dir() { Ok(here) } else { Ok(own_scenarios()?.join(BOT)) }
}

/// The folder in the state directory that has what an archive has, by whose hash it is named.
fn unpacked(archive: &[u8], state: &Path) -> Result<PathBuf> {
    let user = user(state)?;
    let folder = state.join(format!("{FOLDER}-{}-{user}", &hex::encode(Sha256::digest(archive))[..12]));
    if !is_whole(archive, &folder).map_err(Error::io(&folder))? {
        let new =
            tempfile::Builder::new().prefix(&format!("{TEMPORARY}unpacked-by-")).tempdir_in(state).map_err(Error::io(state))?;
        let (whole, incomplete) = (new.path().join("whole"), new.path().join("incomplete"));
        fs::DirBuilder::new().mode(0o700).create(&whole).map_err(Error::io(&whole))?;
        tar::Archive::new(archive).unpack(&whole).map_err(Error::io(&whole))?;
        // Somebody has cleaned up in it.
        let _ = fs::rename(&folder, &incomplete);
        match fs::rename(&whole, &folder) {
            // Another process was faster.
            Err(e) if matches!(e.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {}
            renamed => renamed.map_err(Error::io(&folder))?,
        }
    }
    // Scenarios have commands. In a state directory that others can write to, somebody may have put theirs there.
    if !is_users(&folder, user, 0o022)? {
        return Err(Error::Usage(format!(
            "{} is not a folder that only you can write to, so its scenarios are not used. Remove it, or name another state directory \
             with RESTORE_DRILL_STATE_DIR",
            folder.display()
        )));
    }
    Ok(folder)
}

/// Whether a folder has every file of an archive, each with its size.
fn is_whole(archive: &[u8], folder: &Path) -> std::io::Result<bool> {
    for entry in tar::Archive::new(archive).entries()? {
        let entry = entry?;
        if folder.join(entry.path()?).metadata().map(|m| m.len()).ok() != Some(entry.size()) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Every file below a folder, with its permissions and its bytes.
    fn files(folder: &Path, below: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let entries = fs::read_dir(folder.join(below)).expect("a folder").map(|e| below.join(e.expect("an entry").file_name()));
        let mut all: Vec<_> = entries
            .flat_map(|name| match folder.join(&name) {
                path if path.is_dir() => files(folder, &name),
                path => {
                    let mode = path.metadata().expect("there").permissions().mode() & 0o111;
                    vec![(name, mode, fs::read(path).expect("read"))]
                }
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_unpacked_is_what_the_checkout_has() {
        let state = tempfile::tempdir().expect("a directory");
        let folder = unpacked(PACKED, state.path()).expect("unpacked");
        let (has, expected) = (files(&folder, Path::new("")), files(Path::new("../scenarios"), Path::new("")));
        assert!(has.len() > 80 && has == expected, "{:?}", has.iter().map(|(name, ..)| name).collect::<Vec<_>>());
        assert_eq!(unpacked(PACKED, state.path()).expect("there"), folder);
        fs::remove_file(folder.join("radicale/scenario.toml")).expect("removed");
        unpacked(PACKED, state.path()).expect("unpacked anew");
        assert_eq!(files(&folder, Path::new("")), expected);
        assert_eq!(fs::read_dir(state.path()).expect("read").count(), 1, "nothing else is left");
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not_used() {
        let state = tempfile::tempdir().expect("a directory");
        let folder = unpacked(PACKED, state.path()).expect("unpacked");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("set");
        let error = unpacked(PACKED, state.path()).expect_err("not ours alone").to_string();
        assert!(error.contains("only you can write to"), "{error}");
        let elsewhere = state.path().join("elsewhere");
        fs::rename(&folder, &elsewhere).expect("moved");
        std::os::unix::fs::symlink(&elsewhere, &folder).expect("linked");
        assert!(unpacked(PACKED, state.path()).is_err(), "a link");
    }
}
