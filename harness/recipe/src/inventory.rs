//! The inventory: every volume of a stack, what it holds, and so what a backup owes it.

use serde::{Deserialize, Serialize};

use crate::glob::matches;

/// What a volume or path holds, and so what a backup owes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Must come back.
    Durable,
    /// Should come back; its loss costs work, not data.
    Valuable,
    /// Made anew by the operator's tooling.
    Regenerated,
    /// Made anew by the app.
    Cache,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Durable, Self::Valuable, Self::Regenerated, Self::Cache];

    /// As in `inventory.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Valuable => "valuable",
            Self::Regenerated => "regenerated",
            Self::Cache => "cache",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// `inventory.toml`.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Every volume of the stack.
    #[serde(rename = "volume")]
    pub volumes: Vec<InventoryVolume>,
}

/// One volume of the inventory.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryVolume {
    /// The compose name.
    pub name: String,
    /// The service that writes it.
    pub service: String,
    /// Where it is mounted there.
    pub mount: String,
    /// What it holds.
    pub class: Class,
    /// Why, in one sentence.
    pub why: String,
    /// Why a copy of it, taken while the app runs, is whole.
    pub live: Option<String>,
    /// Files that a fresh deployment makes by itself: globs from the volume's root (`*` also matches `/`).
    #[serde(default)]
    pub fresh: Vec<String>,
    /// The volume belongs to a service that this scenario does not deploy yet.
    #[serde(default)]
    pub not_deployed: bool,
    /// Paths whose class differs.
    #[serde(default, rename = "path")]
    pub paths: Vec<InventoryPath>,
}

/// A path within a volume.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryPath {
    /// A glob from the volume's root.
    pub path: String,
    /// What it holds.
    pub class: Class,
    /// The path of a dump that a hook makes of it, if it is not taken live.
    pub dump: Option<String>,
    /// The format of the dump, or of the file itself, by which the audit tells whether it is whole.
    pub format: Option<Format>,
    /// Why, in one sentence.
    pub why: String,
}
/// What a dump is, and so how it is told whole from cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A SQLite database.
    Sqlite,
    /// A Redis dump.
    Rdb,
    /// What PostgreSQL's `pg_dump` writes as text.
    #[serde(rename = "pg_dump")]
    PgDump,
}

impl Inventory {
    /// The volumes that the scenario deploys.
    pub fn deployed(&self) -> impl Iterator<Item = &InventoryVolume> {
        self.volumes.iter().filter(|v| !v.not_deployed)
    }
}

impl InventoryVolume {
    /// The entry for a path within the volume.
    pub fn entry(&self, path: &str) -> Option<&InventoryPath> {
        self.paths.iter().find(|p| matches(&p.path, path))
    }

    /// What a backup owes a path: its class, and the dump that carries its content, if one does.
    pub fn owed(&self, path: &str) -> (Class, Option<String>) {
        self.entry(path).map_or((self.class, None), |e| (e.class, e.dump.clone()))
    }

    /// The format of the dump that lies at a path.
    pub fn dump_at(&self, path: &str) -> Option<Format> {
        self.paths.iter().find(|p| p.dump.as_deref().unwrap_or(&p.path) == path).and_then(|p| p.format)
    }
}
