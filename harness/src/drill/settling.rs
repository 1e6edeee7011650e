//! Settling: every accepted message is delivered or bounced before anything is observed.

use std::time::{Duration, Instant};

use super::seeding::Seeded;
use super::state::Drill;
use crate::error::{Result, SeedingError};
use crate::events::Phase;
use crate::stack::until;

/// The queue is empty.
#[must_use]
pub struct Settled {
    _private: (),
}

/// How many times the deadline a queue may take that gets shorter all the time.
const SLOW: u32 = 60;

/// Waits until the mail queue is empty: every accepted message is delivered or bounced.
/// The deadline is for the queue to get shorter, not for it to be empty.
pub async fn settle(drill: &Drill, _: Seeded) -> Result<Settled> {
    if drill.app.mail().is_none() {
        return Ok(Settled { _private: () });
    }
    let phase = drill.run.events.phase(Phase::Settle);
    let patience = Duration::from_secs(drill.app.scenario.spec.deadlines.settle);
    let (begin, mut shortest) = (Instant::now(), None);
    let mut last = 0;
    loop {
        let before = shortest;
        let result = until(patience, || async {
            let queued = queued(drill).await?;
            Ok(if queued == 0 || before.is_none_or(|b| queued < b) {
                Ok(queued)
            } else {
                Err(format!("{queued} messages are in the queue, and it does not get shorter"))
            })
        })
        .await;
        let queued = result.map_err(|e| SeedingError::NotDelivered { why: e.to_string() })?;
        last = last.max(queued);
        phase.progress(last - queued, last, "messages");
        if queued == 0 {
            break;
        }
        if begin.elapsed() > patience * SLOW {
            let why = format!("{queued} messages are still in the queue after {} minutes", begin.elapsed().as_secs() / 60);
            return Err(SeedingError::NotDelivered { why }.into());
        }
        shortest = Some(queued);
    }
    phase.finish("the queue is empty");
    Ok(Settled { _private: () })
}

async fn queued(drill: &Drill) -> Result<u64> {
    let queue = drill.app.queue().await?;
    if queue.iter().any(|q| q.queue_name == "deferred") {
        drill.app.flush_queue().await?;
    }
    Ok(queue.len() as u64)
}
