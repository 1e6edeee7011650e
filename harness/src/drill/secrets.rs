//! The secrets that a run generates for the app. The deployment into which the backup is restored gets new ones, as that of an operator who
//! lost the machine. Where the restored app does not come up with them, it is tried with the old ones.

use std::collections::BTreeSet;

use judge::model::KeptSecret;
use judge::secrets::{Attempt, Came, Secrets, Trouble};

use super::fault::Fault;
use super::state::Drill;
use crate::error::{Error, Result};
use crate::events::Phase;

/// Gives the secrets new values with which the app is deployed next, but those that the inventory keeps. Gives the names of those that
/// are renewed.
pub(super) fn renew(drill: &Drill, fault: &dyn Fault) -> Result<BTreeSet<String>> {
    let kept = &drill.app.scenario.inventory.secrets;
    let is_kept = |name: &String| kept.iter().any(|s| s.is(name)) && !fault.renews().iter().any(|f| f.eq_ignore_ascii_case(name));
    let renewed: BTreeSet<String> = drill.app.secrets.names().into_iter().filter(|name| !is_kept(name)).collect();
    let why = |name: &String| kept.iter().find(|s| s.is(name)).map(|s| s.keep.clone()).unwrap_or_default();
    let names = drill.app.secrets.names().into_iter().filter(|name| is_kept(name));
    let kept = names.map(|name| KeptSecret { why: why(&name), name }).collect();
    Secrets { renewed: renewed.clone(), kept, attempts: vec![] }.store(&drill.run.evidence)?;
    drill.app.secrets.renew(renewed.clone());
    Ok(renewed)
}

/// Where the app did not come up after the restore: finds out whether it does with old values, and leaves it running with those that it
/// needs. The error `why` stands where secrets do not explain it.
pub(super) async fn start_with_needed(drill: &Drill, why: Error) -> Result<()> {
    let renewed = drill.app.secrets.renewed();
    if renewed.is_empty() || !why.is_late() {
        return Err(why);
    }
    let phase = drill.run.events.phase(Phase::Secrets);
    remember(drill, Attempt { of: Trouble::Start, new: renewed.clone(), came: Came::Down(why.to_string()) })?;
    let start = |new| attempt(drill, Trouble::Start, new, async || Ok(Came::Up));
    if start(BTreeSet::new()).await? == Came::Up {
        for secret in &renewed {
            start(BTreeSet::from([secret.clone()])).await?;
        }
    }
    let needed: BTreeSet<String> = stored(drill)?.needed_to_start().into_iter().map(|need| need.secret).collect();
    if needed.is_empty() {
        return Err(why);
    }
    drill.app.secrets.renew(renewed.difference(&needed).cloned().collect());
    drill.app.deploy_again().await?;
    phase.finish(format!("with old values of {}, the app comes up", listed(&needed)));
    Ok(())
}

/// Deploys the restored app once more, with new values of these secrets only; if it comes up, `look` says what came of it.
pub(super) async fn attempt(
    drill: &Drill,
    of: Trouble,
    new: BTreeSet<String>,
    look: impl AsyncFnOnce() -> Result<Came>,
) -> Result<Came> {
    drill.app.secrets.renew(new.clone());
    let came = match drill.app.deploy_again().await {
        Ok(()) => look().await?,
        Err(why) if why.is_late() => Came::Down(why.to_string()),
        Err(e) => return Err(e),
    };
    remember(drill, Attempt { of, new, came: came.clone() })?;
    Ok(came)
}

fn remember(drill: &Drill, attempt: Attempt) -> Result<()> {
    let mut secrets = stored(drill)?;
    secrets.attempts.push(attempt);
    Ok(secrets.store(&drill.run.evidence)?)
}

fn stored(drill: &Drill) -> Result<Secrets> {
    Ok(Secrets::read(&drill.run.evidence)?.unwrap_or_default())
}

/// Names for a reader.
pub(super) fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}
