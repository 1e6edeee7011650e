//! Asks docker's own reader whether what is suggested can be deployed, if docker is installed. It needs no engine.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::Suggestion;
use recipe::scenario::values::STACK_NAME;

use crate::error::{Error, Result};
use crate::output;
use crate::stack::variables;

/// How long docker may take to read a recipe.
const READING: Duration = Duration::from_secs(60);

/// What docker says of files.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It reads them.
    Read,
    /// It does not, and says this last.
    Refused(String),
    /// It was not asked, or did not answer, for this reason.
    Nothing(String),
}

/// Checks that docker reads what is suggested, if it reads what was there before. It is said if that could not be checked.
///
/// It is an error if it does not; then nothing is written.
pub(super) fn check(sources: &RecipeFiles, suggestion: &Suggestion) -> Result<()> {
    let combinations = std::iter::once(None).chain(sources.overlays.iter().map(Some));
    let mut unchecked = Vec::new();
    for overlay in combinations {
        let files: Vec<&PathBuf> = sources.files.iter().chain(overlay).collect();
        let of = |after: bool| -> Vec<&str> {
            let text = |file: &&PathBuf| {
                let (_, old, new) = suggestion.files.iter().find(|(path, ..)| path == *file)?;
                Some(if after { new.as_str() } else { old.as_str() })
            };
            files.iter().filter_map(text).collect()
        };
        let (before, after) = (of(false), of(true));
        if before == after {
            continue;
        }
        let said = match read(sources, &before)? {
            Said::Read => read(sources, &after)?,
            Said::Refused(why) => {
                Said::Nothing(format!("without the recipe's other files, it does not read what is there: {why}"))
            }
            nothing @ Said::Nothing(_) => nothing,
        };
        match said {
            Said::Read => {}
            Said::Refused(said) => {
                let why = format!("{said}; nothing is suggested. Please report this with your recipe");
                return Err(Error::system("docker rejects the changed files", why));
            }
            Said::Nothing(why) if unchecked.contains(&why) => {}
            Said::Nothing(why) => unchecked.push(why),
        }
    }
    unchecked.iter().for_each(|why| output::notice(format_args!("not checked with docker: {why}")));
    Ok(())
}

/// What docker says of files with these texts.
fn read(sources: &RecipeFiles, texts: &[&str]) -> Result<Said> {
    let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let mut values = sources.env.clone();
    values.entry(STACK_NAME.into()).or_insert_with(|| "stack".into());
    let mut command = Command::new("docker");
    command.args(["stack", "config"]).current_dir(dir.path()).env_clear().envs(variables::environment(&values, None));
    for (at, text) in texts.iter().enumerate() {
        let file = dir.path().join(format!("compose.{at}.yml"));
        std::fs::write(&file, variables::shielded(text)).map_err(Error::io(&file))?;
        command.arg("--compose-file").arg(&file);
    }
    Ok(answer(command, READING))
}

/// What a command says of the files that it reads, within this time.
fn answer(mut command: Command, patience: Duration) -> Said {
    let started = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(e) => return Said::Nothing(format!("its command line cannot be run: {e}")),
    };
    let (said, answered) = mpsc::channel();
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            // What was read before an error is what it said.
            let _ = stderr.read_to_end(&mut text);
            let _ = said.send(variables::unprefixed(&String::from_utf8_lossy(&text)));
        });
    }
    let text = answered.recv_timeout(patience);
    if text.is_err() {
        // One that has ended by now needs no end.
        let _ = child.kill();
    }
    match (child.wait(), text) {
        (Err(e), _) => Said::Nothing(format!("its command line was lost: {e}")),
        (_, Err(_)) => Said::Nothing(format!("it did not answer in {} s", patience.as_secs())),
        (Ok(status), _) if status.success() => Said::Read,
        (_, Ok(text)) => Said::Refused(text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_waited_for_and_no_longer_than_it_may_take() {
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        };
        let long = Duration::from_secs(60);
        assert_eq!(answer(shell("exit 0"), long), Said::Read);
        assert_eq!(answer(shell("echo one >&2; echo two >&2; exit 1"), long), Said::Refused("two".into()));
        assert_eq!(answer(shell("exec sleep 100"), Duration::ZERO), Said::Nothing("it did not answer in 0 s".into()));
        assert!(matches!(answer(Command::new("/no/such/program"), long), Said::Nothing(_)));
    }
}
