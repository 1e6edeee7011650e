//! The names by which a run's observations are known, and what else the judges know by name.

/// The name of the observation before the backup.
pub const BASELINE: &str = "baseline";
/// The name of the observation after the restore.
pub const RESTORED: &str = "restored";
/// The name of the observation of a deployment that nobody has used yet.
pub const FRESH: &str = "fresh";
/// The name of the observation after the wipe, of the new deployment into which the backup is restored.
pub const WIPED: &str = "wiped";

/// The name of the observation before an upgrade.
pub const INSTALLED: &str = "installed";
/// The name of the observation after an upgrade.
pub const UPGRADED: &str = "upgraded";
/// The fact that is the content of the mail queue.
pub use recipe::scenario::compared::MAIL_QUEUE;

/// Of which versions of the app two observations are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    Same,
    OlderThenNewer,
}
