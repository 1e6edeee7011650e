//! `restore-drill`: the program.

use std::process::ExitCode;

use clap::CommandFactory as _;
use restore_drill::cli::{Cli, completion};
use restore_drill::error::Error;
use restore_drill::{commands, config, exit_code, images, output};

/// What an error ends the program with, once it is said.
fn failed(error: &Error) -> ExitCode {
    output::notice(format_args!("error: {error}"));
    ExitCode::from(error.exit_code())
}

fn main() -> ExitCode {
    // In an image, it is called by the name of the program that it stands for.
    match images::program::called_as().as_deref() {
        Some(images::bot::NAME) => bot::main(),
        Some(images::reader::NAME) => inside::main(),
        _ => run(),
    }
}

#[tokio::main]
async fn run() -> ExitCode {
    match completion::asked(Cli::command) {
        Ok(None) => {}
        Ok(Some(candidates)) => return output::exact(candidates).map_or_else(|e| failed(&e), |()| ExitCode::SUCCESS),
        Err(e) => return failed(&e),
    }
    let cli = match config::parse(std::env::args_os().collect()) {
        Ok(Ok(cli)) => cli,
        Ok(Err(e)) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(exit_code::USAGE) } else { ExitCode::SUCCESS };
        }
        Err(e) => return failed(&e),
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("RESTORE_DRILL_LOG").unwrap_or_else(|_| "error".into());
    // It logs what it sends to the engine: the environment of services, among other things.
    let filter = match "bollard=warn".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| output::Log)
        .log_internal_errors(false)
        .init();
    commands::execute(cli).await.map_or_else(|e| failed(&e), ExitCode::from)
}
