//! Stand-in images: built from the scenarios' image folders on a Debian base, tagged by
//! the hash of what went in, so that an image is built once and never out of date.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder};
use engine::Engine;
use futures_util::{StreamExt as _, TryStreamExt as _};
use recipe::image::ImageContext;

use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::events::{Events, Phase};
use crate::stack::alive::Temporary;
use crate::stack::ensure_swarm;
use crate::stack::ownership::Owned;

pub mod bot;
mod present;
pub mod program;
pub mod reader;
mod turn;

pub use present::has_image;

/// The images that stand-ins are built on, the first that is there.
pub const BASES: [&str; 2] = [REGISTRY_BASE, BOOTSTRAPPED_BASE];
/// The base where a registry is reachable.
const REGISTRY_BASE: &str = "debian:bookworm-slim";
/// How long the build of one image may take.
const BUILDING: Duration = Duration::from_secs(3600);
/// How long the bootstrap of a base may take.
const BOOTSTRAPPING: Duration = Duration::from_secs(1200);
/// The base bootstrapped from Debian's archive where none is; the number grows when the bootstrap changes.
const BOOTSTRAPPED_BASE: &str = "restore-drill/debian:bookworm-2";

/// The base image: a registry's where one is reachable, else bootstrapped from Debian's archive.
async fn base(engine: &Engine, events: &Events) -> Result<String> {
    for base in BASES {
        if has_image(engine, base).await? {
            return Ok(base.to_owned());
        }
    }
    events.doing(Phase::Images, format!("asking a registry for {REGISTRY_BASE}"));
    let options = CreateImageOptionsBuilder::default().from_image("debian").tag("bookworm-slim").build();
    let pull = engine.docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) });
    match tokio::time::timeout(Duration::from_secs(60), pull).await {
        Ok(Ok(())) => return Ok(REGISTRY_BASE.to_owned()),
        Ok(Err(e)) => tracing::debug!("no registry: {e}"),
        Err(_) => tracing::debug!("the registry does not answer"),
    }
    events.note("No image registry is reachable: bootstrapping a Debian base from Debian's archive (mmdebstrap, about 20 s).");
    bootstrap(engine).await?;
    Ok(BOOTSTRAPPED_BASE.to_owned())
}

/// The names of those sources whose image is not built.
pub async fn missing_images(engine: &Engine, sources: &BTreeMap<String, ImageContext>) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for (name, source) in sources {
        if !has_image(engine, &source.image(&source.tar()?)).await? {
            missing.push(name.clone());
        }
    }
    Ok(missing)
}

/// Bootstraps a base into a tar archive.
async fn mmdebstrap(tar: &Path) -> Result<()> {
    let mut command = tokio::process::Command::new("mmdebstrap");
    command
        .args(["--variant=minbase", "--quiet"])
        // As in a registry's image, and also for what is installed on it: nothing is written to the disk file by file, and there are no
        // translated descriptions of packages.
        .args(["--dpkgopt=force-unsafe-io", "--aptopt=Acquire::Languages \"none\""])
        .arg("--customize-hook=printf '#!/bin/sh\\nexit 101\\n' > \"$1/usr/sbin/policy-rc.d\"; chmod 755 \"$1/usr/sbin/policy-rc.d\"")
        .arg("--customize-hook=rm -rf \"$1\"/usr/share/doc/* \"$1\"/usr/share/locale/*")
        .arg("bookworm")
        .arg(tar);
    let output = ended(command, BOOTSTRAPPING).await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = said.lines().rev().take(3).collect();
        return Err(Error::Engine(format!("mmdebstrap failed: {}", last.join(" / "))));
    }
    Ok(())
}

/// What mmdebstrap said at its end, for which there is a limit.
async fn ended(mut command: tokio::process::Command, limit: Duration) -> Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = tokio::time::timeout(limit, command.output()).await.map_err(|_| {
        let minutes = limit.as_secs() / 60;
        Error::Engine(format!(
            "mmdebstrap did not end in {minutes} min. Check that Debian's archive can be reached, then try again"
        ))
    })?;
    output.map_err(|e| {
        Error::Engine(format!("no registry is reachable, and mmdebstrap cannot be run: {e}. `make setup` installs it"))
    })
}

async fn bootstrap(engine: &Engine) -> Result<()> {
    let dir = Temporary::new()?;
    let tar = dir.path().join("base.tar");
    mmdebstrap(&tar).await?;
    // Another run may have imported one meanwhile: what is built on it stays on the same base.
    if has_image(engine, BOOTSTRAPPED_BASE).await? {
        return Ok(());
    }
    let file = tokio::fs::File::open(&tar).await.map_err(Error::io(&tar))?;
    let body = bollard::body_try_stream(tokio_util::io::ReaderStream::with_capacity(file, 1 << 20));
    let (repo, tag) = BOOTSTRAPPED_BASE.split_once(':').unwrap_or((BOOTSTRAPPED_BASE, "latest"));
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).build();
    engine
        .docker
        .create_image(Some(options), Some(body), None)
        .try_for_each(|_| async { Ok(()) })
        .await
        .context("importing the base image")
}

/// Makes sure that every source is built, each by one run only; gives each one's full name. `progress` is told (done, all).
pub async fn ensure_images(
    owned: &Owned,
    sources: &BTreeMap<String, ImageContext>,
    events: &Events,
    progress: impl Fn(u64, u64) + Sync,
) -> Result<BTreeMap<String, String>> {
    let engine = owned.engine();
    let mut tars = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (name, source) in sources {
        let tar = source.tar()?;
        let image = source.image(&tar);
        if !has_image(engine, &image).await? {
            tars.insert(name.clone(), tar);
        }
        names.insert(name.clone(), image);
    }
    let total = tars.len() as u64;
    if total == 0 {
        return Ok(names);
    }
    // Who builds says so in the swarm.
    ensure_swarm(engine, events).await?;
    let base = base(engine, events).await?;
    let done = std::sync::atomic::AtomicU64::new(0);
    progress(0, total);
    let builds = tars.into_iter().map(|(name, tar)| {
        let (base, image, done, progress) = (&base, &names[&name], &done, &progress);
        let version = sources[&name].version.as_deref();
        async move {
            if let Some(claim) = turn::to_build(owned, image, events).await? {
                let step = |step: String| events.doing(Phase::Images, format!("building {}{step}", short(image)));
                step(String::new());
                let built = tokio::time::timeout(BUILDING, build(engine, base, version, image, tar, &step)).await;
                claim.give_up().await?;
                built.map_err(|_| {
                    Error::Engine(format!("building image {image} took longer than {} min", BUILDING.as_secs() / 60))
                })??;
            }
            progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1, total);
            Ok::<_, Error>(())
        }
    });
    futures_util::stream::iter(builds).buffer_unordered(2).try_collect::<Vec<()>>().await?;
    Ok(names)
}

/// An image's name for people: without its registry, its folder and its tag.
fn short(image: &str) -> &str {
    let name = image.rsplit('/').next().unwrap_or(image);
    name.split(':').next().unwrap_or(name)
}

/// What a line of a build says that is begun: `: apt-get update (3 of 9)`.
fn step(line: &str) -> Option<String> {
    let (count, instruction) = line.trim().strip_prefix("Step ")?.split_once(" : ")?;
    let (number, all) = count.split_once('/')?;
    let instruction = instruction.strip_prefix("RUN ").unwrap_or(instruction);
    Some(format!(": {} ({number} of {all})", instruction.split_whitespace().collect::<Vec<_>>().join(" ")))
}

async fn build(
    engine: &Engine,
    base: &str,
    version: Option<&str>,
    image: &str,
    tar: Vec<u8>,
    begun: &(impl Fn(String) + Sync),
) -> Result<()> {
    let arguments = [("BASE", Some(base)), ("VERSION", version)].into_iter().filter_map(|(k, v)| Some((k, v?)));
    let options = BuildImageOptionsBuilder::default()
        .t(image)
        .buildargs(&arguments.collect::<std::collections::HashMap<_, _>>())
        .rm(true)
        .forcerm(true)
        .build();
    let mut log = engine.docker.build_image(options, None, Some(bollard::body_full(tar.into())));
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
                    step(&text).into_iter().for_each(begun);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_what_it_does() {
        assert_eq!(short("ghcr.io/mailu/dovecot:2024.06"), "dovecot");
        assert_eq!(short("restore-drill/mailu-imap:0123"), "mailu-imap");
        let said = step("Step 3/9 : RUN apt-get update   && apt-get install -y postfix\n");
        assert_eq!(said.as_deref(), Some(": apt-get update && apt-get install -y postfix (3 of 9)"));
        assert_eq!(step("Step 1/9 : FROM debian").as_deref(), Some(": FROM debian (1 of 9)"));
        for other in ["", " ---> Running in 0123", "Stepping : out", "Step 1 : x"] {
            assert_eq!(step(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_bootstrap_that_does_not_end_is_ended() {
        let mut waits = tokio::process::Command::new("sleep");
        waits.arg("600");
        let error = ended(waits, Duration::from_millis(50)).await.expect_err("late");
        assert!(error.to_string().contains("mmdebstrap did not end in 0 min"), "{error}");
    }
}
