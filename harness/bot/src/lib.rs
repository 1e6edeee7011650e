//! backupbot v2 over restic: what `backup` does inside the bot's image, and the contract ([`contract`]) between any such bot and
//! its clients.
//!
//! Called as `/usr/bin/backup -- COMMAND` by an exec in the bot's container, with its options as environment variables. It does what the
//! deployed `backup-bot-two` 2.x does, also where that is laxer than the specification: a stricter bot would hide what operators meet.
//! With `--strict` it follows the specification (`bot::Manner`).

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::bot::{Bot, Manner, Result};

mod aside;
mod bot;
mod confined;
pub mod contract;
mod create;
mod hooks;
mod read;
pub mod restic;
mod restore;
mod secrets;
mod stack;

/// Backs up and restores the stacks whose services carry backupbot v2 labels.
#[derive(Parser)]
#[command(name = "backup")]
struct Cli {
    /// The stack; a domain's dots count as underscores. Without it: every stack that has backup switched on.
    #[arg(long, env = "SERVICE", global = true)]
    service: Option<String>,
    /// Lines of JSON instead of text.
    #[arg(long, env = "MACHINE_LOGS", global = true, value_parser = clap::builder::BoolishValueParser::new(), default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    machine_logs: bool,
    /// Follows the specification where the deployed bot does otherwise.
    #[arg(long, env = contract::STRICT, global = true, value_parser = clap::builder::FalseyValueParser::new(), default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    strict: bool,
    /// Asks nothing; this program never does.
    #[arg(long, env = "NONINTERACTIVE", global = true, hide = true)]
    noninteractive: Option<String>,
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Creates a snapshot.
    Create {
        /// Attempts.
        #[arg(long, env = "RETRIES", default_value_t = 1)]
        retries: u32,
    },
    /// Puts a snapshot's files back. Deletes nothing.
    Restore {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
        /// The root below which the files go.
        #[arg(long, env = "TARGET", default_value = "/")]
        target: String,
        /// Only these volumes: compose names, separated by blanks or commas.
        #[arg(long, env = "VOLUMES")]
        volumes: Option<String>,
        /// Only the volumes of these services, separated by blanks or commas.
        #[arg(long, env = "CONTAINER")]
        container: Option<String>,
        /// Runs no hooks.
        #[arg(long, env = "NO_COMMANDS")]
        no_commands: Option<String>,
    },
    /// Lists the stack's snapshots, oldest first.
    Snapshots,
    /// Lists what is in a folder of a snapshot.
    Ls {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
        /// The whole tree.
        #[arg(long = "all", short = 'a', env = contract::SHOW_ALL, value_parser = clap::builder::FalseyValueParser::new(), default_value = "false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        show_all: bool,
        /// The folder.
        #[arg(env = contract::DOWNLOAD_PATH, default_value = contract::VOLUMES_ROOT)]
        path: String,
    },
    /// Writes a path of a snapshot into an archive, and prints its name.
    Download {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
        /// The path.
        #[arg(long, env = contract::DOWNLOAD_PATH, default_value = contract::VOLUMES_ROOT)]
        path: String,
    },
}

/// The whole program: reads the command line and the environment, does what they say, and logs an error as the contract has it.
pub fn main() -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run()),
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run() -> ExitCode {
    // The contract's call is `backup -- create`: the dashes separate nothing here.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|a| a == "--") {
        arguments.remove(1);
    }
    let cli = Cli::parse_from(arguments);
    let bot = Bot { json: cli.machine_logs, manner: if cli.strict { Manner::Strict } else { Manner::Deployed } };
    match bot.run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            bot.log("ERROR", &e);
            ExitCode::FAILURE
        }
    }
}

impl Bot {
    async fn run(&self, cli: &Cli) -> Result<()> {
        if std::env::var_os("RESTIC_REPOSITORY").is_none() {
            return Err("RESTIC_REPOSITORY is not set".into());
        }
        let name = cli.service.as_deref().map(contract::stack_name);
        match &cli.command {
            Cmd::Create { retries } => self.create(name.as_deref(), *retries).await,
            Cmd::Restore { snapshot, target, volumes, container, no_commands } => {
                let stack = name.as_deref().ok_or("restore: SERVICE is not set")?;
                let (volumes, services) = (list(volumes), list(container));
                let hooks = !no_commands.as_deref().is_some_and(truthy);
                self.restore(restore::Asked { stack, snapshot, target, volumes, services, hooks }).await
            }
            Cmd::Snapshots => self.list_snapshots(name.as_deref()).await,
            Cmd::Ls { snapshot, show_all, path } => {
                let id = self.resolve(snapshot, name.as_deref()).await?;
                self.ls(&id, (!show_all).then_some(path)).await
            }
            Cmd::Download { snapshot, path } => {
                let id = self.resolve(snapshot, name.as_deref()).await?;
                self.download(&id, path.trim_end_matches('/')).await
            }
        }
    }
}

/// The names in a variable, separated by blanks or commas: neither is in a name.
fn list(variable: &Option<String>) -> Option<Vec<String>> {
    let names =
        |v: &String| v.split(|c: char| c == ',' || c.is_whitespace()).filter(|n| !n.is_empty()).map(str::to_owned).collect();
    variable.as_ref().map(names)
}

fn truthy(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_separated_by_blanks_or_commas() {
        let of = |text: &str| list(&Some(text.to_owned())).expect("a list");
        for text in ["a b", "a,b", " a , b ", &contract::several(["a", "b"])] {
            assert_eq!(of(text), ["a", "b"], "{text:?}");
        }
        assert_eq!(list(&None), None);
    }

    #[test]
    fn the_command_line_is_read_from_the_environments_forms() {
        let strict = |arguments: &[&str]| Cli::parse_from([&["backup"], arguments].concat()).strict;
        assert!(strict(&["--strict", "snapshots"]));
        assert!(!strict(&["snapshots"]));
        let Cmd::Ls { show_all, path, .. } = Cli::parse_from(["backup", "ls", "--all"]).command else {
            panic!("another command")
        };
        assert_eq!((show_all, path.as_str()), (true, contract::VOLUMES_ROOT));
    }
}
