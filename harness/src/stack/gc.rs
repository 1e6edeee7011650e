//! Removes what dead runs of this host left, and nothing of live ones.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::Engine;

use super::objects::objects;
use super::ownership::Owned;
use super::slots::{Alive, host_id, lives, state_dir};
use super::{HOST_LABEL, RUN_LABEL};
use crate::error::{Error, Result};

/// What a collection did.
#[derive(Debug, Default)]
pub struct Collected {
    /// Dead runs whose remains were removed.
    pub removed: Vec<String>,
    /// Runs under way.
    pub live: Vec<String>,
    /// Runs kept by `--keep`.
    pub kept: Vec<String>,
    /// Runs of other hosts, of which it is not known whether they live.
    pub foreign: Vec<String>,
}

/// The runs that have anything on the engine, with the host of each.
pub async fn runs(engine: &Engine) -> Result<BTreeMap<String, String>> {
    let filter = std::collections::HashMap::from([("label".to_owned(), vec![RUN_LABEL.to_owned()])]);
    Ok(objects(engine, &filter)
        .await?
        .into_iter()
        .filter_map(|o| Some((o.labels.get(RUN_LABEL)?.clone(), o.labels.get(HOST_LABEL).cloned().unwrap_or_default())))
        .collect())
}

fn kept_marker(run: &str) -> Result<std::path::PathBuf> {
    Ok(state_dir()?.join(format!("kept-{run}")))
}

/// Marks a run as kept: only `gc --run` removes it. `secret` goes to the marker, which only its owner may read.
pub fn keep(run: &str, secret: &str) -> Result<std::path::PathBuf> {
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
    /// The dead ones of this host.
    Dead,
    /// This one, kept or not, unless it is alive.
    Run(&'a str),
    /// This one, also if it was started on another host, where it may be alive.
    Forced(&'a str),
}

/// Removes what runs left.
///
/// # Errors
/// The engine does not do it in time; or the run that was named is unknown, or may be alive elsewhere.
pub async fn collect(engine: &Engine, which: Which<'_>, deadline: Duration) -> Result<Collected> {
    let only = match which {
        Which::Dead => None,
        Which::Run(run) | Which::Forced(run) => Some(run),
    };
    let mut collected = Collected::default();
    let host = host_id()?;
    let runs = runs(engine).await?;
    if let Some(only) = only.filter(|o| !runs.contains_key(*o)) {
        let known = runs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        return Err(Error::Usage(format!("nothing on this engine belongs to run {only:?}. Runs with leftovers: {known}")));
    }
    for (run, of) in runs {
        if only.is_some_and(|o| o != run) {
            continue;
        }
        if of != host && !matches!(which, Which::Forced(_)) {
            if only.is_some() {
                return Err(Error::Usage(format!(
                    "run {run} was started on another machine or with another state directory, so it may be alive; nothing was \
                     removed. Call gc there, or end the run with --force"
                )));
            }
            collected.foreign.push(run);
        } else if lives(&run)? {
            collected.live.push(run);
        } else if kept_marker(&run)?.exists() && only.is_none() {
            collected.kept.push(run);
        } else {
            // Holding its lock, so that two collectors do not work on the same run.
            let Ok(_alive) = Alive::take(&run) else {
                collected.live.push(run);
                continue;
            };
            Owned::new(engine.clone(), &run).remove_all(None, deadline).await?;
            let _ = std::fs::remove_file(kept_marker(&run)?);
            collected.removed.push(run);
        }
    }
    Ok(collected)
}
