//! Docker Swarm: the engine, stacks, commands in containers, volumes, ownership, teardown.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::Docker;
use bollard::models::SwarmInitRequest;

use crate::error::{Context as _, Error, Result, Signal};
use crate::events::Events;

pub mod deploy;
pub mod doctor;
pub mod exec;
pub mod gc;
pub mod objects;
pub mod ownership;
pub mod slots;
pub mod volumes;

/// The label that names the run on everything that the run creates.
pub const RUN_LABEL: &str = "restore-drill.run";
/// The label that names the host whose locks tell whether the run lives.
pub const HOST_LABEL: &str = "restore-drill.host";
/// Swarm's own label for the stack of an object.
pub const NAMESPACE_LABEL: &str = "com.docker.stack.namespace";
/// Swarm's own label for the service of a container.
pub const SERVICE_LABEL: &str = "com.docker.swarm.service.name";

/// A connection to the engine that `DOCKER_HOST` names, or the local one.
#[derive(Clone)]
pub struct Engine {
    /// The API client, its version negotiated with the engine's.
    pub docker: Docker,
}

impl Engine {
    /// Connects and negotiates the API version.
    pub async fn connect() -> Result<Self> {
        let place = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "the local socket".into());
        let fail = |e: bollard::errors::Error| {
            Error::Engine(format!(
                "no Docker engine at {place}: {e}. Start it, or set DOCKER_HOST; `restore-drill doctor` checks more"
            ))
        };
        let docker = Docker::connect_with_defaults().map_err(fail)?.with_timeout(Duration::from_secs(120));
        let docker = docker.negotiate_version().await.map_err(fail)?;
        docker.ping().await.map_err(fail)?;
        Ok(Self { docker })
    }

    /// Makes sure that the engine is a swarm manager; an engine in no swarm becomes one of a single node.
    pub async fn ensure_swarm(&self, events: &Events) -> Result<()> {
        use bollard::models::LocalNodeState as State;
        until(Duration::from_secs(60), || async {
            let swarm = self.docker.info().await.context("asking the engine about itself")?.swarm.unwrap_or_default();
            match swarm.local_node_state {
                Some(State::ACTIVE) if swarm.control_available == Some(true) => Ok(Ok(())),
                Some(State::ACTIVE) => Err(Error::Engine(
                    "this node is a swarm worker: a drill deploys stacks, which takes a manager. \
                     Point DOCKER_HOST at a manager, or run `docker node promote` there"
                        .into(),
                )),
                Some(State::INACTIVE) | None => self.init_swarm(events).await.map(Err),
                // Another run has just initialised it.
                Some(State::PENDING) => Ok(Err("waiting for the engine's swarm, whose state is pending".into())),
                Some(state) => Err(Error::Engine(format!("the engine's swarm state is {state:?}; expected active or inactive"))),
            }
        })
        .await
    }

    /// Initialises a swarm, unless another run is faster; says what to wait for.
    async fn init_swarm(&self, events: &Events) -> Result<String> {
        let request = SwarmInitRequest {
            listen_addr: Some("127.0.0.1:2377".into()),
            advertise_addr: Some("127.0.0.1".into()),
            ..Default::default()
        };
        match self.docker.init_swarm(request).await {
            Ok(_) => events.note(
                "The engine was in no swarm: initialised a single-node one on 127.0.0.1 (`docker swarm leave --force` undoes it).",
            ),
            Err(bollard::errors::Error::DockerResponseServerError { status_code: 503 | 406, .. }) => {}
            Err(e) => return Err(Error::Engine(format!("the engine is in no swarm, and `swarm init` failed: {e}"))),
        }
        Ok("waiting for the engine's new swarm".into())
    }
}

/// A label filter for the engine's list calls.
pub fn label_filter<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect())])
}

/// The labels of everything that run `run` creates. Without an id of the state directory it is nobody's to collect.
pub fn run_labels(run: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(RUN_LABEL.to_owned(), run.to_owned()), (HOST_LABEL.to_owned(), slots::host_id().unwrap_or_default())])
}

/// Polls `check` until it gives a value or `deadline` is over; `check` says what it still waits for.
pub async fn until<T, F>(deadline: Duration, mut check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<std::result::Result<T, String>>>,
{
    let end = tokio::time::Instant::now() + deadline;
    let mut pause = Duration::from_millis(50);
    loop {
        match check().await? {
            Ok(value) => return Ok(value),
            Err(waiting) if tokio::time::Instant::now() >= end => {
                return Err(Error::Unknown(format!("after {} s still {waiting}", deadline.as_secs())));
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(500));
    }
}

/// Does `work` unless SIGINT or SIGTERM ends it; what it created is for the caller to remove.
pub async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::io("signals"))?;
    tokio::select! {
        result = work => result,
        _ = tokio::signal::ctrl_c() => Err(Error::Signal(Signal::Interrupt)),
        _ = terminate.recv() => Err(Error::Signal(Signal::Terminate)),
    }
}
