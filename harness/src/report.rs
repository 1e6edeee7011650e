//! Sinks of events: the terminal, and the run's files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use judge::model::Verdict;
use judge::redact::redact;
use serde_json::json;

use crate::error::{Error, Result};
use crate::events::{Event, Sink};
use crate::output::harmless_json;

pub mod ci;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod model;
pub mod pr;
mod progress;
pub mod since;
pub mod terminal;

/// `events.jsonl`: every event but progress, one JSON object a line, with the time.
pub struct JsonLines<W: Write = File>(Mutex<W>);

impl JsonLines<std::io::Stderr> {
    /// The same lines on standard error.
    pub fn stderr() -> Self {
        Self(Mutex::new(std::io::stderr()))
    }
}

impl JsonLines {
    /// Creates the file in a run's directory.
    pub fn create(dir: &Path) -> Result<Self> {
        let path = dir.join("events.jsonl");
        File::create(&path).map(|f| Self(Mutex::new(f))).map_err(Error::io(path))
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Progress { .. } | Event::Doing { .. }) {
            return;
        }
        let mut line = json!(event);
        line["time"] = json!(jiff::Timestamp::now().to_string());
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A full disk must not end the run, which still has to tear down.
        let _ = writeln!(file, "{}", harmless_json(&redact(&line.to_string())));
    }
}

/// The files that a report is written to, one for each form.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct OutputFiles {
    /// A page for people.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// JUnit's XML, with a test case for each check.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// JSON, as `restore-drill schema report` describes it.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Markdown, for a comment.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

impl OutputFiles {
    /// Every form, in a directory.
    pub fn all(dir: &Path) -> Self {
        let file = |name: &str| Some(dir.join(name));
        Self { html: file("report.html"), junit: file("junit.xml"), json: file("report.json"), markdown: file("report.md") }
    }

    /// Their names, without directories.
    pub fn names(&self) -> Vec<String> {
        let all = [&self.html, &self.junit, &self.json, &self.markdown];
        all.into_iter().flatten().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect()
    }

    /// Writes the files that have a name.
    pub fn write(&self, report: &model::Report, logs: &[model::Log]) -> Result<()> {
        let write = |file: &Option<PathBuf>, text: &dyn Fn() -> Result<String>| match file {
            Some(file) => Ok(std::fs::write(file, text()?).map_err(recipe::Error::unwritable(file))?),
            None => Ok(()),
        };
        write(&self.html, &|| html::page(report, logs))?;
        write(&self.junit, &|| junit::xml(report))?;
        write(&self.json, &|| Ok(format!("{:#}\n", json!(report))))?;
        write(&self.markdown, &|| Ok(markdown::text(report)))
    }
}

/// Writes `summary.json`: what CI needs to know.
pub fn summary(dir: &Path, facts: &serde_json::Value, verdict: &Verdict) -> Result<()> {
    let path = dir.join("summary.json");
    let mut summary = facts.clone();
    summary["verdict"] = json!(verdict);
    std::fs::write(&path, redact(&format!("{summary:#}\n")).as_ref()).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that nobody reads. It counts how often somebody writes to it.
    struct Unread(std::sync::Arc<Mutex<u32>>);

    impl Write for Unread {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            *self.0.lock().expect("not poisoned") += 1;
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn events_that_nobody_reads_end_no_run() {
        let writes = std::sync::Arc::default();
        let sink = JsonLines(Mutex::new(Unread(std::sync::Arc::clone(&writes))));
        for message in ["one", "two"] {
            sink.event(&Event::Note { message: message.into() });
        }
        assert_eq!(*writes.lock().expect("not poisoned"), 2, "the second event is written too");
    }
}
