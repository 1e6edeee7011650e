//! New data: what an app must take after a restore. What can be read and not added to is not back.

/// What is written anew, as a user would.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NewData {
    /// A new user is created and logs in. About: the account.
    User,
    /// A new user gets mail from another server. About: the account.
    MailIn,
    /// A new user gets mail from another user. About: the account, the other account.
    Mail,
    /// A new user sends mail to another user. About: the account, the other account.
    Sent,
    /// A user makes a folder and stores a message in it (RFC 9051, 6.3.4 and 6.3.12). About: the account.
    Folder,
    /// A user stores a sieve script (RFC 5804, 2.6). About: the account.
    Script,
    /// A new user is deleted, and is let in no more. About: the account.
    Deletion,
    /// A user writes in the app's pages; their name in the scenario. About: the account.
    Page(String),
    /// A command in a container writes; its name in the scenario.
    Command(String),
}

/// What stands between a user and the pages that the user writes to.
const WRITES_TO: &str = " writes to ";
/// What stands before the name of a command.
const COMMAND: &str = "a command writes ";

impl NewData {
    /// All of them whose name does not come from a scenario.
    pub(super) const FIXED: [Self; 7] =
        [Self::User, Self::MailIn, Self::Mail, Self::Sent, Self::Folder, Self::Script, Self::Deletion];

    /// In words, about these.
    pub(super) fn of(&self, a: &str, b: &str) -> String {
        match self {
            Self::User => format!("new user {a} logs in"),
            Self::MailIn => format!("new user {a} gets mail from another server"),
            Self::Mail => format!("new user {a} gets mail from {b}"),
            Self::Sent => format!("new user {a} sends mail to {b}"),
            Self::Folder => format!("{a} makes a folder and stores a message in it"),
            Self::Script => format!("{a} stores a sieve script"),
            Self::Deletion => format!("new user {a} is deleted"),
            Self::Page(name) => format!("{a}{WRITES_TO}{name}"),
            Self::Command(name) => format!("{COMMAND}{name}"),
        }
    }

    /// Reads what a scenario names; `anyone` stands for the account.
    pub(super) fn named(text: &str, anyone: &str) -> Option<Self> {
        let some = |name: &&str| !name.is_empty();
        let page = || text.strip_prefix(anyone)?.strip_prefix(WRITES_TO).filter(some).map(|name| Self::Page(name.to_owned()));
        let command = || text.strip_prefix(COMMAND).filter(some).map(|name| Self::Command(name.to_owned()));
        page().or_else(command)
    }
}
