//! What the phases prove to one another. Each proof is made by its phase alone, whose file has it: its fields are private there.
//! None can be cloned.

pub use super::accounts::Provisioned;
pub use super::backing_up::{Audited, BackedUp};
pub use super::baseline::Baseline;
pub use super::deploying::Deployed;
pub use super::restoring::{Restarted, Restored};
pub use super::seeding::Seeded;
pub use super::settling::Settled;
pub use super::shaping::Shaped;
pub use super::upgrading::Upgraded;
pub use super::wiping::Wiped;
