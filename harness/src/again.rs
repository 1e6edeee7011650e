//! Doing a stored run again: its options, from its evidence.

use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use judge::store::{Evidence, RunFact};

use crate::drill::{BotChoice, ImageChoice, Options, Stored};
use crate::error::{Error, Result};
use crate::fault;

/// The options that do a stored run again. A recipe that has changed since is refused.
pub fn options(evidence: &Evidence, scenarios: &Path, dir: Option<PathBuf>) -> Result<Options> {
    let place = evidence.dir().display();
    let stored = evidence.get(RunFact::Options)?.ok_or_else(|| Error::Usage(format!("{place}: the run stored no options")))?;
    let stored: Stored = serde_json::from_str(&stored).map_err(|e| Error::Usage(format!("{place}: the run's options: {e}")))?;
    let mut options = Options::new(scenarios, &stored.scenario);
    options.recipe.clone_from(&stored.recipe_folder);
    options.env_file.clone_from(&stored.env_file);
    let scenario = options.read()?;
    if scenario.digest() != stored.recipe {
        return Err(Error::Usage(format!(
            "the recipe of scenario {} has changed since the run in {place}, so that its verdict could not repeat; \
             check out the recipe of that run, or name its folder with --scenarios",
            stored.scenario
        )));
    }
    (options.profile, options.seed, options.live) = (stored.profile, stored.seed, stored.live);
    (options.connections, options.evidence) = (stored.connections, dir);
    options.images = ImageChoice::from_str(&stored.images, false).map_err(Error::Usage)?;
    options.backupbot = if stored.existing_bot { BotChoice::Existing } else { BotChoice::Own };
    options.strict = stored.strict;
    options.bot_service.clone_from(&stored.bot_service);
    if let Some(name) = &stored.fault {
        options.fault = Some(fault::find(&fault::of(&scenario), name)?);
    }
    Ok(options)
}
