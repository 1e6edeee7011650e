//! The client of backupbot. It knows the exec contract of [`contract`] and nothing else of
//! the bot, so that a deployed `backup-bot-two` and our own take each other's place.

use std::io::Read;

use bollard::query_parameters::ListServicesOptionsBuilder;

use crate::error::{Context as _, Error, Result};
use crate::stack::exec::Output;
use crate::stack::volumes::{archive, regular_files};
use crate::stack::{Engine, RUN_LABEL, label_filter};

pub mod contract;

use contract::{ENABLED_LABEL, PROGRAM};

/// A bot, found by its label.
#[derive(Clone)]
pub struct Bot {
    engine: Engine,
    /// Its service's full name.
    pub service: String,
}

/// A restic snapshot, as the bot reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// restic's id, short or long.
    pub id: String,
}

impl Bot {
    /// The bot that carries the contract's label: with `run` that run's own, else the one that no drill deployed.
    pub async fn find(engine: &Engine, run: Option<&str>) -> Result<Self> {
        let (name, value) = ENABLED_LABEL;
        let filter = label_filter([(name, value)]);
        let options = ListServicesOptionsBuilder::default().filters(&filter).build();
        let found = engine.docker.list_services(Some(options)).await.context("looking for backupbot")?;
        let service = found
            .into_iter()
            .filter_map(|s| s.spec)
            .find(|s| s.labels.as_ref().and_then(|l| l.get(RUN_LABEL)).map(String::as_str) == run)
            .and_then(|s| s.name);
        match service {
            Some(service) => Ok(Self { engine: engine.clone(), service }),
            None => Err(Error::Engine(format!(
                "no backupbot: no service on this engine has the label {name}={value}{}. \
                 Deploy backup-bot-two, or leave --backupbot at `own`",
                run.map_or_else(String::new, |r| format!(" and is run {r}'s"))
            ))),
        }
    }

    async fn call(&self, command: &str, env: &[(&str, &str)]) -> Result<Output> {
        let mut all = contract::ENVIRONMENT.to_vec();
        all.extend_from_slice(env);
        self.engine.exec(&self.service, &[PROGRAM, "--", command], &all, None).await
    }

    /// Creates a snapshot of a stack and gives its id: the one that is in the repository afterwards and was not before.
    pub async fn create(&self, stack: &str) -> Result<Snapshot> {
        let before = self.snapshots(stack).await?;
        self.call("create", &[("SERVICE", stack)]).await?.ok("backupbot's create")?;
        let mut after = self.snapshots(stack).await?;
        after.retain(|s| !before.contains(s));
        match after.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Error::Unknown(format!(
                "backupbot's create ended with exit code 0, and there is no new snapshot of stack {stack}: \
                 are the labels `deploy.labels`, and is there a {}=true among them?",
                crate::labels::BACKUP
            ))),
            more => {
                Err(Error::Unknown(format!("{} snapshots of stack {stack} appeared at once: another backup ran", more.len())))
            }
        }
    }

    /// The snapshots of a stack, oldest first. A repository that does not exist yet has none.
    pub async fn snapshots(&self, stack: &str) -> Result<Vec<Snapshot>> {
        let output = self.call("snapshots", &[("SERVICE", stack)]).await?;
        if output.code != 0 && contract::no_repository(&output.stderr) {
            return Ok(vec![]);
        }
        let output = output.ok("backupbot's snapshots")?;
        Ok(contract::snapshot_ids(&output.stdout).into_iter().map(|id| Snapshot { id }).collect())
    }

    /// Restores a snapshot of a stack in place.
    pub async fn restore(&self, stack: &str, snapshot: &Snapshot) -> Result<()> {
        let env = [("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), ("TARGET", "/")];
        self.call("restore", &env).await?.ok(&format!("backupbot's restore of snapshot {}", snapshot.id)).map(drop)
    }

    /// Hands over the paths in a snapshot, one by one.
    pub async fn ls(&self, stack: &str, snapshot: &Snapshot, path: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let mut env = contract::ENVIRONMENT.to_vec();
        env.extend([("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str())]);
        let mut line = |line: &str| {
            contract::path(line).into_iter().for_each(&mut *path);
        };
        self.engine.exec_lines(&self.service, &[PROGRAM, "--", "ls"], &env, &mut line).await?.ok("backupbot's ls").map(drop)
    }

    /// Streams the files of a volume in a snapshot to `file`: path from the volume's root, content.
    pub async fn download<T: Send + 'static>(
        &self,
        stack: &str,
        snapshot: &Snapshot,
        volume: &str,
        mut state: T,
        file: impl Fn(&mut T, &str, &mut dyn Read) -> std::io::Result<()> + Send + 'static,
    ) -> Result<T> {
        let dir = contract::volume_dir(volume);
        let env = [("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), (contract::DOWNLOAD_PATH, dir.as_str())];
        let what = format!("backupbot's download of {dir}");
        let output = self.call("download", &env).await?.ok(&what)?;
        let nowhere = || Error::Unknown(format!("{what} names no archive: {:?}", output.stdout.trim()));
        let place = contract::downloaded(&output.stdout).ok_or_else(nowhere)?;
        let container = self.engine.container_of(&self.service).await?.ok_or_else(nowhere)?;
        let volume = volume.to_owned();
        let read = move |outer: &mut dyn Read| {
            // The engine gives an archive in which the bot's is the one file.
            regular_files(outer, |_, _, inner| {
                regular_files(inner, |name, _, content| file(&mut state, contract::within_volume(name, &volume), content))
            })?;
            Ok(state)
        };
        archive(&self.engine.docker, &container, place, &what, read).await?.ok_or_else(nowhere)
    }
}
