//! The fence around a recipe: what it calls its own is the run's, what others own is made anew, and what reaches the host is refused.
//! People run drills beside production, and CI runs them on recipes of strangers.
//!
//! - [`reach`]: what of the host a recipe asks for. It is refused, with file and line, unless the scenario allows it with a reason.
//! - [`own`]: what is deployed in the place of external networks, volumes, secrets and configs, and which labels are left out.
//! - [`closed`]: the networks that it is deployed on, which nothing leaves.
//! - [`files`]: the files that a recipe may name: regular ones, in its own folder, not too large.
//! - [`size`]: how many services, secrets and so on it may have, and how large they may be together.

use schemars::JsonSchema;
use serde::Deserialize;

pub mod closed;
pub mod files;
pub mod own;
pub mod reach;
pub mod size;

/// Something that reaches the host and that a scenario allows its recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// The service, or the volume whose driver reaches the host.
    pub service: String,
    /// What is allowed, as the refusal names it, such as `mount /etc/localtime` or `capability NET_ADMIN`.
    pub what: String,
    /// The volume that is mounted in the place of a folder of the host. It belongs to the run, and `inventory.toml` must have it.
    pub volume: Option<String>,
    /// The reason, in one sentence.
    pub why: String,
}
