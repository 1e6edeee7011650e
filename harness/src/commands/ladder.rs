//! `ladder`: climbs a recipe's ladder.

use std::path::{Path, PathBuf};

use recipe::scenario::asked::of_recipe;
use recipe::scenario::{self, Scenario};

use super::sinks::{runs, sinks};
use crate::cli::{ClimbArgs, LadderArgs, OutputArgs, env_file};
use crate::drill::{self, Options};
use crate::error::{Error, Result};
use crate::interruption::interruptible;
use crate::ladder::climb::Plan;
use crate::ladder::pinned::Source;
use crate::ladder::{self, Ladder};
use crate::{exit_code, output};

/// Climbs a recipe's ladder, and prints it.
pub(super) async fn ladder(args: LadderArgs, scenarios: PathBuf, output: OutputArgs) -> Result<u8> {
    // What cannot be compared with is found before an hour is spent.
    let before = args.climb.compare.as_deref().map(Ladder::read).transpose()?;
    let source = interruptible(Source::find(&args.recipe, &scenarios, args.climb.dirty)).await?;
    let (ladder, dir) = climb(source, args.climb, scenarios, sinks(output, false)).await?;
    if args.json {
        output::json(&ladder)?;
    } else {
        output::text(ladder.text())?;
        before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
    }
    output::notice(format_args!("\nevidence:  {}\nreproduce: {}", dir.display(), ladder.reproduce));
    Ok(exit_code::of(ladder.status()))
}

/// Climbs a recipe's ladder. Gives it with its directory.
pub(super) async fn climb(source: Source, args: ClimbArgs, scenarios: PathBuf, sinks: drill::Sinks) -> Result<(Ladder, PathBuf)> {
    env_file(args.env_file.as_deref())?;
    let scenario = match args.scenario {
        Some(scenario) => scenario,
        None => {
            // As it is at the commit: a clone has nothing but commits.
            let copy = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
            of_recipe(&scenarios, &source.pin(copy.path())?.dir, &source.name, &source.place)?
        }
    };
    // What is not there is found before anything is written.
    if !Path::new(&scenario).is_dir() && !scenario::list(&scenarios).contains(&scenario) {
        Scenario::load(&scenarios, &scenario)?;
    }
    let mut options = Options::new(&scenarios, &scenario);
    (options.profile, options.seed) = (args.data.profile, args.data.seed);
    (options.images, options.env_file, options.deadline) = (args.images, args.env_file, args.deadline);
    options.max_drills = args.engine.max_drills;
    options.profile()?;
    let dir = args.evidence.map_or_else(|| runs("ladder"), Ok)?;
    let plan = Plan { source, from: args.from, dir: dir.clone(), not_applicable: args.not_applicable, options };
    Ok((ladder::climb::climb(plan, sinks).await?, dir))
}
