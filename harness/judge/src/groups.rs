//! Findings by their cause: those that mean the same of the same place are one group, with what became of how many of how many. Causes
//! come before what may follow from them: a volume that is not in the snapshot before its two thousand lost files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::meaning::{self, Meaning};
use crate::model::{Finding, Group, Item, Outcome, Status, Verdict};

mod classes;
mod known;
mod sentence;
#[cfg(test)]
mod tests;

use classes::{Place, Rank, Severity};
pub(crate) use known::Known;
use sentence::{headline, what};

impl Group {
    /// From which groups it may follow, by their numbers, from 1; nothing where from none.
    pub fn follows(&self) -> String {
        let numbers: Vec<String> = self.follows.iter().map(|at| (at + 1).to_string()).collect();
        match numbers.split_last() {
            None => String::new(),
            Some((last, [])) => format!("may follow from {last}"),
            Some((last, rest)) => format!("may follow from {} and {last}", rest.join(", ")),
        }
    }

    /// What its findings mean, their usual causes, and what to do.
    pub fn meaning(&self) -> Option<&'static Meaning> {
        meaning::all().iter().find(|m| m.name == self.meaning)
    }
}

impl Verdict {
    /// The same with its findings told by cause, where no more is known of the run than the verdict says.
    #[must_use]
    pub fn by_cause(self) -> Self {
        let known = Known::counts(&self.compared);
        self.told(&known)
    }

    /// The same with its findings told by cause and by what is known of the run.
    #[must_use]
    pub(crate) fn told(self, known: &Known) -> Self {
        let (headline, groups) = (headline(&self.findings, known), groups(&self.findings, known));
        Self { headline, groups, ..self }
    }
}

/// Of what a group's findings are alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rank: Rank,
    place: Place,
    severity: Severity,
    meaning: &'static str,
    outcome: Outcome,
}

/// The findings in groups, causes first.
fn groups(findings: &[Finding], known: &Known) -> Vec<Group> {
    let mut meanings = Meanings::default();
    let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        let key = Key {
            rank: Rank::of(finding),
            place: Place::of(&finding.item),
            severity: Severity::of(finding.outcome),
            meaning: meanings.of(finding),
            outcome: finding.outcome,
        };
        groups.entry(key).or_default().push(at);
    }
    let groups: Vec<(Key, Vec<usize>)> = groups.into_iter().collect();
    let mut follows: Vec<Vec<usize>> = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let causes: Vec<usize> = (0..at).filter(|before| explains(&groups[*before], group, findings, known)).collect();
        // What is itself explained by one of them says no more.
        let first = |cause: &usize| !follows[*cause].iter().any(|before| causes.contains(before));
        follows.push(causes.iter().copied().filter(first).collect());
    }
    let told = |(at, (key, of)): (usize, &(Key, Vec<usize>))| Group {
        meaning: key.meaning.to_owned(),
        what: what(of.iter().map(|at| &findings[*at]), known).map(|said| said.to_string()).unwrap_or_default(),
        follows: follows[at].clone(),
        findings: of.clone(),
    };
    groups.iter().enumerate().map(told).collect()
}

/// Whether one group, which comes before another one, may be its cause.
fn explains(cause: &(Key, Vec<usize>), other: &(Key, Vec<usize>), findings: &[Finding], known: &Known) -> bool {
    let ((cause, of), (other, others)) = (cause, other);
    if cause.rank >= other.rank || other.rank == Rank::Note || cause.outcome.weight() != Some(Status::Broken) {
        return false;
    }
    match (cause.rank, &cause.place) {
        (Rank::Step | Rank::Secret, _) => true,
        _ if other.rank == Rank::Counted => true,
        // Files that are not in the snapshot explain those, and no others, that are lost.
        (Rank::Snapshot, Place::Volume(_)) if other.rank == Rank::Files => {
            let missing: BTreeSet<&str> = of.iter().filter_map(|at| path(&findings[*at])).collect();
            other.place == cause.place && others.iter().filter_map(|at| path(&findings[*at])).any(|path| holds(&missing, path))
        }
        (Rank::Snapshot, Place::Volume(volume)) => other.rank >= Rank::Use || known.holds(volume, &other.place),
        (Rank::Database, place) => other.place == *place || other.rank >= Rank::Logins && other.rank != Rank::Mail,
        (Rank::Files, Place::Volume(volume)) => other.rank >= Rank::Use || known.holds(volume, &other.place),
        (Rank::Content, _) => matches!(other.rank, Rank::Logins | Rank::Use),
        (Rank::Logins | Rank::Mail, _) => other.place == cause.place || other.rank == Rank::Use,
        _ => false,
    }
}

/// The path that a finding is about.
fn path(finding: &Finding) -> Option<&str> {
    match &finding.item {
        Item::Snapshot { path, .. } | Item::File { path, .. } => Some(path),
        _ => None,
    }
}

/// Whether a path, or a folder that it is in, is among those that are missing.
fn holds(missing: &BTreeSet<&str>, path: &str) -> bool {
    let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
    folders.chain([".", path]).any(|folder| missing.contains(folder))
}

/// What findings mean, looked up once for all that are alike.
#[derive(Default)]
struct Meanings(HashMap<(Item, Outcome, Option<String>), &'static str>);

impl Meanings {
    fn of(&mut self, finding: &Finding) -> &'static str {
        let key = (shape(&finding.item), finding.outcome, finding.property.clone());
        if let Some(name) = self.0.get(&key) {
            return name;
        }
        let name = meaning::of(&key.0, key.1, key.2.as_deref()).map_or("", |m| &m.name);
        self.0.insert(key, name);
        name
    }
}

/// The item without the names that its meaning does not depend on.
fn shape(item: &Item) -> Item {
    let x = || "x".to_owned();
    match item {
        Item::Account { .. } => Item::Account { account: x() },
        Item::Folder { .. } => Item::Folder { account: x(), folder: x() },
        Item::Message { .. } => Item::Message { account: x(), folder: x(), uid: 1, corpus: None },
        Item::Database { .. } => Item::Database { database: x() },
        Item::Row { .. } => Item::Row { database: x(), table: x(), key: x() },
        Item::Object { what, .. } => Item::Object { database: x(), what: what.clone(), name: x() },
        Item::File { .. } => Item::File { volume: x(), path: x() },
        Item::Mount { .. } => Item::Mount { service: x(), path: x() },
        Item::Layer { .. } => Item::Layer { service: x(), path: x() },
        Item::Snapshot { .. } => Item::Snapshot { volume: x(), path: x() },
        Item::Script { .. } => Item::Script { account: x(), script: x() },
        Item::Key { .. } => Item::Key { service: x(), number: None, key: x() },
        Item::Secret { .. } => Item::Secret { secret: x() },
        Item::Fact { .. } | Item::Trial { .. } | Item::Step { .. } | Item::Observation { .. } => item.clone(),
    }
}
