//! What is known of a run besides its findings.

use std::collections::{BTreeMap, BTreeSet};

use recipe::inventory::Inventory;

use super::classes::Place;
use crate::check::Check;
use crate::checks::Performed;
use crate::model::Counts;

/// What is known of a run besides its findings.
#[derive(Debug)]
pub(crate) struct Known {
    /// How many of each kind there were.
    pub(super) totals: Performed,
    /// By what compares it, the volumes that hold it: `messages` are in `mail`.
    pub(super) homes: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Of a run that compared this, with this inventory.
    pub(crate) fn new(totals: Performed, inventory: Option<&Inventory>) -> Self {
        let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for volume in inventory.into_iter().flat_map(|i| &i.volumes) {
            for content in volume.paths.iter().filter_map(|p| p.content.clone()) {
                homes.entry(content).or_default().insert(volume.name.clone());
            }
        }
        Self { totals, homes }
    }

    /// Of a run of which only these counts are known.
    pub(crate) fn counts(counts: &Counts) -> Self {
        let totals = [
            (Check::Logins, counts.accounts),
            (Check::Folders, counts.folders),
            (Check::Messages, counts.messages),
            (Check::Scripts, counts.scripts),
        ];
        Self { totals: totals.into_iter().filter(|(_, n)| *n > 0).collect(), homes: BTreeMap::new() }
    }

    /// How many there were of some checks; none where that is not known.
    pub(super) fn total(&self, of: impl Fn(&Check) -> bool) -> Option<u64> {
        let total = self.totals.iter().filter(|(check, _)| of(check)).map(|(_, n)| n).sum();
        (total > 0).then_some(total)
    }

    /// Whether a volume holds what a place is about.
    pub(super) fn holds(&self, volume: &str, place: &Place) -> bool {
        let content = match place {
            Place::Volume(other) => return volume == other,
            Place::Mail => "messages".to_owned(),
            Place::Database(database) => format!("rows of {database}"),
            Place::Redis(service) => format!("keys of {service}"),
            Place::App => return false,
        };
        self.homes.get(&content).is_some_and(|volumes| volumes.contains(volume))
    }
}
