//! The options of `run`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use recipe::scenario::asked::Asked;

use super::data::{DataArgs, EngineArgs};
use crate::drill::fault::Fault;
use crate::drill::{BotChoice, ImageChoice, Options};
use crate::error::{Error, Result};

/// Why two recipes are refused.
const TWO_RECIPES: &str = "the folder is a recipe already; with --recipe, name the scenario";

/// Sets --strict.
const STRICT: &str = "RESTORE_DRILL_STRICT";

/// The options of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// A scenario's name, or the folder of a recipe or a scenario.
    ///
    /// For a recipe's folder, the scenario with the folder's name is used, else the one with the name of TYPE in its .env.sample.
    #[arg(value_name = "SCENARIO")]
    pub scenario: String,
    /// Use the recipe in this folder, not the scenario's own.
    #[arg(long, value_name = "DIR")]
    pub recipe: Option<PathBuf>,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where to store the run. Default: runs/RUN.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// The bot.
    ///
    /// The drill's own, or the one that is deployed on the engine.
    #[arg(long, env = "RESTORE_DRILL_BACKUPBOT", value_enum, default_value_t = BotChoice::Own)]
    pub backupbot: BotChoice,
    /// Make the drill's own bot follow the specification.
    ///
    /// Also where backup-bot-two differs from it. Not with `--backupbot existing`.
    #[arg(long, env = STRICT, value_parser = clap::builder::FalseyValueParser::new())]
    pub strict: bool,
    /// The bot's service, if the engine has several bots.
    ///
    /// For example backup_app. With `--backupbot existing`.
    #[arg(long, value_name = "SERVICE")]
    pub bot_service: Option<String>,
    /// Remove the drill's snapshot from an existing bot.
    ///
    /// At the end, from the bot's repository, where it stays by default. With `--backupbot existing`.
    #[arg(long)]
    pub forget_snapshot: bool,
    /// Images.
    ///
    /// auto: the recipe's images if all are present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// Values for the recipe, as NAME=value lines.
    ///
    /// For example ~/.abra/servers/SERVER/DOMAIN.env. Its STACK_NAME and DOMAIN are not used.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// SMTP connections at a time.
    #[arg(long, env = "RESTORE_DRILL_CONNECTIONS", value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub connections: u8,
    /// Keep the deployment, and say how to look inside.
    #[arg(long)]
    pub keep: bool,
    /// Users write during the backup, RATE times a second.
    ///
    /// They are simulated. 12 times a second if no rate is given.
    #[arg(long, value_name = "RATE", num_args = 0..=1, default_missing_value = "12", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub live: Option<u32>,
    /// Free disk that is needed, in GiB.
    #[arg(long, env = "RESTORE_DRILL_MIN_FREE_GIB", value_name = "GIB", default_value_t = crate::stack::disk::MIN_FREE_GIB)]
    pub min_free_gib: u64,
    /// How many drills may run.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Stop and tear down after this time, such as 90m.
    ///
    /// The verdict is then unknown.
    #[arg(long, env = "RESTORE_DRILL_DEADLINE", value_name = "TIME", value_parser = super::data::time)]
    pub deadline: Option<Duration>,
    /// Inject a fault; `fault --list SCENARIO` lists them.
    ///
    /// The drill must then not hold.
    #[arg(long, alias = "sabotage", value_name = "NAME")]
    pub fault: Option<String>,
}

impl RunArgs {
    /// As the engine takes them.
    pub fn options(&self, scenarios: PathBuf) -> Result<Options> {
        let of_existing = [("--bot-service", self.bot_service.is_some()), ("--forget-snapshot", self.forget_snapshot)];
        if let Some((option, _)) = of_existing.iter().find(|(_, given)| *given && self.backupbot == BotChoice::Own) {
            return Err(Error::Usage(format!("{option} goes with --backupbot existing")));
        }
        let strict = strict(self.strict, self.backupbot)?;
        super::data::env_file(self.env_file.as_deref())?;
        let asked = Asked::find(&scenarios, &self.scenario)?;
        let recipe = match (asked.recipe, &self.recipe) {
            (Some(_), Some(_)) => return Err(Error::Usage(TWO_RECIPES.into())),
            (found, given) => found.or_else(|| given.clone()),
        };
        let mut options = Options {
            scenarios,
            scenario: asked.scenario,
            profile: self.data.profile.clone(),
            seed: self.data.seed,
            evidence: self.evidence.clone(),
            backupbot: self.backupbot,
            strict,
            bot_service: self.bot_service.clone(),
            forget_snapshot: self.forget_snapshot,
            images: self.images,
            env_file: self.env_file.clone(),
            connections: usize::from(self.connections),
            keep: self.keep,
            fault: None,
            live: self.live,
            min_free_gib: self.min_free_gib,
            max_drills: self.engine.max_drills,
            deadline: self.deadline,
            recipe,
            from: None,
            command: None,
        };
        if let Some(name) = &self.fault {
            let fault: Arc<dyn Fault> = crate::fault::find(&crate::fault::of(&options.read()?), name)?;
            options.fault = Some(fault);
        }
        Ok(options)
    }
}

/// Whether the bot is to follow the specification to the letter. Only the drill's own can be told to. A setting of the whole machine is
/// for that one, and says nothing of the bot that is there.
pub fn strict(asked: bool, bot: BotChoice) -> Result<bool> {
    let is_setting = std::env::var_os(STRICT).is_some_and(|value| !value.is_empty());
    match bot {
        BotChoice::Own => Ok(asked),
        BotChoice::Existing if asked && !is_setting => {
            Err(Error::Usage("--strict works only with --backupbot own: a deployed bot cannot be changed".into()))
        }
        BotChoice::Existing => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_drills_own_bot_is_told_to_be_strict() {
        assert_eq!((strict(true, BotChoice::Own).ok(), strict(false, BotChoice::Own).ok()), (Some(true), Some(false)));
        assert_eq!(strict(false, BotChoice::Existing).ok(), Some(false));
        assert!(!strict(true, BotChoice::Existing).is_ok_and(|is_strict| is_strict));
    }
}
