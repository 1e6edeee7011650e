//! The options of `ladder`, most of which `ci` has too.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;
use recipe::near::unknown;
use recipe::rung::Rung;

use super::data::{DataArgs, EngineArgs};
use crate::drill::ImageChoice;

/// The options of `ladder`.
#[derive(Debug, clap::Args)]
pub struct LadderArgs {
    /// The recipe: its folder, its name in ~/.abra/recipes, a scenario's name, or the address of its git repository; @REVISION names a
    /// tag or commit.
    #[arg(value_name = "RECIPE[@REVISION]")]
    pub recipe: String,
    /// What to climb, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// Print ladder.json.
    #[arg(long)]
    pub json: bool,
}

/// What to climb, and with which data.
#[derive(Debug, clap::Args)]
pub struct ClimbArgs {
    /// The version to upgrade from: a tag or commit of the recipe. Default: the previous version tag.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// The scenario with the app's inventory and probes. Default: the one with the name of TYPE in the recipe's .env.sample, else the one
    /// with the folder's name.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Take the recipe's files as they are, committed or not.
    #[arg(long)]
    pub dirty: bool,
    /// A ladder.json to compare with.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Declare that a rung does not apply, with the reason. A false declaration fails the rung.
    #[arg(long, value_name = "RUNG=REASON", value_parser = not_applicable)]
    pub not_applicable: Vec<(Rung, String)>,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The images to run. `auto`: the recipe's images if all are present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// More values for the compose files' variables, as NAME=value lines, such as ~/.abra/servers/SERVER/DOMAIN.env. Its STACK_NAME and
    /// DOMAIN are not used.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// How many drills may run.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Stop and tear down if the whole ladder takes longer than this, for example 90m or 2h. The result is then unknown (exit code 2),
    /// and no rung is reported.
    #[arg(long, env = "RESTORE_DRILL_DEADLINE", value_name = "TIME", value_parser = super::data::time)]
    pub deadline: Option<Duration>,
    /// The directory for copies of the recipe, the run and ladder.json. Default: `runs/ladder-<time>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
}

fn not_applicable(text: &str) -> std::result::Result<(Rung, String), String> {
    let (rung, reason) = text.split_once('=').ok_or("expected RUNG=REASON, as in upgrade=\"the first version\"")?;
    if reason.trim().is_empty() {
        return Err("a reason is missing after =".into());
    }
    let word = |rung: &Rung| rung.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let found = Rung::ALL.into_iter().find(|known| word(known) == rung);
    let names = Rung::ALL.map(|rung| word(&rung));
    let found = found.ok_or_else(|| unknown("rung", rung, names.iter().map(String::as_str)))?;
    Ok((found, reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_is_declared_with_its_reason() {
        assert_eq!(not_applicable("backup-restore= no data "), Ok((Rung::BackupRestore, "no data".into())));
        let said =
            "no rung is called \"updrade\"; there are install, upgrade, backup-restore, functional, lint; did you mean upgrade?";
        assert_eq!(not_applicable("updrade=x"), Err(said.into()));
        assert!(not_applicable("lint= ").is_err() && not_applicable("lint").is_err());
    }
}
