//! The restore: the bot puts the snapshot's files back, and the services that hold old state are restarted.

use std::time::Instant;

use judge::model::{BotStep, Complaint};

use super::Drill;
use super::fault::{Fault, NoFault, Restoring, Times};
use super::proof::{BackedUp, Wiped};
use crate::backup::{self, Snapshot};
use crate::error::{Error, Result};
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

impl Drill {
    /// Has the bot restore the snapshot. Where the bot says that it failed, that is a finding, and what is there is observed
    /// all the same.
    pub async fn restore(&self, wiped: Wiped, backup: &BackedUp) -> Result<Restored> {
        self.restored(&wiped, backup.snapshot(), &Restoring::default(), &NoFault).await
    }

    /// Restores and restarts with what a fault changes about it.
    pub(crate) async fn restore_with(
        &self,
        wiped: Wiped,
        backup: &BackedUp,
        older: Option<&Snapshot>,
        fault: &dyn Fault,
    ) -> Result<Restarted> {
        let how = fault.restoring(self);
        let snapshot = match older.filter(|_| how.older) {
            Some(older) => older,
            None if how.older => return Err(Error::Unknown("no older snapshot was taken".into())),
            None => backup.snapshot(),
        };
        fault.before_restore(self).await?;
        let mut restored = self.restored(&wiped, snapshot, &how, fault).await?;
        if how.times == Times::AgainAfterRestart {
            let _restarted = self.restart(restored).await?;
            fault.between_restores(self).await?;
            restored = self.restored_again(snapshot, &how).await?;
        }
        if how.times == Times::Twice {
            fault.between_restores(self).await?;
            restored = self.restored_again(snapshot, &how).await?;
        }
        fault.after_restore(self).await?;
        if how.restarts { self.restart(restored).await } else { Ok(Restarted { _private: () }) }
    }

    async fn restored(&self, wiped: &Wiped, snapshot: &Snapshot, how: &Restoring, fault: &dyn Fault) -> Result<Restored> {
        if how.times == Times::None {
            return Ok(Restored { _private: () });
        }
        let phase = self.events.phase(Phase::Restore);
        self.clocks().restore = Some(Instant::now());
        let mut complaints = None;
        let restore = async {
            complaints = backup::step(&self.evidence, BotStep::Restore, self.call_restore(snapshot, how).await)?;
            Ok(())
        };
        fault.during_restore(self, Box::pin(restore)).await?;
        let said = match complaints {
            Some(complaints) => {
                self.evidence.put_complaints(BotStep::Restore, &complaints)?;
                format!("into the {} volumes of a fresh deployment", wiped.volumes())
            }
            None => "failed".to_owned(),
        };
        phase.finish(said);
        Ok(Restored { _private: () })
    }

    /// The same restore once more, over what is there.
    async fn restored_again(&self, snapshot: &Snapshot, how: &Restoring) -> Result<Restored> {
        let complaints = self.call_restore(snapshot, how).await?;
        self.evidence.put_complaints(BotStep::Restore, &complaints)?;
        Ok(Restored { _private: () })
    }

    /// Restores the snapshot again, over what is there, and restarts the services: that takes back what was done to the data
    /// since.
    pub(crate) async fn restore_over(&self, _: &Restarted, backup: &BackedUp) -> Result<()> {
        let restored = self.restored_again(backup.snapshot(), &Restoring::default()).await?;
        self.restart(restored).await.map(drop)
    }

    async fn call_restore(&self, snapshot: &Snapshot, how: &Restoring) -> Result<Vec<Complaint>> {
        let more: Vec<(&str, &str)> = how.more.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let stack = how.stack.as_deref().unwrap_or(&self.stack.name);
        self.bot().await?.restore(stack, snapshot, &more).await
    }

    /// Restarts the services that hold old state, wave by wave.
    pub async fn restart(&self, _: Restored) -> Result<Restarted> {
        let phase = self.events.phase(Phase::Restart);
        let waves = &self.scenario.spec.restore.restart;
        self.restart_waves(waves, |done, all| phase.progress(done, all, "services")).await?;
        phase.finish(format!("{} services", waves.iter().flatten().count()));
        Ok(Restarted { _private: () })
    }
}
