//! The backup: the bot creates a snapshot, which is then held against the live volumes.

use bot::contract::Stored;
use judge::audit::{self, AuditReport};
use judge::model::BotStep;
use judge::store::RunFact;

use super::Drill;
use super::fault::{Fault, NoFault};
use super::proof::Baseline;
use crate::audit::Auditor;
use crate::backup;
use crate::backup::{Created, Snapshot};
use crate::error::Result;
use crate::events::Phase;

/// How often the bot may take a snapshot while others write, until no file went while it was read.
const LIVE_TRIES: u32 = 10;

/// A snapshot was created after the baseline.
#[must_use]
pub struct BackedUp {
    snapshot: Snapshot,
}

impl BackedUp {
    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// The snapshot was held against the live volumes; what is wrong with it is stored.
#[must_use]
pub struct Audited {
    _private: (),
}

impl Drill {
    /// Has the bot create a snapshot. None where the bot said that it failed, which is a finding.
    pub async fn backup(&self, baseline: &Baseline) -> Result<Option<BackedUp>> {
        self.backup_with(baseline, &NoFault).await
    }

    /// The same with what a fault does meanwhile, or to the snapshot.
    pub(crate) async fn backup_with(&self, _: &Baseline, fault: &dyn Fault) -> Result<Option<BackedUp>> {
        let mut created = None;
        let create = async {
            created = self.created().await?;
            Ok(())
        };
        fault.during_backup(self, Box::pin(create)).await?;
        let Some(snapshot) = created else { return Ok(None) };
        Ok(Some(BackedUp { snapshot: fault.backed_up(self, snapshot).await? }))
    }

    async fn created(&self) -> Result<Option<Snapshot>> {
        let phase = self.events.phase(Phase::Backup);
        let bot = self.bot().await?;
        let tries = self.options.live.map_or(1, |_| LIVE_TRIES);
        let created = backup::step(&self.evidence, BotStep::Backup, bot.create(&self.stack.name, tries).await)?;
        let Some(Created { snapshot, stored, complaints }) = created else {
            phase.finish("failed");
            return Ok(None);
        };
        if let Some(Stored { read, added }) = stored {
            self.evidence.set_number(RunFact::BytesRead, read)?;
            self.evidence.set_number(RunFact::BytesAdded, added)?;
        }
        self.evidence.put_complaints(BotStep::Backup, &complaints)?;
        self.evidence.set(RunFact::Snapshot, &snapshot.id)?;
        phase.finish(format!("snapshot {}", &snapshot.id[..snapshot.id.len().min(8)]));
        Ok(Some(snapshot))
    }

    /// Holds the snapshot against the live volumes and the inventory. What it lacks is found here, before a wipe, and
    /// judged with the rest.
    pub async fn audit(&self, backup: &BackedUp) -> Result<Audited> {
        let phase = self.events.phase(Phase::Audit);
        let auditor = Auditor {
            owned: self.owned.clone(),
            stack: self.stack.name.clone(),
            image: self.helper_image.clone(),
            inventory: self.scenario.inventory.clone(),
            bot: self.bot().await?,
            evidence: self.evidence.clone(),
        };
        backup::step(&self.evidence, BotStep::Audit, auditor.gather(&backup.snapshot).await)?;
        let total = AuditReport::read(&self.evidence)?.map(|r| r.total()).unwrap_or_default();
        phase.finish(format!("{total} in the snapshot; {} findings", audit::findings(&self.evidence)?.len()));
        Ok(Audited { _private: () })
    }
}
