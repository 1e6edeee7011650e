//! Which old secrets the restored app needs: where something is wrong that new ones may have caused, both are tried.

use std::collections::BTreeSet;

use judge::secrets::{Came, Trouble};

use super::fault::Trials;
use super::restoring::Restarted;
use super::secrets::{attempt, listed};
use super::state::Drill;
use super::{observing, trials};
use crate::error::Result;
use crate::events::Phase;

/// Where something is wrong that may come from new secrets: finds out whether it is as before with the old ones, and which of them
/// matters. What cannot be found out changes nothing about the verdict.
pub async fn needed_secrets(drill: &Drill, restarted: &Restarted, trials: Trials, stage: &str) -> Result<()> {
    let renewed = drill.app.secrets.renewed();
    if renewed.is_empty() || !judge::may_need_secrets(&drill.run.evidence, stage)? {
        return Ok(());
    }
    let phase = drill.run.events.phase(Phase::Secrets);
    phase.finish(match try_old_values(drill, restarted, trials, stage, &renewed).await {
        Ok(tried) => format!("the restored app was tried with {tried}"),
        Err(e) => format!("whether the old values are needed could not be found out: {e}"),
    });
    Ok(())
}

/// Tries the restored app with all old values, and then, if that mends anything, with each new one alone.
async fn try_old_values(
    drill: &Drill,
    restarted: &Restarted,
    trials: Trials,
    stage: &str,
    renewed: &BTreeSet<String>,
) -> Result<String> {
    // What was in the queue goes out once.
    let trials = if trials == Trials::All { Trials::QueueHeld } else { trials };
    let look = async |new: BTreeSet<String>| {
        let name = if new.is_empty() { format!("{stage}, old secrets") } else { format!("{stage}, new {}", listed(&new)) };
        let observe = async || {
            observing::observe(drill, restarted, &name).await?;
            trials::try_as(drill, trials, &name).await?;
            Ok(Came::Observed(name.clone()))
        };
        attempt(drill, Trouble::Observation(stage.to_owned()), new, observe).await
    };
    look(BTreeSet::new()).await?;
    if !judge::old_secrets_mend(&drill.run.evidence, stage)? {
        return Ok(format!("the old values of {}, which changes nothing", listed(renewed)));
    }
    for secret in renewed {
        look(BTreeSet::from([secret.clone()])).await?;
    }
    Ok(format!("the old values of {}, and with each new one", listed(renewed)))
}
