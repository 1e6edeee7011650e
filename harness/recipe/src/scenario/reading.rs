//! Reading a scenario: its own files, and those of the recipe that it describes, which may be in another folder.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::folder::{FOLDER, SPEC};
use super::values::{self, With};
use super::{CHECKS, Checks, INVENTORY, Scenario, Spec, check, faults, list};
use crate::compose::Compose;
use crate::env::{EnvFile, Values};
use crate::error::{Error, Problems, Result};
use crate::fence::own::{STACK_VARIABLE, is_kept};
use crate::fence::{files, reach};
use crate::inventory::Inventory;
use crate::near::did_you_mean;
use crate::recipe_folder::RecipeFolder;
use crate::toml_file::{TomlText, read_toml};

impl Scenario {
    /// Loads the scenario called `name` from the folder `root`. An error lists everything that is wrong in its files.
    pub fn load(root: &Path, name: &str) -> Result<Self> {
        let mut problems = Problems::default();
        let (scenario, text) = read(root, name, With::default(), &mut problems)?;
        let Some(scenario) = scenario else { return Err(refused(problems)) };
        scenario.check_fit(&text, &mut problems)?;
        for compose in scenario.compose.iter().chain(&scenario.standin_compose) {
            problems.keep(reach::check(compose, &scenario.values, &scenario.spec.allowed))?;
        }
        problems.into_result().map(|()| scenario)
    }

    /// The same, to be deployed: with the recipe and the values that are asked for. An error lists everything that is wrong in any file,
    /// variables without a value too.
    pub fn to_deploy(root: &Path, name: &str, with: With<'_>) -> Result<Self> {
        let mut problems = Problems::default();
        let (scenario, text) = read(root, name, with, &mut problems)?;
        let Some(scenario) = scenario else { return Err(refused(problems)) };
        scenario.check_fit(&text, &mut problems)?;
        problems.keep(scenario.check_env(&scenario.values))?;
        problems.into_result().map(|()| scenario)
    }
}

/// The error of problems of which there is at least one.
fn refused(problems: Problems) -> Error {
    problems.into_result().err().unwrap_or_else(|| Error::Usage("the scenario cannot be read".into()))
}

/// Reads everything. Gives nothing if a file cannot be read; what is wrong is among the problems then.
fn read(root: &Path, name: &str, with: With<'_>, problems: &mut Problems) -> Result<(Option<Scenario>, TomlText)> {
    let dir = root.join(name);
    if !dir.join(SPEC).is_file() {
        return Err(unknown(root, name));
    }
    let name = dir.file_name().map_or_else(|| name.to_owned(), |n| n.to_string_lossy().into_owned());
    let text = TomlText::read(&dir.join(SPEC))?;
    let spec: Option<Spec> = problems.keep(text.parse())?;
    let inventory: Option<Inventory> = problems.keep(read_toml(&dir.join(INVENTORY)))?;
    let checks: Option<Checks> = problems.keep(read_if_there(&dir.join(CHECKS)))?;
    let faults: Option<faults::Faults> = problems.keep(read_if_there(&dir.join(faults::FILE)))?;
    let recipe = problems.keep(RecipeFolder::read(with.recipe.unwrap_or(&dir)))?;
    let operator = problems.keep(with.env_file.map(EnvFile::read).transpose())?;
    let (Some(spec), Some(recipe), Some(operator)) = (spec, recipe, operator) else { return Ok((None, text)) };
    let values = values::merged(&recipe, &spec.env, operator.as_ref());
    let names = spec.standins.as_ref().map_or(&[][..], |s| &s.compose);
    let standin_compose = read_listed(&dir, names, &text, problems)?;
    let compose = match with.recipe {
        Some(_) => read_recipe(&recipe, &values, &spec, problems)?,
        None if recipe.lists_compose(&values) || spec.compose.is_empty() => read_recipe(&recipe, &values, &spec, problems)?,
        None => read_listed(&dir, &spec.compose, &text, problems)?,
    };
    let (Some(inventory), Some(checks), Some(faults), Some(compose), Some(standin_compose)) =
        (inventory, checks, faults, compose, standin_compose)
    else {
        return Ok((None, text));
    };
    let scenario = Scenario { name, dir, spec, inventory, faults, checks, recipe, operator, values, compose, standin_compose };
    Ok((Some(scenario), text))
}

/// Reads a TOML file that a scenario need not have.
fn read_if_there<T: DeserializeOwned + Default>(file: &Path) -> Result<T> {
    if file.is_file() { read_toml(file) } else { Ok(T::default()) }
}

/// Reads compose files that `scenario.toml` names; nothing if one cannot be read.
fn read_listed(dir: &Path, names: &[String], text: &TomlText, problems: &mut Problems) -> Result<Option<Vec<Compose>>> {
    let mut read = Vec::new();
    for name in names {
        match Compose::read(&dir.join(name)) {
            Err(Error::Unreadable { source, .. }) => problems.add(text.problem(name, format!("cannot read {name}: {source}"))),
            other => read.extend(problems.keep(other)?),
        }
    }
    Ok((read.len() == names.len()).then_some(read))
}

/// Reads the compose files that an operator of the recipe deploys; nothing if one cannot be read. What can be said of the others is said.
fn read_recipe(recipe: &RecipeFolder, values: &Values, spec: &Spec, problems: &mut Problems) -> Result<Option<Vec<Compose>>> {
    let there: Vec<String> = spec.compose.iter().filter(|name| recipe.dir.join(name).exists()).cloned().collect();
    let (before, mut read) = (problems.count(), Vec::new());
    for file in &recipe.compose_there(values, &there, problems)? {
        read.extend(problems.keep(files::within(&recipe.dir, file).and_then(|_| Compose::read(file)))?);
    }
    if problems.count() == before {
        return Ok(Some(read));
    }
    for compose in &read {
        problems.keep(compose.check_needed(values, &recipe.optional(), |label| is_kept(label, STACK_VARIABLE)))?;
        problems.keep(reach::check(compose, values, &spec.allowed))?;
    }
    Ok(None)
}

impl Scenario {
    /// Whether the recipe is the scenario's own, and not one from another folder.
    pub fn has_own_recipe(&self) -> bool {
        self.recipe.dir == self.dir
    }

    /// Checks that the files fit together.
    fn check_fit(&self, text: &TomlText, problems: &mut Problems) -> Result<()> {
        let recipe = check::Recipe {
            services: self.services(),
            volumes: self.volumes(),
            secrets: self.docker_secrets().into_keys().collect(),
            is_own: self.has_own_recipe(),
        };
        check::spec(&self.spec, &recipe, text, problems);
        check::inventory(&self.inventory, &self.spec, &recipe, &TomlText::read(&self.dir.join(INVENTORY))?, problems);
        let file = self.dir.join(faults::FILE);
        if file.is_file() && recipe.is_own {
            let declared = (&self.spec, &self.inventory);
            check::faults(&self.faults, declared, &recipe, &TomlText::read(&file)?, &self.dir, problems);
        }
        Ok(())
    }
}

fn unknown(root: &Path, name: &str) -> Error {
    let known = list(root);
    let near = did_you_mean(name, known.iter().map(String::as_str));
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    let instead = if root == Path::new(FOLDER) { ", which is used instead of those that came with restore-drill" } else { "" };
    Error::Usage(format!(
        "no scenario is called {name:?}. Scenarios in {}{instead}: {known}; --scenarios names another folder{near}",
        root.display()
    ))
}
