//! Whole reports of small runs, in every form, beside snapshots of them: what a reader sees is reviewed as such.

use std::path::Path;

use judge::ended::Ended;
use judge::model::{BotStep, Cause, Complaint, MessageId, Protocol, Trial, TrialKind};
use judge::store::{
    AlteredSeen, AuditFile, Evidence, FactSeen, FileSeen, FolderSeen, LedgerLine, Login, MessageSeen, ObservationId, RowSeen,
    RunFact, Sent, Side, TrialSeen,
};
use judge::{BASELINE, RESTORED};
use recipe::inventory::Class;
use recipe::rung::Rung;
use restore_drill::ladder::{self, Ladder, RungOutcome, Step, Taken};
use restore_drill::report::model::{self, Report};
use restore_drill::report::terminal::block;
use restore_drill::report::{html, junit, markdown};
use seeds::{Corpus, Profile};

const USER: &str = "u01@mail.test";

/// What an observation of the small run sees.
struct Seen {
    messages: Vec<MessageSeen>,
    folder: FolderSeen,
    rows: Vec<RowSeen>,
    files: Vec<FileSeen>,
    fact: Option<&'static str>,
    trial: &'static str,
}

fn message(n: u8) -> MessageSeen {
    MessageSeen {
        folder: "INBOX".into(),
        uid: n.into(),
        sha256: vec![n; 32],
        body_sha256: vec![n; 32],
        size: 10,
        flags: "\\Seen".into(),
        keywords: String::new(),
        internal_date: 1_700_000_000,
        item: Some(MessageId::Corpus(n.into())),
    }
}

fn file(path: &str) -> FileSeen {
    FileSeen {
        sha256: "aa".repeat(32),
        size: 3,
        uid: 1000,
        gid: 1000,
        mtime: 1_700_000_000_000_000_000,
        ..FileSeen::of("data", path)
    }
}

/// A file that the audit saw.
fn kept(path: &str, class: Class, size: u64) -> AuditFile {
    AuditFile { path: path.into(), class, dump: None, size: Some(size), sha256: Some("aa".repeat(32)) }
}

fn row(key: &str, columns: &str) -> RowSeen {
    RowSeen { database: "app.db".into(), table: "users".into(), key: key.into(), columns: columns.into() }
}

fn before() -> Seen {
    Seen {
        messages: (1..=4).map(message).collect(),
        folder: FolderSeen {
            folder: "INBOX".into(),
            uid_validity: 7,
            uid_next: 5,
            messages: 4,
            subscribed: true,
            modseq: Some(9),
            special_use: String::new(),
        },
        rows: vec![row("1", r#"{"name":"Zoë"}"#), row("2", r#"{"name":"<b>Bo</b>"}"#)],
        files: vec![file("a.txt"), file("b.txt")],
        fact: Some("12 jobs"),
        trial: "let in",
    }
}

fn observed(evidence: &Evidence, name: &str, seen: &Seen) -> ObservationId {
    let o = evidence.observation(name).expect("begun");
    evidence.put_account(o, USER, &Login::Read).expect("stored");
    evidence.put_folder(o, USER, &seen.folder).expect("stored");
    evidence.put_messages(o, USER, &seen.messages).expect("stored");
    evidence.put_rows(o, "app.db", &[("integrity_check".into(), "ok".into())], &seen.rows).expect("stored");
    evidence.put_files(o, &seen.files).expect("stored");
    let fact = FactSeen { fact: "jobs that wait".into(), value: seen.fact.map(str::to_owned) };
    evidence.put_facts(o, &[fact]).expect("stored");
    let trial = TrialSeen {
        trial: Trial::new(TrialKind::Login(Protocol::Pop3), [USER]),
        expected: "let in".into(),
        value: Ok(seen.trial.into()),
    };
    evidence.put_trials(name, &[trial]).expect("stored");
    evidence.complete(o).expect("stored");
    o
}

/// A run of which everything but the observation after the restore is stored.
fn run(dir: &Path) -> Evidence {
    let evidence = Evidence::create(dir).expect("evidence");
    for (fact, value) in [
        (RunFact::Run, "1a2b3c4d"),
        (RunFact::Scenario, "shop"),
        (RunFact::Profile, "smoke"),
        (RunFact::Seed, "1"),
        (RunFact::Images, "stand-in images"),
        (RunFact::Snapshot, "deadbeef"),
        (RunFact::Reproduce, "restore-drill run shop --profile smoke --seed 1"),
        (RunFact::FirstLoginMs, "12345"),
        (RunFact::NewestItemMs, "9000"),
        (RunFact::BytesRead, "4194304"),
        (RunFact::BytesAdded, "1048576"),
        (RunFact::Environment, r#"{"cores": "2", "engine": "28.0"}"#),
        (RunFact::Databases, "app.db"),
        (RunFact::Checks, "{}"),
        (
            RunFact::Secrets,
            r#"{"renewed": [], "kept": [{"name": "SHOP_KEY", "why": "Orders are encrypted with it."}], "attempts": []}"#,
        ),
    ] {
        evidence.set(fact, value).expect("stored");
    }
    let events = [
        r#"{"event":"started","run":"1a2b3c4d","scenario":"shop","profile":"smoke","seed":1,"time":"2026-01-01T00:00:00Z"}"#,
        r#"{"event":"phase-started","phase":"backup","time":"2026-01-01T00:00:01Z"}"#,
        r#"{"event":"phase-finished","phase":"backup","millis":1500,"summary":"snapshot deadbeef","time":"2026-01-01T00:00:02.5Z"}"#,
        r#"{"event":"note","message":"Removed what one killed run left.","time":"2026-01-01T00:00:02.6Z"}"#,
        r#"{"event":"phase-started","phase":"restore","time":"2026-01-01T00:00:03Z"}"#,
        r#"{"event":"phase-finished","phase":"restore","millis":2500,"summary":"done","time":"2026-01-01T00:00:05.5Z"}"#,
    ];
    std::fs::write(dir.join("events.jsonl"), events.join("\n")).expect("written");
    std::fs::write(dir.join("logs/rd_app.log"), "one line\nand <one> more\n").expect("written");
    let all = [
        kept("a.txt", Class::Durable, 3),
        kept("b.txt", Class::Durable, 3),
        kept("thumbnails/1", Class::Cache, 9),
        kept("drafts", Class::Valuable, 5),
    ];
    evidence.put_audit_files(Side::Live, "data", &all).expect("stored");
    evidence.put_audit_files(Side::Snapshot, "data", &all).expect("stored");
    evidence.set(RunFact::Audit, "deadbeef").expect("stored");
    observed(&evidence, BASELINE, &before());
    evidence
}

/// A run that lost some of everything.
fn broken(dir: &Path) -> Evidence {
    let evidence = run(dir);
    evidence.put_audit_files(Side::Live, "data", &[kept("new/c.txt", Class::Durable, 7)]).expect("stored");
    evidence.set(RunFact::Checks, r#"{"messages": 9}"#).expect("stored");
    let mut after = before();
    after.messages.remove(0);
    after.messages[1].flags = "\\Answered".into();
    after.messages[2].sha256 = vec![9; 32];
    after.folder.uid_validity = 8;
    after.rows[0].columns = r#"{"name":"Zoe"}"#.into();
    after.rows.remove(1);
    after.files[0].uid = 0;
    after.files.push(file("odd|name*.txt"));
    (after.fact, after.trial) = (None, "refused");
    let restored = observed(&evidence, RESTORED, &after);
    let submitted = Corpus::new(1, Profile::named("smoke").expect("a profile")).message(4).bytes;
    let bytes = [submitted.as_slice(), b"A line more.\r\n"].concat();
    let (account, folder) = (USER.to_owned(), "INBOX".to_owned());
    let altered = AlteredSeen { account, folder, uid: 4, item: Some(MessageId::Corpus(4)), bytes };
    evidence.put_altered(restored, &altered).expect("stored");
    let complaint = Complaint { cause: Cause::Hook, message: "post-hook of shop_db: exit code 1".into() };
    evidence.put_complaints(BotStep::Restore, &[complaint]).expect("stored");
    evidence
}

/// A run that held.
fn held(dir: &Path) -> Evidence {
    let evidence = run(dir);
    observed(&evidence, RESTORED, &before());
    evidence
}

/// A run that ended before the restored data was looked at.
fn unknown(dir: &Path) -> Evidence {
    let evidence = run(dir);
    let line = LedgerLine {
        item: MessageId::Corpus(1),
        account: USER.into(),
        sent: Sent::Ok,
        reply: "250".into(),
        body_sha256: [1; 32],
        bytes: 10,
        expunged: false,
    };
    evidence.ledger(&[line]).expect("stored");
    evidence.observation(RESTORED).expect("begun");
    let why = "after 180 s still waiting for shop_app".into();
    Ended { phase: "observe".into(), why, restored: true }.store(&evidence).expect("stored");
    evidence
}

/// A ladder whose backup was skipped, in the directory of a run that held.
fn climbed(dir: &Path) {
    let run = dir.join("run");
    drop(held(&run));
    let steps = vec![
        Step::plain(Rung::Install, RungOutcome::Pass, "1.0.0 runs, and took users' data", 4000),
        Step::plain(Rung::Upgrade, RungOutcome::NotApplicable { reason: "there is no earlier tag".into() }, "", 0),
        Step::plain(Rung::BackupRestore, RungOutcome::Skipped { reason: "the recipe has no labels".into() }, "", 0),
        Step::plain(Rung::Functional, RungOutcome::Unknown, "not reached", 0),
        Step::plain(Rung::Lint, RungOutcome::Pass, "no errors, 2 warnings", 12),
    ];
    let ladder = Ladder {
        form: ladder::FORM,
        recipe: "shop".into(),
        under_test: Taken { version: Some("1.0.0+2.0".into()), commit: Some("0123456789abcdef".into()) },
        from: None,
        profile: "smoke".into(),
        seed: 1,
        images: "stand-in images".into(),
        level: ladder::level(&steps),
        steps,
        reproduce: "restore-drill ladder shop --seed 1".into(),
    };
    std::fs::write(dir.join("ladder.json"), serde_json::json!(ladder).to_string()).expect("written");
}

/// The report of a run that is made by `make`, and the directory that it is in.
fn report<T>(make: impl FnOnce(&Path) -> T) -> (tempfile::TempDir, Report) {
    let dir = tempfile::tempdir().expect("a directory");
    drop(make(dir.path()));
    let report = Report::read(dir.path()).expect("a report");
    (dir, report)
}

/// The page without its style and script, which are files of their own.
fn page(dir: &Path, report: &Report) -> String {
    let page = html::page(report, &model::logs(dir)).expect("a page");
    let (style, script) = (include_str!("../harness/src/report/style.css"), include_str!("../harness/src/report/report.js"));
    assert!(page.contains(style) && page.contains(script));
    page.replace(style, "/* style.css */").replace(script, "/* report.js */")
}

fn terminal(evidence: &Evidence) -> String {
    console::set_colors_enabled_stderr(false);
    block(&judge::judge(evidence, RESTORED).expect("a verdict")).join("\n")
}

#[test]
fn a_run_that_broke() {
    let (dir, report) = report(broken);
    insta::assert_snapshot!("broken.md", markdown::text(&report));
    insta::assert_snapshot!("broken.junit.xml", junit::xml(&report).expect("JUnit"));
    insta::assert_snapshot!("broken.json", format!("{:#}", serde_json::json!(report)));
    insta::assert_snapshot!("broken.html", page(dir.path(), &report));
    insta::assert_snapshot!("broken.terminal", terminal(&Evidence::open(dir.path()).expect("evidence")));
    let audit = report.audit.as_ref().expect("an audit");
    insta::assert_snapshot!("broken.audit", audit);
    let read: Report = serde_json::from_value(serde_json::json!(report)).expect("a report");
    assert_eq!(read, report, "JSON is read as it was written");
}

#[test]
fn a_run_that_held() {
    let (dir, report) = report(held);
    insta::assert_snapshot!("held.md", markdown::text(&report));
    insta::assert_snapshot!("held.junit.xml", junit::xml(&report).expect("JUnit"));
    insta::assert_snapshot!("held.terminal", terminal(&Evidence::open(dir.path()).expect("evidence")));
}

/// Nothing is called held that was not compared.
#[test]
fn a_run_that_is_unknown() {
    let (dir, report) = report(unknown);
    insta::assert_snapshot!("unknown.md", markdown::text(&report));
    insta::assert_snapshot!("unknown.junit.xml", junit::xml(&report).expect("JUnit"));
    insta::assert_snapshot!("unknown.terminal", terminal(&Evidence::open(dir.path()).expect("evidence")));
}

#[test]
fn a_ladder() {
    let (dir, report) = report(climbed);
    insta::assert_snapshot!("ladder.md", markdown::text(&report));
    insta::assert_snapshot!("ladder.junit.xml", junit::xml(&report).expect("JUnit"));
    insta::assert_snapshot!("ladder.html", page(dir.path(), &report));
}

#[test]
fn what_is_new_since_an_earlier_run() {
    let (dir, mut now) = report(broken);
    let mut before = now.clone();
    before.run.id = "earlier".into();
    // One that was lost was altered then; another one was not there.
    before.findings[0].property = Some("another".into());
    let added = before.findings.pop().expect("a finding");
    now.since = Some(now.since(&before).expect("the same drill"));
    let since = now.since.as_ref().expect("compared");
    assert_eq!(since.to_string(), "Since run earlier: 2 findings are new, 1 is gone.");
    assert_eq!(since.new, [0, now.findings.len() - 1], "{added}");
    let page = page(dir.path(), &now);
    assert_eq!(page.matches(" class=\"new\"").count(), 2);
    assert!(page.contains("id=\"new\"") && page.contains(&since.to_string()));
    assert!(markdown::text(&now).contains("Since run earlier: 2 findings are new, 1 is gone.\n"));
    let same = now.since(&now).expect("the same drill");
    assert_eq!((same.new.len(), same.gone), (0, 0));
    before.run.seed = "99".into();
    let refused = now.since(&before).expect_err("other data").to_string();
    assert!(refused.contains("seed 99"), "{refused}");
}
