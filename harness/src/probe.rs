//! Probes: each reads one kind of state through one door and stores what it saw.
//! What they saw is judged later, by [`judge`], from the store alone.

use std::time::Duration;

use judge::store::{Evidence, ObservationId};

use crate::error::Result;

pub mod dkim;
pub mod doors;
pub mod facts;
pub mod files;
pub mod mail;
pub mod pages;
pub mod queue;
pub mod rows;
pub mod sieve;
pub mod smtp;

/// The longest wait for one answer of a server.
pub const STALL: Duration = Duration::from_secs(60);

/// Reads one kind of state of the deployed app.
///
/// What could not be read is stored as unread, where the store has a place for that;
/// an `Err` means that nothing can be said, and ends the run as unknown.
pub trait Probe {
    /// The name in output.
    fn name(&self) -> &'static str;

    /// Reads everything and stores it under `observation`. `progress` is told (done, total).
    fn observe(
        &self,
        evidence: &Evidence,
        observation: ObservationId,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> impl Future<Output = Result<()>> + Send;
}
