//! Seeing: the probes of a scenario, each of which reads its part of what is deployed.

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::store::{Login, ObservationId};
use judge::{BASELINE, FRESH};
use recipe::scenario::{MailServer, ServiceCommand};

use super::state::Drill;
use crate::error::{Error, Result, SeedingError};
use crate::events::Running;
use crate::probe::facts::Facts;
use crate::probe::mail::Mail;
use crate::probe::sieve::Scripts;
use crate::probe::{Probe, observe_all};

pub(super) async fn see(drill: &Drill, name: &str, phase: &Running) -> Result<ObservationId> {
    let mail = match drill.app.mail() {
        Some(server) => Some(mail_probe(drill, server, name).await?),
        None => None,
    };
    let observation = drill.run.evidence.observation(name)?;
    if let Some(mail) = mail {
        mail.observe(&drill.run.evidence, observation, &|done, total| phase.progress(done, total, "messages")).await?;
    }
    let scripts = async {
        let Some(sieve) = drill.app.sieve() else { return Ok(()) };
        let scripts = Scripts { sieve, accounts: readable(drill, observation)?, secret: drill.run.secret.clone() };
        scripts.observe(&drill.run.evidence, observation, &|_, _| ()).await
    };
    see_data(drill, observation, scripts).await?;
    drill.run.evidence.complete(observation)?;
    Ok(observation)
}

/// The probes of what is behind no login. A new one is a file in `probe/` and a line here.
fn data_probes(drill: &Drill) -> Vec<Box<dyn Probe>> {
    vec![
        Box::new(drill.app.rows_probe()),
        Box::new(drill.app.files_probe(drill.run.corpus.accounts())),
        Box::new(facts_probe(drill)),
        Box::new(drill.app.redis_probe()),
    ]
}

/// What is behind no login; `logins` may go on meanwhile.
pub(super) async fn see_data(drill: &Drill, o: ObservationId, logins: impl Future<Output = Result<()>>) -> Result<()> {
    observe_all(&data_probes(drill), &drill.run.evidence, o, logins).await
}

/// The mail probe, once the mail server looked at its files again.
async fn mail_probe(drill: &Drill, server: &MailServer, name: &str) -> Result<Mail> {
    let mut accounts = drill.run.enabled();
    accounts.extend(judge::live::users(&drill.run.evidence)?);
    let mut mail = Mail { imap: drill.app.imap(), accounts, secret: drill.run.secret.clone(), modseqs: None };
    if name == BASELINE {
        resync(drill, &server.resync).await?;
        mail.stir().await.map_err(|e| SeedingError::refused("mail before the baseline", e.reason()))?;
    } else {
        mail.modseqs = Some(mail.first_look().await);
        resync(drill, &server.resync).await?;
    }
    Ok(mail)
}

/// The accounts that could be logged in to: what is behind a refused login is lost with it.
fn readable(drill: &Drill, observation: ObservationId) -> Result<Vec<String>> {
    let accounts = drill.run.evidence.accounts(observation)?;
    Ok(accounts.into_iter().filter(|(_, login)| *login == Login::Read).map(|(account, _)| account).collect())
}

pub(super) fn facts_probe(drill: &Drill) -> Facts {
    Facts {
        engine: drill.app.engine().clone(),
        stack: drill.app.stack.clone(),
        specs: drill.app.scenario.spec.facts.clone(),
        corpus: drill.run.corpus.clone(),
        // Nothing is left in the queue where there is no world outside.
        queue: drill.app.mail().filter(|_| drill.app.has_world()).map(|m| m.queue.clone()),
    }
}

/// Has the mail server look at its files again: an index can show messages whose files are
/// gone and hide some that are there. Where an account is gone the command fails, and the
/// login that follows says why.
async fn resync(drill: &Drill, spec: &ServiceCommand) -> Result<()> {
    let service = drill.app.stack.service(&spec.service);
    futures_util::stream::iter(drill.run.enabled())
        .map(|account| {
            let command: Vec<String> = spec.command.iter().map(|a| a.replace("{mailbox}", &account)).collect();
            let service = &service;
            async move {
                let output = drill.app.engine().exec(service, &command, &[], None).await?;
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

/// Stores the rows, keys and files that a fresh deployment makes by itself: after a wipe they are there again.
pub(super) async fn remember_fresh(drill: &Drill) -> Result<()> {
    let observation = drill.run.evidence.observation(FRESH)?;
    drill.app.rows_probe().observe(&drill.run.evidence, observation, &|_, _| ()).await?;
    drill.app.files_probe(drill.run.corpus.accounts()).observe(&drill.run.evidence, observation, &|_, _| ()).await?;
    drill.app.redis_probe().observe(&drill.run.evidence, observation, &|_, _| ()).await?;
    Ok(drill.run.evidence.complete(observation)?)
}
