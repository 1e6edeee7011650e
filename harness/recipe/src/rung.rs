//! The rungs of the ladder that a recipe climbs.

use serde::{Deserialize, Serialize};

/// A rung, from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// The recipe deploys, converges, answers on its doors and takes users' data.
    Install,
    /// The version before, with users' data in it, becomes the version under test in place, and nothing is lost.
    Upgrade,
    /// A drill: what was there is back after a wipe, from a backup of this version and of the one before.
    BackupRestore,
    /// What users do with the app works: logins, mail in and out, filters, pages, a new account.
    Functional,
    /// Labels, the raise of the version, the sample of the environment.
    Lint,
}

impl Rung {
    /// All of them, from the lowest.
    pub const ALL: [Self; 5] = [Self::Install, Self::Upgrade, Self::BackupRestore, Self::Functional, Self::Lint];

    /// Its number, from 1: the level of a recipe that earned it and every one below.
    pub fn level(self) -> u8 {
        self as u8 + 1
    }

    /// In words.
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
