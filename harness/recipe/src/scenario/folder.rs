//! Where scenarios are: a folder with one folder a scenario.

use std::path::Path;

/// The file that makes a folder a scenario.
pub(super) const SPEC: &str = "scenario.toml";
/// The folder of scenarios if the user names none.
pub const FOLDER: &str = "scenarios";

/// The names of the scenarios in a folder, sorted.
pub fn list(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let scenarios = entries.filter(|e| e.path().join(SPEC).is_file());
    let mut names: Vec<String> = scenarios.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}
