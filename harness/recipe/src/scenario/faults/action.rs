//! What a fault does: commands in containers, statements in databases, changes of the restore.

use serde::Deserialize;

/// A command in a container, or a statement in a database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Action {
    /// Where it runs.
    pub place: Place,
    /// What runs there.
    pub command: Command,
    /// What it reads from its standard input.
    pub input: Option<String>,
}

/// Where an action runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the running container of one of the app's services.
    Service(String),
    /// In the bot's container, which has the repository at `/repository` and every volume.
    Bot,
    /// In a database of the scenario, through its `write` command.
    Database(String),
}

/// What runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A program and its arguments.
    Program(Vec<String>),
    /// A shell script and its arguments; the first that fails ends it.
    Shell(String, Vec<String>),
    /// A script in a file of `faults/` beside `faults.toml`, and its arguments: `.sh` or `.py`.
    File(String, Vec<String>),
    /// A statement in SQL.
    Sql(String),
}

/// An action as it is written.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The service in whose container it runs.
    service: Option<String>,
    /// Whether it runs in the bot's container.
    #[serde(default)]
    bot: bool,
    /// The database that a statement is for.
    database: Option<String>,
    /// A program and its arguments.
    #[serde(default)]
    command: Vec<String>,
    /// A shell script; the first command that fails ends it.
    run: Option<String>,
    /// A file of `faults/` with a script: `.sh` or `.py`.
    script: Option<String>,
    /// The arguments of `run` or `script`.
    #[serde(default)]
    args: Vec<String>,
    /// A statement in SQL.
    sql: Option<String>,
    /// What it reads from its standard input.
    input: Option<String>,
}

impl schemars::JsonSchema for Action {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Action".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Action {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { service, bot, database, command, run, script, args, sql, input } = written;
        let command = match (command.is_empty(), run, script, sql) {
            (false, None, None, None) if args.is_empty() => Command::Program(command),
            (true, Some(run), None, None) => Command::Shell(run, args),
            (true, None, Some(file), None) if file.ends_with(".sh") || file.ends_with(".py") => Command::File(file, args),
            (true, None, Some(file), None) => return Err(format!("script {file:?}: expected a file that ends in .sh or .py")),
            (true, None, None, Some(sql)) if args.is_empty() => Command::Sql(sql),
            _ => return Err("an action has one of command, run, script and sql; args go with run and script".into()),
        };
        let place = match (service, bot, database) {
            (Some(service), false, None) => Place::Service(service),
            (None, true, None) => Place::Bot,
            (None, false, Some(database)) => Place::Database(database),
            _ => return Err("an action has one of service, bot = true and database".into()),
        };
        if matches!(place, Place::Database(_)) != matches!(command, Command::Sql(_)) {
            return Err("sql and database go together".into());
        }
        Ok(Self { place, command, input })
    }
}

/// A file whose being there says how far a command is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The service in whose container it is.
    pub service: String,
    /// Its path.
    pub file: String,
}

/// The bot is killed during the backup or the restore.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Interrupt {
    /// It is killed once this file is there.
    pub at: Mark,
}

/// What goes on while the backup is taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Beside {
    /// What goes on.
    pub run: Action,
    /// The backup begins once this file is there.
    pub begun: Mark,
    /// What ends it, once the backup has ended.
    pub end: Action,
}

/// What is different about the restore.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Restore {
    /// How often the snapshot is restored.
    pub times: Times,
    /// The only volumes that are restored, as the bot's `--volumes` takes them.
    pub volumes: Option<String>,
    /// The folder that files are restored below, in the place of `/`.
    pub target: Option<String>,
    /// Whether the bot is told to restore another stack.
    pub wrong_stack: bool,
    /// Whether a snapshot is restored that is older than the baseline.
    pub older: bool,
    /// Whether the services are restarted afterwards.
    pub restarts: bool,
}

impl Default for Restore {
    fn default() -> Self {
        Self { times: Times::Once, volumes: None, target: None, wrong_stack: false, older: false, restarts: true }
    }
}

/// How often a snapshot is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Not at all.
    None,
    /// Once.
    Once,
    /// Once, and again at once.
    Twice,
    /// Once, and again after the services were restarted.
    AgainAfterRestart,
}
