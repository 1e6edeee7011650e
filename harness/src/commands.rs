//! The commands: each does what its options say, prints what came of it, and gives the exit code.

use crate::audit::Audited;
use crate::cli::{Cli, Command, EngineArgs};
use crate::conformance::Tested;
use crate::error::{Error, Result};
use crate::installation;

mod about;
mod bridge;
mod ci;
mod engine;
mod fault;
mod labels;
mod ladder;
mod man;
mod meant;
mod run;
mod sinks;
mod stored;

/// Whether a command reads scenarios. `new` makes the folder if there is none.
fn needs_scenarios(command: &Command) -> bool {
    matches!(
        command,
        Command::Run(_)
            | Command::Repro { .. }
            | Command::Fault(_)
            | Command::Ladder(_)
            | Command::Ci(_)
            | Command::Doctor
            | Command::Images { .. }
            | Command::Audit { .. }
            | Command::Conformance { .. }
            | Command::List
    )
}

/// Does what the command line says. Gives the exit code.
///
/// # Errors
/// What ends the command before its end.
pub async fn execute(cli: Cli) -> Result<u8> {
    done(cli).await.map_err(meant::with_run)
}

async fn done(cli: Cli) -> Result<u8> {
    let asked = cli.scenarios.clone();
    if cli.names_scenarios && needs_scenarios(&cli.command) && !asked.is_dir() {
        return Err(Error::Usage(format!(
            "--scenarios {}: no such folder; expected a folder with one folder for each scenario",
            asked.display()
        )));
    }
    let scenarios = match &cli.command {
        command if !needs_scenarios(command) => cli.scenarios,
        // A pipeline's checkout is under test.
        Command::Ci(_) if !cli.names_scenarios => installation::own_scenarios()?,
        _ => installation::scenarios(cli.scenarios)?,
    };
    match cli.command {
        Command::Run(args) => run::run(&args, &scenarios, cli.output).await,
        Command::Repro { dir, evidence } => run::repro(&dir, evidence, &scenarios, cli.output).await,
        Command::Fault(args) => fault::inject(args, scenarios, cli.output).await,
        Command::Ladder(args) => ladder::ladder(args, scenarios, cli.output).await,
        Command::Ci(args) => ci::ci(args, scenarios).await,
        Command::Bridge(args) => bridge::bridge(args).await,
        Command::Judge { dir, observation, json, checks } => stored::judge(&dir, &observation, json, checks),
        Command::Report(args) => stored::report(args),
        Command::History { dir, html, json } => stored::past(&dir, html, json),
        Command::Explain { finding } => stored::explain(&finding.join(" ")),
        Command::Labels(command) => labels::labels(command),
        Command::Gc { run, force } => engine::gc(run.as_deref(), force).await,
        Command::Doctor => engine::doctor(&scenarios).await,
        Command::Images { scenario } => engine::images(&scenarios, &scenario).await,
        Command::Audit { stack, scenario, snapshot, bot_service, json } => {
            let what = Audited { stack: &stack, snapshot: snapshot.as_deref(), bot_service: bot_service.as_deref() };
            engine::audit(&scenarios, what, scenario, json).await
        }
        Command::Conformance { names, backupbot, strict, bot_service, engine: EngineArgs { max_drills }, json } => {
            let tested = Tested { choice: backupbot, service: bot_service.as_deref(), strict, max_drills };
            engine::conformance(&scenarios, tested, &names, json).await
        }
        Command::List => about::list(&scenarios),
        Command::Schema { of } => about::schema(of),
        Command::Config => about::template(),
        Command::Completions { shell } => about::completions(shell),
        Command::Man { command, dir } => man::man(&command, dir.as_deref()),
        Command::New { name, compose } => about::new(&asked, &name, &compose),
    }
}
