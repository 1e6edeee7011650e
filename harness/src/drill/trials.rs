//! Trials: what a user would do with the app, and what must come of it. Logins, mail through every kind of route, filters,
//! automatic replies, signatures, mail in and out. Tried before the backup, where they must come out as the corpus says, and
//! again after the restore. Reading rows and files tells that they are back; trying tells that the app works with them.
//!
//! - [`visits`], [`logins`], [`mails`], [`outside`]: what is tried, by kind. [`delivery`] and [`signatures`]: what mail needs.
//! - [`writes`], [`new_mail`]: new data, which is written after the observation, so that it changes nothing that is compared.

use judge::BASELINE;
use judge::store::TrialSeen;

use super::backing_up::Audited;
use super::fault::Trials;
use super::layers;
use super::shaping::Shaped;
use super::state::Drill;
use crate::error::Result;
use crate::events::Phase;

mod delivery;
mod logins;
mod mails;
mod new_mail;
mod outside;
mod signatures;
mod visits;
mod writes;

pub(super) use visits::{AS_EXPECTED, visits};

/// Tries everything before the baseline. Mail to the world outside is left in the queue, so that the backup has some.
pub async fn try_before(drill: &Drill, _: &Shaped) -> Result<()> {
    let phase = drill.run.events.phase(Phase::Try);
    signatures::remember_keys(drill).await?;
    let mut seen = doors_tried(drill, BASELINE).await?;
    if drill.app.has_world() {
        seen.extend(outside::sent_out(drill, BASELINE).await);
        outside::park(drill).await?;
    }
    drill.run.evidence.put_trials(BASELINE, &seen)?;
    phase.finish(format!("{} trials", seen.len()));
    Ok(())
}

/// Tries everything again. What was left in the queue must reach the world outside, once.
pub async fn try_after(drill: &Drill, stage: &str, release: bool) -> Result<()> {
    let phase = drill.run.events.phase(Phase::Try);
    let mut seen = doors_tried(drill, stage).await?;
    if drill.app.has_world() {
        seen.extend(outside::sent_out(drill, stage).await);
        if release {
            seen.push(outside::released(drill).await?);
        }
    }
    drill.run.evidence.put_trials(stage, &seen)?;
    phase.finish(format!("{} trials", seen.len()));
    Ok(())
}

async fn doors_tried(drill: &Drill, stage: &str) -> Result<Vec<TrialSeen>> {
    let mut seen = visits(drill).await?;
    if drill.app.mail().is_some() {
        seen.extend(logins::logins(drill).await);
        seen.extend(mails::mails(drill, stage).await?);
    }
    Ok(seen)
}

/// Has new data written before the wipe, which takes it away: what does not work here shows nothing after the restore. It is
/// not done before the baseline, because its traces, such as counters that went on, would be in what is compared.
pub async fn write_before(drill: &Drill, _: &Audited) -> Result<()> {
    write(drill, BASELINE).await
}

async fn write(drill: &Drill, stage: &str) -> Result<()> {
    let phase = drill.run.events.phase(Phase::Try);
    let seen = writes::writes(drill, stage).await?;
    drill.run.evidence.add_trials(stage, &seen)?;
    phase.finish(format!("{} writes of new data", seen.len()));
    Ok(())
}

/// Tries what a fault lets be tried, has new data written, and looks at what the app made beside its volumes meanwhile.
pub(crate) async fn try_as(drill: &Drill, trials: Trials, stage: &str) -> Result<()> {
    match trials {
        Trials::None => return Ok(drill.run.evidence.try_nothing(stage)?),
        Trials::All => try_after(drill, stage, true).await?,
        Trials::QueueHeld => try_after(drill, stage, false).await?,
    }
    write(drill, stage).await?;
    layers::look(drill, stage).await
}
