//! `labels`: what is said of a recipe's backup labels.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use recipe::labels::lint::{self, OutputFormat, lint_files};
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::rules::{Lesson, lessons};
use recipe::labels::suggest::{Suggestion, suggest};
use recipe::near::did_you_mean;

use crate::cli::Labels;
use crate::error::{Error, Result};
use crate::report::pr::{self, Proof};
use crate::{exit_code, output};

mod catalogue;
mod docker;

/// Does what is asked of labels.
pub(super) fn labels(command: Labels) -> Result<u8> {
    match command {
        Labels::Lint { catalogue: Some(dir), format, env_file, .. } => {
            catalogue::lint(&dir, &operator(env_file.as_deref())?, format)
        }
        Labels::Lint { paths, base, env_file, format, .. } => {
            let operator = operator(env_file.as_deref())?;
            let sources = RecipeFiles::find_with(&paths, &operator)?;
            let base = base.map(|base| match Path::new(&base) {
                dir if dir.exists() => RecipeFiles::find_with(&[dir.to_owned()], &operator)?.read(),
                _ => sources.read_at(&base),
            });
            let mistakes = lint_files(&sources, base.transpose()?.as_ref())?;
            catalogue::printed(lint::render(&mistakes, format), format)?;
            Ok(if lint::is_error(&mistakes) { exit_code::BROKEN } else { exit_code::HELD })
        }
        Labels::Explain { code: None } => {
            lessons().iter().try_for_each(|l| output::line(format_args!("{}  {}", l.code, l.summary)))?;
            Ok(exit_code::HELD)
        }
        Labels::Explain { code: Some(code) } => {
            let names: Vec<String> = lessons().iter().flat_map(|l| [l.code.clone(), l.name.to_string()]).collect();
            let near = did_you_mean(&code, names.iter().map(String::as_str));
            if Lesson::find(&code).is_none() && !judge::meaning::find(&code).is_empty() {
                let hint = format!("{code:?} is a finding of a drill: `restore-drill explain {code:?}` explains it");
                return Err(Error::Usage(hint));
            }
            let unknown = || Error::Usage(format!("no rule is called {code:?}; `restore-drill labels explain` lists them{near}"));
            output::text(Lesson::find(&code).ok_or_else(unknown)?.text())?;
            Ok(exit_code::HELD)
        }
        Labels::Pr { evidence, before, release } => {
            let before = before.map(|dir| Proof::open(&dir)).transpose()?;
            let proof = Proof::open(&evidence)?;
            output::text(pr::text(&proof, before.as_ref())?)?;
            if let Some(recipe) = release {
                let written = pr::write_release(&proof, &recipe)?;
                output::notice(format_args!("written: {}", written.display()));
            }
            Ok(exit_code::HELD)
        }
        Labels::Suggest { dir, write } => suggested(dir, write),
    }
}

fn operator(env_file: Option<&Path>) -> Result<std::collections::BTreeMap<String, String>> {
    crate::cli::env_file(env_file)?;
    Ok(env_file.map(recipe::env::read_env).transpose()?.unwrap_or_default())
}

fn suggested(dir: PathBuf, write: bool) -> Result<u8> {
    let sources = RecipeFiles::find(&[dir])?;
    let suggestion = suggest(&sources)?;
    docker::check(&sources, &suggestion)?;
    let Suggestion { assumed, said, by_hand, left, .. } = &suggestion;
    assumed.iter().for_each(|a| output::notice(format_args!("assumed: {a}")));
    said.iter().for_each(|s| output::notice(format_args!("changed: {s}")));
    let root = std::env::current_dir().unwrap_or_default();
    let diff = suggestion.diff_from(&root);
    if diff.is_empty() {
        output::notice("nothing to change");
    } else if write {
        suggestion.write()?;
        output::notice("written");
    }
    // A program that applies it needs every byte; people and CI servers see what strangers wrote.
    let is_file = std::fs::metadata("/proc/self/fd/1").is_ok_and(|stdout| stdout.is_file());
    let is_shown = std::io::stdout().is_terminal() || (std::env::var_os("CI").is_some() && !is_file);
    if is_shown {
        output::text(diff)?
    } else {
        output::exact(diff)?
    }
    if !left.is_empty() || !by_hand.is_empty() {
        let rendered = if left.is_empty() { String::new() } else { lint::render(left, OutputFormat::Human) };
        let by_hand: String = by_hand.iter().map(|line| format!("{line}\n")).collect();
        output::notice(format_args!("\nleft for you:\n{}", format!("{by_hand}{rendered}").trim_end()));
    }
    Ok(if lint::is_error(left) { exit_code::BROKEN } else { exit_code::HELD })
}
