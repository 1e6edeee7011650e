//! A scenario: a folder that describes one app. It is read and checked as a whole before anything is deployed, and everything that
//! is wrong is reported together, each with its file and line.
//!
//! - [`spec`], [`mail`], [`compared`], [`database`], [`command`], [`pages`]: what `scenario.toml` may say.
//! - [`faults`]: what `faults.toml` may say.
//! - [`With`]: the recipe and the values that it is read with. [`values`]: whose values win.
//! - [`mod@folder`]: where scenarios are. [`scaffold`]: makes a new one from a compose file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::compose::variable::made;
use crate::compose::{Compose, references};
use crate::env::{EnvFile, Values};
use crate::error::{Problems, Result};
use crate::fence::own::{STACK_VARIABLE, is_kept};
use crate::fence::{reach, size};
use crate::image::{self, ImageContext};
use crate::inventory::Inventory;
use crate::recipe_folder::RecipeFolder;
use crate::secret_version;

pub mod asked;
mod check;
pub mod command;
pub mod compared;
pub mod database;
pub mod faults;
pub mod folder;
pub mod mail;
pub mod pages;
mod reading;
pub mod redis;
pub mod scaffold;
pub mod secrets;
pub mod spec;
pub mod values;

pub use command::{ServiceCommand, UserCommands, UserPlaces, Write};
pub use compared::{Fact, SeedCommand};
pub use database::{Database, Dialect, LeftOut, QUERY, Table};
use faults::Faults;
pub use folder::{FOLDER, list};
pub use mail::{AccountImport, Dkim, MailServer, Queue};
pub use pages::{Pages, Request};
pub use redis::{LeftOutKeys, Redis};
pub use spec::{CertificatePlace, Deadlines, Door, RestorePlan, Spec, Standins, Tls};
pub use values::With;

/// The file that says what each volume holds.
const INVENTORY: &str = "inventory.toml";
/// The file that says how much a drill must compare.
const CHECKS: &str = "checks.toml";

/// What a recipe has that its scenario does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unlisted {
    /// Services.
    pub services: BTreeSet<String>,
    /// Volumes.
    pub volumes: BTreeSet<String>,
}

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
    /// The recipe's folder.
    pub recipe: RecipeFolder,
    /// An operator's file of values.
    pub operator: Option<EnvFile>,
    /// The values of the recipe's variables, with placeholders for what only a run has.
    pub values: Values,
    /// The recipe's compose files, in the order in which they are merged.
    pub compose: Vec<Compose>,
    /// The stand-ins' compose files, merged after those.
    pub standin_compose: Vec<Compose>,
}

impl Scenario {
    /// The SHA-256 of the recipe's compose files, in hexadecimal: two recipes with the same one deploy the same.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.compose.iter().for_each(|c| hash.update(c.value.to_string()));
        hex::encode(hash.finalize())
    }

    /// The images that the recipe names, by service.
    pub fn images(&self) -> BTreeMap<String, String> {
        let services = self.compose.iter().flat_map(|c| c.value["services"].as_object().into_iter().flatten());
        let image = |service: &Value| Some(made(service["image"].as_str()?, &self.values));
        services.filter_map(|(name, service)| Some((name.clone(), image(service)?))).collect()
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
        let images = self.images();
        for (service, context) in &mut contexts {
            if let Some((_, tag)) = images.get(service).and_then(|image| image.rsplit_once(':')) {
                context.stand_for(tag)?;
            }
        }
        Ok(contexts)
    }

    /// The values that the recipe itself has for its variables, which anybody can read.
    pub fn public_values(&self) -> Values {
        self.recipe.values(&Values::new())
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

    /// The Docker secrets that a drill makes, by their names in the recipe: those without a file. Each as the comment behind its version
    /// says.
    pub fn docker_secrets(&self) -> BTreeMap<String, secret_version::Recipe> {
        let comment = |variable: &str| {
            let said = |file: &EnvFile| file.last(variable)?.comment.clone();
            self.operator.as_ref().and_then(said).or_else(|| self.recipe.sample.as_ref().and_then(said))
        };
        let made = |secret: &Value| {
            let name = secret["name"].as_str().or_else(|| secret["external"]["name"].as_str());
            let comment = name.and_then(secret_version::variable).and_then(comment);
            comment.map(|c| secret_version::Recipe::of_comment(&c)).unwrap_or_default()
        };
        let files = self.compose.iter().chain(&self.standin_compose);
        let secrets = files.flat_map(|c| c.value["secrets"].as_object().into_iter().flatten());
        secrets.filter(|(_, secret)| secret["file"].is_null()).map(|(name, secret)| (name.clone(), made(secret))).collect()
    }

    /// The services and volumes of the recipe that nothing in the scenario names.
    pub fn unlisted(&self) -> Unlisted {
        let inventory = &self.inventory;
        let mut known: BTreeSet<String> = check::services(&self.spec).into_iter().map(|(_, name)| name.to_owned()).collect();
        known.extend(inventory.volumes.iter().map(|v| v.service.clone()));
        known.extend(inventory.mounts.iter().map(|m| m.service.clone()));
        known.extend(self.image_contexts().unwrap_or_default().into_keys());
        let own = self.spec.compose.iter().filter_map(|name| Compose::read(&self.dir.join(name)).ok());
        known.extend(own.flat_map(|c| c.services().map(str::to_owned).collect::<Vec<_>>()));
        let mut volumes = self.volumes();
        volumes.retain(|name| !inventory.volumes.iter().any(|v| v.name == *name));
        Unlisted { services: self.services().difference(&known).cloned().collect(), volumes }
    }

    /// The inventory, with the volumes of the recipe that it does not have.
    pub fn whole_inventory(&self) -> Inventory {
        self.inventory.with_unlisted(&self.unlisted().volumes)
    }

    /// Checks that `env` has a value for every variable of the compose files that has no default, and that with these values nothing
    /// reaches the host but what is allowed. An error lists everything that is wrong.
    pub fn check_env(&self, env: &BTreeMap<String, String>) -> Result<()> {
        let mut problems = Problems::default();
        for compose in self.compose.iter().chain(&self.standin_compose) {
            problems.keep(compose.check_needed(env, &self.recipe.optional(), |label| is_kept(label, STACK_VARIABLE)))?;
            problems.keep(reach::check(compose, env, &self.spec.allowed))?;
        }
        problems.keep(size::check(&self.compose.iter().chain(&self.standin_compose).collect::<Vec<_>>(), env))?;
        problems.keep(references::check(&self.deployed(true)))?;
        problems.into_result()
    }
}
