//! Mail to the world outside: a server of the drill's own takes it, or it waits in the queue while the backup is taken.

use judge::model::{Trial, TrialKind};
use judge::store::TrialSeen;
use recipe::scenario::Outside;

use super::delivery::{DELIVERY, Handed, Mail, hand_in, mark};
use crate::drill::state::Drill;
use crate::error::{Error, Result, SeedingError};
use crate::probe::queue::Queued;
use crate::stack::until;

/// The recipient of the mail that is in the queue while the backup is taken.
pub(super) const PARKED: &str = "parked@relayed.example";

/// The recipient of the mail out that is tried.
pub(super) const OUT: &str = "trial@relayed.example";

/// Sends a message to the relayed domain, with a server outside that takes it.
pub(super) async fn relayed(drill: &Drill, outside: &Outside, stage: &str) -> Result<TrialSeen> {
    let trial = Trial::new(TrialKind::MailOut, [OUT]);
    let expected = "received outside, once".to_owned();
    let Some(mail) = outgoing(drill, TrialKind::MailOut, OUT) else {
        return Ok(TrialSeen { trial, expected, value: Err("nobody to send it".into()) });
    };
    within_outside(drill, outside, &outside.start).await?;
    // A number that no mail within has.
    let at = 9_000;
    let sent = hand_in(drill, stage, at, &mail).await;
    let value = match sent {
        Ok(Handed::Accepted) => received(drill, outside, &mark(stage, at), OUT).await,
        Ok(Handed::Refused(_)) => Ok("refused".into()),
        Err(why) => Err(why),
    };
    within_outside(drill, outside, &outside.stop).await?;
    Ok(TrialSeen { trial, expected, value })
}

/// Releases what was held in the queue, with a server outside that takes it.
pub(super) async fn released(drill: &Drill, outside: &Outside) -> Result<TrialSeen> {
    within_outside(drill, outside, &outside.start).await?;
    drill.app.have_queue(|queue| &queue.release, "releasing the mail queue").await?;
    let value = received(drill, outside, &mark("parked", 0), PARKED).await;
    within_outside(drill, outside, &outside.stop).await?;
    let trial = Trial::new(TrialKind::QueuedMail, [PARKED]);
    Ok(TrialSeen { trial, expected: "received outside, once".into(), value })
}

/// Sends a message to the relayed domain, where nobody answers, and has it stay in the queue: a message that is tried
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
pub(super) async fn received(drill: &Drill, outside: &Outside, mark: &str, to: &str) -> Result<String, String> {
    let received = || async {
        let text = within_outside(drill, outside, &outside.received).await?;
        Ok::<_, Error>(text.lines().filter(|l| l.trim_end() == mark).count())
    };
    let left = until(DELIVERY, || async {
        let queue = drill.app.queue().await?;
        let waiting = queue.iter().find(|q| q.is_for(to) && !q.is_held());
        Ok(match waiting {
            None => Ok(None),
            Some(q) if q.queue_name == "deferred" => Ok(q.recipients.first().map(|r| r.delay_reason.clone())),
            Some(q) => Err(format!("it is in the queue, {}", q.queue_name)),
        })
    });
    let deferred = left.await.map_err(|e| e.to_string())?;
    Ok(match (received().await.map_err(|e| e.to_string())?, deferred) {
        (_, Some(why)) => format!("still in the queue: {why}"),
        (0, None) => "never received outside".into(),
        (1, None) => "received outside, once".into(),
        (n, None) => format!("received outside, {n} times"),
    })
}

pub(super) async fn within_outside(drill: &Drill, outside: &Outside, command: &[String]) -> Result<String> {
    let service = drill.app.stack.service(&outside.service);
    Ok(drill.app.engine().exec(&service, command, &[], None).await?.ok("the server outside").map(|o| o.stdout)?)
}
