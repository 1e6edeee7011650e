//! The commands of `.drone.yml`, as drone's exec runner runs them: one shell script a step, which ends at the first error.

mod common;

use std::process::{Command, Output};

use restore_drill::report::model::Report;

use common::{root, stderr};

/// The commands of a pipeline.
fn commands(pipeline: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(".drone.yml")).expect("pipelines");
    let document = text.split("\n---\n").find(|d| d.contains(&format!("\nname: {pipeline}\n"))).expect("the pipeline");
    let lines = document.lines().skip_while(|l| l.trim() != "commands:").skip(1);
    let commands: Vec<String> = lines.map_while(|l| l.trim().strip_prefix("- ")).map(str::to_owned).collect();
    assert!(!commands.is_empty(), "{document}");
    commands
}

fn git(arguments: &[&str]) -> String {
    let output = Command::new("git").current_dir(root()).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn run(commands: &[String]) -> Output {
    let script: String = commands.iter().map(|c| format!("echo + '{c}'\n{c}\n")).collect();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-e", "-c", &script]).current_dir(root()).env("NO_COLOR", "1").env("RESTORE_DRILL_PROFILE", "tiny");
    for (name, value) in [
        ("DRONE", "true"),
        ("DRONE_BUILD_NUMBER", "7"),
        ("DRONE_BUILD_LINK", "https://drone.example.org/coop/mailu/7"),
        ("DRONE_COMMIT_SHA", &git(&["rev-parse", "HEAD"])),
    ] {
        shell.env(name, value);
    }
    shell.output().expect("a shell runs")
}

#[test]
fn testme_climbs_and_keeps_its_results() {
    let out = root().join("restore-drill-results");
    let _ = std::fs::remove_dir_all(&out);
    let commands = commands("testme");
    // What the first makes is there, as it runs this test; made anew amid other tests, it would be another program for them.
    assert_eq!(commands[0], "make setup build");
    let output = run(&commands[1..]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for expected in ["\n+ deploy\n", "\n+ restore\n", "level 5 of 5"] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    let results = std::fs::read_to_string(out.join("results.json")).expect("results");
    let results: serde_json::Value = serde_json::from_str(&results).expect("JSON");
    assert_eq!((&results["exit_code"], &results["verdict"], &results["level"]), (&0.into(), &"held".into(), &5.into()));
    assert_eq!(results["build"]["drone_build_link"], "https://drone.example.org/coop/mailu/7");
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

/// What a checkout brings along, besides the recipe, is under test and decides nothing.
#[test]
fn scenarios_and_config_of_a_checkout_are_not_taken() {
    let checkout = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(checkout.path().join("scenarios")).expect("made");
    std::fs::write(checkout.path().join("restore-drill.toml"), "no such option = 1\n").expect("written");
    let said = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_restore-drill");
        let output = Command::new(program).args(arguments).current_dir(checkout.path()).output().expect("it runs");
        (output.status.code(), stderr(&output))
    };
    let (code, text) = said(&["ci"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("`ci` does not use the ones in this directory. Name a folder with --scenarios"), "{text}");
    let (_, text) = said(&["list"]);
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
