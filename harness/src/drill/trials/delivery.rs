//! A message that is tried: how it is handed in, and where it turns up.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::model::Trial;
use seeds::RELAYED;

use crate::drill::state::Drill;
use crate::probe::mail::{Failure, Session, folders, header_field};
use crate::probe::queue::Queued;
use crate::probe::smtp::NotAccepted;
use crate::stack::until;

/// The header field that tells which trial a message is of.
pub const HEADER: &str = "Restore-Drill-Trial";

/// Accounts that are tried and watched, at most: a large corpus has hundreds that are alike.
pub(super) const WATCHED: usize = 12;

/// Connections at once.
pub(super) const CONNECTIONS: usize = 4;

/// The longest wait for mail to leave the queue.
pub(super) const DELIVERY: Duration = Duration::from_secs(45);

/// A message.
pub(super) struct Mail {
    pub(super) trial: Trial,
    /// Who authenticates; none hands it in at the door for other servers.
    pub(super) login: Option<String>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) list: Option<String>,
    /// The mailboxes and folders where it must be, once each, and those where an answer to it must be.
    pub(super) arrives: BTreeSet<(String, String)>,
    pub(super) answers: BTreeSet<(String, String)>,
    pub(super) fate: Fate,
    /// The domain whose signature it must bear.
    pub(super) signed: Option<String>,
}

impl Mail {
    /// A message of a trial; none looks where it arrives.
    pub(super) fn new(trial: Trial, login: Option<String>, from: String, to: String) -> Self {
        let (arrives, answers) = (BTreeSet::new(), BTreeSet::new());
        Self { trial, login, from, to, list: None, arrives, answers, fate: Fate::Delivered, signed: None }
    }

    pub(super) fn expected(&self) -> String {
        match self.fate {
            Fate::Refused => return REFUSED.into(),
            Fate::Returned => return RETURNED.into(),
            Fate::Delivered => {}
        }
        let once = |set: &BTreeSet<(String, String)>| set.iter().map(|place| (place.clone(), 1)).collect();
        told(&once(&self.arrives), &once(&self.answers))
    }
}

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Delivered,
    /// The server does not take it.
    Refused,
    /// The server does not take it, or sends a report to who sent it: which of both is for the server to choose.
    Returned,
}

/// The server did not take it.
pub(super) const REFUSED: &str = "refused";
/// The server did not take it, or said later that it cannot deliver it.
pub(super) const RETURNED: &str = "refused or returned";

/// How often a message is where.
pub(super) type Places = BTreeMap<(String, String), u32>;

pub(super) fn told(arrived: &Places, answered: &Places) -> String {
    let list = |places: &Places| {
        let one = |((account, folder), n): (&(String, String), &u32)| match n {
            1 => format!("{account} {folder}"),
            n => format!("{account} {folder}, {n} times"),
        };
        places.iter().map(one).collect::<Vec<_>>().join("; ")
    };
    match (arrived.is_empty(), answered.is_empty()) {
        (true, true) => "nowhere".into(),
        (_, true) => list(arrived),
        _ => format!("{}; answered to {}", list(arrived), list(answered)),
    }
}

/// What was found of the messages of a stage.
#[derive(Default)]
pub(super) struct Found {
    pub(super) arrived: BTreeMap<usize, Places>,
    pub(super) answered: BTreeMap<usize, Places>,
    /// The bytes of one copy.
    pub(super) bytes: BTreeMap<usize, Vec<u8>>,
    /// Why a message came back to its sender (RFC 3464).
    pub(super) bounced: BTreeMap<usize, String>,
}

/// What a server said to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handed {
    /// It accepted it.
    Accepted,
    /// It refused it for good, with this answer.
    Refused(String),
}

/// Hands a message in. An error says why it is not known whether it was accepted.
pub(super) async fn hand_in(drill: &Drill, stage: &str, at: usize, mail: &Mail) -> Result<Handed, String> {
    let list = mail.list.as_ref().map_or_else(String::new, |l| format!("List-Id: <{l}>\r\n"));
    let bytes = format!(
        "From: {}\r\nTo: {}\r\nSubject: trial {at}\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-ID: <{}>\r\n\
         {}\r\n{list}MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nA trial: {}.\r\n",
        mail.from,
        mail.to,
        message_id(stage, at),
        mark(stage, at),
        mail.trial,
    );
    let login = mail.login.as_deref().map(|login| (login, drill.run.password(login)));
    let login = login.as_ref().map(|(login, password)| (*login, password.as_str()));
    let submission = drill.app.submission(login);
    // Services that were just restarted may ask to try again, and a server may put off mail from those that it does not know.
    let greylisting = drill.app.mail().filter(|_| login.is_none()).map_or(0, |mail| mail.greylisting);
    until(DELIVERY + Duration::from_secs(greylisting), || async {
        Ok(match submission.send(&mail.from, &[&mail.to], bytes.as_bytes()).await {
            Ok(_) => Ok(Ok(Handed::Accepted)),
            Err(NotAccepted::Permanent(why)) => Ok(Ok(Handed::Refused(why))),
            Err(NotAccepted::Transient(why) | NotAccepted::NotSent(why)) => Err(why),
            Err(NotAccepted::Indeterminate(why)) => Ok(Err(why)),
        })
    })
    .await
    .unwrap_or_else(|e| Err(e.to_string()))
}

/// Waits until nothing is in the queue but what is held there, and what waits for the world outside.
pub(super) async fn delivered(drill: &Drill) -> Result<(), String> {
    let waits = |q: &Queued| !q.is_held() && !q.recipients.iter().all(|r| r.address.ends_with(RELAYED));
    drill.app.delivered(DELIVERY, waits).await.map_err(|e| e.to_string())
}

/// UIDNEXT of every folder of some accounts.
pub(super) async fn uid_nexts(drill: &Drill, accounts: &[String]) -> Result<BTreeMap<(String, String), u32>, Failure> {
    let look = |account: String| async move {
        let mut session = drill.app.imap().login(&account, &drill.run.secret.password(&account)).await?;
        let mut seen = Vec::new();
        for folder in folders(&mut session, drill.app.imap().patience).await? {
            let status = session.status(&folder.name, "(UIDNEXT)").await?;
            seen.push(((account.clone(), folder.name), status.uid_next.unwrap_or(1)));
        }
        session.logout().await?;
        Ok::<_, Failure>(seen)
    };
    let all: Vec<_> = futures_util::stream::iter(accounts.to_vec()).map(look).buffer_unordered(CONNECTIONS).try_collect().await?;
    Ok(all.into_iter().flatten().collect())
}

/// The messages of a stage among those that are new.
pub(super) async fn found(
    drill: &Drill,
    stage: &str,
    accounts: &[String],
    before: &BTreeMap<(String, String), u32>,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    for ((account, folder), next) in uid_nexts(drill, accounts).await? {
        let since = before.get(&(account.clone(), folder.clone())).copied().unwrap_or(1);
        if next <= since {
            continue;
        }
        let mut session: Session = drill.app.imap().login(&account, &drill.run.secret.password(&account)).await?;
        session.examine(&folder).await?;
        let new: Vec<_> = session.uid_fetch(format!("{since}:*"), "(UID BODY.PEEK[])").await?.try_collect().await?;
        for message in new.iter().filter(|m| m.uid.is_some_and(|uid| uid >= since)) {
            let bytes = message.body().unwrap_or_default();
            let place = (account.clone(), folder.clone());
            let own = header_field(bytes, HEADER).and_then(|value| {
                let (at, of) = value.split_once(' ')?;
                (of == slug(stage)).then(|| at.parse::<usize>().ok()).flatten()
            });
            let answered = header_field(bytes, "In-Reply-To").and_then(|id| trial_of(stage, &id));
            if let Some(at) = own {
                *found.arrived.entry(at).or_default().entry(place).or_default() += 1;
                found.bytes.insert(at, bytes.to_vec());
            } else if let Some(at) = answered {
                *found.answered.entry(at).or_default().entry(place).or_default() += 1;
            } else if let Some((at, why)) = bounced(stage, bytes) {
                found.bounced.insert(at, why);
            }
        }
        session.logout().await?;
    }
    Ok(found)
}

/// A stage's name as it can be in an address.
pub(super) fn slug(stage: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    stage.chars().map(word).collect::<String>().trim_matches('-').to_owned()
}

pub(super) fn message_id(stage: &str, at: usize) -> String {
    format!("{at}.{}@trial.example", slug(stage))
}

/// The trial of a stage that a message id is of.
pub(super) fn trial_of(stage: &str, id: &str) -> Option<usize> {
    let (at, rest) = id.trim_matches(['<', '>']).split_once('.')?;
    (rest == format!("{}@trial.example", slug(stage))).then(|| at.parse().ok()).flatten()
}

/// The trial of a stage that a report of non-delivery is of, and the server's reason (RFC 3464, 2.3.6).
fn bounced(stage: &str, message: &[u8]) -> Option<(usize, String)> {
    let text = String::from_utf8_lossy(message);
    let line = |field: &str| text.lines().find_map(|line| line.strip_prefix(field)).map(str::trim);
    let why = line("Diagnostic-Code:")?;
    let (at, of) = line(&format!("{HEADER}:"))?.split_once(' ')?;
    Some((at.parse().ok().filter(|_| of == slug(stage))?, why.to_owned()))
}

/// The header line that tells which trial of a stage a message is of.
pub(super) fn mark(stage: &str, at: usize) -> String {
    format!("{HEADER}: {at} {}", slug(stage))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_trial() {
        let id = message_id("(no fault) 3", 12);
        assert_eq!(id, "12.no-fault--3@trial.example");
        assert_eq!(trial_of("(no fault) 3", &format!("<{id}>")), Some(12));
        assert_eq!(trial_of("baseline", &id), None);
    }

    #[test]
    fn a_report_of_non_delivery_names_its_trial() {
        let report = "Content-Type: multipart/report\r\n\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody\r\n\r\nRestore-Drill-Trial: 8001 restored\r\n";
        assert_eq!(bounced("restored", report.as_bytes()), Some((8001, "smtp; 550 5.1.1 nobody".into())));
        assert_eq!(bounced("baseline", report.as_bytes()), None);
        assert_eq!(bounced("restored", b"Subject: x\r\n\r\nRestore-Drill-Trial: 8001 restored\r\n"), None);
    }

    #[test]
    fn places_are_told_with_how_often() {
        let place = |n| Places::from([(("a@mail.test".to_owned(), "INBOX".to_owned()), n)]);
        assert_eq!(told(&place(1), &Places::new()), "a@mail.test INBOX");
        assert_eq!(told(&place(2), &place(1)), "a@mail.test INBOX, 2 times; answered to a@mail.test INBOX");
        assert_eq!(told(&Places::new(), &Places::new()), "nowhere");
    }
}
