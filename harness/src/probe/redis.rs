//! The Redis probe: every key of every database, page by page (SCAN), each read where it is: its value's hash leaves Redis, the value
//! does not.

use std::time::Duration;

use engine::Engine;
use judge::store::{Evidence, KeySeen, ObservationId};
use recipe::glob::matches;
use recipe::scenario::Redis as Spec;
use sha2::{Digest as _, Sha256};

use super::{Probe, Progress, Reading};
use crate::error::{Error, ReadingError, Result};
use crate::stack::deploy::Stack;

/// What reads one page.
const SCRIPT: &str = include_str!("redis.lua");
/// Keys in a page, more or less.
const PAGE: &str = "2000";
/// What every answer about databases begins with.
const HEADING: &str = "# Keyspace";
/// What expires sooner than this may be gone by itself before it is looked at again, in milliseconds.
const SOON: i64 = 60 * 60 * 1000;

/// The longest that reading all keys of a server may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// The Redis probe.
pub struct Redis {
    /// The engine.
    pub engine: Engine,
    /// The app's stack.
    pub stack: Stack,
    /// What to read.
    pub specs: Vec<Spec>,
}

impl Probe for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let mut done = 0;
            for spec in &self.specs {
                // What answers is a program of the app's, which need not say that a page is the last.
                let read = tokio::time::timeout(PATIENCE, self.read(spec, evidence, observation)).await;
                let late = || format!("its keys could not be read in {} minutes", PATIENCE.as_secs() / 60);
                let read = read.map_err(|_| late()).and_then(|read| read.map_err(|e| e.to_string()));
                if let Err(e) = &read {
                    tracing::debug!(service = spec.service, "{e}");
                    // What was read before it broke is no observation.
                    evidence.clear_keys(observation, &spec.service)?;
                }
                evidence.put_redis(observation, &spec.service, read.err().as_deref())?;
                done += 1;
                progress(done, self.specs.len() as u64);
            }
            Ok(())
        })
    }
}

impl Redis {
    async fn read(&self, spec: &Spec, evidence: &Evidence, o: ObservationId) -> Result<()> {
        let service = self.stack.service(&spec.service);
        let call = async |more: &[&str]| {
            let command: Vec<&str> = spec.command.iter().map(String::as_str).chain(more.iter().copied()).collect();
            let output = self.engine.exec(&service, &command, &[], None).await?;
            Ok::<_, Error>(output.ok("reading keys")?.stdout)
        };
        for number in databases(&call(&["INFO", "keyspace"]).await?)? {
            let name = number.to_string();
            let mut cursor = "0".to_owned();
            loop {
                let page = call(&["-n", &name, "EVAL", SCRIPT, "0", &cursor, PAGE]).await?;
                let (next, keys) = parse(number, &page)?;
                let kept = |k: &&KeySeen| !spec.leave_out.iter().any(|left_out| matches(&left_out.key, &k.key));
                evidence.put_keys(o, &spec.service, &keys.iter().filter(kept).cloned().collect::<Vec<_>>())?;
                if next == "0" {
                    break;
                }
                cursor = next;
            }
        }
        let mut libraries = Vec::new();
        for name in self.libraries(spec).await? {
            libraries.push(library(&name, &call(&["FUNCTION", "LIST", "LIBRARYNAME", &name, "WITHCODE"]).await?));
        }
        libraries.retain(|k| !spec.leave_out.iter().any(|left_out| matches(&left_out.key, &k.key)));
        Ok(evidence.put_keys(o, &spec.service, &libraries)?)
    }

    /// The names of the libraries of functions, which Redis keeps with its keys since version 7.
    async fn libraries(&self, spec: &Spec) -> Result<Vec<String>> {
        let command: Vec<&str> = spec.command.iter().map(String::as_str).chain(["FUNCTION", "LIST"]).collect();
        let output = self.engine.exec(&self.stack.service(&spec.service), &command, &[], None).await?;
        let said = format!("{}{}", output.stdout, output.stderr);
        if output.code != 0 && said.contains("unknown command") {
            return Ok(vec![]);
        }
        Ok(names(&output.ok("reading libraries")?.stdout))
    }
}

/// The names out of what `FUNCTION LIST` says: each is on the line after its heading.
pub fn names(list: &str) -> Vec<String> {
    let lines: Vec<&str> = list.lines().map(str::trim_end).collect();
    lines.windows(2).filter(|two| two[0] == "library_name").map(|two| two[1].to_owned()).collect()
}

/// A library as it is stored: beside the keys, under a name that none of them has, since a space in a key is written as `%20`.
pub fn library(name: &str, listed: &str) -> KeySeen {
    let code = listed.split_once("library_code\n").map_or(listed, |(_, code)| code);
    KeySeen {
        database: 0,
        key: format!("library {name}"),
        kind: "library".into(),
        expires: false,
        soon: false,
        length: code.len() as u64,
        value: hex::encode(Sha256::digest(code)),
    }
}

/// The numbers of the databases that have keys, out of what `INFO keyspace` says: `db0:keys=1,…`. A client before version 7 prints a
/// refusal as it prints an answer.
///
/// # Errors
/// It is no such answer.
pub fn databases(info: &str) -> Result<Vec<u32>> {
    if !info.contains(HEADING) {
        return Err(
            ReadingError::form("listing databases", format!("{HEADING:?}"), info.lines().next().unwrap_or_default()).into()
        );
    }
    Ok(info.lines().filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse().ok()).collect())
}

/// The cursor of the next page, and the keys of this one.
pub fn parse(database: u32, page: &str) -> Result<(String, Vec<KeySeen>)> {
    let mut lines = page.lines();
    let wrong = |line: &str| Error::from(ReadingError::form("reading keys", "type, time, length, hash and key", line));
    let cursor =
        lines.next().filter(|c| c.parse::<u64>().is_ok()).ok_or_else(|| wrong(page.lines().next().unwrap_or_default()))?;
    let key = |line: &str| {
        let [kind, left, length, value, key] = line.splitn(5, ' ').collect::<Vec<_>>()[..] else {
            return Err(wrong(line));
        };
        let left: i64 = left.parse().map_err(|_| wrong(line))?;
        let length = length.parse().map_err(|_| wrong(line))?;
        let (expires, soon) = (left >= 0, (0..SOON).contains(&left));
        Ok(KeySeen { database, key: key.into(), kind: kind.into(), expires, soon, length, value: value.into() })
    };
    let keys = lines.filter(|l| !l.is_empty()).map(key).collect::<Result<Vec<_>>>()?;
    Ok((cursor.to_owned(), keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_those_with_keys() {
        let of = |info: &str| databases(info).map_err(|e| e.to_string());
        assert_eq!(of("# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb12:keys=1\r\n"), Ok(vec![0, 12]));
        assert_eq!(of("# Keyspace\n"), Ok(vec![]));
        for refused in ["NOAUTH Authentication required.\n", "LOADING Redis is loading the dataset in memory\n", ""] {
            assert!(of(refused).expect_err("a refusal").contains(refused.trim_end()), "{refused}");
        }
    }

    #[test]
    fn a_library_is_known_by_its_code() {
        let list =
            "library_name\nmine\nengine\nLUA\nfunctions\nname\nf\ndescription\n\nflags\n\nlibrary_name\nother\nengine\nLUA\n";
        assert_eq!(names(list), ["mine", "other"]);
        assert_eq!(names(""), [""; 0]);
        let with =
            |functions: &str, code: &str| library("mine", &format!("library_name\nmine\n{functions}library_code\n{code}\n"));
        assert_eq!(with("a\nb\n", "#!lua"), with("b\na\n", "#!lua"), "its functions come in any order");
        assert_ne!(with("", "#!lua"), with("", "#!lua "));
    }

    #[test]
    fn a_page_has_a_cursor_and_keys() {
        let page = "17\nstring -1 3 aa a%20key\nlist 7200000 2 bb RS\nstring 5000 1 cc soon gone\n";
        let (cursor, keys) = parse(1, page).expect("a page");
        let seen = |key: &str, kind: &str, expires, length, value: &str| KeySeen {
            database: 1,
            key: key.into(),
            kind: kind.into(),
            expires,
            soon: value == "cc",
            length,
            value: value.into(),
        };
        assert_eq!(cursor, "17");
        let soon = seen("soon gone", "string", true, 1, "cc");
        assert_eq!(keys, [seen("a%20key", "string", false, 3, "aa"), seen("RS", "list", true, 2, "bb"), soon]);
        for wrong in ["", "ERR unknown command", "0\nstring -1 3 aa", "0\nstring never 3 aa k"] {
            assert!(parse(0, wrong).is_err(), "{wrong:?}");
        }
    }
}
