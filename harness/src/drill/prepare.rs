//! Preparing a run: images, a place in the line, what dead runs left, addresses.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::models::SystemInfo;
use engine::Engine;
use judge::store::{Evidence, RunFact};
use recipe::compose::edit::Edit;
use recipe::fence::own::Change;
use recipe::scenario::{Scenario, Unlisted};
use seeds::Corpus;

use super::deployment::Deployment;
use super::generated::Generated;
use super::live;
use super::options::{BotChoice, ImageChoice, Options};
use super::stacks::{Stacks, count_to_choose, remember_values};
use super::state::{Drill, Run};
use super::values::OfRun;
use super::world;
use crate::backup::Bot;
use crate::backup::own::OwnBot;
use crate::error::{Error, FaultError, Result};
use crate::events::{Events, Phase};
use crate::images;
use crate::installation;
use crate::secret::Secret;
use crate::stack::lease::Lease;
use crate::stack::line::wait_for_place;
use crate::stack::ownership::{Owned, stack_name};
use crate::stack::reader::Reader;
use crate::stack::relay::Relay;
use crate::stack::resolver::Resolver;
use crate::stack::{disk, gc, subnets};
use crate::tls::Authority;

/// Where no door has TLS, what a certificate would be for.
const NO_CERTIFICATE: &str = "no-certificate.invalid";

/// What a run has before it has a place: enough to tear down.
pub(super) struct Ground {
    pub(super) run: String,
    pub(super) options: Options,
    pub(super) scenario: Scenario,
    pub(super) before: Option<Scenario>,
    pub(super) corpus: Corpus,
    pub(super) evidence: Arc<Evidence>,
    pub(super) events: Events,
    pub(super) owned: Owned,
    pub(super) secret: Secret,
    pub(super) lease: Arc<Lease>,
}

/// The images of a run.
struct Images {
    /// Whether the app runs on stand-ins.
    standins: bool,
    /// Services that the scenario does not know and that have neither an image nor a stand-in here.
    absent: BTreeSet<String>,
    /// Those that replace the recipe's, by service.
    built: BTreeMap<String, String>,
    /// The same of the version before.
    built_before: BTreeMap<String, String>,
    /// The bot's, where the drill deploys one.
    bot: Option<String>,
    /// That of `inside`; none where the engine cannot run it.
    inside: Option<String>,
}

impl Ground {
    /// Finds or builds the images, waits for a place, collects what dead runs left, reserves addresses. Whoever builds keeps nobody
    /// waiting.
    pub(super) async fn prepare(self) -> Result<Drill> {
        if self.options.live.is_some() && self.scenario.spec.mail.is_some() {
            live::enough(&self.corpus)?;
        }
        let info = self.usable_engine().await?;
        let images = self.images(&info).await?;
        self.place().await?;
        let Self { run, options, scenario, before, corpus, evidence, events, owned, secret, lease } = self;
        let Images { standins, absent, built, built_before, bot, inside } = images;

        let host = scenario.spec.certificate.as_ref().map_or(NO_CERTIFICATE, |c| &c.host).to_owned();
        let authority = Arc::new(Authority::issue(&host)?);
        let both: Vec<&Scenario> = [&scenario].into_iter().chain(before.as_ref()).collect();
        let reserved = subnets::reserve(&owned).await?;
        let mut free = VecDeque::from(reserved.subnets(1 + count_to_choose(&both, standins))?);
        let of_recipe = free.pop_front().map(|s| s.to_string()).unwrap_or_default();
        let of_run = OfRun { subnet: of_recipe, host, stack: stack_name(&run) };
        let docker = both.iter().flat_map(|s| s.docker_secrets()).collect();
        let secrets = Generated::of(&both.iter().flat_map(|s| of_run.values(s)).collect(), docker, secret.clone());
        let values = |scenario: &Scenario| of_run.with_secrets(scenario, &secrets);
        both.iter().try_for_each(|scenario| scenario.check_env(&values(scenario)))?;
        let (env, env_before) = (values(&scenario), before.as_ref().map(values));
        let edits = options.fault.as_ref().map(|f| f.edits(&corpus)).unwrap_or_default();
        evidence.set_json(RunFact::Recipe, &deployed_labels(&scenario, &edits))?;
        evidence.set_json(RunFact::Inventory, &scenario.inventory)?;
        evidence.set_json(RunFact::UnlistedVolumes, &scenario.unlisted().volumes)?;
        // Only now: a weak password may be a word that these have too.
        for (scenario, env) in [(&scenario, &env)].into_iter().chain(before.as_ref().zip(env_before.as_ref())) {
            // What the recipe itself says is public: who looks for it hides words that others need.
            remember_values(env, &scenario.public_values());
        }

        let helper_image = built.values().next().or(bot.as_ref()).cloned().or_else(|| scenario.images().into_values().next());
        let helper_image = helper_image.unwrap_or_default();
        let mut stacks = Stacks {
            name: of_run.stack.clone(),
            run: owned.run(),
            secrets: &secrets.files(),
            stopped: absent.clone(),
            standins,
            chosen: BTreeMap::new(),
            free,
        };
        let (stack, changes) = stacks.of(&scenario, env, built, edits)?;
        if let Some(edit) = stack.edits.iter().find(|e| !e.changes(stack.compose.iter().map(|c| &c.value))) {
            return Err(FaultError::ChangesNothing { edit: edit.clone() }.into());
        }
        tell(&events, &scenario, &changes);
        tell_unlisted(&events, &scenario, &absent);
        let before = before.zip(env_before).map(|(before, env)| stacks.of(&before, env, built_before, vec![]));
        let before = before.transpose()?.map(|(stack, _)| stack);
        let bot_dir = installation::bot(&options.scenarios)?;
        let own = OwnBot { dir: &bot_dir, docker_root: info.docker_root_dir.as_deref(), strict: options.strict };
        let bot_stack = bot.map(|image| own.stack(&run, image)).transpose()?;
        let app = Deployment {
            relay: Relay::new(inside.clone(), reserved.network, &scenario.spec.doors),
            resolver: Resolver::new(inside.clone(), world::of(&scenario, corpus.accounts())),
            reader: Reader { owned: owned.clone(), image: inside, helper_image: helper_image.clone() },
            scenario,
            owned,
            stack,
            before,
            bot_stack,
            bot_service: options.bot_service,
            standins,
            authority,
            helper_image,
            secrets,
            flushed: Mutex::default(),
            lease,
        };
        let (connections, live) = (options.connections, options.live);
        Ok(Drill { run: Run { corpus, evidence, events, secret, connections, live, clocks: Mutex::default() }, app })
    }

    /// Makes sure that the engine can deploy: it has room, and a bot where one must be there.
    async fn usable_engine(&self) -> Result<SystemInfo> {
        let engine = self.owned.engine();
        let info = engine.docker.info().await.map_err(|e| Error::Engine(e.to_string()))?;
        let root = info.docker_root_dir.as_deref().unwrap_or("/var/lib/docker");
        let wanted = self.options.min_free_gib;
        if let Some(free) = disk::free(root).await.map(|bytes| bytes >> 30).filter(|free| *free < wanted) {
            return Err(Error::Engine(format!(
                "disk nearly full: {free} GiB free in {root}, {wanted} GiB wanted. `docker system prune` frees some; --min-free-gib changes the limit"
            )));
        }
        if self.options.backupbot == BotChoice::Existing {
            Bot::existing(engine, self.options.bot_service.as_deref()).await?;
        }
        Ok(info)
    }

    /// Waits for a place in the line, and collects what dead runs left.
    async fn place(&self) -> Result<()> {
        let Self { events, owned, options, scenario, .. } = self;
        let phase = events.phase(Phase::Slot);
        let most = options.max_drills;
        wait_for_place(owned, &scenario.name, most, |ahead| {
            events.note(format!("Waiting: this engine runs {most} drills at a time (--max-drills). Ahead in the line: {ahead}."));
        })
        .await?;
        let deadline = Duration::from_secs(scenario.spec.deadlines.removal);
        let collected = gc::collect(owned.engine(), gc::Which::Dead, deadline, |_| ()).await?;
        if !collected.removed.is_empty() {
            events.note(format!("Removed what {} dead runs left: {}.", collected.removed.len(), collected.removed.join(", ")));
        }
        if !collected.failed.is_empty() {
            events.note(format!("What dead runs left could not be removed: {}", collected.failed.join("; ")));
        }
        phase.finish(format!("one of at most {most} drills"));
        Ok(())
    }

    /// Finds or builds the images.
    async fn images(&self, info: &SystemInfo) -> Result<Images> {
        let Self { options, scenario, before, evidence, events, .. } = self;
        let engine = self.owned.engine();
        let phase = events.phase(Phase::Images);
        let standins = use_standins(engine, [Some(scenario), before.as_ref()].into_iter().flatten(), options.images).await?;
        let mut absent = BTreeSet::new();
        for scenario in [Some(scenario), before.as_ref()].into_iter().flatten().filter(|_| standins) {
            absent.extend(self::absent(engine, scenario).await?);
        }
        let mut sources = if standins { scenario.image_contexts()? } else { BTreeMap::new() };
        if options.backupbot == BotChoice::Own {
            sources.extend(images::bot::source(&installation::bot(&options.scenarios)?).await?);
        }
        let progress = |done, all| phase.progress(done, all, "images");
        let mut built = images::ensure_images(&self.owned, &sources, events, progress).await?;
        let bot = built.remove("backupbot");
        let built_before = match before {
            Some(before) if standins => images::ensure_images(&self.owned, &before.image_contexts()?, events, progress).await?,
            _ => BTreeMap::new(),
        };
        if standins {
            check_images(engine, scenario, &built, &absent).await?;
            if let Some(before) = before {
                check_images(engine, before, &built_before, &absent).await?;
            }
        }
        let inside = images::reader::ensure(engine).await?;
        let kind = if standins { "stand-in images" } else { "the recipe's images" };
        evidence.set(RunFact::Images, kind)?;
        evidence.set_json(RunFact::Environment, &environment(info))?;
        phase.finish(kind);
        Ok(Images { standins, absent, built, built_before, bot, inside })
    }
}

/// What the run goes on, by name.
fn environment(info: &SystemInfo) -> BTreeMap<&'static str, String> {
    let all = [
        ("engine", info.server_version.clone()),
        ("kernel", info.kernel_version.clone()),
        ("system", info.operating_system.clone()),
        ("cores", info.ncpu.map(|n| n.to_string())),
        ("memory", info.mem_total.map(|b| format!("{} MiB", b >> 20))),
        ("restore-drill", Some(env!("CARGO_PKG_VERSION").to_owned())),
    ];
    all.into_iter().filter_map(|(k, v)| Some((k, v?))).collect()
}

/// Tells how what is deployed differs from the recipe, and what it may reach.
fn tell(events: &Events, scenario: &Scenario, changes: &BTreeSet<Change>) {
    if let Some(why) = &scenario.spec.egress {
        events.note(format!("The app has internet access, because scenario.toml says: {why}"));
    }
    if !changes.is_empty() {
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        events.note(format!("The recipe was changed so that it touches nothing outside: {}.", changes.join("; ")));
    }
}

/// Tells what the recipe has and the scenario does not know.
fn tell_unlisted(events: &Events, scenario: &Scenario, absent: &BTreeSet<String>) {
    let listed = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let Unlisted { services, volumes } = scenario.unlisted();
    let deployed = services.difference(absent).cloned().collect::<BTreeSet<_>>();
    if !deployed.is_empty() {
        events.note(format!("Not known to the inventory, and deployed: {}. Nothing tries these services.", listed(&deployed)));
    }
    if !absent.is_empty() {
        events.note(format!(
            "Not known to the inventory, and not started: {}. On stand-ins, a service runs only if its image is on this engine.",
            listed(absent)
        ));
    }
    if !volumes.is_empty() {
        events.note(format!(
            "Not known to the inventory: the volumes {}. If anything in them does not come back, the verdict is unknown; add them to \
             inventory.toml.",
            listed(&volumes)
        ));
    }
}

/// The services that the scenario does not know and whose image is not on the engine. No stand-in replaces them.
async fn absent(engine: &Engine, scenario: &Scenario) -> Result<BTreeSet<String>> {
    let (images, mut absent) = (scenario.images(), BTreeSet::new());
    for service in scenario.unlisted().services {
        let image = images.get(&service).map_or("", String::as_str);
        if image.is_empty() || !images::has_image(engine, image).await? {
            absent.insert(service);
        }
    }
    Ok(absent)
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

/// The engine would ask the image's registry for it, and the name may have a value of the operator's in it.
fn not_there(images: &[String], or: &str) -> Error {
    Error::Engine(format!("images that are not on the engine: {}. `docker pull` them{or}", images.join(", ")))
}

/// The images that the recipe names and the engine does not have, by service.
async fn missing(engine: &Engine, scenario: &Scenario) -> Result<BTreeMap<String, String>> {
    let mut missing = BTreeMap::new();
    for (service, image) in scenario.images() {
        if !images::has_image(engine, &image).await? {
            missing.insert(service, image);
        }
    }
    Ok(missing)
}

/// Checks that every image that is deployed beside stand-ins is on the engine: those of `built` are.
async fn check_images(
    engine: &Engine,
    scenario: &Scenario,
    built: &BTreeMap<String, String>,
    absent: &BTreeSet<String>,
) -> Result<()> {
    let mut missing = missing(engine, scenario).await?;
    missing.retain(|service, _| !built.contains_key(service) && !absent.contains(service));
    let missing: Vec<String> = missing.into_values().collect();
    if missing.is_empty() { Ok(()) } else { Err(not_there(&missing, "")) }
}

async fn use_standins(engine: &Engine, of: impl Iterator<Item = &Scenario>, choice: ImageChoice) -> Result<bool> {
    let (mut all, mut has_standins) = (Vec::new(), false);
    for scenario in of {
        has_standins = scenario.spec.standins.is_some();
        all.extend(missing(engine, scenario).await?.into_values());
    }
    let missing = all;
    match choice {
        ImageChoice::Standin => Ok(true),
        _ if missing.is_empty() => Ok(false),
        ImageChoice::Auto if has_standins => Ok(true),
        ImageChoice::Auto => Err(not_there(&missing, "")),
        ImageChoice::Recipe => Err(not_there(&missing, ", or use --images standin")),
    }
}
