//! The commands of `.drone.yml`, as drone's exec runner runs them: one shell script a step, which ends at the first error.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use restore_drill::report::model::Report;

use common::forge::{Forge, TOKEN};
use common::{root, stderr};

/// The commands of a pipeline.
fn commands(pipeline: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".drone.yml")).expect("pipelines");
    let all = common::drone::pipelines(&text).expect("drone takes them");
    let pipeline = all.iter().find(|p| p["name"] == pipeline).expect("the pipeline");
    let commands = pipeline["steps"][0]["commands"].as_array().expect("commands");
    commands.iter().map(|c| c.as_str().expect("a command").to_owned()).collect()
}

fn git(arguments: &[&str]) -> String {
    common::git(&root(), arguments)
}

/// Where this test's drills find each other, and where the pipelines write their results.
fn state() -> PathBuf {
    root().join("target/state-pipeline")
}

/// Runs the commands of a step that climbs, in a build with this number. Gives its output and the directory of its results.
fn run(pipeline: &str, number: &str, variables: &[(&str, &str)]) -> (Output, PathBuf) {
    let out = state().join("results").join(number);
    let _ = std::fs::remove_dir_all(&out);
    let commands = commands(pipeline);
    // What the second makes is there, as it runs this test; made anew during other tests, it would be another program for them.
    assert_eq!(commands[..2], [".ci/runner", "make setup build"]);
    let climbing = [&commands[..1], &commands[2..]].concat();
    let script: String = climbing.iter().map(|c| format!("echo + '{c}'\n{c}\n")).collect();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-e", "-c", &script]).current_dir(root()).env("NO_COLOR", "1").env("RESTORE_DRILL_PROFILE", "tiny");
    for (name, value) in [
        ("DRONE", "true"),
        ("DRONE_BUILD_NUMBER", number),
        ("DRONE_BUILD_LINK", "https://drone.example.org/coop/drill/7"),
        ("DRONE_COMMIT_SHA", &git(&["rev-parse", "HEAD"])),
        ("RESTORE_DRILL_STATE_DIR", &state().display().to_string()),
        ("NO_PROXY", "127.0.0.1"),
    ] {
        shell.env(name, value);
    }
    (shell.envs(variables.iter().copied()).output().expect("a shell runs"), out)
}

fn results(out: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(out.join("results.json")).expect("results")).expect("JSON")
}

#[test]
fn testme_climbs_and_keeps_its_results() {
    let (output, out) = run("testme", "7", &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for expected in ["\n+ deploy\n", "\n+ restore\n", "level 5 of 5"] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    let results = results(&out);
    assert_eq!((&results["exit_code"], &results["verdict"], &results["level"]), (&0.into(), &"held".into(), &5.into()));
    assert_eq!(results["build"]["drone_build_link"], "https://drone.example.org/coop/drill/7");
    assert_eq!((&results["build"]["server"], &results["build"]["number"]), (&"drone".into(), &"7".into()));
    for file in results["files"].as_array().expect("names") {
        assert!(out.join(file.as_str().expect("a name")).is_file(), "{file}");
    }
    let report = Report::load(&out.join("report.json")).expect("a report");
    assert!(report.ladder.is_some_and(|l| l.under_test.commit.as_deref() == Some(&git(&["rev-parse", "HEAD"]))));
    let comment = std::fs::read_to_string(out.join("report.md")).expect("a comment");
    assert!(comment.contains(": level 5 of 5\n") && comment.contains("\nTo reproduce: `restore-drill ladder "), "{comment}");
    common::valid_junit(&out.join("junit.xml")).expect("as its schema says");
    let junit = std::fs::read_to_string(out.join("junit.xml")).expect("JUnit");
    let junit = quick_junit::Report::deserialize_from_str(&junit).expect("JUnit that can be read");
    assert!(junit.tests > 50 && junit.failures + junit.errors == 0);
    std::fs::remove_dir_all(out).expect("removed");
}

/// A recipe in a repository of its own with two versions. The second one is the newest commit of pull request 7, and in no branch.
fn recipe(dir: &Path) -> String {
    let git = |arguments: &[&str]| common::git(dir, arguments);
    let text = std::fs::read_to_string(root().join("scenarios/radicale/compose.yml")).expect("a recipe");
    assert!(text.contains("version=1.0.0+3.1.8.0"), "the recipe has another version");
    git(&["init", "-q", "-b", "main"]);
    for (version, place) in [("1.0.0", "main"), ("1.1.0", "refs/pull/7/head")] {
        std::fs::write(dir.join(".env.sample"), "DOMAIN=radicale.example.org\n").expect("written");
        std::fs::write(dir.join("compose.yml"), text.replace("version=1.0.0", &format!("version={version}"))).expect("written");
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", version]);
        match place {
            "main" => git(&["tag", "1.0.0+3.1.8.0"]),
            pull => git(&["update-ref", pull, "HEAD"]),
        };
    }
    let newest = git(&["rev-parse", "HEAD"]);
    git(&["reset", "-q", "--hard", "1.0.0+3.1.8.0"]);
    newest
}

/// A build of this repository with parameters tests another one, and posts the result there.
#[test]
fn a_recipe_that_the_parameters_name_is_cloned_and_gets_the_result() {
    let (forge, dir) = (Forge::start(), tempfile::tempdir().expect("a directory"));
    let folder = dir.path().join("radicale");
    std::fs::create_dir(&folder).expect("made");
    let commit = recipe(&folder);
    let (url, to) = (format!("file://{}", folder.display()), forge.repository());
    let parameters =
        [("RECIPE", url.as_str()), ("REF", ""), ("PR", "7"), ("GITEA_TOKEN", TOKEN), ("RESTORE_DRILL_POST_TO", to.as_str())];
    let (output, out) = run("recipe", "8", &parameters);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    let results = results(&out);
    assert_eq!((output.status.code(), &results["level"]), (Some(0), &5.into()), "{said}");
    assert_eq!((&results["recipe"]["name"], &results["recipe"]["commit"]), (&"radicale".into(), &commit.as_str().into()));
    assert_eq!(results["build"]["commit"], git(&["rev-parse", "HEAD"]), "the build's own commit is the one of this repository");
    let state = forge.state();
    let posted: Vec<_> = state.statuses.iter().map(|(commit, sent)| (commit.as_str(), sent["state"].as_str())).collect();
    assert_eq!(posted, [(commit.as_str(), Some("pending")), (commit.as_str(), Some("success"))]);
    assert_eq!(state.statuses[1].1["description"], "level 5 of 5");
    assert_eq!(state.comments.len(), 1, "{:?}", state.comments);
    let text = &state.comments[0].2;
    assert!(text.starts_with("<!-- restore-drill: radicale -->\n## radicale `1.1.0+3.1.8.0"), "{text}");
    assert!(text.contains(&format!("To reproduce: `restore-drill ladder {url}@{commit} ")), "{text}");
    assert!(!said.contains(TOKEN) && !text.contains(TOKEN));
    std::fs::remove_dir_all(out).expect("removed");
}

/// What a checkout brings along, besides the recipe, is under test and decides nothing.
#[test]
fn scenarios_and_config_of_a_checkout_are_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    // Its app is one that no scenario of the program describes, and one of the checkout does.
    let checkout = dir.path().join("wiki");
    std::fs::create_dir_all(checkout.join("scenarios/wiki")).expect("made");
    for (file, text) in [
        ("compose.yml", "services:\n  app:\n    image: wiki:1\n"),
        (".env.sample", "TYPE=wiki\n"),
        ("scenarios/wiki/scenario.toml", "no such option = 1\n"),
    ] {
        std::fs::write(checkout.join(file), text).expect("written");
    }
    common::repository(&checkout);
    let said = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_restore-drill");
        let output = Command::new(program).args(arguments).current_dir(&checkout).output().expect("it runs");
        assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
        stderr(&output)
    };
    let text = said(&["ci"]);
    assert!(text.contains("no scenario says how to fill and compare the app of this recipe, \"wiki\""), "{text}");
    assert!(text.contains("davical, mailu, radicale"), "{text}");
    for named in [&["ci", "--scenarios", "scenarios"][..], &["run", "."]] {
        let text = said(named);
        assert!(text.contains("scenarios/wiki/scenario.toml:1"), "who runs it says so, and then it is read: {text}");
    }
    std::fs::write(checkout.join("restore-drill.toml"), "no such option = 1\n").expect("written");
    let text = said(&["ci", "--dirty"]);
    assert!(text.contains("no scenario says") && !text.contains("restore-drill.toml"), "{text}");
    let text = said(&["list"]);
    assert!(text.contains("restore-drill.toml:1: "), "elsewhere it is taken: {text}");
}

/// What ends before a verdict has its exit code, and a comment that says why.
#[test]
fn a_step_that_ends_early_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("results");
    let output = common::restore_drill(&[
        "ci",
        "scenarios/mailu@no-such-tag",
        "--scenarios",
        "scenarios",
        "--out",
        out.to_str().expect("a path"),
    ]);
    assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
    let comment = std::fs::read_to_string(out.join("report.md")).expect("a comment");
    assert!(comment.contains("ended before a verdict") && comment.contains("no-such-tag"), "{comment}");
    let results = std::fs::read_to_string(out.join("results.json")).expect("results");
    assert!(results.contains("\"exit_code\": 64"), "{results}");
}
