//! `restore-drill new`: makes a scenario's folder from a compose file. It fills in what the compose file says, and marks with TODO
//! what only a person knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::Scenario;
use crate::compose::Compose;
use crate::compose::variable::interpolate;
use crate::error::{Error, Result};

/// Makes the folder of scenario `name` in `root`, and returns the files that it wrote.
///
/// It is an error if the folder exists already, or if the compose file cannot be read.
pub fn new(root: &Path, name: &str, compose: &Path) -> Result<Vec<PathBuf>> {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(fit) {
        return Err(Error::Usage(format!("{name:?} is not a scenario's name: use lowercase letters, digits and hyphens")));
    }
    let dir = root.join(name);
    if dir.exists() {
        return Err(Error::Usage(format!("{} exists already; nothing was changed", dir.display())));
    }
    let text = std::fs::read_to_string(compose).map_err(Error::unreadable(compose))?;
    let parsed = Compose::parse(compose, &text)?;
    if parsed.volumes().next().is_none() {
        let message = "no named volumes, so there is nothing that a bot backs up, and nothing to restore; expected volumes: with a name for \
                       each folder whose content users need";
        return Err(Error::input(compose, None, message));
    }
    let [spec, inventory] = texts(name, &parsed)?;
    let files = [("compose.yml", text), ("scenario.toml", spec), ("inventory.toml", inventory)];
    std::fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
    let written = files.iter().map(|(file, _)| dir.join(file)).collect();
    let write = |(file, text): &(&str, String)| std::fs::write(dir.join(file), text).map_err(Error::io(dir.join(file)));
    // A drill could read what was written; else nothing of it stays.
    let result = files.iter().try_for_each(write).and_then(|()| Scenario::load(root, name));
    if result.is_err() {
        std::fs::remove_dir_all(&dir).map_err(Error::io(&dir))?;
    }
    result.map(|_| written)
}

/// The texts of `scenario.toml` and `inventory.toml`.
///
/// It is an error if no service mounts one of the volumes.
pub fn texts(name: &str, compose: &Compose) -> Result<[String; 2]> {
    Ok([scenario(name, compose), inventory(compose)?])
}

/// Where services mount named volumes: the volume, the service, and the path in its container.
fn mounts(compose: &Compose) -> Vec<(String, String, String)> {
    let volumes: BTreeSet<&str> = compose.volumes().collect();
    let mut mounts = Vec::new();
    for service in compose.services() {
        let list = compose.value["services"][service]["volumes"].as_array();
        for mount in list.into_iter().flatten() {
            let (source, target) = match mount.as_str() {
                Some(short) => {
                    let mut parts = short.split(':');
                    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
                }
                None => (mount["source"].as_str().unwrap_or_default(), mount["target"].as_str().unwrap_or_default()),
            };
            if volumes.contains(source) {
                mounts.push((source.to_owned(), service.to_owned(), target.to_owned()));
            }
        }
    }
    mounts
}

/// The variables that have no default.
fn variables(compose: &Compose) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    compose.tree.walk(&mut |text, _| {
        if let Ok((_, unset)) = interpolate(text, &BTreeMap::new()) {
            names.extend(unset.into_iter().map(str::to_owned));
        }
    });
    names.remove("STACK_NAME");
    names
}

/// The service and the port that users reach: the port in a label for traefik, else the first published one.
fn door(compose: &Compose) -> Option<(String, u16)> {
    for service in compose.services() {
        let labels = compose.deploy_labels(service);
        let told = labels.iter().find(|(name, _)| name.ends_with(".loadbalancer.server.port"));
        if let Some(port) = told.and_then(|(_, port)| port.parse().ok()) {
            return Some((service.to_owned(), port));
        }
    }
    compose.services().find_map(|service| {
        let first = compose.value["services"][service]["ports"].as_array()?.first()?;
        let port = match first.as_str() {
            Some(short) => short.rsplit(':').next()?.split('/').next()?.parse().ok()?,
            None => first["target"].as_u64().and_then(|p| p.try_into().ok())?,
        };
        Some((service.to_owned(), port))
    })
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn scenario(name: &str, compose: &Compose) -> String {
    let mut out = format!(
        "# See docs/scenarios.md. A drill compares all files of the volumes that inventory.toml calls durable or valuable.\n\
         description = {}\ncompose = [\"compose.yml\"]\n\n\
         # Values for the variables of the compose file. {{secret}} is replaced by a secret, of which the restore gets a new one.\n[env]\n",
        quoted(&format!("{name}: TODO, one line about the app"))
    );
    for variable in variables(compose) {
        let secret = ["PASSWORD", "SECRET", "KEY", "TOKEN"].iter().any(|w| variable.contains(w));
        let value = match variable.as_str() {
            _ if secret => "{secret}",
            "DOMAIN" => "app.test",
            _ => "TODO",
        };
        let _ = writeln!(out, "{variable} = {}", quoted(value));
    }
    match door(compose) {
        Some((service, port)) => {
            let _ = write!(
                out,
                "\n# A port that answers when the app is ready.\n[[door]]\nname = \"http\"\nservice = {}\nport = {port}\ntls = \"none\"\n",
                quoted(&service)
            );
        }
        None => out += "\n# TODO: add a [[door]] if the app answers on a port.\n",
    }
    out += "\n# TODO: say how users and their data get into the app: [users] and [[pages]], as in scenarios/radicale, or a [[fact]] with seeds.\n";
    if let Some(service) = compose.services().next() {
        let _ = write!(
            out,
            "\n# TODO: say how new data gets into the app after a restore: requests in [[pages.write]], as in scenarios/radicale, or this\n\
             # command. It writes as a user does, looks at what it wrote, and deletes it. Until then, every verdict is unknown.\n\
             [[write]]\nname = \"TODO: what is written\"\nservice = {}\ncommand = [\"TODO\"]\n",
            quoted(service)
        );
    }
    for (service, spec) in compose.value["services"].as_object().into_iter().flatten() {
        if spec["image"].as_str().is_some_and(|i| i.split(':').next().is_some_and(|i| i.ends_with("postgres"))) {
            let _ = write!(
                out,
                "\n# TODO: fill in USER and DATABASE; then remove the # signs. All tables are compared.\n\
                 #[[database]]\n#name = {0}\n#dialect = \"postgresql\"\n#service = {0}\n\
                 #command = [\"psql\", \"--username=USER\", \"--no-psqlrc\", \"--quiet\", \"--command={{query}}\", \"DATABASE\"]\n\
                 # What changes by itself is left out, with the reason.\n\
                 #[[database.leave_out]]\n#table = \"TABLE\"\n#column = \"COLUMN\"\n#why = \"TODO\"\n",
                quoted(service)
            );
        }
    }
    out
}

fn inventory(compose: &Compose) -> Result<String> {
    let mounts = mounts(compose);
    let mut out =
        "# What each volume holds, its class (durable, valuable, regenerated or cache), and the reason for the class.\n"
            .to_owned();
    for volume in compose.volumes() {
        let Some((_, service, target)) = mounts.iter().find(|(v, ..)| v == volume) else {
            return Err(Error::input(
                &compose.file,
                None,
                format!("volume {volume:?}: no service mounts it; remove it from the compose file first"),
            ));
        };
        let cache = ["cache", "tmp"].iter().any(|w| volume.contains(w));
        let (class, why) =
            if cache { ("cache", "TODO: how the app makes it again.") } else { ("durable", "TODO: what users lose with it.") };
        let _ = write!(
            out,
            "\n[[volume]]\nname = {}\nservice = {}\nmount = {}\nclass = \"{class}\"\nwhy = \"{why}\"\n",
            quoted(volume),
            quoted(service),
            quoted(target)
        );
        if !cache {
            out += "# TODO: say why a copy that is taken while the app runs is complete, or add a [[volume.path]] with the dump that a hook makes.\n\
                    # live = \"…\"\n";
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compose_file_becomes_a_scenario_that_can_be_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let compose = dir.path().join("app.yml");
        let text = "services:\n  app:\n    image: app:1\n    ports: [\"8080:80\"]\n    environment: {A: \"${DB_PASSWORD}\", B: \"${DOMAIN}\", C: \"${D:-x}\"}\n    \
                    volumes: [\"data:/data\", \"cache:/c:ro\"]\n  db:\n    image: postgres:15\n    volumes: [{type: volume, source: pg, target: /pg}]\n\
                    volumes: {data: {}, cache: {}, pg: {}}\n";
        std::fs::write(&compose, text).expect("written");
        let root = dir.path().join("scenarios");
        new(&root, "wiki", &compose).expect("made");
        let scenario = Scenario::load(&root, "wiki").expect("a scenario");
        assert_eq!(scenario.spec.env["DB_PASSWORD"], "{secret}");
        assert!(!scenario.spec.env.contains_key("D"));
        assert_eq!((scenario.spec.doors[0].service.as_str(), scenario.spec.doors[0].port), ("app", 80));
        assert_eq!(scenario.spec.writes.iter().filter(|w| w.is_todo()).count(), 1);
        let class = |name: &str| scenario.inventory.volumes.iter().find(|v| v.name == name).map(|v| v.class.name());
        assert_eq!((class("data"), class("cache"), class("pg")), (Some("durable"), Some("cache"), Some("durable")));
        let spec = std::fs::read_to_string(root.join("wiki/scenario.toml")).expect("a file");
        assert!(spec.contains("#[[database]]\n#name = \"db\"\n"), "{spec}");
        std::fs::write(&compose, "services:\n  app:\n    image: nginx:1.27\n    ports: [\"80:80\"]\n").expect("written");
        let none = new(&root, "none", &compose).expect_err("no volume").to_string();
        assert!(none.contains("app.yml: no named volumes") && !root.join("none").exists(), "{none}");
        std::fs::write(&compose, text).expect("written");
        assert!(new(&root, "wiki", &compose).expect_err("twice").to_string().contains("exists already"));
        assert!(new(&root, "Wiki!", &compose).expect_err("a name").to_string().contains("lowercase"));
    }
}
