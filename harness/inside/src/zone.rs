//! The names that a run's resolver knows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// The resolver's own port where the mail server outside gives out the mail that it took.
pub const TAKEN: u16 = 10_025;

/// Names in lower case, without the last dot, with their records. No other name exists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone(pub BTreeMap<String, Records>);

/// What is known of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Records {
    /// Addresses.
    pub a: Vec<Ipv4Addr>,
    /// Hosts that take its mail, the preferred one first.
    pub mx: Vec<String>,
    /// Texts, such as a policy (SPF) or a key (DKIM).
    pub txt: Vec<String>,
    /// A service of the stack that has this name in the world: its addresses are asked for whenever somebody asks for this name's.
    pub service: Option<String>,
    /// Whether the resolver itself has this name: its address is the one at which it was asked.
    pub own: bool,
}
