//! By what findings are put in groups and in an order: how near they are to a cause, where they are, and how bad they are.

use crate::checks::is_counted;
use crate::model::{Finding, Item, Outcome};

/// Where the items of a group are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Volume(String),
    Database(String),
    Redis(String),
    Mail,
    App,
}

/// From causes to what may follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Run,
    Step,
    Secret,
    Snapshot,
    Database,
    Files,
    Content,
    Logins,
    Mail,
    Use,
    Counted,
    Note,
}

impl Rank {
    pub(super) fn of(finding: &Finding) -> Self {
        if finding.outcome.weight().is_none() {
            return Self::Note;
        }
        match &finding.item {
            item if is_counted(item) => Self::Counted,
            Item::Observation { .. } => Self::Run,
            Item::Step { .. } => Self::Step,
            Item::Secret { .. } => Self::Secret,
            Item::Snapshot { .. } | Item::Mount { .. } | Item::Layer { .. } => Self::Snapshot,
            Item::Database { .. } => Self::Database,
            Item::File { .. } => Self::Files,
            Item::Row { .. } | Item::Object { .. } | Item::Key { .. } => Self::Content,
            Item::Account { .. } => Self::Logins,
            Item::Folder { .. } | Item::Message { .. } | Item::Script { .. } => Self::Mail,
            Item::Fact { .. } | Item::Trial { .. } => Self::Use,
        }
    }
}

impl Place {
    pub(super) fn of(item: &Item) -> Self {
        match item {
            Item::File { volume, .. } | Item::Snapshot { volume, .. } => Self::Volume(volume.clone()),
            Item::Database { database } | Item::Row { database, .. } | Item::Object { database, .. } => {
                Self::Database(database.clone())
            }
            Item::Key { service, .. } => Self::Redis(service.clone()),
            Item::Account { .. } | Item::Folder { .. } | Item::Message { .. } | Item::Script { .. } => Self::Mail,
            _ => Self::App,
        }
    }
}

/// In which order outcomes are told: what is gone before what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Failed,
    Gone,
    Elsewhere,
    Changed,
    New,
    Unread,
    Told,
}

impl Severity {
    pub(super) fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Failed => Self::Failed,
            Outcome::Lost => Self::Gone,
            Outcome::Misplaced | Outcome::Duplicated | Outcome::Resurrected => Self::Elsewhere,
            Outcome::Altered => Self::Changed,
            Outcome::Unexpected => Self::New,
            Outcome::Unread => Self::Unread,
            Outcome::Recovered | Outcome::Unresolved | Outcome::Noted => Self::Told,
        }
    }
}
