//! The restore: the bot puts the snapshot's files back, and the services that hold old state are restarted.

use std::time::Instant;

use judge::model::{BotStep, Complaint};

use super::backing_up::BackedUp;
use super::fault::{Fault, NoFault, Restoring, Times};
use super::state::Drill;
use super::wiping::Wiped;
use crate::backup::{self, Snapshot};
use crate::error::{FaultError, Result};
use crate::events::Phase;

/// The bot put the snapshot's files back, or was told not to by a fault.
#[must_use]
pub struct Restored {
    _private: (),
}

/// The services run on what was restored.
#[must_use]
pub struct Restarted {
    _private: (),
}

/// Has the bot restore the snapshot. Where the bot says that it failed, that is a finding, and what is there is observed
/// all the same.
pub async fn restore(drill: &Drill, wiped: Wiped, backup: &BackedUp) -> Result<Restored> {
    restored(drill, &wiped, backup.snapshot(), &Restoring::default(), &NoFault).await
}

/// Restores and restarts with what a fault changes about it.
pub(crate) async fn restore_with(
    drill: &Drill,
    wiped: Wiped,
    backup: &BackedUp,
    older: Option<&Snapshot>,
    fault: &dyn Fault,
) -> Result<Restarted> {
    let how = fault.restoring(drill);
    let snapshot = match older.filter(|_| how.older) {
        Some(older) => older,
        None if how.older => return Err(FaultError::NoOlderSnapshot.into()),
        None => backup.snapshot(),
    };
    fault.before_restore(drill).await?;
    let mut restored = restored(drill, &wiped, snapshot, &how, fault).await?;
    if how.times == Times::AgainAfterRestart {
        let _restarted = restart(drill, restored).await?;
        fault.between_restores(drill).await?;
        restored = restored_again(drill, snapshot, &how).await?;
    }
    if how.times == Times::Twice {
        fault.between_restores(drill).await?;
        restored = restored_again(drill, snapshot, &how).await?;
    }
    fault.after_restore(drill).await?;
    if how.restarts { restart(drill, restored).await } else { Ok(Restarted { _private: () }) }
}

async fn restored(drill: &Drill, wiped: &Wiped, snapshot: &Snapshot, how: &Restoring, fault: &dyn Fault) -> Result<Restored> {
    if how.times == Times::None {
        return Ok(Restored { _private: () });
    }
    let phase = drill.run.events.phase(Phase::Restore);
    drill.run.clocks().restore = Some(Instant::now());
    let mut complaints = None;
    let restore = async {
        complaints = backup::step(&drill.run.evidence, BotStep::Restore, call_restore(drill, snapshot, how).await)?;
        Ok(())
    };
    fault.during_restore(drill, Box::pin(restore)).await?;
    let said = match complaints {
        Some(complaints) => {
            drill.run.evidence.put_complaints(BotStep::Restore, &complaints)?;
            format!("into the {} volumes of a fresh deployment", wiped.volumes())
        }
        None => "failed".to_owned(),
    };
    phase.finish(said);
    Ok(Restored { _private: () })
}

/// The same restore once more, over what is there.
async fn restored_again(drill: &Drill, snapshot: &Snapshot, how: &Restoring) -> Result<Restored> {
    let complaints = call_restore(drill, snapshot, how).await?;
    drill.run.evidence.put_complaints(BotStep::Restore, &complaints)?;
    Ok(Restored { _private: () })
}

/// Restores the snapshot again, over what is there, and restarts the services: that takes back what was done to the data
/// since.
pub(crate) async fn restore_over(drill: &Drill, _: &Restarted, backup: &BackedUp) -> Result<()> {
    let restored = restored_again(drill, backup.snapshot(), &Restoring::default()).await?;
    restart(drill, restored).await.map(drop)
}

async fn call_restore(drill: &Drill, snapshot: &Snapshot, how: &Restoring) -> Result<Vec<Complaint>> {
    let more: Vec<(&str, &str)> = how.more.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let stack = how.stack.as_deref().unwrap_or(&drill.app.stack.name);
    drill.app.bot().await?.restore(stack, snapshot, &more).await
}

/// Restarts the services that hold old state, wave by wave.
pub async fn restart(drill: &Drill, _: Restored) -> Result<Restarted> {
    let phase = drill.run.events.phase(Phase::Restart);
    let waves = &drill.app.scenario.spec.restore.restart;
    drill.app.restart_waves(waves, |done, all| phase.progress(done, all, "services")).await?;
    phase.finish(format!("{} services", waves.iter().flatten().count()));
    Ok(Restarted { _private: () })
}
