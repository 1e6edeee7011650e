//! The words of a judgement: outcome, finding, verdict.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::count::counted;
use crate::coverage::Coverage;
use crate::folder;

pub use crate::kept::KeptSecret;
pub use crate::message_id::MessageId;
pub use crate::step::{BotStep, Cause, Complaint};
pub use crate::trial::{NewData, Protocol, Route, Trial, TrialKind};

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is there, and it changed.
    Altered,
    /// It is missing.
    Lost,
    /// It is in another mailbox or folder.
    Misplaced,
    /// There are more copies of it.
    Duplicated,
    /// It was not there before the backup.
    Unexpected,
    /// It was removed before the backup, and is back.
    Resurrected,
    /// It was written while the backup ran, and is there.
    Recovered,
    /// It was written while the backup ran, and is not there.
    Unresolved,
    /// A step failed: a hook, the backup, the restore.
    Failed,
    /// It could not be read.
    Unread,
    /// Nothing is lost, but an operator should know of it.
    Noted,
}

impl Outcome {
    /// What the outcome means for the verdict; none if it is not a failure.
    pub fn weight(self) -> Option<Status> {
        match self {
            Self::Recovered | Self::Unresolved | Self::Noted => None,
            Self::Unread => Some(Status::Unknown),
            _ => Some(Status::Broken),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Altered => "altered",
            Self::Lost => "lost",
            Self::Misplaced => "misplaced",
            Self::Duplicated => "duplicated",
            Self::Unexpected => "unexpected",
            Self::Resurrected => "resurrected",
            Self::Recovered => "recovered",
            Self::Unresolved => "unresolved",
            Self::Failed => "failed",
            Self::Unread => "unread",
            Self::Noted => "noted",
        })
    }
}

/// What an item is, and how a user would name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Item {
    /// A login and the mailboxes behind it.
    Account {
        /// The address.
        account: String,
    },
    /// An IMAP mailbox, which users call a folder.
    Folder {
        /// The address.
        account: String,
        /// The name as the server gives it.
        folder: String,
    },
    /// A message.
    Message {
        /// The address.
        account: String,
        /// The folder it was in, or is in if it is new.
        folder: String,
        /// Its UID there.
        uid: u32,
        /// Which of the run's own messages it is, if its header says so.
        #[schemars(with = "Option<String>")]
        corpus: Option<MessageId>,
    },
    /// A database as a whole.
    Database {
        /// Its name.
        database: String,
    },
    /// A row of a table.
    Row {
        /// The database.
        database: String,
        /// The table.
        table: String,
        /// The values of its key columns, comma-separated.
        key: String,
    },
    /// What a database has besides its rows.
    Object {
        /// The database.
        database: String,
        /// What it is: `table`, `index`, `sequence`, `role`, ….
        what: String,
        /// Its name, within what it is.
        name: String,
    },
    /// A file in a volume.
    File {
        /// The volume's compose name.
        volume: String,
        /// The path from the volume's root.
        path: String,
    },
    /// A mount of a service that is no volume of the stack.
    Mount {
        /// The service.
        service: String,
        /// Where it is mounted in the container.
        path: String,
    },
    /// What an app wrote into its container's own layer, in no volume.
    Layer {
        /// The service.
        service: String,
        /// The path in the container.
        path: String,
    },
    /// A file, or a folder with all its files, in the snapshot.
    Snapshot {
        /// The volume's compose name.
        volume: String,
        /// The path from the volume's root; `.` for all of it.
        path: String,
    },
    /// A sieve script.
    Script {
        /// The address.
        account: String,
        /// Its name; `*` for all of them.
        script: String,
    },
    /// What a command in a container prints.
    Fact {
        /// Its name in the scenario.
        fact: String,
    },
    /// A key of a Redis.
    Key {
        /// The service.
        service: String,
        /// The number of the database; none for all of them.
        number: Option<u32>,
        /// The key, with `%XX` for bytes that are not printable ASCII; `*` for all of them.
        key: String,
    },
    /// What was tried through a door, as a user would.
    Trial {
        /// What was tried.
        #[serde(flatten)]
        trial: Trial,
    },
    /// A secret of the app's deployment, which no backup has.
    Secret {
        /// The variable that it is the value of.
        secret: String,
    },
    /// A step of the drill that the bot makes.
    Step {
        /// Which.
        step: BotStep,
    },
    /// Something that the run as a whole should have read.
    Observation {
        /// What.
        what: String,
    },
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { account } => write!(f, "mailbox {account}"),
            Self::Folder { account, folder } => write!(f, "mailbox {account}, folder {folder}"),
            Self::Message { account, folder, uid, corpus } => {
                write!(f, "mailbox {account}, folder {folder}, message with UID {uid}")?;
                match corpus {
                    Some(id @ MessageId::Corpus(_)) => write!(f, " (corpus message {id})"),
                    Some(id @ MessageId::Live(_)) => write!(f, " (message {id})"),
                    None => Ok(()),
                }
            }
            Self::Database { database } => write!(f, "database {database}"),
            Self::Row { database, table, key } => write!(f, "database {database}, table {table}, row {key}"),
            Self::Object { database, what, name } => write!(f, "database {database}, {what} {name}"),
            Self::File { volume, path } => write!(f, "volume {volume}, file {path}"),
            Self::Mount { service, path } => write!(f, "service {service}, mount {path}"),
            Self::Layer { service, path } => write!(f, "service {service}, path {path}"),
            Self::Snapshot { volume, path } if path == "." => write!(f, "snapshot, volume {volume}"),
            Self::Snapshot { volume, path } => write!(f, "snapshot, volume {volume}, path {path}"),
            Self::Script { account, script } => write!(f, "mailbox {account}, sieve script {script}"),
            Self::Fact { fact } => f.write_str(fact),
            Self::Key { service, number: Some(number), key } => write!(f, "redis {service}, database {number}, key {key}"),
            Self::Key { service, number: None, key } => write!(f, "redis {service}, key {key}"),
            Self::Trial { trial } => write!(f, "trial: {trial}"),
            Self::Secret { secret } => write!(f, "secret {secret}"),
            Self::Step { step } => step.fmt(f),
            Self::Observation { what } => f.write_str(what),
        }
    }
}

impl Item {
    /// The same with names as people read them. What is matched has those that the server gives.
    pub fn told(&self) -> Cow<'_, Self> {
        let mut told = Cow::Borrowed(self);
        if let Self::Folder { folder, .. } | Self::Message { folder, .. } = self
            && let Some(name) = folder::decoded(folder).filter(|name| name != folder)
            && let Self::Folder { folder, .. } | Self::Message { folder, .. } = told.to_mut()
        {
            *folder = name;
        }
        told
    }
}

/// What a finding says, without its prose: by this it is matched with what was expected.
pub fn essence(item: &Item, outcome: Outcome, property: Option<&str>) -> String {
    property.map_or_else(|| format!("{item}: {outcome}"), |p| format!("{item}: {outcome} ({p})"))
}

/// One classified difference between baseline and observation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// What it is about.
    #[serde(flatten)]
    pub item: Item,
    /// What became of it.
    pub outcome: Outcome,
    /// Which property, for an altered item: `bytes`, `flags`, a column's name, ….
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub property: Option<String>,
    /// What was, and what is, in a few words; never a secret.
    pub detail: String,
}

/// What findings say, without their prose.
pub fn essences(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|f| essence(&f.item, f.outcome, f.property.as_deref())).collect()
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.item.told(), self.outcome)?;
        if let Some(property) = &self.property {
            write!(f, " ({property})")?;
        }
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// The three values of a verdict; a greater one outranks a smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Everything was read, and nothing changed.
    Held,
    /// The result is not known.
    Unknown,
    /// Something is missing or changed.
    Broken,
}

impl Status {
    /// What stands at the top of a report.
    pub fn word(self) -> String {
        self.to_string().to_uppercase()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        })
    }
}

/// How many items of each kind were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Counts {
    /// Logins.
    pub accounts: u64,
    /// IMAP mailboxes.
    pub folders: u64,
    /// Messages.
    pub messages: u64,
    /// Rows.
    pub rows: u64,
    /// Files, folders and other entries of volumes, each compared whole.
    pub files: u64,
    /// Entries of volumes of which another probe compares the content.
    #[serde(default)]
    pub paths: u64,
    /// Sieve scripts.
    #[serde(default)]
    pub scripts: u64,
    /// What commands print.
    #[serde(default)]
    pub facts: u64,
    /// Keys of Redis.
    #[serde(default)]
    pub keys: u64,
    /// What was tried through the doors.
    #[serde(default)]
    pub trials: u64,
}

impl Counts {
    /// What of it is the app's data; what is only tried, and who may read it, is not.
    pub fn items(&self) -> u64 {
        self.messages + self.rows + self.files + self.facts + self.keys
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("nothing");
        }
        let Self { accounts, folders, messages, rows, files, paths, scripts, facts, keys, trials } = self;
        if *accounts > 0 {
            let (messages, folders) = (counted(*messages, "message"), counted(*folders, "folder"));
            write!(f, "{messages} in {folders} of {}, ", counted(*accounts, "mailbox/mailboxes"))?;
        }
        write!(f, "{}, {}", counted(*rows, "row"), counted(*files, "file"))?;
        let more = [
            (scripts, "sieve script"),
            (facts, "fact"),
            (keys, "key"),
            (trials, "trial"),
            (paths, "file whose content is compared elsewhere/files whose content is compared elsewhere"),
        ];
        for (n, what) in more {
            if *n > 0 {
                write!(f, ", {}", counted(*n, what))?;
            }
        }
        Ok(())
    }
}

/// Findings that mean the same of the same place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Group {
    /// The word by which `explain` knows what they mean.
    pub meaning: String,
    /// What became of how many of how many, in a sentence without its full stop.
    pub what: String,
    /// The positions of the groups that they may follow from, from 0. Those come before this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<usize>,
    /// The positions of the findings, from 0.
    pub findings: Vec<usize>,
}

/// What a run found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Verdict {
    /// Held, unknown or broken.
    pub status: Status,
    /// What was compared: the baseline's items.
    pub compared: Counts,
    /// How much of what there is that was.
    #[serde(default)]
    pub coverage: Coverage,
    /// What a restore needs besides the backup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<KeptSecret>,
    /// The worst of the findings in a sentence without its full stop; none where there is no finding that counts.
    #[serde(default)]
    pub headline: Option<String>,
    /// The findings by cause, causes first.
    #[serde(default)]
    pub groups: Vec<Group>,
    /// Every difference, sorted.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// The verdict that follows from `findings` about `compared` items. Nothing
    /// compared is never held.
    pub fn from_findings(compared: Counts, mut findings: Vec<Finding>) -> Self {
        if compared.items() == 0 {
            findings.push(Finding {
                item: Item::Observation { what: "baseline".into() },
                outcome: Outcome::Unread,
                property: None,
                detail: "there was nothing to compare".into(),
            });
        }
        Self::new(compared, findings)
    }

    /// The verdict that follows from `findings` alone.
    pub fn new(compared: Counts, mut findings: Vec<Finding>) -> Self {
        findings.sort();
        let status = findings.iter().filter_map(|f| f.outcome.weight()).max().unwrap_or(Status::Held);
        let (coverage, needs, headline, groups) = (Coverage::default(), vec![], None, vec![]);
        Self { status, compared, coverage, needs, headline, groups, findings }
    }

    /// The same with how much of what there is was compared.
    #[must_use]
    pub fn covering(self, coverage: Coverage) -> Self {
        Self { coverage, ..self }
    }

    /// The same with what a restore needs besides the backup.
    #[must_use]
    pub fn needing(self, needs: Vec<KeptSecret>) -> Self {
        Self { needs, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Counts =
        Counts { accounts: 1, folders: 1, messages: 1, rows: 1, files: 1, paths: 0, scripts: 0, facts: 0, keys: 0, trials: 0 };

    fn finding(outcome: Outcome) -> Finding {
        Finding { item: Item::Account { account: "u@mail.test".into() }, outcome, property: None, detail: String::new() }
    }

    #[test]
    fn broken_outranks_unknown_outranks_held() {
        let status = |outcomes: &[Outcome]| Verdict::from_findings(SOME, outcomes.iter().copied().map(finding).collect()).status;
        assert_eq!(status(&[]), Status::Held);
        assert_eq!(status(&[Outcome::Recovered, Outcome::Unresolved]), Status::Held);
        assert_eq!(status(&[Outcome::Unread]), Status::Unknown);
        assert_eq!(status(&[Outcome::Unread, Outcome::Lost]), Status::Broken);
    }

    #[test]
    fn nothing_compared_is_never_held() {
        for nothing in [Counts::default(), Counts { accounts: 1, folders: 1, trials: 9, paths: 9, ..Counts::default() }] {
            assert_eq!(Verdict::from_findings(nothing, vec![]).status, Status::Unknown, "{nothing}");
        }
        for some in [Counts { messages: 1, ..Counts::default() }, Counts { rows: 1, ..Counts::default() }] {
            assert_eq!(Verdict::from_findings(some, vec![]).status, Status::Held, "{some}");
        }
    }

    #[test]
    fn findings_are_in_a_users_words() {
        let finding = Finding {
            item: Item::Message {
                account: "u07@mail.test".into(),
                folder: "Lists.&U,BTFw-".into(),
                uid: 17,
                corpus: Some(MessageId::Corpus(42)),
            },
            outcome: Outcome::Lost,
            property: None,
            detail: String::new(),
        };
        assert_eq!(
            finding.to_string(),
            "mailbox u07@mail.test, folder Lists.台北, message with UID 17 (corpus message 42): lost"
        );
        let raw = "mailbox u07@mail.test, folder Lists.&U,BTFw-, message with UID 17 (corpus message 42): lost";
        assert_eq!(essences(&[finding]), [raw.to_owned()].into());
    }
}
