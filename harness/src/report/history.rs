//! Past runs: a table of every run in a directory, oldest first, so that a regression is seen.

use std::path::{Path, PathBuf};

use super::model::{Report, bytes, seconds};
use crate::error::{Error, Result};

/// What a past run is called by, and its report.
#[derive(Debug, Clone)]
pub struct Past {
    /// The name of its directory.
    pub name: String,
    /// What it says.
    pub report: Report,
}

/// Where runs are if nobody says otherwise.
pub const RUNS: &str = "runs";

/// What [`Past::cells`] are.
pub const COLUMNS: [&str; 10] = ["began", "run", "scenario", "profile", "verdict", "level", "findings", "backup", "RTO", "read"];

/// The runs in a directory, and what could not be read of others.
pub fn read(dir: &Path) -> Result<(Vec<Past>, Vec<String>)> {
    let (mut past, mut unread) = (Vec::new(), Vec::new());
    let entries = std::fs::read_dir(dir).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::Usage(format!(
            "cannot read {}: No such file or directory; `restore-drill run SCENARIO` stores a run in {RUNS}, and \
             `restore-drill history DIR` reads another directory",
            dir.display()
        )),
        _ => recipe::Error::unreadable(dir)(e).into(),
    })?;
    for entry in entries.flatten() {
        let path = entry.path();
        if !path.join("evidence.db").is_file() && !path.join("run").join("evidence.db").is_file() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        match Report::read(&path) {
            Ok(report) => past.push(Past { name, report }),
            Err(e) => unread.push(format!("{name}: {e}")),
        }
    }
    past.sort_by(|a, b| (&a.report.run.began, &a.name).cmp(&(&b.report.run.began, &b.name)));
    unread.sort();
    Ok((past, unread))
}

/// The directories in `root` that have a run or a ladder, the newest first.
pub fn runs(root: &Path) -> Vec<PathBuf> {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let has_run = |dir: &PathBuf| ["evidence.db", "ladder.json", "run/evidence.db"].iter().any(|file| dir.join(file).is_file());
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(has_run).collect();
    runs.sort_by_cached_key(|run| (std::cmp::Reverse(run.metadata().and_then(|m| m.modified()).ok()), run.clone()));
    runs
}

impl Past {
    /// Its row of the table.
    pub fn cells(&self) -> [String; COLUMNS.len()] {
        let (run, recovery) = (&self.report.run, &self.report.recovery);
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        [
            or_none(run.began.as_ref().map(|t| t.chars().take(16).collect())),
            self.name.clone(),
            run.scenario.clone(),
            run.profile.clone(),
            self.report.status.to_string(),
            or_none(self.report.ladder.as_ref().map(|l| l.level.to_string())),
            self.report.findings.len().to_string(),
            or_none(recovery.backup_ms.map(seconds)),
            or_none(recovery.first_login_ms.map(seconds)),
            or_none(recovery.bytes_read.map(bytes)),
        ]
    }
}

/// The table as text.
pub fn table(past: &[Past]) -> String {
    let rows: Vec<Vec<String>> =
        std::iter::once(COLUMNS.map(str::to_owned).to_vec()).chain(past.iter().map(|p| p.cells().to_vec())).collect();
    let widths: Vec<usize> =
        (0..COLUMNS.len()).map(|at| rows.iter().map(|r| r[at].chars().count()).max().unwrap_or_default()).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
