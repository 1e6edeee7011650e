//! Doing what a fault does: commands in containers, statements in databases.

use std::time::Duration;

use recipe::scenario::QUERY;
use recipe::scenario::faults::{Action, Command, FOLDER, Mark, Place};

use super::expand::Filling;
use crate::drill::Drill;
use crate::error::{Error, FaultError, Result};
use crate::stack::until;

/// The stack's name, in an action's words.
const STACK: &str = "{stack}";
/// The longest wait for the bot to be there again.
const BOT_BACK: Duration = Duration::from_secs(120);

/// Does some actions, one after the other.
pub(super) async fn all(drill: &Drill, actions: &[Action], filling: &Filling<'_>) -> Result<()> {
    for action in actions {
        one(drill, action, filling).await?;
    }
    Ok(())
}

/// Does one; it must end with 0. Gives what it printed.
pub(super) async fn one(drill: &Drill, action: &Action, filling: &Filling<'_>) -> Result<String> {
    let filled = |word: &String| Ok(filling.text(word)?.replace(STACK, &drill.app.stack.name));
    let fill = |words: &[String]| words.iter().map(filled).collect::<Result<Vec<String>>>();
    let command = match &action.command {
        Command::Program(words) => fill(words)?,
        Command::Shell(text, args) => shell(filling.text(text)?, fill(args)?),
        Command::File(file, args) => {
            let path = drill.app.scenario.dir.join(FOLDER).join(file);
            let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
            if file.ends_with(".py") {
                let words = ["python3", "-c"].map(str::to_owned).into_iter().chain([text]);
                words.chain(fill(args)?).collect()
            } else {
                shell(text, fill(args)?)
            }
        }
        Command::Sql(statement) => statement_of(drill, &action.place, &filling.text(statement)?)?,
    };
    let input = action.input.as_ref().map(|text| filling.text(text)).transpose()?;
    let service = match &action.place {
        Place::Service(service) => drill.app.stack.service(service),
        Place::Bot => drill.app.bot().await?.service,
        Place::Database(name) => drill.app.stack.service(database(drill, name)?.service.as_deref().unwrap_or_default()),
    };
    let output = drill.app.owned.engine().exec(&service, &command, &[], input.as_deref().map(str::as_bytes)).await?;
    Ok(output.ok(&format!("a fault's command in {service}"))?.stdout)
}

/// A shell's words for a script: the name that it goes by stands before its arguments.
fn shell(text: String, args: Vec<String>) -> Vec<String> {
    ["sh".into(), "-ec".into(), text, "sh".into()].into_iter().chain(args).collect()
}

fn database<'a>(drill: &'a Drill, name: &str) -> Result<&'a recipe::scenario::Database> {
    let found = drill.app.scenario.spec.databases.iter().find(|d| d.name == name);
    found.ok_or_else(|| FaultError::NoDatabase { name: name.to_owned() }.into())
}

fn statement_of(drill: &Drill, place: &Place, statement: &str) -> Result<Vec<String>> {
    let Place::Database(name) = place else { return Err(Error::bug("a statement that is for no database")) };
    Ok(database(drill, name)?.write.iter().map(|word| word.replace(QUERY, statement)).collect())
}

/// Runs a shell script in the bot's container.
pub(super) async fn in_bot(drill: &Drill, text: &str, args: &[&str]) -> Result<String> {
    let service = drill.app.bot().await?.service;
    let command: Vec<&str> = ["sh", "-ec", text, "sh"].iter().chain(args).copied().collect();
    let output = drill.app.owned.engine().exec(&service, &command, &[], None).await?;
    Ok(output.ok("a fault's command in the bot")?.stdout)
}

/// Waits until a file is there in a service's container.
pub(super) async fn reached(drill: &Drill, mark: &Mark) -> Result<()> {
    let engine = drill.app.owned.engine();
    let service = drill.app.stack.service(&mark.service);
    until(drill.app.converge_deadline(), || async {
        let found = engine.exec(&service, &["test", "-e", &mark.file], &[], None).await?;
        Ok(if found.code == 0 { Ok(()) } else { Err(format!("waiting for {} in {service}", mark.file)) })
    })
    .await
}

/// Ends the bot's container once a file is there in a service's container.
pub(super) async fn kill_bot(drill: &Drill, at: &Mark) -> Result<()> {
    reached(drill, at).await?;
    let service = drill.app.bot().await?.service;
    // The first process is an init that hands the signal on.
    let output = drill.app.owned.engine().exec(&service, &["sh", "-c", "kill -TERM 1"], &[], None).await?;
    // The container may take the command with it, which then ends with 137.
    if output.code == 137 { Ok(()) } else { Ok(output.ok("a fault's command in the bot").map(drop)?) }
}

/// Waits until the bot answers.
pub(super) async fn bot_back(drill: &Drill) -> Result<()> {
    let bot = drill.app.bot().await?;
    until(BOT_BACK, || async {
        match drill.app.owned.engine().exec(&bot.service, &["true"], &[], None).await {
            Ok(output) if output.code == 0 => Ok(Ok(())),
            Ok(output) => Ok(Err(format!("waiting for the bot: {}", output.stderr.trim()))),
            Err(e) => Ok(Err(format!("waiting for the bot: {e}"))),
        }
    })
    .await
}
