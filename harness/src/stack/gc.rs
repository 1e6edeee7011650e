//! Removes what dead runs left, wherever they were started, and nothing of live ones.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;
use recipe::near::did_you_mean;

use super::alive::{self, Alive, state_dir};
use super::lease::{Leases, Life};
use super::objects::objects;
use super::ownership::Owned;
use super::{HOST_LABEL, RUN_LABEL};
use crate::error::{Error, Result};

/// What a collection did.
#[derive(Debug, Default)]
pub struct Collected {
    /// Runs whose remains were removed.
    pub removed: Vec<String>,
    /// Runs under way.
    pub live: Vec<String>,
    /// Runs kept by `--keep`.
    pub kept: Vec<String>,
    /// Runs from elsewhere that have no lease, so that it is not known whether they live.
    pub unknown: Vec<String>,
    /// Runs that are being removed: by another collector, or by themselves since they were ended.
    pub taken: Vec<String>,
    /// Dead runs that could not be removed, with the reason.
    pub failed: Vec<String>,
}

/// The runs that have anything on the engine, with the host of each.
pub async fn runs(engine: &Engine) -> Result<BTreeMap<String, String>> {
    let filter = std::collections::HashMap::from([("label".to_owned(), vec![RUN_LABEL.to_owned()])]);
    Ok(objects(engine, &filter)
        .await?
        .into_iter()
        .filter_map(|o| Some((o.labels.get(RUN_LABEL)?.clone(), o.labels.get(HOST_LABEL).cloned().unwrap_or_default())))
        .filter(|(run, _)| !run.is_empty())
        .collect())
}

fn kept_marker(run: &str) -> Result<std::path::PathBuf> {
    Ok(state_dir()?.join(format!("kept-{run}")))
}

/// Writes a secret of a kept run to a file that only its owner may read.
pub fn keep_secret(run: &str, secret: &str) -> Result<std::path::PathBuf> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = kept_marker(run)?;
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path).map_err(Error::io(&path))?;
    file.write_all(secret.as_bytes()).map_err(Error::io(&path))?;
    Ok(path)
}

/// Which runs are collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    /// The dead ones.
    Dead,
    /// This one, kept or not, unless it is alive or nothing is known of it.
    Run(&'a str),
    /// This one, which is ended if it is alive.
    Forced(&'a str),
}

/// Removes what runs left behind. `ending` is called with each live run before it is ended.
///
/// # Errors
/// The engine does not do it in time; or the run that was named has nothing here, is alive, or may be.
pub async fn collect(engine: &Engine, which: Which<'_>, deadline: Duration, ending: impl Fn(&str)) -> Result<Collected> {
    let only = match which {
        Which::Dead => None,
        Which::Run(run) | Which::Forced(run) => Some(run),
    };
    let mut collected = Collected::default();
    alive::remove_temporary()?;
    let runs = runs(engine).await?;
    if let Some(only) = only.filter(|o| !runs.contains_key(*o)) {
        let near = did_you_mean(only, runs.keys().map(String::as_str));
        let known = runs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        return Err(Error::Usage(format!("nothing on this engine belongs to run {only:?}. Runs with leftovers: {known}{near}")));
    }
    for (run, host) in runs {
        if only.is_some_and(|o| o != run) {
            continue;
        }
        // Read anew, as each removal takes its time.
        let leases = Leases::read(engine).await?;
        let life = match leases.life(&run, &host)? {
            Life::Dead if kept_marker(&run)?.exists() => Life::Kept,
            life => life,
        };
        match (life, which) {
            (Life::Alive(_), Which::Forced(_)) => ending(&leases.told(&run)),
            (Life::Alive(_), Which::Run(_)) => {
                let told = leases.told(&run);
                return Err(Error::Usage(format!("{told} is alive; nothing was removed. --force ends it")));
            }
            (Life::Unknown, Which::Run(_)) => {
                return Err(Error::Usage(format!(
                    "run {run} was started on another machine or with another state directory, and has no lease, so it may be \
                     alive; nothing was removed. Call gc there, or remove it with --force"
                )));
            }
            (Life::Alive(_), Which::Dead) => {
                let found = if leases.is_ended(&run) { &mut collected.taken } else { &mut collected.live };
                found.push(run);
                continue;
            }
            (Life::Unknown, Which::Dead) => {
                collected.unknown.push(run);
                continue;
            }
            (Life::Kept, Which::Dead) => {
                collected.kept.push(run);
                continue;
            }
            (Life::Dead | Life::Kept, _) | (Life::Unknown, Which::Forced(_)) => {}
        }
        match remove(engine, &run, life, &leases, deadline).await {
            Ok(Removal::Done) => collected.removed.push(run),
            Ok(Removal::Taken) => collected.taken.push(run),
            Ok(Removal::Alive) => collected.live.push(run),
            Err(e) if only.is_none() => collected.failed.push(format!("{run}: {e}")),
            Err(e) => return Err(e),
        }
    }
    Ok(collected)
}

/// How the removal of one run ended.
enum Removal {
    Done,
    /// Somebody else is at it.
    Taken,
    /// The run has given a sign of life.
    Alive,
}

/// Removes what a run left, its lease last.
async fn remove(engine: &Engine, run: &str, life: Life, leases: &Leases, deadline: Duration) -> Result<Removal> {
    // Two collectors of one machine do not work on the same run; whoever has its lock and is ended goes on having it.
    let lock = Alive::take(run);
    if lock.is_err() && !matches!(life, Life::Alive(_)) {
        return Ok(Removal::Taken);
    }
    if matches!(life, Life::Alive(_)) {
        Leases::take_by_force(engine, run).await?;
    } else if !leases.take_away(engine, run).await? {
        return Ok(Removal::Alive);
    }
    let owned = Owned::new(engine.clone(), run);
    owned.remove_all(None, deadline).await?;
    owned.remove_leases().await?;
    if let Ok(lock) = lock {
        lock.tidy();
    }
    let _ = std::fs::remove_file(kept_marker(run)?);
    Ok(Removal::Done)
}
