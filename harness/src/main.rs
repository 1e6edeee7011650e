//! `restore-drill`: the program.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::CommandFactory as _;
use engine::Engine;
use futures_util::StreamExt as _;
use judge::audit::AuditReport;
use judge::meaning;
use judge::model::{Status, Verdict, essences};
use judge::redact::redact;
use judge::store::{Evidence, RunFact};
use recipe::labels::lint::{self, lint};
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::rules::{Lesson, lessons};
use recipe::labels::suggest::suggest;
use recipe::scenario::faults::Group;
use recipe::scenario::scaffold;
use recipe::scenario::{self, Scenario};
use restore_drill::audit;
use restore_drill::cli::{
    CiArgs, Cli, ClimbArgs, Command, FaultArgs, Labels, LadderArgs, LogFormat, OutputArgs, ReportArgs, RunArgs,
};
use restore_drill::doctor::{Level, doctor};
use restore_drill::drill::{self, Ended, Options};
use restore_drill::error::{Error, FaultError, Result};
use restore_drill::events::{Events, Sink};
use restore_drill::fault::matrix::Matrix;
use restore_drill::fault::run::{self as faults, Outcome};
use restore_drill::ladder::climb::Plan;
use restore_drill::ladder::pinned::Source;
use restore_drill::ladder::{self, Ladder};
use restore_drill::report::ci::{Folded, Folds, keep, keep_error};
use restore_drill::report::model::{self, Report};
use restore_drill::report::pr::{self, Proof};
use restore_drill::report::terminal::{Terminal, block};
use restore_drill::report::{JsonLines, OutputFiles, history, html, summary};
use restore_drill::stack::gc;
use restore_drill::{again, config, conformance, exit_code, images, output};

#[tokio::main]
async fn main() -> ExitCode {
    let parsed = match config::parse(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(e) => {
            output::notice(format_args!("error: {e}"));
            return ExitCode::from(e.exit_code());
        }
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(exit_code::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("RESTORE_DRILL_LOG").unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    match execute(cli).await {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            output::notice(format_args!("error: {}", redact(&e.to_string())));
            ExitCode::from(e.exit_code())
        }
    }
}

async fn execute(cli: Cli) -> Result<u8> {
    let (asked, scenarios) = (cli.scenarios.clone(), scenario::folder(cli.scenarios));
    match cli.command {
        Command::Run(args) => run(&args, &scenarios, cli.output).await,
        Command::Ladder(args) => ladder(args, scenarios, cli.output).await,
        Command::Ci(args) => ci(args, scenarios).await,
        Command::Judge { dir, observation, json, checks } => {
            let evidence = Evidence::open(&dir)?;
            if checks {
                output::text(judge::checks::text(&judge::checks::performed(&evidence, &observation)?))?;
                return Ok(exit_code::HELD);
            }
            let verdict = judge::judge(&evidence, &observation)?;
            if json {
                output::line(serde_json::json!(verdict))?;
            } else {
                block(&verdict).iter().try_for_each(output::line)?;
                reproduce(&evidence)?;
            }
            Ok(exit_code::of(verdict.status))
        }
        Command::Report(args) => report(args),
        Command::History { dir, html, json } => {
            let (past, unread) = history::read(&dir)?;
            unread.iter().for_each(|why| output::notice(format_args!("not read: {why}")));
            if let Some(file) = &html {
                std::fs::write(file, html::history(&past)?).map_err(Error::io(file))?;
            }
            if json {
                past.iter().try_for_each(|p| output::line(serde_json::json!(p.report)))?;
            } else {
                output::text(history::table(&past))?;
            }
            Ok(exit_code::HELD)
        }
        Command::Repro { dir, evidence } => repro(&dir, evidence, &scenarios, cli.output).await,
        Command::Explain { finding } => explain(&finding.join(" ")),
        Command::Config => {
            output::text(config::SAMPLE)?;
            Ok(exit_code::HELD)
        }
        Command::New { name, compose } => {
            for file in scaffold::new(&asked, &name, &compose)? {
                output::line(file.display())?;
            }
            output::notice(format_args!("\nnext: look for TODO in them, then `restore-drill run {name}`"));
            Ok(exit_code::HELD)
        }
        Command::Schema { of } => {
            output::line(format_args!("{:#}", of.json()))?;
            Ok(exit_code::HELD)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "restore-drill", &mut script);
            output::text(String::from_utf8_lossy(&script))?;
            Ok(exit_code::HELD)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Error::io("the manual page"))?;
            output::text(String::from_utf8_lossy(&page))?;
            Ok(exit_code::HELD)
        }
        Command::Gc { run } => {
            let engine = Engine::connect().await?;
            let done = gc::collect(&engine, run.as_deref(), Duration::from_secs(120)).await?;
            for (what, runs) in
                [("removed", done.removed), ("live", done.live), ("kept", done.kept), ("of other hosts", done.foreign)]
            {
                output::line(format_args!("{what}: {}", if runs.is_empty() { "none".into() } else { runs.join(", ") }))?;
            }
            Ok(exit_code::HELD)
        }
        Command::Doctor => {
            let checks = doctor(&scenarios).await;
            for check in &checks {
                let mark = match check.level {
                    Level::Ok => "ok  ",
                    Level::Note => "note",
                    Level::Bad => "BAD ",
                };
                output::line(format_args!("{mark}  {:14}  {}", check.what, check.found))?;
            }
            let bad = checks.iter().any(|c| c.level == Level::Bad);
            Ok(if bad { exit_code::ENGINE } else { exit_code::HELD })
        }
        Command::Images { scenario } => {
            let scenario = Scenario::load(&scenarios, &scenario)?;
            let mut sources = images::bot::source(&scenario::bot(&scenarios)).await?;
            sources.extend(scenario.image_contexts()?);
            let engine = Engine::connect().await?;
            let events = Events::new(vec![Box::new(Terminal::new())]);
            let phase = events.phase(restore_drill::events::Phase::Images);
            let built =
                images::ensure_images(&engine, &sources, &events, |done, all| phase.progress(done, all, "images")).await?;
            phase.finish(format!("{} images are there", built.len()));
            built.values().try_for_each(output::line)?;
            Ok(exit_code::HELD)
        }
        Command::Audit { stack, scenario, snapshot, json } => {
            let scenario = match scenario {
                Some(name) => Scenario::load(&scenarios, &name)?,
                None => audit::scenario_of(&scenarios, &stack).await?,
            };
            let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
            let evidence = Arc::new(Evidence::create(dir.path())?);
            audit::deployed(&scenario, &stack, snapshot.as_deref(), evidence.clone()).await?;
            let (verdict, report) = (judge::audited(&evidence)?, AuditReport::read(&evidence)?);
            if json {
                output::line(serde_json::json!({"verdict": verdict, "report": report}))?;
            } else {
                report.iter().try_for_each(output::text)?;
                verdict.findings.iter().try_for_each(output::line)?;
                output::line(verdict.status)?;
            }
            Ok(exit_code::of(verdict.status))
        }
        Command::Fault(args) => inject(args, scenarios, cli.output).await,
        Command::Conformance { names, backupbot, json } => {
            let events = Events::new(vec![Box::new(Terminal::new())]);
            let outcomes = conformance::run(&scenarios, backupbot, &names, &events).await?;
            if json {
                output::line(format_args!("{:#}", serde_json::json!(outcomes)))?;
            } else {
                for outcome in outcomes.iter().filter(|o| !o.differences.is_empty()) {
                    output::line(format_args!("{}: {}", outcome.case, outcome.why))?;
                    outcome.differences.iter().try_for_each(|d| output::line(format_args!("  {d}")))?;
                }
                let kept = outcomes.iter().filter(|o| o.differences.is_empty()).count();
                output::line(format_args!("{kept} of {} cases kept", outcomes.len()))?;
            }
            let all = !outcomes.is_empty() && outcomes.iter().all(|o| o.differences.is_empty());
            Ok(if all { exit_code::HELD } else { exit_code::BROKEN })
        }
        Command::List => {
            output::line(format_args!("scenarios: {}", scenario::list(&scenarios).join(", ")))?;
            output::line(format_args!("profiles: {}", seeds::Profile::names().collect::<Vec<_>>().join(", ")))?;
            Ok(exit_code::HELD)
        }
        Command::Labels(command) => labels(command),
    }
}

fn labels(command: Labels) -> Result<u8> {
    match command {
        Labels::Lint { paths, base, env_file, format } => {
            let mut sources = RecipeFiles::find(&paths)?;
            if let Some(file) = env_file {
                sources.env.extend(recipe::env::read_env(&file)?);
            }
            let recipe = sources.read()?;
            let base = base.map(|base| match Path::new(&base) {
                dir if dir.exists() => RecipeFiles::find(&[dir.to_owned()])?.read(),
                _ => sources.read_at(&base),
            });
            let mistakes = lint(&recipe, base.transpose()?.as_ref());
            output::text(lint::render(&mistakes, format))?;
            Ok(if lint::is_error(&mistakes) { exit_code::BROKEN } else { exit_code::HELD })
        }
        Labels::Explain { code: None } => {
            lessons().iter().try_for_each(|l| output::line(format_args!("{}  {}", l.code, l.summary)))?;
            Ok(exit_code::HELD)
        }
        Labels::Explain { code: Some(code) } => {
            let unknown = || Error::Usage(format!("no rule {code:?}; restore-drill labels explain lists them"));
            output::text(Lesson::find(&code).ok_or_else(unknown)?.text())?;
            Ok(exit_code::HELD)
        }
        Labels::Pr { evidence, before } => {
            let before = before.map(|dir| Proof::open(&dir)).transpose()?;
            output::text(pr::text(&Proof::open(&evidence)?, before.as_ref())?)?;
            Ok(exit_code::HELD)
        }
        Labels::Suggest { dir, write } => {
            let suggestion = suggest(&RecipeFiles::find(&[dir])?)?;
            suggestion.assumed.iter().for_each(|a| output::notice(format_args!("assumed: {a}")));
            let diff = suggestion.diff();
            if diff.is_empty() {
                output::notice("nothing to change");
            } else if write {
                suggestion.write()?;
                output::notice("written");
            }
            output::text(diff)?;
            if !suggestion.left.is_empty() {
                let left = lint::render(&suggestion.left, lint::OutputFormat::Human);
                output::notice(format_args!("\nleft for you:\n{}", left.trim_end()));
            }
            Ok(if lint::is_error(&suggestion.left) { exit_code::BROKEN } else { exit_code::HELD })
        }
    }
}

/// The sinks of a run: the terminal, and the run's directory.
fn sinks(output: OutputArgs, brief: bool) -> drill::Sinks {
    Box::new(move |dir| {
        let watcher: Box<dyn Sink> = match output.log_format {
            LogFormat::Json => Box::new(JsonLines::stderr()),
            LogFormat::Text if output.quiet => Box::new(Terminal::quiet()),
            LogFormat::Text if brief => Box::new(Terminal::brief()),
            LogFormat::Text => Box::new(Terminal::new()),
        };
        Ok(Events::new(vec![watcher, Box::new(JsonLines::create(dir)?)]))
    })
}

/// Injects a scenario's faults.
async fn inject(args: FaultArgs, scenarios: PathBuf, output: OutputArgs) -> Result<u8> {
    let name = &args.scenario;
    let scenario = Scenario::load(&scenarios, name)?;
    let chosen = faults::chosen(&scenario, &args.names, args.group)?;
    if args.list {
        for fault in chosen {
            output::line(format_args!("{:8}  {:32}  {}", fault.group(), fault.name(), fault.what()))?;
        }
        return Ok(exit_code::HELD);
    }
    if chosen.is_empty() {
        return Err(Error::Usage(format!(
            "none of these faults is in that group; `restore-drill fault --list {name}` lists them with their groups"
        )));
    }
    let dir = args.evidence.clone().unwrap_or_else(|| runs("fault"));
    let options = |at: &str| {
        let mut options = Options::new(&scenarios, name);
        (options.profile, options.seed) = (args.data.profile.clone(), args.data.seed);
        options.evidence = Some(dir.join(at));
        options
    };
    let signalled = AtomicBool::new(false);
    // The longest first, so that the others run beside it.
    let groups = [Group::Restore, Group::Labels, Group::Content, Group::Backup].into_iter().map(|group| {
        let begun = faults::group(group, &chosen, options(group.name()), sinks(output, true));
        unless(&signalled, begun)
    });
    let results: Vec<(Outcome, Result<()>)> = futures_util::stream::iter(groups).buffered(usize::from(args.jobs)).collect().await;
    let (outcomes, results): (Vec<_>, Vec<_>) = results.into_iter().unzip();
    let ended = results.into_iter().collect::<Result<()>>();
    if outcomes.iter().all(|o| o.lines.is_empty()) {
        ended?;
        return Err(FaultError::NoneInjected.into());
    }
    // Some faults alone need not turn every check red.
    let all = args.names.is_empty() && args.group.is_none() && ended.is_ok();
    let checks = outcomes.iter().filter(|_| all).flat_map(|o| o.checks.iter().cloned()).collect();
    let mut lines: Vec<_> = outcomes.into_iter().flat_map(|o| o.lines).collect();
    lines.sort_by_key(|line| line.group);
    let matrix = Matrix::new(lines, &checks, &scenario.faults.unproven);
    let file = dir.join("matrix.json");
    std::fs::write(&file, format!("{:#}\n", serde_json::json!(matrix))).map_err(Error::io(&file))?;
    if args.json {
        output::line(format_args!("{:#}", serde_json::json!(matrix)))?;
    } else {
        output::text(matrix.text())?;
    }
    output::notice(format_args!("evidence: {}", dir.display()));
    if !matrix.missed().is_empty() {
        output::notice(format_args!("again:    restore-drill fault {name} {}", matrix.missed().join(" ")));
    }
    ended?;
    Ok(if matrix.whole() { exit_code::HELD } else { exit_code::UNDETECTED })
}

/// What has not begun when a signal comes does not begin.
async fn unless(signalled: &AtomicBool, work: impl Future<Output = (Outcome, Result<()>)>) -> (Outcome, Result<()>) {
    if signalled.load(Ordering::Relaxed) {
        return (Outcome::default(), Ok(()));
    }
    let (outcome, result) = work.await;
    signalled.fetch_or(matches!(result, Err(Error::Signal(_))), Ordering::Relaxed);
    (outcome, result)
}

async fn ladder(args: LadderArgs, scenarios: PathBuf, output: OutputArgs) -> Result<u8> {
    // What cannot be compared with is found before an hour is spent.
    let before = args.climb.compare.as_deref().map(Ladder::read).transpose()?;
    let (ladder, dir) = climb(&args.recipe, args.climb, scenarios, sinks(output, false)).await?;
    if args.json {
        output::line(format_args!("{:#}", serde_json::json!(ladder)))?;
    } else {
        output::text(ladder.text())?;
        before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
    }
    output::notice(format_args!("\nevidence:  {}\nreproduce: {}", dir.display(), ladder.reproduce));
    Ok(exit_code::of(ladder.status()))
}

/// Climbs a recipe's ladder. Gives it with its directory.
async fn climb(recipe: &str, args: ClimbArgs, scenarios: PathBuf, sinks: drill::Sinks) -> Result<(Ladder, PathBuf)> {
    let source = Source::find(recipe, &scenarios, args.dirty)?;
    let mut options = Options::new(&scenarios, args.scenario.as_deref().unwrap_or(&source.name));
    (options.profile, options.seed) = (args.data.profile, args.data.seed);
    (options.images, options.env_file) = (args.images, args.env_file);
    let dir = args.evidence.unwrap_or_else(|| runs("ladder"));
    let plan = Plan { source, from: args.from, dir: dir.clone(), not_applicable: args.not_applicable, options };
    Ok((ladder::climb::climb(plan, sinks).await?, dir))
}

/// A step of a pipeline.
async fn ci(mut args: CiArgs, scenarios: PathBuf) -> Result<u8> {
    let before = args.climb.compare.as_deref().map(Ladder::read).transpose()?;
    // In a build, the commit that it is of.
    if let (false, Ok(commit)) = (args.climb.dirty || args.recipe.contains('@'), std::env::var("DRONE_COMMIT_SHA")) {
        args.recipe += &format!("@{commit}");
    }
    let folded: drill::Sinks =
        Box::new(|dir| Ok(Events::new(vec![Box::new(Folded::new(Folds::here())), Box::new(JsonLines::create(dir)?)])));
    let dir = args.climb.evidence.get_or_insert_with(|| runs("ladder")).clone();
    match climb(&args.recipe, args.climb, scenarios, folded).await {
        Ok((ladder, dir)) => {
            let exit_code = exit_code::of(ladder.status());
            keep(&args.out, &dir, exit_code)?;
            output::text(ladder.text())?;
            before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
            output::notice(format_args!(
                "\nresults:   {}\nevidence:  {}\nreproduce: {}",
                args.out.display(),
                dir.display(),
                ladder.reproduce
            ));
            Ok(exit_code)
        }
        Err(e) => {
            keep_error(&args.out, &dir, &e, &format!("restore-drill ladder {}", args.recipe))?;
            Err(e)
        }
    }
}

/// A directory for what is done now.
fn runs(what: &str) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    PathBuf::from("runs").join(format!("{what}-{now}"))
}

async fn run(args: &RunArgs, scenarios: &Path, output: OutputArgs) -> Result<u8> {
    let options = args.options(scenarios.to_owned())?;
    let command = options.reproduce();
    let begun = Arc::new(OnceLock::new());
    let (dir_of, inner) = (begun.clone(), sinks(output, false));
    let sinks: drill::Sinks = Box::new(move |dir| {
        dir_of.get_or_init(|| dir.to_owned());
        inner(dir)
    });
    let Ended { value: verdict, evidence, .. } = match drill::run(options, sinks).await {
        Ok(ended) => ended,
        Err(e) => {
            if let Some(dir) = begun.get() {
                output::notice(format_args!("\nevidence:  {}", dir.display()));
                ended_early(dir).unwrap_or_else(|why| output::notice(format_args!("note: summary.json was not written: {why}")));
            }
            if e.exit_code() != exit_code::USAGE {
                output::notice(format_args!("reproduce: {command}"));
            }
            return Err(e);
        }
    };
    let report = summarize(&evidence, &verdict)?;
    if !output.quiet {
        report.iter().for_each(|r| output::notice(format_args!("\n{}", r.to_string().trim_end())));
    }
    output::notice(format_args!("\nevidence:  {}", evidence.dir().display()));
    reproduce(&evidence)?;
    output::line(verdict.status)?;
    Ok(exit_code::of(verdict.status))
}

/// Writes `summary.json` of a run that ended before its end: its reason, and a verdict that nothing is proven.
fn ended_early(dir: &Path) -> Result<()> {
    let evidence = Evidence::open(dir)?;
    summarize(&evidence, &judge::judge(&evidence, judge::RESTORED)?).map(drop)
}

/// Writes `summary.json`. Gives what the audit says.
fn summarize(evidence: &Evidence, verdict: &Verdict) -> Result<Option<AuditReport>> {
    let mut facts = serde_json::json!({});
    for fact in
        [RunFact::Run, RunFact::Scenario, RunFact::Profile, RunFact::Seed, RunFact::Images, RunFact::Snapshot, RunFact::Reproduce]
    {
        facts[fact.key()] = serde_json::json!(evidence.get(fact)?);
    }
    let report = AuditReport::read(evidence)?;
    facts["audit"] = serde_json::json!(report);
    facts["ended"] = serde_json::json!(judge::ended::Ended::read(evidence)?);
    summary(evidence.dir(), &facts, verdict)?;
    Ok(report)
}

fn report(args: ReportArgs) -> Result<u8> {
    let (report, logs) = (Report::read(&args.dir)?, model::logs(&args.dir));
    let all = args.files == OutputFiles::default();
    let files = if all { OutputFiles::all(&args.dir) } else { args.files };
    files.write(&report, &logs)?;
    if all {
        files.html.iter().try_for_each(|page| output::line(page.display()))?;
    }
    Ok(exit_code::HELD)
}

/// Does a stored run again.
async fn repro(dir: &Path, evidence: Option<PathBuf>, scenarios: &Path, output: OutputArgs) -> Result<u8> {
    let before = Evidence::open(&model::run_dir(dir))?;
    if let Some(Ladder { reproduce, .. }) = model::ladder_in(dir)? {
        return Err(Error::Usage(format!("{} is a ladder's; it is climbed again by: {reproduce}", dir.display())));
    }
    let was = judge::judge(&before, judge::RESTORED)?;
    let options = again::options(&before, scenarios, evidence)?;
    output::notice(format_args!("repro: {}", options.reproduce()));
    let Ended { value: is, evidence, .. } = drill::run(options, sinks(output, false)).await?;
    let (old, new) = (essences(&was.findings), essences(&is.findings));
    output::notice(format_args!("\nevidence:  {}", evidence.dir().display()));
    for (mark, lines) in [("only then", old.difference(&new)), ("only now ", new.difference(&old))] {
        lines.take(25).try_for_each(|line| output::line(format_args!("{mark}  {line}")))?;
    }
    let same = was.status == is.status && old == new;
    let word = if same { "repeats" } else { "does not repeat" };
    output::line(format_args!("{word}: {} then, {} now", was.status, is.status))?;
    let told = was.status != Status::Unknown && is.status != Status::Unknown;
    Ok(if same {
        exit_code::HELD
    } else if told {
        exit_code::UNDETECTED
    } else {
        exit_code::UNKNOWN
    })
}

fn explain(finding: &str) -> Result<u8> {
    if finding.is_empty() {
        meaning::all().iter().try_for_each(|m| output::line(format_args!("{:24}  {}", m.name, m.means)))?;
        return Ok(exit_code::HELD);
    }
    let found = meaning::find(finding);
    if found.is_empty() {
        return Err(Error::Usage(unknown_finding(finding)));
    }
    found.iter().try_for_each(|m| output::text(m.text()))?;
    Ok(exit_code::HELD)
}

/// What to say of a word that no finding is called by.
fn unknown_finding(word: &str) -> String {
    const NEAR: usize = 3;
    let distance = |m: &&meaning::Meaning| strsim::damerau_levenshtein(&m.name, word);
    let nearest = meaning::all().iter().min_by_key(distance).filter(|m| distance(m) <= NEAR);
    let guess = nearest.map(|m| format!("; did you mean {:?}?", m.name)).unwrap_or_else(|| ";".into());
    format!("no finding is called {word:?}{guess} `restore-drill explain` lists them all")
}

fn reproduce(evidence: &Evidence) -> Result<()> {
    if let Some(command) = evidence.get(RunFact::Reproduce)? {
        output::notice(format_args!("reproduce: {command}"));
    }
    Ok(())
}
