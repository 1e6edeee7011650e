//! What a drill compares beside files: rows of databases, and what commands print.

use serde::Deserialize;

/// What the inventory calls content that the mail probe compares.
pub const MESSAGES: &str = "messages";
/// What the inventory calls content that is compared as the list of messages in the mail queue.
pub const MAIL_QUEUE: &str = "mail queue";

/// Stands for the query in a database's command.
pub const QUERY: &str = "{query}";

/// A database whose rows are compared: a SQLite file in a volume, or a server with a client program in its container.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name in findings.
    pub name: String,
    /// SQLite: the volume that holds its file.
    pub volume: Option<String>,
    /// SQLite: its file, from the volume's root.
    pub file: Option<String>,
    /// A server: its service. SQLite: the service in which `write` runs.
    pub service: Option<String>,
    /// A server: the client program and its arguments; `{query}` is replaced by the query. It must print the only column of each row,
    /// one row a line, and must fail if the query fails.
    #[serde(default)]
    pub command: Vec<String>,
    /// A server: the query that returns each row of a table as one JSON object; `{table}` is replaced by the table.
    pub rows: Option<String>,
    /// How faults run a statement: a command in the container of `service`, in which `{query}` is replaced by the statement. It must
    /// change one row, and nothing else that depends on that row.
    #[serde(default)]
    pub write: Vec<String>,
    /// A query that returns the revision of the schema as one text.
    pub revision: String,
    /// The tables compared.
    #[serde(rename = "table")]
    pub tables: Vec<Table>,
}

impl Database {
    /// The volume and the file, if it is a SQLite database.
    pub fn sqlite(&self) -> Option<(&str, &str)> {
        Some((self.volume.as_deref()?, self.file.as_deref()?))
    }

    /// The service and the query for a table's rows, if it is a server.
    pub fn server(&self) -> Option<(&str, &str)> {
        Some((self.service.as_deref()?, self.rows.as_deref()?))
    }
}

/// A table that is compared row by row.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its key columns.
    pub key: Vec<String>,
    /// Columns that are not compared because they change by themselves.
    #[serde(default)]
    pub volatile: Vec<String>,
    /// Columns with secrets: only their SHA-256 is stored.
    #[serde(default)]
    pub secret: Vec<String>,
}

/// A fact: a command in a container, whose output shows a part of the app's state.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it shows, in a few words.
    pub name: String,
    /// The service in whose container the command runs.
    pub service: String,
    /// The command and its arguments. While nothing changes, its output must stay the same.
    pub command: Vec<String>,
    /// The number of the corpus message that the command reads from its standard input.
    pub message: Option<u64>,
    /// Why its output may be empty before the backup. Without it, an output that is empty before and after proves nothing: the verdict
    /// is unknown.
    pub may_be_empty: Option<String>,
    /// Commands that create the state. They run once, before the baseline.
    #[serde(default)]
    pub seed: Vec<SeedCommand>,
}

/// A command that creates state.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeedCommand {
    /// The service in whose container the command runs.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The number of the corpus message that it reads from its standard input.
    pub message: Option<u64>,
}
