//! The options that say which data a drill uses, and values that several commands take.

use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Result};

/// Which data.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// Data: tiny, smoke, default or large.
    #[arg(long, env = "RESTORE_DRILL_PROFILE", default_value = "smoke")]
    pub profile: String,
    /// The seed of the data.
    ///
    /// The same seed and profile give the same bytes.
    #[arg(long, env = "RESTORE_DRILL_SEED", default_value_t = 1)]
    pub seed: u64,
}

/// How the engine is shared.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct EngineArgs {
    /// Drills that may run at a time.
    ///
    /// All drills on the engine count, no matter who started them. If there are more, this one waits for its turn.
    #[arg(long, env = "RESTORE_DRILL_MAX_DRILLS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..))]
    pub max_drills: u8,
}

/// A time as people write it, such as `90m` or `1h 30m`.
pub fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration = text.parse().map_err(|_| "expected numbers with units, such as 90m or 1h 30m")?;
    let time = Duration::try_from(time).map_err(|e| e.to_string())?;
    if time.is_zero() { Err("expected a time longer than zero".into()) } else { Ok(time) }
}

/// Refuses a file of values that is not there, before anything else is done.
pub fn env_file(file: Option<&Path>) -> Result<()> {
    match file {
        Some(file) if !file.exists() => Err(Error::Usage(format!(
            "--env-file: cannot read {}: there is no such file; expected a file with a line NAME=value for each variable, such as \
             ~/.abra/servers/SERVER/DOMAIN.env",
            file.display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(time("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(time("1h 30m"), Ok(Duration::from_secs(5400)));
        for wrong in ["", "90", "-1h", "0s", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
