//! Labels that are meant for backupbot, also where the beginning of their names is misspelt.

use std::borrow::Cow;

/// What the names of backupbot's labels begin with.
pub const PREFIX: &str = "backupbot.";
/// What the names of backupbot's labels begin with, without the dot.
const OWN: &str = "backupbot";
/// Other beginnings that people write: the program's name, and names with a dot too many.
const OTHERS: [&str; 4] = ["backup-bot-two.", "backupbot-two.", "backup.bot.", "coop-cloud.backupbot."];
/// What may follow them. `coop-cloud.backupbot.enabled` is another label: the bot is found by it.
const TOPICS: [&str; 3] = ["backup", "restore", "volumes"];

/// Whether a label is backupbot's, or is meant for it.
pub(crate) fn is_backupbot(name: &str) -> bool {
    corrected(name).is_some()
}

/// The name with the beginning that it should have; nothing if the label is not meant for backupbot.
pub(super) fn corrected(name: &str) -> Option<Cow<'_, str>> {
    if name == OWN || name.starts_with(PREFIX) {
        return Some(Cow::Borrowed(name));
    }
    let lower = name.to_ascii_lowercase();
    let has_topic = |rest: &str| TOPICS.iter().any(|topic| rest.to_ascii_lowercase().starts_with(topic));
    let after = |begin: &str| lower.starts_with(begin).then(|| &name[begin.len()..]).filter(|rest| has_topic(rest));
    let joined = || after(OWN).or_else(|| lower.strip_prefix(OWN)?.starts_with(['-', '_', ' ']).then(|| &name[OWN.len() + 1..]));
    let rest = OTHERS.into_iter().find_map(after).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        let first = first.trim().to_ascii_lowercase().replace(['-', '_'], "");
        (strsim::damerau_levenshtein(&first, OWN) <= 2).then_some(rest)
    });
    let rest = rest.or_else(|| joined().filter(|rest| has_topic(rest)))?;
    Some(Cow::Owned(format!("{PREFIX}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_only_be_meant_for_backupbot() {
        for (name, expected) in [
            ("backupbot.backup", Some("backupbot.backup")),
            ("backupbot.anything", Some("backupbot.anything")),
            ("backupbot", Some("backupbot")),
            ("Backupbot.Backup", Some("backupbot.Backup")),
            ("backup-bot.backup.volumes.Cache", Some("backupbot.backup.volumes.Cache")),
            ("backupbt.restore.post-hook", Some("backupbot.restore.post-hook")),
            (" backupbot.backup", Some("backupbot.backup")),
            ("backup-bot-two.backup", Some("backupbot.backup")),
            ("backup.bot.backup", Some("backupbot.backup")),
            ("coop-cloud.backupbot.backup", Some("backupbot.backup")),
            ("backupbot-backup", Some("backupbot.backup")),
            ("backupbot_backup.volumes.cache", Some("backupbot.backup.volumes.cache")),
            ("coop-cloud.backupbot.enabled", None),
            ("coop-cloud.${STACK_NAME}.version", None),
            ("backup.enable", None),
            ("backup", None),
            ("traefik.enable", None),
            ("ünïcöde.backup", None),
            ("", None),
        ] {
            assert_eq!(corrected(name).as_deref(), expected, "{name}");
        }
    }
}
