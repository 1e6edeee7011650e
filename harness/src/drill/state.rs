//! A drill under way: the run, and the deployment that it drills.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use judge::store::Evidence;
use seeds::Corpus;

use super::deployment::Deployment;
use crate::events::Events;
use crate::secret::Secret;

/// A run: what is drilled, what was seen, and where it is said.
pub struct Run {
    /// The corpus.
    pub corpus: Corpus,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
    /// Where it is said.
    pub events: Events,
    pub(crate) secret: Secret,
    /// SMTP connections at once.
    pub(super) connections: usize,
    /// Operations per second by simulated users during the backup; none for no writes.
    pub(super) live: Option<u32>,
    pub(super) clocks: Mutex<Clocks>,
}

/// A run with everything it needs, from the lease it holds to the doors it goes through. The phases take it.
pub struct Drill {
    /// The run.
    pub run: Run,
    /// The deployment.
    pub app: Deployment,
}

/// When what happened, for the recovery figures.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    /// When the newest item that must come back was there.
    pub(super) newest: Option<Instant>,
    /// When the restore began.
    pub(super) restore: Option<Instant>,
    /// How long the app took to make its users.
    pub(super) users: Option<Duration>,
}

impl Run {
    /// The password of an account.
    pub fn password(&self, account: &str) -> String {
        self.secret.password(account)
    }

    /// Where the run's passwords come from.
    pub fn secret(&self) -> Secret {
        self.secret.clone()
    }

    pub(crate) fn clocks(&self) -> MutexGuard<'_, Clocks> {
        self.clocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The enabled accounts' addresses.
    pub(crate) fn enabled(&self) -> Vec<String> {
        self.corpus.accounts().enabled().map(|u| u.email.clone()).collect()
    }
}
