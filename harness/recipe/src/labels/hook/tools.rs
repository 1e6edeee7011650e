//! Which files the programs write and read that hooks use.

/// Programs that do not fail in a way that matters, and whose output is no data of the app.
pub(super) const PRINTING: [&str; 6] = ["echo", "printf", "yes", "true", "date", "touch"];

/// Programs whose arguments are neither read nor written: what is named there may be absent before and after.
pub(super) const TIDYING: [&str; 10] = ["rm", "mkdir", "chmod", "chown", "test", "[", "[[", "ls", "rmdir", "touch"];

/// Programs that only wait, or that are the shell's own.
pub(super) const WAITING: [&str; 11] =
    ["sleep", "sync", "set", "cd", "export", "local", ":", "exit", "return", "pg_isready", "false"];

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
    let has = |flags: &[&str]| words.iter().any(|w| flags.contains(w));
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
        "cp" | "mv" | "rsync" | "install" => copied(words, plain()),
        "gzip" | "bzip2" | "xz" | "zstd" | "pigz" => {
            packed(tool, plain(), has(&["-c", "--stdout", "-d", "--decompress", "-dc", "-cd"]))
        }
        "gunzip" | "zcat" | "bunzip2" | "unxz" | "xzcat" | "unzstd" | "zstdcat" | "cat" => (vec![], plain()),
        "sqlite3" => sqlite(words),
        _ => (vec![], vec![]),
    };
    Files { writes, reads }
}

fn options(words: &[&str], after: &[&str], joined: &[&str]) -> Vec<String> {
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

fn tar(words: &[&str]) -> (Vec<String>, Vec<String>) {
    // The flags are the first argument, with or without a hyphen, and any other that has one hyphen.
    let is_flags = |(at, word): (usize, &str)| at == 1 || (word.starts_with('-') && !word.starts_with("--"));
    let flags: Vec<(usize, &str)> = words.iter().copied().enumerate().skip(1).filter(|f| is_flags(*f)).collect();
    let creates = words.contains(&"--create") || flags.iter().any(|(_, w)| w.contains('c'));
    // The archive follows the letters that end with f.
    let after = flags.iter().find(|(_, w)| w.ends_with('f')).and_then(|(at, _)| words.get(at + 1));
    let archive: Vec<String> =
        after.map(|w| (*w).to_owned()).into_iter().chain(options(words, &["--file"], &["--file="])).collect();
    if creates { (archive, vec![]) } else { (vec![], archive) }
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

/// A packer puts its file in place of the one that it reads, unless it prints or unpacks.
fn packed(tool: &str, plain: Vec<String>, prints: bool) -> (Vec<String>, Vec<String>) {
    let end = match tool {
        "bzip2" => "bz2",
        "xz" => "xz",
        "zstd" => "zst",
        _ => "gz",
    };
    let written = if prints { vec![] } else { plain.iter().map(|f| format!("{f}.{end}")).collect() };
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
            ("tar -C / -czf /b.tgz data", &["/b.tgz"], &[]),
            ("gzip -f /data/x", &["/data/x.gz"], &["/data/x"]),
            ("gzip -c /data/x", &[], &["/data/x"]),
            ("tar -czf /srv/a.tgz /data", &["/srv/a.tgz"], &[]),
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
