//! Reads a recipe's git repository, and never changes it.

use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};

/// What a hook of another repository sets for its programs: git would work there.
const OF_ANOTHER: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// What keeps git from running anything that a repository names. A folder of a checkout may look like a repository of its own, whose settings
/// a stranger has written; hooks and watchers of files are programs.
const RUNS_NOTHING: [&str; 7] = [
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    // A host that has Git LFS asks the server that the repository names, with the user's passwords.
    "filter.lfs.process=",
    "filter.lfs.smudge=",
    "filter.lfs.clean=",
    "filter.lfs.required=false",
];

/// `git` in a directory, whatever repository the environment names.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    OF_ANOTHER.iter().for_each(|name| _ = command.env_remove(name));
    command.arg("-C").arg(dir);
    RUNS_NOTHING.iter().for_each(|setting| _ = command.args(["-c", setting]));
    command
}

/// The folder above which has the form of a repository and no `.git`: its files are a recipe's, and git would do what they say.
fn bare(dir: &Path) -> Option<&Path> {
    let mut above = dir.ancestors().take_while(|dir| !dir.join(".git").exists());
    above.find(|dir| ["HEAD", "objects", "refs"].iter().all(|name| dir.join(name).exists()))
}

/// Runs `git` in a directory and returns what it prints. If git fails, the error is the first line of its message.
pub fn git(dir: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    if let Some(bare) = bare(dir) {
        let message = "it has the form of a git repository (HEAD, objects, refs), whose settings could name programs to run: \
                       name the working copy of the repository instead";
        return Err(Error::input(bare, None, message));
    }
    let output = command(dir)
        .args(arguments)
        // Not even the index is refreshed: another process may hold its lock.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .map_err(Error::io("git"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(dir, arguments.first().unwrap_or(&""), &output.stderr))
}

/// The error of a git command that failed: the first line of what it said.
pub fn failed(dir: &Path, command: &str, stderr: &[u8]) -> Error {
    let said = String::from_utf8_lossy(stderr).lines().next().unwrap_or_default().to_owned();
    Error::Usage(format!("git {command} in {}: {said}", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_the_environment_names_is_not_used() {
        let command = command(Path::new("/srv/wiki"));
        let kept: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        let removed: Vec<_> = command.get_envs().filter_map(|(name, _)| name.to_str()).collect();
        assert!(kept.is_empty() && removed.contains(&"GIT_DIR") && removed.contains(&"GIT_WORK_TREE"), "{removed:?}");
        assert_eq!(command.get_args().take(2).collect::<Vec<_>>(), ["-C", "/srv/wiki"]);
    }

    /// As a pull request may bring it: the settings of a bare repository name a program.
    #[test]
    fn nothing_that_a_folder_of_a_checkout_names_is_run() {
        let dir = tempfile::tempdir().expect("a directory");
        let (folder, made) = (dir.path().join("wiki"), dir.path().join("made"));
        git(dir.path(), &["init", "-q", "-b", "main"]).expect("a repository");
        std::fs::create_dir_all(folder.join("refs/heads")).expect("made");
        std::fs::create_dir_all(folder.join("objects/info")).expect("made");
        for (file, text) in [
            ("HEAD", "ref: refs/heads/main\n".to_owned()),
            ("objects/info/alternates", "../../../.git/objects\n".to_owned()),
            ("config", format!("[core]\nworktree = .\nfsmonitor = \"touch {}; false\"\n", made.display())),
        ] {
            std::fs::write(folder.join(file), text).expect("written");
        }
        let asked = git(&folder, &["status", "--porcelain", "--", "."]);
        assert!(asked.expect_err("refused").to_string().contains("the form of a git repository"));
        let asked = command(&folder).args(["status", "--porcelain", "--", "."]).output().expect("git runs");
        assert!(!made.exists() && !asked.status.success(), "{asked:?}");
        assert!(git(dir.path(), &["status", "--porcelain"]).is_ok());
    }
}
