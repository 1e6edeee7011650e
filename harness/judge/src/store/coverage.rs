//! How much there is, in the store.

use super::evidence::{Evidence, ObservationId};
use crate::error::Result;

impl Evidence {
    /// How many durable entries an observation has that could not be read then, or in a later one: themselves, or a folder that they are in.
    pub(crate) fn durable_files_unread(&self, before: ObservationId, after: ObservationId) -> Result<u64> {
        self.with(|db| {
            db.query_row(
                "SELECT count(*) FROM file AS f WHERE f.observation = ?1 AND f.class = 'durable' AND f.compared <> 'no'
                 AND EXISTS (SELECT 1 FROM file_unread AS u
                   WHERE u.observation IN (?1, ?2) AND u.volume = f.volume
                   AND (u.path IN (f.path, '.') OR substr(f.path, 1, length(u.path) + 1) = u.path || '/'))",
                [before.0, after.0],
                |r| r.get(0),
            )
        })
    }
}
