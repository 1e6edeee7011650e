//! A drill: deploy → provision → seed → settle → shape → baseline → backup → audit → wipe →
//! restore → restart → observe → judge → teardown.
//!
//! Each phase takes the earlier one's proof as an argument, and only the phases make
//! proofs, so that phases out of order do not compile. Restoring without a proven wipe:
//!
//! ```compile_fail,E0451
//! use restore_drill::drill::{Drill, proof::{BackedUp, Wiped}};
//! async fn skip_the_wipe(drill: &Drill, backup: &BackedUp) {
//!     drill.restore(Wiped { volumes: 0 }, backup).await;
//! }
//! ```
//!
//! The same with a proof that was earned compiles:
//!
//! ```
//! use restore_drill::drill::{Drill, proof::{BackedUp, Wiped}};
//! async fn in_order(drill: &Drill, wiped: Wiped, backup: &BackedUp) {
//!     let _ = drill.restore(wiped, backup).await;
//! }
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use engine::Engine;
use judge::model::Verdict;
use judge::store::{Evidence, RunFact};
use judge::{self, RESTORED};
use recipe::scenario::{self, MailServer, Scenario};
use seeds::{Corpus, Profile};
use tokio::signal::unix::{SignalKind, signal};

use crate::backup::{Bot, Created, Snapshot};
use crate::error::{Error, Result, Signal};
use crate::events::{Event, Events, Phase};
use crate::images;
use crate::probe::STALL;
use crate::probe::mail::Imap;
use crate::probe::sieve::Sieve;
use crate::probe::smtp::Submission;
use crate::secret::Secret;
use crate::stack::deploy::{Stack, engine_host, free_ports, free_subnet};
use crate::stack::disk::{self, MIN_FREE_GIB};
use crate::stack::ownership::Owned;
use crate::stack::slots::{self, Alive, Slot};
use crate::stack::{ensure_swarm, gc};
use crate::tls::Authority;
use recipe::compose::edit::Edit;

mod accounts;
mod backing_up;
pub mod fault;
mod live;
mod observing;
mod phases;
pub mod proof;
mod restoring;
mod seeding;
mod shaping;
mod trials;
mod upgrading;
mod wiping;

use fault::{Fault, NoFault, Trials};
pub(crate) use phases::deploy_bot;
use proof::Baseline;
pub(crate) use wiping::FRESH;

/// Which bot takes the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BotChoice {
    /// One that the drill deploys: `scenarios/backupbot`.
    Own,
    /// The one that is deployed on the engine already.
    Existing,
}

/// Which images the app runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ImageChoice {
    /// The recipe's, if all of them are present on the engine; else stand-ins.
    Auto,
    /// The recipe's.
    Recipe,
    /// Stand-ins.
    Standin,
}

/// Where no door has TLS, what a certificate would be for.
const NO_CERTIFICATE: &str = "no-certificate.invalid";

/// What to drill, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of scenarios.
    pub scenarios: PathBuf,
    /// The scenario's name.
    pub scenario: String,
    /// The profile's name.
    pub profile: String,
    /// The corpus seed.
    pub seed: u64,
    /// The run's directory; none takes `runs/<run>`.
    pub evidence: Option<PathBuf>,
    /// Which bot.
    pub backupbot: BotChoice,
    /// Which images.
    pub images: ImageChoice,
    /// A file of more values for the compose files' variables.
    pub env_file: Option<PathBuf>,
    /// SMTP connections at once.
    pub connections: usize,
    /// Whether the deployment stays after the run.
    pub keep: bool,
    /// A fault to inject.
    pub fault: Option<Arc<dyn Fault>>,
    /// Operations a second that go on while the backup is taken; none has nobody write.
    pub live: Option<u32>,
    /// Free disk of the engine, in GiB, below which nothing is deployed.
    pub min_free_gib: u64,
    /// A folder whose compose files stand in the place of the scenario's.
    pub recipe: Option<PathBuf>,
    /// The same of the version that is deployed first and then upgraded.
    pub from: Option<PathBuf>,
    /// The command that does the same again, where it is not `run`.
    pub command: Option<String>,
}

impl Options {
    /// The defaults for a scenario.
    pub fn new(scenarios: impl Into<PathBuf>, scenario: &str) -> Self {
        Self {
            scenarios: scenarios.into(),
            scenario: scenario.into(),
            profile: "smoke".into(),
            seed: 1,
            evidence: None,
            backupbot: BotChoice::Own,
            images: ImageChoice::Auto,
            env_file: None,
            connections: 6,
            keep: false,
            fault: None,
            live: None,
            min_free_gib: MIN_FREE_GIB,
            recipe: None,
            from: None,
            command: None,
        }
    }

    /// The command that runs the same drill again.
    pub fn reproduce(&self) -> String {
        if let Some(command) = &self.command {
            return command.clone();
        }
        let mut command = format!("restore-drill run {} --profile {} --seed {}", self.scenario, self.profile, self.seed);
        if let Some(fault) = &self.fault {
            command += &format!(" --fault {}", fault.name());
        }
        if let Some(rate) = self.live {
            command += &format!(" --live {rate}");
        }
        if self.backupbot == BotChoice::Existing {
            command += " --backupbot existing";
        }
        match self.images {
            ImageChoice::Auto => {}
            ImageChoice::Recipe => command += " --images recipe",
            ImageChoice::Standin => command += " --images standin",
        }
        if let Some(file) = &self.env_file {
            command += &format!(" --env-file {}", file.display());
        }
        command
    }
}

/// What it takes to do a run again, as its evidence has it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    /// The scenario's name.
    pub scenario: String,
    /// The profile's name.
    pub profile: String,
    /// The corpus seed.
    pub seed: u64,
    /// The fault's name.
    #[serde(alias = "sabotage")]
    pub fault: Option<String>,
    /// Operations a second while the backup was taken.
    pub live: Option<u32>,
    /// Whether the bot was there before.
    pub existing_bot: bool,
    /// Which images, as on the command line.
    pub images: String,
    /// The file of more values.
    pub env_file: Option<PathBuf>,
    /// SMTP connections at once.
    pub connections: usize,
    /// The SHA-256 of the recipe's compose files.
    pub recipe: String,
}

impl Stored {
    fn of(options: &Options, scenario: &Scenario) -> Self {
        Self {
            scenario: options.scenario.clone(),
            profile: options.profile.clone(),
            seed: options.seed,
            fault: options.fault.as_ref().map(|f| f.name().to_owned()),
            live: options.live,
            existing_bot: options.backupbot == BotChoice::Existing,
            images: options.images.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default(),
            env_file: options.env_file.clone(),
            connections: options.connections,
            recipe: scenario.digest(),
        }
    }
}

/// A run with everything it needs, from the slot it holds to the doors it goes through.
pub struct Drill {
    /// What was asked for.
    pub options: Options,
    /// The scenario.
    pub scenario: Scenario,
    /// The corpus.
    pub corpus: Corpus,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
    /// Where it is said.
    pub events: Events,
    /// The right to what the run creates.
    pub owned: Owned,
    /// The app's stack.
    pub stack: Stack,
    /// The stack of the version that is deployed first and then upgraded.
    before: Option<Stack>,
    /// The bot's stack, if the drill deploys one.
    pub bot_stack: Option<Stack>,
    /// Whether the app runs on stand-ins.
    standins: bool,
    pub(crate) secret: Secret,
    authority: Arc<Authority>,
    /// An image that is present, for helper containers.
    helper_image: String,
    host: String,
    ports: BTreeMap<String, u16>,
    clocks: Mutex<Clocks>,
    alive: Arc<Alive>,
    _slot: Slot,
}

/// When what happened, for the recovery figures.
#[derive(Debug, Default)]
struct Clocks {
    /// When the newest item that must come back was there.
    newest: Option<Instant>,
    /// When the restore began.
    restore: Option<Instant>,
}

/// What a run has before it has a slot: enough to tear down.
struct Ground {
    run: String,
    options: Options,
    scenario: Scenario,
    before: Option<Scenario>,
    corpus: Corpus,
    evidence: Arc<Evidence>,
    events: Events,
    owned: Owned,
    secret: Secret,
    alive: Arc<Alive>,
}

/// Makes the sinks of a run, once its directory is known.
pub type Sinks = Box<dyn FnOnce(&std::path::Path) -> Result<Events> + Send>;

/// Runs a whole drill and gives its verdict. Tears down on every way out.
pub async fn run(options: Options, sinks: Sinks) -> Result<Ended<Verdict>> {
    let ended = guarded(options, sinks, |drill| async move { drill.play().await }).await?;
    ended.events.emit(Event::Finished { verdict: ended.value.clone() });
    Ok(ended)
}

/// What this process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// CPU time, milliseconds.
    pub cpu_ms: u64,
    /// The most memory that it had at once, KiB.
    pub peak_kib: u64,
}

impl Resources {
    /// As Linux tells it; none elsewhere.
    pub fn used() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may have spaces; user and system time are the 12th and 13th field after it, in hundredths.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Self { cpu_ms: ticks * 10, peak_kib: peak.trim().trim_end_matches(" kB").parse().ok()? })
    }
}

/// A run after its teardown.
pub struct Ended<T> {
    /// What came of it.
    pub value: T,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
    /// Where it is said.
    pub events: Events,
}

/// Prepares a drill, hands it to `play`, and tears down on every way out of it: return,
/// error, panic, SIGINT, SIGTERM.
pub async fn guarded<T, F, R>(options: Options, sinks: Sinks, play: F) -> Result<Ended<T>>
where
    F: FnOnce(Arc<Drill>) -> R + Send + 'static,
    R: Future<Output = Result<T>> + Send,
    T: Send + 'static,
{
    // Everything that can be wrong with the input is found before anything is created.
    let profile = Profile::named(&options.profile).map_err(|e| Error::Usage(e.to_string()))?;
    let mut scenario = Scenario::load(&options.scenarios, &options.scenario)?;
    if let Some(recipe) = &options.recipe {
        scenario = scenario.with_recipe(recipe)?;
    }
    if options.live.is_some() && scenario.spec.mail.is_none() {
        return Err(Error::Usage(format!(
            "--live: scenario {:?} has no [mail] to write to while the backup is taken",
            scenario.name
        )));
    }
    let before = options.from.as_ref().map(|dir| scenario.with_recipe(dir)).transpose()?;
    let engine = Engine::connect().await?;
    let secret = Secret::random()?;
    let run = secret.derive("run id")[..8].to_owned();
    let alive = Arc::new(Alive::take(&run)?);
    let dir = options.evidence.clone().unwrap_or_else(|| PathBuf::from("runs").join(&run));
    let evidence = Arc::new(Evidence::create(&dir)?);
    let events = sinks(&dir)?;
    events.emit(Event::Started {
        run: run.clone(),
        scenario: scenario.name.clone(),
        profile: profile.name.clone(),
        seed: options.seed,
    });
    for (fact, value) in [
        (RunFact::Run, &run),
        (RunFact::Scenario, &scenario.name),
        (RunFact::Profile, &profile.name),
        (RunFact::Reproduce, &options.reproduce()),
    ] {
        evidence.set(fact, value)?;
    }
    evidence.set_number(RunFact::Seed, options.seed)?;
    evidence.set_json(RunFact::Options, &Stored::of(&options, &scenario))?;
    let databases: Vec<&str> = scenario.spec.databases.iter().map(|d| d.name.as_str()).collect();
    evidence.set(RunFact::Databases, &databases.join("\n"))?;
    evidence.set_json(RunFact::Checks, &scenario.checks)?;
    if let Some(places) = scenario.spec.users.as_ref().and_then(|u| u.places.as_ref()) {
        evidence.set_json(RunFact::Users, places)?;
    }

    let interrupts = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = interrupts else {
        return Err(Error::Unknown("signal handlers cannot be installed".into()));
    };
    let owned = Owned::new(engine, &run);
    let keep = options.keep;
    let deadline = Duration::from_secs(scenario.spec.deadlines.removal);
    let ground = Ground {
        run: run.clone(),
        corpus: Corpus::new(options.seed, profile),
        options,
        scenario,
        before,
        evidence: evidence.clone(),
        events: events.clone(),
        owned: owned.clone(),
        secret: secret.clone(),
        alive: alive.clone(),
    };
    let mut work = tokio::spawn(async move {
        let drill = Arc::new(ground.prepare().await?);
        let result = play(drill.clone()).await;
        drill.keep_logs().await;
        result
    });
    let result = tokio::select! {
        joined = &mut work => joined.unwrap_or_else(|e| Err(Error::Unknown(format!("a bug in restore-drill: {e}; please report it with the evidence directory")))),
        _ = interrupt.recv() => Err(Error::Signal(Signal::Interrupt)),
        _ = terminate.recv() => Err(Error::Signal(Signal::Terminate)),
    };
    if let Err(Error::Signal(signal)) = &result {
        events.note(format!("{signal}: tearing down. A second signal ends at once and leaves the rest to `restore-drill gc`."));
        work.abort();
        let _ = work.await;
    }
    if keep && !matches!(result, Err(Error::Signal(_))) {
        let marker = gc::keep(&run, &secret.derive("kept"))?;
        kept(&events, &run, &marker);
    } else {
        let mut torn = std::pin::pin!(owned.remove_all(None, deadline));
        let phase = events.phase(Phase::Teardown);
        let mut signals = u8::from(matches!(result, Err(Error::Signal(_))));
        loop {
            tokio::select! {
                torn = &mut torn => {
                    match torn {
                        Ok(_) => { phase.finish("nothing left"); }
                        Err(e) => events.note(format!("teardown failed: {e}. `restore-drill gc` tries again.")),
                    }
                    break;
                }
                _ = interrupt.recv() => signals += 1,
                _ = terminate.recv() => signals += 1,
            }
            if signals > 1 {
                events.note(format!("Teardown cut short; `restore-drill gc` removes what run {run} left."));
                break;
            }
            events.note("Tearing down already. A second signal ends at once and leaves the rest to `restore-drill gc`.");
        }
    }
    drop(alive);
    if let Some(Resources { cpu_ms, peak_kib }) = Resources::used() {
        evidence.set_number(RunFact::CpuMs, cpu_ms)?;
        evidence.set_number(RunFact::PeakMemoryKib, peak_kib)?;
    }
    result.map(|value| Ended { value, evidence, events })
}

fn kept(events: &Events, run: &str, marker: &std::path::Path) {
    events.note(format!(
        "Kept: `docker service ls --filter label=restore-drill.run={run}` lists it, \
         `docker exec -it $(docker ps -q -f label=restore-drill.run={run} -f name=_imap) sh` looks inside; \
         `restore-drill gc --run {run}` removes it (and {}).",
        marker.display()
    ));
}

impl Ground {
    /// Waits for a slot, collects what dead runs left, finds or builds the images, chooses ports and a subnet.
    async fn prepare(self) -> Result<Drill> {
        let Self { run, options, scenario, before, corpus, evidence, events, owned, secret, alive } = self;
        let engine = owned.engine();
        let phase = events.phase(Phase::Slot);
        ensure_swarm(engine, &events).await?;
        let info = engine.docker.info().await.map_err(|e| Error::Engine(e.to_string()))?;
        let root = info.docker_root_dir.as_deref().unwrap_or("/var/lib/docker");
        if let Some(free) = disk::free(root).await.map(|bytes| bytes >> 30).filter(|free| *free < options.min_free_gib) {
            return Err(Error::Engine(format!(
                "disk nearly full: {free} GiB free in {root}, {} GiB wanted. `docker system prune` frees some; --min-free-gib changes the bound",
                options.min_free_gib
            )));
        }
        if options.backupbot == BotChoice::Existing {
            Bot::find(engine, None).await?;
        }
        let slot = slots::slot(info.id.as_deref().unwrap_or("engine"), || {
            events.note(format!("{} drills are under way on this engine: waiting for one to end.", slots::SLOTS));
        })
        .await?;
        let collected = gc::collect(engine, None, Duration::from_secs(scenario.spec.deadlines.removal)).await?;
        if !collected.removed.is_empty() {
            events.note(format!("Removed what {} dead runs left: {}.", collected.removed.len(), collected.removed.join(", ")));
        }
        phase.finish(format!("slot {} of {}", slot.number + 1, slots::SLOTS));

        let phase = events.phase(Phase::Images);
        let standins = use_standins(engine, [Some(&scenario), before.as_ref()].into_iter().flatten(), options.images).await?;
        let bot_dir = scenario::bot(&options.scenarios);
        let mut sources = if standins { scenario.sources()? } else { BTreeMap::new() };
        if options.backupbot == BotChoice::Own {
            sources.extend(images::bot::source(&bot_dir).await?);
        }
        let progress = |done, all| phase.progress(done, all, "images");
        let mut built = images::ensure_images(engine, &sources, &events, progress).await?;
        let bot_image = built.remove("backupbot");
        let built_before = match &before {
            Some(before) if standins => images::ensure_images(engine, &before.sources()?, &events, progress).await?,
            _ => BTreeMap::new(),
        };
        let kind = if standins { "stand-in images" } else { "the recipe's images" };
        evidence.set(RunFact::Images, kind)?;
        let environment = [
            ("engine", info.server_version.clone()),
            ("kernel", info.kernel_version.clone()),
            ("system", info.operating_system.clone()),
            ("cores", info.ncpu.map(|n| n.to_string())),
            ("memory", info.mem_total.map(|b| format!("{} MiB", b >> 20))),
            ("restore-drill", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ];
        let environment: BTreeMap<_, _> = environment.into_iter().filter_map(|(k, v)| Some((k, v?))).collect();
        evidence.set_json(RunFact::Environment, &environment)?;
        phase.finish(kind);

        let host = scenario.spec.certificate.as_ref().map_or(NO_CERTIFICATE, |c| &c.host).to_owned();
        let authority = Arc::new(Authority::issue(&host)?);
        let doors = &scenario.spec.doors;
        let ports: BTreeMap<String, u16> =
            doors.iter().map(|d| d.name.clone()).zip(free_ports(slot.number, doors.len())?).collect();
        let stack_name = format!("rd-{run}");
        let mut env = scenario.spec.env.clone();
        if let Some(file) = &options.env_file {
            env.extend(recipe::env::read_env(file)?);
        }
        let subnet = free_subnet(engine, slot.number).await?;
        for value in env.values_mut() {
            *value = value
                .replace("{subnet}", &subnet)
                .replace("{secret}", &secret.derive("SECRET_KEY"))
                .replace("{certificate.host}", &host);
        }
        env.insert("STACK_NAME".into(), stack_name.clone());
        scenario.check_env(&env)?;
        let edits = options.fault.as_ref().map(|f| f.edits(&corpus)).unwrap_or_default();
        evidence.set_json(RunFact::Recipe, &deployed_labels(&scenario, &edits))?;
        evidence.set_json(RunFact::Inventory, &scenario.inventory)?;
        let helper_image = match built.values().next().cloned().or_else(|| bot_image.clone()) {
            Some(image) => image,
            None => scenario.images().next().unwrap_or_default().to_owned(),
        };
        let stack_of = |scenario: &Scenario, images, edits| Stack {
            name: stack_name.clone(),
            run: run.clone(),
            compose: scenario.deployed(standins),
            env: env.clone(),
            images,
            ports: doors.iter().map(|d| (d.service.clone(), d.port, ports[&d.name])).collect(),
            edits,
        };
        let stack = stack_of(&scenario, built, edits);
        let before = before.map(|before| {
            before.check_env(&env)?;
            Ok::<_, Error>(stack_of(&before, built_before, vec![]))
        });
        let before = before.transpose()?;
        let bot_stack = match bot_image {
            None => None,
            Some(image) => Some(bot_stack(&bot_dir, &run, image, info.docker_root_dir.as_deref())?),
        };
        Ok(Drill {
            owned,
            host: engine_host(),
            options,
            scenario,
            corpus,
            evidence,
            events,
            stack,
            before,
            bot_stack,
            standins,
            secret,
            authority,
            helper_image,
            ports,
            clocks: Mutex::default(),
            alive,
            _slot: slot,
        })
    }
}

/// The bot's stack, for a run of its own.
pub(crate) fn bot_stack(dir: &std::path::Path, run: &str, image: String, docker_root: Option<&str>) -> Result<Stack> {
    let name = format!("rd-{run}-bot");
    let mut env = BTreeMap::from([("STACK_NAME".to_owned(), name.clone())]);
    if let Some(root) = docker_root {
        env.insert("DOCKER_ROOT".into(), root.to_owned());
    }
    Ok(Stack {
        name,
        run: run.to_owned(),
        compose: vec![recipe::compose::Compose::read(&dir.join("compose.yml"))?],
        env,
        images: BTreeMap::from([("app".to_owned(), image)]),
        ports: vec![],
        edits: vec![],
    })
}

/// What is written under `deploy.labels` of each of the recipe's services.
fn deployed_labels(scenario: &Scenario, edits: &[Edit]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut labels: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for mut compose in scenario.compose.iter().cloned() {
        edits.iter().for_each(|e| e.apply(&mut compose.value));
        for service in compose.services() {
            labels.entry(service.to_owned()).or_default().extend(compose.deploy_labels(service));
        }
    }
    labels
}

async fn use_standins(engine: &Engine, of: impl Iterator<Item = &Scenario>, choice: ImageChoice) -> Result<bool> {
    let (mut missing, mut has_standins) = (Vec::new(), false);
    for scenario in of {
        has_standins = scenario.spec.standins.is_some();
        for image in scenario.images() {
            if !images::has_image(engine, image).await? {
                missing.push(image);
            }
        }
    }
    match choice {
        ImageChoice::Standin => Ok(true),
        ImageChoice::Auto => Ok(!missing.is_empty() && has_standins),
        ImageChoice::Recipe if missing.is_empty() => Ok(false),
        ImageChoice::Recipe => {
            Err(Error::Engine(format!("images not present: {}. `docker pull` them, or use --images standin", missing.join(", "))))
        }
    }
}

impl Drill {
    /// All phases, in order, with the fault that was asked for.
    pub async fn play(self: &Arc<Self>) -> Result<Verdict> {
        let fault: &dyn Fault = self.options.fault.as_deref().unwrap_or(&NoFault);
        let (baseline, older) = self.until_baseline(fault).await?;
        fault.before_backup(self).await?;
        let create = self.backup_with(&baseline, fault);
        let created = match self.options.live {
            Some(rate) => self.while_others_write(rate, &baseline, create).await?,
            None => create.await?,
        };
        let Some(backup) = created else { return self.judge(RESTORED) };
        fault.after_backup(self, backup.snapshot()).await?;
        let audited = self.audit(&backup).await?;
        let wiped = if fault.wipes() { self.wipe(&baseline, &audited).await? } else { self.not_wiped(&baseline).await? };
        let restarted = self.restore_with(wiped, &backup, older.as_ref(), fault).await?;
        fault.strike(self).await?;
        self.observe(&restarted, RESTORED).await?;
        self.try_as(fault.trials(), RESTORED).await?;
        self.judge(RESTORED)
    }

    /// The phases up to the baseline. Where the fault wants an older snapshot, that one is taken, and the baseline differs from
    /// it.
    pub(crate) async fn until_baseline(&self, fault: &dyn Fault) -> Result<(Baseline, Option<Snapshot>)> {
        let deployed = self.deploy().await?;
        let provisioned = self.provision(deployed).await?;
        let seeded = self.seed(provisioned).await?;
        let settled = self.settle(seeded).await?;
        let shaped = self.shape(settled).await?;
        self.try_before(&shaped).await?;
        let mut older = None;
        if fault.wants_older() {
            let Created { snapshot, .. } = self.bot().await?.create(&self.stack.name, 1).await?;
            fault.depart(self).await?;
            older = Some(snapshot);
        }
        Ok((self.baseline(shaped).await?, older))
    }

    /// Tries what a fault lets be tried.
    pub(crate) async fn try_as(&self, trials: Trials, stage: &str) -> Result<()> {
        match trials {
            Trials::All => self.try_after(stage, true).await,
            Trials::QueueHeld => self.try_after(stage, false).await,
            Trials::None => Ok(self.evidence.try_nothing(stage)?),
        }
    }

    /// Judges a stored observation, and stores and emits what was found.
    pub fn judge(&self, observation: &str) -> Result<Verdict> {
        let phase = self.events.phase(Phase::Judge);
        let verdict = judge::judge(&self.evidence, observation)?;
        for finding in &verdict.findings {
            self.events.emit(Event::Found { finding: finding.clone() });
        }
        phase.finish(format!("{}: {} findings", verdict.status, verdict.findings.len()));
        Ok(verdict)
    }

    /// The password of an account.
    pub fn password(&self, account: &str) -> String {
        self.secret.password(account)
    }

    /// Where the run's passwords come from.
    pub fn secret(&self) -> Secret {
        self.secret.clone()
    }

    /// The host and the port of a door; port 0 where the scenario has no such door.
    pub fn door(&self, name: &str) -> (&str, u16) {
        (&self.host, self.port(name))
    }

    /// Whom the front's certificate is from.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// A client that submits mail as an account, or hands it in as another server does.
    pub fn submission(&self, login: Option<(&str, &str)>) -> Submission {
        let door = if login.is_some() { "submissions" } else { "smtp" };
        self.doors_of_run().submission(self.port(door), login)
    }

    /// The IMAP door.
    pub fn imap(&self) -> Imap {
        Imap { host: self.host.clone(), port: self.port("imaps"), authority: self.authority.clone(), patience: STALL }
    }

    /// The ManageSieve door, if the scenario has one.
    fn sieve(&self) -> Option<Sieve> {
        let port = *self.ports.get("managesieve")?;
        Some(Sieve { host: self.host.clone(), port, authority: self.authority.clone() })
    }

    fn port(&self, door: &str) -> u16 {
        self.ports.get(door).copied().unwrap_or_default()
    }

    fn engine(&self) -> &Engine {
        self.owned.engine()
    }

    fn clocks(&self) -> MutexGuard<'_, Clocks> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mail server, in an app that is one.
    fn mail(&self) -> Option<&MailServer> {
        self.scenario.spec.mail.as_ref()
    }

    /// The enabled accounts' addresses.
    fn enabled(&self) -> Vec<String> {
        self.corpus.accounts().enabled().map(|u| u.email.clone()).collect()
    }
}
