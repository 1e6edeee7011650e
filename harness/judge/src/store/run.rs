//! Facts of the run as a whole, each under a key of its own in the store.

use rusqlite::OptionalExtension as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::evidence::Evidence;
use crate::error::{Error, Result};
use crate::redact::redact;

/// Declares the facts of a run, each with its key.
macro_rules! run_facts {
    ($($(#[$doc:meta])* $fact:ident = $key:literal,)*) => {
        /// A fact of the run as a whole.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RunFact {
            $($(#[$doc])* $fact,)*
        }

        impl RunFact {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fact,)*];

            /// The key in the store.
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$fact => $key,)*
                }
            }
        }
    };
}

run_facts! {
    /// The run's id, which is on every label.
    Run = "run",
    /// The scenario.
    Scenario = "scenario",
    /// The profile of the corpus.
    Profile = "profile",
    /// The seed of the corpus.
    Seed = "seed",
    /// The command that does the run again.
    Reproduce = "reproduce",
    /// The options of the run, as JSON.
    Options = "options",
    /// The names of the databases that are compared, one a line.
    Databases = "databases",
    /// Where the app keeps its users, as JSON of [`recipe::scenario::UserPlaces`].
    Users = "users",
    /// What `checks.toml` declares, as JSON.
    Checks = "checks",
    /// `stand-in images` or `the recipe's images`.
    Images = "images",
    /// What the run ran on, as a JSON object.
    Environment = "environment",
    /// The labels as they were deployed, as JSON.
    Recipe = "recipe",
    /// The inventory, as JSON.
    Inventory = "inventory",
    /// The volumes of the recipe that the inventory does not have, as a JSON array of names.
    UnlistedVolumes = "volumes not in the inventory",
    /// What was done about the secrets that the run generates, as JSON of [`crate::secrets::Secrets`]. It has their names only.
    Secrets = "secrets",
    /// The key records of the domains that sign mail, as a JSON object of name and record.
    DkimKeys = "dkim",
    /// How many mounts of the app's containers were looked at.
    Mounts = "mounts",
    /// restic's id of the snapshot that was taken.
    Snapshot = "snapshot",
    /// restic's id of the snapshot whose audit is complete.
    Audit = "audit",
    /// restic's id of the snapshot of which all names are known, and of the live volumes too.
    Listed = "audit listed",
    /// How many live files have had their name only since the audited backup was begun.
    AuditLater = "audit later",
    /// Why and where the run ended before its end, as JSON of [`crate::ended::Ended`].
    Ended = "ended",
    /// The facts that may be empty, as a JSON object of name and reason.
    MayBeEmpty = "may be empty",
    /// When a backup with simulated users began and ended, as a JSON array of milliseconds of the run's clock.
    LiveBackup = "live backup",
    /// Bytes of the files that the backup read.
    BytesRead = "bytes read",
    /// Bytes that the repository grew by.
    BytesAdded = "bytes added",
    /// Milliseconds from the begin of the restore until a user could log in.
    FirstLoginMs = "first login ms",
    /// How old the newest item was when the data were wiped, in milliseconds.
    NewestItemMs = "newest item ms",
    /// Processor time of this program, in milliseconds.
    CpuMs = "cpu ms",
    /// The most memory that this program used, in KiB.
    PeakMemoryKib = "peak memory KiB",
}

impl Evidence {
    /// Remembers a fact of the run.
    pub fn set(&self, fact: RunFact, value: &str) -> Result<()> {
        self.with(|db| db.execute("INSERT OR REPLACE INTO run VALUES (?, ?)", [fact.key(), &redact(value)]).map(drop))
    }

    /// A fact of the run.
    pub fn get(&self, fact: RunFact) -> Result<Option<String>> {
        self.with(|db| db.query_row("SELECT value FROM run WHERE key = ?", [fact.key()], |r| r.get(0)).optional())
    }

    /// Remembers a fact that is a number.
    pub fn set_number(&self, fact: RunFact, value: u64) -> Result<()> {
        self.set(fact, &value.to_string())
    }

    /// A fact that is a number; an error if it is stored and is none.
    pub fn number(&self, fact: RunFact) -> Result<Option<u64>> {
        let parse = |text: String| text.parse().map_err(|e| self.unreadable(fact, Box::new(e)));
        self.get(fact)?.map(parse).transpose()
    }

    /// Remembers a fact as JSON.
    pub fn set_json(&self, fact: RunFact, value: &impl Serialize) -> Result<()> {
        self.set(fact, &serde_json::to_string(value).map_err(|e| self.unreadable(fact, Box::new(e)))?)
    }

    /// A fact that was stored as JSON; an error if it is stored and does not have this form.
    pub fn json<T: DeserializeOwned>(&self, fact: RunFact) -> Result<Option<T>> {
        let parse = |text: String| serde_json::from_str(&text).map_err(|e| self.unreadable(fact, Box::new(e)));
        self.get(fact)?.map(parse).transpose()
    }

    fn unreadable(&self, fact: RunFact, source: Box<dyn std::error::Error + Send + Sync>) -> Error {
        Error::Fact { path: self.dir().join("evidence.db"), key: fact.key(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_a_key_of_its_own() {
        let keys: std::collections::BTreeSet<&str> = RunFact::ALL.iter().map(|f| f.key()).collect();
        assert_eq!(keys.len(), RunFact::ALL.len());
    }

    #[test]
    fn a_fact_that_cannot_be_read_is_an_error_and_one_that_is_not_there_is_none() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        assert_eq!(evidence.number(RunFact::CpuMs).expect("read"), None);
        evidence.set_number(RunFact::CpuMs, 17).expect("stored");
        assert_eq!(evidence.number(RunFact::CpuMs).expect("read"), Some(17));
        evidence.set_json(RunFact::Environment, &["a", "b"]).expect("stored");
        assert_eq!(evidence.json::<Vec<String>>(RunFact::Environment).expect("read"), Some(vec!["a".into(), "b".into()]));
        let error = evidence.number(RunFact::Environment).expect_err("no number").to_string();
        assert!(error.ends_with("the run's \"environment\" cannot be read: invalid digit found in string"), "{error}");
        assert!(evidence.json::<u64>(RunFact::Environment).is_err());
    }
}
