//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use recipe::scenario;

use crate::drill::BotChoice;
use crate::exit_code;

mod bridge;
mod ci;
mod data;
mod fault;
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

/// Proves that a backup restores: deploys an app, seeds it, backs it up, wipes it, restores it, and compares item by item.
#[derive(Debug, Parser)]
#[command(name = "restore-drill", version, after_help = exit_code::TABLE, propagate_version = true)]
pub struct Cli {
    /// The folder with the scenarios. If the current directory has no `scenarios` folder, the scenarios that came with the program are
    /// used. `ci` always uses those, unless you name a folder.
    #[arg(long, global = true, env = "RESTORE_DRILL_SCENARIOS", value_name = "DIR", default_value = scenario::FOLDER)]
    pub scenarios: PathBuf,
    /// Whether somebody named the folder, on the command line, in the environment or in a file.
    #[arg(skip)]
    pub names_scenarios: bool,
    /// A file with defaults for options; `restore-drill config` prints a template. Default: restore-drill.toml in this
    /// directory. `ci` has no default.
    #[arg(long, global = true, env = "RESTORE_DRILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Output options.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How a run says what it does.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArgs {
    /// Print only the verdict.
    #[arg(long, short, global = true, env = "RESTORE_DRILL_QUIET")]
    pub quiet: bool,
    /// What to print on standard error: text, or events as lines of JSON.
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
    /// Run a whole drill.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill run radicale                          a quick drill\n",
        "  restore-drill run radicale --profile default        20 users, and 2,000 messages where the app is a mail server\n",
        "  restore-drill run radicale --backupbot existing     with the bot that you have deployed\n",
        "  restore-drill run radicale --fault data-file-gone   see it turn red\n",
        "  restore-drill run ~/.abra/recipes/radicale          the recipe in this folder, as it is\n",
    ))]
    Run(RunArgs),
    /// Test a recipe through its life cycle (install, upgrade, backup and restore, functional, lint) and report the level it reaches.
    ///
    /// All rungs share one deployment: the previous version is deployed and filled with users' data, upgraded in place, and then
    /// drilled. A backup of the previous version is also restored onto the version under test. The recipe is copied at a commit into
    /// the ladder's own directory; your checkout is only read.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ladder radicale                                ~/.abra/recipes/radicale, upgraded from the previous version tag\n",
        "  restore-drill ladder ./radicale@1.2.0+3.1.8 --from 1.1.0+3.1.7\n",
        "  restore-drill ladder scenarios/radicale --dirty              the files as they are, committed or not\n",
        "  restore-drill ladder radicale --compare before/ladder.json   what changed since then\n",
        "\nExit codes: 0 every rung passed or does not apply, 1 a rung failed or was skipped without a reason, 2 unknown\n",
    ))]
    Ladder(LadderArgs),
    /// Run the ladder as a step of a CI pipeline, and write its results to a directory.
    ///
    /// Prints plain lines, folded by phase where the CI server supports it. Writes results.json, report.html, junit.xml, report.json
    /// and report.md (a comment for the pull request). Nothing is retried silently, and the exit code is the ladder's. In a build of
    /// drone, Woodpecker, Gitea, Forgejo, GitHub or GitLab, a recipe that the build cloned is taken at the build's commit, and
    /// results.json has the build's number and link. Only the recipe is taken from the checkout: scenarios and restore-drill.toml are
    /// not, unless --scenarios and --config name them.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ci                                           the recipe in this directory\n",
        "  restore-drill ci scenarios/radicale --not-applicable upgrade=one-version-only --out results\n",
        "  restore-drill ci https://git.example.org/coop/radicale --ref 1.2.0+3.1.8\n",
        "  restore-drill ci --recipes https://git.example.org/coop --post gitea     in a build that sets RECIPE, REF and PR\n",
        "\nExit codes: those of ladder, and 75 if every rung passed but --post failed\n",
    ))]
    Ci(CiArgs),
    /// Start drills for comments on pull requests: looks for `!testme` on Gitea or Forgejo, checks its author, starts a build of drone, and
    /// answers with a comment.
    ///
    /// It keeps no state: a comment that it has answered is done. A comment `!testme COMMIT` is taken only if that is still the newest
    /// commit.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill bridge https://git.example.org/coop/radicale --organization coop --drone https://drone.example.org --build coop/recipe-ci\n",
        "\nExit codes: with --once, 0 all went well, 75 something could not be read, started or answered\n",
    ))]
    Bridge(BridgeArgs),
    /// Judge a stored run again, from its evidence alone.
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
    /// Create a scenario's folder from a recipe. What its files say is filled in; the rest is marked TODO.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki/compose.yml\n",
    ))]
    New {
        /// The scenario's name: lowercase letters, digits, hyphens.
        name: String,
        /// The recipe's folder, or a compose file; several are merged in this order. They are copied, with the files of their configs.
        #[arg(long, value_name = "DIR|FILE", required = true)]
        compose: Vec<PathBuf>,
    },
    /// Write the report of a run or a ladder, from its directory alone, as HTML, JUnit, JSON and Markdown.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill report runs/1a2b3c4d                     report.html, junit.xml, report.json and report.md in it\n",
        "  restore-drill report runs/1a2b3c4d --html page.html    only the page\n",
        "\nExit codes: 0 it was written, whatever it says\n",
    ))]
    Report(ReportArgs),
    /// Show the past runs in a directory: verdict, level, recovery time, size.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill history\n",
        "  restore-drill history nightly --html trend.html\n",
    ))]
    History {
        /// The directory that holds the runs' directories.
        #[arg(default_value = "runs")]
        dir: PathBuf,
        /// Also write an HTML page with the trend.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// Print the reports as JSON, one per line.
        #[arg(long)]
        json: bool,
    },
    /// Run a stored run again and tell whether it reaches the same verdict.
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
        /// The new run's directory. Default: `runs/<run>`.
        #[arg(long, value_name = "DIR")]
        evidence: Option<PathBuf>,
    },
    /// Explain a finding: what it means, its usual causes, and how to fix it.
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
    /// Print a template of the config file, with the options that it can set.
    Config,
    /// Print the JSON Schema of a file, for editors and programs.
    Schema {
        /// The file to describe.
        #[arg(value_enum)]
        of: Schema,
    },
    /// Print completions for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
    /// Remove what runs that were killed left on the engine, wherever they were started. Live runs are not touched.
    ///
    /// A live run renews its lease, a config on the engine. A run that was killed on another machine counts as dead after a minute
    /// without a sign of life.
    Gc {
        /// Remove only this run, even if it was kept.
        #[arg(long)]
        run: Option<String>,
        /// Remove the run even if it is alive, which ends it. Its verdict is then unknown.
        #[arg(long, requires = "run")]
        force: bool,
    },
    /// Check the engine and this machine, and say how to fix what is missing.
    Doctor,
    /// Build a scenario's stand-in images and the bot's image.
    Images {
        /// The scenario.
        scenario: String,
    },
    /// Compare a snapshot of a deployed stack with its live volumes and its inventory. Restores nothing.
    ///
    /// Lists durable files that the snapshot lacks, dumps that are missing or incomplete, files that need no backup and are in it,
    /// and files that differ. Uses the bot that is deployed on the engine.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill audit mail_example_org                  with a new snapshot\n",
        "  restore-drill audit mail_example_org --snapshot 1a2b3c4d\n",
        "\nExit codes: 0 the snapshot has everything durable, 1 it does not, 2 unknown\n",
    ))]
    Audit {
        /// The stack's name.
        stack: String,
        /// The scenario with the stack's inventory. Default: the one whose services the stack has.
        #[arg(long)]
        scenario: Option<String>,
        /// The id of a snapshot. Default: the bot creates a new one.
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
        /// The bot's service, such as backup_app. Needed if the engine has more than one bot.
        #[arg(long, value_name = "SERVICE")]
        bot_service: Option<String>,
        /// Print one line of JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Inject a scenario's faults one by one, and check that each is detected and correctly named.
    ///
    /// The faults of a group share a deployment. Each group begins and ends without a fault, and must then hold. The command fails if
    /// a fault is not detected or is named wrongly, or if no fault turned one of the scenario's checks red.
    #[command(alias = "sabotage", after_help = concat!(
        "Examples:\n",
        "  restore-drill fault davical                        all of its faults\n",
        "  restore-drill fault davical --group content\n",
        "  restore-drill fault davical backup-hook-alone pack-flipped\n",
        "  restore-drill fault --list davical\n",
        "\nExit codes: 0 all were caught, 3 one was not, 2 it could not be told\n",
    ))]
    Fault(FaultArgs),
    /// Test a backupbot against version 2 of its specification: sets of labels, and what must follow from each.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill conformance                          the bot of this repository\n",
        "  restore-drill conformance --strict                 the same, as the specification says\n",
        "  restore-drill conformance --backupbot existing     the one that is deployed, such as backup-bot-two\n",
        "\nExit codes: 0 every case was kept or differs, 1 at least one was NOT KEPT\n",
    ))]
    Conformance {
        /// Run only these cases.
        names: Vec<String>,
        /// The bot to test: one that is deployed for the test, or the one that is on the engine.
        #[arg(long, value_enum, default_value_t = BotChoice::Own)]
        backupbot: BotChoice,
        /// Make the drill's own bot follow the specification where backup-bot-two differs from it. Not with `--backupbot existing`.
        #[arg(long, env = "RESTORE_DRILL_STRICT", value_parser = clap::builder::FalseyValueParser::new())]
        strict: bool,
        /// With `--backupbot existing`: the bot's service, such as backup_app. Needed if the engine has more than one bot.
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
    List,
    /// Check the backup labels of a recipe, explain mistakes, and write correct labels.
    #[command(subcommand)]
    Labels(Labels),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{ImageChoice, Options};

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
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
