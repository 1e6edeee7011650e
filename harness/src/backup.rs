//! The client of backupbot. It knows the exec contract of [`contract`] and nothing else of
//! the bot, so that a deployed `backup-bot-two` and our own take each other's place.

use std::io::Read;

use bollard::query_parameters::ListServicesOptionsBuilder;
use bot::contract::{self, ENABLED_LABEL, PROGRAM, Stored};
use engine::exec::Output;
use engine::{Engine, label_filter};
use judge::model::Complaint;
use judge::store::Evidence;

use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::stack::RUN_LABEL;
use crate::stack::volumes::{Kind, archive, entries};

pub mod own;

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

/// A snapshot that was created now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Which.
    pub snapshot: Snapshot,
    /// What it took, if the bot says so.
    pub stored: Option<Stored>,
    /// What the bot complained of and went on, such as a hook that failed.
    pub complaints: Vec<Complaint>,
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
        Ok(self.engine.exec(&self.service, &[PROGRAM, "--", command], &all, None).await?)
    }

    /// Creates a snapshot of a stack: the one that is in the repository afterwards and was not before. With several `tries`, the
    /// bot takes another snapshot as long as files go while restic reads them, and the last one counts: the one that is whole.
    pub async fn create(&self, stack: &str, tries: u32) -> Result<Created> {
        const WHAT: &str = "backupbot's create";
        let before = self.snapshots(stack).await?;
        let (output, complaints) =
            judged(WHAT, self.call("create", &[("SERVICE", stack), (contract::TRIES, &tries.to_string())]).await?)?;
        let mut after = self.snapshots(stack).await?;
        after.retain(|s| !before.contains(s));
        let fail = |cause, message| Error::Bot { what: WHAT.into(), complaints: vec![Complaint { cause, message }] };
        match after.as_slice() {
            [.., last] if after.len() <= tries as usize => {
                let stored = contract::stored(&output.stdout).or_else(|| contract::stored(&output.stderr));
                Ok(Created { snapshot: last.clone(), stored, complaints })
            }
            [] => Err(fail(
                "no snapshot",
                format!(
                    "it ended with exit code 0, and there is no new snapshot of stack {stack}: \
                     are the labels `deploy.labels`, and is there a {}=true among them?",
                    recipe::labels::BACKUP
                ),
            )),
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
        let (output, _) = judged("backupbot's snapshots", output)?;
        Ok(contract::snapshot_ids(&output.stdout).into_iter().map(|id| Snapshot { id }).collect())
    }

    /// Restores a snapshot of a stack in place; `more` are further variables of the contract. Gives what the bot complained
    /// of and went on.
    pub async fn restore(&self, stack: &str, snapshot: &Snapshot, more: &[(&str, &str)]) -> Result<Vec<Complaint>> {
        let mut env = vec![("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), ("TARGET", "/")];
        env.extend_from_slice(more);
        let what = format!("backupbot's restore of snapshot {}", snapshot.id);
        judged(&what, self.call("restore", &env).await?).map(|(_, complaints)| complaints)
    }

    /// Hands over the paths in a snapshot, one by one.
    pub async fn ls(&self, stack: &str, snapshot: &Snapshot, path: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let mut env = contract::ENVIRONMENT.to_vec();
        env.extend([("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str())]);
        let mut line = |line: &str| {
            contract::path(line).into_iter().for_each(&mut *path);
        };
        let output = self.engine.exec_lines(&self.service, &[PROGRAM, "--", "ls"], &env, &mut line).await?;
        judged("backupbot's ls", output).map(drop)
    }

    /// Streams the regular files of a snapshot to `file`: whole path, content.
    pub async fn download<T: Send + 'static>(
        &self,
        stack: &str,
        snapshot: &Snapshot,
        mut state: T,
        file: impl Fn(&mut T, &str, &mut dyn Read) -> std::io::Result<()> + Send + 'static,
    ) -> Result<T> {
        let root = contract::VOLUMES_ROOT;
        let env = [("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), (contract::DOWNLOAD_PATH, root)];
        let what = format!("backupbot's download of {root}");
        let (output, _) = judged(&what, self.call("download", &env).await?)?;
        let nowhere = || Error::Unknown(format!("{what} names no archive: {:?}", output.stdout.trim()));
        let place = contract::downloaded(&output.stdout).ok_or_else(nowhere)?;
        let container = self.engine.container_of(&self.service).await?.ok_or_else(nowhere)?;
        let read = move |outer: &mut dyn Read| {
            // The engine gives an archive in which the bot's is the one file.
            entries(outer, |archive| {
                entries(archive.content, |entry| match entry.kind {
                    Kind::File => file(&mut state, &contract::whole_path(&entry.name), entry.content),
                    _ => Ok(()),
                })
            })?;
            Ok(state)
        };
        archive(&self.engine.docker, &container, place, &what, read).await?.ok_or_else(nowhere)
    }
}

/// What a call printed and complained of, if it ended with 0.
/// The result of a step of the bot's; none, and stored, where the bot said that it failed.
pub fn step<T>(evidence: &Evidence, step: &str, result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(Error::Bot { complaints, .. }) => Ok(evidence.put_complaints(step, &complaints).map(|()| None)?),
        result => result.map(Some),
    }
}

fn judged(what: &str, output: Output) -> Result<(Output, Vec<Complaint>)> {
    let mut complaints: Vec<Complaint> = contract::errors(&output.stderr)
        .chain(contract::errors(&output.stdout))
        .map(|message| Complaint { cause: contract::cause(&message), message })
        .collect();
    if output.code == 0 {
        return Ok((output, complaints));
    }
    if complaints.iter().all(|c| c.cause == contract::HOOK) {
        // It ended with words of its own, or with none.
        let tail = output.clone().ok(what).err().map_or_else(String::new, |e| e.to_string());
        let cause = if output.code < 0 || output.code > 128 { "ended" } else { contract::cause(&tail) };
        complaints.push(Complaint { cause, message: tail });
    }
    Err(Error::Bot { what: what.to_owned(), complaints })
}
