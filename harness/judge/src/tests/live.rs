//! A backup while others write.

use super::*;

/// Judges `seen()` against what `change` makes of it, after these writes around a backup from 100 to 200.
fn judged_live(ops: &[LiveOp], change: impl FnOnce(&mut Seen)) -> Vec<String> {
    let (_dir, evidence) = evidence();
    evidence.put_live_backup((100, 200)).expect("stored");
    ops.iter().for_each(|op| evidence.put_live(op).expect("stored"));
    store(&evidence, BASELINE, &seen());
    let mut after = seen();
    change(&mut after);
    store(&evidence, RESTORED, &after);
    judge(&evidence, RESTORED).expect("a verdict").findings.iter().map(essence).collect()
}

fn essence(f: &Finding) -> String {
    crate::model::essence(&f.item, f.outcome, f.property.as_deref())
}

const BEFORE: (u64, Option<u64>) = (10, Some(90));
const DURING: (u64, Option<u64>) = (90, Some(150));
const AFTER: (u64, Option<u64>) = (200, Some(250));

fn op(account: &str, action: LiveAction, (began, ended): (u64, Option<u64>)) -> LiveOp {
    LiveOp { account: account.into(), action, began, ended, error: String::new() }
}

#[test]
fn when_an_operation_was() {
    let when = |times| op(ACCOUNT, LiveAction::Expunge { uid: 1 }, times).when((100, 200));
    assert_eq!([BEFORE, DURING, AFTER].map(when), [When::Before, When::During, When::After]);
    assert_eq!(when((10, Some(100))), When::Before);
    assert_eq!(when((10, None)), When::During, "it may have ended, or not");
    assert_eq!(when((199, Some(300))), When::During);
}

#[test]
fn mail_that_came_while_the_backup_ran() {
    let action = || LiveAction::Deliver { message: MessageId::Live(0), body_sha256: "09".repeat(32) };
    let deliver = |times| [op(ACCOUNT, action(), times)];
    let there = |bytes| move |s: &mut Seen| s.messages.push(message("INBOX", 9, bytes, "live-0"));
    let line = |uid: u32, outcome: &str| {
        format!("mailbox u1@mail.test, folder INBOX, message with UID {uid} (message live-0): {outcome}")
    };
    assert_eq!(judged_live(&deliver(BEFORE), there(9)), [""; 0]);
    assert_eq!(judged_live(&deliver(BEFORE), |_| ()), [line(0, "lost")]);
    assert_eq!(judged_live(&deliver(DURING), there(9)), [line(9, "recovered")]);
    assert_eq!(judged_live(&deliver(DURING), |_| ()), [line(0, "unresolved")]);
    assert_eq!(judged_live(&deliver(AFTER), |_| ()), [""; 0]);
    assert_eq!(judged_live(&deliver(AFTER), there(9)), [line(9, "resurrected")]);
    for times in [BEFORE, DURING] {
        assert_eq!(judged_live(&deliver(times), there(8)), [line(9, "altered (bytes)")], "torn");
    }
    let twice = judged_live(&deliver(BEFORE), |s| {
        s.messages.extend([message("INBOX", 9, 9, "live-0"), message("INBOX", 10, 9, "live-0")])
    });
    assert_eq!(twice, [line(10, "duplicated")]);
    // On its way from the queue to the mailbox, it may be in both; not in one of them twice, nor torn.
    let copies = |of: &'static [(u32, u8)]| {
        judged_live(&deliver(DURING), move |s| {
            s.messages.extend(of.iter().map(|(uid, bytes)| message("INBOX", *uid, *bytes, "live-0")));
        })
    };
    assert_eq!(copies(&[(9, 9), (10, 9)]), [line(9, "recovered"), line(10, "recovered")]);
    assert_eq!(copies(&[(9, 9), (10, 8)]), [line(9, "recovered"), line(10, "duplicated")]);
    assert_eq!(copies(&[(9, 9), (10, 9), (11, 9)]), [line(9, "recovered"), line(10, "recovered"), line(11, "duplicated")]);
}

#[test]
fn mail_that_was_changed_while_the_backup_ran() {
    let line = |outcome: &str| format!("mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1): {outcome}");
    let flags = |flags: &'static str| move |s: &mut Seen| s.messages[0].flags = flags.into();
    let (old, new) = (flags("\\Seen"), flags("\\Flagged \\Seen"));
    let flag = |times| [op(ACCOUNT, LiveAction::Flag { uid: 1, flag: "\\Flagged".into() }, times)];
    let nothing: [&str; 0] = [];
    assert_eq!(judged_live(&flag(BEFORE), new), nothing);
    assert_eq!(judged_live(&flag(BEFORE), old), [line("altered (flags)")]);
    assert_eq!(judged_live(&flag(DURING), new), nothing);
    assert_eq!(judged_live(&flag(DURING), old), nothing);
    assert_eq!(judged_live(&flag(DURING), flags("")), [line("altered (flags)")]);
    assert_eq!(judged_live(&flag(AFTER), old), nothing);
    assert_eq!(judged_live(&flag(AFTER), new), [line("altered (flags)")]);

    let expunge = |times| [op(ACCOUNT, LiveAction::Expunge { uid: 1 }, times)];
    let gone = |s: &mut Seen| drop(s.messages.remove(0));
    assert_eq!(judged_live(&expunge(BEFORE), gone), nothing);
    assert_eq!(judged_live(&expunge(BEFORE), old), [line("resurrected")]);
    assert_eq!(judged_live(&expunge(DURING), gone), nothing);
    assert_eq!(judged_live(&expunge(DURING), old), nothing);
    assert_eq!(judged_live(&expunge(DURING), flags("\\Deleted \\Seen")), nothing, "half-way");
    assert_eq!(judged_live(&expunge(AFTER), gone), [line("lost")]);
    let renumbered = |s: &mut Seen| s.messages[0].uid = 77;
    assert_eq!(judged_live(&expunge(DURING), renumbered), nothing, "back as a file, and expunged in the index");
    assert_eq!(judged_live(&expunge(AFTER), renumbered), [line("altered (uid)")]);
    assert_eq!(judged_live(&flag(DURING), renumbered), [line("altered (uid)")]);
    // What nobody wrote to is judged as ever.
    assert_eq!(judged_live(&flag(BEFORE), |s| s.messages.clear()).len(), 3);
}

#[test]
fn users_that_came_and_went_while_the_backup_ran() {
    const NEW: &str = "live0@mail.test";
    let line = |outcome: &str| vec![format!("database main.db, table user, row {NEW}: {outcome}")];
    let create = |times| op(NEW, LiveAction::Create, times);
    let delete = |times| op(NEW, LiveAction::Delete, times);
    let there = |s: &mut Seen| s.rows.push(row(NEW, "{}"));
    let nothing = Vec::<String>::new();
    assert_eq!(judged_live(&[create(BEFORE)], there), nothing);
    assert_eq!(judged_live(&[create(BEFORE)], |_| ()), line("lost"));
    assert_eq!(judged_live(&[create(DURING)], there), nothing);
    assert_eq!(judged_live(&[create(DURING)], |_| ()), nothing);
    assert_eq!(judged_live(&[create(AFTER)], there), line("resurrected"));
    assert_eq!(judged_live(&[create(BEFORE), delete(BEFORE)], there), line("resurrected"));
    assert_eq!(judged_live(&[create(BEFORE), delete(DURING)], |_| ()), nothing);
    assert_eq!(judged_live(&[create(BEFORE), delete(AFTER)], |_| ()), line("lost"));
    let with_login = |login: Login| {
        let (_dir, evidence) = evidence();
        evidence.put_live_backup((100, 200)).expect("stored");
        evidence.put_live(&create(BEFORE)).expect("stored");
        store(&evidence, BASELINE, &seen());
        let mut after = seen();
        there(&mut after);
        store(&evidence, RESTORED, &after);
        let o = evidence.completed(RESTORED).expect("read").expect("an observation");
        evidence.put_account(o, NEW, &login).expect("stored");
        judge(&evidence, RESTORED).expect("a verdict").findings.iter().map(essence).collect::<Vec<_>>()
    };
    assert_eq!(with_login(Login::Read), nothing);
    assert_eq!(with_login(Login::Refused("no".into())), [format!("mailbox {NEW}: lost")]);
    assert_eq!(with_login(Login::Unread("no".into())), [format!("mailbox {NEW}: unread")]);
    let orphan = |s: &mut Seen| s.files.push(path("stray@mail.test"));
    assert_eq!(judged_live(&[], orphan), ["mailbox stray@mail.test: unexpected"], "a mailbox that the database does not know");
}

/// What the writes explain is not a finding, and without writes it is.
#[test]
fn quota_that_grew_by_mail_that_came_while_the_backup_ran() {
    let action = LiveAction::Deliver { message: MessageId::Live(0), body_sha256: "09".repeat(32) };
    let came = |s: &mut Seen| {
        s.messages.push(message("INBOX", 9, 9, "live-0"));
        s.quota = Some(Quota { used: 2000, most: 5000 });
    };
    let message = "mailbox u1@mail.test, folder INBOX, message with UID 9 (message live-0)";
    assert_eq!(judged_live(&[op(ACCOUNT, action, DURING)], came), [format!("{message}: recovered")]);
    assert_eq!(judged_live(&[], came), ["mailbox u1@mail.test: altered (quota usage)".into(), format!("{message}: unexpected")]);
}

#[test]
fn users_that_must_be_there() {
    let (_dir, evidence) = evidence();
    let users = || crate::live::users(&evidence).expect("read");
    assert_eq!(users(), [""; 0], "nobody wrote");
    evidence.put_live_backup((100, 200)).expect("stored");
    for (user, created, deleted) in [
        ("kept@mail.test", BEFORE, None),
        ("deleted@mail.test", BEFORE, Some(BEFORE)),
        ("deleted-later@mail.test", BEFORE, Some(AFTER)),
        ("perhaps@mail.test", DURING, None),
        ("new@mail.test", AFTER, None),
    ] {
        evidence.put_live(&op(user, LiveAction::Create, created)).expect("stored");
        deleted.iter().for_each(|times| evidence.put_live(&op(user, LiveAction::Delete, *times)).expect("stored"));
    }
    assert_eq!(users(), ["deleted-later@mail.test", "kept@mail.test"]);
}

/// What writes explain is taken away, and nothing else.
#[test]
fn findings_that_writes_explain() {
    let (_dir, evidence) = evidence();
    evidence.put_live_backup((100, 200)).expect("stored");
    let inventory = "[[volume]]\nname = \"data\"\nservice = \"app\"\nmount = \"/data\"\nclass = \"durable\"\nwhy = \"All.\"\n\
                     [[volume.path]]\npath = \"m.db\"\nclass = \"durable\"\ncontent = \"rows of m.db\"\nwhy = \"Rows.\"\n";
    let inventory: recipe::inventory::Inventory = toml::from_str(inventory).expect("an inventory");
    evidence.set_json(RunFact::Inventory, &inventory).expect("stored");
    evidence.put_live(&op("u2@mail.test", LiveAction::Flag { uid: 1, flag: "\\Seen".into() }, DURING)).expect("stored");
    evidence.put_live(&op("u3@mail.test", LiveAction::Expunge { uid: 1 }, DURING)).expect("stored");
    let mut seen = seen();
    let users = ["u2@mail.test", "u3@mail.test", "left@mail.test"];
    seen.files.extend(users.map(path));
    seen.rows.extend(users.map(|user| row(user, "{}")));
    let (before, after) = (store(&evidence, BASELINE, &seen), store(&evidence, RESTORED, &seen));
    let is_left = |item: &Item, outcome, property: Option<&str>| {
        let finding = Finding { item: item.clone(), outcome, property: property.map(str::to_owned), detail: String::new() };
        let left = crate::live::judged(&evidence, before, after, vec![finding.clone()]).expect("judged");
        assert!(left.len() <= 1, "{left:?}");
        left.contains(&finding)
    };
    use Outcome::{Altered, Lost, Unexpected, Unread};
    let key = Item::Key { service: "db".into(), number: Some(0), key: "k".into() };
    assert_eq!([Unexpected, Altered, Lost, Unread].map(|outcome| is_left(&key, outcome, None)), [false, false, true, true]);
    let file = |volume: &str, path: &str| Item::File { volume: volume.into(), path: path.into() };
    for (item, written) in [
        (file("mail", "."), true),
        (file("mail", "u2@mail.test/cur/1"), true),
        (file("mail", "u3@mail.test"), true),
        // Nobody wrote to these, as nobody can to a disabled user's.
        (file("mail", "left@mail.test/cur/1"), false),
        // A new mailbox is reported as a whole, so its files are not.
        (file("mail", "u2@mail.test.example/cur/1"), true),
        (file("data", "m.db"), true),
        (file("data", "other"), false),
        (file("dkim", "mail.test.dkim.key"), false),
    ] {
        for property in [property::BYTES, property::MTIME] {
            assert_eq!(is_left(&item, Altered, Some(property)), !written, "{item} {property}");
        }
        assert_eq!([Lost, Unexpected].map(|outcome| is_left(&item, outcome, None)), [!written; 2], "{item}");
        assert!(is_left(&item, Altered, Some(property::OWNER)) && is_left(&item, Unread, None), "{item}");
    }
    let snapshot = Item::Snapshot { volume: "v".into(), path: "p".into() };
    assert!(!is_left(&snapshot, Lost, None) && is_left(&snapshot, Altered, Some(property::DUMP)));
    // A flag is no message more or less.
    for (account, usage) in [("u1@mail.test", true), ("u2@mail.test", true), ("u3@mail.test", false)] {
        let item = Item::Account { account: account.into() };
        assert_eq!(is_left(&item, Altered, Some(property::QUOTA_USAGE)), usage, "{account}");
        assert!(is_left(&item, Altered, Some(property::QUOTA_LIMIT)), "{account}");
    }
}

/// Of a file with several names, users may have removed one; they made no copy of it.
#[test]
fn a_hard_link_that_is_broken_is_excused_where_its_other_name_is_gone() {
    let (left, other, third) = ("left@mail.test/cur/9", "u3@mail.test/cur/9", "left@mail.test/cur/8");
    let broken = |before: &[(&str, &str)], after: &[(&str, &str)], at: &str| {
        let (_dir, evidence) = evidence();
        evidence.put_live_backup((100, 200)).expect("stored");
        evidence.put_live(&op("u3@mail.test", LiveAction::Expunge { uid: 1 }, DURING)).expect("stored");
        let stored = |stage, names: &[(&str, &str)]| {
            let mut seen = seen();
            seen.files.extend(names.iter().map(|(name, link)| FileSeen { link: (*link).into(), ..path(name) }));
            seen.files.extend(["left@mail.test", "u3@mail.test"].map(path));
            seen.rows.extend(["left@mail.test", "u3@mail.test"].map(|user| row(user, "{}")));
            store(&evidence, stage, &seen)
        };
        let (before, after) = (stored(BASELINE, before), stored(RESTORED, after));
        let item = Item::File { volume: "mail".into(), path: at.into() };
        let finding = Finding { item, outcome: Outcome::Altered, property: Some(property::LINK.into()), detail: String::new() };
        crate::live::judged(&evidence, before, after, vec![finding.clone()]).expect("judged").contains(&finding)
    };
    let both = [(left, left), (other, left)];
    assert!(!broken(&both, &[(left, "")], left), "the other name was expunged");
    assert!(!broken(&[(left, "")], &both, left), "a user got the message too");
    assert!(broken(&both, &[(left, ""), (other, "")], left), "it is a copy now");
    assert!(broken(&both, &[(left, ""), (other, "")], other));
    assert!(broken(&both, &[(left, ""), (other, "")], "."), "the folder stands for its files");
    assert!(!broken(&both, &[(left, "")], "."));
    // Of three names, one was expunged, and the two that are left must be one file still.
    let three = [(third, third), (left, third), (other, third)];
    assert!(broken(&three, &[(third, ""), (left, "")], left));
    assert!(broken(&[(left, left), (third, left)], &[(left, "")], left), "nobody writes where the other name was");
}

/// Mail that was on its way may be in the queue in addition; what was in it must be there.
#[test]
fn the_queue_may_have_more_and_not_less() {
    let queue =
        |value: &'static str| move |s: &mut Seen| s.facts.push(FactSeen { fact: MAIL_QUEUE.into(), value: Some(value.into()) });
    let judged = |was: &'static str, is: &'static str| {
        let (_dir, evidence) = evidence();
        evidence.put_live_backup((100, 200)).expect("stored");
        for (name, value) in [(BASELINE, was), (RESTORED, is)] {
            let mut seen = seen();
            queue(value)(&mut seen);
            store(&evidence, name, &seen);
        }
        judge(&evidence, RESTORED).expect("a verdict").findings.iter().map(essence).collect::<Vec<_>>()
    };
    assert_eq!(judged("a to b; c to d", "c to d; a to b; e to f"), [""; 0]);
    assert_eq!(judged("a to b; c to d", "c to d"), ["mail queue: altered"]);
    assert_eq!(judged("a to b", "c to d"), ["mail queue: altered"]);
}

#[test]
fn mail_that_came_into_another_folder_or_mailbox_is_misplaced() {
    let action = || LiveAction::Deliver { message: MessageId::Live(0), body_sha256: "09".repeat(32) };
    let deliver = |account: &str, times| [op(account, action(), times)];
    let there = |folder: &'static str| move |s: &mut Seen| s.messages.push(message(folder, 9, 9, "live-0"));
    let line = |account: &str, folder: &str| {
        vec![format!("mailbox {account}, folder {folder}, message with UID 9 (message live-0): misplaced")]
    };
    for times in [BEFORE, DURING, AFTER] {
        assert_eq!(judged_live(&deliver(ACCOUNT, times), there("Archive")), line(ACCOUNT, "Archive"));
        assert_eq!(judged_live(&deliver("u2@mail.test", times), there("INBOX")), line("u2@mail.test", "INBOX"));
    }
}
