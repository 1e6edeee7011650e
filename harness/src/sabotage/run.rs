//! Sabotages in turn on one deployment a group, each with its findings beside those that it must cause, between
//! fault-free twins that must have none.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use judge;
use recipe::scenario::Scenario;
use serde::Serialize;

use super::labels::{linted, reported};
use super::restore::left;
use super::{Deed, Group, Sabotage, backup, content, essence, uncovered};
use crate::drill::proof::{Baseline, Restarted};
use crate::drill::{self, Drill, Options, Sinks};
use crate::error::{Error, Result};
use crate::events::Event;

/// The name of the fault-free twin in a matrix.
pub const TWIN: &str = "(no fault)";

/// What came of one sabotage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub sabotage: String,
    /// Where it strikes.
    pub group: Group,
    /// What is done, in a line.
    pub what: String,
    /// The findings that it must cause; globs of them, where `globs` says so.
    pub expected: BTreeSet<String>,
    /// Whether what is expected are globs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub globs: bool,
    /// The findings that there were.
    pub found: BTreeSet<String>,
    /// How long it took, milliseconds.
    pub millis: u64,
}

impl Line {
    /// Whether exactly what had to be found was found.
    pub fn caught(&self) -> bool {
        let (missed, more) = self.odd();
        missed.is_empty() && more.is_empty()
    }

    /// What was expected and not found, and what was found and not expected.
    pub fn odd(&self) -> (Vec<&String>, Vec<&String>) {
        if self.globs {
            return uncovered(&self.expected, &self.found);
        }
        (self.expected.difference(&self.found).collect(), self.found.difference(&self.expected).collect())
    }
}

/// Every sabotage that was committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Of this form.
    pub version: u32,
    /// One for each sabotage, and one for each twin.
    pub lines: Vec<Line>,
}

impl Matrix {
    /// Whether every sabotage was caught and every twin was clean; no lines prove nothing.
    pub fn whole(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(Line::caught)
    }

    /// The names of the sabotages that were not caught; a twin that did not hold has none.
    pub fn missed(&self) -> Vec<&str> {
        self.lines.iter().filter(|l| !l.caught() && l.sabotage != TWIN).map(|l| l.sabotage.as_str()).collect()
    }

    /// As text: one row a sabotage, and under it what was missed or too much.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{:9} {:28} {:>8} {:>5} {:>8}", "group", "sabotage", "expected", "found", "time");
        for line in &self.lines {
            let word = if line.caught() { "" } else { "  MISSED" };
            let (expected, found) = (line.expected.len(), line.found.len());
            let seconds = line.millis as f64 / 1000.0;
            let _ = writeln!(
                out,
                "{:9} {:28} {expected:>8} {found:>5} {seconds:>6.1} s{word}",
                line.group.to_string(),
                line.sabotage
            );
            let (missed, more) = line.odd();
            for (mark, these) in [("expected", missed), ("found   ", more)] {
                for finding in these.into_iter().take(10) {
                    let _ = writeln!(out, "            {mark}  {finding}");
                }
            }
        }
        let sabotages = self.lines.iter().filter(|l| l.sabotage != TWIN);
        let (caught, all) = (sabotages.clone().filter(|l| l.caught()).count(), sabotages.count());
        let _ = writeln!(out, "{caught} of {all} sabotages caught");
        out
    }
}

/// Which of a scenario's sabotages `names` are; none for all.
pub fn chosen(scenario: &Scenario, names: &[String], group: Option<Group>) -> Result<Vec<&'static Sabotage>> {
    let mut all = super::of(scenario);
    names.iter().try_for_each(|name| super::find(&all, name).map(drop))?;
    all.retain(|s| (names.is_empty() || names.iter().any(|n| n == s.name)) && group.is_none_or(|g| s.group() == g));
    Ok(all)
}

/// Commits one sabotage, or none, in a drill of its own: the lines of scenarios whose sabotages are declared.
pub async fn whole(sabotage: Option<&'static Sabotage>, mut options: Options, sinks: Sinks) -> Result<Line> {
    options.sabotage = sabotage;
    let since = Instant::now();
    let play = move |drill: Arc<Drill>| async move {
        let verdict = drill.play().await?;
        let expected = sabotage.map(|s| s.expected(&drill)).transpose()?.unwrap_or_default();
        let (name, what) = sabotage.map_or((TWIN, "nothing is wrong"), |s| (s.name, s.what));
        let line = Line {
            sabotage: name.into(),
            group: Group::Labels,
            what: what.into(),
            expected,
            globs: true,
            found: essence(&verdict.findings),
            millis: since.elapsed().as_millis() as u64,
        };
        drill.events.emit(Event::Sabotaged { line: line.clone() });
        Ok(line)
    };
    drill::guarded(options, sinks, play).await.map(|ended| ended.value)
}

/// Commits the sabotages of one group, all of `chosen` that are in it, on one deployment. Gives the lines so far also where
/// it could not go on.
pub async fn group(group: Group, chosen: &[&'static Sabotage], options: Options, sinks: Sinks) -> (Vec<Line>, Result<()>) {
    let of: Vec<&'static Sabotage> = chosen.iter().copied().filter(|s| s.group() == group).collect();
    if of.is_empty() {
        return (vec![], Ok(()));
    }
    let lines = Arc::new(Mutex::new(Vec::new()));
    let run_lines = lines.clone();
    let play = move |drill: Arc<Drill>| async move {
        let run = Run { drill, group, lines: run_lines };
        match group {
            Group::Labels | Group::Backup => run.backups(&of).await,
            Group::Restore => run.restores(&of).await,
            Group::Content => run.contents(&of).await,
        }
    };
    let result = drill::guarded(options, sinks, play).await.map(drop);
    let lines = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    (lines, result)
}

struct Run {
    drill: Arc<Drill>,
    group: Group,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Run {
    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, sabotage: Option<&Sabotage>, since: Instant, expected: BTreeSet<String>, found: BTreeSet<String>) {
        let (name, what) = sabotage.map_or((TWIN, "nothing is wrong"), |s| (s.name, s.what));
        let (group, millis) = (self.group, since.elapsed().as_millis() as u64);
        let line = Line { sabotage: name.into(), group, what: what.into(), expected, globs: false, found, millis };
        self.drill.events.emit(Event::Sabotaged { line: line.clone() });
        self.lines().push(line);
    }

    /// Backup and audit, once for each sabotage; nothing is wiped.
    async fn backups(&self, of: &[&'static Sabotage]) -> Result<()> {
        let (baseline, _) = self.drill.until_baseline(false).await?;
        self.one_backup(None, &baseline).await?;
        backup::save(&self.drill).await?;
        for sabotage in of {
            self.one_backup(Some(sabotage), &baseline).await?;
        }
        self.one_backup(None, &baseline).await
    }

    async fn one_backup(&self, sabotage: Option<&'static Sabotage>, baseline: &Baseline) -> Result<()> {
        let drill = self.drill.clone();
        let since = Instant::now();
        drill.evidence.clear_complaints()?;
        drill.evidence.clear_audit()?;
        let edits = sabotage.map(|s| s.edits(&drill.corpus)).unwrap_or_default();
        drill.redeploy(edits).await?;
        // A dump of an earlier backup would stand for one that was not made.
        super::within(&drill, "admin", &["rm", "-f", "/data/main.db.backup"]).await?;
        let created = match sabotage {
            Some(sabotage) => {
                sabotage.before_backup(&drill).await?;
                sabotage.create(&drill, baseline).await?
            }
            None => drill.backup(baseline).await?,
        };
        if let Some(backup) = &created {
            if let Some(sabotage) = sabotage {
                sabotage.after_backup(&drill, backup).await?;
            }
            let _audited = drill.audit(backup).await?;
        }
        let verdict = judge::audited(&drill.evidence)?;
        for finding in &verdict.findings {
            drill.events.emit(Event::Found { finding: finding.clone() });
        }
        let mut found = essence(&verdict.findings);
        found.extend(reported(&drill)?);
        let mut expected = BTreeSet::new();
        match sabotage.map(|s| &s.deed) {
            None => found.extend(linted(&drill, &[], false)?),
            Some(Deed::Label(mistake)) => {
                expected = mistake.expected(&drill)?;
                found.extend(mistake.linted(&drill)?);
            }
            Some(Deed::Backup(deed)) => {
                expected = deed.expected(&drill)?;
                deed.undo(&drill).await?;
            }
            Some(_) => {}
        }
        self.add(sabotage, since, expected, found);
        Ok(())
    }

    /// Wipe, restore and observation, once for each sabotage, from one snapshot.
    async fn restores(&self, of: &[&'static Sabotage]) -> Result<()> {
        let drill = self.drill.clone();
        let (baseline, older) = drill.until_baseline(of.iter().any(|s| s.wants_older())).await?;
        let backup =
            drill.backup(&baseline).await?.ok_or_else(|| Error::Unknown("the backup of a fault-free drill failed".into()))?;
        let audited = drill.audit(&backup).await?;
        for sabotage in [None].into_iter().chain(of.iter().copied().map(Some)).chain([None]) {
            let since = Instant::now();
            let name = format!("{} {}", sabotage.map_or(TWIN, |s| s.name), self.lines().len());
            drill.evidence.clear_complaints()?;
            let expected = match sabotage.map(|s| &s.deed) {
                Some(Deed::Restore(deed)) => deed.expected(&drill, older.as_ref())?,
                _ => BTreeSet::new(),
            };
            if sabotage.is_some_and(|s| s.skips_wipe()) {
                let found = match drill.not_wiped(&baseline).await {
                    Err(Error::WipeNotProven(leftovers)) => leftovers.iter().map(|l| left(l.kind)).collect(),
                    Err(e) => return Err(e),
                    Ok(_) => BTreeSet::new(),
                };
                self.add(sabotage, since, expected, found);
                continue;
            }
            let wiped = drill.wipe(&baseline, &audited).await?;
            let restarted = match sabotage {
                None => drill.restart(drill.restore(wiped, &backup).await?).await?,
                Some(sabotage) => {
                    let edits = sabotage.edits(&drill.corpus);
                    if !edits.is_empty() {
                        drill.redeploy(edits).await?;
                    }
                    sabotage.restore(&drill, wiped, &backup, older.as_ref()).await?
                }
            };
            let found = self.observed(&restarted, &name, sabotage.is_none()).await?;
            self.add(sabotage, since, expected, found);
        }
        Ok(())
    }

    /// Strikes on what one restore brought back, each of them undone.
    async fn contents(&self, of: &[&'static Sabotage]) -> Result<()> {
        let drill = self.drill.clone();
        let (baseline, _) = drill.until_baseline(false).await?;
        let backup =
            drill.backup(&baseline).await?.ok_or_else(|| Error::Unknown("the backup of a fault-free drill failed".into()))?;
        let audited = drill.audit(&backup).await?;
        let wiped = drill.wipe(&baseline, &audited).await?;
        let restarted = drill.restart(drill.restore(wiped, &backup).await?).await?;
        content::save(&drill).await?;
        for sabotage in [None].into_iter().chain(of.iter().copied().map(Some)).chain([None]) {
            let since = Instant::now();
            let name = format!("{} {}", sabotage.map_or(TWIN, |s| s.name), self.lines().len());
            if let Some(sabotage) = sabotage {
                sabotage.strike(&drill).await?;
            }
            let found = self.observed(&restarted, &name, sabotage.is_none_or(Sabotage::is_tried)).await?;
            let mut expected = BTreeSet::new();
            match sabotage {
                Some(sabotage) => {
                    expected = sabotage.expected(&drill)?;
                    sabotage.undo(&drill).await?;
                }
                None => content::put_back(&drill).await?,
            }
            self.add(sabotage, since, expected, found);
        }
        Ok(())
    }

    async fn observed(&self, restarted: &Restarted, name: &str, tried: bool) -> Result<BTreeSet<String>> {
        self.drill.observe(restarted, name).await?;
        self.drill.try_if(tried, name).await?;
        Ok(essence(&self.drill.judge(name)?.findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, expected: &[&str], found: &[&str]) -> Line {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let (expected, found) = (set(expected), set(found));
        Line { sabotage: name.into(), group: Group::Content, what: String::new(), expected, globs: false, found, millis: 1500 }
    }

    #[test]
    fn a_matrix_is_whole_when_exactly_the_expected_was_found() {
        let whole = |lines: &[Line]| Matrix { version: 1, lines: lines.to_vec() }.whole();
        assert!(whole(&[line(TWIN, &[], &[]), line("a", &["x: lost"], &["x: lost"])]));
        assert!(!whole(&[]), "nothing committed proves nothing");
        assert!(!whole(&[line("a", &["x: lost"], &[])]), "undetected");
        assert!(!whole(&[line("a", &["x: lost"], &["y: lost"])]), "misnamed");
        assert!(!whole(&[line("a", &["x: lost"], &["x: lost", "y: lost"])]), "too much");
        assert!(!whole(&[line(TWIN, &[], &["x: lost"])]), "a twin that does not hold");
    }

    #[test]
    fn the_text_names_what_was_missed_and_what_was_too_much() {
        let text = Matrix { version: 1, lines: vec![line(TWIN, &[], &[]), line("a", &["x: lost"], &["y: lost"])] }.text();
        assert!(text.contains("content   a                                   1     1    1.5 s  MISSED\n"), "{text}");
        assert!(
            text.contains("            expected  x: lost\n            found     y: lost\n0 of 1 sabotages caught\n"),
            "{text}"
        );
    }
}
