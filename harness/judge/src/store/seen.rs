//! What the smaller probes saw, in the store: sieve scripts, and what commands print.

use rusqlite::params;

use super::evidence::{Evidence, ObservationId};
use crate::error::Result;
use crate::redact::redact;

/// A sieve script as one observation saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptSeen {
    /// Its name.
    pub script: String,
    /// Whether it is the active one.
    pub active: bool,
    /// Of its bytes, in hex.
    pub sha256: String,
}

/// What a command printed; none where it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactSeen {
    /// Its name in the scenario.
    pub fact: String,
    /// What it printed, without the last line break.
    pub value: Option<String>,
}

impl Evidence {
    /// Stores the sieve scripts of an account, or why they could not be read.
    pub fn put_scripts(&self, o: ObservationId, account: &str, scripts: &Result<Vec<ScriptSeen>, String>) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            match scripts {
                Ok(scripts) => {
                    for s in scripts {
                        tx.execute(
                            "INSERT INTO script VALUES (?, ?, ?, ?, ?)",
                            params![o.0, account, s.script, s.active, s.sha256],
                        )?;
                    }
                }
                Err(why) => drop(tx.execute("INSERT INTO script_unread VALUES (?, ?, ?)", params![o.0, account, redact(why)])?),
            }
            tx.commit()
        })
    }

    /// The sieve scripts of an account, by name, or why they could not be read.
    pub fn scripts(&self, o: ObservationId, account: &str) -> Result<Result<Vec<ScriptSeen>, String>> {
        self.with(|db| {
            let why = db
                .prepare_cached("SELECT why FROM script_unread WHERE observation = ? AND account = ?")?
                .query_map(params![o.0, account], |r| r.get(0))?
                .next()
                .transpose()?;
            if let Some(why) = why {
                return Ok(Err(why));
            }
            db.prepare_cached("SELECT script, active, sha256 FROM script WHERE observation = ? AND account = ? ORDER BY script")?
                .query_map(params![o.0, account], |r| Ok(ScriptSeen { script: r.get(0)?, active: r.get(1)?, sha256: r.get(2)? }))?
                .collect::<rusqlite::Result<_>>()
                .map(Ok)
        })
    }

    /// Stores what commands printed.
    pub fn put_facts(&self, o: ObservationId, facts: &[FactSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for f in facts {
                tx.execute("INSERT INTO fact VALUES (?, ?, ?)", params![o.0, f.fact, f.value.as_deref().map(redact)])?;
            }
            tx.commit()
        })
    }

    /// What commands printed, by name.
    pub fn facts(&self, o: ObservationId) -> Result<Vec<FactSeen>> {
        self.with(|db| {
            db.prepare("SELECT fact, value FROM fact WHERE observation = ? ORDER BY fact")?
                .query_map([o.0], |r| Ok(FactSeen { fact: r.get(0)?, value: r.get(1)? }))?
                .collect()
        })
    }
}
