//! `scenario.toml`: what a scenario says about its app.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::command::{ServiceCommand, UserCommands, Write};
use super::compared::{Fact, SeedCommand};
use super::database::Database;
use super::mail::MailServer;
use super::pages::Pages;
use super::redis::Redis;
use crate::fence::Allowed;
use crate::rung::Rung;

/// `scenario.toml`.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What the app is, in one line.
    pub description: String,
    /// Compose files, relative to the scenario's folder, in the order in which they are merged. Without them, and wherever the recipe's
    /// `.env.sample` has `COMPOSE_FILE`, those that an operator deploys.
    #[serde(default)]
    pub compose: Vec<String>,
    /// What replaces the recipe's images when one of them is not on the engine.
    pub standins: Option<Standins>,
    /// Values for the compose files' variables. `{subnet}`, `{secret}` and `{certificate.host}` are replaced by values of the run. Each
    /// `{secret}` is the variable's own; `{secret.NAME}` is that of another variable.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Ports of services through which the app is reached.
    #[serde(default, rename = "door")]
    pub doors: Vec<Door>,
    /// Where the server's certificate is put, if a door uses TLS.
    pub certificate: Option<CertificatePlace>,
    /// For an app that is a mail server. Its doors are `submissions`, `imaps` and, if it has them, `pop3s`, `smtp` and
    /// `managesieve`.
    pub mail: Option<MailServer>,
    /// How a user is created and deleted. Without `mail`, the users of the corpus are created this way.
    pub users: Option<UserCommands>,
    /// What is done after a restore.
    #[serde(default)]
    pub restore: RestorePlan,
    /// What is done after an upgrade in place.
    #[serde(default)]
    pub upgrade: RestorePlan,
    /// Rungs of the ladder that do not apply to the app, and the reason.
    #[serde(default)]
    pub not_applicable: BTreeMap<Rung, String>,
    /// The databases, which are compared whole.
    #[serde(default, rename = "database")]
    pub databases: Vec<Database>,
    /// No longer used: what the inventory calls durable or valuable is compared.
    #[serde(default, rename = "file")]
    #[schemars(skip)]
    pub files: Vec<toml::Table>,
    /// Commands that create state in the app or its volumes, where no door leads to it. They run once, before the baseline.
    #[serde(default, rename = "seed")]
    pub seeds: Vec<SeedCommand>,
    /// Redis servers whose keys are compared.
    #[serde(default)]
    pub redis: Vec<Redis>,
    /// What users do in the app's pages.
    #[serde(default, rename = "pages")]
    pub pages: Vec<Pages>,
    /// Commands in containers that write new data. Each must succeed after every restore.
    #[serde(default, rename = "write")]
    pub writes: Vec<Write>,
    /// Commands in containers whose output is compared as text.
    #[serde(default, rename = "fact")]
    pub facts: Vec<Fact>,
    /// What of the host the recipe may reach. Anything else of the kind is refused.
    #[serde(default, rename = "allow")]
    pub allowed: Vec<Allowed>,
    /// Why the app needs internet access, in one sentence. Without it, the app has none.
    pub egress: Option<String>,
    /// How long to wait at most, in seconds.
    #[serde(default)]
    pub deadlines: Deadlines,
}

impl Spec {
    /// Whether the app is written to after a restore: by mail to a new user, in its pages, or by a command.
    pub fn is_written_to(&self) -> bool {
        let mail = self.mail.is_some() && self.users.is_some();
        mail || self.pages.iter().any(|p| !p.write.is_empty()) || !self.writes.is_empty()
    }

    /// The databases that take statements.
    pub fn written_databases(&self) -> impl Iterator<Item = &Database> {
        self.databases.iter().filter(|d| !d.write.is_empty())
    }

    /// The facts whose output may be empty before the backup, each with the reason.
    pub fn may_be_empty(&self) -> BTreeMap<&str, &str> {
        self.facts.iter().filter_map(|f| Some((f.name.as_str(), f.may_be_empty.as_deref()?))).collect()
    }
}

/// Stand-ins: images that are used when one of the recipe's images is not on the engine.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standins {
    /// The folder that has one folder with a Dockerfile for each service.
    pub images: String,
    /// Compose files that are merged after the recipe's.
    #[serde(default)]
    pub compose: Vec<String>,
    /// Commands that succeed when their service is ready, for images without a health check.
    #[serde(default)]
    pub ready: Vec<ServiceCommand>,
}

/// A door: a port of a service through which the app is reached.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Its name, such as `submissions`, `imaps` or `http`.
    pub name: String,
    /// The service that listens there.
    pub service: String,
    /// The port in the container.
    pub port: u16,
    /// How the first line that the server sends begins: after the TLS handshake, or before it with STARTTLS. Leave it out if the
    /// client speaks first.
    pub greeting: Option<String>,
    /// How TLS starts.
    #[serde(default)]
    pub tls: Tls,
}

/// How TLS starts at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// With the connection.
    #[default]
    Implicit,
    /// When the client asks for it with a command of the protocol (STARTTLS).
    Starttls,
    /// Not at all.
    None,
}

/// Where the run's certificate is put before the stack starts.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatePlace {
    /// The host name it is for.
    pub host: String,
    /// The volume.
    pub volume: String,
    /// The file name of the certificate chain (PEM).
    pub cert: String,
    /// The file name of the private key (PEM).
    pub key: String,
}

/// What is done after a restore or an upgrade.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestorePlan {
    /// Services to restart: each inner list is restarted together, after the list before it runs again.
    #[serde(default)]
    pub restart: Vec<Vec<String>>,
}

/// How long to wait at most, in seconds. A drill goes on as soon as it can; if a deadline passes, its verdict is unknown.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// For all services to run and be healthy, and for every door to answer.
    pub converge: u64,
    /// For the mail queue to get shorter.
    pub settle: u64,
    /// For the containers of a removed service to be gone.
    pub removal: u64,
    /// For one command in a container to end: a hook, a statement, the bot's backup.
    pub command: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { converge: 180, settle: 120, removal: 300, command: 3600 }
    }
}
