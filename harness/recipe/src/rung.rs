//! The rungs of the ladder: the tests that a recipe passes, one after the other.

use serde::{Deserialize, Serialize};

/// A rung of the ladder, from the lowest to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// The recipe deploys, its services start, its doors answer, and users can store data.
    Install,
    /// The previous version, with users' data, is upgraded in place to the version under test, and nothing is lost.
    Upgrade,
    /// After a wipe, the data is restored from a backup of this version, and from one of the previous version.
    BackupRestore,
    /// Users can use the app: log in, send and receive mail, use filters and pages, create an account.
    Functional,
    /// The labels are correct, the version was raised, and `.env.sample` is complete.
    Lint,
}

impl Rung {
    /// All rungs, from the lowest.
    pub const ALL: [Self; 5] = [Self::Install, Self::Upgrade, Self::BackupRestore, Self::Functional, Self::Lint];

    /// Its number, from 1. A recipe that passes this rung and every one below it has this level.
    pub fn level(self) -> u8 {
        self as u8 + 1
    }

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::BackupRestore => "backup and restore",
            Self::Functional => "functional",
            Self::Lint => "lint",
        }
    }
}
