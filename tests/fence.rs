//! The fence: what a recipe takes from outside is made anew for the run. What others have beside the drill is, to the byte and to
//! the label, what it was.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    ConfigSpec, ContainerCreateBody, EndpointSettings, HostConfig, NetworkCreateRequest, NetworkingConfig, SecretSpec,
    VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectNetworkOptions, RemoveContainerOptionsBuilder, RemoveVolumeOptions,
    StartContainerOptions,
};
use engine::{Engine, NAMESPACE_LABEL, label_filter};
use judge::model::Status;
use restore_drill::drill::{self, Drill, Options};
use restore_drill::exit_code;
use restore_drill::stack::objects::{Kind, objects};
use restore_drill::stack::{RUN_LABEL, ensure_swarm};
use serde_json::{Value, json};

use common::{assert_nothing_left, guarded};

/// What stands beside the drill, as production does.
struct Foreign {
    engine: Engine,
    name: String,
    container: String,
}

impl Foreign {
    /// A container with a file in a volume, on an overlay network, under the alias that the drill's service has too; a secret; a config.
    async fn create(image: &str) -> Self {
        let engine = Engine::connect().await.expect("an engine");
        ensure_swarm(&engine, &restore_drill::events::Events::default()).await.expect("a swarm");
        let name = format!("production-{}", std::process::id());
        let docker = &engine.docker;
        let labels = || Some(HashMap::from([("owner".to_owned(), "somebody else".to_owned())]));
        let request = VolumeCreateRequest { name: Some(name.clone()), labels: labels(), ..Default::default() };
        docker.create_volume(request).await.expect("a volume");
        let request = NetworkCreateRequest {
            name: name.clone(),
            driver: Some("overlay".into()),
            attachable: Some(true),
            labels: labels(),
            ..Default::default()
        };
        docker.create_network(request).await.expect("a network");
        let spec = SecretSpec {
            name: Some(name.clone()),
            labels: labels(),
            data: Some("cHJvZHVjdGlvbg==".into()),
            ..Default::default()
        };
        docker.create_secret(spec).await.expect("a secret");
        let spec = ConfigSpec {
            name: Some(name.clone()),
            labels: labels(),
            data: Some("cHJvZHVjdGlvbg==".into()),
            ..Default::default()
        };
        docker.create_config(spec).await.expect("a config");
        let endpoint = EndpointSettings { aliases: Some(vec!["app".into()]), ..Default::default() };
        let body = ContainerCreateBody {
            image: Some(image.into()),
            entrypoint: Some(vec!["sh".into(), "-c".into()]),
            cmd: Some(vec![
                "echo production > /data/file; touch -d @1000 /data/file /data; touch /ready; exec sleep 3600".into(),
            ]),
            user: Some("0".into()),
            labels: labels(),
            host_config: Some(HostConfig { binds: Some(vec![format!("{name}:/data")]), init: Some(true), ..Default::default() }),
            networking_config: Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(name.clone(), endpoint)])) }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let container = docker.create_container(Some(options), body).await.expect("a container").id;
        docker.start_container(&container, None::<StartContainerOptions>).await.expect("started");
        let foreign = Self { engine, name, container };
        let ready = || async {
            let ready = foreign.run("test -e /ready && echo ready").await == "ready\n";
            Ok::<_, engine::Error>(if ready { Ok(()) } else { Err("waiting for the foreign container".to_owned()) })
        };
        engine::until(Duration::from_secs(60), ready).await.expect("ready");
        foreign
    }

    async fn run(&self, script: &str) -> String {
        let output = self.engine.exec_in(&self.container, &["sh", "-c", script], &[], None).await.expect("run");
        output.stdout
    }

    /// Everything that can be seen of it.
    async fn seen(&self) -> BTreeMap<&'static str, Value> {
        let docker = &self.engine.docker;
        let network = docker.inspect_network(&self.name, None::<InspectNetworkOptions>).await.expect("a network");
        let volume = docker.inspect_volume(&self.name).await.expect("a volume");
        let container = docker.inspect_container(&self.container, None).await.expect("a container");
        let aliases = "getent ahostsv4 app | cut -d' ' -f1 | sort -u";
        BTreeMap::from([
            ("network", json!(network)),
            ("volume", json!(volume)),
            ("secret", json!(docker.inspect_secret(&self.name).await.expect("a secret"))),
            ("config", json!(docker.inspect_config(&self.name).await.expect("a config"))),
            ("container", json!([container.id, container.state.and_then(|s| s.started_at)])),
            ("files", json!(self.run("find /data -printf '%p %y %s %m %U:%G %T@\\n'; cat /data/file").await)),
            ("address of app", json!(self.run(aliases).await)),
        ])
    }

    async fn remove(self) {
        let docker = &self.engine.docker;
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.remove_container(&self.container, Some(options)).await.expect("the test's own");
        docker.remove_volume(&self.name, None::<RemoveVolumeOptions>).await.expect("the test's own");
        docker.delete_secret(&self.name).await.expect("the test's own");
        docker.delete_config(&self.name).await.expect("the test's own");
        docker.remove_network(&self.name).await.expect("the test's own");
    }
}

/// Radicale as operators publish recipes: behind a proxy's network, with secrets and configs that others made.
fn recipe(foreign: &str, dir: &Path) {
    let text = format!(
        "\
version: '3.8'
services:
  app:
    image: tomsquest/docker-radicale:3.1.8.0
    environment:
      TOKEN: ${{CARGO_MANIFEST_DIR:-none}}
      CALLER: ${{HOME:-nobody}}
    networks: {{proxy: {{aliases: [app]}}, internal: null}}
    secrets: [api_key]
    configs: [{{source: settings, target: /settings}}, {{source: theirs, target: /theirs.conf}}]
    volumes: ['data:/data', 'theirs:/theirs']
    deploy:
      labels:
        - traefik.enable=true
        - traefik.http.routers.dav.rule=Host(`dav.example.org`)
        - coop-cloud.${{STACK_NAME}}.version=1.0.0+3.1.8.0
        - backupbot.backup=true
networks:
  proxy: {{external: true, name: {foreign}}}
  internal:
volumes:
  data:
  theirs: {{external: true, name: {foreign}}}
secrets:
  api_key: {{external: true, name: {foreign}}}
configs:
  settings: {{file: settings.conf}}
  theirs: {{external: true, name: {foreign}}}
"
    );
    std::fs::write(dir.join("compose.yml"), text).expect("written");
    std::fs::write(dir.join("settings.conf"), "the recipe's").expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_beside_production_touches_nothing_of_it() {
    let image = common::standin("radicale", "app").await;
    let foreign = Foreign::create(&image).await;
    let before = foreign.seen().await;
    let one = |seen: &BTreeMap<&str, Value>| seen["address of app"].as_str().is_some_and(|a| a.lines().count() == 1);
    assert!(one(&before), "{before:?}");

    // In a task of its own, so that what stands beside goes also where a check fails.
    let (engine, name) = (foreign.engine.clone(), foreign.name.clone());
    let drilled = tokio::spawn(drill_beside(engine, name)).await;
    let after = foreign.seen().await;
    foreign.remove().await;
    assert_nothing_left(&drilled.expect("a drill")).await;
    assert_eq!(after, before);
}

/// A whole drill of a recipe that takes everything from what stands beside it. Gives the run.
async fn drill_beside(engine: Engine, name: String) -> String {
    let scenarios = common::copy_of_scenarios();
    recipe(&name, &scenarios.path().join("scenarios/radicale"));
    let inventory = scenarios.path().join("scenarios/radicale/inventory.toml");
    let theirs = "\n[[volume]]\nname = 'theirs'\nservice = 'app'\nmount = '/theirs'\nclass = 'cache'\nwhy = 'Others make it.'\n";
    let text = std::fs::read_to_string(&inventory).expect("read");
    std::fs::write(&inventory, text + theirs).expect("written");

    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::new(scenarios.path().join("scenarios"), "radicale");
    options.profile = "tiny".into();
    options.evidence = Some(dir.path().to_owned());
    let play = |drill: Arc<Drill>| async move {
        let verdict = drill::play(&drill, None).await?;
        let stack = &drill.app.stack.name;
        let all = objects(&engine, &label_filter([(NAMESPACE_LABEL, stack.as_str())])).await?;
        for object in &all {
            assert_eq!(object.labels.get(RUN_LABEL).map(String::as_str), Some(drill.app.owned.run()), "{object:?}");
            assert!(object.labels.keys().all(|label| !label.starts_with("traefik")), "{object:?}");
        }
        for kind in [Kind::Service, Kind::Volume, Kind::Network, Kind::Secret, Kind::Config] {
            assert!(all.iter().any(|o| o.kind == kind), "no {kind:?}: {all:?}");
        }
        let script = "echo $TOKEN $CALLER; cat /settings /theirs.conf; ls -A /theirs 2>/dev/null; wc -c < /run/secrets/api_key";
        let output = engine.exec(&drill.app.stack.service("app"), &["sh", "-c", script], &[], None).await?;
        let joined = engine.docker.inspect_network(&name, None::<InspectNetworkOptions>).await.expect("a network");
        Ok((drill.app.owned.run().to_owned(), verdict, output.stdout, joined.containers.unwrap_or_default().len()))
    };
    assert!(
        std::env::var_os("CARGO_MANIFEST_DIR").is_some() && std::env::var_os("HOME").is_some(),
        "the caller has what is asked for"
    );
    let ((run, verdict, said, on_their_network), _) = guarded(options, play).await.expect("a drill");
    assert_eq!(verdict.status, Status::Held, "{:#?}", verdict.findings);
    assert!(said.starts_with("none nobody\nthe recipe's\n"), "{said}");
    assert!(!said.contains("production"), "{said}");
    assert!(on_their_network <= 2, "the foreign container and the network's own endpoint: {on_their_network}");
    run
}

/// Before anything is created, with file and line.
#[test]
fn a_recipe_that_reaches_the_host_is_refused() {
    let (scenarios, dir) = (common::copy_of_scenarios(), tempfile::tempdir().expect("a directory"));
    let text = "services:\n  app:\n    image: x\n    privileged: true\n    volumes: ['data:/data', '/var/run/docker.sock:/s']\nvolumes:\n  data:\n";
    let scenarios = scenarios.path().join("scenarios");
    std::fs::write(scenarios.join("radicale/compose.yml"), text).expect("written");
    let evidence = dir.path().join("run");
    let path = |path: &Path| path.to_str().expect("a path").to_owned();
    let output = common::restore_drill(&["run", "radicale", "--scenarios", &path(&scenarios), "--evidence", &path(&evidence)]);
    let said = common::stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
    assert!(said.contains("compose.yml:4: app: privileged reaches the host"), "{said}");
    assert!(said.contains("compose.yml:5: app: mount /var/run/docker.sock reaches the host"), "{said}");
    assert!(!evidence.exists(), "nothing was begun");
}
