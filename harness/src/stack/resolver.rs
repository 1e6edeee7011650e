//! The resolver of a stack whose networks are closed: it answers in the place of the world's, so that a look-up ends at once and not
//! when a server that cannot be reached has been waited for.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use inside::{Records, Zone};

use super::companion::Companion;
use super::ownership::Owned;
use super::volumes::full_name;
use crate::error::{Error, Result};

/// A name that exists, with an address that nothing has (RFC 5737): apps look it up to see whether their resolver works.
const WORLD: (&str, Ipv4Addr) = ("example.org", Ipv4Addr::new(192, 0, 2, 1));

/// Starts the resolver of a stack that is deployed, at its address in each of its networks, by their names in the recipe. Gives its
/// container.
///
/// # Errors
/// A network is not there, or the engine fails.
pub async fn start(owned: &Owned, image: &str, stack: &str, addresses: &BTreeMap<String, Ipv4Addr>) -> Result<String> {
    let known = Records { a: vec![WORLD.1], ..Records::default() };
    let zone = serde_json::to_string(&Zone([(WORLD.0.to_owned(), known)].into())).map_err(Error::bug)?;
    let networks = addresses.iter().map(|(network, address)| (full_name(stack, network), Some(*address)));
    let resolver = Companion {
        what: "the resolver of the stack",
        owned,
        image,
        stack,
        arguments: vec!["resolve".to_owned(), zone],
        networks: networks.collect(),
        ports: vec![],
    };
    resolver.start().await
}
