//! What a drill compares beside files and databases: what commands print.

use serde::Deserialize;

/// What the inventory calls content that the mail probe compares.
pub const MESSAGES: &str = "messages";
/// What the inventory calls content that is compared as the list of messages in the mail queue.
pub const MAIL_QUEUE: &str = "mail queue";

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
