//! Why a run ended before its end: then it proves nothing, whatever it had seen by then.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::say::finding;
use crate::store::{Evidence, RunFact};

/// Where and why a run ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ended {
    /// The phase that was under way, by its name.
    pub phase: String,
    /// The error's text, without secrets.
    pub why: String,
    /// Whether the restore had begun.
    pub restored: bool,
}

impl Ended {
    /// As the run stored it; none where it came to its end, or was killed.
    pub fn read(evidence: &Evidence) -> Result<Option<Self>> {
        evidence.json(RunFact::Ended)
    }

    /// Stores it.
    pub fn store(&self, evidence: &Evidence) -> Result<()> {
        evidence.set_json(RunFact::Ended, self)
    }

    /// What it means for the verdict about an observation; `what` names what was not read.
    pub(crate) fn finding(&self, what: String) -> Finding {
        finding(Item::Observation { what }, Outcome::Unread, None, self.to_string())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, why, restored } = self;
        let so = if *restored { "so nothing is proven" } else { "nothing was restored, so nothing is proven" };
        write!(f, "the run ended in phase {phase}: {why}; {so}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_a_run_is_read_as_it_was_stored() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        assert_eq!(Ended::read(&evidence).expect("read"), None);
        let ended = Ended { phase: "wipe".into(), why: "a file is left".into(), restored: false };
        ended.store(&evidence).expect("stored");
        assert_eq!(Ended::read(&evidence).expect("read"), Some(ended.clone()));
        let said = "the run ended in phase wipe: a file is left; nothing was restored, so nothing is proven";
        assert_eq!(ended.to_string(), said);
        let later = Ended { phase: "observe".into(), restored: true, ..ended };
        assert_eq!(later.to_string(), "the run ended in phase observe: a file is left; so nothing is proven");
        evidence.set(RunFact::Ended, "{").expect("stored");
        assert!(Ended::read(&evidence).is_err());
    }
}
