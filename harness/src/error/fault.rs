//! Why a fault cannot be injected. A fault that strikes nothing would prove nothing, so this ends the command.

use judge::model::Item;
use recipe::compose::edit::Edit;

/// Why a fault cannot be injected.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The scenario has no database of that name.
    #[error("no database {name:?} in the scenario")]
    NoDatabase {
        /// The name.
        name: String,
    },
    /// There is nothing of what it strikes.
    #[error("{place} has no {what} that the fault could change")]
    Nothing {
        /// What it strikes: `row`, `table user`, …
        what: String,
        /// Where: `table user of main`, …
        place: String,
    },
    /// It names an item that was not there before the backup.
    #[error("{item} is not in the baseline")]
    NotInBaseline {
        /// The item.
        item: Box<Item>,
    },
    /// It names an item by what it is like, and none is.
    #[error("a fault strikes {name}, but no item of the baseline matches it; use a larger profile")]
    NoTarget {
        /// The placeholder.
        name: String,
    },
    /// It expects what is in a fresh deployment, and no such database was observed there.
    #[error("{finding:?}: no database {database:?} was observed in a fresh deployment")]
    NotFresh {
        /// What it expects.
        finding: String,
        /// The database.
        database: String,
    },
    /// The recipe is already as it would make it.
    #[error("{edit}: the recipe has that already, so it changes nothing")]
    ChangesNothing {
        /// What it changes.
        edit: Edit,
    },
    /// The app or its database refused what it does.
    #[error("{what}: {why}")]
    Refused {
        /// What it does.
        what: String,
        /// The answer.
        why: String,
    },
    /// The backup of a drill that is not struck failed.
    #[error("the backup of a fault-free drill failed")]
    NoSoundBackup,
    /// It restores an older snapshot, and there is none.
    #[error("no older snapshot was taken")]
    NoOlderSnapshot,
    /// No fault was injected at all.
    #[error("no fault was injected")]
    NoneInjected,
}
