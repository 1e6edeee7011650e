//! Trials: what a user would do with the app, and what must come of it. Logins, mail through every kind of route, filters,
//! automatic replies, signatures, mail in and out. Tried before the backup, where they must come out as the corpus says, and
//! again after the restore. Reading rows and files tells that they are back; trying tells that the app works with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::BASELINE;
use judge::model::{Protocol, Route, Trial, TrialKind};
use judge::store::{RunFact, TrialSeen};
use recipe::scenario::Outside;
use seeds::{RELAYED, User};

use super::fault::Trials;
use super::shaping::Shaped;
use super::state::Drill;
use super::users;
use crate::error::{Error, Result};
use crate::events::Phase;
use crate::probe::dkim;
use crate::probe::doors::{Answer, Doors};
use crate::probe::mail::{Failure, Session, folders, header_field};
use crate::probe::pages::Failure as Refusal;
use crate::probe::queue::Queued;
use crate::probe::smtp::NotAccepted;
use crate::stack::until;
use crate::stack::volumes::{Helper, full_name};

/// The header field that tells which trial a message is of.
pub const HEADER: &str = "Restore-Drill-Trial";
/// Accounts that are tried and watched, at most: a large corpus has hundreds that are alike.
const WATCHED: usize = 12;
/// Connections at once.
const CONNECTIONS: usize = 4;
/// What a visit to the app's pages must be.
pub(super) const AS_EXPECTED: &str = "as expected";
/// The longest wait for mail to leave the queue.
const DELIVERY: Duration = Duration::from_secs(45);
/// The recipient of the mail that is in the queue while the backup is taken.
const PARKED: &str = "parked@relayed.example";
/// The recipient of the mail out that is tried.
const OUT: &str = "trial@relayed.example";
/// A sender at another server.
const STRANGER: &str = "stranger@drill.example";

/// A login.
struct Login {
    trial: Trial,
    door: &'static str,
    account: String,
    password: String,
    let_in: bool,
}

/// A message.
struct Mail {
    trial: Trial,
    /// Who authenticates; none hands it in at the door for other servers.
    login: Option<String>,
    from: String,
    to: String,
    list: Option<String>,
    /// The mailboxes and folders where it must be, once each, and those where an answer to it must be.
    arrives: BTreeSet<(String, String)>,
    answers: BTreeSet<(String, String)>,
    refused: bool,
    /// The domain whose signature it must bear.
    signed: Option<String>,
}

impl Mail {
    /// A message of a trial; none looks where it arrives.
    fn new(trial: Trial, login: Option<String>, from: String, to: String) -> Self {
        let (arrives, answers) = (BTreeSet::new(), BTreeSet::new());
        Self { trial, login, from, to, list: None, arrives, answers, refused: false, signed: None }
    }

    fn expected(&self) -> String {
        if self.refused {
            return "refused".into();
        }
        let once = |set: &BTreeSet<(String, String)>| set.iter().map(|place| (place.clone(), 1)).collect();
        told(&once(&self.arrives), &once(&self.answers))
    }
}

/// How often a message is where.
type Places = BTreeMap<(String, String), u32>;

fn told(arrived: &Places, answered: &Places) -> String {
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
struct Found {
    arrived: BTreeMap<usize, Places>,
    answered: BTreeMap<usize, Places>,
    /// The bytes of one copy.
    bytes: BTreeMap<usize, Vec<u8>>,
}

/// Tries everything before the baseline. Mail to the world outside is left in the queue, so that the backup has some.
pub async fn try_before(drill: &Drill, _: &Shaped) -> Result<()> {
    let phase = drill.run.events.phase(Phase::Try);
    remember_keys(drill).await?;
    let mut seen = doors_tried(drill, BASELINE).await?;
    if let Some(outside) = drill.app.mail().and_then(|m| m.outside.as_ref()) {
        seen.push(relayed(drill, outside, BASELINE).await?);
        park(drill).await?;
    }
    drill.run.evidence.put_trials(BASELINE, &seen)?;
    phase.finish(format!("{} trials", seen.len()));
    Ok(())
}

/// Tries everything again. What was left in the queue must reach the world outside, once.
pub async fn try_after(drill: &Drill, stage: &str, release: bool) -> Result<()> {
    let phase = drill.run.events.phase(Phase::Try);
    let mut seen = doors_tried(drill, stage).await?;
    if let Some(outside) = drill.app.mail().and_then(|m| m.outside.as_ref()) {
        seen.push(relayed(drill, outside, stage).await?);
        if release {
            seen.push(released(drill, outside).await?);
        }
    }
    drill.run.evidence.put_trials(stage, &seen)?;
    phase.finish(format!("{} trials", seen.len()));
    Ok(())
}

async fn doors_tried(drill: &Drill, stage: &str) -> Result<Vec<TrialSeen>> {
    let mut seen = visits(drill).await?;
    if drill.app.mail().is_some() {
        seen.extend(logins(drill).await);
        seen.extend(mails(drill, stage).await?);
    }
    Ok(seen)
}

/// What users find in the app's pages.
pub(super) async fn visits(drill: &Drill) -> Result<Vec<TrialSeen>> {
    let mut seen = Vec::new();
    for pages in drill.app.scenario.spec.pages.iter().filter(|p| !p.check.is_empty()) {
        let accounts: Vec<String> =
            drill.run.corpus.accounts().mailboxes().iter().take(WATCHED).map(|u| u.email.clone()).collect();
        let visits = accounts.into_iter().map(|account| async move {
            let went = users::visitor(drill, pages, &account)?.visit(&pages.check).await;
            let value = match went {
                Ok(()) => Ok(AS_EXPECTED.to_owned()),
                Err(Refusal::Answered(why)) => Ok(why),
                Err(Refusal::Unknown(why)) => Err(why),
            };
            let trial = Trial::new(TrialKind::Page(pages.name.clone()), [account]);
            Ok::<_, Error>(TrialSeen { trial, expected: AS_EXPECTED.to_owned(), value })
        });
        seen.extend(futures_util::stream::iter(visits).buffer_unordered(CONNECTIONS).try_collect::<Vec<_>>().await?);
    }
    Ok(seen)
}

async fn logins(drill: &Drill) -> Vec<TrialSeen> {
    let doors = drill.app.doors_of_run();
    let attempt = |login: Login| {
        let doors = doors.clone();
        async move {
            let Login { trial, door, account, password, let_in } = login;
            let answer: Answer = match door {
                "imaps" => Doors::imap(&drill.app.imap(), &account, &password).await,
                "pop3s" => doors.pop3(drill.app.port(door), &account, &password).await,
                _ => doors.smtp(drill.app.port(door), &account, &password).await,
            };
            let word = |yes: bool| if yes { "let in" } else { "refused" }.to_owned();
            TrialSeen { trial, expected: word(let_in), value: answer.map(word) }
        }
    };
    futures_util::stream::iter(planned_logins(drill)).map(attempt).buffer_unordered(CONNECTIONS).collect().await
}

/// Logins that must be let in, and such that must not. That every account is let in over IMAP is the mail probe's.
fn planned_logins(drill: &Drill) -> Vec<Login> {
    use Protocol::{Imap, Pop3, Smtp};
    use TrialKind::{DisabledLogin, Login, TokenLogin, WrongPassword};
    let accounts = drill.run.corpus.accounts();
    let mut logins = Vec::new();
    let mut add = |kind, token: Option<String>, door: &'static str, user: &User, password: String, let_in: bool| {
        if drill.app.ports.contains_key(door) {
            let trial = Trial::new(kind, [Some(user.email.clone()), token].into_iter().flatten());
            logins.push(self::Login { trial, door, account: user.email.clone(), password, let_in });
        }
    };
    for user in accounts.mailboxes().iter().take(WATCHED) {
        add(Login(Pop3), None, "pop3s", user, drill.run.secret.password(&user.email), user.enable_pop);
        for (at, token) in user.tokens.iter().enumerate() {
            let password = drill.run.secret.token(at, &user.email);
            // Tokens of the corpus are for any network, or for one where no drill is.
            let comment = Some(format!("{:?}", token.comment));
            add(TokenLogin, comment, "imaps", user, password, token.ip.is_empty());
        }
    }
    if let Some(user) = accounts.mailboxes().first() {
        add(Login(Smtp), None, "submissions", user, drill.run.secret.password(&user.email), true);
        for (protocol, door) in [(Imap, "imaps"), (Pop3, "pop3s"), (Smtp, "submissions")] {
            add(WrongPassword(protocol), None, door, user, drill.run.secret.derive("a wrong password"), false);
        }
    }
    for user in accounts.users.iter().filter(|u| !u.enabled) {
        for (protocol, door) in [(Imap, "imaps"), (Smtp, "submissions")] {
            add(DisabledLogin(protocol), None, door, user, drill.run.secret.password(&user.email), false);
        }
    }
    logins
}

/// Mail through one route of each kind.
fn planned_mails(drill: &Drill, stage: &str) -> Vec<Mail> {
    let accounts = drill.run.corpus.accounts();
    let mailboxes = accounts.mailboxes();
    let Some(first) = mailboxes.first().map(|u| u.email.clone()) else { return vec![] };
    let inbox = |address: &str| accounts.deliveries(address).into_iter().map(|a| (a, "INBOX".to_owned())).collect();
    // Automatic replies have their own route: on others they would depend on who wrote before.
    let ordinary = |kind: TrialKind, to: String| Mail {
        arrives: inbox(&to),
        ..Mail::new(Trial::new(kind, [to.as_str()]), Some(first.clone()), first.clone(), to)
    };
    let mail = |route, to| ordinary(TrialKind::Mail(route), to);
    let mut mails = Vec::new();
    for alias in &accounts.aliases {
        mails.push(if alias.wildcard {
            mail(Route::WildcardAlias, alias.email.replace('%', "trial"))
        } else {
            mail(Route::Alias, alias.email.clone())
        });
    }
    let alternative = accounts.domains.iter().find_map(|d| Some((format!("@{}", d.name), d.alternatives.first()?)));
    if let Some((at_domain, alternative)) = alternative
        && let Some(local) = mailboxes.iter().find_map(|u| u.email.strip_suffix(&at_domain))
    {
        mails.push(mail(Route::AlternativeDomain, format!("{local}@{alternative}")));
    }
    if let Some((local, domain)) = first.split_once('@') {
        mails.push(mail(Route::Detail, format!("{local}+trial@{domain}")));
        mails.push(Mail { refused: true, arrives: BTreeSet::new(), ..mail(Route::Nobody, format!("nobody-here@{domain}")) });
    }
    for keep in [true, false] {
        if let Some(user) = accounts.enabled().find(|u| u.forward_enabled && u.forward_keep == keep) {
            let route = if keep { Route::ForwardWithCopy } else { Route::ForwardOnly };
            mails.push(mail(route, user.email.clone()));
        }
    }
    // Others' automatic replies are for one sender once a day: each stage has its own.
    if let (Some(user), Some((owner, from))) = (mailboxes.iter().find(|u| u.reply_enabled), accounts.correspondent(&slug(stage)))
    {
        let answers = inbox(&from);
        mails.push(Mail { login: Some(owner.email.clone()), answers, from, ..mail(Route::AutomaticReply, user.email.clone()) });
    }
    let quiet: Vec<&User> = accounts.quiet().take(3).collect();
    for user in &quiet {
        let (list, folder) = drill.run.corpus.list(&user.email);
        mails.push(Mail {
            list: Some(list),
            arrives: BTreeSet::from([(user.email.clone(), folder.to_owned())]),
            ..ordinary(TrialKind::FilteredMail, user.email.clone())
        });
    }
    let Some(target) = quiet.first().map(|u| u.email.clone()) else { return mails };
    // Mail to the target, of a trial that is about others.
    let to_target =
        |kind, of: &[&str]| Mail { trial: Trial::new(kind, of.iter().copied()), ..ordinary(TrialKind::MailIn, target.clone()) };
    for domain in &accounts.domains {
        if let Some(sender) = mailboxes.iter().find(|u| u.email.ends_with(&format!("@{}", domain.name))) {
            mails.push(Mail {
                login: Some(sender.email.clone()),
                from: sender.email.clone(),
                signed: drill.app.mail().is_some_and(|m| m.dkim.is_some()).then(|| domain.name.clone()),
                ..to_target(TrialKind::SignedMail, &[&sender.email, &domain.name])
            });
        }
    }
    for allowed in [true, false] {
        if let Some(sender) = mailboxes.iter().skip(1).find(|u| u.allow_spoofing == allowed) {
            mails.push(Mail {
                login: Some(sender.email.clone()),
                refused: !allowed,
                ..to_target(TrialKind::MailAs, &[&sender.email, &first])
            });
        }
    }
    if drill.app.ports.contains_key("smtp") {
        mails.push(Mail { login: None, from: STRANGER.into(), ..to_target(TrialKind::MailIn, &[&target]) });
        mails.push(Mail {
            trial: Trial::new(TrialKind::OpenRelay, [""; 0]),
            login: None,
            from: STRANGER.into(),
            refused: true,
            ..ordinary(TrialKind::OpenRelay, "somebody@elsewhere.example".into())
        });
    }
    mails
}

async fn mails(drill: &Drill, stage: &str) -> Result<Vec<TrialSeen>> {
    let mails: Vec<Arc<Mail>> = planned_mails(drill, stage).into_iter().map(Arc::new).collect();
    let watched: Vec<String> = watched(drill, &mails);
    let before = match uid_nexts(drill, &watched).await {
        Ok(before) => before,
        Err(failure) => return Ok(untold(&mails, failure.reason())),
    };
    let sent: Vec<Result<bool, String>> = futures_util::stream::iter(mails.clone().into_iter().enumerate())
        .map(|(at, mail)| async move { hand_in(drill, stage, at, &mail).await })
        .buffered(CONNECTIONS)
        .collect()
        .await;
    if let Err(why) = delivered(drill).await {
        return Ok(untold(&mails, &why));
    }
    let found = match found(drill, stage, &watched, &before).await {
        Ok(found) => found,
        Err(failure) => return Ok(untold(&mails, failure.reason())),
    };
    let keys = keys(drill)?;
    let mut seen = Vec::new();
    for (at, (mail, sent)) in mails.iter().zip(sent).enumerate() {
        let none = Places::new();
        let value = sent.map(|accepted| {
            let (arrived, answered) = (found.arrived.get(&at).unwrap_or(&none), found.answered.get(&at).unwrap_or(&none));
            if accepted || !arrived.is_empty() { told(arrived, answered) } else { "refused".to_owned() }
        });
        if let Some(domain) = &mail.signed {
            let value = match found.bytes.get(&at) {
                Some(bytes) => dkim::verify(bytes, &keys).await,
                None => Ok("no message".into()),
            };
            let trial = Trial::new(TrialKind::Signature, [mail.from.as_str()]);
            seen.push(TrialSeen { trial, expected: format!("valid for {domain}"), value });
        }
        seen.push(TrialSeen { trial: mail.trial.clone(), expected: mail.expected(), value });
    }
    Ok(seen)
}

/// Where trial mail may turn up: where it must, and in other mailboxes, where it must not.
fn watched(drill: &Drill, mails: &[Arc<Mail>]) -> Vec<String> {
    let places = mails.iter().flat_map(|m| m.arrives.iter().chain(&m.answers)).map(|(account, _)| account.clone());
    let others = drill.run.corpus.accounts().enabled().take(WATCHED).map(|u| u.email.clone());
    places.chain(others).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Hands a message in. True where it was accepted, false where it was refused for good.
async fn hand_in(drill: &Drill, stage: &str, at: usize, mail: &Mail) -> Result<bool, String> {
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
    // Services that were just restarted may ask to try again.
    until(DELIVERY, || async {
        Ok(match submission.send(&mail.from, &[&mail.to], bytes.as_bytes()).await {
            Ok(_) => Ok(Ok(true)),
            Err(NotAccepted::Permanent(_)) => Ok(Ok(false)),
            Err(NotAccepted::Transient(why) | NotAccepted::NotSent(why)) => Err(why),
            Err(NotAccepted::Indeterminate(why)) => Ok(Err(why)),
        })
    })
    .await
    .unwrap_or_else(|e| Err(e.to_string()))
}

/// Waits until nothing is in the queue but what is held there, and what waits for the world outside.
async fn delivered(drill: &Drill) -> Result<(), String> {
    let waits = |q: &Queued| !q.is_held() && !q.recipients.iter().all(|r| r.address.ends_with(RELAYED));
    until(DELIVERY, || async {
        let waiting = drill.app.queue().await?.iter().filter(|q| waits(q)).count();
        Ok(if waiting == 0 { Ok(()) } else { Err(format!("{waiting} messages are in the queue")) })
    })
    .await
    .map_err(|e| e.to_string())
}

/// UIDNEXT of every folder of some accounts.
async fn uid_nexts(drill: &Drill, accounts: &[String]) -> Result<BTreeMap<(String, String), u32>, Failure> {
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
async fn found(
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
            }
        }
        session.logout().await?;
    }
    Ok(found)
}

/// Sends a message to the relayed domain, with a server outside that takes it.
async fn relayed(drill: &Drill, outside: &Outside, stage: &str) -> Result<TrialSeen> {
    let trial = Trial::new(TrialKind::MailOut, [OUT]);
    let expected = "received outside, once".to_owned();
    let Some(mail) = outgoing(drill, TrialKind::MailOut, OUT) else {
        return Ok(TrialSeen { trial, expected, value: Err("nobody to send it".into()) });
    };
    within_outside(drill, outside, &outside.start).await?;
    // A number that no mail within has.
    let at = 9_000;
    let sent = hand_in(drill, stage, at, &mail).await;
    let value = match sent {
        Ok(true) => received(drill, outside, &mark(stage, at), OUT).await,
        Ok(false) => Ok("refused".into()),
        Err(why) => Err(why),
    };
    within_outside(drill, outside, &outside.stop).await?;
    Ok(TrialSeen { trial, expected, value })
}

/// Releases what was held in the queue, with a server outside that takes it.
async fn released(drill: &Drill, outside: &Outside) -> Result<TrialSeen> {
    within_outside(drill, outside, &outside.start).await?;
    drill.app.have_queue(|queue| &queue.release, "releasing the mail queue").await?;
    let value = received(drill, outside, &mark("parked", 0), PARKED).await;
    within_outside(drill, outside, &outside.stop).await?;
    let trial = Trial::new(TrialKind::QueuedMail, [PARKED]);
    Ok(TrialSeen { trial, expected: "received outside, once".into(), value })
}

/// Sends a message to the relayed domain, where nobody answers, and has it stay in the queue: a message that is tried
/// again and again would be another file each time.
async fn park(drill: &Drill) -> Result<()> {
    let Some(mail) = outgoing(drill, TrialKind::QueuedMail, PARKED) else { return Ok(()) };
    let fail = |why: String| Error::Unknown(format!("mail to {PARKED}, which was to be left in the queue: {why}"));
    if !hand_in(drill, "parked", 0, &mail).await.map_err(fail)? {
        return Err(fail("refused".into()));
    }
    let deferred = |q: &Queued| q.is_for(PARKED) && q.queue_name == "deferred";
    until(DELIVERY, || async {
        let queue = drill.app.queue().await?;
        Ok(if queue.iter().any(deferred) { Ok(()) } else { Err(format!("it is not deferred: {queue:?}")) })
    })
    .await?;
    drill.app.have_queue(|queue| &queue.hold, "holding the mail queue").await?;
    if !drill.app.queue().await?.iter().any(|q| q.is_for(PARKED) && q.is_held()) {
        return Err(fail("it is not held".into()));
    }
    Ok(())
}

/// A message to the world outside.
fn outgoing(drill: &Drill, kind: TrialKind, to: &str) -> Option<Mail> {
    let from = drill.run.corpus.accounts().mailboxes().first()?.email.clone();
    Some(Mail::new(Trial::new(kind, [to]), Some(from.clone()), from, to.into()))
}

/// How often the server outside got a message, once it left the queue or had to stay there.
async fn received(drill: &Drill, outside: &Outside, mark: &str, to: &str) -> Result<String, String> {
    let received = || async {
        let text = within_outside(drill, outside, &outside.received).await?;
        Ok::<_, Error>(text.lines().filter(|l| l.trim_end() == mark).count())
    };
    let left = until(DELIVERY, || async {
        let queue = drill.app.queue().await?;
        let waiting = queue.iter().find(|q| q.is_for(to) && !q.is_held());
        Ok(match waiting {
            None => Ok(None),
            Some(q) if q.queue_name == "deferred" => Ok(q.recipients.first().map(|r| r.delay_reason.clone())),
            Some(q) => Err(format!("it is in the queue, {}", q.queue_name)),
        })
    });
    let deferred = left.await.map_err(|e| e.to_string())?;
    Ok(match (received().await.map_err(|e| e.to_string())?, deferred) {
        (_, Some(why)) => format!("still in the queue: {why}"),
        (0, None) => "never received outside".into(),
        (1, None) => "received outside, once".into(),
        (n, None) => format!("received outside, {n} times"),
    })
}

async fn within_outside(drill: &Drill, outside: &Outside, command: &[String]) -> Result<String> {
    let service = drill.app.stack.service(&outside.service);
    Ok(drill.app.engine().exec(&service, command, &[], None).await?.ok("the server outside").map(|o| o.stdout)?)
}

/// Stores the key records of the domains: what their DNS says, before and after any restore.
async fn remember_keys(drill: &Drill) -> Result<()> {
    let Some(spec) = drill.app.mail().and_then(|m| m.dkim.as_ref()) else { return Ok(()) };
    let volume = full_name(&drill.app.stack.name, &spec.volume);
    let helper = Helper::open(&drill.app.owned, &drill.app.helper_image, &volume).await?;
    let mut records = BTreeMap::new();
    let mut missing = None;
    for domain in &drill.run.corpus.accounts().domains {
        let path = spec.key.replace("{domain}", &domain.name);
        let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let file = dir.path().join("key");
        if !helper.copy_out(&path, &file).await? {
            missing = Some(format!("volume {} has no {path}", spec.volume));
            continue;
        }
        let pem = std::fs::read(&file).map_err(Error::io(&file))?;
        match dkim::record(&pem) {
            Ok(record) => drop(records.insert(format!("{}._domainkey.{}", spec.selector, domain.name), record)),
            Err(why) => missing = Some(format!("volume {}, {path}: {why}", spec.volume)),
        }
    }
    helper.close().await?;
    if let Some(why) = missing {
        return Err(Error::Unknown(format!("DKIM keys: {why}")));
    }
    Ok(drill.run.evidence.set_json(RunFact::DkimKeys, &records)?)
}

fn keys(drill: &Drill) -> Result<BTreeMap<String, String>> {
    Ok(drill.run.evidence.json(RunFact::DkimKeys)?.unwrap_or_default())
}

/// Tries what a fault lets be tried.
pub(crate) async fn try_as(drill: &Drill, trials: Trials, stage: &str) -> Result<()> {
    match trials {
        Trials::All => try_after(drill, stage, true).await,
        Trials::QueueHeld => try_after(drill, stage, false).await,
        Trials::None => Ok(drill.run.evidence.try_nothing(stage)?),
    }
}

/// A stage's name as it can be in an address.
fn slug(stage: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    stage.chars().map(word).collect::<String>().trim_matches('-').to_owned()
}

fn message_id(stage: &str, at: usize) -> String {
    format!("{at}.{}@trial.example", slug(stage))
}

/// The trial of a stage that a message id is of.
fn trial_of(stage: &str, id: &str) -> Option<usize> {
    let (at, rest) = id.trim_matches(['<', '>']).split_once('.')?;
    (rest == format!("{}@trial.example", slug(stage))).then(|| at.parse().ok()).flatten()
}

/// The header line that tells which trial of a stage a message is of.
fn mark(stage: &str, at: usize) -> String {
    format!("{HEADER}: {at} {}", slug(stage))
}

fn untold(mails: &[Arc<Mail>], why: &str) -> Vec<TrialSeen> {
    let one = |m: &Arc<Mail>| TrialSeen { trial: m.trial.clone(), expected: m.expected(), value: Err(why.to_owned()) };
    mails.iter().map(one).collect()
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
    fn places_are_told_with_how_often() {
        let place = |n| Places::from([(("a@mail.test".to_owned(), "INBOX".to_owned()), n)]);
        assert_eq!(told(&place(1), &Places::new()), "a@mail.test INBOX");
        assert_eq!(told(&place(2), &place(1)), "a@mail.test INBOX, 2 times; answered to a@mail.test INBOX");
        assert_eq!(told(&Places::new(), &Places::new()), "nowhere");
    }
}
