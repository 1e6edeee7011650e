//! `labels pr`: writes the text of a recipe's pull request from the evidence of a drill that held.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use judge::audit::AuditReport;
use judge::model::{Status, Verdict};
use judge::store::{Evidence, RunFact};
use judge::{RESTORED, judge};
use recipe::inventory::{Class, Inventory, InventoryVolume};
use recipe::labels::{Selection, selection};
use recipe::rung::Rung;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::ladder::Ladder;
use crate::report::model::{events, ladder_in, run_dir};

/// Labels under `deploy.labels`, by service.
type Labels = BTreeMap<String, BTreeMap<String, String>>;

/// A run, and the ladder that it belongs to, if it belongs to one.
pub struct Proof {
    evidence: Evidence,
    ladder: Option<Ladder>,
}

impl Proof {
    /// Opens the directory of a run, or of a ladder.
    pub fn open(dir: &Path) -> Result<Self> {
        Ok(Self { evidence: Evidence::open(&run_dir(dir))?, ladder: ladder_in(dir)? })
    }

    fn level(&self) -> String {
        self.ladder.as_ref().map_or_else(|| "no ladder was run".to_owned(), |l| format!("{} of {}", l.level, Rung::ALL.len()))
    }
}

/// Writes the text in Markdown. `before` is a run of the recipe before the change.
///
/// It is an error if the verdict of `after` is not held, because such a run proves nothing.
pub fn text(after: &Proof, before: Option<&Proof>) -> Result<String> {
    let evidence = &after.evidence;
    let verdict = judge(evidence, RESTORED)?;
    if verdict.status != Status::Held {
        return Err(Error::NotHeld(format!(
            "{}: the verdict is {}, with {} findings, so a pull request could claim nothing. `restore-drill judge` lists \
             the findings",
            evidence.dir().display(),
            verdict.status,
            verdict.findings.len()
        )));
    }
    let fact = |fact: RunFact| -> Result<String> {
        let missing = || Error::Usage(format!("{}: the run did not store its {}", evidence.dir().display(), fact.key()));
        evidence.get(fact)?.ok_or_else(missing)
    };
    let labels: Labels = parse(&fact(RunFact::Recipe)?)?;
    let inventory: Inventory = parse(&fact(RunFact::Inventory)?)?;
    let scenario = fact(RunFact::Scenario)?;
    let report = AuditReport::read(evidence)?.ok_or_else(|| Error::Usage("the run did not store an audit".into()))?;

    let mut out = String::new();
    let _ = writeln!(out, "# Back up {scenario} with backupbot\n");
    let _ = writeln!(
        out,
        "This adds backupbot v2 labels for the data that the app must not lose, and says why for each volume. A restore drill held \
         with these labels: it deployed the app, filled it with data through its own ports, backed it up, removed it with its \
         volumes, restored it, and compared every item.\n"
    );
    out += &warned(&fact(RunFact::Images)?);
    selected(&mut out, &labels, &inventory);
    left_out(&mut out, &labels, &inventory, &report);
    needed(&mut out, &verdict);
    written(&mut out, &labels);
    if let Some(version) = version(&labels) {
        let note = note(&scenario, &labels, &inventory);
        let _ = writeln!(out, "## The release note\n\n`release/{version}`:\n\n```text\n{note}```\n");
    }
    proof(&mut out, evidence, &verdict, &report, &fact)?;
    level(&mut out, after, &verdict, before)?;
    Ok(out)
}

/// What the run stores where it ran on stand-ins.
const STANDINS: &str = "stand-in images";

/// What nobody may overlook.
fn warned(images: &str) -> String {
    if images != STANDINS {
        return String::new();
    }
    "> **The drill ran on stand-in images.** They are built from Debian packages and have the names of the recipe's images. The drill \
     shows that these labels and hooks save and restore the data of that software. It does not show it for the images that this recipe \
     deploys: for that, repeat it with `--images recipe` on a machine that can pull them.\n\n"
        .to_owned()
}

/// Which bot took the backup, from the command that does the run again.
fn bot(command: &str) -> String {
    let says = |word: &str| command.split_whitespace().any(|said| said == word);
    if says("existing") && command.contains("--backupbot") {
        return "the one that was deployed already (`--backupbot existing`)".to_owned();
    }
    let does = if says("--strict") {
        "which does what the specification of backupbot version 2 says (`--strict`)"
    } else {
        "which does what backup-bot-two 2.x does, as far as that is known"
    };
    format!("restore-drill's own, version {}, {does}; not backup-bot-two itself", env!("CARGO_PKG_VERSION"))
}

/// The version that the recipe has.
fn version(labels: &Labels) -> Option<&str> {
    let versions = labels.values().flatten().filter(|(name, _)| name.starts_with("coop-cloud.") && name.ends_with(".version"));
    versions.map(|(_, value)| value.as_str()).next()
}

/// What operators are told when they upgrade.
fn note(scenario: &str, labels: &Labels, inventory: &Inventory) -> String {
    let names = |excluded: bool| {
        let of = inventory.deployed().filter(|v| (of(labels, v) == Selection::Excluded) == excluded);
        of.map(|v| v.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut note = format!("{scenario} is now backed up by backupbot version 2.\nBacked up: {}.\n", names(false));
    if !names(true).is_empty() {
        let _ = writeln!(note, "Not backed up: {}.", names(true));
    }
    note + "Backups that were taken before this version do not have this content. Take one after the upgrade.\n"
}

/// Writes the release note into a recipe's folder, and returns its file. One that is there is not changed.
pub fn write_release(proof: &Proof, folder: &Path) -> Result<PathBuf> {
    let evidence = &proof.evidence;
    let fact = |fact: RunFact| -> Result<String> { Ok(evidence.get(fact)?.unwrap_or_default()) };
    let labels: Labels = parse(&fact(RunFact::Recipe)?)?;
    let inventory: Inventory = parse(&fact(RunFact::Inventory)?)?;
    let version = version(&labels).ok_or_else(|| Error::Usage("the recipe of the run has no version label".into()))?;
    if version.contains(['/', '\0']) || !folder.is_dir() {
        return Err(Error::Usage(format!("{}: expected the recipe's folder, for release/{version}", folder.display())));
    }
    let dir = folder.join("release");
    let file = dir.join(version);
    if file.symlink_metadata().is_ok() {
        return Err(Error::Usage(format!("{} exists already; nothing was changed", file.display())));
    }
    std::fs::create_dir_all(&dir).map_err(recipe::Error::unwritable(&dir))?;
    std::fs::write(&file, note(&fact(RunFact::Scenario)?, &labels, &inventory)).map_err(recipe::Error::unwritable(&file))?;
    Ok(file)
}

fn parse<T: for<'de> Deserialize<'de>>(json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|e| Error::system("the run's evidence cannot be read", e))
}

fn of(labels: &Labels, volume: &InventoryVolume) -> Selection {
    selection(labels.values(), &volume.name)
}

fn selected(out: &mut String, labels: &Labels, inventory: &Inventory) {
    let _ = writeln!(out, "## What is backed up, and why\n");
    let _ = writeln!(out, "| volume | class and content | why its copy is complete |\n| --- | --- | --- |");
    for volume in inventory.deployed() {
        let what = match of(labels, volume) {
            Selection::Excluded => continue,
            Selection::Whole => format!("`{}`", volume.name),
            Selection::Paths(paths) => {
                format!("`{}`: {}", volume.name, paths.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", "))
            }
        };
        let dumps =
            volume.paths.iter().filter_map(|p| Some(format!("A hook dumps `{}` to `{}`: {}", p.path, p.dump.as_ref()?, p.why)));
        let whole: Vec<String> = dumps.chain(volume.live.clone()).collect();
        let whole = if whole.is_empty() { "not stated".to_owned() } else { whole.join(" ") };
        let _ = writeln!(out, "| {what} | {}: {} | {whole} |", volume.class, volume.why);
    }
    out.push('\n');
}

fn left_out(out: &mut String, labels: &Labels, inventory: &Inventory, report: &AuditReport) {
    let _ = writeln!(out, "## What is not backed up, and why\n");
    for volume in &inventory.volumes {
        if volume.not_deployed {
            let _ = writeln!(out, "- `{}` of service `{}` is not deployed by this recipe.", volume.name, volume.service);
        } else if of(labels, volume) == Selection::Excluded {
            let _ = writeln!(out, "- `{}`, {}: {}", volume.name, volume.class, volume.why);
        }
    }
    let taken = inventory.deployed().filter(|v| of(labels, v) != Selection::Excluded);
    for (volume, path) in taken.flat_map(|v| v.paths.iter().map(move |p| (v, p))).filter(|(_, p)| p.class == Class::Cache) {
        let _ = writeln!(out, "- `{}` in `{}` is cache: {}", path.path, volume.name, path.why);
    }
    let (junk, total) = (report.junk(), report.total());
    let _ = writeln!(
        out,
        "\nLabels cannot exclude files within a volume by pattern, so the backup also contains cache: {} of {} files, {} of {} KiB.\n",
        junk.files,
        total.files,
        junk.bytes.div_ceil(1024),
        total.bytes.div_ceil(1024)
    );
}

/// What the restore needed besides the backup.
fn needed(out: &mut String, verdict: &Verdict) {
    if verdict.needs.is_empty() {
        return;
    }
    let _ = writeln!(out, "## What must be kept besides the backup\n");
    for secret in &verdict.needs {
        let _ = writeln!(out, "- `{}`: {}", secret.name, secret.why);
    }
    out.push('\n');
}

fn written(out: &mut String, labels: &Labels) {
    let _ = writeln!(out, "## The labels\n\n```yaml\nservices:");
    for (service, labels) in labels {
        let ours: Vec<_> = labels.iter().filter(|(n, _)| n.starts_with("backupbot") || n.ends_with(".version")).collect();
        if ours.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {service}:\n    deploy:\n      labels:");
        for (name, value) in ours {
            // JSON's quoted strings are YAML's.
            let _ = writeln!(out, "        - {}", serde_json::json!(format!("{name}={value}")));
        }
    }
    let _ = writeln!(out, "```\n");
}

fn proof(
    out: &mut String,
    evidence: &Evidence,
    verdict: &Verdict,
    report: &AuditReport,
    fact: &impl Fn(RunFact) -> Result<String>,
) -> Result<()> {
    let times = times(evidence);
    let seconds = |phases: &[&str]| phases.iter().filter_map(|p| times.get(*p)).sum::<u64>() as f64 / 1000.0;
    let total = report.total();
    let share = |part: u64, all: u64| part * 100 / all.max(1);
    let junk = report.junk();
    let seeded = seeded(evidence)?;
    let _ = writeln!(out, "## The proof\n\n| | |\n| --- | --- |");
    let mut row = |what: &str, is: String| {
        let _ = writeln!(out, "| {what} | {is} |");
    };
    let images = fact(RunFact::Images)?;
    row("images", if images == STANDINS { "**stand-in images**, not the recipe's".into() } else { images });
    row("bot", bot(&fact(RunFact::Reproduce)?));
    row("data", format!("profile {}, seed {}", fact(RunFact::Profile)?, fact(RunFact::Seed)?));
    row("seeded", seeded);
    row("compared after the restore", verdict.compared.to_string());
    row("differences", "none".into());
    row(
        "snapshot",
        format!(
            "`{}`: {} files, {} KiB",
            &report.snapshot[..report.snapshot.len().min(8)],
            total.files,
            total.bytes.div_ceil(1024)
        ),
    );
    row(
        "cache in the snapshot",
        format!("{} % of the files, {} % of the bytes", share(junk.files, total.files), share(junk.bytes, total.bytes)),
    );
    row("time to back up", format!("{:.1} s", seconds(&["backup"])));
    row("time to restore, until the services run again", format!("{:.1} s", seconds(&["restore", "restart"])));
    let _ = writeln!(out, "\nTo reproduce: `{}`\n", fact(RunFact::Reproduce)?);
    Ok(())
}

fn seeded(evidence: &Evidence) -> Result<String> {
    use judge::store::Sent;
    Ok(format!("{} messages accepted over SMTP", evidence.ledger_count(Sent::Ok)?))
}

/// Milliseconds of each phase, from the run's events.
fn times(evidence: &Evidence) -> BTreeMap<String, u64> {
    let (phases, ..) = events(evidence.dir());
    phases.into_iter().filter_map(|p| Some((p.phase, p.millis?))).collect()
}

fn level(out: &mut String, proof: &Proof, after: &Verdict, before: Option<&Proof>) -> Result<()> {
    let _ = writeln!(out, "## Before and after\n");
    match before {
        Some(before) => {
            let was = judge(&before.evidence, RESTORED)?;
            let _ = writeln!(out, "| recipe | level | verdict | differences |\n| --- | --- | --- | --- |");
            let _ = writeln!(out, "| before | {} | {} | {} |", before.level(), was.status, was.findings.len());
            let _ = writeln!(out, "| after | {} | {} | {} |", proof.level(), after.status, after.findings.len());
            if let Some(why) = before.ladder.as_ref().and_then(Ladder::blocked_by) {
                let _ = writeln!(out, "\nWhat kept the level down before: {why}.");
            }
            if let Some(first) = was.findings.first() {
                let _ = writeln!(out, "\nThe first difference before: {first}.");
            }
        }
        None => {
            if proof.ladder.is_some() {
                let _ = writeln!(out, "Level: {}.\n", proof.level());
            }
            let _ = writeln!(out, "After: {}. There was no drill of the recipe before the change.", after.status);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_says_whose_behaviour_its_bot_had() {
        assert!(bot("restore-drill run x").contains("which does what backup-bot-two 2.x does"));
        assert!(bot("restore-drill run x --strict").contains("what the specification of backupbot version 2 says (`--strict`)"));
        assert!(bot("restore-drill run x --backupbot existing").starts_with("the one that was deployed already"));
    }
}
