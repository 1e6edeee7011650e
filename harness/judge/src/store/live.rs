//! What simulated users did while the backup ran, in the store.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Row, params};

use super::evidence::{Evidence, ObservationId};
use super::mail::{MESSAGE, MessageSeen, message_of};
use super::run::RunFact;
use crate::error::Result;
use crate::message_id::MessageId;
use crate::redact::redact;
use crate::word::words;

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

words!(LiveKind, "kind of operation");

/// What an operation does, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveAction {
    /// A message is submitted, and arrives.
    Deliver {
        /// The message.
        message: MessageId,
        /// SHA-256 of its body, in hex.
        body_sha256: String,
    },
    /// A flag of a message in INBOX is changed: set if it was not, else taken away.
    Flag {
        /// UID of the message.
        uid: u32,
        /// The flag (RFC 9051, 2.3.2).
        flag: String,
    },
    /// A message in INBOX gets `\Deleted` and is expunged.
    Expunge {
        /// UID of the message.
        uid: u32,
    },
    /// The user is created.
    Create,
    /// The user is deleted.
    Delete,
}

/// The flag of a message that is to be expunged (RFC 9051, 2.3.2).
pub(crate) const DELETED: &str = "\\Deleted";

impl LiveAction {
    /// Which kind of operation it is.
    pub fn kind(&self) -> LiveKind {
        match self {
            Self::Deliver { .. } => LiveKind::Deliver,
            Self::Flag { .. } => LiveKind::Flag,
            Self::Expunge { .. } => LiveKind::Expunge,
            Self::Create => LiveKind::Create,
            Self::Delete => LiveKind::Delete,
        }
    }

    /// The columns `message` and `detail`.
    fn columns(&self) -> (String, &str) {
        match self {
            Self::Deliver { message, body_sha256 } => (message.to_string(), body_sha256),
            Self::Flag { uid, flag } => (uid.to_string(), flag),
            Self::Expunge { uid } => (uid.to_string(), DELETED),
            Self::Create | Self::Delete => (String::new(), ""),
        }
    }

    /// The action out of the columns `kind`, `message` and `detail`, which are next to each other.
    fn read(r: &Row<'_>, from: usize) -> rusqlite::Result<Self> {
        let uid = || {
            let wrong = |e| rusqlite::Error::FromSqlConversionFailure(from + 1, Type::Text, Box::new(e));
            r.get_ref(from + 1)?.as_str()?.parse().map_err(wrong)
        };
        Ok(match r.get(from)? {
            LiveKind::Deliver => Self::Deliver { message: r.get(from + 1)?, body_sha256: r.get(from + 2)? },
            LiveKind::Flag => Self::Flag { uid: uid()?, flag: r.get(from + 2)? },
            LiveKind::Expunge => Self::Expunge { uid: uid()? },
            LiveKind::Create => Self::Create,
            LiveKind::Delete => Self::Delete,
        })
    }
}

/// When an operation was, relative to the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum When {
    /// It ended before the backup began: a restore must bring it back.
    Before,
    /// It overlapped with the backup: a restore may bring it back or not, but never in part.
    During,
    /// It began after the backup ended: a restore cannot bring it back.
    After,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOp {
    /// The mailbox, or the user.
    pub account: String,
    /// What is done, and to what.
    pub action: LiveAction,
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
        let (message, detail) = op.action.columns();
        self.with(|db| {
            db.prepare_cached("INSERT INTO live VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![op.action.kind(), op.account, message, detail, op.began, op.ended, redact(&op.error)])
                .map(drop)
        })
    }

    /// The operations, in the order in which they ended.
    pub fn live(&self) -> Result<Vec<LiveOp>> {
        self.with(|db| {
            db.prepare("SELECT account, kind, message, detail, began, ended, error FROM live ORDER BY number")?
                .query_map([], |r| {
                    let (account, action) = (r.get(0)?, LiveAction::read(r, 1)?);
                    Ok(LiveOp { account, action, began: r.get(4)?, ended: r.get(5)?, error: r.get(6)? })
                })?
                .collect()
        })
    }

    /// Remembers when a backup with simulated users began and ended, in milliseconds of the run's clock.
    pub fn put_live_backup(&self, window: (u64, u64)) -> Result<()> {
        self.set_json(RunFact::LiveBackup, &window)
    }

    /// When a backup with simulated users began and ended; none where nobody wrote.
    pub fn live_backup(&self) -> Result<Option<(u64, u64)>> {
        self.json(RunFact::LiveBackup)
    }

    /// The messages of an observation that are that message of the run's own, with their accounts.
    pub fn copies(&self, o: ObservationId, item: MessageId) -> Result<Vec<(String, MessageSeen)>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_they_were_stored() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let actions = [
            LiveAction::Deliver { message: MessageId::Live(3), body_sha256: "ab".into() },
            LiveAction::Flag { uid: 7, flag: "\\Flagged".into() },
            LiveAction::Expunge { uid: 8 },
            LiveAction::Create,
            LiveAction::Delete,
        ];
        let op = |action| LiveOp { account: "a@mail.test".into(), action, began: 1, ended: None, error: "refused".into() };
        let ops = actions.map(op);
        ops.iter().for_each(|op| evidence.put_live(op).expect("stored"));
        assert_eq!(evidence.live().expect("read"), ops);
        assert_eq!(ops.map(|op| op.action.kind()), LiveKind::ALL);
        assert_eq!(evidence.live_backup().expect("read"), None);
        evidence.put_live_backup((100, 200)).expect("stored");
        assert_eq!(evidence.live_backup().expect("read"), Some((100, 200)));
    }

    #[test]
    fn an_operation_on_no_message_is_an_error_and_not_on_message_0() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        for row in ["'flag', 'a', 'second', ''", "'deliver', 'a', '', ''", "'touch', 'a', '1', ''"] {
            evidence
                .with(|db| db.execute_batch(&format!("DELETE FROM live; INSERT INTO live VALUES (NULL, {row}, 1, 2, '')")))
                .expect("stored");
            assert!(evidence.live().is_err(), "{row}");
        }
    }
}
