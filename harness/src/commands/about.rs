//! Commands about the program itself, and files that it writes for users: `list`, `schema`, `config`, `completions`, `new`.

use std::path::{Path, PathBuf};

use recipe::scenario::{self, scaffold};

use crate::cli::{Schema, completion};
use crate::error::Result;
use crate::{config, exit_code, output};

/// Lists scenarios and profiles.
pub(super) fn list(scenarios: &Path) -> Result<u8> {
    output::line(format_args!("scenarios: {}", scenario::list(scenarios).join(", ")))?;
    output::line(format_args!("profiles: {}", seeds::Profile::names().collect::<Vec<_>>().join(", ")))?;
    Ok(exit_code::HELD)
}

/// Prints a schema.
pub(super) fn schema(of: Schema) -> Result<u8> {
    output::exact_line(format_args!("{:#}", of.json()))?;
    Ok(exit_code::HELD)
}

/// Prints the template of the config file.
pub(super) fn template() -> Result<u8> {
    output::exact(config::SAMPLE)?;
    Ok(exit_code::HELD)
}

/// Prints completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<u8> {
    output::exact(completion::script(shell)?)?;
    Ok(exit_code::HELD)
}

/// Creates a scenario's folder.
pub(super) fn new(scenarios: &Path, name: &str, compose: &[PathBuf]) -> Result<u8> {
    for file in scaffold::new(scenarios, name, compose)? {
        output::line(file.display())?;
    }
    output::notice(format_args!(
        "\nnext: fill in every TODO in these files, `docker pull` the recipe's images, then `restore-drill run {name}`"
    ));
    Ok(exit_code::HELD)
}
