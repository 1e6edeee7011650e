//! The one place through which anything is removed or restarted. Each call first
//! asks the engine for the object's labels and refuses whatever does not carry this run's.
//!
//! `tests/ownership.rs` fails when another file calls one of the engine's removing calls.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{Service, ServiceSpec};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, InspectServiceOptions, KillContainerOptions, RemoveContainerOptionsBuilder,
    UpdateServiceOptionsBuilder,
};
use engine::{Engine, NAMESPACE_LABEL, label_filter};
use engine::{is_not_found, is_out_of_sequence};
use tokio::sync::RwLock;

use super::objects::{Kind, Object, objects};
use super::{LEASE_LABEL, PLACE_LABEL, RUN_LABEL, health};
use crate::error::Context as _;
use crate::error::{Error, Result};

/// The time between two looks at what is still there.
const AGAIN: Duration = Duration::from_millis(150);

/// The right to change what one run created, and to create more.
#[derive(Clone)]
pub struct Owned {
    engine: Engine,
    run: String,
    /// Read by each creation while it is under way, written by a removal.
    creating: Arc<RwLock<()>>,
}

/// The name of a run's stack.
pub fn stack_name(run: &str) -> String {
    format!("rd-{run}")
}

/// The name of the stack of a run's bot.
pub fn bot_stack_name(run: &str) -> String {
    format!("{}-bot", stack_name(run))
}

/// The name of a run's lease.
pub(super) fn lease_name(run: &str) -> String {
    format!("{}_lease", stack_name(run))
}

/// The name of a run's place in the line.
pub(super) fn place_name(run: &str) -> String {
    format!("{}_place", stack_name(run))
}

/// What of a run is there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Remains {
    /// Service names.
    pub services: Vec<String>,
    /// Container ids.
    pub containers: Vec<String>,
    /// Volume names.
    pub volumes: Vec<String>,
    /// Network ids.
    pub networks: Vec<String>,
    /// Secret ids.
    pub secrets: Vec<String>,
    /// Config ids.
    pub configs: Vec<String>,
}

impl Remains {
    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self == &Self::default()
    }
}

impl std::fmt::Display for Remains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("services", &self.services),
            ("containers", &self.containers),
            ("volumes", &self.volumes),
            ("networks", &self.networks),
            ("secrets", &self.secrets),
            ("configs", &self.configs),
        ];
        let parts: Vec<String> =
            parts.iter().filter(|(_, l)| !l.is_empty()).map(|(what, l)| format!("{} {what}", l.len())).collect();
        f.write_str(&if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") })
    }
}

impl Owned {
    /// The right to what carries `run`'s label.
    pub fn new(engine: Engine, run: &str) -> Self {
        Self { engine, run: run.to_owned(), creating: Arc::default() }
    }

    /// The run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Creates something, to the end, also when whoever waits for it is dropped: an engine goes on with a call whose client is
    /// gone, and what is not there yet would not be found by [`Self::remove_all`], which waits for it therefore.
    pub async fn create<T: Send + 'static>(&self, making: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
        let under_way = self.creating.clone().read_owned().await;
        let making = tokio::spawn(async move {
            let made = making.await;
            drop(under_way);
            made
        });
        making.await.unwrap_or_else(|e| Err(Error::bug(format_args!("creating something: {e}"))))
    }

    /// Whether a stack is the run's: nobody else's has the run's id in its name.
    fn is_own_stack(&self, stack: &str) -> bool {
        let rest = stack.strip_prefix(&stack_name(&self.run));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    fn check(&self, kind: &'static str, name: &str, labels: Option<&HashMap<String, String>>) -> Result<()> {
        let stack = labels.and_then(|l| l.get(NAMESPACE_LABEL));
        match labels.and_then(|l| l.get(RUN_LABEL)) {
            // `docker stack deploy` made it and did not label it.
            None if stack.is_some_and(|stack| self.is_own_stack(stack)) => Ok(()),
            Some(run) if *run == self.run => Ok(()),
            Some(run) => Err(Error::NotOurs { kind, name: name.to_owned(), found: format!("it is run {run}'s") }),
            None => Err(Error::NotOurs { kind, name: name.to_owned(), found: format!("it has no label {RUN_LABEL}") }),
        }
    }

    /// Whether a service with these labels is this run's; an error if not.
    pub(super) fn check_service(&self, name: &str, labels: &HashMap<String, String>) -> Result<()> {
        self.check("service", name, Some(labels))
    }

    async fn service(&self, name: &str) -> Result<Service> {
        let service = self
            .engine
            .docker
            .inspect_service(name, None::<InspectServiceOptions>)
            .await
            .context(format!("inspecting service {name}"))?;
        self.check("service", name, service.spec.as_ref().and_then(|s| s.labels.as_ref()))?;
        Ok(service)
    }

    /// Changes the spec of a service.
    pub async fn update_service(&self, name: &str, change: impl Fn(&mut ServiceSpec)) -> Result<()> {
        let mut tries = 0;
        loop {
            let service = self.service(name).await?;
            let version = service.version.and_then(|v| v.index).unwrap_or_default();
            let mut spec = service.spec.unwrap_or_default();
            let starts = starts(&spec);
            let container = spec.task_template.as_mut().and_then(|task| task.container_spec.as_mut());
            if let Some(container) = container.filter(|c| c.health_check.is_none()) {
                // Without it, the update would take the check away.
                container.health_check =
                    if starts { health::certain(&self.engine, name).await? } else { health::of(&self.engine, name).await? };
            }
            change(&mut spec);
            let options = UpdateServiceOptionsBuilder::default().version(version as i32).build();
            match self.engine.docker.update_service(name, spec, options, None).await {
                Ok(_) => return Ok(()),
                // Swarm itself updates the service (its update status) and the version moves on.
                Err(e) if is_out_of_sequence(&e) && tries < 20 => tries += 1,
                Err(e) => return Err(e).context(format!("updating service {name}")),
            }
        }
    }

    /// Replaces the tasks of a service by new ones of the same spec.
    pub async fn restart(&self, name: &str) -> Result<()> {
        self.update_service(name, |spec| {
            if let Some(task) = spec.task_template.as_mut() {
                task.force_update = Some(task.force_update.unwrap_or_default() + 1);
            }
        })
        .await
    }

    async fn remove_service(&self, name: &str) -> Result<()> {
        self.service(name).await?;
        gone(self.engine.docker.delete_service(name).await).context(format!("removing service {name}"))
    }

    /// Removes a volume. Refused for one that is not this run's, and by the engine for one in use.
    pub async fn remove_volume(&self, name: &str) -> Result<()> {
        let volume = self.engine.docker.inspect_volume(name).await.context(format!("inspecting volume {name}"))?;
        self.check("volume", name, Some(&volume.labels))?;
        let options = None::<bollard::query_parameters::RemoveVolumeOptions>;
        gone(self.engine.docker.remove_volume(name, options).await).context(format!("removing volume {name}"))
    }

    async fn remove_network(&self, id: &str) -> Result<()> {
        let network = self
            .engine
            .docker
            .inspect_network(id, None::<InspectNetworkOptions>)
            .await
            .context(format!("inspecting network {id}"))?;
        self.check("network", id, network.labels.as_ref())?;
        gone(self.engine.docker.remove_network(id).await).context(format!("removing network {id}"))
    }

    /// Removes a container, killing it if it runs.
    pub async fn remove_container(&self, id: &str) -> Result<()> {
        let found = self.engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let container = match found {
            Err(e) if is_not_found(&e) => return Ok(()),
            found => found.context(format!("inspecting container {id}"))?,
        };
        self.check("container", id, container.config.and_then(|c| c.labels).as_ref())?;
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        gone(self.engine.docker.remove_container(id, Some(options)).await).context(format!("removing container {id}"))
    }

    /// Ends a container at once; one that has ended, or is gone, is left as it is.
    async fn kill_container(&self, id: &str) -> Result<()> {
        let found = self.engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
        let container = found.context(format!("inspecting container {id}"))?;
        self.check("container", id, container.config.and_then(|c| c.labels).as_ref())?;
        match self.engine.docker.kill_container(id, None::<KillContainerOptions>).await {
            Err(e) if !has_ended(&e) => gone::<()>(Err(e)).context(format!("ending container {id}")),
            _ => Ok(()),
        }
    }

    async fn remove_secret(&self, id: &str) -> Result<()> {
        let secret = self.engine.docker.inspect_secret(id).await.context(format!("inspecting secret {id}"))?;
        self.check("secret", id, secret.spec.and_then(|s| s.labels).as_ref())?;
        gone(self.engine.docker.delete_secret(id).await).context(format!("removing secret {id}"))
    }

    async fn remove_config(&self, id: &str) -> Result<()> {
        let config = self.engine.docker.inspect_config(id).await.context(format!("inspecting config {id}"))?;
        self.check("config", id, config.spec.and_then(|s| s.labels).as_ref())?;
        gone(self.engine.docker.delete_config(id).await).context(format!("removing config {id}"))
    }

    /// Removes what says that the run lives and that it has a place in the line: the last of a run.
    pub(super) async fn remove_leases(&self) -> Result<()> {
        self.remove_place().await?;
        ignore_gone(self.remove_config(&lease_name(&self.run)).await)
    }

    /// Removes what says that the run has a place in the line.
    pub(super) async fn remove_place(&self) -> Result<()> {
        ignore_gone(self.remove_config(&place_name(&self.run)).await)
    }

    /// Removes what says that the run builds an image, by its id or name.
    pub(crate) async fn remove_claim(&self, id: &str) -> Result<()> {
        ignore_gone(self.remove_config(id).await)
    }

    /// What of the run is there, but its lease and its place in the line; with `stack`, of that stack only.
    pub async fn remains(&self, stack: Option<&str>) -> Result<Remains> {
        let mut remains = Remains::default();
        let mut found = Vec::new();
        if stack.is_none() {
            found = objects(&self.engine, &label_filter([(RUN_LABEL, self.run.as_str())])).await?;
        }
        // The stacks are asked for by name too: what is theirs may lack the run's label.
        let own = [stack_name(&self.run), bot_stack_name(&self.run)];
        for stack in stack.map_or_else(|| own.iter().map(String::as_str).collect(), |stack| vec![stack]) {
            let more = objects(&self.engine, &label_filter([(NAMESPACE_LABEL, stack)])).await?;
            let more = more.into_iter().filter(|o| self.check("", &o.id, Some(&o.labels)).is_ok());
            let new: Vec<Object> = more.filter(|o| !found.contains(o)).collect();
            found.extend(new);
        }
        for Object { kind, id, labels } in found {
            if labels.contains_key(LEASE_LABEL) || labels.contains_key(PLACE_LABEL) {
                continue;
            }
            match kind {
                Kind::Service => remains.services.push(id),
                Kind::Container => remains.containers.push(id),
                Kind::Volume => remains.volumes.push(id),
                Kind::Network => remains.networks.push(id),
                Kind::Secret => remains.secrets.push(id),
                Kind::Config => remains.configs.push(id),
            }
        }
        Ok(remains)
    }

    /// Removes what the run has (with `stack`, of that stack) and waits until it is gone.
    /// Returns the names of the volumes removed.
    pub async fn remove_all(&self, stack: Option<&str>, deadline: Duration) -> Result<BTreeSet<String>> {
        let end = tokio::time::Instant::now() + deadline;
        let _nothing_under_way = tokio::time::timeout_at(end, self.creating.write()).await;
        let mut removed = BTreeSet::new();
        let removed_volumes = &mut removed;
        let mut last = None;
        loop {
            let is_over = tokio::time::Instant::now() >= end;
            let remains = match self.remains(stack).await {
                Ok(remains) if remains.is_empty() => return Ok(std::mem::take(removed_volumes)),
                Ok(remains) => remains,
                // An engine that is busy may answer the next time.
                Err(e) if is_over || matches!(e, Error::NotOurs { .. }) => return Err(e),
                Err(e) => {
                    last = Some(e);
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            if is_over {
                let why = last.map_or_else(String::new, |e: Error| format!(": {e}"));
                let (seconds, remains, run) = (deadline.as_secs(), remains.to_string(), self.run.clone());
                return Err(Error::NotRemoved { seconds, remains, run, why });
            }
            let mut keep_last = |result: Result<()>| match result {
                Err(e) if !is_gone(&e) => last = Some(e),
                _ => {}
            };
            // More may have been created since the last pass (a deploy that was killed).
            for name in &remains.services {
                match self.remove_service(name).await {
                    Err(e @ Error::NotOurs { .. }) => return Err(e),
                    done => keep_last(done),
                }
            }
            if remains.services.is_empty() {
                // Swarm removes the tasks' containers, once they have ended: at once, as their volumes go too, and not when each service's
                // time for that is over. What it leaves behind, and our own, go here.
                for id in &remains.containers {
                    keep_last(match self.is_task(id).await {
                        Ok(true) => self.kill_container(id).await,
                        Ok(false) => self.remove_container(id).await,
                        Err(e) => Err(e),
                    });
                }
                if remains.containers.is_empty() {
                    for name in &remains.volumes {
                        match self.remove_volume(name).await {
                            Ok(()) => {
                                removed_volumes.insert(name.clone());
                            }
                            failed => keep_last(failed),
                        }
                    }
                }
                for id in &remains.networks {
                    keep_last(self.remove_network(id).await);
                }
                for id in &remains.secrets {
                    keep_last(self.remove_secret(id).await);
                }
                for id in &remains.configs {
                    keep_last(self.remove_config(id).await);
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Whether a container is a running or stopping task of Swarm's, which removes it itself.
    async fn is_task(&self, id: &str) -> Result<bool> {
        match self.engine.docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(c) => {
                let task = c.config.and_then(|c| c.labels).is_some_and(|l| l.contains_key(engine::SERVICE_LABEL));
                let running = c.state.and_then(|s| s.running).unwrap_or(false);
                Ok(task && running)
            }
            Err(e) if is_not_found(&e) => Ok(true),
            Err(e) => Err(e).context(format!("inspecting container {id}")),
        }
    }
}

/// Whether a service is to have containers.
fn starts(spec: &ServiceSpec) -> bool {
    let replicas = spec.mode.as_ref().and_then(|m| m.replicated.as_ref()).and_then(|r| r.replicas);
    replicas != Some(0)
}

fn gone<T>(result: Result<T, bollard::errors::Error>) -> Result<(), bollard::errors::Error> {
    match result {
        Err(e) if !is_not_found(&e) => Err(e),
        _ => Ok(()),
    }
}

/// Whether a container that was to be ended does not run: the engine answers with 409 then.
fn has_ended(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 409, .. })
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Docker(engine::Error::Docker { source, .. }) if is_not_found(source))
}

fn ignore_gone(result: Result<()>) -> Result<()> {
    match result {
        Err(e) if !is_gone(&e) => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ServiceSpecMode, ServiceSpecModeReplicated};

    use super::*;

    #[test]
    fn a_service_of_no_replicas_starts_nothing() {
        let of = |replicas| {
            let mode = ServiceSpecMode { replicated: Some(ServiceSpecModeReplicated { replicas }), ..ServiceSpecMode::default() };
            ServiceSpec { mode: Some(mode), ..ServiceSpec::default() }
        };
        assert_eq!([Some(0), Some(1), None].map(|replicas| starts(&of(replicas))), [false, true, true]);
        assert!(starts(&ServiceSpec::default()));
    }
}
