//! The upgrade: the version under test deployed over the version before, with users' data in it.

use judge::model::Verdict;
use judge::{self, BASELINE, INSTALLED, UPGRADED};

use super::backing_up::BackedUp;
use super::baseline::{self, Baseline};
use super::fault::Trials;
use super::looking;
use super::observing;
use super::restoring;
use super::restoring::Restarted;
use super::state::Drill;
use super::trials;
use super::wiping::Wiped;
use crate::error::Result;
use crate::events::Phase;

/// The observation of what a backup of the version before gave on the version under test.
const ACROSS: &str = "restored across versions";

/// The version under test runs in the place of the one before.
#[must_use]
pub struct Upgraded {
    _private: (),
}

/// Deploys the version under test over the one that runs.
pub async fn upgrade(drill: &Drill, _: Baseline) -> Result<Upgraded> {
    let phase = drill.run.events.phase(Phase::Upgrade);
    drill.run.evidence.rename_observation(BASELINE, INSTALLED)?;
    drill.app.with_secrets(&drill.app.stack).deploy(&drill.app.owned, &drill.app.lease).await?;
    // The version under test may have services and networks that the one before has not.
    drill.app.open_doors(&drill.app.stack).await?;
    drill.app.running(|done, all| phase.progress(done, all, "services")).await?;
    drill.app.restart_waves(&drill.app.scenario.spec.upgrade.restart, |_, _| ()).await?;
    phase.finish(format!("stack {} in place", drill.app.stack.name));
    Ok(Upgraded { _private: () })
}

/// Compares what is there now with what was there before the upgrade, and tries the app.
pub async fn upgraded(drill: &Drill, _: &Upgraded) -> Result<Verdict> {
    looking::look(drill, Phase::Observe, UPGRADED).await?;
    trials::try_after(drill, UPGRADED, false).await?;
    Ok(judge::across(&drill.run.evidence, INSTALLED, UPGRADED)?)
}

/// Restores a backup of the version before onto the version under test, compares what came of it, and tries the app with it.
pub async fn across(drill: &Drill, wiped: Wiped, backup: &BackedUp) -> Result<Verdict> {
    let restored = restoring::restore(drill, wiped, backup).await?;
    let restarted: Restarted = restoring::restart(drill, restored).await?;
    observing::observe(drill, &restarted, ACROSS).await?;
    // What is in the queue goes out once, after the restore of the version's own backup.
    trials::try_as(drill, Trials::QueueHeld, ACROSS).await?;
    Ok(judge::across(&drill.run.evidence, INSTALLED, ACROSS)?)
}

/// A baseline of the version under test, once the upgrade was tried.
pub async fn baseline_again(drill: &Drill, _: Upgraded) -> Result<Baseline> {
    baseline::baseline_as_it_is(drill).await
}
