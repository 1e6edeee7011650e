//! Mail to the world outside: a server of the drill's own takes it, or it waits in the queue while the backup is taken.

use std::sync::{Mutex, PoisonError};

use judge::model::{Trial, TrialKind};
use judge::store::TrialSeen;

use super::delivery::{DELIVERY, Handed, Mail, hand_in, mark};
use crate::drill::state::Drill;
use crate::drill::world::{PARKED, RELAYED_MAIL, SOMEBODY};
use crate::error::{Result, SeedingError};
use crate::probe::queue::Queued;
use crate::stack::until;

/// The first number of a message; no mail within has it.
const FIRST: usize = 9_000;

/// Sends a message to the relayed domain, and one to a server that DNS names.
pub(super) async fn sent_out(drill: &Drill, stage: &str) -> Vec<TrialSeen> {
    let mut seen = Vec::new();
    for (at, to) in (FIRST..).zip([RELAYED_MAIL, SOMEBODY]) {
        let value = match outgoing(drill, TrialKind::MailOut, to) {
            None => Err("nobody to send it".into()),
            Some(mail) => match hand_in(drill, stage, at, &mail).await {
                Ok(Handed::Accepted) => received(drill, &mark(stage, at), to).await,
                Ok(Handed::Refused(_)) => Ok("refused".into()),
                Err(why) => Err(why),
            },
        };
        seen.push(TrialSeen { trial: Trial::new(TrialKind::MailOut, [to]), expected: ONCE.into(), value });
    }
    seen
}

/// What must come of a message to the world outside.
const ONCE: &str = "received outside, once";

/// Releases what was held in the queue, with a server outside that takes it.
pub(super) async fn released(drill: &Drill) -> Result<TrialSeen> {
    drill.app.resolver.change(&drill.app.owned, |world| world.busy.clear()).await?;
    drill.app.have_queue(|queue| &queue.release, "releasing the mail queue").await?;
    let value = received(drill, &mark("parked", 0), PARKED).await;
    Ok(TrialSeen { trial: Trial::new(TrialKind::QueuedMail, [PARKED]), expected: ONCE.into(), value })
}

/// Sends a message to somebody outside whose server puts it off, and has it stay in the queue: a message that is tried
/// again and again would be another file each time.
pub(super) async fn park(drill: &Drill) -> Result<()> {
    let Some(mail) = outgoing(drill, TrialKind::QueuedMail, PARKED) else { return Ok(()) };
    let fail = |why: String| SeedingError::refused(format!("mail to {PARKED}, which was to be left in the queue"), why);
    if let Handed::Refused(why) = hand_in(drill, "parked", 0, &mail).await.map_err(fail)? {
        return Err(fail(why).into());
    }
    let deferred = |q: &Queued| q.is_for(PARKED) && q.queue_name == "deferred";
    until(DELIVERY, || async {
        let queue = drill.app.queue().await?;
        Ok(if queue.iter().any(deferred) { Ok(()) } else { Err(format!("it is not deferred: {queue:?}")) })
    })
    .await?;
    drill.app.have_queue(|queue| &queue.hold, "holding the mail queue").await?;
    if !drill.app.queue().await?.iter().any(|q| q.is_for(PARKED) && q.is_held()) {
        return Err(fail("it is not held".into()).into());
    }
    Ok(())
}

/// A message to the world outside.
pub(super) fn outgoing(drill: &Drill, kind: TrialKind, to: &str) -> Option<Mail> {
    let from = drill.run.corpus.accounts().mailboxes().first()?.email.clone();
    Some(Mail::new(Trial::new(kind, [to]), Some(from.clone()), from, to.into()))
}

/// How often the server outside got a message, once it left the queue or had to stay there.
pub(super) async fn received(drill: &Drill, mark: &str, to: &str) -> Result<String, String> {
    // What is put off is tried again: what was in its way may be gone, and what is released may still tell why it was held.
    let put_off = Mutex::new(None);
    let left = until(DELIVERY, || async {
        let queue = drill.app.queue().await?;
        let waiting = queue.iter().find(|q| q.is_for(to) && !q.is_held());
        let Some(q) = waiting else { return Ok(Ok(())) };
        if q.queue_name == "deferred" {
            *put_off.lock().unwrap_or_else(PoisonError::into_inner) = q.recipients.first().map(|r| r.delay_reason.clone());
            drill.app.flush_queue().await?;
        }
        Ok(Err(format!("it is in the queue, {}", q.queue_name)))
    });
    if let Err(late) = left.await {
        let why = put_off.into_inner().unwrap_or_else(PoisonError::into_inner);
        return why.filter(|_| late.is_late()).map(|why| format!("still in the queue: {why}")).ok_or_else(|| late.to_string());
    }
    let taken = drill.app.resolver.taken(drill.app.engine()).await.map_err(|e| e.to_string())?;
    Ok(match taken.lines().filter(|l| l.trim_end() == mark).count() {
        0 => "never received outside".into(),
        1 => ONCE.into(),
        n => format!("received outside, {n} times"),
    })
}
