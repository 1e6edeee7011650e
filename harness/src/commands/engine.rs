//! What is asked of the engine and what runs on it: `gc`, `doctor`, `images`, `audit`, `conformance`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use judge::audit::AuditReport;
use judge::store::Evidence;
use recipe::scenario::Scenario;

use crate::audit::Audited;
use crate::cli::strict;
use crate::conformance::{Outcome, Tested};
use crate::doctor::{self, Level};
use crate::error::Result;
use crate::events::{Events, Phase};
use crate::report::terminal::Terminal;
use crate::secret::Secret;
use crate::stack::alive::Temporary;
use crate::stack::lease::Lease;
use crate::stack::ownership::Owned;
use crate::stack::{ensure_swarm, gc};
use crate::{audit, conformance, exit_code, images, installation, output};

/// Removes what killed runs left.
pub(super) async fn gc(run: Option<&str>, force: bool) -> Result<u8> {
    let engine = Engine::connect().await?;
    let which = match run {
        None => gc::Which::Dead,
        Some(run) if force => gc::Which::Forced(run),
        Some(run) => gc::Which::Run(run),
    };
    let ending = |run: &str| output::notice(format_args!("ending {run}"));
    let done = gc::collect(&engine, which, Duration::from_secs(120), ending).await?;
    let code = if done.failed.is_empty() { exit_code::HELD } else { exit_code::NOT_POSTED };
    for (what, runs) in [
        ("removed", done.removed),
        ("live", done.live),
        ("kept", done.kept),
        ("unknown (started elsewhere, no lease)", done.unknown),
        ("being removed already", done.taken),
        ("not removed", done.failed),
    ] {
        output::line(format_args!("{what}: {}", if runs.is_empty() { "none".into() } else { runs.join(", ") }))?;
    }
    Ok(code)
}

/// Checks the engine and this machine.
pub(super) async fn doctor(scenarios: &Path) -> Result<u8> {
    let checks = doctor::doctor(scenarios).await;
    for check in &checks {
        let mark = match check.level {
            Level::Ok => "ok  ",
            Level::Note => "note",
            Level::Bad => "BAD ",
        };
        output::line(format_args!("{mark}  {:14}  {}", check.what, check.found))?;
    }
    let bad = checks.iter().any(|c| c.level == Level::Bad);
    Ok(if bad { exit_code::ENGINE } else { exit_code::HELD })
}

/// Builds a scenario's stand-in images and the bot's, or the bot's alone.
pub(super) async fn images(scenarios: &Path, name: &str) -> Result<u8> {
    let bot = installation::bot(scenarios)?;
    let scenario = if scenarios.join(name) == bot { None } else { Some(Scenario::load(scenarios, name)?) };
    let engine = Engine::connect().await?;
    let mut sources = images::bot::source(&bot).await?;
    if let Some(scenario) = scenario {
        sources.extend(scenario.image_contexts()?);
    }
    let events = Events::new(vec![Box::new(Terminal::new())]);
    ensure_swarm(&engine, &events).await?;
    let owned = Owned::new(engine, &Secret::random()?.derive("run id")[..8]);
    let lease = Lease::take(&owned, "images").await?;
    let phase = events.phase(Phase::Images);
    let building = images::ensure_images(&owned, &sources, &events, |done, all| phase.progress(done, all, "images"));
    let built = lease.interruptible(building).await;
    lease.end(Duration::from_secs(60)).await?;
    let built = built?;
    phase.finish(format!("{} images are there", built.len()));
    built.values().try_for_each(output::line)?;
    Ok(exit_code::HELD)
}

/// Audits a snapshot of a deployed stack.
pub(super) async fn audit(scenarios: &Path, what: Audited<'_>, scenario: Option<String>, json: bool) -> Result<u8> {
    let scenario = match scenario {
        Some(name) => Scenario::load(scenarios, &name)?,
        None => audit::scenario_of(scenarios, what.stack).await?,
    };
    let dir = Temporary::new()?;
    let evidence = Arc::new(Evidence::create(dir.path())?);
    audit::deployed(&scenario, what, evidence.clone()).await?;
    let (verdict, report) = (judge::audited(&evidence)?, AuditReport::read(&evidence)?);
    if json {
        output::json_line(&serde_json::json!({"verdict": verdict, "report": report}))?;
    } else {
        report.iter().try_for_each(output::text)?;
        verdict.coverage.left_out().iter().try_for_each(output::line)?;
        verdict.findings.iter().try_for_each(output::line)?;
        output::line(verdict.status)?;
    }
    Ok(exit_code::of(verdict.status))
}

/// Tests a bot against its specification.
pub(super) async fn conformance(scenarios: &Path, tested: Tested<'_>, names: &[String], json: bool) -> Result<u8> {
    let tested = Tested { strict: strict(tested.strict, tested.choice)?, ..tested };
    let events = Events::new(vec![Box::new(Terminal::new())]);
    let outcomes = conformance::run(scenarios, tested, names, &events).await?;
    if json {
        output::json(&outcomes)?;
    } else {
        said(&outcomes)?;
    }
    let all = !outcomes.is_empty() && outcomes.iter().all(|o| o.differences.is_empty());
    Ok(if all { exit_code::HELD } else { exit_code::BROKEN })
}

fn said(outcomes: &[Outcome]) -> Result<()> {
    for outcome in outcomes.iter().filter(|o| !o.differences.is_empty()) {
        output::line(format_args!("{}: {}", outcome.case, outcome.why))?;
        outcome.differences.iter().try_for_each(|d| output::line(format_args!("  {d}")))?;
    }
    for (case, what) in outcomes.iter().filter_map(|o| Some((&o.case, o.deviation.as_ref()?))) {
        output::line(format_args!("{case} differs from the specification: {what}"))?;
    }
    let kept = outcomes.iter().filter(|o| o.differences.is_empty()).count();
    let differ = outcomes.iter().filter(|o| o.deviation.is_some()).count();
    let as_deployed = if differ > 0 { format!(", {differ} of them as backup-bot-two does") } else { String::new() };
    output::line(format_args!("{kept} of {} cases kept{as_deployed}", outcomes.len()))
}
