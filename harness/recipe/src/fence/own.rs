//! What is deployed of a recipe: what it takes from outside is made anew for the run, and what speaks to the world outside is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Allowed, files};
use crate::compose::variable::{self, literal};
use crate::compose::{Compose, change_labels, labels as labels_of, mount};
use crate::error::{Error, Result};
use crate::labels;

/// The longest name of a config or secret.
const LONGEST: usize = 64;
/// What an external config holds that nobody can know. Swarm takes no empty one.
const EMPTY: &str = "\n";

/// How recipes write the stack's name.
pub const STACK_VARIABLE: &str = "${STACK_NAME}";

/// Whether a label of a stack's service is deployed: those of the bot are, and the one that says the version of this stack's recipe. Any
/// other speaks to a program outside of the stack, such as a proxy, an updater or a scheduler, and those serve production.
pub fn is_kept(label: &str, stack: &str) -> bool {
    label.starts_with(labels::PREFIX) || label == format!("coop-cloud.{stack}.version")
}

/// A difference between the recipe and what is deployed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Something that the recipe takes from outside is made anew for the run.
    Own {
        /// `network`, `volume`, `secret` or `config`.
        kind: &'static str,
        /// Its name in the recipe.
        name: String,
        /// Its name outside.
        outside: String,
    },
    /// A volume of the run is mounted in the place of a folder of the host.
    Replaced {
        /// The service.
        service: String,
        /// The folder of the host.
        path: String,
        /// The volume.
        volume: String,
    },
    /// Labels that speak to programs outside of the stack are not deployed.
    Unlabelled {
        /// What their names begin with, up to the first dot.
        of: String,
    },
    /// What a service would take from others on the engine is left out.
    Limits {
        /// The service.
        service: String,
        /// What is left out, as compose files have it.
        what: &'static str,
    },
    /// Logs stay on the engine.
    Logging {
        /// The service.
        service: String,
        /// Where they would have gone.
        driver: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own { kind, name, outside } if name == outside => write!(f, "{kind} {name} is the run's own"),
            Self::Own { kind, name, outside } => write!(f, "{kind} {name} is the run's own and not {outside}"),
            Self::Replaced { service, path, volume } => write!(f, "{service} has volume {volume} in the place of {path}"),
            Self::Unlabelled { of } => write!(f, "labels of {of} are left out"),
            Self::Limits { service, what } => write!(f, "{service} is deployed without {what}, which it would take from others"),
            Self::Logging { service, driver } => write!(f, "the logs of {service} stay here and do not go to {driver}"),
        }
    }
}

/// How a recipe becomes the run's own.
pub struct Fence<'a> {
    /// The stack's name, with which the names of configs and secrets begin.
    pub stack: &'a str,
    /// The values of variables.
    pub env: &'a BTreeMap<String, String>,
    /// What the scenario allows.
    pub allowed: &'a [Allowed],
    /// A folder of the run's, for what is made in the place of external secrets and configs.
    pub dir: &'a Path,
    /// Makes a secret, by its name in the recipe.
    pub secret: &'a dyn Fn(&str) -> String,
}

impl Fence<'_> {
    /// Changes compose files so that nothing in them is somebody else's. Gives the differences.
    ///
    /// # Errors
    /// A file that the recipe names cannot be used, or one of the run's cannot be written.
    pub fn own(&self, all: &mut [Compose]) -> Result<BTreeSet<Change>> {
        let mut changes = BTreeSet::new();
        for compose in all {
            let folder = compose.file.parent().map(Path::to_owned).unwrap_or_else(|| PathBuf::from("."));
            for (section, kind) in [("networks", "network"), ("volumes", "volume")] {
                for (name, object) in entries(&mut compose.value, section) {
                    changes.extend(self.taken_over(kind, name, object));
                    changes.extend(self.without_labels_of(object));
                }
            }
            for (section, kind) in [("secrets", "secret"), ("configs", "config")] {
                for (name, object) in entries(&mut compose.value, section) {
                    changes.extend(self.taken_over(kind, name, object));
                    changes.extend(self.without_labels_of(object));
                    self.fill(kind, name, object, &folder)?;
                }
            }
            let mut volumes = BTreeSet::new();
            for (name, service) in entries(&mut compose.value, "services") {
                changes.extend(self.without_labels(service));
                changes.extend(without_logging(name, service));
                changes.extend(without_claims(name, service));
                self.env_files(service, &folder)?;
                for change in self.replace_mounts(name, service) {
                    if let Change::Replaced { volume, .. } = &change {
                        volumes.insert(volume.clone());
                    }
                    changes.insert(change);
                }
            }
            if let Some(root) = compose.value.as_object_mut().filter(|_| !volumes.is_empty()) {
                let section = root.entry("volumes").or_insert_with(|| json!({}));
                for volume in volumes {
                    section.as_object_mut().map(|s| s.entry(volume).or_insert_with(|| json!({})));
                }
            }
        }
        Ok(changes)
    }

    fn made(&self, text: &str) -> String {
        variable::made(text, self.env)
    }

    /// Takes labels off a service that are not to be deployed.
    fn without_labels(&self, service: &mut Value) -> BTreeSet<Change> {
        let mut left_out = BTreeSet::new();
        change_labels(service, |all| left_out.extend(self.retain(all)));
        left_out
    }

    /// The same of a volume, network, secret or config.
    fn without_labels_of(&self, object: &mut Value) -> BTreeSet<Change> {
        let Some(labels) = object.get("labels") else { return BTreeSet::new() };
        let mut all = labels_of(Some(labels));
        let left_out = self.retain(&mut all);
        object["labels"] = json!(all);
        left_out
    }

    /// Leaves those labels that are deployed, as their names are written: an edit finds them by that.
    fn retain(&self, all: &mut BTreeMap<String, String>) -> BTreeSet<Change> {
        let mut left_out = BTreeSet::new();
        all.retain(|name, _| {
            let made = self.made(name);
            let kept = is_kept(&made, self.stack);
            if !kept {
                left_out.insert(Change::Unlabelled { of: made.split('.').next().unwrap_or(&made).to_owned() });
            }
            kept
        });
        left_out
    }

    /// Takes `external` and an absolute name off an object, so that it is made for the stack.
    fn taken_over(&self, kind: &'static str, name: &str, object: &mut Value) -> Option<Change> {
        if object.is_null() {
            *object = json!({});
        }
        let object = object.as_object_mut()?;
        let named = object.remove("name").and_then(|n| n.as_str().map(|n| self.made(n)));
        let external = object.remove("external");
        let is_external = match &external {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => self.made(text) != "false",
            Some(_) => true,
        };
        let inner = external.and_then(|e| e.get("name").and_then(Value::as_str).map(|n| self.made(n)));
        let outside = inner.or(named).or_else(|| is_external.then(|| name.to_owned()))?;
        // A name that begins with the stack's is not somebody else's, if the recipe makes the object.
        let ours = !is_external && outside.starts_with(&format!("{}_", self.stack));
        (!ours).then(|| Change::Own { kind, name: name.to_owned(), outside })
    }

    /// Gives a secret or config its content: the recipe's file, or one that is made in the place of what is outside. Its name has a hash
    /// of the content in it, as Swarm changes neither.
    fn fill(&self, kind: &'static str, name: &str, object: &mut Value, folder: &Path) -> Result<()> {
        let Some(object) = object.as_object_mut() else { return Ok(()) };
        object.remove("driver");
        let file = match object.get("file").and_then(Value::as_str) {
            Some(file) => files::usable(folder, &folder.join(self.made(file)))?,
            None => {
                let content = if kind == "secret" { (self.secret)(name) } else { EMPTY.to_owned() };
                let file = self.dir.join(format!("{kind}-{}", hex::encode(Sha256::digest(name))));
                write(&file, &content)?;
                file
            }
        };
        let content = std::fs::read(&file).map_err(Error::unreadable(&file))?;
        object.insert("name".into(), json!(object_name(self.stack, name, &content)));
        object.insert("file".into(), json!(literal(&file.display().to_string())));
        Ok(())
    }

    /// Files of variables are taken from the recipe's folder, and copied: of a name that stands alone in them, docker would look for the value
    /// in its own environment.
    fn env_files(&self, service: &mut Value, folder: &Path) -> Result<()> {
        let Some(list) = service.get_mut("env_file") else { return Ok(()) };
        let mut all = if list.is_array() { list.as_array().cloned().unwrap_or_default() } else { vec![list.clone()] };
        for item in &mut all {
            let Some(file) = item.as_str().or_else(|| item["path"].as_str()) else { continue };
            let file = files::usable(folder, &folder.join(self.made(file)))?;
            let copy = self.dir.join(format!("env-{}", hex::encode(Sha256::digest(file.as_os_str().as_encoded_bytes()))));
            write(&copy, &with_values(&files::read_text(&file)?, self.env))?;
            *item = json!(literal(&copy.display().to_string()));
        }
        *list = json!(all);
        Ok(())
    }

    /// Mounts volumes of the run where the scenario says so.
    fn replace_mounts(&self, name: &str, service: &mut Value) -> Vec<Change> {
        let mounts = service.get_mut("volumes").and_then(Value::as_array_mut);
        let mut changes = Vec::new();
        for mount in mounts.into_iter().flatten() {
            let source = match mount.as_str() {
                Some(text) => mount::source(&self.made(text)).map(str::to_owned),
                None => mount["source"].as_str().map(|s| self.made(s)),
            };
            let Some(path) = source.filter(|s| !mount::is_volume(s)) else { continue };
            let is_it = |a: &&Allowed| a.service == name && a.what == format!("mount {path}");
            let Some(volume) = self.allowed.iter().find(is_it).and_then(|a| a.volume.clone()) else { continue };
            match mount.as_str().map(|t| self.made(t)) {
                Some(text) => *mount = json!(format!("{volume}{}", &text[path.len()..])),
                None => {
                    mount["type"] = json!("volume");
                    mount["source"] = json!(volume);
                    mount.as_object_mut().map(|m| m.remove("bind"));
                }
            }
            changes.push(Change::Replaced { service: name.to_owned(), path, volume });
        }
        changes
    }
}

/// A file of variables in which every name has its value; one that has none is left out.
fn with_values(text: &str, env: &BTreeMap<String, String>) -> String {
    let line = |line: &str| match line.trim_start() {
        name if name.is_empty() || name.starts_with('#') || name.contains('=') => Some(format!("{line}\n")),
        name => env.get(name.trim_end()).filter(|v| !v.contains('\n')).map(|value| format!("{}={value}\n", name.trim_end())),
    };
    text.lines().filter_map(line).collect()
}

/// The name of a config or secret of a stack: the recipe's name of it, and a hash of its content.
pub fn object_name(stack: &str, name: &str, content: &[u8]) -> String {
    let hash = hex::encode(Sha256::digest(content));
    let room = LONGEST.saturating_sub(stack.len() + 2 + 12);
    let short: String = name.chars().take(room).collect();
    format!("{stack}_{short}_{}", &hash[..12])
}

fn entries<'a>(value: &'a mut Value, section: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    value.get_mut(section).and_then(Value::as_object_mut).into_iter().flat_map(Map::iter_mut)
}

/// Takes off a service what it would take from others on the engine: memory and devices that are reserved for it, and a place before
/// others in the kernel's line for the processor.
fn without_claims(name: &str, service: &mut Value) -> Vec<Change> {
    let mut left_out = Vec::new();
    let resources = service.pointer_mut("/deploy/resources").and_then(Value::as_object_mut);
    if resources.and_then(|r| r.remove("reservations")).is_some() {
        left_out.push("deploy.resources.reservations");
    }
    if let Some(limits) = service.get_mut("ulimits").and_then(Value::as_object_mut) {
        for (claim, what) in [("rtprio", "ulimits.rtprio"), ("nice", "ulimits.nice")] {
            let all = limits.len();
            // The engine takes these names in any case.
            limits.retain(|name, _| !name.eq_ignore_ascii_case(claim));
            if limits.len() < all {
                left_out.push(what);
            }
        }
    }
    left_out.into_iter().map(|what| Change::Limits { service: name.to_owned(), what }).collect()
}

/// Takes a logging driver off a service that sends logs elsewhere; a drill reads them.
fn without_logging(name: &str, service: &mut Value) -> Option<Change> {
    let logging = service.as_object_mut()?.remove("logging")?;
    let driver = logging["driver"].as_str().filter(|d| !matches!(*d, "json-file" | "local" | "journald"))?.to_owned();
    Some(Change::Logging { service: name.to_owned(), driver })
}

/// Writes a file that only its owner may read.
fn write(file: &Path, content: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let opened = options.create(true).truncate(true).write(true).mode(0o600).open(file);
    opened.and_then(|mut f| f.write_all(content.as_bytes())).map_err(Error::io(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str, allowed: &[Allowed]) -> (Value, Vec<String>, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("backup.sh"), "pg_dump").expect("written");
        let mut all = [Compose::parse(&dir.path().join("compose.yml"), text).expect("valid")];
        let env = BTreeMap::from([("STACK_NAME".to_owned(), "rd-1".to_owned()), ("V".to_owned(), "v1".to_owned())]);
        let secret = |name: &str| format!("generated {name}");
        let fence = Fence { stack: "rd-1", env: &env, allowed, dir: dir.path(), secret: &secret };
        let changes = fence.own(&mut all).expect("owned").iter().map(ToString::to_string).collect();
        (all[0].value.clone(), changes, dir)
    }

    const RECIPE: &str = "\
services:
  app:
    image: x
    labels: {ofelia.enabled: 'true'}
    logging: {driver: syslog, options: {syslog-address: 'udp://logs.example.org'}}
    volumes: ['/srv/media:/media:ro', 'data:/data']
    deploy:
      labels:
        - traefik.http.routers.app.rule=Host(`app.example.org`)
        - traefik.enable=true
        - coop-cloud.${STACK_NAME}.auto-update=true
        - backupbot.backup=true
        - coop-cloud.${STACK_NAME}.version=1.0.0+1
networks:
  proxy: {external: true}
  other: {external: {name: production}}
  internal:
volumes:
  data: {name: '/absolute', external: false, labels: {io.portainer.access: '', backupbot.x: 'y'}}
  theirs: {external: true, name: 'traefik_${V}'}
  mine:
secrets:
  db: {external: true, name: '${STACK_NAME}_db_${V}'}
configs:
  backup: {name: '${STACK_NAME}_backup_${V}', file: backup.sh}
  theirs: {external: true}
";

    #[test]
    fn a_file_of_variables_has_nothing_of_the_callers() {
        let env = BTreeMap::from([("KEY".to_owned(), "a=$b".to_owned())]);
        let text = "# c\nA=1\n  B=${x}\nHOME\n KEY \n\nSSH_AUTH_SOCK\r\n";
        assert_eq!(with_values(text, &env), "# c\nA=1\n  B=${x}\nKEY=a=$b\n\n");
    }

    #[test]
    fn what_is_outside_is_made_anew() {
        let allow =
            Allowed { service: "app".into(), what: "mount /srv/media".into(), volume: Some("media".into()), why: "Data.".into() };
        let (value, changes, dir) = own(RECIPE, &[allow]);
        let expected = [
            "config theirs is the run's own",
            "network other is the run's own and not production",
            "network proxy is the run's own",
            "secret db is the run's own and not rd-1_db_v1",
            "volume data is the run's own and not /absolute",
            "volume theirs is the run's own and not traefik_v1",
            "app has volume media in the place of /srv/media",
            "labels of coop-cloud are left out",
            "labels of io are left out",
            "labels of ofelia are left out",
            "labels of traefik are left out",
            "the logs of app stay here and do not go to syslog",
        ];
        assert_eq!(changes, expected);
        let text = value.to_string();
        assert!(!text.contains("external") && !text.contains("traefik") && !text.contains("syslog"), "{text}");
        assert_eq!(value["networks"], json!({"proxy": {}, "other": {}, "internal": {}}));
        assert_eq!(value["volumes"], json!({"data": {"labels": {"backupbot.x": "y"}}, "theirs": {}, "mine": {}, "media": {}}));
        assert_eq!(value["services"]["app"]["volumes"], json!(["media:/media:ro", "data:/data"]));
        let deployed = json!({"backupbot.backup": "true", "coop-cloud.${STACK_NAME}.version": "1.0.0+1"});
        assert_eq!(value["services"]["app"]["deploy"]["labels"], deployed);
        let content = |place: &str| {
            let file = value.pointer(place).and_then(Value::as_str).expect(place);
            std::fs::read_to_string(file).expect("read")
        };
        assert_eq!(content("/secrets/db/file"), "generated db");
        assert_eq!(content("/configs/theirs/file"), "\n");
        assert_eq!(content("/configs/backup/file"), "pg_dump");
        let hash = &hex::encode(Sha256::digest("pg_dump"))[..12];
        assert_eq!(value["configs"]["backup"]["name"], json!(format!("rd-1_backup_{hash}")));
        assert!(dir.path().join("backup.sh").exists());
    }

    #[test]
    fn a_recipe_that_takes_nothing_from_outside_stays_as_it_is() {
        let (value, changes, _dir) = own("services: {app: {image: x}}\nvolumes: {data: {driver: local}}\n", &[]);
        assert_eq!(changes, Vec::<String>::new());
        assert_eq!(value, json!({"services": {"app": {"image": "x"}}, "volumes": {"data": {"driver": "local"}}}));
    }

    #[test]
    fn names_of_configs_are_not_too_long() {
        let long = "c".repeat(80);
        let (value, ..) = own(&format!("services: {{app: {{image: x}}}}\nconfigs: {{{long}: {{external: true}}}}\n"), &[]);
        let name = value["configs"][&long]["name"].as_str().expect("a name");
        assert!(name.len() <= LONGEST && name.starts_with("rd-1_ccc"), "{name}");
    }

    #[test]
    fn what_a_service_would_take_from_others_is_left_out() {
        let text = "services:\n  app:\n    image: x\n    ulimits: {nofile: 1024, RTPRIO: 99, nice: -20}\n    deploy:\n      \
                    resources: {limits: {memory: 1G}, reservations: {memory: 60G}}\n";
        let (value, changes, _dir) = own(text, &[]);
        let app = &value["services"]["app"];
        assert_eq!(app["ulimits"], json!({"nofile": 1024}));
        assert_eq!(app["deploy"]["resources"], json!({"limits": {"memory": "1G"}}));
        let without = |what| format!("app is deployed without {what}, which it would take from others");
        assert_eq!(changes, ["deploy.resources.reservations", "ulimits.nice", "ulimits.rtprio"].map(without));
    }

    #[test]
    fn a_label_with_the_version_of_another_stack_is_left_out() {
        assert!(is_kept("coop-cloud.rd-1.version", "rd-1") && is_kept("backupbot.backup", "rd-1"));
        assert!(!is_kept("coop-cloud.mail_example_org.version", "rd-1"));
    }
}
