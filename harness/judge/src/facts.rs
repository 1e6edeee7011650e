//! What commands in containers print, and what was tried as a user would.

use std::collections::BTreeMap;

use crate::model::{Finding, Item, Outcome};
use crate::say::{changed, finding};
use crate::store::{FactSeen, TrialSeen};

/// The facts that may be empty, each with the scenario's reason.
pub(crate) type MayBeEmpty = BTreeMap<String, String>;

/// What is empty before the backup and after the restore may be so for any reason, and proves nothing.
pub(crate) fn facts(old: &[FactSeen], new: &[FactSeen], may_be_empty: &MayBeEmpty, findings: &mut Vec<Finding>) {
    for o in old {
        let item = Item::Fact { fact: o.fact.clone() };
        match (&o.value, new.iter().find(|n| n.fact == o.fact).and_then(|n| n.value.as_ref())) {
            (Some(was), Some(is)) if was == is && was.is_empty() && !may_be_empty.contains_key(&o.fact) => {
                let detail =
                    "it was empty before the backup already, which proves nothing; seed it, or give the reason as may_be_empty";
                findings.push(finding(item, Outcome::Unread, None, detail.into()));
            }
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                findings.push(finding(item, Outcome::Altered, None, changed(format!("{was:?}"), format!("{is:?}"))));
            }
            _ => findings.push(finding(item, Outcome::Unread, None, "the command that prints it failed".into())),
        }
    }
}

/// The trials after a restore that did not give the expected result. What was tried before must be tried again; what did not
/// give the expected result before either shows nothing, whatever it gives now.
pub fn trials(before: &[TrialSeen], after: &[TrialSeen]) -> Vec<Finding> {
    let missing = before.iter().filter(|b| !after.iter().any(|a| a.trial == b.trial));
    let missing = missing.map(|t| of_trial(t, Outcome::Unread, "it was not tried again".into()));
    let tried = after.iter().filter_map(|now| match before.iter().find(|b| b.trial == now.trial).and_then(unexpected) {
        Some((_, why)) => Some(of_trial(now, Outcome::Unread, format!("it did not work before the restore either: {why}"))),
        None => unexpected(now).map(|(outcome, why)| of_trial(now, outcome, why)),
    });
    missing.chain(tried).collect()
}

fn of_trial(seen: &TrialSeen, outcome: Outcome, detail: String) -> Finding {
    finding(Item::Trial { trial: seen.trial.clone() }, outcome, None, detail)
}

/// What is wrong with what came of a trial; none if it is what was expected.
fn unexpected(seen: &TrialSeen) -> Option<(Outcome, String)> {
    match &seen.value {
        Ok(value) if *value == seen.expected => None,
        Ok(value) => Some((Outcome::Altered, format!("expected {:?}, got {value:?}", seen.expected))),
        Err(why) => Some((Outcome::Unread, why.clone())),
    }
}
