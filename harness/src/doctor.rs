//! `restore-drill doctor`: what a drill needs of this machine, and what to do about what is missing.

use std::path::Path;
use std::process::Stdio;

use bollard::models::LocalNodeState;
use bollard::query_parameters::ListServicesOptionsBuilder;
use bot::contract::ENABLED_LABEL;
use engine::{Engine, label_filter};
use recipe::image::contexts;
use recipe::scenario::{Scenario, list};

use crate::images::{self, missing_images};
use crate::installation;
use crate::stack::RUN_LABEL;
use crate::stack::disk::{self, MIN_FREE_GIB};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// A drill works, with something to know.
    Note,
    /// A drill cannot work.
    Bad,
}

/// One check.
#[derive(Debug, Clone)]
pub struct Check {
    /// How it came out.
    pub level: Level,
    /// What was checked.
    pub what: &'static str,
    /// What was found, and what to do.
    pub found: String,
}

/// Checks everything; never stops at the first failure.
pub async fn doctor(scenarios: &Path) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |level, what, found: String| checks.push(Check { level, what, found });
    match command("docker", &["--version"]).await {
        Some(version) => add(Level::Ok, "docker CLI", version),
        None => add(Level::Bad, "docker CLI", "not found; install it (package docker-cli): it merges compose files".into()),
    }
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(e) => {
            add(Level::Bad, "engine", e.to_string());
            return checks;
        }
    };
    let version = engine.docker.version().await.unwrap_or_default();
    add(Level::Ok, "engine", format!("{} at {}", version.version.unwrap_or_default(), engine.host));
    add(
        Level::Ok,
        "API version",
        format!("{}, negotiated {}", version.api_version.unwrap_or_default(), engine.docker.client_version()),
    );
    let info = engine.docker.info().await.unwrap_or_default();
    let swarm = info.swarm.unwrap_or_default();
    match (swarm.local_node_state, swarm.control_available) {
        (Some(LocalNodeState::ACTIVE), Some(true)) => add(Level::Ok, "swarm", "this node is a manager".into()),
        (Some(LocalNodeState::ACTIVE), _) => {
            add(Level::Bad, "swarm", "this node is a worker; point DOCKER_HOST at a manager, or promote it".into())
        }
        _ => add(Level::Note, "swarm", "none; the first drill initialises a single-node one on 127.0.0.1".into()),
    }
    if Path::new("/proc/net/ip_vs").exists() {
        add(Level::Ok, "IPVS", "present".into());
    } else {
        add(Level::Note, "IPVS", "not loaded: Swarm's virtual IPs do not work without it, but drills do not use them".into());
    }
    let root = info.docker_root_dir.unwrap_or_else(|| "/var/lib/docker".into());
    match disk::free(&root).await {
        Some(free) if free >> 30 < MIN_FREE_GIB => add(
            Level::Bad,
            "disk",
            format!("{} GiB free in {root}, {} GiB needed; `docker system prune` frees some", free >> 30, MIN_FREE_GIB),
        ),
        Some(free) => add(Level::Ok, "disk", format!("{} GiB free in {root}", free >> 30)),
        None => add(Level::Note, "disk", format!("{root} is not on this machine: not checked")),
    }
    for name in list(scenarios) {
        let scenario = match Scenario::load(scenarios, &name) {
            Ok(scenario) => scenario,
            Err(e) => {
                add(Level::Bad, "scenario", e.to_string());
                continue;
            }
        };
        let mut all =
            scenario.spec.standins.as_ref().and_then(|s| contexts(&scenario.dir.join(&s.images), &name).ok()).unwrap_or_default();
        match installation::bot(scenarios).and_then(|bot| images::bot::source_if_built(&bot)) {
            Ok(Some(bot)) => all.extend(bot),
            Ok(None) => add(Level::Note, "backup program", "not built; the first drill builds it".into()),
            Err(e) => add(Level::Bad, "backup program", e.to_string()),
        }
        match missing_images(&engine, &all).await {
            Ok(missing) if missing.is_empty() => add(Level::Ok, "images", format!("scenario {name}: all stand-ins are built")),
            Ok(missing) => {
                let how = match command("mmdebstrap", &["--version"]).await {
                    Some(_) => "the first drill builds them, and so does `restore-drill images`",
                    None => {
                        "the first drill builds them; the package mmdebstrap is not installed, so a registry must be reachable"
                    }
                };
                add(Level::Note, "images", format!("scenario {name}: not built: {}; {how}", missing.join(", ")));
            }
            Err(e) => add(Level::Bad, "images", e.to_string()),
        }
    }
    let filter = label_filter([ENABLED_LABEL]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let bots: Vec<String> = engine
        .docker
        .list_services(Some(options))
        .await
        .unwrap_or_default()
        .into_iter()
        .filter_map(|s| s.spec)
        .filter(|s| !s.labels.as_ref().is_some_and(|l| l.contains_key(RUN_LABEL)))
        .filter_map(|s| s.name)
        .collect();
    if bots.is_empty() {
        add(Level::Ok, "backupbot", "none deployed; a drill deploys its own (--backupbot existing needs one)".into());
    } else {
        add(Level::Ok, "backupbot", format!("{}; --backupbot existing uses it", bots.join(", ")));
    }
    checks
}

async fn command(program: &str, arguments: &[&str]) -> Option<String> {
    let output = tokio::process::Command::new(program).args(arguments).stdin(Stdio::null()).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
