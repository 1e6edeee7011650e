//! What every command of the bot has: its log, its repository's snapshots, its engine.

use std::io::Write as _;

use engine::Engine;
use serde_json::json;

use crate::restic::{self, Snapshot};

/// What was asked for, or the words that the log gets.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

/// Whose behaviour the bot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// That of the deployed `backup-bot-two` 2.x.
    Deployed,
    /// What the specification says.
    Strict,
}

/// The bot, as one call has it.
pub(crate) struct Bot {
    /// Whether it prints lines of JSON.
    pub(crate) json: bool,
    /// Whose behaviour it has.
    pub(crate) manner: Manner,
}

impl Bot {
    /// Logs on standard error. What nobody reads is dropped: a backup goes on without its reader.
    pub(crate) fn log(&self, level: &str, message: &str) {
        let mut log = std::io::stderr();
        let _ = match (self.json, self.manner) {
            (true, Manner::Deployed) => writeln!(log, "{}", json!({"message_type": level, "message": message})),
            (true, Manner::Strict) => writeln!(log, "{}", json!({"level": level, "message": message})),
            (false, _) => writeln!(log, "{level} {message}"),
        };
    }

    /// Prints a result. That nobody reads it is an error, for the client then knows no snapshot.
    pub(crate) fn print(&self, line: &str) -> Result<()> {
        writeln!(std::io::stdout(), "{line}").map_err(|e| format!("standard output: {e}"))
    }

    pub(crate) async fn engine(&self) -> Result<Engine> {
        Engine::connect().await.map_err(|e| e.to_string())
    }

    pub(crate) async fn snapshots(&self, stack: Option<&str>) -> Result<Vec<Snapshot>> {
        restic::snapshots(&restic::run(&["snapshots", "--json"]).await?, stack)
    }

    pub(crate) async fn resolve(&self, snapshot: &str, stack: Option<&str>) -> Result<String> {
        let mut snapshots = self.snapshots(stack).await?.into_iter().map(|s| s.id);
        let found = match snapshot {
            "latest" => snapshots.next_back(),
            _ => snapshots.find(|id| id.starts_with(snapshot)),
        };
        found.ok_or_else(|| format!("no snapshot {snapshot} of stack {}", stack.unwrap_or("any")))
    }
}
