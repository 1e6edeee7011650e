//! What the judge can report of each check, so that the matrix tells which of it no fault has shown.

use std::collections::BTreeSet;

use judge::checks::{self, Check};
use judge::model::{Finding, Item, Outcome};
use recipe::inventory::Compared;

use crate::drill::Drill;
use crate::error::Result;

/// What can be reported of a check, by the words that its name begins with.
const REPORTS: &[(&str, &[&str])] = &[
    ("logins over IMAP", &["lost", "unread"]),
    ("quotas", &["altered (quota usage)", "altered (quota limit)"]),
    (
        "folders",
        &[
            "lost",
            "unexpected",
            "altered (uidvalidity)",
            "altered (uidnext)",
            "altered (highestmodseq)",
            "altered (special-use)",
            "altered (subscription)",
        ],
    ),
    (
        "messages",
        &[
            "lost",
            "misplaced",
            "duplicated",
            "unexpected",
            "resurrected",
            "altered (bytes)",
            "altered (unreadable)",
            "altered (uid)",
            "altered (flags)",
            "altered (keywords)",
            "altered (internaldate)",
        ],
    ),
    ("sieve scripts", &["lost", "unexpected", "altered (bytes)", "altered (active)"]),
    ("objects of ", &["changed"]),
    ("keys of ", &["lost", "unexpected", "altered (value)", "altered (expiry)"]),
    ("mounts", &["lost"]),
    ("fact ", &["altered"]),
    ("trial: ", &["altered"]),
];

/// What the judge can report of the checks that a run makes, each as `check: outcome (property)`.
pub(super) fn reportable(drill: &Drill, stage: &str) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for check in checks::performed(&drill.run.evidence, stage)?.keys().map(ToString::to_string) {
        all.extend(of_check(drill, &check)?.into_iter().map(|what| format!("{check}: {what}")));
    }
    Ok(all)
}

fn of_check(drill: &Drill, check: &str) -> Result<Vec<String>> {
    if let Some(database) = check.strip_prefix("database ") {
        return Ok(of_database(drill, database)?.iter().map(|property| format!("altered ({property})")).collect());
    }
    if let Some(volume) = check.strip_prefix("snapshot of ") {
        let of_dump: &[&str] = if has_dump(drill, volume) { &["lost (dump)", "altered (dump)"] } else { &[] };
        return Ok(["lost"].iter().chain(of_dump).map(ToString::to_string).collect());
    }
    if let Some(volume) = check.strip_prefix("files of ") {
        return of_files(drill, volume);
    }
    if let Ok(Check::Rows { database, table }) = check.parse() {
        let altered = may_be_altered(drill, &database, &table)?.then_some("altered");
        return Ok(["lost", "unexpected"].into_iter().chain(altered).map(str::to_owned).collect());
    }
    let known = REPORTS.iter().find(|(name, _)| check.starts_with(name));
    Ok(known.map_or_else(Vec::new, |(_, reports)| reports.iter().map(ToString::to_string).collect()))
}

/// What can be reported of a volume's entries, by how they are compared.
fn of_files(drill: &Drill, volume: &str) -> Result<Vec<String>> {
    let Some(baseline) = drill.run.evidence.completed(judge::BASELINE)? else { return Ok(vec![]) };
    let counts = drill.run.evidence.file_counts(baseline)?;
    let mut all = BTreeSet::new();
    for count in counts.iter().filter(|c| c.volume == volume) {
        let (there, content): (&[&str], &[&str]) = match count.compared {
            Compared::Whole => (&["lost", "unexpected"], &["altered (bytes)", "altered (mtime)"]),
            Compared::Attributes => (&["lost", "unexpected"], &[]),
            Compared::Loose => (&[], &[]),
            Compared::No => continue,
        };
        let attributes = ["altered (owner)", "altered (mode)", "altered (link)", "altered (xattr)"];
        all.extend(attributes.iter().chain(there).chain(content).map(ToString::to_string));
    }
    Ok(all.into_iter().collect())
}

/// Whether a row of a table may be altered: it has a key, and columns besides. A row without a key that changes is another one.
fn may_be_altered(drill: &Drill, database: &str, table: &str) -> Result<bool> {
    let Some(baseline) = drill.run.evidence.completed(judge::BASELINE)? else { return Ok(false) };
    let tables = drill.run.evidence.tables(baseline, database)?;
    let table = tables.into_iter().find(|t| t.table == table);
    // Of a database that was not listed itself, more is not known.
    Ok(table.is_none_or(|t| !t.key.is_empty() && t.columns.iter().any(|c| !t.key.contains(c))))
}

/// What is checked of a database, as the baseline has it.
fn of_database(drill: &Drill, database: &str) -> Result<Vec<String>> {
    let Some(baseline) = drill.run.evidence.completed(judge::BASELINE)? else { return Ok(vec![]) };
    Ok(drill
        .run
        .evidence
        .checks(baseline, database)?
        .into_iter()
        .map(|(property, _)| property)
        .filter(|p| p != judge::SETTINGS)
        .collect())
}

fn has_dump(drill: &Drill, volume: &str) -> bool {
    let volume = drill.app.scenario.inventory.volumes.iter().find(|v| v.name == volume);
    volume.is_some_and(|v| v.paths.iter().any(|p| p.dump.is_some()))
}

/// What findings report, in the same words.
pub(super) fn reported(findings: &[Finding]) -> BTreeSet<String> {
    let report = |f: &Finding| {
        // Of the kinds of objects a database has many; that any of a kind is told shows that it is compared.
        if let Item::Object { .. } = f.item {
            return format!("{}: changed", Check::of(&f.item));
        }
        let property = f.property.as_deref().filter(|_| !matches!(f.item, Item::Row { .. }));
        let of_quota = property.is_some_and(|p| p.starts_with("quota"));
        let check = if of_quota { "quotas".to_owned() } else { Check::of(&f.item).to_string() };
        said(&check, f.outcome, property)
    };
    findings.iter().map(report).collect()
}

fn said(check: &str, outcome: Outcome, property: Option<&str>) -> String {
    property.map_or_else(|| format!("{check}: {outcome}"), |p| format!("{check}: {outcome} ({p})"))
}
