//! Hooks: whether they run, where they write, which tools they need, and whether both halves are there.

use crate::labels::Hook;
use crate::labels::hook::{self, Command};
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Label, MountSource, Recipe, Service};
use crate::labels::rules::Rule;

/// Adds what is wrong with the hooks of every service.
pub(super) fn check(recipe: &Recipe, found: &mut Mistakes) {
    for (name, service) in &recipe.services {
        for label in Hook::ALL.iter().filter_map(|h| service.label(h.label())) {
            if service.replicas == Some(0) {
                let message = format!("{} is on service {name}, which has replicas: 0", label.name);
                found.add(Rule::HookNeverRuns, &label.place, message);
            }
            command(service, label, found);
        }
        halves(name, service, found);
    }
}

/// A dump that nothing loads, or one that nothing makes.
fn halves(name: &str, service: &Service, found: &mut Mistakes) {
    let label = |hook: Hook| service.label(hook.label());
    match (label(Hook::BackupPre), label(Hook::RestorePre).or_else(|| label(Hook::RestorePost))) {
        (Some(l), None) => {
            found.add(Rule::BackupHookAlone, &l.place, format!("service {name} has no backupbot.restore hook"));
        }
        (None, Some(l)) => {
            found.add(Rule::RestoreHookAlone, &l.place, format!("service {name} has no backupbot.backup.pre-hook"));
        }
        _ => {}
    }
}

fn command(service: &Service, label: &Label, found: &mut Mistakes) {
    let Command { tools, writes, hiding } = hook::read(&label.value);
    for path in writes.iter().filter(|path| !hook::is_scratch(path)) {
        if let Some(about) = outside_volumes(service, path) {
            let volumes: Vec<_> = service.volumes().collect();
            let has = if volumes.is_empty() { "none".into() } else { volumes.join(", ") };
            let message = format!("{}: {path} {about}; volumes of this service: {has}", label.name);
            found.add(Rule::DumpOutsideVolumes, &label.place, message);
        }
    }
    let image = service.image.as_deref().unwrap_or_default();
    for tool in tools {
        if let Some(instead) = hook::lacks(image, &tool) {
            found.add(Rule::ToolMissing, &label.place, format!("{}: {image} has no {tool}; {instead}", label.name));
        }
    }
    if let Some(first) = hiding {
        let message = format!("{}: if {first} fails, the hook still succeeds", label.name);
        found.add(Rule::PipeHidesFailure, &label.place, message);
    }
}

/// Where a path of the container is, if it is in no named volume.
fn outside_volumes(service: &Service, path: &str) -> Option<&'static str> {
    let is_below = |target: &str| {
        let rest = path.strip_prefix(target.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mount = service.mounts.iter().filter(|m| is_below(&m.target)).max_by_key(|m| m.target.len());
    match mount.map(|m| &m.source) {
        Some(MountSource::Volume(_)) => None,
        Some(MountSource::Bind(_)) => Some("is on the host"),
        Some(MountSource::Unnamed) => Some("is in no named volume"),
        None => Some("is in the container's writable layer"),
    }
}
