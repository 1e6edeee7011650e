//! What findings mean, their usual causes and how to fix them, as data: `meanings.toml` next to this file.

use std::sync::LazyLock;

use recipe::glob::matches;
use serde::Deserialize;

use crate::model::{Item, Outcome, essence};

/// What one kind of finding means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The word by which `explain` knows it.
    pub name: String,
    /// Globs of these findings, without their details.
    pub findings: Vec<String>,
    /// What it means for the app's users.
    pub means: String,
    /// Its usual causes.
    pub causes: Vec<String>,
    /// How to find the cause, and how to fix it.
    pub fix: String,
}

#[derive(Deserialize)]
struct All {
    meaning: Vec<Meaning>,
}

static ALL: LazyLock<Vec<Meaning>> =
    LazyLock::new(|| toml::from_str::<All>(include_str!("meanings.toml")).map(|a| a.meaning).unwrap_or_default());

/// All meanings, in the order in which they are tried.
pub fn all() -> &'static [Meaning] {
    &ALL
}

/// What a finding means.
pub(crate) fn of(item: &Item, outcome: Outcome, property: Option<&str>) -> Option<&'static Meaning> {
    let line = essence(item, outcome, property);
    ALL.iter().find(|m| m.findings.iter().any(|glob| matches(glob, &line)))
}

/// The meanings of a finding as a report writes it, or of a word: that with the first glob that matches, that of this name, or all
/// in which the word appears.
pub fn find(text: &str) -> Vec<&'static Meaning> {
    let bare = text.trim().trim_start_matches("- ");
    let is = |m: &&Meaning| m.findings.iter().any(|glob| matches(glob, bare) || matches(&format!("{glob}: *"), bare));
    if let Some(one) = ALL.iter().find(is) {
        return vec![one];
    }
    let word = bare.to_lowercase();
    let name = word.replace(' ', "-");
    match ALL.iter().find(|m| m.name == name) {
        Some(one) => vec![one],
        None => ALL.iter().filter(|m| m.name.contains(&name) || m.means.to_lowercase().contains(&word)).collect(),
    }
}

impl Meaning {
    /// As `explain` prints it.
    pub fn text(&self) -> String {
        let causes: String = self.causes.iter().map(|c| format!("  - {c}\n")).collect();
        format!("{}\n  {}\n\nUsual causes:\n{causes}\nWhat to do:\n  {}\n\n", self.name, self.means, self.fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BotStep, Cause, Finding, Item, Outcome, Trial, TrialKind};

    #[test]
    fn a_finding_is_explained_as_a_report_writes_it() {
        let item = Item::Folder { account: "u01@mail.test".into(), folder: "INBOX".into() };
        let finding = Finding {
            item,
            outcome: Outcome::Altered,
            property: Some("uidvalidity".into()),
            detail: "was 1, is 2; every mail client will download the folder again".into(),
        };
        assert_eq!(find(&finding.to_string())[0].name, "uidvalidity");
        assert_eq!(find("uidvalidity")[0].name, "uidvalidity");
        assert!(find("no such thing at all").is_empty());
    }

    /// A part is not explained as the whole that it is in.
    #[test]
    fn what_is_lost_is_explained_by_what_it_is() {
        let (account, database) = ("u@mail.test".to_owned(), "d".to_owned());
        for (item, outcome, property, name) in [
            (Item::Account { account: account.clone() }, Outcome::Lost, None, "login-lost"),
            (Item::Account { account: account.clone() }, Outcome::Unread, None, "login-unread"),
            (Item::Folder { account: account.clone(), folder: "INBOX".into() }, Outcome::Lost, None, "folder-lost"),
            (Item::Script { account: account.clone(), script: "s".into() }, Outcome::Lost, None, "sieve-script"),
            (Item::Script { account, script: "*".into() }, Outcome::Unread, None, "login-unread"),
            (Item::Database { database: database.clone() }, Outcome::Lost, None, "database-lost"),
            (Item::Database { database: database.clone() }, Outcome::Unread, Some("settings"), "database-settings"),
            (Item::Row { database: database.clone(), table: "t".into(), key: "1".into() }, Outcome::Lost, None, "row-lost"),
            (
                Item::Object { database: database.clone(), what: "index".into(), name: "i".into() },
                Outcome::Lost,
                None,
                "database-object",
            ),
            (Item::Object { database, what: "role".into(), name: "r".into() }, Outcome::Lost, None, "database-object-role"),
        ] {
            assert_eq!(of(&item, outcome, property).map(|m| m.name.as_str()), Some(name), "{item}: {outcome}");
        }
    }

    /// Whatever the judges can find has a meaning.
    #[test]
    fn every_outcome_of_every_kind_has_a_meaning() {
        let (account, volume, path) = ("u@mail.test".to_owned(), "v".to_owned(), "p".to_owned());
        let message = Item::Message { account: account.clone(), folder: "INBOX".into(), uid: 1, corpus: None };
        let folder = Item::Folder { account: account.clone(), folder: "INBOX".into() };
        let login = Item::Account { account: account.clone() };
        let database = Item::Database { database: "d".into() };
        let row = Item::Row { database: "d".into(), table: "t".into(), key: "1".into() };
        let object = Item::Object { database: "d".into(), what: "index".into(), name: "t_i".into() };
        let file = Item::File { volume: volume.clone(), path: path.clone() };
        let mount = Item::Mount { service: "app".into(), path: path.clone() };
        let layer = Item::Layer { service: "app".into(), path: path.clone() };
        let snapshot = Item::Snapshot { volume, path };
        let script = Item::Script { account, script: "s".into() };
        let fact = Item::Fact { fact: "mail queue".into() };
        let key = Item::Key { service: "db".into(), number: Some(0), key: "k".into() };
        let trial = Item::Trial { trial: Trial::new(TrialKind::MailOut, ["a@relayed.example"]) };
        let secret = Item::Secret { secret: "KEY".into() };
        let observation = Item::Observation { what: "observation \"restored\"".into() };
        use Outcome::{Altered, Duplicated, Lost, Misplaced, Noted, Recovered, Resurrected, Unexpected, Unread, Unresolved};
        let cases: [(&Item, Outcome, &[Option<&str>]); 48] = [
            (&message, Lost, &[None]),
            (
                &message,
                Altered,
                &[
                    Some("bytes"),
                    Some("unreadable"),
                    Some("uid"),
                    Some("flags"),
                    Some("keywords"),
                    Some("internaldate"),
                    Some("size"),
                ],
            ),
            (&message, Misplaced, &[None]),
            (&message, Duplicated, &[None]),
            (&message, Resurrected, &[None]),
            (&message, Unexpected, &[None]),
            (&message, Recovered, &[None]),
            (&message, Unresolved, &[None]),
            (&folder, Lost, &[None]),
            (&folder, Unexpected, &[None]),
            (
                &folder,
                Altered,
                &[
                    Some("uidvalidity"),
                    Some("uidnext"),
                    Some("highestmodseq"),
                    Some("special-use"),
                    Some("subscription"),
                    Some("guid"),
                    Some("acl"),
                    Some("annotation"),
                ],
            ),
            (&login, Lost, &[None]),
            (&login, Unread, &[None, Some("quota")]),
            (&login, Altered, &[Some("quota limit"), Some("quota usage")]),
            (&database, Altered, &[Some("file"), Some("integrity_check"), Some("foreign_key_check"), Some("user_version")]),
            (&database, Lost, &[None]),
            (&database, Unread, &[None, Some("settings")]),
            (&object, Lost, &[None]),
            (&object, Altered, &[Some("definition"), Some("grants")]),
            (&object, Unexpected, &[None]),
            (&row, Lost, &[None]),
            (&row, Altered, &[Some("password")]),
            (&row, Unexpected, &[None]),
            (&file, Lost, &[None, Some("target")]),
            (&file, Unexpected, &[None]),
            (
                &file,
                Altered,
                &[
                    Some("bytes"),
                    Some("owner"),
                    Some("mode"),
                    Some("mtime"),
                    Some("link"),
                    Some("target"),
                    Some("type"),
                    Some("device"),
                    Some("acl"),
                    Some("capability"),
                    Some("xattr"),
                ],
            ),
            (&file, Unread, &[None]),
            (&file, Noted, &[Some("holes")]),
            (&file, Noted, &[None]),
            (&key, Noted, &[None]),
            (&mount, Lost, &[None]),
            (&layer, Lost, &[None]),
            (&layer, Unread, &[None]),
            (&snapshot, Lost, &[None, Some("dump")]),
            (&snapshot, Unread, &[None, Some("dump")]),
            (&snapshot, Altered, &[Some("dump")]),
            (&script, Lost, &[None]),
            (&script, Altered, &[Some("bytes"), Some("active")]),
            (&script, Unexpected, &[None]),
            (&fact, Altered, &[None]),
            (&key, Lost, &[None]),
            (&key, Altered, &[Some("type"), Some("value"), Some("expiry")]),
            (&key, Unexpected, &[None]),
            (&key, Unread, &[None]),
            (&trial, Altered, &[None]),
            (&trial, Unread, &[None]),
            (&secret, Lost, &[None]),
            (&observation, Unread, &[None]),
        ];
        for (item, outcome, properties) in cases {
            for property in properties {
                let line = crate::model::essence(item, outcome, *property);
                assert_eq!(find(&line).len(), 1, "{line}");
            }
        }
    }

    #[test]
    fn every_cause_of_a_failed_step_has_a_meaning() {
        for (step, cause) in BotStep::ALL.into_iter().flat_map(|step| Cause::ALL.map(|cause| (step, cause))) {
            let line = crate::model::essence(&Item::Step { step }, crate::steps::outcome(step, cause), Some(cause.name()));
            assert_eq!(find(&line).len(), 1, "{line}");
            assert_ne!(find(&line)[0].name, "fact", "{line}");
        }
    }

    #[test]
    fn names_are_unique_and_each_has_a_cause_and_a_fix() {
        let names: std::collections::BTreeSet<&str> = all().iter().map(|m| m.name.as_str()).collect();
        assert!(names.len() > 30 && names.len() == all().len());
        assert!(all().iter().all(|m| !m.causes.is_empty() && !m.fix.is_empty() && !m.findings.is_empty()));
    }
}
