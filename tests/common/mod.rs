//! What the tests share.
#![allow(clippy::print_stdout, dead_code, reason = "each test uses its part")]

pub mod drone;
pub mod faults;
pub mod forge;
pub mod images;
pub mod server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use engine::Engine;
use judge::store::Evidence;
use recipe::scenario::Scenario;
use restore_drill::drill::{self, Drill, Options};
use restore_drill::events::{Event, Events, Sink};
use restore_drill::report::JsonLines;
use restore_drill::stack::ownership::Owned;

pub use self::images::{built, root};

/// The scenarios of this repository.
pub fn scenarios() -> PathBuf {
    root().join("scenarios")
}

/// A copy of the scenarios, to be changed: `scenarios` in the directory.
pub fn copy_of_scenarios() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let status = Command::new("cp").arg("-R").arg(scenarios()).arg(dir.path()).status().expect("cp runs");
    assert!(status.success());
    dir
}

/// A drill of Mailu with its evidence in `dir`.
pub fn options(dir: &Path, profile: &str) -> Options {
    let mut options = Options::new(scenarios(), "mailu");
    options.profile = profile.into();
    options.evidence = Some(dir.to_owned());
    options
}

/// Says which phase ended when, as a test's output.
struct Plain;

impl Sink for Plain {
    fn event(&self, event: &Event) {
        match event {
            Event::PhaseFinished { phase, millis, summary } => println!("  {:10} {millis:6} ms  {summary}", phase.name()),
            Event::Note { message } => println!("  note {message}"),
            _ => {}
        }
    }
}

/// Prepares a drill, hands it to `play`, tears it down.
pub async fn guarded<T, F, R>(options: Options, play: F) -> restore_drill::Result<(T, Arc<Evidence>)>
where
    F: FnOnce(Arc<Drill>) -> R + Send + 'static,
    R: Future<Output = restore_drill::Result<T>> + Send,
    T: Send + 'static,
{
    let sinks: drill::Sinks = Box::new(|dir| Ok(Events::new(vec![Box::new(Plain), Box::new(JsonLines::create(dir)?)])));
    drill::guarded(options, sinks, play).await.map(|ended| (ended.value, ended.evidence))
}

/// Nothing of `run` is on the engine.
pub async fn assert_nothing_left(run: &str) {
    let engine = Engine::connect().await.expect("an engine");
    let remains = Owned::new(engine.clone(), run).remains(None).await.expect("a listing");
    assert!(remains.is_empty(), "run {run} left {remains}: {remains:?}");
    for what in ["lease", "place"] {
        let config = engine.docker.inspect_config(&format!("rd-{run}_{what}")).await;
        assert!(config.is_err_and(|e| engine::is_not_found(&e)), "run {run} left its {what}");
    }
}

/// The stand-in image of a scenario's service.
pub async fn standin(scenario: &str, service: &str) -> String {
    let mut sources = Scenario::load(&scenarios(), scenario).expect("a scenario").image_contexts().expect("sources");
    sources.retain(|name, _| name == service);
    built(&sources).await[service].clone()
}

/// The secrets of a run: what users and the bot know.
pub fn secrets(drill: &Drill) -> Vec<String> {
    let secret = drill.run.secret();
    let users = &drill.run.corpus.accounts().users;
    let mut secrets: Vec<String> = users.iter().map(|u| secret.password(&u.email)).collect();
    secrets.extend(users.iter().flat_map(|u| (0..u.tokens.len()).map(|at| secret.token(at, &u.email)).collect::<Vec<_>>()));
    secrets.push(secret.derive("restic"));
    secrets.extend(drill.app.secrets());
    secrets
}

/// No file under `dir` has a secret: as it is, in hexadecimal digits, or in base64 wherever it begins within a text. Not by
/// what redacts.
pub fn assert_no_secret(dir: &Path, secrets: &[String]) {
    use base64::Engine as _;
    assert!(secrets.len() > 3);
    let mut forms = Vec::new();
    for secret in secrets {
        forms.extend([secret.clone(), hex::encode(secret), hex::encode_upper(secret)]);
        for before in ["", "x", "xx"] {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{before}{secret}"));
            // Without the digits that depend on what is around.
            forms.push(encoded[4..40].to_owned());
        }
    }
    let (mut folders, mut files) = (vec![dir.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).expect("a file");
            files += 1;
            for form in &forms {
                let found = bytes.windows(form.len()).any(|w| w == form.as_bytes());
                assert!(!found, "{} has a secret, as {form}", path.display());
            }
        }
    }
    assert!(files > 2, "nothing was searched");
}

/// Runs the program, in a locale with UTF-8.
pub fn restore_drill(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
    command.args(arguments).current_dir(root()).env("LC_ALL", "C.UTF-8").output().expect("the program runs")
}

/// Runs git in a folder, as somebody and with nobody's hooks. Gives what it says.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@drill.example", "-c", "core.hooksPath=/dev/null"];
    let output = Command::new("git").arg("-C").arg(dir).args(identity).args(arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Makes a folder a repository whose first commit has everything that is in it.
pub fn repository(dir: &Path) {
    for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "one"]] {
        git(dir, arguments);
    }
}

/// What a program said on standard error.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Whether a file is as `docs/schemas/junit.xsd` says; why not, if it is not.
pub fn valid_junit(file: &Path) -> Result<(), String> {
    let schema = root().join("docs/schemas/junit.xsd");
    let output = Command::new("xmllint").arg("--noout").arg("--schema").arg(schema).arg(file).output().expect("xmllint runs");
    if output.status.success() { Ok(()) } else { Err(stderr(&output)) }
}
