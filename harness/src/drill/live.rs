//! A backup while others write: mail arrives, flags change, messages are expunged, users are created and deleted, at a set
//! rate, from before the backup until after it. Each operation is in the ledger with when it began and ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::MessageId;
use judge::store::{LiveAction, LiveKind, LiveOp};
use recipe::scenario::UserCommands;
use seeds::Corpus;
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::backing_up::BackedUp;
use super::baseline::Baseline;
use super::shaping::{expunge, store};
use super::state::Drill;
use super::users;
use crate::error::{Error, Result, SeedingError};
use crate::probe::mail::{Failure, Session};
use crate::probe::smtp::Submission;

/// Messages under way at once.
const UNDER_WAY: usize = 8;
/// The shortest of the longest waits: an app that is slow gets more.
const PATIENCE: Duration = Duration::from_secs(60);
/// So many times as long as the app took to make its users may it take to make one while others write.
const SLOWER: u32 = 20;
/// The fewest messages in INBOXes with which there is enough to write to.
const FEWEST: usize = 6;
/// Between two looks for a message that was submitted.
const POLL: Duration = Duration::from_millis(100);
/// The flag that is changed: one that nothing else changes.
const FLAG: &str = "\\Flagged";

/// Operations that ended well, by kind.
type Counts = [u64; LiveKind::ALL.len()];

/// Refuses a corpus with too few messages to write to, before anything is deployed.
///
/// # Errors
/// There are too few.
pub(super) fn enough(corpus: &Corpus) -> Result<()> {
    let accounts = corpus.accounts();
    let in_inbox = |n: u64| {
        let accounts: BTreeSet<String> = corpus.message(n).recipients.iter().flat_map(|r| accounts.deliveries(r)).collect();
        let placed = accounts.into_iter().map(move |account| corpus.placement(n, &account));
        placed.filter(|p| p.folder.is_none() && !p.expunged).count()
    };
    let found = (0..corpus.len())
        .scan(0, |sum, n| {
            *sum += in_inbox(n);
            Some(*sum)
        })
        .find(|sum| *sum >= FEWEST);
    found.map(drop).ok_or_else(|| {
        Error::Usage(
            "--live needs messages to write to, and the profile has too few: take --profile smoke or a larger one".into(),
        )
    })
}

/// What the writers share.
struct Writers {
    drill: Arc<Drill>,
    clock: Instant,
    /// Operations a second of each of the three writers.
    pace: Duration,
    stopped: AtomicBool,
    ended: watch::Sender<Counts>,
    /// Messages of the baseline, each written to once.
    messages: Vec<(String, u32)>,
    /// The longest wait for a message to arrive, and for each kind of operation to have happened.
    patience: Duration,
}

/// Takes a backup while others write: `rate` operations a second, if the app is that fast.
pub(crate) async fn while_others_write(
    drill: &Arc<Drill>,
    rate: u32,
    baseline: &Baseline,
    backup: impl Future<Output = Result<Option<BackedUp>>>,
) -> Result<Option<BackedUp>> {
    let (ended, mut seen) = watch::channel(Counts::default());
    let writers = Writers {
        drill: drill.clone(),
        clock: Instant::now(),
        pace: Duration::from_secs(3) / rate.max(1),
        stopped: AtomicBool::new(false),
        ended,
        messages: unwritten(drill, baseline)?,
        patience: PATIENCE.max(SLOWER * drill.run.clocks().users.unwrap_or_default()),
    };
    if writers.messages.len() < FEWEST {
        return Err(SeedingError::TooFewMessages.into());
    }
    let control = async {
        // The backup begins during the writes, and they go on when it has ended.
        let begun = one_of_each(&mut seen, writers.patience).await?;
        let began = writers.now();
        drill.run.clocks().newest = Some(Instant::now());
        let result = backup.await;
        drill.run.evidence.put_live_backup((began, writers.now()))?;
        let at_the_end = *seen.borrow();
        one_more(&mut seen, at_the_end, writers.patience).await?;
        let all = *seen.borrow();
        let count = |n: &Counts| n.iter().sum::<u64>();
        drill.run.events.note(format!(
            "Others wrote all the while: {} operations before the backup, {} during it, {} after it.",
            count(&begun),
            count(&at_the_end) - count(&begun),
            count(&all) - count(&at_the_end)
        ));
        result
    };
    let control = async {
        let result = control.await;
        writers.stopped.store(true, Ordering::Relaxed);
        result
    };
    let (result, mail, mailboxes, users) =
        tokio::join!(control, writers.deliver(), writers.change(), writers.create_and_delete());
    let result = result?;
    mail?;
    mailboxes?;
    users?;
    Ok(result)
}

/// Waits until one operation of each kind ended well.
async fn one_of_each(seen: &mut watch::Receiver<Counts>, patience: Duration) -> Result<Counts> {
    let waited = tokio::time::timeout(patience, seen.wait_for(|counts| counts.iter().all(|n| *n > 0))).await;
    let counts = waited.ok().and_then(Result::ok).map(|counts| *counts);
    match counts {
        Some(counts) => Ok(counts),
        None => {
            let counts = *seen.borrow();
            let kinds = LiveKind::ALL.iter().zip(counts).map(|(k, n)| format!("{} {n}", k.name()));
            let when = format!("before the backup; succeeded so far: {}", kinds.collect::<Vec<_>>().join(", "));
            Err(SeedingError::Stalled { when }.into())
        }
    }
}

/// Waits until a message arrived that was submitted after the backup: the app works on.
async fn one_more(seen: &mut watch::Receiver<Counts>, before: Counts, patience: Duration) -> Result<()> {
    // Those that are under way by now began before the backup's end.
    let more = seen.wait_for(|counts| counts[0] > before[0] + UNDER_WAY as u64);
    // All that are under way may have to be given up first.
    match tokio::time::timeout(2 * patience, more).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(SeedingError::Stalled { when: "after the backup".into() }.into()),
    }
}

/// Messages of the corpus in the INBOXes of the baseline.
fn unwritten(drill: &Drill, baseline: &Baseline) -> Result<Vec<(String, u32)>> {
    let mut all = Vec::new();
    for (account, _) in drill.run.evidence.accounts(baseline.observation())? {
        let messages = drill.run.evidence.messages(baseline.observation(), &account)?;
        let own = messages.into_iter().filter(|m| m.folder == "INBOX" && m.item.is_some());
        all.extend(own.map(|m| (account.clone(), m.uid)));
    }
    Ok(all)
}

/// Whether a message has the flag; none if there is no such message.
async fn flagged(session: &mut Session, uid: u32) -> Result<Option<bool>, Failure> {
    let found: Vec<_> = session.uid_fetch(uid.to_string(), "(UID FLAGS)").await?.try_collect().await?;
    let is_flagged = |f: &async_imap::types::Fetch| f.flags().any(|flag| matches!(flag, async_imap::types::Flag::Flagged));
    Ok(found.iter().find(|f| f.uid == Some(uid)).map(is_flagged))
}

impl Writers {
    fn now(&self) -> u64 {
        self.clock.elapsed().as_millis() as u64
    }

    fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed)
    }

    /// Does one thing, and writes it down: when it began, and when it ended if it did.
    async fn write(&self, account: &str, action: LiveAction, deed: impl Future<Output = Result<(), String>>) -> Result<bool> {
        let began = self.now();
        let result = deed.await;
        let ended = result.is_ok().then(|| self.now());
        let (kind, account, error) = (action.kind(), account.to_owned(), result.err().unwrap_or_default());
        self.drill.run.evidence.put_live(&LiveOp { account, action, began, ended, error })?;
        if ended.is_some() {
            let at = LiveKind::ALL.iter().position(|k| *k == kind).unwrap_or_default();
            self.ended.send_modify(|counts| counts[at] += 1);
        }
        Ok(ended.is_some())
    }

    /// Delivers messages, to users who neither forward their mail nor answer it by themselves.
    async fn deliver(&self) -> Result<()> {
        let drill = &self.drill;
        let accounts = drill.run.corpus.accounts();
        let quiet: Vec<&str> = accounts.quiet().map(|u| u.email.as_str()).collect();
        let (Some(sender), false) = (accounts.mailboxes().first(), quiet.is_empty()) else { return Ok(()) };
        let password = drill.run.secret.password(&sender.email);
        let submission = drill.app.submission(Some((&sender.email, &password)));
        let one = |n: u64| {
            let (to, submission) = (quiet[n as usize % quiet.len()], &submission);
            async move {
                let message = MessageId::Live(n);
                let body = format!("{}\r\n", "It came while the backup ran. ".repeat(8)).repeat(1 + (n * 37 % 200) as usize);
                let body_sha256 = hex::encode(Sha256::digest(&body));
                let deed = self.submit(submission, &sender.email, to, message, &body);
                self.write(to, LiveAction::Deliver { message, body_sha256 }, deed).await.map(drop)
            }
        };
        let mut tick = tokio::time::interval(self.pace);
        let mut under_way = FuturesUnordered::new();
        let mut n = 0;
        while self.goes_on() {
            tokio::select! {
                _ = tick.tick(), if under_way.len() < UNDER_WAY => {
                    under_way.push(one(n));
                    n += 1;
                }
                Some(done) = under_way.next() => done?,
            }
        }
        under_way.try_collect::<Vec<()>>().await.map(drop)
    }

    /// Submits a message and waits until it is in the recipient's INBOX: only then it was delivered.
    async fn submit(&self, submission: &Submission, from: &str, to: &str, item: MessageId, body: &str) -> Result<(), String> {
        let text = format!(
            "From: {from}\r\nTo: {to}\r\nSubject: {item}\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\
             Message-ID: <{item}@live.example>\r\n{}: {item}\r\n\r\n{body}",
            seeds::ITEM_HEADER,
        );
        submission.send(from, &[to], text.as_bytes()).await.map_err(|e| e.reason().to_owned())?;
        let imap = self.drill.app.imap();
        let mut session = imap.login(to, &self.drill.run.secret.password(to)).await.map_err(|e| e.reason().to_owned())?;
        let query = format!("HEADER {} {item}", seeds::ITEM_HEADER);
        let since = Instant::now();
        while since.elapsed() < self.patience {
            session.examine("INBOX").await.map_err(|e| e.to_string())?;
            if !session.uid_search(&query).await.map_err(|e| e.to_string())?.is_empty() {
                let _ = session.logout().await;
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err("accepted, and not delivered".into())
    }

    /// Changes a flag of every second message, and expunges every fourth; the others stay as they are. Each is written to once,
    /// so slowly that they last.
    async fn change(&self) -> Result<()> {
        let mut tick = tokio::time::interval(self.pace * 4);
        for (at, (account, uid)) in self.messages.iter().enumerate() {
            let action = match at % 4 {
                0 | 2 => LiveAction::Flag { uid: *uid, flag: FLAG.to_owned() },
                1 => LiveAction::Expunge { uid: *uid },
                _ => continue,
            };
            tick.tick().await;
            if !self.goes_on() {
                break;
            }
            let kind = action.kind();
            let deed = async { self.touch(kind, account, *uid).await.map_err(|e| e.reason().to_owned()) };
            self.write(account, action, deed).await?;
        }
        Ok(())
    }

    async fn touch(&self, kind: LiveKind, account: &str, uid: u32) -> Result<(), Failure> {
        let mut session = self.drill.app.imap().login(account, &self.drill.run.secret.password(account)).await?;
        session.select("INBOX").await?;
        if kind == LiveKind::Flag {
            let has = flagged(&mut session, uid).await?.unwrap_or_default();
            store(&mut session, &[uid], if has { '-' } else { '+' }, FLAG).await?;
            // The client library does not tell that the server refused.
            if flagged(&mut session, uid).await? == Some(has) {
                return Err(Failure::Other(format!("the server did not change the flag of UID {uid}")));
            }
        } else {
            expunge(&mut session, &[uid]).await?;
            if flagged(&mut session, uid).await?.is_some() {
                return Err(Failure::Other(format!("the server did not expunge UID {uid}")));
            }
        }
        let _ = session.logout().await;
        Ok(())
    }

    /// Creates users, and deletes every second of them again.
    async fn create_and_delete(&self) -> Result<()> {
        let Some(spec) = &self.drill.app.scenario.spec.users else {
            return Err(Error::Usage("--live needs [users] in scenario.toml, so that users can be created and deleted".into()));
        };
        let Some(domain) = self.drill.run.corpus.accounts().domains.first() else { return Ok(()) };
        let mut tick = tokio::time::interval(self.pace);
        for n in 0_u64.. {
            if !self.goes_on() {
                break;
            }
            tick.tick().await;
            let email = format!("live{n}@{}", domain.name);
            if self.write(&email, LiveAction::Create, self.user(spec, &email, true)).await? && n.is_multiple_of(2) {
                tick.tick().await;
                self.write(&email, LiveAction::Delete, self.user(spec, &email, false)).await?;
            }
        }
        Ok(())
    }

    async fn user(&self, spec: &UserCommands, email: &str, made: bool) -> Result<(), String> {
        let output = users::make_user(&self.drill, spec, email, made).await.map_err(|e| e.to_string())?;
        if output.code == 0 { Ok(()) } else { Err(output.stderr.trim().to_owned()) }
    }
}
