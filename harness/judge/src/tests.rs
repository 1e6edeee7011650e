//! Whole results on tiny literal observations.

use recipe::scenario::UserPlaces;

use crate::model::*;
use crate::store::*;
use crate::verdict::SOUND;
use crate::*;

mod across;
mod live;
mod mail;

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
        item: Some(item.parse().expect("an id")),
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
    closed: Vec<String>,
    trials: Vec<TrialSeen>,
}

fn trial(value: Result<&str, &str>) -> TrialSeen {
    let value = value.map(str::to_owned).map_err(str::to_owned);
    TrialSeen { trial: Trial::new(TrialKind::Mail(Route::Alias), ["a@mail.test"]), expected: "u1 INBOX".into(), value }
}

fn script(name: &str, active: bool, sha256: &str) -> ScriptSeen {
    ScriptSeen { script: name.into(), active, sha256: sha256.into() }
}

fn fact(value: Option<&str>) -> FactSeen {
    FactSeen { fact: "training".into(), value: value.map(str::to_owned) }
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
        closed: vec!["Closed".into()],
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
    evidence.put_subscriptions(o, ACCOUNT, &seen.closed).expect("stored");
    evidence.put_trials(name, &seen.trials).expect("stored");
    evidence.complete(o).expect("stored");
    o
}

fn evidence() -> (tempfile::TempDir, Evidence) {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    evidence.set(RunFact::Databases, "main.db").expect("stored");
    let (database, table) = ("main.db".into(), "user".into());
    evidence.set_json(RunFact::Users, &UserPlaces { database, table, mailboxes: Some("mail".into()) }).expect("stored");
    (dir, evidence)
}

/// Judges `seen()` against what `change` makes of it: the status, and the findings without their prose.
fn judged(change: impl FnOnce(&mut Seen)) -> (Status, Vec<String>) {
    let (_dir, evidence) = evidence();
    let line = |item: &str, expunged| LedgerLine {
        item: item.parse().expect("an id"),
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
fn trials_come_out_as_expected_or_not_or_cannot_be_told() {
    broken(|s| s.trials = vec![trial(Ok("nowhere"))], &["trial: mail to an alias, a@mail.test: altered"]);
    for untold in [vec![], vec![trial(Err("the queue cannot be listed"))]] {
        assert_eq!(
            judged(|s| s.trials = untold),
            (Status::Unknown, vec!["trial: mail to an alias, a@mail.test: unread".to_owned()])
        );
    }
}

#[test]
fn a_trial_that_did_not_work_before_the_backup_shows_nothing() {
    let tried = |value| vec![trial(value)];
    for before in [tried(Ok("nowhere")), tried(Err("no answer"))] {
        for after in [tried(Ok("nowhere")), tried(Ok("u1 INBOX"))] {
            let found = crate::facts::trials(&before, &after);
            assert_eq!((found.len(), found[0].outcome), (1, Outcome::Unread));
            assert!(found[0].detail.starts_with("it did not work before the restore either: "), "{}", found[0].detail);
        }
    }
    assert_eq!(crate::facts::trials(&tried(Ok("u1 INBOX")), &tried(Ok("u1 INBOX"))), []);
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

    broken(|s| s.facts[0] = fact(Some("0 0 0")), &["training: altered"]);
    for gone in [vec![], vec![fact(None)]] {
        assert_eq!(judged(|s| s.facts = gone), (Status::Unknown, vec!["training: unread".to_owned()]));
    }
}

/// What the bot complained of is broken, also where nothing could be restored.
#[test]
fn steps_that_failed() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let complaint = Complaint { cause: Cause::Hook, message: "exit code 1".into() };
    evidence.put_complaints(BotStep::Backup, std::slice::from_ref(&complaint)).expect("stored");
    evidence.put_complaints(BotStep::Restore, &[complaint]).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let found: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
    let unread = "observation \"restored\": unread: the run ended before it was complete";
    assert_eq!(found, ["backup: failed (hook): exit code 1", "restore: failed (hook): exit code 1", unread]);
    assert_eq!(verdict.status, Status::Broken);
    store(&evidence, RESTORED, &seen());
    assert_eq!(judge(&evidence, RESTORED).expect("judged").findings.len(), 2);
}

#[test]
fn an_observation_that_was_not_completed_is_unknown() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    evidence.observation(RESTORED).expect("begun");
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Unknown);
}
