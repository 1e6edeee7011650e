//! The commands of `labels`.

use std::path::PathBuf;

use clap::Subcommand;
use recipe::labels::lint::OutputFormat;

/// What is done with labels.
#[derive(Debug, Subcommand)]
pub enum Labels {
    /// Find mistakes in labels that lose data without a warning.
    ///
    /// A folder is read as its operator deploys it: the files that COMPOSE_FILE in its .env.sample lists, else those that its
    /// scenario.toml lists, else the compose file with a usual name. Then each overlay that is switched off is read with them. If the
    /// folder has an inventory.toml, the labels are compared with it. Needs no Docker.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels lint scenarios/radicale\n",
        "  restore-drill labels lint compose.yml compose.smtp.yml --format github\n",
        "  restore-drill labels lint . --base HEAD~1      also: was the version raised?\n",
        "  restore-drill labels lint --catalogue recipes  one line for each recipe\n",
        "\nExit codes: 0 no errors (there may be warnings), 1 errors, 64 a file cannot be read\n",
    ))]
    Lint {
        /// Recipes' folders, or compose files in their order.
        #[arg(required_unless_present = "catalogue")]
        paths: Vec<PathBuf>,
        /// Check every recipe in a folder; one line for each.
        #[arg(long, value_name = "DIR", conflicts_with_all = ["paths", "base"])]
        catalogue: Option<PathBuf>,
        /// The recipe before the change: a folder or a revision.
        #[arg(long, value_name = "DIR|REVISION")]
        base: Option<String>,
        /// Values for the recipe's variables, as NAME=value lines.
        #[arg(long, value_name = "FILE")]
        env_file: Option<PathBuf>,
        /// The output.
        #[arg(long, value_enum, default_value_t = OutputFormat::Human)]
        format: OutputFormat,
    },
    /// Explain a rule of lint with an example, or list all rules.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels explain                    lists all rules\n",
        "  restore-drill labels explain BB007\n",
        "  restore-drill labels explain unknown-volume\n",
    ))]
    Explain {
        /// A code such as BB007, or a name such as unknown-volume.
        code: Option<String>,
    },
    /// Write the text of a pull request from a drill that held.
    ///
    /// It says what is backed up and why, and what was measured.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels pr runs/1a2b3c4d\n",
        "  restore-drill labels pr after --before before --release ~/.abra/recipes/wiki\n",
        "\nExit codes: 0 written, 1 the run did not hold\n",
    ))]
    Pr {
        /// The directory of a run or a ladder.
        ///
        /// From a ladder's, the text also gives the level.
        evidence: PathBuf,
        /// The same for the recipe before the change.
        #[arg(long, value_name = "DIR")]
        before: Option<PathBuf>,
        /// Also write the release note in this recipe's folder.
        ///
        /// Its file is release/VERSION.
        #[arg(long, value_name = "DIR")]
        release: Option<PathBuf>,
    },
    /// Suggest labels that back up what the inventory asks for.
    ///
    /// Prints a unified diff for git apply. With it, everything durable or valuable is backed up.
    /// Every label that is there is kept, or written where the bot reads it, or reported. A database without a dump gets the script,
    /// the config and the hooks that make and load one. Without an inventory.toml, it assumes that every volume needs a backup, and the
    /// output says so. The result is read again, also by docker if that is installed.
    #[command(after_help = concat!(
        "Examples:\n",
        "  restore-drill labels suggest scenarios/radicale\n",
        "  restore-drill labels suggest ~/.abra/recipes/wiki --write\n",
        "\nExit codes: 0 no errors are left, 1 there are some, 64 a file cannot be read\n",
    ))]
    Suggest {
        /// The recipe's folder.
        dir: PathBuf,
        /// Also change the files.
        #[arg(long)]
        write: bool,
    },
}
