//! The options that say which data a drill uses.

/// Which data.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// The amount of data: tiny, smoke, default or large.
    #[arg(long, env = "RESTORE_DRILL_PROFILE", default_value = "smoke")]
    pub profile: String,
    /// The seed of the corpus; the same seed and profile give the same bytes.
    #[arg(long, env = "RESTORE_DRILL_SEED", default_value_t = 1)]
    pub seed: u64,
}
