//! Stand-in images: built from the scenarios' image folders on a Debian base, tagged by
//! the hash of what went in, so that an image is built once and never out of date.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder};
use futures_util::{StreamExt as _, TryStreamExt as _};
use sha2::{Digest as _, Sha256};

use crate::error::{Context as _, Error, Result, is_not_found};
use crate::events::Events;
use crate::stack::Engine;

/// The images that stand-ins are built on, the first that is there.
pub const BASES: [&str; 2] = [REGISTRY_BASE, BOOTSTRAPPED_BASE];
/// The base where a registry is reachable.
const REGISTRY_BASE: &str = "debian:bookworm-slim";
/// The base bootstrapped from Debian's archive where none is; the number grows when the bootstrap changes.
const BOOTSTRAPPED_BASE: &str = "restore-drill/debian:bookworm-1";

/// An image to build.
#[derive(Debug, Clone)]
pub struct Source {
    /// `restore-drill/mailu-imap`, without the tag.
    pub repository: String,
    /// The folder with the Dockerfile.
    pub context: PathBuf,
    /// More files: (name in the context, mode, file).
    pub extra: Vec<(String, PathBuf)>,
    /// The version of the image that it stands for, if its Dockerfile has an `ARG VERSION`.
    version: Option<String>,
}

impl Source {
    /// The image's full name: the hash of what goes in is its tag.
    fn image(&self, tar: &[u8]) -> String {
        let mut hash = Sha256::new_with_prefix(tar);
        hash.update(self.version.as_deref().unwrap_or_default());
        format!("{}:{}", self.repository, &hex::encode(hash.finalize())[..12])
    }

    /// Has the Dockerfile told which version of an image it stands for, if it asks for that.
    pub fn stand_for(&mut self, version: &str) -> Result<()> {
        let file = self.context.join("Dockerfile");
        let text = std::fs::read_to_string(&file).map_err(Error::io(&file))?;
        self.version = text.lines().any(|l| l.trim() == "ARG VERSION").then(|| version.to_owned());
        Ok(())
    }

    /// The build context as a tar whose bytes depend on the files' names, modes and contents only.
    fn tar(&self) -> Result<Vec<u8>> {
        let mut files = Vec::new();
        collect(&self.context, Path::new(""), &mut files)?;
        files.extend(self.extra.iter().map(|(name, path)| (PathBuf::from(name), path.clone())));
        files.sort();
        let mut tar = tar::Builder::new(Vec::new());
        for (name, path) in files {
            let content = std::fs::read(&path).map_err(Error::io(&path))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(if executable(&path)? { 0o755 } else { 0o644 });
            tar.append_data(&mut header, &name, content.as_slice()).map_err(Error::io(&path))?;
        }
        tar.into_inner().map_err(Error::io(&self.context))
    }
}

fn executable(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::metadata(path).map_err(Error::io(path))?.permissions().mode() & 0o100 != 0)
}

fn collect(root: &Path, below: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    let dir = root.join(below);
    for entry in std::fs::read_dir(&dir).map_err(Error::io(&dir))? {
        let entry = entry.map_err(Error::io(&dir))?;
        let name = below.join(entry.file_name());
        if entry.path().is_dir() {
            collect(root, &name, files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

/// The image sources in a folder with one folder an image.
pub fn sources(images: &Path, prefix: &str) -> Result<BTreeMap<String, Source>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(images).map_err(Error::io(images))?.flatten() {
        if entry.path().join("Dockerfile").is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let source = Source {
                repository: format!("restore-drill/{prefix}-{name}"),
                context: entry.path(),
                extra: vec![],
                version: None,
            };
            found.insert(name, source);
        }
    }
    Ok(found)
}

/// The `backup` program for the bot's image: beside the running program, as cargo puts it, or where `make dist` puts it.
pub fn backup_program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("RESTORE_DRILL_BACKUP_PROGRAM") {
        return Ok(path.into());
    }
    let exe = std::env::current_exe().map_err(Error::io("the running program"))?;
    let places = ["backup", "libexec/restore-drill/backup"];
    let mut found = exe.ancestors().skip(1).take(2).flat_map(|dir| places.map(|place| dir.join(place)));
    found.find(|p| p.is_file()).ok_or_else(|| {
        Error::Engine(format!(
            "no program `backup` beside {}: it goes into the bot's image. `cargo build` builds it; \
                 RESTORE_DRILL_BACKUP_PROGRAM names another place",
            exe.display()
        ))
    })
}

impl Engine {
    /// Whether an image is present.
    pub async fn has_image(&self, image: &str) -> Result<bool> {
        match self.docker.inspect_image(image).await {
            Ok(_) => Ok(true),
            Err(e) if is_not_found(&e) => Ok(false),
            Err(e) => Err(e).context(format!("inspecting image {image}")),
        }
    }

    /// The base image: a registry's where one is reachable, else bootstrapped from Debian's archive.
    async fn base(&self, events: &Events) -> Result<String> {
        for base in BASES {
            if self.has_image(base).await? {
                return Ok(base.to_owned());
            }
        }
        let options = CreateImageOptionsBuilder::default().from_image("debian").tag("bookworm-slim").build();
        let pull = self.docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
        match tokio::time::timeout(Duration::from_secs(60), pull).await {
            Ok(Ok(())) => return Ok(REGISTRY_BASE.to_owned()),
            Ok(Err(e)) => tracing::debug!("no registry: {e}"),
            Err(_) => tracing::debug!("the registry does not answer"),
        }
        events
            .note("No image registry is reachable: bootstrapping a Debian base from Debian's archive (mmdebstrap, about 20 s).");
        self.bootstrap().await?;
        Ok(BOOTSTRAPPED_BASE.to_owned())
    }

    /// The names of those sources whose image is not built.
    pub async fn missing_images(&self, sources: &BTreeMap<String, Source>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for (name, source) in sources {
            if !self.has_image(&source.image(&source.tar()?)).await? {
                missing.push(name.clone());
            }
        }
        Ok(missing)
    }

    async fn bootstrap(&self) -> Result<()> {
        let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let tar = dir.path().join("base.tar");
        let output = tokio::process::Command::new("mmdebstrap")
            .args(["--variant=minbase", "--quiet"])
            .arg("--customize-hook=printf '#!/bin/sh\\nexit 101\\n' > \"$1/usr/sbin/policy-rc.d\"; chmod 755 \"$1/usr/sbin/policy-rc.d\"")
            .arg("--customize-hook=rm -rf \"$1\"/usr/share/doc/* \"$1\"/usr/share/locale/*")
            .arg("bookworm")
            .arg(&tar)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|e| Error::Engine(format!("no registry is reachable, and mmdebstrap cannot be run: {e}. `make setup` installs it")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last: Vec<&str> = said.lines().rev().take(3).collect();
            return Err(Error::Engine(format!("mmdebstrap failed: {}", last.join(" / "))));
        }
        let file = tokio::fs::File::open(&tar).await.map_err(Error::io(&tar))?;
        let body = bollard::body_try_stream(tokio_util::io::ReaderStream::with_capacity(file, 1 << 20));
        let (repo, tag) = BOOTSTRAPPED_BASE.split_once(':').unwrap_or((BOOTSTRAPPED_BASE, "latest"));
        let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).build();
        self.docker
            .create_image(Some(options), Some(body), None)
            .try_for_each(|_| async { Ok(()) })
            .await
            .context("importing the base image")
    }

    /// Makes sure that every source is built; gives each one's full name. `progress` is told (done, all).
    pub async fn ensure_images(
        &self,
        sources: &BTreeMap<String, Source>,
        events: &Events,
        progress: impl Fn(u64, u64) + Sync,
    ) -> Result<BTreeMap<String, String>> {
        let mut tars = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (name, source) in sources {
            let tar = source.tar()?;
            let image = source.image(&tar);
            if !self.has_image(&image).await? {
                tars.insert(name.clone(), tar);
            }
            names.insert(name.clone(), image);
        }
        let total = tars.len() as u64;
        if total == 0 {
            return Ok(names);
        }
        let base = self.base(events).await?;
        let done = std::sync::atomic::AtomicU64::new(0);
        progress(0, total);
        let builds = tars.into_iter().map(|(name, tar)| {
            let (base, image, done, progress) = (&base, &names[&name], &done, &progress);
            let version = sources[&name].version.as_deref();
            async move {
                self.build(base, version, image, tar).await?;
                progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, total);
                Ok::<_, Error>(())
            }
        });
        futures_util::stream::iter(builds).buffer_unordered(2).try_collect::<Vec<()>>().await?;
        Ok(names)
    }

    async fn build(&self, base: &str, version: Option<&str>, image: &str, tar: Vec<u8>) -> Result<()> {
        let arguments = [("BASE", Some(base)), ("VERSION", version)].into_iter().filter_map(|(k, v)| Some((k, v?)));
        let options = BuildImageOptionsBuilder::default()
            .t(image)
            .buildargs(&arguments.collect::<std::collections::HashMap<_, _>>())
            .rm(true)
            .forcerm(true)
            .build();
        let mut log = self.docker.build_image(options, None, Some(bollard::body_full(tar.into())));
        let mut tail: std::collections::VecDeque<String> = std::collections::VecDeque::new();
        while let Some(line) = log.next().await {
            let fail = |why: String, tail: &std::collections::VecDeque<String>| {
                let tail: Vec<&str> = tail.iter().map(|l| l.trim()).filter(|l| !l.is_empty()).collect();
                Error::Engine(format!("building image {image} failed: {why}. The last lines were: {}", tail.join(" / ")))
            };
            match line {
                Ok(info) => {
                    if let Some(error) = info.error_detail {
                        return Err(fail(error.message.unwrap_or_default(), &tail));
                    }
                    if let Some(text) = info.stream {
                        tail.push_back(text);
                        if tail.len() > 12 {
                            tail.pop_front();
                        }
                    }
                }
                Err(e) => return Err(fail(e.to_string(), &tail)),
            }
        }
        Ok(())
    }
}
