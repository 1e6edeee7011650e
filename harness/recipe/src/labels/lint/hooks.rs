//! Hooks, each by itself: whether it runs, whether it can be run by the bot, where it writes, and which tools it needs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::labels::Hook;
use crate::labels::flow::{Flow, Script};
use crate::labels::hook;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{MountSource, Recipe, SECRETS, Service};
use crate::labels::rules::Rule;

/// Adds what is wrong with the hooks of every service.
pub(super) fn check(recipe: &Recipe, flows: &[Flow<'_>], found: &mut Mistakes) {
    for flow in flows {
        let (name, label) = (flow.name, flow.label);
        if flow.service.replicas == Some(0) {
            let message = format!("{} is on service {name}, which has replicas: 0", label.name);
            found.add(Rule::HookNeverRuns, &label.place, message);
        }
        command(flow, found);
        flow.scripts.iter().for_each(|called| script(flow, called, found));
        secrets(flow, found);
        if let Some(why) = hook::broken(&label.value) {
            let message = format!("{}: {why}: {}", label.name, shown(&label.value));
            found.add(Rule::QuoteInHook, &label.place, message);
        }
    }
    for (name, service) in &recipe.services {
        let first = flows.iter().find(|f| f.name == name && !f.command.tools.iter().any(|t| t == "bash"));
        let image = service.image.as_deref().unwrap_or_default();
        if let Some((flow, instead)) = first.and_then(|f| Some((f, hook::lacks(image, "bash")?))) {
            found.add(Rule::NoBash, &flow.label.place, format!("service {name}: {image} has no bash; {instead}"));
        }
    }
}

/// The beginning of a long command.
fn shown(command: &str) -> String {
    const SHOWN: usize = 60;
    let short: String = command.chars().take(SHOWN).collect();
    if short.len() < command.len() { short + "…" } else { short }
}

fn command(flow: &Flow<'_>, found: &mut Mistakes) {
    let (service, label) = (flow.service, flow.label);
    // What a restore writes is loaded and forgotten, and what is written after the copy is not in it anyhow.
    let results = flow.results().filter(|_| flow.hook == Hook::BackupPre);
    for path in results {
        if let Some(about) = outside_volumes(service, path) {
            let volumes: Vec<_> = service.volumes().collect();
            let has = if volumes.is_empty() { "none".into() } else { volumes.join(", ") };
            let message = format!("{}: {path} {about}; volumes of this service: {has}", label.name);
            found.add(Rule::DumpOutsideVolumes, &label.place, message);
        }
    }
    let image = service.image.as_deref().unwrap_or_default();
    for tool in &flow.command.tools {
        if let Some(instead) = hook::lacks(image, tool) {
            found.add(Rule::ToolMissing, &label.place, format!("{}: {image} has no {tool}; {instead}", label.name));
        }
    }
    if let Some(first) = &flow.command.hiding {
        let message = format!("{}: if {first} fails, the hook still succeeds", label.name);
        found.add(Rule::PipeHidesFailure, &label.place, message);
    } else if let Some(dump) = flow.command.ignored.as_ref().filter(|_| flow.hook == Hook::BackupPre) {
        let message = format!("{}: if {dump} fails, the commands after it run, and the hook still succeeds", label.name);
        found.add(Rule::PipeHidesFailure, &label.place, message);
    }
}

/// The secrets that a hook reads and that its service does not have. One whose absence the script allows for is not needed.
fn secrets(flow: &Flow<'_>, found: &mut Mistakes) {
    let (service, label) = (flow.service, flow.label);
    // Where it has none, another file may give it some.
    if service.secrets.is_empty() {
        return;
    }
    let read = flow.command.reads.iter().chain(&flow.command.names).map(|path| path.strip_prefix("/var").unwrap_or(path));
    let is_secret =
        |path: &&str| path.strip_prefix(SECRETS).is_some_and(|name| !name.is_empty() && !name.contains(['$', '*', '?']));
    let is_there = |path: &str| {
        let is_at = |file: &String| file == path || file.starts_with(&format!("{path}/"));
        service.secrets.iter().any(is_at) || service.configs.iter().any(|c| c.target == path) || service.mount_of(path).is_some()
    };
    let tests = |path: &str| {
        let runs = flow.command.runs.iter().filter(|run| ["test", "[", "[["].contains(&run.tool()));
        runs.flat_map(|run| &run.words).any(|word| word.ends_with(path))
    };
    for path in read.filter(is_secret).collect::<BTreeSet<&str>>() {
        if !is_there(path) && !tests(path) {
            let names: Vec<&str> = service.secrets.iter().map(|file| file.strip_prefix(SECRETS).unwrap_or(file)).collect();
            let message = format!("{} reads {path}; secrets of service {}: {}", label.name, flow.name, names.join(", "));
            found.add(Rule::SecretNotMounted, &label.place, message);
        }
    }
}

/// Whether a name is that of a script, as far as can be told.
static SCRIPT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\.(sh|bash|py|pl|rb|js|php)$|^/[^/]+$").expect("the pattern is a constant, and tested"));

fn script(flow: &Flow<'_>, script: &Script<'_>, found: &mut Mistakes) {
    let (label, path) = (flow.label, &script.called.path);
    if let Some(part) = script.called.arguments.first().filter(|_| script.lacks_part) {
        found.add(Rule::ScriptWithoutPart, &label.place, format!("{}: {path} has no function or branch {part}", label.name));
    } else if script.calls_nothing {
        let message = format!("{}: {path} defines functions, and calls none of them", label.name);
        found.add(Rule::ScriptWithoutPart, &label.place, message);
    }
    match script.config {
        Some(config) if !config.executable && script.called.shell.is_none() => {
            let message =
                format!("{}: config {} is mounted at {path} without a mode that lets it run", label.name, config.source);
            found.add(Rule::ScriptNotExecutable, &label.place, message);
        }
        None if SCRIPT.is_match(path) && !is_of_image(flow.service, path) && script.is_mounted_by_nobody(flow.service) => {
            let message = format!("{}: no config of service {} is mounted at {path}", label.name, flow.name);
            found.add(Rule::ScriptNotMounted, &label.place, message);
        }
        _ => {}
    }
}

/// Whether a program has the name of its image, or of whoever publishes it: `/vaultwarden` of `vaultwarden/server`.
fn is_of_image(service: &Service, path: &str) -> bool {
    let image = service.image.as_deref().unwrap_or_default();
    image.split(['/', ':', '@']).any(|part| Some(part) == path.strip_prefix('/'))
}

/// Where a path of the container is, if nothing can be written there into a named volume.
fn outside_volumes(service: &Service, path: &str) -> Option<&'static str> {
    let mount = service.mount_of(path).map(|(mount, _)| mount);
    let read_only = mount.is_some_and(|m| m.read_only);
    match mount.map(|m| &m.source) {
        Some(MountSource::Volume(_)) if read_only => Some("is in a volume that is mounted read-only"),
        Some(MountSource::Volume(_)) => None,
        Some(MountSource::Bind(_)) => Some("is on the host"),
        Some(MountSource::Unnamed) => Some("is in no named volume"),
        None => Some("is in the container's writable layer"),
    }
}
