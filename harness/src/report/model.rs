//! A report: everything that a run's directory says, read once; each form of the report is made from it. Needs no Docker and no
//! scenario.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use judge::audit;
use judge::checks::{self, Check};
use judge::coverage::Coverage;
use judge::ended::Ended;
use judge::meaning::Meaning;
use judge::model::{Counts, Finding, Group, Item, KeptSecret, MessageId, Status, essence, essences};
use judge::store::{AlteredSeen, Evidence, RunFact};
use judge::{RESTORED, judge};
use schemars::JsonSchema;
use seeds::{Corpus, Profile};
use serde::{Deserialize, Serialize};

use super::since::Since;
use crate::error::{Error, Result};
use crate::ladder::{self, Ladder};

/// The form of `report.json`.
pub const FORM: u32 = 1;
/// Lines of each service's log that a report has.
const LOG_LINES: usize = 60;

/// `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Of this form.
    pub form: u32,
    /// Which run.
    pub run: Run,
    /// Held, unknown or broken.
    pub status: Status,
    /// Why the run ended before its end, if it did: then nothing is proven.
    #[serde(default)]
    pub ended: Option<Ended>,
    /// What was compared.
    pub compared: Counts,
    /// How much of what there is was compared.
    #[serde(default)]
    pub coverage: Coverage,
    /// What a restore needs besides the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<KeptSecret>,
    /// The worst of the findings in a sentence without its full stop; none where there is no finding that counts.
    #[serde(default)]
    pub headline: Option<String>,
    /// The findings by cause, causes first.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Each check.
    pub checks: Vec<CheckResult>,
    /// Every difference, sorted.
    pub findings: Vec<Finding>,
    /// What has changed since the run that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// What changed in some of the messages whose content changed.
    #[serde(default)]
    pub altered: Vec<Altered>,
    /// The phases, in order.
    pub phases: Vec<PhaseTime>,
    /// Notes of the run.
    pub notes: Vec<String>,
    /// The recovery figures.
    pub recovery: Recovery,
    /// What the snapshot held.
    pub audit: Option<audit::AuditReport>,
    /// The ladder that the run was part of.
    pub ladder: Option<Ladder>,
    /// What it ran on.
    pub environment: BTreeMap<String, String>,
}

/// Which run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Its id, which was on every label.
    pub id: String,
    /// When it began, RFC 3339.
    pub began: Option<String>,
    /// The scenario.
    pub scenario: String,
    /// The profile of the data.
    pub profile: String,
    /// Its seed.
    pub seed: String,
    /// `stand-in images` or `the recipe's images`.
    pub images: Option<String>,
    /// restic's id of the snapshot.
    pub snapshot: Option<String>,
    /// The command that reproduces the run.
    pub reproduce: String,
}

/// A check, and its result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// Its name: `messages`, `rows of main.db, user`, ….
    pub name: String,
    /// How many items.
    pub items: u64,
    /// The result.
    pub status: Status,
    /// The positions of its findings in the report's list, from 0.
    pub findings: Vec<usize>,
}

/// What changed in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Altered {
    /// The message, as its finding names it.
    pub message: String,
    /// A unified diff of the body as it was submitted and as it is now, or a sentence where there is no such diff.
    pub difference: String,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseTime {
    /// Its name.
    pub phase: String,
    /// When it began, milliseconds after the first one.
    pub at_ms: u64,
    /// How long it took, milliseconds; none where it did not end well.
    pub millis: Option<u64>,
    /// The result, in a few words.
    pub summary: String,
}

/// The recovery figures. What the run did not measure is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// Time to back up, milliseconds.
    pub backup_ms: Option<u64>,
    /// Time to restore, milliseconds: what the bot took.
    pub restore_ms: Option<u64>,
    /// From the start of the restore until a user could log in, milliseconds: the recovery time (RTO).
    pub first_login_ms: Option<u64>,
    /// The age of the newest restored item when the data was lost, milliseconds: the recovery point (RPO). Absent if the verdict
    /// is not held.
    pub newest_item_ms: Option<u64>,
    /// Bytes of the files that the backup read.
    pub bytes_read: Option<u64>,
    /// Bytes that the repository grew by.
    pub bytes_stored: Option<u64>,
    /// How many times more data was read than stored.
    pub dedup_ratio: Option<f64>,
}

/// The end of a service's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// The service's full name.
    pub service: String,
    /// Its last lines.
    pub lines: String,
}

impl Report {
    /// What a directory says: a run's, or a ladder's with a run in it.
    pub fn read(dir: &Path) -> Result<Self> {
        let ladder = ladder_in(dir)?;
        let evidence = Evidence::open(&run_dir(dir))?;
        let verdict = judge(&evidence, RESTORED)?;
        let fact = |fact| evidence.get(fact).map(Option::unwrap_or_default);
        let (phases, notes, began) = events(evidence.dir());
        // A ladder backs up and restores more than once; the last is what is judged.
        let time = |name: &str| phases.iter().rfind(|p| p.phase == name).and_then(|p| p.millis);
        let (read, stored) = (evidence.number(RunFact::BytesRead)?, evidence.number(RunFact::BytesAdded)?);
        let recovery = Recovery {
            backup_ms: time("backup"),
            restore_ms: time("restore"),
            first_login_ms: evidence.number(RunFact::FirstLoginMs)?,
            newest_item_ms: evidence.number(RunFact::NewestItemMs)?.filter(|_| verdict.status == Status::Held),
            bytes_read: read,
            bytes_stored: stored,
            dedup_ratio: read.zip(stored).filter(|(_, s)| *s > 0).map(|(r, s)| (r as f64 / s as f64 * 100.0).round() / 100.0),
        };
        let performed = checks::performed(&evidence, RESTORED)?;
        let environment = evidence.json(RunFact::Environment)?.unwrap_or_default();
        let reproduce = match &ladder {
            Some(ladder) => ladder.reproduce.clone(),
            None => fact(RunFact::Reproduce)?,
        };
        let status = ladder.as_ref().map_or(verdict.status, |l| l.status().max(verdict.status));
        Ok(Self {
            form: FORM,
            run: Run {
                id: fact(RunFact::Run)?,
                began,
                scenario: fact(RunFact::Scenario)?,
                profile: fact(RunFact::Profile)?,
                seed: fact(RunFact::Seed)?,
                images: evidence.get(RunFact::Images)?,
                snapshot: evidence.get(RunFact::Snapshot)?,
                reproduce,
            },
            status,
            // One that cannot be read is among the findings.
            ended: Ended::read(&evidence).unwrap_or(None),
            compared: verdict.compared,
            coverage: verdict.coverage,
            needs: verdict.needs,
            headline: verdict.headline,
            groups: verdict.groups,
            checks: checks_of(&performed, &verdict.findings),
            altered: altered(&evidence)?,
            since: None,
            findings: verdict.findings,
            phases,
            notes,
            recovery,
            audit: audit::AuditReport::read(&evidence)?,
            ladder,
            environment,
        })
    }

    /// What is new since an earlier run.
    ///
    /// # Errors
    /// It was another drill: other data or another app has other items.
    pub fn since(&self, before: &Self) -> Result<Since> {
        let of = |run: &Run| format!("{} with profile {}, seed {}", run.scenario, run.profile, run.seed);
        let (earlier, later) = (of(&before.run), of(&self.run));
        if earlier != later {
            return Err(Error::Usage(format!(
                "these two runs have different items, so they cannot be compared: {earlier}, and {later}"
            )));
        }
        let (known, there) = (essences(&before.findings), essences(&self.findings));
        let is_new = |at: &usize| {
            let finding = &self.findings[*at];
            !known.contains(&essence(&finding.item, finding.outcome, finding.property.as_deref()))
        };
        let new = (0..self.findings.len()).filter(is_new).collect();
        let gone = known.difference(&there).count() as u64;
        Ok(Since { run: before.run.id.clone(), began: before.run.began.clone(), new, gone })
    }

    /// Reads a `report.json`.
    pub fn load(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(recipe::Error::unreadable(file))?;
        ladder::newer(file, &text, "a report", FORM)?;
        serde_json::from_str(&text).map_err(|e| {
            Error::input(file, Some(e.line()), format!("not a report.json, as `restore-drill report` writes it: {e}"))
        })
    }
}

/// What the findings of a group mean, their usual causes, and what to do: a sentence each. Not repeated where it may follow from another
/// group.
pub(super) fn advice(group: &Group) -> Vec<String> {
    if !group.follows.is_empty() {
        return vec![];
    }
    let told =
        |m: &Meaning| vec![m.means.clone(), format!("Usual causes: {}.", m.causes.join("; ")), format!("What to do: {}", m.fix)];
    group.meaning().map(told).unwrap_or_default()
}

/// The ladder whose directory it is, if it is one's.
pub fn ladder_in(dir: &Path) -> Result<Option<Ladder>> {
    let file = dir.join("ladder.json");
    file.is_file().then(|| Ladder::read(&file)).transpose()
}

/// The directory of the run that a report is of.
pub fn run_dir(dir: &Path) -> PathBuf {
    if dir.join("ladder.json").is_file() || dir.join("run").join("evidence.db").is_file() {
        dir.join("run")
    } else {
        dir.to_owned()
    }
}

/// The ends of the services' logs, by name.
pub fn logs(dir: &Path) -> Vec<Log> {
    let files = std::fs::read_dir(run_dir(dir).join("logs")).into_iter().flatten().flatten();
    let mut logs: Vec<Log> = files
        .filter_map(|f| {
            let text = String::from_utf8_lossy(&std::fs::read(f.path()).ok()?).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let lines = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
            Some(Log { service: f.path().file_stem()?.to_string_lossy().into_owned(), lines })
        })
        .collect();
    logs.sort_by(|a, b| a.service.cmp(&b.service));
    logs
}

/// What changed in the messages that were kept. What was submitted is computed again from profile and seed.
fn altered(evidence: &Evidence) -> Result<Vec<Altered>> {
    let Some(o) = evidence.completed(RESTORED)? else { return Ok(vec![]) };
    let profile = evidence.get(RunFact::Profile)?.and_then(|name| Profile::named(&name).ok());
    let seed = evidence.number(RunFact::Seed)?;
    let corpus = profile.zip(seed).map(|(profile, seed)| Corpus::new(seed, profile));
    let difference = |seen: &AlteredSeen| {
        let is = body(&seen.bytes);
        let number = seen.item.and_then(MessageId::corpus);
        let (Some(corpus), Some(number)) = (&corpus, number) else {
            return format!("the message is not from the corpus; its body is now:\n{}", cut(is.into_owned()));
        };
        if number >= corpus.len() {
            return "the message is not from the corpus".to_owned();
        }
        let submitted = corpus.message(number).bytes;
        let was = body(&submitted);
        if was.trim_end() == is.trim_end() {
            return "only the header changed; the body is as it was submitted".to_owned();
        }
        let diff = similar::TextDiff::from_lines(was.as_ref(), is.as_ref());
        cut(diff.unified_diff().context_radius(3).header("as submitted", "after the restore").to_string())
    };
    let one = |seen: AlteredSeen| {
        let difference = difference(&seen);
        let AlteredSeen { account, folder, uid, item, .. } = seen;
        Altered { message: Item::Message { account, folder, uid, corpus: item }.told().to_string(), difference }
    };
    Ok(evidence.altered(o)?.into_iter().map(one).collect())
}

/// What follows the first empty line.
fn body(message: &[u8]) -> Cow<'_, str> {
    let at = message.windows(4).position(|w| w == b"\r\n\r\n").map_or(0, |at| at + 4);
    String::from_utf8_lossy(&message[at..])
}

/// The beginning of a text that is too long to read.
fn cut(text: String) -> String {
    const MOST: usize = 8 << 10;
    match text.char_indices().find(|(at, _)| *at >= MOST) {
        Some((at, _)) => format!("{}\n…", &text[..at]),
        None => text,
    }
}

/// The checks that were made, and those that only findings name.
fn checks_of(performed: &checks::Performed, findings: &[Finding]) -> Vec<CheckResult> {
    let none = |check: &Check, items| {
        let (name, status, findings) = (check.to_string(), Status::Held, Vec::new());
        CheckResult { name, items, status, findings }
    };
    let mut all: BTreeMap<Check, CheckResult> =
        performed.iter().map(|(check, items)| (check.clone(), none(check, *items))).collect();
    for (at, finding) in findings.iter().enumerate() {
        let check = checks::Check::of(&finding.item);
        let result = all.entry(check).or_insert_with_key(|check| none(check, 0));
        result.status = result.status.max(finding.outcome.weight().unwrap_or(Status::Held));
        result.findings.push(at);
    }
    all.into_values().collect()
}

/// Phases, notes and the start, from the run's events, up to a line that was cut off.
pub(crate) fn events(dir: &Path) -> (Vec<PhaseTime>, Vec<String>, Option<String>) {
    let text = std::fs::read_to_string(dir.join("events.jsonl")).unwrap_or_default();
    let (mut phases, mut notes): (Vec<PhaseTime>, Vec<String>) = (Vec::new(), Vec::new());
    let mut first: Option<jiff::Timestamp> = None;
    for event in text.lines().map_while(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        let Some(time) = event["time"].as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok()) else { continue };
        let first = *first.get_or_insert(time);
        let at_ms = time.as_millisecond().abs_diff(first.as_millisecond());
        let name = || event["phase"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("phase-started") => phases.push(PhaseTime { phase: name(), at_ms, millis: None, summary: String::new() }),
            Some("phase-finished") => {
                let name = name();
                if let Some(phase) = phases.iter_mut().rev().find(|p| p.phase == name && p.millis.is_none()) {
                    phase.millis = event["millis"].as_u64();
                    phase.summary = event["summary"].as_str().unwrap_or_default().to_owned();
                }
            }
            Some("note") => notes.extend(event["message"].as_str().map(str::to_owned)),
            _ => {}
        }
    }
    (phases, notes, first.map(|t| t.to_string()))
}

/// A text as a sentence begins.
pub(super) fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Milliseconds for people.
pub fn seconds(ms: u64) -> String {
    let s = ms as f64 / 1000.0;
    if s < 120.0 { format!("{s:.1} s") } else { format!("{:.0} min {:02.0} s", (s / 60.0).floor(), s % 60.0) }
}

/// Bytes for people.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (n as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

impl Recovery {
    /// What was measured, each with its name.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let rows = [
            ("time to back up", self.backup_ms.map(seconds)),
            ("time to restore", self.restore_ms.map(seconds)),
            ("start of the restore to first login (RTO)", self.first_login_ms.map(seconds)),
            ("age of the newest restored item when the data was lost (RPO)", self.newest_item_ms.map(seconds)),
            ("data read by the backup", self.bytes_read.map(bytes)),
            ("data added to the repository", self.bytes_stored.map(bytes)),
            // Below 1, the repository's own files outweigh what deduplication and compression save.
            ("reduced by deduplication and compression", self.dedup_ratio.filter(|r| *r >= 1.0).map(|r| format!("{r:.2} times"))),
        ];
        rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_for_people() {
        assert_eq!((seconds(1_234), seconds(125_000)), ("1.2 s".into(), "2 min 05 s".into()));
        assert_eq!((bytes(5), bytes(1536), bytes(3 << 20)), ("5 B".into(), "1.5 KiB".into(), "3.0 MiB".into()));
    }

    #[test]
    fn events_are_read_as_far_as_they_go() {
        let dir = tempfile::tempdir().expect("a directory");
        let lines = [
            r#"{"event":"started","run":"r","time":"2026-01-01T00:00:00Z"}"#,
            r#"{"event":"phase-started","phase":"deploy","time":"2026-01-01T00:00:01Z"}"#,
            r#"{"event":"phase-finished","phase":"deploy","millis":500,"summary":"up","time":"2026-01-01T00:00:01.5Z"}"#,
            r#"{"event":"phase-started","phase":"wipe","time":"2026-01-01T00:00:02Z"}"#,
            r#"{"event":"phase-fin"#,
        ];
        std::fs::write(dir.path().join("events.jsonl"), lines.join("\n")).expect("written");
        let (phases, _, began) = events(dir.path());
        assert_eq!(began.as_deref(), Some("2026-01-01T00:00:00Z"));
        let read: Vec<_> = phases.iter().map(|p| (p.phase.as_str(), p.at_ms, p.millis)).collect();
        assert_eq!(read, [("deploy", 1000, Some(500)), ("wipe", 2000, None)]);
    }
}
