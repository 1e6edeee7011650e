//! The options of `fault`.

use std::path::PathBuf;

use recipe::scenario::faults::Group;

use super::data::{DataArgs, EngineArgs};

/// The options of `fault`.
#[derive(Debug, clap::Args)]
pub struct FaultArgs {
    /// A scenario's name, or the folder of a recipe or a scenario.
    pub scenario: String,
    /// Inject only these faults.
    pub names: Vec<String>,
    /// Only this group: labels, backup, restore or content.
    #[arg(long)]
    pub group: Option<Group>,
    /// List the scenario's faults and exit.
    #[arg(long)]
    pub list: bool,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where to store the runs. Default: runs/fault-TIME.
    ///
    /// A directory for each group, and matrix.json.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// How many groups run at a time.
    ///
    /// Each in its own deployment.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub jobs: u8,
    /// How many drills may run.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print the matrix as JSON.
    #[arg(long)]
    pub json: bool,
}
