//! The audit: the snapshot compared with the live volumes and the inventory, as the store has it.

use std::collections::BTreeMap;
use std::fmt;

use recipe::inventory::Class;
use serde::{Deserialize, Serialize};

use crate::count::counted;
use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::property;
use crate::store::{Amount, Difference, Evidence, RunFact};

fn finding(volume: &str, path: &str, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    let item = Item::Snapshot { volume: volume.to_owned(), path: path.to_owned() };
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

/// What is wrong with the audited snapshot: durable and valuable files that it lacks, the highest folder that lacks all of its own
/// standing for them, and dumps that are absent or not whole. An audit that ended before it was complete keeps what it did find;
/// why it ended is among the steps.
pub fn findings(evidence: &Evidence) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    // What is missing is known once all names are, of either side.
    if evidence.get(RunFact::Listed)?.is_some() || evidence.get(RunFact::Audit)?.is_some() {
        findings.extend(missed(evidence)?);
        findings.extend(dumps_absent(evidence)?);
    }
    for (volume, path, complaint) in evidence.dumps_wrong()? {
        findings.push(finding(&volume, &path, Outcome::Altered, Some(property::DUMP), complaint));
    }
    findings.sort();
    Ok(findings)
}

fn missed(evidence: &Evidence) -> Result<Vec<Finding>> {
    let mut found: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for (volume, path, size) in evidence.missed()? {
        let (volume, path) = (volume.as_str(), path.as_str());
        let parts = path.match_indices('/').map(|(at, _)| &path[..at]);
        let mut place = path;
        if !evidence.any_captured(volume, None)? {
            place = ".";
        } else {
            for folder in parts {
                if !evidence.any_captured(volume, Some(folder))? {
                    place = folder;
                    break;
                }
            }
        }
        let (files, bytes) = found.entry((volume.to_owned(), place.to_owned())).or_default();
        (*files, *bytes) = (*files + 1, *bytes + size);
    }
    let lost = "the live volume has this, the snapshot does not, and no restore can bring it back";
    let one = |((v, path), (n, bytes)): ((String, String), (u64, u64))| {
        finding(&v, &path, Outcome::Lost, None, format!("{}, {}: {lost}", counted(n, "file"), counted(bytes, "byte")))
    };
    Ok(found.into_iter().map(one).collect())
}

fn dumps_absent(evidence: &Evidence) -> Result<Vec<Finding>> {
    let one = |(volume, path, dump): (String, String, String)| {
        let detail = format!("the dump of {path} is not in the snapshot; check that its hook runs and writes into the volume");
        finding(&volume, &dump, Outcome::Lost, Some(property::DUMP), detail)
    };
    Ok(evidence.dumps_absent()?.into_iter().map(one).collect())
}

/// What the snapshot holds, and what the audit saw that is not a fault of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AuditReport {
    /// The snapshot.
    pub snapshot: String,
    /// What the snapshot holds of each volume and class.
    pub captured: Vec<(String, Class, Amount)>,
    /// How many files differ between the live volumes and the snapshot.
    pub differing: u64,
    /// The first of them.
    pub differing_first: Vec<Difference>,
    /// How many live files have had their name only since the backup was begun, and so are not looked for in it.
    #[serde(default)]
    pub later: u64,
}

impl AuditReport {
    /// The report of the audit that is stored; none if there was none.
    pub fn read(evidence: &Evidence) -> Result<Option<Self>> {
        let Some(snapshot) = evidence.get(RunFact::Audit)? else { return Ok(None) };
        let (differing, differing_first) = evidence.differing(20)?;
        let later = evidence.number(RunFact::AuditLater)?.unwrap_or_default();
        Ok(Some(Self { snapshot, captured: evidence.captured()?, differing, differing_first, later }))
    }

    /// All that the snapshot holds.
    pub fn total(&self) -> Amount {
        self.sum(|_| true)
    }

    /// What the snapshot holds that the app or its operator's tools would create again.
    pub fn junk(&self) -> Amount {
        self.sum(|class| matches!(class, Class::Cache | Class::Regenerated))
    }

    fn sum(&self, of: impl Fn(Class) -> bool) -> Amount {
        self.captured
            .iter()
            .filter(|(_, c, _)| of(*c))
            .fold(Amount::default(), |sum, (.., a)| Amount { files: sum.files + a.files, bytes: sum.bytes + a.bytes })
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, junk) = (self.total(), self.junk());
        let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 };
        writeln!(f, "snapshot {}: {total}", self.snapshot)?;
        for (volume, class, amount) in &self.captured {
            writeln!(f, "  volume {volume}, {class}: {amount}")?;
        }
        writeln!(
            f,
            "files that need no backup (cache, regenerated): {:.0} % of the files, {:.0} % of the bytes",
            share(junk.files, total.files),
            share(junk.bytes, total.bytes)
        )?;
        if self.differing > 0 {
            writeln!(f, "files that differ between the live volumes and the snapshot: {}", self.differing)?;
        }
        for Difference { volume, path, what } in &self.differing_first {
            writeln!(f, "  volume {volume}, {path}: {what}")?;
        }
        if self.later > 0 {
            writeln!(f, "live files that are newer than the snapshot, so they are not looked for in it: {}", self.later)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{AuditFile, Side};

    fn stored(live: &[&str], snapshot: &[&str]) -> (tempfile::TempDir, Evidence) {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let files = |paths: &[&str]| -> Vec<AuditFile> {
            let file = |p: &&str| AuditFile {
                path: (*p).into(),
                class: if p.contains("index") { Class::Cache } else { Class::Durable },
                dump: (*p == "main.db").then(|| "dump".into()),
                size: Some(1),
                sha256: Some("aa".into()),
            };
            paths.iter().map(file).collect()
        };
        evidence.put_audit_files(Side::Live, "mail", &files(live)).expect("stored");
        evidence.put_audit_files(Side::Snapshot, "mail", &files(snapshot)).expect("stored");
        evidence.set(RunFact::Audit, "1a2b3c4d").expect("stored");
        (dir, evidence)
    }

    fn found(live: &[&str], snapshot: &[&str]) -> Vec<(String, Outcome)> {
        let (_dir, evidence) = stored(live, snapshot);
        let path = |f: Finding| match f.item {
            Item::Snapshot { path, .. } => (path, f.outcome),
            _ => panic!("no snapshot"),
        };
        findings(&evidence).expect("judged").into_iter().map(path).collect()
    }

    #[test]
    fn what_is_missed_is_named_by_the_highest_folder_that_lacks_all() {
        let live = ["a/1", "a/b/2", "a/b/3", "c/4", "index"];
        assert_eq!(found(&live, &live), []);
        assert_eq!(found(&live, &["a/1", "a/b/2", "a/b/3", "c/4"]), []);
        assert_eq!(found(&live, &[]), [(".".into(), Outcome::Lost)]);
        assert_eq!(found(&live, &["a/1", "c/4"]), [("a/b".into(), Outcome::Lost)]);
        assert_eq!(found(&live, &["a/1", "a/b/2"]), [("a/b/3".into(), Outcome::Lost), ("c".into(), Outcome::Lost)]);
        // A folder's name that begins like another's.
        assert_eq!(found(&["a/1", "ab/2"], &["ab/2"]), [("a".into(), Outcome::Lost)]);
    }

    #[test]
    fn what_a_bot_lists_like_files_and_is_none_is_forgotten() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let listed = |path: &str| AuditFile { path: path.into(), class: Class::Durable, dump: None, size: None, sha256: None };
        let paths = ["a", "a-b", "a/1", "a/c", "a/c/2", "empty", "link", "x"];
        evidence.put_audit_files(Side::Snapshot, "mail", &paths.map(listed)).expect("stored");
        // A folder elsewhere is none of this volume.
        evidence.put_audit_files(Side::Snapshot, "data", &[listed("x/1")]).expect("stored");
        evidence.forget_folders_of_snapshot().expect("forgotten");
        for other in ["empty", "link"] {
            evidence.forget_listed("mail", other).expect("forgotten");
        }
        assert_eq!(evidence.unread_of_snapshot().expect("read"), Some((5, "data: x/1".into())));
        let left = ["a-b", "a/1", "a/c/2", "x"].map(|p| AuditFile { size: Some(1), sha256: Some("aa".into()), ..listed(p) });
        evidence.put_audit_files(Side::Snapshot, "mail", &left).expect("stored");
        evidence
            .put_audit_files(Side::Snapshot, "data", &[AuditFile { sha256: Some("aa".into()), ..listed("x/1") }])
            .expect("stored");
        assert_eq!(evidence.unread_of_snapshot().expect("read"), None);
        // What was read stays.
        evidence.forget_listed("mail", "x").expect("forgotten");
        assert_eq!(evidence.captured().expect("read")[1].2.files, 4);
    }

    #[test]
    fn dumps_that_are_absent_or_wrong() {
        assert_eq!(found(&["main.db", "x"], &["x"]), [("dump".into(), Outcome::Lost)]);
        assert_eq!(found(&["main.db", "x"], &["x", "dump"]), []);
        let (_dir, evidence) = stored(&["main.db"], &["dump"]);
        evidence.put_dump("mail", "dump", Some("it is empty")).expect("stored");
        let all = findings(&evidence).expect("judged");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].to_string(), "snapshot, volume mail, path dump: altered (dump): it is empty");
    }
}
