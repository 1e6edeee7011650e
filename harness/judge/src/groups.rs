//! Findings by their cause: those that mean the same of the same place are one group, with what became of how many of how many. Causes
//! come before what may follow from them: a volume that is not in the snapshot before its two thousand lost files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use recipe::inventory::Inventory;

use crate::check::Check;
use crate::checks::Performed;
use crate::count::{counted, grouped};
use crate::meaning::{self, Meaning};
use crate::model::{Counts, Finding, Group, Item, Outcome, Status, Verdict};

/// The most that a headline names.
const NAMED: usize = 4;

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

/// What is known of a run besides its findings.
#[derive(Debug)]
pub(crate) struct Known {
    /// How many of each kind there were.
    totals: Performed,
    /// By what compares it, the volumes that hold it: `messages` are in `mail`.
    homes: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// Of a run that compared this, with this inventory.
    pub(crate) fn new(totals: Performed, inventory: Option<&Inventory>) -> Self {
        let mut homes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for volume in inventory.into_iter().flat_map(|i| &i.volumes) {
            for content in volume.paths.iter().filter_map(|p| p.content.clone()) {
                homes.entry(content).or_default().insert(volume.name.clone());
            }
        }
        Self { totals, homes }
    }

    /// Of a run of which only these counts are known.
    pub(crate) fn counts(counts: &Counts) -> Self {
        let totals = [
            (Check::Logins, counts.accounts),
            (Check::Folders, counts.folders),
            (Check::Messages, counts.messages),
            (Check::Scripts, counts.scripts),
        ];
        Self { totals: totals.into_iter().filter(|(_, n)| *n > 0).collect(), homes: BTreeMap::new() }
    }

    fn total(&self, of: impl Fn(&Check) -> bool) -> Option<u64> {
        let total = self.totals.iter().filter(|(check, _)| of(check)).map(|(_, n)| n).sum();
        (total > 0).then_some(total)
    }

    /// Whether a volume holds what a place is about.
    fn holds(&self, volume: &str, place: &Place) -> bool {
        let content = match place {
            Place::Volume(other) => return volume == other,
            Place::Mail => "messages".to_owned(),
            Place::Database(database) => format!("rows of {database}"),
            Place::Redis(service) => format!("keys of {service}"),
            Place::App => return false,
        };
        self.homes.get(&content).is_some_and(|volumes| volumes.contains(volume))
    }
}

/// Where the items of a group are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Volume(String),
    Database(String),
    Redis(String),
    Mail,
    App,
}

/// From causes to what may follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Run,
    Step,
    Secret,
    Snapshot,
    Database,
    Files,
    Content,
    Logins,
    Mail,
    Use,
    Note,
}

impl Rank {
    fn of(finding: &Finding) -> Self {
        if finding.outcome.weight().is_none() {
            return Self::Note;
        }
        match &finding.item {
            Item::Observation { .. } => Self::Run,
            Item::Step { .. } => Self::Step,
            Item::Secret { .. } => Self::Secret,
            Item::Snapshot { .. } | Item::Mount { .. } => Self::Snapshot,
            Item::Database { .. } => Self::Database,
            Item::File { .. } => Self::Files,
            Item::Row { .. } | Item::Object { .. } | Item::Key { .. } => Self::Content,
            Item::Account { .. } => Self::Logins,
            Item::Folder { .. } | Item::Message { .. } | Item::Script { .. } => Self::Mail,
            Item::Fact { .. } | Item::Trial { .. } => Self::Use,
        }
    }
}

impl Place {
    fn of(item: &Item) -> Self {
        match item {
            Item::File { volume, .. } | Item::Snapshot { volume, .. } => Self::Volume(volume.clone()),
            Item::Database { database } | Item::Row { database, .. } | Item::Object { database, .. } => {
                Self::Database(database.clone())
            }
            Item::Key { service, .. } => Self::Redis(service.clone()),
            Item::Account { .. } | Item::Folder { .. } | Item::Message { .. } | Item::Script { .. } => Self::Mail,
            _ => Self::App,
        }
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

/// In which order outcomes are told: what is gone before what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Failed,
    Gone,
    Elsewhere,
    Changed,
    New,
    Unread,
    Told,
}

impl Severity {
    fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed => Self::Failed,
            Outcome::Lost => Self::Gone,
            Outcome::Misplaced | Outcome::Duplicated | Outcome::Resurrected => Self::Elsewhere,
            Outcome::Altered => Self::Changed,
            Outcome::Unexpected => Self::New,
            Outcome::Unread => Self::Unread,
            Outcome::Recovered | Outcome::Unresolved | Outcome::Noted => Self::Told,
        }
    }
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

/// What became of how many of how many.
struct Said {
    /// How many of how many of what, or its name.
    amount: String,
    one: bool,
    verb: Verb,
    /// What of it, where that is the same of all.
    property: Option<String>,
    /// Why nothing is known, which a headline says too.
    why: Option<String>,
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.amount, if self.one { self.verb.one } else { self.verb.many })?;
        self.property.as_ref().map_or(Ok(()), |property| write!(f, " ({property})"))
    }
}

/// What became of how many of how many, in a sentence, such as `35 of 120 messages are lost`.
fn what<'a>(findings: impl Iterator<Item = &'a Finding> + Clone, known: &Known) -> Option<Said> {
    let first = findings.clone().next()?;
    let items: BTreeSet<&Item> = findings.clone().map(|f| &f.item).collect();
    let property = first.property.clone().filter(|_| findings.clone().all(|f| f.property == first.property));
    let one = items.len() == 1;
    let verb = match (&first.item, first.outcome) {
        (Item::Snapshot { .. }, Outcome::Lost) => Verb { one: "is not in the snapshot", many: "are not in the snapshot" },
        (Item::Mount { .. }, Outcome::Lost) => Verb { one: "is in no backup", many: "are in no backup" },
        (Item::Account { .. }, Outcome::Lost) => Verb { one: "cannot be opened", many: "cannot be opened" },
        (Item::Trial { .. }, Outcome::Altered) => Verb { one: "gave another result", many: "gave other results" },
        (Item::Secret { .. }, Outcome::Lost) => {
            Verb { one: "is needed with its old value", many: "are needed with their old values" }
        }
        (_, outcome) => Verb::of(outcome),
    };
    let amount = match &first.item {
        Item::Step { step } => format!("the {step}"),
        Item::Observation { what } if one => what.clone(),
        Item::Secret { secret } if one => format!("secret {secret}"),
        Item::Fact { fact } if one => fact.clone(),
        Item::Snapshot { volume, path } if one && path == "." => format!("volume {volume}"),
        _ => amount(&items, first.outcome, known),
    };
    let why = Some(first.detail.clone()).filter(|why| one && !why.is_empty() && matches!(first.item, Item::Observation { .. }));
    Some(Said { amount, one: one || matches!(first.item, Item::Step { .. }), verb, property, why })
}

#[derive(Clone, Copy, PartialEq)]
struct Verb {
    one: &'static str,
    many: &'static str,
}

impl Verb {
    fn of(outcome: Outcome) -> Self {
        let (one, many) = match outcome {
            Outcome::Altered => ("has changed", "have changed"),
            Outcome::Lost => ("is lost", "are lost"),
            Outcome::Misplaced => ("is in the wrong place", "are in the wrong place"),
            Outcome::Duplicated => ("is there more than once", "are there more than once"),
            Outcome::Unexpected => ("was not there before", "were not there before"),
            Outcome::Resurrected => ("was deleted and is back", "were deleted and are back"),
            Outcome::Recovered => ("was written during the backup and is back", "were written during the backup and are back"),
            Outcome::Unresolved => {
                ("was written during the backup and is not back", "were written during the backup and are not back")
            }
            Outcome::Failed => ("failed", "failed"),
            Outcome::Unread => ("could not be read", "could not be read"),
            Outcome::Noted => ("is worth a look", "are worth a look"),
        };
        Self { one, many }
    }
}

/// How many of how many of what.
fn amount(items: &BTreeSet<&Item>, outcome: Outcome, known: &Known) -> String {
    let n = items.len() as u64;
    // What is new was none of those that were there.
    let new = matches!(outcome, Outcome::Unexpected | Outcome::Resurrected | Outcome::Recovered | Outcome::Unresolved);
    let checks: BTreeSet<Check> = items.iter().map(|item| Check::of(item)).collect();
    let trials = checks.iter().any(|check| matches!(check, Check::Trial(_)));
    let total = known.total(|check| checks.contains(check) || trials && matches!(check, Check::Trial(_)));
    let [one, many] = items.first().map_or_else(|| ["item", "items"].map(str::to_owned), |item| noun(item, checks.len() == 1));
    let counted = |n: u64| format!("{} {}", grouped(n), if n == 1 { &one } else { &many });
    match total.filter(|total| !new && *total >= n) {
        Some(total) => format!("{} of {}", grouped(n), counted(total)),
        None => counted(n),
    }
}

/// What one item is called, and what several are; `alone` where all are of one check.
fn noun(item: &Item, alone: bool) -> [String; 2] {
    let of = |what: &str, place: &str| [what, &plural(what)].map(|what| format!("{what} of {place}"));
    let plain = |what: &str| [what.to_owned(), plural(what)];
    match item {
        Item::Account { .. } => plain("mailbox"),
        Item::Folder { .. } => plain("folder"),
        Item::Message { .. } => plain("message"),
        Item::Script { .. } => plain("sieve script"),
        Item::Database { .. } => plain("database"),
        Item::Row { table, .. } if alone => of("row", table),
        Item::Row { database, .. } => of("row", database),
        Item::Object { database, what, .. } if alone => of(what, database),
        Item::Object { database, .. } => of("object", database),
        Item::File { volume, .. } | Item::Snapshot { volume, .. } => of("file", &format!("volume {volume}")),
        Item::Mount { .. } => plain("mount"),
        Item::Fact { .. } => ["output of a command", "outputs of commands"].map(str::to_owned),
        Item::Key { service, .. } => of("key", service),
        Item::Trial { .. } => plain("trial"),
        Item::Secret { .. } => plain("secret"),
        Item::Step { .. } => plain("step"),
        Item::Observation { .. } => plain("observation"),
    }
}

fn plural(what: &str) -> String {
    match what {
        _ if what.ends_with('s') => what.to_owned(),
        _ if what.ends_with('x') => format!("{what}es"),
        _ => format!("{what}s"),
    }
}

/// A verdict in a sentence without its full stop: what is the worst of it, data before what users try. Nothing where nothing was found.
fn headline(findings: &[Finding], known: &Known) -> Option<String> {
    let worst = findings.iter().filter_map(|f| f.outcome.weight()).max()?;
    let mut parts: BTreeMap<(Order, Outcome, Rank, Check), Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.outcome.weight() == Some(worst)) {
        let check = match Check::of(&finding.item) {
            Check::Trial(_) => Check::Trial(crate::model::TrialKind::NewAccount),
            check => check,
        };
        parts.entry((Order::of(&finding.item), finding.outcome, Rank::of(finding), check)).or_default().push(finding);
    }
    // What is lost of the data says more than that the snapshot lacks it.
    let has_data = parts.keys().any(|(order, ..)| *order == Order::Data);
    if has_data {
        parts.retain(|(order, ..), _| *order != Order::Snapshot);
    }
    let more = parts.len().saturating_sub(NAMED);
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by_key(|((order, outcome, ..), of)| (*order, Severity::of(*outcome), *outcome, std::cmp::Reverse(of.len())));
    let said = parts.iter().take(NAMED).filter_map(|(_, of)| what(of.iter().copied(), known)).collect();
    let mut said = joined(said);
    if more > 0 {
        said.push(format!("and {}", counted(more as u64, "more kind of finding/more kinds of findings")));
    }
    Some(said.join("; "))
}

/// In sentences, of which each names all that the same became of.
fn joined(said: Vec<Said>) -> Vec<String> {
    let mut sentences: Vec<(Vec<Said>, Verb)> = Vec::new();
    for one in said {
        match sentences.last_mut() {
            Some((of, verb)) if *verb == one.verb => of.push(one),
            _ => {
                let verb = one.verb;
                sentences.push((vec![one], verb));
            }
        }
    }
    let sentence = |(of, verb): (Vec<Said>, Verb)| match of.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            let rest: Vec<&str> = rest.iter().map(|said| said.amount.as_str()).collect();
            format!("{} and {} {}", rest.join(", "), last.amount, verb.many)
        }
        _ => of.iter().map(|said| said.why.as_ref().map_or_else(|| said.to_string(), |why| format!("{said}: {why}"))).collect(),
    };
    sentences.into_iter().map(sentence).collect()
}

/// In which order a headline names what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    Step,
    Data,
    Snapshot,
    Use,
}

impl Order {
    fn of(item: &Item) -> Self {
        match item {
            Item::Step { .. } | Item::Observation { .. } | Item::Secret { .. } => Self::Step,
            Item::Snapshot { .. } => Self::Snapshot,
            Item::Trial { .. } | Item::Fact { .. } | Item::Mount { .. } => Self::Use,
            _ => Self::Data,
        }
    }
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
        Item::Snapshot { .. } => Item::Snapshot { volume: x(), path: x() },
        Item::Script { .. } => Item::Script { account: x(), script: x() },
        Item::Key { .. } => Item::Key { service: x(), number: None, key: x() },
        Item::Secret { .. } => Item::Secret { secret: x() },
        Item::Fact { .. } | Item::Trial { .. } | Item::Step { .. } | Item::Observation { .. } => item.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BotStep, Trial, TrialKind};

    fn found(item: Item, outcome: Outcome) -> Finding {
        Finding { item, outcome, property: None, detail: String::new() }
    }

    fn message(uid: u32) -> Item {
        Item::Message { account: "u01@mail.example".into(), folder: "INBOX".into(), uid, corpus: None }
    }

    fn file(volume: &str, path: &str) -> Item {
        Item::File { volume: volume.into(), path: path.into() }
    }

    fn snapshot(volume: &str, path: &str) -> Item {
        Item::Snapshot { volume: volume.into(), path: path.into() }
    }

    fn alias(key: &str) -> Item {
        Item::Row { database: "main.db".into(), table: "alias".into(), key: key.into() }
    }

    fn trial() -> Item {
        Item::Trial { trial: Trial::new(TrialKind::MailOut, ["a@relayed.example"]) }
    }

    fn known() -> Known {
        let totals = [
            (Check::Messages, 120),
            (Check::Rows { database: "main.db".into(), table: "alias".into() }, 3),
            (Check::Files("mail".into()), 400),
            (Check::Trial(TrialKind::MailOut), 2),
            (Check::Trial(TrialKind::MailIn), 3),
        ];
        let homes = [("messages", "mail"), ("rows of main.db", "data")];
        let homes = homes.map(|(content, volume)| (content.to_owned(), BTreeSet::from([volume.to_owned()])));
        Known { totals: totals.into(), homes: homes.into() }
    }

    fn told(findings: Vec<Finding>) -> Verdict {
        Verdict::new(Counts::default(), findings).told(&known())
    }

    #[test]
    fn the_headline_says_how_many_of_how_many() {
        let mut findings: Vec<Finding> = (1..=35).map(|uid| found(message(uid), Outcome::Lost)).collect();
        findings.extend(["a", "b", "c"].map(|key| found(alias(key), Outcome::Lost)));
        findings.push(found(snapshot("mail", "."), Outcome::Lost));
        findings.push(found(trial(), Outcome::Altered));
        findings.push(found(message(90), Outcome::Unread));
        let headline = "35 of 120 messages and 3 of 3 rows of alias are lost; 1 of 5 trials gave another result";
        assert_eq!(told(findings).headline.as_deref(), Some(headline));
    }

    #[test]
    fn of_what_could_not_be_read_the_headline_says_so() {
        assert_eq!(
            told(vec![found(message(1), Outcome::Unread)]).headline.as_deref(),
            Some("1 of 120 messages could not be read")
        );
        assert_eq!(told(vec![found(message(1), Outcome::Recovered)]).headline, None);
        assert_eq!(
            told(vec![found(snapshot("mail", "."), Outcome::Lost)]).headline.as_deref(),
            Some("volume mail is not in the snapshot")
        );
    }

    #[test]
    fn causes_come_before_what_may_follow_from_them() {
        let mut findings: Vec<Finding> = (1..=2).map(|uid| found(message(uid), Outcome::Lost)).collect();
        findings.extend([
            found(trial(), Outcome::Altered),
            found(file("mail", "u01/cur/1"), Outcome::Lost),
            found(file("dkim", "a.key"), Outcome::Lost),
            found(snapshot("mail", "u01"), Outcome::Lost),
            found(alias("a"), Outcome::Lost),
            found(message(3), Outcome::Recovered),
        ]);
        let verdict = told(findings);
        let said: Vec<(&str, &[usize])> = verdict.groups.iter().map(|g| (g.what.as_str(), &g.follows[..])).collect();
        let expected: [(&str, &[usize]); 7] = [
            ("1 file of volume mail is not in the snapshot", &[]),
            ("1 file of volume dkim is lost", &[]),
            ("1 of 400 files of volume mail is lost", &[0]),
            ("1 of 3 rows of alias is lost", &[]),
            ("2 of 120 messages are lost", &[0]),
            ("1 of 5 trials gave another result", &[0, 1, 3]),
            ("1 message was written during the backup and is back", &[]),
        ];
        assert_eq!(said, expected);
        let all: usize = verdict.groups.iter().map(|g| g.findings.len()).sum();
        assert_eq!(all, verdict.findings.len(), "each finding is in one group");
        assert!(verdict.groups.iter().all(|g| g.meaning().is_some()));
    }

    #[test]
    fn a_failed_step_comes_first_and_may_explain_all() {
        let step = Finding { property: Some("hook".into()), ..found(Item::Step { step: BotStep::Backup }, Outcome::Failed) };
        let verdict = told(vec![found(alias("a"), Outcome::Lost), step]);
        assert_eq!(verdict.headline.as_deref(), Some("the backup failed (hook); 1 of 3 rows of alias is lost"));
        assert_eq!((verdict.groups[0].meaning.as_str(), verdict.groups[1].follows.as_slice()), ("hook", &[0][..]));
    }

    #[test]
    fn a_missing_folder_holds_what_is_in_it_and_not_what_begins_like_it() {
        let missing = BTreeSet::from(["u01", "a/b"]);
        let held = ["u01", "u01/cur/1", "u012/cur", "a", "a/b/c", "a/bc"].map(|path| holds(&missing, path));
        assert_eq!(held, [true, true, false, false, true, false]);
        assert!(holds(&BTreeSet::from(["."]), "anything"));
    }

    #[test]
    fn what_changed_is_said_where_it_is_the_same_of_all() {
        let changed = |uid, property: &str| Finding { property: Some(property.into()), ..found(message(uid), Outcome::Altered) };
        let verdict = told(vec![changed(1, "flags"), changed(2, "flags"), changed(2, "bytes"), found(message(3), Outcome::Lost)]);
        let said: Vec<&str> = verdict.groups.iter().map(|g| g.what.as_str()).collect();
        let expected =
            ["1 of 120 messages is lost", "1 of 120 messages has changed (bytes)", "2 of 120 messages have changed (flags)"];
        assert_eq!(said, expected);
        assert_eq!(verdict.headline.as_deref(), Some("1 of 120 messages is lost; 2 of 120 messages have changed"));
    }

    #[test]
    fn several_of_what_a_database_has_are_in_the_plural() {
        let object = |what: &str, name: &str| {
            found(Item::Object { database: "app/db".into(), what: what.into(), name: name.into() }, Outcome::Lost)
        };
        for (what, expected) in [
            ("index", "2 indexes of app/db are lost"),
            ("default privileges", "2 default privileges of app/db are lost"),
            ("role", "2 roles of app/db are lost"),
        ] {
            assert_eq!(told(vec![object(what, "a"), object(what, "b")]).groups[0].what, expected);
        }
    }

    /// What a name holds does not decide what a finding means.
    #[test]
    fn a_name_cannot_change_a_meaning() {
        let poisoned = found(file("mail", "x: altered (owner)"), Outcome::Lost);
        assert_eq!(told(vec![poisoned]).groups[0].meaning, "file-lost");
    }
}
