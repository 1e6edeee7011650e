//! `cargo test --test restore`: whole drills of Mailu on real components. Green because the
//! data came back; red, each with exactly its findings, when it did not.

mod common;

use std::sync::Arc;

use judge::model::{Status, Verdict, essences};
use judge::{self, RESTORED};
use restore_drill::drill::{self, Drill};
use restore_drill::fault::{self, Fault, put_back, save};
use restore_drill::{Error, exit_code};

use common::{assert_nothing_left, guarded, options};

/// Faults in what was restored; `tests/faults.rs` injects all of them.
const CONTENT: [&str; 6] =
    ["message-altered", "message-removed", "message-doubled", "flag-dropped", "row-deleted", "quota-changed"];

fn named(name: &str) -> Arc<Fault> {
    fault::named(&common::scenarios(), "mailu", name).expect("a fault of Mailu")
}

/// The fault-free drill holds; on what it restored, each content fault is found, exactly,
/// and once it is undone the same deployment holds again.
#[tokio::test(flavor = "multi_thread")]
async fn a_drill_holds_and_every_content_fault_turns_it_red() {
    let dir = tempfile::tempdir().expect("a directory");
    let play = |drill: Arc<Drill>| async move {
        let deployed = drill::deploy(&drill).await?;
        let provisioned = drill::provision(&drill, deployed).await?;
        let seeded = drill::seed(&drill, provisioned).await?;
        let settled = drill::settle(&drill, seeded).await?;
        let shaped = drill::shape(&drill, settled).await?;
        // A message is left in the queue, which would be compared with nothing else.
        drill::try_before(&drill, &shaped).await?;
        let baseline = drill::baseline(&drill, shaped).await?;
        let backup = drill::backup(&drill, &baseline).await?.expect("a snapshot");
        let audited = drill::audit(&drill, &backup).await?;
        let wiped = drill::wipe(&drill, &baseline, &audited).await?;
        let restored = drill::restore(&drill, wiped, &backup).await?;
        let restarted = drill::restart(&drill, restored).await?;
        // Observing drops the mail server's indexes, and with them HIGHESTMODSEQ.
        save(&drill).await?;
        // What is read is what this test is about; `tests/faults.rs` tries.
        drill.run.evidence.try_nothing(RESTORED)?;
        drill::observe(&drill, &restarted, RESTORED).await?;
        let held = drill::judge(&drill, RESTORED)?;
        assert_held(&held, "the fault-free drill");
        put_back(&drill).await?;

        for fault in CONTENT.map(named) {
            fault.strike(&drill).await?;
            drill.run.evidence.try_nothing(fault.name())?;
            drill::observe(&drill, &restarted, fault.name()).await?;
            let verdict = drill::judge(&drill, fault.name())?;
            assert_eq!(verdict.status, Status::Broken, "{}", fault.name());
            let (found, mut expected) = (essences(&verdict.findings), fault.expected(&drill).await?);
            expected.extend(fault.accompanying(&expected, &found));
            assert_eq!(found, expected, "{}: {:#?}", fault.name(), verdict.findings);

            fault.undo(&drill).await?;
            put_back(&drill).await?;
            let twin = format!("{} undone", fault.name());
            drill.run.evidence.try_nothing(&twin)?;
            drill::observe(&drill, &restarted, &twin).await?;
            assert_held(&drill::judge(&drill, &twin)?, &twin);
            put_back(&drill).await?;
        }
        Ok((drill.app.owned.run().to_owned(), common::secrets(&drill)))
    };
    let ((run, secrets), evidence) = guarded(options(dir.path(), "smoke"), play).await.expect("a drill");
    assert_nothing_left(&run).await;
    common::assert_no_secret(dir.path(), &secrets);

    // The stored run is judged again, without Docker, to the same verdicts.
    drop(evidence);
    let evidence = judge::store::Evidence::open(dir.path()).expect("evidence");
    assert_held(&judge::judge(&evidence, RESTORED).expect("judged"), "judged again");
    for name in CONTENT {
        assert_eq!(judge::judge(&evidence, name).expect("judged").status, Status::Broken, "{name}");
    }
    // What an observation that never was says is: unknown.
    assert_eq!(judge::judge(&evidence, "never made").expect("judged").status, Status::Unknown);
}

fn assert_held(verdict: &Verdict, what: &str) {
    assert_eq!((verdict.status, &verdict.findings[..]), (Status::Held, &[][..]), "{what}: {:#?}", verdict.findings);
    assert!(
        verdict.compared.messages >= 60 && verdict.compared.rows >= 20 && verdict.compared.files >= 8,
        "{}",
        verdict.compared
    );
}

/// What did not hold makes no pull request.
fn assert_no_pr(dir: &std::path::Path) {
    let output = common::restore_drill(&["labels", "pr", dir.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(exit_code::BROKEN.into()));
    assert!(common::stderr(&output).contains("the verdict is broken"), "{}", common::stderr(&output));
}

/// Runs a drill with a fault and gives its findings beside the expected ones.
async fn broken_by(name: &str) {
    let fault = named(name);
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path(), "tiny");
    options.fault = Some(fault.clone());
    let with = fault.clone();
    let play = move |drill: Arc<Drill>| async move {
        let verdict = drill::play(&drill, Some(&*fault)).await?;
        Ok((drill.app.owned.run().to_owned(), verdict, fault.expected(&drill).await?))
    };
    let ((run, verdict, expected), _) = guarded(options, play).await.expect("a drill");
    assert!(!expected.is_empty());
    let (found, mut expected) = (essences(&verdict.findings), expected);
    expected.extend(with.accompanying(&expected, &found));
    assert_eq!(found, expected, "{name}: {:#?}", verdict.findings);
    assert_eq!(verdict.status, Status::Broken);
    assert_nothing_left(&run).await;
    assert_no_pr(dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_restore_is_found() {
    broken_by("restore-skipped").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_mail_volume_is_found() {
    broken_by("mail-excluded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_excluded_dkim_volume_is_found() {
    broken_by("dkim-excluded").await;
}

/// The fault-free twin of the three above, by the program itself: exit code, summary, and `judge`.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_holds_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = dir.path().join("run");
    let evidence = evidence.to_str().expect("a path");
    let output = common::restore_drill(&["run", "mailu", "--profile", "tiny", "--seed", "7", "--evidence", evidence]);
    let said = common::stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "held\n");
    assert!(
        said.contains("HELD: compared") && said.contains("reproduce: restore-drill run mailu --profile tiny --seed 7"),
        "{said}"
    );
    let summary = std::fs::read_to_string(dir.path().join("run/summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["verdict"]["status"], "held");
    assert_eq!(summary["images"], "stand-in images");
    assert_nothing_left(summary["run"].as_str().expect("a run id")).await;
    assert_eq!(common::restore_drill(&["judge", evidence]).status.code(), Some(exit_code::HELD.into()));
    // A name that the evidence does not have is a mistake of the command line, and the names that it has are told.
    let output = common::restore_drill(&["judge", evidence, "--observation", "none"]);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", common::stderr(&output));
    assert!(common::stderr(&output).contains("restored"), "{}", common::stderr(&output));
    // A pull request's text from what was proven; refused where nothing was.
    let output = common::restore_drill(&["labels", "pr", evidence]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", common::stderr(&output));
    for expected in ["| `mail` | durable: ", "- `certs`, regenerated: ", "\"backupbot.backup=true\"", "| differences | none |"] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    // The release note is written into a recipe's folder once, and never over another one.
    let recipe = dir.path().join("recipe");
    std::fs::create_dir(&recipe).expect("made");
    let pr = || common::restore_drill(&["labels", "pr", evidence, "--release", recipe.to_str().expect("a path")]);
    let output = pr();
    assert!(output.status.success(), "{}", common::stderr(&output));
    let note = std::fs::read_to_string(recipe.join("release/3.0.2+2024.06.52")).expect("a release note");
    assert!(note.contains("Backed up: ") && text.contains(&note), "{note}");
    let output = pr();
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()));
    assert!(common::stderr(&output).contains("exists already; nothing was changed"), "{}", common::stderr(&output));
    let reserved =
        |a: &str| [".test", ".example", ".invalid", "example.org"].iter().any(|r| a.trim_end_matches(['.', '|']).ends_with(r));
    assert!(text.split_whitespace().filter(|w| w.contains('@')).all(reserved), "{text}");
    // A directory that holds a run is not written over.
    let output = common::restore_drill(&["run", "mailu", "--evidence", evidence]);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", common::stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_wipe_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(dir.path(), "tiny");
    let fault = named("wipe-skipped");
    options.fault = Some(fault.clone());
    let error = guarded(options, |drill: Arc<Drill>| async move { drill::play(&drill, Some(&*fault)).await })
        .await
        .err()
        .expect("refused");
    let Error::WipeNotProven(left) = &error else { panic!("{error}") };
    assert_eq!(left.len(), 7, "each part of the proof objects: {error}");
    assert_eq!(error.exit_code(), exit_code::UNKNOWN);
    let evidence = judge::store::Evidence::open(dir.path()).expect("evidence");
    let ended = judge::ended::Ended::read(&evidence).expect("read").expect("a reason");
    assert_eq!((ended.phase.as_str(), ended.restored, ended.why), ("wipe", false, error.to_string()));
    let run = evidence.get(judge::store::RunFact::Run).expect("read").expect("a run");
    assert_nothing_left(&run).await;
}
