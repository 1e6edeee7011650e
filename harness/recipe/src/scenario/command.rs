//! Commands that a drill runs in the containers of an app.

use serde::{Deserialize, Serialize};

/// A command in a service's container.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCommand {
    /// The service.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// A command in a container that writes new data, for an app whose users do not write through a door that a drill knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// What is written, in a word or two.
    pub name: String,
    /// The service.
    pub service: String,
    /// The command and its arguments. It should write as the app itself does, look at what it wrote, and delete it again.
    pub command: Vec<String>,
    /// What it reads from its standard input.
    pub input: Option<String>,
    /// Text that it must print; in any case it must end with 0.
    pub expect: Option<String>,
}

/// What stands in a scenario where a person must say something first.
const TODO: &str = "TODO";

impl Write {
    /// Whether nobody has said yet how the app is written to.
    pub fn is_todo(&self) -> bool {
        self.command.iter().any(|word| word == TODO)
    }
}

/// The script in a command that has a shell run one, as in `sh -c SCRIPT`.
pub fn script(command: &[String]) -> Option<&str> {
    let (shell, arguments) = command.split_first()?;
    if !["sh", "bash", "ash", "dash"].contains(&shell.rsplit('/').next()?) {
        return None;
    }
    arguments.iter().skip_while(|a| !(a.starts_with('-') && a.ends_with('c'))).nth(1).map(String::as_str)
}

/// How users are created and deleted. `{localpart}`, `{domain}`, `{email}` and `{password}` are replaced by the user's.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCommands {
    /// The service.
    pub service: String,
    /// The command that creates a user.
    pub create: Vec<String>,
    /// What that command reads from its standard input. A password is safer there than among the arguments.
    pub input: Option<String>,
    /// The command that deletes a user.
    pub delete: Vec<String>,
    /// Where the app keeps its users. Without it, `--live` cannot tell whether a user that was created or deleted while the
    /// backup ran is back.
    pub places: Option<UserPlaces>,
}

/// Where an app keeps its users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPlaces {
    /// The database.
    pub database: String,
    /// The table with a row for each user, whose key is the address.
    pub table: String,
    /// The volume with a folder for each mailbox at its top, named by the address: no folder may be there without its user.
    pub mailboxes: Option<String>,
}

impl UserCommands {
    /// The command that creates a user (`made`) or deletes one, and what it reads from its standard input.
    pub fn filled(&self, made: bool, email: &str, password: &str) -> (Vec<String>, Option<Vec<u8>>) {
        let (localpart, domain) = email.split_once('@').unwrap_or((email, ""));
        let fill = |text: &String| {
            text.replace("{localpart}", localpart)
                .replace("{domain}", domain)
                .replace("{email}", email)
                .replace("{password}", password)
        };
        let (command, input) = if made { (&self.create, self.input.as_ref()) } else { (&self.delete, None) };
        (command.iter().map(fill).collect(), input.map(|text| fill(text).into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_of_a_shell() {
        for (command, expected) in [
            (&["sh", "-c", "a | b"][..], Some("a | b")),
            (&["/bin/bash", "-eu", "-o", "pipefail", "-ec", "a"], Some("a")),
            (&["python3", "-c", "print(1 | 2)"], None),
            (&["sh", "script"], None),
            (&["sh", "-c"], None),
            (&[], None),
        ] {
            let command: Vec<String> = command.iter().map(ToString::to_string).collect();
            assert_eq!(script(&command), expected, "{command:?}");
        }
    }
}
