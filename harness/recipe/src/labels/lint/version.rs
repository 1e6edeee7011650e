//! The recipe's version, and whether it was raised.

use std::collections::BTreeSet;

use crate::labels::is_backupbot;
use crate::labels::mistake::Mistakes;
use crate::labels::recipe::{Place, Recipe};
use crate::labels::rules::Rule;
use crate::labels::version::Version;

/// Adds what is wrong with the version label. `base` is the recipe before the change.
pub(super) fn check(recipe: &Recipe, base: Option<&Recipe>, main: Option<&Place>, found: &mut Mistakes) {
    for (_, _, label) in recipe.old_versions() {
        let instead = match recipe.version() {
            Some(_) => "the recipe has its version, so that this label can be removed",
            None => "a recipe has one version, coop-cloud.${STACK_NAME}.version",
        };
        let message = format!("{}={} is the version of one service; {instead}", label.name, label.value);
        found.add(Rule::OldVersion, &label.place, message);
    }
    let Some((.., label)) = recipe.version() else {
        if let Some(place) = main.filter(|_| recipe.old_versions().next().is_none()) {
            found.add(Rule::NoVersion, place, "no service has the label coop-cloud.${STACK_NAME}.version");
        }
        return;
    };
    let Some(now) = Version::parse(&label.value) else {
        let message = format!("{:?} is not a version; expected one such as 3.0.1+2024.06.52", label.value);
        found.add(Rule::BadVersion, &label.place, message);
        return;
    };
    let Some(base) = base else { return };
    let before = base.version().and_then(|(.., l)| Version::parse(&l.value));
    if let Some(before) = before.filter(|b| labels(recipe) != labels(base) && now.recipe <= b.recipe) {
        let message = format!("labels changed since {before}; expected {} or later", before.bumped());
        found.add(Rule::VersionNotBumped, &label.place, message);
    }
}

/// Service, name and value of every backupbot label.
fn labels(recipe: &Recipe) -> BTreeSet<(&str, &str, &str)> {
    let all = recipe.labels().filter(|(.., l)| is_backupbot(&l.name));
    all.map(|(service, _, l)| (service, l.name.as_str(), l.value.as_str())).collect()
}
