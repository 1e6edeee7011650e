//! `labels lint`: finds the mistakes that lose data without any warning. It reads files and never asks an engine.
//!
//! Each submodule has the rules about one thing; `rules.toml` says what each rule is, and each has its own example there. A recipe
//! is read once: every step is linear in the number of its labels, or that times a logarithm.

use super::recipe::{Place, Recipe};

mod coverage;
mod hooks;
mod names;
mod switch;
mod version;

use super::mistake::Mistakes;
pub use super::mistake::{Mistake, OutputFormat, is_error, render};

/// The mistakes of a recipe, in the order of its files. `base` is the recipe before the change; without it, no rule about changes
/// is checked.
pub fn lint(recipe: &Recipe, base: Option<&Recipe>) -> Vec<Mistake> {
    let mut found = Mistakes::default();
    let main = main_service(recipe);
    switch::check(recipe, main, &mut found);
    names::check(recipe, &mut found);
    hooks::check(recipe, &mut found);
    coverage::check(recipe, &mut found);
    version::check(recipe, base, main, &mut found);
    found.sorted()
}

/// Where to report that something is missing: at the main service.
fn main_service(recipe: &Recipe) -> Option<&Place> {
    let service = recipe.services.get("app").or_else(|| recipe.services.values().next());
    service.map(|s| &s.place)
}
