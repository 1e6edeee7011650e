//! The audit: what a snapshot holds, against the live volumes and the inventory. It tells before a restore
//! what no restore from this snapshot can bring back.
//!
//! Gathering ([`Auditor`]) asks the bot and the engine and stores what it saw; judging ([`findings`], [`Report`])
//! reads only what is stored.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Read, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::query_parameters::ListServicesOptionsBuilder;
use serde::{Deserialize, Serialize};

use crate::backup::{Bot, Complaint, Created, Snapshot, contract};
use crate::error::{Context as _, Error, Result};
use crate::evidence::{AuditFile, Evidence, Side};
use crate::model::{Finding, Item, Outcome};
use crate::scenario::{Class, Inventory, InventoryPath, InventoryVolume, Scenario, matches};
use crate::secret::Secret;
use crate::stack::ownership::Owned;
use crate::stack::slots::Alive;
use crate::stack::volumes::{Helper, Kind, digest, full_name};
use crate::stack::{Engine, NAMESPACE_LABEL, RUN_LABEL, interruptible, label_filter};

/// What a dump is, and so how it is told whole from cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A SQLite database.
    Sqlite,
    /// A Redis dump.
    Rdb,
    /// What PostgreSQL's `pg_dump` writes as text.
    #[serde(rename = "pg_dump")]
    PgDump,
}

impl Format {
    /// Looks at a whole file; what is wrong with it, in a few words.
    pub fn check(self, file: &Path) -> std::result::Result<(), String> {
        let size = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
        if size == 0 {
            return Err("it is empty".into());
        }
        match self {
            Self::Sqlite => sqlite(file).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
            Self::Rdb => rdb(file, size).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
            Self::PgDump => pg_dump(file, size).map_err(|e| e.to_string())?.map_or(Ok(()), Err),
        }
    }
}

fn sqlite(file: &Path) -> rusqlite::Result<Option<String>> {
    let db = rusqlite::Connection::open_with_flags(file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let said: String = db.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    if said != "ok" {
        return Ok(Some(said));
    }
    let tables: u64 = db.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |r| r.get(0))?;
    Ok((tables == 0).then(|| "it has no tables".into()))
}

/// A dump begins with `REDIS` and ends with a CRC-64 of all before it; zero says that none was made.
fn rdb(file: &Path, size: u64) -> std::io::Result<Option<String>> {
    let mut file = std::io::BufReader::new(std::fs::File::open(file)?);
    let mut start = [0; 9];
    if size < 18 || file.read_exact(&mut start).is_err() || !start.starts_with(b"REDIS") {
        return Ok(Some("it is not a Redis dump".into()));
    }
    let crc = crc::Crc::<u64>::new(&crc::CRC_64_REDIS);
    let mut digest = crc.digest();
    digest.update(&start);
    let mut body = file.by_ref().take(size - 17);
    let mut buffer = [0; 64 << 10];
    let mut last = 0;
    loop {
        let n = body.read(&mut buffer)?;
        let Some(byte) = n.checked_sub(1).map(|at| buffer[at]) else { break };
        last = byte;
        digest.update(&buffer[..n]);
    }
    let mut stored = [0; 8];
    file.read_exact(&mut stored)?;
    let stored = u64::from_le_bytes(stored);
    let whole = last == 0xff && (stored == 0 || stored == digest.finalize());
    Ok((!whole).then(|| "its checksum is wrong: it is cut off or altered".into()))
}

/// A dump says at its beginning what it is, and at its end that it is complete.
fn pg_dump(file: &Path, size: u64) -> std::io::Result<Option<String>> {
    const AROUND: u64 = 4 << 10;
    let mut file = std::fs::File::open(file)?;
    let mut part = |from: u64| {
        let mut bytes = Vec::new();
        file.seek(std::io::SeekFrom::Start(from))?;
        (&file).take(AROUND).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    if !part(0)?.contains("-- PostgreSQL database dump\n") {
        return Ok(Some("it is not a dump of PostgreSQL as text".into()));
    }
    let whole = part(size.saturating_sub(AROUND))?.contains("-- PostgreSQL database dump complete\n");
    Ok((!whole).then(|| "it does not say at its end that it is complete: it is cut off".into()))
}

/// Gathers what the audit judges.
pub struct Auditor {
    /// The right to create helpers.
    pub owned: Owned,
    /// The stack.
    pub stack: String,
    /// An image that is present, for helper containers.
    pub image: String,
    /// What a backup owes each volume.
    pub inventory: Inventory,
    /// The bot.
    pub bot: Bot,
    /// Where what was seen is stored.
    pub evidence: Arc<Evidence>,
}

/// Audits a snapshot of a stack that somebody deployed, which is only read: helper containers are this run's and are removed
/// on every way out. `snapshot` is an id, or none for one that the bot creates now.
pub async fn deployed(scenario: &Scenario, stack: &str, snapshot: Option<&str>, evidence: Arc<Evidence>) -> Result<()> {
    let engine = Engine::connect().await?;
    let run = Secret::random()?.derive("run id")[..8].to_owned();
    let _alive = Alive::take(&run)?;
    let owned = Owned::new(engine.clone(), &run);
    let filter = label_filter([(NAMESPACE_LABEL, stack)]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let services = engine.docker.list_services(Some(options)).await.context("listing services")?;
    let of = |s: &bollard::models::Service| s.spec.clone()?.task_template?.container_spec?.image;
    let image = services.iter().find_map(of);
    let image = image.ok_or_else(|| Error::Usage(format!("no stack {stack:?} on this engine; `docker stack ls` lists them")))?;
    // A drill that was kept has a bot of its own.
    let kept = services.iter().find_map(|s| s.spec.as_ref()?.labels.as_ref()?.get(RUN_LABEL).cloned());
    let bot = Bot::find(&engine, kept.as_deref()).await?;
    let work = async {
        let snapshot = match snapshot {
            Some(id) => Snapshot { id: id.to_owned() },
            None => {
                let Created { snapshot, complaints, .. } = bot.create(stack, 1).await?;
                evidence.put_complaints("backup", &complaints)?;
                snapshot
            }
        };
        let (inventory, evidence) = (scenario.inventory.clone(), evidence.clone());
        let auditor = Auditor { owned: owned.clone(), stack: stack.to_owned(), image, inventory, bot: bot.clone(), evidence };
        auditor.gather(&snapshot).await
    };
    let work = async { evidence.step("audit", work.await).map(drop) };
    let result = interruptible(work).await;
    let removed = owned.remove_all(None, Duration::from_secs(scenario.spec.deadlines.removal)).await;
    result.and(removed.map(drop))
}

const BATCH: usize = 500;

impl Auditor {
    /// Lists the live volumes and the snapshot, hashes both, and looks at the dumps. Files are streamed; memory is
    /// that of a batch.
    pub async fn gather(&self, snapshot: &Snapshot) -> Result<()> {
        self.evidence.clear_audit()?;
        let live = async {
            for volume in self.inventory.deployed() {
                self.live(volume).await?;
            }
            Ok(())
        };
        let captured = async {
            self.listed(snapshot).await?;
            self.content(snapshot).await
        };
        tokio::try_join!(live, captured)?;
        // What the bot lists and does not hand over was not looked at.
        if let Some((n, first)) = self.evidence.unread_of_snapshot()? {
            let message = format!("{n} of the files listed are not in the download, the first: {first}");
            let complaints = vec![Complaint { cause: "unread", message }];
            return Err(Error::Bot { what: "backupbot's download".into(), complaints });
        }
        self.evidence.set("audit", &snapshot.id)
    }

    async fn live(&self, volume: &InventoryVolume) -> Result<()> {
        let helper = Helper::open(&self.owned, &self.image, &full_name(&self.stack, &volume.name)).await?;
        let writer = Writer::new(&self.evidence, Side::Live, volume);
        let written = helper
            .each(".", writer, |writer, entry| match entry.kind {
                Kind::File => {
                    let (sha256, size) = digest(entry.content)?;
                    writer.push(&entry.name, Some((size, sha256)))
                }
                Kind::HardLink(of) => writer.push_link(&entry.name, &of),
                _ => Ok(()),
            })
            .await;
        helper.close().await?;
        written?.map_or(Ok(()), Writer::finish)
    }

    /// A writer for each volume, by the volume's directory as the snapshot names it.
    fn writers(&self) -> Vec<(String, Writer)> {
        let dir = |v: &InventoryVolume| contract::volume_dir(&full_name(&self.stack, &v.name)) + "/";
        self.inventory.deployed().map(|v| (dir(v), Writer::new(&self.evidence, Side::Snapshot, v))).collect()
    }

    /// Stores the paths that the bot lists.
    async fn listed(&self, snapshot: &Snapshot) -> Result<()> {
        let mut writers = self.writers();
        let mut failed = Ok(());
        self.bot
            .ls(&self.stack, snapshot, &mut |path| {
                if let (Some((writer, path)), true) = (writer_of(&mut writers, path), failed.is_ok()) {
                    failed = writer.push(path, None);
                }
            })
            .await?;
        failed.map_err(Error::io(self.evidence.dir()))?;
        writers.into_iter().try_for_each(|(_, writer)| writer.finish())
    }

    /// Stores size and hash of what the snapshot has, and how its dumps are.
    async fn content(&self, snapshot: &Snapshot) -> Result<()> {
        let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let state = (self.writers(), dir.path().join("dump"));
        let file = |(writers, dump): &mut (Vec<(String, Writer)>, std::path::PathBuf), path: &str, content: &mut dyn Read| {
            let Some((writer, path)) = writer_of(writers, path) else { return Ok(()) };
            let Some(format) = writer.volume.dump_at(path) else {
                let (sha256, size) = digest(content)?;
                return writer.push(path, Some((size, sha256)));
            };
            std::io::copy(content, &mut std::fs::File::create(&*dump)?)?;
            let (sha256, size) = digest(&mut std::fs::File::open(&*dump)?)?;
            let complaint = format.check(dump).err();
            writer.push(path, Some((size, sha256)))?;
            let stored = writer.evidence.put_dump(&writer.volume.name, path, complaint.as_deref());
            stored.map_err(std::io::Error::other)
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
}

impl Writer {
    fn new(evidence: &Arc<Evidence>, side: Side, volume: &InventoryVolume) -> Self {
        Self { evidence: evidence.clone(), side, volume: volume.clone(), batch: Vec::new() }
    }

    fn push(&mut self, path: &str, content: Option<(u64, String)>) -> std::io::Result<()> {
        let (size, sha256) = content.unzip();
        let (class, dump) = self.volume.owed(path);
        self.batch.push(AuditFile { path: path.to_owned(), class, dump, size, sha256 });
        if self.batch.len() >= BATCH { self.flush().map_err(std::io::Error::other) } else { Ok(()) }
    }

    /// A file that is a second name of one before it.
    fn push_link(&mut self, path: &str, of: &str) -> std::io::Result<()> {
        self.flush().map_err(std::io::Error::other)?;
        let content = self.evidence.audit_content(self.side, &self.volume.name, of).map_err(std::io::Error::other)?;
        self.push(path, content)
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.evidence.put_audit_files(self.side, &self.volume.name, &batch)
    }

    fn finish(mut self) -> Result<()> {
        self.flush()
    }
}

impl Inventory {
    /// The volumes that the scenario deploys.
    pub fn deployed(&self) -> impl Iterator<Item = &InventoryVolume> {
        self.volumes.iter().filter(|v| !v.not_deployed)
    }
}

impl InventoryVolume {
    /// The entry for a path within the volume.
    pub fn entry(&self, path: &str) -> Option<&InventoryPath> {
        self.paths.iter().find(|p| matches(&p.path, path))
    }

    /// What a backup owes a path: its class, and the dump that carries its content, if one does.
    pub fn owed(&self, path: &str) -> (Class, Option<String>) {
        self.entry(path).map_or((self.class, None), |e| (e.class, e.dump.clone()))
    }

    /// The format of the dump that lies at a path.
    pub fn dump_at(&self, path: &str) -> Option<Format> {
        self.paths.iter().find(|p| p.dump.as_deref().unwrap_or(&p.path) == path).and_then(|p| p.format)
    }
}

fn finding(volume: &str, path: &str, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    let item = Item::Snapshot { volume: volume.to_owned(), path: path.to_owned() };
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

/// What is wrong with the audited snapshot: durable files that it lacks, the highest folder that lacks all of its own standing
/// for them, and dumps that are absent or not whole.
pub fn findings(evidence: &Evidence) -> Result<Vec<Finding>> {
    if evidence.get("audit")?.is_none() {
        // It ended before it was complete; why is among the steps.
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    for (volume, path, size) in evidence.missed()? {
        let (volume, path) = (volume.as_str(), path.as_str());
        let parts = path.match_indices('/').map(|(at, _)| &path[..at]);
        let mut place = path;
        if !evidence.any_captured(volume, None)? {
            place = ".";
        } else {
            for folder in parts {
                if !evidence.any_captured(volume, Some(folder))? {
                    place = folder;
                    break;
                }
            }
        }
        let (files, bytes) = found.entry((volume.to_owned(), place.to_owned())).or_default();
        (*files, *bytes) = (*files + 1, *bytes + size);
    }
    let lost = "live and durable, not in the snapshot: no restore brings them back";
    let mut findings: Vec<Finding> = found
        .into_iter()
        .map(|((v, path), (n, bytes))| finding(&v, &path, Outcome::Lost, None, format!("{n} files, {bytes} bytes, {lost}")))
        .collect();
    for (volume, path, dump) in evidence.dumps_absent()? {
        let detail = format!("the dump of {path} is not in the snapshot: did its hook run, and write into the volume?");
        findings.push(finding(&volume, &dump, Outcome::Lost, Some("dump"), detail));
    }
    for (volume, path, complaint) in evidence.dumps_wrong()? {
        findings.push(finding(&volume, &path, Outcome::Altered, Some("dump"), complaint));
    }
    findings.sort();
    Ok(findings)
}

/// Files and bytes of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A file that is another one live than in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Difference {
    /// The volume's compose name.
    pub volume: String,
    /// The path from the volume's root.
    pub path: String,
    /// `hash`, or both sizes.
    pub what: String,
}

/// What the audit saw that is no fault of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Report {
    /// The snapshot.
    pub snapshot: String,
    /// What the snapshot holds of each volume and class.
    pub captured: Vec<(String, Class, Amount)>,
    /// Valuable files, by volume, that the snapshot lacks.
    pub valuable_missed: Vec<(String, Amount)>,
    /// How many files are other ones in the snapshot than live.
    pub differing: u64,
    /// The first of them.
    pub differing_first: Vec<Difference>,
}

impl Report {
    /// The report of the audit that is stored; none if there was none.
    pub fn read(evidence: &Evidence) -> Result<Option<Self>> {
        let Some(snapshot) = evidence.get("audit")? else { return Ok(None) };
        let (differing, differing_first) = evidence.differing(20)?;
        Ok(Some(Self {
            snapshot,
            captured: evidence.captured()?,
            valuable_missed: evidence.valuable_missed()?,
            differing,
            differing_first,
        }))
    }

    /// All that the snapshot holds.
    pub fn total(&self) -> Amount {
        self.sum(|_| true)
    }

    /// What the snapshot holds that the app or its operator's tooling makes anew.
    pub fn junk(&self) -> Amount {
        self.sum(|class| matches!(class, Class::Cache | Class::Regenerated))
    }

    fn sum(&self, of: impl Fn(Class) -> bool) -> Amount {
        self.captured
            .iter()
            .filter(|(_, c, _)| of(*c))
            .fold(Amount::default(), |sum, (.., a)| Amount { files: sum.files + a.files, bytes: sum.bytes + a.bytes })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files, {} KiB", self.files, self.bytes.div_ceil(1024))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (total, junk) = (self.total(), self.junk());
        let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 };
        writeln!(f, "snapshot {}: {total}", self.snapshot)?;
        for (volume, class, amount) in &self.captured {
            writeln!(f, "  volume {volume}, {class}: {amount}")?;
        }
        writeln!(
            f,
            "junk (cache, regenerated): {:.0} % of the files, {:.0} % of the bytes",
            share(junk.files, total.files),
            share(junk.bytes, total.bytes)
        )?;
        for (volume, amount) in &self.valuable_missed {
            writeln!(f, "valuable and not in the snapshot: volume {volume}, {amount}")?;
        }
        if self.differing > 0 {
            writeln!(f, "files that are other ones live than in the snapshot: {}", self.differing)?;
        }
        for Difference { volume, path, what } in &self.differing_first {
            writeln!(f, "  volume {volume}, {path}: {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        file
    }

    #[test]
    fn dumps_of_redis_that_are_whole_cut_off_altered_and_empty() {
        let mut dump = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xff".to_vec();
        let sum = crc::Crc::<u64>::new(&crc::CRC_64_REDIS).checksum(&dump);
        dump.extend(sum.to_le_bytes());
        let check = |bytes: &[u8]| Format::Rdb.check(written(bytes).path());
        assert_eq!(check(&dump), Ok(()));
        for cut in 0..dump.len() {
            assert!(check(&dump[..cut]).is_err(), "cut at {cut}");
        }
        dump[14] ^= 1;
        assert!(check(&dump).is_err());
        assert_eq!(check(b""), Err("it is empty".into()));
    }

    #[test]
    fn dumps_of_sqlite_that_are_whole_cut_off_and_without_tables() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("main.db");
        let db = rusqlite::Connection::open(&path).expect("a database");
        db.execute_batch("PRAGMA user_version = 1").expect("a header");
        assert_eq!(Format::Sqlite.check(&path), Err("it has no tables".into()));
        db.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (zeroblob(100000));").expect("a table");
        drop(db);
        assert_eq!(Format::Sqlite.check(&path), Ok(()));
        let bytes = std::fs::read(&path).expect("read");
        assert!(Format::Sqlite.check(written(&bytes[..bytes.len() / 2]).path()).is_err());
        assert!(Format::Sqlite.check(written(b"no database").path()).is_err());
    }

    #[test]
    fn dumps_of_postgresql_that_are_whole_cut_off_and_something_else() {
        let check = |text: &str| Format::PgDump.check(written(text.as_bytes()).path());
        let dump = format!(
            "--\n-- PostgreSQL database dump\n--\n{}\n--\n-- PostgreSQL database dump complete\n--\n\n",
            "CREATE TABLE t ();\n".repeat(1000)
        );
        assert_eq!(check(&dump), Ok(()));
        assert!(check(&dump[..dump.len() - 20]).is_err());
        assert!(check("CREATE TABLE t ();\n").is_err());
        assert!(check("").is_err());
    }

    fn stored(live: &[&str], snapshot: &[&str]) -> (tempfile::TempDir, Evidence) {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let files = |paths: &[&str]| -> Vec<AuditFile> {
            let file = |p: &&str| AuditFile {
                path: (*p).into(),
                class: if p.contains("index") { Class::Cache } else { Class::Durable },
                dump: (*p == "main.db").then(|| "dump".into()),
                size: Some(1),
                sha256: Some("aa".into()),
            };
            paths.iter().map(file).collect()
        };
        evidence.put_audit_files(Side::Live, "mail", &files(live)).expect("stored");
        evidence.put_audit_files(Side::Snapshot, "mail", &files(snapshot)).expect("stored");
        evidence.set("audit", "1a2b3c4d").expect("stored");
        (dir, evidence)
    }

    fn found(live: &[&str], snapshot: &[&str]) -> Vec<(String, Outcome)> {
        let (_dir, evidence) = stored(live, snapshot);
        let path = |f: Finding| match f.item {
            Item::Snapshot { path, .. } => (path, f.outcome),
            _ => panic!("no snapshot"),
        };
        findings(&evidence).expect("judged").into_iter().map(path).collect()
    }

    #[test]
    fn what_is_missed_is_named_by_the_highest_folder_that_lacks_all() {
        let live = ["a/1", "a/b/2", "a/b/3", "c/4", "index"];
        assert_eq!(found(&live, &live), []);
        assert_eq!(found(&live, &["a/1", "a/b/2", "a/b/3", "c/4"]), []);
        assert_eq!(found(&live, &[]), [(".".into(), Outcome::Lost)]);
        assert_eq!(found(&live, &["a/1", "c/4"]), [("a/b".into(), Outcome::Lost)]);
        assert_eq!(found(&live, &["a/1", "a/b/2"]), [("a/b/3".into(), Outcome::Lost), ("c".into(), Outcome::Lost)]);
        // A folder's name that begins like another's.
        assert_eq!(found(&["a/1", "ab/2"], &["ab/2"]), [("a".into(), Outcome::Lost)]);
    }

    #[test]
    fn dumps_that_are_absent_or_wrong() {
        assert_eq!(found(&["main.db", "x"], &["x"]), [("dump".into(), Outcome::Lost)]);
        assert_eq!(found(&["main.db", "x"], &["x", "dump"]), []);
        let (_dir, evidence) = stored(&["main.db"], &["dump"]);
        evidence.put_dump("mail", "dump", Some("it is empty")).expect("stored");
        let all = findings(&evidence).expect("judged");
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].to_string(), "snapshot, volume mail, path dump: altered (dump): it is empty");
    }
}
