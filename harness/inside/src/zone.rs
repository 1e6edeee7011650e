//! The names that a run's resolver knows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

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
}
