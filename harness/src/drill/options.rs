//! What to drill, and how; and the command that does it again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum as _;
use recipe::env::{Values, read_env};
use recipe::near::did_you_mean;
use recipe::scenario::{self, Scenario, With};
use seeds::Profile;

use super::fault::Fault;
use super::stacks::remember_values;
use crate::error::{Error, Result};
use crate::stack::disk::MIN_FREE_GIB;
use crate::stack::line;

/// Which bot takes the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum BotChoice {
    /// One that the drill deploys: `scenarios/backupbot`.
    Own,
    /// The one that is deployed on the engine already.
    Existing,
}

/// Which images the app runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ImageChoice {
    /// The recipe's, if all of them are present on the engine; else stand-ins.
    Auto,
    /// The recipe's.
    Recipe,
    /// Stand-ins.
    Standin,
}

/// What to drill, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of scenarios.
    pub scenarios: PathBuf,
    /// The scenario's name, or the path of its folder.
    pub scenario: String,
    /// The profile's name.
    pub profile: String,
    /// The corpus seed.
    pub seed: u64,
    /// The run's directory; none takes `runs/<run>`.
    pub evidence: Option<PathBuf>,
    /// Which bot.
    pub backupbot: BotChoice,
    /// Whether the drill's own bot follows the specification where the deployed one does otherwise.
    pub strict: bool,
    /// The service of the bot that is deployed already, where there are several.
    pub bot_service: Option<String>,
    /// Whether the snapshot is removed from the repository of a bot that was there already.
    pub forget_snapshot: bool,
    /// Which images.
    pub images: ImageChoice,
    /// A file of more values for the compose files' variables.
    pub env_file: Option<PathBuf>,
    /// SMTP connections at once.
    pub connections: usize,
    /// Whether the deployment stays after the run.
    pub keep: bool,
    /// A fault to inject.
    pub fault: Option<Arc<dyn Fault>>,
    /// Operations per second by simulated users during the backup; none for no writes.
    pub live: Option<u32>,
    /// Free disk of the engine, in GiB, below which nothing is deployed.
    pub min_free_gib: u64,
    /// How many drills deploy at once on the engine: this one waits until fewer are ahead of it.
    pub max_drills: u8,
    /// How long the whole run may take; none where it may take as long as it needs.
    pub deadline: Option<Duration>,
    /// A folder whose compose files stand in the place of the scenario's.
    pub recipe: Option<PathBuf>,
    /// The same of the version that is deployed first and then upgraded.
    pub from: Option<PathBuf>,
    /// The command that does the same again, where it is not `run`.
    pub command: Option<String>,
}

impl Options {
    /// The defaults for a scenario.
    pub fn new(scenarios: impl Into<PathBuf>, scenario: &str) -> Self {
        Self {
            scenarios: scenarios.into(),
            scenario: scenario.into(),
            profile: "smoke".into(),
            seed: 1,
            evidence: None,
            backupbot: BotChoice::Own,
            strict: false,
            bot_service: None,
            forget_snapshot: false,
            images: ImageChoice::Auto,
            env_file: None,
            connections: 6,
            keep: false,
            fault: None,
            live: None,
            min_free_gib: MIN_FREE_GIB,
            max_drills: line::max_drills(),
            deadline: None,
            recipe: None,
            from: None,
            command: None,
        }
    }

    /// The profile.
    ///
    /// # Errors
    /// There is none of that name, or it is wrong.
    pub fn profile(&self) -> Result<Profile> {
        let near = did_you_mean(&self.profile, Profile::names());
        Profile::named(&self.profile).map_err(|e| Error::Usage(format!("{e}{near}")))
    }

    /// The scenario with the recipe and the values that are asked for. An error lists everything that is wrong in their files.
    pub fn read(&self) -> recipe::Result<Scenario> {
        self.read_with(self.recipe.as_deref())
    }

    /// The same with another version of the recipe.
    pub fn read_with(&self, recipe: Option<&Path>) -> recipe::Result<Scenario> {
        let with = With { recipe, env_file: self.env_file.as_deref() };
        Scenario::to_deploy(&self.scenarios, &self.scenario, with).inspect_err(|_| self.remember_operators())
    }

    /// Remembers the operator's secrets, so that an error of a run that has just begun does not print them. Where none ends it, they are
    /// remembered once what says what is drilled is stored: a weak password may be a word that this has too.
    pub(super) fn remember_operators(&self) {
        if let Some(Ok(values)) = self.env_file.as_deref().map(read_env) {
            remember_values(&values, &Values::new());
        }
    }

    /// The command that runs the same drill again: every option that changes what is drilled and differs from its default.
    pub fn reproduce(&self) -> String {
        // A new option is either named here or does not change what is drilled.
        let Self {
            scenarios,
            scenario,
            profile,
            seed,
            backupbot,
            strict,
            bot_service,
            images,
            env_file,
            connections,
            fault,
            live,
            recipe,
            command,
            ..
        } = self;
        if let Some(command) = command {
            return command.clone();
        }
        let default = Self::new(scenario::FOLDER, scenario);
        let option = |name: &str, value: Option<String>| value.map(|v| format!(" --{name} {v}")).unwrap_or_default();
        let differs = |differs: bool, value: &dyn Fn() -> String| differs.then(value);
        let images_name = || images.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
        let bot_name = || backupbot.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default();
        let mut all = format!("restore-drill run {scenario} --profile {profile} --seed {seed}");
        all += &option("recipe", recipe.as_ref().map(|dir| dir.display().to_string()));
        all += &option("fault", fault.as_ref().map(|f| f.name().to_owned()));
        all += &option("live", live.map(|rate| rate.to_string()));
        all += &option("backupbot", differs(*backupbot != default.backupbot, &bot_name));
        all += if *strict { " --strict" } else { "" };
        all += &option("bot-service", bot_service.clone());
        all += &option("images", differs(*images != default.images, &images_name));
        all += &option("env-file", env_file.as_ref().map(|f| f.display().to_string()));
        all += &option("connections", differs(*connections != default.connections, &|| connections.to_string()));
        all += &option("scenarios", differs(*scenarios != default.scenarios, &|| scenarios.display().to_string()));
        all
    }
}

/// What it takes to do a run again, as its evidence has it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Stored {
    /// The scenario's name.
    pub scenario: String,
    /// The profile's name.
    pub profile: String,
    /// The corpus seed.
    pub seed: u64,
    /// The fault's name.
    #[serde(alias = "sabotage")]
    pub fault: Option<String>,
    /// Operations a second while the backup was taken.
    pub live: Option<u32>,
    /// Whether the bot was there before.
    pub existing_bot: bool,
    /// Whether the drill's own bot followed the specification.
    #[serde(default)]
    pub strict: bool,
    /// Its service, where it was named.
    #[serde(default)]
    pub bot_service: Option<String>,
    /// Which images, as on the command line.
    pub images: String,
    /// The file of more values.
    pub env_file: Option<PathBuf>,
    /// SMTP connections at once.
    pub connections: usize,
    /// The SHA-256 of the recipe's compose files.
    pub recipe: String,
    /// The recipe's folder, where it is not the scenario's own.
    #[serde(default)]
    pub recipe_folder: Option<PathBuf>,
}

impl Stored {
    pub(super) fn of(options: &Options, scenario: &Scenario) -> Self {
        Self {
            scenario: options.scenario.clone(),
            profile: options.profile.clone(),
            seed: options.seed,
            fault: options.fault.as_ref().map(|f| f.name().to_owned()),
            live: options.live,
            existing_bot: options.backupbot == BotChoice::Existing,
            strict: options.strict,
            bot_service: options.bot_service.clone(),
            images: options.images.to_possible_value().map(|v| v.get_name().to_owned()).unwrap_or_default(),
            env_file: options.env_file.clone(),
            connections: options.connections,
            recipe: scenario.digest(),
            recipe_folder: options.recipe.clone(),
        }
    }
}
