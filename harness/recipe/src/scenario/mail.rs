//! What a scenario says about a mail server.

use serde::Deserialize;

use super::command::ServiceCommand;

/// What a drill needs to know about a mail server, besides its doors.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// How accounts are created.
    pub accounts: AccountImport,
    /// The mail queue.
    pub queue: Queue,
    /// No longer used: the drill has a server outside of its own.
    #[schemars(skip)]
    pub outside: Option<toml::Table>,
    /// The keys that sign outgoing mail.
    pub dkim: Option<Dkim>,
    /// The character between the user and the detail in an address (RFC 5233), such as `+` in `user+detail@domain`, if the server has one.
    pub recipient_delimiter: Option<char>,
    /// How long, in seconds, the server puts off mail from servers that it does not know.
    #[serde(default)]
    pub greylisting: u64,
    /// The command that makes the mail store read its files again; `{mailbox}` is replaced by each address.
    pub resync: ServiceCommand,
}

/// How accounts are created.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountImport {
    /// The service.
    pub service: String,
    /// The command that creates them. It reads the accounts from its standard input.
    pub command: Vec<String>,
    /// The file in the scenario's folder that puts the accounts in the form that the command reads: a Jinja template over `domains`,
    /// `users`, `aliases` and `relays`, with the filters `sha512_crypt` and `pbkdf2_sha256` for passwords.
    pub template: String,
    /// Services to restart afterwards: each inner list is restarted together, after the list before it runs again.
    #[serde(default)]
    pub restart: Vec<Vec<String>>,
}

/// The mail queue: Postfix's, or one with the same output.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The service.
    pub service: String,
    /// The command that lists it: one JSON object a line, as `postqueue -j` prints it.
    pub command: Vec<String>,
    /// The command that prints a message in it, header and body; `{id}` is replaced by its id (`postcat -bh -q ID`). Without it, only
    /// envelopes and sizes are compared.
    #[serde(default)]
    pub content: Vec<String>,
    /// The command that has the server try again at once what it could not deliver. Without it, a drill waits until the server does so by
    /// itself.
    #[serde(default)]
    pub flush: Vec<String>,
    /// The command that puts everything in it on hold.
    pub hold: Vec<String>,
    /// The command that releases what is on hold and tries to deliver it at once.
    pub release: Vec<String>,
}

/// DKIM keys (RFC 6376), one file for each domain.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The volume.
    pub volume: String,
    /// The file's path from the volume's root; `{domain}` is replaced by the domain.
    pub key: String,
    /// The selector (RFC 6376, 3.1).
    pub selector: String,
}
