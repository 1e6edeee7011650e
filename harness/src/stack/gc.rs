//! Removes what dead runs of this host left, and nothing of live ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bollard::query_parameters::{
    ListConfigsOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListSecretsOptionsBuilder,
    ListServicesOptionsBuilder, ListVolumesOptionsBuilder,
};

use super::ownership::Owned;
use super::slots::{Alive, host_id, lives, state_dir};
use super::{Engine, HOST_LABEL, RUN_LABEL};
use crate::error::{Context as _, Error, Result};

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
    let docker = &engine.docker;
    let what = "listing what drills left";
    let mut labels = Vec::new();
    let services = docker.list_services(Some(ListServicesOptionsBuilder::default().filters(&filter).build())).await.context(what)?;
    labels.extend(services.into_iter().filter_map(|s| s.spec?.labels));
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    labels.extend(docker.list_containers(Some(options)).await.context(what)?.into_iter().filter_map(|c| c.labels));
    let volumes = docker.list_volumes(Some(ListVolumesOptionsBuilder::default().filters(&filter).build())).await.context(what)?;
    labels.extend(volumes.volumes.unwrap_or_default().into_iter().map(|v| v.labels));
    let networks = docker.list_networks(Some(ListNetworksOptionsBuilder::default().filters(&filter).build())).await.context(what)?;
    labels.extend(networks.into_iter().filter_map(|n| n.labels));
    let secrets = docker.list_secrets(Some(ListSecretsOptionsBuilder::default().filters(&filter).build())).await.context(what)?;
    labels.extend(secrets.into_iter().filter_map(|s| s.spec?.labels));
    let configs = docker.list_configs(Some(ListConfigsOptionsBuilder::default().filters(&filter).build())).await.context(what)?;
    labels.extend(configs.into_iter().filter_map(|c| c.spec?.labels));
    Ok(labels
        .into_iter()
        .filter_map(|l| Some((l.get(RUN_LABEL)?.clone(), l.get(HOST_LABEL).cloned().unwrap_or_default())))
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

/// Removes what dead runs of this host left. With `only`, that run's, kept or not.
pub async fn collect(engine: &Engine, only: Option<&str>, deadline: Duration) -> Result<Collected> {
    let mut collected = Collected::default();
    let host = host_id();
    let runs = runs(engine).await?;
    if let Some(only) = only.filter(|o| !runs.contains_key(*o)) {
        let known: BTreeSet<&str> = runs.keys().map(String::as_str).collect();
        return Err(Error::Usage(format!("run {only:?} has nothing on this engine; there are {known:?}")));
    }
    for (run, of) in runs {
        if only.is_some_and(|o| o != run) {
            continue;
        }
        if of != host && only.is_none() {
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
