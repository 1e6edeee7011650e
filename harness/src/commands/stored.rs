//! What is said of stored runs: `judge`, `report`, `history`, `explain`.

use std::path::{Path, PathBuf};

use judge::meaning;
use judge::store::{Evidence, RunFact};

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
    let verdict = judge::judge(&evidence, observation)?;
    if json {
        output::exact_line(serde_json::json!(verdict))?;
    } else {
        block(&verdict).iter().try_for_each(output::exact_line)?;
        reproduce(&evidence)?;
    }
    Ok(exit_code::of(verdict.status))
}

/// Writes the report of a run.
pub(super) fn report(args: ReportArgs) -> Result<u8> {
    let (report, logs) = (Report::read(&args.dir)?, model::logs(&args.dir));
    let all = args.files == OutputFiles::default();
    let files = if all { OutputFiles::all(&args.dir) } else { args.files };
    files.write(&report, &logs)?;
    if all {
        files.html.iter().try_for_each(|page| output::line(page.display()))?;
    }
    Ok(exit_code::HELD)
}

/// Lists past runs.
pub(super) fn past(dir: &Path, html: Option<PathBuf>, json: bool) -> Result<u8> {
    let (past, unread) = history::read(dir)?;
    unread.iter().for_each(|why| output::notice(format_args!("not read: {why}")));
    if let Some(file) = &html {
        std::fs::write(file, html::history(&past)?).map_err(Error::io(file))?;
    }
    if json {
        past.iter().try_for_each(|p| output::exact_line(serde_json::json!(p.report)))?;
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
        return Err(Error::Usage(unknown_finding(finding)));
    }
    found.iter().try_for_each(|m| output::text(m.text()))?;
    Ok(exit_code::HELD)
}

/// What to say of a word that no finding is called by.
fn unknown_finding(word: &str) -> String {
    const NEAR: usize = 3;
    let distance = |m: &&meaning::Meaning| strsim::damerau_levenshtein(&m.name, word);
    let nearest = meaning::all().iter().min_by_key(distance).filter(|m| distance(m) <= NEAR);
    let guess = nearest.map(|m| format!("; did you mean {:?}?", m.name)).unwrap_or_else(|| ";".into());
    format!("no finding is called {word:?}{guess} `restore-drill explain` lists them all")
}

/// Says which command does a stored run again.
pub(super) fn reproduce(evidence: &Evidence) -> Result<()> {
    if let Some(command) = evidence.get(RunFact::Reproduce)? {
        output::notice(format_args!("reproduce: {command}"));
    }
    Ok(())
}
