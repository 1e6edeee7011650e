//! The backup: the bot creates a snapshot, which is then held against the live volumes.

use bot::contract::Stored;
use judge::BASELINE;
use judge::audit::{self, AuditReport};
use judge::model::BotStep;
use judge::store::RunFact;

use super::baseline::Baseline;
use super::fault::{Fault, NoFault};
use super::layers;
use super::state::Drill;
use crate::audit::Auditor;
use crate::backup;
use crate::backup::{Created, Snapshot};
use crate::error::{Error, Result};
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

/// Has the bot create a snapshot. None where the bot said that it failed, which is a finding.
pub async fn backup(drill: &Drill, baseline: &Baseline) -> Result<Option<BackedUp>> {
    backup_with(drill, baseline, &NoFault).await
}

/// The same with what a fault does meanwhile, or to the snapshot.
pub(crate) async fn backup_with(drill: &Drill, _: &Baseline, fault: &dyn Fault) -> Result<Option<BackedUp>> {
    auditor(drill).await?.look_outside(&drill.app.scenario.services()).await?;
    layers::look(drill, BASELINE).await?;
    let mut created = None;
    let create = async {
        created = create(drill).await?;
        Ok(())
    };
    fault.during_backup(drill, Box::pin(create)).await?;
    let Some(snapshot) = created else { return Ok(None) };
    Ok(Some(BackedUp { snapshot: fault.backed_up(drill, snapshot).await? }))
}

async fn create(drill: &Drill) -> Result<Option<Snapshot>> {
    let phase = drill.run.events.phase(Phase::Backup);
    let bot = drill.app.bot().await?;
    let tries = drill.run.live.map_or(1, |_| LIVE_TRIES);
    let created = backup::step(&drill.run.evidence, BotStep::Backup, bot.create(&drill.app.stack.name, tries).await)?;
    let Some(Created { snapshot, stored, complaints }) = created else {
        phase.finish("failed");
        return Ok(None);
    };
    if let Some(Stored { read, added }) = stored {
        drill.run.evidence.set_number(RunFact::BytesRead, read)?;
        drill.run.evidence.set_number(RunFact::BytesAdded, added)?;
    }
    drill.run.evidence.put_complaints(BotStep::Backup, &complaints)?;
    drill.run.evidence.set(RunFact::Snapshot, &snapshot.id)?;
    phase.finish(format!("snapshot {}", &snapshot.id[..snapshot.id.len().min(8)]));
    Ok(Some(snapshot))
}

/// Says which snapshots of the run stay in the repository of a bot that was there already, or removes them. The bot is asked, as a backup
/// that was cut short may have made one too. Nothing of that changes the verdict.
pub(super) async fn left_behind(drill: &Drill, forgets: bool) {
    let say = |text: String| drill.run.events.note(text);
    let stack = &drill.app.stack.name;
    let asked = async {
        let bot = drill.app.bot().await?;
        let snapshots = bot.snapshots(stack).await?;
        Ok::<_, Error>((bot, snapshots))
    };
    let (bot, snapshots) = match asked.await {
        Ok(asked) => asked,
        Err(e) => return say(format!("It is not known whether a snapshot of this run is in the bot's repository: {e}")),
    };
    for snapshot in snapshots {
        let Snapshot { id } = &snapshot;
        let how = format!("`restic forget {id}` there removes it, as --forget-snapshot does");
        say(match forgets {
            false => format!("Snapshot {id} stays in the repository of {}; {how}.", bot.service),
            true => match bot.forget(stack, &snapshot).await {
                Ok(()) => format!("Snapshot {id} is removed from the repository of {}.", bot.service),
                Err(e) => format!("Snapshot {id} stays in the repository of {}: {e}", bot.service),
            },
        });
    }
}

/// Holds the snapshot against the live volumes and the inventory. What it lacks is found here, before a wipe, and
/// judged with the rest.
pub async fn audit(drill: &Drill, backup: &BackedUp) -> Result<Audited> {
    let phase = drill.run.events.phase(Phase::Audit);
    layers::look_again(drill).await?;
    backup::audited(&drill.run.evidence, auditor(drill).await?.gather(&backup.snapshot).await)?;
    let found = audit::findings(&drill.run.evidence)?.len();
    phase.finish(match AuditReport::read(&drill.run.evidence)? {
        Some(report) => format!("{} in the snapshot; {found} findings", report.total()),
        None => format!("not completed; {found} findings"),
    });
    Ok(Audited { _private: () })
}

async fn auditor(drill: &Drill) -> Result<Auditor> {
    Ok(Auditor {
        stack: drill.app.stack.name.clone(),
        reader: drill.app.reader.clone(),
        inventory: drill.app.scenario.whole_inventory(),
        bot: drill.app.bot().await?,
        evidence: drill.run.evidence.clone(),
        since: None,
    })
}
