//! What a restore needs besides the backup.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A secret that must be kept outside of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptSecret {
    /// The variable that it is the value of.
    pub name: String,
    /// The inventory's reason.
    pub why: String,
}

impl fmt::Display for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, why } = self;
        write!(f, "The restore needs {name}, which is in no backup and must be kept elsewhere: {why}")
    }
}
