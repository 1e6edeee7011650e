//! The command line.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};
use recipe::scenario;

use crate::drill::BotChoice;
use crate::exit_code;
use crate::report::history;

mod bridge;
mod ci;
pub mod completion;
mod data;
mod fault;
pub mod help;
mod labels;
mod ladder;
mod report;
mod run;
mod schema;

pub use bridge::BridgeArgs;
pub use ci::{CiArgs, PullRequest};
pub use data::{DataArgs, EngineArgs, env_file};
pub use fault::FaultArgs;
pub use labels::Labels;
pub use ladder::{ClimbArgs, LadderArgs};
pub use report::ReportArgs;
pub use run::{RunArgs, strict};
pub use schema::Schema;

/// Proves that a backup restores: deploys an app, wipes it, restores it, compares.
#[derive(Debug, Parser)]
#[command(name = "restore-drill", version, after_help = concat!(
    "Exit codes: 0 held, 1 broken, 2 unknown, 3 undetected, 64 usage, 69 engine\n",
    "Help with examples: restore-drill COMMAND --help, or restore-drill man COMMAND\n",
), after_long_help = exit_code::TABLE, propagate_version = true)]
pub struct Cli {
    /// The folder with the scenarios.
    ///
    /// If the current directory has no `scenarios` folder, the scenarios that came with the program are used. `ci` always uses those,
    /// unless you name a folder.
    #[arg(long, global = true, env = "RESTORE_DRILL_SCENARIOS", value_name = "DIR", default_value = scenario::FOLDER)]
    pub scenarios: PathBuf,
    /// Whether somebody named the folder, on the command line, in the environment or in a file.
    #[arg(skip)]
    pub names_scenarios: bool,
    /// Defaults for options [default: restore-drill.toml].
    ///
    /// `restore-drill config` prints a template. Without this option, restore-drill.toml in the current directory is read, if it is there;
    /// `ci` reads none.
    #[arg(long, global = true, env = "RESTORE_DRILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Output options.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The command line, with the help of each command as a screen of the terminal.
pub fn command() -> clap::Command {
    help::with_screens(Cli::command(), help::width())
}

/// How a run says what it does.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArgs {
    /// Print only the verdict.
    #[arg(long, short, global = true, env = "RESTORE_DRILL_QUIET")]
    pub quiet: bool,
    /// Format on standard error.
    ///
    /// Text for people, or each event as a line of JSON.
    #[arg(long, global = true, env = "RESTORE_DRILL_LOG_FORMAT", value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The form of a run's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: the lines of events.jsonl.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole drill: deploy, fill, back up, wipe, restore, compare.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill run radicale                         a quick drill\n",
        "  restore-drill run radicale --profile default       20 users\n",
        "  restore-drill run radicale --backupbot existing    with the bot you deployed\n",
        "  restore-drill run radicale --fault data-file-gone  see it turn red\n",
        "  restore-drill run ~/.abra/recipes/radicale         the recipe in this folder\n",
    ))]
    Run(RunArgs),
    /// Test a recipe from install to lint, and give the level it reaches.
    ///
    /// All rungs share one deployment: the previous version is deployed and filled, upgraded in place, and then drilled. A backup of the
    /// previous version is also restored onto the new one. Your checkout is only read.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ladder radicale                     ~/.abra/recipes/radicale\n",
        "  restore-drill ladder ./radicale@1.2.0+3.1.8 --from 1.1.0+3.1.7\n",
        "  restore-drill ladder scenarios/radicale --dirty   files that are not committed\n",
        "  restore-drill ladder radicale --compare before/ladder.json\n",
        "\nExit codes: 0 every rung passed or does not apply, 1 a rung failed or was skipped, 2 unknown\n",
    ))]
    Ladder(LadderArgs),
    /// Run the ladder in a CI pipeline, and keep its results.
    ///
    /// Writes results.json, report.html, junit.xml, report.json and report.md. In a build of drone, Woodpecker, Gitea, Forgejo, GitHub or
    /// GitLab, the recipe is taken at the build's commit. Scenarios and restore-drill.toml are not taken from the checkout.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ci                                the recipe in this directory\n",
        "  restore-drill ci scenarios/radicale --not-applicable upgrade=one-version-only\n",
        "  restore-drill ci https://git.example.org/coop/radicale --ref 1.2.0+3.1.8\n",
        "  restore-drill ci --recipes https://git.example.org/coop --post gitea\n",
        "\nExit codes: those of ladder, and 75 if every rung passed but --post failed\n",
    ))]
    Ci(CiArgs),
    /// Start drills for comments on pull requests.
    ///
    /// Looks for `!testme` on Gitea or Forgejo, checks its author, starts a build of drone, and answers with a comment. It keeps no state: a
    /// comment that has an answer is done. `!testme COMMIT` is taken only if that is still the newest commit.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill bridge https://git.example.org/coop/radicale --organization coop --drone https://drone.example.org --build coop/recipe-ci\n",
        "\nExit codes: with --once, 0 all went well, 75 something could not be read, started or answered\n",
    ))]
    Bridge(BridgeArgs),
    /// Judge a stored run again, from its evidence alone.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill judge runs/1a2b3c4d\n",
        "  restore-drill judge runs/1a2b3c4d --json      for programs\n",
        "  restore-drill judge runs/1a2b3c4d --checks    what was compared\n",
        "\nExit codes: 0 held, 1 broken, 2 unknown\n",
    ))]
    Judge {
        /// The run's directory.
        dir: PathBuf,
        /// The observation to compare with the baseline.
        #[arg(long, default_value = judge::RESTORED)]
        observation: String,
        /// Print the verdict as JSON.
        #[arg(long)]
        json: bool,
        /// Print what was compared, in the form of checks.toml.
        #[arg(long, conflicts_with = "json")]
        checks: bool,
    },
    /// Create a scenario's folder from a recipe.
    ///
    /// What the recipe's files say is filled in; the rest is marked TODO.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki/compose.yml\n",
    ))]
    New {
        /// The scenario's name: lowercase letters, digits, hyphens.
        name: String,
        /// The recipe's folder, or its compose files.
        ///
        /// Several compose files are merged in this order. They are copied, with the files of their configs.
        #[arg(long, value_name = "DIR|FILE", required = true)]
        compose: Vec<PathBuf>,
    },
    /// Write the report of a run or a ladder.
    ///
    /// Without an option, report.html, junit.xml, report.json and report.md are written to the directory.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill report runs/1a2b3c4d                     all four files\n",
        "  restore-drill report runs/1a2b3c4d --html page.html    only the page\n",
        "\nExit codes: 0 the report was written, whatever the verdict\n",
    ))]
    Report(ReportArgs),
    /// List past runs: verdict, level, recovery time, size.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill history\n",
        "  restore-drill history nightly --html trend.html\n",
    ))]
    History {
        /// The directory that holds the runs' directories.
        #[arg(default_value = history::RUNS)]
        dir: PathBuf,
        /// Also write an HTML page with the trend.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Print the reports as JSON, one per line.
        #[arg(long)]
        json: bool,
    },
    /// Run a stored run again, and compare the verdicts.
    ///
    /// Uses the same scenario, profile, seed, fault, live writes, images and bot. Refuses if the recipe has changed since.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill repro runs/1a2b3c4d\n",
        "\nExit codes: 0 same verdict and findings, 3 different, 2 unknown\n",
    ))]
    Repro {
        /// The run's directory.
        dir: PathBuf,
        /// Where to store the new run. Default: runs/RUN.
        #[arg(long, value_name = "DIR")]
        evidence: Option<PathBuf>,
    },
    /// Explain a finding: what it means, its causes, its fix.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill explain uidvalidity\n",
        "  restore-drill explain 'mailbox u01@mail.test, folder INBOX: altered (uidvalidity)'\n",
        "  restore-drill explain                 lists all meanings\n",
    ))]
    Explain {
        /// A finding as a report prints it, or a word from one.
        finding: Vec<String>,
    },
    /// Print a template of the config file.
    ///
    /// It lists the options that a file can set, with their defaults.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill config > restore-drill.toml\n",
    ))]
    Config,
    /// Print the JSON Schema of a file.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill schema scenario > scenario.json    for an editor\n",
    ))]
    Schema {
        /// The file to describe.
        #[arg(value_enum)]
        of: Schema,
    },
    /// Print completions for a shell.
    ///
    /// They know commands, options, scenarios, profiles, faults, findings and stored runs. The shell calls restore-drill for them, so it
    /// must be in the PATH.
    #[command(after_help = concat!(
        "Examples:\n",
        "  source <(restore-drill completions bash)                  for this shell\n",
        "  restore-drill completions bash > ~/.local/share/bash-completion/completions/restore-drill\n",
        "  restore-drill completions fish > ~/.config/fish/completions/restore-drill.fish\n",
    ))]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all of them.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill man | man -l -                  the program's own page\n",
        "  restore-drill man labels lint | man -l -      the page of a command\n",
        "  restore-drill man --dir ~/.local/share/man/man1\n",
    ))]
    Man {
        /// The command. Default: the program itself.
        command: Vec<String>,
        /// Write a page for each command to this directory.
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
    /// Remove what killed runs left on the engine.
    ///
    /// It does not matter where they were started, and live runs are not touched. A run that was killed on another machine counts as dead
    /// after a minute without a sign of life.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill gc\n",
        "  restore-drill gc --run 1a2b3c4d              a run that --keep kept\n",
        "\nExit codes: 0 nothing dead is left, 69 the engine cannot be used, 75 something could not be removed\n",
    ))]
    Gc {
        /// Remove only this run, even if it was kept.
        #[arg(long)]
        run: Option<String>,
        /// Remove the run even if it is alive.
        ///
        /// That ends the run. Its verdict is then unknown.
        #[arg(long, requires = "run")]
        force: bool,
    },
    /// Check the engine and this machine, and say what is missing.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill doctor\n",
        "  DOCKER_HOST=tcp://host.example.org:2376 restore-drill doctor\n",
        "\nExit codes: 0 drills can run, 69 something is missing\n",
    ))]
    Doctor,
    /// Build a scenario's stand-in images and the bot's image.
    ///
    /// A drill builds them too, if they are not there.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill images radicale\n",
    ))]
    Images {
        /// The scenario.
        scenario: String,
    },
    /// Compare a deployed stack's snapshot with its live data.
    ///
    /// Lists durable files that the snapshot lacks, dumps that are missing or incomplete, files that need no backup and are in it, and
    /// files that differ. Uses the bot that is deployed on the engine. Restores nothing.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill audit mail_example_org              with a new snapshot\n",
        "  restore-drill audit mail_example_org --snapshot 1a2b3c4d\n",
        "\nExit codes: 0 the snapshot has everything durable, 1 it does not, 2 unknown\n",
    ))]
    Audit {
        /// The stack's name.
        stack: String,
        /// The scenario with the stack's inventory.
        ///
        /// Default: the one whose services the stack has.
        #[arg(long)]
        scenario: Option<String>,
        /// The id of a snapshot. Default: a new one.
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
        /// The bot's service, if the engine has several bots.
        ///
        /// For example backup_app.
        #[arg(long, value_name = "SERVICE")]
        bot_service: Option<String>,
        /// Print one line of JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Break things on purpose, and check that each is found.
    ///
    /// The faults of a group share a deployment. Each group begins and ends without a fault, and must then hold. The command fails if a
    /// fault is not found or is named wrongly, or if a check of the scenario never turned red and faults.toml gives no reason for that.
    #[command(alias = "sabotage", after_help = concat!(
        "Examples:\n",
        "  restore-drill fault radicale                     all of its faults\n",
        "  restore-drill fault radicale --group content\n",
        "  restore-drill fault radicale backup-hook-alone pack-flipped\n",
        "  restore-drill fault --list radicale\n",
        "\nExit codes: 0 all were caught, 3 at least one was not, 2 unknown\n",
    ))]
    Fault(FaultArgs),
    /// Test a bot against the backupbot specification, version 2.
    ///
    /// Each case is a set of labels, and what must follow from it.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill conformance                        the drill's own bot\n",
        "  restore-drill conformance --strict               the same, to the letter\n",
        "  restore-drill conformance --backupbot existing   the one that is deployed\n",
        "\nExit codes: 0 every case was kept or differs, 1 at least one was NOT KEPT\n",
    ))]
    Conformance {
        /// Run only these cases.
        names: Vec<String>,
        /// The bot to test: the drill's own, or the deployed one.
        ///
        /// The drill's own, or the one that is deployed on the engine.
        #[arg(long, value_enum, default_value_t = BotChoice::Own)]
        backupbot: BotChoice,
        /// Make the drill's own bot follow the specification.
        ///
        /// Also where backup-bot-two differs from it. Not with `--backupbot existing`.
        #[arg(long, env = "RESTORE_DRILL_STRICT", value_parser = clap::builder::FalseyValueParser::new())]
        strict: bool,
        /// The bot's service, if the engine has several bots.
        ///
        /// For example backup_app. With `--backupbot existing`.
        #[arg(long, value_name = "SERVICE")]
        bot_service: Option<String>,
        /// How many drills may run.
        #[command(flatten)]
        engine: EngineArgs,
        /// Print JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// List the scenarios and profiles.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill list\n",
        "  restore-drill list --scenarios ~/scenarios\n",
    ))]
    List,
    /// Check, explain and suggest backup labels.
    #[command(subcommand, after_help = concat!(
        "Examples:\n",
        "  restore-drill labels lint ~/.abra/recipes/wiki\n",
        "  restore-drill labels explain BB007\n",
        "  restore-drill labels suggest ~/.abra/recipes/wiki --write\n",
    ))]
    Labels(Labels),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{ImageChoice, Options};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        command().debug_assert();
    }

    #[test]
    fn the_reproducing_command_parses_to_the_same_run() {
        use clap::Parser as _;
        let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
        let mut options = Options::new(scenarios, "mailu");
        options.profile = "default".into();
        options.seed = 42;
        options.fault = Some(crate::fault::named(scenarios.as_ref(), "mailu", "mail-excluded").expect("a fault"));
        options.strict = true;
        options.live = Some(30);
        options.images = ImageChoice::Standin;
        options.connections = 3;
        let env_file = tempfile::NamedTempFile::new().expect("a file");
        options.env_file = Some(env_file.path().to_owned());
        let cli = Cli::parse_from(options.reproduce().split(' '));
        let Command::Run(args) = cli.command else { panic!("not run") };
        let parsed = args.options(cli.scenarios).expect("options");
        assert_eq!(parsed.reproduce(), options.reproduce());
        assert_eq!(parsed.scenarios, options.scenarios);
        assert_eq!(parsed.connections, options.connections);
    }
}
