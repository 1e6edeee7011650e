//! Whole results on tiny literal observations.

use crate::model::Status;
use crate::model::*;
use crate::store::*;
use crate::store::{LedgerLine, LiveKind, LiveOp, Sent, When};
use crate::verdict::SOUND;
use crate::*;

const ACCOUNT: &str = "u1@mail.test";

fn message(folder: &str, uid: u32, bytes: u8, item: &str) -> MessageSeen {
    MessageSeen {
        folder: folder.into(),
        uid,
        sha256: vec![bytes; 32],
        body_sha256: vec![bytes; 32],
        size: 10,
        flags: "\\Seen".into(),
        keywords: String::new(),
        internal_date: 0,
        item: Some(item.into()),
    }
}

fn folder(name: &str) -> FolderSeen {
    FolderSeen {
        folder: name.into(),
        uid_validity: 7,
        uid_next: 9,
        messages: 1,
        subscribed: true,
        modseq: Some(5),
        special_use: String::new(),
    }
}

fn row(key: &str, columns: &str) -> RowSeen {
    RowSeen { database: "main.db".into(), table: "user".into(), key: key.into(), columns: columns.into() }
}

fn file(path: &str, sha256: &str) -> FileSeen {
    let (volume, sha256) = ("dkim".into(), sha256.into());
    FileSeen { volume, path: path.into(), sha256, size: 1, uid: 1000, gid: 1000, mode: 0o600, mtime: 0, link: String::new() }
}

/// What one observation saw.
#[derive(Clone)]
struct Seen {
    login: Option<Login>,
    folders: Vec<FolderSeen>,
    messages: Vec<MessageSeen>,
    checks: Vec<(String, String)>,
    rows: Vec<RowSeen>,
    files: Vec<FileSeen>,
    scripts: Result<Vec<ScriptSeen>, String>,
    facts: Vec<FactSeen>,
    quota: Option<Quota>,
    trials: Vec<TrialSeen>,
}

fn trial(value: Result<&str, &str>) -> TrialSeen {
    let value = value.map(str::to_owned).map_err(str::to_owned);
    TrialSeen { trial: "mail to an alias".into(), expected: "u1 INBOX".into(), value }
}

fn script(name: &str, active: bool, sha256: &str) -> ScriptSeen {
    ScriptSeen { script: name.into(), active, sha256: sha256.into() }
}

fn fact(value: Option<&str>) -> FactSeen {
    FactSeen { fact: "spam training".into(), value: value.map(str::to_owned) }
}

/// A path of which only owner and mode are compared.
fn path(path: &str) -> FileSeen {
    FileSeen { volume: "mail".into(), path: path.into(), mode: 0o700, ..file("", "") }
}

fn seen() -> Seen {
    Seen {
        login: Some(Login::Read),
        folders: vec![folder("INBOX"), folder("Archive")],
        messages: vec![message("INBOX", 1, 1, "1"), message("INBOX", 2, 2, "2"), message("Archive", 1, 3, "3")],
        checks: SOUND.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec(),
        rows: vec![row(ACCOUNT, r#"{"enabled":1,"quota_bytes":5}"#)],
        files: vec![
            file("mail.test.dkim.key", "aa"),
            path("u/cur/1"),
            path("u/cur/2"),
            path("u/cur"),
            path("u/new/3"),
            path("v"),
        ],
        scripts: Ok(vec![script("filter", true, "aa"), script("holiday", false, "bb")]),
        facts: vec![fact(Some("1 1 40"))],
        quota: Some(Quota { used: 1000, most: 5000 }),
        trials: vec![trial(Ok("u1 INBOX"))],
    }
}

fn store(evidence: &Evidence, name: &str, seen: &Seen) -> ObservationId {
    let o = evidence.observation(name).expect("an observation");
    if let Some(login) = &seen.login {
        evidence.put_account(o, ACCOUNT, login).expect("stored");
    }
    seen.folders.iter().for_each(|f| evidence.put_folder(o, ACCOUNT, f).expect("stored"));
    evidence.put_messages(o, ACCOUNT, &seen.messages).expect("stored");
    evidence.put_rows(o, "main.db", &seen.checks, &seen.rows).expect("stored");
    evidence.put_files(o, &seen.files).expect("stored");
    evidence.put_scripts(o, ACCOUNT, &seen.scripts).expect("stored");
    evidence.put_facts(o, &seen.facts).expect("stored");
    seen.quota.into_iter().for_each(|q| evidence.put_quota(o, ACCOUNT, q).expect("stored"));
    evidence.put_trials(name, &seen.trials).expect("stored");
    evidence.complete(o).expect("stored");
    o
}

fn evidence() -> (tempfile::TempDir, Evidence) {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    evidence.set("databases", "main.db").expect("stored");
    (dir, evidence)
}

/// Judges `seen()` against what `change` makes of it: the status, and the findings without their prose.
fn judged(change: impl FnOnce(&mut Seen)) -> (Status, Vec<String>) {
    let (_dir, evidence) = evidence();
    let line = |item: &str, expunged| LedgerLine {
        item: item.into(),
        account: ACCOUNT.into(),
        sent: Sent::Ok,
        reply: "250".into(),
        body_sha256: [0; 32],
        bytes: 10,
        expunged,
    };
    evidence.ledger(&[line("1", false), line("9", true)]).expect("stored");
    store(&evidence, BASELINE, &seen());
    let mut after = seen();
    change(&mut after);
    store(&evidence, RESTORED, &after);
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let said = |f: &Finding| Finding { detail: String::new(), ..f.clone() }.to_string();
    (verdict.status, verdict.findings.iter().map(said).collect())
}

fn broken(change: impl FnOnce(&mut Seen), expected: &[&str]) {
    assert_eq!(judged(change), (Status::Broken, expected.iter().map(ToString::to_string).collect()));
}

#[test]
fn the_same_again_is_held() {
    assert_eq!(judged(|_| ()), (Status::Held, vec![]));
}

#[test]
fn messages() {
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    broken(|s| s.messages[0].sha256 = vec![9; 32], &[&format!("{first}: altered (bytes)")]);
    broken(|s| s.messages[0].flags = String::new(), &[&format!("{first}: altered (flags)")]);
    broken(|s| s.messages[0].keywords = "$work".into(), &[&format!("{first}: altered (keywords)")]);
    broken(|s| s.messages[0].internal_date = 60, &[&format!("{first}: altered (internaldate)")]);
    broken(|s| s.messages[0].size = 11, &[&format!("{first}: altered (size)")]);
    broken(|s| s.messages[0].uid = 8, &[&format!("{first}: altered (uid)")]);
    broken(|s| (s.messages[0].folder, s.messages[0].uid) = ("Archive".into(), 4), &[&format!("{first}: misplaced")]);
    broken(|s| drop(s.messages.remove(0)), &[&format!("{first}: lost")]);
    broken(
        |s| s.messages.push(message("INBOX", 5, 1, "1")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 1): duplicated"],
    );
    broken(
        |s| s.messages.push(message("INBOX", 5, 9, "9")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 9): resurrected"],
    );
    broken(
        |s| s.messages.push(message("INBOX", 5, 8, "8")),
        &["mailbox u1@mail.test, folder INBOX, message with UID 5 (corpus message 8): unexpected"],
    );
    // Two that changed places are not intact, though every byte is there.
    broken(
        |s| {
            s.messages[0].uid = 2;
            s.messages[1].uid = 1;
        },
        &[
            &format!("{first}: altered (uid)"),
            "mailbox u1@mail.test, folder INBOX, message with UID 2 (corpus message 2): altered (uid)",
        ],
    );
}

#[test]
fn a_message_in_another_mailbox_is_misplaced_and_unexpected() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let mut after = seen();
    let strayed = after.messages.remove(0);
    let restored = store(&evidence, RESTORED, &after);
    evidence.put_account(restored, "u2@mail.test", &Login::Read).expect("stored");
    evidence.put_messages(restored, "u2@mail.test", &[strayed]).expect("stored");
    let found: Vec<String> = judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect();
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    assert_eq!(found, [format!("{first}: misplaced: it is in mailbox u2@mail.test, folder INBOX")]);
}

#[test]
fn folders() {
    let archive = "mailbox u1@mail.test, folder Archive";
    broken(
        |s| {
            s.folders.pop();
            s.messages.pop();
        },
        &[&format!("{archive}: lost"), &format!("{archive}, message with UID 1 (corpus message 3): lost")],
    );
    broken(|s| s.folders[1].uid_validity = 8, &[&format!("{archive}: altered (uidvalidity)")]);
    broken(|s| s.folders[1].uid_next = 8, &[&format!("{archive}: altered (uidnext)")]);
    broken(|s| s.folders[1].subscribed = false, &[&format!("{archive}: altered (subscription)")]);
    broken(|s| s.folders.push(folder("New")), &["mailbox u1@mail.test, folder New: unexpected"]);
    for lower in [Some(4), None] {
        broken(|s| s.folders[1].modseq = lower, &[&format!("{archive}: altered (highestmodseq)")]);
    }
    broken(|s| s.folders[1].special_use = "\\Archive".into(), &[&format!("{archive}: altered (special-use)")]);
    assert_eq!(judged(|s| s.folders[1].modseq = Some(6)), (Status::Held, vec![]), "HIGHESTMODSEQ may grow");
    assert_eq!(judged(|s| s.folders[1].uid_next = 10), (Status::Held, vec![]), "UIDNEXT may grow");
}

#[test]
fn logins() {
    let (account, gone) = ("mailbox u1@mail.test", |s: &mut Seen| {
        s.folders.clear();
        s.messages.clear();
    });
    broken(
        |s| {
            gone(s);
            s.login = Some(Login::Refused("no".into()));
        },
        &[&format!("{account}: lost")],
    );
    for login in [Some(Login::Unread("stalled".into())), None] {
        let result = judged(|s| {
            gone(s);
            s.login = login;
        });
        assert_eq!(result, (Status::Unknown, vec![format!("{account}: unread")]));
    }
}

#[test]
fn quotas() {
    let account = "mailbox u1@mail.test";
    let quota = |used, most| move |s: &mut Seen| s.quota = Some(Quota { used, most });
    broken(quota(1000, 5001), &[&format!("{account}: altered (quota limit)")]);
    broken(quota(988, 5000), &[&format!("{account}: altered (quota usage)")]);
    assert_eq!(judged(quota(1011, 5000)), (Status::Held, vec![]), "within a hundredth");
    assert_eq!(judged(|s| s.quota = None), (Status::Unknown, vec![format!("{account}: unread (quota)")]));
}

#[test]
fn trials_come_out_as_expected_or_not_or_cannot_be_told() {
    broken(|s| s.trials = vec![trial(Ok("nowhere"))], &["trial: mail to an alias: altered"]);
    for untold in [vec![], vec![trial(Err("the queue cannot be listed"))]] {
        assert_eq!(judged(|s| s.trials = untold), (Status::Unknown, vec!["trial: mail to an alias: unread".to_owned()]));
    }
}

#[test]
fn rows_and_files() {
    let user = "database main.db, table user, row u1@mail.test";
    broken(|s| s.rows[0].columns = r#"{"enabled":1,"quota_bytes":6}"#.into(), &[&format!("{user}: altered (quota_bytes)")]);
    broken(|s| s.rows[0].columns = r#"{"enabled":1}"#.into(), &[&format!("{user}: altered (quota_bytes)")]);
    broken(|s| s.rows.clear(), &[&format!("{user}: lost")]);
    broken(|s| s.rows.push(row("u2@mail.test", "{}")), &["database main.db, table user, row u2@mail.test: unexpected"]);
    broken(|s| s.checks[1].1 = "row 3 missing".into(), &["database main.db: altered (integrity_check)"]);
    let key = "volume dkim, file mail.test.dkim.key";
    broken(|s| s.files[0].sha256 = "bb".into(), &[&format!("{key}: altered (bytes)")]);
    broken(|s| s.files[0].uid = 0, &[&format!("{key}: altered (owner)")]);
    broken(|s| s.files[0].mode = 0o644, &[&format!("{key}: altered (mode)")]);
    broken(|s| s.files[0].mtime = 60, &[&format!("{key}: altered (mtime)")]);
    broken(|s| s.files[0].link = "to b".into(), &[&format!("{key}: altered (link)")]);
    broken(|s| s.files.clear(), &[&format!("{key}: lost")]);
    broken(|s| s.files.push(file("other", "cc")), &["volume dkim, file other: unexpected"]);
    assert_eq!(judged(|s| s.checks.clear()).0, Status::Unknown, "a database that nobody read");
}

/// One by one while they are few; then the highest folder that all of them are in. What is not there is another probe's.
#[test]
fn owners_and_modes() {
    broken(
        |s| {
            s.files[1].uid = 0;
            s.files[5].mode = 0o755;
        },
        &["volume mail, file u/cur/1: altered (owner)", "volume mail, file v: altered (mode)"],
    );
    broken(|s| (1..5).for_each(|at| s.files[at].uid = 0), &["volume mail, file u: altered (owner)"]);
    broken(|s| (1..6).for_each(|at| s.files[at].mode = 0o777), &["volume mail, file .: altered (mode)"]);
    assert_eq!(judged(|s| drop(s.files.remove(1))), (Status::Held, vec![]));
}

#[test]
fn sieve_scripts_and_facts() {
    let name = |script: &str| format!("mailbox u1@mail.test, sieve script {script}");
    let change = |change: fn(&mut Vec<ScriptSeen>)| move |s: &mut Seen| s.scripts.iter_mut().for_each(change);
    broken(change(|s| drop(s.pop())), &[&format!("{}: lost", name("holiday"))]);
    broken(change(|s| s[0].sha256 = "cc".into()), &[&format!("{}: altered (bytes)", name("filter"))]);
    broken(change(|s| s[0].active = false), &[&format!("{}: altered (active)", name("filter"))]);
    broken(change(|s| s.push(script("new", false, "cc"))), &[&format!("{}: unexpected", name("new"))]);
    let unread = judged(|s| s.scripts = Err("the server closed the connection".into()));
    assert_eq!(unread, (Status::Unknown, vec![format!("{}: unread", name("*"))]));

    broken(|s| s.facts[0] = fact(Some("0 0 0")), &["spam training: altered"]);
    for gone in [vec![], vec![fact(None)]] {
        assert_eq!(judged(|s| s.facts = gone), (Status::Unknown, vec!["spam training: unread".to_owned()]));
    }
}

#[test]
fn a_message_that_the_server_cannot_serve() {
    let first = "mailbox u1@mail.test, folder INBOX, message with UID 1 (corpus message 1)";
    broken(|s| (s.messages[0].sha256, s.messages[0].item) = (vec![], None), &[&format!("{first}: altered (unreadable)")]);
}

/// What the bot complained of is broken, also where nothing could be restored.
#[test]
fn steps_that_failed() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let complaint = Complaint { cause: "hook", message: "exit code 1".into() };
    evidence.put_complaints("backup", std::slice::from_ref(&complaint)).expect("stored");
    evidence.put_complaints("restore", &[complaint]).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let found: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
    let unread = "observation \"restored\": unread: the run ended before it was complete";
    assert_eq!(found, ["backup: failed (hook): exit code 1", "restore: failed (hook): exit code 1", unread]);
    assert_eq!(verdict.status, Status::Broken);
    store(&evidence, RESTORED, &seen());
    assert_eq!(judge(&evidence, RESTORED).expect("judged").findings.len(), 2);
}

/// What SMTP accepted and the baseline lacks is the seeding's failure, and so is a damaged database.
#[test]
fn the_baseline_is_held_against_the_ledger() {
    let (_dir, evidence) = evidence();
    let line = |item: &str, sent, expunged, body: u8| LedgerLine {
        item: item.into(),
        account: ACCOUNT.into(),
        sent,
        reply: String::new(),
        body_sha256: [body; 32],
        bytes: 10,
        expunged,
    };
    let lines = [
        line("1", Sent::Ok, false, 1),
        line("2", Sent::Ok, true, 2),
        line("3", Sent::Ok, false, 7),
        line("4", Sent::Ok, false, 4),
        line("5", Sent::Indeterminate, false, 5),
        line("6", Sent::Ok, true, 6),
    ];
    evidence.ledger(&lines).expect("stored");
    let mut baseline = seen();
    baseline.checks[1].1 = "row 3 missing".into();
    let o = store(&evidence, BASELINE, &baseline);
    let found: Vec<String> = seeding(&evidence, o).expect("read").iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "mailbox u1@mail.test, folder Archive, message with UID 1 (corpus message 3): altered (bytes): the body is not the one submitted",
            "mailbox u1@mail.test, folder INBOX, message with UID 0 (corpus message 4): lost: accepted over SMTP, not in the mailbox",
            "mailbox u1@mail.test, folder INBOX, message with UID 2 (corpus message 2): resurrected: expunged, yet there",
            "database main.db: altered (integrity_check): was ok, is row 3 missing",
        ]
    );
}

#[test]
fn an_observation_that_was_not_completed_is_unknown() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    evidence.observation(RESTORED).expect("begun");
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Unknown);
}

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

fn op(kind: LiveKind, account: &str, message: &str, detail: &str, (began, ended): (u64, Option<u64>)) -> LiveOp {
    let (account, message, detail) = (account.into(), message.into(), detail.into());
    LiveOp { kind, account, message, detail, began, ended, error: String::new() }
}

#[test]
fn when_an_operation_was() {
    let when = |times| op(LiveKind::Flag, ACCOUNT, "1", "", times).when((100, 200));
    assert_eq!([BEFORE, DURING, AFTER].map(when), [When::Before, When::During, When::After]);
    assert_eq!(when((10, Some(100))), When::Before);
    assert_eq!(when((10, None)), When::During, "it may have ended, or not");
    assert_eq!(when((199, Some(300))), When::During);
}

#[test]
fn mail_that_came_while_the_backup_ran() {
    let deliver = |times| [op(LiveKind::Deliver, ACCOUNT, "live-0", &"09".repeat(32), times)];
    let there = |bytes| move |s: &mut Seen| s.messages.push(message("INBOX", 9, bytes, "live-0"));
    let line = |uid: u32, outcome: &str| {
        format!("mailbox u1@mail.test, folder INBOX, message with UID {uid} (corpus message live-0): {outcome}")
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
    let write = |kind, flag, times| [op(kind, ACCOUNT, "1", flag, times)];
    let flags = |flags: &'static str| move |s: &mut Seen| s.messages[0].flags = flags.into();
    let (old, new) = (flags("\\Seen"), flags("\\Flagged \\Seen"));
    let flag = |times| write(LiveKind::Flag, "\\Flagged", times);
    let nothing: [&str; 0] = [];
    assert_eq!(judged_live(&flag(BEFORE), new), nothing);
    assert_eq!(judged_live(&flag(BEFORE), old), [line("altered (flags)")]);
    assert_eq!(judged_live(&flag(DURING), new), nothing);
    assert_eq!(judged_live(&flag(DURING), old), nothing);
    assert_eq!(judged_live(&flag(DURING), flags("")), [line("altered (flags)")]);
    assert_eq!(judged_live(&flag(AFTER), old), nothing);
    assert_eq!(judged_live(&flag(AFTER), new), [line("altered (flags)")]);

    let expunge = |times| write(LiveKind::Expunge, "\\Deleted", times);
    let gone = |s: &mut Seen| drop(s.messages.remove(0));
    assert_eq!(judged_live(&expunge(BEFORE), gone), nothing);
    assert_eq!(judged_live(&expunge(BEFORE), old), [line("resurrected")]);
    assert_eq!(judged_live(&expunge(DURING), gone), nothing);
    assert_eq!(judged_live(&expunge(DURING), old), nothing);
    assert_eq!(judged_live(&expunge(DURING), flags("\\Deleted \\Seen")), nothing, "half-way");
    assert_eq!(judged_live(&expunge(AFTER), gone), [line("lost")]);
    // What nobody wrote to is judged as ever.
    assert_eq!(judged_live(&flag(BEFORE), |s| s.messages.clear()).len(), 3);
}

#[test]
fn users_that_came_and_went_while_the_backup_ran() {
    const NEW: &str = "live0@mail.test";
    let line = |outcome: &str| vec![format!("database main.db, table user, row {NEW}: {outcome}")];
    let create = |times| op(LiveKind::Create, NEW, "", "", times);
    let delete = |times| op(LiveKind::Delete, NEW, "", "", times);
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
    let orphan = |s: &mut Seen| s.files.push(path("stray@mail.test/cur/1"));
    assert_eq!(judged_live(&[], orphan), ["mailbox stray@mail.test: unexpected"], "a mailbox that the database does not know");
}

/// A newer version may add columns, tables and a revision; what was there must be as it was.
#[test]
fn across_versions_more_is_allowed_and_other_is_not() {
    let across = |change: fn(&mut Seen)| {
        let (_dir, evidence) = evidence();
        let (mut old, mut new) = (seen(), seen());
        old.checks.push((REVISION.into(), "older".into()));
        new.checks.push((REVISION.into(), "newer".into()));
        change(&mut new);
        store(&evidence, "old", &old);
        store(&evidence, "new", &new);
        let verdict = super::across(&evidence, "old", "new").expect("judged");
        verdict.findings.iter().map(|f| crate::model::essence(&f.item, f.outcome, f.property.as_deref())).collect::<Vec<_>>()
    };
    assert_eq!(across(|_| ()), [""; 0]);
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":1,"quota_bytes":5,"invented":0}"#.into()), [""; 0]);
    assert_eq!(across(|s| s.rows.push(RowSeen { table: "invented".into(), ..row("1", "{}") })), [""; 0]);
    let user = "database main.db, table user, row u1@mail.test";
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":0,"quota_bytes":5}"#.into()), [format!("{user}: altered (enabled)")]);
    assert_eq!(across(|s| s.rows[0].columns = r#"{"enabled":1}"#.into()), [format!("{user}: altered (quota_bytes)")]);
    assert_eq!(across(|s| s.rows.clear()), [format!("{user}: lost")]);
    assert_eq!(across(|s| s.checks[1].1 = "row 3 missing".into()), ["database main.db: altered (integrity_check)"]);
}
