//! The labels and durable volumes of a scenario's recipe, by which faults know what to change.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use recipe::compose::variable::filled;
use recipe::inventory::{Class, InventoryVolume};
use recipe::labels::database::is_server;
use recipe::labels::flow::writes_before_backup;
use recipe::labels::recipe::{Recipe, RecipeFiles};
use recipe::labels::{BACKUP, Hook};
use recipe::scenario::Scenario;

/// The recipe's labels, by service.
pub struct Labels<'a> {
    /// Whose recipe it is.
    pub(super) scenario: &'a Scenario,
    /// By service and name.
    pub(super) all: BTreeMap<String, BTreeMap<String, String>>,
    /// As lint reads it, once that is asked for; none where it cannot be read, which has no faults either.
    recipe: OnceCell<Option<Recipe>>,
}

impl<'a> Labels<'a> {
    /// The labels of a scenario's recipe.
    pub fn of(scenario: &'a Scenario) -> Self {
        let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for compose in &scenario.compose {
            for service in compose.services() {
                all.entry(service.to_owned()).or_default().extend(compose.deploy_labels(service));
            }
        }
        Self { scenario, all, recipe: OnceCell::new() }
    }

    /// The service that switches backups on. The deployed bot takes any value for a switch.
    pub fn enabled(&self) -> Option<&str> {
        let is_on = |value: &String| !filled(value, &self.scenario.values).is_empty();
        self.all.iter().find(|(_, labels)| labels.get(BACKUP).is_some_and(is_on)).map(|(service, _)| service.as_str())
    }

    /// A label of a service.
    pub fn of_service(&self, service: &str, label: &str) -> Option<&str> {
        self.all.get(service)?.get(label).map(String::as_str)
    }

    /// A label of any service.
    pub fn value(&self, label: &str) -> Option<&str> {
        self.all.values().find_map(|labels| labels.get(label)).map(String::as_str)
    }

    /// Whether lint sees that a hook writes the dump of this volume, by its text or that of a script.
    pub fn shows_dump(&self, volume: &InventoryVolume) -> bool {
        let read = || RecipeFiles::of(self.scenario).and_then(|files| files.read()).ok();
        let Some(recipe) = self.recipe.get_or_init(read) else { return false };
        let mut dumps = volume.paths.iter().filter_map(|p| p.dump.as_deref());
        dumps.any(|dump| writes_before_backup(recipe, &volume.service, &volume.name, dump))
    }

    /// Whether a service is a database's server.
    pub fn is_database(&self, service: &str) -> bool {
        let place = format!("/services/{service}/image");
        let images = self.scenario.compose.iter().filter_map(|c| c.value.pointer(&place)?.as_str());
        images.into_iter().any(is_server)
    }

    /// Whether a hook loads a dump after a restore.
    pub fn loads_dumps(&self) -> bool {
        self.all.values().any(|labels| labels.contains_key(Hook::RestorePost.label()))
    }

    /// The label that names the recipe's version: service, label, value.
    pub fn version(&self) -> Option<(&str, &str, &str)> {
        let versions =
            self.all.iter().flat_map(|(s, labels)| labels.iter().map(move |(l, v)| (s.as_str(), l.as_str(), v.as_str())));
        versions.into_iter().find(|(_, label, _)| label.starts_with("coop-cloud.") && label.ends_with(".version"))
    }
}

/// The findings where nothing of a volume is in a snapshot, its dumps among it.
pub fn nothing_of(volume: &InventoryVolume) -> Vec<String> {
    let name = &volume.name;
    let dumps = volume.paths.iter().filter_map(|p| p.dump.as_ref());
    let dumps = dumps.map(|dump| format!("snapshot, volume {name}, path {dump}: lost (dump)"));
    dumps.chain([format!("snapshot, volume {name}: lost")]).collect()
}

/// The volumes that a scenario deploys and that a backup must have.
pub fn owed(scenario: &Scenario) -> Vec<&InventoryVolume> {
    scenario.inventory.volumes.iter().filter(|v| !v.class.is_left_out() && !v.not_deployed).collect()
}

/// The durable volumes that the scenario deploys.
pub fn durable(scenario: &Scenario) -> impl Iterator<Item = &InventoryVolume> {
    scenario.inventory.volumes.iter().filter(|v| v.class == Class::Durable && !v.not_deployed)
}
