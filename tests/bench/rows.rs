//! Reading a large table as a drill does, and comparing it with itself: in PostgreSQL, MariaDB and SQLite, beside the dump that each of
//! them makes of it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use judge::store::{Evidence, ObservationId};
use recipe::scenario::Database;
use restore_drill::drill::Resources;
use restore_drill::error::{Error, ReadingError, Result};
use restore_drill::probe::rows;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::common::server::Server;
use super::{forget_peak, median, spread, together};

const POSTGRESQL: &str = r"
[[leave_out]]
object = 'other database *'
why = 'It is empty.'
";
const POSTGRESQL_ROWS: &str = "
CREATE TABLE page (id bigint PRIMARY KEY, title varchar(80) NOT NULL, body text, size numeric(9, 2), at timestamptz, done boolean, token bytea);
INSERT INTO page SELECT n, 'Page ' || n, repeat(md5(n::text), 3), n / 100.0, '2026-01-01'::timestamptz + n * interval '1 second', n % 2 = 0,
  decode(md5(n::text), 'hex') FROM generate_series(1, {rows}) AS n";

const MARIADB_ROWS: &str = "
CREATE TABLE page (id bigint PRIMARY KEY, title varchar(80) NOT NULL, body text, size decimal(9, 2), at datetime, done boolean, token blob);
INSERT INTO page SELECT seq, CONCAT('Page ', seq), REPEAT(MD5(seq), 3), seq / 100, '2026-01-01' + INTERVAL seq SECOND, seq % 2 = 0,
  UNHEX(MD5(seq)) FROM seq_1_to_{rows}";

const SQLITE: &str = "name = 'wiki'\ndialect = 'sqlite'\nvolume = 'data'\nfile = 'wiki.db'";
const SQLITE_ROWS: &str = "
CREATE TABLE page (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT, size REAL, at TEXT, done BOOLEAN, token BLOB);
INSERT INTO page WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {rows})
  SELECT n, 'Page ' || n, hex(randomblob(48)), n / 100.0, datetime(1767225600 + n, 'unixepoch'), n % 2, randomblob(16) FROM c";

/// What was measured of one database, in each round.
#[derive(Default)]
struct Rounds {
    /// Seconds of reading it; it is read twice in a round.
    read: Vec<f64>,
    /// Seconds of comparing what was read first with what was read then.
    judged: Vec<f64>,
    /// Peak memory of both.
    peak_mib: Vec<f64>,
    /// Seconds of the other programs.
    others: Vec<(&'static str, Vec<f64>)>,
}

/// Reads the databases one after the other.
pub async fn measure(count: usize, rounds: usize) -> Result<Value> {
    println!("a table of {count} rows, read twice and judged, {rounds} rounds");
    let filled = |statements: &str| statements.replace("{rows}", &count.to_string());
    let server = Server::postgresql(POSTGRESQL).await;
    server.must("createdb --username=davical wiki").await;
    server.sql(&filled(POSTGRESQL_ROWS)).await;
    let dumps = [("pg_dump", "pg_dump --username=davical wiki > /dev/null")];
    let postgresql = told("PostgreSQL", &of_server(&server, count, rounds, &dumps).await?, count);
    drop(server);
    let server = Server::mariadb("").await;
    server.must("mariadb --execute='CREATE DATABASE wiki CHARACTER SET utf8mb4'").await;
    server.sql(&filled(MARIADB_ROWS)).await;
    let dumps = [("mariadb-dump", "mariadb-dump --single-transaction wiki > /dev/null")];
    let mariadb = told("MariaDB", &of_server(&server, count, rounds, &dumps).await?, count);
    drop(server);
    let sqlite = told("SQLite", &of_file(&filled(SQLITE_ROWS), count, rounds)?, count);
    Ok(json!({"rows": count, "postgresql": postgresql, "mariadb": mariadb, "sqlite": sqlite}))
}

async fn of_server(server: &Server, count: usize, rounds: usize, dumps: &[(&'static str, &str)]) -> Result<Rounds> {
    let mut all = Rounds { others: dumps.iter().map(|(name, _)| (*name, Vec::new())).collect(), ..Rounds::default() };
    for _ in 0..rounds {
        for ((_, command), (_, seconds)) in dumps.iter().zip(&mut all.others) {
            let since = Instant::now();
            server.must(command).await;
            seconds.push(since.elapsed().as_secs_f64());
        }
        forget_peak();
        let mut seen = Vec::new();
        for name in ["before", "after"] {
            let since = Instant::now();
            seen.push(server.observe(name).await);
            all.read.push(since.elapsed().as_secs_f64());
        }
        judged(&server.evidence, &seen, count, &mut all)?;
    }
    Ok(all)
}

fn of_file(statements: &str, count: usize, rounds: usize) -> Result<Rounds> {
    let dir = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let [file, copy] = ["wiki.db", "copy.db"].map(|name| dir.path().join(name));
    let made = Connection::open(&file).and_then(|db| db.execute_batch(statements));
    made.map_err(|e| Error::Usage(format!("the table could not be made: {e}")))?;
    std::fs::copy(&file, &copy).map_err(Error::io(&copy))?;
    let spec: Database = toml::from_str(SQLITE).map_err(|e| Error::Usage(e.to_string()))?;
    let evidence = Evidence::create(&dir.path().join("run"))?;
    let mut all = Rounds { others: vec![("sqlite3 .dump", vec![]), ("sqldiff", vec![])], ..Rounds::default() };
    let has_diff = Command::new("sqldiff").arg("--help").output().is_ok();
    all.others.truncate(if has_diff { 2 } else { 1 });
    for _ in 0..rounds {
        for (at, (_, seconds)) in all.others.iter_mut().enumerate() {
            seconds.push(together(vec![other(at, &file, &copy)])?);
        }
        forget_peak();
        let mut seen = Vec::new();
        for (name, file) in [("before", &file), ("after", &copy)] {
            let since = Instant::now();
            let o = evidence.observation(name)?;
            rows::read_file(file, &spec, &[], &evidence, o)?
                .map_err(|why| ReadingError::Unread { what: "the database".into(), why })?;
            all.read.push(since.elapsed().as_secs_f64());
            seen.push(o);
        }
        judged(&evidence, &seen, count, &mut all)?;
    }
    Ok(all)
}

/// The dump of a file, or what in it differs from its copy.
fn other(at: usize, file: &Path, copy: &Path) -> Command {
    let mut command = Command::new(["sqlite3", "sqldiff"][at]);
    if at == 0 {
        command.arg(file).arg(".dump")
    } else {
        command.arg(file).arg(copy)
    };
    command
}

/// Compares what was read first and then, which must be all of it and the same.
fn judged(evidence: &Evidence, seen: &[ObservationId], count: usize, all: &mut Rounds) -> Result<()> {
    let since = Instant::now();
    let found = judge::database_as(evidence, seen[0], seen[1], "wiki")?;
    all.judged.push(since.elapsed().as_secs_f64());
    all.peak_mib.push(Resources::used().map_or(0.0, |r| r.peak_kib as f64 / 1024.0));
    let counted: u64 = evidence.row_counts(seen[1])?.iter().map(|(.., n)| n).sum();
    if counted != count as u64 || !found.is_empty() {
        let why = format!("{counted} rows of {count} were read, and {found:?} was found");
        return Err(ReadingError::Unread { what: "the table".into(), why }.into());
    }
    Ok(())
}

fn told(name: &str, all: &Rounds, count: usize) -> Value {
    let [read, judged, peak] = [&all.read, &all.judged, &all.peak_mib].map(|values| median(values.clone()));
    let a_second = count as f64 / read;
    println!("  {name:10} read in {read:6.2} s ({a_second:7.0} rows/s), judged in {judged:5.2} s, peak memory {peak:.0} MiB");
    let mut others = serde_json::Map::new();
    for (other, seconds) in &all.others {
        let median = median(seconds.clone());
        println!("    {other:14} {median:6.2} s; reading takes {:.2} x of it", read / median);
        others.insert((*other).to_owned(), spread(seconds));
    }
    json!({"read s": spread(&all.read), "rows a second": a_second, "judge s": spread(&all.judged), "peak MiB": peak, "others s": others})
}
