//! The baseline: what must come back, observed before the backup and held against what was submitted.

use std::time::Instant;

use judge::BASELINE;
use judge::model::{Finding, Item, Outcome};
use judge::store::{ObservationId, ScriptSeen};
use sha2::{Digest as _, Sha256};

use super::shaping::Shaped;
use super::state::Drill;
use super::{looking, seeing};
use crate::error::{Result, SeedingError};
use crate::events::Phase;

/// What must come back was observed, whole, and is what was submitted.
#[must_use]
pub struct Baseline {
    observation: ObservationId,
}

impl Baseline {
    /// The observation.
    pub(super) fn observation(&self) -> ObservationId {
        self.observation
    }
}

/// Observes what must come back, and holds it against what was submitted.
pub async fn baseline(drill: &Drill, _: Shaped) -> Result<Baseline> {
    let phase = drill.run.events.phase(Phase::Baseline);
    drill.run.clocks().newest = Some(Instant::now());
    let observation = seeing::see(drill, BASELINE, &phase).await?;
    let mut wrong = judge::seeding(&drill.run.evidence, observation)?;
    wrong.extend(scripts_not_seeded(drill, observation)?);
    if let Some(first) = wrong.first() {
        return Err(SeedingError::Baseline { differences: wrong.len(), first: first.to_string() }.into());
    }
    phase.finish(looking::counts(drill, observation)?);
    Ok(Baseline { observation })
}

/// A baseline of whatever is there, which is not held against what was submitted.
pub(super) async fn baseline_as_it_is(drill: &Drill) -> Result<Baseline> {
    drill.run.clocks().newest = Some(Instant::now());
    Ok(Baseline { observation: looking::look(drill, Phase::Baseline, BASELINE).await? })
}

/// Where the sieve scripts of the baseline are not the corpus'.
fn scripts_not_seeded(drill: &Drill, observation: ObservationId) -> Result<Vec<Finding>> {
    let mut wrong = Vec::new();
    if drill.app.sieve().is_none() {
        return Ok(wrong);
    }
    for user in drill.run.corpus.accounts().mailboxes() {
        let seeded = drill.run.corpus.scripts(&user.email).into_iter().map(|s| ScriptSeen {
            script: s.name.to_owned(),
            active: s.active,
            sha256: hex::encode(Sha256::digest(s.text)),
        });
        let seen = drill.run.evidence.scripts(observation, &user.email)?;
        if seen.as_ref().ok() != Some(&seeded.collect()) {
            let item = Item::Script { account: user.email.clone(), script: "*".into() };
            let detail = format!("seen: {seen:?}");
            wrong.push(Finding { item, outcome: Outcome::Altered, property: None, detail });
        }
    }
    Ok(wrong)
}
