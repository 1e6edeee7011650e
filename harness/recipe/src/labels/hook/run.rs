//! A program that a hook starts, with its arguments: what it does with a database.

use std::sync::LazyLock;

use regex::Regex;

use super::shell::{SHELLS, Variables, name_of};
use super::{formats, tools};

/// A program that a command starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Run {
    /// Its name, and its arguments with variables replaced.
    pub words: Vec<String>,
    /// The variables that are set for it alone, and those of `HOSTS`.
    pub environment: Variables,
    /// Whether a file or another program gives it something to read.
    pub is_fed: bool,
    /// Whether what it prints goes to a file or to another program.
    pub is_kept: bool,
}

/// The variables that name a server.
pub(super) const HOSTS: [&str; 2] = ["PGHOST", "MYSQL_HOST"];

/// The server that a client talks to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// The one on the same machine: the command names no other.
    Local,
    /// One with this name.
    Named(String),
    /// Only the operator knows.
    Unknown,
}

/// The letters of options of PostgreSQL's programs that a value follows.
const WITH_VALUE: &str = "dfFjLnNPtTUhpSEZIu";

impl Run {
    /// The program's name.
    pub fn tool(&self) -> &str {
        self.words.first().map_or("", |w| name_of(w))
    }

    fn arguments(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(String::as_str)
    }

    fn bare(&self) -> Vec<&str> {
        self.words.iter().map(String::as_str).collect()
    }

    /// Whether it has an option: a letter, also among others as in `-cv`, or one of these words, also with a value.
    fn has(&self, letter: char, long: &[&str]) -> bool {
        let in_letters = |word: &str| {
            let letters = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
            letters.split_inclusive(|c| WITH_VALUE.contains(c)).next().is_some_and(|flags| flags.contains(letter))
        };
        self.arguments().any(|w| in_letters(w) || long.contains(&w.split('=').next().unwrap_or(w)))
    }

    /// Whether options may be in a variable whose value is not known.
    fn has_open_options(&self) -> bool {
        self.arguments().any(|w| is_open(w) || w.starts_with("$("))
    }

    /// Whether it prints a dump that nobody keeps.
    pub fn dumps_nowhere(&self) -> bool {
        let has_file = || !tools::files(self.tool(), &self.bare()).writes.is_empty();
        let only_says =
            || self.arguments().any(|w| ["--help", "--version", "-V", "-?", "-T"].contains(&w) || w.starts_with("--tab"));
        let is_dump = tools::prints_dump(self.tool()) && !self.is_kept;
        is_dump && !has_file() && !self.has_open_options() && !only_says()
    }

    /// Whether it may load a dump that the command does not name: what it does is not known, or what it reads.
    pub fn may_load(&self) -> bool {
        let tool = self.tool();
        // What a script does is read by itself.
        if SHELLS.contains(&tool) || tool == "su" || self.words.first().is_some_and(|w| is_script(w)) {
            return false;
        }
        let states = || self.has('c', &["--command", "--eval"]) || self.has('e', &["--execute"]) || self.has('l', &["--list"]);
        match tools::loads(tool) {
            true => self.is_fed || !states(),
            false => !tools::never_loads(tool) && !tools::only_checks(tool, &self.bare(), self.is_kept),
        }
    }

    /// Whether it is a program that nobody knows here, and a word asks it for a dump.
    pub fn exports(&self) -> bool {
        let tool = self.tool();
        let is_known = SHELLS.contains(&tool) || tool == "su" || tools::is_known(tool);
        let asks = |word: &str| {
            !word.contains('/') && ["dump", "export", "backup"].iter().any(|what| word.to_lowercase().contains(what))
        };
        !is_known && !self.words.first().is_some_and(|word| word.contains('/')) && self.arguments().any(asks)
    }

    /// Whether it is pg_dump, and writes SQL that a database with the same tables refuses.
    pub fn dumps_without_drop(&self) -> bool {
        let is_text = || formats::written(self.tool(), &self.bare()) != Some("an archive of pg_dump");
        let is_whole = || !self.has('a', &["--data-only"]) && !self.has('s', &["--schema-only"]) && !self.has_open_options();
        matches!(self.tool(), "pg_dump" | "pg_dumpall") && is_text() && is_whole() && !self.has('c', &["--clean"])
    }

    /// Whether it is psql, and reads SQL from a file or another program.
    pub fn loads_text(&self) -> bool {
        self.tool() == "psql" && (self.is_fed || self.has('f', &["--file"]))
    }

    /// What it loads into a database beside what is there, in words for people; nothing if it replaces that.
    pub fn adds(&self) -> Option<&'static str> {
        let keeps = self.has_open_options() || self.has('a', &["--data-only"]);
        match self.tool() {
            "pg_restore" if self.prints() || keeps || self.has('c', &["--clean"]) => None,
            "pg_restore" => Some("pg_restore without --clean fails at each table that exists"),
            "mongorestore" if keeps || self.has('\0', &["--drop", "--dryRun"]) => None,
            "mongorestore" => Some("mongorestore without --drop skips each document that exists"),
            _ => None,
        }
    }

    /// Whether it is pg_restore without a database: then it loads nothing.
    pub fn restores_nowhere(&self) -> bool {
        let is_told = || self.prints() || self.is_kept || self.has_open_options() || self.has('d', &["--dbname"]);
        self.tool() == "pg_restore" && !is_told()
    }

    /// Whether it is pg_restore, and only prints.
    fn prints(&self) -> bool {
        self.has('l', &["--list"]) || self.has('f', &["--file"]) || self.has('V', &["--version", "--help"])
    }

    /// The server that it talks to.
    pub fn host(&self) -> Host {
        static OPEN: LazyLock<Regex> = LazyLock::new(|| {
            let pattern = r"(?i)^\$\{?\w*(URL|URI|DSN|CONN|HOST|SERVER)|^--(login-path|defaults-)|\bservice=";
            Regex::new(pattern).expect("the pattern is a constant, and tested")
        });
        let option = tools::options(&self.bare(), &["-h", "--host"], &["--host=", "-h"]).pop();
        let set = || HOSTS.iter().find_map(|name| self.environment.get(*name).cloned());
        let host = option.or_else(|| self.arguments().find_map(host_in)).or_else(set);
        match host {
            Some(host) => Host::Named(host.rsplit('/').next().unwrap_or(&host).split(':').next().unwrap_or_default().to_owned()),
            None if self.arguments().any(|w| is_open(w) || OPEN.is_match(w)) => Host::Unknown,
            None => Host::Local,
        }
    }
}

/// Whether a word is a variable that may hold options.
fn is_open(word: &str) -> bool {
    static OPEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\$\{?([@*]|\w*(OPT|ARG|FLAG|PARAM|EXTRA)\w*)").expect("the pattern is a constant, and tested")
    });
    OPEN.is_match(word)
}

/// Whether a program's path is that of a script that somebody wrote for the recipe.
fn is_script(path: &str) -> bool {
    path.starts_with('/') && !["/bin/", "/sbin/", "/usr/"].iter().any(|dir| path.starts_with(dir))
}

/// The host in an address such as `postgres://user@host/db`, or in a text such as `host=db user=app`.
fn host_in(word: &str) -> Option<String> {
    static ADDRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"://(?:[^/]*@)?([^/:?]+)|\bhost=(\S+)").expect("the pattern is a constant, and tested"));
    let found = ADDRESS.captures(word)?;
    found.get(1).or(found.get(2)).map(|m| m.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str) -> Run {
        Run { words: command.split(' ').map(str::to_owned).collect(), ..Run::default() }
    }

    #[test]
    fn the_server_that_a_client_talks_to() {
        let named = |name: &str| Host::Named(name.to_owned());
        for (command, host) in [
            ("pg_dump -U app app", Host::Local),
            ("pg_dump -h db -U app app", named("db")),
            ("pg_dump --host=db app", named("db")),
            ("mysqldump -hdb app", named("db")),
            ("pg_dump postgres://app:pw@db:5432/app", named("db")),
            ("pg_dump host=db", named("db")),
            ("mongodump --uri=mongodb://db/x", named("db")),
            ("mongodump --host=rs0/db:27017", named("db")),
            ("pg_dump -h ${STACK_NAME}_db app", named("${STACK_NAME}_db")),
            ("pg_dump $DATABASE_URL", Host::Unknown),
            ("pg_dump $@", Host::Unknown),
            ("pg_dump --file=/d $(value)", Host::Local),
            ("mysqldump --defaults-extra-file=/run/my.cnf app", Host::Unknown),
        ] {
            assert_eq!(run(command).host(), host, "{command}");
        }
        let environment = Variables::from([("PGHOST".into(), "db".into())]);
        assert_eq!(Run { environment, ..run("pg_dump app") }.host(), named("db"));
    }

    #[test]
    fn a_dump_that_nobody_keeps() {
        for (command, is_lost) in [
            ("pg_dump -U app app", true),
            ("mysqldump -u root -f /data/x app", true),
            ("pg_dump -f /data/x app", false),
            ("pg_dump $PG_OPTS app", false),
            ("pg_dump --version", false),
            ("mongodump", false),
            ("pg_basebackup -D /data/b", false),
        ] {
            assert_eq!(run(command).dumps_nowhere(), is_lost, "{command}");
            assert!(!Run { is_kept: true, ..run(command) }.dumps_nowhere(), "{command}");
        }
    }

    #[test]
    fn what_a_load_does_with_what_is_there() {
        for (command, without_drop) in [
            ("pg_dump -U app app", true),
            ("pg_dumpall", true),
            ("pg_dump -Fp -Z 9 app", true),
            ("pg_dump -cU app app", false),
            ("pg_dump --clean --if-exists app", false),
            ("pg_dump -Fc app", false),
            ("pg_dump --data-only app", false),
            ("pg_dump -U clara app", true),
        ] {
            assert_eq!(run(command).dumps_without_drop(), without_drop, "{command}");
        }
        for (command, adds, nowhere) in [
            ("pg_restore -d app /d", true, false),
            ("pg_restore -cd app /d", false, false),
            ("pg_restore --clean --dbname=app /d", false, false),
            ("pg_restore --clean /d", false, true),
            ("pg_restore -l /d", false, false),
            ("pg_restore -f /d.sql /d", false, false),
            ("mongorestore --archive=/d", true, false),
            ("mongorestore --drop --archive=/d", false, false),
            ("mysql app", false, false),
        ] {
            assert_eq!((run(command).adds().is_some(), run(command).restores_nowhere()), (adds, nowhere), "{command}");
        }
    }

    #[test]
    fn programs_of_an_image_that_dump() {
        for (command, exports) in [
            ("wp db export /data/x.sql", true),
            ("gitea dump -f /data/x.zip", true),
            ("wp cache flush", false),
            ("load /backup/x", false),
            ("pg_dump -f backup app", false),
            ("rm -f backup.sql", false),
            ("tar -cf x backup", false),
            ("/vaultwarden backup", false),
        ] {
            assert_eq!(run(command).exports(), exports, "{command}");
        }
    }

    #[test]
    fn what_may_load_a_dump() {
        for (command, may) in [
            ("psql app", true),
            ("psql -f $FILE app", true),
            ("psql -c SELECT app", false),
            ("mysql -uemma -e SELECT", false),
            ("occ files:scan", true),
            ("chown -R app /data", false),
            ("vacuumdb app", false),
            ("tail -n 3 /data/d", false),
            ("sh -c x", false),
        ] {
            assert_eq!(run(command).may_load(), may, "{command}");
        }
    }
}
