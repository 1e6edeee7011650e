//! A backup while users write: what must be restored, what may be, and what cannot be. A write that ended before the backup began
//! must be restored. One that began after the backup ended cannot be. Any other may be restored or not, but never in part.

use std::collections::{BTreeMap, BTreeSet};

use recipe::inventory::{Compared, Inventory};
use recipe::scenario::UserPlaces;

use crate::declared;
use crate::error::Result;
use crate::links::Links;
use crate::model::{Finding, Item, MessageId, Outcome};
use crate::property;
use crate::say::{finding, short, short_hex};
use crate::stage::MAIL_QUEUE;
use crate::store::{DELETED, Evidence, LiveAction, LiveOp, Login, MessageSeen, ObservationId, RunFact, When};

const INBOX: &str = "INBOX";

/// A message that was delivered.
struct Delivery {
    account: String,
    message: MessageId,
    body_sha256: String,
    when: When,
}

/// A message of INBOX that was changed: a flag of it, or it was expunged.
struct Change {
    flag: String,
    expunged: bool,
    when: When,
}

/// What was written while the backup ran.
struct Written {
    delivered: Vec<Delivery>,
    /// By account and UID.
    changed: BTreeMap<(String, u32), Change>,
    created: BTreeMap<String, When>,
    deleted: BTreeMap<String, When>,
    /// Where the app keeps its users, if its scenario says so.
    users: Option<UserPlaces>,
    /// The mailboxes that there were before.
    mailboxes: BTreeSet<String>,
    /// Says whose content is compared elsewhere.
    inventory: Option<Inventory>,
    /// What became of files with several names.
    links: Links,
}

impl Written {
    /// What was written, if anything; what cannot be read of it is a finding.
    fn read(evidence: &Evidence, findings: &mut Vec<Finding>) -> Result<Option<Self>> {
        let Some(window) = evidence.live_backup()? else { return Ok(None) };
        let users = declared::optional(evidence, RunFact::Users)?.unwrap_or_else(|unread| {
            findings.push(unread);
            None
        });
        let (delivered, changed) = (vec![], BTreeMap::new());
        let (created, deleted) = (BTreeMap::new(), BTreeMap::new());
        let inventory = declared::optional(evidence, RunFact::Inventory)?.unwrap_or_else(|unread| {
            findings.push(unread);
            None
        });
        let mut written =
            Self { delivered, changed, created, deleted, users, mailboxes: BTreeSet::new(), inventory, links: Links::default() };
        for op in evidence.live()? {
            written.add(op.when(window), op);
        }
        Ok(Some(written))
    }

    fn add(&mut self, when: When, LiveOp { account, action, .. }: LiveOp) {
        match action {
            LiveAction::Deliver { message, body_sha256 } => {
                self.delivered.push(Delivery { account, message, body_sha256, when });
            }
            LiveAction::Flag { uid, flag } => {
                self.changed.insert((account, uid), Change { flag, expunged: false, when });
            }
            LiveAction::Expunge { uid } => {
                self.changed.insert((account, uid), Change { flag: DELETED.to_owned(), expunged: true, when });
            }
            LiveAction::Create => drop(self.created.insert(account, when)),
            LiveAction::Delete => drop(self.deleted.insert(account, when)),
        }
    }

    /// Whether a user must be there, or must not, or may be either.
    fn there(&self, user: &str, created: When) -> Option<bool> {
        match (created, self.deleted.get(user)) {
            (When::After, _) | (_, Some(When::Before)) => Some(false),
            (When::Before, None | Some(When::After)) => Some(true),
            _ => None,
        }
    }

    /// Whether a user was created before the backup began, and not deleted.
    fn must_be_there(&self, user: &str) -> bool {
        self.created.get(user).is_some_and(|created| self.there(user, *created) == Some(true))
    }

    fn change(&self, account: &str, uid: u32) -> Option<&Change> {
        self.changed.get(&(account.to_owned(), uid))
    }

    /// Whether a mailbox got or lost messages.
    fn wrote_to(&self, account: &str) -> bool {
        let expunged = |((of, _), change): (&(String, u32), &Change)| change.expunged && of == account;
        self.delivered.iter().any(|d| d.account == account) || self.changed.iter().any(expunged)
    }

    /// Whether users wrote to a file: it is in a mailbox that they changed, or another probe compares what is in it.
    fn may_write(&self, volume: &str, path: &str) -> bool {
        if self.users.as_ref().is_some_and(|u| u.mailboxes.as_deref() == Some(volume)) {
            let mailbox = path.split('/').next().unwrap_or(path);
            // A new mailbox is reported as a whole.
            return !self.mailboxes.contains(mailbox) || self.touched(mailbox);
        }
        let volume = self.inventory.iter().flat_map(|i| &i.volumes).find(|v| v.name == volume);
        volume.is_some_and(|v| v.treatment(path).1 != Compared::Whole)
    }

    /// Whether users did anything to a mailbox. The folder of all mailboxes changes with each of them.
    fn touched(&self, mailbox: &str) -> bool {
        let changed = self.changed.keys().any(|(account, _)| account == mailbox);
        let delivered = self.delivered.iter().any(|d| d.account == mailbox);
        mailbox == "." || changed || delivered || self.created.contains_key(mailbox) || self.deleted.contains_key(mailbox)
    }

    /// Whether a row is that of a user who was created while the backup ran.
    fn made_row(&self, database: &str, table: &str, key: &str) -> bool {
        let is_users = |places: &UserPlaces| places.database == database && places.table == table;
        self.users.as_ref().is_some_and(is_users) && self.created.contains_key(key)
    }
}

/// The users that must be there: created before the backup began, and not deleted.
pub fn users(evidence: &Evidence) -> Result<Vec<String>> {
    let Some(written) = Written::read(evidence, &mut Vec::new())? else { return Ok(vec![]) };
    Ok(written.created.keys().filter(|user| written.must_be_there(user)).cloned().collect())
}

/// Takes away the findings that the writes explain, and adds those about the writes themselves. Where nobody wrote, nothing
/// changes.
pub fn judged(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    mut findings: Vec<Finding>,
) -> Result<Vec<Finding>> {
    let Some(mut written) = Written::read(evidence, &mut findings)? else { return Ok(findings) };
    if let Some(volume) = written.users.as_ref().and_then(|u| u.mailboxes.clone()) {
        written.mailboxes = evidence.top_folders(before, &volume)?;
    }
    written.links = Links::between(evidence, before, after, |volume, path| written.may_write(volume, path))?;
    let queue_kept = queue(evidence, before)?.is_subset(&queue(evidence, after)?);
    findings.retain(|finding| is_left(finding, &written, queue_kept));
    delivered(evidence, after, &written, &mut findings)?;
    changed(evidence, before, after, &written, &mut findings)?;
    if let Some(places) = &written.users {
        known(evidence, (before, after), places, &written, &mut findings)?;
    }
    logins(evidence, after, &written, &mut findings)?;
    Ok(findings)
}

/// The messages that were in the mail queue.
fn queue(evidence: &Evidence, o: ObservationId) -> Result<BTreeSet<String>> {
    let queue = evidence.facts(o)?.into_iter().filter(|f| f.fact == MAIL_QUEUE).filter_map(|f| f.value);
    Ok(queue.flat_map(|lines| lines.split("; ").map(str::to_owned).collect::<Vec<_>>()).collect())
}

/// Whether a finding stands although users wrote while the backup ran.
fn is_left(finding: &Finding, written: &Written, queue_kept: bool) -> bool {
    let is = |property: &str| finding.property.as_deref() == Some(property);
    match (&finding.item, finding.outcome) {
        (Item::Message { corpus: Some(id), .. }, _) if written.delivered.iter().any(|d| d.message == *id) => false,
        (Item::Message { account, folder, uid, .. }, Outcome::Lost) if folder == INBOX => {
            written.change(account, *uid).is_none_or(|c| !c.expunged || c.when == When::After)
        }
        (Item::Message { account, folder, uid, .. }, Outcome::Altered) if folder == INBOX => {
            match written.change(account, *uid) {
                None => true,
                // Its file was copied before it was expunged, and the index after that: the server gives it a new UID.
                Some(change) if is(property::UID) => !change.expunged || change.when != When::During,
                Some(_) => !is(property::FLAGS),
            }
        }
        (Item::Row { database, table, key }, Outcome::Unexpected | Outcome::Lost) => !written.made_row(database, table, key),
        (Item::Account { account }, Outcome::Altered) => !is(property::QUOTA_USAGE) || !written.wrote_to(account),
        // Mail that arrives leaves its traces in a Redis; what was there must still be there.
        (Item::Key { .. }, Outcome::Unexpected | Outcome::Altered) => false,
        // Names of files change with flags, and what is in them with every message.
        (Item::File { volume, path }, Outcome::Lost | Outcome::Unexpected) => !written.may_write(volume, path),
        (Item::File { volume, path }, Outcome::Altered) if is(property::BYTES) || is(property::MTIME) => {
            !written.may_write(volume, path)
        }
        (Item::File { volume, path }, Outcome::Altered) if is(property::LINK) => !written.links.explained(volume, path),
        // Mail that was on its way when the queue was copied may be there in addition.
        (Item::Fact { fact }, Outcome::Altered) if fact == MAIL_QUEUE => !queue_kept,
        // The audit compares the snapshot with volumes that went on changing: the dumps alone can be judged.
        (Item::Snapshot { .. }, _) => is(property::DUMP),
        _ => true,
    }
}

/// Messages that were delivered while the backup ran.
fn delivered(evidence: &Evidence, after: ObservationId, written: &Written, findings: &mut Vec<Finding>) -> Result<()> {
    for delivery in &written.delivered {
        let copies = evidence.copies(after, delivery.message)?;
        match copies.split_first() {
            None => findings.extend(not_there(delivery)),
            Some(((account, first), more)) => {
                findings.extend(there(delivery, account, first));
                for (at, (account, again)) in more.iter().enumerate() {
                    // Queue and mailbox are copied one after the other: a message that is on its way from the one to the other
                    // can be in both, and mail prefers twice to never (RFC 5321, 6.1).
                    let whole = account == &delivery.account && again.folder == INBOX && again.body_sha256 == first.body_sha256;
                    let (outcome, detail) = if at == 0 && delivery.when == When::During && whole {
                        (
                            Outcome::Recovered,
                            "a second copy: it was on its way from the queue to the mailbox when the backup was taken",
                        )
                    } else {
                        (Outcome::Duplicated, "")
                    };
                    findings.push(finding(delivery.item(&again.folder, again.uid), outcome, None, detail.into()));
                }
            }
        }
    }
    Ok(())
}

impl Delivery {
    fn item(&self, folder: &str, uid: u32) -> Item {
        Item::Message { account: self.account.clone(), folder: folder.into(), uid, corpus: Some(self.message) }
    }
}

/// What it means that a message is nowhere.
fn not_there(delivery: &Delivery) -> Option<Finding> {
    let (outcome, detail) = match delivery.when {
        When::Before => (Outcome::Lost, "it had arrived before the backup began"),
        When::During => (Outcome::Unresolved, ""),
        When::After => return None,
    };
    Some(finding(delivery.item(INBOX, 0), outcome, None, detail.into()))
}

/// What it means that a message is there.
fn there(delivery: &Delivery, account: &str, seen: &MessageSeen) -> Option<Finding> {
    let body = hex::encode(&seen.body_sha256);
    let (outcome, property, detail) = if account != delivery.account || seen.folder != INBOX {
        (Outcome::Misplaced, None, format!("it is now in mailbox {account}, folder {}", seen.folder))
    } else if delivery.when == When::After {
        (Outcome::Resurrected, None, "it is newer than the backup".into())
    } else if body != delivery.body_sha256 {
        let was = short_hex(&delivery.body_sha256);
        (
            Outcome::Altered,
            Some(property::BYTES),
            format!("the body is damaged: its SHA-256 was {was}, is {}", short(&seen.body_sha256)),
        )
    } else if delivery.when == When::During {
        (Outcome::Recovered, None, String::new())
    } else {
        return None;
    };
    Some(finding(delivery.item(&seen.folder, seen.uid), outcome, property, detail))
}

/// Messages that were flagged or expunged while the backup ran.
fn changed(
    evidence: &Evidence,
    before: ObservationId,
    after: ObservationId,
    written: &Written,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    for ((account, uid), change) in &written.changed {
        // What is not there at all is a finding already.
        let Some(is) = evidence.message(after, account, INBOX, *uid)? else { continue };
        let item = Item::Message { account: account.clone(), folder: is.folder.clone(), uid: is.uid, corpus: is.item };
        if change.expunged && change.when == When::Before {
            let detail = "it had been expunged before the backup began".into();
            findings.push(finding(item, Outcome::Resurrected, None, detail));
        } else if let Some(was) = evidence.message(before, account, INBOX, *uid)?
            && !allowed(change, &was.flags).contains(&flags(&is.flags))
        {
            let detail = format!("was [{}]; {} was changed during the drill; is [{}]", was.flags, change.flag, is.flags);
            findings.push(finding(item, Outcome::Altered, Some(property::FLAGS), detail));
        }
    }
    Ok(())
}

fn flags(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

/// The flags that a message may have after a change. One that is expunged has `\Deleted` first.
fn allowed<'a>(change: &'a Change, before: &'a str) -> Vec<BTreeSet<&'a str>> {
    let old = flags(before);
    let new = old.symmetric_difference(&BTreeSet::from([change.flag.as_str()])).copied().collect();
    match change.when {
        When::Before => vec![new],
        When::During => vec![old, new],
        When::After => vec![old],
    }
}

/// Users that were created before the backup began and must be able to log in.
fn logins(evidence: &Evidence, after: ObservationId, written: &Written, findings: &mut Vec<Finding>) -> Result<()> {
    for (account, login) in evidence.accounts(after)? {
        if !written.must_be_there(&account) {
            continue;
        }
        let (outcome, why) = match login {
            Login::Read => continue,
            // Whoever has no row cannot log in: one finding is enough.
            Login::Refused(_) if findings.iter().any(|f| matches!(&f.item, Item::Row { key, .. } if *key == account)) => continue,
            Login::Refused(why) => (Outcome::Lost, format!("it had been created before the backup began; login refused: {why}")),
            Login::Unread(why) => (Outcome::Unread, why),
        };
        findings.push(finding(Item::Account { account }, outcome, None, why));
    }
    Ok(())
}

/// Users that were created or deleted while the backup ran. No mailbox may be there without its user.
fn known(
    evidence: &Evidence,
    (before, after): (ObservationId, ObservationId),
    places: &UserPlaces,
    written: &Written,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let UserPlaces { database, table, mailboxes } = places;
    let users_of =
        |o| -> Result<BTreeSet<String>> { Ok(evidence.rows_of(o, database, table)?.into_iter().map(|r| r.key).collect()) };
    let (old, new) = (users_of(before)?, users_of(after)?);
    for (user, created) in &written.created {
        let (outcome, detail) = match (written.there(user, *created), new.contains(user)) {
            (Some(true), false) => (Outcome::Lost, "it had been created before the backup began"),
            (Some(false), true) => {
                (Outcome::Resurrected, "it had been deleted before the backup began, or is newer than the backup")
            }
            _ => continue,
        };
        let row = Item::Row { database: database.clone(), table: table.clone(), key: user.clone() };
        findings.push(finding(row, outcome, None, detail.into()));
    }
    let Some(volume) = mailboxes else { return Ok(()) };
    let unknown = |m: &String| m.contains('@') && !new.contains(m) && !old.contains(m);
    for account in evidence.top_folders(after, volume)?.into_iter().filter(unknown) {
        let detail = format!("it has files in volume {volume} and no row in table {table} of database {database}");
        findings.push(finding(Item::Account { account }, Outcome::Unexpected, None, detail));
    }
    Ok(())
}
