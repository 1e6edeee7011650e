//! The inventory: every volume of a stack, what it holds, and whether a backup must bring it back.

use serde::{Deserialize, Serialize};

use crate::glob::matches;

/// How much the content of a volume or path is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A restore must bring it back.
    Durable,
    /// A restore should bring it back; its loss costs work, but no user data.
    Valuable,
    /// The operator's tools make it again.
    Regenerated,
    /// The app makes it again.
    Cache,
}

impl Class {
    /// All classes, from the most to the least valuable.
    pub const ALL: [Self; 4] = [Self::Durable, Self::Valuable, Self::Regenerated, Self::Cache];

    /// Its name in `inventory.toml`.
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
    /// Its name in the compose files, without the stack's.
    pub name: String,
    /// The service that writes it.
    pub service: String,
    /// Where it is mounted in that service's container.
    pub mount: String,
    /// How much its content is worth.
    pub class: Class,
    /// The reason for the class, in one sentence.
    pub why: String,
    /// Why a copy that is taken while the app runs is complete.
    pub live: Option<String>,
    /// Files that a new deployment creates by itself: globs from the volume's root, in which `*` also matches `/`.
    #[serde(default)]
    pub fresh: Vec<String>,
    /// The volume belongs to a service that this scenario does not deploy.
    #[serde(default)]
    pub not_deployed: bool,
    /// Paths within the volume that have another class.
    #[serde(default, rename = "path")]
    pub paths: Vec<InventoryPath>,
}

/// A path within a volume.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryPath {
    /// A glob from the volume's root, in which `*` also matches `/`.
    pub path: String,
    /// How much its content is worth.
    pub class: Class,
    /// The path of the dump that a hook makes of it, if the file itself is not copied while the app runs.
    pub dump: Option<String>,
    /// The format of the dump, or of the file itself. The audit uses it to check that the file is complete.
    pub format: Option<DumpFormat>,
    /// The reason for the class, in one sentence.
    pub why: String,
}

/// The format of a dump, which decides how the audit checks that it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DumpFormat {
    /// A SQLite database.
    Sqlite,
    /// A Redis dump.
    Rdb,
    /// The plain text that PostgreSQL's `pg_dump` writes.
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
    /// The first entry that matches a path within the volume.
    pub fn entry(&self, path: &str) -> Option<&InventoryPath> {
        self.paths.iter().find(|p| matches(&p.path, path))
    }

    /// The class of a path, and the dump that holds its content, if there is one.
    pub fn owed(&self, path: &str) -> (Class, Option<String>) {
        self.entry(path).map_or((self.class, None), |e| (e.class, e.dump.clone()))
    }

    /// The format of the dump at a path, if there is one.
    pub fn dump_at(&self, path: &str) -> Option<DumpFormat> {
        self.paths.iter().find(|p| p.dump.as_deref().unwrap_or(&p.path) == path).and_then(|p| p.format)
    }
}
