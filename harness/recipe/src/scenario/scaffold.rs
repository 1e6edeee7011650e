//! `restore-drill new`: makes a scenario's folder from a compose file. It fills in what the compose file says, and marks with TODO
//! what only a person knows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sources::Sources;

use super::Scenario;
use crate::compose::Compose;
use crate::compose::variable::interpolate;
use crate::error::{Error, Result};

mod sources;

/// Makes the folder of scenario `name` in `root`, and returns the files that it wrote. `compose` are compose files, or a recipe's folder;
/// what the recipe's deployment needs is copied.
///
/// It is an error if the folder exists already, or if a file cannot be read. Then nothing is left.
pub fn new(root: &Path, name: &str, compose: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(fit) {
        return Err(Error::Usage(format!("{name:?} is not a scenario's name: use lowercase letters, digits and hyphens")));
    }
    let dir = root.join(name);
    if dir.exists() {
        return Err(Error::Usage(format!("{} exists already; nothing was changed", dir.display())));
    }
    let sources = Sources::read(compose)?;
    if sources.compose.volumes().next().is_none() {
        let message = "no named volumes, so there is nothing that a bot backs up, and nothing to restore; expected volumes: with a name for \
                       each folder whose content users need";
        return Err(Error::input(&sources.compose.file, None, message));
    }
    let spec = scenario(name, &sources.names, &sources.compose, &sources.known);
    let texts = [("scenario.toml", spec), ("inventory.toml", inventory(&sources.compose)?)];
    let is_new = !root.exists();
    // A drill could read what was written; else nothing of it stays.
    let written = write(&dir, &texts, &sources.copies).and_then(|written| Scenario::load(root, name).map(|_| written));
    if written.is_err() {
        let _ = std::fs::remove_dir_all(&dir);
        if is_new {
            let _ = std::fs::remove_dir(root);
        }
    }
    written
}

fn write(dir: &Path, texts: &[(&str, String)], copies: &BTreeMap<String, PathBuf>) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    std::fs::create_dir_all(dir).map_err(Error::unwritable(dir))?;
    for (name, file) in copies {
        let to = dir.join(name);
        let folder = to.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        std::fs::copy(file, &to).map_err(Error::unreadable(file))?;
        written.push(to);
    }
    for (name, text) in texts {
        let to = dir.join(name);
        std::fs::write(&to, text).map_err(Error::io(&to))?;
        written.push(to);
    }
    Ok(written)
}

/// The texts of `scenario.toml` and `inventory.toml`.
///
/// It is an error if no service mounts one of the volumes.
pub fn texts(name: &str, compose: &Compose) -> Result<[String; 2]> {
    Ok([scenario(name, &["compose.yml".to_owned()], compose, &BTreeSet::new()), inventory(compose)?])
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

/// Whether a variable holds a secret by its name. That of a Docker secret's version does not.
fn is_secret(variable: &str) -> bool {
    !variable.ends_with("_VERSION") && ["PASSWORD", "SECRET", "KEY", "TOKEN"].iter().any(|w| variable.contains(w))
}

fn scenario(name: &str, files: &[String], compose: &Compose, known: &BTreeSet<String>) -> String {
    let mut out = format!(
        "# See docs/scenarios.md. A drill compares all files of the volumes that inventory.toml calls durable or valuable.\n\
         description = {}\ncompose = [{}]\n\n\
         # Values for the variables of the compose file. {{secret}} is replaced by a secret, of which the restore gets a new one.\n[env]\n",
        quoted(&format!("{name}: TODO, one line about the app")),
        files.iter().map(|file| quoted(file)).collect::<Vec<_>>().join(", "),
    );
    for variable in variables(compose).difference(known) {
        let value = match variable.as_str() {
            _ if is_secret(variable) => "{secret}",
            _ if variable.ends_with("_VERSION") => "v1",
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
        new(&root, "wiki", std::slice::from_ref(&compose)).expect("made");
        let scenario = Scenario::load(&root, "wiki").expect("a scenario");
        assert_eq!(scenario.spec.compose, ["app.yml"]);
        assert_eq!(scenario.spec.env["DB_PASSWORD"], "{secret}");
        assert!(!scenario.spec.env.contains_key("D"));
        assert_eq!((scenario.spec.doors[0].service.as_str(), scenario.spec.doors[0].port), ("app", 80));
        assert_eq!(scenario.spec.writes.iter().filter(|w| w.is_todo()).count(), 1);
        let class = |name: &str| scenario.inventory.volumes.iter().find(|v| v.name == name).map(|v| v.class.name());
        assert_eq!((class("data"), class("cache"), class("pg")), (Some("durable"), Some("cache"), Some("durable")));
        let spec = std::fs::read_to_string(root.join("wiki/scenario.toml")).expect("a file");
        assert!(spec.contains("#[[database]]\n#name = \"db\"\n"), "{spec}");
        std::fs::write(&compose, "services:\n  app:\n    image: nginx:1.27\n    ports: [\"80:80\"]\n").expect("written");
        let none = new(&root, "none", std::slice::from_ref(&compose)).expect_err("no volume").to_string();
        assert!(none.contains("app.yml: no named volumes") && !root.join("none").exists(), "{none}");
        std::fs::write(&compose, text).expect("written");
        assert!(new(&root, "wiki", std::slice::from_ref(&compose)).expect_err("twice").to_string().contains("exists already"));
        assert!(new(&root, "Wiki!", &[compose]).expect_err("a name").to_string().contains("lowercase"));
    }
    #[test]
    fn a_recipes_folder_is_copied_with_what_its_deployment_needs() {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recipes/radicale");
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join("scenarios");
        new(&root, "dav", std::slice::from_ref(&recipe)).expect("made");
        for file in ["compose.yml", ".env.sample", "abra.sh", "radicale.conf.tmpl", "entrypoint.sh", "backup.sh"] {
            let read = |dir: &Path| std::fs::read_to_string(dir.join(file)).expect(file);
            assert_eq!(read(&root.join("dav")), read(&recipe), "{file}");
        }
        let scenario = Scenario::load(&root, "dav").expect("a scenario");
        assert!(scenario.spec.env.is_empty(), "the sample has all: {:?}", scenario.spec.env);
        assert_eq!((scenario.spec.doors[0].service.as_str(), scenario.spec.doors[0].port), ("app", 5232));
        assert_eq!(scenario.docker_secrets()["instance_token"].length, Some(40));
        // Several files, whose variables nobody has: those of versions are no secrets.
        let files = ["compose.yml", "compose.monitor.yml"].map(|name| recipe.join(name));
        new(&root, "two", &files).expect("made");
        let two = Scenario::load(&root, "two").expect("a scenario");
        assert_eq!((two.compose.len(), two.spec.env["SECRET_INSTANCE_TOKEN_VERSION"].as_str()), (2, "v1"));
        assert!(two.inventory.volumes.iter().any(|v| v.name == "monitor_state"));
    }

    #[test]
    fn what_fails_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (root, compose) = (dir.path().join("scenarios"), dir.path().join("compose.yml"));
        std::fs::write(
            &compose,
            "services:\n  app:\n    image: a:1\n    privileged: true\n    volumes: ['d:/d']\nvolumes: {d: }\n",
        )
        .expect("written");
        new(&root, "a", std::slice::from_ref(&compose)).expect_err("it reaches the host");
        assert!(!root.exists());
        std::fs::write(&compose, "services:\n  app:\n    image: a:1\nconfigs: {c: {file: gone}, d: {file: ../x}}\n")
            .expect("written");
        let said = new(&root, "a", &[compose, dir.path().join("no.yml")]).expect_err("three files").to_string();
        assert!(said.contains("3 problems") && !root.exists(), "{said}");
    }
}
