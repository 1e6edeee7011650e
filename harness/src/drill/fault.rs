//! What a fault may change about a drill. The phases call these hooks; each does nothing unless a fault says otherwise. A
//! fault changes what a phase does, and never what a phase proves: only the phases make proofs.

use std::fmt;

use futures_util::future::BoxFuture;
use recipe::compose::edit::Edit;
use seeds::Corpus;

use super::state::Drill;
use crate::backup::Snapshot;
use crate::error::Result;

/// What a hook does.
pub type Strike<'a> = BoxFuture<'a, Result<()>>;

/// A deliberate defect, by the places of a drill where it may strike.
pub trait Fault: fmt::Debug + Send + Sync {
    /// The name on the command line.
    fn name(&self) -> &str;

    /// Changes of the recipe, made before it is deployed.
    fn edits(&self, _corpus: &Corpus) -> Vec<Edit> {
        vec![]
    }

    /// Whether it strikes only a bot that the drill deployed, because it does something to the bot or to its repository.
    fn needs_own_bot(&self) -> bool {
        false
    }

    /// Whether a snapshot is taken before the baseline, from which [`Self::depart`] then makes the baseline differ.
    fn wants_older(&self) -> bool {
        false
    }

    /// Changes the app's data between the older snapshot and the baseline.
    fn depart<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// Strikes between the baseline and the backup.
    fn before_backup<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// Lets the bot create a snapshot, and strikes meanwhile.
    fn during_backup<'a>(&'a self, _drill: &'a Drill, backup: Strike<'a>) -> Strike<'a> {
        backup
    }

    /// The snapshot that counts, given the one that the bot created.
    fn backed_up<'a>(&'a self, _drill: &'a Drill, created: Snapshot) -> BoxFuture<'a, Result<Snapshot>> {
        Box::pin(async { Ok(created) })
    }

    /// Strikes between the backup and the audit.
    fn after_backup<'a>(&'a self, _drill: &'a Drill, _snapshot: &'a Snapshot) -> Strike<'a> {
        nothing()
    }

    /// Whether the app is wiped.
    fn wipes(&self) -> bool {
        true
    }

    /// Secrets that get a new value at the wipe although the inventory keeps them.
    fn renews(&self) -> &[String] {
        &[]
    }

    /// What is restored, and where to.
    fn restoring(&self, _drill: &Drill) -> Restoring {
        Restoring::default()
    }

    /// Strikes between the wipe and the restore.
    fn before_restore<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// Lets the bot restore, and strikes meanwhile.
    fn during_restore<'a>(&'a self, _drill: &'a Drill, restore: Strike<'a>) -> Strike<'a> {
        restore
    }

    /// Strikes between two restores, where there are two.
    fn between_restores<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// Strikes between the restore and the restart of the services.
    fn after_restore<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// Strikes what was restored, once the services run.
    fn strike<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        nothing()
    }

    /// What of the app is tried after the restore.
    fn trials(&self) -> Trials {
        Trials::None
    }
}

fn nothing<'a>() -> Strike<'a> {
    Box::pin(async { Ok(()) })
}

/// What of the app is tried after the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trials {
    /// Everything.
    All,
    /// Everything, but the mail that was in the queue stays there.
    QueueHeld,
    /// Nothing, on purpose: trials do not show the fault.
    None,
}

/// How often the snapshot is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// Not at all.
    None,
    /// Once.
    #[default]
    Once,
    /// Once, and again at once.
    Twice,
    /// Once, and again after the services were restarted.
    AgainAfterRestart,
}

/// What is restored, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoring {
    /// How often.
    pub times: Times,
    /// The stack that the bot is told to restore; none for the app's own.
    pub stack: Option<String>,
    /// Whether the older snapshot is restored.
    pub older: bool,
    /// Further variables of the bot's contract.
    pub more: Vec<(String, String)>,
    /// Whether the services are restarted afterwards.
    pub restarts: bool,
}

impl Default for Restoring {
    fn default() -> Self {
        Self { times: Times::Once, stack: None, older: false, more: vec![], restarts: true }
    }
}

/// The fault-free twin: it changes nothing, and everything is tried.
#[derive(Debug)]
pub(crate) struct NoFault;

impl Fault for NoFault {
    fn name(&self) -> &str {
        "(no fault)"
    }

    fn trials(&self) -> Trials {
        Trials::All
    }
}
