//! A scenario: a folder that describes one app. Parsed and checked as a whole before
//! anything is deployed; every error names the file and the line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compose::Compose;
use crate::error::{Error, Result};
use crate::image::{self, Source};
use crate::inventory::Inventory;
use crate::rung::Rung;
use crate::toml_file::{line_of, read_toml};

pub mod faults;
pub mod pages;
pub mod scaffold;

use faults::Faults;
pub use pages::{Pages, Request};

/// How many items of each kind of check.
pub type Checks = BTreeMap<String, u64>;

/// `scenario.toml`.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// One line for listings.
    pub description: String,
    /// Compose files, relative to the folder, merged in order.
    pub compose: Vec<String>,
    /// What is different where upstream's images cannot be had.
    pub standins: Option<Standins>,
    /// Values for the compose files' variables. `{subnet}`, `{secret}` and `{certificate.host}` stand for the run's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Published ports through which the app is reached.
    #[serde(default, rename = "door")]
    pub doors: Vec<Door>,
    /// Where the front's certificate goes, if a door wants one.
    pub certificate: Option<CertificatePlace>,
    /// The mail server, in an app that is one: its doors are `submissions`, `imaps` and, if it has them, `pop3s`, `smtp`
    /// and `managesieve`.
    pub mail: Option<MailServer>,
    /// How a user is created and deleted. Without `mail`, the corpus' users are made by it.
    pub users: Option<UserCommands>,
    /// What follows a restore.
    #[serde(default)]
    pub restore: RestorePlan,
    /// What follows an upgrade in place.
    #[serde(default)]
    pub upgrade: RestorePlan,
    /// Rungs of the ladder that the app has nothing for, and why.
    #[serde(default)]
    pub not_applicable: BTreeMap<Rung, String>,
    /// The databases whose rows are compared.
    #[serde(default, rename = "database")]
    pub databases: Vec<Database>,
    /// Files compared by hash, owner and mode.
    #[serde(default, rename = "file")]
    pub files: Vec<Files>,
    /// What users do in the app's pages.
    #[serde(default, rename = "pages")]
    pub pages: Vec<Pages>,
    /// What commands in containers print, compared as text.
    #[serde(default, rename = "fact")]
    pub facts: Vec<Fact>,
    /// Upper bounds for waiting.
    #[serde(default)]
    pub deadlines: Deadlines,
}

/// What a drill needs to know of a mail server beyond its doors.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailServer {
    /// How accounts get in.
    pub accounts: AccountImport,
    /// The mail queue.
    pub queue: Queue,
    /// The server outside that relayed mail is passed on to, if a drill can be one.
    pub outside: Option<Outside>,
    /// The keys by which outgoing mail is signed.
    pub dkim: Option<Dkim>,
    /// How the mail store is made to look at its files again; `{mailbox}` stands for each address.
    pub resync: ServiceCommand,
}

/// Stand-ins for upstream's images.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standins {
    /// The folder with one image folder a service.
    pub images: String,
    /// More compose files, merged after the recipe's.
    #[serde(default)]
    pub compose: Vec<String>,
    /// Commands that end with 0 once their service is ready, for images without a health check.
    #[serde(default)]
    pub ready: Vec<ServiceCommand>,
}

/// A published port.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// `submissions`, `imaps`, ….
    pub name: String,
    /// The service that publishes it.
    pub service: String,
    /// The port in the container.
    pub port: u16,
    /// What the server says first: once TLS is up, or before it where it is asked for. None where the client speaks first.
    pub greeting: Option<String>,
    /// How TLS begins.
    #[serde(default)]
    pub tls: Tls,
}

/// How TLS begins at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// At once.
    #[default]
    Implicit,
    /// Asked for by the client, in the door's own protocol.
    Starttls,
    /// Not at all: other servers' mail comes in so.
    None,
}

/// Where a certificate is put before the stack starts.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificatePlace {
    /// The host name it is for.
    pub host: String,
    /// The volume.
    pub volume: String,
    /// The chain's file name.
    pub cert: String,
    /// The key's file name.
    pub key: String,
}

/// A command in a service's container.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceCommand {
    /// The service.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// The mail queue: Postfix's, or one with the same words.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// The service.
    pub service: String,
    /// Lists it: one JSON object a line, as `postqueue -j` writes them.
    pub command: Vec<String>,
    /// Has everything in it stay where it is.
    pub hold: Vec<String>,
    /// Has what was held tried at once.
    pub release: Vec<String>,
}

/// A mail server outside of the app, at the place where the corpus' relay is: port 2526 of the mail server's own host.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outside {
    /// The service in whose container it runs.
    pub service: String,
    /// Starts it.
    pub start: Vec<String>,
    /// Stops it.
    pub stop: Vec<String>,
    /// Prints every message that it got.
    pub received: Vec<String>,
}

/// DKIM keys, one file a domain.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// The volume.
    pub volume: String,
    /// The file's path; `{domain}` stands for the domain.
    pub key: String,
    /// The selector (RFC 6376, 3.1).
    pub selector: String,
}

/// How accounts get in.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountImport {
    /// The service.
    pub service: String,
    /// The command, which reads the configuration from its standard input.
    pub command: Vec<String>,
    /// Services restarted afterwards, wave by wave.
    #[serde(default)]
    pub restart: Vec<Vec<String>>,
}

/// How users are created and deleted. `{localpart}`, `{domain}`, `{email}` and `{password}` stand for a user's.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserCommands {
    /// The service.
    pub service: String,
    /// Creates one.
    pub create: Vec<String>,
    /// What that command reads from its standard input: a password is better there than among its arguments.
    pub input: Option<String>,
    /// Deletes one.
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
    /// The command that makes a user, or deletes one, and what it reads from its standard input.
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

/// What follows a restore or an upgrade, in the order that the app's own behaviour demands.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestorePlan {
    /// Services restarted afterwards, wave by wave.
    #[serde(default)]
    pub restart: Vec<Vec<String>>,
}

/// A database: SQLite's file in a volume, or a server that a client in its container asks.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// What findings call it.
    pub name: String,
    /// SQLite: the volume that holds it.
    pub volume: Option<String>,
    /// SQLite: its file, from the volume's root.
    pub file: Option<String>,
    /// A server: its service. SQLite: the one in which `write` runs.
    pub service: Option<String>,
    /// A server: the client and its arguments, `{query}` among them. It prints the one column of a query's rows, one a
    /// line, and ends with an exit code that is not 0 when the query fails.
    #[serde(default)]
    pub command: Vec<String>,
    /// A server: the query for a table's rows, each as one JSON object; `{table}` stands for the table.
    pub rows: Option<String>,
    /// How a statement is run, which faults do: a command, `{query}` among its words, in the container of `service`. One row
    /// must change, by itself: without what other rows have to do with it.
    #[serde(default)]
    pub write: Vec<String>,
    /// A query for the schema revision: one text.
    pub revision: String,
    /// The tables compared.
    #[serde(rename = "table")]
    pub tables: Vec<Table>,
}

/// What stands for a query in a database's command.
pub const QUERY: &str = "{query}";
/// The folder of scenarios where none is asked for.
pub const FOLDER: &str = "scenarios";
/// The folder of the drills' own bot, beside the scenarios.
const BOT: &str = "backupbot";

impl Database {
    /// The volume and the file, if it is SQLite's.
    pub fn sqlite(&self) -> Option<(&str, &str)> {
        Some((self.volume.as_deref()?, self.file.as_deref()?))
    }

    /// The service and the query for a table's rows, if it is a server's.
    pub fn server(&self) -> Option<(&str, &str)> {
        Some((self.service.as_deref()?, self.rows.as_deref()?))
    }
}

/// A table compared row by row.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its key columns.
    pub key: Vec<String>,
    /// Columns that change by themselves and are not compared.
    #[serde(default)]
    pub volatile: Vec<String>,
    /// Columns of which only the SHA-256 is stored.
    #[serde(default)]
    pub secret: Vec<String>,
}

/// Files compared.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// The volume.
    pub volume: String,
    /// A file or folder, from the volume's root; `.` for all of it.
    pub path: String,
    /// Only owner and mode are compared, of folders and links too: another probe looks at the content.
    #[serde(default)]
    pub attributes_only: bool,
}

/// A command whose output is state of the app.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// What it is, in a few words.
    pub name: String,
    /// The service in whose container the command runs.
    pub service: String,
    /// The command and its arguments; what it prints must be the same whenever nothing changed.
    pub command: Vec<String>,
    /// The corpus message that the command reads from its standard input.
    pub message: Option<u64>,
    /// Commands that make the state, run once before the baseline.
    #[serde(default)]
    pub seed: Vec<FactSeed>,
}

/// A command that makes state.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactSeed {
    /// The service in whose container the command runs.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// The corpus message that it reads from its standard input.
    pub message: Option<u64>,
}

/// Upper bounds for waiting, in seconds. They end a run as unknown; none of them is a sleep.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// For all services to run and be healthy, and every door to answer.
    pub converge: u64,
    /// For the queue to get shorter.
    pub settle: u64,
    /// For containers to be gone after their service is.
    pub removal: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { converge: 180, settle: 120, removal: 300 }
    }
}

/// A scenario, complete and checked.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// `scenario.toml`.
    pub spec: Spec,
    /// `inventory.toml`.
    pub inventory: Inventory,
    /// `faults.toml`: the app's own faults.
    pub faults: Faults,
    /// `checks.toml`: what a drill compares, and how many items of each kind at the least. A run with less is unknown.
    pub checks: Checks,
    /// The recipe's compose files.
    pub compose: Vec<Compose>,
    /// The stand-ins' compose files.
    pub standin_compose: Vec<Compose>,
}

impl Scenario {
    /// The scenario called `name` in `root`.
    pub fn load(root: &Path, name: &str) -> Result<Self> {
        let dir = root.join(name);
        let file = dir.join("scenario.toml");
        if !file.is_file() {
            let known = list(root);
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(Error::Usage(format!(
                "no scenario {name:?} in {}: there are {known}. --scenarios DIR looks elsewhere",
                root.display()
            )));
        }
        let spec: Spec = read_toml(&file)?;
        let inventory: Inventory = read_toml(&dir.join("inventory.toml"))?;
        let checks = dir.join("checks.toml");
        let checks = if checks.is_file() { read_toml(&checks)? } else { Checks::new() };
        let faults = dir.join(faults::FILE);
        let faults = if faults.is_file() { read_toml(&faults)? } else { Faults::default() };
        let read = |names: &[String]| names.iter().map(|f| Compose::read(&dir.join(f))).collect::<Result<Vec<_>>>();
        let scenario = Self {
            name: name.to_owned(),
            compose: read(&spec.compose)?,
            standin_compose: read(spec.standins.as_ref().map_or(&[][..], |s| &s.compose))?,
            dir,
            spec,
            inventory,
            faults,
            checks,
        };
        scenario.check()?;
        Ok(scenario)
    }

    /// The same with the compose files of a recipe's folder in the place of its own.
    pub fn with_recipe(&self, dir: &Path) -> Result<Self> {
        let mut scenario = self.clone();
        scenario.compose = self.spec.compose.iter().map(|f| Compose::read(&dir.join(f))).collect::<Result<Vec<_>>>()?;
        scenario.check()?;
        Ok(scenario)
    }

    /// The SHA-256 of the recipe's compose files, by which one is told from another.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        self.compose.iter().for_each(|c| hash.update(c.value.to_string()));
        hex::encode(hash.finalize())
    }

    /// The images that the recipe names.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let services = self.compose.iter().flat_map(|c| c.value["services"].as_object().into_iter().flat_map(|s| s.values()));
        services.filter_map(|s| s["image"].as_str())
    }

    /// The compose files that are deployed.
    pub fn deployed(&self, standins: bool) -> Vec<Compose> {
        let more = self.standin_compose.iter().filter(|_| standins);
        self.compose.iter().chain(more).cloned().collect()
    }

    /// The stand-in images of its services, each for the version of the image that it stands for.
    pub fn sources(&self) -> Result<BTreeMap<String, Source>> {
        let Some(standins) = &self.spec.standins else { return Ok(BTreeMap::new()) };
        let mut sources = image::sources(&self.dir.join(&standins.images), &self.name)?;
        for (service, source) in &mut sources {
            let place = format!("/services/{service}/image");
            let image = self.compose.iter().rev().find_map(|c| c.value.pointer(&place)?.as_str());
            if let Some((_, tag)) = image.and_then(|i| i.rsplit_once(':')) {
                source.stand_for(tag)?;
            }
        }
        Ok(sources)
    }

    /// The services of the recipe.
    pub fn services(&self) -> BTreeSet<String> {
        self.compose.iter().flat_map(|c| c.services().map(str::to_owned)).collect()
    }

    /// The named volumes of the recipe.
    pub fn volumes(&self) -> BTreeSet<String> {
        self.compose.iter().flat_map(|c| c.volumes().map(str::to_owned)).collect()
    }

    fn check(&self) -> Result<()> {
        let file = self.dir.join("scenario.toml");
        let (services, volumes) = (self.services(), self.volumes());
        let places = self.spec.users.as_ref().and_then(|u| u.places.as_ref());
        let known = |what: &str, kind: &str, name: &str, all: &BTreeSet<String>| {
            if all.contains(name) {
                return Ok(());
            }
            let all = all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(Error::input(
                &file,
                line_of(&file, name),
                format!("{what}: no {kind} {name:?} in the compose files, which have {all}"),
            ))
        };
        let s = &self.spec;
        let mail = s.mail.as_ref();
        for (what, name) in s
            .doors
            .iter()
            .map(|d| ("door", &d.service))
            .chain(mail.iter().flat_map(|m| {
                [("mail.accounts", &m.accounts.service), ("mail.queue", &m.queue.service), ("mail.resync", &m.resync.service)]
            }))
            .chain(mail.iter().flat_map(|m| &m.outside).map(|o| ("mail.outside", &o.service)))
            .chain(mail.iter().flat_map(|m| m.accounts.restart.iter().flatten()).map(|n| ("mail.accounts.restart", n)))
            .chain(s.standins.iter().flat_map(|s| &s.ready).map(|r| ("standins.ready", &r.service)))
            .chain(s.facts.iter().map(|f| ("fact", &f.service)))
            .chain(s.users.iter().map(|u| ("users", &u.service)))
            .chain(s.facts.iter().flat_map(|f| &f.seed).map(|s| ("fact.seed", &s.service)))
            .chain(s.databases.iter().filter_map(|d| Some(("database", d.service.as_ref()?))))
            .chain(s.restore.restart.iter().flatten().map(|n| ("restore", n)))
            .chain(s.upgrade.restart.iter().flatten().map(|n| ("upgrade", n)))
        {
            known(what, "service", name, &services)?;
        }
        for (what, name) in s
            .certificate
            .iter()
            .map(|c| ("certificate", &c.volume))
            .chain(s.databases.iter().filter_map(|d| Some(("database", d.volume.as_ref()?))))
            .chain(s.files.iter().map(|f| ("file", &f.volume)))
            .chain(mail.iter().flat_map(|m| &m.dkim).map(|d| ("mail.dkim", &d.volume)))
            .chain(places.iter().filter_map(|p| Some(("users.places", p.mailboxes.as_ref()?))))
        {
            known(what, "volume", name, &volumes)?;
        }
        if let Some(UserPlaces { database, table, .. }) = places {
            let here = s.databases.iter().filter(|d| d.name == *database);
            let tables: BTreeSet<String> = here.flat_map(|d| &d.tables).map(|t| format!("{}, {}", database, t.name)).collect();
            known("users.places", "table", &format!("{database}, {table}"), &tables)?;
        }
        let wrong = |value: &str, why: String| Err(Error::input(&file, line_of(&file, value), why));
        for door in ["submissions", "imaps"].into_iter().filter(|_| mail.is_some()) {
            if !s.doors.iter().any(|d| d.name == door) {
                return Err(Error::input(&file, None, format!("no [[door]] named {door:?}; the mail probe goes through it")));
            }
        }
        for door in &s.doors {
            if door.tls != Tls::None && s.certificate.is_none() {
                return wrong(
                    &door.name,
                    format!("door {:?} has TLS, so [certificate] must say where its certificate goes", door.name),
                );
            }
        }
        if mail.is_none() && s.users.is_none() && !s.pages.is_empty() {
            return wrong(
                &s.pages[0].name,
                format!("pages {:?}: nobody can log in; [users] says how users are made", s.pages[0].name),
            );
        }
        if s.databases.is_empty() && s.files.is_empty() && s.facts.is_empty() && mail.is_none() {
            return Err(Error::input(&file, None, "nothing to compare: add a [[database]], [[file]] or [[fact]], or [mail]"));
        }
        for database in &s.databases {
            let (sqlite, server) = (database.sqlite().is_some(), database.server().is_some());
            if sqlite == server {
                return wrong(
                    &database.name,
                    format!("database {:?}: either volume and file, or service, command and rows", database.name),
                );
            }
            if server && !database.command.iter().any(|word| word.contains(QUERY)) {
                return wrong(&database.name, format!("database {:?}: no word of its command has {QUERY}", database.name));
            }
        }
        pages::check(&s.pages, &s.doors.iter().map(|d| d.name.as_str()).collect())
            .map_err(|(value, why)| Error::input(&file, line_of(&file, &value), why))?;
        self.check_faults(&services)?;
        let file = self.dir.join("inventory.toml");
        for v in self.inventory.volumes.iter().filter(|v| !v.not_deployed) {
            if !volumes.contains(&v.name) {
                return Err(Error::input(
                    &file,
                    line_of(&file, &v.name),
                    format!("volume {:?} is in no compose file; remove it, or set not_deployed = true", v.name),
                ));
            }
            if !services.contains(&v.service) {
                return Err(Error::input(
                    &file,
                    line_of(&file, &v.service),
                    format!("volume {:?}: no service {:?} in the compose files", v.name, v.service),
                ));
            }
        }
        for name in &volumes {
            if !self.inventory.volumes.iter().any(|v| &v.name == name) {
                return Err(Error::input(
                    &file,
                    None,
                    format!("volume {name:?} of the compose files is missing; add a [[volume]] with its class and why"),
                ));
            }
        }
        Ok(())
    }

    fn check_faults(&self, services: &BTreeSet<String>) -> Result<()> {
        let databases = self.spec.databases.iter().filter(|d| !d.write.is_empty()).map(|d| d.name.clone()).collect();
        let rules = crate::labels::rules::names();
        let known = faults::Known { services, databases: &databases, rules: &rules, dir: &self.dir };
        let file = self.dir.join(faults::FILE);
        self.faults.check(&known).map_err(|(value, why)| Error::input(&file, line_of(&file, &value), why))
    }

    /// Checks that `env` has a value for every variable of the compose files that has no default.
    pub fn check_env(&self, env: &BTreeMap<String, String>) -> Result<()> {
        self.compose.iter().chain(&self.standin_compose).try_for_each(|c| c.check_env(env))
    }
}

/// The folder of scenarios that came with the program, as `make dist` puts it.
fn installed() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    Some(exe.parent()?.parent()?.join("share/restore-drill").join(FOLDER)).filter(|dir| dir.is_dir())
}

/// The folder of scenarios: the one that was asked for; where none was and none is here, the one that came with the program.
pub fn folder(asked: PathBuf) -> PathBuf {
    if asked != Path::new(FOLDER) || asked.is_dir() {
        return asked;
    }
    installed().unwrap_or(asked)
}

/// The folder of the drills' own bot: that of the scenarios, else the one that came with the program.
pub fn bot(scenarios: &Path) -> PathBuf {
    let here = scenarios.join(BOT);
    if here.is_dir() {
        return here;
    }
    installed().map(|dir| dir.join(BOT)).unwrap_or(here)
}

/// The scenarios in a folder.
pub fn list(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.path().join("scenario.toml").is_file())
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
