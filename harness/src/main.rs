//! `restore-drill`: the program.

use std::process::ExitCode;

use restore_drill::{commands, config, exit_code, output};

#[tokio::main]
async fn main() -> ExitCode {
    let parsed = match config::parse(std::env::args_os().collect()) {
        Ok(parsed) => parsed,
        Err(e) => {
            output::notice(format_args!("error: {e}"));
            return ExitCode::from(e.exit_code());
        }
    };
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { ExitCode::from(exit_code::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("RESTORE_DRILL_LOG").unwrap_or_else(|_| "error".into()))
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    match commands::execute(cli).await {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            output::notice(format_args!("error: {e}"));
            ExitCode::from(e.exit_code())
        }
    }
}
