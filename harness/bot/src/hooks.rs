//! Hooks: how a label's command is run in its service's container.

use engine::Engine;
use recipe::labels::Hook;
use recipe::labels::hook::unwrapped;

use crate::bot::{Bot, Manner, Result};
use crate::stack::Stack;

impl Bot {
    /// Runs a hook in the running container of each service that has it. As backup-bot-two
    /// does, a hook that fails is reported and does not end the run.
    pub(crate) async fn hooks(&self, engine: &Engine, stack: &Stack, hook: Hook) -> Result<()> {
        for (service, labels) in stack.services.iter().zip(&stack.labels) {
            let Some(command) = labels.get(hook.label()) else { continue };
            let name = service.spec.as_ref().and_then(|s| s.name.clone()).unwrap_or_default();
            match engine.container_of(&name).await.map_err(|e| e.to_string())? {
                None => self.log("ERROR", &format!("{} of {name}: no running container, skipped", hook.label())),
                Some(container) => self.hook(engine, (&name, &container), hook, command).await?,
            }
        }
        Ok(())
    }

    async fn hook(&self, engine: &Engine, (name, container): (&str, &str), hook: Hook, command: &str) -> Result<()> {
        let (shown, words) = match self.manner {
            Manner::Deployed => deployed(command)?,
            Manner::Strict => (String::new(), ["sh", "-c", command].map(str::to_owned).to_vec()),
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // An image without the shell is an exit code or an error of the engine's: a hook that failed, either way.
        let (code, said) = match engine.exec_in(container, &words, &[], None).await {
            Ok(ran) => (ran.code, format!("{}{}", ran.stdout, ran.stderr)),
            Err(e) => (-1, e.to_string()),
        };
        let said = said.trim();
        let (level, message) = match (self.manner, code) {
            (Manner::Deployed, 0) => ("INFO", format!("run command in {name}: {shown}")),
            (Manner::Deployed, _) => ("ERROR", format!("Failed to run command {shown} in {name}: exit code {code}: {said}")),
            (Manner::Strict, _) => {
                let level = if code == 0 { "INFO" } else { "ERROR" };
                (level, format!("{} of {name}: exit code {code}: {said}", hook.label()))
            }
        };
        self.log(level, &message);
        Ok(())
    }
}

/// A hook as the deployed bot runs it: put between single quotes for bash, then split into words as a POSIX shell would. So a single quote
/// in it ends the script early.
fn deployed(hook: &str) -> Result<(String, Vec<String>)> {
    let line = format!("bash -c 'set -o pipefail;{}'", unwrapped(hook));
    match shlex::split(&line) {
        Some(words) => Ok((line, words)),
        None => Err(format!("Failed to run command {line}: no closing quotation")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(hook: &str) -> Vec<String> {
        let (_, words) = deployed(hook).expect("words");
        assert_eq!(words[..2], ["bash", "-c"], "{hook}");
        words[2..].to_vec()
    }

    #[test]
    fn an_outer_shell_and_its_quotes_are_taken_off() {
        for hook in ["pg_dump a | gzip", "sh -c 'pg_dump a | gzip'", "bash -c \"pg_dump a | gzip\"", "sh -c pg_dump a | gzip"] {
            assert_eq!(script(hook), ["set -o pipefail;pg_dump a | gzip"], "{hook}");
        }
        // Not this one: it is no prefix.
        assert_eq!(script("exec sh -c \"a\""), ["set -o pipefail;exec sh -c \"a\""]);
    }

    #[test]
    fn a_single_quote_ends_the_script() {
        assert_eq!(script("echo 'a  b' > /x"), ["set -o pipefail;echo a", "b > /x"]);
        let error = deployed("it's").expect_err("an open quote");
        assert!(error.starts_with("Failed to run command bash -c 'set -o pipefail;it's'"), "{error}");
        assert_eq!(crate::contract::cause(&error), crate::contract::HOOK);
    }
}
