//! Whether `backupbot.backup` is on, once, on the main service.

use crate::labels::BACKUP;
use crate::labels::is_backupbot;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Place, Recipe};
use crate::labels::rules::Rule;

/// Adds what is wrong with the label that switches backup on.
pub(super) fn check(recipe: &Recipe, main: Option<&Place>, found: &mut Mistakes) {
    let all: Vec<_> = recipe.labels().filter(|(.., l)| is_backupbot(&l.name)).collect();
    let on: Vec<_> = all.iter().filter(|(.., l)| l.name == BACKUP).collect();
    let on_container = || recipe.services.values().flat_map(|s| &s.container_labels).any(|l| is_backupbot(&l.name));
    // Only named volumes are backed up, so a recipe without any needs no label.
    let has_volumes = recipe.services.values().any(|s| s.volumes().next().is_some());
    match (all.first(), on.first(), main) {
        (None, _, Some(place)) if has_volumes && !on_container() => {
            found.add(Rule::NoLabels, place, "no service has a backupbot label");
        }
        (Some((.., label)), None, _) if !on_container() => {
            found.add(Rule::NotEnabled, &label.place, format!("{} has no effect without {BACKUP}=true", label.name));
        }
        (_, Some((name, _, label)), _) if !on.iter().any(|(n, ..)| *n == "app") && recipe.services.contains_key("app") => {
            found.add(Rule::EnabledElsewhere, &label.place, format!("{BACKUP} is on service {name}, not on app"));
        }
        _ => {}
    }
    for (name, _, label) in on.iter().skip(1) {
        let message = format!("{BACKUP} is on service {name}, and on service {} too", on[0].0);
        found.add(Rule::EnabledTwice, &label.place, message);
    }
}
