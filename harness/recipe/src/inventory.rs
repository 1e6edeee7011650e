//! The inventory: every volume of a stack, what it holds, and whether a backup must bring it back.

use std::collections::BTreeSet;

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

    /// Whether it is left out of what is compared, because it is made again.
    pub fn is_left_out(self) -> bool {
        matches!(self, Self::Regenerated | Self::Cache)
    }

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

/// What of an entry of a volume is compared after a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Everything.
    Whole,
    /// Whether it is there, and its attributes. Another probe compares its content.
    Attributes,
    /// Its attributes, if it is there before and after. A server names these files itself; another probe compares what is in them.
    Loose,
    /// Nothing.
    No,
}

impl Compared {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Attributes, Self::Loose, Self::No];

    /// Its name in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Attributes => "attributes",
            Self::Loose => "loose",
            Self::No => "no",
        }
    }
}

/// `inventory.toml`.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Every volume of the stack.
    #[serde(default, rename = "volume")]
    pub volumes: Vec<InventoryVolume>,
    /// What no backup needs outside the stack's volumes: other mounts of services, and folders inside their containers.
    #[serde(default, rename = "mount")]
    pub mounts: Vec<InventoryMount>,
    /// Secrets that a restore needs and that no backup has. All others get new values before a drill restores.
    #[serde(default, rename = "secret")]
    pub secrets: Vec<InventorySecret>,
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
    /// No longer used: what a new deployment creates by itself is observed.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub fresh: Option<Vec<String>>,
    /// The volume belongs to a service that this scenario does not deploy.
    #[serde(default)]
    pub not_deployed: bool,
    /// Paths within the volume that are treated differently. The first entry that matches a path counts.
    #[serde(default, rename = "path")]
    pub paths: Vec<InventoryPath>,
}

/// A path within a volume.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryPath {
    /// A glob from the volume's root, in which `*` also matches `/`.
    pub path: String,
    /// How much its content is worth. What is regenerated or cache is not compared.
    pub class: Class,
    /// What compares the content, such as `messages`, `rows of DATABASE` or `fact NAME`. Whether the file is there, its owner, mode
    /// and other attributes are compared as those of any file.
    pub content: Option<String>,
    /// Whether the app gives these files new names, so that they need not be there after a restore. Needs `content`.
    #[serde(default)]
    pub names: Names,
    /// The path of the dump that a hook makes of it, if the file itself is not copied while the app runs.
    pub dump: Option<String>,
    /// The format of the dump, or of the file itself. The audit uses it to check that the file is complete.
    pub format: Option<DumpFormat>,
    /// The reason for the class and for `content`, in one sentence.
    pub why: String,
}

/// Whether files keep their names over a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// They do.
    #[default]
    Fixed,
    /// The app chooses new ones, as a database server does for the files of its tables.
    Changing,
}

/// What a service keeps outside the stack's volumes: in a folder of the host, in a volume without a name, or inside its container.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryMount {
    /// The service.
    pub service: String,
    /// Where it is mounted in the service's container, or the folder there.
    pub mount: String,
    /// Why no backup needs it, in one sentence.
    pub why: String,
}

/// A secret of the app's deployment that must be kept outside of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventorySecret {
    /// The variable of `[env]` in `scenario.toml` whose value is generated, or the recipe's Docker secret.
    pub name: String,
    /// Why the restored app needs the old value, in one sentence.
    pub keep: String,
}

impl InventorySecret {
    /// Whether a variable or a Docker secret of that name is meant: the variable `DB_PASSWORD` is the Docker secret `db_password` of
    /// other versions of a recipe.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
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
    /// The same with volumes that it does not have: all of what is in them is looked at, as nobody said what is worth nothing.
    #[must_use]
    pub fn with_unlisted(&self, volumes: &BTreeSet<String>) -> Self {
        let unlisted = |name: &String| InventoryVolume {
            name: name.clone(),
            service: String::new(),
            mount: "/".to_owned(),
            class: Class::Durable,
            why: "It is not in inventory.toml.".to_owned(),
            live: None,
            fresh: None,
            not_deployed: false,
            paths: vec![],
        };
        let new = volumes.iter().filter(|name| !self.volumes.iter().any(|v| v.name == **name)).map(unlisted);
        Self { volumes: self.volumes.iter().cloned().chain(new).collect(), ..self.clone() }
    }

    /// The volumes that the scenario deploys.
    pub fn deployed(&self) -> impl Iterator<Item = &InventoryVolume> {
        self.volumes.iter().filter(|v| !v.not_deployed)
    }
}

impl InventoryVolume {
    /// The first entry that matches a path within the volume. A glob of what is in a folder that is not compared, such as
    /// `cache/*`, stands for the folder too.
    pub fn entry(&self, path: &str) -> Option<&InventoryPath> {
        let is_folder = |p: &InventoryPath| {
            let folder = p.path.strip_suffix("/*").filter(|_| p.class.is_left_out());
            folder.is_some_and(|folder| matches(folder, path))
        };
        self.paths.iter().find(|p| matches(&p.path, path) || is_folder(p))
    }

    /// The class of a path, and the dump that holds its content, if there is one.
    pub fn owed(&self, path: &str) -> (Class, Option<String>) {
        self.entry(path).map_or((self.class, None), |e| (e.class, e.dump.clone()))
    }

    /// The class of an entry, and what of it is compared after a restore. A dump is not: the backup's hook writes it, and what is
    /// in it is compared where it came from.
    pub fn treatment(&self, path: &str) -> (Class, Compared) {
        let entry = self.entry(path);
        let class = entry.map_or(self.class, |e| e.class);
        let compared = match entry {
            _ if class.is_left_out() || self.is_dump(path) => Compared::No,
            Some(InventoryPath { content: Some(_), names: Names::Changing, .. }) => Compared::Loose,
            Some(InventoryPath { content: Some(_), .. }) => Compared::Attributes,
            _ => Compared::Whole,
        };
        (class, compared)
    }

    /// Whether a hook writes this file as a dump of others.
    pub fn is_dump(&self, path: &str) -> bool {
        self.paths.iter().any(|p| p.dump.as_deref() == Some(path))
    }

    /// The format of the dump at a path, if there is one.
    pub fn dump_at(&self, path: &str) -> Option<DumpFormat> {
        self.paths.iter().find(|p| p.dump.as_deref().unwrap_or(&p.path) == path).and_then(|p| p.format)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_of_an_entry() {
        let volume: InventoryVolume = toml::from_str(
            r#"
            name = "data"
            service = "app"
            mount = "/data"
            class = "durable"
            why = "All of it."
            path = [
              { path = "main.db", class = "durable", dump = "main.db.backup", content = "rows of main.db", why = "A hook dumps it." },
              { path = "*/cache/*", class = "cache", why = "Made again." },
              { path = "pg/*", class = "durable", dump = "backup.sql", content = "rows of pg", names = "changing", why = "A server's own." },
              { path = "key", class = "valuable", why = "Worth something." },
            ]
            "#,
        )
        .expect("a volume");
        for (path, expected) in [
            ("anything", (Class::Durable, Compared::Whole)),
            (".", (Class::Durable, Compared::Whole)),
            ("main.db", (Class::Durable, Compared::Attributes)),
            ("main.db.backup", (Class::Durable, Compared::No)),
            ("backup.sql", (Class::Durable, Compared::No)),
            ("u/cache/x", (Class::Cache, Compared::No)),
            ("u/cache", (Class::Cache, Compared::No)),
            ("u/cached", (Class::Durable, Compared::Whole)),
            ("pg/base/1", (Class::Durable, Compared::Loose)),
            ("pg", (Class::Durable, Compared::Whole)),
            ("key", (Class::Valuable, Compared::Whole)),
        ] {
            assert_eq!(volume.treatment(path), expected, "{path}");
        }
    }
}
