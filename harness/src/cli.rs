//! The command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use recipe::labels::lint::OutputFormat;
use recipe::rung::Rung;
use recipe::scenario;
use recipe::scenario::faults::Group;

use crate::drill::fault::Fault;
use crate::drill::{BotChoice, ImageChoice, Options};
use crate::error::Result;
use crate::exit_code;
use crate::report::OutputFiles;

/// Proves that a backup restores: deploys an app, seeds it, backs it up, wipes it, restores it, and compares item by item.
#[derive(Debug, Parser)]
#[command(name = "restore-drill", version, after_help = exit_code::TABLE, propagate_version = true)]
pub struct Cli {
    /// The folder of scenarios; where there is no `scenarios` here, the one that came with the program.
    #[arg(long, global = true, env = "RESTORE_DRILL_SCENARIOS", value_name = "DIR", default_value = scenario::FOLDER)]
    pub scenarios: PathBuf,
    /// A file with defaults for options; `restore-drill config` prints one. Without it, restore-drill.toml here, if there is one.
    #[arg(long, global = true, env = "RESTORE_DRILL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How it says what it does.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How a run says what it does.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArgs {
    /// Say the verdict only.
    #[arg(long, short, global = true, env = "RESTORE_DRILL_QUIET")]
    pub quiet: bool,
    /// Text for people, or events as lines of JSON, on standard error.
    #[arg(long, global = true, env = "RESTORE_DRILL_LOG_FORMAT", value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// In which form a run says what it does.
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
    ))]
    Run(RunArgs),
    /// Climb the ladder of a recipe: install, upgrade, backup and restore, functional, lint. Says the level that it earns.
    ///
    /// One deployment is carried through: the version before with users' data in it, upgraded in place, then drilled. Its
    /// backup is restored onto the version under test too. The recipe is taken at a commit, into the ladder's own
    /// directory; the checkout is only read.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ladder radicale                                ~/.abra/recipes/radicale, from the version tag before\n",
        "  restore-drill ladder ./radicale@1.2.0+3.1.8 --from 1.1.0+3.1.7\n",
        "  restore-drill ladder scenarios/radicale --dirty              files as they are, of no commit\n",
        "  restore-drill ladder radicale --compare before/ladder.json   what changed since then\n",
        "\nExit codes: 0 every rung was earned or declared not to apply, 1 one failed or is a gap, 2 one could not be told\n",
    ))]
    Ladder(LadderArgs),
    /// Climb the ladder as a step of a pipeline, and keep what a pipeline keeps.
    ///
    /// Plain lines, folded by phase where the CI server can; results.json, report.html, junit.xml, report.json and report.md
    /// (a comment for the pull request) in a directory; nothing is tried again in silence; the exit code is the ladder's. In a
    /// drone build the recipe is taken at DRONE_COMMIT_SHA, and its DRONE_* variables are in results.json.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ci                                           the recipe in this directory\n",
        "  restore-drill ci scenarios/radicale --not-applicable upgrade=one-version-only --out results\n",
        "\nExit codes: those of ladder\n",
    ))]
    Ci(CiArgs),
    /// Judge a stored run again, from its evidence alone.
    Judge {
        /// The run's directory.
        dir: PathBuf,
        /// The observation to hold against the baseline.
        #[arg(long, default_value = judge::RESTORED)]
        observation: String,
        /// Print the verdict as JSON.
        #[arg(long)]
        json: bool,
        /// Print what was compared, as a scenario's checks.toml has it.
        #[arg(long, conflicts_with = "json")]
        checks: bool,
    },
    /// Make the folder of a scenario from a compose file: what can be read from it is filled in, the rest is marked TODO.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki/compose.yml\n",
    ))]
    New {
        /// The scenario's name: lowercase letters, digits, hyphens.
        name: String,
        /// The recipe's compose file; it is copied.
        #[arg(long, value_name = "FILE")]
        compose: PathBuf,
    },
    /// Write the report of a run, or of a ladder, from its directory alone: HTML, JUnit, JSON, Markdown.
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
        /// The directory with one directory a run.
        #[arg(default_value = "runs")]
        dir: PathBuf,
        /// A page with the trend.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        /// The reports as JSON, one a line.
        #[arg(long)]
        json: bool,
    },
    /// Do a stored run again, the same way, and say whether its verdict repeats.
    ///
    /// The same scenario, profile, seed, fault, writes, images and bot. A recipe that has changed since is refused.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill repro runs/1a2b3c4d\n",
        "\nExit codes: 0 the same verdict with the same findings, 3 another one, 2 it could not be told\n",
    ))]
    Repro {
        /// The run's directory.
        dir: PathBuf,
        /// The new run's directory; without it `runs/<run>`.
        #[arg(long, value_name = "DIR")]
        evidence: Option<PathBuf>,
    },
    /// Teach what a finding means, its usual causes, and what to do.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill explain uidvalidity\n",
        "  restore-drill explain 'mailbox u01@mail.test, folder INBOX: altered (uidvalidity)'\n",
        "  restore-drill explain                 lists all meanings\n",
    ))]
    Explain {
        /// A finding as a report has it, or a word of one.
        finding: Vec<String>,
    },
    /// Print a config file with every option's default, commented out.
    Config,
    /// Print the JSON Schema of a file, for editors and programs.
    Schema {
        /// Which.
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
    /// Remove what dead runs left on the engine; live runs are not touched.
    Gc {
        /// This run only, also if it was kept.
        #[arg(long)]
        run: Option<String>,
    },
    /// Check the engine and this machine, and say what to do about what is missing.
    Doctor,
    /// Build the stand-in images of a scenario, and the bot's.
    Images {
        /// The scenario.
        scenario: String,
    },
    /// Hold a snapshot of a deployed stack against its live volumes and its inventory. Nothing is restored.
    ///
    /// Names what is durable and not in the snapshot, dumps that are absent or not whole, junk that was captured, and files
    /// that differ. Drives the bot that is deployed on the engine.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill audit mail_example_org                  a snapshot created now\n",
        "  restore-drill audit mail_example_org --snapshot 1a2b3c4d\n",
        "\nExit codes: 0 nothing durable is missed, 1 something is, 2 it could not be told\n",
    ))]
    Audit {
        /// The stack's name.
        stack: String,
        /// The scenario that has the stack's inventory; without it, the one whose services the stack has.
        #[arg(long)]
        scenario: Option<String>,
        /// The id of a snapshot; without it the bot creates one.
        #[arg(long, value_name = "ID")]
        snapshot: Option<String>,
        /// One line of JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Inject the faults of a scenario, one after the other, and check that each is found and named.
    ///
    /// Those of a group share a deployment and stand between fault-free twins. A fault that is not found, or found by another
    /// name, fails the command; so does a check of the scenario that no fault turned red.
    #[command(alias = "sabotage", after_help = concat!(
        "Examples:\n",
        "  restore-drill fault davical                        all of its faults\n",
        "  restore-drill fault davical --group content\n",
        "  restore-drill fault davical backup-hook-alone pack-flipped\n",
        "  restore-drill fault --list davical\n",
        "\nExit codes: 0 all were caught, 3 one was not, 2 it could not be told\n",
    ))]
    Fault(FaultArgs),
    /// Test a backupbot against what version 2 must do: label sets, and what follows from each.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill conformance                          the bot of this repository\n",
        "  restore-drill conformance --backupbot existing     the one that is deployed, such as backup-bot-two\n",
        "\nExit codes: 0 every case was kept, 1 one was not\n",
    ))]
    Conformance {
        /// Only these cases.
        names: Vec<String>,
        /// The bot: one that is deployed for this, or the one that is there.
        #[arg(long, value_enum, default_value_t = BotChoice::Own)]
        backupbot: BotChoice,
        /// JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// List the scenarios and profiles.
    List,
    /// Check the backup labels of a recipe, explain mistakes, and write correct labels.
    #[command(subcommand)]
    Labels(Labels),
}

/// The options of `ci`.
#[derive(Debug, clap::Args)]
pub struct CiArgs {
    /// The recipe, as for `ladder`.
    #[arg(value_name = "RECIPE[@REVISION]", default_value = ".")]
    pub recipe: String,
    /// What is climbed, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// Where the results go.
    #[arg(long, value_name = "DIR", default_value = "restore-drill-results")]
    pub out: PathBuf,
}

/// The options of `report`. Without any, all forms are written into the directory.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run's directory, or the ladder's.
    pub dir: PathBuf,
    /// Where each form goes.
    #[command(flatten)]
    pub files: OutputFiles,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Schema {
    /// `scenario.toml`.
    Scenario,
    /// `faults.toml`.
    Faults,
    /// `inventory.toml`.
    Inventory,
    /// `report.json`.
    Report,
    /// `ladder.json`.
    Ladder,
}

impl Schema {
    /// The schema, as JSON.
    pub fn json(self) -> serde_json::Value {
        let schema = match self {
            Self::Scenario => schemars::schema_for!(recipe::scenario::Spec),
            Self::Inventory => schemars::schema_for!(recipe::inventory::Inventory),
            Self::Faults => schemars::schema_for!(recipe::scenario::faults::Faults),
            Self::Report => schemars::schema_for!(crate::report::model::Report),
            Self::Ladder => schemars::schema_for!(crate::ladder::Ladder),
        };
        schema.to_value()
    }
}

/// What is done with labels.
#[derive(Debug, Subcommand)]
pub enum Labels {
    /// Find mistakes in labels that lose data without any warning. Needs no Docker.
    ///
    /// A folder is read as its operator deploys it: the files that its scenario.toml lists, else those that COMPOSE_FILE in
    /// its .env.sample lists, else compose.yml. If the folder has an inventory.toml, the labels are compared with it.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels lint scenarios/radicale\n",
        "  restore-drill labels lint compose.yml compose.smtp.yml --format github\n",
        "  restore-drill labels lint . --base HEAD~1          also checks that the version was raised\n",
        "\nExit codes: 0 no errors (there may be warnings), 1 errors, 64 a file cannot be read\n",
    ))]
    Lint {
        /// Recipe folders or compose files, in the order in which they are merged.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// The recipe before the change: a folder, or a revision of the recipe's git repository.
        #[arg(long, value_name = "DIR|REVISION")]
        base: Option<String>,
        /// More values for the compose files' variables, as NAME=value lines.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
        /// human: for people; json: for programs; github: annotations for GitHub Actions.
        #[arg(long, value_enum, default_value_t = OutputFormat::Human)]
        format: OutputFormat,
    },
    /// Explain one rule of lint with an example. Without a code, list all rules.
    Explain {
        /// Its code, such as BB007, or its name, such as unknown-volume.
        code: Option<String>,
    },
    /// Write the text of a pull request from a drill that held: what is backed up and why, and what was measured.
    Pr {
        /// The run's directory, or a ladder's; then the text also gives the level.
        evidence: PathBuf,
        /// The directory of a run, or of a ladder, of the recipe before the change.
        #[arg(long, value_name = "DIR")]
        before: Option<PathBuf>,
    },
    /// Suggest labels that back up what the inventory calls durable or valuable. Prints a unified diff.
    Suggest {
        /// The recipe's folder.
        dir: PathBuf,
        /// Also change the files.
        #[arg(long)]
        write: bool,
    },
}

/// Which data.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// How much data: tiny, smoke, default, large.
    #[arg(long, env = "RESTORE_DRILL_PROFILE", default_value = "smoke")]
    pub profile: String,
    /// The seed of the corpus; the same seed and profile give the same bytes.
    #[arg(long, env = "RESTORE_DRILL_SEED", default_value_t = 1)]
    pub seed: u64,
}

/// The options of `fault`.
#[derive(Debug, clap::Args)]
pub struct FaultArgs {
    /// The scenario.
    pub scenario: String,
    /// Only these.
    pub names: Vec<String>,
    /// Only those of this group: labels, backup, restore or content.
    #[arg(long)]
    pub group: Option<Group>,
    /// List the scenario's faults and end.
    #[arg(long)]
    pub list: bool,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where the groups' evidence and matrix.json go; without it `runs/fault-<time>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Groups at once; each has a deployment of its own.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub jobs: u8,
    /// The matrix as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

/// The options of `ladder`.
#[derive(Debug, clap::Args)]
pub struct LadderArgs {
    /// The recipe: its folder, its name in ~/.abra/recipes, or a scenario's name; @REVISION names a tag or commit.
    #[arg(value_name = "RECIPE[@REVISION]")]
    pub recipe: String,
    /// What is climbed, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// ladder.json on standard output.
    #[arg(long)]
    pub json: bool,
}

/// What is climbed, and with which data.
#[derive(Debug, clap::Args)]
pub struct ClimbArgs {
    /// The version to upgrade from: a tag or commit of the recipe. Without it, the version tag before.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// The scenario that has the app's inventory and probes; without it, the one of the recipe's name.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Take the recipe's files as they are, committed or not.
    #[arg(long)]
    pub dirty: bool,
    /// A ladder.json to compare with.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Declare a rung not to apply, and why; a reason that is not true is a finding.
    #[arg(long, value_name = "RUNG=REASON", value_parser = not_applicable)]
    pub not_applicable: Vec<(Rung, String)>,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The images: the recipe's if present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// More values for the compose files' variables, as NAME=value lines.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Where the recipe's copies, the run and ladder.json go; without it `runs/ladder-<time>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
}

fn not_applicable(text: &str) -> std::result::Result<(Rung, String), String> {
    let (rung, reason) = text.split_once('=').ok_or("expected RUNG=REASON, as in upgrade=\"the first version\"")?;
    if reason.trim().is_empty() {
        return Err("a reason is missing after =".into());
    }
    Ok((<Rung as clap::ValueEnum>::from_str(rung, false)?, reason.trim().to_owned()))
}

/// The options of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The scenario: a folder in the folder of scenarios.
    pub scenario: String,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The run's directory; without it `runs/<run>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// The bot: one that the drill deploys, or the one that is there.
    #[arg(long, env = "RESTORE_DRILL_BACKUPBOT", value_enum, default_value_t = BotChoice::Own)]
    pub backupbot: BotChoice,
    /// The images: the recipe's if present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// More values for the compose files' variables, as NAME=value lines.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// SMTP connections at once.
    #[arg(long, env = "RESTORE_DRILL_CONNECTIONS", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub connections: u8,
    /// Keep the deployment, and say how to look inside and how to remove it.
    #[arg(long)]
    pub keep: bool,
    /// Have others write while the backup is taken: operations a second.
    #[arg(long, value_name = "RATE", num_args = 0..=1, default_missing_value = "12", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub live: Option<u32>,
    /// Free disk of the engine, in GiB, below which nothing is deployed.
    #[arg(long, env = "RESTORE_DRILL_MIN_FREE_GIB", value_name = "GIB", default_value_t = crate::stack::disk::MIN_FREE_GIB)]
    pub min_free_gib: u64,
    /// Inject a fault; the drill must then not hold. `restore-drill fault --list SCENARIO` lists them.
    #[arg(long, alias = "sabotage", value_name = "NAME")]
    pub fault: Option<String>,
}

impl RunArgs {
    /// As the engine takes them.
    pub fn options(&self, scenarios: PathBuf) -> Result<Options> {
        let fault: Option<Arc<dyn Fault>> = match &self.fault {
            Some(name) => Some(crate::fault::named(&scenarios, &self.scenario, name)?),
            None => None,
        };
        Ok(Options {
            scenarios,
            scenario: self.scenario.clone(),
            profile: self.data.profile.clone(),
            seed: self.data.seed,
            evidence: self.evidence.clone(),
            backupbot: self.backupbot,
            images: self.images,
            env_file: self.env_file.clone(),
            connections: usize::from(self.connections),
            keep: self.keep,
            fault,
            live: self.live,
            min_free_gib: self.min_free_gib,
            recipe: None,
            from: None,
            command: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        options.backupbot = BotChoice::Existing;
        options.live = Some(30);
        options.images = ImageChoice::Standin;
        options.connections = 3;
        options.env_file = Some("my.env".into());
        let cli = Cli::parse_from(options.reproduce().split(' '));
        let Command::Run(args) = cli.command else { panic!("not run") };
        let parsed = args.options(cli.scenarios).expect("options");
        assert_eq!(parsed.reproduce(), options.reproduce());
        assert_eq!(parsed.scenarios, options.scenarios);
        assert_eq!(parsed.connections, options.connections);
    }
}
