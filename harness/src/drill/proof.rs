//! What the phases prove to one another. Only this crate makes these values, and each is
//! made where its phase succeeded; none can be cloned.

use judge::store::ObservationId;

use crate::backup::Snapshot;

/// The stack runs and answers on its doors.
#[must_use]
pub struct Deployed {
    pub(crate) _private: (),
}

/// The accounts are in, and each logged in once.
#[must_use]
pub struct Provisioned {
    pub(crate) _private: (),
}

/// The corpus was submitted.
#[must_use]
pub struct Seeded {
    pub(crate) _private: (),
}

/// The version under test runs in the place of the one before.
#[must_use]
pub struct Upgraded {
    pub(crate) _private: (),
}

/// The queue is empty.
#[must_use]
pub struct Settled {
    pub(crate) _private: (),
}

/// The mailboxes have their folders, flags and keywords.
#[must_use]
pub struct Shaped {
    pub(crate) _private: (),
}

/// What must come back was observed, whole, and is what was submitted.
#[must_use]
pub struct Baseline {
    pub(crate) observation: ObservationId,
}

/// A snapshot was created after the baseline.
#[must_use]
pub struct BackedUp {
    pub(crate) snapshot: Snapshot,
}

impl BackedUp {
    /// The snapshot.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }
}

/// The snapshot was held against the live volumes; what is wrong with it is stored.
#[must_use]
pub struct Audited {
    pub(crate) _private: (),
}

/// Stack and volumes were removed, and a fresh stack has none of it.
#[must_use]
pub struct Wiped {
    pub(crate) volumes: usize,
}

impl Wiped {
    /// How many volumes were removed.
    pub fn volumes(&self) -> usize {
        self.volumes
    }
}

/// The bot put the snapshot's files back.
#[must_use]
pub struct Restored {
    pub(crate) _private: (),
}

/// The services run on what was restored.
#[must_use]
pub struct Restarted {
    pub(crate) _private: (),
}
