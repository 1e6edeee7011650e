//! Asks docker's own reader whether what is suggested can be deployed, if docker is installed. It needs no engine.

use std::path::{Path, PathBuf};
use std::process::Command;

use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::Suggestion;

use crate::error::{Error, Result};

/// Checks that docker reads what is suggested, if it reads what was there before.
///
/// It is an error if it does not; then nothing is written.
pub(super) fn check(sources: &RecipeFiles, suggestion: &Suggestion) -> Result<()> {
    let combinations = std::iter::once(None).chain(sources.overlays.iter().map(Some));
    for overlay in combinations {
        let files: Vec<&PathBuf> = sources.files.iter().chain(overlay).collect();
        let of = |after: bool| -> Vec<&str> {
            let text = |file: &&PathBuf| {
                let (_, old, new) = suggestion.files.iter().find(|(path, ..)| path == *file)?;
                Some(if after { new.as_str() } else { old.as_str() })
            };
            files.iter().filter_map(text).collect()
        };
        let (before, after) = (of(false), of(true));
        if before == after || read(sources, &before)?.is_none_or(|said| said.is_err()) {
            continue;
        }
        if let Some(Err(said)) = read(sources, &after)? {
            let message =
                format!("docker rejects the changed files, so nothing is suggested: {said}. Please report this with your recipe");
            return Err(Error::Usage(message));
        }
    }
    Ok(())
}

/// What docker says of files with these texts; nothing if docker is not installed.
fn read(sources: &RecipeFiles, texts: &[&str]) -> Result<Option<std::result::Result<(), String>>> {
    let dir = tempfile::tempdir().map_err(|e| Error::Usage(format!("no temporary folder: {e}")))?;
    let mut command = Command::new("docker");
    command.args(["stack", "config"]).current_dir(dir.path());
    command.env("STACK_NAME", "stack").envs(&sources.env);
    for (at, text) in texts.iter().enumerate() {
        let file = dir.path().join(format!("compose.{at}.yml"));
        std::fs::write(&file, text).map_err(|e| Error::Usage(format!("{}: {e}", file.display())))?;
        command.arg("--compose-file").arg(Path::new(&file));
    }
    let Ok(output) = command.output() else { return Ok(None) };
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().to_owned();
    Ok(Some(if output.status.success() { Ok(()) } else { Err(last) }))
}
