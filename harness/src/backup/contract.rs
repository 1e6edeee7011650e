//! The contract between backupbot and its clients, as `backup-bot-two` 2.x has it. What was
//! recalled rather than read from its source is marked, and stands here only.

/// The service label by which clients find the bot. (recalled)
pub const ENABLED_LABEL: (&str, &str) = ("coop-cloud.backupbot.enabled", "true");
/// The program in the bot's container; its first argument is `--`, then the command.
pub const PROGRAM: &str = "/usr/bin/backup";
/// What every call sets: no questions, one try. Lines of JSON. (recalled)
pub const ENVIRONMENT: &[(&str, &str)] = &[("NONINTERACTIVE", "true"), ("MACHINE_LOGS", "true"), ("RETRIES", "1")];
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

/// The snapshot ids in what `snapshots` prints, in order: each line's first word of 8 or
/// more hexadecimal digits, in plain lines and in lines of JSON. (recalled: the line's form)
pub fn snapshot_ids(stdout: &str) -> Vec<String> {
    stdout
        .lines()
        .filter_map(|line| {
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(line) {
                if let Some(id) = ["id", "short_id"].iter().find_map(|k| value.get(k)?.as_str()) {
                    return Some(id.to_owned());
                }
                let message = value.get("message")?.as_str()?;
                return hex_word(message);
            }
            hex_word(line)
        })
        .collect()
}

fn hex_word(line: &str) -> Option<String> {
    let is_id = |w: &&str| (w.len() == 8 || w.len() == 64) && w.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
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

/// The path from a volume's root of a file in an archive of that volume, whether its names are whole paths or relative ones.
pub fn within_volume<'a>(name: &'a str, volume: &str) -> &'a str {
    let dir = volume_dir(volume);
    let dir = dir.trim_start_matches('/');
    let name = name.trim_start_matches('/');
    name.strip_prefix(dir).map_or(name, |rest| rest.trim_start_matches('/'))
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
    }

    #[test]
    fn archives_with_whole_and_with_relative_names() {
        for name in ["/var/lib/docker/volumes/rd_mail/_data/a/b", "var/lib/docker/volumes/rd_mail/_data/a/b", "a/b"] {
            assert_eq!(within_volume(name, "rd_mail"), "a/b");
        }
        assert_eq!(downloaded("writing\n/tmp/backup.tar\n"), Some("/tmp/backup.tar"));
        assert_eq!(path("2026-11-24T01:02:03Z 17 /a/b c"), Some("/a/b c"));
    }

    #[test]
    fn a_domain_is_a_stack_name() {
        assert_eq!(stack_name("mail.example.org"), "mail_example_org");
    }
}
