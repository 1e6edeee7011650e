//! The contract between backupbot and its clients, as `backup-bot-two` 2.x has it. What was
//! recalled rather than read from its source is marked, and stands here only.

/// The service label by which clients find the bot. (recalled)
pub const ENABLED_LABEL: (&str, &str) = ("coop-cloud.backupbot.enabled", "true");
/// What the names of labels begin with in a drill that has a bot of its own. No other bot takes its services for something to back up,
/// and no client takes its bot for the deployed one. The contract does not have it.
pub const HIDDEN: &str = "restore-drill.";
/// The variable that tells a bot of ours to read labels whose names begin with it.
pub const PREFIX: &str = "LABEL_PREFIX";
/// The program in the bot's container; its first argument is `--`, then the command.
pub const PROGRAM: &str = "/usr/bin/backup";
/// What every call sets: no questions, lines of JSON. (recalled)
pub const ENVIRONMENT: &[(&str, &str)] = &[("NONINTERACTIVE", "true"), ("MACHINE_LOGS", "true")];
/// The variable that tells a bot of ours to follow the specification where the deployed bot does otherwise.
pub const STRICT: &str = "STRICT";
/// The variable that asks `ls` for the whole tree. Without it, the deployed bot lists what is in the folder of the volumes. (recalled)
pub const SHOW_ALL: &str = "SHOW_ALL";
/// How often `create` may try; each try that read some files only leaves an incomplete snapshot. (recalled)
pub const TRIES: &str = "RETRIES";
/// Where the volumes of the engine are in the bot's container, and so in the snapshots.
pub const VOLUMES_ROOT: &str = "/var/lib/docker/volumes";
/// Where the bot copies the stack's secrets before it creates a snapshot. (recalled)
pub const SECRETS_ROOT: &str = "/secrets";
/// Where the repository's password is.
pub const PASSWORD_FILE: &str = "/var/run/secrets/restic_password";

/// The directory of a volume, by its full name.
pub fn volume_dir(volume: &str) -> String {
    format!("{VOLUMES_ROOT}/{volume}/_data")
}

/// The tag of a snapshot.
pub fn tag(stack: &str, version: &str) -> String {
    format!("{stack}:{version}")
}

/// The service label that carries a stack's version.
pub fn version_label(stack: &str) -> String {
    format!("coop-cloud.{stack}.version")
}

/// A stack's name from the value of `SERVICE`, in which a domain may stand.
pub fn stack_name(service: &str) -> String {
    service.replace('.', "_")
}

/// Whether an error says that there is no repository yet.
pub fn no_repository(stderr: &str) -> bool {
    stderr.contains("unable to open config file") || stderr.contains("Is there a repository at the following location")
}

/// The snapshot ids in what `snapshots` prints, in order: each line's first word of 8 or 64 hexadecimal digits, in plain lines and in
/// lines of JSON. (recalled: the line's form)
pub fn snapshot_ids(stdout: &str) -> Vec<String> {
    stdout
        .lines()
        .filter_map(|line| {
            // A line of digits alone is a number in JSON, and may be an id.
            if let Ok(serde_json::Value::Object(value)) = serde_json::from_str(line) {
                if let Some(id) = ["id", "short_id"].iter().find_map(|k| value.get(*k)?.as_str().filter(is_id)) {
                    return Some(id.to_owned());
                }
                let message = value.get("message")?.as_str()?;
                return hex_word(message);
            }
            hex_word(line)
        })
        .collect()
}

fn is_id(word: &&str) -> bool {
    (word.len() == 8 || word.len() == 64) && word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex_word(line: &str) -> Option<String> {
    line.split(|c: char| !c.is_ascii_alphanumeric()).find(is_id).map(str::to_owned)
}

/// The path in a line that `ls` prints, unless the line says that it is no file's: in a line of JSON its `path`, else the rest of the line
/// from the first `/`. (recalled: the line's form) The deployed bot does not say what is a folder.
pub fn path(line: &str) -> Option<String> {
    if let Ok(serde_json::Value::Object(entry)) = serde_json::from_str(line) {
        let is_file = entry.get("type").and_then(|t| t.as_str()).is_none_or(|t| t == "file");
        return entry.get("path")?.as_str().filter(|p| is_file && p.starts_with('/')).map(str::to_owned);
    }
    let at = line.find('/')?;
    // A name may end with a quote itself.
    let quoted = line[..at].ends_with('"').then(|| line[at..].strip_suffix('"')).flatten();
    Some(quoted.unwrap_or(&line[at..]).to_owned())
}

/// A list of names for a variable such as `VOLUMES`, which one bot splits at blanks and another at commas: to each of them the other's
/// separator is at most a name that nothing has.
pub fn several<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(" , ")
}

/// The variable that names the path to `download`. (recalled)
pub const DOWNLOAD_PATH: &str = "INCLUDE_PATH";

/// The archive that `download` wrote, by what it printed: a path in the bot's container. (recalled)
pub fn downloaded(printed: &str) -> Option<&str> {
    let apart = |c: char| c.is_whitespace() || "\"'`,;{}()".contains(c);
    let words = printed.split(apart).map(|w| w.trim_end_matches(['.', ':', '!']));
    let paths: Vec<&str> = words.filter(|w| w.starts_with('/')).collect();
    let archive = |path: &&&str| path.rsplit('/').next().is_some_and(|name| name.contains(".tar") || name.contains(".tgz"));
    paths.iter().rev().find(archive).or(paths.last()).copied()
}

/// The whole path of a file in an archive that `download` wrote, whether its names are whole paths, with or without the
/// leading slash, or relative to the directory of the volumes.
pub fn whole_path(name: &str) -> String {
    let name = name.trim_start_matches('/');
    let below = name.strip_prefix(&VOLUMES_ROOT[1..]).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below { format!("/{name}") } else { format!("{VOLUMES_ROOT}/{name}") }
}

/// The same in an archive within that archive, by its name without the suffix: that of the directory of the volumes, or of a volume.
pub fn whole_path_in(archive: &str, name: &str) -> String {
    let relative = name.trim_start_matches('/');
    let mut parts = relative.splitn(3, '/');
    match (parts.next(), parts.next()) {
        (Some("_data"), _) => format!("{VOLUMES_ROOT}/{archive}/{relative}"),
        (Some(first), Some(_)) if first == archive && VOLUMES_ROOT.ends_with(&format!("/{archive}")) => {
            whole_path(&relative[first.len()..])
        }
        _ => whole_path(name),
    }
}

/// What `create` says that restic read and stored of a stack, in bytes. (recalled: that it prints restic's own summary)
pub fn stored(log: &str) -> Option<Stored> {
    log.lines().rev().find_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let bytes = |key: &str| value[key].as_u64();
        Some(Stored { read: bytes("total_bytes_processed")?, added: bytes("data_added")? })
    })
}

/// What a snapshot took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Bytes of the files.
    pub read: u64,
    /// Bytes that the repository grew by.
    pub added: u64,
}

/// What a bot or restic calls the level of a line of JSON. (recalled: the deployed bot renames Python's `levelname`)
const LEVELS: [&str; 5] = ["message_type", "levelname", "level", "severity", "loglevel"];
/// The levels of what went wrong; the last two are restic's.
const WRONG: [&str; 5] = ["ERROR", "CRITICAL", "FATAL", "EXIT_ERROR", "EXCEPTION"];

/// The messages in the bot's log that say that something went wrong, in lines of JSON and in plain ones that begin with the level.
/// (recalled: the names of the fields)
pub fn errors(log: &str) -> impl Iterator<Item = String> + '_ {
    log.lines().filter_map(|line| {
        let Ok(serde_json::Value::Object(entry)) = serde_json::from_str(line) else { return plain_error(line) };
        let is_wrong = |level: &str| WRONG.contains(&level.to_ascii_uppercase().as_str());
        if !LEVELS.iter().filter_map(|k| entry.get(*k)?.as_str()).any(is_wrong) {
            return None;
        }
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        // restic has the message in an object.
        let restics = || entry.get("error").and_then(|e| text(e).or_else(|| text(e.get("message")?)));
        ["message", "msg", "event"].iter().find_map(|k| text(entry.get(*k)?)).or_else(restics)
    })
}

/// A line of text that begins with the level of an error, perhaps in colour.
fn plain_error(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    while let Some(escaped) = rest.strip_prefix("\u{1b}[") {
        rest = escaped.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').get(1..)?.trim_start();
    }
    let message = ["ERROR", "CRITICAL"].iter().find_map(|level| rest.trim_start_matches('[').strip_prefix(level))?;
    message.starts_with(|c: char| !c.is_alphanumeric()).then(|| message.trim_matches([' ', ':', ']', '-']).to_owned())
}

/// The cause of a hook that failed.
pub const HOOK: &str = "hook";

/// What kind of cause the bot's or restic's words name. (recalled: the bot's words on hooks)
pub fn cause(said: &str) -> &'static str {
    const CAUSES: [(&str, &[&str]); 8] = [
        (HOOK, &["pre-hook", "post-hook", "failed to run command"]),
        ("not enabled", &["not switched on"]),
        // restic 0.12 to 0.18, with what it says of a lock that it finds, cannot make, or should be asked to remove.
        (
            "locked",
            &["already locked", "unable to create lock", "failed to lock repository", "remove stale locks", "exit code 11"],
        ),
        ("password", &["wrong password"]),
        ("space", &["no space left on device"]),
        ("snapshot", &["no snapshot", "no matching id"]),
        ("path", &["does not exist", "select no volume"]),
        ("damage", &["ciphertext verification", "unexpected eof", "not found in", "invalid data", "unable to load", "load("]),
    ];
    let said = said.to_lowercase();
    CAUSES.iter().find(|(_, words)| words.iter().any(|w| said.contains(w))).map_or("other", |(cause, _)| cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_ids_from_either_form() {
        let plain = "2026-11-24T01:02:03 1a2b3c4d rd-1_x:3.0.1+2024.06.52\n\nno snapshots here\n";
        assert_eq!(snapshot_ids(plain), ["1a2b3c4d"]);
        let long = "ab".repeat(32);
        let json =
            format!("{{\"id\":\"{long}\",\"short_id\":\"abababab\"}}\n{{\"message\":\"x 1a2b3c4d\"}}\n{{\"level\":\"INFO\"}}\n");
        assert_eq!(snapshot_ids(&json), [long.as_str(), "1a2b3c4d"]);
        let (none, short) = ("{\"id\":\"\"}\n{\"id\":\"--help\"}\n{\"id\":5}\n", "{\"id\":null,\"short_id\":\"1a2b3c4d\"}\n");
        assert_eq!(snapshot_ids(none), [""; 0]);
        assert_eq!(snapshot_ids(short), ["1a2b3c4d"]);
        assert_eq!(snapshot_ids("12345678\n"), ["12345678"]);
    }

    #[test]
    fn archives_with_whole_and_with_relative_names() {
        for name in ["/var/lib/docker/volumes/rd_mail/_data/a/b", "var/lib/docker/volumes/rd_mail/_data/a/b", "rd_mail/_data/a/b"]
        {
            assert_eq!(whole_path(name), "/var/lib/docker/volumes/rd_mail/_data/a/b");
        }
        assert_eq!(whole_path("var/lib/docker/volumes_old/a"), "/var/lib/docker/volumes/var/lib/docker/volumes_old/a");
        let whole = "/var/lib/docker/volumes/rd_mail/_data/a/b";
        for (archive, name) in [
            ("volumes", "var/lib/docker/volumes/rd_mail/_data/a/b"),
            ("volumes", "rd_mail/_data/a/b"),
            ("volumes", "volumes/rd_mail/_data/a/b"),
            ("rd_mail", "/var/lib/docker/volumes/rd_mail/_data/a/b"),
            ("rd_mail", "rd_mail/_data/a/b"),
            ("rd_mail", "_data/a/b"),
        ] {
            assert_eq!(whole_path_in(archive, name), whole, "{archive}: {name}");
        }
    }

    #[test]
    fn the_archive_is_the_one_that_was_written_last() {
        for (printed, place) in [
            ("writing\n/tmp/backup.tar\n", "/tmp/backup.tar"),
            (
                "Dumping /a from snapshot 'x'\nBackup has been written to /tmp/backup.tar.gz with a size of 1.2 MB\n",
                "/tmp/backup.tar.gz",
            ),
            ("Writing files to /tmp/backup.tar.gz...\nDone: /tmp\n", "/tmp/backup.tar.gz"),
            ("{\"message_type\":\"INFO\",\"message\":\"written: /tmp/b.tgz\"}\n", "/tmp/b.tgz"),
            ("\"/tmp/backup\"\n", "/tmp/backup"),
        ] {
            assert_eq!(downloaded(printed), Some(place), "{printed}");
        }
        assert_eq!(downloaded("nothing\n"), None);
    }

    #[test]
    fn paths_in_lines_of_any_form() {
        for (line, expected) in [
            ("2026-11-24T01:02:03Z 17 /a/b c", Some("/a/b c")),
            ("/a/b", Some("/a/b")),
            ("1700000000\t/a", Some("/a")),
            ("{\"type\":\"file\",\"path\":\"/a/b\",\"size\":1}", Some("/a/b")),
            ("{\"path\":\"/a/b\"}", Some("/a/b")),
            ("{\"type\":\"dir\",\"path\":\"/a\"}", None),
            ("{\"struct_type\":\"snapshot\",\"paths\":[\"/a\"]}", None),
            ("no path", None),
        ] {
            assert_eq!(path(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_list_of_names_is_read_by_blanks_and_by_commas() {
        let list = several(["a", "b"]);
        assert_eq!(list.split(',').map(str::trim).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(list.split_whitespace().filter(|n| *n != ",").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(several(["a"]), "a");
    }

    #[test]
    fn errors_under_any_name_of_the_level() {
        for line in [
            "{\"message_type\":\"ERROR\",\"message\":\"m\"}",
            "{\"levelname\":\"CRITICAL\",\"message\":\"m\"}",
            "{\"severity\":\"error\",\"msg\":\"m\"}",
            "{\"message_type\":\"error\",\"error\":{\"message\":\"m\"},\"during\":\"archival\"}",
            "{\"message_type\":\"exit_error\",\"code\":11,\"message\":\"m\"}",
            "ERROR:backupbot:m",
            "\u{1b}[31mERROR\u{1b}[0m m",
            "[ERROR] m",
        ] {
            assert_eq!(errors(line).count(), 1, "{line}");
        }
        for line in [
            "{\"message_type\":\"summary\",\"data_added\":5}",
            "{\"message_type\":\"WARNING\",\"message\":\"m\"}",
            "{\"message\":\"ERROR\"}",
            "psql: ERROR",
            "ERRORS: 0",
        ] {
            assert_eq!(errors(line).count(), 0, "{line}");
        }
    }

    #[test]
    fn errors_are_told_from_other_lines_and_by_their_cause() {
        let log =
            "{\"level\":\"INFO\",\"message\":\"fine\"}\nplain\n{\"levelname\":\"ERROR\",\"message\":\"Fatal: wrong password\"}\n";
        assert_eq!(errors(log).collect::<Vec<_>>(), ["Fatal: wrong password"]);
        for (said, expected) in [
            ("backupbot.backup.pre-hook of s_admin: exit code 1: no such file or directory", "hook"),
            ("Failed to run command bash -c 'set -o pipefail;exit 7' in s_admin.1.x: no such file or directory", "hook"),
            ("restic failed with exit code 11: Fatal: x", "locked"),
            ("restic backup: Fatal: wrong password or no key found", "password"),
            (
                "restic backup: unable to create lock in backend: repository is already locked exclusively by PID 42 on b by (UID 0)",
                "locked",
            ),
            ("Fatal: unable to create lock in backend: repository is already locked by PID 7 on host by root", "locked"),
            ("the `unlock` command can be used to remove stale locks", "locked"),
            ("{\"message_type\":\"exit_error\",\"code\":11,\"message\":\"Fatal: failed to lock repository: x\"}", "locked"),
            ("write /repository/data/x: no space left on device", "space"),
            ("no snapshot deadbeef of stack s", "snapshot"),
            ("/var/lib/docker/volumes/s_mailu/_data/dump does not exist", "path"),
            ("restic dump: ciphertext verification failed", "damage"),
            ("anything", "other"),
        ] {
            assert_eq!(cause(said), expected, "{said}");
        }
    }

    #[test]
    fn the_size_is_in_restics_summary() {
        let log = "{\"level\":\"INFO\"}\n{\"message_type\":\"summary\",\"data_added\":5,\"total_bytes_processed\":9}\n";
        assert_eq!(stored(log), Some(Stored { read: 9, added: 5 }));
        assert_eq!(stored("done\n"), None);
    }

    #[test]
    fn a_domain_is_a_stack_name() {
        assert_eq!(stack_name("mail.example.org"), "mail_example_org");
    }
}
