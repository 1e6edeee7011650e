//! The fence: what a recipe takes from outside is made anew for the run. What others have beside the drill is, to the byte and to
//! the label, what it was; nobody there reaches the drill, and nothing gets out of it.

mod common;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
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
use restore_drill::stack::{RUN_LABEL, ensure_swarm, through_engine};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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
        # The drill's bot has all volumes of the engine, and restic follows a link in the place of a folder.
        - \"backupbot.restore.pre-hook=sh -c 'rm -rf /data/collections; ln -s /var/lib/docker/volumes/{foreign}/_data /data/collections'\"
      # A drill runs on its own node, wherever the recipe would.
      placement: {{constraints: [node.role == worker]}}
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
    let (engine, name, container) = (foreign.engine.clone(), foreign.name.clone(), foreign.container.clone());
    let drilled = tokio::spawn(drill_beside(engine, name, container)).await;
    let after = foreign.seen().await;
    foreign.remove().await;
    assert_nothing_left(&drilled.expect("a drill")).await;
    assert_eq!(after, before);
}

/// A whole drill of a recipe that takes everything from what stands beside it. Gives the run.
async fn drill_beside(engine: Engine, name: String, production: String) -> String {
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
        nobody_reaches_it(&engine, &drill, &production).await;
        nothing_gets_out(&engine, &drill, &production).await;
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

/// An address of this machine that others on its networks reach.
fn address_of_host() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    // Nothing is sent: the system chooses the address from which it would be.
    socket.connect("192.0.2.1:9").expect("a route");
    socket.local_addr().expect("an address").ip()
}

/// What a container hears at an address: what is said there, to a request of HTTP; or what Python says. A machine's own network may
/// answer for any address, so that something answers means nothing.
async fn hears(engine: &Engine, container: &str, address: SocketAddr) -> String {
    let script = "\
import socket, sys
try:
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    c.settimeout(3)
    c.sendall(b'HEAD / HTTP/1.0\\r\\n\\r\\n')
    print(c.recv(4096))
except OSError as e:
    print(e)";
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    engine.exec_in(container, &["python3", "-c", script, &ip, &port], &[], None).await.expect("run").stdout
}

/// What is said at an address of this machine, to a request of HTTP.
async fn says(address: SocketAddr) -> std::io::Result<String> {
    let asked = async {
        let mut connection = TcpStream::connect(address).await?;
        connection.write_all(b"HEAD / HTTP/1.0\r\n\r\n").await?;
        let mut said = String::new();
        connection.read_to_string(&mut said).await.map(|_| said)
    };
    tokio::time::timeout(Duration::from_secs(20), asked).await.expect("an answer")
}

/// The doors answer on 127.0.0.1 and at no other address, and no container outside reaches what runs.
async fn nobody_reaches_it(engine: &Engine, drill: &Drill, production: &str) {
    let port = drill.app.relay.port("http").expect("open");
    let radicale = "WSGIServer";
    assert!(says((Ipv4Addr::LOCALHOST, port).into()).await.expect("an answer").contains(radicale));
    assert!(TcpStream::connect((address_of_host(), port)).await.is_err(), "{}:{port} answers", address_of_host());

    let filter = label_filter([(RUN_LABEL, drill.app.owned.run())]);
    let mut tried = 0;
    for object in objects(engine, &filter).await.expect("listed").into_iter().filter(|o| o.kind == Kind::Container) {
        let found = engine.docker.inspect_container(&object.id, None).await.expect("a container");
        let settings = found.network_settings.expect("settings");
        for binding in settings.ports.unwrap_or_default().into_values().flatten().flatten() {
            assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"), "{object:?}");
        }
        let addresses = settings.networks.unwrap_or_default().into_values().filter_map(|n| n.ip_address?.parse::<IpAddr>().ok());
        // Radicale's port, and those of the relay: where it says whose it is, and the first door.
        for address in addresses.flat_map(|a| [5232, 10_000, 10_001].map(|port| (a, port).into())) {
            let said = hears(engine, production, address).await;
            assert!(!said.contains(radicale) && !said.contains(drill.app.owned.run()), "{address} of {object:?}: {said}");
            tried += 1;
        }
    }
    assert!(tried >= 12, "the app, the way in, the resolver: {tried}");
    let app = format!("{}_app", drill.app.stack.name);
    let found = engine.exec_in(production, &["getent", "hosts", &app], &[], None).await.expect("run");
    assert_eq!(found.stdout, "", "the drill's services have no names outside");

    // The way in for those who reach the engine alone.
    let relay = drill.app.relay.container().expect("open");
    let (port, listening) = through_engine::listen(engine, &relay, "app", 5232).await.expect("a port");
    assert!(says((Ipv4Addr::LOCALHOST, port).into()).await.expect("an answer").contains(radicale));
    drop(listening);
}

/// Of a listener on this machine, and of production's container: production reaches the first, the app neither. No name of the world
/// is found but the one that the resolver knows.
async fn nothing_gets_out(engine: &Engine, drill: &Drill, production: &str) {
    let listener = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let outside = SocketAddr::new(address_of_host(), listener.local_addr().expect("an address").port());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client.write_all(b"outside").await;
        }
    });
    assert_eq!(hears(engine, production, outside).await, "b'outside'\n");
    let app = engine.container_of(&drill.app.stack.service("app")).await.expect("asked").expect("the app");
    let said = hears(engine, &app, outside).await;
    assert!(said.contains("unreachable"), "{said}");
    let relay = drill.app.relay.container().expect("open");
    for container in [&app, &relay] {
        let found = engine.docker.inspect_container(container, None).await.expect("a container");
        let networks = found.network_settings.and_then(|s| s.networks).unwrap_or_default();
        assert!(!networks.contains_key("bridge") && !networks.contains_key("docker_gwbridge"), "{networks:?}");
    }
    let look_up = "import socket\ntry:\n    print(socket.gethostbyname('debian.org'))\n\
                   except OSError as e:\n    print('no name')\nprint(socket.gethostbyname('example.org'))";
    let said = engine.exec_in(&app, &["python3", "-c", look_up], &[], None).await.expect("run").stdout;
    assert_eq!(said, "no name\n192.0.2.1\n");
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
    assert!(said.contains("compose.yml:4: app: privileged is not allowed in a drill"), "{said}");
    assert!(said.contains("compose.yml:5: app: mount /var/run/docker.sock is not allowed in a drill"), "{said}");
    assert!(!evidence.exists(), "nothing was begun");
}
