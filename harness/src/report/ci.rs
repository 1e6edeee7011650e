//! Output for a pipeline: plain lines, folded by phase where the CI server can do so, and the directory that a pipeline keeps.

use std::path::Path;
use std::sync::Mutex;

use judge::redact::redact;
use serde_json::json;

use super::model::{self, Report, seconds};
use super::{OutputFiles, markdown};
use crate::build::{Build, Server};
use crate::error::{Error, Result};
use crate::events::{Event, Sink};
use crate::ladder::Ladder;
use crate::output::harmless;

/// How a CI server folds lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folds {
    /// Not at all: Drone, Woodpecker and others. Headings stand out.
    None,
    /// The workflow commands of GitHub, Gitea and Forgejo.
    Github,
    /// GitLab's sections.
    Gitlab,
}

impl Folds {
    /// Those of a CI server.
    pub fn of(server: Option<Server>) -> Self {
        match server {
            Some(Server::Github | Server::Gitea | Server::Forgejo) => Self::Github,
            Some(Server::Gitlab) => Self::Gitlab,
            Some(Server::Drone | Server::Woodpecker) | None => Self::None,
        }
    }

    fn begin(self, name: &str, now: i64) -> String {
        match self {
            Self::None => format!("+ {name}"),
            Self::Github => format!("::group::{name}"),
            Self::Gitlab => format!("\x1b[0Ksection_start:{now}:{name}[collapsed=true]\r\x1b[0K{name}"),
        }
    }

    fn end(self, name: &str, now: i64) -> Option<String> {
        match self {
            Self::None => None,
            Self::Github => Some("::endgroup::".into()),
            Self::Gitlab => Some(format!("\x1b[0Ksection_end:{now}:{name}\r\x1b[0K")),
        }
    }
}

/// A sink that writes to standard error.
pub struct Folded {
    folds: Folds,
    open: Mutex<Option<&'static str>>,
}

impl Folded {
    /// With the folds of a server.
    pub fn new(folds: Folds) -> Self {
        Self { folds, open: Mutex::default() }
    }

    /// The lines of an event.
    fn lines(&self, event: &Event) -> Vec<String> {
        let now = jiff::Timestamp::now().as_second();
        let mut open = self.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut lines = Vec::new();
        match event {
            Event::Started { run, scenario, profile, seed } => {
                lines.push(format!("drill {scenario}, profile {profile}, seed {seed}, run {run}"));
            }
            Event::PhaseStarted { phase } => {
                lines.extend(open.take().and_then(|name| self.folds.end(name, now)));
                lines.push(self.folds.begin(phase.name(), now));
                *open = Some(phase.name());
            }
            Event::PhaseFinished { phase, millis, summary } => {
                lines.push(format!("  {} in {}: {}", phase.name(), seconds(*millis), harmless(summary)));
                lines.extend(open.take().and_then(|name| self.folds.end(name, now)));
            }
            Event::Note { message } => lines.push(format!("  {}", harmless(message))),
            Event::Found { finding } => lines.push(format!("  - {}", harmless(&finding.to_string()))),
            Event::Ended { ended } => lines.push(format!("unknown: {}", harmless(&ended.to_string()))),
            Event::Finished { .. } | Event::Progress { .. } | Event::Doing { .. } | Event::FaultJudged { .. } => {}
        }
        lines
    }
}

impl Sink for Folded {
    fn event(&self, event: &Event) {
        let term = console::Term::stderr();
        for line in self.lines(event) {
            // A closed pipe must not end the run, which still has to tear down.
            let _ = term.write_line(&redact(&line));
        }
    }
}

/// What `results.json` says beside the reports.
#[derive(Debug, Clone, Copy)]
pub struct Results<'a> {
    /// The exit code of the ladder.
    pub exit_code: u8,
    /// The ladder, if there is one.
    pub ladder: Option<&'a Ladder>,
    /// The command that reproduces it.
    pub reproduce: &'a str,
    /// The CI server's build.
    pub build: Option<&'a Build>,
}

/// The name of the file that has them.
pub const RESULTS: &str = "results.json";
/// The text for the comment on the pull request.
pub const COMMENT: &str = "report.md";

/// Refuses a link. In a checkout it is a stranger's: results would be written to the place that it leads to, or files there be kept as
/// results.
///
/// # Errors
/// It is one.
pub fn refuse_link(path: &Path) -> Result<()> {
    if path.is_symlink() {
        let path = path.display();
        return Err(Error::Usage(format!(
            "{path} is a link, and results are not written through one. Remove it, or name another directory with --out"
        )));
    }
    Ok(())
}

/// Creates the directory for the results, and finds out whether files can be written there. Results of an earlier build are no longer true.
pub fn prepare(out: &Path) -> Result<()> {
    refuse_link(out)?;
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    for entry in std::fs::read_dir(out).map_err(Error::io(out))?.flatten() {
        refuse_link(&entry.path())?;
    }
    tempfile::tempfile_in(out).map_err(Error::io(out))?;
    for file in OutputFiles::all(out).names().iter().map(String::as_str).chain([RESULTS]) {
        let file = out.join(file);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(file)(e)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes what a pipeline keeps into a directory: every form of the report, and `results.json` with the exit code.
pub fn keep(out: &Path, dir: &Path, results: &Results<'_>) -> Result<Report> {
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    let report = Report::read(dir)?;
    let files = OutputFiles::all(out);
    files.write(&report, &model::logs(dir))?;
    write(out, results, &json!(report.status), &files.names())?;
    Ok(report)
}

/// The same for a run that ended before its end: every form of the report, where the run had begun, and else a text with the error.
pub fn keep_error(out: &Path, dir: &Path, error: &Error, results: &Results<'_>) -> Result<()> {
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    if let Ok(report) = Report::read(dir) {
        let files = OutputFiles::all(out);
        files.write(&report, &model::logs(dir))?;
        return write(out, results, &json!("error"), &files.names());
    }
    let message = harmless(&redact(&error.to_string())).replace('\n', "\n    ");
    let reproduce = markdown::code(results.reproduce);
    let text = format!("## Restore drill: ended before a verdict\n\n    {message}\n\nTo reproduce: {reproduce}\n");
    let path = out.join(COMMENT);
    std::fs::write(&path, text).map_err(Error::io(path))?;
    write(out, results, &json!("error"), &[COMMENT.to_owned()])
}

fn write(out: &Path, results: &Results<'_>, verdict: &serde_json::Value, files: &[String]) -> Result<()> {
    let Results { exit_code, ladder, reproduce, build } = results;
    let all = json!({
        "form": 1,
        "exit_code": exit_code,
        "verdict": verdict,
        "level": ladder.map(|l| l.level),
        "recipe": ladder.map(|l| json!({"name": l.recipe, "version": l.under_test.version, "commit": l.under_test.commit})),
        "reproduce": redact(reproduce),
        "build": build.map(Build::json).unwrap_or_default(),
        "files": files,
    });
    let path = out.join(RESULTS);
    std::fs::write(&path, format!("{all:#}\n")).map_err(Error::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Phase;

    #[test]
    fn each_phase_is_folded_where_the_server_can_and_never_left_open() {
        let run = |folds: Folds| {
            let sink = Folded::new(folds);
            let phase = Phase::Deploy;
            let events = [
                Event::PhaseStarted { phase },
                Event::Note { message: "note\n::stop-commands::x".into() },
                Event::PhaseFinished { phase, millis: 1500, summary: "up".into() },
                Event::PhaseStarted { phase: Phase::Wipe },
                Event::PhaseStarted { phase: Phase::Teardown },
            ];
            events.iter().flat_map(|e| sink.lines(e)).collect::<Vec<_>>()
        };
        assert_eq!(
            run(Folds::None),
            ["+ deploy", "  note\n\\u{3a}:stop-commands::x", "  deploy in 1.5 s: up", "+ wipe", "+ teardown"]
        );
        assert_eq!(
            run(Folds::Github),
            [
                "::group::deploy",
                "  note\n\\u{3a}:stop-commands::x",
                "  deploy in 1.5 s: up",
                "::endgroup::",
                "::group::wipe",
                "::endgroup::",
                "::group::teardown"
            ]
        );
    }
}
