//! A whole drill, phase by phase.

use std::sync::Arc;

use judge::RESTORED;
use judge::model::Verdict;

use super::accounts;
use super::backing_up;
use super::baseline::{self, Baseline};
use super::deploying;
use super::fault::{Fault, NoFault, Trials};
use super::judging;
use super::live;
use super::needing;
use super::observing;
use super::restoring;
use super::seeding;
use super::settling;
use super::shaping;
use super::state::Drill;
use super::trials;
use super::wiping;
use crate::backup::{Created, Snapshot};
use crate::error::Result;

/// All phases, in order, with the fault that was asked for.
pub async fn play(drill: &Arc<Drill>, fault: Option<&dyn Fault>) -> Result<Verdict> {
    let fault = fault.unwrap_or(&NoFault);
    let (baseline, older) = until_baseline(drill, fault).await?;
    fault.before_backup(drill).await?;
    let create = backing_up::backup_with(drill, &baseline, fault);
    let created = match drill.run.live {
        Some(rate) => live::while_others_write(drill, rate, &baseline, create).await?,
        None => create.await?,
    };
    let Some(backup) = created else { return judging::judge(drill, RESTORED) };
    fault.after_backup(drill, backup.snapshot()).await?;
    let audited = backing_up::audit(drill, &backup).await?;
    if fault.trials() != Trials::None {
        trials::write_before(drill, &audited).await?;
    }
    let wiped = if fault.wipes() {
        wiping::wipe_with(drill, &baseline, &audited, fault).await?
    } else {
        wiping::not_wiped(drill, &baseline).await?
    };
    let restarted = restoring::restore_with(drill, wiped, &backup, older.as_ref(), fault).await?;
    fault.strike(drill).await?;
    observing::observe(drill, &restarted, RESTORED).await?;
    trials::try_as(drill, fault.trials(), RESTORED).await?;
    needing::needed_secrets(drill, &restarted, fault.trials(), RESTORED).await?;
    judging::judge(drill, RESTORED)
}

/// The phases up to the baseline. Where the fault wants an older snapshot, that one is taken, and the baseline differs from
/// it.
pub(crate) async fn until_baseline(drill: &Drill, fault: &dyn Fault) -> Result<(Baseline, Option<Snapshot>)> {
    let deployed = deploying::deploy(drill).await?;
    let provisioned = accounts::provision(drill, deployed).await?;
    let seeded = seeding::seed(drill, provisioned).await?;
    let settled = settling::settle(drill, seeded).await?;
    let shaped = shaping::shape(drill, settled).await?;
    trials::try_before(drill, &shaped).await?;
    let mut older = None;
    if fault.wants_older() {
        let Created { snapshot, .. } = drill.app.bot().await?.create(&drill.app.stack.name, 1).await?;
        fault.depart(drill).await?;
        older = Some(snapshot);
    }
    Ok((baseline::baseline(drill, shaped).await?, older))
}
