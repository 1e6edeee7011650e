//! A database that is compared: all of it, but for what is left out, each with a reason.

use std::fmt;

use serde::{Deserialize, Deserializer};

use super::faults::Globs;

/// Stands for the query in a database's command.
pub const QUERY: &str = "{query}";

/// How a database is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// SQLite: a file in a volume.
    Sqlite,
    /// PostgreSQL: a server, with `psql` in its container.
    Postgresql,
    /// MariaDB or MySQL: a server, with its client in its container.
    #[serde(alias = "mysql")]
    Mariadb,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Mariadb => "mariadb",
        })
    }
}

/// A database. All of its tables are compared row by row, and everything else that it has: columns, indexes, triggers, sequences,
/// roles, grants, ….
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Its name in findings.
    pub name: String,
    /// How it is read.
    pub dialect: Dialect,
    /// SQLite: the volume that holds its file.
    pub volume: Option<String>,
    /// SQLite: its file, from the volume's root.
    pub file: Option<String>,
    /// A server: its service. SQLite: the service in which `write` runs.
    pub service: Option<String>,
    /// A server: the client program and its arguments; `{query}` is replaced by queries. Of PostgreSQL it is `psql` with `--quiet`,
    /// of MariaDB the client with `--batch --skip-column-names --quick`. It must fail if a query fails.
    #[serde(default)]
    pub command: Vec<String>,
    /// How faults and `seed` run a statement: a command in the container of `service`, in which `{query}` is replaced by the
    /// statement. It must change what the statement names, and nothing else that depends on it.
    #[serde(default)]
    pub write: Vec<String>,
    /// Statements that create state which the app has in production. They run once, before the baseline, with `write`.
    #[serde(default)]
    pub seed: Vec<String>,
    /// What is special about a table. Tables that are not here are compared too.
    #[serde(default, rename = "table")]
    pub tables: Vec<Table>,
    /// What is not compared, and why.
    #[serde(default)]
    pub leave_out: Vec<LeftOut>,
    #[serde(default, rename = "rows", deserialize_with = "old_rows")]
    #[schemars(skip)]
    #[expect(dead_code, reason = "it is never read: whoever writes the key gets an error")]
    old_rows: (),
    #[serde(default, rename = "revision", deserialize_with = "old_revision")]
    #[schemars(skip)]
    #[expect(dead_code, reason = "it is never read: whoever writes the key gets an error")]
    old_revision: (),
}

impl Database {
    /// The volume and the file, if it is a SQLite database.
    pub fn sqlite(&self) -> Option<(&str, &str)> {
        Some((self.volume.as_deref()?, self.file.as_deref()?)).filter(|_| self.dialect == Dialect::Sqlite)
    }

    /// The service, if it is a server.
    pub fn server(&self) -> Option<&str> {
        self.service.as_deref().filter(|_| self.dialect != Dialect::Sqlite)
    }

    /// Whether its content is in a volume of a service: as its file, or as the data of the service's server.
    pub fn is_in(&self, volume: &str, service: &str) -> bool {
        self.sqlite().is_some_and(|(of, _)| of == volume) || self.server() == Some(service)
    }

    /// What is special about a table, if the scenario says so.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }
}

/// What is special about a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::manual_non_exhaustive, reason = "the field that is not public gives an error to who writes a key of old")]
pub struct Table {
    /// Its name; outside of PostgreSQL's schema `public` with its schema, a dot between them.
    pub name: String,
    /// The columns by which its rows are known, if that is not its primary key.
    #[serde(default)]
    pub key: Vec<String>,
    /// Columns with secrets: only their SHA-256 is stored.
    #[serde(default)]
    pub secret: Vec<String>,
    /// Whether it holds the revision of the schema: then its rows may change with an upgrade of the app.
    #[serde(default)]
    pub revision: bool,
    #[serde(default, rename = "volatile", deserialize_with = "old_volatile")]
    #[schemars(skip)]
    old_volatile: (),
}

/// What of a database is not compared. In `table`, `column`, `object` and `property`, `*` stands for any text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Tables: all their rows and their counters, or what `column` or `where` choose of them.
    pub table: Option<Globs>,
    /// Columns of these tables.
    pub column: Option<Globs>,
    /// Rows of these tables: those that fulfil this condition in SQL.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Other objects, as findings name them, such as `role backup` or `sequence invoice_*`.
    pub object: Option<Globs>,
    /// Properties of these objects, such as `owner`; without it, all.
    pub property: Option<Globs>,
    /// Why it is not compared.
    pub why: String,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [("table", &self.table), ("column", &self.column), ("object", &self.object), ("property", &self.property)];
        let said = parts.into_iter().filter_map(|(what, globs)| Some(format!("{what} = {:?}", globs.as_ref()?.0.join(", "))));
        let condition = self.condition.iter().map(|c| format!("where = {c:?}"));
        f.write_str(&said.chain(condition).collect::<Vec<_>>().join(", "))
    }
}

/// What is wrong in a `[[database]]`, each as the value that is wrong and a message.
pub(super) fn problems(database: &Database) -> Vec<(String, String)> {
    let Database { name, dialect, command, .. } = database;
    let mut found = Vec::new();
    let mut add = |message: String| found.push((name.clone(), format!("database {name:?}: {message}")));
    if *dialect == Dialect::Sqlite {
        if database.volume.is_none() || database.file.is_none() {
            add("sqlite needs the volume and the file of the database".into());
        }
        if !command.is_empty() {
            add("sqlite needs no command: the file is read; remove command".into());
        }
    } else {
        if database.service.is_none() || !command.iter().any(|word| word.contains(QUERY)) {
            add(format!("{dialect} needs the service and a command with {QUERY}, which the program replaces by its queries"));
        }
        if database.volume.is_some() || database.file.is_some() {
            add(format!("{dialect} is a server, which its client reads: remove volume and file"));
        }
    }
    if !database.write.is_empty() && database.service.is_none() {
        add("write needs the service in which it runs".into());
    }
    if !database.seed.is_empty() && database.write.is_empty() {
        add("seed needs write, the command that runs a statement".into());
    }
    database.leave_out.iter().filter_map(|left| Some((left, wrong(left)?))).for_each(|(left, why)| {
        add(format!("leave_out with {left}: {why}"));
    });
    found
}

/// What is wrong in a `[[database.leave_out]]`.
fn wrong(left: &LeftOut) -> Option<&'static str> {
    let LeftOut { table, column, condition, object, property, why } = left;
    Some(match (table, object) {
        _ if why.trim().is_empty() => "why is empty: say why it need not be compared",
        (None, None) => "expected table or object: what is left out",
        (Some(_), Some(_)) => "expected either table or object: write two entries",
        (None, _) if column.is_some() || condition.is_some() => "column and where need a table",
        (_, None) if property.is_some() => "property needs an object",
        _ if column.is_some() && condition.is_some() => "expected either column or where: write two entries",
        _ => return None,
    })
}

fn old<'de, D: Deserializer<'de>>(message: &str) -> Result<(), D::Error> {
    Err(serde::de::Error::custom(message))
}

fn old_rows<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    old::<D>("`rows` is not used any more: remove it and write `dialect`, by which the program knows how to read all tables")
}

fn old_revision<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    old::<D>(
        "`revision` is not used any more: remove it and write `dialect`; all tables are compared. For the table that holds the \
         revision, add a [[database.table]] with `revision = true`, so that an upgrade may change it",
    )
}

fn old_volatile<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    old::<D>(
        "`volatile` is not used any more: write a [[database.leave_out]] with `table`, `column` and `why`, the reason why these \
         columns need not be compared",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Database, String> {
        toml::from_str::<Database>(text).map_err(|e| e.message().to_owned())
    }

    fn messages(text: &str) -> Vec<String> {
        problems(&parsed(text).expect("valid")).into_iter().map(|(_, message)| message).collect()
    }

    const SQLITE: &str = "name = 'm.db'\ndialect = 'sqlite'\nvolume = 'v'\nfile = 'm.db'\n";
    const SERVER: &str = "name = 'wiki'\ndialect = 'postgresql'\nservice = 'db'\ncommand = ['psql', '--command={query}']\n";

    #[test]
    fn old_keys_say_what_to_write_instead() {
        for (old, instead) in [("rows = 'r'", "dialect"), ("revision = 'r'", "revision = true")] {
            let error = parsed(&format!("{SQLITE}{old}")).expect_err("old");
            assert!(error.contains("not used any more") && error.contains(instead), "{error}");
        }
        let error = parsed(&format!("{SQLITE}[[table]]\nname = 't'\nvolatile = ['at']")).expect_err("old");
        assert!(error.contains("[[database.leave_out]]"), "{error}");
    }

    #[test]
    fn a_dialect_needs_its_keys() {
        assert_eq!(messages(SQLITE), [""; 0]);
        assert_eq!(messages(SERVER), [""; 0]);
        assert_eq!(parsed(&SERVER.replace("postgresql", "mysql")).expect("valid").dialect, Dialect::Mariadb);
        assert_eq!(messages(&SQLITE.replace("file = 'm.db'\n", "")).len(), 1);
        assert_eq!(messages(&format!("{SERVER}volume = 'v'")).len(), 1);
        assert_eq!(messages(&SERVER.replace("{query}", "")).len(), 1);
        assert_eq!(messages(&format!("{SQLITE}seed = ['CREATE TABLE t (a)']")).len(), 1);
    }

    #[test]
    fn what_is_left_out_has_a_reason() {
        let left = |text: &str| messages(&format!("{SQLITE}[[leave_out]]\n{text}"));
        assert_eq!(left("table = 'session'\nwhy = 'Logins end.'"), [""; 0]);
        assert_eq!(left("object = 'role *'\nproperty = ['password']\nwhy = 'New.'"), [""; 0]);
        let said = left("table = 'session'\nwhy = ' '");
        assert_eq!(
            said,
            ["database \"m.db\": leave_out with table = \"session\": why is empty: say why it need not be compared"]
        );
        for wrong in ["why = 'x'", "object = 'o'\ncolumn = 'c'\nwhy = 'x'", "table = 't'\ncolumn = 'c'\nwhere = 'w'\nwhy = 'x'"] {
            assert_eq!(left(wrong).len(), 1, "{wrong}");
        }
        assert!(parsed(&format!("{SQLITE}[[leave_out]]\ntable = 't'")).is_err(), "a reason is required");
    }
}
