//! The ledger of what was done while the backup ran, in the store.

use rusqlite::{OptionalExtension as _, params};

use super::evidence::{Evidence, MESSAGE, MessageSeen, ObservationId, message_of};
use crate::error::Result;
use crate::redact::redact;

/// What is done while the backup runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LiveKind {
    /// A message is submitted, and arrives.
    Deliver,
    /// A flag of a message is changed.
    Flag,
    /// A message is expunged.
    Expunge,
    /// A user is created.
    Create,
    /// A user is deleted.
    Delete,
}

impl LiveKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Deliver, Self::Flag, Self::Expunge, Self::Create, Self::Delete];

    /// As in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Flag => "flag",
            Self::Expunge => "expunge",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

/// When an operation was, relative to the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// It had ended when the backup began: a restore has to have it.
    Before,
    /// A restore may have it or not, and it is whole.
    During,
    /// It began when the backup had ended: a restore cannot have it.
    After,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOp {
    /// What is done.
    pub kind: LiveKind,
    /// The mailbox, or the user.
    pub account: String,
    /// The UID in INBOX, or the number in the corpus.
    pub message: String,
    /// The flag that was changed, or the body's SHA-256 in hex.
    pub detail: String,
    /// Milliseconds of the run's clock.
    pub began: u64,
    /// Milliseconds of the run's clock; none where it is not known to have ended well.
    pub ended: Option<u64>,
    /// Why it did not end well.
    pub error: String,
}

impl LiveOp {
    /// When it was, given when the backup began and ended.
    pub fn when(&self, (began, ended): (u64, u64)) -> When {
        if self.began >= ended {
            When::After
        } else if self.ended.is_some_and(|e| e <= began) {
            When::Before
        } else {
            When::During
        }
    }
}

impl Evidence {
    /// Adds an operation to the ledger.
    pub fn put_live(&self, op: &LiveOp) -> Result<()> {
        self.with(|db| {
            db.prepare_cached("INSERT INTO live VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![op.kind.name(), op.account, op.message, op.detail, op.began, op.ended, redact(&op.error)])
                .map(drop)
        })
    }

    /// The operations, in the order in which they ended.
    pub fn live(&self) -> Result<Vec<LiveOp>> {
        self.with(|db| {
            db.prepare("SELECT kind, account, message, detail, began, ended, error FROM live ORDER BY number")?
                .query_map([], |r| {
                    let kind = r.get_ref(0)?.as_str()?;
                    Ok(LiveOp {
                        kind: LiveKind::ALL.into_iter().find(|k| k.name() == kind).unwrap_or(LiveKind::Deliver),
                        account: r.get(1)?,
                        message: r.get(2)?,
                        detail: r.get(3)?,
                        began: r.get(4)?,
                        ended: r.get(5)?,
                        error: r.get(6)?,
                    })
                })?
                .collect()
        })
    }

    /// Remembers when a backup amid writes began and ended, in milliseconds of the run's clock.
    pub fn put_live_backup(&self, (began, ended): (u64, u64)) -> Result<()> {
        self.set("live backup", &format!("{began} {ended}"))
    }

    /// When a backup amid writes began and ended; none where nobody wrote.
    pub fn live_backup(&self) -> Result<Option<(u64, u64)>> {
        let parse = |text: String| {
            let (began, ended) = text.split_once(' ')?;
            Some((began.parse().ok()?, ended.parse().ok()?))
        };
        Ok(self.get("live backup")?.and_then(parse))
    }

    /// The messages of an observation that are that message of the corpus, with their accounts.
    pub fn copies(&self, o: ObservationId, item: &str) -> Result<Vec<(String, MessageSeen)>> {
        self.with(|db| {
            db.prepare_cached(&format!("SELECT account, {MESSAGE} FROM message WHERE observation = ? AND item = ?"))?
                .query_map(params![o.0, item], |r| Ok((r.get(0)?, message_of(r, 1)?)))?
                .collect()
        })
    }

    /// One message of an observation.
    pub fn message(&self, o: ObservationId, account: &str, folder: &str, uid: u32) -> Result<Option<MessageSeen>> {
        self.with(|db| {
            db.prepare_cached(&format!(
                "SELECT {MESSAGE} FROM message WHERE observation = ? AND account = ? AND folder = ? AND uid = ?"
            ))?
            .query_row(params![o.0, account, folder, uid], |r| message_of(r, 0))
            .optional()
        })
    }
}
