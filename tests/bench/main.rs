//! `make bench`: how fast seeding and reading are beside other programs' on the same stack, how time and memory grow with a
//! mailbox, and what of a drill is the harness's own time. Prints tables and writes `bench.json`. Measures; asserts nothing.

#![expect(clippy::print_stdout, reason = "the tables are the result")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use engine::until;
use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::store::{Evidence, ObservationId, RunFact};
use judge::{self, BASELINE, RESTORED};
use restore_drill::drill::{self, Drill, Options, Resources};
use restore_drill::error::{Error, ReadingError, Result, SeedingError};
use restore_drill::events::Events;
use restore_drill::probe::Probe as _;
use restore_drill::probe::mail::Mail;
use serde_json::{Value, json};

/// Connections at once, of every program that has more than one.
const CONNECTIONS: usize = 6;
/// Bytes of a message's body.
const BODY: usize = 4096;
/// What is read in the end, that nothing waits forever.
const PATIENCE: Duration = Duration::from_secs(600);

/// Benchmarks of restore-drill, on stand-ins, beside smtp-source, mbsync, Python's imaplib, and the dumps of databases.
#[derive(Parser)]
struct Cli {
    /// The folder of scenarios.
    #[arg(long, default_value = "scenarios")]
    scenarios: PathBuf,
    /// Messages submitted in each round.
    #[arg(long, default_value_t = 300)]
    submit: usize,
    /// Messages read in each round: over ten mailboxes, and in one.
    #[arg(long, default_value_t = 20_000)]
    read: usize,
    /// Sizes of one mailbox, in messages, smallest first.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    mailbox: Vec<usize>,
    /// Rows of the table that is read of each database.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rounds; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Profiles of whole drills.
    #[arg(long, value_delimiter = ',', default_value = "smoke,default")]
    drills: Vec<String>,
    /// The parts to measure; all of them where none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Where the results go.
    #[arg(long, default_value = "bench.json")]
    json: PathBuf,
}

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Seeding, beside smtp-source.
    Submitting,
    /// One mailbox, as it grows.
    Mailbox,
    /// Reading, beside mbsync and imaplib.
    Reading,
    /// Reading a volume, beside the engine's archive.
    Volumes,
    /// Reading databases, beside their own dumps.
    Rows,
    /// Whole drills.
    Drills,
}

/// What tests have too.
#[allow(dead_code, reason = "the benchmark uses a part")]
#[path = "../common"]
mod common {
    pub mod images;
    pub mod server;
}
mod reading;
mod rows;
mod volumes;

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    match bench(cli).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            println!("error: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn bench(cli: Cli) -> Result<()> {
    let needed = [("mbsync", "isync", Part::Reading), ("python3", "python3", Part::Reading), ("sqlite3", "sqlite3", Part::Rows)];
    for (program, package, _) in needed.iter().filter(|(.., part)| cli.only.is_empty() || cli.only.contains(part)) {
        if Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            return Err(Error::Usage(format!("{program} is not installed; `apt-get install {package}`")));
        }
    }
    let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let mut options = Options::new(&cli.scenarios, "mailu");
    options.profile = "default".into();
    options.evidence = Some(dir.path().join("run"));
    let only = cli.only.clone();
    let wanted = move |part: Part| only.is_empty() || only.contains(&part);
    let mut result = json!({"version": 1, "machine": machine()});
    if [Part::Submitting, Part::Mailbox, Part::Reading].into_iter().any(&wanted) {
        let (submit, read, mailbox, rounds, wanted) = (cli.submit, cli.read, cli.mailbox.clone(), cli.rounds, wanted.clone());
        let play = move |drill: Arc<Drill>| async move {
            let deployed = drill::deploy(&drill).await?;
            drop(drill::provision(&drill, deployed).await?);
            let mut parts = Vec::new();
            if wanted(Part::Submitting) {
                parts.push(("submitting", submitting(&drill, submit, rounds).await?));
            }
            if wanted(Part::Mailbox) {
                parts.push(("one mailbox", growing(&drill, &mailbox).await?));
            }
            if wanted(Part::Reading) {
                parts.push(("reading", reading::measure(&drill, read, rounds).await?));
            }
            Ok(parts)
        };
        for (name, part) in drill::guarded(options, Box::new(|_| Ok(Events::default())), play).await?.value {
            result[name] = part;
        }
    }
    if wanted(Part::Volumes) {
        result["volumes"] = volumes::measure(cli.rounds).await?;
    }
    if wanted(Part::Rows) {
        result["rows"] = rows::measure(cli.rows, cli.rounds).await?;
    }
    if wanted(Part::Drills) {
        let drills = cli.drills.iter().map(|profile| whole(&cli.scenarios, profile, &dir.path().join(profile)));
        result["drills"] = drills.collect::<Result<Vec<_>>>()?.into();
    }
    let text = serde_json::to_string_pretty(&result).unwrap_or_default();
    std::fs::write(&cli.json, text + "\n").map_err(Error::io(&cli.json))?;
    println!("\nwritten to {}", cli.json.display());
    Ok(())
}

/// What the numbers were measured on.
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name")).map(|l| l.trim_start_matches(['\t', ' ', ':']).to_owned());
    let memory = read("/proc/meminfo");
    json!({
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "cpu": model,
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "memory": memory.lines().next().and_then(|l| l.strip_prefix("MemTotal:")).map(str::trim),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
    })
}

/// The figures of all rounds.
fn spread(values: &[f64]) -> Value {
    let (least, most) = values.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), v| (least.min(*v), most.max(*v)));
    json!({"median": median(values.to_vec()), "least": least, "most": most})
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The first users who neither forward their mail nor answer it by themselves.
fn quiet(drill: &Drill, count: usize) -> Vec<String> {
    drill.run.corpus.accounts().quiet().take(count).map(|u| u.email.clone()).collect()
}

/// Messages a second: ours, plain and as a drill does it, beside Postfix's smtp-source through the same front.
async fn submitting(drill: &Arc<Drill>, messages: usize, rounds: usize) -> Result<Value> {
    println!("submitting {messages} messages of {BODY} bytes, {CONNECTIONS} connections, {rounds} rounds");
    let users = quiet(drill, 2);
    let (from, to) = (users[0].clone(), users[1].clone());
    let (mut source, mut plain, mut tls) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let command = format!("smtp-source -d -s {CONNECTIONS} -m {messages} -l {BODY} -f {from} -t {to} app:25");
        let since = Instant::now();
        within(drill, "smtp", &command).await?;
        source.push(messages as f64 / since.elapsed().as_secs_f64());
        delivered(drill).await?;
        plain.push(submit(drill, None, &from, &to, messages).await?);
        delivered(drill).await?;
        tls.push(submit(drill, Some(&from), &from, &to, messages).await?);
        delivered(drill).await?;
    }
    let (source, plain, tls) = (median(source), median(plain), median(tls));
    println!("  smtp-source                     {source:8.1} messages/s");
    println!("  restore-drill, the same way     {plain:8.1} messages/s, {:.2} x smtp-source", plain / source);
    println!("  restore-drill, TLS and login    {tls:8.1} messages/s, {:.2} x smtp-source", tls / source);
    Ok(
        json!({"smtp-source": source, "the same way": plain, "TLS and login": tls, "ratio": plain / source, "ratio with TLS and login": tls / source}),
    )
}

async fn submit(drill: &Arc<Drill>, login: Option<&str>, from: &str, to: &str, messages: usize) -> Result<f64> {
    let body = format!("{}\r\n", "X".repeat(78)).repeat(BODY / 80);
    let text = format!("From: <{from}>\r\nTo: <{to}>\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\n\r\n{body}");
    let password = login.map(|l| drill.run.password(l));
    let login = login.zip(password.as_deref());
    let submission = drill.app.submission(login);
    let since = Instant::now();
    futures_util::stream::iter(0..messages)
        .map(|_| async { submission.send(from, &[to], text.as_bytes()).await.map(drop) })
        .buffer_unordered(CONNECTIONS)
        .try_collect::<Vec<()>>()
        .await
        .map_err(|e| SeedingError::refused("submitting", e.reason()))?;
    Ok(messages as f64 / since.elapsed().as_secs_f64())
}

async fn delivered(drill: &Arc<Drill>) -> Result<()> {
    until(PATIENCE, || async {
        let queued = within(drill, "smtp", "postqueue -j | wc -l").await?;
        Ok(if queued.trim() == "0" { Ok(()) } else { Err(format!("{} in the queue", queued.trim())) })
    })
    .await
}

async fn within(drill: &Drill, service: &str, script: &str) -> Result<String> {
    let service = drill.app.stack.service(service);
    let output = drill.app.owned.engine().exec(&service, &["sh", "-ec", script], &[], None).await?;
    Ok(output.ok(script).map(|o| o.stdout)?)
}

/// Puts messages into an INBOX until it has that many: past the doors, as it is reading that is measured.
async fn fill(drill: &Drill, account: &str, wanted: usize, bytes: usize) -> Result<()> {
    let service = drill.app.stack.service("imap");
    let (wanted, lines) = (wanted.to_string(), (bytes / 78).to_string());
    let command = ["bash", "-ec", FILL, "bash", account, &wanted, &lines, seeds::ITEM_HEADER];
    Ok(drill.app.owned.engine().exec(&service, &command, &[], None).await?.ok("filling a mailbox").map(drop)?)
}

const FILL: &str = r#"
install -d -o mail -g mail "/mail/$1" "/mail/$1/cur" "/mail/$1/new" "/mail/$1/tmp"
cd "/mail/$1/cur"
body=$(printf '%076d\n' $(seq "$3"))
there=$(ls | wc -l)
for n in $(seq "$there" $(($2 - 1))); do
  printf 'From: <%s>\nSubject: %s\nMessage-ID: <%s@bench.example>\n%s: %s\n\n%s\n' "$1" "$n" "$n" "$4" "$n" "$body" > "1700000000.$n.bench:2,"
done
chown -R mail:mail .
doveadm force-resync -u "$1" INBOX
"#;

/// CPU time that a service's container has used, in seconds.
async fn cpu(drill: &Drill, service: &str) -> Result<f64> {
    use bollard::query_parameters::StatsOptionsBuilder;
    let engine = drill.app.owned.engine();
    let container = engine.container_of(&drill.app.stack.service(service)).await?;
    let container = container.ok_or_else(|| Error::Engine(format!("no container of {service}")))?;
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut stats = Box::pin(engine.docker.stats(&container, Some(options)));
    let stats = stats.next().await.ok_or_else(|| Error::Engine(format!("no statistics of {container}")))?;
    let stats = stats.map_err(|e| Error::Engine(format!("statistics of {container}: {e}")))?;
    let used = stats.cpu_stats.and_then(|s| s.cpu_usage).and_then(|u| u.total_usage).unwrap_or_default();
    Ok(used as f64 / 1e9)
}

/// Reads the mailboxes as a drill does; how long it took, in seconds.
async fn observe(drill: &Drill, accounts: &[String], evidence: &Evidence, o: ObservationId) -> Result<f64> {
    let since = Instant::now();
    let mail = Mail { imap: drill.app.imap(), accounts: accounts.to_vec(), secret: drill.run.secret(), modseqs: None };
    mail.observe(evidence, o, &|_, _| ()).await?;
    Ok(since.elapsed().as_secs_f64())
}

/// Runs programs side by side to their end; how long that took, in seconds.
fn together(commands: Vec<Command>) -> Result<f64> {
    let since = Instant::now();
    let name = |command: &Command| command.get_program().to_string_lossy().into_owned();
    let start = |mut command: Command| -> Result<(String, Child)> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        Ok((name(&command), child.map_err(Error::io(name(&command)))?))
    };
    let children = commands.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    for (what, child) in children {
        let output = child.wait_with_output().map_err(Error::io(&what))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ReadingError::Unread { what, why }.into());
        }
    }
    Ok(since.elapsed().as_secs_f64())
}

/// Time and memory of observing one mailbox and its files twice and judging them, as it grows.
async fn growing(drill: &Arc<Drill>, sizes: &[usize]) -> Result<Value> {
    println!("one mailbox, observed twice and judged");
    let account = quiet(drill, 1);
    let mut rows = Vec::new();
    for &size in sizes {
        fill(drill, &account[0], size, 1024).await?;
        let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        forget_peak();
        let evidence = Evidence::create(&dir.path().join("run"))?;
        let (mut observed, mut files) = (0.0, 0.0);
        for stage in [BASELINE, RESTORED] {
            let o = evidence.observation(stage)?;
            observed = observe(drill, &account, &evidence, o).await?;
            let since = Instant::now();
            drill.app.files_probe(drill.run.corpus.accounts()).observe(&evidence, o, &|_, _| ()).await?;
            files = since.elapsed().as_secs_f64();
            evidence.complete(o)?;
        }
        let since = Instant::now();
        let verdict = judge::judge(&evidence, RESTORED)?;
        let judged = since.elapsed().as_secs_f64();
        if verdict.compared.messages < size as u64 {
            let why = format!("{} messages were compared, {size} are there", verdict.compared.messages);
            return Err(ReadingError::Unread { what: "the mailbox".into(), why }.into());
        }
        let peak = Resources::used().map_or(0, |r| r.peak_kib) / 1024;
        println!(
            "  {size:>7} messages: observed in {observed:6.2} s ({:6.0} a second), its files in {files:5.2} s, judged in {judged:5.2} s, peak memory {peak} MiB",
            size as f64 / observed
        );
        rows.push(json!({"messages": size, "observe s": observed, "files s": files, "judge s": judged, "peak MiB": peak}));
    }
    Ok(json!(rows))
}

/// Has the kernel count this process's peak memory anew.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A whole drill: its phases, and what of it was the harness's own time.
fn whole(scenarios: &Path, profile: &str, dir: &Path) -> Result<Value> {
    let program = std::env::current_exe().map_err(Error::io("this program"))?.with_file_name("restore-drill");
    let mut command = Command::new(program);
    command.args(["run", "mailu", "--profile", profile, "--scenarios"]).arg(scenarios).arg("--evidence").arg(dir);
    let seconds = together(vec![command])?;
    let evidence = Evidence::open(dir)?;
    let number = |fact| -> Result<f64> { Ok(evidence.number(fact)?.unwrap_or_default() as f64) };
    let (cpu, peak) = (number(RunFact::CpuMs)? / 1000.0, number(RunFact::PeakMemoryKib)? / 1024.0);
    let events = std::fs::read_to_string(dir.join("events.jsonl")).map_err(Error::io(dir))?;
    let phases: Vec<Value> = events
        .lines()
        .filter_map(|l| serde_json::from_str::<Value>(l).ok())
        .filter(|e| e["event"] == "phase-finished")
        .map(|e| json!([e["phase"], e["millis"]]))
        .collect();
    println!(
        "whole drill, profile {profile}: {seconds:.0} s, of which the harness's own CPU time {cpu:.1} s ({:.1} %); peak memory {peak:.0} MiB",
        100.0 * cpu / seconds
    );
    for phase in &phases {
        println!("    {:10} {:7.1} s", phase[0].as_str().unwrap_or_default(), phase[1].as_f64().unwrap_or_default() / 1000.0);
    }
    Ok(json!({"profile": profile, "s": seconds, "own cpu s": cpu, "peak MiB": peak, "phases ms": phases}))
}
