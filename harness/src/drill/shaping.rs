//! Shaping: what users do with their mail, done over IMAP: folders, moves, copies, flags,
//! keywords, expunges.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::MessageId;
use recipe::scenario::QUERY;

use super::settling::Settled;
use super::state::Drill;
use super::users;
use crate::error::{Error, Result, SeedingError};
use crate::events::{Phase, Running};
use crate::probe::STALL;
use crate::probe::mail::{Failure, Session, folders, item};

/// Mailboxes shaped at once.
const CONNECTIONS: usize = 4;
/// UIDs in one command, so that no line grows too long.
const UIDS: usize = 500;

/// A folder that users subscribed to, and that is deleted.
const CLOSED: &str = "Closed";

/// The mailboxes have their folders, flags and keywords.
#[must_use]
pub struct Shaped {
    _private: (),
}

/// Gives every mailbox its folders and puts every message in its place; then what is made in pages and by commands.
pub async fn shape(drill: &Drill, _: Settled) -> Result<Shaped> {
    let phase = drill.run.events.phase(Phase::Shape);
    let said =
        if drill.app.mail().is_some() { shape_mailboxes(drill, &phase).await? } else { "what users and commands make".into() };
    seed_pages(drill).await?;
    seed_facts(drill).await?;
    phase.finish(said);
    Ok(Shaped { _private: () })
}

async fn shape_mailboxes(drill: &Drill, phase: &Running) -> Result<String> {
    mail_to_the_disabled(drill).await?;
    let mailboxes: Vec<&str> = drill.run.corpus.accounts().mailboxes().iter().map(|u| u.email.as_str()).collect();
    for account in drill.run.enabled().iter().filter(|a| !mailboxes.contains(&a.as_str())) {
        let done = subscribe_to_what_is_gone(drill, account).await;
        done.map_err(|e| SeedingError::refused(format!("subscribing {account} to a folder that is deleted"), e.reason()))?;
    }
    let accounts: Vec<String> = drill.run.corpus.accounts().mailboxes().iter().map(|u| u.email.clone()).collect();
    let total = accounts.len() as u64;
    let shapes = accounts.into_iter().map(|account| async move {
        let shaped = match filter(drill, &account).await {
            Ok(()) => shape_mailbox(drill, &account).await,
            Err(e) => Err(e),
        };
        shaped.map_err(|e| SeedingError::refused(format!("shaping mailbox {account}"), e.reason()))
    });
    let mut shapes = futures_util::stream::iter(shapes).buffer_unordered(CONNECTIONS);
    let (mut done, mut messages) = (0, 0);
    while let Some(shaped) = shapes.try_next().await? {
        done += 1;
        messages += shaped;
        phase.progress(done, total, "mailboxes");
    }
    Ok(format!("{messages} messages in {done} mailboxes"))
}

/// A subscription outlives its folder (RFC 9051, 6.3.7). Only in accounts whose users do not use the app's pages: a webmail may
/// take such a subscription back.
async fn subscribe_to_what_is_gone(drill: &Drill, account: &str) -> Result<(), Failure> {
    let mut session = drill.app.imap().login(account, &drill.run.password(account)).await?;
    session.create(CLOSED).await?;
    session.subscribe(CLOSED).await?;
    session.delete(CLOSED).await?;
    Ok(session.logout().await?)
}

/// Sends a message to every disabled account: no login reaches it, but it is among the files of the mail store.
async fn mail_to_the_disabled(drill: &Drill) -> Result<()> {
    let accounts = drill.run.corpus.accounts();
    let Some(from) = accounts.mailboxes().first().map(|u| u.email.clone()) else { return Ok(()) };
    let submission = drill.app.submission(Some((&from, &drill.run.password(&from))));
    for user in accounts.users.iter().filter(|u| !u.enabled) {
        let message = format!(
            "From: {from}\r\nTo: {0}\r\nSubject: for when you are back\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\
             Message-ID: <for.{0}>\r\n\r\nNobody reads this now.\r\n",
            user.email
        );
        let sent = submission.send(&from, &[&user.email], message.as_bytes()).await;
        sent.map_err(|e| SeedingError::refused(format!("mail to {}, which is disabled", user.email), e.reason()))?;
    }
    submission.close().await;
    drill.app.delivered(Duration::from_secs(drill.app.scenario.spec.deadlines.settle), |_| true).await
}

/// Has every user do in the app's pages what users do there.
async fn seed_pages(drill: &Drill) -> Result<()> {
    for pages in drill.app.scenario.spec.pages.iter().filter(|p| !p.seed.is_empty()) {
        let accounts: Vec<String> = drill.run.corpus.accounts().mailboxes().iter().map(|u| u.email.clone()).collect();
        futures_util::stream::iter(accounts.into_iter().map(|account| async move {
            let done = users::visitor(drill, pages, &account)?.visit(&pages.seed).await;
            Ok::<_, Error>(done.map_err(|e| SeedingError::refused(format!("seeding {} as {account}", pages.name), e.reason()))?)
        }))
        .buffer_unordered(CONNECTIONS)
        .try_collect::<Vec<()>>()
        .await?;
    }
    Ok(())
}

/// Makes the state that only statements and commands in the containers make.
async fn seed_facts(drill: &Drill) -> Result<()> {
    for database in &drill.app.scenario.spec.databases {
        for statement in &database.seed {
            let command: Vec<String> = database.write.iter().map(|word| word.replace(QUERY, statement)).collect();
            let service = drill.app.stack.service(database.service.as_deref().unwrap_or_default());
            let output = drill.app.engine().exec(&service, &command, &[], None).await?;
            output.ok(&format!("seeding database {} by {statement}", database.name))?;
        }
    }
    let spec = &drill.app.scenario.spec;
    for seed in spec.seeds.iter().chain(spec.facts.iter().flat_map(|f| &f.seed)) {
        let input = seed.message.map(|n| drill.run.corpus.message(n % drill.run.corpus.len().max(1)).bytes);
        let service = drill.app.stack.service(&seed.service);
        let output = drill.app.engine().exec(&service, &seed.command, &[], input.as_deref()).await?;
        output.ok(&format!("seeding by {}", seed.command.join(" ")))?;
    }
    Ok(())
}

/// Stores the account's sieve scripts and makes one of them the active one.
async fn filter(drill: &Drill, account: &str) -> Result<(), Failure> {
    let Some(sieve) = drill.app.sieve() else { return Ok(()) };
    let work = async {
        let mut session = sieve.login(account, &drill.run.secret.password(account)).await?;
        for script in drill.run.corpus.scripts(account) {
            session.put(script.name, &script.text).await?;
            if script.active {
                session.activate(script.name).await?;
            }
        }
        session.logout().await;
        Ok::<_, String>(())
    };
    work.await.map_err(|e| Failure::Other(format!("sieve: {e}")))
}

async fn shape_mailbox(drill: &Drill, account: &str) -> Result<u64, Failure> {
    let mut session = drill.app.imap().login(account, &drill.run.secret.password(account)).await?;
    let delimiter = {
        let root: Vec<_> = session.list(Some(""), Some("")).await?.try_collect().await?;
        root.first().and_then(|n| n.delimiter().map(str::to_owned)).unwrap_or_else(|| ".".into())
    };
    let names: Vec<String> = drill.run.corpus.folders().iter().map(|path| path.join(&delimiter)).collect();
    let there: Vec<String> = folders(&mut session, STALL).await?.into_iter().map(|f| f.name).collect();
    for (at, name) in names.iter().enumerate() {
        if !there.contains(name) {
            session.create(name).await?;
        }
        // All but one, so that a subscription that comes from nowhere shows.
        if at != 1 {
            session.subscribe(name).await?;
        }
    }
    let inbox = session.select("INBOX").await?;
    if inbox.exists == 0 {
        session.logout().await?;
        return Ok(0);
    }
    let headers = format!("(UID BODY.PEEK[HEADER.FIELDS ({})])", seeds::ITEM_HEADER);
    let mut stream = Box::pin(session.uid_fetch("1:*", &headers).await?);
    let mut uids: Vec<(u32, u64)> = Vec::new();
    while let Some(fetch) = stream.next().await {
        let fetch = fetch?;
        let number = fetch.header().and_then(item).and_then(MessageId::corpus);
        if let (Some(uid), Some(number)) = (fetch.uid, number) {
            uids.push((uid, number));
        }
    }
    drop(stream);
    uids.sort_unstable();
    place(drill, account, &mut session, &names, &uids).await?;
    session.logout().await?;
    Ok(uids.len() as u64)
}

/// Flags and copies first, then moves: a moved message takes its flags along (RFC 6851, 3.3), a copy too.
async fn place(
    drill: &Drill,
    account: &str,
    session: &mut Session,
    names: &[String],
    uids: &[(u32, u64)],
) -> Result<(), Failure> {
    let mut flags: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut copies: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut moves: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    let mut expunged = Vec::new();
    for &(uid, number) in uids {
        let placement = drill.run.corpus.placement(number, account);
        if placement.expunged {
            expunged.push(uid);
            continue;
        }
        for flag in placement.flags.iter().chain(&placement.keywords) {
            flags.entry((*flag).to_owned()).or_default().push(uid);
        }
        if let Some(folder) = placement.copy {
            copies.entry(folder).or_default().push(uid);
        }
        if let Some(folder) = placement.folder {
            moves.entry(folder).or_default().push(uid);
        }
    }
    for (flag, uids) in &flags {
        store(session, uids, '+', flag).await?;
    }
    for (&folder, uids) in &copies {
        for set in sets(uids) {
            session.uid_copy(set, &names[folder]).await?;
        }
    }
    for (&folder, uids) in &moves {
        for set in sets(uids) {
            session.uid_mv(set, &names[folder]).await?;
        }
    }
    expunge(session, &expunged).await
}

/// Sets (`+`) or clears (`-`) a flag.
pub(super) async fn store(session: &mut Session, uids: &[u32], sign: char, flag: &str) -> Result<(), Failure> {
    for set in sets(uids) {
        let _: Vec<_> = session.uid_store(set, format!("{sign}FLAGS.SILENT ({flag})")).await?.try_collect().await?;
    }
    Ok(())
}

/// Expunges messages.
pub(super) async fn expunge(session: &mut Session, uids: &[u32]) -> Result<(), Failure> {
    store(session, uids, '+', "\\Deleted").await?;
    for set in sets(uids) {
        let _: Vec<_> = session.uid_expunge(set).await?.try_collect().await?;
    }
    Ok(())
}

fn sets(uids: &[u32]) -> impl Iterator<Item = String> + '_ {
    uids.chunks(UIDS).map(|chunk| chunk.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
}
