//! `make soak`: fault-free drills one after another, over all scenarios, profiles and seeds, while each core is kept busy. Every one of
//! them must hold. Prints each drill, and at the end how many held, with the reason of each that did not.

#![expect(clippy::print_stdout, reason = "the results are printed")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, available_parallelism};
use std::time::Instant;

use clap::Parser;
use judge::model::Status;
use recipe::scenario;
use restore_drill::drill::{self, Options};
use restore_drill::error::Error;
use restore_drill::events::Events;
use restore_drill::report::JsonLines;

/// Findings of a drill that are printed.
const NAMED: usize = 5;

/// Fault-free drills under load, which must all hold.
#[derive(Parser)]
struct Cli {
    /// The folder of scenarios.
    #[arg(long, default_value = "scenarios")]
    scenarios: PathBuf,
    /// The scenarios; all of the folder where none is named.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The profiles.
    #[arg(long, value_delimiter = ',', default_value = "tiny,smoke")]
    profiles: Vec<String>,
    /// How many drills.
    #[arg(long, default_value_t = 60)]
    runs: usize,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leaves the cores alone.
    #[arg(long)]
    idle: bool,
    /// Where the evidence of drills that did not hold is kept.
    #[arg(long, default_value = "runs/soak")]
    evidence: PathBuf,
}

/// Threads that use a core each, until this is dropped.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn begin(cores: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let busy = |_| {
            let stop = stop.clone();
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..cores).map(busy).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

/// A drill to make.
struct Planned {
    scenario: String,
    profile: String,
    seed: u64,
}

/// Every scenario with every profile and one seed, then all of them with the next seed.
fn plan(scenarios: &[String], profiles: &[String], first: u64, runs: usize) -> Vec<Planned> {
    let round = |seed: u64| {
        let each = move |profile: &String| {
            let profile = profile.clone();
            scenarios.iter().map(move |s| Planned { scenario: s.clone(), profile: profile.clone(), seed })
        };
        profiles.iter().flat_map(each)
    };
    if scenarios.is_empty() || profiles.is_empty() {
        return vec![];
    }
    (first..).flat_map(round).take(runs).collect()
}

/// Makes a drill; none where it held, else why not.
async fn made(cli: &Cli, planned: &Planned, dir: &Path) -> Result<Option<Vec<String>>, Error> {
    let Planned { scenario, profile, seed } = planned;
    let mut options = Options::new(&cli.scenarios, scenario);
    (options.profile, options.seed, options.evidence) = (profile.clone(), *seed, Some(dir.to_owned()));
    let sinks: drill::Sinks = Box::new(|dir| Ok(Events::new(vec![Box::new(JsonLines::create(dir)?)])));
    match drill::run(options, sinks).await {
        Ok(ended) if ended.value.status == Status::Held => Ok(None),
        Ok(ended) => {
            let findings = &ended.value.findings;
            let mut why: Vec<String> = findings.iter().take(NAMED).map(ToString::to_string).collect();
            if findings.len() > NAMED {
                why.push(format!("and {} more", findings.len() - NAMED));
            }
            Ok(Some(why))
        }
        Err(e @ (Error::Signal(_) | Error::Usage(_) | Error::Recipe(_) | Error::Engine(_))) => Err(e),
        Err(e) => Ok(Some(vec![e.to_string()])),
    }
}

#[tokio::main]
async fn main() -> Result<ExitCode, Error> {
    let cli = Cli::parse();
    let scenarios = if cli.only.is_empty() { scenario::list(&cli.scenarios) } else { cli.only.clone() };
    let all = plan(&scenarios, &cli.profiles, cli.seed, cli.runs);
    let cores = available_parallelism().map_or(1, usize::from);
    let _load = (!cli.idle).then(|| Load::begin(cores));
    let (mut held, mut failed) = (0, Vec::new());
    for (at, planned) in all.iter().enumerate() {
        let since = Instant::now();
        let name = format!("{}-{}-{}", planned.scenario, planned.profile, planned.seed);
        let dir = cli.evidence.join(&name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(Error::io(&dir))?;
        }
        let why = made(&cli, planned, &dir).await?;
        let word = if why.is_some() { "NOT HELD" } else { "held" };
        println!("{:3}/{}  {word:8}  {name:24} {:6.1} s", at + 1, all.len(), since.elapsed().as_secs_f64());
        match why {
            None => {
                held += 1;
                std::fs::remove_dir_all(&dir).map_err(Error::io(&dir))?;
            }
            Some(why) => {
                why.iter().for_each(|line| println!("         {line}"));
                failed.push((name, dir, why));
            }
        }
    }
    println!("\nheld {held} of {}{}", all.len(), if cli.idle { "" } else { ", with a busy loop on each core" });
    for (name, dir, why) in &failed {
        println!("  {name}, {}: {}", dir.display(), why.join("; "));
    }
    Ok(if failed.is_empty() && held > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
