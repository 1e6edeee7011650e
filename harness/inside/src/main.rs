//! The program `inside`.

use std::io::{BufWriter, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use inside::Hashed;

/// Works beside an app's data. restore-drill starts it in a container; nobody else needs it.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reads a folder and writes one line of JSON for each entry.
    Read {
        /// The folder.
        folder: PathBuf,
        /// Of which files the bytes are hashed, as JSON: {"globs": [["*/cache/*", false]], "others": true}.
        #[arg(long, default_value = r#"{"globs":[],"others":true}"#)]
        hashed: String,
    },
}

fn main() -> ExitCode {
    let Command::Read { folder, hashed } = Arguments::parse().command;
    let read = serde_json::from_str::<Hashed>(&hashed).map_err(|e| format!("--hashed: {e}")).and_then(|hashed| {
        inside::read(&folder, &hashed, BufWriter::new(stdout())).map_err(|e| format!("{}: {e}", folder.display()))
    });
    match read {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            use std::io::Write as _;
            // There is nobody else to tell.
            let _ = writeln!(std::io::stderr(), "inside: {why}");
            ExitCode::FAILURE
        }
    }
}
