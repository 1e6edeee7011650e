//! The judge: two stored observations in, findings out. Pure: no Docker, no network,
//! no clock, so that an old run can be judged again.

use std::collections::BTreeSet;

use recipe::inventory::{Compared, Inventory};

use crate::coverage::Coverage;
use crate::covered;
use crate::declared;
use crate::ended::Ended;
use crate::error::{Error, Result};
use crate::facts::{MayBeEmpty, facts, trials};
use crate::files::{files, outside};
use crate::groups::Known;
use crate::keys::{self, keys};
use crate::mail::mail;
use crate::model::{Counts, Finding, Item, Outcome, Verdict, essences};
use crate::rows::{FILE, READABLE, Sides, database, not_as_upgraded, unsound};
use crate::say::finding;
use crate::stage::{BASELINE, RESTORED, UPGRADED, Versions};
use crate::store::{Evidence, FactSeen, Login, ObservationId, RunFact, Unlike};
use crate::{audit, checks, layers, live, property, secrets, steps};

/// What the checks of a sound database say.
pub(crate) const SOUND: [(&str, &str); 3] = [("file", "readable"), ("integrity_check", "ok"), ("foreign_key_check", "")];

/// Compares the observation called `stage` with the baseline. A run that ended before its end proves nothing: what it found by then
/// stands, and nothing counts as compared.
pub fn judge(evidence: &Evidence, stage: &str) -> Result<Verdict> {
    let ended = match declared::optional::<Ended>(evidence, RunFact::Ended)? {
        Ok(ended) => ended.map(|ended| ended.finding("run".into())),
        Err(unread) => Some(unread),
    };
    let (Some(before), Some(after)) = (evidence.completed(BASELINE)?, evidence.completed(stage)?) else {
        let missing = if evidence.completed(BASELINE)?.is_none() { BASELINE } else { stage };
        let item = Item::Observation { what: format!("observation {missing:?}") };
        let why = ended.map_or_else(|| "the run ended before it was complete".to_owned(), |ended| ended.detail);
        let mut findings = vec![finding(item, Outcome::Unread, None, why)];
        findings.extend(steps::findings(evidence)?);
        findings.extend(of_unlisted(evidence, audit::findings(evidence)?)?);
        findings.extend(outside(evidence)?);
        let findings = secrets::judged(evidence, stage, findings, |_| Ok(None))?;
        return Ok(Verdict::new(Counts::default(), findings).told(&known(evidence, stage)?));
    };
    let (mut counts, mut findings) = compared(evidence, before, after, Versions::Same)?;
    findings.extend(of_unlisted(evidence, audit::findings(evidence)?)?);
    findings.extend(outside(evidence)?);
    let mut findings = live::judged(evidence, before, after, findings)?;
    // What users wrote while the backup ran is held against it already.
    let inventory = declared::optional::<Inventory>(evidence, RunFact::Inventory)?;
    findings.extend(inventory.err().filter(|unread| !findings.contains(unread)));
    findings.extend(declared::optional::<BTreeSet<String>>(evidence, RunFact::UnlistedVolumes)?.err());
    let mut coverage = covered::read(evidence, before, after)?;
    if !evidence.not_tried(stage)? {
        let tried = evidence.trials(BASELINE)?;
        counts.trials = tried.len() as u64;
        findings.extend(trials(&tried, &evidence.trials(stage)?));
        findings.extend(layers::lost(evidence, stage)?);
        covered::add_trials(&mut coverage, evidence, BASELINE, stage)?;
    }
    let mut findings = secrets::judged(evidence, stage, findings, |stage| seen(evidence, stage))?;
    findings.extend(steps::findings(evidence)?);
    if let Some(ended) = ended {
        findings.push(ended);
        return Ok(Verdict::new(Counts::default(), findings).told(&known(evidence, stage)?));
    }
    findings.extend(checks::missing(evidence, stage)?);
    let verdict = Verdict::from_findings(counts, findings).covering(coverage).needing(secrets::kept(evidence)?);
    Ok(verdict.told(&known(evidence, stage)?))
}

/// What is known of volumes that the inventory does not have: a loss in them makes the verdict unknown, as nobody said whether they must
/// come back. Times, and the root of a volume that is made anew, tell nothing of what is in it.
fn of_unlisted(evidence: &Evidence, findings: Vec<Finding>) -> Result<Vec<Finding>> {
    let unlisted = covered::unlisted_names(evidence)?;
    let judged = |mut found: Finding| {
        let (Item::File { volume, path } | Item::Snapshot { volume, path }) = &found.item else { return Some(found) };
        if !unlisted.contains(volume) || found.outcome == Outcome::Unread {
            return Some(found);
        }
        let is_root = path == "." && matches!(found.item, Item::File { .. });
        if is_root || found.property.as_deref() == Some(property::MTIME) {
            return None;
        }
        if found.outcome.weight().is_some() {
            let detail = std::mem::take(&mut found.detail);
            let said = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
            found.detail = format!(
                "{}{said}, and inventory.toml does not have this volume, so nobody said whether it must come back",
                found.outcome
            );
            found.outcome = Outcome::Unread;
        }
        Some(found)
    };
    Ok(findings.into_iter().filter_map(judged).collect())
}

/// What is known of a run besides its findings. An inventory that cannot be read is among those.
fn known(evidence: &Evidence, stage: &str) -> Result<Known> {
    let inventory = declared::optional::<Inventory>(evidence, RunFact::Inventory)?.unwrap_or(None);
    Ok(Known::new(checks::performed(evidence, stage)?, inventory.as_ref()))
}

/// What an observation and what was tried with it show beside the baseline; none of one that is not complete.
fn seen(evidence: &Evidence, stage: &str) -> Result<Option<Vec<Finding>>> {
    let (Some(before), Some(after)) = (evidence.completed(BASELINE)?, evidence.completed(stage)?) else { return Ok(None) };
    let (_, mut findings) = compared(evidence, before, after, Versions::Same)?;
    if !evidence.not_tried(stage)? {
        findings.extend(trials(&evidence.trials(BASELINE)?, &evidence.trials(stage)?));
    }
    Ok(Some(findings))
}

/// Whether what is wrong at a stage may come from secrets that had a new value there.
pub fn may_need_secrets(evidence: &Evidence, stage: &str) -> Result<bool> {
    Ok(seen(evidence, stage)?.is_some_and(|findings| findings.iter().any(secrets::may_follow)))
}

/// Whether something that is wrong at a stage was not wrong with the old values of the secrets.
pub fn old_secrets_mend(evidence: &Evidence, stage: &str) -> Result<bool> {
    let at = |stage: &str| seen(evidence, stage);
    Ok(!secrets::mended(evidence, stage, at)?.is_empty())
}

/// Compares two observations of different versions of the app, and what was tried after the second one: a newer version
/// may have a newer schema, with more tables and columns.
pub fn across(evidence: &Evidence, before: &str, after: &str) -> Result<Verdict> {
    let stage = after;
    let (Some(before), Some(after)) = (evidence.completed(before)?, evidence.completed(after)?) else {
        return Err(Error::Incomplete(format!("observation {before:?} or {after:?} was not completed")));
    };
    let (mut counts, mut findings) = compared(evidence, before, after, Versions::OlderThenNewer)?;
    // A newer version may make files and keys that the older one did not have.
    let is_new = |f: &&mut Finding| f.outcome == Outcome::Unexpected && matches!(f.item, Item::File { .. } | Item::Key { .. });
    findings.iter_mut().filter(is_new).for_each(|finding| finding.outcome = Outcome::Noted);
    if let Some(upgraded) = evidence.completed(UPGRADED)?.filter(|_| stage != UPGRADED) {
        for name in evidence.databases()? {
            not_as_upgraded(&name, evidence.object_pairs(upgraded, after, &name)?, &mut findings);
        }
    }
    let mut coverage = covered::read(evidence, before, after)?;
    covered::add_trials(&mut coverage, evidence, stage, stage)?;
    let tried = evidence.trials(stage)?;
    counts.trials = tried.len() as u64;
    findings.extend(trials(&[], &tried));
    findings.extend(steps::findings(evidence)?);
    Ok(Verdict::from_findings(counts, findings).covering(coverage).by_cause())
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
    counts.rows = evidence.row_counts(before)?.iter().map(|(_, _, n)| n).sum();
    findings.extend(declared::missing(evidence, RunFact::Databases)?);
    for name in evidence.databases()? {
        let (old, new) = (evidence.checks(before, &name)?, evidence.checks(after, &name)?);
        let item = || Item::Database { database: name.clone() };
        let file = |checks: &[(String, String)]| checks.iter().find(|(check, _)| check == FILE).map(|(_, how)| how.clone());
        match file(&old) {
            None if old.is_empty() => {
                findings.push(finding(item(), Outcome::Unread, Some(FILE), "it was not read before the backup".into()));
            }
            // What is said of it now, if that is something else, is told by the comparison.
            Some(how) if how != READABLE && file(&new).as_ref() == Some(&how) => {
                let why = format!("it could not be read before the backup either: {how}");
                findings.push(finding(item(), Outcome::Unread, Some(FILE), why));
            }
            _ => {}
        }
        database(&name, &old, &new, &mut findings);
        unsound(evidence, before, &name, &mut findings)?;
        Sides { evidence, before, after, name: &name, versions }.content(&mut findings)?;
    }
    let unlisted = covered::unlisted_names(evidence)?;
    for count in evidence.file_counts(before)?.into_iter().filter(|count| !unlisted.contains(&count.volume)) {
        match count.compared {
            Compared::Whole => counts.files += count.entries,
            Compared::Attributes | Compared::Loose => counts.paths += count.entries,
            Compared::No => {}
        }
    }
    findings.extend(of_unlisted(evidence, files(evidence, before, after)?)?);
    findings.extend(unread_before(evidence, before)?);
    let (old, new) = (evidence.facts(before)?, evidence.facts(after)?);
    counts.facts = old.len() as u64;
    let may_be_empty = declared::optional::<MayBeEmpty>(evidence, RunFact::MayBeEmpty)?.unwrap_or_else(|unread| {
        findings.push(unread);
        None
    });
    facts(&old, &new, &may_be_empty.unwrap_or_default(), &mut findings);
    counts.keys = keys(evidence, before, after, &mut findings)?;
    Ok((counts, findings))
}

/// Files and keys that could not be read before the backup: nobody knows what of them is restored.
fn unread_before(evidence: &Evidence, before: ObservationId) -> Result<Vec<Finding>> {
    let file = |(volume, path, why)| finding(Item::File { volume, path }, Outcome::Unread, None, why);
    let mut unread: Vec<Finding> = evidence.files_unread(before)?.into_iter().map(file).collect();
    unread.extend(keys::unread(evidence, before)?);
    Ok(unread)
}

/// How a database of one observation differs from that of an earlier one, in the words of findings without their prose.
pub fn database_as(evidence: &Evidence, before: ObservationId, after: ObservationId, name: &str) -> Result<BTreeSet<String>> {
    let mut findings = Vec::new();
    database(name, &evidence.checks(before, name)?, &evidence.checks(after, name)?, &mut findings);
    Sides { evidence, before, after, name, versions: Versions::Same }.content(&mut findings)?;
    Ok(essences(&findings))
}

/// Judges what is known before a restore: the backup's steps and the audit.
pub fn audited(evidence: &Evidence) -> Result<Verdict> {
    let mut findings = of_unlisted(evidence, audit::findings(evidence)?)?;
    findings.extend(outside(evidence)?);
    findings.extend(steps::findings(evidence)?);
    if evidence.get(RunFact::Audit)?.is_none() && findings.is_empty() {
        findings.push(finding(
            Item::Observation { what: "audit".into() },
            Outcome::Unread,
            None,
            "the audit ended before it was complete".into(),
        ));
    }
    if evidence.get(RunFact::Audit)?.is_some() && evidence.audited()?.is_empty() {
        let item = Item::Observation { what: "audit".into() };
        let why = "the stack's volumes have no file that a backup must have, so nothing was looked for in the snapshot";
        findings.push(finding(item, Outcome::Unread, None, why.into()));
    }
    findings.extend(declared::optional::<BTreeSet<String>>(evidence, RunFact::UnlistedVolumes)?.err());
    let coverage = Coverage(covered::unlisted(evidence)?.into_iter().collect());
    Ok(Verdict::new(Counts::default(), findings).covering(coverage).told(&known(evidence, RESTORED)?))
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
        unsound(evidence, baseline, &name, &mut findings)?;
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
    findings.extend(unread_before(evidence, baseline)?);
    for FactSeen { fact, value } in evidence.facts(baseline)? {
        if value.is_none() {
            let detail = "the command that prints it failed".to_owned();
            findings.push(finding(Item::Fact { fact }, Outcome::Unread, None, detail));
        }
    }
    findings.extend(trials(&[], &evidence.trials(BASELINE)?));
    findings.sort();
    Ok(findings)
}
