//! Faults: deliberate defects, each with exactly the findings that it must cause. A check that no fault turns red is not known
//! to check anything.
//!
//! What a fault is stands in data: in a scenario's `faults.toml`, in [`common`] for any app, or is [`derived`] from what a
//! scenario says of its volumes, tables and pages. One fault strikes a whole drill (`run --fault`), or all of a group strike
//! one deployment in turn ([`run`]), between fault-free twins that must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use recipe::compose::edit::{Change, Edit};
use recipe::near::did_you_mean;
use recipe::scenario::Scenario;
use recipe::scenario::faults::{self, Accompanied, Action, Choice, Expected, Fault as Declared, Group, Times};
use seeds::Corpus;

use crate::backup::Snapshot;
use crate::drill::Drill;
use crate::drill::fault::{self as hooks, Restoring, Strike, Trials};
use crate::error::{Error, Result};

mod act;
pub mod common;
mod deed;
pub mod derived;
mod expand;
pub mod glob;
mod known;
mod labels;
pub mod lint;
pub mod matrix;
mod proven;
pub mod run;

use deed::{Deed, When};
use expand::Filling;
use glob::any;
use known::Items;

/// A fault of a scenario.
#[derive(Debug)]
pub struct Fault {
    declared: Declared,
    /// What data cannot say.
    deed: Option<Box<dyn Deed>>,
    of: Arc<Of>,
    /// What must be found besides, known only once it struck.
    struck: Mutex<BTreeSet<String>>,
}

/// What the faults of a scenario share.
#[derive(Debug)]
struct Of {
    lost: BTreeMap<String, Vec<Expected>>,
    targets: BTreeMap<String, Choice>,
    save: Vec<Action>,
    put_back: Vec<Action>,
    accompanied: Vec<Accompanied>,
}

impl Of {
    fn new(scenario: &Scenario) -> Self {
        let data = &scenario.faults;
        Self {
            lost: data.lost.clone(),
            targets: data.targets.clone(),
            save: data.save.clone(),
            put_back: data.put_back.clone(),
            accompanied: data.accompanied.clone(),
        }
    }
}

/// The faults of a scenario, by group: its own, those that any app has, and those that are derived from it. Where two have one
/// name, the scenario's own counts.
pub fn of(scenario: &Scenario) -> Vec<Arc<Fault>> {
    let of = Arc::new(Of::new(scenario));
    let departing = |f: &Declared| f.restore.older.then(|| derived::departure::Departure::of(scenario)).flatten();
    let own = scenario.faults.faults.iter().map(|f| (f.clone(), departing(f).map(|d| Box::new(d) as Box<dyn Deed>)));
    let mut all: Vec<Arc<Fault>> = Vec::new();
    for (mut declared, deed) in own.chain(common::faults(scenario)).chain(derived::faults(scenario)) {
        if !all.iter().any(|f| f.name() == declared.name) {
            declared.finds.extend(scenario.faults.also.get(&declared.name).cloned().unwrap_or_default());
            all.push(Arc::new(Fault { declared, deed, of: of.clone(), struck: Mutex::default() }));
        }
    }
    // Where nothing is wiped, what was there at the baseline must still be there.
    all.sort_by_key(|f| (f.group(), !f.declared.skips_wipe));
    all
}

/// The fault of that name among a scenario's; the error knows the nearest one.
pub fn find(all: &[Arc<Fault>], name: &str) -> Result<Arc<Fault>> {
    all.iter().find(|f| f.name() == name).cloned().ok_or_else(|| {
        let near = did_you_mean(name, all.iter().map(|f| f.name()));
        Error::Usage(format!("no fault is called {name:?}; `restore-drill fault --list SCENARIO` lists them{near}"))
    })
}

/// The fault of that name of a scenario in a folder.
pub fn named(scenarios: &Path, scenario: &str, name: &str) -> Result<Arc<Fault>> {
    find(&of(&Scenario::load(scenarios, scenario)?), name)
}

impl Fault {
    /// The findings that may come with those that must be found, of those that were.
    pub fn accompanying(&self, expected: &BTreeSet<String>, found: &BTreeSet<String>) -> BTreeSet<String> {
        let comes = self.of.accompanied.iter().filter(|with| expected.iter().any(|e| any(&with.of.0, e)));
        comes.flat_map(|with| found.iter().filter(|f| any(&with.may_find.0, f))).cloned().collect()
    }

    /// The name on the command line.
    pub fn name(&self) -> &str {
        &self.declared.name
    }

    /// What is wrong then, in a sentence.
    pub fn what(&self) -> &str {
        &self.declared.what
    }

    /// Where it strikes.
    pub fn group(&self) -> Group {
        self.declared.group
    }

    /// Does something with what fills in its texts.
    async fn filled<T>(&self, drill: &Drill, with: impl AsyncFnOnce(&Filling<'_>) -> Result<T>) -> Result<T> {
        let items = Items::of_baseline(drill)?;
        let Of { targets, lost, .. } = &*self.of;
        with(&Filling { corpus: &drill.run.corpus, items: &items, targets, lost }).await
    }

    async fn act(&self, drill: &Drill, actions: &[Action]) -> Result<()> {
        if actions.is_empty() {
            return Ok(());
        }
        self.filled(drill, async |filling| act::all(drill, actions, filling).await).await
    }

    /// Does what data cannot say, where it is to be done now.
    async fn deed(&self, drill: &Drill, now: When) -> Result<()> {
        let Some(deed) = self.deed.as_ref().filter(|d| d.when() == now) else { return Ok(()) };
        let items = Items::of_baseline(drill)?;
        let found = deed.strike(drill, &items).await?;
        self.struck.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }

    /// What must be found of what was restored, or before a restore of the backup and its audit.
    pub(crate) async fn finds(&self, drill: &Drill) -> Result<BTreeSet<String>> {
        let mut found = self.filled(drill, async |filling| filling.findings(&self.declared.finds)).await?;
        found.extend(self.struck.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        Ok(found)
    }

    /// What a whole drill with it must find.
    pub async fn expected(&self, drill: &Drill) -> Result<BTreeSet<String>> {
        let mut found = self.finds(drill).await?;
        found.extend(self.filled(drill, async |filling| filling.findings(&self.declared.loses)).await?);
        Ok(found)
    }

    /// Strikes what was restored.
    pub async fn strike(&self, drill: &Drill) -> Result<()> {
        self.act(drill, &self.declared.strike).await?;
        self.deed(drill, When::Restored).await
    }

    /// Takes back what it did to what was restored, given that [`save`] was called before it struck.
    pub async fn undo(&self, drill: &Drill) -> Result<()> {
        self.act(drill, &self.declared.undo).await?;
        if let Some(deed) = &self.deed {
            deed.undo(drill).await?;
        }
        Ok(())
    }
}

/// Saves what the faults of restored data strike.
pub async fn save(drill: &Drill) -> Result<()> {
    scenario_wide(drill, |of| &of.save).await
}

/// Puts back what [`save`] saved; observing and trying may have changed it too. False where the scenario saves nothing, so that
/// the snapshot is to be restored again.
pub async fn put_back(drill: &Drill) -> Result<bool> {
    scenario_wide(drill, |of| &of.put_back).await?;
    Ok(!drill.app.scenario.faults.put_back.is_empty())
}

async fn scenario_wide(drill: &Drill, actions: impl Fn(&Of) -> &Vec<Action>) -> Result<()> {
    let (of, items) = (Of::new(&drill.app.scenario), Items::of_baseline(drill)?);
    let Of { targets, lost, .. } = &of;
    let filling = Filling { corpus: &drill.run.corpus, items: &items, targets, lost };
    act::all(drill, actions(&of), &filling).await
}

impl hooks::Fault for Fault {
    fn name(&self) -> &str {
        &self.declared.name
    }

    fn edits(&self, corpus: &Corpus) -> Vec<Edit> {
        let (items, none, nothing) = (Items::default(), BTreeMap::new(), BTreeMap::new());
        let filling = Filling { corpus, items: &items, targets: &none, lost: &nothing };
        let fill = |edit: &Edit| {
            let mut edit = edit.clone();
            if let Change::Set(_, value) = &mut edit.change {
                // Without targets, nothing that is named can be missing.
                *value = filling.text(value).unwrap_or_else(|_| value.clone());
            }
            edit
        };
        self.declared.edits.iter().map(fill).collect()
    }

    fn needs_own_bot(&self) -> bool {
        // What is derived changes files through the bot's container.
        self.deed.is_some() || self.declared.touches_bot()
    }

    fn wants_older(&self) -> bool {
        self.declared.restore.older
    }

    fn depart<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            self.act(drill, &self.declared.depart).await?;
            self.deed(drill, When::Departing).await
        })
    }

    fn before_backup<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(self.act(drill, &self.declared.before_backup))
    }

    fn during_backup<'a>(&'a self, drill: &'a Drill, backup: Strike<'a>) -> Strike<'a> {
        Box::pin(async move {
            if let Some(beside) = &self.declared.beside_backup {
                return self.filled(drill, async |filling| beside_backup(drill, beside, filling, backup).await).await;
            }
            match self.declared.interrupt.as_ref().filter(|_| self.group() != Group::Restore) {
                Some(interrupt) => interrupted(drill, interrupt, backup).await,
                None => backup.await,
            }
        })
    }

    fn backed_up<'a>(&'a self, drill: &'a Drill, created: Snapshot) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(async move {
            let Some(other) = &self.declared.snapshot else { return Ok(created) };
            let id = self.filled(drill, async |filling| act::one(drill, other, filling).await).await?;
            Ok(Snapshot { id: id.trim().to_owned() })
        })
    }

    fn after_backup<'a>(&'a self, drill: &'a Drill, _: &'a Snapshot) -> Strike<'a> {
        Box::pin(self.act(drill, &self.declared.after_backup))
    }

    fn wipes(&self) -> bool {
        !self.declared.skips_wipe
    }

    fn renews(&self) -> &[String] {
        &self.declared.renew
    }

    fn restoring(&self, drill: &Drill) -> Restoring {
        let restore = &self.declared.restore;
        let variable = |name: &str, value: &Option<String>| value.clone().map(|value| (name.to_owned(), value));
        Restoring {
            times: match restore.times {
                Times::None => hooks::Times::None,
                Times::Once => hooks::Times::Once,
                Times::Twice => hooks::Times::Twice,
                Times::AgainAfterRestart => hooks::Times::AgainAfterRestart,
            },
            stack: restore.wrong_stack.then(|| drill.app.bot_stack.as_ref().map_or_else(|| "another".into(), |s| s.name.clone())),
            older: restore.older,
            more: variable("VOLUMES", &restore.volumes).into_iter().chain(variable("TARGET", &restore.target)).collect(),
            restarts: restore.restarts,
        }
    }

    fn before_restore<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            self.act(drill, &self.declared.before_restore).await?;
            self.deed(drill, When::BeforeRestore).await
        })
    }

    fn during_restore<'a>(&'a self, drill: &'a Drill, restore: Strike<'a>) -> Strike<'a> {
        match self.declared.interrupt.as_ref().filter(|_| self.group() == Group::Restore) {
            Some(interrupt) => Box::pin(interrupted(drill, interrupt, restore)),
            None => restore,
        }
    }

    fn between_restores<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(self.act(drill, &self.declared.between_restores))
    }

    fn after_restore<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            self.act(drill, &self.declared.after_restore).await?;
            self.deed(drill, When::AfterRestore).await
        })
    }

    fn strike<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(Self::strike(self, drill))
    }

    fn trials(&self) -> Trials {
        if self.declared.tried { Trials::QueueHeld } else { Trials::None }
    }
}

/// Kills the bot during a step, and waits until it is there again.
async fn interrupted(drill: &Drill, interrupt: &faults::Interrupt, step: Strike<'_>) -> Result<()> {
    let (done, killed) = tokio::join!(step, act::kill_bot(drill, &interrupt.at));
    killed?;
    act::bot_back(drill).await?;
    done
}

/// Lets the backup run while something else goes on.
async fn beside_backup(drill: &Drill, beside: &faults::Beside, filling: &Filling<'_>, backup: Strike<'_>) -> Result<()> {
    let other = act::one(drill, &beside.run, filling);
    let backup = async {
        let begun = act::reached(drill, &beside.begun).await;
        let created = if begun.is_ok() { backup.await } else { Ok(()) };
        act::one(drill, &beside.end, filling).await?;
        begun.and(created)
    };
    let (other, created) = tokio::join!(other, backup);
    other?;
    created
}

#[cfg(test)]
mod tests;
