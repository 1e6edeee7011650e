//! Reading a volume: by the program beside it, and through the engine's archive.

use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions, WaitContainerOptionsBuilder};
use engine::Engine;
use engine::error::Context as _;
use futures_util::TryStreamExt as _;
use inside::Hashed;
use restore_drill::error::{Error, ReadingError, Result};
use restore_drill::events::Events;
use restore_drill::images;
use restore_drill::secret::Secret;
use restore_drill::stack::lease::Lease;
use restore_drill::stack::ownership::Owned;
use restore_drill::stack::reader::{Read, Reader};
use restore_drill::stack::volumes::{Helper, full_name};
use restore_drill::stack::{ensure_swarm, run_labels};
use serde_json::{Value, json};

/// The longest wait for what the benchmark made to be gone.
const REMOVAL: Duration = Duration::from_secs(60);

/// What a volume is filled with: its name, a shell script that runs in it, and what is in it then.
const FILLED: [(&str, &str, &str); 2] = [
    (
        "many",
        "for d in $(seq 100); do mkdir $d; cd $d; for f in $(seq 1000); do echo \"$d $f\" > $f; done; cd ..; done",
        "100,000 files of some bytes",
    ),
    ("large", "for f in $(seq 5); do head -c 1G /dev/urandom > $f; done", "5 files of 1 GiB"),
];

/// Reads two volumes in both ways.
pub async fn measure(rounds: usize) -> Result<Value> {
    let engine = Engine::connect().await?;
    let run = Secret::random()?.derive("run id")[..8].to_owned();
    let owned = Owned::new(engine.clone(), &run);
    ensure_swarm(&engine, &Events::default()).await?;
    let lease = Lease::take(&owned, "bench").await?;
    let measured = both(&owned, rounds).await;
    lease.end(REMOVAL).await?;
    measured
}

async fn both(owned: &Owned, rounds: usize) -> Result<Value> {
    let engine = owned.engine();
    let mut base = None;
    for image in images::BASES {
        if images::has_image(engine, image).await? {
            base = Some(image.to_owned());
        }
    }
    let base = base.ok_or_else(|| Error::Usage("no base image; `make images` builds it".into()))?;
    let reader = Reader { owned: owned.clone(), image: images::reader::ensure(engine).await?, helper_image: base.clone() };
    let archive = Reader { image: None, ..reader.clone() };
    let mut results = Vec::new();
    for (name, script, what) in FILLED {
        let stack = format!("rd-{}", owned.run());
        Helper::create(owned, &base, &stack, name).await?.close().await?;
        let volume = full_name(&stack, name);
        fill(owned, &base, &volume, script).await?;
        let (mut beside, mut through) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            beside.push(seconds(&reader, &volume).await?);
            through.push(seconds(&archive, &volume).await?);
        }
        let (beside, through) = (super::median(beside), super::median(through));
        println!("{what}: read beside the volume in {beside:.1} s, through the engine's archive in {through:.1} s");
        results.push(json!({"what": what, "beside_s": beside, "archive_s": through, "ratio": through / beside}));
    }
    Ok(results.into())
}

async fn fill(owned: &Owned, image: &str, volume: &str, script: &str) -> Result<()> {
    let docker = owned.engine().docker.clone();
    let mount =
        Mount { target: Some("/v".into()), source: Some(volume.into()), typ: Some(MountType::VOLUME), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(image.into()),
        cmd: Some(vec!["sh".into(), "-ec".into(), format!("cd /v; {script}")]),
        labels: Some(run_labels(owned.run()).into_iter().collect()),
        host_config: Some(HostConfig { mounts: Some(vec![mount]), network_mode: Some("none".into()), ..Default::default() }),
        ..Default::default()
    };
    let options = CreateContainerOptionsBuilder::default().build();
    let creating = docker.clone();
    let making =
        async move { Ok(creating.create_container(Some(options), body).await.context("a container that fills a volume")?) };
    let id = owned.create(making).await?.id;
    docker.start_container(&id, None::<StartContainerOptions>).await.context("filling a volume")?;
    let waiting = docker.wait_container(&id, Some(WaitContainerOptionsBuilder::default().build()));
    waiting.try_collect::<Vec<_>>().await.context("filling a volume")?;
    owned.remove_container(&id).await
}

async fn seconds(reader: &Reader, volume: &str) -> Result<f64> {
    let since = Instant::now();
    let mut entries = 0_u64;
    let mut sink = |read: Read| {
        entries += u64::from(!matches!(read, Read::Unread(..)));
        Ok(())
    };
    reader.read(volume, &Hashed::all(), &mut sink).await?;
    if entries < 5 {
        return Err(ReadingError::Unread { what: format!("volume {volume}"), why: format!("{entries} entries only") }.into());
    }
    Ok(since.elapsed().as_secs_f64())
}
