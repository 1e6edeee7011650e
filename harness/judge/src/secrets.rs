//! Secrets that the run generates, and which of the old ones a restored app needs. The backup has none of them: the deployment into which
//! it is restored gets new values.
//!
//! That an old value is needed is said only where it was seen both ways: something is wrong with the new values, it is as before with all
//! old ones put back, and with this one alone renewed once more it is wrong again. What restarting services mends, and what fails at
//! random, is no matter of secrets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::count::counted;
use crate::declared;
use crate::error::Result;
use crate::kept::KeptSecret;
use crate::model::{Finding, Item, Outcome, essence};
use crate::property;
use crate::say::{finding, part};
use crate::store::{Evidence, RunFact};

/// What is wrong at an observation, without prose; none of one that is not complete.
type Seen = Result<Option<BTreeSet<String>>>;

/// What a run did about the secrets that it generates, by the names of their variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secrets {
    /// Those that had a new value when the app was deployed for the restore.
    pub renewed: BTreeSet<String>,
    /// Those that the inventory keeps.
    pub kept: Vec<KeptSecret>,
    /// What was tried to find out which of the old values the restored app needs.
    pub attempts: Vec<Attempt>,
}

/// The restored app, deployed once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What it is to explain.
    pub of: Trouble,
    /// The secrets that had a new value; all others had the old one.
    pub new: BTreeSet<String>,
    /// What came of it.
    pub came: Came,
}

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trouble {
    /// The app did not come up after the restore.
    Start,
    /// What an observation found.
    Observation(String),
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Came {
    /// The app came up.
    Up,
    /// The app came up, and was observed under this name.
    Observed(String),
    /// The app did not come up, and why.
    Down(String),
}

impl Secrets {
    /// As the run stored it; none before the app was deployed for a restore.
    pub fn read(evidence: &Evidence) -> Result<Option<Self>> {
        evidence.json(RunFact::Secrets)
    }

    /// Stores it.
    pub fn store(&self, evidence: &Evidence) -> Result<()> {
        evidence.set_json(RunFact::Secrets, self)
    }

    fn came(&self, of: &Trouble, new: &BTreeSet<String>) -> Option<&Came> {
        self.attempts.iter().rev().find(|a| a.of == *of && a.new == *new).map(|a| &a.came)
    }

    /// What came of an attempt in which only this secret had a new value.
    fn came_with(&self, of: &Trouble, secret: &str) -> Option<&Came> {
        self.came(of, &BTreeSet::from([secret.to_owned()]))
    }

    /// The secrets without which the app does not come up: all old, it does; with a new value of this one, it does not.
    pub fn needed_to_start(&self) -> Vec<Need> {
        if self.came(&Trouble::Start, &BTreeSet::new()) != Some(&Came::Up) {
            return vec![];
        }
        let needed = self.renewed.iter().filter_map(|secret| match self.came_with(&Trouble::Start, secret)? {
            Came::Down(why) => Some(Need { secret: secret.clone(), down: Some(why.clone()), wrong: BTreeSet::new() }),
            Came::Up | Came::Observed(_) => None,
        });
        needed.collect()
    }

    /// What was found at `stage` and not with all old values. `wrong` is what was, without prose; `at` gives the same of another
    /// observation, and none of one that is not complete.
    fn mended(&self, stage: &str, wrong: &BTreeSet<String>, at: impl Fn(&str) -> Seen) -> Result<BTreeSet<String>> {
        let of = Trouble::Observation(stage.to_owned());
        let Some(Came::Observed(with_old)) = self.came(&of, &BTreeSet::new()) else { return Ok(BTreeSet::new()) };
        Ok(at(with_old)?.map(|still| wrong.difference(&still).cloned().collect()).unwrap_or_default())
    }

    /// The secrets without which what was found at `stage` is wrong.
    fn needed_for(&self, stage: &str, wrong: &BTreeSet<String>, at: impl Fn(&str) -> Seen) -> Result<Vec<Need>> {
        let of = Trouble::Observation(stage.to_owned());
        let mended = self.mended(stage, wrong, &at)?;
        if mended.is_empty() {
            return Ok(vec![]);
        }
        let mut needs = Vec::new();
        for secret in &self.renewed {
            let (down, again) = match self.came_with(&of, secret) {
                Some(Came::Observed(with_new)) => (None, at(with_new)?.unwrap_or_default()),
                // Nothing can be seen of an app that is not there: what is not wrong with all others new is so because of this one.
                Some(Came::Down(why)) => {
                    let others = self.renewed.iter().filter(|other| *other != secret).cloned().collect();
                    let without = match self.came(&of, &others) {
                        Some(Came::Observed(name)) => at(name)?,
                        _ => None,
                    };
                    let again = without.map(|without| mended.difference(&without).cloned().collect());
                    (Some(why.clone()), again.unwrap_or_default())
                }
                Some(Came::Up) | None => continue,
            };
            let wrong: BTreeSet<String> = mended.intersection(&again).cloned().collect();
            if down.is_some() || !wrong.is_empty() {
                needs.push(Need { secret: secret.clone(), down, wrong });
            }
        }
        Ok(needs)
    }
}

/// A secret whose old value the restored app needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The secret.
    pub secret: String,
    /// Why the app does not come up with a new value, where it does not.
    down: Option<String>,
    /// What is wrong with a new value and not with the old one, in the words of findings without their prose.
    wrong: BTreeSet<String>,
}

impl Need {
    /// What findings say that follow from it.
    fn said(&self) -> String {
        format!("needs {}, which no backup has", self.secret)
    }

    fn finding(&self) -> Finding {
        let seen = match (&self.down, self.wrong.first()) {
            (Some(why), _) => format!("with a new value it does not come up, and with the old one it does: {}", part(why)),
            (None, Some(first)) => {
                let n = counted(self.wrong.len() as u64, "finding");
                format!("{n} with a new value and none of them with the old one, such as {first}")
            }
            (None, None) => String::new(),
        };
        let item = Item::Secret { secret: self.secret.clone() };
        finding(item, Outcome::Lost, None, format!("the restored app {}: {seen}", self.said()))
    }
}

/// Whether what is found can follow from a secret: it was seen through the app, or by a client that logs in.
pub(crate) fn may_follow(found: &Finding) -> bool {
    let property = found.property.as_deref();
    found.outcome.weight().is_some()
        && match found.item {
            Item::Trial { .. } | Item::Fact { .. } => true,
            Item::Account { .. } => property.is_none(),
            Item::Message { .. } => property == Some(property::UNREADABLE),
            Item::Database { .. } => property.is_none_or(|p| p == crate::rows::FILE),
            Item::Script { .. } | Item::Key { .. } => found.outcome == Outcome::Unread,
            _ => false,
        }
}

/// The essences of what may follow from a secret.
fn essences(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().filter(|f| may_follow(f)).map(of).collect()
}

fn of(found: &Finding) -> String {
    essence(&found.item, found.outcome, found.property.as_deref())
}

/// Adds which secrets the restored app needs, and says so at the findings that follow from it. `at` gives the findings of another
/// observation, none of one that is not complete.
pub(crate) fn judged(
    evidence: &Evidence,
    stage: &str,
    mut findings: Vec<Finding>,
    at: impl Fn(&str) -> Result<Option<Vec<Finding>>>,
) -> Result<Vec<Finding>> {
    let secrets: Secrets = match declared::optional(evidence, RunFact::Secrets)? {
        Ok(secrets) => secrets.unwrap_or_default(),
        Err(unread) => {
            findings.push(unread);
            return Ok(findings);
        }
    };
    let seen = |stage: &str| Ok(at(stage)?.map(|findings| essences(&findings)));
    let mut needs = secrets.needed_for(stage, &essences(&findings), seen)?;
    for found in &mut findings {
        let said = of(found);
        for need in needs.iter().filter(|need| need.wrong.contains(&said)) {
            found.detail = format!("{}; {}", found.detail, need.said());
        }
    }
    needs.extend(secrets.needed_to_start());
    findings.extend(needs.iter().map(Need::finding));
    Ok(findings)
}

/// What is wrong at a stage, and was not with all old values.
pub(crate) fn mended(
    evidence: &Evidence,
    stage: &str,
    at: impl Fn(&str) -> Result<Option<Vec<Finding>>>,
) -> Result<BTreeSet<String>> {
    let seen = |stage: &str| Ok(at(stage)?.map(|findings| essences(&findings)));
    let secrets = Secrets::read(evidence)?.unwrap_or_default();
    secrets.mended(stage, &seen(stage)?.unwrap_or_default(), seen)
}

/// What a restore needs besides the backup. What cannot be read is a finding elsewhere.
pub(crate) fn kept(evidence: &Evidence) -> Result<Vec<KeptSecret>> {
    let secrets: Option<Secrets> = declared::optional(evidence, RunFact::Secrets)?.unwrap_or(None);
    Ok(secrets.map(|s| s.kept).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[&str]) -> BTreeSet<String> {
        of.iter().map(ToString::to_string).collect()
    }

    fn secrets(renewed: &[&str], of: &Trouble, attempts: &[(&[&str], Came)]) -> Secrets {
        let attempts = attempts.iter().map(|(new, came)| Attempt { of: of.clone(), new: set(new), came: came.clone() });
        Secrets { renewed: set(renewed), kept: vec![], attempts: attempts.collect() }
    }

    fn observed(name: &str) -> Came {
        Came::Observed(name.into())
    }

    fn down() -> Came {
        Came::Down("waiting for door http\nno answer".into())
    }

    /// What is wrong with all values new, with all old, with A new, with B new; who is needed for what.
    fn needed(wrong: &[&str], old: &[&str], a: Came, b: Came) -> Vec<(String, BTreeSet<String>)> {
        let of = Trouble::Observation("restored".into());
        let secrets = secrets(&["A", "B"], &of, &[(&[], observed("old")), (&["A"], a), (&["B"], b)]);
        let at = |name: &str| {
            Ok(match name {
                "old" => Some(set(old)),
                "incomplete" => None,
                wrong => Some(wrong.split(' ').map(str::to_owned).collect()),
            })
        };
        let needs = secrets.needed_for("restored", &set(wrong), at).expect("judged");
        needs.into_iter().map(|n| (n.secret, n.wrong)).collect()
    }

    #[test]
    fn a_secret_is_needed_where_its_old_value_mends_and_its_new_one_breaks_again() {
        let a = |wrong: &[&str]| ("A".to_owned(), set(wrong));
        let b = |wrong: &[&str]| ("B".to_owned(), set(wrong));
        assert_eq!(needed(&["x", "y"], &["y"], observed("x y"), observed("y")), [a(&["x"])]);
        assert_eq!(needed(&["x", "y"], &[], observed("x"), observed("y")), [a(&["x"]), b(&["y"])]);
        assert_eq!(needed(&["x"], &[], observed("x"), down()), [a(&["x"]), b(&[])]);
        assert_eq!(needed(&["x", "y"], &[], observed("x"), down()), [a(&["x"]), b(&["y"])]);
        assert_eq!(needed(&["x"], &[], down(), down()), [a(&[]), b(&[])]);
    }

    #[test]
    fn what_is_mended_by_a_restart_or_not_at_all_says_nothing_of_secrets() {
        assert_eq!(needed(&["x"], &["x"], observed("x"), observed("x")), []);
        assert_eq!(needed(&["x"], &[], observed("y"), observed("z")), []);
        assert_eq!(needed(&["x"], &[], observed("incomplete"), Came::Up), []);
        let of = Trouble::Observation("restored".into());
        let nothing_tried = secrets(&["A"], &of, &[(&["A"], down())]);
        assert_eq!(nothing_tried.needed_for("restored", &set(&["x"]), |_| Ok(Some(set(&[])))).expect("judged"), []);
        let of_another = secrets(&["A"], &Trouble::Observation("another".into()), &[(&[], observed("old")), (&["A"], down())]);
        assert_eq!(of_another.needed_for("restored", &set(&["x"]), |_| Ok(Some(set(&[])))).expect("judged"), []);
    }

    #[test]
    fn an_app_that_does_not_come_up_needs_those_with_which_alone_renewed_it_does_not() {
        let start = |attempts: &[(&[&str], Came)]| secrets(&["A", "B"], &Trouble::Start, attempts).needed_to_start();
        let needs = start(&[(&["A", "B"], down()), (&[], Came::Up), (&["A"], down()), (&["B"], Came::Up)]);
        assert_eq!(needs.iter().map(|n| n.secret.as_str()).collect::<Vec<_>>(), ["A"]);
        let said = "secret A: lost: the restored app needs A, which no backup has: with a new value it does not come up, and with the \
                    old one it does: waiting for door http no answer";
        assert_eq!(needs[0].finding().to_string(), said);
        assert_eq!(start(&[(&["A", "B"], down()), (&[], down()), (&["A"], down()), (&["B"], down())]), []);
        assert_eq!(start(&[(&["A", "B"], down()), (&[], Came::Up), (&["A"], Came::Up), (&["B"], Came::Up)]), []);
    }

    #[test]
    fn only_what_is_seen_through_the_app_may_follow_from_a_secret() {
        let fact = Item::Fact { fact: "f".into() };
        let file = Item::File { volume: "v".into(), path: "p".into() };
        let database = Item::Database { database: "d".into() };
        let found = |item: &Item, outcome, property: Option<&str>| finding(item.clone(), outcome, property, String::new());
        for (found, may) in [
            (found(&fact, Outcome::Altered, None), true),
            (found(&fact, Outcome::Noted, None), false),
            (found(&file, Outcome::Lost, None), false),
            (found(&database, Outcome::Altered, Some("file")), true),
            (found(&database, Outcome::Altered, Some("integrity_check")), false),
        ] {
            assert_eq!(may_follow(&found), may, "{found}");
        }
    }
}
