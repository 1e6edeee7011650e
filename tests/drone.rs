//! The pipelines for drone: that drone takes them, and that what it would refuse is refused here. The examples for other CI servers:
//! that they are YAML, and that their commands exist.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use common::drone::{events, pipelines};
use restore_drill::cli::Cli;
use serde_json::Value;

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The examples of docs/ci.md.
fn examples() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(common::root().join("docs/ci")).expect("examples");
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 6, "{files:?}");
    files
}

/// The files for drone.
fn of_drone() -> Vec<PathBuf> {
    let is_drones = |f: &PathBuf| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("drone"));
    [common::root().join(".drone.yml")].into_iter().chain(examples().into_iter().filter(is_drones)).collect()
}

#[test]
fn drone_takes_the_pipelines() {
    for file in of_drone() {
        let pipelines = pipelines(&read(&file)).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let all: Vec<String> = pipelines.iter().flat_map(events).collect();
        assert!(!pipelines.is_empty());
        // Only a build that exists can be promoted.
        let promotes = all.iter().any(|e| e == "promote");
        assert!(!promotes || all.iter().any(|e| e == "pull_request"), "{}: {all:?}", file.display());
    }
    let own = pipelines(&read(&common::root().join(".drone.yml"))).expect("pipelines");
    let of = |event: &str| own.iter().filter(|p| events(p).iter().any(|e| e == event)).count();
    assert_eq!(["push", "pull_request", "promote", "custom", "tag"].map(of), [1, 1, 1, 1, 0]);
}

#[test]
fn what_drone_refuses_is_refused() {
    let good =
        "kind: pipeline\ntype: exec\nname: a\ntrigger:\n  event: [push]\nsteps:\n  - name: x\n    commands:\n      - make\n";
    assert_eq!(pipelines(good).expect("taken").len(), 1);
    assert_eq!(pipelines(&format!("---\n# A comment inside is none of drone's business.\n{good}")).expect("taken").len(), 1);
    let second = good.replace("name: a", "name: b");
    let both = |more: &str| format!("{good}---\n{more}");
    let needs = |of: &str, name: &str| of.replace("type: exec\n", &format!("type: exec\ndepends_on: [{name}]\n"));
    assert_eq!(pipelines(&both(&needs(&second, "a"))).expect("taken").len(), 2);
    for (text, why) in [
        (format!("# A comment before the first document.\n---\n{good}"), "missing kind"),
        (both(""), "missing kind"),
        (String::from("---\n---\n") + good, "missing kind"),
        (good.replace("kind: pipeline\n", ""), "missing kind"),
        (good.replace("kind: pipeline", "kind: pipelines"), "the kind pipelines"),
        (good.replace("type: exec", "type: shell"), "the type \"shell\""),
        (good.replace("type: exec\n", ""), "the type null"),
        (both(good), "duplicate pipeline names"),
        (needs(good, "b"), "unknown pipeline dependency"),
        (format!("{}---\n{second}", needs(good, "b")), "unknown pipeline dependency"),
        (needs(good, "a"), "dependency on itself"),
        (good.replace("[push]", "[pull-request]"), "the event pull-request"),
        (good.replace("[push]", "{include: [comment]}"), "the event comment"),
        (good.replace("name: x", "label: x"), "missing step name"),
        (good.to_owned() + "  - name: x\n    commands: [make]\n", "duplicate step name"),
        (good.replace("name: x\n", "name: x\n    image: debian\n"), "cannot define images"),
        (good.replace("- make", "- make: all"), "no texts"),
        (good.replace("    commands:\n      - make\n", ""), "no texts"),
        (good.replace("name: x\n", "name: x\n    environment:\n      A: {secret: b}\n"), "neither a value nor a secret"),
        (good.split("steps:").next().expect("the beginning").to_owned(), "without steps"),
        (good.replace("  event: [push]", "\tevent: [push]"), "yaml: "),
    ] {
        let said = pipelines(&text).expect_err(&text);
        assert!(said.contains(why), "{said}, but expected {why:?}:\n{text}");
    }
}

/// The commands of a pipeline, whatever the CI server calls them.
fn commands(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("commands" | "script", Value::Array(all)) => {
                        found.extend(all.iter().map(|c| c.as_str().expect("a command").to_owned()));
                    }
                    ("run", Value::String(command)) => found.push(command.clone()),
                    _ => commands(value, found),
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| commands(value, found)),
        _ => {}
    }
}

/// The words of a command; nothing in it needs more of a shell than quotes around a word.
fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

#[test]
fn the_commands_of_the_examples_exist() {
    let page = read(&common::root().join("docs/ci.md"));
    for file in examples() {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(page.contains(&format!("(ci/{name})")), "docs/ci.md does not name {name}");
        let mut found = Vec::new();
        for document in read(&file).split("\n---\n") {
            let parsed: Value = serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{name}: {e}"));
            commands(&parsed, &mut found);
        }
        let mut posts = false;
        for command in &found {
            let words = words(command);
            match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["restore-drill", ..] => {
                    Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("{name}: {command}: {e}"));
                }
                ["git", "fetch", "--tags"] => {}
                _ => panic!("{name}: a command that no test knows: {command}"),
            }
            posts |= words.iter().any(|w| w == "ci") && words.iter().any(|w| w == "--post");
        }
        assert!(posts, "{name} posts no result: {found:?}");
    }
}

/// `.ci/runner`, with the environment of drone's exec runner: nothing but PATH, USER, an empty HOME, and what an operator adds.
fn runner(more: &[(&str, &str)]) -> (bool, String) {
    let home = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(common::root().join(".ci/runner"));
    command.env_clear().env("PATH", std::env::var_os("PATH").expect("a path")).env("HOME", home.path()).env("DRONE", "true");
    let output = command.envs(more.iter().copied()).output().expect("it runs");
    (output.status.success(), common::stderr(&output))
}

#[test]
fn a_runner_says_all_that_it_lacks() {
    let bin = tempfile::tempdir().expect("a directory");
    // As rustup's, which finds no toolchain in an empty home.
    let script = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let file = bin.path().join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("made a program");
    };
    script(
        "cargo",
        "[ -n \"${RUSTUP_HOME:-}\" ] || { echo 'error: rustup could not choose a version of cargo to run' >&2; exit 1; }",
    );
    script("docker", "exit 0");
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").expect("a path"));
    let (is_ready, said) = runner(&[("PATH", &path)]);
    assert!(!is_ready);
    for expected in
        ["rustup could not choose", "RUSTUP_HOME is not set", "RESTORE_DRILL_STATE_DIR is not set", "DRONE_RUNNER_ENVIRON="]
    {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    let state = bin.path().join("state").display().to_string();
    assert_eq!(
        runner(&[("PATH", &path), ("RUSTUP_HOME", "/opt/rust"), ("RESTORE_DRILL_STATE_DIR", &state)]),
        (true, String::new())
    );
    let (is_ready, said) =
        runner(&[("PATH", &path), ("RUSTUP_HOME", "/opt/rust"), ("RESTORE_DRILL_STATE_DIR", "/dev/null/state")]);
    assert!(!is_ready && said.contains("/dev/null/state, cannot be written"), "{said}");
    script("docker", "exit 1");
    let (is_ready, said) = runner(&[("PATH", &path), ("RUSTUP_HOME", "/opt/rust"), ("RESTORE_DRILL_STATE_DIR", &state)]);
    assert!(!is_ready && said.starts_with("runner: the Docker engine does not answer"), "{said}");
    let (is_ready, said) = runner(&[("PATH", "/nonexistent")]);
    assert!(!is_ready, "{said}");
}
