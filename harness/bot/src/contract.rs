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

/// The path in a line that `ls` prints: the rest of it from the first `/`. (recalled: the line's form)
pub fn path(line: &str) -> Option<&str> {
    line.find('/').map(|at| line[at..].trim_end_matches('"'))
}

/// The variable that names the path to `download`. (recalled)
pub const DOWNLOAD_PATH: &str = "INCLUDE_PATH";

/// The archive that `download` wrote, by what it printed: a path in the bot's container. (recalled)
pub fn downloaded(stdout: &str) -> Option<&str> {
    stdout.lines().rev().find_map(|l| l.split_whitespace().map(|w| w.trim_matches('"')).find(|w| w.starts_with('/')))
}

/// The whole path of a file in an archive that `download` wrote, whether its names are whole paths, with or without the
/// leading slash, or relative to the directory of the volumes.
pub fn whole_path(name: &str) -> String {
    let name = name.trim_start_matches('/');
    let below = name.strip_prefix(&VOLUMES_ROOT[1..]).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if below { format!("/{name}") } else { format!("{VOLUMES_ROOT}/{name}") }
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

/// The messages of level ERROR in the bot's log, in lines of JSON. (recalled: the names of the fields)
pub fn errors(log: &str) -> impl Iterator<Item = String> + '_ {
    log.lines().filter_map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let level = ["level", "levelname"].iter().find_map(|k| value.get(k)?.as_str())?;
        let message = value.get("message")?.as_str()?;
        ["ERROR", "CRITICAL"].contains(&level.to_ascii_uppercase().as_str()).then(|| message.to_owned())
    })
}

/// The cause of a hook that failed.
pub const HOOK: &str = "hook";

/// What kind of cause the bot's or restic's words name. (recalled: the bot's words on hooks)
pub fn cause(said: &str) -> &'static str {
    const CAUSES: [(&str, &[&str]); 8] = [
        (HOOK, &["pre-hook", "post-hook"]),
        ("not enabled", &["not switched on"]),
        // restic 0.12 to 0.18, with what it says of a lock that it finds, cannot make, or should be asked to remove.
        ("locked", &["already locked", "unable to create lock", "failed to lock repository", "remove stale locks"]),
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
        assert_eq!(downloaded("writing\n/tmp/backup.tar\n"), Some("/tmp/backup.tar"));
        assert_eq!(path("2026-11-24T01:02:03Z 17 /a/b c"), Some("/a/b c"));
    }

    #[test]
    fn errors_are_told_from_other_lines_and_by_their_cause() {
        let log =
            "{\"level\":\"INFO\",\"message\":\"fine\"}\nplain\n{\"levelname\":\"ERROR\",\"message\":\"Fatal: wrong password\"}\n";
        assert_eq!(errors(log).collect::<Vec<_>>(), ["Fatal: wrong password"]);
        for (said, expected) in [
            ("backupbot.backup.pre-hook of s_admin: exit code 1: no such file or directory", "hook"),
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
