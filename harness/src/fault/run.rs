//! Faults in turn on one deployment a group, each with its findings beside those that it must cause, between fault-free twins
//! that must have none.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bot::contract::volume_dir;
use judge::model::{Finding, Item, essences};
use judge::{self, BASELINE};
use recipe::labels::rules::Rule;
use recipe::scenario::Scenario;
use recipe::scenario::faults::Group;

use super::act::in_bot;
use super::known::{Items, Known};
use super::labels::durable;
use super::lint::{linted, reported, rule};
use super::matrix::{Line, TWIN};
use super::{Fault, proven, put_back, save};
use crate::drill::fault::{Fault as Hooks, NoFault, Trials};
use crate::drill::proof::{BackedUp, Baseline, Restarted};
use crate::drill::{self, Drill, Options, Sinks};
use crate::error::{Error, FaultError, Result};
use crate::events::Event;
use crate::stack::volumes::full_name;

/// What came of some faults, and what the judge could have reported.
#[derive(Debug, Default)]
pub struct Outcome {
    /// A line for each fault and twin.
    pub lines: Vec<Line>,
    /// What the judge can report of the checks that were made.
    pub checks: BTreeSet<String>,
}

/// Which of a scenario's faults `names` are; none for all.
pub fn chosen(scenario: &Scenario, names: &[String], group: Option<Group>) -> Result<Vec<Arc<Fault>>> {
    let mut all = super::of(scenario);
    names.iter().try_for_each(|name| super::find(&all, name).map(drop))?;
    all.retain(|s| (names.is_empty() || names.iter().any(|n| n == s.name())) && group.is_none_or(|g| s.group() == g));
    Ok(all)
}

/// Injects the faults of one group, all of `chosen` that are in it, on one deployment. Gives what came of them so far also
/// where it could not go on.
pub async fn group(group: Group, chosen: &[Arc<Fault>], options: Options, sinks: Sinks) -> (Outcome, Result<()>) {
    let of: Vec<Arc<Fault>> = chosen.iter().filter(|s| s.group() == group).cloned().collect();
    if of.is_empty() {
        return (Outcome::default(), Ok(()));
    }
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let run_outcome = outcome.clone();
    let play = move |drill: Arc<Drill>| async move {
        let run = Run { drill, group, outcome: run_outcome };
        match group {
            Group::Labels | Group::Backup => run.backups(&of).await,
            Group::Restore => run.restores(&of).await,
            Group::Content => run.contents(&of).await,
        }
    };
    let result = drill::guarded(options, sinks, play).await.map(drop);
    let outcome = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
    (outcome, result)
}

struct Run {
    drill: Arc<Drill>,
    group: Group,
    outcome: Arc<Mutex<Outcome>>,
}

/// A fault, or none for the twin.
type OrTwin<'a> = Option<&'a Arc<Fault>>;

fn hooks(fault: OrTwin<'_>) -> &dyn Hooks {
    fault.map_or(&NoFault, |f| &**f)
}

/// The twin, the faults, the twin.
fn between_twins(of: &[Arc<Fault>]) -> impl Iterator<Item = OrTwin<'_>> {
    std::iter::once(None).chain(of.iter().map(Some)).chain([None])
}

impl Run {
    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of an observation that is like no other.
    fn stage(&self, fault: OrTwin<'_>) -> String {
        format!("{} {}", fault.map_or(TWIN, |f| f.name()), self.outcome().lines.len())
    }

    fn add(&self, fault: OrTwin<'_>, since: Instant, expected: BTreeSet<String>, found: Found) {
        let (name, what) = fault.map_or((TWIN, "Nothing is wrong."), |f| (f.name(), f.what()));
        let (group, millis) = (self.group, since.elapsed().as_millis() as u64);
        let Found { lines, red } = found;
        let with = fault.map_or_else(BTreeSet::new, |f| f.accompanying(&expected, &lines));
        let expected = expected.into_iter().chain(with).collect();
        let line = Line { fault: name.into(), group, what: what.into(), expected, found: lines, red, millis };
        self.drill.run.events.emit(line.event());
        self.outcome().lines.push(line);
    }

    /// What was found; what the judge could have reported is remembered.
    fn found(&self, findings: &[Finding], stage: &str) -> Result<Found> {
        self.outcome().checks.extend(proven::reportable(&self.drill, stage)?);
        let red = proven::reported(findings);
        // What is noted is no fault's: it is said of sound restores too.
        let faults: Vec<Finding> = findings.iter().filter(|f| f.outcome != judge::model::Outcome::Noted).cloned().collect();
        Ok(Found { lines: essences(&faults), red })
    }

    /// Backup and audit, once for each fault; nothing is wiped.
    async fn backups(&self, of: &[Arc<Fault>]) -> Result<()> {
        let (baseline, _) = drill::until_baseline(&self.drill, &NoFault).await?;
        for (at, fault) in between_twins(of).enumerate() {
            self.one_backup(fault, &baseline).await?;
            if at == 0 {
                save_repository(&self.drill).await?;
            }
        }
        Ok(())
    }

    async fn one_backup(&self, fault: OrTwin<'_>, baseline: &Baseline) -> Result<()> {
        let drill = &self.drill;
        let since = Instant::now();
        drill.run.evidence.clear_complaints()?;
        drill.run.evidence.clear_audit()?;
        let edits = hooks(fault).edits(&drill.run.corpus);
        // A dump of an earlier backup would stand for one that was not made.
        remove_dumps(drill).await?;
        drill.app.redeploy(edits.clone()).await?;
        hooks(fault).before_backup(drill).await?;
        if let Some(backup) = &drill::backup_with(drill, baseline, hooks(fault)).await? {
            hooks(fault).after_backup(drill, backup.snapshot()).await?;
            let _audited = drill::audit(drill, backup).await?;
        }
        let verdict = judge::audited(&drill.run.evidence)?;
        for finding in &verdict.findings {
            drill.run.events.emit(Event::Found { finding: finding.clone() });
        }
        let mut found = self.found(&verdict.findings, BASELINE)?;
        let mut expected = BTreeSet::new();
        if let Some(fault) = fault {
            expected = fault.finds(drill).await?;
            expected.extend(fault.declared.reports.iter().cloned());
        }
        found.lines.extend(reported(drill)?);
        if self.group == Group::Labels {
            let rules = fault.map_or(&[][..], |f| &f.declared.lint);
            expected.extend(rules.iter().filter_map(|name| rule(name)));
            let base = rules.iter().any(|name| *name == Rule::VersionNotBumped.to_string());
            found.lines.extend(linted(&drill.app.scenario, &edits, base)?);
        }
        if let (Some(fault), Group::Backup) = (fault, self.group) {
            fault.undo(drill).await?;
            put_back_repository(drill).await?;
        }
        self.add(fault, since, expected, found);
        Ok(())
    }

    /// A backup that is not struck.
    async fn sound_backup(&self, baseline: &Baseline) -> Result<BackedUp> {
        let backup = drill::backup(&self.drill, baseline).await?;
        backup.ok_or_else(|| FaultError::NoSoundBackup.into())
    }

    /// Wipe, restore and observation, once for each fault, from one snapshot.
    async fn restores(&self, of: &[Arc<Fault>]) -> Result<()> {
        let drill = &self.drill;
        let departing = of.iter().find(|f| f.wants_older());
        let (baseline, older) = drill::until_baseline(drill, hooks(departing)).await?;
        let backup = self.sound_backup(&baseline).await?;
        let audited = drill::audit(drill, &backup).await?;
        drill::write_before(drill, &audited).await?;
        for fault in between_twins(of) {
            let since = Instant::now();
            let stage = self.stage(fault);
            drill.run.evidence.clear_complaints()?;
            if !hooks(fault).wipes() {
                let expected = self.leftovers()?;
                let found = match drill::not_wiped(drill, &baseline).await {
                    Err(Error::WipeNotProven(leftovers)) => leftovers.iter().map(|l| left(l.kind)).collect(),
                    Err(e) => return Err(e),
                    Ok(_) => BTreeSet::new(),
                };
                self.add(fault, since, expected, Found { lines: found, red: BTreeSet::new() });
                continue;
            }
            let wiped = drill::wipe(drill, &baseline, &audited).await?;
            let edits = hooks(fault).edits(&drill.run.corpus);
            if !edits.is_empty() {
                drill.app.redeploy(edits).await?;
            }
            let restarted = drill::restore_with(drill, wiped, &backup, older.as_ref(), hooks(fault)).await?;
            let tried = fault.is_none_or(|f| f.trials() != Trials::None);
            let found = self.observed(&restarted, &stage, tried).await?;
            let expected = match fault {
                Some(fault) => fault.finds(drill).await?,
                None => BTreeSet::new(),
            };
            if let Some(fault) = fault {
                fault.undo(drill).await?;
            }
            self.add(fault, since, expected, found);
        }
        Ok(())
    }

    /// What the proof of the wipe objects to, where nothing was wiped: everything of which the app has something.
    fn leftovers(&self) -> Result<BTreeSet<String>> {
        let drill = &self.drill;
        let items = Items::of_baseline(drill)?;
        let some = |is: &dyn Fn(&Known) -> bool| items.iter().any(is);
        let is = |known: &Known, name: &str, value: &str| known.attributes.get(name).is_some_and(|v| v == value);
        // What is looked for by name, and was not as it is in a fresh deployment.
        let is_own_file = |k: &Known| {
            !is(k, "compared", "loose") && !is(k, "size", "0") && (is(k, "fresh", "false") || is(k, "made-anew", "true"))
        };
        let pages = drill.app.scenario.spec.pages.iter().any(|p| !p.check.is_empty());
        let kinds = [
            ("volume", !drill.app.scenario.volumes().is_empty()),
            ("login", some(&|k| matches!(k.item, Item::Account { .. }))),
            ("row", some(&|k| matches!(k.item, Item::Row { .. }) && is(k, "fresh", "false"))),
            ("file", some(&|k| matches!(k.item, Item::File { .. }) && is_own_file(k))),
            ("fact", some(&|k| matches!(k.item, Item::Fact { .. }) && !is(k, "value", ""))),
            ("page", pages),
            ("key", some(&|k| matches!(k.item, Item::Key { .. }) && is(k, "fresh", "false"))),
        ];
        Ok(kinds.into_iter().filter(|(_, there)| *there).map(|(kind, _)| left(kind)).collect())
    }

    /// Strikes on what one restore brought back, each of them undone.
    async fn contents(&self, of: &[Arc<Fault>]) -> Result<()> {
        let drill = &self.drill;
        let (baseline, _) = drill::until_baseline(drill, &NoFault).await?;
        let backup = self.sound_backup(&baseline).await?;
        let audited = drill::audit(drill, &backup).await?;
        drill::write_before(drill, &audited).await?;
        let wiped = drill::wipe(drill, &baseline, &audited).await?;
        let restarted = drill::restart(drill, drill::restore(drill, wiped, &backup).await?).await?;
        save(drill).await?;
        for fault in between_twins(of) {
            let since = Instant::now();
            let stage = self.stage(fault);
            if let Some(fault) = fault {
                fault.strike(drill).await?;
            }
            let found = self.observed(&restarted, &stage, hooks(fault).trials() != Trials::None).await?;
            let mut expected = BTreeSet::new();
            if let Some(fault) = fault {
                expected = fault.finds(drill).await?;
                fault.undo(drill).await?;
            }
            let tried = hooks(fault).trials() != Trials::None;
            if !put_back(drill).await? && (fault.is_some() || tried) {
                drill::restore_over(drill, &restarted, &backup).await?;
            }
            self.add(fault, since, expected, found);
        }
        Ok(())
    }

    async fn observed(&self, restarted: &Restarted, stage: &str, tried: bool) -> Result<Found> {
        drill::observe(&self.drill, restarted, stage).await?;
        drill::try_as(&self.drill, if tried { Trials::QueueHeld } else { Trials::None }, stage).await?;
        self.found(&drill::judge(&self.drill, stage)?.findings, stage)
    }
}

/// What was found, by item, and by check.
struct Found {
    lines: BTreeSet<String>,
    red: BTreeSet<String>,
}

/// How a wipe that is not proven is written down.
fn left(kind: &str) -> String {
    format!("wipe: {kind} left")
}

/// Removes the dumps that hooks wrote.
async fn remove_dumps(drill: &Drill) -> Result<()> {
    for volume in durable(&drill.app.scenario) {
        for dump in volume.paths.iter().filter_map(|p| p.dump.as_ref()) {
            let file = format!("{}/{dump}", volume_dir(&full_name(&drill.app.stack.name, &volume.name)));
            in_bot(drill, "rm -f \"$1\"", &[&file]).await?;
        }
    }
    Ok(())
}

/// Saves the repository, within its volume: the bot's container may not outlive a fault.
async fn save_repository(drill: &Drill) -> Result<()> {
    let script = "rm -rf /repository/saved; mkdir /tmp/saved; cp -a /repository/. /tmp/saved/; mv /tmp/saved /repository/saved";
    in_bot(drill, script, &[]).await.map(drop)
}

/// Puts back what [`save_repository`] saved.
async fn put_back_repository(drill: &Drill) -> Result<()> {
    let script = "cd /repository; rm -rf data index snapshots keys locks config ./*.aside /tmp/restic-cache; cp -a saved/. .";
    in_bot(drill, script, &[]).await.map(drop)
}
