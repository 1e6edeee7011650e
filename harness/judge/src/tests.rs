//! Whole results on tiny literal observations.

use inside::Kind;
use recipe::inventory::{Compared, Inventory};
use recipe::scenario::UserPlaces;

use crate::model::*;
use crate::store::*;
use crate::verdict::SOUND;
use crate::*;

mod across;
mod closed;
mod counted;
mod links;
mod live;
mod mail;
mod secrets;
mod stored;
mod words;

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
    FileSeen { sha256: sha256.into(), size: 1, uid: 1000, gid: 1000, ..FileSeen::of("dkim", path) }
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
    attributes: Vec<FolderAttribute>,
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

fn attribute(folder: &str, property: &str, of: &str, value: &str) -> FolderAttribute {
    FolderAttribute { folder: folder.into(), property: property.into(), of: of.into(), value: value.into() }
}

/// A path whose content is compared elsewhere.
fn path(path: &str) -> FileSeen {
    FileSeen { volume: "mail".into(), mode: 0o700, compared: Compared::Attributes, ..file(path, "") }
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
        attributes: vec![
            attribute("INBOX", "guid", "", "aa"),
            attribute("Archive", "guid", "", "bb"),
            attribute("Archive", "acl", "anyone", "lr"),
            attribute("Archive", "annotation", "/shared/comment", "cc"),
        ],
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
    evidence.put_folder_attributes(o, ACCOUNT, &seen.attributes).expect("stored");
    evidence.put_subscriptions(o, ACCOUNT, &seen.closed).expect("stored");
    evidence.put_trials(name, &seen.trials).expect("stored");
    evidence.complete(o).expect("stored");
    o
}

fn evidence() -> (tempfile::TempDir, Evidence) {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    evidence.set(RunFact::Databases, "main.db").expect("stored");
    evidence.set(RunFact::Checks, "{}").expect("stored");
    let (database, table) = ("main.db".into(), "user".into());
    evidence.set_json(RunFact::Users, &UserPlaces { database, table, mailboxes: Some("mail".into()) }).expect("stored");
    (dir, evidence)
}

/// Judges `seen()` against what `change` makes of it.
fn whole(change: impl FnOnce(&mut Seen)) -> Verdict {
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
    judge(&evidence, RESTORED).expect("judged")
}

/// The same, as the status and the findings without their prose.
fn judged(change: impl FnOnce(&mut Seen)) -> (Status, Vec<String>) {
    let verdict = whole(change);
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
    broken(|s| s.files[0].mtime = 1, &[&format!("{key}: altered (mtime)")]);
    broken(|s| s.files[0].link = "b".into(), &[&format!("{key}: altered (link)")]);
    broken(|s| s.files[0].target = "b".into(), &[&format!("{key}: altered (target)")]);
    broken(|s| s.files[0].device = "8:1".into(), &[&format!("{key}: altered (device)")]);
    broken(|s| s.files[0].kind = Kind::Pipe, &[&format!("{key}: altered (type)")]);
    broken(|s| drop(s.files.remove(0)), &[&format!("{key}: lost")]);
    broken(|s| s.files.push(file("other", "cc")), &["volume dkim, file other: unexpected"]);
    assert_eq!(judged(|s| s.checks.clear()).0, Status::Unknown, "a database that nobody read");
    broken(|s| s.checks = vec![(FILE.into(), ABSENT.into())], &["database main.db: lost"]);
    broken(|s| s.checks = vec![(FILE.into(), "unreadable: torn".into())], &["database main.db: altered (file)"]);
}

/// One by one while they are few; then the highest folder that all of them are in.
#[test]
fn what_is_compared_elsewhere_is_compared_in_its_attributes_and_must_be_there() {
    broken(
        |s| {
            s.files[1].uid = 0;
            s.files[5].mode = 0o755;
        },
        &["volume mail, file u/cur/1: altered (owner)", "volume mail, file v: altered (mode)"],
    );
    broken(|s| (1..5).for_each(|at| s.files[at].uid = 0), &["volume mail, file u: altered (owner)"]);
    broken(|s| (1..6).for_each(|at| s.files[at].mode = 0o777), &["volume mail, file .: altered (mode)"]);
    broken(|s| drop(s.files.remove(1)), &["volume mail, file u/cur/1: lost"]);
    broken(|s| s.files.push(path("w")), &["volume mail, file w: unexpected"]);
    assert_eq!(judged(|s| s.files[1].mtime = 7), (Status::Held, vec![]), "its time is the other probe's");
}

/// A folder that is lost stands for what was in it and is compared elsewhere too.
#[test]
fn a_folder_stands_for_what_is_in_it() {
    let (_dir, evidence) = evidence();
    let folder = FileSeen { kind: Kind::Folder, ..path("w") };
    let before = Seen { files: vec![file("key", "aa"), folder, path("w/1"), path("w/cur/2")], ..seen() };
    store(&evidence, BASELINE, &before);
    store(&evidence, RESTORED, &Seen { files: vec![file("key", "aa")], ..seen() });
    let found: Vec<String> = judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["volume mail, file w: lost: with 2 entries in it"]);
}

#[test]
fn extended_attributes_are_named_and_not_shown() {
    let with = |xattrs: &[(&str, &str)]| {
        let xattrs = xattrs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        FileSeen { xattrs: Some(xattrs), ..file("key", "aa") }
    };
    let (_dir, evidence) = evidence();
    let same = ("user.same", "00");
    let before =
        with(&[("security.capability", "00"), ("system.posix_acl_access", "00"), ("user.a", "00"), ("user.b", "00"), same]);
    let after = with(&[("system.posix_acl_access", "01"), ("user.b", "01"), ("user.c", "00"), same]);
    store(&evidence, BASELINE, &Seen { files: vec![before], ..seen() });
    store(&evidence, RESTORED, &Seen { files: vec![after], ..seen() });
    let found: Vec<String> = judge(&evidence, RESTORED).expect("judged").findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "volume dkim, file key: altered (acl): system.posix_acl_access changed",
            "volume dkim, file key: altered (capability): security.capability is missing",
            "volume dkim, file key: altered (xattr): user.a is missing, user.b changed, user.c was not there before",
        ]
    );
}

/// What an archive of the engine does not carry is unread, and never held.
#[test]
fn what_only_the_reader_sees_is_unread_without_it() {
    let (status, found) = judged(|s| {
        s.files[0].xattrs = None;
        // Whole seconds.
        s.files[0].mtime = 999_999_999;
    });
    let volume = "extended attributes, ACLs and fractions of a second of volume dkim: unread";
    assert_eq!((status, found), (Status::Unknown, vec![volume.to_owned()]));
    let (status, found) = judged(|s| {
        s.files[0].xattrs = None;
        s.files[0].mtime = -1;
    });
    assert_eq!(status, Status::Broken);
    assert_eq!(found, ["volume dkim, file mail.test.dkim.key: altered (mtime)".to_owned(), volume.to_owned()]);
}

#[test]
fn a_file_that_cannot_be_read_is_unknown() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let o = store(&evidence, RESTORED, &seen());
    evidence.put_file_unread(o, "dkim", "other", "Input/output error").expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!(verdict.status, Status::Unknown);
    assert_eq!(verdict.findings[0].to_string(), "volume dkim, file other: unread: Input/output error");
    let o = evidence.completed(BASELINE).expect("read").expect("completed");
    evidence.put_file_unread(o, "dkim", "other", "Input/output error").expect("stored");
    assert_eq!(seeding(&evidence, o).expect("judged")[0].to_string(), "volume dkim, file other: unread: Input/output error");
}

/// A restore may fill the holes of a file: nothing is lost, but the disk may be too small for it.
#[test]
fn holes_that_come_back_full_are_noted() {
    let sparse = |allocated| FileSeen { size: 1 << 30, allocated: Some(allocated), ..file("sparse", "aa") };
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &Seen { files: vec![sparse(4096)], ..seen() });
    store(&evidence, RESTORED, &Seen { files: vec![sparse(1 << 30)], ..seen() });
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!(verdict.status, Status::Held);
    let note = "volume dkim, file sparse: noted (holes): it had holes and came back full: it takes 1048576 KiB of the disk, 4 KiB \
                before, 262144 times as much";
    assert_eq!(verdict.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), [note]);
    // Worth a note are more than twice as much and more than a mebibyte more, of a file that had holes.
    const KIB: u64 = 1 << 10;
    let noted = |size, before, after| {
        let seen = |allocated| Seen { files: vec![FileSeen { size, ..sparse(allocated) }], ..seen() };
        store(&evidence, BASELINE, &seen(before));
        store(&evidence, RESTORED, &seen(after));
        !judge(&evidence, RESTORED).expect("judged").findings.is_empty()
    };
    for (size, before, after, expected) in [
        (1 << 30, 4, 8, false),
        (1 << 30, 300, 1000, false),
        (1 << 30, 256, 1280, false),
        (1 << 30, 256, 1281, true),
        (1 << 30, 4096, 8192, false),
        (1 << 30, 4096, 8193, true),
        (4096 * KIB, 4096, 16384, false),
        (4096 * KIB + 1, 4096, 16384, true),
    ] {
        assert_eq!(noted(size, before * KIB, after * KIB), expected, "{size} {before} {after}");
    }
}

/// What a server names anew each time need not be there; what it has kept must have its attributes.
#[test]
fn names_that_change_need_not_come_back() {
    let own = |path: &str| FileSeen { compared: Compared::Loose, ..file(path, "") };
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &Seen { files: vec![own("base/1"), own("conf")], ..seen() });
    store(&evidence, RESTORED, &Seen { files: vec![own("base/2"), own("conf")], ..seen() });
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Held);
    let open = FileSeen { mode: 0o777, ..own("conf") };
    store(&evidence, RESTORED, &Seen { files: vec![own("base/2"), open], ..seen() });
    let found = judge(&evidence, RESTORED).expect("judged").findings;
    assert_eq!(found[0].to_string(), "volume dkim, file conf: altered (mode): was 0600, is 0777");
}

/// A folder's time tells something only where nothing in it comes and goes.
#[test]
fn times_of_folders() {
    let folder = |mtime| FileSeen { kind: Kind::Folder, mtime, ..file("f", "") };
    let cache = FileSeen { compared: Compared::No, ..file("f/cache", "") };
    let times = |more: &[FileSeen]| {
        let (_dir, evidence) = evidence();
        let files = |mtime| [&[folder(mtime), file("f/a", "aa")], more].concat();
        store(&evidence, BASELINE, &Seen { files: files(1), ..seen() });
        store(&evidence, RESTORED, &Seen { files: files(2), ..seen() });
        essences(&judge(&evidence, RESTORED).expect("judged").findings)
    };
    assert_eq!(times(&[]), ["volume dkim, file f: altered (mtime)".to_owned()].into());
    assert_eq!(times(&[cache]), [].into());
}

/// What lies outside the stack's volumes is in no backup, however well the rest is restored.
#[test]
fn what_lies_outside_is_lost() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen());
    let mount = Outside::Mount { service: "app".into(), path: "/srv".into(), what: "the host's /home".into() };
    let link = Outside::Link { volume: "dkim".into(), path: "x".into(), what: "leads to /srv/x".into() };
    evidence.put_outside(3, &[mount, link]).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!(verdict.status, Status::Broken);
    let expected = ["service app, mount /srv: lost", "volume dkim, file x: lost (target)"];
    assert_eq!(essences(&verdict.findings), expected.map(str::to_owned).into());
    assert!(essences(&audited(&evidence).expect("judged").findings).contains(expected[0]));
}

/// What was in a container's own layer is lost where it is not there again; where nobody looked again, nothing is known.
#[test]
fn what_is_in_no_volume_is_lost() {
    let layers = |paths: &[&str]| Layers::from([("app".to_owned(), paths.iter().map(|&path| path.to_owned()).collect())]);
    let judged = |after: Layers| {
        let (_dir, evidence) = evidence();
        store(&evidence, BASELINE, &seen());
        store(&evidence, RESTORED, &seen());
        let mounts = "[[mount]]\nservice = \"app\"\nmount = \"/srv/thumbs\"\nwhy = \"Made anew.\"";
        evidence.set_json(RunFact::Inventory, &toml::from_str::<Inventory>(mounts).expect("an inventory")).expect("stored");
        let before = layers(&["/app/made", "/srv", "/srv/data", "/srv/data/x", "/srv/thumbs/1", "/tmp/x", "/run/app.pid"]);
        evidence.put_layers(BASELINE, &before).expect("stored");
        evidence.put_layers(RESTORED, &after).expect("stored");
        let verdict = judge(&evidence, RESTORED).expect("judged");
        (verdict.status, essences(&verdict.findings))
    };
    assert_eq!(judged(layers(&["/app/made", "/srv", "/srv/data", "/srv/data/x"])).0, Status::Held);
    assert_eq!(judged(layers(&["/app/made", "/srv"])), (Status::Broken, ["service app, path /srv/data: lost".to_owned()].into()));
    assert_eq!(judged(layers(&["/app/made"])), (Status::Broken, ["service app, path /srv: lost".to_owned()].into()));
    assert_eq!(judged(Layers::new()), (Status::Unknown, ["service app, path *: unread".to_owned()].into()));
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
    let killed = Complaint { cause: Cause::Ended, message: "exit code 137".into() };
    let unread = "observation \"restored\": unread: the run ended before it was complete";
    assert_eq!(found, ["backup: failed (hook): exit code 1", "restore: failed (hook): exit code 1", unread]);
    assert_eq!(verdict.status, Status::Broken);
    store(&evidence, RESTORED, &seen());
    assert_eq!(judge(&evidence, RESTORED).expect("judged").findings.len(), 2);
    // A bot that somebody else killed tells nothing about the backup.
    evidence.clear_complaints().expect("cleared");
    evidence.put_complaints(BotStep::Backup, &[killed]).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!(verdict.findings.iter().map(ToString::to_string).collect::<Vec<_>>(), ["backup: unread (ended): exit code 137"]);
    assert_eq!(verdict.status, Status::Unknown);
}

#[test]
fn an_observation_that_was_not_completed_is_unknown() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    evidence.observation(RESTORED).expect("begun");
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Unknown);
}
