//! Commands about the program itself, and files that it writes for users: `list`, `schema`, `config`, `completions`, `man`, `new`.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use recipe::scenario::{self, scaffold};

use crate::cli::{Cli, Schema};
use crate::error::{Error, Result};
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
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "restore-drill", &mut script);
    output::exact(String::from_utf8_lossy(&script))?;
    Ok(exit_code::HELD)
}

/// Prints the manual page.
pub(super) fn man() -> Result<u8> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Error::io("the manual page"))?;
    output::exact(String::from_utf8_lossy(&page))?;
    Ok(exit_code::HELD)
}

/// Creates a scenario's folder.
pub(super) fn new(scenarios: &Path, name: &str, compose: &[PathBuf]) -> Result<u8> {
    for file in scaffold::new(scenarios, name, compose)? {
        output::line(file.display())?;
    }
    output::notice(format_args!("\nnext: look for TODO in them, then `restore-drill run {name}`"));
    Ok(exit_code::HELD)
}
