//! Docker Swarm: the engine, stacks, commands in containers, volumes, ownership, teardown.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{NodeSpecAvailabilityEnum, SwarmInitRequest};
use engine::{Engine, NAMESPACE_LABEL};

use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::events::Events;

pub mod alive;
pub(crate) mod bot_labels;
pub mod companion;
pub mod deploy;
pub mod disk;
pub mod gc;
pub mod health;
pub mod layer;
pub mod lease;
pub mod line;
pub(crate) mod mark;
pub mod objects;
pub mod ownership;
pub mod reader;
pub(crate) mod reading;
pub mod relay;
pub mod resolver;
pub mod subnets;
pub mod through_engine;
pub(crate) mod variables;
pub mod volumes;

/// The label that names the run on everything that the run creates.
pub const RUN_LABEL: &str = "restore-drill.run";
/// The label that names the host whose locks tell whether the run lives.
pub const HOST_LABEL: &str = "restore-drill.host";

/// The label of a run's lease.
const LEASE_LABEL: &str = "restore-drill.lease";
/// The label of a run's place in the line.
const PLACE_LABEL: &str = "restore-drill.place";

/// Makes sure that the engine is a swarm manager; an engine in no swarm becomes one of a single node.
pub async fn ensure_swarm(engine: &Engine, events: &Events) -> Result<()> {
    use bollard::models::LocalNodeState as State;
    until(Duration::from_secs(60), || async {
        let swarm = engine.docker.info().await.context("asking the engine about itself")?.swarm.unwrap_or_default();
        match swarm.local_node_state {
            Some(State::ACTIVE) if swarm.control_available == Some(true) => {
                takes_containers(engine, &swarm.node_id.unwrap_or_default()).await.map(Ok)
            }
            Some(State::ACTIVE) => Err(Error::Engine(
                "this node is a swarm worker: a drill deploys stacks, which takes a manager. \
                 Point DOCKER_HOST at a manager, or run `docker node promote` there"
                    .into(),
            )),
            Some(State::INACTIVE) | None => init_swarm(engine, events).await.map(Err),
            // Another run has just initialised it.
            Some(State::PENDING) => Ok(Err("waiting for the engine's swarm, whose state is pending".into())),
            Some(state) => Err(Error::Engine(format!("the engine's swarm state is {state:?}; expected active or inactive"))),
        }
    })
    .await
}

/// Checks that the engine's node takes what a drill deploys, which stays on it.
async fn takes_containers(engine: &Engine, node: &str) -> Result<()> {
    let found = engine.docker.inspect_node(node).await.context("asking the engine about its node")?;
    match found.spec.and_then(|spec| spec.availability) {
        None | Some(NodeSpecAvailabilityEnum::ACTIVE | NodeSpecAvailabilityEnum::EMPTY) => Ok(()),
        Some(other) => Err(Error::Engine(format!(
            "the engine's node starts no containers: its availability in the swarm is {other}. Point DOCKER_HOST at a manager that does, \
             or run `docker node update --availability active {node}`"
        ))),
    }
}

/// Initialises a swarm, unless another run is faster; says what to wait for.
async fn init_swarm(engine: &Engine, events: &Events) -> Result<String> {
    let request = SwarmInitRequest {
        listen_addr: Some("127.0.0.1:2377".into()),
        advertise_addr: Some("127.0.0.1".into()),
        ..Default::default()
    };
    match engine.docker.init_swarm(request).await {
        Ok(_) => events.note(
            "The engine was in no swarm: initialised a single-node one on 127.0.0.1 (`docker swarm leave --force` undoes it).",
        ),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 503 | 406, .. }) => {}
        Err(e) => return Err(Error::Engine(format!("the engine is in no swarm, and `swarm init` failed: {e}"))),
    }
    Ok("waiting for the engine's new swarm".into())
}

/// The labels of everything that run `run` creates. Without an id of the state directory it is nobody's to collect.
pub fn run_labels(run: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(RUN_LABEL.to_owned(), run.to_owned()), (HOST_LABEL.to_owned(), alive::host_id().unwrap_or_default())])
}

/// The same for what goes with a stack of the run's.
pub fn stack_labels(run: &str, stack: &str) -> BTreeMap<String, String> {
    let mut labels = run_labels(run);
    labels.insert(NAMESPACE_LABEL.to_owned(), stack.to_owned());
    labels
}

/// Polls `check` until it gives a value or `deadline` is over; `check` says what it still waits for.
pub async fn until<T, F>(deadline: Duration, check: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<Result<T, String>>>,
{
    engine::until(deadline, check).await
}
