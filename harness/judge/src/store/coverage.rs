//! How much there is, in the store.

use super::evidence::{Evidence, ObservationId};
use crate::error::Result;

impl Evidence {
    /// How many of the durable files that the audit found in the live volumes an observation has, and how many there are.
    pub(crate) fn durable_files(&self, o: ObservationId) -> Result<(u64, u64)> {
        self.with(|db| {
            db.query_row(
                "SELECT count(f.path), count(*) FROM audit_file AS l
                 LEFT JOIN file AS f ON f.observation = ? AND f.volume = l.volume AND f.path = l.path
                 WHERE l.side = 'live' AND l.class = 'durable'",
                [o.0],
                |r| Ok((r.get(0)?, r.get(1)?)),
            )
        })
    }
}
