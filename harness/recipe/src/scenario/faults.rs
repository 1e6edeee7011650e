//! `faults.toml`: the faults of an app that no other has, what must be found of each, and what helps to derive the others.
//! Parsed and checked with the scenario; every error names the file and the line.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::compose::edit::Edit;
use crate::near::unknown;

pub mod action;
pub mod check;
pub mod expected;

pub use action::{Action, Beside, Command, Interrupt, Mark, Place, Restore, Times};
pub use expected::{Change, Choice, Each, Expected, Globs, Usage};

/// The file beside `scenario.toml`.
pub const FILE: &str = "faults.toml";
/// The folder of scripts beside it.
pub const FOLDER: &str = "faults";

/// `faults.toml`.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// How faults are derived from the scenario's volumes, dumps, files, tables and pages.
    #[serde(default)]
    pub derive: Derive,
    /// State that a fault may lose as a whole, by name, and what is found then.
    #[serde(default)]
    pub lost: BTreeMap<String, Vec<Expected>>,
    /// Items of the baseline that faults strike, by name: the first that is chosen. `{name.attribute}` stands for what it has.
    #[serde(default, rename = "target")]
    pub targets: BTreeMap<String, Choice>,
    /// What saves what the faults of restored data strike. Without it, the snapshot is restored again after each.
    #[serde(default)]
    pub save: Vec<Action>,
    /// What puts that back.
    #[serde(default)]
    pub put_back: Vec<Action>,
    /// What is different about tables, for the faults that are derived from them.
    #[serde(default, rename = "table")]
    pub tables: Vec<Table>,
    /// What faults that stand elsewhere find besides, by name.
    #[serde(default)]
    pub also: BTreeMap<String, Vec<Expected>>,
    /// Findings that may come with others, whatever the fault.
    #[serde(default, rename = "with")]
    pub accompanied: Vec<Accompanied>,
    /// The faults.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// Checks that no fault turns red, and why.
    #[serde(default)]
    pub unproven: Vec<Unproven>,
}

/// How faults are derived from a scenario. Those that any app has are there in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Derive {
    /// One for each volume, dump, table and page, and each thing that can happen to it.
    #[default]
    Each,
    /// Of files and rows only, each striking a file of every volume, or a row of every table of a database.
    Together,
}

/// Where a fault strikes; those of one group share a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The recipe's labels.
    Labels,
    /// The backup and the repository.
    Backup,
    /// The wipe and the restore.
    Restore,
    /// What was restored.
    Content,
}

impl Group {
    /// All of them, in the order of a drill.
    pub const ALL: [Self; 4] = [Self::Labels, Self::Backup, Self::Restore, Self::Content];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Content => "content",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|g| g.name() == text).ok_or_else(|| unknown("group", text, Self::ALL.map(Self::name)))
    }
}

/// A deliberate defect, and what must be found of it. Texts of edits, actions and findings may hold `{name.attribute}` of a
/// target and `{mailboxes GLOB}`, the addresses that the glob matches, with commas between them.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The name on the command line.
    pub name: String,
    /// What is wrong then, in one plain sentence.
    pub what: String,
    /// Where it strikes.
    pub group: Group,
    /// Changes of the recipe.
    #[serde(default, rename = "edit")]
    pub edits: Vec<Edit>,
    /// The rules that `labels lint` finds broken in the changed recipe.
    #[serde(default)]
    pub lint: Vec<String>,
    /// What must be found: of the backup and its audit, in the groups `labels` and `backup`; else of what was restored.
    #[serde(default)]
    pub finds: Vec<Expected>,
    /// What a drill that goes on to the restore must find besides.
    #[serde(default)]
    pub loses: Vec<Expected>,
    /// What the audit reports and does not call a finding.
    #[serde(default)]
    pub reports: Vec<String>,
    /// What runs after an older snapshot was taken, before the baseline.
    #[serde(default)]
    pub depart: Vec<Action>,
    /// What runs between the baseline and the backup.
    #[serde(default)]
    pub before_backup: Vec<Action>,
    /// What goes on while the backup is taken.
    pub beside_backup: Option<Beside>,
    /// The bot is killed during the backup, or in the group `restore` during the restore.
    pub interrupt: Option<Interrupt>,
    /// What prints the id of the snapshot that is taken for the one that the bot created.
    pub snapshot: Option<Action>,
    /// What runs between the backup and the audit. `{snapshot}` stands for the snapshot's id.
    #[serde(default)]
    pub after_backup: Vec<Action>,
    /// Whether the wipe is left out.
    #[serde(default)]
    pub skips_wipe: bool,
    /// Secrets that get a new value before the restore although the inventory keeps them.
    #[serde(default)]
    pub renew: Vec<String>,
    /// What is different about the restore.
    #[serde(default)]
    pub restore: Restore,
    /// What runs between the wipe and the restore.
    #[serde(default)]
    pub before_restore: Vec<Action>,
    /// What runs between two restores.
    #[serde(default)]
    pub between_restores: Vec<Action>,
    /// What runs between the restore and the restart of the services.
    #[serde(default)]
    pub after_restore: Vec<Action>,
    /// What strikes the restored data.
    #[serde(default)]
    pub strike: Vec<Action>,
    /// What undoes it, where putting back what was saved does not.
    #[serde(default)]
    pub undo: Vec<Action>,
    /// Whether the app is tried: whether trials show the fault.
    #[serde(default)]
    pub tried: bool,
}

impl Fault {
    /// Whether it does something in the bot's container, to its repository or to what else the bot may reach. It strikes only a bot that
    /// the drill deployed.
    pub fn touches_bot(&self) -> bool {
        let Restore { older, wrong_stack, target, .. } = &self.restore;
        self.group == Group::Backup
            || self.interrupt.is_some()
            || (*older || *wrong_stack || target.is_some())
            || self.actions().any(|action| action.place == Place::Bot)
    }

    /// A fault that does nothing yet.
    pub fn new(name: impl Into<String>, what: impl Into<String>, group: Group) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            group,
            edits: vec![],
            lint: vec![],
            finds: vec![],
            loses: vec![],
            reports: vec![],
            depart: vec![],
            before_backup: vec![],
            beside_backup: None,
            interrupt: None,
            snapshot: None,
            after_backup: vec![],
            skips_wipe: false,
            renew: vec![],
            restore: Restore::default(),
            before_restore: vec![],
            between_restores: vec![],
            after_restore: vec![],
            strike: vec![],
            undo: vec![],
            tried: false,
        }
    }

    /// Everything that it runs.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        let beside = self.beside_backup.iter().flat_map(|b| [&b.run, &b.end]);
        [
            &self.depart,
            &self.before_backup,
            &self.after_backup,
            &self.before_restore,
            &self.between_restores,
            &self.after_restore,
            &self.strike,
            &self.undo,
        ]
        .into_iter()
        .flatten()
        .chain(&self.snapshot)
        .chain(beside)
    }

    fn marks(&self) -> impl Iterator<Item = &Mark> {
        self.beside_backup.iter().map(|b| &b.begun).chain(self.interrupt.iter().map(|i| &i.at))
    }
}

/// What is different about a table, for the faults that are derived from it.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The database.
    pub database: String,
    /// The table.
    pub name: String,
    /// Columns besides the key in which no two rows may have the same. Such a table takes no copy of a row.
    #[serde(default)]
    pub distinct: Vec<String>,
    /// The column that is altered; without it, the first that takes another text.
    pub alter: Option<String>,
    /// Whether it has no column besides its key that is compared, and so none that can be altered.
    #[serde(default)]
    pub only_key: bool,
    /// Whether it has no key, so that its rows are known by their content.
    #[serde(default)]
    pub keyless: bool,
}

/// Findings that may come with others: what is missing through a door is missing among the files, too. How the app names its
/// files is not the matter of a fault that strikes what is in them.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accompanied {
    /// Globs: a fault that must cause a finding like these.
    pub of: Globs,
    /// Globs: may cause findings like these, too.
    pub may_find: Globs,
}

/// Checks that no fault turns red.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unproven {
    /// A glob of checks, as the matrix lists them.
    pub check: String,
    /// Why no fault can, in one sentence.
    pub reason: String,
}

/// The words that end a finding, with a property in parentheses after them or without.
const OUTCOMES: [&str; 10] =
    ["altered", "lost", "misplaced", "duplicated", "unexpected", "resurrected", "recovered", "unresolved", "failed", "unread"];

/// The item and the outcome of a finding without its prose; none if it does not end with an outcome.
pub fn parted(finding: &str) -> Option<(&str, &str)> {
    let (item, outcome) = finding.rsplit_once(": ")?;
    let word = outcome.split_once(" (").map_or(outcome, |(word, _)| word);
    (OUTCOMES.contains(&word) || word == "left").then_some((item, outcome))
}

/// The name of all state, as a restore that did nothing loses it.
pub const EVERYTHING: &str = "everything";
/// What stands before a database's name for all that is found where it is as in a fresh deployment.
pub const AS_NEW: &str = "as new: ";

#[cfg(test)]
mod tests;
