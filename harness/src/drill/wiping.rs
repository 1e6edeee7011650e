//! The wipe: stack and volumes removed, a fresh stack deployed, and the absence observed.
//! What is left of the seeded data would make the restore's success worth nothing.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::store::{FactSeen, Login, ObservationId, Own, RunFact};
use judge::{FRESH, INSTALLED, WIPED};

use super::backing_up::Audited;
use super::baseline::Baseline;
use super::fault::{Fault, NoFault};
use super::secrets;
use super::seeing;
use super::state::Drill;
use super::trials;
use super::trials::AS_EXPECTED;
use crate::error::{Error, Leftover, Result};
use crate::events::{Phase, Running};
use crate::probe::mail::Failure;
use crate::probe::rows::UNREADABLE;
use crate::stack::until;
use crate::stack::volumes::full_name;

/// The kinds of what a wipe may leave behind.
const LEFTOVERS: [&str; 7] = ["volume", "login", "row", "file", "fact", "page", "key"];

/// Stack and volumes were removed, and a fresh stack has none of it.
#[must_use]
pub struct Wiped {
    volumes: usize,
}

impl Wiped {
    /// How many volumes were removed.
    pub fn volumes(&self) -> usize {
        self.volumes
    }
}

/// Removes the app with all its data, deploys it afresh with new secrets, and proves that nothing is left.
pub async fn wipe(drill: &Drill, baseline: &Baseline, audited: &Audited) -> Result<Wiped> {
    wipe_with(drill, baseline, audited, &NoFault).await
}

/// The same with what a fault changes about the secrets.
pub(crate) async fn wipe_with(drill: &Drill, baseline: &Baseline, _: &Audited, fault: &dyn Fault) -> Result<Wiped> {
    let phase = drill.run.events.phase(Phase::Wipe);
    if let Some(newest) = drill.run.clocks().newest {
        drill.run.evidence.set_number(RunFact::NewestItemMs, newest.elapsed().as_millis() as u64)?;
    }
    // The stack's own labels are on its volumes too: everything of the stack, and only that.
    let removed = drill.app.owned.remove_all(Some(&drill.app.stack.name), drill.app.removal_deadline()).await?;
    let renewed = secrets::renew(drill, fault)?;
    drill.app.deploy_app(&drill.app.stack, |done, all| phase.progress(done, all, "services")).await?;
    prove(drill, baseline, removed, &renewed, phase).await
}

/// What a wipe that was skipped can prove, on purpose.
pub(crate) async fn not_wiped(drill: &Drill, baseline: &Baseline) -> Result<Wiped> {
    let phase = drill.run.events.phase(Phase::Wipe);
    prove(drill, baseline, BTreeSet::new(), &BTreeSet::new(), phase).await
}

async fn prove(
    drill: &Drill,
    baseline: &Baseline,
    removed: BTreeSet<String>,
    renewed: &BTreeSet<String>,
    phase: Running,
) -> Result<Wiped> {
    let expected: BTreeSet<String> = drill.app.scenario.volumes().iter().map(|v| full_name(&drill.app.stack.name, v)).collect();
    let kept = expected.difference(&removed).next().map(|v| format!("volume {v} was not removed"));
    let logins = logins_left(drill, baseline).await?;
    let wiped = until(drill.app.converge_deadline(), || see_wiped(drill)).await?;
    let evidence = &drill.run.evidence;
    let (before, fresh) = (baseline.observation(), evidence.completed(FRESH)?);
    // After an upgrade, what the newer version made by itself is in the baseline, and in a new deployment too.
    let own = Own { before, fresh, older: evidence.completed(INSTALLED)? };
    let left: [Option<String>; LEFTOVERS.len()] = [
        kept,
        logins.iter().flatten().next().cloned(),
        rows_left(drill, own, wiped)?,
        evidence.file_still_there(own, wiped)?.map(|(volume, path)| format!("volume {volume} still has file {path}")),
        facts_left(drill, before, wiped)?,
        pages_left(drill).await?,
        keys_left(drill, own, wiped)?,
    ];
    let left = LEFTOVERS.iter().zip(left).filter_map(|(kind, what)| what.map(|what| Leftover { kind, what }));
    let left: Vec<Leftover> = left.collect();
    if !left.is_empty() {
        return Err(Error::WipeNotProven(left));
    }
    let rows = evidence.rows_besides(before, fresh)?;
    let files: u64 = evidence.file_counts(before)?.iter().map(|c| c.entries).sum();
    let (volumes, refused) = (removed.len(), logins.len());
    let new = if renewed.is_empty() { String::new() } else { format!("; new values of {}", secrets::listed(renewed)) };
    phase.finish(format!("{volumes} volumes removed; {refused} logins refused, {rows} rows and {files} files gone{new}"));
    Ok(Wiped { volumes })
}

/// The logins of the baseline: of each, what is wrong with that it can be made still.
async fn logins_left(drill: &Drill, baseline: &Baseline) -> Result<Vec<Option<String>>> {
    let accounts: Vec<String> = drill
        .run
        .evidence
        .accounts(baseline.observation())?
        .into_iter()
        .filter(|(_, login)| *login == Login::Read)
        .map(|(account, _)| account)
        .collect();
    let imap = drill.app.imap();
    futures_util::stream::iter(accounts)
        .map(|account| {
            let imap = &imap;
            async move {
                let password = drill.run.secret.password(&account);
                until(drill.app.converge_deadline(), || async {
                    match imap.login(&account, &password).await {
                        Err(Failure::Refused(_)) => Ok(Ok(None)),
                        Ok(_) => Ok(Ok(Some(format!("{account} can still log in")))),
                        Err(Failure::Other(why)) => Ok(Err(format!("waiting for the login of {account} to be refused: {why}"))),
                    }
                })
                .await
            }
        })
        .buffer_unordered(4)
        .try_collect()
        .await
}

/// Observes what is there; what cannot be read is not known to be gone, and waited for.
async fn see_wiped(drill: &Drill) -> Result<Result<ObservationId, String>> {
    let wiped = drill.run.evidence.observation(WIPED)?;
    seeing::see_data(drill, wiped, async { Ok(()) }).await?;
    for database in drill.run.evidence.databases()? {
        let checks = drill.run.evidence.checks(wiped, &database)?;
        if let Some((_, why)) = checks.iter().find(|(check, how)| check == "file" && how.starts_with(UNREADABLE)) {
            return Ok(Err(format!("waiting for database {database}: {why}")));
        }
    }
    drill.run.evidence.complete(wiped)?;
    Ok(Ok(wiped))
}

fn rows_left(drill: &Drill, own: Own, wiped: ObservationId) -> Result<Option<String>> {
    let row = drill.run.evidence.row_still_there(own, wiped)?;
    Ok(row.map(|row| format!("database {}, table {} still has row {}", row.database, row.table, row.key)))
}

fn keys_left(drill: &Drill, own: Own, wiped: ObservationId) -> Result<Option<String>> {
    if let Some((service, why)) = drill.run.evidence.redis(wiped)?.into_iter().find_map(|(service, why)| Some((service, why?))) {
        return Ok(Some(format!("redis {service} cannot be read, so that its keys may be there still: {why}")));
    }
    let key = drill.run.evidence.key_still_there(own, wiped)?;
    Ok(key.map(|(service, number, key)| format!("redis {service}, database {number} still has key {key}")))
}

/// What a user still finds in the app's pages as it was.
async fn pages_left(drill: &Drill) -> Result<Option<String>> {
    let visits = until(drill.app.converge_deadline(), || async {
        let visits = trials::visits(drill).await?;
        let untold = visits.iter().find_map(|v| Some(format!("waiting for {}: {}", v.trial, v.value.as_ref().err()?)));
        Ok(untold.map_or(Ok(visits), Err))
    });
    let visits = visits.await?;
    let still = visits.iter().find(|v| v.value.as_deref() == Ok(AS_EXPECTED));
    Ok(still.map(|visit| format!("{} still is as it was", visit.trial)))
}

fn facts_left(drill: &Drill, before: ObservationId, wiped: ObservationId) -> Result<Option<String>> {
    let (before, after) = (drill.run.evidence.facts(before)?, drill.run.evidence.facts(wiped)?);
    // A command that printed nothing before, as for an empty queue, proves nothing by that.
    let told = |f: &&FactSeen| f.value.as_ref().is_some_and(|v| !v.is_empty());
    let still = before.iter().filter(told).find(|b| after.contains(b));
    Ok(still.map(|fact| format!("{} still is {:?}", fact.fact, fact.value)))
}
