//! Whether `backupbot.backup` is on, once, on the main service.

use crate::labels::is_backupbot;
use crate::labels::main_service::{main_service, switch_place, wanted};
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Label, Place, Recipe, Service};
use crate::labels::rules::Rule;
use crate::labels::{BACKUP, VOLUMES};

/// Adds what is wrong with the label that switches backup on.
pub(super) fn check(recipe: &Recipe, found: &mut Mistakes) {
    let all: Vec<_> = recipe.labels().filter(|(.., l)| is_backupbot(&l.name)).collect();
    let is_switch = |l: &Label| l.name == BACKUP || l.misread().is_some_and(|meant| meant.name == BACKUP);
    let on: Vec<_> = all.iter().filter(|(.., l)| is_switch(l)).collect();
    let on_container = || recipe.services.values().flat_map(|s| &s.container_labels).any(|l| is_backupbot(&l.name));
    // Only named volumes are backed up, so a recipe without any needs no label. The bot does not back itself up.
    let has_volumes = !wanted(recipe).is_empty() && !recipe.services.values().any(Service::is_bot);
    let only_excludes = || all.iter().all(|(.., l)| l.name.starts_with(VOLUMES) && l.value == "false");
    match (all.first(), on.first()) {
        (None, _) if has_volumes && !on_container() => {
            if let Some((place, message)) = missing(recipe) {
                found.add(Rule::NoLabels, place, message);
            }
        }
        (Some((.., label)), None) if !on_container() && (has_volumes || !only_excludes()) => {
            found.add(Rule::NotEnabled, &label.place, format!("{} has no effect without {BACKUP}=true", label.name));
        }
        (_, Some((name, _, label))) if !on.iter().any(|(n, ..)| *n == "app") && has_app(recipe, label) => {
            found.add(Rule::EnabledElsewhere, &label.place, format!("{BACKUP} is on service {name}, not on app"));
        }
        _ => {}
    }
    for (name, _, label) in on.iter().skip(1) {
        let message = format!("{BACKUP} is on service {name}, and on service {} too", on[0].0);
        found.add(Rule::EnabledTwice, &label.place, message);
    }
}

/// Where the switch is missing, and what is said of it.
fn missing(recipe: &Recipe) -> Option<(&Place, String)> {
    let (main, service) = main_service(recipe)?;
    Some(match switch_place(recipe, main) {
        (name, Some(place)) => (place, format!("no service has a backupbot label, and service {name} has a volume in this file")),
        (_, None) => (&service.place, "no service has a backupbot label".to_owned()),
    })
}

/// Whether the service `app` is in the file of a switch, to which it could move.
fn has_app(recipe: &Recipe, switch: &Label) -> bool {
    recipe.services.get("app").is_some_and(|app| app.files.contains(&switch.place.file))
}
