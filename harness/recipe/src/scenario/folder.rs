//! Where scenarios are: a folder with one folder a scenario.

use std::path::{Path, PathBuf};

/// The file that makes a folder a scenario.
pub(super) const SPEC: &str = "scenario.toml";
/// The folder of scenarios if the user names none.
pub const FOLDER: &str = "scenarios";
/// The folder of the drills' own bot, beside the scenarios.
const BOT: &str = "backupbot";

/// The folder of scenarios that came with the program, as `make dist` puts it.
fn installed() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    Some(exe.parent()?.parent()?.join("share/restore-drill").join(FOLDER)).filter(|dir| dir.is_dir())
}

/// The folder of scenarios: the one that the user named. If they named none, the one in the current folder, else the one that came
/// with the program.
pub fn folder(asked: PathBuf) -> PathBuf {
    if asked != Path::new(FOLDER) || asked.is_dir() {
        return asked;
    }
    installed().unwrap_or(asked)
}

/// The folder of scenarios in a pipeline, whose checkout is under test: the one that the operator named, else the one that came with the
/// program; none where there is neither.
pub fn folder_in_pipeline(asked: PathBuf, is_named: bool) -> Option<PathBuf> {
    if is_named { Some(asked) } else { installed() }
}

/// The folder of the drills' own bot: the one beside the scenarios, else the one that came with the program.
pub fn bot(scenarios: &Path) -> PathBuf {
    let here = scenarios.join(BOT);
    if here.is_dir() {
        return here;
    }
    installed().map(|dir| dir.join(BOT)).unwrap_or(here)
}

/// The names of the scenarios in a folder, sorted.
pub fn list(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let scenarios = entries.filter(|e| e.path().join(SPEC).is_file());
    let mut names: Vec<String> = scenarios.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}
