//! The bot's image, and the program that goes into it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipe::image::{ImageContext, contexts};

use super::program::Program;
use crate::error::Result;

/// The program's name, also in its image.
pub const NAME: &str = "backup";
const BACKUP: Program = Program { name: NAME, variable: "RESTORE_DRILL_BACKUP_PROGRAM" };

/// The source of the bot's image, which is in `dir`. Builds the program if it must.
///
/// # Errors
/// The program cannot be had, or `dir` cannot be read.
pub async fn source(dir: &Path) -> Result<BTreeMap<String, ImageContext>> {
    with_program(dir, BACKUP.get().await?)
}

/// The same, of a program that is there; none where it is still to be built.
///
/// # Errors
/// As [`source`].
pub fn source_if_built(dir: &Path) -> Result<Option<BTreeMap<String, ImageContext>>> {
    BACKUP.if_built()?.map(|program| with_program(dir, program)).transpose()
}

fn with_program(dir: &Path, program: PathBuf) -> Result<BTreeMap<String, ImageContext>> {
    let mut sources = contexts(&dir.join("images"), "bot")?;
    if let Some(source) = sources.get_mut("backupbot") {
        source.extra.push((BACKUP.name.into(), program));
    }
    Ok(sources)
}
