//! backupbot v2 over restic: what `backup` does inside the bot's image, and the contract ([`contract`]) between any such bot and
//! its clients.
//!
//! Called as `/usr/bin/backup -- COMMAND` by an exec in the bot's container, with its options as environment variables.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use bollard::models::{MountType, Service};
use bollard::query_parameters::ListServicesOptionsBuilder;
use clap::{Parser, Subcommand};
use engine::{Engine, NAMESPACE_LABEL, label_filter};
use recipe::labels::{self, Hook, Selection};
use serde_json::json;
use tokio::process::Command;

use restic::{Node, Snapshot};

pub mod contract;
pub mod restic;

/// Backs up and restores the stacks whose services carry backupbot v2 labels.
#[derive(Parser)]
#[command(name = "backup")]
struct Cli {
    /// The stack; a domain's dots count as underscores. Without it: every stack that has backup switched on.
    #[arg(long, env = "SERVICE", global = true)]
    service: Option<String>,
    /// Lines of JSON instead of text.
    #[arg(long, env = "MACHINE_LOGS", global = true, value_parser = clap::builder::BoolishValueParser::new(), default_value = "false", num_args = 0..=1)]
    machine_logs: bool,
    /// Asks nothing; this program never does.
    #[arg(long, env = "NONINTERACTIVE", global = true, hide = true)]
    noninteractive: Option<String>,
    #[command(subcommand)]
    command: Cmd,
}

#[derive(Subcommand)]
enum Cmd {
    /// Creates a snapshot.
    Create {
        /// Attempts.
        #[arg(long, env = "RETRIES", default_value_t = 1)]
        retries: u32,
    },
    /// Puts a snapshot's files back. Deletes nothing.
    Restore {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
        /// The root below which the files go.
        #[arg(long, env = "TARGET", default_value = "/")]
        target: String,
        /// Only these volumes, comma-separated compose names.
        #[arg(long, env = "VOLUMES")]
        volumes: Option<String>,
        /// Only the volumes of these services, comma-separated.
        #[arg(long, env = "CONTAINER")]
        container: Option<String>,
        /// Runs no hooks.
        #[arg(long, env = "NO_COMMANDS")]
        no_commands: Option<String>,
    },
    /// Lists the stack's snapshots, oldest first.
    Snapshots,
    /// Lists the files of a snapshot.
    Ls {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
    },
    /// Writes a path of a snapshot to /tmp/backup.tar and prints that name.
    Download {
        /// The snapshot: an id, or `latest` of the stack.
        #[arg(long, env = "SNAPSHOT", default_value = "latest")]
        snapshot: String,
        /// The path.
        #[arg(long, env = "INCLUDE_PATH", default_value = "/")]
        path: String,
    },
}

/// What was asked for, or the words that the log gets.
pub type Result<T, E = String> = std::result::Result<T, E>;

/// The whole program: reads the command line and the environment, does what they say, and logs an error as the contract has it.
pub fn main() -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run()),
        Err(_) => ExitCode::FAILURE,
    }
}

async fn run() -> ExitCode {
    // The contract's call is `backup -- create`: the dashes separate nothing here.
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|a| a == "--") {
        arguments.remove(1);
    }
    let cli = Cli::parse_from(arguments);
    let bot = Bot { json: cli.machine_logs };
    match bot.run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            bot.log("ERROR", &e);
            ExitCode::FAILURE
        }
    }
}

struct Bot {
    json: bool,
}

/// A stack: its services, and what the labels select.
struct Stack {
    name: String,
    version: String,
    services: Vec<Service>,
    labels: Vec<BTreeMap<String, String>>,
}

impl Bot {
    /// Logs on standard error. What nobody reads is dropped: a backup goes on without its reader.
    fn log(&self, level: &str, message: &str) {
        let mut log = std::io::stderr();
        let _ = match self.json {
            true => writeln!(log, "{}", json!({"level": level, "message": message})),
            false => writeln!(log, "{level} {message}"),
        };
    }

    /// Prints a result. That nobody reads it is an error, for the client then knows no snapshot.
    fn print(&self, line: &str) -> Result<()> {
        writeln!(std::io::stdout(), "{line}").map_err(|e| format!("standard output: {e}"))
    }

    async fn run(&self, cli: &Cli) -> Result<()> {
        if std::env::var_os("RESTIC_REPOSITORY").is_none() {
            return Err("RESTIC_REPOSITORY is not set".into());
        }
        let name = cli.service.as_deref().map(contract::stack_name);
        match &cli.command {
            Cmd::Create { retries } => self.create(name.as_deref(), *retries).await,
            Cmd::Restore { snapshot, target, volumes, container, no_commands } => {
                let name = name.ok_or("restore: SERVICE is not set")?;
                let list = |v: &Option<String>| v.as_ref().map(|v| v.split(',').map(|s| s.trim().to_owned()).collect());
                let hooks = !no_commands.as_deref().is_some_and(truthy);
                self.restore(&name, snapshot, target, list(volumes), list(container), hooks).await
            }
            Cmd::Snapshots => {
                for s in self.snapshots(name.as_deref()).await? {
                    let (time, tags) = (&s.time, s.tags.join(","));
                    if self.json {
                        self.print(&json!({"time": time, "id": s.id, "tags": tags}).to_string())?;
                    } else {
                        self.print(&format!("{time} {} {tags}", s.short()))?;
                    }
                }
                Ok(())
            }
            Cmd::Ls { snapshot } => {
                let id = self.resolve(snapshot, name.as_deref()).await?;
                let listed = restic(&["ls", "--json", &id]).await?;
                for node in restic::nodes(&listed).filter(|node| node.kind == "file") {
                    self.print(&format!("{} {} {}", node.mtime, node.size.unwrap_or_default(), node.path))?;
                }
                Ok(())
            }
            Cmd::Download { snapshot, path } => {
                let id = self.resolve(snapshot, name.as_deref()).await?;
                let file = "/tmp/backup.tar";
                let out = std::fs::File::create(file).map_err(|e| format!("{file}: {e}"))?;
                let mut dump = restic_command(&["dump", "--archive", "tar", &id, path]);
                let dump = dump.stdout(out).stderr(Stdio::piped()).spawn();
                let dump = dump.map_err(|e| format!("restic cannot be run: {e}"))?.wait_with_output().await;
                let dump = dump.map_err(|e| format!("restic dump: {e}"))?;
                if !dump.status.success() {
                    return Err(said("dump", &dump.stderr));
                }
                self.print(file)
            }
        }
    }

    async fn engine(&self) -> Result<Engine> {
        Engine::connect().await.map_err(|e| e.to_string())
    }

    async fn stacks(&self, engine: &Engine, name: Option<&str>) -> Result<Vec<Stack>> {
        let filter = name.map_or_else(
            || std::collections::HashMap::from([("label".to_owned(), vec![NAMESPACE_LABEL.to_owned()])]),
            |n| label_filter([(NAMESPACE_LABEL, n)]),
        );
        let options = ListServicesOptionsBuilder::default().filters(&filter).build();
        let mut services = engine.docker.list_services(Some(options)).await.map_err(|e| format!("listing services: {e}"))?;
        // The engine's order varies; hooks run in the order of the services' names.
        services.sort_by_key(|s| s.spec.as_ref().and_then(|s| s.name.clone()));
        let mut stacks: BTreeMap<String, Vec<Service>> = BTreeMap::new();
        for service in services {
            let Some(stack) = labels_of(&service).get(NAMESPACE_LABEL).cloned() else { continue };
            stacks.entry(stack).or_default().push(service);
        }
        if let (Some(name), true) = (name, stacks.is_empty()) {
            return Err(format!("no stack {name}"));
        }
        Ok(stacks
            .into_iter()
            .map(|(name, services)| {
                let labels: Vec<_> = services.iter().map(labels_of).collect();
                let wanted = contract::version_label(&name);
                let version = labels.iter().find_map(|l| l.get(&wanted).cloned()).unwrap_or_else(|| "unknown".into());
                Stack { name, version, services, labels }
            })
            .collect())
    }

    async fn create(&self, name: Option<&str>, retries: u32) -> Result<()> {
        let engine = self.engine().await?;
        let stacks: Vec<Stack> = self.stacks(&engine, name).await?.into_iter().filter(|s| labels::enabled(&s.labels)).collect();
        if stacks.is_empty() {
            return Err(format!(
                "backup is not switched on: no service of {} has the label {}=true",
                name.unwrap_or("any stack"),
                labels::BACKUP
            ));
        }
        self.ensure_repository().await?;
        for stack in stacks {
            let mut paths = stack.paths(|_, _| true);
            if paths.is_empty() {
                return Err(format!("the labels of stack {} select no volume", stack.name));
            }
            paths.extend(self.copy_secrets(&engine, &stack).await?);
            self.hooks(&engine, &stack, Hook::BackupPre).await?;
            // Only now: a path may be the dump that a hook writes.
            if let Some(path) = paths.iter().find(|p| !Path::new(p).exists()) {
                return Err(format!("{path} does not exist"));
            }
            let tag = contract::tag(&stack.name, &stack.version);
            let mut arguments = vec!["backup", "--json", "--host", "backupbot", "--tag", &tag];
            arguments.extend(paths.iter().map(String::as_str));
            let mut attempt = 1;
            let summary = loop {
                match restic(&arguments).await {
                    Ok(output) => break output.lines().last().unwrap_or_default().to_owned(),
                    Err(e) if attempt >= retries => return Err(e),
                    Err(e) => self.log("WARNING", &format!("attempt {attempt}: {e}")),
                }
                attempt += 1;
            };
            self.hooks(&engine, &stack, Hook::BackupPost).await?;
            let _ = std::fs::remove_dir_all(contract::SECRETS_ROOT);
            self.print(&summary)?;
        }
        Ok(())
    }

    async fn restore(
        &self,
        name: &str,
        snapshot: &str,
        target: &str,
        volumes: Option<Vec<String>>,
        services: Option<Vec<String>>,
        hooks: bool,
    ) -> Result<()> {
        let engine = self.engine().await?;
        let id = self.resolve(snapshot, Some(name)).await?;
        let Some(stack) = self.stacks(&engine, Some(name)).await?.pop() else { return Err(format!("no stack {name}")) };
        let all = |of: &Option<Vec<String>>, n: &str| of.as_ref().is_none_or(|l| l.iter().any(|x| x == n));
        let paths = stack.paths(|service, volume| all(&services, service) && all(&volumes, volume));
        if paths.is_empty() {
            return Err(format!("the labels of stack {name} and the options given select no volume"));
        }
        if hooks {
            self.hooks(&engine, &stack, Hook::RestorePre).await?;
        }
        let aside = Aside::make_way(&id, target, &paths).await?;
        let mut arguments = vec!["restore", id.as_str(), "--target", target];
        for path in &paths {
            arguments.extend(["--include", path]);
        }
        let restored = restic(&arguments).await;
        aside.settle()?;
        let said = restored?;
        self.log("INFO", said.lines().last().unwrap_or_default());
        if hooks {
            self.hooks(&engine, &stack, Hook::RestorePost).await?;
        }
        Ok(())
    }

    /// The repository is created on first use; one with another password is an error.
    async fn ensure_repository(&self) -> Result<()> {
        match restic(&["cat", "config"]).await {
            Ok(_) => Ok(()),
            Err(e) if contract::no_repository(&e) => {
                self.log("INFO", "creating the repository");
                restic(&["init"]).await.map(drop)
            }
            Err(e) => Err(e),
        }
    }

    async fn snapshots(&self, stack: Option<&str>) -> Result<Vec<Snapshot>> {
        restic::snapshots(&restic(&["snapshots", "--json"]).await?, stack)
    }

    async fn resolve(&self, snapshot: &str, stack: Option<&str>) -> Result<String> {
        let mut snapshots = self.snapshots(stack).await?.into_iter().map(|s| s.id);
        let found = match snapshot {
            "latest" => snapshots.next_back(),
            _ => snapshots.find(|id| id.starts_with(snapshot)),
        };
        found.ok_or_else(|| format!("no snapshot {snapshot} of stack {}", stack.unwrap_or("any")))
    }

    /// Runs a hook in the running container of each service that has it. As backup-bot-two
    /// does, a hook that fails is reported and does not end the run.
    async fn hooks(&self, engine: &Engine, stack: &Stack, hook: Hook) -> Result<()> {
        for (service, labels) in stack.services.iter().zip(&stack.labels) {
            let Some(command) = labels.get(hook.label()) else { continue };
            let name = service.spec.as_ref().and_then(|s| s.name.clone()).unwrap_or_default();
            match engine.container_of(&name).await.map_err(|e| e.to_string())? {
                None => self.log("ERROR", &format!("{} of {name}: no running container, skipped", hook.label())),
                Some(container) => {
                    let ran = engine.exec_in(&container, &["sh", "-c", command], &[], None).await.map_err(|e| e.to_string())?;
                    let level = if ran.code == 0 { "INFO" } else { "ERROR" };
                    self.log(level, &format!("{} of {name}: exit code {}: {}", hook.label(), ran.code, ran.stderr.trim()));
                }
            }
        }
        Ok(())
    }

    /// Copies the stack's Docker secrets to where the snapshot takes them from.
    async fn copy_secrets(&self, engine: &Engine, stack: &Stack) -> Result<Option<String>> {
        let root = format!("{}/{}", contract::SECRETS_ROOT, stack.name);
        let mut any = false;
        for service in &stack.services {
            let spec = service.spec.clone().unwrap_or_default();
            let secrets = spec.task_template.and_then(|t| t.container_spec).and_then(|c| c.secrets).unwrap_or_default();
            let Some(container) = engine.container_of(&spec.name.unwrap_or_default()).await.map_err(|e| e.to_string())? else {
                continue;
            };
            for secret in secrets {
                let (Some(name), Some(file)) = (secret.secret_name, secret.file.and_then(|f| f.name)) else { continue };
                let place = if file.starts_with('/') { file } else { format!("/run/secrets/{file}") };
                let read = engine.exec_in(&container, &["cat", &place], &[], None).await.map_err(|e| e.to_string())?;
                let to = format!("{root}/{name}");
                let write = || -> std::io::Result<()> {
                    std::fs::create_dir_all(&root)?;
                    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&to)?;
                    file.write_all(read.stdout.as_bytes())
                };
                write().map_err(|e| format!("{to}: {e}"))?;
                any = true;
            }
        }
        Ok(any.then_some(root))
    }
}

impl Stack {
    /// The paths that the labels select, of the named volumes for which `wanted(service, volume)` holds.
    /// Bind mounts, tmpfs and anonymous volumes are never among them.
    fn paths(&self, wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let mut paths = Vec::new();
        for service in &self.services {
            let spec = service.spec.clone().unwrap_or_default();
            let prefix = format!("{}_", self.name);
            let full = spec.name.unwrap_or_default();
            let short = full.strip_prefix(&prefix).unwrap_or(&full);
            let mounts = spec.task_template.and_then(|t| t.container_spec).and_then(|c| c.mounts).unwrap_or_default();
            for mount in mounts.into_iter().filter(|m| m.typ == Some(MountType::VOLUME)) {
                let Some(volume) = mount.source else { continue };
                let name = volume.strip_prefix(&prefix).unwrap_or(&volume);
                if !wanted(short, name) {
                    continue;
                }
                let dir = contract::volume_dir(&volume);
                match labels::selection(&self.labels, name) {
                    Selection::Excluded => {}
                    Selection::Whole => paths.push(dir),
                    Selection::Paths(parts) => paths.extend(parts.into_iter().map(|p| format!("{dir}/{p}"))),
                }
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

/// The labels of a service, by the names that the contract has for them.
fn labels_of(service: &Service) -> BTreeMap<String, String> {
    let all = service.spec.as_ref().and_then(|s| s.labels.clone()).unwrap_or_default();
    shown(all, &std::env::var(contract::PREFIX).unwrap_or_default())
}

/// Labels of backupbot count only with the prefix, where there is one.
fn shown(all: impl IntoIterator<Item = (String, String)>, prefix: &str) -> BTreeMap<String, String> {
    let name = |name: String| match name.strip_prefix(prefix).filter(|rest| rest.starts_with(labels::PREFIX)) {
        Some(rest) => Some(rest.to_owned()),
        None => (!name.starts_with(labels::PREFIX)).then_some(name),
    };
    all.into_iter().filter_map(|(label, value)| Some((name(label)?, value))).collect()
}

fn truthy(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes")
}

fn restic_command(arguments: &[&str]) -> Command {
    let mut command = Command::new("restic");
    if std::env::var_os("RESTIC_PASSWORD_FILE").is_none() {
        command.env("RESTIC_PASSWORD_FILE", contract::PASSWORD_FILE);
    }
    command.args(arguments).kill_on_drop(true);
    command
}

/// Runs restic and gives what it printed; its error is its own words.
async fn restic(arguments: &[&str]) -> Result<String> {
    let output = restic_command(arguments).output().await.map_err(|e| format!("restic cannot be run: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(said(arguments.first().unwrap_or(&""), &output.stderr))
}

/// Files that stand aside while restic makes them anew.
struct Aside(Vec<(PathBuf, PathBuf)>);

impl Aside {
    /// Moves aside what restic 0.14, which is Debian 12's, cannot restore over, and a restore is about to make anew: a symbolic
    /// link that is there is an error to it, and of a file with hard links that are there it removes all but one, without a word.
    async fn make_way(id: &str, target: &str, paths: &[String]) -> Result<Self> {
        let listed = restic(&["ls", "--json", id]).await?;
        let mut in_the_way = Vec::new();
        for Node { path, .. } in restic::nodes(&listed).filter(|node| matches!(node.kind.as_str(), "symlink" | "file")) {
            let place = Path::new(target).join(path.trim_start_matches('/'));
            let Ok(there) = place.symlink_metadata() else { continue };
            let linked = there.is_symlink() || (there.is_file() && there.nlink() > 1);
            if linked && paths.iter().any(|p| Path::new(&path).starts_with(p)) {
                // A name that begins with a dot is no message in a Maildir.
                let name = format!(".before-restore.{}", place.file_name().unwrap_or_default().display());
                in_the_way.push((place.clone(), place.with_file_name(name)));
            }
        }
        in_the_way.iter().try_for_each(|(from, to)| std::fs::rename(from, to).map_err(|e| format!("{}: {e}", from.display())))?;
        Ok(Self(in_the_way))
    }

    /// After the restore: what was made anew replaces what stood aside, and what was not gets its place back.
    fn settle(self) -> Result<()> {
        self.0.into_iter().try_for_each(|(place, aside)| {
            let made = place.symlink_metadata().is_ok();
            let settled = if made { std::fs::remove_file(&aside) } else { std::fs::rename(&aside, &place) };
            settled.map_err(|e| format!("{}: {e}", place.display()))
        })
    }
}

/// restic's own words: the first lines, as what follows an error may be a stack trace, and the last, as what goes before it may
/// be a row of attempts.
fn said(command: &str, stderr: &[u8]) -> String {
    const EACH: usize = 5;
    let text = String::from_utf8_lossy(stderr);
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.len() > 2 * EACH {
        lines.drain(EACH..lines.len() - EACH);
    }
    format!("restic {command}: {}", lines.join(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_count_with_the_prefix_only() {
        let all = || [("backupbot.backup", "a"), ("restore-drill.backupbot.backup", "b"), ("restore-drill.run", "r"), ("x", "y")];
        let shown = |prefix: &str| shown(all().map(|(k, v)| (k.to_owned(), v.to_owned())), prefix);
        let named =
            |names: &[(&str, &str)]| names.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(shown(""), named(&all()));
        assert_eq!(shown(contract::HIDDEN), named(&[("backupbot.backup", "b"), ("restore-drill.run", "r"), ("x", "y")]));
    }
}
