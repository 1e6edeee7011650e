//! The judge: two stored observations in, findings out. Pure: no Docker, no network,
//! no clock, so that an old run can be judged again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::audit;
use crate::error::Result;
use crate::evidence::{
    Evidence, FactSeen, FilePair, FileSeen, FolderSeen, HARD, Login, MessagePairs, MessageSeen, ObservationId, Quota, RowSeen,
    ScriptSeen, TrialSeen, Unlike,
};
use crate::model::{Counts, Finding, Item, Outcome, Verdict};

pub mod checks;
pub mod live;
pub mod meaning;

/// The name of the observation before the backup.
pub const BASELINE: &str = "baseline";
/// The name of the observation after the restore.
pub const RESTORED: &str = "restored";

/// The name of the observation before an upgrade.
pub const INSTALLED: &str = "installed";
/// The name of the observation after an upgrade.
pub const UPGRADED: &str = "upgraded";
/// What is another one in a newer version of the app.
pub const REVISION: &str = "schema revision";

/// What the checks of a sound database say.
const SOUND: [(&str, &str); 3] = [("file", "readable"), ("integrity_check", "ok"), ("foreign_key_check", "")];

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
/// may have another schema, with more tables and columns.
pub fn across(evidence: &Evidence, before: &str, after: &str) -> Result<Verdict> {
    let stage = after;
    let (Some(before), Some(after)) = (evidence.completed(before)?, evidence.completed(after)?) else {
        return Err(crate::error::Error::Unknown(format!("observation {before:?} or {after:?} was not completed")));
    };
    let (mut counts, mut findings) = compared(evidence, before, after, Versions::OlderThenNewer)?;
    let tried = evidence.trials(stage)?;
    counts.trials = tried.len() as u64;
    findings.extend(trials(&[], &tried));
    findings.extend(steps(evidence)?);
    Ok(Verdict::from_findings(counts, findings))
}

/// Of which versions of the app two observations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Versions {
    Same,
    OlderThenNewer,
}

/// Compares the data of two observations: how much there was, and what is another way.
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
    Ok((counts, findings))
}

/// Judges what is known before a restore: the backup's steps and the audit.
pub fn audited(evidence: &Evidence) -> Result<Verdict> {
    let mut findings = audit::findings(evidence)?;
    findings.extend(steps(evidence)?);
    if evidence.get("audit")?.is_none() && findings.is_empty() {
        findings.push(finding(
            Item::Observation { what: "audit".into() },
            Outcome::Unread,
            None,
            "it ended before it was complete".into(),
        ));
    }
    Ok(Verdict::new(Counts::default(), findings))
}

/// Holds the baseline against the ledger: what SMTP accepted must be in the mailbox that
/// it was for, with the body that was submitted, and the database must be sound. What is
/// wrong here is the seeding's.
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
            (None, _) => (Outcome::Lost, None, "accepted over SMTP, not in the mailbox"),
            (Some(_), true) => (Outcome::Resurrected, None, "expunged, yet there"),
            (Some(_), false) => (Outcome::Altered, Some("bytes"), "the body is not the one submitted"),
        };
        let (folder, uid) = found.unwrap_or_else(|| ("INBOX".into(), 0));
        let message = Item::Message { account, folder, uid, corpus: Some(item) };
        findings.push(finding(message, outcome, property, detail.into()));
    }
    for FactSeen { fact, value } in evidence.facts(baseline)? {
        if value.is_none() {
            let detail = "the command that reads it failed".to_owned();
            findings.push(finding(Item::Fact { fact }, Outcome::Unread, None, detail));
        }
    }
    findings.extend(trials(&[], &evidence.trials(BASELINE)?));
    findings.sort();
    Ok(findings)
}

/// What did not come of what was tried after a restore as it must; what was tried before it must be tried again.
pub(crate) fn trials(before: &[TrialSeen], after: &[TrialSeen]) -> Vec<Finding> {
    let item = |t: &TrialSeen| Item::Trial { trial: t.trial.clone() };
    let missing = before.iter().filter(|b| !after.iter().any(|a| a.trial == b.trial));
    let mut findings: Vec<Finding> = missing.map(|t| finding(item(t), Outcome::Unread, None, "not tried again".into())).collect();
    findings.extend(after.iter().filter_map(|t| match &t.value {
        Ok(value) if *value == t.expected => None,
        Ok(value) => Some(finding(item(t), Outcome::Altered, None, format!("expected {:?}, was {value:?}", t.expected))),
        Err(why) => Some(finding(item(t), Outcome::Unread, None, why.clone())),
    }));
    findings
}

/// What the bot said went wrong.
fn steps(evidence: &Evidence) -> Result<Vec<Finding>> {
    let one =
        |(step, cause, message): (String, String, String)| finding(Item::Step { step }, Outcome::Failed, Some(&cause), message);
    Ok(evidence.complaints()?.into_iter().map(one).collect())
}

fn finding(item: Item, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

fn changed(before: impl std::fmt::Display, after: impl std::fmt::Display) -> String {
    format!("was {before}, is {after}")
}

fn mail(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    counts: &mut Counts,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let after_logins: BTreeMap<String, Login> = evidence.accounts(after)?.into_iter().collect();
    for (account, _) in evidence.accounts(before)? {
        let messages_before = evidence.message_count(before, &account)?;
        let old_folders = evidence.folders(before, &account)?;
        counts.accounts += 1;
        counts.folders += old_folders.len() as u64;
        counts.messages += messages_before;
        let behind = || format!("{messages_before} messages are behind it");
        match after_logins.get(&account) {
            Some(Login::Read) => {}
            Some(Login::Refused(why)) => {
                let detail = format!("login refused: {why}; {}", behind());
                findings.push(finding(Item::Account { account }, Outcome::Lost, None, detail));
                continue;
            }
            Some(Login::Unread(why)) => {
                findings.push(finding(Item::Account { account }, Outcome::Unread, None, format!("{why}; {}", behind())));
                continue;
            }
            None => {
                findings.push(finding(
                    Item::Account { account },
                    Outcome::Unread,
                    None,
                    format!("never asked for; {}", behind()),
                ));
                continue;
            }
        }
        folders(&account, &old_folders, &evidence.folders(after, &account)?, findings);
        quota(&account, evidence.quota(before, &account)?, evidence.quota(after, &account)?, findings);
        counts.scripts += scripts(&account, evidence.scripts(before, &account)?, evidence.scripts(after, &account)?, findings);
        let pairs = evidence.message_pairs(before, after, &account)?;
        let known = |n: &MessageSeen| evidence.has_bytes(before, &account, &n.folder, &n.sha256);
        let elsewhere = |sha256: &[u8]| evidence.strayed(before, after, sha256, &account);
        messages(&account, &pairs, &evidence.expunged_of(&account)?, findings, known, elsewhere)?;
    }
    Ok(())
}

/// Usage may differ by a hundredth: servers count in KiB, and some by what a file takes.
fn quota(account: &str, old: Option<Quota>, new: Option<Quota>, findings: &mut Vec<Finding>) {
    let item = || Item::Account { account: account.into() };
    match (old, new) {
        (None, _) => {}
        (Some(_), None) => {
            findings.push(finding(item(), Outcome::Unread, Some("quota"), "the server says none any more".into()));
        }
        (Some(o), Some(n)) => {
            if o.most != n.most {
                findings.push(finding(item(), Outcome::Altered, Some("quota limit"), changed(o.most, n.most) + " KiB"));
            }
            if o.used.abs_diff(n.used) > 1 + o.used / 100 {
                findings.push(finding(item(), Outcome::Altered, Some("quota usage"), changed(o.used, n.used) + " KiB"));
            }
        }
    }
}

fn folders(account: &str, old: &[FolderSeen], new: &[FolderSeen], findings: &mut Vec<Finding>) {
    let item = |folder: &str| Item::Folder { account: account.into(), folder: folder.into() };
    for o in old {
        let Some(n) = new.iter().find(|n| n.folder == o.folder) else {
            findings.push(finding(item(&o.folder), Outcome::Lost, None, format!("it had {} messages", o.messages)));
            continue;
        };
        let mut altered = |property, detail| findings.push(finding(item(&o.folder), Outcome::Altered, Some(property), detail));
        if o.uid_validity != n.uid_validity {
            // UIDNEXT counts anew under another UIDVALIDITY: one finding says it.
            altered("uidvalidity", changed(o.uid_validity, n.uid_validity) + "; every client downloads the folder again");
        } else if n.uid_next < o.uid_next {
            altered("uidnext", changed(o.uid_next, n.uid_next) + "; UIDs will be given out twice");
        }
        if o.uid_validity == n.uid_validity && n.modseq < o.modseq {
            let show = |m: Option<u64>| m.map_or_else(|| "none".to_owned(), |m| m.to_string());
            altered("highestmodseq", changed(show(o.modseq), show(n.modseq)) + "; clients will miss changes (RFC 7162)");
        }
        if o.special_use != n.special_use {
            altered("special-use", changed(format!("[{}]", o.special_use), format!("[{}]", n.special_use)));
        }
        if o.subscribed != n.subscribed {
            altered("subscription", changed(o.subscribed, n.subscribed));
        }
    }
    for n in new.iter().filter(|n| !old.iter().any(|o| o.folder == n.folder)) {
        findings.push(finding(item(&n.folder), Outcome::Unexpected, None, format!("it has {} messages", n.messages)));
    }
}

/// Matches the messages of one mailbox, in this order: the same place and bytes, which is done by now; the same
/// bytes in the same folder; the same place with other bytes; the same bytes in another folder.
/// What is left of the old is lost, or elsewhere; what is left of the new is too much.
fn messages(
    account: &str,
    pairs: &MessagePairs,
    expunged: &BTreeSet<String>,
    findings: &mut Vec<Finding>,
    known: impl Fn(&MessageSeen) -> Result<bool>,
    elsewhere: impl Fn(&[u8]) -> Result<Option<(String, String)>>,
) -> Result<()> {
    let item =
        |m: &MessageSeen| Item::Message { account: account.into(), folder: m.folder.clone(), uid: m.uid, corpus: m.item.clone() };
    for (o, n) in &pairs.changed {
        properties(item(o), o, n, findings);
    }
    let new = &pairs.only_after;
    let mut matched = vec![false; new.len()];
    let mut open: Vec<&MessageSeen> = pairs.only_before.iter().collect();
    let by_place: HashMap<(&str, u32), usize> = new.iter().enumerate().map(|(i, m)| ((m.folder.as_str(), m.uid), i)).collect();
    let mut by_bytes: HashMap<(&str, &[u8]), Vec<usize>> = HashMap::new();
    for (i, m) in new.iter().enumerate().rev() {
        by_bytes.entry((&m.folder, &m.sha256)).or_default().push(i);
    }
    open.retain(|o| {
        let Some(i) = by_bytes.get_mut(&(o.folder.as_str(), o.sha256.as_slice())).and_then(Vec::pop) else { return true };
        matched[i] = true;
        findings.push(finding(item(o), Outcome::Altered, Some("uid"), changed(o.uid, new[i].uid)));
        properties(item(o), o, &new[i], findings);
        false
    });
    open.retain(|o| match by_place.get(&(o.folder.as_str(), o.uid)) {
        Some(&i) if !matched[i] && (new[i].item == o.item || new[i].item.is_none()) => {
            matched[i] = true;
            let (property, detail) = if new[i].sha256.is_empty() {
                ("unreadable", "the server cannot serve it; its log says why".to_owned())
            } else {
                ("bytes", format!("SHA-256 {}", changed(short(&o.sha256), short(&new[i].sha256))))
            };
            findings.push(finding(item(o), Outcome::Altered, Some(property), detail));
            properties(item(o), o, &new[i], findings);
            false
        }
        _ => true,
    });
    let mut anywhere: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (i, m) in new.iter().enumerate().filter(|(i, _)| !matched[*i]).rev() {
        anywhere.entry(&m.sha256).or_default().push(i);
    }
    for o in open {
        if let Some(i) = anywhere.get_mut(o.sha256.as_slice()).and_then(Vec::pop) {
            matched[i] = true;
            findings.push(finding(item(o), Outcome::Misplaced, None, format!("it is in folder {}", new[i].folder)));
        } else if let Some((other, folder)) = elsewhere(&o.sha256)? {
            findings.push(finding(item(o), Outcome::Misplaced, None, format!("it is in mailbox {other}, folder {folder}")));
        } else {
            findings.push(finding(item(o), Outcome::Lost, None, String::new()));
        }
    }
    for (_, n) in new.iter().enumerate().filter(|(i, _)| !matched[*i]) {
        let outcome = if known(n)? {
            Outcome::Duplicated
        } else if n.item.as_ref().is_some_and(|i| expunged.contains(i)) {
            Outcome::Resurrected
        } else {
            Outcome::Unexpected
        };
        findings.push(finding(item(n), outcome, None, String::new()));
    }
    Ok(())
}

fn properties(item: Item, o: &MessageSeen, n: &MessageSeen, findings: &mut Vec<Finding>) {
    let mut differ = |property, old: String, new: String| {
        if old != new {
            findings.push(finding(
                item.clone(),
                Outcome::Altered,
                Some(property),
                changed(format!("[{old}]"), format!("[{new}]")),
            ));
        }
    };
    differ("flags", o.flags.clone(), n.flags.clone());
    differ("keywords", o.keywords.clone(), n.keywords.clone());
    differ("internaldate", time(o.internal_date), time(n.internal_date));
    if o.sha256 == n.sha256 {
        differ("size", o.size.to_string(), n.size.to_string());
    }
}

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

fn short(sha256: &[u8]) -> String {
    hex::encode(&sha256[..sha256.len().min(6)])
}

fn database(name: &str, old: &[(String, String)], new: &[(String, String)], findings: &mut Vec<Finding>) {
    let item = || Item::Database { database: name.into() };
    let new: BTreeMap<&str, &str> = new.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    for (property, was) in old {
        match new.get(property.as_str()) {
            Some(is) if is == was => {}
            Some(is) => findings.push(finding(item(), Outcome::Altered, Some(property), changed(was, is))),
            None => findings.push(finding(item(), Outcome::Unread, Some(property), "not read".into())),
        }
    }
}

fn rows(old: &[RowSeen], new: &[RowSeen], versions: Versions, findings: &mut Vec<Finding>) {
    let place = |r: &RowSeen| (r.database.clone(), r.table.clone(), r.key.clone());
    let item = |r: &RowSeen| Item::Row { database: r.database.clone(), table: r.table.clone(), key: r.key.clone() };
    let after: BTreeMap<_, _> = new.iter().map(|r| (place(r), r)).collect();
    let before: BTreeSet<_> = old.iter().map(place).collect();
    for o in old {
        let Some(n) = after.get(&place(o)) else {
            findings.push(finding(item(o), Outcome::Lost, None, String::new()));
            continue;
        };
        if o.columns == n.columns {
            continue;
        }
        let parse = |text: &str| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap_or_default();
        let (was, is) = (parse(&o.columns), parse(&n.columns));
        let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for name in names.into_iter().filter(|n| versions == Versions::Same || was.contains_key(*n)) {
            let show = |v: Option<&serde_json::Value>| v.map_or_else(|| "absent".to_owned(), ToString::to_string);
            let (was, is) = (show(was.get(name)), show(is.get(name)));
            if was != is {
                findings.push(finding(item(o), Outcome::Altered, Some(name), changed(was, is)));
            }
        }
    }
    let tables: BTreeSet<_> = old.iter().map(|r| (&r.database, &r.table)).collect();
    let known = |r: &RowSeen| versions == Versions::Same || tables.contains(&(&r.database, &r.table));
    for n in new.iter().filter(|n| !before.contains(&place(n)) && known(n)) {
        findings.push(finding(item(n), Outcome::Unexpected, None, String::new()));
    }
}

/// Compares the sieve scripts of an account; how many there were.
fn scripts(
    account: &str,
    old: Result<Vec<ScriptSeen>, String>,
    new: Result<Vec<ScriptSeen>, String>,
    findings: &mut Vec<Finding>,
) -> u64 {
    let item = |script: &str| Item::Script { account: account.into(), script: script.into() };
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(why), _) | (_, Err(why)) => {
            findings.push(finding(item("*"), Outcome::Unread, None, why));
            return 0;
        }
    };
    for o in &old {
        let Some(n) = new.iter().find(|n| n.script == o.script) else {
            findings.push(finding(item(&o.script), Outcome::Lost, None, String::new()));
            continue;
        };
        if o.sha256 != n.sha256 {
            let detail = format!("SHA-256 {}", changed(short_hex(&o.sha256), short_hex(&n.sha256)));
            findings.push(finding(item(&o.script), Outcome::Altered, Some("bytes"), detail));
        }
        if o.active != n.active {
            findings.push(finding(item(&o.script), Outcome::Altered, Some("active"), changed(o.active, n.active)));
        }
    }
    for n in new.iter().filter(|n| !old.iter().any(|o| o.script == n.script)) {
        findings.push(finding(item(&n.script), Outcome::Unexpected, None, String::new()));
    }
    old.len() as u64
}

fn facts(old: &[FactSeen], new: &[FactSeen], findings: &mut Vec<Finding>) {
    for o in old {
        let item = Item::Fact { fact: o.fact.clone() };
        match (&o.value, new.iter().find(|n| n.fact == o.fact).and_then(|n| n.value.as_ref())) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                findings.push(finding(item, Outcome::Altered, None, changed(format!("{was:?}"), format!("{is:?}"))));
            }
            _ => findings.push(finding(item, Outcome::Unread, None, "the command that reads it failed".into())),
        }
    }
}

/// Files and folders named one by one; of more that differ in the same way, their highest common folder.
const NAMED: usize = 3;

fn files(pairs: &[FilePair], findings: &mut Vec<Finding>, is_there: impl Fn(&str, &str) -> Result<bool>) -> Result<()> {
    let item = |f: &FileSeen| Item::File { volume: f.volume.clone(), path: f.path.clone() };
    // By volume and property: path, and what differs.
    let mut attributes: BTreeMap<(&str, &str), Vec<(&str, String)>> = BTreeMap::new();
    for pair in pairs {
        let (o, n) = match pair {
            (Some(o), Some(n)) => (o, n),
            (Some(o), None) => {
                findings.push(finding(item(o), Outcome::Lost, None, String::new()));
                continue;
            }
            (None, Some(n)) => {
                findings.push(finding(item(n), Outcome::Unexpected, None, String::new()));
                continue;
            }
            (None, None) => continue,
        };
        let whole = !o.sha256.is_empty();
        let mut differ = |property, was: String, is: String| {
            if was == is {
                return;
            }
            if whole {
                findings.push(finding(item(o), Outcome::Altered, Some(property), changed(was, is)));
            } else {
                attributes.entry((&o.volume, property)).or_default().push((&o.path, changed(was, is)));
            }
        };
        differ("owner", format!("{}:{}", o.uid, o.gid), format!("{}:{}", n.uid, n.gid));
        differ("mode", format!("{:04o}", o.mode), format!("{:04o}", n.mode));
        // Another file may be gone for a reason of its own: what it was the same as is compared where both are there.
        let there = match o.link.strip_prefix(HARD) {
            Some(first) if o.link != n.link => is_there(&o.volume, first)?,
            _ => true,
        };
        if there {
            differ("link", o.link.clone(), n.link.clone());
        }
        if whole {
            differ("bytes", short_hex(&o.sha256), short_hex(&n.sha256));
            differ("mtime", time(o.mtime as i64), time(n.mtime as i64));
        }
    }
    for ((volume, property), all) in attributes {
        let mut altered = |path: &str, detail| {
            let item = Item::File { volume: volume.into(), path: path.into() };
            findings.push(finding(item, Outcome::Altered, Some(property), detail));
        };
        if all.len() <= NAMED {
            all.into_iter().for_each(|(path, detail)| altered(path, detail));
        } else {
            let (first, detail) = &all[0];
            altered(common_folder(&all), format!("{} files and folders, of which {first} {detail}", all.len()));
        }
    }
    Ok(())
}

/// The highest folder that all of some paths are in; `.` for the volume.
fn common_folder<'a>(paths: &[(&'a str, String)]) -> &'a str {
    let first = paths.first().map_or("", |(p, _)| *p);
    let mut folders = first.match_indices('/').map(|(at, _)| &first[..at]).collect::<Vec<_>>();
    folders.reverse();
    let all_in = |folder: &&str| paths.iter().all(|(p, _)| p.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    folders.into_iter().find(all_in).unwrap_or(".")
}

fn short_hex(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}

#[cfg(test)]
mod tests;
