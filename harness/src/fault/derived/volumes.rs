//! Faults of durable volumes: left out of the backup by a label, not restored, restored as root.

use std::collections::BTreeMap;

use bot::contract::{several, volume_dir};
use futures_util::future::BoxFuture;
use recipe::compose::edit::Edit;
use recipe::inventory::InventoryVolume;
use recipe::labels::{Hook, VOLUMES};
use recipe::scenario::Scenario;
use recipe::scenario::faults::{AS_NEW, Each, Expected, Fault as Declared, Globs, Group};

use super::files;
use crate::drill::Drill;
use crate::error::Result;
use crate::fault::act::in_bot;
use crate::fault::deed::{Deed, Derived, When};
use crate::fault::known::Items;
use crate::fault::labels::{Labels, durable, nothing_of, owed};
use crate::stack::volumes::full_name;

/// The faults of a scenario's durable volumes.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let labels = Labels::of(scenario);
    let owed: Vec<&str> = owed(scenario).into_iter().map(|v| v.name.as_str()).collect();
    let mut faults = Vec::new();
    for volume in durable(scenario) {
        let others: Vec<&str> = owed.iter().copied().filter(|name| *name != volume.name).collect();
        // Of an only volume, the faults that leave out all of them say the same.
        if !others.is_empty() {
            faults.extend(excluded(&labels, volume).map(|f| (f, None)));
            faults.push((not_restored(scenario, volume, &others), None));
        }
        if files::compared(scenario).any(|name| name == volume.name) {
            faults.push(owners_lost(volume));
        }
    }
    faults
}

fn excluded(labels: &Labels<'_>, volume: &InventoryVolume) -> Option<Declared> {
    let name = &volume.name;
    let mut fault = Declared::new(format!("{name}-excluded"), format!("Volume {name} is left out of the backup."), Group::Labels);
    fault.edits = vec![Edit::set(labels.enabled()?, &format!("{VOLUMES}{name}"), "false")];
    fault.lint = vec!["durable-excluded".into()];
    if labels.value(&format!("{VOLUMES}{name}.path")).is_some() {
        fault.lint.push("path-of-excluded".into());
    }
    fault.lint.extend(labels.shows_dump(volume).then(|| "dump-left-out".into()));
    fault.finds = nothing_of(volume).into_iter().map(Expected::Finding).collect();
    Some(fault)
}

fn not_restored(scenario: &Scenario, volume: &InventoryVolume, others: &[&str]) -> Declared {
    let name = &volume.name;
    let mut fault = Declared::new(format!("{name}-not-restored"), format!("Volume {name} is not restored."), Group::Restore);
    fault.restore.volumes = Some(several(others.iter().copied()));
    fault.finds = lost(scenario, volume);
    fault
}

/// What is not there without a volume: its files that a fresh deployment does not have, and the rows of its databases.
fn lost(scenario: &Scenario, volume: &InventoryVolume) -> Vec<Expected> {
    let text = |text: &str| Globs(vec![text.to_owned()]);
    let files = Each {
        each: Globs(vec![format!("volume {}, file *", volume.name)]),
        but: Globs::default(),
        having: BTreeMap::from([
            ("compared".to_owned(), Globs(vec!["whole".into(), "attributes".into()])),
            ("fresh".to_owned(), text("false")),
        ]),
        unless: BTreeMap::new(),
        other: None,
        finds: "{item}: lost".into(),
    };
    let of_volume = scenario.spec.databases.iter().filter(|d| d.is_in(&volume.name, &volume.service));
    std::iter::once(Expected::Each(files)).chain(of_volume.flat_map(|d| rows_lost(scenario, &d.name))).collect()
}

/// What is found when a database is as in a fresh deployment: what the scenario says, or how it differs from the baseline then.
pub fn rows_lost(scenario: &Scenario, database: &str) -> Vec<Expected> {
    let said = scenario.faults.lost.get(database);
    said.cloned().unwrap_or_else(|| vec![Expected::Finding(format!("{AS_NEW}{database}"))])
}

fn owners_lost(volume: &InventoryVolume) -> Derived {
    let name = &volume.name;
    let what = format!("All files of volume {name} belong to root after the restore.");
    let mut fault = Declared::new(format!("{name}-owners-lost"), what, Group::Restore);
    fault.finds = vec![Expected::Each(Each {
        each: Globs(vec![format!("volume {name}, file *")]),
        but: Globs::default(),
        having: BTreeMap::from([("whole".to_owned(), Globs(vec!["true".into()]))]),
        unless: BTreeMap::from([("owner".to_owned(), Globs(vec!["0:0".into()]))]),
        other: None,
        finds: "{item}: altered (owner)".into(),
    })];
    (fault, Some(Box::new(Chown { volume: name.clone() })))
}

/// All of a volume is root's.
#[derive(Debug)]
struct Chown {
    volume: String,
}

impl Deed for Chown {
    fn when(&self) -> When {
        When::AfterRestore
    }

    fn strike<'a>(&'a self, drill: &'a Drill, _: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let dir = volume_dir(&full_name(&drill.app.stack.name, &self.volume));
            in_bot(drill, "chown -Rh 0:0 \"$1\"", &[&dir]).await?;
            Ok(vec![])
        })
    }
}

/// What is found when the hook of the first durable volume's service does not load its dump; nothing where none does.
pub fn without_dump(scenario: &Scenario, labels: &Labels<'_>) -> Vec<Expected> {
    let Some(volume) = durable(scenario).next() else { return vec![] };
    if labels.of_service(&volume.service, Hook::RestorePost.label()).is_none() {
        return vec![];
    }
    let dumped = scenario.spec.databases.iter().filter(|d| d.is_in(&volume.name, &volume.service));
    dumped.flat_map(|d| rows_lost(scenario, &d.name)).collect()
}
