//! What a backupbot v2 must do, held against the bot of this repository; and that a bot that does otherwise is named.

mod common;

use recipe::image::contexts;
use restore_drill::exit_code;
use restore_drill::stack::ownership::stack_name;

use common::stderr;

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn outcomes(arguments: &[&str]) -> Vec<serde_json::Value> {
    let output = common::restore_drill(&[&["conformance", "--json"], arguments].concat());
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{}{}", stdout(&output), stderr(&output));
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

/// The cases in which a bot differs from the specification.
fn deviations(outcomes: &[serde_json::Value]) -> Vec<&str> {
    outcomes.iter().filter(|o| !o["deviation"].is_null()).filter_map(|o| o["case"].as_str()).collect()
}

/// What backup-bot-two does otherwise than the specification says.
const AS_DEPLOYED: [&str; 7] = [
    "not-switched-on",
    "only-the-text-true",
    "on-two-services",
    "a-path-that-is-not-there",
    "a-hook-with-single-quotes",
    "a-hook-without-bash",
    "a-failure-in-a-pipe",
];

fn cases() -> usize {
    std::fs::read_to_string(common::scenarios().join("backupbot/conformance.toml"))
        .expect("the cases")
        .matches("\n[[case]]")
        .count()
}

#[test]
fn our_bot_keeps_every_case_as_the_deployed_one_does_and_with_strict_as_specified() {
    let all = outcomes(&[]);
    assert_eq!(all.len(), cases());
    assert_eq!(deviations(&all), AS_DEPLOYED);
    let strict = outcomes(&[&["--strict"], &AS_DEPLOYED[..]].concat());
    assert_eq!(strict.len(), AS_DEPLOYED.len());
    assert_eq!(deviations(&strict), [""; 0]);
    // The other forms of what a strict bot lists and hands over.
    assert_eq!(deviations(&outcomes(&["--strict", "restore-of-what-was-taken", "restore-over-links"])), [""; 0]);
}

/// Cases with another expectation stand for a bot that does otherwise: the difference is named, and the exit code says so.
#[test]
fn what_is_not_kept_is_named() {
    let copy = common::copy_of_scenarios();
    let file = copy.path().join("scenarios/backupbot/conformance.toml");
    let text = std::fs::read_to_string(&file).expect("the cases");
    let wrong = text
        .replacen("captured = [\"data/a/one\", \"data/b/two\", \"db/d\"]", "captured = [\"data/a/one\"]", 1)
        .replacen("app = [\"pre of-app\", \"post of-app\"]", "app = [\"post of-app\", \"pre of-app\"]", 1)
        .replacen("refused = \"not enabled\"", "refused = \"path\"", 1)
        .replacen("restore = { VOLUMES = \"db\" }", "restore = { VOLUMES = \"data\" }", 1);
    std::fs::write(&file, wrong).expect("written");
    let scenarios = copy.path().join("scenarios");
    let names = ["not-switched-on", "volume-left-out", "hooks-around-the-copy", "restore-of-one-volume", "one-path"];
    let arguments = [&["--scenarios", scenarios.to_str().expect("a path"), "conformance", "--strict"][..], &names].concat();
    let output = common::restore_drill(&arguments);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(exit_code::BROKEN.into()), "{text}{}", stderr(&output));
    for expected in [
        "captured: expected {\"data/a/one\"}, found {\"data/a/one\", \"data/b/two\", \"db/d\"}",
        "hooks of app: expected [\"post of-app\", \"pre of-app\"], found [\"pre of-app\", \"post of-app\"]",
        "create refused: expected Some({\"path\"}), found Some({\"not enabled\"})",
        "db/d: expected db/d, found changed",
        "1 of 5 cases kept",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
}

/// A bot that no drill deployed, as an operator's would be, and that is not ours: `tests/images/backupbot`. It goes with the test.
struct Foreign {
    stack: String,
}

impl Foreign {
    async fn deploy(dir: &std::path::Path) -> Self {
        let foreign = Self { stack: format!("foreign-bot-{}", std::process::id()) };
        // Initialises a swarm where there is none.
        let output = common::restore_drill(&["conformance", "not-switched-on"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let image = foreign_image().await;
        let compose = std::fs::read_to_string(common::scenarios().join("backupbot/compose.yml")).expect("the bot's stack");
        let upstream = compose.lines().find(|l| l.trim_start().starts_with("image:")).expect("an image").to_owned();
        let file = dir.join("compose.yml");
        std::fs::write(&file, compose.replace(&upstream, &format!("    image: {image}"))).expect("written");
        let password = dir.join("password");
        std::fs::write(&password, "of-this-test-only").expect("written");
        let secret = format!("{}_restic_password", foreign.stack);
        docker(&["secret", "create", &secret, password.to_str().expect("a path")], &foreign.stack);
        let file = file.to_str().expect("a path");
        docker(&["stack", "deploy", "--resolve-image", "never", "-c", file, &foreign.stack], &foreign.stack);
        foreign
    }
}

/// The image of a bot other than ours.
async fn foreign_image() -> String {
    let mut context = contexts(&common::root().join("tests/images"), "test").expect("images");
    context.retain(|name, _| name == "backupbot");
    common::built(&context).await["backupbot"].clone()
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let run = |arguments: &[&str]| {
            std::process::Command::new("docker").args(arguments).output().map(|o| o.status.success()).unwrap_or_default()
        };
        run(&["stack", "rm", &self.stack]);
        // The volume is in use until the container is gone.
        let since = std::time::Instant::now();
        while !run(&["volume", "rm", &format!("{}_repository", self.stack)]) && since.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        run(&["secret", "rm", &format!("{}_restic_password", self.stack)]);
    }
}

impl Foreign {
    /// What is in its repository.
    fn snapshots(&self) -> String {
        let script = format!(
            "docker exec $(docker ps -q -f label=com.docker.swarm.service.name={}_app) restic snapshots --json",
            self.stack
        );
        let output = std::process::Command::new("sh").args(["-ec", &script]).output().expect("a shell");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }
}

fn docker(arguments: &[&str], stack: &str) {
    let output = std::process::Command::new("docker").args(arguments).env("STACK_NAME", stack).output().expect("docker runs");
    assert!(output.status.success(), "docker {}: {}", arguments.join(" "), stderr(&output));
}

/// Whether a drill's service has labels that any bot reads, each time that this changes, until the drill is over.
async fn labels_seen(evidence: &std::path::Path, over: impl Fn() -> bool) -> Vec<bool> {
    let engine = engine::Engine::connect().await.expect("an engine");
    let mut seen: Vec<bool> = Vec::new();
    while !over() {
        let events = std::fs::read_to_string(evidence.join("events.jsonl")).unwrap_or_default();
        let started: serde_json::Value = events.lines().next().and_then(|l| serde_json::from_str(l).ok()).unwrap_or_default();
        let name = format!("{}_app", stack_name(started["run"].as_str().unwrap_or_default()));
        let service = engine.docker.inspect_service(&name, None::<bollard::query_parameters::InspectServiceOptions>).await;
        if let Some(labels) = service.ok().and_then(|s| s.spec?.labels) {
            let shown = labels.keys().any(|label| label.starts_with("backupbot."));
            let hidden = labels.keys().any(|label| label.starts_with("restore-drill.backupbot."));
            if (shown || hidden) && seen.last() != Some(&shown) {
                seen.push(shown);
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    seen
}

/// With `--backupbot existing`, the deployed bot is tested, and a drill is done with it. It is a bot of another make, and differs from the
/// specification as backup-bot-two does.
#[tokio::test(flavor = "multi_thread")]
async fn an_existing_bot_of_another_make_is_driven() {
    let dir = tempfile::tempdir().expect("a directory");
    let foreign = Foreign::deploy(dir.path()).await;
    let all = outcomes(&["--backupbot", "existing"]);
    assert_eq!(all.len(), cases());
    let mut differs = AS_DEPLOYED.to_vec();
    // Debian's restic is an old one, and this bot does nothing about it.
    differs.push("restore-over-links");
    assert_eq!(deviations(&all), differs);

    let evidence = dir.path().join("run");
    let before = foreign.snapshots();
    let arguments = ["run", "radicale", "--profile", "tiny", "--backupbot", "existing", "--forget-snapshot", "--evidence"];
    let arguments = [&arguments[..], &[evidence.to_str().expect("a path")]].concat();
    let drill = std::thread::spawn({
        let arguments: Vec<String> = arguments.iter().map(|&a| a.to_owned()).collect();
        move || common::restore_drill(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let seen = labels_seen(&evidence, || drill.is_finished()).await;
    let output = drill.join().expect("the drill's thread");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{said}");
    // Its nightly job would find nothing of the drill, but while it works for the drill: for the backup, and for the restore.
    assert_eq!(seen, [false, true, false, true, false], "{said}");
    assert!(said.contains("--backupbot existing"), "the command that reproduces it says so: {said}");
    assert!(said.contains("is removed from the repository"), "{said}");
    assert_eq!(foreign.snapshots(), before);

    // Nothing is done to what is somebody else's, and nobody guesses whose bot is meant.
    let run = |more: &[&str]| {
        let output = common::restore_drill(&[&["run", "radicale", "--backupbot", "existing"], more].concat());
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", stderr(&output));
        stderr(&output)
    };
    for fault in ["password-changed", "snapshot-forgotten", "bot-killed", "restored-into-wrong-stack", "data-file-gone"] {
        assert!(run(&["--fault", fault]).contains("works only with the drill's own bot"), "{fault}");
    }
    let said = run(&["--bot-service", "nobody", "--evidence", dir.path().join("other").to_str().expect("a path")]);
    assert!(said.contains("nobody is not a backupbot. This engine has ") && said.contains("--bot-service"), "{said}");
}

/// A whole drill with our bot as the specification has it.
#[test]
fn a_strict_bot_is_driven() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = dir.path().join("run");
    let arguments = ["run", "radicale", "--profile", "tiny", "--strict", "--evidence", evidence.to_str().expect("a path")];
    let output = common::restore_drill(&arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{said}");
    assert!(said.contains("--strict"), "the command that reproduces it says so: {said}");
    let both = common::restore_drill(&["run", "radicale", "--strict", "--backupbot", "existing"]);
    assert_eq!(both.status.code(), Some(exit_code::USAGE.into()));
    assert!(stderr(&both).contains("--strict works only with --backupbot own"), "{}", stderr(&both));
}

#[test]
fn an_unknown_case_is_refused() {
    let output = common::restore_drill(&["conformance", "no-such-case"]);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()));
    assert!(
        stderr(&output).contains("no case is called \"no-such-case\"; there are everything-by-default"),
        "{}",
        stderr(&output)
    );
}
