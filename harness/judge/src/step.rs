//! The steps of a drill that the bot makes, and why one fails.

use serde::{Deserialize, Serialize};

use crate::word::words;

/// A step that the bot makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BotStep {
    /// The snapshot is taken.
    Backup,
    /// The snapshot is read.
    Audit,
    /// The snapshot is restored.
    Restore,
}

impl BotStep {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Backup, Self::Audit, Self::Restore];

    /// As in the store and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Audit => "audit",
            Self::Restore => "restore",
        }
    }
}

/// Why a step failed, as far as the bot's or restic's words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A hook failed.
    Hook,
    /// The stack's labels do not enable backups.
    NotEnabled,
    /// No new snapshot is there, though the bot reported success.
    NoSnapshot,
    /// A lock of somebody else's is in the repository.
    Locked,
    /// The repository has another password.
    Password,
    /// The disk is full.
    Space,
    /// The repository has no such snapshot.
    Snapshot,
    /// A path that the labels name does not exist, or they select nothing.
    Path,
    /// The repository is damaged.
    Damage,
    /// The bot was killed, or its container was removed: by somebody else, or by the engine.
    Ended,
    /// A part of the snapshot could not be read.
    Unread,
    /// Anything else.
    Other,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Hook,
        Self::NotEnabled,
        Self::NoSnapshot,
        Self::Locked,
        Self::Password,
        Self::Space,
        Self::Snapshot,
        Self::Path,
        Self::Damage,
        Self::Ended,
        Self::Unread,
        Self::Other,
    ];

    /// As in the store and in findings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::NotEnabled => "not enabled",
            Self::NoSnapshot => "no snapshot",
            Self::Locked => "locked",
            Self::Password => "password",
            Self::Space => "space",
            Self::Snapshot => "snapshot",
            Self::Path => "path",
            Self::Damage => "damage",
            Self::Ended => "ended",
            Self::Unread => "unread",
            Self::Other => "other",
        }
    }
}

words!(BotStep, "step");
words!(Cause, "cause");

/// Something that the bot said went wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// Why.
    pub cause: Cause,
    /// The bot's words.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_read_as_it_is_written() {
        for step in BotStep::ALL {
            assert_eq!(step.to_string().parse(), Ok(step));
            assert_eq!(serde_json::json!(step), serde_json::json!(step.name()));
        }
        for cause in Cause::ALL {
            assert_eq!(cause.to_string().parse(), Ok(cause));
        }
        assert_eq!("locked".parse(), Ok(Cause::Locked));
        let error = "upgrade".parse::<BotStep>().expect_err("no step").to_string();
        assert_eq!(error, "there is no step \"upgrade\"");
    }
}
