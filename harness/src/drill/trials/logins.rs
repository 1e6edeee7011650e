//! Logins that must be let in, and such that must not.

use futures_util::StreamExt as _;
use judge::model::{Protocol, Trial, TrialKind};
use judge::store::TrialSeen;
use seeds::User;

use super::delivery::{CONNECTIONS, WATCHED};
use crate::drill::state::Drill;
use crate::probe::doors::{Answer, Doors};

/// A login.
pub(super) struct Login {
    trial: Trial,
    door: &'static str,
    account: String,
    password: String,
    let_in: bool,
}

pub(super) async fn logins(drill: &Drill) -> Vec<TrialSeen> {
    let doors = drill.app.doors_of_run();
    let attempt = |login: Login| {
        let doors = doors.clone();
        async move {
            let Login { trial, door, account, password, let_in } = login;
            let answer: Answer = match door {
                "imaps" => Doors::imap(&drill.app.imap(), &account, &password).await,
                "managesieve" => match drill.app.sieve() {
                    Some(sieve) => sieve.lets_in(&account, &password).await,
                    None => Err("the door is not open".into()),
                },
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
pub(super) fn planned_logins(drill: &Drill) -> Vec<Login> {
    use Protocol::{Imap, Pop3, Sieve, Smtp};
    use TrialKind::{DisabledLogin, Login, TokenLogin, WrongPassword};
    let accounts = drill.run.corpus.accounts();
    let mut logins = Vec::new();
    let mut add = |kind, token: Option<String>, door: &'static str, user: &User, password: String, let_in: bool| {
        if drill.app.relay.has(door) {
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
        for (protocol, door) in [(Imap, "imaps"), (Pop3, "pop3s"), (Smtp, "submissions"), (Sieve, "managesieve")] {
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
