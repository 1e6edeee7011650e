//! What the judge can report of each check, so that the matrix tells which of it no fault has shown.

use std::collections::BTreeSet;

use judge::checks::{self, Check};
use judge::model::{Finding, Item, Outcome};
use judge::store::{ObservationId, TableSeen};
use recipe::inventory::Compared;

use crate::drill::Drill;
use crate::error::Result;

/// What can be reported of every folder.
const FOLDERS: &[&str] = &[
    "lost",
    "unexpected",
    "altered (uidvalidity)",
    "altered (uidnext)",
    "altered (highestmodseq)",
    "altered (special-use)",
    "altered (subscription)",
];

/// What can be reported of any other check, by the words that its name begins with.
const REPORTS: &[(&str, &[&str])] = &[
    ("logins over IMAP", &["lost", "unread"]),
    ("quotas", &["altered (quota usage)", "altered (quota limit)"]),
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
    ("new secrets", &["lost"]),
    ("fact ", &["altered"]),
    ("trial: ", &["altered"]),
];

/// What the judge can report of the checks that a run makes, each as `check: outcome (property)`.
pub(super) fn reportable(drill: &Drill, stage: &str) -> Result<BTreeSet<String>> {
    let evidence = &drill.run.evidence;
    let mut all = BTreeSet::new();
    let Some(baseline) = evidence.completed(judge::BASELINE)? else { return Ok(all) };
    for check in checks::performed(evidence, stage)?.keys() {
        all.extend(of_check(drill, baseline, check)?.into_iter().map(|what| format!("{check}: {what}")));
    }
    Ok(all)
}

fn of_check(drill: &Drill, baseline: ObservationId, check: &Check) -> Result<Vec<String>> {
    let evidence = &drill.run.evidence;
    let own = |reports: &[&str]| reports.iter().map(ToString::to_string).collect();
    Ok(match check {
        Check::Folders => {
            // Of what the server keeps beside messages, only what it has told.
            let told = evidence.folder_properties(baseline)?.into_iter().map(|property| format!("altered ({property})"));
            FOLDERS.iter().map(ToString::to_string).chain(told).collect()
        }
        Check::Database(database) => {
            let properties = evidence.checks(baseline, database)?.into_iter().map(|(property, _)| property);
            properties.filter(|p| p != judge::SETTINGS).map(|property| format!("altered ({property})")).collect()
        }
        Check::Snapshot(volume) if has_dump(drill, volume) => own(&["lost", "lost (dump)", "altered (dump)"]),
        Check::Snapshot(_) => own(&["lost"]),
        Check::Files(volume) => {
            let counts = evidence.file_counts(baseline)?;
            of_files(counts.into_iter().filter(|c| c.volume == *volume).map(|c| c.compared))
        }
        Check::Rows { database, table } => {
            let table = evidence.tables(baseline, database)?.into_iter().find(|t| t.table == *table);
            // Of a database that was not listed itself, more is not known.
            if table.is_none_or(|t| may_be_altered(&t)) {
                own(&["lost", "unexpected", "altered"])
            } else {
                own(&["lost", "unexpected"])
            }
        }
        _ => {
            let name = check.to_string();
            REPORTS.iter().find(|(begins, _)| name.starts_with(begins)).map_or_else(Vec::new, |(_, reports)| own(reports))
        }
    })
}

/// What can be reported of a volume's entries, by how they are compared.
fn of_files(compared: impl Iterator<Item = Compared>) -> Vec<String> {
    let mut all = BTreeSet::new();
    for compared in compared {
        let (there, content): (&[&str], &[&str]) = match compared {
            Compared::Whole => (&["lost", "unexpected"], &["altered (bytes)", "altered (mtime)"]),
            Compared::Attributes => (&["lost", "unexpected"], &[]),
            Compared::Loose => (&[], &[]),
            Compared::No => continue,
        };
        let attributes = ["altered (owner)", "altered (mode)", "altered (link)", "altered (xattr)"];
        all.extend(attributes.iter().chain(there).chain(content).map(ToString::to_string));
    }
    all.into_iter().collect()
}

/// Whether a row of a table can be altered: the table has a key and other columns. Without a key, a changed row is a different row.
fn may_be_altered(table: &TableSeen) -> bool {
    !table.key.is_empty() && table.columns.iter().any(|c| !table.key.contains(c))
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
