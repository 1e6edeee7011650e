//! `labels`: what is said of a recipe's backup labels.

use std::path::Path;

use recipe::labels::lint::{self, lint};
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::rules::{Lesson, lessons};
use recipe::labels::suggest::suggest;

use crate::cli::Labels;
use crate::error::{Error, Result};
use crate::report::pr::{self, Proof};
use crate::{exit_code, output};

/// Does what is asked of labels.
pub(super) fn labels(command: Labels) -> Result<u8> {
    match command {
        Labels::Lint { paths, base, env_file, format } => {
            let operator = env_file.map(|file| recipe::env::read_env(&file)).transpose()?.unwrap_or_default();
            let sources = RecipeFiles::find_with(&paths, &operator)?;
            let recipe = sources.read()?;
            let base = base.map(|base| match Path::new(&base) {
                dir if dir.exists() => RecipeFiles::find_with(&[dir.to_owned()], &operator)?.read(),
                _ => sources.read_at(&base),
            });
            let mistakes = lint(&recipe, base.transpose()?.as_ref());
            let text = lint::render(&mistakes, format);
            if format == lint::OutputFormat::Human {
                output::text(text)?
            } else {
                output::exact(text)?
            }
            Ok(if lint::is_error(&mistakes) { exit_code::BROKEN } else { exit_code::HELD })
        }
        Labels::Explain { code: None } => {
            lessons().iter().try_for_each(|l| output::line(format_args!("{}  {}", l.code, l.summary)))?;
            Ok(exit_code::HELD)
        }
        Labels::Explain { code: Some(code) } => {
            let unknown = || Error::Usage(format!("no rule {code:?}; restore-drill labels explain lists them"));
            output::text(Lesson::find(&code).ok_or_else(unknown)?.text())?;
            Ok(exit_code::HELD)
        }
        Labels::Pr { evidence, before } => {
            let before = before.map(|dir| Proof::open(&dir)).transpose()?;
            output::text(pr::text(&Proof::open(&evidence)?, before.as_ref())?)?;
            Ok(exit_code::HELD)
        }
        Labels::Suggest { dir, write } => {
            let suggestion = suggest(&RecipeFiles::find(&[dir])?)?;
            suggestion.assumed.iter().for_each(|a| output::notice(format_args!("assumed: {a}")));
            let diff = suggestion.diff();
            if diff.is_empty() {
                output::notice("nothing to change");
            } else if write {
                suggestion.write()?;
                output::notice("written");
            }
            output::text(diff)?;
            if !suggestion.left.is_empty() {
                let left = lint::render(&suggestion.left, lint::OutputFormat::Human);
                output::notice(format_args!("\nleft for you:\n{}", left.trim_end()));
            }
            Ok(if lint::is_error(&suggestion.left) { exit_code::BROKEN } else { exit_code::HELD })
        }
    }
}
