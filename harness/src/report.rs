//! Sinks of events: the terminal, and the run's files.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use serde_json::json;

use crate::error::{Error, Result};
use crate::events::{Event, Sink};
use crate::model::Verdict;
use crate::secret::redact;

pub mod ci;
pub mod history;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod model;
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
        if matches!(event, Event::Progress { .. }) {
            return;
        }
        let mut line = json!(event);
        line["time"] = json!(jiff::Timestamp::now().to_string());
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A full disk must not end the run, which still has to tear down.
        let _ = writeln!(file, "{}", redact(&line.to_string()));
    }
}

/// Writes every form of a report into a directory.
pub fn write_all(dir: &Path, report: &model::Report, logs: &[model::Log]) -> Result<()> {
    let write = |name: &str, text: String| {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(Error::io(path))
    };
    write("report.html", html::page(report, logs)?)?;
    write("junit.xml", junit::xml(report)?)?;
    write("report.json", format!("{:#}\n", json!(report)))?;
    write("report.md", markdown::text(report))
}

/// Writes `summary.json`: what CI needs to know.
pub fn summary(dir: &Path, facts: &serde_json::Value, verdict: &Verdict) -> Result<()> {
    let path = dir.join("summary.json");
    let mut summary = facts.clone();
    summary["verdict"] = json!(verdict);
    std::fs::write(&path, redact(&format!("{summary:#}\n")).as_ref()).map_err(Error::io(path))
}
