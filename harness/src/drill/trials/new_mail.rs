//! New mail: a new user gets some and sends some, and users store messages, folders and scripts.

use std::collections::{BTreeMap, BTreeSet};

use async_imap::error::Error as ImapError;
use futures_util::TryStreamExt as _;
use judge::model::{NewData, Trial, TrialKind};
use judge::store::TrialSeen;

use super::delivery::{DELIVERY, Found, Handed, Mail, Places, found, hand_in, told, uid_nexts};
use super::visits::AS_EXPECTED;
use crate::drill::state::Drill;
use crate::drill::users;
use crate::drill::world::STRANGER;
use crate::error::Result;
use crate::probe::mail::{Failure, Session};
use crate::probe::pages::Failure as Refusal;
use crate::stack::until;

/// Who writes: an account, or one that was not created, and why it cannot.
pub(super) type Writer<'a> = Result<&'a str, (&'a str, &'a str)>;

/// The first number of a message; no other trial has it.
const FIRST: usize = 8_000;
/// The folder that is made, and the sieve script that is stored.
const NAME: &str = "written-anew";
/// The script.
const SCRIPT: &str = "require \"fileinto\";\nif header :contains \"subject\" \"written anew\" { fileinto \"Junk\"; }\n";
/// The message that is stored.
const MESSAGE: &str = "From: somebody@drill.example\r\nTo: somebody@drill.example\r\nSubject: written anew\r\n\
    Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <written-anew@trial.example>\r\n\r\nWritten after the restore.\r\n";

/// What a mail server must take: from a new user, and from one who was there.
pub(super) async fn taken(drill: &Drill, stage: &str, newcomer: Writer<'_>) -> Result<Vec<TrialSeen>> {
    let first = drill.run.corpus.accounts().quiet().next().map(|u| u.email.clone());
    let mut seen = messages(drill, stage, newcomer, first.as_deref()).await;
    for writer in first.as_deref().map(Ok).into_iter().chain([newcomer]) {
        seen.push(stored(drill, NewData::Folder, writer).await);
        if drill.app.sieve().is_some() {
            seen.push(stored(drill, NewData::Script, writer).await);
        }
    }
    Ok(seen)
}

/// Mail to the new user from outside and from another user, and from the new user to that one.
fn planned(drill: &Drill, newcomer: &str, other: Option<&str>) -> Vec<Mail> {
    let mail = |what, of: &[&str], login: Option<&str>, from: &str, to: &str| Mail {
        arrives: BTreeSet::from([(to.to_owned(), "INBOX".to_owned())]),
        ..Mail::new(
            Trial::new(TrialKind::New(what), of.iter().copied()),
            login.map(str::to_owned),
            from.to_owned(),
            to.to_owned(),
        )
    };
    let mut mails = Vec::new();
    if drill.app.relay.has("smtp") {
        mails.push(mail(NewData::MailIn, &[newcomer], None, STRANGER, newcomer));
    }
    if let Some(other) = other {
        mails.push(mail(NewData::Mail, &[newcomer, other], Some(other), other, newcomer));
        mails.push(mail(NewData::Sent, &[newcomer, other], Some(newcomer), newcomer, other));
    }
    mails
}

async fn messages(drill: &Drill, stage: &str, newcomer: Writer<'_>, other: Option<&str>) -> Vec<TrialSeen> {
    let account = newcomer.unwrap_or_else(|(account, _)| account);
    let mails = planned(drill, account, other);
    let untold = |why: &str| {
        let one = |m: &Mail| TrialSeen { trial: m.trial.clone(), expected: m.expected(), value: Err(why.to_owned()) };
        mails.iter().map(one).collect()
    };
    if let Err((_, why)) = newcomer {
        return untold(why);
    }
    let (new, old) = (vec![account.to_owned()], other.map(str::to_owned).into_iter().collect::<Vec<_>>());
    let before = match uid_nexts(drill, &old).await {
        Ok(before) => before,
        Err(failure) => return untold(failure.reason()),
    };
    let mut sent = Vec::new();
    for (at, mail) in mails.iter().enumerate() {
        sent.push(hand_in(drill, stage, FIRST + at, mail).await);
    }
    let waiting = left_queue(drill, &mails).await;
    // In a new mailbox everything is new, and that it cannot be opened is the answer.
    let in_new = found(drill, stage, &new, &BTreeMap::new()).await;
    let in_old = found(drill, stage, &old, &before).await;
    let came = mails.iter().zip(sent).enumerate().map(|(at, (mail, sent))| {
        let value = match sent {
            Ok(Handed::Refused(why)) => Ok(format!("refused: {why}")),
            Ok(Handed::Accepted) => {
                let mailbox = if mail.to == account { &in_new } else { &in_old };
                arrived(mailbox, bounced(&in_old, FIRST + at), FIRST + at, &mail.to, &waiting)
            }
            Err(why) => Err(why),
        };
        TrialSeen { trial: mail.trial.clone(), expected: mail.expected(), value }
    });
    came.collect()
}

/// Why a message came back to its sender.
fn bounced(sender: &Result<Found, Failure>, at: usize) -> Option<&str> {
    sender.as_ref().ok()?.bounced.get(&at).map(String::as_str)
}

/// Where an accepted message is: in the mailbox, in the queue, or back at its sender.
fn arrived(
    mailbox: &Result<Found, Failure>,
    bounced: Option<&str>,
    at: usize,
    to: &str,
    waiting: &Result<Vec<(String, String)>, String>,
) -> Result<String, String> {
    let nowhere = Places::new();
    let places = mailbox.as_ref().map_or(&nowhere, |found| found.arrived.get(&at).unwrap_or(&nowhere));
    if !places.is_empty() {
        return Ok(told(places, &nowhere));
    }
    if let Some(why) = bounced {
        return Ok(format!("bounced: {why}"));
    }
    let waiting = waiting.as_ref().map_err(Clone::clone)?;
    match waiting.iter().find(|(address, _)| address == to) {
        // Nobody has tried to deliver it yet.
        Some((_, why)) if why.is_empty() => return Err("it is still in the queue, and no delivery was tried".into()),
        Some((_, why)) => return Ok(format!("still in the queue: {why}")),
        None => {}
    }
    match mailbox {
        Ok(_) => Ok(told(&nowhere, &nowhere)),
        Err(failure) => said(users::no(failure.reason().to_owned())),
    }
}

/// What a server answered; an error where it did not.
fn said(failure: Refusal) -> Result<String, String> {
    match failure {
        Refusal::Answered(why) => Ok(why),
        Refusal::Unknown(why) => Err(why),
    }
}

/// Waits until the messages left the queue. Gives those that stay there for too long: for whom, and why.
async fn left_queue(drill: &Drill, mails: &[Mail]) -> Result<Vec<(String, String)>, String> {
    let waiting = || async {
        let queue = drill.app.queue().await?;
        if queue.iter().any(|q| q.queue_name == "deferred") {
            drill.app.flush_queue().await?;
        }
        let of_these = queue.iter().filter(|q| !q.is_held()).flat_map(|q| &q.recipients);
        let of_these = of_these.filter(|r| mails.iter().any(|m| m.to == r.address));
        Ok::<_, crate::error::Error>(of_these.map(|r| (r.address.clone(), r.delay_reason.clone())).collect::<Vec<_>>())
    };
    let empty = until(DELIVERY, || async {
        let waiting = waiting().await?;
        Ok(if waiting.is_empty() { Ok(()) } else { Err(format!("{} messages are in the queue", waiting.len())) })
    });
    match empty.await {
        Ok(()) => Ok(vec![]),
        Err(_) => waiting().await.map_err(|e| e.to_string()),
    }
}

/// What a user stores, looks at and deletes.
async fn stored(drill: &Drill, what: NewData, writer: Writer<'_>) -> TrialSeen {
    let account = writer.unwrap_or_else(|(account, _)| account);
    let trial = Trial::new(TrialKind::New(what.clone()), [account]);
    let value = match (writer, what) {
        (Err((_, why)), _) => Err(why.to_owned()),
        (Ok(account), NewData::Script) => script(drill, account).await,
        (Ok(account), _) => folder(drill, account).await,
    };
    TrialSeen { trial, expected: AS_EXPECTED.into(), value }
}

/// Makes a folder, stores a message there, reads it back, and deletes the folder. What the server says is an answer; anything
/// else that goes wrong is not known.
async fn folder(drill: &Drill, account: &str) -> Result<String, String> {
    let mut session = match drill.app.imap().login(account, &drill.run.password(account)).await {
        Ok(session) => session,
        Err(Failure::Refused(why)) => return Ok(format!("refused: {why}")),
        Err(Failure::Other(why)) => return Err(why),
    };
    let patience = drill.app.imap().patience;
    let value = match tokio::time::timeout(patience, folder_and_message(&mut session)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(e)) => said(users::no(e.to_string())),
        Err(_) => Err(format!("no answer in {} s", patience.as_secs())),
    };
    let _ = tokio::time::timeout(patience, session.logout()).await;
    value
}

async fn folder_and_message(session: &mut Session) -> Result<String, ImapError> {
    session.create(NAME).await?;
    session.append(NAME, Some("(\\Seen)"), None, MESSAGE).await?;
    session.examine(NAME).await?;
    let fetched: Vec<_> = session.uid_fetch("1:*", "(UID BODY.PEEK[])").await?.try_collect().await?;
    let same = fetched.iter().any(|f| f.body() == Some(MESSAGE.as_bytes()));
    // A folder that is selected may not be deleted.
    session.examine("INBOX").await?;
    session.delete(NAME).await?;
    Ok(if same { AS_EXPECTED.to_owned() } else { format!("{} messages in the folder, none as it was stored", fetched.len()) })
}

/// Stores a sieve script, reads it back, and deletes it.
async fn script(drill: &Drill, account: &str) -> Result<String, String> {
    let Some(sieve) = drill.app.sieve() else { return Err("the scenario has no door managesieve".into()) };
    let work = async {
        let mut session = sieve.login(account, &drill.run.password(account)).await?;
        session.put(NAME, SCRIPT).await?;
        let same = session.get(NAME).await? == SCRIPT.as_bytes();
        session.delete(NAME).await?;
        session.logout().await;
        Ok::<_, String>(if same { AS_EXPECTED.to_owned() } else { "it is not as it was stored".to_owned() })
    };
    // What the server says no or goodbye to is its answer (RFC 5804, 1.3).
    let answered = |why: &str| [": NO ", ": BYE "].iter().any(|word| why.contains(word));
    work.await.or_else(|why| if answered(&why) { Ok(why) } else { Err(why) })
}
