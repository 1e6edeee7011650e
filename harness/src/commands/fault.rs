//! `fault`: injects faults, and tells which were caught.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt as _;
use recipe::scenario::asked::Asked;
use recipe::scenario::faults::Group;

use super::sinks::{runs, sinks};
use crate::cli::{FaultArgs, OutputArgs};
use crate::drill::Options;
use crate::error::{Error, FaultError, Result};
use crate::fault::matrix::Matrix;
use crate::fault::run::{self as faults, Outcome};
use crate::{exit_code, output};

/// Injects a scenario's faults.
pub(super) async fn inject(args: FaultArgs, scenarios: PathBuf, output: OutputArgs) -> Result<u8> {
    let name = &args.scenario;
    let asked = Asked::find(&scenarios, name)?;
    let mut base = Options::new(&scenarios, &asked.scenario);
    base.recipe = asked.recipe;
    let scenario = base.read()?;
    let chosen = faults::chosen(&scenario, &args.names, args.group)?;
    if args.list {
        for fault in chosen {
            output::line(format_args!("{:8}  {:32}  {}", fault.group(), fault.name(), fault.what()))?;
        }
        return Ok(exit_code::HELD);
    }
    if chosen.is_empty() {
        return Err(Error::Usage(format!(
            "none of these faults is in that group; `restore-drill fault --list {name}` lists them with their groups"
        )));
    }
    let dir = args.evidence.clone().map_or_else(|| runs("fault"), Ok)?;
    let options = |at: &str| {
        let mut options = base.clone();
        (options.profile, options.seed) = (args.data.profile.clone(), args.data.seed);
        options.evidence = Some(dir.join(at));
        options.max_drills = args.engine.max_drills;
        options
    };
    let signalled = AtomicBool::new(false);
    // The longest first, so that the others run beside it.
    let groups = [Group::Restore, Group::Labels, Group::Content, Group::Backup].into_iter().map(|group| {
        let begun = faults::group(group, &chosen, options(group.name()), sinks(output, true));
        unless(&signalled, begun)
    });
    let results: Vec<(Outcome, Result<()>)> = futures_util::stream::iter(groups).buffered(usize::from(args.jobs)).collect().await;
    let (outcomes, results): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let ended = results.into_iter().collect::<Result<()>>();
    if outcomes.iter().all(|o| o.lines.is_empty()) {
        ended?;
        return Err(FaultError::NoneInjected.into());
    }
    // Some faults alone need not turn every check red.
    let all = args.names.is_empty() && args.group.is_none() && ended.is_ok();
    let checks = outcomes.iter().filter(|_| all).flat_map(|o| o.checks.iter().cloned()).collect();
    let mut lines: Vec<_> = outcomes.into_iter().flat_map(|o| o.lines).collect();
    lines.sort_by_key(|line| line.group);
    let matrix = Matrix::new(lines, &checks, &scenario.faults.unproven);
    let file = dir.join("matrix.json");
    std::fs::write(&file, format!("{:#}\n", serde_json::json!(matrix))).map_err(Error::io(&file))?;
    if args.json {
        output::json(&matrix)?;
    } else {
        output::text(matrix.text())?;
    }
    output::notice(format_args!("evidence: {}", dir.display()));
    if !matrix.missed().is_empty() {
        output::notice(format_args!("again:    restore-drill fault {name} {}", matrix.missed().join(" ")));
    }
    ended?;
    Ok(if matrix.whole() { exit_code::HELD } else { exit_code::UNDETECTED })
}

/// What has not begun when a signal comes does not begin.
async fn unless(signalled: &AtomicBool, work: impl Future<Output = (Outcome, Result<()>)>) -> (Outcome, Result<()>) {
    if signalled.load(Ordering::Relaxed) {
        return (Outcome::default(), Ok(()));
    }
    let (outcome, result) = work.await;
    signalled.fetch_or(matches!(result, Err(Error::Signal(_))), Ordering::Relaxed);
    (outcome, result)
}
