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
    /// The recipe: a folder, a name, or a repository's address.
    ///
    /// A name is that of a recipe in ~/.abra/recipes, or of a scenario. @REVISION names a tag or commit.
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
    /// Upgrade from this version. Default: the previous one.
    ///
    /// A tag or commit of the recipe.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// The scenario that describes the app.
    ///
    /// Default: the one with the recipe's name, else the one with the name of TYPE in its .env.sample.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Take the recipe's files as they are, committed or not.
    #[arg(long)]
    pub dirty: bool,
    /// A ladder.json to compare with.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Say that a rung does not apply, and why.
    ///
    /// A false declaration fails the rung.
    #[arg(long, value_name = "RUNG=REASON", value_parser = not_applicable)]
    pub not_applicable: Vec<(Rung, String)>,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
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
    /// How many drills may run.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Stop and tear down after this time, such as 90m.
    ///
    /// The result is then unknown (exit code 2), and no rung is reported. Default: no limit; for ci, 4h.
    #[arg(long, env = "RESTORE_DRILL_DEADLINE", value_name = "TIME", value_parser = super::data::time)]
    pub deadline: Option<Duration>,
    /// Where to store the run. Default: runs/ladder-TIME.
    ///
    /// With copies of the recipe, and ladder.json.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
}

/// The rungs' names on the command line.
pub(super) fn rung_names() -> Vec<String> {
    Rung::ALL.iter().filter_map(|rung| Some(rung.to_possible_value()?.get_name().to_owned())).collect()
}

fn not_applicable(text: &str) -> std::result::Result<(Rung, String), String> {
    let (rung, reason) = text.split_once('=').ok_or("expected RUNG=REASON, as in upgrade=\"the first version\"")?;
    if reason.trim().is_empty() {
        return Err("a reason is missing after =".into());
    }
    let names = rung_names();
    let found = Rung::ALL.into_iter().zip(&names).find(|(_, name)| *name == rung).map(|(known, _)| known);
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
