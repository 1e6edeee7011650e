//! The ledger of the messages that were submitted, in the store.

use rusqlite::params;

use super::evidence::Evidence;
use crate::error::Result;
use crate::message_id::MessageId;
use crate::redact::redact;
use crate::word::words;

/// How the submission of one message to one mailbox went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Accepted with 250.
    Ok,
    /// Refused.
    Failed,
    /// The connection broke at a point where it may have been accepted.
    Indeterminate,
}

impl Sent {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Failed, Self::Indeterminate];

    /// As in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Indeterminate => "indeterminate",
        }
    }
}

words!(Sent, "outcome of a submission");

/// A line of the ledger.
#[derive(Debug, Clone)]
pub struct LedgerLine {
    /// The message.
    pub item: MessageId,
    /// The mailbox it is delivered to.
    pub account: String,
    /// How the submission went.
    pub sent: Sent,
    /// The server's reply, or the error.
    pub reply: String,
    /// Of the body as submitted.
    pub body_sha256: [u8; 32],
    /// Size as submitted.
    pub bytes: u64,
    /// Whether it is expunged before the baseline.
    pub expunged: bool,
}

impl Evidence {
    /// Writes lines of the ledger.
    pub fn ledger(&self, lines: &[LedgerLine]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for l in lines {
                tx.prepare_cached("INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    l.item,
                    l.account,
                    l.sent,
                    redact(&l.reply),
                    l.body_sha256,
                    l.bytes,
                    l.expunged
                ])?;
            }
            tx.commit()
        })
    }

    /// Marks a message as expunged before the baseline.
    pub fn expunged(&self, item: MessageId, account: &str) -> Result<()> {
        self.with(|db| {
            db.execute("UPDATE ledger SET expunged = 1 WHERE item = ? AND account = ?", params![item, account]).map(drop)
        })
    }

    /// How many lines of the ledger have that outcome.
    pub fn ledger_count(&self, sent: Sent) -> Result<u64> {
        self.with(|db| db.query_row("SELECT count(*) FROM ledger WHERE sent = ?", [sent], |r| r.get(0)))
    }

    /// How the run's submissions failed, one line for each distinct reply.
    pub fn ledger_failures(&self) -> Result<Vec<String>> {
        self.with(|db| {
            db.prepare("SELECT sent || ': ' || reply || ' (' || count(*) || ' times)' FROM ledger WHERE sent <> 'ok' GROUP BY sent, reply LIMIT 5")?
                .query_map([], |r| r.get(0))?
                .collect()
        })
    }
}
