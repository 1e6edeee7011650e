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
    /// The variable of the environment that names another folder.
    variable: Option<String>,
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
    /// Where one of these variables is set, only an account of `accounts` can log in.
    #[serde(default)]
    locked_by: Vec<String>,
    /// The variables that name an account, also with `_FILE` behind the name.
    #[serde(default)]
    accounts: Vec<String>,
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
    // Where the environment names the folder, no other one has the files.
    let named = known.and_then(|engine| engine.folder_in(service));
    let engine = |mount: &Mount| match (known, named) {
        (Some(engine), Some(folder)) => service.mount_of(folder).is_some_and(|(m, _)| m.target == mount.target).then_some(engine),
        (Some(engine), None) => engine.holds(&mount.target).then_some(engine),
        (None, _) => ENGINES.iter().find(|engine| engine.may_be(image) && engine.holds(&mount.target)),
    };
    service.mounts.iter().find_map(|mount| match &mount.source {
        MountSource::Volume(volume) if !mount.read_only => {
            Some(Server { engine: engine(mount)?, mount, volume, is_guess: known.is_none() })
        }
        _ => None,
    })
}

/// The engine of a service that is a database's server, and whose files are in nothing that the recipe mounts by a name. Where the
/// service runs another program of the image, or says by an option where the files are, nothing is known.
pub fn unstored(service: &Service) -> Option<&'static Engine> {
    let engine = engine_of(service.image.as_deref()?)?;
    let is_option = |word: &String| {
        ["--datadir", "--dbpath", "-D", "--pgdata", "--config", "-f"].iter().any(|option| word.starts_with(option))
    };
    // Without any mount, another file may have them.
    if service.mounts.is_empty() || !runs_the_server(&service.program) || service.program.iter().any(is_option) {
        return None;
    }
    let has_name = |mount: &&Mount| mount.source != MountSource::Unnamed;
    let is_stored = match engine.folder_in(service) {
        Some(folder) => service.mount_of(folder).is_some_and(|(mount, _)| has_name(&mount)),
        None => service.mounts.iter().filter(has_name).any(|mount| engine.holds(&mount.target) || engine.is_below(&mount.target)),
    };
    (!is_stored).then_some(engine)
}

/// Whether a service with these words as its command runs the server of its image: there are none, or they are its options.
fn runs_the_server(program: &[String]) -> bool {
    const SERVERS: [&str; 6] = ["postgres", "mysqld", "mariadbd", "mongod", "influxd", "clickhouse-server"];
    program.first().is_none_or(|first| first.starts_with('-') || SERVERS.contains(&first.rsplit('/').next().unwrap_or(first)))
}

impl Engine {
    /// The folder of the files that the environment of a service names.
    fn folder_in<'s>(&self, service: &'s Service) -> Option<&'s str> {
        let folder = service.environment.get(self.variable.as_ref()?)?;
        (folder.starts_with('/') && !folder.contains('$')).then_some(folder)
    }

    /// Whether its folders are below a mount.
    fn is_below(&self, target: &str) -> bool {
        let target = target.trim_end_matches('/');
        self.folders.iter().any(|folder| folder.strip_prefix(target).is_some_and(|rest| rest.starts_with('/')))
    }

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
    /// Whether nobody can log in with what the environment of a service says.
    pub fn is_locked(&self, service: &Service) -> bool {
        let is_set = |name: &String| {
            [name.clone(), format!("{name}_FILE")].iter().any(|n| service.environment.get(n).is_some_and(|v| !v.is_empty()))
        };
        self.locked_by.iter().any(is_set) && !self.accounts.iter().any(is_set)
    }

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

    /// The service `db` of a recipe.
    fn service(text: &str) -> Service {
        let text = format!("services:\n  db:\n{text}\nvolumes:\n  v:\n");
        let recipe = crate::labels::recipe::RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
        recipe.services["db"].clone()
    }

    #[test]
    fn the_environment_says_where_the_files_are() {
        for (pgdata, target, is_server) in [
            ("/pgdata", "/pgdata", true),
            ("/pgdata/16", "/pgdata", true),
            ("/pgdata", "/var/lib/postgresql/data", false),
            ("/var/lib/postgresql/data/pgdata", "/var/lib/postgresql/data", true),
            ("${PGDATA}", "/var/lib/postgresql/data", true),
        ] {
            let text = format!("    image: postgres:16\n    environment: [\"PGDATA={pgdata}\"]\n    volumes: ['v:{target}']");
            let service = service(&text);
            assert_eq!(server(&service).is_some(), is_server, "{pgdata} {target}");
            assert_eq!(unstored(&service).is_none(), is_server, "{pgdata} {target}");
        }
    }

    #[test]
    fn servers_whose_files_nothing_stores() {
        for (text, engine) in [
            ("image: postgres:16", None),
            ("image: mariadb:11\n    volumes: ['/var/lib/mysql']", Some("MariaDB")),
            ("image: postgres:16\n    volumes: ['v:/data']", Some("PostgreSQL")),
            ("image: mysql:8\n    volumes: ['v:/x']\n    command: --sql-mode=x", Some("MySQL")),
            ("image: mongo:7\n    volumes: ['v:/x']\n    command: [mongod, --replSet, x]", Some("MongoDB")),
            ("image: mongo:7\n    volumes: ['v:/d']\n    command: mongod --dbpath /d", None),
            ("image: postgres:16\n    volumes: ['/srv/db:/var/lib/postgresql/data']", None),
            ("image: postgres:16\n    volumes: ['v:/var/lib']", None),
            ("image: postgres:16\n    command: sh -c 'while true; do pg_dump; done'", None),
            ("image: postgres:16\n    entrypoint: /backup.sh", None),
            ("image: x/own:1", None),
        ] {
            assert_eq!(unstored(&service(&format!("    {text}"))).map(|e| e.name.as_str()), engine, "{text}");
        }
    }

    #[test]
    fn an_account_is_needed_where_nobody_knows_roots_password() {
        for (variables, is_locked) in [
            ("MYSQL_RANDOM_ROOT_PASSWORD=1", true),
            ("MYSQL_RANDOM_ROOT_PASSWORD=1, MYSQL_USER=app", false),
            ("MYSQL_RANDOM_ROOT_PASSWORD=1, MYSQL_ROOT_PASSWORD_FILE=/run/secrets/r", false),
            ("MYSQL_USER=app", false),
        ] {
            for image in ["mysql:8", "mariadb:11"] {
                let service =
                    service(&format!("    image: {image}\n    environment: [{variables}]\n    volumes: ['v:/var/lib/mysql']"));
                let pair = server(&service).and_then(|s| s.engine.pair.as_ref()).expect("a pair");
                assert_eq!(pair.is_locked(&service), is_locked, "{image} {variables}");
            }
        }
    }

    #[test]
    fn the_scripts_dump_what_is_the_apps_and_no_accounts() {
        let scripts: Vec<String> = ENGINES.iter().filter_map(|e| Some(e.pair.as_ref()?.script("/srv"))).collect();
        for script in scripts.iter().filter(|s| s.contains("mysqldump")) {
            assert!(!script.contains("--all-databases") && script.contains("NOT IN ('mysql', 'sys',"), "{script}");
        }
        let postgres = scripts.iter().find(|s| s.contains("pg_dump")).expect("a script");
        assert!(!postgres.contains("POSTGRES_DB") && postgres.contains("FROM pg_database WHERE datallowconn"), "{postgres}");
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
