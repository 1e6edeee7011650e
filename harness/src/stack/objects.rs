//! Everything on the engine that carries a label, of every kind that a stack can have.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use bollard::query_parameters::{
    ListConfigsOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, ListSecretsOptionsBuilder,
    ListServicesOptionsBuilder, ListVolumesOptionsBuilder,
};
use engine::Engine;

use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::stack::until;

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Known by its name.
    Service,
    /// Known by its id.
    Container,
    /// Known by its name.
    Volume,
    /// Known by its id.
    Network,
    /// Known by its id.
    Secret,
    /// Known by its id.
    Config,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name or id.
    pub id: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

/// The objects that match a filter for labels. An engine in no swarm has no services, secrets and configs;
/// one whose manager is still starting is waited for.
pub async fn objects(engine: &Engine, filter: &HashMap<String, Vec<String>>) -> Result<Vec<Object>> {
    until(Duration::from_secs(60), || async {
        match objects_now(engine, filter).await {
            Err(Error::Docker(engine::Error::Docker { source, .. })) if says(&source, "Manager is being prepared") => {
                Ok(Err("waiting for the engine's swarm manager".into()))
            }
            listed => listed.map(Ok),
        }
    })
    .await
}

async fn objects_now(engine: &Engine, filter: &HashMap<String, Vec<String>>) -> Result<Vec<Object>> {
    let docker = &engine.docker;
    let mut found = Vec::new();
    let mut add = |kind, id: Option<String>, labels: Option<HashMap<String, String>>| {
        found.extend(id.map(|id| Object { kind, id, labels: labels.unwrap_or_default() }));
    };
    let services = docker.list_services(Some(ListServicesOptionsBuilder::default().filters(filter).build())).await;
    for spec in in_swarm(services).context("listing services")?.into_iter().filter_map(|s| s.spec) {
        add(Kind::Service, spec.name, spec.labels);
    }
    let options = ListContainersOptionsBuilder::default().all(true).filters(filter).build();
    for container in docker.list_containers(Some(options)).await.context("listing containers")? {
        if !inherits(engine, container.image_id.as_deref().unwrap_or_default()).await? {
            add(Kind::Container, container.id, container.labels);
        }
    }
    let options = ListVolumesOptionsBuilder::default().filters(filter).build();
    for volume in docker.list_volumes(Some(options)).await.context("listing volumes")?.volumes.unwrap_or_default() {
        add(Kind::Volume, Some(volume.name), Some(volume.labels));
    }
    let options = ListNetworksOptionsBuilder::default().filters(filter).build();
    for network in docker.list_networks(Some(options)).await.context("listing networks")? {
        add(Kind::Network, network.id, network.labels);
    }
    let secrets = docker.list_secrets(Some(ListSecretsOptionsBuilder::default().filters(filter).build())).await;
    for secret in in_swarm(secrets).context("listing secrets")? {
        add(Kind::Secret, secret.id, secret.spec.and_then(|s| s.labels));
    }
    let configs = docker.list_configs(Some(ListConfigsOptionsBuilder::default().filters(filter).build())).await;
    for config in in_swarm(configs).context("listing configs")? {
        add(Kind::Config, config.id, config.spec.and_then(|s| s.labels));
    }
    Ok(found)
}

/// Whether containers of an image have a run's label from it: somebody made it of a run's container, and what they run is theirs.
async fn inherits(engine: &Engine, image: &str) -> Result<bool> {
    // An image's id is a hash of what it has, its labels among it.
    static KNOWN: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(inherits) = known().get(image) {
        return Ok(*inherits);
    }
    let labels = match engine.docker.inspect_image(image).await {
        Ok(found) => found.config.and_then(|c| c.labels).unwrap_or_default(),
        // Images may be removed before their containers.
        Err(e) if engine::is_not_found(&e) => return Ok(false),
        Err(e) => return Err(e).context(format!("inspecting image {image}")),
    };
    let inherits = labels.contains_key(super::RUN_LABEL);
    known().insert(image.to_owned(), inherits);
    Ok(inherits)
}

fn says(error: &bollard::errors::Error, text: &str) -> bool {
    use bollard::errors::Error::DockerResponseServerError as Answer;
    matches!(error, Answer { status_code: 503, message } if message.contains(text))
}

/// What a swarm has; nothing on an engine that is in none.
pub(super) fn in_swarm<T>(listed: Result<Vec<T>, bollard::errors::Error>) -> Result<Vec<T>, bollard::errors::Error> {
    match listed {
        Err(e) if says(&e, "docker swarm init") => Ok(vec![]),
        listed => listed,
    }
}
