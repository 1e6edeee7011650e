//! What databases say: the answers of PostgreSQL's and MariaDB's clients, Redis's pages.

use std::cell::RefCell;
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use judge::store::Evidence;
use recipe::scenario::Database;
use restore_drill::probe::redis;
use restore_drill::probe::rows::{
    self,
    client::{Client, Line, Lines},
};
use tempfile::TempDir;

use super::{Target, now, text};

/// The answers to the queries for a database, with a NUL between; the first byte says which server and in what pieces.
pub const SQL: Target = Target {
    name: "sql",
    feed: sql,
    seeds: &[
        b"\x08may\tt\tt\n\0T\tusr\tpublic.usr\trows\t\t\nC\tpublic.usr\tid\tnumber\t1\t\nC\tpublic.usr\tname\ttext\t0\t\nC\tpublic.usr\tpic\tblob\t0\tcomputed\n\
          S\tusr_id_seq\tpublic.usr_id_seq\tusr\t\t\nO\tindex\tusr_pkey\tdefinition\tCREATE (ARRAY['a'::character varying])::text[]\tusr\n\0\
          r\t0\t1\ta\\tb\t\\\\x00ff\nr\t0\t2\t\\N\t\\N\ns\t0\t2\tt\n",
        b"\x0910.11-MariaDB\n\x0054 757372 60757372 726F7773 \n\0",
        b"\x0910.11-MariaDB\n\0",
        b"\x00may\tf\tf\n\0",
    ],
};

/// A client that answers each query with the next of some texts, and says at the end that it is the end.
struct Recorded<'a> {
    answers: Mutex<Vec<&'a [u8]>>,
    size: usize,
}

impl Client for Recorded<'_> {
    fn ask<'a>(&'a self, _: &'a str, line: Line<'a>) -> BoxFuture<'a, restore_drill::Result<Result<(), String>>> {
        Box::pin(async move {
            let answer = self.answers.lock().expect("not poisoned").pop().unwrap_or_default();
            let mut lines = Lines::default();
            answer.chunks(self.size).chain([&b"end\n"[..]]).for_each(|part| lines.take(part, line));
            Ok(lines.end(line))
        })
    }
}

thread_local! {
    /// One for all inputs: what is stored of a database is forgotten when it is read again.
    static EVIDENCE: RefCell<Option<(TempDir, Evidence)>> = const { RefCell::new(None) };
}

fn sql(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let dialect = if choice & 1 == 0 { "postgresql" } else { "mariadb" };
    let spec = format!(
        "name = 'd'\ndialect = '{dialect}'\nservice = 's'\ncommand = ['c', '{{query}}']\n[[table]]\nname = 'usr'\nsecret = ['name']\n\
         [[leave_out]]\ntable = 'log*'\nwhy = 'x'"
    );
    let spec: Database = toml::from_str(&spec).expect("a database");
    let mut answers: Vec<&[u8]> = data.split(|b| *b == 0).collect();
    answers.reverse();
    let client = Recorded { answers: Mutex::new(answers), size: usize::from(choice >> 1).max(1) };
    EVIDENCE.with_borrow_mut(|kept| {
        let (_, evidence) = kept.get_or_insert_with(|| {
            let dir = tempfile::tempdir().expect("a directory");
            let evidence = Evidence::create(dir.path()).expect("evidence");
            (dir, evidence)
        });
        let o = evidence.observation("one").expect("an observation");
        if let Ok(rows) = now(rows::ask(&client, &spec, &[], evidence, o)) {
            let stored: u64 = evidence.row_counts(o).expect("read").iter().map(|(.., n)| n).sum();
            assert_eq!(rows, stored);
            // It is said of each database whether it was read.
            assert!(evidence.checks(o, "d").expect("read").iter().any(|(property, _)| property == judge::FILE));
        }
    });
}

/// A page of a Redis's keys.
pub const REDIS: Target = Target {
    name: "redis",
    feed: redis,
    seeds: &[
        b"17\nstring -1 3 aa a%20key\nlist 7200000 2 bb RS\nstring 5000 1 cc soon gone\n",
        b"# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb12:keys=1\r\n",
    ],
};

fn redis(data: &[u8]) {
    let text = text(data);
    assert!(redis::databases(&text).unwrap_or_default().len() <= text.lines().count());
    if let Ok((cursor, keys)) = redis::parse(1, &text) {
        assert!(cursor.parse::<u64>().is_ok() && keys.len() < text.lines().count());
        assert!(keys.iter().all(|key| key.database == 1 && !key.kind.contains(' ')), "{keys:?}");
    }
}
