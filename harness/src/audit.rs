//! The audit: what a snapshot holds, against the live volumes and the inventory. It tells before a restore
//! what no restore from this snapshot can bring back.
//!
//! Gathering ([`Auditor`]) asks the bot and the engine and stores what it saw; judging ([`judge::audit`]) reads only what is
//! stored.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{MountType, Service};
use bollard::query_parameters::{ListServicesOptions, ListServicesOptionsBuilder};
use bot::contract;
use engine::{Engine, NAMESPACE_LABEL, label_filter};
use inside::name::escape;
use inside::{Content, Hashed, Kind};
use judge::model::{BotStep, Cause, Complaint};
use judge::store::{AuditFile, Evidence, RunFact, Side};
use recipe::inventory::{Inventory, InventoryVolume};
use recipe::near::unknown;
use recipe::scenario::{self, Scenario};

use crate::backup::{self, Bot, Created, Snapshot};
use crate::error::Context as _;
use crate::error::{Error, ReadingError, Result};
use crate::images;
use crate::secret::Secret;
use crate::stack::lease::Lease;
use crate::stack::ownership::Owned;
use crate::stack::reader::{Read, Reader};
use crate::stack::volumes::{copy_with_holes, digest, full_name};
use crate::stack::{RUN_LABEL, alive, disk};

/// Gathers what the audit judges.
pub struct Auditor {
    /// The stack.
    pub stack: String,
    /// Reads its volumes.
    pub reader: Reader,
    /// What a backup owes each volume.
    pub inventory: Inventory,
    /// The bot.
    pub bot: Bot,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
    /// When the backup was begun, in nanoseconds since 1970, where the app went on meanwhile: what was made since then is not held against
    /// the snapshot, and every dump must be newer.
    pub since: Option<i64>,
}

async fn services_of(engine: &Engine, stack: &str) -> Result<Vec<Service>> {
    let filter = label_filter([(NAMESPACE_LABEL, stack)]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let services = engine.docker.list_services(Some(options)).await.context("listing services")?;
    if services.is_empty() {
        let all = engine.docker.list_services(None::<ListServicesOptions>).await.context("listing services")?;
        let of = |s: Service| s.spec?.labels?.remove(NAMESPACE_LABEL);
        let stacks: BTreeSet<String> = all.into_iter().filter_map(of).collect();
        return Err(Error::Usage(unknown("stack", stack, stacks.iter().map(String::as_str))));
    }
    Ok(services)
}

/// The scenario of a stack that somebody deployed: the one in the folder whose services the stack has, all of them.
///
/// # Errors
/// There is no such scenario, or more than one.
pub async fn scenario_of(scenarios: &Path, stack: &str) -> Result<Scenario> {
    let engine = Engine::connect().await?;
    let services = services_of(&engine, stack).await?;
    let services = short_names(stack, &services);
    let all = scenario::list(scenarios).into_iter().filter_map(|name| Scenario::load(scenarios, &name).ok());
    let mut fitting: Vec<Scenario> = all.filter(|s| s.services().is_subset(&services)).collect();
    // A larger app may have the services of a smaller one among its own.
    let most = fitting.iter().map(|s| s.services().len()).max().unwrap_or_default();
    fitting.retain(|s| s.services().len() == most);
    if fitting.len() == 1 {
        return Ok(fitting.remove(0));
    }
    let (services, names) = (services.into_iter().collect::<Vec<_>>().join(", "), scenario::list(scenarios).join(", "));
    Err(Error::Usage(format!(
        "{} scenarios fit stack {stack}, whose services are {services}; name one with --scenario. Scenarios: {names}",
        fitting.len()
    )))
}

/// What is audited on its own, outside of a drill.
#[derive(Debug, Clone, Copy)]
pub struct Audited<'a> {
    /// The stack that somebody deployed.
    pub stack: &'a str,
    /// The id of a snapshot; none for one that the bot creates now.
    pub snapshot: Option<&'a str>,
    /// The bot's service, where there are several.
    pub bot_service: Option<&'a str>,
}

/// Audits a snapshot of a stack that somebody deployed, which is only read: helper containers are this run's and are removed
/// on every way out.
pub async fn deployed(scenario: &Scenario, what: Audited<'_>, evidence: Arc<Evidence>) -> Result<()> {
    let Audited { stack, snapshot, bot_service } = what;
    let engine = Engine::connect().await?;
    let run = Secret::random()?.derive("run id")[..8].to_owned();
    let owned = Owned::new(engine.clone(), &run);
    let services = services_of(&engine, stack).await?;
    let of = |s: &Service| s.spec.clone()?.task_template?.container_spec?.image;
    let image = services.iter().find_map(of);
    let image = image.ok_or_else(|| Error::Usage(format!("no service of stack {stack:?} has an image")))?;
    // A drill that was kept has a bot of its own.
    let kept = services.iter().find_map(|s| s.spec.as_ref()?.labels.as_ref()?.get(RUN_LABEL).cloned());
    let bot = match &kept {
        Some(run) => Bot::of_run(&engine, run).await?,
        None => Bot::existing(&engine, bot_service).await?,
    };
    evidence.set_json(RunFact::Inventory, &scenario.inventory)?;
    let (unlisted, own) = (unlisted(stack, &services, &scenario.inventory), volumes_of(stack, &services));
    evidence.set_json(RunFact::UnlistedVolumes, &unlisted)?;
    // A volume that several stacks share is not in this one's backup.
    let inventory = scenario.inventory.with_unlisted(&unlisted.intersection(&own).cloned().collect());
    let lease = Lease::take(&owned, "audit").await?;
    let work = async {
        let reader = Reader { owned: owned.clone(), image: images::reader::ensure(&engine).await?, helper_image: image };
        let evidence = evidence.clone();
        let mut auditor = Auditor { stack: stack.to_owned(), reader, inventory, bot: bot.clone(), evidence, since: None };
        let snapshot = match snapshot {
            // Whoever names one wants to know all that it lacks.
            Some(id) => Snapshot { id: id.to_owned() },
            None => {
                auditor.remember_names().await?;
                auditor.since = engine_time(&engine).await?;
                let Created { snapshot, complaints, .. } = bot.create(stack, 1).await?;
                auditor.evidence.put_complaints(BotStep::Backup, &complaints)?;
                snapshot
            }
        };
        auditor.look_outside(&short_names(stack, &services)).await?;
        auditor.gather(&snapshot).await
    };
    let work = async { backup::audited(&evidence, work.await) };
    let result = lease.interruptible(work).await;
    let removed = lease.end(Duration::from_secs(scenario.spec.deadlines.removal)).await;
    result.and(removed)
}

/// The engine's clock, in nanoseconds since 1970.
async fn engine_time(engine: &Engine) -> Result<Option<i64>> {
    let info = engine.docker.info().await.context("asking the engine for its time")?;
    Ok(info.system_time.and_then(|time| nanoseconds(&time)))
}

/// A time as RFC 3339 writes it, in nanoseconds since 1970.
fn nanoseconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok()?.as_nanosecond().try_into().ok()
}

/// The names of a stack's services in its recipe.
fn short_names(stack: &str, services: &[Service]) -> BTreeSet<String> {
    let prefix = format!("{stack}_");
    services.iter().filter_map(|s| Some(s.spec.as_ref()?.name.as_deref()?.strip_prefix(&prefix)?.to_owned())).collect()
}

/// The volumes that are a stack's own, as the recipe names them.
fn volumes_of(stack: &str, services: &[Service]) -> BTreeSet<String> {
    let prefix = format!("{stack}_");
    mounted(services).filter_map(|name| name.strip_prefix(&prefix).map(str::to_owned)).collect()
}

/// The volumes that services mount, as the engine names them.
fn mounted(services: &[Service]) -> impl Iterator<Item = String> + '_ {
    let spec = |service: &Service| service.spec.clone()?.task_template?.container_spec;
    let mounts = services.iter().filter_map(spec).flat_map(|c| c.mounts.unwrap_or_default());
    mounts.filter(|m| m.typ == Some(MountType::VOLUME)).filter_map(|m| m.source)
}

/// The volumes of a stack's services that an inventory does not have, as the recipe names them.
fn unlisted(stack: &str, services: &[Service], inventory: &Inventory) -> BTreeSet<String> {
    let prefix = format!("{stack}_");
    let names = mounted(services).map(|name| name.strip_prefix(&prefix).map(str::to_owned).unwrap_or(name));
    names.filter(|name| !inventory.deployed().any(|v| v.name == *name)).collect()
}

mod dump;
mod outside;

const BATCH: usize = 500;
/// What is wrong with a dump that is older than the backup.
const STALE: &str = "it is older than this backup: no hook has written it";
/// How much earlier than the engine's clock a file's time may be, in nanoseconds: file systems take theirs from a clock that ticks.
const TICK: i64 = 1_000_000_000;

impl Auditor {
    /// Lists the live volumes and the snapshot, hashes both, and looks at the dumps. Files are streamed; memory is
    /// that of a batch.
    pub async fn gather(&self, snapshot: &Snapshot) -> Result<()> {
        self.evidence.clear_audit()?;
        let live = async {
            let mut stale = Vec::new();
            for volume in self.inventory.deployed() {
                stale.extend(self.live(volume).await?.into_iter().map(|path| (volume.name.as_str(), path)));
            }
            Ok(stale)
        };
        let mut listed = false;
        let captured = async {
            let any = self.listed(snapshot).await?;
            listed = true;
            // Of a snapshot without volumes there is nothing to ask for.
            if any { self.content(snapshot).await } else { Ok(()) }
        };
        let (live, captured): (Result<Vec<_>>, Result<()>) = tokio::join!(live, captured);
        if live.is_ok() && listed {
            // What the snapshot lacks can be told, also where its content cannot be read.
            self.evidence.set(RunFact::Listed, &snapshot.id)?;
        }
        let stale = live?;
        captured?;
        for (volume, path) in stale {
            self.evidence.put_dump(volume, &path, Some(STALE))?;
        }
        if self.since.is_some() {
            self.evidence.set_number(RunFact::AuditLater, self.evidence.forget_later()?)?;
        }
        // What the bot lists and does not hand over was not looked at.
        if let Some((n, first)) = self.evidence.unread_of_snapshot()? {
            let message = format!("{n} of the files listed are not in the download, the first: {first}");
            let complaints = vec![Complaint { cause: Cause::Unread, message }];
            return Err(Error::Bot { what: "backupbot's download".into(), complaints });
        }
        Ok(self.evidence.set(RunFact::Audit, &snapshot.id)?)
    }

    /// Stores which files are there, before the backup.
    async fn remember_names(&self) -> Result<()> {
        for volume in self.inventory.deployed() {
            let mut names = Vec::with_capacity(BATCH);
            let mut sink = |read: Read| {
                if let Read::Whole(entry) | Read::InPart(entry) = read
                    && entry.kind == Kind::File
                {
                    names.push(entry.path);
                }
                if names.len() == BATCH {
                    self.evidence.put_before(&volume.name, &std::mem::take(&mut names))?;
                }
                Ok(())
            };
            self.reader.read(&full_name(&self.stack, &volume.name), &Hashed::default(), &mut sink).await?;
            self.evidence.put_before(&volume.name, &names)?;
        }
        Ok(())
    }

    /// Stores the live files of a volume. Gives the dumps that no hook has written since the backup was begun.
    async fn live(&self, volume: &InventoryVolume) -> Result<Vec<String>> {
        let mut stale = Vec::new();
        let mut writer = Writer::new(&self.evidence, Side::Live, volume);
        let mut sink = |read: Read| {
            let entry = match read {
                Read::Whole(entry) | Read::InPart(entry) => entry,
                // Nobody needs what the backup leaves out.
                Read::Unread(path, _) if volume.owed(&path).0.is_left_out() => return Ok(()),
                Read::Unread(path, why) => {
                    let what = format!("volume {}, file {path} cannot be read", volume.name);
                    return Err(Error::from(ReadingError::Unread { what, why }));
                }
            };
            if entry.kind != Kind::File {
                return Ok(());
            }
            let content = match &entry.content {
                Content::Sha256(sha256) => Some((entry.size, sha256.clone())),
                Content::NotAsked => None,
            };
            let is_old = self.since.is_some_and(|since| entry.changed > 0 && entry.changed < since - TICK);
            if is_old && volume.is_dump(&entry.path) {
                stale.push(entry.path.clone());
            }
            writer.push(&entry.path, content).map_err(Error::io(self.evidence.dir()))
        };
        self.reader.read(&full_name(&self.stack, &volume.name), &Hashed::all(), &mut sink).await?;
        writer.finish()?;
        Ok(stale)
    }

    /// A writer for each volume, by the volume's directory as the snapshot names it.
    fn writers(&self) -> Vec<(String, Writer)> {
        let dir = |v: &InventoryVolume| contract::volume_dir(&full_name(&self.stack, &v.name)) + "/";
        self.inventory.deployed().map(|v| (dir(v), Writer::new(&self.evidence, Side::Snapshot, v))).collect()
    }

    /// Stores the paths that the bot lists, without the folders that have something in them. Says whether there were any of volumes.
    async fn listed(&self, snapshot: &Snapshot) -> Result<bool> {
        let mut writers = self.writers();
        let (mut failed, mut any) = (Ok(()), false);
        self.bot
            .ls(&self.stack, snapshot, &mut |path| {
                any = any || path.strip_prefix(contract::VOLUMES_ROOT).is_some_and(|rest| rest.len() > 1);
                // A line cannot carry every name; what it lacks, the download has.
                let path = escape(path.as_bytes());
                if path.contains('\u{fffd}') {
                    return;
                }
                if let (Some((writer, path)), true) = (writer_of(&mut writers, &path), failed.is_ok()) {
                    failed = writer.push(path, None);
                }
            })
            .await?;
        failed.map_err(Error::io(self.evidence.dir()))?;
        writers.into_iter().try_for_each(|(_, writer)| writer.finish())?;
        self.evidence.forget_folders_of_snapshot()?;
        Ok(any)
    }

    /// Stores size and hash of what the snapshot has, and how its dumps are.
    async fn content(&self, snapshot: &Snapshot) -> Result<()> {
        let dir = alive::temporary(self.reader.owned.run())?;
        let most = disk::free(&dir.path().to_string_lossy()).await.map_or(u64::MAX, |free| free / 2);
        let mut writers = self.writers();
        writers.iter_mut().for_each(|(_, writer)| writer.most = most);
        let state = (writers, dir.path().join("dump"));
        let file = |(writers, place): &mut (Vec<(String, Writer)>, PathBuf), path: &str, content: Option<&mut dyn io::Read>| {
            match (writer_of(writers, path), content) {
                (None, _) => Ok(()),
                (Some((writer, path)), Some(content)) => writer.content(path, content, place),
                // A bot may list it like a file.
                (Some((writer, path)), None) => {
                    let forgotten = writer.evidence.forget_listed(&writer.volume.name, path);
                    forgotten.map_err(io::Error::other)
                }
            }
        };
        let (writers, _) = self.bot.download(&self.stack, snapshot, state, file).await?;
        writers.into_iter().try_for_each(|(_, writer)| writer.finish())
    }
}

/// The writer of the volume that a path of the snapshot is in, and the path from the volume's root.
fn writer_of<'w, 'p>(writers: &'w mut [(String, Writer)], path: &'p str) -> Option<(&'w mut Writer, &'p str)> {
    writers.iter_mut().find_map(|(dir, writer)| Some((writer, path.strip_prefix(dir.as_str())?)))
}

/// Stores files in batches.
struct Writer {
    evidence: Arc<Evidence>,
    side: Side,
    volume: InventoryVolume,
    batch: Vec<AuditFile>,
    /// How large a copy of a dump may be, in bytes.
    most: u64,
}

impl Writer {
    fn new(evidence: &Arc<Evidence>, side: Side, volume: &InventoryVolume) -> Self {
        Self { evidence: evidence.clone(), side, volume: volume.clone(), batch: Vec::new(), most: u64::MAX }
    }

    fn push(&mut self, path: &str, content: Option<(u64, String)>) -> std::io::Result<()> {
        let (size, sha256) = content.unzip();
        let (class, dump) = self.volume.owed(path);
        self.batch.push(AuditFile { path: path.to_owned(), class, dump, size, sha256 });
        if self.batch.len() >= BATCH { self.flush().map_err(std::io::Error::other) } else { Ok(()) }
    }

    /// A file with what is in it; a dump is looked at in `place`.
    fn content(&mut self, path: &str, content: &mut dyn io::Read, place: &Path) -> io::Result<()> {
        let Some(format) = self.volume.dump_at(path) else {
            let (sha256, size) = digest(content)?;
            return self.push(path, Some((size, sha256)));
        };
        copy_with_holes(content, &mut std::fs::File::create(place)?, self.most)?;
        let (sha256, size) = digest(&mut std::fs::File::open(place)?)?;
        let complaint = dump::check(format, place, self.evidence.ending()).err();
        self.push(path, Some((size, sha256)))?;
        let stored = self.evidence.put_dump(&self.volume.name, path, complaint.as_deref());
        stored.map_err(io::Error::other)
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        Ok(self.evidence.put_audit_files(self.side, &self.volume.name, &batch)?)
    }

    fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{Mount, ServiceSpec, TaskSpec, TaskSpecContainerSpec};
    use recipe::toml_file::parse_toml;

    use super::*;

    #[test]
    fn volumes_that_the_inventory_lacks_are_named_as_in_the_recipe() {
        let text = "[[volume]]\nname = 'data'\nservice = 'app'\nmount = '/data'\nclass = 'durable'\nwhy = 'x'\n";
        let inventory = parse_toml(Path::new("inventory.toml"), text).expect("an inventory");
        let mount = |typ, source: &str| Mount { typ: Some(typ), source: Some(source.into()), ..Mount::default() };
        let mounts = ["wiki_data", "wiki_uploads", "shared"].map(|name| mount(MountType::VOLUME, name));
        let all = [mounts.to_vec(), vec![mount(MountType::BIND, "/etc/localtime")]].concat();
        let container = TaskSpecContainerSpec { mounts: Some(all), ..TaskSpecContainerSpec::default() };
        let task = TaskSpec { container_spec: Some(container), ..TaskSpec::default() };
        let spec = ServiceSpec { task_template: Some(task), ..ServiceSpec::default() };
        let services = [Service { spec: Some(spec), ..Service::default() }];
        assert_eq!(unlisted("wiki", &services, &inventory), ["shared", "uploads"].map(str::to_owned).into());
    }
}
