//! A case: labels, what the specification says that follows from them, and what the deployed bot is known to do otherwise.

use std::collections::{BTreeMap, BTreeSet};

use bot::contract;
use serde::Deserialize;

/// `conformance.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    /// All cases.
    #[serde(rename = "case")]
    pub(super) cases: Vec<Case>,
}

/// A set of labels, and what follows from it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) why: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) links: bool,
    #[serde(default)]
    pub(super) without_bash: bool,
    #[serde(default)]
    captured: BTreeSet<String>,
    #[serde(default)]
    complaints: BTreeSet<String>,
    refused: Option<String>,
    #[serde(default)]
    hooks: BTreeMap<String, Vec<String>>,
    pub(super) restore: Option<BTreeMap<String, Variable>>,
    #[serde(default)]
    after: BTreeMap<String, String>,
    #[serde(default)]
    differs: Vec<Deviation>,
}

/// The value of a variable of the contract.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Variable {
    One(String),
    Several(Vec<String>),
}

impl Variable {
    /// As a bot reads it.
    pub(super) fn value(&self) -> String {
        match self {
            Self::One(value) => value.clone(),
            Self::Several(names) => contract::several(names.iter().map(String::as_str)),
        }
    }
}

/// What a deployed bot does otherwise: what is not said here is as in the case; `refused` must be said.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    what: String,
    captured: Option<BTreeSet<String>>,
    complaints: Option<BTreeSet<String>>,
    refused: Option<String>,
    hooks: Option<BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    restore_fails: bool,
}

/// What was seen of a case.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// The causes for which the bot made no snapshot.
    pub(super) refused: Option<BTreeSet<String>>,
    /// The causes of what it complained of and went on.
    pub(super) complaints: BTreeSet<String>,
    /// The files that it lists, as volume and path.
    pub(super) captured: BTreeSet<String>,
    /// The files that it hands over.
    pub(super) downloaded: BTreeSet<String>,
    /// What it said went wrong with the restore.
    pub(super) restore: Vec<String>,
    /// What files hold after the restore.
    pub(super) after: BTreeMap<String, String>,
    /// Owner, group, mode and time of the file that has some, after the restore.
    pub(super) attributes: Option<String>,
    /// What hooks wrote, by service.
    pub(super) hooks: BTreeMap<String, Vec<String>>,
}

/// What must be seen.
struct Expected<'a> {
    captured: &'a BTreeSet<String>,
    complaints: &'a BTreeSet<String>,
    refused: Option<&'a str>,
    hooks: &'a BTreeMap<String, Vec<String>>,
    after: &'a BTreeMap<String, String>,
    restore_fails: bool,
}

/// How a bot kept a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// As the specification says.
    Specified,
    /// As the deployed bot is known to; in which way it differs from the specification.
    Differently(String),
    /// Not at all; what is not as the specification says.
    Not(Vec<String>),
}

/// Any cause.
const ANY: &str = "*";
/// The file that has attributes, which its content stands for.
pub(super) const WITH_ATTRIBUTES: &str = "data/a/one";
/// Owner, group, mode and time of that file, as `stat` prints them.
const ATTRIBUTES: &str = "1234 2345 640 981173106";

impl Case {
    /// The files that are looked at after the restore.
    pub(super) fn looked_at(&self) -> impl Iterator<Item = &String> {
        self.after.keys()
    }

    /// Holds what was seen against the specification, and then against what is known of the deployed bot.
    pub(super) fn judge(&self, seen: &Seen) -> Kept {
        let differences = self.expected().differences(seen);
        if differences.is_empty() {
            return Kept::Specified;
        }
        let as_deployed = self.differs.iter().find(|d| self.otherwise(d).differences(seen).is_empty());
        as_deployed.map_or(Kept::Not(differences), |d| Kept::Differently(d.what.clone()))
    }

    fn expected(&self) -> Expected<'_> {
        Expected {
            captured: &self.captured,
            complaints: &self.complaints,
            refused: self.refused.as_deref(),
            hooks: &self.hooks,
            after: &self.after,
            restore_fails: false,
        }
    }

    fn otherwise<'a>(&'a self, deviation: &'a Deviation) -> Expected<'a> {
        Expected {
            captured: deviation.captured.as_ref().unwrap_or(&self.captured),
            complaints: deviation.complaints.as_ref().unwrap_or(&self.complaints),
            refused: deviation.refused.as_deref(),
            hooks: deviation.hooks.as_ref().unwrap_or(&self.hooks),
            restore_fails: deviation.restore_fails,
            ..self.expected()
        }
    }
}

impl Expected<'_> {
    /// What is not as it must be.
    fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut found = Vec::new();
        let mut differ = |what: &str, expected: String, is: String| {
            if expected != is {
                found.push(format!("{what}: expected {expected}, found {is}"));
            }
        };
        match (self.refused, &seen.refused) {
            (Some(_), Some(causes)) if self.refused == Some(ANY) && !causes.is_empty() => return found,
            (None, None) => {}
            (expected, causes) => {
                let expected: Option<BTreeSet<&str>> = expected.map(|cause| BTreeSet::from([cause]));
                differ("create refused", format!("{expected:?}"), format!("{causes:?}"));
                return found;
            }
        }
        differ("complaints", format!("{:?}", self.complaints), format!("{:?}", seen.complaints));
        differ("captured", format!("{:?}", self.captured), format!("{:?}", seen.captured));
        differ("files handed over", format!("{:?}", seen.captured), format!("{:?}", seen.downloaded));
        if self.restore_fails {
            differ("restore failed", "true".into(), (!seen.restore.is_empty()).to_string());
            return found;
        }
        differ("complaints of the restore", "[]".into(), format!("{:?}", seen.restore));
        for (path, expected) in self.after {
            differ(path, expected.clone(), seen.after.get(path).cloned().unwrap_or_default());
        }
        if let Some(attributes) = &seen.attributes
            && self.after.get(WITH_ATTRIBUTES).is_some_and(|content| content == WITH_ATTRIBUTES)
        {
            differ(&format!("owner, group, mode and time of {WITH_ATTRIBUTES}"), ATTRIBUTES.into(), attributes.clone());
        }
        for (service, lines) in &seen.hooks {
            let expected = self.hooks.get(service).cloned().unwrap_or_default();
            differ(&format!("hooks of {service}"), format!("{expected:?}"), format!("{lines:?}"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(text: &str) -> Case {
        toml::from_str(&format!("name = 'a'\nwhy = 'b'\n{text}")).expect("a case")
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn captured(names: &[&str]) -> Seen {
        Seen { captured: set(names), downloaded: set(names), ..Seen::default() }
    }

    fn refused(cause: &str) -> Seen {
        Seen { refused: Some(set(&[cause])), ..Seen::default() }
    }

    #[test]
    fn what_the_deployed_bot_does_is_told_from_what_nobody_should_do() {
        let case = case(
            "refused = 'not enabled'\n[[differs]]\nwhat = 'It backs up all the same.'\ncaptured = ['data/a']\n\
             [[differs]]\nwhat = 'It makes none.'\nrefused = 'no snapshot'\n",
        );
        assert_eq!(case.judge(&refused("not enabled")), Kept::Specified);
        assert_eq!(case.judge(&refused("no snapshot")), Kept::Differently("It makes none.".into()));
        assert_eq!(case.judge(&captured(&["data/a"])), Kept::Differently("It backs up all the same.".into()));
        let expected = "create refused: expected Some({\"not enabled\"}), found None";
        assert_eq!(case.judge(&captured(&["data/b"])), Kept::Not(vec![expected.into()]));
        assert!(matches!(case.judge(&refused("other")), Kept::Not(_)));
    }

    #[test]
    fn any_refusal_will_do_where_none_is_named() {
        let case = case("refused = '*'\n");
        assert_eq!(case.judge(&refused("other")), Kept::Specified);
        assert!(matches!(case.judge(&captured(&[])), Kept::Not(_)));
    }

    #[test]
    fn what_is_listed_must_be_handed_over() {
        let case = case("captured = ['data/a', 'db/d']\n");
        assert_eq!(case.judge(&captured(&["data/a", "db/d"])), Kept::Specified);
        let less = Seen { downloaded: set(&["data/a"]), ..captured(&["data/a", "db/d"]) };
        let expected = "files handed over: expected {\"data/a\", \"db/d\"}, found {\"data/a\"}";
        assert_eq!(case.judge(&less), Kept::Not(vec![expected.into()]));
    }

    #[test]
    fn hooks_files_and_attributes_after_a_restore() {
        let case = case(
            "captured = []\nrestore = { VOLUMES = ['a', 'b'] }\nafter = { 'data/a/one' = 'data/a/one' }\nhooks = { app = ['pre'] }\n\
             [[differs]]\nwhat = 'It fails.'\nrestore_fails = true\n",
        );
        let good = Seen {
            after: BTreeMap::from([("data/a/one".into(), "data/a/one".into())]),
            attributes: Some(ATTRIBUTES.into()),
            hooks: BTreeMap::from([("app".into(), vec!["pre".into()]), ("db".into(), vec![])]),
            ..Seen::default()
        };
        assert_eq!(case.judge(&good), Kept::Specified);
        assert_eq!(case.restore.as_ref().expect("a restore")["VOLUMES"].value(), "a , b");
        let wrong = [
            Seen { attributes: Some("0 0 640 1".into()), ..good.clone() },
            Seen { after: BTreeMap::new(), ..good.clone() },
            Seen { hooks: BTreeMap::from([("app".into(), vec![])]), ..good.clone() },
            Seen { hooks: BTreeMap::from([("db".into(), vec!["pre".into()])]), ..good.clone() },
            Seen { complaints: set(&["hook"]), ..good.clone() },
        ];
        for seen in wrong {
            assert!(matches!(case.judge(&seen), Kept::Not(_)), "{seen:?}");
        }
        assert_eq!(case.judge(&Seen { restore: vec!["links".into()], ..good }), Kept::Differently("It fails.".into()));
    }
}
