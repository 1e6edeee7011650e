//! What parsing alone does not find wrong in `faults.toml`: names of what is not there, and findings that are none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{AS_NEW, Action, Choice, Command, EVERYTHING, Expected, FOLDER, Fault, Faults, OUTCOMES, Place, parted};

/// What a scenario has that its faults may name.
pub struct Known<'a> {
    /// The services of its compose files.
    pub services: &'a BTreeSet<String>,
    /// Its databases that take statements.
    pub databases: &'a BTreeSet<String>,
    /// The secrets that its inventory keeps.
    pub secrets: &'a BTreeSet<String>,
    /// The rules of `labels lint`.
    pub rules: &'a BTreeSet<String>,
    /// The scenario's folder.
    pub dir: &'a Path,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The name below which the value is written: a fault's, or that of an entry of `[lost]` or `[also]`.
    pub below: Option<String>,
    /// The value, as it is written.
    pub value: String,
    /// What is wrong with it, and what was expected.
    pub message: String,
}

impl Wrong {
    fn new(value: &str, message: String) -> Self {
        Self { below: None, value: value.to_owned(), message }
    }

    /// The same, of what is written below a name; `place` says so to a reader.
    fn below(self, name: &str, place: &str) -> Self {
        Self { below: Some(name.to_owned()), message: format!("{place} {name:?}: {}", self.message), ..self }
    }
}

impl Faults {
    /// Everything that is wrong.
    pub fn check(&self, known: &Known<'_>) -> Vec<Wrong> {
        let mut wrong = self.named_twice();
        for fault in &self.faults {
            wrong.extend(fault.check(self, known).into_iter().map(|w| w.below(&fault.name, "fault")));
        }
        wrong.extend(self.save.iter().chain(&self.put_back).flat_map(|action| action.check(known)));
        for (name, expected) in &self.also {
            let found = expected.iter().filter_map(|e| e.check(Some(&self.targets), &self.lost));
            wrong.extend(found.map(|w| w.below(name, "also")));
        }
        for (name, expected) in &self.lost {
            if self.leads_back(name) {
                wrong.push(Wrong::new(name, format!("lost {name:?} stands for itself")));
            }
            wrong.extend(expected.iter().filter_map(|e| e.check(None, &self.lost)).map(|w| w.below(name, "lost")));
        }
        wrong
    }

    /// The names that more than one fault has.
    fn named_twice(&self) -> Vec<Wrong> {
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        self.faults.iter().for_each(|fault| *count.entry(&fault.name).or_default() += 1);
        let twice = count.into_iter().filter(|(_, count)| *count > 1);
        twice.map(|(name, count)| Wrong::new(name, format!("{count} faults are called {name:?}"))).collect()
    }

    /// Whether a name of `[lost]` is among what it stands for. Each name is followed once: of lists that name one another, there are
    /// more paths than anybody can wait for.
    fn leads_back(&self, name: &str) -> bool {
        let (mut reached, mut open) = (BTreeSet::new(), vec![name]);
        while let Some(from) = open.pop() {
            for expected in self.lost.get(from).into_iter().flatten() {
                if let Expected::Finding(next) = expected
                    && reached.insert(next.as_str())
                {
                    open.push(next);
                }
            }
        }
        reached.contains(name)
    }
}

impl Fault {
    fn check(&self, faults: &Faults, known: &Known<'_>) -> Vec<Wrong> {
        let edits = self.edits.iter().map(|e| &e.service).chain(self.marks().map(|m| &m.service));
        let mut wrong: Vec<Wrong> = edits.filter_map(|service| among("service", service, known.services)).collect();
        wrong.extend(self.actions().flat_map(|action| action.check(known)));
        wrong.extend(self.lint.iter().filter_map(|rule| among("rule of labels lint", rule, known.rules)));
        wrong.extend(self.renew.iter().filter_map(|name| among("secret that inventory.toml keeps", name, known.secrets)));
        let expected = self.finds.iter().chain(&self.loses);
        wrong.extend(expected.filter_map(|e| e.check(Some(&faults.targets), &faults.lost)));
        wrong
    }
}

impl Action {
    fn check(&self, known: &Known<'_>) -> Vec<Wrong> {
        let place = match &self.place {
            Place::Service(service) => among("service", service, known.services),
            Place::Database(database) => among("database that has a write command", database, known.databases),
            Place::Bot => None,
        };
        let script = match &self.command {
            Command::File(file, _) if !known.dir.join(FOLDER).join(file).is_file() => {
                Some(Wrong::new(file, format!("no script {file:?} in the folder {FOLDER}/ of the scenario")))
            }
            _ => None,
        };
        place.into_iter().chain(script).collect()
    }
}

impl Expected {
    /// What is wrong with it. `targets` are those that may be named; none where no target is chosen yet.
    fn check(&self, targets: Option<&BTreeMap<String, Choice>>, lost: &BTreeMap<String, Vec<Expected>>) -> Option<Wrong> {
        let finding = match self {
            Self::Usage(_) => return None,
            Self::Finding(text) if lost.contains_key(text) || text == EVERYTHING || text.starts_with(AS_NEW) => return None,
            Self::Finding(text) => text,
            Self::Each(each) => &each.finds,
        };
        if parted(finding).is_none() {
            let names: Vec<&str> = lost.keys().map(String::as_str).collect();
            let names = if names.is_empty() { String::new() } else { format!(", or one of [lost]: {}", names.join(", ")) };
            let expected = format!("expected an item, a colon and one of {}{names}", OUTCOMES.join(", "));
            return Some(Wrong::new(finding, format!("{finding:?} is no finding: {expected}")));
        }
        let targets = targets?;
        // A name with a dot is a target's.
        let mut named = finding.split('{').skip(1).filter_map(|rest| rest.split_once('}')?.0.split_once('.'));
        let (unknown, _) = named.find(|(target, _)| !targets.contains_key(*target))?;
        let all = listed(targets.keys());
        Some(Wrong::new(finding, format!("{{{unknown}.…}}: no target {unknown:?}; there are: {all}")))
    }
}

/// What is wrong if a name is not among those that are there.
fn among(what: &str, name: &str, all: &BTreeSet<String>) -> Option<Wrong> {
    if all.contains(name) {
        return None;
    }
    Some(Wrong::new(name, format!("no {what} {name:?}; there are: {}", listed(all))))
}

/// Names with commas between them.
fn listed<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
