//! The resolver of a stack whose networks are closed: it answers in the place of the world's, so that a look-up ends at once and not
//! when a server that cannot be reached has been waited for. What the run says of the world exists, and mail can be sent there.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::Engine;
use inside::zone::TAKEN;
use inside::{Records, Zone};
use ipnet::Ipv4Net;

use super::companion::Companion;
use super::ownership::Owned;
use super::volumes::full_name;
use crate::error::{Context as _, Error, Result};
use crate::images::reader::PATH;

/// A name that exists, with an address that nothing has (RFC 5737): apps look it up to see whether their resolver works.
const KNOWN: (&str, Ipv4Addr) = ("example.org", Ipv4Addr::new(192, 0, 2, 1));

/// What a stack finds of the world.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct World {
    /// The names that exist.
    pub zone: Zone,
    /// Addresses whose mail the server outside puts off.
    pub busy: Vec<String>,
}

/// The resolver of a stack, which runs while the stack is deployed. It is the mail server outside, too.
pub struct Resolver {
    /// The image of `inside`; none where the engine cannot run it.
    image: Option<String>,
    state: Mutex<State>,
}

/// Where it runs.
#[derive(Debug, Clone)]
struct Place {
    /// The stack that it is for.
    stack: String,
    /// Its addresses there, by the networks' names in the recipe.
    addresses: BTreeMap<String, Ipv4Addr>,
}

struct State {
    world: World,
    place: Option<Place>,
    /// Its container, while it runs.
    container: Option<String>,
}

impl Resolver {
    /// One that does not run yet.
    pub fn new(image: Option<String>, world: World) -> Self {
        Self { image, state: Mutex::new(State { world, place: None, container: None }) }
    }

    /// Starts it, at these addresses in the stack's networks, by their names in the recipe; anew, if it ran. A network that is not there,
    /// or that has other addresses because a version before made it, is left out.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn start(&self, owned: &Owned, stack: &str, addresses: &BTreeMap<String, Ipv4Addr>) -> Result<()> {
        self.lock().place = Some(Place { stack: stack.to_owned(), addresses: addresses.clone() });
        self.again(owned).await
    }

    /// Changes what the stack finds of the world. The server outside forgets what it took.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn change(&self, owned: &Owned, change: impl FnOnce(&mut World) + Send) -> Result<()> {
        change(&mut self.lock().world);
        self.again(owned).await
    }

    /// The mail that the server outside took, one message after another.
    ///
    /// # Errors
    /// It does not run, or the engine fails.
    pub async fn taken(&self, engine: &Engine) -> Result<String> {
        let none =
            || Error::Engine("the mail server outside does not run: the engine cannot run the helper program `inside`".into());
        let container = self.lock().container.clone().ok_or_else(none)?;
        let at = format!("{}:{}", Ipv4Addr::LOCALHOST, TAKEN);
        let output = engine.exec_in(&container, &[PATH, "connect", &at], &[], None).await?;
        Ok(output.ok("the mail server outside").map(|o| o.stdout)?)
    }

    async fn again(&self, owned: &Owned) -> Result<()> {
        let before = self.lock().container.take();
        if let Some(container) = before {
            owned.remove_container(&container).await?;
        }
        let (Some(Place { stack, addresses }), World { zone, busy }) = self.what() else { return Ok(()) };
        let mut networks = Vec::new();
        for (network, address) in addresses {
            let network = full_name(&stack, &network);
            if has(owned.engine(), &network, address).await? {
                networks.push((network, Some(address)));
            }
        }
        let Some(image) = self.image.as_deref().filter(|_| !networks.is_empty()) else { return Ok(()) };
        let mut arguments = vec!["resolve".to_owned(), serde_json::to_string(&with_known(zone)).map_err(Error::bug)?];
        arguments.extend(busy.into_iter().flat_map(|address| ["--busy".to_owned(), address]));
        let resolver =
            Companion { what: "the resolver of the stack", owned, image, stack: &stack, arguments, networks, ports: vec![] };
        let container = resolver.start().await?;
        self.lock().container = Some(container);
        Ok(())
    }

    fn what(&self) -> (Option<Place>, World) {
        let state = self.lock();
        (state.place.clone(), state.world.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_known(mut zone: Zone) -> Zone {
    zone.0.entry(KNOWN.0.to_owned()).or_insert_with(|| Records { a: vec![KNOWN.1], ..Records::default() });
    zone
}

/// Whether a network is there and an address is one of its own.
async fn has(engine: &Engine, network: &str, address: Ipv4Addr) -> Result<bool> {
    let found = match engine.docker.inspect_network(network, None).await {
        Err(e) if engine::is_not_found(&e) => return Ok(false),
        found => found.context(format!("inspecting network {network}"))?,
    };
    let subnets =
        found.ipam.and_then(|i| i.config).unwrap_or_default().into_iter().filter_map(|c| c.subnet?.parse::<Ipv4Net>().ok());
    Ok(subnets.into_iter().any(|subnet| subnet.contains(&address)))
}
