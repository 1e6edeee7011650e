//! Preparing a run: a slot, what dead runs left, images, subnets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::Engine;
use ipnet::Ipv4Net;
use judge::redact::{password_in, remember_foreign, says_secret};
use judge::store::{Evidence, RunFact};
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::fence::closed::{Closed, networks};
use recipe::fence::own::Fence;
use recipe::scenario::{self, Scenario};
use seeds::Corpus;

use super::deployment::Deployment;
use super::generated::Generated;
use super::options::{BotChoice, ImageChoice, Options};
use super::state::{Drill, Run};
use crate::backup::Bot;
use crate::backup::own::bot_stack;
use crate::error::{Error, Result};
use crate::events::{Events, Phase};
use crate::images;
use crate::secret::Secret;
use crate::stack::deploy::{Stack, free_subnets};
use crate::stack::ownership::{Owned, stack_name};
use crate::stack::reader::Reader;
use crate::stack::relay::Relay;
use crate::stack::resolver::Resolver;
use crate::stack::slots::{self, Alive};
use crate::stack::{disk, ensure_swarm, gc};
use crate::tls::Authority;

/// Where no door has TLS, what a certificate would be for.
const NO_CERTIFICATE: &str = "no-certificate.invalid";

/// What a run has before it has a slot: enough to tear down.
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
    pub(super) alive: Arc<Alive>,
}

impl Ground {
    /// Waits for a slot, collects what dead runs left, finds or builds the images, chooses subnets.
    pub(super) async fn prepare(self) -> Result<Drill> {
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
            Bot::existing(engine, options.bot_service.as_deref()).await?;
        }
        let slot = slots::slot(info.id.as_deref().unwrap_or("engine"), || {
            events.note(format!("{} drills are under way on this engine: waiting for one to end.", slots::SLOTS));
        })
        .await?;
        let collected = gc::collect(engine, gc::Which::Dead, Duration::from_secs(scenario.spec.deadlines.removal)).await?;
        if !collected.removed.is_empty() {
            events.note(format!("Removed what {} dead runs left: {}.", collected.removed.len(), collected.removed.join(", ")));
        }
        phase.finish(format!("slot {} of {}", slot.number + 1, slots::SLOTS));

        let phase = events.phase(Phase::Images);
        let standins = use_standins(engine, [Some(&scenario), before.as_ref()].into_iter().flatten(), options.images).await?;
        let bot_dir = scenario::bot(&options.scenarios);
        let mut sources = if standins { scenario.image_contexts()? } else { BTreeMap::new() };
        if options.backupbot == BotChoice::Own {
            sources.extend(images::bot::source(&bot_dir).await?);
        }
        let progress = |done, all| phase.progress(done, all, "images");
        let mut built = images::ensure_images(engine, &sources, &events, progress).await?;
        let bot_image = built.remove("backupbot");
        let built_before = match &before {
            Some(before) if standins => images::ensure_images(engine, &before.image_contexts()?, &events, progress).await?,
            _ => BTreeMap::new(),
        };
        let reader_image = images::reader::ensure(engine).await?;
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
        let stack_name = stack_name(&run);
        let mut env = scenario.spec.env.clone();
        if let Some(file) = &options.env_file {
            env.extend(recipe::env::read_env(file)?);
        }
        let both: Vec<&Scenario> = [&scenario].into_iter().chain(before.as_ref()).collect();
        let mut subnets = free_subnets(engine, slot.number, 2 + count_to_choose(&both, standins)).await?.into_iter();
        let [of_recipe, of_relay] = [(); 2].map(|()| subnets.next().map(|s| s.to_string()).unwrap_or_default());
        for value in env.values_mut() {
            *value = value.replace("{subnet}", &of_recipe).replace("{certificate.host}", &host);
        }
        let secrets = Generated::of(&env, secret.clone());
        env.extend(secrets.values());
        env.insert("STACK_NAME".into(), stack_name.clone());
        scenario.check_env(&env)?;
        let mut chosen = BTreeMap::new();
        if let Some(why) = &scenario.spec.egress {
            events.note(format!("The app has internet access, because scenario.toml says: {why}"));
        }
        let edits = options.fault.as_ref().map(|f| f.edits(&corpus)).unwrap_or_default();
        evidence.set_json(RunFact::Recipe, &deployed_labels(&scenario, &edits))?;
        evidence.set_json(RunFact::Inventory, &scenario.inventory)?;
        // Only now: a weak password may be a word that these have too.
        env.iter().filter(|(name, _)| says_secret(name)).for_each(|(_, value)| remember_foreign(value));
        env.values().filter_map(|value| password_in(value)).for_each(remember_foreign);
        let helper_image = match built.values().next().cloned().or_else(|| bot_image.clone()) {
            Some(image) => image,
            None => scenario.images().next().unwrap_or_default().to_owned(),
        };
        // An existing bot must see them.
        let hides_labels = options.backupbot == BotChoice::Own;
        let mut stack_of = |scenario: &Scenario, images, edits| {
            let made = Arc::new(tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?);
            let generate = |name: &str| secret.derive(&format!("the recipe's secret {name}"));
            let fence =
                Fence { stack: &stack_name, env: &env, allowed: &scenario.spec.allowed, dir: made.path(), secret: &generate };
            let mut compose = scenario.deployed(standins);
            let changes = fence.own(&mut compose)?;
            let closed = closed(scenario, &compose, &env, &mut chosen, &mut subnets);
            closed.close(&mut compose);
            remember_files(&compose);
            let resolvers = closed.resolvers();
            let (name, env, made) = (stack_name.clone(), env.clone(), Some(made));
            Ok::<_, Error>((Stack { name, compose, env, images, edits, resolvers, hides_labels, made }, changes))
        };
        let (stack, changes) = stack_of(&scenario, built, edits)?;
        if !changes.is_empty() {
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            events.note(format!("The recipe is deployed behind a fence: {}.", changes.join("; ")));
        }
        let before = before.map(|before| {
            before.check_env(&env)?;
            stack_of(&before, built_before, vec![]).map(|(stack, _)| stack)
        });
        let before = before.transpose()?;
        let bot_stack = match bot_image {
            None => None,
            Some(image) => Some(bot_stack(&bot_dir, &run, image, info.docker_root_dir.as_deref())?),
        };
        let relay = Relay::new(reader_image.clone(), of_relay, &scenario.spec.doors);
        let resolver = Resolver::new(reader_image.clone());
        let reader = Reader { owned: owned.clone(), image: reader_image, helper_image: helper_image.clone() };
        let run = Run {
            corpus,
            evidence,
            events,
            secret,
            connections: options.connections,
            live: options.live,
            clocks: Mutex::default(),
        };
        let app = Deployment {
            scenario,
            owned,
            stack,
            before,
            bot_stack,
            bot_service: options.bot_service,
            standins,
            authority,
            helper_image,
            reader,
            relay,
            resolver,
            secrets,
            alive,
            _slot: slot,
        };
        Ok(Drill { run, app })
    }
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

/// How many networks have no subnet of the recipe's.
fn count_to_choose(all: &[&Scenario], standins: bool) -> usize {
    let networks = all.iter().flat_map(|s| networks(&s.deployed(standins), &BTreeMap::new()));
    networks.filter(|(_, subnet)| subnet.is_none()).map(|(name, _)| name).collect::<BTreeSet<_>>().len()
}

/// How the networks of a version of a recipe are deployed. Where two versions leave the choice, a network has the same subnet in both.
fn closed(
    scenario: &Scenario,
    compose: &[Compose],
    env: &BTreeMap<String, String>,
    chosen: &mut BTreeMap<String, Ipv4Net>,
    free: &mut impl Iterator<Item = Ipv4Net>,
) -> Closed {
    let mut subnets = BTreeMap::new();
    for (name, subnet) in networks(compose, env) {
        if let Some(subnet) = subnet.or_else(|| chosen.get(&name).copied()).or_else(|| free.next()) {
            chosen.insert(name.clone(), subnet);
            subnets.insert(name, subnet);
        }
    }
    let doors = scenario.spec.doors.iter().map(|d| d.service.clone()).collect();
    Closed { doors, subnets, egress: scenario.spec.egress.is_some() }
}

/// Remembers what the secrets of compose files have that come from files.
fn remember_files(all: &[Compose]) {
    let secrets = all.iter().filter_map(|c| c.value.get("secrets")?.as_object()).flat_map(|s| s.values());
    // A `$` in a path is written twice.
    let files = secrets.filter_map(|secret| Some(secret.get("file")?.as_str()?.replace("$$", "$")));
    files.filter_map(|file| std::fs::read_to_string(file).ok()).for_each(|content| remember_foreign(&content));
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
