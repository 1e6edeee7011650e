//! A backup amid writes: what may, must and cannot be back, by when each write was. A write that had ended when the backup
//! began must be back; one that began when it had ended cannot be; any other may be, and whole.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::say::{finding, short};
use crate::stage::MAIL_QUEUE;
use crate::store::{Evidence, LiveKind, LiveOp, MessageSeen, ObservationId, When};

const INBOX: &str = "INBOX";

/// What was written, by what it is about.
struct Written {
    window: (u64, u64),
    delivered: Vec<LiveOp>,
    /// By account and UID.
    flagged: BTreeMap<(String, u32), LiveOp>,
    expunged: BTreeMap<(String, u32), LiveOp>,
    created: BTreeMap<String, LiveOp>,
    deleted: BTreeMap<String, LiveOp>,
}

impl Written {
    fn read(evidence: &Evidence) -> Result<Option<Self>> {
        let Some(window) = evidence.live_backup()? else { return Ok(None) };
        let mut written = Self {
            window,
            delivered: vec![],
            flagged: BTreeMap::new(),
            expunged: BTreeMap::new(),
            created: BTreeMap::new(),
            deleted: BTreeMap::new(),
        };
        for op in evidence.live()? {
            let place = (op.account.clone(), op.message.parse().unwrap_or_default());
            match op.kind {
                LiveKind::Deliver => written.delivered.push(op),
                LiveKind::Flag => drop(written.flagged.insert(place, op)),
                LiveKind::Expunge => drop(written.expunged.insert(place, op)),
                LiveKind::Create => drop(written.created.insert(op.account.clone(), op)),
                LiveKind::Delete => drop(written.deleted.insert(op.account.clone(), op)),
            }
        }
        Ok(Some(written))
    }

    /// Whether something that two writes made and removed must be there, or must not, or may be either.
    fn there(&self, made: &LiveOp, removed: Option<&LiveOp>) -> Option<bool> {
        match (made.when(self.window), removed.map(|r| r.when(self.window))) {
            (When::After, _) | (_, Some(When::Before)) => Some(false),
            (When::Before, None | Some(When::After)) => Some(true),
            _ => None,
        }
    }

    fn wrote_to(&self, account: &str) -> bool {
        let of = |place: &(String, u32)| place.0 == account;
        self.delivered.iter().any(|op| op.account == account) || self.expunged.keys().any(of)
    }
}

/// The users that must be there: created before the backup began, and not deleted.
pub fn users(evidence: &Evidence) -> Result<Vec<String>> {
    let Some(written) = Written::read(evidence)? else { return Ok(vec![]) };
    let there =
        |(user, op): (&String, &LiveOp)| (written.there(op, written.deleted.get(user)) == Some(true)).then(|| user.clone());
    Ok(written.created.iter().filter_map(there).collect())
}

/// The findings that are left of `findings` once it is known what was written, and those about what was written. Nothing
/// changes where nobody wrote.
pub fn judged(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    mut findings: Vec<Finding>,
) -> Result<Vec<Finding>> {
    let Some(written) = Written::read(evidence)? else { return Ok(findings) };
    let queued = evidence.facts(before)?.into_iter().find(|f| f.fact == MAIL_QUEUE).and_then(|f| f.value);
    let queued: Vec<&str> = queued.as_deref().map(|q| q.split("; ").collect()).unwrap_or_default();
    let still_queued: BTreeSet<String> = evidence
        .facts(after)?
        .into_iter()
        .filter(|f| f.fact == MAIL_QUEUE)
        .filter_map(|f| f.value)
        .flat_map(|v| v.split("; ").map(str::to_owned).collect::<Vec<_>>())
        .collect();
    findings.retain(|f| match (&f.item, f.outcome) {
        (Item::Message { corpus: Some(item), .. }, _) if written.delivered.iter().any(|op| op.message == *item) => false,
        (Item::Message { account, folder, uid, .. }, Outcome::Lost) if folder == INBOX => {
            let op = written.expunged.get(&(account.clone(), *uid));
            op.is_none_or(|op| op.when(written.window) == When::After)
        }
        (Item::Message { account, folder, uid, .. }, Outcome::Altered) if folder == INBOX => {
            let place = (account.clone(), *uid);
            let touched = written.flagged.contains_key(&place) || written.expunged.contains_key(&place);
            f.property.as_deref() != Some("flags") || !touched
        }
        (Item::Row { table, key, .. }, Outcome::Unexpected | Outcome::Lost) if table == "user" => {
            !written.created.contains_key(key)
        }
        (Item::Account { account }, Outcome::Altered) if f.property.as_deref() == Some("quota usage") => {
            !written.wrote_to(account)
        }
        // What was under way when the queue was copied is there besides.
        (Item::Fact { fact }, _) if fact == MAIL_QUEUE => !queued.iter().all(|line| still_queued.contains(*line)),
        // The audit holds the snapshot against volumes that went on changing: the dumps alone can be judged.
        (Item::Snapshot { .. }, _) => f.property.as_deref() == Some("dump"),
        _ => true,
    });
    delivered(evidence, after, &written, &mut findings)?;
    changed(evidence, before, after, &written, &mut findings)?;
    known(evidence, before, after, &written, &mut findings)?;
    Ok(findings)
}

/// Messages that were delivered meanwhile.
fn delivered(evidence: &Evidence, after: ObservationId, written: &Written, findings: &mut Vec<Finding>) -> Result<()> {
    for op in &written.delivered {
        let item = |folder: &str, uid| Item::Message {
            account: op.account.clone(),
            folder: folder.into(),
            uid,
            corpus: Some(op.message.clone()),
        };
        let copies = evidence.copies(after, &op.message)?;
        let when = op.when(written.window);
        let Some((account, first)) = copies.first() else {
            match when {
                When::Before => {
                    let detail = "it had arrived when the backup began".into();
                    findings.push(finding(item(INBOX, 0), Outcome::Lost, None, detail));
                }
                When::During => findings.push(finding(item(INBOX, 0), Outcome::Unresolved, None, String::new())),
                When::After => {}
            }
            continue;
        };
        let this = || item(&first.folder, first.uid);
        let body = hex::encode(&first.body_sha256);
        if account != &op.account || first.folder != INBOX {
            let detail = format!("it is in mailbox {account}, folder {}", first.folder);
            findings.push(finding(this(), Outcome::Misplaced, None, detail));
        } else if when == When::After {
            findings.push(finding(this(), Outcome::Resurrected, None, "it is newer than the backup".into()));
        } else if body != op.detail {
            let detail = format!(
                "torn: the body's SHA-256 was {}, is {}",
                &op.detail[..12.min(op.detail.len())],
                short(&first.body_sha256)
            );
            findings.push(finding(this(), Outcome::Altered, Some("bytes"), detail));
        } else if when == When::During {
            findings.push(finding(this(), Outcome::Recovered, None, String::new()));
        }
        for (at, (account, again)) in copies.iter().enumerate().skip(1) {
            // Queue and mailbox are copied one after the other: a message that is on its way from the one to the other can be in
            // both, and mail prefers twice to never (RFC 5321, 6.1).
            let whole = account == &op.account && again.folder == INBOX && again.body_sha256 == first.body_sha256;
            let (outcome, detail) = if at == 1 && when == When::During && whole {
                (Outcome::Recovered, "a second time: it was on its way when the queue was copied")
            } else {
                (Outcome::Duplicated, "")
            };
            findings.push(finding(item(&again.folder, again.uid), outcome, None, detail.into()));
        }
    }
    Ok(())
}

/// Messages of which a flag was changed meanwhile, or which were expunged.
fn changed(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    written: &Written,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let item = |account: &str, is: MessageSeen| {
        let (account, folder) = (account.to_owned(), is.folder);
        Item::Message { account, folder, uid: is.uid, corpus: is.item }
    };
    for ((account, uid), op) in written.flagged.iter().chain(&written.expunged) {
        let (Some(was), Some(is)) =
            (evidence.message(before, account, INBOX, *uid)?, evidence.message(after, account, INBOX, *uid)?)
        else {
            // What is not there at all is a finding already.
            continue;
        };
        let old: BTreeSet<&str> = was.flags.split_whitespace().collect();
        // A message that is expunged has \Deleted first.
        let new: BTreeSet<&str> = old.symmetric_difference(&BTreeSet::from([op.detail.as_str()])).copied().collect();
        let seen: BTreeSet<&str> = is.flags.split_whitespace().collect();
        let allowed: &[&BTreeSet<&str>] = match op.when(written.window) {
            // An expunged one that is there is another finding.
            When::Before if op.kind == LiveKind::Expunge => continue,
            When::Before => &[&new],
            When::During => &[&old, &new],
            When::After => &[&old],
        };
        if !allowed.contains(&&seen) {
            let detail = format!("was [{}], {} was changed, is [{}]", was.flags, op.detail, is.flags);
            findings.push(finding(item(account, is), Outcome::Altered, Some("flags"), detail));
        }
    }
    let before = written.expunged.iter().filter(|(_, op)| op.when(written.window) == When::Before);
    for ((account, uid), _) in before {
        if let Some(is) = evidence.message(after, account, INBOX, *uid)? {
            findings.push(finding(item(account, is), Outcome::Resurrected, None, "it was expunged when the backup began".into()));
        }
    }
    Ok(())
}

/// Users that were created or deleted meanwhile; and no mailbox without its user.
fn known(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    written: &Written,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let mut database = String::new();
    let mut users_of = |o| -> Result<BTreeSet<String>> {
        let users: Vec<_> = evidence.rows(o)?.into_iter().filter(|r| r.table == "user").collect();
        users.first().inspect(|r| r.database.clone_into(&mut database));
        Ok(users.into_iter().map(|r| r.key).collect())
    };
    let (old, new) = (users_of(before)?, users_of(after)?);
    for (user, op) in &written.created {
        let row = || Item::Row { database: database.clone(), table: "user".into(), key: user.clone() };
        match (written.there(op, written.deleted.get(user)), new.contains(user)) {
            (Some(true), false) => {
                let detail = "it had been created when the backup began".into();
                findings.push(finding(row(), Outcome::Lost, None, detail));
            }
            (Some(false), true) => {
                let detail = "it had been deleted when the backup began, or is newer than it".into();
                findings.push(finding(row(), Outcome::Resurrected, None, detail));
            }
            _ => {}
        }
    }
    let mailboxes = evidence.top_folders(after)?;
    for account in mailboxes.into_iter().filter(|m| m.contains('@') && !new.contains(m) && !old.contains(m)) {
        let detail = "its mail is there, and the database does not know it".into();
        findings.push(finding(Item::Account { account }, Outcome::Unexpected, None, detail));
    }
    Ok(())
}
