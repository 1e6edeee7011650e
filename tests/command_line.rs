//! The command line without Docker: what it prints, and that nobody has to read it.

mod common;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use clap::CommandFactory as _;
use judge::store::{Evidence, RunFact};
use restore_drill::cli::Cli;
use restore_drill::exit_code;

use common::{root, stderr};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

/// The end of a pipe whose reader has left.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn ran(command: &mut Command) -> Output {
    command.output().expect("the program runs")
}

/// A run that ended before it saw anything, in `runs/1a2b3c4d` of a folder.
fn a_run(dir: &Path) {
    let evidence = Evidence::create(&dir.join("runs/1a2b3c4d")).expect("evidence");
    for (fact, value) in
        [(RunFact::Run, "1a2b3c4d"), (RunFact::Scenario, "radicale"), (RunFact::Checks, "{}"), (RunFact::Databases, "")]
    {
        evidence.set(fact, value).expect("stored");
    }
}

#[test]
fn a_reader_may_leave_whatever_is_printed() {
    let dir = tempfile::tempdir().expect("a directory");
    a_run(dir.path());
    let runs = dir.path().join("runs");
    let (runs, run) = (runs.to_str().expect("a path"), runs.join("1a2b3c4d"));
    let run = run.to_str().expect("a path");
    let commands: [&[&str]; 20] = [
        &["--help"],
        &["list"],
        &["fault", "--list", "mailu"],
        &["explain"],
        &["explain", "uidvalidity"],
        &["labels", "explain"],
        &["labels", "explain", "BB001"],
        &["labels", "lint", "scenarios/radicale"],
        &["labels", "lint", "scenarios/radicale", "--format", "json"],
        &["labels", "lint", "scenarios/radicale", "--base", "tests"],
        &["labels", "suggest", "scenarios/radicale"],
        &["schema", "scenario"],
        &["completions", "bash"],
        &["man"],
        &["config"],
        &["history", runs],
        &["history", runs, "--json"],
        &["judge", run],
        &["judge", run, "--json"],
        &["report", run],
    ];
    for arguments in commands {
        let read = ran(&mut program(arguments));
        let left = ran(program(arguments).stdout(unread()));
        assert_eq!((left.status, stderr(&left)), (read.status, stderr(&read)), "{arguments:?}");
        let alone = ran(program(arguments).stdout(unread()).stderr(unread()));
        assert_eq!(alone.status, read.status, "{arguments:?}, with nobody to read errors");
    }
}

#[test]
fn an_error_that_nobody_reads_keeps_its_exit_code() {
    let nowhere = ["run", "radicale", "--evidence", "/nonexistent/run"];
    for (arguments, code) in [(&["explain", "no-such-finding"][..], exit_code::USAGE), (&nowhere, exit_code::ENGINE)] {
        let output = ran(program(arguments).env("DOCKER_HOST", "tcp://127.0.0.1:1").stdout(unread()).stderr(unread()));
        assert_eq!(output.status.code(), Some(code.into()), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_written_is_no_success() {
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = ran(program(&["list"]).stdout(full));
    assert_eq!(output.status.code(), Some(exit_code::UNKNOWN.into()));
    assert!(stderr(&output).starts_with("error: standard output: No space left on device"), "{}", stderr(&output));
}

/// The commands, each as the words that call it: none for the program itself.
fn calls(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
    let below = command.get_subcommands().flat_map(|sub| calls(sub, &[before, &[sub.get_name().to_owned()]].concat()));
    [before.to_vec()].into_iter().chain(below).collect()
}

#[test]
fn every_command_has_its_help() {
    let all = calls(&Cli::command(), &[]);
    assert!(all.len() > 20, "{all:?}");
    for words in all {
        let mut command = program(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let output = ran(command.arg("--help").env_clear().env("COLUMNS", "100"));
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        let name = [&["help".to_owned()], &words[..]].concat().join("_");
        insta::assert_snapshot!(name, String::from_utf8(output.stdout).expect("a text"));
    }
}
