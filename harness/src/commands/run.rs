//! `run` and `repro`: a whole drill, for the first time or again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use judge::audit::AuditReport;
use judge::model::{Status, Verdict, essences};
use judge::store::{Evidence, RunFact};

use super::sinks::sinks;
use super::stored::reproduce;
use crate::cli::{OutputArgs, RunArgs};
use crate::drill::{self, Ended};
use crate::error::{Error, Result};
use crate::ladder::Ladder;
use crate::report::{model, summary};
use crate::{again, exit_code, output};

/// Runs a drill.
pub(super) async fn run(args: &RunArgs, scenarios: &Path, output: OutputArgs) -> Result<u8> {
    let options = args.options(scenarios.to_owned())?;
    let command = options.reproduce();
    let begun = Arc::new(OnceLock::new());
    let (dir_of, inner) = (begun.clone(), sinks(output, false));
    let sinks: drill::Sinks = Box::new(move |dir| {
        dir_of.get_or_init(|| dir.to_owned());
        inner(dir)
    });
    let Ended { value: verdict, evidence, .. } = match drill::run(options, sinks).await {
        Ok(ended) => ended,
        Err(e) => {
            if let Some(dir) = begun.get() {
                output::notice(format_args!("\nevidence:  {}", dir.display()));
                ended_early(dir).unwrap_or_else(|why| output::notice(format_args!("note: summary.json was not written: {why}")));
            }
            if e.exit_code() != exit_code::USAGE {
                output::notice(format_args!("reproduce: {command}"));
            }
            return Err(e);
        }
    };
    let report = summarize(&evidence, &verdict)?;
    if !output.quiet {
        report.iter().for_each(|r| output::notice(format_args!("\n{}", r.to_string().trim_end())));
    }
    output::notice(format_args!("\nevidence:  {}", evidence.dir().display()));
    if !verdict.findings.is_empty() {
        output::notice(format_args!("report:    restore-drill report {}", evidence.dir().display()));
    }
    reproduce(&evidence)?;
    output::line(verdict.status)?;
    Ok(exit_code::of(verdict.status))
}

/// Writes `summary.json` of a run that ended before its end: its reason, and a verdict that nothing is proven.
fn ended_early(dir: &Path) -> Result<()> {
    let evidence = Evidence::open(dir)?;
    summarize(&evidence, &judge::judge(&evidence, judge::RESTORED)?).map(drop)
}

/// Writes `summary.json`. Gives what the audit says.
fn summarize(evidence: &Evidence, verdict: &Verdict) -> Result<Option<AuditReport>> {
    let mut facts = serde_json::json!({});
    for fact in
        [RunFact::Run, RunFact::Scenario, RunFact::Profile, RunFact::Seed, RunFact::Images, RunFact::Snapshot, RunFact::Reproduce]
    {
        facts[fact.key()] = serde_json::json!(evidence.get(fact)?);
    }
    let report = AuditReport::read(evidence)?;
    facts["audit"] = serde_json::json!(report);
    facts["ended"] = serde_json::json!(judge::ended::Ended::read(evidence)?);
    summary(evidence.dir(), &facts, verdict)?;
    Ok(report)
}

/// Does a stored run again.
pub(super) async fn repro(dir: &Path, evidence: Option<PathBuf>, scenarios: &Path, output: OutputArgs) -> Result<u8> {
    let before = Evidence::open(&model::run_dir(dir))?;
    if let Some(Ladder { reproduce, .. }) = model::ladder_in(dir)? {
        return Err(Error::Usage(format!("{} is the directory of a ladder; to run it again: {reproduce}", dir.display())));
    }
    let was = judge::judge(&before, judge::RESTORED)?;
    let options = again::options(&before, scenarios, evidence)?;
    output::notice(format_args!("repro: {}", options.reproduce()));
    let Ended { value: is, evidence, .. } = drill::run(options, sinks(output, false)).await?;
    let (old, new) = (essences(&was.findings), essences(&is.findings));
    output::notice(format_args!("\nevidence:  {}", evidence.dir().display()));
    for (mark, lines) in [("only then", old.difference(&new)), ("only now ", new.difference(&old))] {
        lines.take(25).try_for_each(|line| output::line(format_args!("{mark}  {line}")))?;
    }
    let same = was.status == is.status && old == new;
    let word = if same { "repeats" } else { "does not repeat" };
    output::line(format_args!("{word}: {} then, {} now", was.status, is.status))?;
    let told = was.status != Status::Unknown && is.status != Status::Unknown;
    Ok(if same {
        exit_code::HELD
    } else if told {
        exit_code::UNDETECTED
    } else {
        exit_code::UNKNOWN
    })
}
