//! Reads a recipe's git repository, and never changes it.

use std::path::Path;
use std::process::Command;

use crate::error::{Error, Result};

/// Runs `git` in a directory and returns what it prints. If git fails, the error is the first line of its message.
pub fn git(dir: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        // Not even the index is refreshed: another process may hold its lock.
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .map_err(Error::io("git"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
    Err(Error::Usage(format!("git {} in {}: {said}", arguments.first().unwrap_or(&""), dir.display())))
}
