//! Mail through one route of each kind, and where it must arrive.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use judge::model::{Route, Trial, TrialKind};
use judge::store::TrialSeen;
use seeds::User;

use super::delivery::{
    CONNECTIONS, Fate, Handed, Mail, Places, REFUSED, RETURNED, WATCHED, delivered, found, hand_in, slug, told, uid_nexts,
};
use super::signatures::keys;
use crate::drill::state::Drill;
use crate::drill::world::{SOMEBODY, STRANGER};
use crate::error::Result;
use crate::probe::dkim;

/// Mail through one route of each kind.
pub(super) fn planned_mails(drill: &Drill, stage: &str) -> Vec<Mail> {
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
        if let Some(delimiter) = drill.app.mail().and_then(|m| m.recipient_delimiter) {
            let to = format!("{local}{delimiter}trial@{domain}");
            mails.push(Mail { arrives: inbox(&first), ..mail(Route::Detail, to) });
        }
        mails.push(Mail { fate: Fate::Returned, ..mail(Route::Nobody, format!("nobody-here@{domain}")) });
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
                fate: if allowed { Fate::Delivered } else { Fate::Refused },
                ..to_target(TrialKind::MailAs, &[&sender.email, &first])
            });
        }
    }
    if drill.app.relay.has("smtp") {
        mails.push(Mail { login: None, from: STRANGER.into(), ..to_target(TrialKind::MailIn, &[&target]) });
        mails.push(Mail {
            trial: Trial::new(TrialKind::OpenRelay, [""; 0]),
            login: None,
            from: STRANGER.into(),
            fate: Fate::Refused,
            ..ordinary(TrialKind::OpenRelay, SOMEBODY.into())
        });
    }
    mails
}

pub(super) async fn mails(drill: &Drill, stage: &str) -> Result<Vec<TrialSeen>> {
    let mails: Vec<Arc<Mail>> = planned_mails(drill, stage).into_iter().map(Arc::new).collect();
    let watched: Vec<String> = watched(drill, &mails);
    let before = match uid_nexts(drill, &watched).await {
        Ok(before) => before,
        Err(failure) => return Ok(untold(&mails, failure.reason())),
    };
    let sent: Vec<Result<Handed, String>> = futures_util::stream::iter(mails.clone().into_iter().enumerate())
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
            match (accepted, mail.fate) {
                _ if !arrived.is_empty() => told(arrived, answered),
                (Handed::Refused(_), Fate::Returned) => RETURNED.to_owned(),
                (Handed::Accepted, Fate::Returned) if found.bounced.contains_key(&at) => RETURNED.to_owned(),
                (Handed::Refused(_), _) => REFUSED.to_owned(),
                (Handed::Accepted, _) => told(arrived, answered),
            }
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
pub(super) fn watched(drill: &Drill, mails: &[Arc<Mail>]) -> Vec<String> {
    let places = mails.iter().flat_map(|m| m.arrives.iter().chain(&m.answers)).map(|(account, _)| account.clone());
    let others = drill.run.corpus.accounts().enabled().take(WATCHED).map(|u| u.email.clone());
    places.chain(others).collect::<BTreeSet<_>>().into_iter().collect()
}

pub(super) fn untold(mails: &[Arc<Mail>], why: &str) -> Vec<TrialSeen> {
    let one = |m: &Arc<Mail>| TrialSeen { trial: m.trial.clone(), expected: m.expected(), value: Err(why.to_owned()) };
    mails.iter().map(one).collect()
}
