//! A kind of check: what of an app is compared, and the name by which `checks.toml` and reports know it.

use std::fmt;
use std::str::FromStr;

use crate::model::{BotStep, Item, TrialKind};

/// A kind of check. Its text is its name in `checks.toml`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Each account of the baseline can log in.
    Logins,
    /// IMAP folders.
    Folders,
    /// Messages.
    Messages,
    /// Quotas of accounts.
    Quotas,
    /// Sieve scripts.
    Scripts,
    /// A database as a whole: that it can be read, its integrity, its schema revision.
    Database(String),
    /// The rows of a table.
    Rows {
        /// The database.
        database: String,
        /// The table.
        table: String,
    },
    /// What a database has of one kind besides rows: its indexes, its sequences, its roles, ….
    Objects {
        /// The database.
        database: String,
        /// What they are, as in [`Item::Object`].
        what: String,
    },
    /// The entries of a volume: files, folders, links, each with content and attributes.
    Files(String),
    /// What a command of the scenario prints, by its name there.
    Fact(String),
    /// The keys of a Redis, by its service.
    Keys(String),
    /// That the app keeps nothing outside the stack's volumes: the mounts of its containers.
    Mounts,
    /// The durable files of a volume in the snapshot.
    Snapshot(String),
    /// What is tried as a user would.
    Trial(TrialKind),
    /// That what was restored works with new values of the secrets that the run generates.
    Secrets,
    /// A step of the bot; no scenario declares it.
    Step(BotStep),
    /// Something that the run as a whole should have read; no scenario declares it.
    Observation(String),
}

const LOGINS: &str = "logins over IMAP";
const FOLDERS: &str = "folders";
const MESSAGES: &str = "messages";
const QUOTAS: &str = "quotas";
const SCRIPTS: &str = "sieve scripts";
const DATABASE: &str = "database ";
const ROWS: &str = "rows of ";
const OBJECTS: &str = "objects of ";
const FILES: &str = "files of ";
const FACT: &str = "fact ";
const KEYS: &str = "keys of ";
const MOUNTS: &str = "mounts";
const SNAPSHOT: &str = "snapshot of ";
const SECRETS: &str = "new secrets";
const TRIAL: &str = "trial: ";

impl Check {
    /// The check of an item.
    pub fn of(item: &Item) -> Self {
        match item {
            Item::Account { .. } => Self::Logins,
            Item::Folder { .. } => Self::Folders,
            Item::Message { .. } => Self::Messages,
            Item::Script { .. } => Self::Scripts,
            Item::Database { database } => Self::Database(database.clone()),
            Item::Row { database, table, .. } => Self::Rows { database: database.clone(), table: table.clone() },
            Item::Object { database, what, .. } => Self::Objects { database: database.clone(), what: what.clone() },
            Item::File { volume, .. } => Self::Files(volume.clone()),
            Item::Mount { .. } | Item::Layer { .. } => Self::Mounts,
            Item::Snapshot { volume, .. } => Self::Snapshot(volume.clone()),
            Item::Fact { fact } => Self::Fact(fact.clone()),
            Item::Key { service, .. } => Self::Keys(service.clone()),
            Item::Trial { trial } => Self::Trial(trial.kind.clone()),
            Item::Secret { .. } => Self::Secrets,
            Item::Step { step } => Self::Step(*step),
            Item::Observation { what } => Self::Observation(what.clone()),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logins => f.write_str(LOGINS),
            Self::Folders => f.write_str(FOLDERS),
            Self::Messages => f.write_str(MESSAGES),
            Self::Quotas => f.write_str(QUOTAS),
            Self::Scripts => f.write_str(SCRIPTS),
            Self::Database(database) => write!(f, "{DATABASE}{database}"),
            Self::Rows { database, table } => write!(f, "{ROWS}{database}, {table}"),
            Self::Objects { database, what } => write!(f, "{OBJECTS}{database}, {what}"),
            Self::Files(volume) => write!(f, "{FILES}{volume}"),
            Self::Fact(fact) => write!(f, "{FACT}{fact}"),
            Self::Keys(service) => write!(f, "{KEYS}{service}"),
            Self::Mounts => f.write_str(MOUNTS),
            Self::Snapshot(volume) => write!(f, "{SNAPSHOT}{volume}"),
            Self::Trial(kind) => write!(f, "{TRIAL}{kind}"),
            Self::Secrets => f.write_str(SECRETS),
            Self::Step(step) => write!(f, "step {step}"),
            Self::Observation(what) => f.write_str(what),
        }
    }
}

/// A text that is not a check that a scenario can declare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no check {0:?}")]
pub struct NotACheck(pub String);

impl FromStr for Check {
    type Err = NotACheck;

    /// Reads a check that a scenario can declare.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let after = |prefix: &str| text.strip_prefix(prefix).map(str::to_owned);
        let two = |prefix: &str| {
            let (database, of) = text.strip_prefix(prefix)?.split_once(", ")?;
            Some((database.to_owned(), of.to_owned()))
        };
        let rows = || two(ROWS).map(|(database, table)| Self::Rows { database, table });
        let named = || {
            let check = rows().or_else(|| Some(Self::Trial(text.strip_prefix(TRIAL)?.parse().ok()?)));
            check
                .or_else(|| two(OBJECTS).map(|(database, what)| Self::Objects { database, what }))
                .or_else(|| after(DATABASE).map(Self::Database))
                .or_else(|| after(FILES).map(Self::Files))
                .or_else(|| after(FACT).map(Self::Fact))
                .or_else(|| after(KEYS).map(Self::Keys))
                .or_else(|| after(SNAPSHOT).map(Self::Snapshot))
        };
        match text {
            LOGINS => Ok(Self::Logins),
            FOLDERS => Ok(Self::Folders),
            MESSAGES => Ok(Self::Messages),
            QUOTAS => Ok(Self::Quotas),
            SCRIPTS => Ok(Self::Scripts),
            MOUNTS => Ok(Self::Mounts),
            SECRETS => Ok(Self::Secrets),
            _ => named().ok_or_else(|| NotACheck(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_in_checks_toml_is_the_check_that_writes_it() {
        for (name, check) in [
            ("logins over IMAP", Check::Logins),
            ("folders", Check::Folders),
            ("messages", Check::Messages),
            ("quotas", Check::Quotas),
            ("sieve scripts", Check::Scripts),
            ("mounts", Check::Mounts),
            ("new secrets", Check::Secrets),
            ("database main.db", Check::Database("main.db".into())),
            ("rows of main.db, user", Check::Rows { database: "main.db".into(), table: "user".into() }),
            ("objects of main.db, index", Check::Objects { database: "main.db".into(), what: "index".into() }),
            ("files of dkim", Check::Files("dkim".into())),
            ("fact mail queue", Check::Fact("mail queue".into())),
            ("keys of db", Check::Keys("db".into())),
            ("snapshot of mail", Check::Snapshot("mail".into())),
            ("trial: mail from … as …", Check::Trial(TrialKind::MailAs)),
            ("trial: webmail of …", Check::Trial(TrialKind::Page("webmail".into()))),
        ] {
            assert_eq!((check.to_string().as_str(), name.parse()), (name, Ok(check)));
        }
        for name in ["message", "rows of main.db", "trial: nothing", "step backup", ""] {
            assert_eq!(name.parse::<Check>(), Err(NotACheck(name.into())));
        }
    }
}
