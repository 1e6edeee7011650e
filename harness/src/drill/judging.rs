//! Judging: two stored observations compared, and what was found said.

use judge::model::Verdict;

use super::state::Drill;
use crate::error::Result;
use crate::events::{Event, Phase};

/// Judges a stored observation, and emits what was found.
pub fn judge(drill: &Drill, observation: &str) -> Result<Verdict> {
    let phase = drill.run.events.phase(Phase::Judge);
    let verdict = judge::judge(&drill.run.evidence, observation)?;
    for finding in &verdict.findings {
        drill.run.events.emit(Event::Found { finding: finding.clone() });
    }
    phase.finish(format!("{}: {} findings", verdict.status, verdict.findings.len()));
    Ok(verdict)
}
