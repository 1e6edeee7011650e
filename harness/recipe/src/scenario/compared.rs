//! What a drill compares besides databases: files, and what commands print.

use serde::Deserialize;

/// Files that are compared by hash, owner and mode.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparedFiles {
    /// The volume.
    pub volume: String,
    /// A file or folder, from the volume's root; `.` for all of it.
    pub path: String,
    /// Compare only owner and mode, also of folders and links. Another probe compares the content.
    #[serde(default)]
    pub attributes_only: bool,
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
    /// Commands that create the state. They run once, before the baseline.
    #[serde(default)]
    pub seed: Vec<FactSeed>,
}

/// A command that creates state.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactSeed {
    /// The service in whose container the command runs.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The number of the corpus message that it reads from its standard input.
    pub message: Option<u64>,
}
