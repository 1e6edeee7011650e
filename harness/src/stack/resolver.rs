//! The resolver of a stack whose networks are closed: it answers in the place of the world's, so that a look-up ends at once and not
//! when a server that cannot be reached has been waited for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::Engine;
use inside::{Records, Zone};
use ipnet::Ipv4Net;

use super::companion::Companion;
use super::ownership::Owned;
use super::volumes::full_name;
use crate::error::{Context as _, Error, Result};

/// A name that exists, with an address that nothing has (RFC 5737): apps look it up to see whether their resolver works.
const WORLD: (&str, Ipv4Addr) = ("example.org", Ipv4Addr::new(192, 0, 2, 1));

/// The resolver of a stack, which runs while the stack is deployed.
pub struct Resolver {
    /// The image of `inside`; none where the engine cannot run it.
    image: Option<String>,
    /// Its container.
    container: Mutex<Option<String>>,
}

impl Resolver {
    /// One that does not run yet.
    pub fn new(image: Option<String>) -> Self {
        Self { image, container: Mutex::default() }
    }

    /// Starts it, at these addresses in the stack's networks, by their names in the recipe; anew, if it ran. A network that is not there,
    /// or that has other addresses because a version before made it, is left out.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn start(&self, owned: &Owned, stack: &str, addresses: &BTreeMap<String, Ipv4Addr>) -> Result<()> {
        let before = self.lock().take();
        if let Some(container) = before {
            owned.remove_container(&container).await?;
        }
        let mut networks = Vec::new();
        for (network, address) in addresses {
            let network = full_name(stack, network);
            if has(owned.engine(), &network, *address).await? {
                networks.push((network, Some(*address)));
            }
        }
        let Some(image) = self.image.as_deref().filter(|_| !networks.is_empty()) else { return Ok(()) };
        let known = Records { a: vec![WORLD.1], ..Records::default() };
        let zone = serde_json::to_string(&Zone([(WORLD.0.to_owned(), known)].into())).map_err(Error::bug)?;
        let resolver = Companion {
            what: "the resolver of the stack",
            owned,
            image,
            stack,
            arguments: vec!["resolve".to_owned(), zone],
            networks,
            ports: vec![],
        };
        let container = resolver.start().await?;
        *self.lock() = Some(container);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.container.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
