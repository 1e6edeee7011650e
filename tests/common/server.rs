//! Database servers in containers: seeded, changed in one way after the other, and read.

use std::collections::{BTreeMap, BTreeSet};

use engine::exec::Output;
use engine::{Engine, SERVICE_LABEL};
use judge::store::{Evidence, ObservationId};
use recipe::image::ImageContext;
use recipe::scenario::Database;
use restore_drill::probe::rows::ask;
use restore_drill::probe::rows::client::InContainer;
use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

/// How PostgreSQL's database is read and written.
const POSTGRESQL: &str = r"
name = 'wiki'
dialect = 'postgresql'
service = 'db'
command = ['psql', '--username=davical', '--no-psqlrc', '--quiet', '--command={query}', 'wiki']
write = ['psql', '--username=davical', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', 'wiki']
";

/// How MariaDB's database is read and written.
const MARIADB: &str = r"
name = 'wiki'
dialect = 'mariadb'
service = 'db'
command = ['mariadb', '--batch', '--skip-column-names', '--quick', '--execute={query}', 'wiki']
write = ['mariadb', 'wiki']
";

/// How MySQL's database is read and written.
const MYSQL: &str = r"
name = 'wiki'
dialect = 'mariadb'
service = 'db'
command = ['mysql', '--batch', '--skip-column-names', '--quick', '--execute={query}', 'wiki']
write = ['mysql', 'wiki']
";

/// A server, and where what is read of it goes.
pub struct Server {
    pub engine: Engine,
    pub service: String,
    pub spec: Database,
    pub evidence: Evidence,
    _dir: tempfile::TempDir,
    _container: ContainerAsync<GenericImage>,
}

/// A change, what undoes it, and what must be found of it, without the database's name.
pub type Case = (&'static str, &'static str, &'static [&'static str]);

impl Server {
    /// Starts a server of an image that is built first; `spec` says how it is read.
    pub async fn start(context: ImageContext, ready: WaitFor, env: &[(&str, &str)], spec: &str) -> Self {
        let engine = Engine::connect().await.expect("an engine");
        let repository = context.repository.clone();
        let sources = BTreeMap::from([("db".to_owned(), context)]);
        let built = super::images::built(&sources).await;
        let tag = built["db"].rsplit(':').next().expect("a tag").to_owned();
        let service = format!("databases-{}-{}", std::process::id(), repository.rsplit('/').next().expect("a name"));
        let image = GenericImage::new(repository, tag).with_wait_for(ready).with_labels([(SERVICE_LABEL, &service)]);
        let image = env.iter().fold(image, |image, (name, value)| image.with_env_var(*name, *value));
        let container = image.start().await.expect("started");
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(&dir.path().join("run")).expect("evidence");
        let spec = toml::from_str(spec).expect("valid");
        Self { engine, service, spec, evidence, _dir: dir, _container: container }
    }

    /// PostgreSQL, as DAViCal's stand-in has it; `more` says what is left out of its database, and what is secret there.
    pub async fn postgresql(more: &str) -> Self {
        let context = context("scenarios/davical/images/db", "restore-drill/davical-db");
        let ready = WaitFor::message_on_stderr("ready to accept connections");
        let env = [("POSTGRES_DB", "davical"), ("POSTGRES_USER", "davical"), ("POSTGRES_PASSWORD", "synthetic")];
        Self::start(context, ready, &env, &format!("{POSTGRESQL}{more}")).await
    }

    /// MariaDB, as Debian has it; `more` as for PostgreSQL.
    pub async fn mariadb(more: &str) -> Self {
        let context = context("tests/images/mariadb", "restore-drill/test-mariadb");
        Self::start(context, WaitFor::message_on_stderr("ready for connections"), &[], &format!("{MARIADB}{more}")).await
    }

    /// MySQL, as Debian's sid has it; `more` as for PostgreSQL.
    pub async fn mysql(more: &str) -> Self {
        let context = context("tests/images/mysql", "restore-drill/test-mysql");
        Self::start(context, WaitFor::message_on_stderr("mysqld.sock'  port: 0"), &[], &format!("{MYSQL}{more}")).await
    }

    /// Fills the database, and reads it; all of it can be read, and nothing that the scenario says is about something else.
    pub async fn seeded(&self, seed: &str) -> ObservationId {
        self.sql(seed).await;
        let before = self.observe("before").await;
        assert_eq!(self.check(before, judge::FILE).as_deref(), Some(judge::READABLE));
        assert_eq!(self.check(before, judge::SETTINGS).as_deref(), Some(""));
        before
    }

    /// Dumps PostgreSQL's database, drops it and loads the dump.
    pub async fn dump_and_load(&self) {
        let again = "pg_dump --username=davical --create --file=/tmp/wiki.sql wiki && dropdb --username=davical wiki &&
                     psql --username=davical --quiet --set=ON_ERROR_STOP=1 --file=/tmp/wiki.sql postgres";
        self.must(again).await;
    }

    /// Runs a command in its container.
    pub async fn run(&self, command: &[&str], input: &str) -> Output {
        self.engine.exec(&self.service, command, &[], Some(input.as_bytes())).await.expect("run")
    }

    /// Runs a shell command in its container, which must succeed.
    pub async fn must(&self, command: &str) {
        let output = self.run(&["sh", "-ec", command], "").await;
        assert_eq!(output.code, 0, "{command}: {}{}", output.stderr, output.stdout);
    }

    /// Runs statements, which must succeed.
    pub async fn sql(&self, statements: &str) {
        let words: Vec<&str> = self.spec.write.iter().map(String::as_str).collect();
        let output = self.run(&words, statements).await;
        assert_eq!(output.code, 0, "{statements}: {}{}", output.stderr, output.stdout);
    }

    /// Reads the database.
    pub async fn observe(&self, name: &str) -> ObservationId {
        let o = self.evidence.observation(name).expect("an observation");
        let client = InContainer { engine: &self.engine, service: self.service.clone(), command: &self.spec.command };
        ask(&client, &self.spec, &[], &self.evidence, o).await.expect("asked");
        o
    }

    /// What was said of the database as a whole.
    pub fn check(&self, o: ObservationId, property: &str) -> Option<String> {
        let checks = self.evidence.checks(o, &self.spec.name).expect("read");
        checks.into_iter().find(|(p, _)| p == property).map(|(_, value)| value)
    }

    /// What differs now.
    pub async fn found(&self, before: ObservationId) -> BTreeSet<String> {
        let after = self.observe("after").await;
        judge::database_as(&self.evidence, before, after, &self.spec.name).expect("compared")
    }

    /// Makes each change, which must be found, and undoes it, after which nothing must be.
    pub async fn try_all(&self, before: ObservationId, cases: &[Case]) {
        for (change, undo, expected) in cases {
            self.sql(change).await;
            let expected: BTreeSet<String> = expected.iter().map(|f| format!("database wiki{f}")).collect();
            assert_eq!(self.found(before).await, expected, "{change}");
            self.sql(undo).await;
            assert_eq!(self.found(before).await, BTreeSet::new(), "after undoing {change}");
        }
    }

    /// Holds the two rows of the table `page` against what must be in the first of them; the secret `token` and what is left out may not.
    pub fn has_two_pages(&self, o: ObservationId, parts: &[&str]) {
        let pages = self.rows(o, "page");
        assert_eq!(pages.len(), 2);
        let first = &pages[0].1;
        for part in parts {
            assert!(first.contains(part), "{part}: {first}");
        }
        assert!(!first.contains("geheim") && !first.contains("seen"), "{first}");
    }

    /// The rows of a table by key, with their columns.
    pub fn rows(&self, o: ObservationId, table: &str) -> Vec<(String, String)> {
        let rows = self.evidence.rows_of(o, &self.spec.name, table).expect("read");
        rows.into_iter().map(|r| (r.key, r.columns)).collect()
    }
}

/// The image in a folder of this repository.
pub fn context(folder: &str, repository: &str) -> ImageContext {
    let context = super::images::root().join(folder);
    ImageContext { repository: repository.into(), context, extra: vec![], version: None }
}
