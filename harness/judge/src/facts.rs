//! What commands in containers print, and what was tried as a user would.

use crate::model::{Finding, Item, Outcome};
use crate::say::{changed, finding};
use crate::store::{FactSeen, TrialSeen};

pub(crate) fn facts(old: &[FactSeen], new: &[FactSeen], findings: &mut Vec<Finding>) {
    for o in old {
        let item = Item::Fact { fact: o.fact.clone() };
        match (&o.value, new.iter().find(|n| n.fact == o.fact).and_then(|n| n.value.as_ref())) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                findings.push(finding(item, Outcome::Altered, None, changed(format!("{was:?}"), format!("{is:?}"))));
            }
            _ => findings.push(finding(item, Outcome::Unread, None, "the command that prints it failed".into())),
        }
    }
}

/// The trials after a restore that did not give the expected result. What was tried before must be tried again.
pub fn trials(before: &[TrialSeen], after: &[TrialSeen]) -> Vec<Finding> {
    let item = |t: &TrialSeen| Item::Trial { trial: t.trial.clone() };
    let missing = before.iter().filter(|b| !after.iter().any(|a| a.trial == b.trial));
    let mut findings: Vec<Finding> =
        missing.map(|t| finding(item(t), Outcome::Unread, None, "it was not tried again".into())).collect();
    findings.extend(after.iter().filter_map(|t| match &t.value {
        Ok(value) if *value == t.expected => None,
        Ok(value) => Some(finding(item(t), Outcome::Altered, None, format!("expected {:?}, got {value:?}", t.expected))),
        Err(why) => Some(finding(item(t), Outcome::Unread, None, why.clone())),
    }));
    findings
}
