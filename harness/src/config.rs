//! The config file: defaults for options of the command line. It changes nothing but what an option is without being given, so
//! that the command line and the environment come first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _};

use recipe::near::did_you_mean;
use recipe::scenario;

use crate::cli::{Cli, help};
use crate::error::{Error, Result};

/// The file in the working directory.
pub const FILE: &str = "restore-drill.toml";
/// A file with every default, commented out.
pub const SAMPLE: &str = include_str!("config.toml");

/// What a file may set: the names of the sample's keys.
fn known() -> Vec<&'static str> {
    SAMPLE
        .lines()
        .filter_map(|l| l.strip_prefix("# ")?.split_once(" = ").map(|(key, _)| key))
        .filter(|k| !k.contains(' '))
        .collect()
}

/// The command line with the defaults of the config file, if there is one.
pub fn parse(arguments: Vec<std::ffi::OsString>) -> Result<std::result::Result<Cli, clap::Error>> {
    let plain = Cli::command().ignore_errors(true).try_get_matches_from(&arguments).ok();
    let is_pipeline = plain.as_ref().is_some_and(|m| m.subcommand_name() == Some("ci"));
    let named = plain.and_then(|m| m.get_one::<PathBuf>("config").cloned());
    // In a pipeline, what is in this directory is under test.
    let here = || (!is_pipeline && Path::new(FILE).is_file()).then(|| PathBuf::from(FILE));
    let file = named.or_else(here);
    let mut command = Cli::command();
    if let Some(file) = file {
        for (key, value) in read(&file)? {
            command = with_default(command, &key, value);
        }
    }
    let command = help::with_screens(command, help::width());
    Ok(command.try_get_matches_from(arguments).and_then(|matches| {
        let cli = Cli::from_arg_matches(&matches)?;
        let is_default = matches.value_source("scenarios") == Some(ValueSource::DefaultValue);
        Ok(Cli { names_scenarios: !is_default || cli.scenarios != Path::new(scenario::FOLDER), ..cli })
    }))
}

/// Reads a file; every key must be known.
fn read(file: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).map_err(recipe::Error::unreadable(file))?;
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table: toml::Table =
        toml::from_str(&text).map_err(|e| Error::input(file, e.span().map(|s| line(s.start)), e.message().to_owned()))?;
    let known = known();
    let mut values = BTreeMap::new();
    for (key, value) in table {
        let at = text.lines().position(|l| l.trim_start().starts_with(&key)).map(|n| n + 1);
        if !known.contains(&key.as_str()) {
            let near = did_you_mean(&key, known.iter().copied());
            return Err(Error::input(file, at, format!("unknown option {key:?}; known options: {}{near}", known.join(", "))));
        }
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(n) => n.to_string(),
            toml::Value::Boolean(yes) => yes.to_string(),
            other => {
                return Err(Error::input(file, at, format!("{key}: expected a text, a number, true or false, found {other}")));
            }
        };
        values.insert(key, value);
    }
    Ok(values)
}

/// The same default for an option of a command and of all its subcommands.
fn with_default(command: clap::Command, option: &str, value: String) -> clap::Command {
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let has = command.get_arguments().any(|a| a.get_long() == Some(option));
    let mut command = command;
    if has {
        let id = command.get_arguments().find(|a| a.get_long() == Some(option)).map(|a| a.get_id().clone());
        if let Some(id) = id {
            let value = value.clone();
            command = command.mut_arg(id, |arg| match arg.get_action() {
                // A flag that is set by default cannot be taken back; `--quiet=false` is none.
                ArgAction::SetTrue if value != "true" => arg,
                _ => arg.default_value(value),
            });
        }
    }
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, |sub| with_default(sub, option, value.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command, LogFormat};

    fn parsed(config: &str, more: &[&str]) -> Result<Cli> {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("c.toml");
        std::fs::write(&file, config).expect("written");
        let file = file.to_str().expect("a path").to_owned();
        let arguments = ["restore-drill", "--config", &file].into_iter().chain(more.iter().copied()).map(Into::into).collect();
        parse(arguments).map(|cli| cli.expect("a command line"))
    }

    #[test]
    fn the_command_line_comes_before_the_file() {
        let config = "profile = \"tiny\"\nseed = 7\nquiet = true\nlog-format = \"json\"\nscenarios = \"elsewhere\"\n";
        let cli = parsed(config, &["run", "mailu", "--seed", "9"]).expect("a command line");
        assert!(cli.output.quiet && cli.output.log_format == LogFormat::Json);
        assert_eq!(cli.scenarios, PathBuf::from("elsewhere"));
        let Command::Run(run) = cli.command else { panic!("not run") };
        assert_eq!((run.data.profile.as_str(), run.data.seed), ("tiny", 9));
    }

    #[test]
    fn who_names_the_scenarios_is_known() {
        let named = |config: &str, more: &[&str]| parsed(config, more).expect("a command line").names_scenarios;
        assert!(!named("", &["ci"]));
        assert!(named("", &["ci", "--scenarios", "scenarios"]));
        assert!(named("", &["--scenarios", "scenarios", "ci"]));
        assert!(named("scenarios = \"elsewhere\"\n", &["ci"]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let error = parsed("seed = 1\nprofil = \"tiny\"\n", &["list"]).expect_err("a typo").to_string();
        assert!(error.contains("c.toml:2: unknown option \"profil\"; known options: scenarios, profile, seed"), "{error}");
        assert!(parsed("seed = [1]\n", &["list"]).expect_err("a list").to_string().contains("c.toml:1: seed: expected a text"));
        assert!(parsed("seed = \n", &["list"]).expect_err("no TOML").to_string().contains("c.toml:1: "));
    }

    #[test]
    fn the_sample_is_every_default() {
        let mut uncommented = String::new();
        for line in SAMPLE.lines() {
            let bare = line.strip_prefix("# ").unwrap_or_default();
            if bare.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) {
                uncommented += &format!("{bare}\n");
            }
        }
        let (with, without) =
            (parsed(&uncommented, &["run", "mailu"]).expect("parsed"), parsed("", &["run", "mailu"]).expect("parsed"));
        let told = |cli: Cli| format!("{:?}", (cli.scenarios, cli.output, cli.command));
        assert_eq!(told(with), told(without));
    }
}
