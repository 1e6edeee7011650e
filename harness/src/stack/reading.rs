//! What docker's own reader says of compose files, if docker is installed. It needs no engine.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use recipe::compose::Compose;
use recipe::compose::variable::{literal, made};
use serde_json::{Value, json};

use super::deploy::version;
use super::variables;
use crate::error::{Error, Result};

/// What a command line before version 25 says of a command of `docker stack` that it does not have.
const WITHOUT_CONFIG: &str = "docker stack COMMAND --help";

/// How long docker may take to read a recipe.
const READING: Duration = Duration::from_secs(60);

/// What docker says of files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It reads them.
    Read,
    /// It does not, and says this last.
    Refused(String),
    /// It was not asked, or did not answer, for this reason.
    Nothing(String),
}

/// What docker says of files with these texts, whose variables have their other names.
///
/// # Errors
/// The texts cannot be written where docker reads them.
pub(crate) fn read(texts: &[String], values: &BTreeMap<String, String>) -> Result<Said> {
    // The recipe's texts are no secrets; its values stay in the environment.
    let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let mut command = Command::new("docker");
    command.args(["stack", "config"]).current_dir(dir.path()).env_clear().envs(variables::environment(values, None));
    for (at, text) in texts.iter().enumerate() {
        let file = dir.path().join(format!("compose.{at}.yml"));
        std::fs::write(&file, text).map_err(Error::io(&file))?;
        command.arg("--compose-file").arg(&file);
    }
    Ok(answer(command, READING))
}

/// What docker says of a recipe with these values.
///
/// # Errors
/// As [`read`].
pub(crate) fn recipe(files: &[Compose], values: &BTreeMap<String, String>) -> Result<Said> {
    let version = version(files.iter().map(|f| &f.value));
    let texts: Vec<String> = files.iter().map(|file| readable(file, values, &version).to_string()).collect();
    read(&texts, values)
}

/// A file as docker reads it from a folder that is not the recipe's. Labels that can be read are left out: some are not deployed, and
/// then it does not matter what they ask for.
fn readable(file: &Compose, values: &BTreeMap<String, String>, version: &str) -> Value {
    let folder = file.file.parent().and_then(|folder| folder.canonicalize().ok()).unwrap_or_default();
    let absolute = |item: &mut Value| {
        if let Some(text) = item.as_str() {
            *item = json!(literal(&folder.join(made(text, values)).display().to_string()));
        }
    };
    let mut read = file.value.clone();
    for service in read.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(|s| s.values_mut()) {
        match service.get_mut("env_file") {
            Some(Value::Array(list)) => list.iter_mut().for_each(absolute),
            Some(one) => absolute(one),
            None => {}
        }
        for place in ["/labels", "/deploy/labels"] {
            match service.pointer_mut(place) {
                Some(Value::Array(list)) => list.retain(|label| !label.is_string()),
                Some(Value::Object(map)) => map.retain(|_, value| !(value.is_string() || value.is_number() || value.is_null())),
                _ => {}
            }
        }
    }
    read["version"] = json!(version);
    variables::shield(&mut read, values);
    read
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
        (_, Ok(text)) if text.contains(WITHOUT_CONFIG) => Said::Nothing("its command line has no `docker stack config`".into()),
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
        let old =
            answer(shell("echo \"Run 'docker stack COMMAND --help' for more information on a command.\" >&2; exit 1"), long);
        assert!(matches!(old, Said::Nothing(_)), "{old:?}");
        assert_eq!(answer(shell("exit 0"), long), Said::Read);
        assert_eq!(answer(shell("echo one >&2; echo two >&2; exit 1"), long), Said::Refused("two".into()));
        assert_eq!(answer(shell("exec sleep 100"), Duration::ZERO), Said::Nothing("it did not answer in 0 s".into()));
        assert!(matches!(answer(Command::new("/no/such/program"), long), Said::Nothing(_)));
    }
}
