//! What is backed up, compared with what the inventory says is worth it, and state that no volume holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::Class;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Label, MountSource, Recipe, Service};
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, VOLUMES};

/// Adds what is excluded and should not be, what is backed up and need not be, and what no backup can reach.
pub(super) fn check(recipe: &Recipe, found: &mut Mistakes) {
    bind_mounts(recipe, found);
    if !recipe.labels().any(|(.., l)| l.name == BACKUP) {
        return;
    }
    let excluded: BTreeMap<&str, &Label> = recipe
        .labels()
        .filter(|(.., l)| l.value == "false")
        .filter_map(|(.., l)| Some((l.name.strip_prefix(VOLUMES)?, l)))
        .collect();
    let mounted: BTreeSet<&str> = recipe.services.values().flat_map(Service::volumes).collect();
    if let Some((_, last)) =
        excluded.iter().last().filter(|_| !mounted.is_empty() && mounted.iter().all(|v| excluded.contains_key(v)))
    {
        let message = match mounted.len() {
            1 => "the only volume is excluded".to_owned(),
            volumes => format!("all {volumes} volumes are excluded"),
        };
        found.add(Rule::NothingLeft, &last.place, message);
    }
    for volume in recipe.inventory.iter().flat_map(|i| &i.volumes).filter(|v| mounted.contains(v.name.as_str())) {
        let name = &volume.name;
        let message = |but: &str| format!("volume {name} has class {}{but}: {}", volume.class, volume.why);
        match (volume.class, excluded.get(name.as_str())) {
            (Class::Durable, Some(label)) => found.add(Rule::DurableExcluded, &label.place, message("")),
            (Class::Valuable, Some(label)) => found.add(Rule::ValuableExcluded, &label.place, message("")),
            (Class::Regenerated | Class::Cache, None) => {
                if let Some(place) = recipe.volumes.get(name) {
                    found.add(Rule::JunkCaptured, place, message(", but is backed up"));
                }
            }
            _ => {}
        }
    }
}

/// Whether a path of the host is not the app's state: a socket, a device, what the kernel or a running program shows, the host's clock.
fn is_hosts(path: &str) -> bool {
    let is_in = |dir: &&str| path.strip_prefix(*dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path.ends_with(".sock") || ["/dev", "/proc", "/sys", "/run", "/var/run", "/etc"].iter().any(is_in)
}

fn bind_mounts(recipe: &Recipe, found: &mut Mistakes) {
    // The bot reads the volumes of every stack from the host.
    for (name, service) in recipe.services.iter().filter(|(_, service)| !service.is_bot()) {
        for mount in &service.mounts {
            let MountSource::Bind(path) = &mount.source else { continue };
            if !mount.read_only && !is_hosts(path) {
                let message = format!("service {name} can write to {path} on the host, mounted at {}", mount.target);
                found.add(Rule::StateOutsideVolumes, &mount.place, message);
            }
        }
    }
}
