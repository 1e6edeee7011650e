//! The way into a stack. Its networks are closed, and no service publishes a port: a container of the run's is on the network of the
//! doors and on one of its own, and passes connections on. Its ports are on 127.0.0.1 of the engine's host, where the engine chooses
//! them; from another machine each connection goes through the engine's API.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::Engine;
use recipe::fence::closed::door_network;
use recipe::scenario::Door;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use super::companion::Companion;
use super::ownership::Owned;
use super::volumes::full_name;
use super::{through_engine, until};
use crate::error::{Context as _, Error, Result};

/// Where clients connect.
pub const HOST: &str = "127.0.0.1";
/// The relay's port where it says whose it is.
const HELLO: u16 = 10_000;
/// How long it may take to say so.
const SAID: Duration = Duration::from_secs(3);

/// The doors of a stack, which are open while it is deployed.
pub struct Relay {
    /// The image of `inside`; none where the engine cannot run it.
    image: Option<String>,
    /// The network that is its own.
    network: String,
    doors: Vec<Door>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    container: Option<String>,
    ports: BTreeMap<String, u16>,
    /// Where connections go through the engine: what listens for each door.
    listening: Vec<AbortOnDropHandle<()>>,
}

impl Relay {
    /// The way to these doors, not open yet, from a network of the run's.
    pub fn new(image: Option<String>, network: String, doors: &[Door]) -> Self {
        Self { image, network, doors: doors.to_vec(), open: Mutex::default() }
    }

    /// The port of a door on this machine; none while it is not open, and none of a door that the scenario does not have.
    pub fn port(&self, door: &str) -> Option<u16> {
        self.lock().ports.get(door).copied()
    }

    /// Whether the scenario has a door.
    pub fn has(&self, door: &str) -> bool {
        self.doors.iter().any(|d| d.name == door)
    }

    /// All ports, by door.
    pub fn ports(&self) -> BTreeMap<String, u16> {
        self.lock().ports.clone()
    }

    /// Opens the doors of a stack that is deployed; once more, if they were open.
    ///
    /// # Errors
    /// The engine cannot run the relay, or fails.
    pub async fn open(&self, owned: &Owned, stack: &str) -> Result<()> {
        if self.doors.is_empty() {
            return Ok(());
        }
        let before = std::mem::take(&mut *self.lock());
        if let Some(container) = &before.container {
            owned.remove_container(container).await?;
        }
        let image = self.image.as_deref().ok_or_else(not_for_this_machine)?;
        let relayed: Vec<(u16, &Door)> = (HELLO + 1..).zip(&self.doors).collect();
        let mut arguments = ["relay", "--name", owned.run(), "--hello", &HELLO.to_string()].map(str::to_owned).to_vec();
        arguments.extend(relayed.iter().map(|(port, door)| format!("{port}={}:{}", door.service, door.port)));
        let mut services: Vec<&str> = self.doors.iter().map(|d| d.service.as_str()).collect();
        services.sort_unstable();
        services.dedup();
        let of_doors = services.into_iter().map(|service| (full_name(stack, &door_network(service)), None));
        let container = Companion {
            what: "the way into the stack",
            owned,
            image,
            stack,
            arguments,
            networks: [(self.network.clone(), None)].into_iter().chain(of_doors).collect(),
            ports: [HELLO].into_iter().chain(relayed.iter().map(|(port, _)| *port)).collect(),
        };
        let container = container.start().await?;
        let engine = owned.engine();
        let published = published(engine, &container).await?;
        let named = |(port, door): (u16, &Door)| Some((door.name.clone(), *published.get(&port)?));
        let mut open = Open { container: Some(container.clone()), ..Open::default() };
        if is_here(published.get(&HELLO).copied(), owned.run()).await {
            open.ports = relayed.into_iter().filter_map(named).collect();
        } else {
            for door in &self.doors {
                let (port, listening) = through_engine::listen(engine, &container, &door.service, door.port).await?;
                open.ports.insert(door.name.clone(), port);
                open.listening.push(listening);
            }
        }
        *self.lock() = open;
        Ok(())
    }

    /// The relay's container, while the doors are open.
    pub fn container(&self) -> Option<String> {
        self.lock().container.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_for_this_machine() -> Error {
    Error::Engine(
        "the engine's machine has a different architecture, so the helper program `inside`, which connects to the app, cannot run \
         there. Set RESTORE_DRILL_INSIDE_PROGRAM to the path of one built for that architecture"
            .into(),
    )
}

/// The ports on the engine's host, by the container's.
async fn published(engine: &Engine, container: &str) -> Result<BTreeMap<u16, u16>> {
    let what = "asking for the ports of the way into the stack";
    let found = engine.docker.inspect_container(container, None).await.context(what)?;
    let ports = found.network_settings.and_then(|n| n.ports).unwrap_or_default();
    let number = |(port, bindings): (String, Option<Vec<bollard::models::PortBinding>>)| {
        let inside = port.split('/').next()?.parse().ok()?;
        Some((inside, bindings?.into_iter().find_map(|b| b.host_port?.parse().ok())?))
    };
    Ok(ports.into_iter().filter_map(number).collect())
}

/// Whether a port on this machine leads to the run's relay. On a machine other than the engine's, it may lead anywhere.
async fn is_here(port: Option<u16>, run: &str) -> bool {
    let Some(port) = port else { return false };
    // The relay listens a moment after its container was started.
    let asked = until(SAID, || async {
        let mut said = vec![0; run.len()];
        let heard = async {
            let mut connection = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
            connection.read_exact(&mut said).await
        };
        Ok(match tokio::time::timeout(SAID, heard).await {
            Ok(Ok(_)) => Ok(said == run.as_bytes()),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Ok(false),
        })
    });
    asked.await.unwrap_or(false)
}
