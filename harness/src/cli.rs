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
    /// The folder of scenarios. If this directory has no `scenarios`, the ones that came with the program are used.
    #[arg(long, global = true, env = "RESTORE_DRILL_SCENARIOS", value_name = "DIR", default_value = scenario::FOLDER)]
    pub scenarios: PathBuf,
    /// A file with defaults for options; `restore-drill config` prints a template. Default: restore-drill.toml in this directory.
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
    ))]
    Run(RunArgs),
    /// Test a recipe through its life cycle (install, upgrade, backup and restore, function, lint) and report the level it reaches.
    ///
    /// All rungs share one deployment: the previous version is deployed and filled with users' data, upgraded in place, and then
    /// drilled. A backup of the previous version is also restored onto the version under test. The recipe is copied at a commit into
    /// the ladder's own directory; your checkout is only read.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill ladder radicale                                ~/.abra/recipes/radicale, from the version tag before\n",
        "  restore-drill ladder ./radicale@1.2.0+3.1.8 --from 1.1.0+3.1.7\n",
        "  restore-drill ladder scenarios/radicale --dirty              files as they are, of no commit\n",
        "  restore-drill ladder radicale --compare before/ladder.json   what changed since then\n",
        "\nExit codes: 0 every rung passed or does not apply, 1 a rung failed or was skipped without a reason, 2 unknown\n",
    ))]
    Ladder(LadderArgs),
    /// Run the ladder as a step of a CI pipeline, and write its results to a directory.
    ///
    /// Prints plain lines, folded by phase where the CI server supports it. Writes results.json, report.html, junit.xml, report.json
    /// and report.md (a comment for the pull request). Nothing is retried silently, and the exit code is the ladder's. In a drone
    /// build, the recipe is taken at DRONE_COMMIT_SHA, and results.json has the DRONE_* variables.
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
    /// Create a scenario's folder from a compose file. What the file says is filled in; the rest is marked TODO.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill new wiki --compose ~/.abra/recipes/wiki/compose.yml\n",
    ))]
    New {
        /// The scenario's name: lowercase letters, digits, hyphens.
        name: String,
        /// The recipe's compose file, which is copied.
        #[arg(long, value_name = "FILE")]
        compose: PathBuf,
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
    /// Print a config file with every option's default, commented out.
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
    /// Remove what runs that were killed left on the engine. Live runs are not touched.
    Gc {
        /// Remove only this run, even if it was kept.
        #[arg(long)]
        run: Option<String>,
        /// Remove the run also if it was started on another machine or with another state directory, where it may be alive.
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
        "  restore-drill conformance --backupbot existing     the one that is deployed, such as backup-bot-two\n",
        "\nExit codes: 0 every case was kept, 1 one was not\n",
    ))]
    Conformance {
        /// Run only these cases.
        names: Vec<String>,
        /// The bot to test: one that is deployed for the test, or the one that is on the engine.
        #[arg(long, value_enum, default_value_t = BotChoice::Own)]
        backupbot: BotChoice,
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

/// The options of `ci`.
#[derive(Debug, clap::Args)]
pub struct CiArgs {
    /// The recipe, as for `ladder`.
    #[arg(value_name = "RECIPE[@REVISION]", default_value = ".")]
    pub recipe: String,
    /// What to climb, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// The directory for the results.
    #[arg(long, value_name = "DIR", default_value = "restore-drill-results")]
    pub out: PathBuf,
}

/// The options of `report`. Without any, all forms are written to the run's directory.
#[derive(Debug, clap::Args)]
pub struct ReportArgs {
    /// The run's directory, or the ladder's.
    pub dir: PathBuf,
    /// Where to write each form.
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
    /// The amount of data: tiny, smoke, default or large.
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
    /// Inject only these faults.
    pub names: Vec<String>,
    /// Inject only the faults of this group: labels, backup, restore or content.
    #[arg(long)]
    pub group: Option<Group>,
    /// List the scenario's faults and exit.
    #[arg(long)]
    pub list: bool,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The directory for the groups' evidence and matrix.json. Default: `runs/fault-<time>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// How many groups run at the same time, each in its own deployment.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub jobs: u8,
    /// Print the matrix as JSON.
    #[arg(long)]
    pub json: bool,
}

/// The options of `ladder`.
#[derive(Debug, clap::Args)]
pub struct LadderArgs {
    /// The recipe: its folder, its name in ~/.abra/recipes, or a scenario's name; @REVISION names a tag or commit.
    #[arg(value_name = "RECIPE[@REVISION]")]
    pub recipe: String,
    /// What to climb, and with which data.
    #[command(flatten)]
    pub climb: ClimbArgs,
    /// Print ladder.json.
    #[arg(long)]
    pub json: bool,
}

/// What to climb, and with which data.
#[derive(Debug, clap::Args)]
pub struct ClimbArgs {
    /// The version to upgrade from: a tag or commit of the recipe. Default: the previous version tag.
    #[arg(long, value_name = "VERSION")]
    pub from: Option<String>,
    /// The scenario with the app's inventory and probes. Default: the one with the recipe's name.
    #[arg(long)]
    pub scenario: Option<String>,
    /// Take the recipe's files as they are, committed or not.
    #[arg(long)]
    pub dirty: bool,
    /// A ladder.json to compare with.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// Declare that a rung does not apply, with the reason. A false declaration fails the rung.
    #[arg(long, value_name = "RUNG=REASON", value_parser = not_applicable)]
    pub not_applicable: Vec<(Rung, String)>,
    /// The data.
    #[command(flatten)]
    pub data: DataArgs,
    /// The images to run. `auto`: the recipe's images if all are present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// More values for the compose files' variables, as NAME=value lines.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// The directory for copies of the recipe, the run and ladder.json. Default: `runs/ladder-<time>`.
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
    /// The run's directory. Default: `runs/<run>`.
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// The bot to use: one that the drill deploys, or the one that is on the engine.
    #[arg(long, env = "RESTORE_DRILL_BACKUPBOT", value_enum, default_value_t = BotChoice::Own)]
    pub backupbot: BotChoice,
    /// The images to run. `auto`: the recipe's images if all are present, else stand-ins.
    #[arg(long, env = "RESTORE_DRILL_IMAGES", value_enum, default_value_t = ImageChoice::Auto)]
    pub images: ImageChoice,
    /// More values for the compose files' variables, as NAME=value lines.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// How many SMTP connections to use at the same time.
    #[arg(long, env = "RESTORE_DRILL_CONNECTIONS", default_value_t = 6, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub connections: u8,
    /// Keep the deployment, and print how to look inside and how to remove it.
    #[arg(long)]
    pub keep: bool,
    /// Keep simulated users writing during the backup, at RATE operations per second.
    #[arg(long, value_name = "RATE", num_args = 0..=1, default_missing_value = "12", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub live: Option<u32>,
    /// Deploy nothing if the engine has less free disk than this, in GiB.
    #[arg(long, env = "RESTORE_DRILL_MIN_FREE_GIB", value_name = "GIB", default_value_t = crate::stack::disk::MIN_FREE_GIB)]
    pub min_free_gib: u64,
    /// Inject a fault, so that the drill must not hold. `restore-drill fault --list SCENARIO` lists them.
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
