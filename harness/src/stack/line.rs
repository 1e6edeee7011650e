//! The line of those who want to deploy on an engine. A place in it is a config of the swarm, so it is taken atomically, in the
//! order that the engine gives, and whoever waits sees who is ahead.

use std::time::Duration;

use engine::Engine;

use super::PLACE_LABEL;
use super::lease::{Leases, Life, ago};
use super::mark::{self, Mark, WHAT_LABEL};
use super::ownership::{Owned, place_name};
use crate::error::{Error, Result};

/// The variable that says how many drills deploy at once.
const MAX_DRILLS_VARIABLE: &str = "RESTORE_DRILL_MAX_DRILLS";
/// How often the line is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// How many drills deploy at once on one engine, unless somebody says otherwise.
pub fn max_drills() -> u8 {
    std::env::var(MAX_DRILLS_VARIABLE).ok().and_then(|n| n.parse().ok()).filter(|n| *n > 0).unwrap_or(2)
}

/// Joins the line at its end, and waits until fewer than `most` living runs are ahead. `waiting` is told who is ahead, whenever
/// that changes. The place is the run's until it is removed.
///
/// # Errors
/// The engine fails, or somebody removed the place.
pub async fn wait_for_place(owned: &Owned, what: &str, most: u8, mut waiting: impl FnMut(String)) -> Result<()> {
    let labels = [(PLACE_LABEL, "taken"), (WHAT_LABEL, what)];
    mark::make(owned, &place_name(owned.run()), labels.into_iter()).await?;
    let mut told = Vec::new();
    loop {
        let line = line(owned.engine()).await?;
        let own = line.iter().position(|place| place.run == owned.run());
        let own = own.ok_or_else(|| Error::EndedFromOutside { run: owned.run().to_owned() })?;
        let leases = Leases::read(owned.engine()).await?;
        let mut ahead = Vec::new();
        for place in &line[..own] {
            if matches!(leases.life(&place.run, &place.host)?, Life::Alive(_)) {
                ahead.push(place);
            }
        }
        if ahead.len() < usize::from(most) {
            return Ok(());
        }
        let runs: Vec<String> = ahead.iter().map(|place| place.run.clone()).collect();
        if runs != told {
            waiting(
                ahead
                    .iter()
                    .map(|p| format!("{} ({}, {})", p.run, p.what, ago(leases.now, p.made)))
                    .collect::<Vec<_>>()
                    .join(", "),
            );
            told = runs;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// All places, the first that was taken first.
async fn line(engine: &Engine) -> Result<Vec<Mark>> {
    let mut line = mark::all(engine, PLACE_LABEL, place_name).await?;
    line.sort_by(|a, b| (a.made, &a.run).cmp(&(b.made, &b.run)));
    Ok(line)
}
