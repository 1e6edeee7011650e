//! Observing: the baseline before the backup, and whatever is there after the restore.

use futures_util::TryStreamExt as _;
use judge::store::{AlteredSeen, Login, MessageSeen, ObservationId, RunFact};
use judge::{self, BASELINE};

use super::restoring::Restarted;
use super::state::Drill;
use super::{looking, users};
use crate::error::Result;
use crate::events::Phase;
use crate::probe::mail::Failure;

/// Messages with other bytes of which what is there is kept.
const ALTERED: usize = 20;
/// The largest of them, in bytes.
const ALTERED_SIZE: u64 = 64 << 10;

/// Observes what is there now, under a name of its own.
pub async fn observe(drill: &Drill, _: &Restarted, name: &str) -> Result<()> {
    first_login(drill).await?;
    let observation = looking::look(drill, Phase::Observe, name).await?;
    keep_altered(drill, observation).await
}

/// Keeps some of the messages whose bytes changed, so that the report can show the change.
async fn keep_altered(drill: &Drill, observation: ObservationId) -> Result<()> {
    let (Some(before), true) = (drill.run.evidence.completed(BASELINE)?, drill.app.mail().is_some()) else { return Ok(()) };
    let mut left = ALTERED;
    for (account, login) in drill.run.evidence.accounts(observation)? {
        let pairs = drill.run.evidence.message_pairs(before, observation, &account)?;
        let was = |n: &&MessageSeen| pairs.only_before.iter().any(|o| (&o.folder, o.uid) == (&n.folder, n.uid));
        let kept = |n: &&MessageSeen| !n.sha256.is_empty() && n.size <= ALTERED_SIZE;
        let altered: Vec<_> = pairs.only_after.iter().filter(was).filter(kept).take(left).collect();
        if login != Login::Read || altered.is_empty() {
            continue;
        }
        left -= altered.len();
        if let Err(e) = keep_some(drill, observation, &account, &altered).await {
            tracing::debug!(account, "altered messages: {}", e.reason());
        }
    }
    Ok(())
}

async fn keep_some(drill: &Drill, o: ObservationId, account: &str, altered: &[&MessageSeen]) -> Result<(), Failure> {
    let mut session = drill.app.imap().login(account, &drill.run.secret.password(account)).await?;
    for message in altered {
        session.examine(&message.folder).await?;
        let fetched: Vec<_> = session.uid_fetch(message.uid.to_string(), "(UID BODY.PEEK[])").await?.try_collect().await?;
        if let Some(bytes) = fetched.iter().find_map(|f| f.body()) {
            let (account, folder, item) = (account.to_owned(), message.folder.clone(), message.item);
            let seen = AlteredSeen { account, folder, uid: message.uid, item, bytes: bytes.to_vec() };
            drill.run.evidence.put_altered(o, &seen).map_err(|e| Failure::Other(e.to_string()))?;
        }
    }
    session.logout().await?;
    Ok(())
}

/// How long it was from the begin of the restore until a user could log in: stored, if one can.
async fn first_login(drill: &Drill) -> Result<()> {
    let Some(since) = drill.run.clocks().restore.take() else { return Ok(()) };
    let Some(user) = drill.run.corpus.accounts().mailboxes().first() else { return Ok(()) };
    match users::lets_in(drill, &user.email, &drill.run.password(&user.email)).await? {
        Ok(true) => Ok(drill.run.evidence.set_number(RunFact::FirstLoginMs, since.elapsed().as_millis() as u64)?),
        _ => Ok(()),
    }
}
