//! SIGINT and SIGKILL in every phase of a drill, SIGTERM in some, leave nothing behind; what is not ours survives it all. Most drills are
//! those of the smallest app; those of Mailu are ended where only mail has the phase, and by SIGINT where many services start or stop.
//! The loss of the parent, a deadline and a hook that does not end leave nothing behind either.

#![expect(clippy::print_stdout, reason = "a test says where it is")]

mod common;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use restore_drill::events::Phase;
use restore_drill::exit_code;

use common::assert_nothing_left;

/// A run in which nothing has happened for as long stands still.
const DEADLINE: Duration = Duration::from_secs(300);

/// The phases of a drill that holds. The question about old secrets is asked only where the restored app is broken.
fn phases() -> impl Iterator<Item = Phase> {
    Phase::ALL.into_iter().filter(|phase| *phase != Phase::Secrets)
}

struct Run {
    child: Child,
    dir: tempfile::TempDir,
}

impl Run {
    fn start(scenario: &str) -> Self {
        Self::of(&["run", scenario, "--profile", "tiny"])
    }

    /// A drill that has that phase.
    fn with(phase: Phase) -> Self {
        Self::start(if matches!(phase, Phase::Seed | Phase::Settle) { "mailu" } else { "radicale" })
    }

    fn of(arguments: &[&str]) -> Self {
        Self::by(Command::new(env!("CARGO_BIN_EXE_restore-drill")).args(arguments))
    }

    /// A run that a command starts, to which the evidence's directory is added.
    fn by(command: &mut Command) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let child = command
            .arg("--evidence")
            .arg(dir.path().join("run"))
            .current_dir(common::root())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("stderr")).expect("a file"))
            .spawn()
            .expect("the program runs");
        Self { child, dir }
    }

    /// Its events; of a ladder those of its first drill.
    fn events(&self) -> String {
        let of = |file| std::fs::read_to_string(self.dir.path().join(file));
        of("run/events.jsonl").or_else(|_| of("run/run/events.jsonl")).unwrap_or_default()
    }

    fn id(&self) -> String {
        let events = self.events();
        let started: serde_json::Value = serde_json::from_str(events.lines().next().expect("an event")).expect("JSON");
        started["run"].as_str().expect("a run id").to_owned()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }

    /// Waits until the run has begun `phase`.
    async fn reach(&mut self, phase: Phase) {
        let wanted = format!("\"event\":\"phase-started\",\"phase\":\"{}\"", phase.name());
        let (mut since, mut before) = (Instant::now(), String::new());
        loop {
            let events = self.events();
            if events.contains(&wanted) {
                break;
            }
            // Other drills are under way, and it may be long before this one has its turn.
            if events != before {
                (since, before) = (Instant::now(), events);
            }
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "ended before phase {}: {}", phase.name(), self.said());
            assert!(since.elapsed() < DEADLINE, "never reached phase {}: {}", phase.name(), self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a signal to the process that this test started, by its id.
    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill runs").success());
    }

    async fn wait(&mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(since.elapsed() < DEADLINE, "does not end: {}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Ends a run in some phases by a signal that it can handle, and looks at what is left.
async fn ended(signal: &str, expected: u8, phases: impl Iterator<Item = Phase>, start: impl Fn(Phase) -> Run) {
    for phase in phases {
        let mut run = start(phase);
        run.reach(phase).await;
        run.signal(signal);
        let code = run.wait().await;
        println!("{signal} in phase {:10} exit code {code:?}", phase.name());
        // The last two are over in no time: the verdict may be out already.
        let late = matches!(phase, Phase::Judge | Phase::Teardown) && code == Some(exit_code::HELD.into());
        assert!(late || code == Some(expected.into()), "{signal} in phase {}: {code:?}: {}", phase.name(), run.said());
        assert_nothing_left(&run.id()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_in_every_phase_leaves_nothing() {
    let start = |phase| match phase {
        Phase::Deploy | Phase::Wipe | Phase::Restart | Phase::Teardown => Run::start("mailu"),
        phase => Run::with(phase),
    };
    ended("INT", exit_code::SIGINT, phases(), start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_leaves_nothing() {
    // It goes SIGINT's way: some phases tell whether it is handled at all, early and late.
    ended("TERM", exit_code::SIGTERM, phases().skip(1).step_by(5), Run::with).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigkill_in_every_phase_leaves_nothing_after_gc() {
    let foreign = Foreign::create();
    for phase in phases() {
        let mut run = Run::with(phase);
        run.reach(phase).await;
        run.signal("KILL");
        assert_eq!(run.wait().await, None, "SIGKILL gives no exit code");
        let id = run.id();
        collect(&id).await;
        println!("SIGKILL in phase {:10} collected", phase.name());
        assert_nothing_left(&id).await;
        foreign.assert_there();
    }
}

/// `gc`, again while a child of the killed run (`docker stack deploy`) still lives and keeps the run alive.
async fn collect(run: &str) {
    let since = Instant::now();
    loop {
        let output = common::restore_drill(&["gc"]);
        assert!(output.status.success(), "{}", common::stderr(&output));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut there = said.lines().filter(|l| ["live:", "being removed already:"].iter().any(|which| l.starts_with(which)));
        if !there.any(|line| line.contains(run)) {
            break;
        }
        assert!(since.elapsed() < DEADLINE, "run {run} lives on: {said}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let state = restore_drill::stack::alive::state_dir().expect("a state directory");
    let files = std::fs::read_dir(state).expect("read").map(|entry| entry.expect("an entry").file_name().display().to_string());
    let of_run: Vec<String> = files.filter(|name| name.contains(run)).collect();
    assert!(of_run.is_empty(), "{of_run:?}");
}

/// A CI server that cancels a step kills the step's shell.
#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_its_parent_ends_a_run() {
    let program = env!("CARGO_BIN_EXE_restore-drill");
    // The shell alone; and its whole group, of which the shell ends at once, and the run has a signal and then no parent.
    for (group, why) in [(false, "the loss of the process that started it"), (true, "SIGTERM")] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$@\"; true", "sh", program, "run", "radicale", "--profile", "tiny"]).process_group(0).env("CI", "1");
        let mut run = Run::by(&mut shell);
        run.reach(Phase::Provision).await;
        let whom = format!("{}{}", if group { "-" } else { "" }, run.child.id());
        let status = Command::new("kill").args([if group { "-TERM" } else { "-KILL" }, "--", &whom]).status();
        assert!(status.expect("kill runs").success());
        assert_eq!(run.wait().await, None, "the shell is killed");
        let since = Instant::now();
        while !run.said().contains("nothing left") {
            assert!(since.elapsed() < DEADLINE && !run.said().contains("cut short"), "{}", run.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(run.said().contains(&format!("{why}: tearing down")), "{}", run.said());
        assert_nothing_left(&run.id()).await;
    }
}

/// A terminal that is closed ends a run, unless it was started to outlive the terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_ends_a_run_that_does_not_ignore_it() {
    // These tests may run under `nohup` themselves, which a CI server's steps do not heed.
    let start = |_| {
        Run::by(Command::new(env!("CARGO_BIN_EXE_restore-drill")).args(["run", "radicale", "--profile", "tiny"]).env("CI", "1"))
    };
    ended("HUP", exit_code::SIGHUP, std::iter::once(Phase::Provision), start).await;
    let mut nohup = Command::new("nohup");
    nohup.arg(env!("CARGO_BIN_EXE_restore-drill")).args(["run", "radicale", "--profile", "tiny"]).env_remove("CI");
    let mut run = Run::by(&mut nohup);
    run.reach(Phase::Provision).await;
    run.signal("HUP");
    assert_eq!(run.wait().await, Some(exit_code::HELD.into()), "{}", run.said());
    assert_nothing_left(&run.id()).await;
}

/// The restored app is deployed again and again there, with other secrets each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_old_secrets_are_tried_leaves_nothing() {
    let dir = common::copy_of_scenarios();
    let scenarios = dir.path().join("scenarios");
    let inventory = scenarios.join("davical/inventory.toml");
    let text = std::fs::read_to_string(&inventory).expect("read");
    let (before, _) = text.split_once("[[secret]]").expect("what is kept");
    std::fs::write(&inventory, before).expect("written");
    let scenarios = scenarios.to_str().expect("a path");
    let start = |_| Run::of(&["run", "davical", "--profile", "tiny", "--scenarios", scenarios]);
    ended("TERM", exit_code::SIGTERM, std::iter::once(Phase::Secrets), start).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_takes_too_long_is_torn_down() {
    for command in ["run", "ladder"] {
        let mut run = Run::of(&[command, "radicale", "--profile", "tiny", "--deadline", "5s"]);
        assert_eq!(run.wait().await, Some(exit_code::UNKNOWN.into()), "{command}: {}", run.said());
        assert!(run.said().contains("the run took longer than the 5 s that --deadline allows"), "{command}: {}", run.said());
        assert_nothing_left(&run.id()).await;
    }
}

/// Somebody who knows nothing of its state directory ends it: the verdict is not the app's.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_ended_from_outside_says_so() {
    let elsewhere = tempfile::tempdir().expect("a directory");
    let gc = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
        command.arg("gc").args(more).env("RESTORE_DRILL_STATE_DIR", elsewhere.path()).output().expect("the program runs")
    };
    // It is at its backup until it is ended.
    let (_dir, scenarios) = with_endless_hook();
    let mut run = Run::of(&["run", "radicale", "--profile", "tiny", "--scenarios", &scenarios]);
    run.reach(Phase::Backup).await;
    let id = run.id();
    let said = String::from_utf8_lossy(&gc(&[]).stdout).into_owned();
    assert!(said.lines().any(|l| l.starts_with("live:") && l.contains(&id)), "{said}");
    let refused = gc(&["--run", &id]);
    assert_eq!(refused.status.code(), Some(exit_code::USAGE.into()));
    assert!(common::stderr(&refused).contains("is alive; nothing was removed. --force ends it"), "{}", common::stderr(&refused));
    let forced = gc(&["--run", &id, "--force"]);
    assert!(forced.status.success(), "{}", common::stderr(&forced));
    assert!(common::stderr(&forced).contains(&format!("run {id} (radicale, for ")), "{}", common::stderr(&forced));
    assert_eq!(run.wait().await, Some(exit_code::UNKNOWN.into()), "{}", run.said());
    let why = format!("run {id} was ended from outside");
    assert!(run.said().contains(&why), "{}", run.said());
    let summary = std::fs::read_to_string(run.dir.path().join("run/summary.json")).expect("a summary");
    assert!(summary.contains(&why), "{summary}");
    assert_nothing_left(&id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_does_not_end_is_not_waited_for_for_ever() {
    let (_dir, scenarios) = with_endless_hook();
    change(&scenarios, "scenario.toml", "[[door]]", "[deadlines]\ncommand = 10\n\n[[door]]");
    let mut run = Run::of(&["run", "radicale", "--profile", "tiny", "--scenarios", &scenarios]);
    assert_eq!(run.wait().await, Some(exit_code::UNKNOWN.into()), "{}", run.said());
    assert!(run.said().contains("after 10 s still running"), "{}", run.said());
    assert_nothing_left(&run.id()).await;
}

/// A copy of the scenarios in which Radicale's backup waits for a hook for an hour.
fn with_endless_hook() -> (tempfile::TempDir, String) {
    let dir = common::copy_of_scenarios();
    let scenarios = dir.path().join("scenarios").to_str().expect("a path").to_owned();
    let endless = "backupbot.backup=true\"\n        - \"backupbot.backup.pre-hook=sleep 3600\"";
    change(&scenarios, "compose.yml", "backupbot.backup=true\"", endless);
    (dir, scenarios)
}

fn change(scenarios: &str, file: &str, from: &str, to: &str) {
    let file = Path::new(scenarios).join("radicale").join(file);
    let text = std::fs::read_to_string(&file).expect("read");
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replacen(from, to, 1)).expect("written");
}

/// The catalogue's first group is torn down, and the others do not begin.
#[tokio::test(flavor = "multi_thread")]
async fn sigint_ends_a_catalogue() {
    let mut run = Run::of(&["fault", "mailu", "restored-twice", "message-altered", "pack-flipped", "--jobs", "1"]);
    let group = run.dir.path().join("run/restore");
    let events = || std::fs::read_to_string(group.join("events.jsonl")).unwrap_or_default();
    let since = Instant::now();
    while !events().contains("\"phase\":\"provision\"") {
        assert!(run.child.try_wait().expect("a child").is_none() && since.elapsed() < DEADLINE, "{}", run.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    run.signal("INT");
    assert_eq!(run.wait().await, Some(exit_code::SIGINT.into()), "{}", run.said());
    assert_nothing_left(&run_of(&group)).await;
    for other in ["labels", "backup", "content"] {
        assert!(!run.dir.path().join("run").join(other).exists(), "group {other} began");
    }
}

/// A volume and a network that no drill made, with names that look like a drill's.
struct Foreign {
    name: String,
}

impl Foreign {
    fn create() -> Self {
        let foreign = Self { name: format!("rd-foreign-{}_mail", std::process::id()) };
        docker(&["volume", "create", "--label", "com.docker.stack.namespace=rd-foreign", &foreign.name]);
        docker(&["network", "create", "--label", "com.docker.stack.namespace=rd-foreign", &foreign.name]);
        foreign
    }

    fn assert_there(&self) {
        docker(&["volume", "inspect", &self.name]);
        docker(&["network", "inspect", &self.name]);
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["volume", "rm", &self.name]).output();
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

fn docker(arguments: &[&str]) {
    let output = Command::new("docker").args(arguments).output().expect("docker runs");
    assert!(output.status.success(), "docker {}: {}", arguments.join(" "), common::stderr(&output));
}

/// A kept run survives `gc` and goes with `gc --run`.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_run_stays_until_it_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = dir.path().join("run");
    // A wipe that is skipped ends the run early, with everything deployed.
    let arguments = ["run", "mailu", "--profile", "tiny", "--keep", "--fault", "wipe-skipped", "--evidence"];
    let output = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(arguments)
        .arg(&evidence)
        .current_dir(common::root())
        .output()
        .expect("the program runs");
    let said = common::stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::UNKNOWN.into()), "{said}");
    let run = run_of(&evidence);
    assert!(said.contains(&format!("restore-drill gc --run {run}")), "{said}");
    let output = common::restore_drill(&["gc"]);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(listed.lines().any(|l| l.starts_with("kept:") && l.contains(&run)), "{listed}");
    docker(&["service", "inspect", &format!("rd-{run}_imap")]);
    let output = common::restore_drill(&["gc", "--run", &run]);
    assert!(output.status.success(), "{}", common::stderr(&output));
    assert_nothing_left(&run).await;
}

fn run_of(evidence: &Path) -> String {
    judge::store::Evidence::open(evidence).expect("evidence").get(judge::store::RunFact::Run).expect("read").expect("a run")
}
