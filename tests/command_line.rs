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
    let commands: [&[&str]; 22] = [
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
        &["man", "labels", "lint"],
        &["config"],
        &["history", runs],
        &["history", runs, "--json"],
        &["judge", run],
        &["judge", run, "--json"],
        &["report", run],
        &["report", run, "--compare", run],
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

/// The most lines that a command's help has on a terminal of 80 columns.
const SCREEN: usize = 41;

fn help(words: &[String], columns: &str) -> String {
    let mut command = program(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let output = ran(command.arg("--help").env_clear().env("COLUMNS", columns));
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("a text")
}

#[test]
fn every_command_has_its_help() {
    let all = calls(&Cli::command(), &[]);
    assert!(all.len() > 20, "{all:?}");
    for words in all {
        let text = help(&words, "80");
        assert!(text.lines().count() <= SCREEN, "{words:?} has {} lines", text.lines().count());
        assert!(words.is_empty() || text.contains("\nExamples\n  "), "{words:?} has no example: {text}");
        let name = [&["help".to_owned()], &words[..]].concat().join("_");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn help_is_as_wide_as_the_terminal() {
    for words in calls(&Cli::command(), &[]) {
        for (columns, width) in [("40", 40), ("80", 80)] {
            let text = help(&words, columns);
            let wide = |line: &&str| {
                let words = line.split_whitespace().count();
                line.chars().count() > width && words > 1
            };
            assert_eq!(text.lines().find(wide), None, "{words:?}");
        }
    }
}

#[test]
fn every_command_is_in_one_group() {
    let text = help(&[], "80");
    for words in calls(&Cli::command(), &[]).iter().filter(|words| words.len() == 1) {
        let line = format!("\n  {} ", words[0]);
        assert_eq!(text.matches(&line).count(), 1, "{words:?}: {text}");
    }
}

/// What bash puts in the place of the last word, with the program in its PATH.
fn completed(dir: &Path, words: &[&str]) -> Vec<String> {
    let folder = Path::new(env!("CARGO_BIN_EXE_restore-drill")).parent().expect("a folder").display().to_string();
    let script = "source <(restore-drill completions bash) && COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1)) &&
        _clap_complete_restore_drill \"$1\" \"${!#}\" \"${COMP_WORDS[COMP_CWORD - 1]}\" && printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", script, "bash"]).args(words).current_dir(dir);
    let path = format!("{folder}:{}", std::env::var("PATH").expect("a PATH"));
    let output = ran(command.env("PATH", path).env("RESTORE_DRILL_SCENARIOS", root().join("scenarios")));
    assert!(output.status.success(), "{words:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).expect("a text").lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_names() {
    let dir = tempfile::tempdir().expect("a directory");
    a_run(dir.path());
    std::fs::create_dir_all(dir.path().join("runs/empty")).expect("made");
    for (words, expected) in [
        (&["restore-drill", "hi"][..], &["history"][..]),
        (&["restore-drill", "run", "--prof"], &["--profile"]),
        (&["restore-drill", "images", "m"], &["mailu"]),
        (&["restore-drill", "run", "radicale", "--profile", "s"], &["smoke"]),
        (&["restore-drill", "run", "radicale", "--fault", "data-file-gon"], &["data-file-gone"]),
        (&["restore-drill", "fault", "radicale", "--group", ""], &["labels", "backup", "restore", "content"]),
        (&["restore-drill", "explain", "uidv"], &["uidvalidity"]),
        (&["restore-drill", "labels", "explain", "BB007"], &["BB007"]),
        (&["restore-drill", "report", "ru"], &["runs/1a2b3c4d"]),
        (&["restore-drill", "gc", "--run", ""], &["1a2b3c4d"]),
        (&["restore-drill", "man", "rep"], &["report", "repro"]),
        (&["restore-drill", "completions", "z"], &["zsh"]),
    ] {
        assert_eq!(completed(dir.path(), words), expected, "{words:?}");
    }
}

#[test]
fn each_command_has_its_page() {
    let dir = tempfile::tempdir().expect("a directory");
    let pages = dir.path().join("man1");
    let output = ran(program(&["man", "--dir"]).arg(&pages));
    assert!(output.status.success(), "{}", stderr(&output));
    for words in calls(&Cli::command(), &[]) {
        let name = [&["restore-drill".to_owned()], &words[..]].concat().join("-");
        let page = std::fs::read_to_string(pages.join(format!("{name}.1"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        let printed = ran(program(&["man"]).args(&words));
        assert_eq!(String::from_utf8_lossy(&printed.stdout), page, "{name}");
    }
}

/// What a user got wrong ends with 64, says what was expected, and comes before any engine is asked.
#[test]
fn what_the_user_got_wrong_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    a_run(dir.path());
    let scenarios = root().join("scenarios").display().to_string();
    for (line, says) in [
        ("walk", "unrecognized subcommand 'walk'"),
        ("histry", "similar subcommands exist: 'list', 'history'"),
        ("run radicale --profil tiny", "a similar argument exists: '--profile'"),
        ("run radicael", "did you mean radicale?"),
        ("run ./radicale", "expected a scenario's name, or the folder of a recipe or a scenario"),
        ("run radicale --profile tny", "there are tiny, smoke, default, large; did you mean tiny?"),
        ("run radicale --fault data-file-gon", "did you mean data-file-gone?"),
        (
            "run radicale --env-file no.env",
            "--env-file: cannot read no.env: there is no such file; expected a file with a line NAME=value",
        ),
        ("run radicale --recipe no-recipe", "no-recipe: no such folder; expected a recipe's folder"),
        ("run radicale --scenarios nowhere", "--scenarios nowhere: no such folder"),
        ("run radicale --config no.toml", "cannot read no.toml: "),
        ("list --config .", "cannot read .: "),
        ("list --scenarios nowhere", "expected a folder with one folder for each scenario"),
        (
            "fault radicale --group contents",
            "no group is called \"contents\"; there are labels, backup, restore, content; did you mean content?",
        ),
        ("fault radicale data-file-gon", "did you mean data-file-gone?"),
        ("ladder radicle", "no recipe \"radicle\"; expected a recipe's folder"),
        ("ladder radicale --not-applicable updrade=x", "did you mean upgrade?"),
        ("ladder radicale --compare no.json", "cannot read no.json: "),
        ("ladder SCENARIOS/radicale --dirty --scenario radicael", "did you mean radicale?"),
        ("ladder SCENARIOS/radicale --dirty --profile tny", "did you mean tiny?"),
        ("report no-such-dir", "no-such-dir holds no evidence.db; expected the directory that a run printed as its evidence"),
        ("report runs/1a2b3c4e", "`restore-drill history` lists the runs in runs; did you mean runs/1a2b3c4d?"),
        ("judge 1a2b3c4d", "did you mean runs/1a2b3c4d?"),
        ("judge runs/1a2b3c4d --observation baselin", "no observation is called \"baselin\""),
        ("repro runs/1a2b", "holds no evidence.db"),
        ("labels pr no-run", "no-run holds no evidence.db"),
        ("report runs/1a2b3c4d --html no/page.html", "cannot write no/page.html: "),
        ("history --html no/page.html", "cannot write no/page.html: "),
        ("history nowhere", "cannot read nowhere: "),
        ("explain uidvaliditi", "did you mean uidvalidity?"),
        ("labels lint nowhere", "nowhere: no such file or folder; expected a recipe's folder, or its compose files"),
        ("labels lint --catalogue nowhere", "cannot read nowhere: "),
        ("labels explain BB070", "did you mean BB0"),
        ("labels explain unknown-volum", "did you mean unknown-volume?"),
        ("labels suggest nowhere", "nowhere: no such file or folder"),
        ("new wiki --compose no.yml", "no.yml: cannot be read"),
        ("new Wiki --compose no.yml", "use lowercase letters, digits and hyphens"),
        ("images radicael", "did you mean radicale?"),
        ("audit mail --scenario radicael", "did you mean radicale?"),
        ("conformance one-pat", "did you mean one-path?"),
        ("schema scenari", "a similar value exists: 'scenario'"),
        ("completions bas", "a similar value exists: 'bash'"),
        ("man histry", "did you mean history?"),
        ("man --dir runs/1a2b3c4d/evidence.db", "cannot write runs/1a2b3c4d/evidence.db: "),
        ("gc --force", "--run <RUN>"),
    ] {
        let line = line.replace("SCENARIOS", &scenarios);
        let mut command = program(&line.split(' ').collect::<Vec<_>>());
        command.current_dir(dir.path()).env("DOCKER_HOST", "tcp://127.0.0.1:1").env("HOME", dir.path());
        if !line.contains("--scenarios") {
            command.env("RESTORE_DRILL_SCENARIOS", &scenarios);
        }
        let output = ran(&mut command);
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{line}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{line}: {}", stderr(&output));
    }
    let left: Vec<_> = std::fs::read_dir(dir.path()).expect("listed").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["runs"]);
}

/// An engine that does not answer is not the user's mistake, and its error is the system's own.
#[test]
fn an_engine_that_is_not_there_is_said_in_plain_words() {
    for line in ["gc", "audit mail", "images radicale", "run radicale --evidence /nonexistent/run"] {
        let output = ran(program(&line.split(' ').collect::<Vec<_>>()).env("DOCKER_HOST", "tcp://127.0.0.1:1"));
        assert_eq!(output.status.code(), Some(exit_code::ENGINE.into()), "{line}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("no Docker engine at tcp://127.0.0.1:1: Connection refused"), "{line}: {said}");
        assert!(!said.contains("hyper"), "{line}: {said}");
    }
}

#[test]
fn a_locale_without_utf8_gets_ascii() {
    let dir = tempfile::tempdir().expect("a directory");
    let twice = "services:\n  a:\n    image: x\n    deploy:\n      labels:\n        backupbot.backup: \"yes\"\n  b:\n    image: x\n    deploy:\n      labels:\n        backupbot.backup: \"yes\"\n";
    std::fs::create_dir(dir.path().join("wiki")).expect("made");
    std::fs::write(dir.path().join("wiki/compose.yml"), twice).expect("written");
    let catalogue = |locale: &str| {
        let output = ran(program(&["labels", "lint", "--catalogue"]).arg(dir.path()).env("LC_ALL", locale));
        String::from_utf8(output.stdout).expect("a text")
    };
    assert!(catalogue("C.UTF-8").contains(" ×2"), "{}", catalogue("C.UTF-8"));
    assert!(catalogue("C").is_ascii() && catalogue("C").contains(" x2"), "{}", catalogue("C"));
}
