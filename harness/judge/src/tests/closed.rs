//! What could not be read is unknown, and never "nothing was lost".

use recipe::inventory::Class;

use super::*;
use crate::checks::{Performed, performed};
use crate::coverage::{Coverage, Kind, LeftOut, Part};
use crate::ended::Ended;

fn all(verdict: &Verdict) -> Vec<String> {
    verdict.findings.iter().map(ToString::to_string).collect()
}

fn both() -> (tempfile::TempDir, Evidence) {
    let (dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen());
    (dir, evidence)
}

#[test]
fn a_declaration_that_is_not_there_or_cannot_be_read_is_unknown() {
    for (fact, unread) in [
        (RunFact::Checks, true),
        (RunFact::MayBeEmpty, true),
        (RunFact::Ended, true),
        (RunFact::Secrets, true),
        (RunFact::Inventory, true),
        (RunFact::UnlistedVolumes, true),
        // Nobody wrote while the backup ran: the places of users are not asked for.
        (RunFact::Users, false),
    ] {
        let (_dir, evidence) = both();
        evidence.set(fact, "{").expect("stored");
        let verdict = judge(&evidence, RESTORED).expect("judged");
        assert_eq!(verdict.status, if unread { Status::Unknown } else { Status::Held }, "{fact:?}");
        let found = all(&verdict);
        assert_eq!(found.len(), usize::from(unread), "{found:?}");
        assert!(found.iter().all(|f| f.starts_with(&format!("declaration {:?}: unread: ", fact.key()))), "{found:?}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    store(&evidence, BASELINE, &seen());
    store(&evidence, RESTORED, &seen());
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let expected = ["checks", "databases"].map(|name| format!("declaration {name:?}: unread: the run did not store it"));
    assert_eq!((verdict.status, all(&verdict)), (Status::Unknown, expected.to_vec()));
    let (_dir, evidence) = both();
    evidence.set(RunFact::Users, "{").expect("stored");
    evidence.put_live_backup((1, 2)).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!((verdict.status, verdict.findings.len()), (Status::Unknown, 1), "{:?}", all(&verdict));
    assert!(all(&verdict)[0].starts_with("declaration \"users\": unread: "), "{:?}", all(&verdict));
    evidence.set(RunFact::Inventory, "{").expect("stored");
    let found = all(&judge(&evidence, RESTORED).expect("judged"));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("declaration \"inventory\": unread: "), "{found:?}");
}

#[test]
fn a_fact_that_was_empty_proves_nothing_unless_it_may_be() {
    let (_dir, evidence) = evidence();
    let empty = Seen { facts: vec![fact(Some(""))], ..seen() };
    store(&evidence, BASELINE, &empty);
    store(&evidence, RESTORED, &empty);
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let said = "training: unread: it was empty before the backup already, which proves nothing; seed it, or give the reason as \
                may_be_empty";
    assert_eq!((verdict.status, all(&verdict)), (Status::Unknown, vec![said.to_owned()]));
    evidence.set(RunFact::MayBeEmpty, r#"{"training":"nobody has to learn"}"#).expect("stored");
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Held);
    evidence.set(RunFact::MayBeEmpty, r#"{"other":"nobody has to learn"}"#).expect("stored");
    assert_eq!(judge(&evidence, RESTORED).expect("judged").status, Status::Unknown);
    // What became of it is a difference in any case.
    store(&evidence, RESTORED, &seen());
    assert_eq!(all(&judge(&evidence, RESTORED).expect("judged")), ["training: altered: was \"\", is \"1 1 40\""]);
}

#[test]
fn what_was_not_read_before_the_backup_is_unknown() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &Seen { login: Some(Login::Unread("no answer".into())), checks: vec![], ..seen() });
    store(&evidence, RESTORED, &Seen { checks: vec![], ..seen() });
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let expected = [
        "mailbox u1@mail.test: unread: it could not be read before the backup, so that nothing of it was compared: no answer",
        "database main.db: unread (file): it was not read before the backup",
    ];
    assert_eq!((verdict.status, all(&verdict)), (Status::Unknown, expected.map(str::to_owned).to_vec()));
    assert_eq!(verdict.compared.messages, 0);
}

/// The same answer before and after says nothing of what is in it.
#[test]
fn what_could_be_read_neither_before_nor_after_is_unknown() {
    let (_dir, evidence) = evidence();
    let unreadable = || vec![("file".to_owned(), "unreadable: no such role".to_owned())];
    store(&evidence, BASELINE, &Seen { checks: unreadable(), rows: vec![], ..seen() });
    store(&evidence, RESTORED, &Seen { checks: unreadable(), rows: vec![], ..seen() });
    let before = evidence.completed(BASELINE).expect("read").expect("complete");
    evidence.put_redis(before, "db", Some("LOADING")).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let found = all(&verdict);
    for said in
        ["database main.db: unread (file): it could not be read before the backup either: ", "redis db, key *: unread: LOADING"]
    {
        assert!(found.iter().any(|f| f.starts_with(said)), "{found:?}");
    }
    assert_eq!(verdict.status, Status::Unknown);
    let databases = performed(&evidence, RESTORED).expect("counted");
    assert!(!databases.keys().any(|check| check.to_string() == "database main.db"), "{databases:?}");
}

#[test]
fn volumes_that_the_inventory_lacks_are_left_out_in_so_many_words() {
    let (_dir, evidence) = both();
    evidence.set(RunFact::UnlistedVolumes, r#"["uploads"]"#).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!(verdict.coverage.left_out(), ["1 volume left out: not in inventory.toml: uploads"]);
    assert_eq!(audited(&evidence).expect("judged").coverage.left_out(), ["1 volume left out: not in inventory.toml: uploads"]);
}

/// What is lost of a volume that nobody classed makes the verdict unknown, and what a new volume has anew does not.
#[test]
fn a_loss_in_a_volume_that_the_inventory_lacks_is_unknown() {
    let judged = |after: &[FileSeen]| {
        let (_dir, evidence) = evidence();
        let of = |path: &str| FileSeen { volume: "uploads".into(), ..file(path, "aa") };
        let with = |more: &[FileSeen]| Seen { files: [seen().files, more.to_vec()].concat(), ..seen() };
        store(&evidence, BASELINE, &with(&[of("."), of("a")]));
        store(&evidence, RESTORED, &with(after));
        evidence.set(RunFact::UnlistedVolumes, r#"["uploads"]"#).expect("stored");
        let verdict = judge(&evidence, RESTORED).expect("judged");
        assert_eq!(verdict.compared.files, 1, "only what somebody classed counts");
        (verdict.status, essences(&verdict.findings))
    };
    let of = |path: &str, hash: &str, mtime| FileSeen { volume: "uploads".into(), mtime, ..file(path, hash) };
    assert_eq!(judged(&[of(".", "aa", 7), of("a", "aa", 7)]), (Status::Held, [].into()));
    let unknown = |what: &str| (Status::Unknown, [what.to_owned()].into());
    assert_eq!(judged(&[of(".", "aa", 0)]), unknown("volume uploads, file a: unread"));
    assert_eq!(judged(&[of(".", "aa", 0), of("a", "bb", 0)]), unknown("volume uploads, file a: unread (bytes)"));
}

#[test]
fn a_run_that_ended_early_proves_nothing_and_says_why() {
    let (_dir, evidence) = evidence();
    store(&evidence, BASELINE, &seen());
    let ended = Ended { phase: "wipe".into(), why: "volume mail still has file a".into(), restored: false };
    ended.store(&evidence).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let said = "observation \"restored\": unread: the run ended in phase wipe: volume mail still has file a; nothing was restored, so \
                nothing is proven";
    assert_eq!((verdict.status, all(&verdict)), (Status::Unknown, vec![said.to_owned()]));
    assert_eq!((verdict.compared, verdict.coverage), (Counts::default(), Coverage::default()));
    assert_eq!(performed(&evidence, RESTORED).expect("counted"), Performed::new());
    // It ended after the observation: what was lost stands, and nothing is proven.
    store(&evidence, RESTORED, &Seen { rows: vec![], ..seen() });
    Ended { phase: "try".into(), why: "no answer".into(), restored: true }.store(&evidence).expect("stored");
    let verdict = judge(&evidence, RESTORED).expect("judged");
    let expected = [
        "database main.db, table user, row u1@mail.test: lost",
        "run: unread: the run ended in phase try: no answer; so nothing is proven",
    ];
    assert_eq!((verdict.status, all(&verdict)), (Status::Broken, expected.map(str::to_owned).to_vec()));
    assert_eq!((verdict.compared, verdict.coverage), (Counts::default(), Coverage::default()));
    assert_eq!(performed(&evidence, RESTORED).expect("counted"), Performed::new());
}

fn audited_files(evidence: &Evidence, side: Side, paths: &[&str]) {
    let file = |path: &&str| AuditFile {
        path: (*path).into(),
        class: recipe::inventory::Class::Durable,
        dump: None,
        size: Some(1),
        sha256: Some("aa".into()),
    };
    evidence.put_audit_files(side, "dkim", &paths.iter().map(file).collect::<Vec<_>>()).expect("stored");
}

/// An audit that was not completed is unknown, keeps what it did find, and proves no snapshot.
#[test]
fn an_audit_that_was_not_completed() {
    let (_dir, evidence) = both();
    audited_files(&evidence, Side::Live, &["mail.test.dkim.key", "b"]);
    audited_files(&evidence, Side::Snapshot, &["mail.test.dkim.key"]);
    evidence.put_complaints(BotStep::Audit, &[Complaint { cause: Cause::Other, message: "no list".into() }]).expect("stored");
    let snapshots = || -> Vec<String> {
        let all = performed(&evidence, RESTORED).expect("counted");
        all.keys().map(ToString::to_string).filter(|name| name.starts_with("snapshot")).collect()
    };
    let unread = "audit: unread (other): no list";
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!((verdict.status, all(&verdict)), (Status::Unknown, vec![unread.to_owned()]));
    assert_eq!(crate::audited(&evidence).expect("judged").status, Status::Unknown);
    assert_eq!(snapshots(), [""; 0]);
    // All names are known: what is missing is missing.
    evidence.set(RunFact::Listed, "1a2b3c4d").expect("stored");
    let missing = "snapshot, volume dkim, path b: lost: 1 file, 1 byte: the live volume has this, the snapshot does not, and no restore \
                   can bring it back";
    let verdict = judge(&evidence, RESTORED).expect("judged");
    assert_eq!((verdict.status, all(&verdict)), (Status::Broken, vec![missing.to_owned(), unread.to_owned()]));
    assert_eq!(all(&crate::audited(&evidence).expect("judged")), [missing, unread]);
    assert_eq!(snapshots(), [""; 0]);
    evidence.set(RunFact::Audit, "1a2b3c4d").expect("stored");
    assert_eq!(snapshots(), ["snapshot of dkim"]);
    evidence.clear_audit().expect("cleared");
    assert_eq!([RunFact::Audit, RunFact::Listed].map(|fact| evidence.get(fact).expect("read")), [None, None]);
}

/// Nothing was audited, and nobody says why.
#[test]
fn an_audit_that_never_was() {
    let (_dir, evidence) = evidence();
    let verdict = crate::audited(&evidence).expect("judged");
    assert_eq!(
        (verdict.status, all(&verdict)),
        (Status::Unknown, vec!["audit: unread: the audit ended before it was complete".into()])
    );
}

#[test]
fn the_verdict_says_how_much_of_what_there_is_was_compared() {
    let (_dir, evidence) = evidence();
    let other = |path: &str, class, compared| FileSeen { class, compared, ..file(path, "cc") };
    let mut with_others = seen();
    with_others.files.extend([
        other("dump", Class::Durable, Compared::No),
        other("cache/1", Class::Cache, Compared::No),
        other("cache/2", Class::Cache, Compared::No),
        other("draft", Class::Valuable, Compared::Whole),
    ]);
    let (before, after) = (store(&evidence, BASELINE, &with_others), store(&evidence, RESTORED, &with_others));
    let inventory = "[[volume]]\nname = \"dkim\"\nservice = \"a\"\nmount = \"/dkim\"\nclass = \"durable\"\nwhy = \"Keys.\"\n\
                     [[volume.path]]\npath = \"cache/*\"\nclass = \"cache\"\nwhy = \"Made again.\"\n";
    let inventory: recipe::inventory::Inventory = toml::from_str(inventory).expect("an inventory");
    evidence.set_json(RunFact::Inventory, &inventory).expect("stored");
    let part = |kind, compared, total| Part { kind, compared, total, left_out: vec![] };
    let coverage = || judge(&evidence, RESTORED).expect("judged").coverage;
    let held = [
        Part {
            left_out: vec![LeftOut {
                count: 1,
                why: "volume dkim: dumps that hooks write; what is in them is compared where it came from".into(),
            }],
            ..part(Kind::DurableFiles, 6, 7)
        },
        part(Kind::ValuableFiles, 1, 1),
        Part {
            left_out: vec![LeftOut { count: 2, why: "volume dkim, cache: Made again.".into() }],
            ..part(Kind::OtherFiles, 0, 2)
        },
        part(Kind::Tables, 1, 1),
        part(Kind::Folders, 2, 2),
        part(Kind::Messages, 3, 3),
        part(Kind::Scripts, 2, 2),
        part(Kind::Facts, 1, 1),
        part(Kind::Trials, 1, 1),
    ];
    assert_eq!(coverage(), Coverage(held.to_vec()));
    // Each is one that could not be read, or a folder of such.
    for (o, path, compared) in [(before, "mail.test.dkim.key", 5), (after, "v", 4), (after, "u", 0), (before, ".", 0)] {
        let volume = if path.contains("dkim") { "dkim" } else { "mail" };
        evidence.put_file_unread(o, volume, path, "no answer").expect("stored");
        assert_eq!(coverage().0[0].compared, compared, "{path}");
    }
    evidence.set(RunFact::Inventory, "{").expect("stored");
    store(&evidence, BASELINE, &seen());
    let after = Seen {
        login: Some(Login::Refused("no such user".into())),
        scripts: Err("no login".into()),
        facts: vec![fact(None)],
        trials: vec![trial(Err("no answer"))],
        ..seen()
    };
    store(&evidence, RESTORED, &after);
    let said =
        "6 of 6 durable files, 1 of 1 table, 0 of 2 folders, 0 of 3 messages, 0 of 2 sieve scripts, 0 of 1 fact, 0 of 1 trial";
    assert_eq!(coverage().to_string(), said);
    // A table without rows is one too; of a database that cannot be read again, none is compared.
    let before = store(&evidence, BASELINE, &seen());
    let table = |name: &str| TableSeen { table: name.into(), ..TableSeen::default() };
    for name in ["user", "empty"] {
        evidence.put_table(before, "main.db", &table(name)).expect("stored");
    }
    let tables = |checks: &[(&str, &str)]| {
        let checks = checks.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        store(&evidence, RESTORED, &Seen { checks, ..seen() });
        coverage().0.iter().find(|part| part.kind == Kind::Tables).map(ToString::to_string)
    };
    assert_eq!(tables(&SOUND).as_deref(), Some("2 of 2 tables"));
    assert_eq!(tables(&[("file", "unreadable: no answer")]).as_deref(), Some("0 of 2 tables"));
    assert_eq!(tables(&[]).as_deref(), Some("0 of 2 tables"));
    evidence.try_nothing(RESTORED).expect("stored");
    assert_eq!(coverage().0.last().map(|part| part.kind), Some(Kind::Facts));
}
