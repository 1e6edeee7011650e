//! What a scenario declared, as a run stored it. A declaration that is not there or cannot be read is unknown, never empty.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::model::{Finding, Item, Outcome};
use crate::say::finding;
use crate::store::{Evidence, RunFact};

/// A declaration that may not be there; a finding where it is there and cannot be read.
pub(crate) fn optional<T: DeserializeOwned>(evidence: &Evidence, fact: RunFact) -> Result<Result<Option<T>, Finding>> {
    match evidence.json(fact) {
        Ok(declared) => Ok(Ok(declared)),
        Err(Error::Fact { source, .. }) => {
            Ok(Err(unread(fact, format!("the run stored it in a form that cannot be read: {source}"))))
        }
        Err(e) => Err(e),
    }
}

/// A declaration that every run stores; a finding where it is not there or cannot be read.
pub(crate) fn required<T: DeserializeOwned>(evidence: &Evidence, fact: RunFact) -> Result<Result<T, Finding>> {
    Ok(optional(evidence, fact)?.and_then(|declared| declared.ok_or_else(|| not_stored(fact))))
}

/// A finding where a declaration that every run stores is not there.
pub(crate) fn missing(evidence: &Evidence, fact: RunFact) -> Result<Option<Finding>> {
    Ok(evidence.get(fact)?.is_none().then(|| not_stored(fact)))
}

fn not_stored(fact: RunFact) -> Finding {
    unread(fact, "the run did not store it".into())
}

fn unread(fact: RunFact, detail: String) -> Finding {
    finding(Item::Observation { what: format!("declaration {:?}", fact.key()) }, Outcome::Unread, None, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_is_there_or_not_or_cannot_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let optional = || optional::<Vec<u8>>(&evidence, RunFact::Checks).expect("asked").map_err(|f| f.to_string());
        let required = || required::<Vec<u8>>(&evidence, RunFact::Checks).expect("asked").map_err(|f| f.to_string());
        assert_eq!(optional(), Ok(None));
        assert_eq!(required(), Err("declaration \"checks\": unread: the run did not store it".into()));
        let missing = || missing(&evidence, RunFact::Checks).expect("asked").map(|f| f.to_string());
        assert_eq!(missing(), Some("declaration \"checks\": unread: the run did not store it".into()));
        evidence.set(RunFact::Checks, "[1]").expect("stored");
        assert_eq!((optional(), required()), (Ok(Some(vec![1])), Ok(vec![1])));
        assert_eq!(missing(), None);
        evidence.set(RunFact::Checks, "[").expect("stored");
        let said = "declaration \"checks\": unread: the run stored it in a form that cannot be read: EOF while parsing a list at \
                    line 1 column 1";
        assert_eq!((optional(), required()), (Err(said.to_owned()), Err(said.to_owned())));
    }
}
