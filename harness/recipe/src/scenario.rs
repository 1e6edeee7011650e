//! A scenario: a folder that describes one app. It is read and checked as a whole before anything is deployed, and everything that
//! is wrong is reported together, each with its file and line.
//!
//! - [`spec`], [`mail`], [`compared`], [`database`], [`command`], [`pages`]: what `scenario.toml` may say.
//! - [`faults`]: what `faults.toml` may say.
//! - [`mod@folder`]: where scenarios are. [`scaffold`]: makes a new one from a compose file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::compose::Compose;
use crate::error::{Error, Problems, Result};
use crate::fence::{files, reach};
use crate::image::{self, ImageContext};
use crate::inventory::Inventory;
use crate::near::did_you_mean;
use crate::toml_file::{TomlText, read_toml};

mod check;
pub mod command;
pub mod compared;
pub mod database;
pub mod faults;
pub mod folder;
pub mod mail;
pub mod pages;
pub mod redis;
pub mod scaffold;
pub mod secrets;
pub mod spec;

pub use command::{ServiceCommand, UserCommands, UserPlaces, Write};
pub use compared::{Fact, SeedCommand};
pub use database::{Database, Dialect, LeftOut, QUERY, Table};
use faults::Faults;
use folder::SPEC;
pub use folder::{FOLDER, bot, folder, folder_in_pipeline, list};
pub use mail::{AccountImport, Dkim, MailServer, Queue};
pub use pages::{Pages, Request};
pub use redis::{LeftOutKeys, Redis};
pub use spec::{CertificatePlace, Deadlines, Door, RestorePlan, Spec, Standins, Tls};

/// The file that says what each volume holds.
const INVENTORY: &str = "inventory.toml";
/// The file that says how much a drill must compare.
const CHECKS: &str = "checks.toml";

/// How many items of each kind of check.
pub type Checks = BTreeMap<String, u64>;

/// A scenario, complete and checked.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// `scenario.toml`.
    pub spec: Spec,
    /// `inventory.toml`.
    pub inventory: Inventory,
    /// `faults.toml`: the app's own faults.
    pub faults: Faults,
    /// `checks.toml`: what a drill compares, and the least number of items of each kind. A run with fewer is unknown.
    pub checks: Checks,
    /// The recipe's compose files, in the order in which they are merged.
    pub compose: Vec<Compose>,
    /// The stand-ins' compose files, merged after those.
    pub standin_compose: Vec<Compose>,
}

impl Scenario {
    /// Loads the scenario called `name` from the folder `root`. An error lists everything that is wrong in its files.
    pub fn load(root: &Path, name: &str) -> Result<Self> {
        let dir = root.join(name);
        if !dir.join(SPEC).is_file() {
            return Err(unknown(root, name));
        }
        let text = TomlText::read(&dir.join(SPEC))?;
        let mut problems = Problems::default();
        let spec: Option<Spec> = problems.keep(text.parse())?;
        let inventory: Option<Inventory> = problems.keep(read_toml(&dir.join(INVENTORY)))?;
        let checks: Option<Checks> = problems.keep(read_if_there(&dir.join(CHECKS)))?;
        let faults: Option<Faults> = problems.keep(read_if_there(&dir.join(faults::FILE)))?;
        let (mut compose, mut standin_compose) = (None, None);
        if let Some(spec) = &spec {
            let mut read = |names: &[String]| read_compose(&dir, names, &text, &mut problems);
            compose = read(&spec.compose)?;
            standin_compose = read(spec.standins.as_ref().map_or(&[][..], |s| &s.compose))?;
        }
        let (Some(spec), Some(inventory), Some(checks), Some(faults), Some(compose), Some(standin_compose)) =
            (spec, inventory, checks, faults, compose, standin_compose)
        else {
            return Err(problems.into_result().expect_err("what could not be read is a problem"));
        };
        let scenario = Self { name: name.to_owned(), dir, spec, inventory, faults, checks, compose, standin_compose };
        scenario.check(&text)?;
        Ok(scenario)
    }

    /// The same scenario with the compose files of a recipe's folder instead of its own.
    pub fn with_recipe(&self, dir: &Path) -> Result<Self> {
        let mut scenario = self.clone();
        let read = |file: &String| files::within(dir, &dir.join(file)).and_then(|_| Compose::read(&dir.join(file)));
        scenario.compose = self.spec.compose.iter().map(read).collect::<Result<Vec<_>>>()?;
        scenario.check(&TomlText::read(&self.dir.join(SPEC))?)?;
        Ok(scenario)
    }

    /// The SHA-256 of the recipe's compose files, in hexadecimal: two recipes with the same one deploy the same.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.compose.iter().for_each(|c| hash.update(c.value.to_string()));
        hex::encode(hash.finalize())
    }

    /// The images that the recipe names.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let services = self.compose.iter().flat_map(|c| c.value["services"].as_object().into_iter().flat_map(|s| s.values()));
        services.filter_map(|s| s["image"].as_str())
    }

    /// The compose files that are deployed, with or without those of the stand-ins.
    pub fn deployed(&self, standins: bool) -> Vec<Compose> {
        let more = self.standin_compose.iter().filter(|_| standins);
        self.compose.iter().chain(more).cloned().collect()
    }

    /// The build contexts of its stand-in images, by service, each for the version of the image that it replaces.
    pub fn image_contexts(&self) -> Result<BTreeMap<String, ImageContext>> {
        let Some(standins) = &self.spec.standins else { return Ok(BTreeMap::new()) };
        let mut contexts = image::contexts(&self.dir.join(&standins.images), &self.name)?;
        for (service, context) in &mut contexts {
            let place = format!("/services/{service}/image");
            let image = self.compose.iter().rev().find_map(|c| c.value.pointer(&place)?.as_str());
            if let Some((_, tag)) = image.and_then(|i| i.rsplit_once(':')) {
                context.stand_for(tag)?;
            }
        }
        Ok(contexts)
    }

    /// The services of the recipe.
    pub fn services(&self) -> BTreeSet<String> {
        self.compose.iter().flat_map(|c| c.services().map(str::to_owned)).collect()
    }

    /// The named volumes of the recipe, and those that are mounted in the place of folders of the host.
    pub fn volumes(&self) -> BTreeSet<String> {
        let replacing = self.spec.allowed.iter().filter_map(|a| a.volume.clone());
        self.compose.iter().flat_map(|c| c.volumes().map(str::to_owned)).chain(replacing).collect()
    }

    /// Checks that `env` has a value for every variable of the compose files that has no default, and that with these values nothing
    /// reaches the host but what is allowed. An error lists everything that is wrong.
    pub fn check_env(&self, env: &BTreeMap<String, String>) -> Result<()> {
        let mut problems = Problems::default();
        for compose in self.compose.iter().chain(&self.standin_compose) {
            problems.keep(compose.check_env(env))?;
            problems.keep(reach::check(compose, env, &self.spec.allowed))?;
        }
        problems.into_result()
    }

    /// Checks that the files fit together. An error lists everything that is wrong.
    fn check(&self, text: &TomlText) -> Result<()> {
        let mut problems = Problems::default();
        let recipe = check::Recipe { services: self.services(), volumes: self.volumes() };
        check::spec(&self.spec, &recipe, text, &mut problems);
        check::inventory(&self.inventory, &self.spec, &recipe, &TomlText::read(&self.dir.join(INVENTORY))?, &mut problems);
        for compose in self.compose.iter().chain(&self.standin_compose) {
            problems.keep(reach::check(compose, &self.spec.env, &self.spec.allowed))?;
        }
        let file = self.dir.join(faults::FILE);
        if file.is_file() {
            let declared = (&self.spec, &self.inventory);
            check::faults(&self.faults, declared, &recipe, &TomlText::read(&file)?, &self.dir, &mut problems);
        }
        problems.into_result()
    }
}

/// Reads a TOML file that a scenario need not have.
fn read_if_there<T: DeserializeOwned + Default>(file: &Path) -> Result<T> {
    if file.is_file() { read_toml(file) } else { Ok(T::default()) }
}

/// Reads compose files that `scenario.toml` names; nothing if one cannot be read.
fn read_compose(dir: &Path, names: &[String], text: &TomlText, problems: &mut Problems) -> Result<Option<Vec<Compose>>> {
    let mut read = Vec::new();
    for name in names {
        match Compose::read(&dir.join(name)) {
            Err(Error::Unreadable { source, .. }) => problems.add(text.problem(name, format!("cannot read {name}: {source}"))),
            other => read.extend(problems.keep(other)?),
        }
    }
    Ok((read.len() == names.len()).then_some(read))
}

fn unknown(root: &Path, name: &str) -> Error {
    let known = list(root);
    let near = did_you_mean(name, known.iter().map(String::as_str));
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::Usage(format!(
        "no scenario is called {name:?}. Scenarios in {}: {known}; --scenarios names another folder{near}",
        root.display()
    ))
}
