//! Scenarios without Rust: what they say is checked, the documented example works, and what they check only gets stronger.
//! `tests/faults.rs` has their faults.

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use recipe::scenario::{Scenario, list};
use restore_drill::drill::{self, Drill};

use common::{restore_drill, scenarios, stderr};

/// The example of docs/scenarios.md is a scenario that holds, and is red under its faults.
#[test]
fn the_documented_example_holds_and_turns_red() {
    let copy = common::copy_of_scenarios();
    let scenarios = copy.path().join("scenarios");
    let folder = scenarios.join("example");
    std::fs::create_dir(&folder).expect("made");
    let images = std::process::Command::new("cp").arg("-R").arg(scenarios.join("radicale/images")).arg(&folder).status();
    assert!(images.expect("cp runs").success());
    let text = std::fs::read_to_string(common::root().join("docs/scenarios.md")).expect("a document");
    for file in ["compose.yml", "scenario.toml", "inventory.toml", "faults.toml"] {
        let block = text.split(&format!("\n`{file}`\n\n```")).nth(1).expect(file);
        let block = block.split_once('\n').and_then(|(_, rest)| rest.split("\n```").next()).expect("a block");
        std::fs::write(folder.join(file), format!("{block}\n")).expect("written");
    }
    let evidence = copy.path().join("faults");
    let (evidence, scenarios) = (evidence.to_str().expect("a path"), scenarios.to_str().expect("a path"));
    let arguments =
        ["--scenarios", scenarios, "fault", "example", "folder-left-out", "--profile", "tiny", "--evidence", evidence];
    let output = restore_drill(&arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("1 of 1 faults caught"), "{text}");
}

/// What a scenario does in a stand-in it must be able to do in the image that this stands for.
#[test]
fn the_stand_ins_lack_what_mailus_images_lack() {
    let output = restore_drill(&["images", "mailu"]);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let has = |service: &str, program: &str| {
        let image = listed.lines().find(|line| line.contains(&format!("/mailu-{service}:"))).expect(service);
        let run = ["run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", "command -v \"$0\"", program];
        std::process::Command::new("docker").args(run).output().expect("docker runs").status.success()
    };
    for (service, program) in
        [("antispam", "rspamc"), ("smtp", "smtp-sink"), ("smtp", "smtp-source"), ("webmail", "setpriv"), ("db", "bash")]
    {
        assert!(!has(service, program), "{service} has {program}");
    }
    for (service, program) in [("antispam", "curl"), ("smtp", "postqueue"), ("webmail", "gpg"), ("db", "redis-cli")] {
        assert!(has(service, program), "{service} has no {program}");
    }
}

/// Rows that cannot be read after the wipe are not gone: whoever made the users made the database readable too, and a fresh
/// deployment has neither.
#[test]
fn a_database_that_cannot_be_read_after_the_wipe_is_unknown() {
    let copy = common::copy_of_scenarios();
    let file = copy.path().join("scenarios/davical/scenario.toml");
    let text = std::fs::read_to_string(&file).expect("a scenario");
    let (read, made) = ("command = [\"psql\", ", "  read -r password\n");
    assert!(text.contains(read) && text.contains(made), "{text}");
    let only_if_made = "command = [\"sh\", \"-c\", \"test -e /tmp/made && exec psql \\\"$@\\\"\", \"psql\", ";
    let text = text.replace(read, only_if_made).replace(made, &format!("{made}  touch /tmp/made\n"));
    std::fs::write(&file, text + "\n[deadlines]\nconverge = 60\n").expect("written");
    let (root, evidence) = (copy.path().join("scenarios"), copy.path().join("run"));
    let (root, evidence) = (root.to_str().expect("a path"), evidence.to_str().expect("a path"));
    let output = restore_drill(&["--scenarios", root, "run", "davical", "--profile", "tiny", "--evidence", evidence]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(restore_drill::exit_code::UNKNOWN.into()), "{said}");
    assert!(said.contains("waiting for database davical: unreadable"), "{said}");
    // The reason is in every file that is made of the run, and nothing is proven.
    let summary = std::fs::read_to_string(copy.path().join("run/summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(summary["ended"]["phase"], "wipe", "{summary:#}");
    assert_eq!(summary["verdict"]["status"], "unknown", "{summary:#}");
    assert_eq!(summary["verdict"]["compared"]["files"], 0, "{summary:#}");
    assert!(restore_drill(&["report", evidence]).status.success());
    for file in ["report.html", "report.json", "report.md", "junit.xml", "events.jsonl"] {
        let text = std::fs::read_to_string(copy.path().join("run").join(file)).expect(file);
        assert!(text.contains("waiting for database davical: unreadable"), "{file}: {text}");
    }
    let report = restore_drill::report::model::Report::load(&copy.path().join("run/report.json")).expect("a report");
    assert!(report.checks.iter().all(|check| check.status != judge::model::Status::Held), "{:#?}", report.checks);
}

/// Nothing reserves a port between its choice and its use.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_somebody_took_is_chosen_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = common::options(dir.path(), "tiny");
    options.scenario = "radicale".into();
    let play = |drill: Arc<Drill>| async move {
        let taken = drill.app.door("http").1;
        let _other = std::net::TcpListener::bind(("0.0.0.0", taken)).expect("free until now");
        let _deployed = drill::deploy(&drill).await?;
        assert_ne!(drill.app.door("http").1, taken);
        Ok(drill.app.owned.run().to_owned())
    };
    let (run, _) = common::guarded(options, play).await.expect("a deployment");
    common::assert_nothing_left(&run).await;
}

/// A stored drill runs again and reaches the same verdict; a recipe that has changed is refused.
#[test]
fn a_stored_run_is_done_again() {
    let copy = common::copy_of_scenarios();
    let scenarios = copy.path().join("scenarios");
    let (first, second) = (copy.path().join("first"), copy.path().join("second"));
    let (root, first, second) =
        (scenarios.to_str().expect("a path"), first.to_str().expect("a path"), second.to_str().expect("a path"));
    let broken = restore_drill(&[
        "--scenarios",
        root,
        "run",
        "radicale",
        "--profile",
        "tiny",
        "--fault",
        "users-left-out",
        "--quiet",
        "--evidence",
        first,
    ]);
    assert_eq!(broken.status.code(), Some(1), "{}", stderr(&broken));
    assert!(!stderr(&broken).contains("deploy"), "not quiet: {}", stderr(&broken));
    let again = restore_drill(&["--scenarios", root, "--log-format", "json", "repro", first, "--evidence", second]);
    let text = String::from_utf8_lossy(&again.stdout).into_owned();
    assert_eq!(again.status.code(), Some(0), "{text}{}", stderr(&again));
    assert!(text.contains("repeats: broken then, broken now"), "{text}");
    let events = stderr(&again);
    let finished = events.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    assert!(finished.filter(|e| e["event"] == "phase-finished").count() > 10, "{events}");
    let compose = scenarios.join("radicale/compose.yml");
    let text = std::fs::read_to_string(&compose).expect("a recipe").replace("1.0.0+", "1.0.1+");
    std::fs::write(&compose, text).expect("written");
    let other = restore_drill(&["--scenarios", root, "repro", first]);
    assert_eq!(other.status.code(), Some(64), "{}", stderr(&other));
    assert!(stderr(&other).contains("has changed since the run"), "{}", stderr(&other));
}

/// Arguments are everybody's to read on a machine: the commands that make users have passwords on their standard input.
#[test]
fn no_password_is_an_argument() {
    for name in list(&scenarios()) {
        let users = Scenario::load(&scenarios(), &name).expect("a scenario").spec.users;
        let users = users.unwrap_or_else(|| panic!("{name} makes no users"));
        assert!(!users.create.iter().any(|word| word.contains("{password}")), "{name}: {:?}", users.create);
        assert!(users.input.is_some_and(|text| text.contains("{password}")), "{name}");
    }
}

/// `checks.txt` beside this file is what every scenario must go on checking.
#[test]
fn no_check_disappears() {
    let committed: BTreeSet<String> = include_str!("checks.txt").lines().map(str::to_owned).collect();
    let mut declared = BTreeSet::new();
    for name in list(&scenarios()) {
        let scenario = Scenario::load(&scenarios(), &name).expect("a scenario");
        declared.extend(scenario.checks.keys().map(|check| format!("{name}: {check}")));
    }
    let gone: Vec<_> = committed.difference(&declared).collect();
    assert!(gone.is_empty(), "checks that were made and are not declared any more: {gone:#?}");
    let new: Vec<_> = declared.difference(&committed).collect();
    assert!(new.is_empty(), "new checks: add them to tests/checks.txt: {new:#?}");
}

#[test]
fn a_scenario_that_says_nonsense_is_refused_with_its_place() {
    for (from, to, expected) in [
        ("service = \"app\"\nport = 80", "service = \"ap\"\nport = 80", "door: no service \"ap\""),
        ("tls = \"none\"", "tls = \"implicit\"", "uses TLS: add [certificate], which says where its certificate goes"),
        ("--command={query}", "--command=x", "needs the service and a command with {query}"),
        ("dialect = \"postgresql\"", "dialect = \"postgres\"", "unknown variant `postgres`"),
        ("dialect = \"postgresql\"", "dialect = \"postgresql\"\nrevision = \"SELECT 1\"", "`revision` is not used any more"),
        ("[users]", "[user]", "unknown field `user`"),
        ("put = \"/caldav.php/{email}/calendar/one.ics\"", "put = \"/{nobody}\"", "unknown placeholder {nobody}; available: "),
        ("format = \"pg_dump\"", "format = \"pgdump\"", "unknown variant `pgdump`"),
    ] {
        let dir = common::copy_of_scenarios();
        let folder = dir.path().join("scenarios/davical");
        let file = ["scenario.toml", "inventory.toml"].map(|f| folder.join(f)).into_iter().find(|f| {
            let text = std::fs::read_to_string(f).expect("a file");
            let found = text.contains(from);
            if found {
                std::fs::write(f, text.replacen(from, to, 1)).expect("written");
            }
            found
        });
        let file = file.unwrap_or_else(|| panic!("{from} is nowhere"));
        let error = Scenario::load(&dir.path().join("scenarios"), "davical").expect_err(expected).to_string();
        assert!(error.contains(expected) && error.contains(file.to_str().expect("a path")), "{error}");
    }
}
