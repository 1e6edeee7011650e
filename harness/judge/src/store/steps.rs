//! What the bot complained of in its steps, in the store.

use rusqlite::params;

use super::evidence::Evidence;
use crate::error::Result;
use crate::redact::redact;
use crate::step::{BotStep, Complaint};

impl Evidence {
    /// Stores what the bot complained of in a step.
    pub fn put_complaints(&self, step: BotStep, complaints: &[Complaint]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for Complaint { cause, message } in complaints {
                tx.execute("INSERT INTO step VALUES (?, ?, ?)", params![step, cause, redact(message)])?;
            }
            tx.commit()
        })
    }

    /// What the bot complained of, by step.
    pub fn complaints(&self) -> Result<Vec<(BotStep, Complaint)>> {
        self.with(|db| {
            db.prepare("SELECT step, cause, message FROM step ORDER BY step, cause, message")?
                .query_map([], |r| Ok((r.get(0)?, Complaint { cause: r.get(1)?, message: r.get(2)? })))?
                .collect()
        })
    }

    /// Forgets what the bot complained of, before its steps are made again.
    pub fn clear_complaints(&self) -> Result<()> {
        self.with(|db| db.execute("DELETE FROM step", []).map(drop))
    }
}
