//! Where a run's events go.

use std::path::PathBuf;

use crate::cli::{LogFormat, OutputArgs};
use crate::drill;
use crate::events::{Events, Sink};
use crate::report::JsonLines;
use crate::report::terminal::Terminal;

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

/// A directory for what is done now.
pub(super) fn runs(what: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    PathBuf::from("runs").join(format!("{what}-{now}"))
}
