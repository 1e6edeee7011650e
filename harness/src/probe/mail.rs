//! The mail probe: every mailbox and every message, through the IMAP door, as its user.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use async_imap::types::{Capabilities, Mailbox, QuotaResource, QuotaResourceName};
use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::store::{Evidence, FolderSeen, Login, MessageSeen, ObservationId, Quota};

use super::{Probe, Progress, Reading};
use crate::error::Result;
use crate::secret::Secret;

mod attributes;
mod folders;
mod message;
mod modseqs;
mod session;

pub use folders::{Listed, folders};
pub use message::{header_field, item, message};
pub use modseqs::{FirstLook, ModSeqs};
pub use session::{Bounded, CONNECTIONS, Failure, Imap, Session};

use attributes::attributes;
use folders::subscribed_alone;
use message::{bare, in_order};
use modseqs::modseqs_of;
use session::{ATTEMPTS, in_time};

/// Messages stored at once.
const BATCH: usize = 500;
/// The most messages of one folder that the server cannot serve; with more, the account counts as unread.
const UNREADABLE: usize = 10;

/// A folder to be read, and what is known of it by now.
struct Opened<'a> {
    listed: &'a Listed,
    modseq: Option<u64>,
}

impl Opened<'_> {
    /// What is known of it, and what opening it told.
    fn seen(&self, mailbox: &Mailbox) -> Result<FolderSeen, Failure> {
        let (Some(uid_validity), Some(uid_next)) = (mailbox.uid_validity, mailbox.uid_next) else {
            return Err(Failure::Other("the server gave no UIDVALIDITY or UIDNEXT".into()));
        };
        let Listed { name: folder, subscribed, special_use } = self.listed.clone();
        let (messages, modseq) = (mailbox.exists, self.modseq);
        Ok(FolderSeen { folder, uid_validity, uid_next, messages, subscribed, modseq, special_use })
    }
}

/// The mail probe.
pub struct Mail {
    /// The door.
    pub imap: Imap,
    /// The accounts to read.
    pub accounts: Vec<String>,
    /// Where their passwords come from.
    pub secret: Secret,
    /// What [`Self::first_look`] saw, where it was before the mail server was made to look at its files again.
    pub modseqs: Option<FirstLook>,
}

impl Probe for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let read = AtomicU64::new(0);
            let count = || progress(read.fetch_add(1, Ordering::Relaxed) + 1, 0);
            let count = &count;
            futures_util::stream::iter(self.accounts.clone())
                .map(|account| async move { self.account(evidence, observation, &account, count).await })
                .buffer_unordered(CONNECTIONS)
                .try_collect::<Vec<()>>()
                .await?;
            Ok(())
        })
    }
}

impl Mail {
    async fn account(&self, evidence: &Evidence, o: ObservationId, account: &str, count: &(dyn Fn() + Sync)) -> Result<()> {
        let mut attempt = 1;
        loop {
            evidence.clear_account(o, account)?;
            let login = match self.read(evidence, o, account, attempt == ATTEMPTS, count).await? {
                Ok(()) => Login::Read,
                Err(Failure::Refused(why)) => Login::Refused(why),
                Err(Failure::Other(why)) if attempt < ATTEMPTS => {
                    tracing::debug!(account, attempt, "{why}");
                    attempt += 1;
                    continue;
                }
                Err(Failure::Other(why)) => {
                    // What was read before it broke is no observation of this account.
                    evidence.clear_account(o, account)?;
                    Login::Unread(why)
                }
            };
            return Ok(evidence.put_account(o, account, &login)?);
        }
    }

    async fn read(
        &self,
        evidence: &Evidence,
        o: ObservationId,
        account: &str,
        careful: bool,
        count: &(dyn Fn() + Sync),
    ) -> Result<Result<(), Failure>> {
        let mut session = match self.imap.login(account, &self.secret.password(account)).await {
            Ok(session) => session,
            Err(failure) => return Ok(Err(failure)),
        };
        let names = match folders(&mut session, self.imap.patience).await {
            Ok(names) => names,
            Err(failure) => return Ok(Err(failure)),
        };
        match subscribed_alone(&mut session, self.imap.patience, &names).await {
            Ok(alone) => evidence.put_subscriptions(o, account, &alone)?,
            Err(failure) => return Ok(Err(failure)),
        }
        let offered = match in_time(self.imap.patience, "CAPABILITY", session.capabilities()).await {
            Ok(offered) => offered,
            Err(failure) => return Ok(Err(failure)),
        };
        let (quota, modseqs) = match self.extensions(&mut session, &offered, account, &names).await {
            Ok(seen) => seen,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(quota) = quota {
            evidence.put_quota(o, account, quota)?;
        }
        for listed in &names {
            let folder = &listed.name;
            let opened = Opened { modseq: modseqs.get(&(account.to_owned(), folder.clone())).copied(), listed };
            let mut read = self.folder(evidence, o, account, &mut session, &opened, count).await?;
            if careful && read.is_err() {
                evidence.clear_folder(o, account, folder)?;
                read = match self.one_by_one(account, &opened).await {
                    Ok((fresh, seen, messages)) => {
                        session = fresh;
                        evidence.put_messages(o, account, &messages)?;
                        evidence.put_folder(o, account, &seen)?;
                        Ok(())
                    }
                    Err(failure) => Err(failure),
                };
            }
            if let Err(failure) = read {
                return Ok(Err(Failure::Other(format!("folder {folder}: {}", failure.reason()))));
            }
        }
        match attributes(&mut session, self.imap.patience, &offered, &names).await {
            Ok(attributes) => evidence.put_folder_attributes(o, account, &attributes)?,
            Err(failure) => return Ok(Err(failure)),
        }
        let _ = tokio::time::timeout(self.imap.patience, session.logout()).await;
        Ok(Ok(()))
    }

    /// Reads a folder message by message, each that fails twice, over fresh connections, as one that the server cannot serve:
    /// it has no hash then. Their number is bounded, and so is the memory: the folder's messages without their bytes.
    async fn one_by_one(&self, account: &str, opened: &Opened<'_>) -> Result<(Session, FolderSeen, Vec<MessageSeen>), Failure> {
        let folder = opened.listed.name.as_str();
        let connect = || async {
            let mut session = self.imap.login(account, &self.secret.password(account)).await?;
            let mailbox = in_time(self.imap.patience, "EXAMINE", session.examine(folder)).await?;
            Ok::<_, Failure>((session, mailbox))
        };
        let (mut session, mailbox) = connect().await?;
        let seen = opened.seen(&mailbox)?;
        let fetched: Vec<_> = in_time(self.imap.patience, "FETCH", async {
            session.uid_fetch("1:*", "(UID FLAGS INTERNALDATE)").await?.try_collect::<Vec<_>>().await
        })
        .await?;
        let mut last = (0, 0);
        fetched.iter().try_for_each(|f| in_order(&mut last, f.message, f.uid.unwrap_or_default()))?;
        let mut messages = fetched.iter().map(|f| bare(folder, f)).collect::<Result<Vec<_>, _>>()?;
        let mut unreadable = 0;
        for seen in &mut messages {
            let mut tries = 0;
            *seen = loop {
                tries += 1;
                let fetched = in_time(self.imap.patience, "FETCH", async {
                    let what = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])";
                    session.uid_fetch(seen.uid.to_string(), what).await?.try_collect::<Vec<_>>().await
                })
                .await;
                let found = fetched.and_then(|all| all.iter().find_map(|f| message(folder, f).transpose()).transpose());
                match found {
                    Ok(Some(message)) => break message,
                    _ if tries == 1 => session = connect().await?.0,
                    _ if unreadable == UNREADABLE => {
                        return Err(Failure::Other(format!("more than {UNREADABLE} messages cannot be fetched")));
                    }
                    _ => {
                        unreadable += 1;
                        session = connect().await?.0;
                        break seen.clone();
                    }
                }
            };
        }
        self.unchanged(&mut session, folder, &mailbox).await?;
        if messages.len() != mailbox.exists as usize {
            return Err(Failure::Other(format!("{} messages are there, {} were listed", mailbox.exists, messages.len())));
        }
        Ok((session, seen, messages))
    }

    /// What servers tell that have the extensions: quota, and HIGHESTMODSEQ where no first look saw it.
    async fn extensions(
        &self,
        session: &mut Session,
        offered: &Capabilities,
        account: &str,
        listed: &[Listed],
    ) -> Result<(Option<Quota>, Cow<'_, ModSeqs>), Failure> {
        let quota = self.quota(session, offered).await?;
        let modseqs = match &self.modseqs {
            Some(FirstLook { unread, .. }) if unread.contains_key(account) => {
                return Err(Failure::Other(format!("before indexes were dropped: {}", unread[account])));
            }
            Some(look) => Cow::Borrowed(&look.seen),
            None => Cow::Owned(modseqs_of(self.imap.patience, session, offered, account, listed).await?),
        };
        Ok((quota, modseqs))
    }

    /// The account's storage quota; none where the server has no quotas.
    async fn quota(&self, session: &mut Session, offered: &Capabilities) -> Result<Option<Quota>, Failure> {
        if !offered.has_str("QUOTA") {
            return Ok(None);
        }
        let (_, quotas) = in_time(self.imap.patience, "GETQUOTAROOT", session.get_quota_root("INBOX")).await?;
        let storage = |r: &QuotaResource| r.name == QuotaResourceName::Storage;
        let resource = quotas.into_iter().flat_map(|q| q.resources).find(storage);
        Ok(resource.map(|r| Quota { used: r.usage, most: r.limit }))
    }

    /// What has to be seen before the mail server is made to look at its files again.
    pub async fn first_look(&self) -> FirstLook {
        modseqs::first_look(&self.imap, &self.accounts, &self.secret).await
    }

    /// Moves every HIGHESTMODSEQ on, so that it is not what a rebuilt index would begin with.
    pub async fn stir(&self) -> Result<(), Failure> {
        modseqs::stir(&self.imap, &self.accounts, &self.secret).await
    }

    /// A folder that is made anew or grows while it is read is no observation: whatever was read is of two folders.
    async fn unchanged(&self, session: &mut Session, folder: &str, before: &Mailbox) -> Result<(), Failure> {
        let after = in_time(self.imap.patience, "EXAMINE", session.examine(folder)).await?;
        if (after.uid_validity, after.exists) != (before.uid_validity, before.exists) {
            return Err(Failure::Other("the folder changed while it was read".into()));
        }
        Ok(())
    }

    async fn folder(
        &self,
        evidence: &Evidence,
        o: ObservationId,
        account: &str,
        session: &mut Session,
        opened: &Opened<'_>,
        count: &(dyn Fn() + Sync),
    ) -> Result<Result<(), Failure>> {
        let folder = opened.listed.name.as_str();
        let mailbox = match in_time(self.imap.patience, "EXAMINE", session.examine(folder)).await {
            Ok(mailbox) => mailbox,
            Err(failure) => return Ok(Err(failure)),
        };
        let seen = match opened.seen(&mailbox) {
            Ok(seen) => seen,
            Err(failure) => return Ok(Err(failure)),
        };
        let (mut read, mut last) = (0, (0, 0));
        if mailbox.exists > 0 {
            let response = AsMut::<Bounded>::as_mut(session).response.clone();
            let fetch = session.uid_fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])");
            let mut stream = match in_time(self.imap.patience, "FETCH", fetch).await {
                Ok(stream) => Box::pin(stream),
                Err(failure) => return Ok(Err(failure)),
            };
            let mut batch = Vec::new();
            loop {
                let next = match in_time(self.imap.patience, "FETCH", async { Ok::<_, Failure>(stream.next().await) }).await {
                    Ok(Some(Ok(fetch))) => fetch,
                    Ok(None) => break,
                    Ok(Some(Err(e))) => return Ok(Err(e.into())),
                    Err(failure) => return Ok(Err(failure)),
                };
                response.store(0, Ordering::Relaxed);
                match message(folder, &next) {
                    Ok(Some(message)) => {
                        if let Err(failure) = in_order(&mut last, next.message, message.uid) {
                            return Ok(Err(failure));
                        }
                        batch.push(message);
                    }
                    // A FETCH response that only tells of changed flags.
                    Ok(None) => continue,
                    Err(failure) => return Ok(Err(failure)),
                }
                read += 1;
                count();
                if batch.len() == BATCH {
                    evidence.put_messages(o, account, &batch)?;
                    batch.clear();
                }
            }
            evidence.put_messages(o, account, &batch)?;
        }
        if let Err(failure) = self.unchanged(session, folder, &mailbox).await {
            return Ok(Err(failure));
        }
        // The client library does not report a FETCH that ends with NO: the count does.
        if read != mailbox.exists {
            return Ok(Err(Failure::Other(format!("{} messages are there, {read} could be fetched", mailbox.exists))));
        }
        evidence.put_folder(o, account, &seen)?;
        Ok(Ok(()))
    }
}
