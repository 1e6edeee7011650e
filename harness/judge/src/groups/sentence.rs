//! What became of how many of how many, in sentences.

use std::collections::{BTreeMap, BTreeSet};

use super::classes::{Rank, Severity};
use super::known::Known;
use crate::check::Check;
use crate::count::{counted, grouped};
use crate::model::{Finding, Item, Outcome};

/// The most that a headline names.
const NAMED: usize = 4;

/// What became of how many of how many.
pub(super) struct Said {
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
pub(super) fn what<'a>(findings: impl Iterator<Item = &'a Finding> + Clone, known: &Known) -> Option<Said> {
    let first = findings.clone().next()?;
    let items: BTreeSet<&Item> = findings.clone().map(|f| &f.item).collect();
    let property = first.property.clone().filter(|_| findings.clone().all(|f| f.property == first.property));
    let one = items.len() == 1;
    let verb = match (&first.item, first.outcome) {
        (Item::Snapshot { .. }, Outcome::Lost) => Verb { one: "is not in the snapshot", many: "are not in the snapshot" },
        (Item::Mount { .. } | Item::Layer { .. }, Outcome::Lost) => Verb { one: "is in no backup", many: "are in no backup" },
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
        Item::Layer { service, .. } => of("path", &format!("service {service}")),
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
        _ if what.ends_with("ss") || what.ends_with('x') => format!("{what}es"),
        _ if what.ends_with('s') => what.to_owned(),
        _ if what.ends_with('y') && !what.ends_with("ey") => format!("{}ies", &what[..what.len() - 1]),
        _ => format!("{what}s"),
    }
}

/// A verdict in a sentence without its full stop: what is the worst of it, data before what users try. Nothing where nothing was found.
pub(super) fn headline(findings: &[Finding], known: &Known) -> Option<String> {
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
            Item::Trial { .. } | Item::Fact { .. } | Item::Mount { .. } | Item::Layer { .. } => Self::Use,
            _ => Self::Data,
        }
    }
}
