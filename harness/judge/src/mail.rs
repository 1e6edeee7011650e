//! Mail: logins, folders, messages, quotas, sieve scripts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::count::counted;
use crate::error::Result;
use crate::model::{Counts, Finding, Item, MessageId, Outcome};
use crate::property;
use crate::say::{changed, finding, part, short, short_hex, time};
use crate::store::{Evidence, FolderAttribute, FolderSeen, Login, MessagePairs, MessageSeen, ObservationId, Quota, ScriptSeen};

/// Changes of one property of a folder that are told.
const TOLD: usize = 3;

pub(crate) fn mail(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    counts: &mut Counts,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let after_logins: BTreeMap<String, Login> = evidence.accounts(after)?.into_iter().collect();
    for (account, login) in evidence.accounts(before)? {
        if let Login::Refused(why) | Login::Unread(why) = login {
            let detail = format!("it could not be read before the backup, so that nothing of it was compared: {why}");
            findings.push(finding(Item::Account { account }, Outcome::Unread, None, detail));
            continue;
        }
        let messages_before = evidence.message_count(before, &account)?;
        let old_folders = evidence.folders(before, &account)?;
        counts.accounts += 1;
        counts.folders += old_folders.len() as u64;
        counts.messages += messages_before;
        let behind = || format!("{} cannot be reached", counted(messages_before, "message"));
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
                    format!("the drill did not read it; {}", behind()),
                ));
                continue;
            }
        }
        let new_folders = evidence.folders(after, &account)?;
        folders(&account, &old_folders, &new_folders, findings);
        let (old, new) = (evidence.subscriptions(before, &account)?, evidence.subscriptions(after, &account)?);
        let attributes = (evidence.folder_attributes(before, &account)?, evidence.folder_attributes(after, &account)?);
        folder_attributes(&account, (&attributes.0, &old_folders), (&attributes.1, &new_folders), findings);
        subscriptions(&account, (&old, &old_folders), (&new, &new_folders), findings);
        quota(&account, evidence.quota(before, &account)?, evidence.quota(after, &account)?, findings);
        counts.scripts += scripts(&account, evidence.scripts(before, &account)?, evidence.scripts(after, &account)?, findings);
        let pairs = evidence.message_pairs(before, after, &account)?;
        let known = |n: &MessageSeen| evidence.has_bytes(before, &account, &n.folder, &n.sha256);
        let elsewhere = |sha256: &[u8]| evidence.strayed(before, after, sha256, &account);
        messages(&account, &pairs, &evidence.expunged_of(&account)?, findings, known, elsewhere)?;
    }
    Ok(())
}

/// Subscriptions of folders that are not there (RFC 9051, 6.3.7: a server keeps them), beside the folders that are. A folder that
/// came or went is a finding of its own: its subscription is not another one if it was kept.
fn subscriptions(
    account: &str,
    old: (&BTreeSet<String>, &[FolderSeen]),
    new: (&BTreeSet<String>, &[FolderSeen]),
    findings: &mut Vec<Finding>,
) {
    let is_subscribed = |folders: &[FolderSeen], name: &str| folders.iter().any(|f| f.subscribed && f.folder == name);
    for folder in old.0.symmetric_difference(new.0) {
        if is_subscribed(old.1, folder) || is_subscribed(new.1, folder) {
            continue;
        }
        let item = Item::Folder { account: account.into(), folder: folder.clone() };
        let detail = changed(old.0.contains(folder), new.0.contains(folder)) + "; the folder is not there";
        findings.push(finding(item, Outcome::Altered, Some(property::SUBSCRIPTION), detail));
    }
}

/// What a server keeps of the folders that are still there, and of the mailbox as a whole: a finding for each property. A new
/// UIDVALIDITY makes a folder another one, which is a finding of its own: its identity is not told once more.
fn folder_attributes(
    account: &str,
    old: (&BTreeSet<FolderAttribute>, &[FolderSeen]),
    new: (&BTreeSet<FolderAttribute>, &[FolderSeen]),
    findings: &mut Vec<Finding>,
) {
    let validity = |folders: &[FolderSeen], name: &str| {
        folders.iter().find(|f| f.folder == name).map(|f| f.uid_validity).or_else(|| name.is_empty().then_some(0))
    };
    let mut changes: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for a in old.0.symmetric_difference(new.0) {
        let (Some(before), Some(after)) = (validity(old.1, &a.folder), validity(new.1, &a.folder)) else { continue };
        if before == after || a.property != property::GUID {
            changes.entry((&a.folder, &a.property)).or_default().insert(&a.of);
        }
    }
    for ((folder, property), of) in changes {
        let value = |all: &BTreeSet<FolderAttribute>, of: &str| {
            let found = all.iter().find(|a| (a.folder.as_str(), a.property.as_str(), a.of.as_str()) == (folder, property, of));
            found.map_or_else(|| "none".to_owned(), |a| part(&a.value))
        };
        let change = |of: &&str| {
            let what = changed(value(old.0, of), value(new.0, of));
            if of.is_empty() { what } else { format!("{}: {what}", part(of)) }
        };
        let mut detail: Vec<String> = of.iter().take(TOLD).map(change).collect();
        if of.len() > TOLD {
            detail.push(format!("and {} more", of.len() - TOLD));
        }
        let account = account.to_owned();
        let item = if folder.is_empty() { Item::Account { account } } else { Item::Folder { account, folder: folder.into() } };
        findings.push(finding(item, Outcome::Altered, Some(property), detail.join("; ")));
    }
}

/// Usage may differ by a hundredth: servers count in KiB, and some by what a file takes.
fn quota(account: &str, old: Option<Quota>, new: Option<Quota>, findings: &mut Vec<Finding>) {
    let item = || Item::Account { account: account.into() };
    match (old, new) {
        (None, _) => {}
        (Some(_), None) => {
            findings.push(finding(item(), Outcome::Unread, Some(property::QUOTA), "the server no longer reports a quota".into()));
        }
        (Some(o), Some(n)) => {
            if o.most != n.most {
                findings.push(finding(item(), Outcome::Altered, Some(property::QUOTA_LIMIT), changed(o.most, n.most) + " KiB"));
            }
            if o.used.abs_diff(n.used) > 1 + o.used / 100 {
                findings.push(finding(item(), Outcome::Altered, Some(property::QUOTA_USAGE), changed(o.used, n.used) + " KiB"));
            }
        }
    }
}

fn folders(account: &str, old: &[FolderSeen], new: &[FolderSeen], findings: &mut Vec<Finding>) {
    let item = |folder: &str| Item::Folder { account: account.into(), folder: folder.into() };
    for o in old {
        let Some(n) = new.iter().find(|n| n.folder == o.folder) else {
            findings.push(finding(
                item(&o.folder),
                Outcome::Lost,
                None,
                format!("it had {}", counted(o.messages.into(), "message")),
            ));
            continue;
        };
        let mut altered = |property, detail| findings.push(finding(item(&o.folder), Outcome::Altered, Some(property), detail));
        if o.uid_validity != n.uid_validity {
            // A new UIDVALIDITY starts UIDNEXT again: one finding is enough.
            altered(
                property::UID_VALIDITY,
                changed(o.uid_validity, n.uid_validity) + "; every mail client will download the folder again",
            );
        } else if n.uid_next < o.uid_next {
            altered(property::UID_NEXT, changed(o.uid_next, n.uid_next) + "; the server will assign some UIDs twice");
        }
        if o.uid_validity == n.uid_validity && n.modseq < o.modseq {
            let show = |m: Option<u64>| m.map_or_else(|| "none".to_owned(), |m| m.to_string());
            altered(
                property::HIGHEST_MODSEQ,
                changed(show(o.modseq), show(n.modseq)) + "; mail clients will miss changes (RFC 7162)",
            );
        }
        if o.special_use != n.special_use {
            altered(property::SPECIAL_USE, changed(format!("[{}]", o.special_use), format!("[{}]", n.special_use)));
        }
        if o.subscribed != n.subscribed {
            altered(property::SUBSCRIPTION, changed(o.subscribed, n.subscribed));
        }
    }
    for n in new.iter().filter(|n| !old.iter().any(|o| o.folder == n.folder)) {
        findings.push(finding(
            item(&n.folder),
            Outcome::Unexpected,
            None,
            format!("it has {}", counted(n.messages.into(), "message")),
        ));
    }
}

/// Matches the messages of one mailbox, in this order: the same place and bytes, which is done by now; the same
/// bytes in the same folder; the same place with other bytes; the same bytes in another folder.
/// What is left of the old is lost, or elsewhere; what is left of the new is too much.
pub(crate) fn messages(
    account: &str,
    pairs: &MessagePairs,
    expunged: &BTreeSet<MessageId>,
    findings: &mut Vec<Finding>,
    known: impl Fn(&MessageSeen) -> Result<bool>,
    elsewhere: impl Fn(&[u8]) -> Result<Option<(String, String)>>,
) -> Result<()> {
    let item = |m: &MessageSeen| Item::Message { account: account.into(), folder: m.folder.clone(), uid: m.uid, corpus: m.item };
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
        findings.push(finding(item(o), Outcome::Altered, Some(property::UID), changed(o.uid, new[i].uid)));
        properties(item(o), o, &new[i], findings);
        false
    });
    open.retain(|o| match by_place.get(&(o.folder.as_str(), o.uid)) {
        Some(&i) if !matched[i] && (new[i].item == o.item || new[i].item.is_none()) => {
            matched[i] = true;
            let (property, detail) = if new[i].sha256.is_empty() {
                (property::UNREADABLE, "the server lists it and cannot serve it; the server's log says why".to_owned())
            } else {
                (property::BYTES, format!("SHA-256 {}", changed(short(&o.sha256), short(&new[i].sha256))))
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
            findings.push(finding(item(o), Outcome::Misplaced, None, format!("it is now in folder {}", new[i].folder)));
        } else if let Some((other, folder)) = elsewhere(&o.sha256)? {
            findings.push(finding(item(o), Outcome::Misplaced, None, format!("it is now in mailbox {other}, folder {folder}")));
        } else {
            findings.push(finding(item(o), Outcome::Lost, None, String::new()));
        }
    }
    for (_, n) in new.iter().enumerate().filter(|(i, _)| !matched[*i]) {
        let outcome = if known(n)? {
            Outcome::Duplicated
        } else if n.item.is_some_and(|id| expunged.contains(&id)) {
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
    differ(property::FLAGS, o.flags.clone(), n.flags.clone());
    differ(property::KEYWORDS, o.keywords.clone(), n.keywords.clone());
    let date = |m: &MessageSeen| time(m.internal_date.saturating_mul(1_000_000_000));
    differ(property::INTERNAL_DATE, date(o), date(n));
    if o.sha256 == n.sha256 {
        differ(property::SIZE, o.size.to_string(), n.size.to_string());
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
            findings.push(finding(item(&o.script), Outcome::Altered, Some(property::BYTES), detail));
        }
        if o.active != n.active {
            findings.push(finding(item(&o.script), Outcome::Altered, Some(property::ACTIVE), changed(o.active, n.active)));
        }
    }
    for n in new.iter().filter(|n| !old.iter().any(|o| o.script == n.script)) {
        findings.push(finding(item(&n.script), Outcome::Unexpected, None, String::new()));
    }
    old.len() as u64
}
