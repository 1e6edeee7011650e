//! `make kills`: drills that are killed at random moments, from several state directories at once. Then `gc` must leave nothing of them,
//! and what others have on the engine must be what it was. Prints the phases in which drills were killed.

#![expect(clippy::print_stdout, reason = "the results are printed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;

/// The label of everything that a run makes.
const RUN_LABEL: &str = "restore-drill.run";
/// How long `gc` may need until all killed runs count as dead: their leases have to be silent for 60 s.
const PATIENCE: Duration = Duration::from_secs(180);
/// How often whoever waits looks.
const LOOK: Duration = Duration::from_millis(20);

/// Drills that are killed.
#[derive(Parser)]
struct Cli {
    /// The program.
    #[arg(long, default_value = "target/debug/restore-drill")]
    program: PathBuf,
    /// The scenario.
    #[arg(long, default_value = "radicale")]
    scenario: String,
    /// How many drills are killed.
    #[arg(long, default_value_t = 100)]
    kills: usize,
    /// From how many state directories at once.
    #[arg(long, default_value_t = 5)]
    dirs: usize,
    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The latest moment, in seconds from a drill's start.
    #[arg(long, default_value_t = 90)]
    within: u64,
}

/// What others have beside the drills: a volume with a file, a network, a secret, a config and a service.
struct Foreign(String);

impl Foreign {
    fn create() -> Result<Self, String> {
        let foreign = Self(format!("production-{}", std::process::id()));
        let name = &foreign.0;
        docker(&["volume", "create", name], "")?;
        docker(&["network", "create", "--driver", "overlay", "--attachable", name], "")?;
        docker(&["secret", "create", name, "-"], "production")?;
        docker(&["config", "create", name, "-"], "production")?;
        let image = docker(&["images", "--format", "{{.Repository}}:{{.Tag}}", "restore-drill/*"], "")?;
        let image = image.lines().find(|l| !l.contains("inside")).ok_or("no image; `make images` builds some")?.to_owned();
        let mount = format!("type=volume,source={name},target=/data");
        let script = "date > /data/file; exec sleep 100000";
        let create = ["service", "create", "--detach=false", "--name", name, "--network", name, "--mount", &mount];
        docker(&[&create[..], &["--endpoint-mode", "dnsrr", "--entrypoint", "sh", &image, "-c", script]].concat(), "")?;
        Ok(foreign)
    }

    /// Everything that the engine reports about it, and the attributes of its file.
    fn seen(&self) -> Result<String, String> {
        let name = &self.0;
        let mut seen = String::new();
        for kind in ["volume", "network", "secret", "config", "service"] {
            seen += &docker(&[kind, "inspect", name], "")?;
        }
        let filter = format!("label=com.docker.swarm.service.name={name}");
        let container = docker(&["ps", "--quiet", "--no-trunc", "--filter", &filter], "")?;
        seen += &container;
        seen += &docker(&["exec", container.trim(), "stat", "--format", "%n %s %u %g %a %y", "/data", "/data/file"], "")?;
        Ok(seen)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let name = self.0.as_str();
        // Each is in use until the one before is gone.
        for kind in ["service", "secret", "config", "network", "volume"] {
            let since = Instant::now();
            while docker(&[kind, "rm", name], "").is_err_and(|e| !e.contains("o such") && !e.contains("not found"))
                && since.elapsed() < PATIENCE
            {
                sleep(Duration::from_millis(300));
            }
        }
    }
}

fn docker(arguments: &[&str], input: &str) -> Result<String, String> {
    use std::io::Write as _;
    let piped =
        Command::new("docker").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = piped.map_err(|e| format!("docker: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input.as_bytes());
    }
    let Output { status, stdout, stderr } = child.wait_with_output().map_err(|e| format!("docker: {e}"))?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("docker {}: {}", arguments.join(" "), String::from_utf8_lossy(&stderr)))
    }
}

/// The moments: xorshift64*.
struct Moments(u64);

impl Moments {
    fn next(&mut self, within: u64) -> Duration {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        Duration::from_millis(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % (within * 1000))
    }
}

/// Kills drills from one state directory, one after another. Gives the phase of each.
fn lane(cli: &Cli, dir: &Path, number: usize) -> Result<Vec<String>, String> {
    let mut moments = Moments(cli.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number as u64 + 1));
    let share = cli.kills / cli.dirs + usize::from(number < cli.kills % cli.dirs);
    let mut phases = Vec::new();
    while phases.len() < share {
        let evidence = dir.join(format!("run-{}", phases.len()));
        let _ = std::fs::remove_dir_all(&evidence);
        let mut child = program(cli, dir)
            .args(["run", &cli.scenario, "--profile", "tiny", "--evidence"])
            .arg(&evidence)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{}: {e}", cli.program.display()))?;
        let (since, moment) = (Instant::now(), moments.next(cli.within));
        let mut ended = false;
        while since.elapsed() < moment && !ended {
            sleep(LOOK);
            ended = child.try_wait().map_err(|e| e.to_string())?.is_some();
        }
        if !ended {
            child.kill().and_then(|()| child.wait()).map_err(|e| e.to_string())?;
            phases.push(phase(&evidence));
        }
    }
    Ok(phases)
}

/// The last phase that a drill began.
fn phase(evidence: &Path) -> String {
    let events = std::fs::read_to_string(evidence.join("events.jsonl")).unwrap_or_default();
    let begun = events.lines().filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok());
    let last = begun.rev().find(|e| e["event"] == "phase-started");
    last.and_then(|e| e["phase"].as_str().map(str::to_owned)).unwrap_or_else(|| "before the first".into())
}

fn program(cli: &Cli, state: &Path) -> Command {
    let mut command = Command::new(&cli.program);
    command.env("RESTORE_DRILL_STATE_DIR", state).env("RESTORE_DRILL_MAX_DRILLS", cli.dirs.to_string());
    command
}

/// What of any run is there, by kind.
fn left() -> Result<BTreeMap<&'static str, usize>, String> {
    let filter = format!("label={RUN_LABEL}");
    let lists: [(&str, &[&str]); 6] = [
        ("containers", &["ps", "--all", "--quiet"]),
        ("services", &["service", "ls", "--quiet"]),
        ("volumes", &["volume", "ls", "--quiet"]),
        ("networks", &["network", "ls", "--quiet"]),
        ("secrets", &["secret", "ls", "--quiet"]),
        ("configs", &["config", "ls", "--quiet"]),
    ];
    let mut left = BTreeMap::new();
    for (kind, list) in lists {
        let found = docker(&[list, &["--filter", &filter]].concat(), "")?.lines().count();
        left.extend((found > 0).then_some((kind, found)));
    }
    Ok(left)
}

fn kills(cli: &Cli) -> Result<bool, String> {
    let foreign = Foreign::create()?;
    let before = foreign.seen()?;
    let dirs: Vec<_> = (0..cli.dirs).map(|_| tempfile::tempdir().map_err(|e| e.to_string())).collect::<Result<_, _>>()?;
    let phases: Vec<String> = std::thread::scope(|scope| {
        let lanes: Vec<_> =
            dirs.iter().enumerate().map(|(number, dir)| scope.spawn(move || lane(cli, dir.path(), number))).collect();
        lanes.into_iter().map(|lane| lane.join().map_err(|_| "a lane ended early".to_owned())?).collect::<Result<Vec<_>, _>>()
    })?
    .concat();
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    phases.iter().for_each(|phase| *counted.entry(phase).or_default() += 1);
    counted.iter().for_each(|(phase, kills)| println!("{phase:16} {kills}"));
    println!("killed {} drills; before gc: {:?}", phases.len(), left()?);
    // From one directory, which knows nothing of the others.
    let since = Instant::now();
    let state = dirs.first().ok_or("--dirs is 0")?.path();
    loop {
        let output = program(cli, state).arg("gc").output().map_err(|e| e.to_string())?;
        println!("{}", String::from_utf8_lossy(&output.stdout).trim_end());
        if left()?.is_empty() || since.elapsed() > PATIENCE {
            break;
        }
        sleep(Duration::from_secs(5));
    }
    let (left, same) = (left()?, foreign.seen()? == before);
    println!("left after gc: {left:?}; what others have is {}", if same { "as it was" } else { "CHANGED" });
    Ok(left.is_empty() && same)
}

fn main() -> ExitCode {
    match kills(&Cli::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("error: {e}");
            ExitCode::from(2)
        }
    }
}
