//! The name and the value of every single label.

use std::collections::HashSet;

use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Label, MountSource, Recipe, Service};
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, Hook, VOLUMES, is_backupbot};
use crate::near::did_you_mean;

/// With more volumes than this, an unknown one is not compared with each of them for a suggestion.
const SUGGESTED_FROM: usize = 100;

/// Adds what is wrong with names and values.
pub(super) fn check(recipe: &Recipe, found: &mut Mistakes) {
    let excluded = recipe.labels().filter(|(.., l)| l.value == "false").filter_map(|(.., l)| l.name.strip_prefix(VOLUMES));
    let names = Names { recipe, excluded: excluded.collect() };
    for (_, service, label) in recipe.labels() {
        names.label(service, label, found);
    }
    for label in recipe.services.values().flat_map(|s| &s.container_labels).filter(|l| is_backupbot(&l.name)) {
        found.add(Rule::ContainerLabel, &label.place, format!("{} is under labels; expected under deploy.labels", label.name));
    }
}

struct Names<'a> {
    recipe: &'a Recipe,
    /// The volumes that labels exclude.
    excluded: HashSet<&'a str>,
}

impl Names<'_> {
    fn label(&self, service: &Service, label: &Label, found: &mut Mistakes) {
        let Label { name, value, place, .. } = label;
        if !is_backupbot(name) && !name.starts_with("coop-cloud.") {
            return;
        }
        for variable in label.unset.iter().filter(|v| *v != "STACK_NAME") {
            found.add(Rule::NoValue, place, format!("${{{variable}}} in {name}={value} has no value and no default"));
        }
        if !is_backupbot(name) || name == "backupbot" {
            return;
        }
        if label.boolean {
            found.add(Rule::InexactValue, place, format!("{name}: {value} is a YAML boolean; expected the text \"{value}\""));
        }
        if name == BACKUP {
            switch(label, found);
        } else if let Some(rest) = name.strip_prefix(VOLUMES) {
            self.volume(label, rest, found);
        } else if name == "backupbot.backup.path" {
            found.add(Rule::ContainerPath, place, format!("{name}={value}{}", instead(service, value)));
        } else if name.starts_with("backupbot.volumes.") {
            found.add(Rule::Version1, place, format!("{name}={value} is a label of backupbot version 1"));
        } else if !Hook::ALL.iter().any(|h| h.label() == name) {
            found.add(Rule::UnknownLabel, place, format!("backupbot has no label {name}; the closest one is {}", closest(name)));
        }
    }

    /// A label about one volume; `rest` is its name after the common beginning.
    fn volume(&self, label: &Label, rest: &str, found: &mut Mistakes) {
        let Label { name, value, place, .. } = label;
        let volumes = &self.recipe.volumes;
        let (volume, is_path) = match rest.strip_suffix(".path") {
            Some(volume) if !volumes.contains_key(rest) => (volume, true),
            _ => (rest, false),
        };
        if !volumes.contains_key(volume) {
            let message = format!("{name}: there is no volume {volume:?}{}", self.suggestion(volume));
            found.add(Rule::UnknownVolume, place, message);
        }
        if is_path {
            let bad = |p: &&str| p.is_empty() || p.starts_with('/') || p.split('/').any(|part| part == "..");
            if let Some(path) = value.split(',').map(str::trim).find(bad) {
                found.add(Rule::BadPath, place, format!("{name}={value}: {path:?} is not a path within the volume"));
            }
            if self.excluded.contains(volume) {
                let message = format!("{name}: volume {volume} is excluded by {VOLUMES}{volume}=false");
                found.add(Rule::PathOfExcluded, place, message);
            }
        } else if value != "true" && value != "false" && !label.boolean {
            found.add(Rule::InexactValue, place, format!("{name}={value}: expected false"));
        }
    }

    /// The volume that was meant: the one whose name follows the stack's, or one with almost the same name.
    fn suggestion(&self, unknown: &str) -> String {
        let volumes = &self.recipe.volumes;
        let after = |(at, _): (usize, &str)| volumes.get_key_value(&unknown[at + 1..]);
        match unknown.match_indices('_').find_map(after) {
            Some((volume, _)) => format!("; did you mean {volume}?"),
            None if volumes.len() > SUGGESTED_FROM => String::new(),
            None => did_you_mean(unknown, volumes.keys().map(String::as_str)),
        }
    }
}

fn switch(label: &Label, found: &mut Mistakes) {
    let Label { name, value, place, .. } = label;
    match value.as_str() {
        "true" => {}
        "false" => found.add(Rule::NotEnabled, place, format!("{name}=false: nothing is backed up")),
        _ => found.add(Rule::InexactValue, place, format!("{name}={value}: expected true")),
    }
}

/// What to write instead of a path in the container.
fn instead(service: &Service, path: &str) -> String {
    let within = service.mounts.iter().find_map(|m| match &m.source {
        MountSource::Volume(volume) => Some((volume, path.strip_prefix(&m.target)?)),
        MountSource::Bind(_) | MountSource::Unnamed => None,
    });
    within.map_or_else(String::new, |(volume, path)| match path.trim_matches('/') {
        "" => format!("; volume {volume} is backed up without a label"),
        path => format!("; expected {VOLUMES}{volume}.path={path}"),
    })
}

/// The label of backupbot whose name is closest to one that does not exist.
fn closest(name: &str) -> &'static str {
    let known = Hook::ALL.iter().map(|h| h.label()).chain([BACKUP, VOLUMES]);
    match known.min_by_key(|k| strsim::damerau_levenshtein(k, name)) {
        Some(VOLUMES) => "backupbot.backup.volumes.<volume>",
        Some(label) => label,
        None => BACKUP,
    }
}
