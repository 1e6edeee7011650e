//! What the phases prove to one another. Each proof is made by its phase alone, whose file has it: its fields are private there.
//! None can be cloned.

pub use super::accounts::Provisioned;
pub use super::backing_up::{Audited, BackedUp};
pub use super::observing::Baseline;
pub use super::phases::{Deployed, Settled};
pub use super::restoring::{Restarted, Restored};
pub use super::seeding::Seeded;
pub use super::shaping::Shaped;
pub use super::upgrading::Upgraded;
pub use super::wiping::Wiped;
