//! backupbot v2 labels: what they select. Source: the Co-op Cloud backup specification.
//!
//! Labels are *service* labels (`deploy.labels`). `backupbot.backup=true` on one service switches backup on for the whole stack. Then
//! every named volume of every service is backed up, except what other labels exclude.

use std::collections::BTreeMap;

pub mod database;
pub mod flow;
pub mod hook;
pub mod image;
pub mod lint;
mod main_service;
mod meaning;
mod mistake;
mod overlay;
pub mod recipe;
pub mod rules;
mod service;
mod spelling;
pub mod suggest;
pub mod version;

pub use spelling::PREFIX;
pub(crate) use spelling::is_backupbot;

/// Switches backup on for the stack.
pub const BACKUP: &str = "backupbot.backup";
/// `backupbot.backup.volumes.<volume>` and `backupbot.backup.volumes.<volume>.path`.
pub const VOLUMES: &str = "backupbot.backup.volumes.";

/// The points at which a hook may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    /// Before the files are copied.
    BackupPre,
    /// After the files are copied.
    BackupPost,
    /// Before the files are put back.
    RestorePre,
    /// After the files are put back.
    RestorePost,
}

impl Hook {
    /// All hooks, in the order in which they run.
    pub const ALL: [Self; 4] = [Self::BackupPre, Self::BackupPost, Self::RestorePre, Self::RestorePost];

    /// The name of its label.
    pub fn label(self) -> &'static str {
        match self {
            Self::BackupPre => "backupbot.backup.pre-hook",
            Self::BackupPost => "backupbot.backup.post-hook",
            Self::RestorePre => "backupbot.restore.pre-hook",
            Self::RestorePost => "backupbot.restore.post-hook",
        }
    }
}

/// What the labels say about one volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of it.
    Whole,
    /// These paths, relative to its root.
    Paths(Vec<String>),
    /// Nothing.
    Excluded,
}

/// Whether the labels of a stack's services switch backup on.
pub fn enabled<'a>(services: impl IntoIterator<Item = &'a BTreeMap<String, String>>) -> bool {
    services.into_iter().any(|labels| labels.get(BACKUP).is_some_and(|v| v == "true"))
}

/// What the labels of a stack's services say about `volume`, by its name in the compose files.
pub fn selection<'a>(services: impl IntoIterator<Item = &'a BTreeMap<String, String>> + Clone, volume: &str) -> Selection {
    let find = |label: String| services.clone().into_iter().find_map(move |labels| labels.get(&label));
    if find(format!("{VOLUMES}{volume}")).is_some_and(|v| v == "false") {
        return Selection::Excluded;
    }
    match find(format!("{VOLUMES}{volume}.path")) {
        None => Selection::Whole,
        Some(paths) => Selection::Paths(paths_of(paths)),
    }
}

/// The paths that a label's value selects.
fn paths_of(value: &str) -> Vec<String> {
    let path = |p: &str| match p.trim().trim_matches('/') {
        // The volume's root.
        "." => ".".to_owned(),
        p => p.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/"),
    };
    value.split(',').map(path).filter(|p| !p.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Vec<BTreeMap<String, String>> {
        vec![BTreeMap::new(), pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()]
    }

    #[test]
    fn only_the_text_true_switches_backup_on() {
        for (value, on) in [("true", true), ("True", false), ("1", false), ("", false), ("false", false)] {
            assert_eq!(enabled(&labels(&[(BACKUP, value)])), on, "{value}");
        }
        assert!(!enabled(&labels(&[("backupbot.backup.path", "/data")])));
    }

    #[test]
    fn a_volume_is_whole_unless_a_v2_label_says_otherwise() {
        let of = |pairs: &[(&str, &str)]| selection(&labels(pairs), "mail");
        assert_eq!(of(&[]), Selection::Whole);
        assert_eq!(of(&[("backupbot.backup.volumes.mail", "false")]), Selection::Excluded);
        // Version 1, a typo, the stack's prefix, another volume: all ignored.
        assert_eq!(of(&[("backupbot.volumes.mail", "false")]), Selection::Whole);
        assert_eq!(of(&[("backupbot.backup.volume.mail", "false")]), Selection::Whole);
        assert_eq!(of(&[("backupbot.backup.volumes.stack_mail", "false")]), Selection::Whole);
        assert_eq!(of(&[("backupbot.backup.path", "/data")]), Selection::Whole);
        let paths = Selection::Paths(vec!["a/b".into(), "c".into()]);
        assert_eq!(of(&[("backupbot.backup.volumes.mail.path", "a/b, /c/")]), paths);
        assert_eq!(of(&[("backupbot.backup.volumes.mail.path", "./a//b,c/.")]), paths);
        assert_eq!(of(&[("backupbot.backup.volumes.mail.path", ".")]), Selection::Paths(vec![".".into()]));
    }
}
