//! The mail probe: every mailbox and every message, through the IMAP door, as its user.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_imap::error::Error as ImapError;
use async_imap::types::{Capabilities, Flag, Mailbox, QuotaResource, QuotaResourceName};
use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::MessageId;
use judge::store::{Evidence, FolderSeen, Login, MessageSeen, ObservationId, Quota};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Probe, Progress, Reading};
use crate::error::Result;
use crate::secret::Secret;
use crate::tls::Authority;

/// Mailboxes read at once. A server may allow some 20 connections per user and address; two cores serve about this many.
const CONNECTIONS: usize = 4;
/// Messages stored at once.
const BATCH: usize = 500;
/// The longest line that is taken, in bytes; RFC 5322 allows 998 in a message, and a parser has to hold it.
const LINE: u64 = 16 << 20;
/// The longest response that is taken, in bytes: a message and what is said of it.
const RESPONSE: u64 = 96 << 20;
/// Attempts at reading one account, where the cause may pass. The last one reads a folder that fails message by message.
const ATTEMPTS: u32 = 3;
/// The most messages of one folder that the server cannot serve; with more, the account counts as unread.
const UNREADABLE: usize = 10;

/// An authenticated IMAP session.
pub type Session = async_imap::Session<Bounded>;

/// A connection on which no line and no response is longer than what can be held: the client library holds both whole.
#[derive(Debug)]
pub struct Bounded {
    inner: TlsStream<TcpStream>,
    line: u64,
    /// Bytes since the last response was handed on.
    response: Arc<AtomicU64>,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        let new = &buf.filled()[before..];
        self.line = match new.iter().rev().position(|b| *b == b'\n') {
            Some(since) => since as u64,
            None => self.line + new.len() as u64,
        };
        let response = self.response.fetch_add(new.len() as u64, Ordering::Relaxed) + new.len() as u64;
        for (length, most, what) in [(self.line, LINE, "line"), (response, RESPONSE, "response")] {
            if length > most {
                return Poll::Ready(Err(std::io::Error::other(format!("a {what} of more than {} MiB", most >> 20))));
            }
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        // A new command is answered by new responses.
        self.response.store(0, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The IMAP door: where it is, and whom to trust.
#[derive(Clone)]
pub struct Imap {
    /// The engine's host.
    pub host: String,
    /// The published port of implicit TLS (993 inside).
    pub port: u16,
    /// The run's authority.
    pub authority: Arc<Authority>,
    /// The longest wait for one response; [`STALL`](super::STALL) outside tests.
    pub patience: Duration,
}

/// Why a session or a reading failed.
#[derive(Debug)]
pub enum Failure {
    /// The server denied the login: a `NO` that says so.
    Refused(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The reason in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused(why) | Self::Other(why) => why,
        }
    }
}

impl From<ImapError> for Failure {
    fn from(error: ImapError) -> Self {
        Self::Other(error.to_string())
    }
}

async fn in_time<T, E: Into<Failure>>(
    patience: Duration,
    what: &str,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, step).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Failure::Other(format!("{what}: no answer in {} s", patience.as_secs()))),
    }
}

impl Imap {
    /// Connects, checks the certificate, reads the greeting and logs in.
    pub async fn login(&self, account: &str, password: &str) -> Result<Session, Failure> {
        let other = |what: &str, e: &dyn std::fmt::Display| Failure::Other(format!("{what}: {e}"));
        let connect = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| other("connecting", &e))?;
            let tls = self.authority.encrypt(tcp).await.map_err(|e| other("TLS", &e))?;
            let mut client = async_imap::Client::new(Bounded { inner: tls, line: 0, response: Arc::default() });
            let greeting = client.read_response().await.map_err(|e| other("greeting", &e))?;
            greeting.ok_or_else(|| Failure::Other("the server closed the connection before its greeting".into()))?;
            Ok::<_, Failure>(client)
        };
        let client = in_time(self.patience, "connecting", connect).await?;
        in_time(self.patience, "login", async {
            client.login(account, password).await.map_err(|(e, _)| match &e {
                ImapError::No(text) if refusal(text) => Failure::Refused(plain(text)),
                _ => Failure::Other(format!("login: {e}")),
            })
        })
        .await
    }
}

/// Whether a `NO` says that the credentials are wrong (RFC 5530: AUTHENTICATIONFAILED), not that the server is unable.
fn refusal(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    !text.contains("UNAVAILABLE")
        && (text.contains("AUTHENTICATIONFAILED")
            || text.contains("AUTHENTICATION FAILED")
            || text.contains("CREDENTIALS INVALID"))
}

/// The server's words out of the client's rendering, `code: …, info: Some("…")`.
fn plain(text: &str) -> String {
    text.split_once("info: Some(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(text).to_owned()
}

/// A folder as LIST and LSUB tell of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name as the server gives it.
    pub name: String,
    /// Whether LSUB has it.
    pub subscribed: bool,
    /// What it is for (RFC 6154), sorted, space-separated.
    pub special_use: String,
}

/// The folders of a session, by name; names that cannot be selected are left out.
pub async fn folders(session: &mut Session, patience: Duration) -> Result<Vec<Listed>, Failure> {
    let listed: Vec<_> =
        in_time(patience, "LIST", async { session.list(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    let subscribed: Vec<_> =
        in_time(patience, "LSUB", async { session.lsub(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    use async_imap::types::NameAttribute as Attribute;
    let absent = |a: &Attribute<'_>| match a {
        Attribute::NoSelect => true,
        // RFC 5258: a parent of folders that is none itself.
        Attribute::Extension(name) => name.eq_ignore_ascii_case("\\NonExistent"),
        _ => false,
    };
    let mut names: Vec<Listed> = listed
        .iter()
        .filter(|n| !n.attributes().iter().any(absent))
        .map(|n| Listed {
            name: n.name().to_owned(),
            subscribed: subscribed.iter().any(|s| s.name() == n.name()),
            special_use: special_use(n.attributes()),
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The folders that LSUB has and that are not among `listed`: a subscription outlives its folder (RFC 9051, 6.3.7).
async fn subscribed_alone(session: &mut Session, patience: Duration, listed: &[Listed]) -> Result<Vec<String>, Failure> {
    let subscribed: Vec<_> =
        in_time(patience, "LSUB", async { session.lsub(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    let there = |name: &str| listed.iter().any(|l| l.name == name);
    Ok(subscribed.iter().map(|s| s.name().to_owned()).filter(|name| !there(name)).collect())
}

/// The attributes of RFC 6154 among those of a folder.
fn special_use(attributes: &[async_imap::types::NameAttribute<'_>]) -> String {
    use async_imap::types::NameAttribute as Attribute;
    let name = |a: &Attribute<'_>| {
        Some(match a {
            Attribute::All => "\\All",
            Attribute::Archive => "\\Archive",
            Attribute::Drafts => "\\Drafts",
            Attribute::Flagged => "\\Flagged",
            Attribute::Junk => "\\Junk",
            Attribute::Sent => "\\Sent",
            Attribute::Trash => "\\Trash",
            _ => return None,
        })
    };
    let mut names: Vec<&str> = attributes.iter().filter_map(name).collect();
    names.sort_unstable();
    names.join(" ")
}

/// HIGHESTMODSEQ of folders, by account and name.
pub type ModSeqs = HashMap<(String, String), u64>;

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

/// What was seen before the mail server was made to look at its files again.
#[derive(Debug, Default)]
pub struct FirstLook {
    seen: ModSeqs,
    /// Accounts of which it could not be seen, and why.
    unread: BTreeMap<String, String>,
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
        let (quota, modseqs) = match self.extensions(&mut session, account, &names).await {
            Ok(seen) => seen,
            Err(failure) => return Ok(Err(failure)),
        };
        if let Some(quota) = quota {
            evidence.put_quota(o, account, quota)?;
        }
        for listed in names {
            let folder = &listed.name;
            let opened = Opened { modseq: modseqs.get(&(account.to_owned(), folder.clone())).copied(), listed: &listed };
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

    /// HIGHESTMODSEQ of some folders; of none where the server does not offer CONDSTORE.
    async fn modseqs_of(
        &self,
        session: &mut Session,
        offered: &Capabilities,
        account: &str,
        listed: &[Listed],
    ) -> Result<ModSeqs, Failure> {
        let mut seen = ModSeqs::new();
        if !offered.has_str("CONDSTORE") {
            return Ok(seen);
        }
        for folder in listed {
            let status = in_time(self.imap.patience, "STATUS", async {
                match session.status(&folder.name, "(HIGHESTMODSEQ)").await {
                    // A list may have what is not there any more; reading in full tells.
                    Err(ImapError::No(_)) => Ok(None),
                    result => result.map(|status| status.highest_modseq),
                }
            });
            if let Some(modseq) = status.await? {
                seen.insert((account.to_owned(), folder.name.clone()), modseq);
            }
        }
        Ok(seen)
    }

    /// What servers tell that have the extensions: quota, and HIGHESTMODSEQ where no first look saw it.
    async fn extensions(
        &self,
        session: &mut Session,
        account: &str,
        listed: &[Listed],
    ) -> Result<(Option<Quota>, Cow<'_, ModSeqs>), Failure> {
        let offered = in_time(self.imap.patience, "CAPABILITY", session.capabilities()).await?;
        let quota = self.quota(session, &offered).await?;
        let modseqs = match &self.modseqs {
            Some(FirstLook { unread, .. }) if unread.contains_key(account) => {
                return Err(Failure::Other(format!("before indexes were dropped: {}", unread[account])));
            }
            Some(look) => Cow::Borrowed(&look.seen),
            None => Cow::Owned(self.modseqs_of(session, &offered, account, listed).await?),
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

    /// HIGHESTMODSEQ of every folder, before anything makes the mail server look at its files again: it is in the indexes,
    /// and rebuilt ones count anew. What cannot be read here has none; reading it in full says why.
    pub async fn first_look(&self) -> FirstLook {
        let look = |account: String| async move {
            let mut seen = self.look(&account).await;
            for _ in 1..ATTEMPTS {
                if matches!(seen, Err(Failure::Other(_))) {
                    seen = self.look(&account).await;
                }
            }
            (account, seen)
        };
        let looks = futures_util::stream::iter(self.accounts.clone()).map(look).buffer_unordered(CONNECTIONS);
        let mut all = FirstLook::default();
        for (account, seen) in looks.collect::<Vec<_>>().await {
            match seen {
                Ok(seen) => all.seen.extend(seen),
                // The login is refused to the observation that follows too, and said to be.
                Err(Failure::Refused(_)) => {}
                Err(Failure::Other(why)) => drop(all.unread.insert(account, why)),
            }
        }
        all
    }

    async fn look(&self, account: &str) -> Result<ModSeqs, Failure> {
        let mut session = self.imap.login(account, &self.secret.password(account)).await?;
        let listed = folders(&mut session, self.imap.patience).await?;
        let offered = in_time(self.imap.patience, "CAPABILITY", session.capabilities()).await?;
        let seen = self.modseqs_of(&mut session, &offered, account, &listed).await?;
        let _ = tokio::time::timeout(self.imap.patience, session.logout()).await;
        Ok(seen)
    }

    /// Changes a flag of a message of every INBOX and takes the change back, so that HIGHESTMODSEQ is not what a rebuilt
    /// index would begin with.
    pub async fn stir(&self) -> Result<(), Failure> {
        let stir = |account: String| async move {
            let mut session = self.imap.login(&account, &self.secret.password(&account)).await?;
            if in_time(self.imap.patience, "SELECT", session.select("INBOX")).await?.exists > 0 {
                let first: Vec<_> = in_time(self.imap.patience, "FETCH", async {
                    session.fetch("1", "(FLAGS)").await?.try_collect::<Vec<_>>().await
                })
                .await?;
                let has = first.iter().flat_map(|f| f.flags()).any(|flag| flag == Flag::Deleted);
                for sign in if has { ["-", "+"] } else { ["+", "-"] } {
                    let change = format!("{sign}FLAGS.SILENT (\\Deleted)");
                    in_time(self.imap.patience, "STORE", async {
                        session.store("1", &change).await?.try_collect::<Vec<_>>().await.map(drop)
                    })
                    .await?;
                }
            }
            let _ = tokio::time::timeout(self.imap.patience, session.logout()).await;
            Ok(())
        };
        futures_util::stream::iter(self.accounts.clone()).map(stir).buffer_unordered(CONNECTIONS).try_collect().await
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

/// Message numbers are in the order of UIDs (RFC 3501, 2.3.1.2): clients show messages so.
fn in_order(last: &mut (u32, u32), number: u32, uid: u32) -> Result<(), Failure> {
    let (last_number, last_uid) = std::mem::replace(last, (number, uid));
    if (number > last_number) == (uid > last_uid) {
        return Ok(());
    }
    Err(Failure::Other(format!("message {last_number} has UID {last_uid}, and message {number} UID {uid}: not in order")))
}

/// A message without its bytes.
fn bare(folder: &str, fetch: &async_imap::types::Fetch) -> Result<MessageSeen, Failure> {
    let (Some(uid), Some(date)) = (fetch.uid, fetch.internal_date()) else {
        return Err(Failure::Other("a FETCH response without UID or INTERNALDATE".into()));
    };
    let (mut flags, mut keywords) = (Vec::new(), Vec::new());
    for flag in fetch.flags() {
        match flag {
            Flag::Recent => {}
            Flag::Custom(name) if !name.starts_with('\\') => keywords.push(name.into_owned()),
            Flag::Custom(name) => flags.push(name.into_owned()),
            system => flags.push(format!("\\{system:?}")),
        }
    }
    flags.sort();
    keywords.sort();
    Ok(MessageSeen {
        folder: folder.to_owned(),
        uid,
        sha256: vec![],
        body_sha256: vec![],
        size: 0,
        flags: flags.join(" "),
        keywords: keywords.join(" "),
        internal_date: date.timestamp(),
        item: None,
    })
}

/// A message; none for a FETCH response that only tells of changed flags.
pub fn message(folder: &str, fetch: &async_imap::types::Fetch) -> Result<Option<MessageSeen>, Failure> {
    let Some(body) = fetch.body() else { return Ok(None) };
    let Some(size) = fetch.size else { return Err(Failure::Other("a FETCH response without RFC822.SIZE".into())) };
    let header_end = body.windows(4).position(|w| w == b"\r\n\r\n").map_or(body.len(), |at| at + 4);
    Ok(Some(MessageSeen {
        sha256: Sha256::digest(body).to_vec(),
        body_sha256: Sha256::digest(&body[header_end..]).to_vec(),
        size: u64::from(size),
        item: item(&body[..header_end]),
        ..bare(folder, fetch)?
    }))
}

/// Which of the run's own messages a message is, by its header.
pub fn item(header: &[u8]) -> Option<MessageId> {
    header_field(header, seeds::ITEM_HEADER)?.parse().ok()
}

/// The value of a header field that is on one line.
pub fn header_field(message: &[u8], field: &str) -> Option<String> {
    let prefix = format!("{field}:");
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(message.len());
    message[..end].split(|b| *b == b'\n').find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let (name, value) = line.split_at_checked(prefix.len())?;
        name.eq_ignore_ascii_case(&prefix).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_item_is_read_from_the_header() {
        assert_eq!(item(b"From: a@mail.test\r\nrestore-drill-ITEM: 42\r\n\r\n"), Some(MessageId::Corpus(42)));
        assert_eq!(item(b"Restore-Drill-Item: second\r\n\r\n"), None);
        assert_eq!(item(b"Subject: Restore-Drill-Item: 42\r\n\r\n"), None);
        assert_eq!(item(b"Subject: \xff\r\n\r\n"), None);
    }

    #[test]
    fn only_a_denial_of_the_credentials_is_a_refusal() {
        assert!(refusal("code: None, info: Some(\"[AUTHENTICATIONFAILED] Authentication credentials invalid\")"));
        assert!(refusal("code: None, info: Some(\"Authentication failed.\")"));
        assert!(!refusal("code: None, info: Some(\"[UNAVAILABLE] Temporary authentication failure\")"));
        assert!(!refusal("code: None, info: Some(\"internal server error\")"));
        assert_eq!(plain("code: None, info: Some(\"no\")"), "no");
    }
}
