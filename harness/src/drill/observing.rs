//! Observing: the baseline before the backup, and whatever is there after the restore.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::{Finding, Item, Outcome};
use judge::store::{AlteredSeen, Login, MessageSeen, ObservationId, RunFact, ScriptSeen};
use judge::{self, BASELINE};
use recipe::scenario::{MailServer, ServiceCommand};
use sha2::{Digest as _, Sha256};

use super::Drill;
use super::proof::{Restarted, Shaped, Upgraded};
use crate::error::{Error, Result};
use crate::events::{Phase, Running};
use crate::probe::Probe;
use crate::probe::facts::Facts;
use crate::probe::files::Files;
use crate::probe::mail::{Failure, Mail};
use crate::probe::rows::Rows;
use crate::probe::sieve::Scripts;

/// Messages with other bytes of which what is there is kept.
const ALTERED: usize = 20;
/// The largest of them, in bytes.
const ALTERED_SIZE: u64 = 64 << 10;

/// What must come back was observed, whole, and is what was submitted.
#[must_use]
pub struct Baseline {
    observation: ObservationId,
}

impl Baseline {
    /// The observation.
    pub(super) fn observation(&self) -> ObservationId {
        self.observation
    }
}

impl Drill {
    /// Observes what must come back, and holds it against what was submitted.
    pub async fn baseline(&self, _: Shaped) -> Result<Baseline> {
        let phase = self.events.phase(Phase::Baseline);
        self.clocks().newest = Some(Instant::now());
        let observation = self.see(BASELINE, &phase).await?;
        let mut wrong = judge::seeding(&self.evidence, observation)?;
        wrong.extend(self.scripts_not_seeded(observation)?);
        if let Some(first) = wrong.first() {
            return Err(Error::Unknown(format!(
                "the baseline is not what was submitted, so a restore of it would prove nothing: {} differences, the first: {first}",
                wrong.len()
            )));
        }
        phase.finish(self.counts(observation)?);
        Ok(Baseline { observation })
    }

    /// A baseline of the version under test, once the upgrade was tried.
    pub async fn baseline_again(&self, _: Upgraded) -> Result<Baseline> {
        self.clocks().newest = Some(Instant::now());
        Ok(Baseline { observation: self.look(Phase::Baseline, BASELINE).await? })
    }

    /// Observes what is there now, under a name of its own.
    pub async fn observe(&self, _: &Restarted, name: &str) -> Result<()> {
        self.first_login().await?;
        let observation = self.look(Phase::Observe, name).await?;
        self.keep_altered(observation).await
    }

    /// Keeps some of the messages that have other bytes now, for the report to show what is another way.
    async fn keep_altered(&self, observation: ObservationId) -> Result<()> {
        let (Some(before), true) = (self.evidence.completed(BASELINE)?, self.mail().is_some()) else { return Ok(()) };
        let mut left = ALTERED;
        for (account, login) in self.evidence.accounts(observation)? {
            let pairs = self.evidence.message_pairs(before, observation, &account)?;
            let was = |n: &&MessageSeen| pairs.only_before.iter().any(|o| (&o.folder, o.uid) == (&n.folder, n.uid));
            let kept = |n: &&MessageSeen| !n.sha256.is_empty() && n.size <= ALTERED_SIZE;
            let altered: Vec<_> = pairs.only_after.iter().filter(was).filter(kept).take(left).collect();
            if login != Login::Read || altered.is_empty() {
                continue;
            }
            left -= altered.len();
            if let Err(e) = self.keep_some(observation, &account, &altered).await {
                tracing::debug!(account, "altered messages: {}", e.reason());
            }
        }
        Ok(())
    }

    async fn keep_some(&self, o: ObservationId, account: &str, altered: &[&MessageSeen]) -> Result<(), Failure> {
        let mut session = self.imap().login(account, &self.secret.password(account)).await?;
        for message in altered {
            session.examine(&message.folder).await?;
            let fetched: Vec<_> = session.uid_fetch(message.uid.to_string(), "(UID BODY.PEEK[])").await?.try_collect().await?;
            if let Some(bytes) = fetched.iter().find_map(|f| f.body()) {
                let (account, folder, item) = (account.to_owned(), message.folder.clone(), message.item);
                let seen = AlteredSeen { account, folder, uid: message.uid, item, bytes: bytes.to_vec() };
                self.evidence.put_altered(o, &seen).map_err(|e| Failure::Other(e.to_string()))?;
            }
        }
        session.logout().await?;
        Ok(())
    }

    /// Observes what is there now, in a phase of its own.
    pub(super) async fn look(&self, phase: Phase, name: &str) -> Result<ObservationId> {
        let phase = self.events.phase(phase);
        let observation = self.see(name, &phase).await?;
        phase.finish(self.counts(observation)?);
        Ok(observation)
    }

    /// How long it was from the begin of the restore until a user could log in: stored, if one can.
    async fn first_login(&self) -> Result<()> {
        let Some(since) = self.clocks().restore.take() else { return Ok(()) };
        let Some(user) = self.corpus.accounts().mailboxes().first() else { return Ok(()) };
        match self.lets_in(&user.email, &self.password(&user.email)).await? {
            Ok(true) => Ok(self.evidence.set_number(RunFact::FirstLoginMs, since.elapsed().as_millis() as u64)?),
            _ => Ok(()),
        }
    }

    fn counts(&self, o: ObservationId) -> Result<String> {
        let accounts = self.evidence.accounts(o)?;
        let mut messages = 0;
        for (account, _) in &accounts {
            messages += self.evidence.folders(o, account)?.iter().map(|f| u64::from(f.messages)).sum::<u64>();
        }
        let rows: u64 = self.evidence.row_counts(o)?.iter().map(|(_, _, n)| n).sum();
        let (files, _) = self.evidence.file_counts(o)?;
        let mail =
            if accounts.is_empty() { String::new() } else { format!("{messages} messages in {} mailboxes, ", accounts.len()) };
        Ok(format!("{mail}{rows} rows, {files} files"))
    }

    async fn see(&self, name: &str, phase: &Running) -> Result<ObservationId> {
        let mail = match self.mail() {
            Some(server) => Some(self.mail_probe(server, name).await?),
            None => None,
        };
        let observation = self.evidence.observation(name)?;
        if let Some(mail) = mail {
            mail.observe(&self.evidence, observation, &|done, total| phase.progress(done, total, "messages")).await?;
        }
        let scripts = async {
            let Some(sieve) = self.sieve() else { return Ok(()) };
            let scripts = Scripts { sieve, accounts: self.readable(observation)?, secret: self.secret.clone() };
            scripts.observe(&self.evidence, observation, &|_, _| ()).await
        };
        self.see_data(observation, scripts).await?;
        self.evidence.complete(observation)?;
        Ok(observation)
    }

    /// Rows, files and facts. Rows come after `logins`, as after all of mail: a login may rewrite a row.
    pub(super) async fn see_data(&self, o: ObservationId, logins: impl Future<Output = Result<()>>) -> Result<()> {
        let (rows, files, facts) = (self.rows_probe(), self.files_probe(), self.facts_probe());
        let quiet = |_, _| ();
        let rows = async {
            logins.await?;
            rows.observe(&self.evidence, o, &quiet).await
        };
        tokio::try_join!(rows, files.observe(&self.evidence, o, &quiet), facts.observe(&self.evidence, o, &quiet)).map(drop)
    }

    /// The mail probe, once the mail server looked at its files again.
    async fn mail_probe(&self, server: &MailServer, name: &str) -> Result<Mail> {
        let mut accounts = self.enabled();
        accounts.extend(judge::live::users(&self.evidence)?);
        let mut mail = Mail { imap: self.imap(), accounts, secret: self.secret.clone(), modseqs: None };
        if name == BASELINE {
            self.resync(&server.resync).await?;
            mail.stir().await.map_err(|e| Error::Unknown(format!("before the baseline: {}", e.reason())))?;
        } else {
            mail.modseqs = Some(mail.first_look().await);
            self.resync(&server.resync).await?;
        }
        Ok(mail)
    }

    /// Where the sieve scripts of the baseline are not the corpus'.
    fn scripts_not_seeded(&self, observation: ObservationId) -> Result<Vec<Finding>> {
        let mut wrong = Vec::new();
        if self.sieve().is_none() {
            return Ok(wrong);
        }
        for user in self.corpus.accounts().mailboxes() {
            let seeded = self.corpus.scripts(&user.email).into_iter().map(|s| ScriptSeen {
                script: s.name.to_owned(),
                active: s.active,
                sha256: hex::encode(Sha256::digest(s.text)),
            });
            let seen = self.evidence.scripts(observation, &user.email)?;
            if seen.as_ref().ok() != Some(&seeded.collect()) {
                let item = Item::Script { account: user.email.clone(), script: "*".into() };
                let detail = format!("seen: {seen:?}");
                wrong.push(Finding { item, outcome: Outcome::Altered, property: None, detail });
            }
        }
        Ok(wrong)
    }

    /// The accounts that could be logged in to: what is behind a refused login is lost with it.
    fn readable(&self, observation: ObservationId) -> Result<Vec<String>> {
        let accounts = self.evidence.accounts(observation)?;
        Ok(accounts.into_iter().filter(|(_, login)| *login == Login::Read).map(|(account, _)| account).collect())
    }

    pub(super) fn facts_probe(&self) -> Facts {
        Facts {
            engine: self.engine().clone(),
            stack: self.stack.clone(),
            specs: self.scenario.spec.facts.clone(),
            corpus: self.corpus.clone(),
            // Nothing is left in the queue where there is no world outside.
            queue: self.mail().filter(|m| m.outside.is_some()).map(|m| m.queue.clone()),
        }
    }

    pub(crate) fn rows_probe(&self) -> Rows {
        Rows {
            owned: self.owned.clone(),
            stack: self.stack.name.clone(),
            image: self.helper_image.clone(),
            specs: self.scenario.spec.databases.clone(),
        }
    }

    /// What reads the files of the scenario.
    pub fn files_probe(&self) -> Files {
        Files {
            owned: self.owned.clone(),
            stack: self.stack.name.clone(),
            image: self.helper_image.clone(),
            specs: self.scenario.spec.files.clone(),
            inventory: self.scenario.inventory.clone(),
        }
    }

    /// Has the mail server look at its files again: an index can show messages whose files are
    /// gone and hide some that are there. Where an account is gone the command fails, and the
    /// login that follows says why.
    async fn resync(&self, spec: &ServiceCommand) -> Result<()> {
        let service = self.stack.service(&spec.service);
        futures_util::stream::iter(self.enabled())
            .map(|account| {
                let command: Vec<String> = spec.command.iter().map(|a| a.replace("{mailbox}", &account)).collect();
                let service = &service;
                async move {
                    let output = self.engine().exec(service, &command, &[], None).await?;
                    if output.code != 0 {
                        tracing::debug!(account, code = output.code, "resync: {}", output.stderr.trim());
                    }
                    Ok::<_, Error>(())
                }
            })
            .buffer_unordered(4)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(())
    }
}
