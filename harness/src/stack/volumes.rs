//! Reading and writing volumes through the engine's archive calls, by a helper container
//! that is created and never started: no host path is touched, so any engine will do.

use std::io::{Read, Seek as _, SeekFrom, Write as _};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use bollard::query_parameters::{CreateContainerOptionsBuilder, UploadToContainerOptionsBuilder};
use engine::Engine;
use engine::exec::Archive;
use futures_util::StreamExt as _;
use inside::name::escape;
use sha2::{Digest as _, Sha256};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::disk;
use super::ownership::Owned;
use super::{run_labels, stack_labels};
use crate::error::Context as _;
use crate::error::{Error, Result};

/// Bytes that become a hole in a copy if all are zero.
const BLOCK: usize = 64 << 10;

/// A helper container with one volume mounted at `/volume`.
pub struct Helper {
    owned: Owned,
    id: String,
    volume: String,
}

/// The name that Swarm gives to a stack's volume.
pub fn full_name(stack: &str, volume: &str) -> String {
    format!("{stack}_{volume}")
}

impl Helper {
    /// Mounts a volume that exists. Call [`Self::close`]; teardown is the backstop.
    pub async fn open(owned: &Owned, image: &str, volume: &str) -> Result<Self> {
        let docker = &owned.engine().docker;
        // Mounting a volume by name would create it.
        docker.inspect_volume(volume).await.context(format!("inspecting volume {volume}"))?;
        let mount = Mount {
            target: Some("/volume".into()),
            source: Some(volume.into()),
            typ: Some(MountType::VOLUME),
            // An empty volume would get what the image has there.
            volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..Default::default() }),
            ..Default::default()
        };
        let body = ContainerCreateBody {
            image: Some(image.into()),
            cmd: Some(vec!["true".into()]),
            labels: Some(run_labels(owned.run()).into_iter().collect()),
            host_config: Some(HostConfig { mounts: Some(vec![mount]), network_mode: Some("none".into()), ..Default::default() }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().build();
        let (docker, what) = (docker.clone(), format!("a helper for volume {volume}"));
        let created = owned.create(async move { docker.create_container(Some(options), body).await.context(what) }).await?;
        Ok(Self { owned: owned.clone(), id: created.id, volume: volume.into() })
    }

    /// Creates a volume of the run's stack, as `docker stack deploy` would, and opens it.
    pub async fn create(owned: &Owned, image: &str, stack: &str, volume: &str) -> Result<Self> {
        let name = full_name(stack, volume);
        let request = bollard::models::VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(stack_labels(owned.run(), stack).into_iter().collect()),
            ..Default::default()
        };
        let (docker, what) = (owned.engine().docker.clone(), format!("creating volume {name}"));
        owned.create(async move { docker.create_volume(request).await.context(what) }).await?;
        Self::open(owned, image, &name).await
    }

    /// Removes the container; the volume stays.
    pub async fn close(self) -> Result<()> {
        self.owned.remove_container(&self.id).await
    }

    /// Writes files (name, mode, content), owned by root, at the volume's root.
    pub async fn write(&self, files: &[(&str, u32, &[u8])]) -> Result<()> {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, mode, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(*mode);
            header.set_mtime(jiff::Timestamp::now().as_second() as u64);
            tar.append_data(&mut header, name, *content).map_err(Error::io(*name))?;
        }
        let bytes = tar.into_inner().map_err(Error::io(&self.volume))?;
        let options = UploadToContainerOptionsBuilder::default().path("/volume").build();
        self.owned
            .engine()
            .docker
            .upload_to_container(&self.id, Some(options), bollard::body_full(bytes.into()))
            .await
            .context(format!("writing to volume {}", self.volume))
    }

    /// Streams what is at `path` to `entry`, which gets each entry with its path from the volume's root. None when
    /// there is nothing at `path`.
    pub async fn each<T: Send + 'static>(
        &self,
        path: &str,
        mut state: T,
        entry: impl Fn(&mut T, Entry<'_>) -> std::io::Result<()> + Send + 'static,
    ) -> Result<Option<T>> {
        let place = if path == "." { "/volume/.".to_owned() } else { format!("/volume/{path}") };
        // The archive's names begin with the last part of the path asked for.
        let parent = std::path::Path::new(path).parent().map(|p| p.display().to_string()).filter(|p| !p.is_empty());
        let what = format!("reading volume {}", self.volume);
        archive(self.owned.engine(), &self.id, &place, &what, move |archive| {
            entries(archive, |mut found| {
                if let Some(parent) = &parent {
                    found.name = format!("{parent}/{}", found.name);
                    if let Kind::HardLink(first) = &mut found.kind {
                        *first = format!("{parent}/{first}");
                    }
                }
                entry(&mut state, found)
            })?;
            Ok(state)
        })
        .await
    }

    /// Copies a file out of the volume, with holes where it has zeros. False when it is not there.
    ///
    /// # Errors
    /// Half of the disk's free space is not enough for it.
    pub async fn copy_out(&self, path: &str, to: &std::path::Path) -> Result<bool> {
        let target = to.to_owned();
        let folder = to.parent().unwrap_or(to).to_string_lossy();
        let most = disk::free(&folder).await.map_or(u64::MAX, |free| free / 2);
        let copied = self
            .each(path, (), move |(), entry| {
                let mut file = std::fs::File::create(&target)?;
                copy_with_holes(entry.content, &mut file, most)
            })
            .await?;
        Ok(copied.is_some())
    }
}

/// The largest file that is copied, in bytes: a larger one has holes, and reading those would not end.
const LARGEST: u64 = 1 << 40;

/// Copies a file, and makes a hole of each block of zeros: an app may have a file of many terabytes that takes no space.
///
/// # Errors
/// What is not zeros is more than `most` bytes, or all of it is too large.
pub fn copy_with_holes(from: &mut dyn Read, to: &mut std::fs::File, most: u64) -> std::io::Result<()> {
    let (mut block, mut size, mut written) = ([0; BLOCK], 0, 0);
    loop {
        let mut filled = 0;
        while filled < BLOCK {
            match from.read(&mut block[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let (bytes, at) = (&block[..filled], size);
        size += filled as u64;
        if size > LARGEST {
            return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, "it is larger than 1 TiB"));
        }
        if bytes.iter().any(|byte| *byte != 0) {
            written += filled as u64;
            if written > most {
                let why = format!("a copy of it takes more than {most} bytes, half of what is free on this disk");
                return Err(std::io::Error::new(std::io::ErrorKind::StorageFull, why));
            }
            to.seek(SeekFrom::Start(at))?;
            to.write_all(bytes)?;
        }
        if filled < BLOCK {
            return to.set_len(size);
        }
    }
}

/// The SHA-256, in hexadecimal digits, and the size of what is read.
pub fn digest(content: &mut dyn Read) -> std::io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 64 << 10];
    let mut size = 0;
    loop {
        let n = content.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        size += n as u64;
    }
    Ok((hex::encode(hash.finalize()), size))
}

/// What an entry of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// Another name of a file that the archive has; the name it has there, escaped.
    HardLink(String),
    /// A folder.
    Folder,
    /// A symbolic link; where it leads, escaped.
    SymbolicLink(String),
    /// A named pipe.
    Pipe,
    /// A block device.
    Block,
    /// A character device.
    Character,
}

/// An entry of an archive.
pub struct Entry<'a> {
    /// Its path from the archive's root, escaped ([`inside::name`]); of the root itself, nothing.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Owner, mode and time.
    pub header: &'a tar::Header,
    /// A regular file's content.
    pub content: &'a mut dyn Read,
}

/// Calls `entry` with each entry of a tar archive.
pub fn entries(archive: &mut dyn Read, mut entry: impl FnMut(Entry<'_>) -> std::io::Result<()>) -> std::io::Result<()> {
    let plain = |name: &[u8]| {
        let name = escape(name);
        let name = name.strip_prefix("./").unwrap_or(&name).trim_end_matches('/');
        if name == "." { String::new() } else { name.to_owned() }
    };
    for file in tar::Archive::new(archive).entries()? {
        let mut file = file?;
        let header = file.header().clone();
        let link = file.link_name_bytes().unwrap_or_default();
        let kind = match header.entry_type() {
            t if t.is_file() => Kind::File,
            t if t.is_hard_link() => Kind::HardLink(plain(&link)),
            t if t.is_dir() => Kind::Folder,
            t if t.is_symlink() => Kind::SymbolicLink(escape(&link)),
            t if t.is_fifo() => Kind::Pipe,
            t if t.is_block_special() => Kind::Block,
            t if t.is_character_special() => Kind::Character,
            // A header for those that follow.
            _ => continue,
        };
        let name = plain(&file.path_bytes());
        entry(Entry { name, kind, header: &header, content: &mut file })?;
    }
    Ok(())
}

/// Streams the tar archive of `place` in a container to `read`, on a thread of its own. None when nothing is there.
pub async fn archive<T: Send + 'static>(
    engine: &Engine,
    container: &str,
    place: &str,
    what: &str,
    read: impl FnOnce(&mut dyn Read) -> std::io::Result<T> + Send + 'static,
) -> Result<Option<T>> {
    match engine.archive_in(container, place).await? {
        Some(archive) => read_archive(archive, what, read).await.map(Some),
        None => Ok(None),
    }
}

/// Streams a tar archive to `read`, on a thread of its own.
pub async fn read_archive<T: Send + 'static>(
    mut archive: Archive,
    what: &str,
    read: impl FnOnce(&mut dyn Read) -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let (tx, rx) = tokio::sync::mpsc::channel::<std::io::Result<bytes::Bytes>>(4);
    let mut bridge = SyncIoBridge::new(Box::pin(StreamReader::new(tokio_stream(rx))));
    let parse = tokio::task::spawn_blocking(move || read(&mut bridge));
    while let Some(chunk) = archive.next().await {
        if tx.send(chunk).await.is_err() {
            break;
        }
    }
    drop(tx);
    let done = parse.await.map_err(|e| Error::bug(format_args!("{what}: {e}")))?;
    done.map_err(Error::io(what))
}

fn tokio_stream<T>(mut rx: tokio::sync::mpsc::Receiver<T>) -> impl futures_util::Stream<Item = T> {
    futures_util::stream::poll_fn(move |cx| rx.poll_recv(cx))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn zeros_take_no_space_in_a_copy() {
        let mut content = vec![0; 3 * BLOCK];
        content.extend(b"SQLite");
        content.resize(9 * BLOCK + 7, 0);
        let (mut file, whole) = (tempfile::tempfile().expect("a file"), content.len() as u64);
        copy_with_holes(&mut content.as_slice(), &mut file, BLOCK as u64).expect("copied");
        let stored = file.metadata().expect("metadata");
        assert_eq!((stored.size(), stored.blocks() * 512 <= 2 * BLOCK as u64), (whole, true));
        let mut copied = Vec::new();
        file.seek(SeekFrom::Start(0)).expect("sought");
        file.read_to_end(&mut copied).expect("read");
        assert!(copied == content, "the copy is another file");
        let full = copy_with_holes(&mut content.as_slice(), &mut file, BLOCK as u64 - 1).expect_err("too large").to_string();
        assert_eq!(full, "a copy of it takes more than 65535 bytes, half of what is free on this disk");
    }
}
