//! Where a run's events go.

use std::path::{Path, PathBuf};

use crate::cli::{LogFormat, OutputArgs};
use crate::drill;
use crate::error::Result;
use crate::events::{Events, Sink};
use crate::report::JsonLines;
use crate::report::history::RUNS;
use crate::report::terminal::Terminal;
use crate::secret::Secret;

/// The sinks of a run: the terminal, and the run's directory.
pub(super) fn sinks(output: OutputArgs, brief: bool) -> drill::Sinks {
    Box::new(move |dir| {
        let watcher: Box<dyn Sink> = match output.log_format {
            LogFormat::Json => Box::new(JsonLines::stderr()),
            LogFormat::Text if output.quiet => Box::new(Terminal::quiet()),
            LogFormat::Text if brief => Box::new(Terminal::brief()),
            LogFormat::Text => Box::new(Terminal::new()),
        };
        Ok(Events::new(vec![watcher, Box::new(JsonLines::create(dir)?)]))
    })
}

/// A directory for what is done now, which no other process chooses that begins in the same second.
///
/// # Errors
/// The system has no random numbers.
pub(super) fn runs(what: &str) -> Result<PathBuf> {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let own = &Secret::random()?.derive("directory")[..4];
    Ok(Path::new(RUNS).join(format!("{what}-{now}-{own}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_in_the_same_second_has_another_directory() {
        let chosen: std::collections::BTreeSet<PathBuf> = (0..8).map(|_| runs("ladder").expect("chosen")).collect();
        assert!(chosen.len() > 1, "{chosen:?}");
    }
}
