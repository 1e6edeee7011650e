//! The client of backupbot. It knows the exec contract of [`contract`] and nothing else of
//! the bot, so that a deployed `backup-bot-two` and our own take each other's place.

use bollard::query_parameters::ListServicesOptionsBuilder;

use crate::error::{Context as _, Error, Result};
use crate::stack::exec::Output;
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

    /// The paths in a snapshot.
    pub async fn ls(&self, stack: &str, snapshot: &Snapshot) -> Result<Vec<String>> {
        let env = [("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str())];
        let output = self.call("ls", &env).await?.ok("backupbot's ls")?;
        Ok(contract::paths(&output.stdout))
    }
}
