//! The command line of `inside`.

use std::io::{self, BufWriter, Write as _, stdout};
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;

use crate::entry::Hashed;
use crate::relay::{self, Door, Target};
use crate::zone::Zone;
use clap::{Parser, Subcommand};

/// Works beside an app's data, and in its stack. restore-drill starts it in a container; nobody else needs it.
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
    /// Passes connections on to the services of a stack.
    Relay {
        /// What it says to whoever connects to the port `--hello`.
        #[arg(long)]
        name: String,
        /// That port.
        #[arg(long)]
        hello: u16,
        /// A port to listen at, and where its connections go: 10001=app:993.
        doors: Vec<Door>,
    },
    /// Passes standard input on to a service, and what that says to standard output.
    Connect {
        /// The service: app:993.
        to: Target,
    },
    /// Is the world outside of a stack: answers questions about names, and takes mail.
    Resolve {
        /// The names that exist, as JSON: {"mail.test": {"a": ["192.0.2.1"], "mx": ["front.mail.test"], "txt": ["v=spf1 -all"]}}.
        zone: String,
        /// An address whose mail is put off (450): once for each.
        #[arg(long)]
        busy: Vec<String>,
    },
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Read { folder, hashed } => read(&folder, &hashed),
        Command::Relay { name, hello, doors } => relay::relay(&name, hello, &doors).map_err(|e| e.to_string()),
        Command::Connect { to } => relay::connect(&to).map_err(|e| format!("{}:{}: {e}", to.host, to.port)),
        Command::Resolve { zone, busy } => answer(&zone, busy),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "inside: {why}");
            ExitCode::FAILURE
        }
    }
}

fn read(folder: &Path, hashed: &str) -> Result<(), String> {
    let hashed: Hashed = serde_json::from_str(hashed).map_err(|e| format!("--hashed: {e}"))?;
    crate::read::read(folder, &hashed, BufWriter::new(stdout())).map_err(|e| format!("{}: {e}", folder.display()))
}

fn answer(zone: &str, busy: Vec<String>) -> Result<(), String> {
    let zone: Zone = serde_json::from_str(zone).map_err(|e| format!("zone: {e}"))?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, crate::resolve::PORT))
        .map_err(|e| format!("port {}: {e}", crate::resolve::PORT))?;
    // Whichever of them ends first ends the program.
    let (ended, end) = mpsc::channel();
    let mail = ended.clone();
    thread::spawn(move || mail.send(crate::outside::listen(&busy).map_err(|e| format!("mail: {e}"))));
    thread::spawn(move || ended.send(crate::resolve::resolve(&zone, &socket).map_err(|e| e.to_string())));
    end.recv().map_err(|e| e.to_string())?
}
