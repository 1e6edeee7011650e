//! What of the host a recipe asks for: folders, devices, namespaces, capabilities, drivers that mount what is elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::Ipv4Net;

use super::Allowed;
use super::files;
use crate::compose::Compose;
use crate::compose::mount;
use crate::compose::variable::made;
use crate::compose::yaml::Node;
use crate::error::{Problem, Problems, Result};
use crate::labels;

/// What of a service gives it something of the host, whatever the value is.
const NAMESPACES: [&str; 11] = [
    "network_mode",
    "pid",
    "ipc",
    "uts",
    "userns_mode",
    "cgroup",
    "cgroup_parent",
    "credential_spec",
    "runtime",
    // Whom the kernel ends first, when the host has no memory left.
    "oom_score_adj",
    "oom_kill_disable",
];
/// Lists of a service whose items each give it something of the host, and what an item is called.
const LISTS: [(&str, &str); 6] = [
    ("devices", "device"),
    ("cap_add", "capability"),
    ("security_opt", "security_opt"),
    ("device_cgroup_rules", "device_cgroup_rule"),
    ("volumes_from", "volumes_from"),
    ("gpus", "gpus"),
];
/// Options of a network that are about itself alone.
const OF_NETWORKS: [&str; 2] = ["encrypted", "com.docker.network.driver.mtu"];
/// The widest subnet that a network of a recipe's may take, as its prefix, and how many: the engine has its own from the same addresses.
const WIDEST: u8 = 16;
const MOST_POOLS: usize = 2;
/// How many containers of a service a drill starts without being told that it may start more.
const MOST_REPLICAS: u64 = 20;
/// The socket of the engine, whose owner can do anything on its host.
const SOCKET: &str = "docker.sock";

/// Something that a recipe asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reach {
    /// Who: a service, or a volume.
    who: String,
    /// What, in the words with which a scenario allows it.
    what: String,
    /// What can be done about it besides.
    hint: &'static str,
    /// The line.
    line: usize,
}

/// Checks that a compose file reaches nothing of the host but what is allowed, and that the files that it names are the recipe's own. It
/// looks at what docker makes of the texts; of variables that `env` lacks that is nothing.
///
/// # Errors
/// Everything that does, with file and line.
pub fn check(compose: &Compose, env: &BTreeMap<String, String>, allowed: &[Allowed]) -> Result<()> {
    let mut problems = Problems::default();
    let mut add = |line, message| problems.add(Problem { file: compose.file.clone(), line: Some(line), message });
    let is_allowed = |r: &Reach| allowed.iter().any(|a| a.service == r.who && a.what == r.what);
    for reach in reaches(compose, env).into_iter().filter(|r| !is_allowed(r)) {
        let Reach { who, what, hint, line } = reach;
        add(
            line,
            format!(
                "{who}: {what} is not allowed in a drill: remove it{hint}; or allow it in scenario.toml with \
                 [[allow]], service = {who:?}, what = {what:?} and the reason as why"
            ),
        );
    }
    problems.keep(check_files(compose, env))?;
    problems.into_result()
}

/// Checks that the files that a compose file names are the recipe's own.
///
/// # Errors
/// Every one that is not, with file and line.
pub fn check_files(compose: &Compose, env: &BTreeMap<String, String>) -> Result<()> {
    let mut problems = Problems::default();
    for (section, name, node, file) in named_files(compose, env) {
        let root = compose.file.parent().unwrap_or_else(|| std::path::Path::new("."));
        if let Err(e) = files::usable(root, &root.join(&file)) {
            let message = format!("{section} {name}: file {file:?} cannot be used: {e}");
            problems.add(Problem { file: compose.file.clone(), line: Some(node.line), message });
        }
    }
    problems.into_result()
}

fn reaches(compose: &Compose, env: &BTreeMap<String, String>) -> Vec<Reach> {
    let mut all = Vec::new();
    let section = |name: &str| compose.tree.get(name).into_iter().flat_map(Node::entries);
    for (name, _, service) in section("services") {
        of_service(name, service, env, &mut all);
    }
    for (name, _, volume) in section("volumes") {
        of_volume(name, volume, env, &mut all);
    }
    for (name, _, network) in section("networks") {
        let driver = network.get("driver").and_then(|d| Some((made(&d.scalar()?, env), d.line)));
        if let Some((driver, line)) = driver.filter(|(driver, _)| driver != "overlay") {
            let what = format!("network driver {driver}");
            all.push(Reach { who: name.to_owned(), what, hint: ", as stacks have overlay networks", line });
        }
        of_network(name, network, env, &mut all);
    }
    all
}

fn of_service(name: &str, service: &Node, env: &BTreeMap<String, String>, all: &mut Vec<Reach>) {
    let mut add = |what: String, hint, line| all.push(Reach { who: name.to_owned(), what, hint, line });
    for mount in service.get("volumes").into_iter().flat_map(Node::items) {
        if let Some(source) = bound(mount, env) {
            let hint = if source.ends_with(SOCKET) {
                ", as whoever has the engine's socket can do anything there"
            } else {
                ", or use a named volume"
            };
            add(format!("mount {source}"), hint, mount.line);
        }
    }
    for labels in [service.get("labels"), service.get("deploy").and_then(|d| d.get("labels"))].into_iter().flatten() {
        for (name, value, line) in labelled(labels, env).into_iter().filter(|(name, value, _)| leads_out(name, value)) {
            add(format!("label {name}={value}"), ", as its path leads out of the volume", line);
        }
    }
    if let Some(privileged) = service.get("privileged").filter(|p| p.scalar().is_some_and(|p| made(&p, env) != "false")) {
        add("privileged".to_owned(), "", privileged.line);
    }
    if let Some((replicas, line)) = too_many_replicas(service, env) {
        add(format!("replicas {replicas}"), ", as a drill starts no more than 20 containers of a service", line);
    }
    for key in NAMESPACES {
        if let Some(node) = service.get(key) {
            let value = node.scalar().map_or_else(|| "…".to_owned(), |v| made(&v, env));
            add(format!("{key} {value}"), "", node.line);
        }
    }
    for (key, word) in LISTS {
        let Some(list) = service.get(key) else { continue };
        for item in list.items_or_itself() {
            let value = item.scalar().map_or_else(|| "…".to_owned(), |v| made(&v, env));
            // An empty list asks for nothing.
            let is_empty_list = item.scalar().is_none() && item.items().is_empty() && item.entries().next().is_none();
            if !value.is_empty() && !is_empty_list {
                add(format!("{word} {value}"), "", item.line);
            }
        }
    }
}

/// How many containers of a service are asked for, if that is more than a drill starts, and in which line. Docker takes numbers such as
/// `1e3` too.
fn too_many_replicas(service: &Node, env: &BTreeMap<String, String>) -> Option<(String, usize)> {
    let (asked, line) = replicas(service, env)?;
    let few = asked.is_empty() || asked.parse::<u64>().is_ok_and(|n| n <= MOST_REPLICAS);
    (!few).then_some((asked, line))
}

/// How many containers of a service are asked for, as it is written, and in which line.
pub(super) fn replicas(service: &Node, env: &BTreeMap<String, String>) -> Option<(String, usize)> {
    let node = service.get("deploy")?.get("replicas")?;
    Some((made(&node.scalar()?, env), node.line))
}

/// Labels with their lines, from a list of `name=value` or from a map. Where a variable has `=` in it, a label of a list has two
/// readings, before and after it is replaced; either counts.
fn labelled(labels: &Node, env: &BTreeMap<String, String>) -> Vec<(String, String, usize)> {
    let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let items = labels.items().iter().flat_map(|item| {
        let text = item.scalar().unwrap_or_default();
        let before = pair(&text).map(|(name, value)| (made(&name, env), made(&value, env)));
        let readings: BTreeSet<_> = [before, pair(&made(&text, env))].into_iter().flatten().collect();
        readings.into_iter().map(|(name, value)| (name, value, item.line))
    });
    let entries =
        labels.entries().filter_map(|(name, key, value)| Some((made(name, env), made(&value.scalar()?, env), key.line)));
    items.chain(entries).collect()
}

/// Whether a label of the bot's names a path that leads out of its volume. The bot has all volumes of the engine.
fn leads_out(name: &str, value: &str) -> bool {
    name.starts_with(labels::VOLUMES)
        && name.ends_with(".path")
        && value.split(',').any(|path| path.split('/').any(|part| part.trim() == ".."))
}

/// Who gives a network its addresses, and the options of its driver: both may be about other networks of the host's.
fn of_network(name: &str, network: &Node, env: &BTreeMap<String, String>, all: &mut Vec<Reach>) {
    let mut add = |what: String, line| {
        all.push(Reach { who: name.to_owned(), what, hint: ", so that the network is the run's own", line });
    };
    let ipam = network.get("ipam");
    if let Some(driver) = ipam.and_then(|i| i.get("driver")) {
        let value = driver.scalar().map_or_else(|| "…".to_owned(), |d| made(&d, env));
        if value != "default" {
            add(format!("address driver {value}"), driver.line);
        }
    }
    let pools = ipam.and_then(|i| i.get("config"));
    for pool in pools.map(Node::items).unwrap_or_default() {
        let Some(node) = pool.get("subnet") else { continue };
        let subnet = node.scalar().map(|subnet| made(&subnet, env)).unwrap_or_default();
        if subnet.trim().parse::<Ipv4Net>().is_ok_and(|subnet| subnet.prefix_len() < WIDEST) {
            add(format!("subnet {subnet}"), node.line);
        }
    }
    if let Some(pools) = pools.filter(|pools| pools.items().len() > MOST_POOLS) {
        add(format!("{} address pools", pools.items().len()), pools.line);
    }
    for options in [network.get("driver_opts"), ipam.and_then(|i| i.get("options"))].into_iter().flatten() {
        for (option, key, _) in options.entries().filter(|(option, ..)| !OF_NETWORKS.contains(option)) {
            add(format!("network option {option}"), key.line);
        }
    }
}

fn of_volume(name: &str, volume: &Node, env: &BTreeMap<String, String>, all: &mut Vec<Reach>) {
    let mut add =
        |what, line| all.push(Reach { who: name.to_owned(), what, hint: ", so that the volume is the run's own", line });
    if let Some(driver) = volume.get("driver") {
        let value = driver.scalar().map(|d| made(&d, env)).unwrap_or_default();
        if !matches!(value.as_str(), "" | "local") {
            add(format!("volume driver {value}"), driver.line);
        }
    }
    // With options, the local driver mounts what the engine's host can mount: folders, disks, shares.
    if let Some(options) = volume.get("driver_opts").filter(|o| o.entries().next().is_some()) {
        let of = |key: &str| options.get(key).and_then(Node::scalar).map(|v| made(&v, env));
        let in_memory = of("type").as_deref() == Some("tmpfs") && of("device").is_none_or(|d| d == "tmpfs");
        if !in_memory {
            let what = of("device").or_else(|| of("type")).unwrap_or_else(|| "…".to_owned());
            add(format!("driver_opts {what}"), options.line);
        }
    }
}

/// The folder or file of the host that an entry of `volumes` binds.
fn bound(mount: &Node, env: &BTreeMap<String, String>) -> Option<String> {
    let Some(text) = mount.scalar() else {
        let of = |key: &str| mount.get(key).and_then(Node::scalar).map(|v| made(&v, env));
        return match of("type").as_deref() {
            Some("volume" | "tmpfs") => None,
            // Without a type, docker refuses the entry.
            _ => of("source").or_else(|| of("src")).or_else(|| Some("…".to_owned())),
        };
    };
    let text = made(&text, env);
    // Docker refuses a mount that begins with a colon.
    mount::source(&text).filter(|source| !source.is_empty() && !mount::is_volume(source)).map(str::to_owned)
}

/// The files that secrets, configs and `env_file` name: section, name, node, file.
pub(super) fn named_files<'a>(
    compose: &'a Compose,
    env: &BTreeMap<String, String>,
) -> Vec<(&'static str, &'a str, &'a Node, String)> {
    let mut all = Vec::new();
    for (section, word) in [("secrets", "secret"), ("configs", "config")] {
        for (name, _, object) in compose.tree.get(section).into_iter().flat_map(Node::entries) {
            if let Some((node, file)) = object.get("file").and_then(|f| Some((f, made(&f.scalar()?, env)))) {
                all.push((word, name, node, file));
            }
        }
    }
    for (name, _, service) in compose.tree.get("services").into_iter().flat_map(Node::entries) {
        let Some(list) = service.get("env_file") else { continue };
        for item in list.items_or_itself() {
            let file = item.scalar().or_else(|| item.get("path").and_then(Node::scalar));
            all.extend(file.map(|f| ("service", name, item, made(&f, env))));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn said(text: &str, allowed: &[Allowed]) -> Vec<String> {
        let compose = Compose::parse(Path::new("compose.yml"), text).expect("valid");
        let env = [("DATA", "/srv/data"), ("MANY", "21"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        match check(&compose, &env, allowed) {
            Ok(()) => vec![],
            Err(e) => {
                let text = e.to_string();
                let lines = text.lines().map(str::trim).filter(|l| l.starts_with("compose.yml:"));
                lines.map(|l| l.split(" is not allowed").next().unwrap_or_default().to_owned()).collect()
            }
        }
    }

    const RECIPE: &str = "\
services:
  app:
    image: x
    privileged: true
    network_mode: host
    pid: host
    cap_add: [NET_ADMIN, SYS_ADMIN]
    devices:
      - /dev/kvm:/dev/kvm
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock
      - ${DATA}:/data
      - ./own:/own:ro
      - named:/named
      - /anonymous
      - type: bind
        source: /etc
        target: /etc
      - {type: volume, source: named, target: /x}
      - {type: tmpfs, target: /tmp}
volumes:
  named:
  bound:
    driver_opts: {type: none, o: bind, device: /srv/x}
  memory:
    driver_opts: {type: tmpfs, device: tmpfs}
  share:
    driver: rexray
networks:
  lan: {driver: macvlan}
  internal: {driver: overlay}
";

    #[test]
    fn what_reaches_the_host_is_refused_with_its_line() {
        let expected = [
            "compose.yml:4: app: privileged",
            "compose.yml:5: app: network_mode host",
            "compose.yml:6: app: pid host",
            "compose.yml:7: app: capability NET_ADMIN",
            "compose.yml:7: app: capability SYS_ADMIN",
            "compose.yml:9: app: device /dev/kvm:/dev/kvm",
            "compose.yml:11: app: mount /var/run/docker.sock",
            "compose.yml:12: app: mount /srv/data",
            "compose.yml:13: app: mount ./own",
            "compose.yml:16: app: mount /etc",
            "compose.yml:24: bound: driver_opts /srv/x",
            "compose.yml:28: share: volume driver rexray",
            "compose.yml:30: lan: network driver macvlan",
        ];
        assert_eq!(said(RECIPE, &[]), expected);
    }

    #[test]
    fn no_way_of_writing_hides_what_reaches_the_host() {
        let text = "\
services:
  '1': {image: x, cap_add: [SYS_ADMIN]}
  many: {image: x, deploy: {replicas: '${MANY}'}}
  few: {image: x, deploy: {replicas: 20}}
  more: {image: x, oom_score_adj: -1000, deploy: {replicas: 1e3}}
  app:
    image: x
    volumes: ['a:x/../../etc:/mnt', 'b c:/mnt', 'a:/anonymous', 'data${NONE}:/data', '${NONE}/etc:/mnt']
    labels: {'backupbot.backup.volumes.data.path': 'ok,x/../../other/_data'}
    deploy: {labels: ['backupbot.backup.volumes.data.path=.${NONE}.', 'backupbot.backup.volumes.data.path=a..b/c', 'backupbot.backup.volumes.data.path$EMPTY-x=../../p']}
volumes:
  data:
  '2': {driver_opts: {type: none, o: bind, device: /}}
networks:
  'true': {driver: macvlan}
  lan:
    ipam: {driver: dhcp, options: {x: y}, config: [{subnet: 10.1.0.0/24}]}
    driver_opts: {encrypted: '', com.docker.network.driver.overlay.vxlanid_list: '257'}
  wide: {ipam: {config: [{subnet: '10.${NO-128}.0.0/9'}, {subnet: 'fd00::/64'}]}}
  many: {ipam: {config: [{subnet: 10.2.0.0/16}, {subnet: 10.3.0.0/16}, {subnet: 10.4.0.0/16}]}}
";
        let expected = [
            "compose.yml:2: 1: capability SYS_ADMIN",
            "compose.yml:3: many: replicas 21",
            "compose.yml:5: more: replicas 1000.0",
            "compose.yml:5: more: oom_score_adj -1000",
            "compose.yml:8: app: mount a:x/../../etc",
            "compose.yml:8: app: mount b c",
            "compose.yml:8: app: mount /etc",
            "compose.yml:9: app: label backupbot.backup.volumes.data.path=ok,x/../../other/_data",
            "compose.yml:10: app: label backupbot.backup.volumes.data.path=..",
            "compose.yml:10: app: label backupbot.backup.volumes.data.path=../../p",
            "compose.yml:13: 2: driver_opts /",
            "compose.yml:15: true: network driver macvlan",
            "compose.yml:17: lan: address driver dhcp",
            "compose.yml:17: lan: network option x",
            "compose.yml:18: lan: network option com.docker.network.driver.overlay.vxlanid_list",
            "compose.yml:19: wide: subnet 10.128.0.0/9",
            "compose.yml:20: many: 3 address pools",
        ];
        assert_eq!(said(text, &[]), expected);
    }

    #[test]
    fn what_a_scenario_allows_is_not_refused() {
        let allow = |service: &str, what: &str| Allowed {
            service: service.into(),
            what: what.into(),
            volume: None,
            why: "It must.".into(),
        };
        let text = "services:\n  app:\n    cap_add: [NET_ADMIN]\n    volumes: ['/etc/localtime:/etc/localtime:ro']\n";
        assert_eq!(said(text, &[]).len(), 2);
        assert_eq!(said(text, &[allow("app", "capability NET_ADMIN"), allow("app", "mount /etc/localtime")]).len(), 0);
        assert_eq!(said(text, &[allow("db", "capability NET_ADMIN")]).len(), 2, "of another service");
    }

    #[test]
    fn files_outside_of_the_folder_are_refused_with_their_line() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("own.sh"), "x").expect("written");
        let text = "services:\n  app:\n    env_file: /etc/passwd\nconfigs:\n  own: {file: own.sh}\n  other: {file: ../../etc/hostname}\n\
                    secrets:\n  s: {file: absent}\n";
        let compose = Compose::parse(&dir.path().join("compose.yml"), text).expect("valid");
        let said = check(&compose, &BTreeMap::new(), &[]).expect_err("three").to_string();
        assert!(said.starts_with("3 problems:"), "{said}");
        for part in
            ["compose.yml:3: service app: file \"/etc/passwd\"", "compose.yml:6: config other:", "compose.yml:8: secret s:"]
        {
            assert!(said.contains(part), "{said}");
        }
    }
}
