//! What was tried as a user would, in the store.

use std::borrow::Cow;

use rusqlite::{OptionalExtension as _, params};

use super::evidence::Evidence;
use crate::error::Result;
use crate::redact::redact;
use crate::trial::{Trial, TrialKind};

/// A trial, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialSeen {
    /// What was tried.
    pub trial: Trial,
    /// What must come of it.
    pub expected: String,
    /// What came of it, or why that is unknown.
    pub value: Result<String, String>,
}

impl Evidence {
    /// Stores what was tried at a stage, in place of what was tried there before.
    pub fn put_trials(&self, stage: &str, trials: &[TrialSeen]) -> Result<()> {
        self.with(|db| db.execute("DELETE FROM trial WHERE stage = ?", [stage]).map(drop))?;
        self.add_trials(stage, trials)
    }

    /// Stores what else was tried at a stage.
    pub fn add_trials(&self, stage: &str, trials: &[TrialSeen]) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            for t in trials {
                let (value, why) = match &t.value {
                    Ok(value) => (Some(redact(value)), redact("")),
                    Err(why) => (None, redact(why)),
                };
                let (kind, about) = (t.trial.kind.to_string(), serde_json::json!(t.trial.of).to_string());
                let expected = redact(&t.expected);
                // Two that differ do so too where all that tells them apart is redacted.
                let hidden = |value: &Cow<'_, str>| t.value.as_ref().is_ok_and(|is| *is != t.expected) && *value == expected;
                let value = value.map(|value| if hidden(&value) { Cow::Owned(format!("{value} (another one)")) } else { value });
                tx.execute(
                    "INSERT OR REPLACE INTO trial VALUES (?, ?, ?, ?, ?, ?)",
                    params![stage, kind, about, expected, value, why],
                )?;
            }
            tx.commit()
        })
    }

    /// What was tried at a stage, by kind and by whom it is about.
    pub fn trials(&self, stage: &str) -> Result<Vec<TrialSeen>> {
        self.with(|db| {
            db.prepare("SELECT kind, about, expected, value, why FROM trial WHERE stage = ? ORDER BY kind, about")?
                .query_map([stage], |r| {
                    let wrong = |column, e: Box<dyn std::error::Error + Send + Sync>| {
                        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, e)
                    };
                    let kind: TrialKind = r.get_ref(0)?.as_str()?.parse().map_err(|e| wrong(0, Box::new(e)))?;
                    let of = serde_json::from_str(r.get_ref(1)?.as_str()?).map_err(|e| wrong(1, e.into()))?;
                    let value = r.get::<_, Option<String>>(3)?.ok_or(r.get::<_, String>(4)?);
                    Ok(TrialSeen { trial: Trial { kind, of }, expected: r.get(2)?, value })
                })?
                .collect()
        })
    }

    /// Remembers that nothing is to be tried at a stage, on purpose.
    pub fn try_nothing(&self, stage: &str) -> Result<()> {
        let key = not_tried(stage);
        self.with(|db| db.execute("INSERT OR REPLACE INTO run VALUES (?, 'on purpose')", [key]).map(drop))
    }

    /// Whether nothing was to be tried at a stage.
    pub fn not_tried(&self, stage: &str) -> Result<bool> {
        let key = not_tried(stage);
        self.with(|db| db.query_row("SELECT 1 FROM run WHERE key = ?", [key], |_| Ok(())).optional().map(|o| o.is_some()))
    }
}

/// The key under which a run keeps that nothing is tried at a stage.
fn not_tried(stage: &str) -> String {
    format!("not tried: {stage}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Protocol;

    #[test]
    fn trials_are_read_as_they_were_stored() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let seen = |kind, of: &[&str], value: Result<&str, &str>| TrialSeen {
            trial: Trial::new(kind, of.iter().copied()),
            expected: "let in".into(),
            value: value.map(str::to_owned).map_err(str::to_owned),
        };
        let trials = [
            seen(TrialKind::Login(Protocol::Pop3), &["a@mail.test"], Ok("let in")),
            seen(TrialKind::Login(Protocol::Pop3), &["b@mail.test"], Err("no answer")),
            seen(TrialKind::OpenRelay, &[], Ok("refused")),
            seen(TrialKind::Page("webmail".into()), &["a@mail.test"], Ok("let in")),
        ];
        evidence.put_trials("restored", &trials).expect("stored");
        evidence.put_trials("restored", &trials).expect("stored again");
        assert_eq!(evidence.trials("restored").expect("read"), trials);
        assert_eq!(evidence.trials("baseline").expect("read"), []);
        let one_more = seen(TrialKind::New(crate::trial::NewData::User), &["n@mail.test"], Ok("let in"));
        evidence.add_trials("restored", std::slice::from_ref(&one_more)).expect("stored");
        assert_eq!(evidence.trials("restored").expect("read").len(), trials.len() + 1);
        assert!(evidence.trials("restored").expect("read").contains(&one_more));
        evidence.try_nothing("baseline").expect("stored");
        assert_eq!(["baseline", "restored"].map(|stage| evidence.not_tried(stage).expect("read")), [true, false]);
    }
}
