//! `ladder` and `ci`: climb a recipe's ladder.

use std::path::PathBuf;

use super::sinks::{runs, sinks};
use crate::cli::{CiArgs, ClimbArgs, LadderArgs, OutputArgs};
use crate::drill::{self, Options};
use crate::error::Result;
use crate::events::Events;
use crate::ladder::climb::Plan;
use crate::ladder::pinned::Source;
use crate::ladder::{self, Ladder};
use crate::report::JsonLines;
use crate::report::ci::{Folded, Folds, keep, keep_error};
use crate::{exit_code, output};

/// Climbs a recipe's ladder, and prints it.
pub(super) async fn ladder(args: LadderArgs, scenarios: PathBuf, output: OutputArgs) -> Result<u8> {
    // What cannot be compared with is found before an hour is spent.
    let before = args.climb.compare.as_deref().map(Ladder::read).transpose()?;
    let (ladder, dir) = climb(&args.recipe, args.climb, scenarios, sinks(output, false)).await?;
    if args.json {
        output::exact_line(format_args!("{:#}", serde_json::json!(ladder)))?;
    } else {
        output::text(ladder.text())?;
        before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
    }
    output::notice(format_args!("\nevidence:  {}\nreproduce: {}", dir.display(), ladder.reproduce));
    Ok(exit_code::of(ladder.status()))
}

/// Climbs a recipe's ladder. Gives it with its directory.
async fn climb(recipe: &str, args: ClimbArgs, scenarios: PathBuf, sinks: drill::Sinks) -> Result<(Ladder, PathBuf)> {
    let source = Source::find(recipe, &scenarios, args.dirty)?;
    let mut options = Options::new(&scenarios, args.scenario.as_deref().unwrap_or(&source.name));
    (options.profile, options.seed) = (args.data.profile, args.data.seed);
    (options.images, options.env_file, options.deadline) = (args.images, args.env_file, args.deadline);
    options.max_drills = args.engine.max_drills;
    let dir = args.evidence.unwrap_or_else(|| runs("ladder"));
    let plan = Plan { source, from: args.from, dir: dir.clone(), not_applicable: args.not_applicable, options };
    Ok((ladder::climb::climb(plan, sinks).await?, dir))
}

/// A step of a pipeline.
pub(super) async fn ci(mut args: CiArgs, scenarios: PathBuf) -> Result<u8> {
    let before = args.climb.compare.as_deref().map(Ladder::read).transpose()?;
    // In a build, the commit that it is of.
    if let (false, Ok(commit)) = (args.climb.dirty || args.recipe.contains('@'), std::env::var("DRONE_COMMIT_SHA")) {
        args.recipe += &format!("@{commit}");
    }
    let folded: drill::Sinks =
        Box::new(|dir| Ok(Events::new(vec![Box::new(Folded::new(Folds::here())), Box::new(JsonLines::create(dir)?)])));
    let dir = args.climb.evidence.get_or_insert_with(|| runs("ladder")).clone();
    match climb(&args.recipe, args.climb, scenarios, folded).await {
        Ok((ladder, dir)) => {
            let exit_code = exit_code::of(ladder.status());
            keep(&args.out, &dir, exit_code)?;
            output::text(ladder.text())?;
            before.iter().try_for_each(|b| output::text(ladder.compared(b)))?;
            output::notice(format_args!(
                "\nresults:   {}\nevidence:  {}\nreproduce: {}",
                args.out.display(),
                dir.display(),
                ladder.reproduce
            ));
            Ok(exit_code)
        }
        Err(e) => {
            keep_error(&args.out, &dir, &e, &format!("restore-drill ladder {}", args.recipe))?;
            Err(e)
        }
    }
}
