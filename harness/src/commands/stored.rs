//! What is said of stored runs: `judge`, `report`, `history`, `explain`.

use std::path::{Path, PathBuf};

use judge::meaning;
use judge::store::{Evidence, RunFact};
use recipe::labels::rules::Lesson;
use recipe::near::{did_you_mean, unknown};

use crate::cli::ReportArgs;
use crate::error::{Error, Result};
use crate::report::model::{self, Report};
use crate::report::terminal::block;
use crate::report::{OutputFiles, history, html};
use crate::{exit_code, output};

/// Judges a stored run.
pub(super) fn judge(dir: &Path, observation: &str, json: bool, checks: bool) -> Result<u8> {
    let evidence = Evidence::open(dir)?;
    if checks {
        output::text(judge::checks::text(&judge::checks::performed(&evidence, observation)?))?;
        return Ok(exit_code::HELD);
    }
    let known = evidence.observations()?;
    if observation != judge::RESTORED && !known.iter().any(|name| name == observation) {
        return Err(Error::Usage(unknown("observation", observation, known.iter().map(String::as_str))));
    }
    let verdict = judge::judge(&evidence, observation)?;
    if json {
        output::json_line(&verdict)?;
    } else {
        block(&verdict).iter().try_for_each(output::exact_line)?;
        reproduce(&evidence)?;
    }
    Ok(exit_code::of(verdict.status))
}

/// Writes the report of a run.
pub(super) fn report(args: ReportArgs) -> Result<u8> {
    let (mut report, logs) = (Report::read(&args.dir)?, model::logs(&args.dir));
    let before = args.compare.as_deref().map(Report::read).transpose()?;
    report.since = before.map(|before| report.since(&before)).transpose()?;
    let all = args.files == OutputFiles::default();
    let files = if all { OutputFiles::all(&args.dir) } else { args.files };
    files.write(&report, &logs)?;
    if all {
        files.html.iter().try_for_each(|page| output::line(page.display()))?;
    }
    report.since.iter().try_for_each(output::line)?;
    Ok(exit_code::HELD)
}

/// Lists past runs.
pub(super) fn past(dir: &Path, html: Option<PathBuf>, json: bool) -> Result<u8> {
    let (past, unread) = history::read(dir)?;
    unread.iter().for_each(|why| output::notice(format_args!("not read: {why}")));
    if let Some(file) = &html {
        std::fs::write(file, html::history(&past)?).map_err(recipe::Error::unwritable(file))?;
    }
    if json {
        past.iter().try_for_each(|p| output::json_line(&p.report))?;
    } else {
        output::text(history::table(&past))?;
    }
    Ok(exit_code::HELD)
}

/// Explains a finding, or lists all meanings.
pub(super) fn explain(finding: &str) -> Result<u8> {
    if finding.is_empty() {
        meaning::all().iter().try_for_each(|m| output::line(format_args!("{:24}  {}", m.name, m.means)))?;
        return Ok(exit_code::HELD);
    }
    let found = meaning::find(finding);
    if found.is_empty() {
        if Lesson::find(finding).is_some() {
            let hint = format!("{finding} is a rule of lint: `restore-drill labels explain {finding}` explains it");
            return Err(Error::Usage(hint));
        }
        let near = did_you_mean(finding, meaning::all().iter().map(|m| m.name.as_str()));
        return Err(Error::Usage(format!("no finding is called {finding:?}; `restore-drill explain` lists them all{near}")));
    }
    found.iter().try_for_each(|m| output::text(m.text()))?;
    Ok(exit_code::HELD)
}

/// Says which command does a stored run again.
pub(super) fn reproduce(evidence: &Evidence) -> Result<()> {
    if let Some(command) = evidence.get(RunFact::Reproduce)? {
        output::notice(format_args!("reproduce: {command}"));
    }
    Ok(())
}
