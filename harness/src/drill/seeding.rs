//! Seeding: the corpus, submitted over SMTP by its senders, authenticated, through the front.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::MessageId;
use judge::store::{LedgerLine, Sent};
use seeds::Message;

use super::accounts::Provisioned;
use super::state::Drill;
use crate::error::{Error, Result, SeedingError};
use crate::events::Phase;
use crate::probe::smtp::{NotAccepted, Submission};

/// How long a message is tried again that the server says to try again (4xx).
const RETRIES: Duration = Duration::from_secs(60);
/// Messages that one sender submits before another takes the connection.
const TURN: usize = 25;
/// Lines of the ledger written at once.
const BATCH: usize = 200;

/// The corpus was submitted.
#[must_use]
pub struct Seeded {
    _private: (),
}

/// Submits every message of the corpus and keeps the ledger. Messages are computed as they are sent.
pub async fn seed(drill: &Drill, _: Provisioned) -> Result<Seeded> {
    if drill.app.mail().is_none() {
        return Ok(Seeded { _private: () });
    }
    let phase = drill.run.events.phase(Phase::Seed);
    let total = drill.run.corpus.len();
    // A connection is one sender's; with hundreds of them, one for each would be more than a server takes.
    let mut turns: Vec<(String, Vec<u64>)> = Vec::new();
    for (user, numbers) in drill.run.corpus.accounts().mailboxes().iter().zip(drill.run.corpus.by_sender()) {
        let turn = numbers.chunks(TURN).map(|turn| (user.email.clone(), turn.to_vec()));
        turns.extend(turn);
    }
    let (out, mut sends) = tokio::sync::mpsc::channel(drill.run.connections);
    let work = async {
        let turns = turns.into_iter().map(|(sender, numbers)| {
            let out = out.clone();
            async move { turn(drill, &sender, &numbers, out).await }
        });
        let turns = futures_util::stream::iter(turns).buffer_unordered(drill.run.connections);
        let done = turns.try_collect::<Vec<()>>().await;
        drop(out);
        done
    };
    let ledger = async {
        let (mut done, mut bytes, mut lines) = (0, 0, Vec::new());
        while let Some(submitted) = sends.recv().await {
            let Submitted { number, recipients, size, body_sha256, sent, reply } = submitted;
            done += 1;
            bytes += size;
            let accounts = recipients.iter().flat_map(|r| drill.run.corpus.accounts().deliveries(r));
            let accounts: std::collections::BTreeSet<String> = accounts.collect();
            lines.extend(accounts.into_iter().map(|account| LedgerLine {
                item: MessageId::Corpus(number),
                expunged: drill.run.corpus.placement(number, &account).expunged,
                account,
                sent,
                reply: reply.clone(),
                body_sha256,
                bytes: size,
            }));
            if lines.len() >= BATCH {
                if let Err(e) = drill.run.evidence.ledger(&lines) {
                    // Whoever submits sees it, and stops.
                    sends.close();
                    return Err(Error::from(e));
                }
                lines.clear();
            }
            phase.progress(done, total, "messages");
        }
        drill.run.evidence.ledger(&lines)?;
        Ok::<_, Error>(bytes)
    };
    let (worked, bytes) = tokio::join!(work, ledger);
    worked?;
    let bytes = bytes?;
    let failed = drill.run.evidence.ledger_count(Sent::Failed)?;
    if failed > 0 {
        return Err(SeedingError::Deliveries { failed, said: drill.run.evidence.ledger_failures()? }.into());
    }
    phase.finish(format!("{total} messages, {} deliveries, {} KiB", drill.run.evidence.ledger_count(Sent::Ok)?, bytes / 1024));
    Ok(Seeded { _private: () })
}

/// Submits some messages of one sender over one connection.
async fn turn(drill: &Drill, sender: &str, numbers: &[u64], out: tokio::sync::mpsc::Sender<Submitted>) -> Result<()> {
    let submission = drill.app.submission(Some((sender, &drill.run.password(sender))));
    for &n in numbers {
        let message = drill.run.corpus.message(n);
        let (sent, reply) = submit(&submission, &message).await;
        let (size, body_sha256) = (message.bytes.len() as u64, message.body_sha256());
        let Message { number, recipients, .. } = message;
        if out.send(Submitted { number, recipients, size, body_sha256, sent, reply }).await.is_err() {
            break;
        }
    }
    submission.close().await;
    Ok(())
}

/// What became of a message.
struct Submitted {
    number: u64,
    recipients: Vec<String>,
    /// In bytes.
    size: u64,
    body_sha256: [u8; 32],
    sent: Sent,
    /// What the server said.
    reply: String,
}

/// Submits one message, again as long as it is known not to have been accepted and may be.
async fn submit(submission: &Submission, message: &Message) -> (Sent, String) {
    let to: Vec<&str> = message.recipients.iter().map(String::as_str).collect();
    let since = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        match submission.send(&message.sender, &to, &message.bytes).await {
            Ok(reply) => return (Sent::Ok, reply),
            Err(NotAccepted::Transient(why) | NotAccepted::NotSent(why)) if since.elapsed() < RETRIES => {
                tracing::debug!(message = message.number, "{why}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(4));
            }
            Err(NotAccepted::Indeterminate(why)) => return (Sent::Indeterminate, why),
            Err(refused) => return (Sent::Failed, refused.reason().to_owned()),
        }
    }
}
