//! `labels lint`: finds the mistakes that lose data without any warning. It reads files and never asks an engine.
//!
//! Each submodule has the rules about one thing; `rules.toml` says what each rule is, and each has its own example there. A recipe
//! is read once: every step is linear in the number of its labels, or that times a logarithm.

use std::path::PathBuf;

use super::flow::flows;
use super::main_service::main_service;
use super::overlay::stay_beside;
use super::recipe::{Place, Recipe, RecipeFiles};

mod coverage;
mod database;
mod dumps;
mod hooks;
mod names;
mod restores;
mod switch;
mod version;

pub(super) use database::without_dump;

use super::mistake::Mistakes;
pub use super::mistake::{Mistake, OutputFormat, count, is_error, render};
use crate::error::Result;
use crate::fence::files;

/// The mistakes of a recipe, in the order of its files. `base` is the recipe before the change; without it, no rule about changes
/// is checked.
pub fn lint(recipe: &Recipe, base: Option<&Recipe>) -> Vec<Mistake> {
    let mut found = Mistakes::default();
    let main: Option<&Place> = main_service(recipe).map(|(_, service)| &service.place);
    switch::check(recipe, &mut found);
    names::check(recipe, &mut found);
    let flows = flows(recipe);
    hooks::check(recipe, &flows, &mut found);
    dumps::check(recipe, &flows, &mut found);
    restores::check(&flows, &mut found);
    database::check(recipe, &flows, &mut found);
    coverage::check(recipe, &mut found);
    version::check(recipe, base, main, &mut found);
    found.sorted()
}

/// The same for the files as they are. See [`lint_all`].
pub fn lint_files(sources: &RecipeFiles, base: Option<&Recipe>) -> Result<Vec<Mistake>> {
    lint_all(sources, base, &|file: &PathBuf| files::read_text(file))
}

/// The mistakes of every sensible combination of a recipe's files: those that are deployed, and these with each overlay that is switched
/// off, or with several that belong together. The file that such an overlay replaces is left out. `base` is what is deployed before the
/// change; `text` gives the text of a file.
pub fn lint_all(
    sources: &RecipeFiles,
    base: Option<&Recipe>,
    text: &impl Fn(&PathBuf) -> Result<String>,
) -> Result<Vec<Mistake>> {
    let texts: Vec<(PathBuf, String)> = sources.files.iter().map(|f| Ok((f.clone(), text(f)?))).collect::<Result<_>>()?;
    let mut found = Mistakes::default();
    lint(&sources.parse(texts.clone())?, base).into_iter().for_each(|m| found.add(m.rule, &m.place, m.message));
    for overlays in sources.combinations() {
        let last: Vec<(PathBuf, String)> = overlays.iter().map(|f| Ok((f.clone(), text(f)?))).collect::<Result<_>>()?;
        let stay = stay_beside(&last, &texts)?;
        let with = texts.iter().zip(stay).filter(|(_, stays)| *stays).map(|(file, _)| file.clone()).chain(last);
        lint(&sources.parse(with.collect())?, None).into_iter().for_each(|m| found.add(m.rule, &m.place, m.message));
    }
    Ok(found.sorted())
}
