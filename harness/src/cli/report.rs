//! The options of `report`.

use std::path::PathBuf;

use crate::report::OutputFiles;

/// The options of `report`. Without any, all forms are written to the run's directory.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run's directory, or the ladder's.
    pub dir: PathBuf,
    /// An earlier run's directory: says which findings are new since then.
    #[arg(long, value_name = "DIR")]
    pub compare: Option<PathBuf>,
    /// Where to write each form.
    #[command(flatten)]
    pub files: OutputFiles,
}
