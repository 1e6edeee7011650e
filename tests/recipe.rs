//! A recipe as it is published, drilled without a change: `recipes/radicale` beside this file.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use clap::Parser as _;
use engine::Engine;
use judge::model::Status;
use restore_drill::cli::{Cli, Command as Subcommand};
use restore_drill::drill::{self, Drill};
use restore_drill::exit_code;

use common::{assert_nothing_left, guarded, restore_drill, scenarios, stderr};

fn folder() -> PathBuf {
    common::root().join("tests/recipes/radicale")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

/// What an operator has of a deployment, with names of production in it.
fn operators_file(dir: &Path, image: &str) -> PathBuf {
    let file = dir.join("calendar.coop.example.org.env");
    let text = format!(
        "TYPE=radicale:1.0.0+3.1.8.0\nSTACK_NAME=calendar_coop_example_org\nDOMAIN=calendar.coop.example.org\n\
         COMPOSE_FILE=\"compose.yml\"\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.monitor.yml\"\nMONITOR_IMAGE={image} # built here\n\
         REALM='Our calendars'\nSECRET_INSTANCE_TOKEN_VERSION=v7 # charset=hex length=40\n"
    );
    std::fs::write(&file, text).expect("written");
    file
}

/// Health check, template, secret, scripts and overlay work as they do for an operator, and nothing of production's names is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_published_recipe_holds_as_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = operators_file(dir.path(), &common::standin("radicale", "app").await);
    let (root, recipe, evidence) = (scenarios(), folder(), dir.path().join("run"));
    let arguments =
        ["restore-drill", "run", path(&recipe), "--env-file", path(&file), "--profile", "tiny", "--evidence", path(&evidence)];
    let Subcommand::Run(args) = Cli::parse_from(arguments).command else { panic!("not run") };
    let options = args.options(root).expect("options");
    let play = |drill: Arc<Drill>| async move {
        let verdict = drill::play(&drill, None).await?;
        let engine = Engine::connect().await?;
        let script = "cat /etc/radicale/config; echo DOMAIN=$DOMAIN; stat -c mode=%a /backup.sh";
        let app = engine.exec(&drill.app.stack.service("app"), &["sh", "-ec", script], &[], None).await?.ok("the app")?;
        let monitor = engine.exec(&drill.app.stack.service("monitor"), &["sh", "-c", "echo $TARGET"], &[], None).await?;
        let target = format!("http://{}_app:5232\n", drill.app.stack.name);
        assert_eq!(monitor.stdout, target, "the monitor looks at the run's app");
        Ok((drill.app.owned.run().to_owned(), verdict, app.stdout))
    };
    let ((run, verdict, app), stored) = guarded(options, play).await.expect("a drill");
    assert_nothing_left(&run).await;
    assert_eq!(verdict.status, Status::Held, "{:#?}", verdict.findings);
    for line in ["realm = Our calendars of radicale.example.com", "DOMAIN=radicale.example.com", "mode=555"] {
        assert!(app.lines().any(|l| l == line), "{line} is not in {app}");
    }
    assert!(!app.contains("coop"), "{app}");
    let left_out = verdict.coverage.left_out();
    assert!(left_out.contains(&"1 volume left out: not in inventory.toml: monitor_state".to_owned()), "{left_out:?}");
    let secrets = judge::secrets::Secrets::read(&stored).expect("read").expect("stored");
    assert!(secrets.renewed.contains("instance_token"), "{secrets:?}");
    let events = std::fs::read_to_string(evidence.join("events.jsonl")).expect("events");
    for said in ["Not known to the inventory, and deployed: monitor.", "Not known to the inventory: the volumes monitor_state."] {
        assert!(events.contains(said), "{said} is not in {events}");
    }
    assert!(events.contains("secret instance_token is the run's own"), "{events}");
    drop(stored);
}

/// A label that leaves data out is found in such a recipe too, and the report says how to do it again.
#[test]
fn a_fault_in_a_published_recipe_is_caught() {
    let dir = tempfile::tempdir().expect("a directory");
    let (recipe, evidence) = (dir.path().join("radicale"), dir.path().join("run"));
    copy(&folder(), &recipe);
    edit(
        &recipe.join("compose.yml"),
        "pre-hook=/backup.sh\"",
        "pre-hook=/backup.sh\"\n        - \"backupbot.backup.volumes.data.path=users\"",
    );
    let output = restore_drill(&["run", path(&recipe), "--profile", "tiny", "--evidence", path(&evidence)]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::BROKEN.into()), "{said}");
    assert!(said.contains("volume data, file collections/collection-root/"), "{said}");
    assert!(
        said.contains(&format!("restore-drill run radicale --profile tiny --seed 1 --recipe {}", recipe.display())),
        "{said}"
    );
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-R").arg(from).arg(to).status().expect("cp runs").success());
}

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).expect("written");
}

/// Without an engine: nothing of a recipe that is wrong waits for one.
fn refused(arguments: &[&str]) -> String {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(arguments)
        .args(["--scenarios", path(&scenarios())])
        .env("DOCKER_HOST", "unix:///nonexistent.sock")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", stderr(&output));
    stderr(&output)
}

/// The label that switches backup on is written with a variable.
#[test]
fn faults_are_made_of_the_labels_of_a_published_recipe() {
    let list = |what: &str| {
        let output = restore_drill(&["fault", "--list", what]);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let published = list(path(&folder()));
    let own = list("radicale");
    assert!(own.lines().count() > 20, "{own}");
    let missing: Vec<&str> = own.lines().filter(|line| !published.lines().any(|l| l == *line)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn everything_that_is_wrong_with_a_recipe_is_said_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let recipe = dir.path().join("radicale");
    copy(&folder(), &recipe);
    let compose = recipe.join("compose.yml");
    edit(&recipe.join(".env.sample"), "COMPOSE_FILE=\"compose.yml\"", "COMPOSE_FILE=\"compose.yml:compose.gone.yml\"");
    edit(&recipe.join("abra.sh"), "export ENTRYPOINT_VERSION=v1\n", "");
    edit(&compose, "file: backup.sh", "file: ../../backup.sh");
    edit(&compose, "    secrets:\n", "    privileged: true\n    secrets:\n");
    let said = refused(&["run", path(&recipe)]);
    for part in [
        ".env.sample:12: cannot read compose.gone.yml: ",
        "compose.yml:15: app: privileged is not allowed in a drill",
        "4 problems",
        "${ENTRYPOINT_VERSION} has no value and no default",
        "config backup: file \"../../backup.sh\" cannot be used",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    edit(&recipe.join(".env.sample"), ":compose.gone.yml", "");
    edit(&compose, "      - instance_token\n", "      - instance_token\n      - other_token\n");
    let said = refused(&["run", "radicale", "--recipe", path(&recipe)]);
    assert!(said.contains("compose.yml:18: app: secret \"other_token\" is not declared"), "{said}");
    assert!(said.contains("4 problems"), "{said}");
}

#[test]
fn a_folder_that_no_scenario_describes_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let (recipe, empty) = (dir.path().join("wiki"), dir.path().join("empty"));
    copy(&folder(), &recipe);
    std::fs::create_dir(&empty).expect("made");
    edit(&recipe.join(".env.sample"), "TYPE=radicale", "TYPE=wiki");
    let said = refused(&["run", path(&recipe)]);
    for part in [
        "no scenario says how to fill and compare the app of this recipe, \"wiki\"",
        "davical, mailu, radicale",
        "--recipe",
        "restore-drill new wiki",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(refused(&["run", path(&empty)]).contains("no compose file; expected compose.yml"));
    assert!(refused(&["run", path(&folder()), "--recipe", path(&recipe)]).contains("the folder is a recipe already"));
    assert!(refused(&["labels", "lint", path(&empty)]).contains("no compose file; expected compose.yml"));
}
