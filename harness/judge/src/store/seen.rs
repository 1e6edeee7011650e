//! What the smaller probes saw, and what the bot complained of, in the store.

use rusqlite::{OptionalExtension as _, params};

use super::evidence::{Evidence, ObservationId, Quota};
use crate::error::Result;
use crate::model::Complaint;
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

/// What was tried through a door, as a user would, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialSeen {
    /// What was tried.
    pub trial: String,
    /// What must come of it.
    pub expected: String,
    /// What came of it, or why nothing can be told.
    pub value: Result<String, String>,
}

/// A message with other bytes than at the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlteredSeen {
    /// The account.
    pub account: String,
    /// The folder.
    pub folder: String,
    /// UID.
    pub uid: u32,
    /// The corpus message, where the header names one.
    pub item: Option<String>,
    /// As the server serves it now.
    pub bytes: Vec<u8>,
}

impl Evidence {
    /// Keeps what is there now of a message with other bytes.
    pub fn put_altered(&self, o: ObservationId, m: &AlteredSeen) -> Result<()> {
        self.with(|db| {
            let row = params![o.0, m.account, m.folder, m.uid, m.item, m.bytes];
            db.execute("INSERT OR REPLACE INTO altered VALUES (?, ?, ?, ?, ?, ?)", row).map(drop)
        })
    }

    /// What was kept of messages with other bytes, by place.
    pub fn altered(&self, o: ObservationId) -> Result<Vec<AlteredSeen>> {
        self.with(|db| {
            let sql = "SELECT account, folder, uid, item, bytes FROM altered WHERE observation = ? ORDER BY account, folder, uid";
            db.prepare(sql)?
                .query_map([o.0], |r| {
                    Ok(AlteredSeen { account: r.get(0)?, folder: r.get(1)?, uid: r.get(2)?, item: r.get(3)?, bytes: r.get(4)? })
                })?
                .collect()
        })
    }

    /// How many rows of each table an observation has, by database and table.
    pub fn row_counts(&self, o: ObservationId) -> Result<Vec<(String, String, u64)>> {
        self.with(|db| {
            let sql = "SELECT db, tbl, count(*) FROM db_row WHERE observation = ? GROUP BY db, tbl";
            db.prepare(sql)?.query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
        })
    }

    /// How many files an observation has, by volume and by whether they are compared whole.
    pub fn file_kinds(&self, o: ObservationId) -> Result<Vec<(String, bool, u64)>> {
        self.with(|db| {
            let sql = "SELECT volume, sha256 != '', count(*) FROM file WHERE observation = ? GROUP BY 1, 2";
            db.prepare(sql)?.query_map([o.0], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?.collect()
        })
    }

    /// Stores an account's quota.
    pub fn put_quota(&self, o: ObservationId, account: &str, quota: Quota) -> Result<()> {
        self.with(|db| {
            db.execute("INSERT OR REPLACE INTO quota VALUES (?, ?, ?, ?)", params![o.0, account, quota.used, quota.most])
                .map(drop)
        })
    }

    /// An account's quota, where the server said one.
    pub fn quota(&self, o: ObservationId, account: &str) -> Result<Option<Quota>> {
        self.with(|db| {
            db.prepare_cached("SELECT used, most FROM quota WHERE observation = ? AND account = ?")?
                .query_row(params![o.0, account], |r| Ok(Quota { used: r.get(0)?, most: r.get(1)? }))
                .optional()
        })
    }

    /// Stores what was tried at a stage, in place of what was tried there before.
    pub fn put_trials(&self, stage: &str, trials: &[TrialSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            tx.execute("DELETE FROM trial WHERE stage = ?", [stage])?;
            for t in trials {
                let (value, why) = match &t.value {
                    Ok(value) => (Some(redact(value)), redact("")),
                    Err(why) => (None, redact(why)),
                };
                tx.execute("INSERT INTO trial VALUES (?, ?, ?, ?, ?)", params![stage, t.trial, t.expected, value, why])?;
            }
            tx.commit()
        })
    }

    /// Remembers that nothing is to be tried at a stage, on purpose.
    pub fn try_nothing(&self, stage: &str) -> Result<()> {
        self.set(&format!("not tried: {stage}"), "on purpose")
    }

    /// Whether nothing was to be tried at a stage.
    pub fn not_tried(&self, stage: &str) -> Result<bool> {
        Ok(self.get(&format!("not tried: {stage}"))?.is_some())
    }

    /// What was tried at a stage, by name.
    pub fn trials(&self, stage: &str) -> Result<Vec<TrialSeen>> {
        self.with(|db| {
            db.prepare("SELECT trial, expected, value, why FROM trial WHERE stage = ? ORDER BY trial")?
                .query_map([stage], |r| {
                    let value = r.get::<_, Option<String>>(2)?.ok_or(r.get::<_, String>(3)?);
                    Ok(TrialSeen { trial: r.get(0)?, expected: r.get(1)?, value })
                })?
                .collect()
        })
    }

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

    /// Stores what the bot complained of in a step.
    pub fn put_complaints(&self, step: &str, complaints: &[Complaint]) -> Result<()> {
        complaints.iter().try_for_each(|c| self.put_step(step, c.cause, &c.message))
    }

    /// Stores that a step went wrong.
    pub fn put_step(&self, step: &str, cause: &str, message: &str) -> Result<()> {
        self.with(|db| db.execute("INSERT INTO step VALUES (?, ?, ?)", params![step, cause, redact(message)]).map(drop))
    }

    /// What the bot complained of: step, cause, its words.
    pub fn complaints(&self) -> Result<Vec<(String, String, String)>> {
        self.with(|db| {
            db.prepare("SELECT step, cause, message FROM step ORDER BY step, cause, message")?
                .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
                .collect()
        })
    }

    /// Forgets what the bot complained of, before its steps are made again.
    pub fn clear_complaints(&self) -> Result<()> {
        self.with(|db| db.execute("DELETE FROM step", []).map(drop))
    }
}
