//! Mail as observations saw it: logins, quotas, folders, messages.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension as _, params};

use super::evidence::{Evidence, ObservationId};
use crate::error::Result;
use crate::message_id::MessageId;
use crate::redact::redact;

/// An account as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Everything in it was read.
    Read,
    /// The server denied the login.
    Refused(String),
    /// It could not be read.
    Unread(String),
}

/// A folder as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSeen {
    /// The name as the server gives it.
    pub folder: String,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT.
    pub uid_next: u32,
    /// EXISTS.
    pub messages: u32,
    /// Whether LSUB lists it.
    pub subscribed: bool,
    /// HIGHESTMODSEQ (RFC 7162), where the server has one.
    pub modseq: Option<u64>,
    /// What it is for (RFC 6154): `\Sent`, …, sorted, space-separated.
    pub special_use: String,
}

/// Something that a server keeps of a folder beside its messages, or of a mailbox as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FolderAttribute {
    /// The folder; empty for the mailbox.
    pub folder: String,
    /// Which property it is: [`GUID`](crate::property::GUID), [`ACL`](crate::property::ACL) or
    /// [`ANNOTATION`](crate::property::ANNOTATION).
    pub property: String,
    /// Who has the rights, or the entry that is annotated; empty for an identity.
    pub of: String,
    /// The identity, the rights, or the SHA-256 of an annotation.
    pub value: String,
}

/// The storage quota of an account (RFC 2087).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// In KiB.
    pub used: u64,
    /// In KiB.
    pub most: u64,
}

/// A message as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageSeen {
    /// The folder.
    pub folder: String,
    /// UID.
    pub uid: u32,
    /// Of the full bytes as served; empty for a message that the server cannot serve.
    pub sha256: Vec<u8>,
    /// Of the bytes after the first empty line.
    pub body_sha256: Vec<u8>,
    /// RFC822.SIZE as the server says.
    pub size: u64,
    /// System flags but `\Recent`, sorted, space-separated.
    pub flags: String,
    /// Keywords, sorted, space-separated.
    pub keywords: String,
    /// INTERNALDATE, seconds since 1970.
    pub internal_date: i64,
    /// Which of the run's own messages it is, if its header says so.
    pub item: Option<MessageId>,
}

/// A message whose content changed since the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredSeen {
    /// The account.
    pub account: String,
    /// The folder.
    pub folder: String,
    /// UID.
    pub uid: u32,
    /// Which of the run's own messages it is, if its header says so.
    pub item: Option<MessageId>,
    /// As the server serves it after the restore.
    pub bytes: Vec<u8>,
}

/// The columns that [`message_of`] reads.
pub(super) const MESSAGE: &str = "folder, uid, sha256, body_sha256, size, flags, keywords, internal_date, item";

/// A message out of its row, from that column on.
pub(super) fn message_of(r: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<MessageSeen> {
    Ok(MessageSeen {
        folder: r.get(from)?,
        uid: r.get(from + 1)?,
        sha256: r.get(from + 2)?,
        body_sha256: r.get(from + 3)?,
        size: r.get(from + 4)?,
        flags: r.get(from + 5)?,
        keywords: r.get(from + 6)?,
        internal_date: r.get(from + 7)?,
        item: r.get(from + 8)?,
    })
}

impl Evidence {
    /// Stores how a login went.
    pub fn put_account(&self, o: ObservationId, account: &str, login: &Login) -> Result<()> {
        let (status, detail) = match login {
            Login::Read => ("read", ""),
            Login::Refused(detail) => ("refused", detail.as_str()),
            Login::Unread(detail) => ("unread", detail.as_str()),
        };
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", params![o.0, account, status, redact(detail)])
                .map(drop)
        })
    }

    /// Stores a folder.
    pub fn put_folder(&self, o: ObservationId, account: &str, f: &FolderSeen) -> Result<()> {
        self.with(|db| {
            db.execute(
                "INSERT INTO folder VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![o.0, account, f.folder, f.uid_validity, f.uid_next, f.messages, f.subscribed, f.modseq, f.special_use],
            )
            .map(drop)
        })
    }

    /// Stores a batch of messages.
    pub fn put_messages(&self, o: ObservationId, account: &str, messages: &[MessageSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for m in messages {
                tx.prepare_cached("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                    o.0,
                    account,
                    m.folder,
                    m.uid,
                    m.sha256,
                    m.body_sha256,
                    m.size,
                    m.flags,
                    m.keywords,
                    m.internal_date,
                    m.item
                ])?;
            }
            tx.commit()
        })
    }

    /// Forgets what was read of an account, before it is read again.
    pub fn clear_account(&self, o: ObservationId, account: &str) -> Result<()> {
        self.with(|db| {
            for table in ["account", "quota", "folder", "message", "subscription", "folder_attribute"] {
                db.execute(&format!("DELETE FROM {table} WHERE observation = ? AND account = ?"), params![o.0, account])?;
            }
            Ok(())
        })
    }

    /// Forgets what was read of a folder, before it is read again.
    pub fn clear_folder(&self, o: ObservationId, account: &str, folder: &str) -> Result<()> {
        self.with(|db| {
            for table in ["folder", "message"] {
                let sql = format!("DELETE FROM {table} WHERE observation = ? AND account = ? AND folder = ?");
                db.execute(&sql, params![o.0, account, folder])?;
            }
            Ok(())
        })
    }

    /// Stores the folders that an account is subscribed to and that are not there.
    pub fn put_subscriptions(&self, o: ObservationId, account: &str, folders: &[String]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for folder in folders {
                tx.execute("INSERT OR REPLACE INTO subscription VALUES (?, ?, ?)", params![o.0, account, folder])?;
            }
            tx.commit()
        })
    }

    /// The folders that an account is subscribed to and that are not there, by name.
    pub fn subscriptions(&self, o: ObservationId, account: &str) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare("SELECT folder FROM subscription WHERE observation = ? AND account = ?")?
                .query_map(params![o.0, account], |r| r.get(0))?
                .collect()
        })
    }

    /// Stores what a server keeps of an account's folders beside their messages.
    pub fn put_folder_attributes(&self, o: ObservationId, account: &str, attributes: &[FolderAttribute]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for a in attributes {
                tx.prepare_cached("INSERT OR REPLACE INTO folder_attribute VALUES (?, ?, ?, ?, ?, ?)")?
                    .execute(params![o.0, account, a.folder, a.property, a.of, a.value])?;
            }
            tx.commit()
        })
    }

    /// What a server keeps of an account's folders beside their messages, by folder and property.
    pub fn folder_attributes(&self, o: ObservationId, account: &str) -> Result<BTreeSet<FolderAttribute>> {
        self.with(|db| {
            db.prepare("SELECT folder, property, of, value FROM folder_attribute WHERE observation = ? AND account = ?")?
                .query_map(params![o.0, account], |r| {
                    Ok(FolderAttribute { folder: r.get(0)?, property: r.get(1)?, of: r.get(2)?, value: r.get(3)? })
                })?
                .collect()
        })
    }

    /// The properties of which any folder has some.
    pub fn folder_properties(&self, o: ObservationId) -> Result<BTreeSet<String>> {
        self.with(|db| {
            db.prepare("SELECT DISTINCT property FROM folder_attribute WHERE observation = ?")?
                .query_map([o.0], |r| r.get(0))?
                .collect()
        })
    }

    /// Stores an account's quota.
    pub fn put_quota(&self, o: ObservationId, account: &str, quota: Quota) -> Result<()> {
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO quota VALUES (?, ?, ?, ?)", params![o.0, account, quota.used, quota.most])
                .map(drop)
        })
    }

    /// An account's quota, where the server said one.
    pub fn quota(&self, o: ObservationId, account: &str) -> Result<Option<Quota>> {
        self.with(|db| {
            db.prepare_cached("SELECT used, most FROM quota WHERE observation = ? AND account = ?")?
                .query_row(params![o.0, account], |r| Ok(Quota { used: r.get(0)?, most: r.get(1)? }))
                .optional()
        })
    }

    /// The accounts of an observation, by address.
    pub fn accounts(&self, o: ObservationId) -> Result<Vec<(String, Login)>> {
        self.with(|db| {
            db.prepare("SELECT account, status, detail FROM account WHERE observation = ? ORDER BY account")?
                .query_map([o.0], |r| {
                    let detail = r.get(2)?;
                    let login = match r.get_ref(1)?.as_str()? {
                        "read" => Login::Read,
                        "refused" => Login::Refused(detail),
                        _ => Login::Unread(detail),
                    };
                    Ok((r.get(0)?, login))
                })?
                .collect()
        })
    }

    /// The folders of an account, by name.
    pub fn folders(&self, o: ObservationId, account: &str) -> Result<Vec<FolderSeen>> {
        self.with(|db| {
            db.prepare(
                "SELECT folder, uid_validity, uid_next, messages, subscribed, modseq, special_use FROM folder
                 WHERE observation = ? AND account = ? ORDER BY folder",
            )?
            .query_map(params![o.0, account], |r| {
                Ok(FolderSeen {
                    folder: r.get(0)?,
                    uid_validity: r.get(1)?,
                    uid_next: r.get(2)?,
                    messages: r.get(3)?,
                    subscribed: r.get(4)?,
                    modseq: r.get(5)?,
                    special_use: r.get(6)?,
                })
            })?
            .collect()
        })
    }

    /// The messages of an account, by folder and UID. Some 200 bytes each in memory.
    pub fn messages(&self, o: ObservationId, account: &str) -> Result<Vec<MessageSeen>> {
        self.with(|db| {
            db.prepare(&format!("SELECT {MESSAGE} FROM message WHERE observation = ? AND account = ? ORDER BY folder, uid"))?
                .query_map(params![o.0, account], |r| message_of(r, 0))?
                .collect()
        })
    }

    /// The (account, folder) other than `not` in which `after` has a message with these bytes and `before` had none.
    pub(crate) fn strayed(
        &self,
        before: ObservationId,
        after: ObservationId,
        sha256: &[u8],
        not: &str,
    ) -> Result<Option<(String, String)>> {
        self.with(|db| {
            db.query_row(
                "SELECT account, folder FROM message AS m WHERE observation = ?1 AND sha256 = ?2 AND account <> ?3
                 AND NOT EXISTS (SELECT 1 FROM message AS o
                   WHERE o.observation = ?4 AND o.account = m.account AND o.sha256 = ?2) LIMIT 1",
                params![after.0, sha256, not, before.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
            .optional()
        })
    }

    /// Keeps the bytes of a message whose content changed.
    pub fn put_altered(&self, o: ObservationId, m: &AlteredSeen) -> Result<()> {
        self.with(|db| {
            let row = params![o.0, m.account, m.folder, m.uid, m.item, m.bytes];
            db.execute("INSERT OR REPLACE INTO altered VALUES (?, ?, ?, ?, ?, ?)", row).map(drop)
        })
    }

    /// The messages whose bytes were kept because their content changed, by place.
    pub fn altered(&self, o: ObservationId) -> Result<Vec<AlteredSeen>> {
        self.with(|db| {
            let sql = "SELECT account, folder, uid, item, bytes FROM altered WHERE observation = ? ORDER BY account, folder, uid";
            db.prepare(sql)?
                .query_map([o.0], |r| {
                    Ok(AlteredSeen { account: r.get(0)?, folder: r.get(1)?, uid: r.get(2)?, item: r.get(3)?, bytes: r.get(4)? })
                })?
                .collect()
        })
    }
}
