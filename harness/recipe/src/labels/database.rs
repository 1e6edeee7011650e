//! Databases: which image is which engine, where its server keeps its files, and the customary scripts that dump and load it.
//! `databases.toml` is the data.

use std::sync::LazyLock;

use serde::Deserialize;

use super::image::ImageName;
use super::recipe::{Mount, MountSource, Service};

/// A database's engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its name, for people.
    pub name: String,
    /// The images of its server.
    images: Vec<String>,
    /// The folders in which its server keeps its files, or has them below.
    folders: Vec<String>,
    /// A word in the name of an image that is not known, without which such a folder says nothing.
    hint: Option<String>,
    /// Whether its folders say nothing of an image that is not known.
    #[serde(default)]
    only_by_image: bool,
    /// The programs that dump it, also from another service.
    pub dumps: Vec<String>,
    /// Where commands begin in a container of the first image.
    working_dir: Option<String>,
    /// The pair of hooks that dumps and loads it, if there is one.
    pub pair: Option<Pair>,
    /// Where its facts were read.
    #[expect(dead_code, reason = "it is for the reader of the file, and a test asks for it by its being required")]
    source: String,
}

/// The pair of hooks for an engine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The name of the config with the script that dumps and loads it.
    pub config: String,
    /// The file that the script writes, beside the server's files.
    pub dump: String,
    /// The script. `{folder}` is where the dump is.
    script: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Engines {
    engine: Vec<Engine>,
}

static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let engines: Engines =
        toml::from_str(include_str!("databases.toml")).expect("databases.toml is part of the program, and tested");
    engines.engine
});

/// The server of a database: its engine, and the mount of the volume that holds its files.
#[derive(Debug, Clone, Copy)]
pub struct Server<'a> {
    /// The engine.
    pub engine: &'static Engine,
    /// The mount of its files.
    pub mount: &'a Mount,
    /// The volume's name.
    pub volume: &'a str,
    /// Whether only the mount's folder says so: the image is not known.
    pub is_guess: bool,
}

/// Whether an image is that of a database's server.
pub fn is_server(image: &str) -> bool {
    engine_of(image).is_some()
}

/// Where commands begin in a container of a database's image, if that is known.
pub fn working_dir(image: &str) -> Option<&'static str> {
    let image = ImageName::parse(image);
    let official = |e: &&Engine| e.images.first().is_some_and(|name| image.is(name));
    ENGINES.iter().find(official)?.working_dir.as_deref()
}

fn engine_of(image: &str) -> Option<&'static Engine> {
    let image = ImageName::parse(image);
    ENGINES.iter().find(|e| e.images.iter().any(|name| e.is_image(&image, name)))
}

/// The database's server that a service is, if it is one with its files in a named volume. An image that is not known is one where
/// it has a volume in the folder of an engine.
pub fn server(service: &Service) -> Option<Server<'_>> {
    let image = service.image.as_deref()?;
    let known = engine_of(image);
    let engine = |target: &str| match known {
        Some(engine) => engine.holds(target).then_some(engine),
        None => ENGINES.iter().find(|engine| engine.may_be(image) && engine.holds(target)),
    };
    service.mounts.iter().find_map(|mount| match &mount.source {
        MountSource::Volume(volume) if !mount.read_only => {
            Some(Server { engine: engine(&mount.target)?, mount, volume, is_guess: known.is_none() })
        }
        _ => None,
    })
}

impl Engine {
    /// An image by its name, also in a registry of one's own.
    fn is_image(&self, image: &ImageName<'_>, name: &str) -> bool {
        image.is(name) || image.name.strip_suffix(name).is_some_and(|registry| registry.ends_with('/'))
    }

    fn may_be(&self, image: &str) -> bool {
        !self.only_by_image && self.hint.as_ref().is_none_or(|hint| image.contains(hint.as_str()))
    }

    fn holds(&self, target: &str) -> bool {
        let target = target.trim_end_matches('/');
        self.folders
            .iter()
            .any(|folder| target == folder || target.strip_prefix(folder.as_str()).is_some_and(|r| r.starts_with('/')))
    }
}

impl Pair {
    /// The script, with a dump in this folder.
    pub fn script(&self, folder: &str) -> String {
        self.script.replace("{folder}", folder.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_databases() {
        let engine = |image: &str| {
            let image = ImageName::parse(image);
            let found = ENGINES.iter().find(|e| e.images.iter().any(|name| e.is_image(&image, name)));
            found.map(|e| e.name.as_str())
        };
        for (image, expected) in [
            ("postgres:16-alpine", Some("PostgreSQL")),
            ("registry.example.org:5000/mirror/postgres:16", Some("PostgreSQL")),
            ("ghcr.io/immich-app/postgres:14-vectorchord0.3.0", Some("PostgreSQL")),
            ("pgvector/pgvector:pg16", Some("PostgreSQL")),
            ("prometheuscommunity/postgres-exporter:v1", None),
            ("mariadb", Some("MariaDB")),
            ("mysql:8", Some("MySQL")),
            ("mongo:7", Some("MongoDB")),
            ("mongo-express:1", None),
            ("clickhouse/clickhouse-server:24.3-alpine", Some("ClickHouse")),
            ("influxdb:2.7", Some("InfluxDB")),
            ("ghcr.io/baosystems/postgis:17-3.5", Some("PostgreSQL")),
            ("bitnamilegacy/postgresql:15", Some("PostgreSQL")),
            ("docker.io/bitnami/mongodb:7", Some("MongoDB")),
            ("ghcr.io/tensorchord/vchord-postgres:pg16", Some("PostgreSQL")),
            ("ankane/pgvector:latest", Some("PostgreSQL")),
            ("mysql/mysql-server:8.0", Some("MySQL")),
            ("lscr.io/linuxserver/mariadb:11", Some("MariaDB")),
            ("redis:7", None),
        ] {
            assert_eq!(engine(image), expected, "{image}");
        }
    }

    /// The engine, whether it is a guess, and whether there is a pair of hooks for it.
    fn found(image: &str, target: &str) -> Option<(&'static str, bool, bool)> {
        let text = format!("services:\n  db:\n    image: {image}\n    volumes: ['v:{target}']\n");
        let recipe = crate::labels::recipe::RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
        server(&recipe.services["db"]).map(|s| (s.engine.name.as_str(), s.is_guess, s.engine.pair.is_some()))
    }

    #[test]
    fn servers_by_their_image_or_by_their_folder() {
        for (image, target, expected) in [
            ("postgres:16", "/var/lib/postgresql/data", Some(("PostgreSQL", false, true))),
            ("postgres:16", "/backups", None),
            ("postgres:16", "/data/db", None),
            ("lscr.io/linuxserver/mariadb:11", "/config", Some(("MariaDB", false, false))),
            ("mariadb:11", "/config", None),
            ("timescale/timescaledb:2.14-pg15", "/var/lib/postgresql/data", Some(("PostgreSQL", false, false))),
            ("docker.io/bitnami/postgresql:15", "/bitnami/postgresql", Some(("PostgreSQL", false, false))),
            ("bitnamilegacy/mysql:8", "/bitnami/mysql", Some(("MySQL", false, false))),
            ("x/own:1", "/var/lib/postgresql/data", Some(("PostgreSQL", true, true))),
            ("x/own:1", "/bitnami/mongodb", Some(("MongoDB", true, false))),
            ("x/own:1", "/config", None),
            ("x/own:1", "/data/db", None),
            ("x/mongo-replica:1", "/data/db", Some(("MongoDB", true, true))),
        ] {
            assert_eq!(found(image, target), expected, "{image} {target}");
        }
    }

    #[test]
    fn the_scripts_have_both_halves_and_write_what_they_read() {
        for (engine, pair) in ENGINES.iter().filter_map(|e| Some((e, e.pair.as_ref()?))) {
            let dump = format!("/srv/{}", pair.dump);
            let half = |name: &str| {
                let script = pair.script("/srv/");
                super::super::hook::read_script(&script, &[name.to_owned()], &std::collections::BTreeMap::new(), None)
            };
            let (backup, restore) = (half("backup"), half("restore"));
            assert!(backup.results().any(|path| *path == dump), "{}: {backup:?}", engine.name);
            assert!(restore.reads.contains(&dump) || restore.names.contains(&dump), "{}: {restore:?}", engine.name);
            assert_eq!((backup.hiding, restore.hiding), (None, None), "{}", engine.name);
        }
    }
}
