//! Faults of dumps: missing, empty, cut off, not loaded.

use recipe::compose::edit::Edit;
use recipe::inventory::InventoryVolume;
use recipe::labels::{Hook, VOLUMES};
use recipe::scenario::Scenario;
use recipe::scenario::faults::{Expected, Fault as Declared, Group};

use super::volumes::rows_lost;
use crate::fault::deed::Derived;
use crate::fault::labels::{Labels, durable};

/// A dump that a hook writes into a volume.
struct Dump<'a> {
    scenario: &'a Scenario,
    volume: &'a InventoryVolume,
    /// Its path from the volume's root.
    path: &'a str,
    /// The hook that writes it.
    hook: String,
    /// Whether a label names the paths of the volume that are taken.
    selected: bool,
    /// Whether a hook loads it after a restore.
    loaded: bool,
}

/// The faults of a scenario's dumps.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let labels = Labels::of(scenario);
    let dumps = durable(scenario).flat_map(|volume| {
        let labels = &labels;
        volume.paths.iter().filter_map(|p| p.dump.as_deref()).take(1).filter_map(move |path| {
            Some(Dump {
                scenario,
                volume,
                path,
                hook: labels.of_service(&volume.service, Hook::BackupPre.label())?.to_owned(),
                selected: labels.value(&format!("{VOLUMES}{}.path", volume.name)).is_some(),
                loaded: labels.of_service(&volume.service, Hook::RestorePost.label()).is_some(),
            })
        })
    });
    dumps.flat_map(|dump| dump.faults()).map(|fault| (fault, None)).collect()
}

impl Dump<'_> {
    fn faults(&self) -> Vec<Declared> {
        let name = |word: &str| format!("{}-dump-{word}", self.volume.name);
        let file = format!("{}/{}", self.volume.mount, self.path);
        let mut faults = vec![
            self.written(name("missing"), "The hook that writes the dump ends with an error.", "exit 7", &self.missing()),
            self.written(name("empty"), "The hook writes an empty dump and ends with 0.", &format!(": > {file}"), &self.wrong()),
            self.written(
                name("cut-off"),
                "The dump is cut off, and its hook ends with 0.",
                &format!("{} && head -c 1000 {file} > /tmp/cut && cat /tmp/cut > {file}", self.hook),
                &self.wrong(),
            ),
        ];
        if self.loaded {
            let what = format!("No hook loads the dump of volume {} after the restore.", self.volume.name);
            let mut fault = Declared::new(name("not-loaded"), what, Group::Restore);
            fault.edits = vec![Edit::unset(&self.volume.service, Hook::RestorePost.label())];
            fault.finds = self.of_volume().flat_map(|database| rows_lost(self.scenario, database)).collect();
            faults.push(fault);
        }
        faults
    }

    fn written(&self, name: String, what: &str, hook: &str, finds: &[String]) -> Declared {
        let mut fault = Declared::new(name, format!("{what} Volume: {}.", self.volume.name), Group::Backup);
        fault.edits = vec![Edit::set(&self.volume.service, Hook::BackupPre.label(), hook)];
        fault.finds = finds.iter().cloned().map(Expected::Finding).collect();
        fault
    }

    fn missing(&self) -> Vec<String> {
        let gone = format!("snapshot, volume {}, path {}: lost (dump)", self.volume.name, self.path);
        let path = self.selected.then(|| "backup: failed (path)".to_owned());
        ["backup: failed (hook)".into(), gone].into_iter().chain(path).collect()
    }

    fn wrong(&self) -> Vec<String> {
        vec![format!("snapshot, volume {}, path {}: altered (dump)", self.volume.name, self.path)]
    }

    /// The databases that the dump is of.
    fn of_volume(&self) -> impl Iterator<Item = &str> {
        let databases = self.scenario.spec.databases.iter().filter(|d| d.is_in(&self.volume.name, &self.volume.service));
        databases.map(|d| d.name.as_str())
    }
}
