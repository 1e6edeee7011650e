//! Seeding: the corpus, submitted over SMTP by its senders, authenticated, through the front.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use lettre::address::Envelope;
use lettre::{Address, AsyncTransport as _};
use seeds::Message;

use super::Drill;
use super::proof::{Provisioned, Seeded};
use crate::error::{Error, Result};
use crate::events::Phase;
use crate::evidence::{LedgerLine, Sent};
use crate::probe::doors::Transport;

/// How long a message is tried again that the server says to try again (4xx).
const RETRIES: Duration = Duration::from_secs(60);
/// Lines of the ledger written at once.
const BATCH: usize = 200;

impl Drill {
    /// Submits every message of the corpus and keeps the ledger. Messages are computed as they are sent.
    pub async fn seed(&self, _: Provisioned) -> Result<Seeded> {
        let phase = self.events.phase(Phase::Seed);
        let mut transports: HashMap<String, Transport> = HashMap::new();
        for user in self.corpus.accounts().mailboxes() {
            if let Entry::Vacant(place) = transports.entry(user.email.clone()) {
                let login = (user.email.as_str(), self.secret.password(&user.email));
                let (port, connections) = (self.port("submissions"), self.options.connections);
                place.insert(self.doors_of_run().submission(port, Some((login.0, &login.1)), connections)?);
            }
        }
        let total = self.corpus.len();
        let sends = self.corpus.messages().map(|message| {
            let transport = transports[&message.sender].clone();
            async move {
                let (sent, reply) = submit(&transport, &message).await;
                let body_sha256 = message.body_sha256();
                (message, body_sha256, sent, reply)
            }
        });
        let mut sends = futures_util::stream::iter(sends).buffer_unordered(self.options.connections);
        let (mut done, mut bytes, mut lines) = (0, 0, Vec::new());
        while let Some((message, body_sha256, sent, reply)) = sends.next().await {
            done += 1;
            bytes += message.bytes.len() as u64;
            let accounts = message.recipients.iter().flat_map(|r| self.corpus.accounts().deliveries(r));
            let accounts: std::collections::BTreeSet<String> = accounts.collect();
            lines.extend(accounts.into_iter().map(|account| LedgerLine {
                item: message.item(),
                expunged: self.corpus.placement(message.number, &account).expunged,
                account,
                sent,
                reply: reply.clone(),
                body_sha256,
                bytes: message.bytes.len() as u64,
            }));
            if lines.len() >= BATCH {
                self.evidence.ledger(&lines)?;
                lines.clear();
            }
            phase.progress(done, total, "messages");
        }
        self.evidence.ledger(&lines)?;
        let failed = self.evidence.ledger_count(Sent::Failed)?;
        if failed > 0 {
            return Err(Error::Unknown(format!(
                "seeding failed, {failed} deliveries were refused: {}",
                self.evidence.ledger_failures()?.join("; ")
            )));
        }
        phase.finish(format!("{total} messages, {} deliveries, {} KiB", self.evidence.ledger_count(Sent::Ok)?, bytes / 1024));
        Ok(Seeded { _private: () })
    }
}

/// Submits one message. A reply tells whether it was accepted or refused; without one it may be either,
/// and trying again could deliver it twice.
async fn submit(transport: &Transport, message: &Message) -> (Sent, String) {
    let address = |a: &String| a.parse::<Address>().map_err(|e| format!("{a}: {e}"));
    let envelope = || -> Result<Envelope, String> {
        let to = message.recipients.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        Envelope::new(Some(address(&message.sender)?), to).map_err(|e| e.to_string())
    };
    let envelope = match envelope() {
        Ok(envelope) => envelope,
        Err(why) => return (Sent::Failed, why),
    };
    // The client ends the data with CRLF "." CRLF whatever it ends with: the last CRLF is its own.
    let bytes = message.bytes.strip_suffix(b"\r\n").unwrap_or(&message.bytes);
    let since = Instant::now();
    let mut pause = Duration::from_millis(250);
    loop {
        match transport.send_raw(&envelope, bytes).await {
            Ok(reply) => return (Sent::Ok, reply.message().collect::<Vec<_>>().join(" ")),
            Err(e) if e.is_transient() && since.elapsed() < RETRIES => {
                tracing::debug!(message = message.number, "{e}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(4));
            }
            Err(e) => {
                let refused = e.is_transient() || e.is_permanent();
                return (if refused { Sent::Failed } else { Sent::Indeterminate }, e.to_string());
            }
        }
    }
}
