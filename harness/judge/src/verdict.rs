//! The judge: two stored observations in, findings out. Pure: no Docker, no network,
//! no clock, so that an old run can be judged again.

use crate::error::{Error, Result};
use crate::facts::{facts, trials};
use crate::files::files;
use crate::keys::{self, keys};
use crate::mail::mail;
use crate::model::{BotStep, Complaint, Counts, Finding, Item, Outcome, Verdict};
use crate::rows::{database, rows};
use crate::say::finding;
use crate::stage::{BASELINE, REVISION, Versions};
use crate::store::{Evidence, FactSeen, Login, ObservationId, RunFact, Unlike};
use crate::{audit, checks, live, property};

/// What the checks of a sound database say.
pub(crate) const SOUND: [(&str, &str); 3] = [("file", "readable"), ("integrity_check", "ok"), ("foreign_key_check", "")];

/// Compares the observation called `stage` with the baseline.
pub fn judge(evidence: &Evidence, stage: &str) -> Result<Verdict> {
    let (Some(before), Some(after)) = (evidence.completed(BASELINE)?, evidence.completed(stage)?) else {
        let missing = if evidence.completed(BASELINE)?.is_none() { BASELINE } else { stage };
        let what = Item::Observation { what: format!("observation {missing:?}") };
        let mut findings = vec![finding(what, Outcome::Unread, None, "the run ended before it was complete".into())];
        findings.extend(steps(evidence)?);
        findings.extend(audit::findings(evidence)?);
        return Ok(Verdict::new(Counts::default(), findings));
    };
    let (mut counts, mut findings) = compared(evidence, before, after, Versions::Same)?;
    findings.extend(audit::findings(evidence)?);
    let mut findings = live::judged(evidence, before, after, findings)?;
    let tried = evidence.trials(BASELINE)?;
    if !evidence.not_tried(stage)? {
        counts.trials = tried.len() as u64;
        findings.extend(trials(&tried, &evidence.trials(stage)?));
    }
    findings.extend(steps(evidence)?);
    findings.extend(checks::missing(evidence, stage)?);
    Ok(Verdict::from_findings(counts, findings))
}

/// Compares two observations of different versions of the app, and what was tried after the second one: a newer version
/// may have a newer schema, with more tables and columns.
pub fn across(evidence: &Evidence, before: &str, after: &str) -> Result<Verdict> {
    let stage = after;
    let (Some(before), Some(after)) = (evidence.completed(before)?, evidence.completed(after)?) else {
        return Err(Error::Incomplete(format!("observation {before:?} or {after:?} was not completed")));
    };
    let (mut counts, mut findings) = compared(evidence, before, after, Versions::OlderThenNewer)?;
    let tried = evidence.trials(stage)?;
    counts.trials = tried.len() as u64;
    findings.extend(trials(&[], &tried));
    findings.extend(steps(evidence)?);
    Ok(Verdict::from_findings(counts, findings))
}

/// Compares the data of two observations: how much there was, and what changed.
fn compared(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    versions: Versions,
) -> Result<(Counts, Vec<Finding>)> {
    let mut counts = Counts::default();
    let mut findings = Vec::new();
    mail(evidence, before, after, &mut counts, &mut findings)?;
    let (old, new) = (evidence.rows(before)?, evidence.rows(after)?);
    counts.rows = old.len() as u64;
    for name in evidence.databases()? {
        let (mut old, new) = (evidence.checks(before, &name)?, evidence.checks(after, &name)?);
        old.retain(|(property, _)| versions == Versions::Same || property != REVISION);
        database(&name, &old, &new, &mut findings);
    }
    rows(&old, &new, versions, &mut findings);
    (counts.files, counts.paths) = evidence.file_counts(before)?;
    files(&evidence.file_pairs(before, after)?, &mut findings, |volume, path| evidence.has_file(after, volume, path))?;
    let (old, new) = (evidence.facts(before)?, evidence.facts(after)?);
    counts.facts = old.len() as u64;
    facts(&old, &new, &mut findings);
    counts.keys = keys(evidence, before, after, &mut findings)?;
    Ok((counts, findings))
}

/// Judges what is known before a restore: the backup's steps and the audit.
pub fn audited(evidence: &Evidence) -> Result<Verdict> {
    let mut findings = audit::findings(evidence)?;
    findings.extend(steps(evidence)?);
    if evidence.get(RunFact::Audit)?.is_none() && findings.is_empty() {
        findings.push(finding(
            Item::Observation { what: "audit".into() },
            Outcome::Unread,
            None,
            "the audit ended before it was complete".into(),
        ));
    }
    Ok(Verdict::new(Counts::default(), findings))
}

/// Compares the baseline with the ledger: a message that SMTP accepted must be in its
/// recipient's mailbox with the body that was submitted, and the databases must be sound. A
/// finding here means that the seeding failed.
pub fn seeding(evidence: &Evidence, baseline: ObservationId) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let sound = SOUND.map(|(property, value)| (property.to_owned(), value.to_owned()));
    for name in evidence.databases()? {
        let checks = evidence.checks(baseline, &name)?;
        // A server checks its database itself.
        let made = |(property, _): &&(String, String)| property == "file" || checks.iter().any(|(made, _)| made == property);
        let sound: Vec<_> = sound.iter().filter(made).cloned().collect();
        database(&name, &sound, &checks, &mut findings);
    }
    for (account, login) in evidence.accounts(baseline)? {
        if let Login::Refused(why) | Login::Unread(why) = login {
            findings.push(finding(Item::Account { account }, Outcome::Unread, None, why));
        }
    }
    for Unlike { account, item, expunged, found } in evidence.unlike_ledger(baseline)? {
        let (outcome, property, detail) = match (&found, expunged) {
            (None, _) => (Outcome::Lost, None, "it was accepted over SMTP and is not in the mailbox"),
            (Some(_), true) => (Outcome::Resurrected, None, "it was expunged and is still there"),
            (Some(_), false) => (Outcome::Altered, Some(property::BYTES), "the body is not the one that was submitted"),
        };
        let (folder, uid) = found.unwrap_or_else(|| ("INBOX".into(), 0));
        let message = Item::Message { account, folder, uid, corpus: Some(item) };
        findings.push(finding(message, outcome, property, detail.into()));
    }
    for FactSeen { fact, value } in evidence.facts(baseline)? {
        if value.is_none() {
            let detail = "the command that prints it failed".to_owned();
            findings.push(finding(Item::Fact { fact }, Outcome::Unread, None, detail));
        }
    }
    findings.extend(keys::unread(evidence, baseline)?);
    findings.extend(trials(&[], &evidence.trials(BASELINE)?));
    findings.sort();
    Ok(findings)
}

/// What the bot said went wrong.
fn steps(evidence: &Evidence) -> Result<Vec<Finding>> {
    let one = |(step, Complaint { cause, message }): (BotStep, Complaint)| {
        finding(Item::Step { step }, Outcome::Failed, Some(cause.name()), message)
    };
    Ok(evidence.complaints()?.into_iter().map(one).collect())
}
