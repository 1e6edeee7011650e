//! Which files the programs write and read that hooks use.

/// Programs that do not fail in a way that matters, and whose output is no data of the app.
pub(super) const PRINTING: [&str; 6] = ["echo", "printf", "yes", "true", "date", "touch"];

/// Programs whose arguments are neither read nor written: what is named there may be absent before and after.
pub(super) const TIDYING: [&str; 11] = ["rm", "mkdir", "chmod", "chown", "chgrp", "test", "[", "[[", "ls", "rmdir", "touch"];

/// Programs that only say something about the files that they read, wherever that goes.
const MEASURING: [&str; 11] = ["wc", "stat", "du", "df", "file", "cksum", "md5sum", "sha1sum", "sha256sum", "sha512sum", "b2sum"];

/// Programs that print parts of files: to look at, unless the output is kept.
const SEARCHING: [&str; 10] = ["head", "tail", "grep", "egrep", "fgrep", "zgrep", "cmp", "cut", "awk", "sed"];

/// Programs that put what they read into another file, as a whole or as a part of it.
pub(super) const TAKING: [&str; 18] = [
    "mv", "cp", "rsync", "install", "ln", "tar", "zip", "7z", "gzip", "pigz", "bzip2", "xz", "zstd", "cat", "split", "gpg",
    "openssl", "age",
];

/// Programs that load dumps into a database.
const LOADING: [&str; 6] = ["psql", "pg_restore", "mysql", "mariadb", "mongorestore", "sqlite3"];

/// Programs that look after a database, and load nothing.
const TENDING: [&str; 9] =
    ["vacuumdb", "reindexdb", "analyzedb", "clusterdb", "mysqlcheck", "mariadb-check", "dropdb", "createdb", "pg_ctl"];

/// Programs that only wait, or that are the shell's own.
pub(super) const WAITING: [&str; 17] = [
    "sleep",
    "sync",
    "set",
    "cd",
    "export",
    "local",
    ":",
    "exit",
    "return",
    "pg_isready",
    "false",
    "trap",
    "shift",
    "wait",
    "unset",
    "break",
    "continue",
];

/// Programs that print or write the content of a database, and that nobody runs for another reason.
pub(super) const DUMPING: [&str; 10] = [
    "pg_dump",
    "pg_dumpall",
    "pg_basebackup",
    "mysqldump",
    "mariadb-dump",
    "mariadb-backup",
    "mariabackup",
    "xtrabackup",
    "mongodump",
    "influxd",
];

/// Programs of `DUMPING` that print the dump, unless they are given a file.
const PRINTING_DUMPS: [&str; 4] = ["pg_dump", "pg_dumpall", "mysqldump", "mariadb-dump"];

/// Whether a program dumps a database in one go, and fails if it cannot.
pub(super) fn is_dump(tool: &str) -> bool {
    // influxd is the server too.
    DUMPING.contains(&tool) && tool != "influxd"
}

/// Whether a program prints a dump, unless it is given a file.
pub(super) fn prints_dump(tool: &str) -> bool {
    PRINTING_DUMPS.contains(&tool)
}

/// Whether a program loads dumps into a database.
pub(super) fn loads(tool: &str) -> bool {
    LOADING.contains(&tool)
}

/// Whether a program is known to load nothing.
pub(super) fn never_loads(tool: &str) -> bool {
    let all = [&PRINTING[..], &TIDYING, &WAITING, &MEASURING, &SEARCHING, &TENDING];
    all.iter().any(|some| some.contains(&tool))
}

/// Whether it is known what a program does, so that none of its words has to be guessed at.
pub(super) fn is_known(tool: &str) -> bool {
    never_loads(tool) || loads(tool) || [&DUMPING[..], &TAKING].iter().any(|some| some.contains(&tool)) || tool.ends_with("-cli")
}

/// Whether a program only checks what it reads. `keeps`: its output goes on, into a file or another program.
pub(super) fn only_checks(tool: &str, words: &[&str], keeps: bool) -> bool {
    let tests = || words.contains(&"--test") || words.contains(&"--list") || letters(words).any(|c| c == 't' || c == 'l');
    MEASURING.contains(&tool) || !keeps && SEARCHING.contains(&tool) || is_packer(tool) && tests()
}

fn is_packer(tool: &str) -> bool {
    matches!(tool, "gzip" | "bzip2" | "xz" | "zstd" | "pigz")
}

/// The letters of short options.
fn letters<'w>(words: &'w [&str]) -> impl Iterator<Item = char> + 'w {
    words.iter().skip(1).filter(|w| w.starts_with('-') && !w.starts_with("--")).flat_map(|w| w.chars().skip(1))
}

/// The files that a program writes and reads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Files {
    /// What it writes.
    pub writes: Vec<String>,
    /// What it reads.
    pub reads: Vec<String>,
}

/// What a program does with its arguments. `words` begins with the program.
pub(super) fn files(tool: &str, words: &[&str]) -> Files {
    let option = |after: &[&str], joined: &[&str]| options(words, after, joined);
    let plain = || words.iter().skip(1).filter(|w| !w.starts_with('-')).map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let (writes, reads) = match tool {
        "pg_dump" | "pg_dumpall" => (option(&["-f", "--file"], &["--file=", "-f"]), vec![]),
        "pg_basebackup" => (option(&["-D", "--pgdata"], &["--pgdata=", "-D"]), vec![]),
        "psql" => (option(&["-o", "--output"], &["--output="]), option(&["-f", "--file"], &["--file=", "-f"])),
        "pg_restore" => (vec![], plain().pop().into_iter().collect()),
        "mysqldump" | "mariadb-dump" => (option(&["-r", "--result-file"], &["--result-file=", "-r"]), vec![]),
        "mongodump" => (mongodump(words, option(&["--out", "-o"], &["--out=", "--archive="])), vec![]),
        "mongorestore" => (vec![], [option(&["--archive", "--dir"], &["--archive=", "--dir="]), plain()].concat()),
        "redis-cli" => (option(&["--rdb"], &["--rdb="]), vec![]),
        "tee" => (plain(), vec![]),
        "dd" => (option(&[], &["of="]), option(&[], &["if="])),
        "curl" | "sort" => (option(&["-o", "--output"], &["--output="]), vec![]),
        "wget" => (option(&["-O"], &["--output-document="]), vec![]),
        "tar" => tar(words),
        "install" if words.contains(&"--directory") || letters(words).any(|c| c == 'd') => (vec![], vec![]),
        "install" => copied(words, without(words, &["-m", "-o", "-g", "--mode", "--owner", "--group"])),
        "cp" | "mv" | "rsync" => copied(words, plain()),
        tool if is_packer(tool) => packed(tool, words),
        "gunzip" | "zcat" | "bunzip2" | "unxz" | "xzcat" | "unzstd" | "zstdcat" | "cat" => (vec![], plain()),
        "sqlite3" => sqlite(words),
        _ => (vec![], vec![]),
    };
    Files { writes, reads }
}

/// The values of options: the word after one of `after`, and what follows one of `joined` in a word.
pub(super) fn options(words: &[&str], after: &[&str], joined: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate().skip(1) {
        match words.get(at + 1).filter(|_| after.contains(word)) {
            Some(next) => found.push((*next).to_owned()),
            None => found.extend(joined.iter().find_map(|j| word.strip_prefix(j)).filter(|w| !w.is_empty()).map(str::to_owned)),
        }
    }
    found
}

/// Without an archive or a folder, the dump is in the folder `dump`. `--archive` alone prints it.
fn mongodump(words: &[&str], named: Vec<String>) -> Vec<String> {
    let prints = words.contains(&"--archive") || words.windows(2).any(|w| ["--out", "-o"].contains(&w[0]) && w[1] == "-");
    if named.is_empty() && !prints { vec!["dump".into()] } else { named }
}

/// The arguments that are neither options nor their values.
fn without(words: &[&str], with_value: &[&str]) -> Vec<String> {
    let is_value = |at: usize| with_value.contains(&words[at - 1]);
    let plain = (1..words.len()).filter(|at| !words[*at].starts_with('-') && !is_value(*at));
    plain.map(|at| words[at].to_owned()).collect()
}

fn tar(words: &[&str]) -> (Vec<String>, Vec<String>) {
    // The flags are the first argument, with or without a hyphen, and any other that has one hyphen.
    let is_flags = |(at, word): (usize, &str)| at == 1 || (word.starts_with('-') && !word.starts_with("--"));
    let flags: Vec<(usize, &str)> = words.iter().copied().enumerate().skip(1).filter(|f| is_flags(*f)).collect();
    let creates = words.contains(&"--create") || flags.iter().any(|(_, w)| w.contains('c'));
    // The archive follows the letters that end with f.
    let at = flags.iter().find(|(_, w)| w.ends_with('f')).map(|(at, _)| at + 1);
    let after = at.and_then(|at| words.get(at));
    let archive: Vec<String> =
        after.map(|w| (*w).to_owned()).into_iter().chain(options(words, &["--file"], &["--file="])).collect();
    if creates { (archive, packed_by_tar(words, at)) } else { (vec![], archive) }
}

/// What tar packs: its members, in the folder of the last `-C` before them. `archive` is where the archive's name is.
fn packed_by_tar(words: &[&str], archive: Option<usize>) -> Vec<String> {
    let (mut folder, mut members) = (None, Vec::new());
    for at in 2..words.len() {
        match (words[at - 1], words[at]) {
            ("-C" | "--directory", dir) => folder = Some(dir.trim_end_matches('/')),
            ("--file" | "--exclude" | "-X" | "-T", _) => {}
            (_, word) if word.starts_with("--directory=") => {
                folder = word.strip_prefix("--directory=").map(|d| d.trim_end_matches('/'))
            }
            (_, word) if word.starts_with('-') || archive == Some(at) => {}
            (_, word) if word.starts_with('/') => members.push(word.to_owned()),
            (_, word) => members.push(folder.map_or_else(
                || word.to_owned(),
                |folder| if word == "." { folder.to_owned() } else { format!("{folder}/{}", word.trim_start_matches("./")) },
            )),
        }
    }
    members
}

/// The last argument is written, the others are read.
fn copied(words: &[&str], mut plain: Vec<String>) -> (Vec<String>, Vec<String>) {
    let target = options(words, &["-t", "--target-directory"], &["--target-directory="]).pop();
    let to = target.or_else(|| plain.pop());
    // cp a /b/ writes /b/a.
    let written = to.map(|to| match (to.ends_with('/'), &plain[..]) {
        (true, [one]) => format!("{to}{}", one.trim_end_matches('/').rsplit('/').next().unwrap_or_default()),
        _ => to,
    });
    (written.into_iter().collect(), plain)
}

/// A packer puts its file in place of the one that it reads, unless it is told another one, or prints, unpacks or only checks.
fn packed(tool: &str, words: &[&str]) -> (Vec<String>, Vec<String>) {
    let end = match tool {
        "bzip2" => "bz2",
        "xz" => "xz",
        "zstd" => "zst",
        _ => "gz",
    };
    let plain = without(words, &["-o", "-S", "--suffix", "-T", "-p", "--processes", "-b"]);
    let long = ["--stdout", "--to-stdout", "--decompress", "--uncompress", "--test", "--list"];
    let prints = words.iter().any(|w| long.contains(w)) || letters(words).any(|c| ['c', 'd', 't', 'l'].contains(&c));
    let named = options(words, &["-o"], &["-o"]);
    let written = match named.is_empty() || tool != "zstd" {
        true if prints => vec![],
        true => plain.iter().map(|f| format!("{f}.{end}")).collect(),
        false => named,
    };
    (written, plain)
}

/// sqlite3's own language: `.backup FILE`, `VACUUM INTO 'FILE'`, `.restore FILE`, `.read FILE`.
fn sqlite(words: &[&str]) -> (Vec<String>, Vec<String>) {
    let (mut writes, mut reads) = (Vec::new(), Vec::new());
    for word in words {
        let last = word.trim_end_matches(';').split_whitespace().next_back().unwrap_or_default();
        let file = last.trim_matches(['\'', '"']).to_owned();
        if word.starts_with(".backup ") || word.starts_with(".output ") || word.to_uppercase().starts_with("VACUUM INTO") {
            writes.push(file);
        } else if word.starts_with(".restore ") || word.starts_with(".read ") {
            reads.push(file);
        }
    }
    (writes, reads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_write_and_read() {
        for (command, writes, reads) in [
            ("pg_dump -U app -f /data/x db", &["/data/x"][..], &[][..]),
            ("psql --file=/data/x db", &[], &["/data/x"]),
            ("cp /data/a /backup/a", &["/backup/a"], &["/data/a"]),
            ("cp -a /data/a /backup/", &["/backup/a"], &["/data/a"]),
            ("tar -C / -czf /b.tgz data", &["/b.tgz"], &["/data"]),
            ("gzip -f /data/x", &["/data/x.gz"], &["/data/x"]),
            ("gzip -c /data/x", &[], &["/data/x"]),
            ("gzip -tv /data/x.gz", &[], &["/data/x.gz"]),
            ("zstd -f /data/x -o /data/y.zst", &["/data/y.zst"], &["/data/x"]),
            ("zstd -dc /data/x.zst", &[], &["/data/x.zst"]),
            ("pigz -p 4 /data/x", &["/data/x.gz"], &["/data/x"]),
            ("tar -czf /srv/a.tgz /data", &["/srv/a.tgz"], &["/data"]),
            ("tar -czf /srv/a.tgz -C /data/ a ./b", &["/srv/a.tgz"], &["/data/a", "/data/b"]),
            ("tar --create --file=/srv/a.tar --directory=/data .", &["/srv/a.tar"], &["/data"]),
            ("install -d -m 0700 /data/tmp", &[], &[]),
            ("install -m 0600 /tmp/a /data/a", &["/data/a"], &["/tmp/a"]),
            ("tar xf /srv/a.tar -C /", &[], &["/srv/a.tar"]),
            ("mongodump --archive=/data/db/x", &["/data/db/x"], &[]),
            ("dd if=/a of=/b", &["/b"], &["/a"]),
            ("mongodump --archive --gzip", &[], &[]),
            ("mongodump --out /b", &["/b"], &[]),
            ("mongodump --db a", &["dump"], &[]),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            let found = files(words[0], &words);
            assert_eq!((found.writes, found.reads), (owned(writes), owned(reads)), "{command}");
        }
        let found = files("sqlite3", &["sqlite3", "/a.db", "VACUUM INTO '/b.db';"]);
        assert_eq!(found.writes, ["/b.db"]);
    }

    fn owned(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }
}
