//! The commands of `labels`.

use std::path::PathBuf;

use clap::Subcommand;
use recipe::labels::lint::OutputFormat;

/// What is done with labels.
#[derive(Debug, Subcommand)]
pub enum Labels {
    /// Find mistakes in labels that lose data without any warning. Needs no Docker.
    ///
    /// A folder is read as its operator deploys it: the files that COMPOSE_FILE in its .env.sample lists, else those that its
    /// scenario.toml lists, else the compose file with a usual name. Then each overlay that is switched off is read with them. If the
    /// folder has an inventory.toml, the labels are compared with it.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels lint scenarios/radicale\n",
        "  restore-drill labels lint compose.yml compose.smtp.yml --format github\n",
        "  restore-drill labels lint . --base HEAD~1          also checks that the version was raised\n",
        "  restore-drill labels lint --catalogue recipes      one line for each recipe in a folder\n",
        "\nExit codes: 0 no errors (there may be warnings), 1 errors, 64 a file cannot be read\n",
    ))]
    Lint {
        /// Recipe folders or compose files, in the order in which they are merged.
        #[arg(required_unless_present = "catalogue")]
        paths: Vec<PathBuf>,
        /// A folder of recipes' folders: print a table with one line for each.
        #[arg(long, value_name = "DIR", conflicts_with_all = ["paths", "base"])]
        catalogue: Option<PathBuf>,
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
        /// Also write the release note of the new version: release/VERSION in this recipe's folder.
        #[arg(long, value_name = "DIR")]
        release: Option<PathBuf>,
    },
    /// Suggest labels that back up what the inventory calls durable or valuable. Prints a unified diff, which git apply takes.
    ///
    /// Every label that is there is kept, or written where the bot reads it, or reported. A database without a dump gets the script,
    /// the config and the hooks that make and load one. Without an inventory.toml, every volume is taken for worth a backup, and the
    /// output says so. The result is read again, also by docker if that is installed.
    Suggest {
        /// The recipe's folder.
        dir: PathBuf,
        /// Also change the files.
        #[arg(long)]
        write: bool,
    },
}
