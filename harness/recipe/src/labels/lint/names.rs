//! The name and the value of every single label.

use std::collections::{HashMap, HashSet};

use crate::labels::meaning::{
    Meaning, PathMeaning, bare, beside_paths, has_blanks, has_wildcard, hint, meaning, paths_meant, targets, volume_meant,
    volume_of,
};
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Label, Recipe, Service};
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, Hook, VOLUMES, is_backupbot};

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
    contradictions(recipe, found);
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
        let is_hook = Hook::ALL.iter().any(|h| h.label() == name);
        for variable in label.unset.iter().filter(|v| *v != "STACK_NAME") {
            if is_hook && service.environment.contains_key(variable) {
                let message = format!("{name}={value}: the service has {variable}; expected $${variable}");
                found.add(Rule::SingleDollar, place, message);
            } else {
                found.add(Rule::NoValue, place, format!("${{{variable}}} in {name}={value} has no value and no default"));
            }
        }
        if !is_backupbot(name) {
            return;
        }
        if let Some(meant) = label.misread() {
            let text = if value.is_empty() { name.clone() } else { format!("{name}={value}") };
            let message = format!("{text:?} is read as a label {name:?}; expected {}={}", meant.name, meant.value);
            return found.add(Rule::ItemWithoutEquals, place, message);
        }
        if label.boolean {
            found.add(Rule::InexactValue, place, format!("{name}: {value} is a YAML boolean; expected the text \"{value}\""));
        }
        if name == BACKUP {
            switch(label, found);
        } else if let Some(rest) = name.strip_prefix(VOLUMES) {
            self.volume(service, label, rest, found);
        } else if name == "backupbot.backup.path" {
            let others = beside_paths(self.recipe, service, label);
            let too = others.map_or_else(String::new, |others| format!("; {others}"));
            found.add(
                Rule::ContainerPath,
                place,
                format!("{name}={value}{}{too}", instead(meaning(self.recipe, service, label))),
            );
        } else if name.starts_with("backupbot.volumes.") || name == "backupbot.restore" {
            found.add(Rule::Version1, place, format!("{name}={value} is a label of backupbot version 1"));
        } else if !is_hook {
            let closest = match meaning(self.recipe, service, label) {
                Meaning::Instead(labels) => labels.into_iter().next().map_or_else(String::new, |(name, _)| name),
                _ => hint(name).to_owned(),
            };
            found.add(Rule::UnknownLabel, place, format!("backupbot has no label {name}; the closest one is {closest}"));
        }
    }

    /// A label about one volume; `rest` is its name after the common beginning.
    fn volume(&self, service: &Service, label: &Label, rest: &str, found: &mut Mistakes) {
        let Label { name, value, place, .. } = label;
        let (volume, is_path) = volume_of(self.recipe, rest);
        if !self.recipe.has_volume(volume) {
            let meant = volume_meant(self.recipe, volume).map_or_else(String::new, |near| format!("; did you mean {near}?"));
            found.add(Rule::UnknownVolume, place, format!("{name}: there is no volume {volume:?}{meant}"));
        }
        if is_path {
            let meant = if self.recipe.has_volume(volume) { None } else { volume_meant(self.recipe, volume) };
            self.paths(service, label, meant.unwrap_or(volume), found);
            if self.excluded.contains(volume) {
                let message = format!("{name}: volume {volume} is excluded by {VOLUMES}{volume}=false");
                found.add(Rule::PathOfExcluded, place, message);
            }
        } else if value == "true" && label.written.1 == "true" && !label.boolean && self.recipe.has_volume(volume) {
            found.add(Rule::NeedlessVolume, place, format!("{name}=true: volume {volume} is backed up without it"));
        } else if value != "true" && value != "false" && !label.boolean && label.unset.is_empty() {
            found.add(Rule::InexactValue, place, format!("{name}={value}: expected false"));
        }
    }

    /// The first path that is not one from the volume's root.
    fn paths(&self, service: &Service, label: &Label, volume: &str, found: &mut Mistakes) {
        let Label { name, value, place, .. } = label;
        let targets = targets(self.recipe, service, volume);
        if has_blanks(value) {
            let message = format!("{name}={value}: a bot may take the blanks beside a comma for a part of the path");
            found.add(Rule::BlankInPaths, place, message);
        }
        for path in paths_meant(&targets, value) {
            let (rule, message) = match path {
                PathMeaning::InVolume(_) => continue,
                PathMeaning::Nothing(path) if has_wildcard(path) => {
                    (Rule::BadPath, format!("{path:?} has a wildcard, and bots look for a file with exactly this name"))
                }
                PathMeaning::Nothing(path) => (Rule::BadPath, format!("{path:?} is not a path within the volume")),
                PathMeaning::InContainer { target, path: "" } => {
                    (Rule::BadPath, format!("{target} is where the volume is mounted; without the label, all of it is backed up"))
                }
                PathMeaning::InContainer { target, path } => {
                    (Rule::BadPath, format!("{target} is where the volume is mounted; expected .path={path}"))
                }
                PathMeaning::AfterSlash(_) => {
                    let paths: Vec<&str> = value.split(',').map(|path| path.trim().trim_start_matches('/')).collect();
                    (Rule::LeadingSlash, format!("expected {}", paths.join(",")))
                }
            };
            return found.add(rule, place, format!("{name}={value}: {message}"));
        }
    }
}

fn switch(label: &Label, found: &mut Mistakes) {
    let Label { name, value, place, .. } = label;
    match value.as_str() {
        "true" => {}
        _ if !label.unset.is_empty() => {}
        "false" if label.written.1.contains('$') => {
            found.add(Rule::OffByDefault, place, format!("{name}={} is false where the operator sets nothing", label.written.1));
        }
        "false" => found.add(Rule::NotEnabled, place, format!("{name}=false: nothing is backed up")),
        _ => {
            let quotes = if bare(value) == value { "" } else { "the quotes are a part of the value; " };
            found.add(Rule::InexactValue, place, format!("{name}={value}: {quotes}expected true"));
        }
    }
}

/// What to write instead, or why nothing is needed.
fn instead(meant: Meaning) -> String {
    match meant {
        Meaning::Instead(labels) => {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("; expected {}", labels.join(" and "))
        }
        Meaning::Needless(why) => format!("; {why}"),
        Meaning::AsWritten | Meaning::Unclear => String::new(),
    }
}

/// The values that labels about one volume have: the bot reads one of them, and nobody knows which.
fn contradictions(recipe: &Recipe, found: &mut Mistakes) {
    let mut first: HashMap<&str, (&str, &Label)> = HashMap::new();
    for (service, _, label) in recipe.labels().filter(|(.., l)| l.name.starts_with(VOLUMES)) {
        let (other, before) = *first.entry(&label.name).or_insert((service, label));
        if before.value != label.value {
            let message = format!("{}={}, but service {other} says {}", label.name, label.value, before.value);
            found.add(Rule::TwoValues, &label.place, message);
        }
    }
    for (label, last) in recipe.services.values().flat_map(|s| &s.overruled).filter(|(l, _)| is_backupbot(&l.name)) {
        let message = format!(
            "{}={} has no effect: line {} of the same list says {}",
            label.name, label.value, last.place.line, last.value
        );
        found.add(Rule::TwoValues, &label.place, message);
    }
}
