//! The program deletes volumes: it refuses whatever its own run did not create and label,
//! and there is one place only through which anything is removed.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{ConfigSpec, ContainerConfig, ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions, RemoveImageOptions,
    RemoveVolumeOptions,
};
use engine::{Engine, NAMESPACE_LABEL};
use recipe::image::ImageContext;
use restore_drill::error::Error;
use restore_drill::events::{Event, Events, Sink};
use restore_drill::images;
use restore_drill::stack::alive::{self, Alive};
use restore_drill::stack::lease::{Lease, Leases, Life};
use restore_drill::stack::line::wait_for_place;
use restore_drill::stack::ownership::Owned;
use restore_drill::stack::{RUN_LABEL, ensure_swarm, gc, run_labels};
use sha2::{Digest as _, Sha256};
use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{GenericImage, ImageExt as _};

async fn volume(engine: &Engine, name: &str, labels: HashMap<String, String>) {
    let request = VolumeCreateRequest { name: Some(name.into()), labels: Some(labels), ..Default::default() };
    engine.docker.create_volume(request).await.expect("a volume");
}

async fn is_there(engine: &Engine, volume: &str) -> bool {
    engine.docker.inspect_volume(volume).await.is_ok()
}

#[tokio::test]
async fn a_volume_without_this_runs_label_is_refused() {
    let engine = Engine::connect().await.expect("an engine");
    let name = |what: &str| format!("rd-ownership-{}-{what}", std::process::id());
    let (unlabelled, others, ours) = (name("unlabelled"), name("others"), name("ours"));
    let run = name("run");
    volume(&engine, &unlabelled, HashMap::new()).await;
    volume(&engine, &others, HashMap::from([(RUN_LABEL.to_owned(), "another".to_owned())])).await;
    volume(&engine, &ours, run_labels(&run).into_iter().collect()).await;

    let owned = Owned::new(engine.clone(), &run);
    for (volume, why) in [(&unlabelled, "it has no label restore-drill.run"), (&others, "it is run another's")] {
        let error = owned.remove_volume(volume).await.expect_err("refused");
        assert!(matches!(error, Error::NotOurs { .. }), "{error}");
        assert_eq!(error.to_string(), format!("refused: volume {volume} is not this run's ({why}); nothing was changed"));
        assert!(is_there(&engine, volume).await);
    }
    owned.remove_all(None, Duration::from_secs(30)).await.expect("removed");
    assert!(!is_there(&engine, &ours).await, "what carries the label is removed");
    assert!(is_there(&engine, &unlabelled).await && is_there(&engine, &others).await);
    for volume in [&unlabelled, &others] {
        engine.docker.remove_volume(volume, None::<RemoveVolumeOptions>).await.expect("the test's own");
    }
}

/// A container that somebody else runs, with a volume of its own, through a collection.
#[tokio::test(flavor = "multi_thread")]
async fn gc_removes_the_dead_and_leaves_the_living_and_the_foreign() {
    let engine = Engine::connect().await.expect("an engine");
    let image = common::standin("mailu", "db").await;
    let (repository, tag) = image.rsplit_once(':').expect("a tag");
    let foreign = GenericImage::new(repository, tag)
        .with_wait_for(WaitFor::message_on_stdout("Ready to accept connections"))
        .with_startup_timeout(Duration::from_secs(60))
        .start()
        .await
        .expect("a foreign container");

    let (dead, live) = (format!("dead{}", std::process::id()), format!("live{}", std::process::id()));
    let alive = Alive::take(&live).expect("a lock");
    for run in [&dead, &live] {
        volume(&engine, &format!("rd-{run}_mail"), run_labels(run).into_iter().collect()).await;
        let labels = run_labels(run).into_iter().collect();
        let network = NetworkCreateRequest { name: format!("rd-{run}_net"), labels: Some(labels), ..Default::default() };
        engine.docker.create_network(network).await.expect("a network");
    }
    // Another test's collection may be at it.
    loop {
        let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(60), |_| ()).await.expect("collected");
        assert!(collected.live.contains(&live) && collected.failed.is_empty(), "{collected:?}");
        if !gc::runs(&engine).await.expect("listed").contains_key(&dead) {
            break;
        }
        assert!(collected.live.contains(&dead) || collected.taken.contains(&dead), "{collected:?}");
    }
    assert!(!is_there(&engine, &format!("rd-{dead}_mail")).await);
    assert!(is_there(&engine, &format!("rd-{live}_mail")).await);
    common::assert_nothing_left(&dead).await;
    assert!(foreign.is_running().await.expect("asked"), "a container that is not ours survives");

    drop(alive);
    // Another test's collection may be at this one too, and then has its lock.
    let since = std::time::Instant::now();
    while gc::runs(&engine).await.expect("listed").contains_key(&live) {
        assert!(since.elapsed() < Duration::from_secs(120), "run {live} is not removed");
        match gc::collect(&engine, gc::Which::Run(&live), Duration::from_secs(60), |_| ()).await {
            Ok(collected) => assert!(collected.failed.is_empty(), "{collected:?}"),
            Err(e) => assert!(matches!(e, Error::Usage(_)), "{e}"),
        }
    }
    common::assert_nothing_left(&live).await;
    let error = gc::collect(&engine, gc::Which::Run("no-such-run"), Duration::from_secs(1), |_| ()).await.expect_err("unknown");
    assert!(matches!(error, Error::Usage(_)), "{error}");
    foreign.rm().await.expect("the test's own");
}

/// Whoever waits for a creation may be dropped at any time, as an audit's readers are by an error; the engine goes on with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_waits_for_what_is_being_created() {
    let engine = Engine::connect().await.expect("an engine");
    let run = format!("dropped{}", std::process::id());
    let _not_to_be_collected = Alive::take(&run).expect("a lock");
    let owned = Owned::new(engine.clone(), &run);
    let name = format!("rd-{run}_mail");
    let (begun, waits) = tokio::sync::oneshot::channel();
    let (go_on, gate) = tokio::sync::oneshot::channel();
    let creation = tokio::spawn({
        let (owned, engine, run, name) = (owned.clone(), engine.clone(), run.clone(), name.clone());
        async move {
            let creating = async move {
                begun.send(()).expect("awaited");
                gate.await.expect("let go on");
                volume(&engine, &name, run_labels(&run).into_iter().collect()).await;
                Ok(())
            };
            owned.create(creating).await
        }
    });
    waits.await.expect("begun");
    creation.abort();
    assert!(creation.await.expect_err("dropped").is_cancelled());

    let mut removal = std::pin::pin!(owned.remove_all(None, Duration::from_secs(60)));
    // As long as others, who know of no creation, find nothing, and more than once.
    tokio::select! {
        early = &mut removal => panic!("removed before it was created: {early:?}"),
        () = async {
            for _ in 0..5 {
                Owned::new(engine.clone(), &run).remove_all(None, Duration::from_secs(60)).await.expect("nothing is there yet");
            }
        } => {}
    }
    go_on.send(()).expect("the creation goes on");
    assert_eq!(removal.await.expect("removed"), [name].into());
    common::assert_nothing_left(&run).await;
    // One that does not end does not keep the rest from being removed.
    let _never = tokio::spawn({
        let owned = owned.clone();
        async move { owned.create(std::future::pending::<restore_drill::Result<()>>()).await }
    });
    owned.remove_all(None, Duration::from_secs(1)).await.expect("nothing is there");
}

/// What a service would still do within the time that it has for its end is of no use to anybody: its volumes go too.
#[tokio::test(flavor = "multi_thread")]
async fn a_removal_does_not_wait_for_a_service_that_does_not_end() {
    let engine = Engine::connect().await.expect("an engine");
    ensure_swarm(&engine, &Events::default()).await.expect("a swarm");
    let run = format!("endless{}", std::process::id());
    let _not_to_be_collected = Alive::take(&run).expect("a lock");
    let (name, label) = (format!("rd-{run}_app"), format!("{RUN_LABEL}={run}"));
    let (image, mount) = (common::standin("mailu", "db").await, format!("type=volume,source=rd-{run}_data,target=/data"));
    let mut create = std::process::Command::new("docker");
    create.args(["service", "create", "--quiet", "--name", &name, "--label", &label, "--container-label", &label]);
    create.args(["--mount", &format!("{mount},volume-label={label}"), "--stop-grace-period", "10m", "--entrypoint", "sh"]);
    create.args([&image, "-c", "trap '' TERM; touch /data/began; while :; do sleep 1; done"]);
    let created = create.output().expect("docker runs");
    assert!(created.status.success(), "{}", common::stderr(&created));

    let removed = Owned::new(engine, &run).remove_all(None, Duration::from_secs(120)).await.expect("removed");
    assert_eq!(removed, [format!("rd-{run}_data")].into());
    common::assert_nothing_left(&run).await;
}

/// What `docker stack deploy` made without a label is found by the stack's name. A container of an image that has a run's label is
/// whoever's made the image.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_unlabelled_in_the_runs_stack_is_removed_and_what_inherited_its_label_is_not() {
    let engine = Engine::connect().await.expect("an engine");
    let run = format!("unlabelled{}", std::process::id());
    let alive = Alive::take(&run).expect("a lock");
    let of_stack = |stack: &str| HashMap::from([(NAMESPACE_LABEL.to_owned(), stack.to_owned())]);
    let (ours, others) = (format!("rd-{run}_a"), format!("rd-{run}x_a"));
    volume(&engine, &ours, of_stack(&format!("rd-{run}"))).await;
    volume(&engine, &others, of_stack(&format!("rd-{run}x"))).await;

    let base = common::standin("mailu", "db").await;
    let commit = |labels: HashMap<String, String>| ContainerConfig { labels: Some(labels), ..Default::default() };
    let body = |image: &str| ContainerCreateBody { image: Some(image.into()), ..Default::default() };
    let (docker, options) = (&engine.docker, None::<CreateContainerOptions>);
    let source = docker.create_container(options.clone(), body(&base)).await.expect("a container").id;
    let tag = format!("rd-ownership-{}", std::process::id());
    let of = CommitContainerOptionsBuilder::default().container(&source).repo(&tag).tag("1").build();
    docker.commit_container(of, commit(run_labels(&run).into_iter().collect())).await.expect("an image");
    let theirs = docker.create_container(options, body(&format!("{tag}:1"))).await.expect("a container").id;

    let owned = Owned::new(engine.clone(), &run);
    assert_eq!(owned.remove_all(None, Duration::from_secs(30)).await.expect("removed"), [ours.clone()].into());
    assert!(!is_there(&engine, &ours).await && is_there(&engine, &others).await);
    docker.inspect_container(&theirs, None::<InspectContainerOptions>).await.expect("it is still there");
    drop(alive);
    let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(30), |_| ()).await.expect("collected");
    assert!(!collected.removed.contains(&run), "{collected:?}");
    Alive::take(&run).expect("free").tidy();

    for container in [&theirs, &source] {
        docker.remove_container(container, None::<RemoveContainerOptions>).await.expect("the test's own");
    }
    docker.remove_image(&format!("{tag}:1"), None::<RemoveImageOptions>, None).await.expect("the test's own");
    docker.remove_volume(&others, None::<RemoveVolumeOptions>).await.expect("the test's own");
}

/// A run of another host may live: it is left alone.
#[tokio::test]
async fn a_run_of_another_host_is_left_alone() {
    let engine = Engine::connect().await.expect("an engine");
    let run = format!("foreign{}", std::process::id());
    let mut labels = run_labels(&run);
    labels.insert(restore_drill::stack::HOST_LABEL.into(), "elsewhere".into());
    let name = format!("rd-{run}_mail");
    volume(&engine, &name, labels.into_iter().collect()).await;
    let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(30), |_| ()).await.expect("collected");
    assert!(collected.unknown.contains(&run), "{collected:?}");
    let error = gc::collect(&engine, gc::Which::Run(&run), Duration::from_secs(30), |_| ()).await.expect_err("it may be alive");
    assert!(error.to_string().contains("--force"), "{error}");
    assert!(is_there(&engine, &name).await);
    let collected = gc::collect(&engine, gc::Which::Forced(&run), Duration::from_secs(30), |_| ()).await.expect("collected");
    assert_eq!(collected.removed, [run]);
    assert!(!is_there(&engine, &name).await);
}

/// The engine's removing calls are made in `stack/ownership.rs` and nowhere else, its creating calls by what is made there to
/// last.
#[test]
fn everything_that_removes_or_creates_goes_through_one_place() {
    const CALLS: [&str; 12] = [
        ".remove_volume(",
        ".delete_service(",
        ".remove_network(",
        ".remove_container(",
        ".delete_secret(",
        ".delete_config(",
        ".update_service(",
        ".kill_container(",
        ".prune_",
        ".remove_image(",
        "\"stack\", \"rm\"",
        "\"volume\", \"rm\"",
    ];
    const CREATING: [&str; 6] =
        [".create_volume(", ".create_service(", ".create_network(", ".create_container(", ".create_secret(", ".create_config("];
    let mut files = vec![common::root().join("harness/src")];
    let (mut seen, mut creations) = (0, 0);
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).expect("a folder").flatten().map(|e| e.path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a file");
        if path.ends_with("stack/ownership.rs") {
            seen = CALLS.iter().filter(|c| text.contains(**c)).count();
            continue;
        }
        for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
            // The guard's own calls are how the others remove.
            let line = line.replace("owned.remove_container(", "");
            for call in CALLS {
                assert!(!line.contains(call), "{} calls {call} past the guard: {line}", path.display());
            }
            if CREATING.iter().any(|call| line.contains(call)) {
                assert!(line.contains("owned.create(async move {"), "{} creates past the guard: {line}", path.display());
                creations += 1;
            }
        }
    }
    assert!(seen >= 7, "the guard makes these calls itself, or this test looks for the wrong ones: {seen}");
    assert!(creations >= 3, "this test looks for the wrong calls: {creations}");
}

/// The lock of a run ends with it, and says so at once.
#[tokio::test]
async fn a_lock_is_held_as_long_as_its_run_or_its_children_live() {
    let run = format!("lock{}", std::process::id());
    assert_eq!(alive::is_held(&run).expect("asked"), None);
    let lock = Alive::take(&run).expect("a lock");
    assert_eq!(alive::is_held(&run).expect("asked"), Some(true));
    assert!(Alive::take(&run).is_err(), "one process a run");
    // A child that inherited the lock keeps the run alive when the parent is gone.
    let mut child =
        std::process::Command::new("sleep").arg("60").stdin(lock.inherit().expect("a handle")).spawn().expect("sleep");
    drop(lock);
    assert_eq!(alive::is_held(&run).expect("asked"), Some(true), "the child holds it");
    child.kill().expect("the test's own");
    child.wait().expect("ended");
    assert_eq!(alive::is_held(&run).expect("asked"), Some(false), "as after SIGKILL");
    Alive::take(&run).expect("free").tidy();
    assert_eq!(alive::is_held(&run).expect("asked"), None);
}

/// The engine, in a swarm.
async fn swarm() -> Engine {
    let engine = Engine::connect().await.expect("an engine");
    ensure_swarm(&engine, &Events::default()).await.expect("a swarm");
    engine
}

/// As many at once as said, in the order in which they came, and whoever waits is told who is ahead. What is dead keeps nobody waiting.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_is_fair_and_the_dead_do_not_stand_in_it() {
    let engine = swarm().await;
    let name = |what: &str| format!("line{}{what}", std::process::id());
    // Drills of other tests are in the line too, and may end at any time, so only ours are looked at.
    let ours = |ahead: &str| ["a", "b", "c"].into_iter().filter(|w| ahead.contains(&name(w))).collect::<String>();
    let mut leases = Vec::new();
    let owned = |what| Owned::new(engine.clone(), &name(what));
    for what in ["a", "b"] {
        leases.push(Lease::take(&owned(what), "test").await.expect("a lease"));
        wait_for_place(&owned(what), "test", u8::MAX, |ahead| panic!("{ahead}")).await.expect("a place");
    }
    let c = Lease::take(&owned("c"), "test").await.expect("a lease");
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let mut third = tokio::spawn({
        let (owned, told) = (owned("c"), told.clone());
        async move { wait_for_place(&owned, "test", 1, |ahead| told.send(ahead).expect("heard")).await }
    });
    let ahead = hears.recv().await.expect("told");
    assert_eq!(ours(&ahead), "ab", "{ahead}");
    assert!(ahead.contains("(test, "), "{ahead}");
    // Dead: killed, so that its lock is free, and its lease and place are still there.
    let b = leases.pop().expect("b");
    drop(b);
    loop {
        let ahead = hears.recv().await.expect("told");
        if ours(&ahead) == "a" {
            break;
        }
    }
    leases.pop().expect("a").end(Duration::from_secs(60)).await.expect("ended");
    tokio::select! {
        taken = &mut third => taken.expect("it ran").expect("a place"),
        // Drills of others are ahead, and of ours none.
        ahead = hears.recv() => assert_eq!(ours(&ahead.expect("told")), ""),
    }
    third.abort();
    c.end(Duration::from_secs(60)).await.expect("ended");
    // Another test's collection may be at it.
    while gc::runs(&engine).await.expect("listed").contains_key(&name("b")) {
        gc::collect(&engine, gc::Which::Dead, Duration::from_secs(60), |_| ()).await.expect("collected");
    }
    for what in ["a", "b", "c"] {
        common::assert_nothing_left(&name(what)).await;
    }
}

/// A run that lives is left alone by name too; who ends it by force is told what he ends, and the run sees it.
#[tokio::test(flavor = "multi_thread")]
async fn a_live_run_is_ended_only_by_force_and_sees_it() {
    let engine = swarm().await;
    let run = format!("forced{}", std::process::id());
    let owned = Owned::new(engine.clone(), &run);
    let lease = Lease::take(&owned, "radicale").await.expect("a lease");
    let name = format!("rd-{run}_mail");
    volume(&engine, &name, run_labels(&run).into_iter().collect()).await;
    let error = gc::collect(&engine, gc::Which::Run(&run), Duration::from_secs(60), |_| ()).await.expect_err("alive").to_string();
    assert!(error.starts_with(&format!("run {run} (radicale, for ")), "{error}");
    assert!(error.ends_with("is alive; nothing was removed. --force ends it"), "{error}");
    assert!(is_there(&engine, &name).await);
    assert!(lease.is_held().await);

    // Whoever has ended it is removing it.
    Leases::take_by_force(&engine, &run).await.expect("ended");
    let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(60), |_| ()).await.expect("collected");
    assert!(collected.taken.contains(&run) && !collected.live.contains(&run), "{collected:?}");
    assert!(is_there(&engine, &name).await);

    let told = std::sync::Mutex::new(String::new());
    let ending = |run: &str| run.clone_into(&mut told.lock().expect("unpoisoned"));
    let collected = gc::collect(&engine, gc::Which::Forced(&run), Duration::from_secs(60), ending).await.expect("collected");
    assert_eq!(collected.removed, std::slice::from_ref(&run));
    assert!(told.into_inner().expect("unpoisoned").starts_with(&format!("run {run} (radicale, for ")));
    assert!(!is_there(&engine, &name).await);
    assert!(!lease.is_held().await);
    tokio::time::timeout(Duration::from_secs(60), lease.lost()).await.expect("it is told");
    lease.end(Duration::from_secs(60)).await.expect("nothing is left to remove");
    common::assert_nothing_left(&run).await;
}

/// Elsewhere there is no lock to ask: a run lives as long as its lease is renewed. Without one, nothing is known.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_from_elsewhere_lives_as_long_as_its_lease() {
    let engine = swarm().await;
    let run = format!("elsewhere{}", std::process::id());
    let name = format!("rd-{run}_mail");
    let mut labels: HashMap<_, _> = run_labels(&run).into_iter().collect();
    labels.insert(restore_drill::stack::HOST_LABEL.into(), "elsewhere".into());
    volume(&engine, &name, labels.clone()).await;
    let life = async || Leases::read(&engine).await.expect("read").life(&run, "elsewhere").expect("asked");
    assert_eq!(life().await, Life::Unknown);
    // As its own process on another machine makes it, and then is silent.
    labels.insert("restore-drill.lease".into(), "held".into());
    let spec = ConfigSpec {
        name: Some(format!("rd-{run}_lease")),
        labels: Some(labels),
        data: Some("Cg==".into()),
        ..Default::default()
    };
    engine.docker.create_config(spec).await.expect("a lease");
    assert!(matches!(life().await, Life::Alive(_)));
    let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(60), |_| ()).await.expect("collected");
    assert!(collected.live.contains(&run), "{collected:?}");
    assert!(is_there(&engine, &name).await);
    // Others that run at the same time may collect it first.
    while is_there(&engine, &name).await {
        let alive = matches!(life().await, Life::Alive(_));
        let collected = gc::collect(&engine, gc::Which::Dead, Duration::from_secs(60), |_| ()).await.expect("collected");
        assert!(
            !alive
                || [&collected.removed, &collected.live, &collected.taken].iter().any(|runs| runs.contains(&run))
                || !is_there(&engine, &name).await,
            "{collected:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    common::assert_nothing_left(&run).await;
}

/// Keeps the notes.
#[derive(Clone, Default)]
struct Notes(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Sink for Notes {
    fn event(&self, event: &Event) {
        if let Event::Note { message } = event {
            self.0.lock().expect("unpoisoned").push(message.clone());
        }
    }
}

/// An image that two runs need is built by one of them; the other says whom it waits for. A claim of a dead run keeps nobody waiting.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_built_by_one_run_only() {
    let engine = swarm().await;
    let dir = tempfile::tempdir().expect("a directory");
    let name = |what: &str| format!("build{}{what}", std::process::id());
    std::fs::write(dir.path().join("Dockerfile"), format!("ARG BASE\nFROM ${{BASE}}\nRUN echo {} > /what\n", name("")))
        .expect("written");
    let context =
        ImageContext { repository: "restore-drill/test".into(), context: dir.path().into(), extra: vec![], version: None };
    let sources = BTreeMap::from([("app".to_owned(), context)]);
    let build = async |what: &str| {
        let (owned, notes) = (Owned::new(engine.clone(), &name(what)), Notes::default());
        let lease = Lease::take(&owned, "test").await.expect("a lease");
        let events = Events::new(vec![Box::new(notes.clone())]);
        let built = images::ensure_images(&owned, &sources, &events, |_, _| ()).await.expect("built");
        lease.end(Duration::from_secs(60)).await.expect("ended");
        let notes = std::mem::take(&mut *notes.0.lock().expect("unpoisoned"));
        (built["app"].clone(), notes.into_iter().filter(|n| n.contains("is being built")).collect::<Vec<_>>())
    };
    let ((image, a), (same, b)) = tokio::join!(build("a"), build("b"));
    assert_eq!(image, same);
    let waits = |for_: &str| vec![format!("Image {image} is being built by run {}: waiting for it.", name(for_))];
    assert!((a == waits("b") && b.is_empty()) || (b == waits("a") && a.is_empty()), "{a:?} {b:?}");

    engine.docker.remove_image(&image, None::<RemoveImageOptions>, None).await.expect("the test's own");
    // As a run leaves it that was killed while it built.
    let labels = run_labels(&name("dead")).into_iter().collect();
    let claim = format!("restore-drill-build-{}", &hex::encode(Sha256::digest(&image))[..16]);
    let spec = ConfigSpec { name: Some(claim), labels: Some(labels), data: Some("Cg==".into()), ..Default::default() };
    engine.docker.create_config(spec).await.expect("a claim");
    let (same, c) = build("c").await;
    assert_eq!(image, same);
    // Another test's collection may have begun to remove the claim.
    assert!(c.is_empty() || c == waits("dead"), "{c:?}");
    engine.docker.remove_image(&image, None::<RemoveImageOptions>, None).await.expect("the test's own");
    for what in ["a", "b", "c", "dead"] {
        common::assert_nothing_left(&name(what)).await;
    }
}
