//! Reading a volume with everything in it: by the program `inside` in a container of its own, with the volume mounted read-only and
//! without a network. Where that cannot run, the engine's archive of the volume is read, which carries less.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, StartContainerOptions};
use futures_util::{Stream, StreamExt as _};
use inside::{Content, Entry, Hashed, Kind, Line};

use recipe::glob::matches;

use super::ownership::Owned;
use super::run_labels;
use super::volumes::{self, Helper, digest};
use crate::error::{Context as _, Error, ReadingError, Result};
use crate::images::reader::PATH;

/// The longest wait for the next line: hashing one file of some hundred GiB.
const STALL: Duration = Duration::from_secs(1800);
/// Where the volume is mounted.
const VOLUME: &str = "/volume";
/// Entries on their way from an archive to where they are stored.
const ON_THEIR_WAY: usize = 100;
/// Kept of what the program says went wrong, in bytes.
const SAID: usize = 4 << 10;

/// What was read of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// An entry, with every attribute.
    Whole(Entry),
    /// An entry without what an archive does not carry: extended attributes, fractions of a second, holes.
    InPart(Entry),
    /// Path, escaped, of an entry that could not be read, and why.
    Unread(String, String),
}

/// Takes what is read, one by one.
pub type Sink<'a> = &'a mut (dyn FnMut(Read) -> Result<()> + Send);

/// Reads volumes.
#[derive(Clone)]
pub struct Reader {
    /// The right to create containers.
    pub owned: Owned,
    /// The image of `inside`; none where the engine cannot run it.
    pub image: Option<String>,
    /// Any image that is present, for the container through which the engine's archive is read.
    pub helper_image: String,
}

impl Reader {
    /// Hands over everything in a volume, by its full name, in no particular order. `hashed` says of which files the bytes are.
    ///
    /// # Errors
    /// The volume is not there, or was not read to its end.
    pub async fn read(&self, volume: &str, hashed: &Hashed, sink: Sink<'_>) -> Result<()> {
        match &self.image {
            Some(image) => self.inside(image, volume, hashed, sink).await,
            None => self.archive(volume, hashed, sink).await,
        }
    }

    async fn inside(&self, image: &str, volume: &str, hashed: &Hashed, sink: Sink<'_>) -> Result<()> {
        let docker = &self.owned.engine().docker;
        let what = || format!("reading volume {volume}");
        // Mounting a volume by name would create it.
        docker.inspect_volume(volume).await.context(format!("inspecting volume {volume}"))?;
        let hashed = serde_json::to_string(hashed).map_err(Error::bug)?;
        let body = ContainerCreateBody {
            image: Some(image.into()),
            cmd: Some(vec![PATH.into(), "read".into(), VOLUME.into(), "--hashed".into(), hashed]),
            labels: Some(run_labels(self.owned.run()).into_iter().collect()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            host_config: Some(HostConfig {
                mounts: Some(vec![Mount {
                    target: Some(VOLUME.into()),
                    source: Some(volume.into()),
                    typ: Some(MountType::VOLUME),
                    read_only: Some(true),
                    volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
                    ..Default::default()
                }]),
                network_mode: Some("none".into()),
                readonly_rootfs: Some(true),
                // The lines go to this program only.
                log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().build();
        let (creator, made) = (docker.clone(), format!("a reader of volume {volume}"));
        let created = self.owned.create(async move { creator.create_container(Some(options), body).await.context(made) });
        let id = created.await?.id;
        let read = async {
            let options = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
            let attached = docker.attach_container(&id, Some(options)).await.context(what())?;
            docker.start_container(&id, None::<StartContainerOptions>).await.context(what())?;
            lines(attached.output, volume, sink).await
        };
        let read = read.await;
        self.owned.remove_container(&id).await?;
        read
    }

    async fn archive(&self, volume: &str, hashed: &Hashed, sink: Sink<'_>) -> Result<()> {
        let helper = Helper::open(&self.owned, &self.helper_image, volume).await?;
        let asked = hashed.clone();
        let (found, mut next) = tokio::sync::mpsc::channel(ON_THEIR_WAY);
        let read = helper.each(".", found, move |found, entry| {
            let read = of_archive(entry, &asked)?;
            found.blocking_send(read).map_err(std::io::Error::other)
        });
        // The channel ends with the reading, whose value is the channel.
        let read = async { read.await.map(drop) };
        let take = async {
            while let Some(read) = next.recv().await {
                sink(read)?;
            }
            Ok(())
        };
        let read = tokio::try_join!(take, read).map(drop);
        helper.close().await?;
        read
    }
}

/// Hands over the lines that the program writes, up to the last.
///
/// # Errors
/// A line is none of the program's, or the last one is missing or counts something else.
pub async fn lines(
    mut output: impl Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Unpin,
    volume: &str,
    sink: Sink<'_>,
) -> Result<()> {
    let what = || format!("reading volume {volume}");
    let (mut rest, mut said, mut entries, mut end) = (Vec::new(), Vec::new(), 0, None);
    loop {
        let next = tokio::time::timeout(STALL, output.next()).await;
        let next = next.map_err(|_| ReadingError::Stalled { what: what(), seconds: STALL.as_secs() })?;
        let Some(chunk) = next else { break };
        let known = rest.len();
        match chunk.context(what())? {
            LogOutput::StdErr { message } => said.extend_from_slice(&message[..message.len().min(SAID - said.len().min(SAID))]),
            LogOutput::StdOut { message } | LogOutput::Console { message } => rest.extend_from_slice(&message),
            LogOutput::StdIn { .. } => {}
        }
        // What was known has no end of a line.
        let Some(last) = rest[known..].iter().rposition(|b| *b == b'\n').map(|at| known + at) else { continue };
        for line in rest[..last].split(|b| *b == b'\n') {
            let form = |e: serde_json::Error| ReadingError::form(what(), format!("JSON ({e})"), &String::from_utf8_lossy(line));
            match serde_json::from_slice(line).map_err(form)? {
                Line::Entry(entry) => {
                    entries += 1;
                    sink(Read::Whole(entry))?;
                }
                Line::Unread(path, why) => sink(Read::Unread(path, why))?,
                Line::End(n) => end = Some(n),
            }
        }
        rest.drain(..=last);
    }
    if end == Some(entries) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let said = if said.is_empty() { format!("it ended after {entries} entries") } else { said };
    Err(ReadingError::CutOff { what: what(), said }.into())
}

/// An entry as an archive has it.
fn of_archive(entry: volumes::Entry<'_>, asked: &Hashed) -> std::io::Result<Read> {
    let path = if entry.name.is_empty() { ".".to_owned() } else { entry.name };
    let header = entry.header;
    let number = |n: u64| u32::try_from(n).map_err(std::io::Error::other);
    let (kind, target, inode) = match entry.kind {
        volumes::Kind::File => (Kind::File, None, None),
        // Which file it is a name of, its content tells; that it is one, no other archive says in the same way.
        volumes::Kind::HardLink(_) => (Kind::File, None, None),
        volumes::Kind::Folder => (Kind::Folder, None, None),
        volumes::Kind::SymbolicLink(target) => (Kind::Symlink, Some(target), None),
        volumes::Kind::Pipe => (Kind::Pipe, None, None),
        volumes::Kind::Block => (Kind::Block, None, None),
        volumes::Kind::Character => (Kind::Character, None, None),
    };
    let (content, size) = match kind {
        Kind::File if asked.asks(&path, matches) => {
            let (sha256, size) = digest(entry.content)?;
            (Content::Sha256(sha256), size)
        }
        Kind::File => (Content::NotAsked, header.size()?),
        _ => (Content::NotAsked, 0),
    };
    let numbers = header.device_major()?.zip(header.device_minor()?).map(|(a, b)| (a.into(), b.into()));
    Ok(Read::InPart(Entry {
        path,
        kind,
        size,
        allocated: 0,
        uid: number(header.uid()?)?,
        gid: number(header.gid()?)?,
        mode: header.mode()? & 0o7777,
        mtime: (header.mtime()? as i64).saturating_mul(1_000_000_000),
        changed: 0,
        target,
        inode,
        device: numbers.filter(|_| matches!(kind, Kind::Block | Kind::Character)),
        xattrs: Default::default(),
        content,
    }))
}
