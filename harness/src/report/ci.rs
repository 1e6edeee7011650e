//! Output for a pipeline: plain lines, folded by phase where the CI server can do so, and the directory that a pipeline keeps.

use std::path::Path;
use std::sync::Mutex;

use judge::redact::redact;
use serde_json::json;

use super::OutputFiles;
use super::model::{self, Report, seconds};
use crate::error::{Error, Result};
use crate::events::{Event, Sink};
use crate::output::harmless;

/// How a CI server folds lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folds {
    /// Not at all: Drone, Woodpecker and others. Headings stand out.
    None,
    /// GitHub's and Gitea's workflow commands.
    Github,
    /// GitLab's sections.
    Gitlab,
}

impl Folds {
    /// Those of the CI server that the environment names.
    pub fn here() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some();
        match () {
            () if set("GITHUB_ACTIONS") || set("GITEA_ACTIONS") => Self::Github,
            () if set("GITLAB_CI") => Self::Gitlab,
            () => Self::None,
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
            Event::Finished { .. } | Event::Progress { .. } | Event::FaultJudged { .. } => {}
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

/// Writes what a pipeline keeps into a directory: every form of the report, and `results.json` with the exit code.
pub fn keep(out: &Path, dir: &Path, exit_code: u8) -> Result<Report> {
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    let report = Report::read(dir)?;
    OutputFiles::all(out).write(&report, &model::logs(dir))?;
    results(out, exit_code, &json!(report.status), report.ladder.as_ref().map(|l| l.level), &report.run.reproduce)?;
    Ok(report)
}

/// The same for a run that ended before its end: every form of the report, where the run had begun, and else a text with the error.
pub fn keep_error(out: &Path, dir: &Path, error: &Error, command: &str) -> Result<()> {
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    if let Ok(report) = Report::read(dir) {
        OutputFiles::all(out).write(&report, &model::logs(dir))?;
        return results(out, error.exit_code(), &json!("error"), None, command);
    }
    let text = format!(
        "## Restore drill: ended before a verdict\n\n    {}\n\nTo reproduce: `{command}`\n",
        error.to_string().replace('\n', "\n    ")
    );
    let path = out.join("report.md");
    std::fs::write(&path, text).map_err(Error::io(path))?;
    results(out, error.exit_code(), &json!("error"), None, command)
}

fn results(out: &Path, exit_code: u8, verdict: &serde_json::Value, level: Option<u8>, reproduce: &str) -> Result<()> {
    let results =
        json!({"form": 1, "exit_code": exit_code, "verdict": verdict, "level": level, "reproduce": reproduce, "build": build()});
    let path = out.join("results.json");
    std::fs::write(&path, format!("{results:#}\n")).map_err(Error::io(path))
}

/// What Drone reports about the build.
pub fn build() -> serde_json::Map<String, serde_json::Value> {
    const NAMES: [&str; 7] = [
        "DRONE_REPO",
        "DRONE_BUILD_NUMBER",
        "DRONE_BUILD_LINK",
        "DRONE_BUILD_EVENT",
        "DRONE_COMMIT_SHA",
        "DRONE_BRANCH",
        "DRONE_TAG",
    ];
    let one = |name: &str| Some((name.to_lowercase(), json!(std::env::var(name).ok().filter(|v| !v.is_empty())?)));
    NAMES.into_iter().filter_map(one).collect()
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
