//! What an author meant by a label that backupbot version 2 does not read as they meant it.

use std::borrow::Cow;

use super::recipe::{Label, MountSource, Recipe, Service};
use super::spelling::corrected;
use super::{BACKUP, Hook, VOLUMES};
use crate::compose::variable::{Part, parts};
use crate::inventory::Class;
use crate::near::nearest;

/// What a label was meant to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What it says.
    AsWritten,
    /// What these labels say: names and values.
    Instead(Vec<(String, String)>),
    /// What is so without any label, for this reason.
    Needless(String),
    /// Only its author knows.
    Unclear,
}

/// With more volumes than this, an unknown one is not compared with each of them.
const COMPARED: usize = 100;

/// What a label of a service was meant to say.
pub(super) fn meaning(recipe: &Recipe, service: &Service, label: &Label) -> Meaning {
    if let Some(meant) = label.misread() {
        return match meaning(recipe, service, &meant) {
            Meaning::AsWritten => Meaning::Instead(vec![meant.written]),
            other => other,
        };
    }
    match corrected(&label.name) {
        Some(Cow::Owned(name)) => {
            let meant = of_name(recipe, service, &Label { name: name.clone(), ..label.clone() });
            if meant == Meaning::AsWritten { Meaning::Instead(vec![(name, label.written.1.clone())]) } else { meant }
        }
        _ => of_name(recipe, service, label),
    }
}

/// What a label whose name begins as it should was meant to say.
fn of_name(recipe: &Recipe, service: &Service, label: &Label) -> Meaning {
    let Label { name, value, .. } = label;
    let written = &label.written.1;
    if name == BACKUP {
        return exactly(label, BACKUP);
    }
    if Hook::ALL.iter().any(|h| h.label() == name) {
        let own =
            doubled(written, |variable| label.unset.contains(&variable.to_owned()) && service.environment.contains_key(variable));
        return if own == *written { Meaning::AsWritten } else { Meaning::Instead(vec![(name.clone(), own)]) };
    }
    if let Some(rest) = volumes_label(name) {
        return of_volume(recipe, service, label, rest);
    }
    if name == "backupbot.backup.path" {
        return container_paths(service, label);
    }
    if name == "backupbot.restore" && truth(value) == Some(true) {
        return Meaning::Needless("every stack that is backed up can be restored".into());
    }
    let known = Hook::ALL.iter().map(|h| h.label()).chain([BACKUP]);
    match known.min_by_key(|k| strsim::damerau_levenshtein(k, name)).filter(|k| strsim::damerau_levenshtein(k, name) <= 2) {
        Some(BACKUP) => match truth(value) {
            Some(on) => Meaning::Instead(vec![(BACKUP.into(), on.to_string())]),
            None => Meaning::Unclear,
        },
        Some(hook) => Meaning::Instead(vec![(hook.into(), written.clone())]),
        None => Meaning::Unclear,
    }
}

/// What follows the beginning of a label about a volume, also where that beginning is version 1's or misspelt.
fn volumes_label(name: &str) -> Option<&str> {
    if let Some(rest) = name.strip_prefix(VOLUMES).or_else(|| name.strip_prefix("backupbot.volumes.")) {
        return Some(rest);
    }
    let mut parts = name.splitn(4, '.');
    let (_, backup, volumes, rest) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let near = |word: &str, of: &str| strsim::damerau_levenshtein(word, of) <= 2;
    (near(backup, "backup") && near(volumes, "volumes")).then_some(rest)
}

/// The volume of a label about one, and whether the label selects paths of it.
pub(super) fn volume_of<'n>(recipe: &Recipe, rest: &'n str) -> (&'n str, bool) {
    match rest.strip_suffix(".path") {
        Some(volume) if !recipe.has_volume(rest) => (volume, true),
        _ => (rest, false),
    }
}

/// The volume that was meant: the one whose name follows the stack's, or one with almost the same name.
pub(super) fn volume_meant<'r>(recipe: &'r Recipe, unknown: &str) -> Option<&'r str> {
    let volumes = &recipe.volumes;
    let after = |(at, _): (usize, &str)| volumes.get_key_value(&unknown[at + 1..]);
    match unknown.match_indices('_').find_map(after) {
        Some((volume, _)) => Some(volume),
        None if volumes.len() > COMPARED => None,
        None => nearest(unknown, volumes.keys().map(String::as_str)),
    }
}

/// The volume that was meant by a label that excludes one. What is guessed here is lost with the server, so almost the same name is not
/// enough, and neither is what may be another volume's old name.
fn volume_excluded<'r>(recipe: &'r Recipe, unknown: &'r str) -> Option<&'r str> {
    if let Some(volume) = unknown.strip_prefix("${STACK_NAME}_") {
        return recipe.has_volume(volume).then_some(volume);
    }
    let (at, volume) = unknown.match_indices('_').map(|(at, _)| (at, &unknown[at + 1..])).find(|(_, v)| recipe.has_volume(v))?;
    let is_services = recipe.services.contains_key(&unknown[..at]);
    (!is_services && is_spare(recipe, volume)).then_some(volume)
}

/// Whether a volume may be excluded on a guess: the inventory does not call it worth a backup, and it is not all that is backed up.
fn is_spare(recipe: &Recipe, volume: &str) -> bool {
    let class = recipe.inventory.iter().flat_map(|i| &i.volumes).find(|v| v.name == volume).map(|v| v.class);
    let mut others = recipe.services.values().flat_map(Service::volumes).filter(|name| *name != volume);
    class.is_none_or(Class::is_left_out) && others.any(|name| !is_excluded(recipe, name))
}

/// Whether a label excludes a volume.
fn is_excluded(recipe: &Recipe, volume: &str) -> bool {
    recipe.labels().any(|(.., l)| l.value == "false" && l.name.strip_prefix(VOLUMES).is_some_and(|named| named == volume))
}

fn of_volume(recipe: &Recipe, service: &Service, label: &Label, rest: &str) -> Meaning {
    let (named, is_path) = volume_of(recipe, rest);
    let excludes = !is_path && truth(&label.value) == Some(false);
    let volume = match recipe.has_volume(named) {
        true => Some(named),
        false if excludes => volume_excluded(recipe, named),
        false => volume_meant(recipe, named),
    };
    let Some(volume) = volume else { return Meaning::Unclear };
    let name = format!("{VOLUMES}{volume}{}", if is_path { ".path" } else { "" });
    if !is_path && truth(&label.written.1) == Some(true) && !is_excluded(recipe, volume) {
        return Meaning::Needless(format!("volume {volume} is backed up without it"));
    }
    let mended = if is_path { paths(recipe, service, label, volume, &name) } else { exactly(label, &name) };
    // With its variables where nothing else is wrong with it.
    match mended {
        Meaning::AsWritten if label.name != name => Meaning::Instead(vec![(name, label.written.1.clone())]),
        other => other,
    }
}

/// A value that must be the text true or false.
fn exactly(label: &Label, name: &str) -> Meaning {
    let is_exact = |value: &str| value == "true" || value == "false";
    let exact = !label.boolean && is_exact(&label.value);
    let (written, bare) = (&label.written.1, bare(&label.value));
    if !exact && is_exact(bare) && written.contains('$') {
        return Meaning::Instead(vec![(name.to_owned(), written.replacen(&label.value, bare, 1))]);
    }
    match truth(&label.value) {
        _ if exact || !label.unset.is_empty() => Meaning::AsWritten,
        Some(on) => Meaning::Instead(vec![(name.to_owned(), on.to_string())]),
        None => Meaning::Unclear,
    }
}

/// A value without the quotes that are a part of it.
pub(super) fn bare(value: &str) -> &str {
    value.trim_matches(['"', '\''])
}

/// What people write for true and false.
fn truth(value: &str) -> Option<bool> {
    match value.trim().to_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

/// Where a volume is mounted, by the service of the label first.
pub(super) fn targets<'r>(recipe: &'r Recipe, service: &'r Service, volume: &str) -> Vec<&'r str> {
    let mounts = std::iter::once(service).chain(recipe.services.values()).flat_map(|s| &s.mounts);
    let of = |source: &MountSource| matches!(source, MountSource::Volume(name) if name == volume);
    mounts.filter(|m| of(&m.source)).map(|m| m.target.trim_end_matches('/')).filter(|t| !t.is_empty()).collect()
}

/// A path as its author may have meant it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathMeaning<'v> {
    /// From the volume's root, as it should be.
    InVolume(&'v str),
    /// The same after a slash.
    AfterSlash(&'v str),
    /// In the container, where the volume is mounted at `target`.
    InContainer { target: String, path: &'v str },
    /// Nothing is selected by it.
    Nothing(&'v str),
}

/// The paths of a label, each as it may be meant.
pub(super) fn paths_meant<'v>(targets: &[&str], value: &'v str) -> Vec<PathMeaning<'v>> {
    let one = |path: &'v str| {
        let path = path.trim();
        let leaves = path.split('/').any(|part| part == "..");
        if leaves || path.trim_matches('/').is_empty() || is_several(path) || has_wildcard(path) {
            return PathMeaning::Nothing(path);
        }
        let below = |target: &&&str| path.strip_prefix(**target).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        match (path.strip_prefix('/'), targets.iter().find(below)) {
            (None, _) => PathMeaning::InVolume(path),
            (Some(_), Some(target)) => {
                PathMeaning::InContainer { target: (*target).to_owned(), path: path[target.len()..].trim_matches('/') }
            }
            (Some(rest), None) => PathMeaning::AfterSlash(rest.trim_start_matches('/')),
        }
    };
    value.split(',').map(one).collect()
}

/// Whether a path has a character that a shell would replace by names of files. In a variable without a value it is the variable's.
pub(super) fn has_wildcard(path: &str) -> bool {
    !path.contains("${") && path.contains(['*', '?', '['])
}

/// Whether paths have blanks beside the commas between them.
pub(super) fn has_blanks(paths: &str) -> bool {
    paths.split(',').any(|path| path != path.trim()) && paths.contains(',')
}

/// Whether a path is several ones, with blanks, colons or semicolons between them: only commas are read as such.
fn is_several(path: &str) -> bool {
    path.split(|c: char| c.is_whitespace() || c == ':' || c == ';').skip(1).any(|word| word.starts_with('/'))
}

fn paths(recipe: &Recipe, service: &Service, label: &Label, volume: &str, name: &str) -> Meaning {
    let written = &label.written.1;
    let targets = targets(recipe, service, volume);
    let all = paths_meant(&targets, written);
    if all.iter().all(|p| matches!(p, PathMeaning::InVolume(_))) && !has_blanks(written) {
        return Meaning::AsWritten;
    }
    let mut mended = Vec::new();
    for path in all {
        match path {
            PathMeaning::InContainer { path: "", .. } => {
                return Meaning::Needless(format!("volume {volume} is backed up as a whole"));
            }
            PathMeaning::InVolume(path) | PathMeaning::AfterSlash(path) | PathMeaning::InContainer { path, .. } => {
                mended.push(path)
            }
            // An empty piece between commas is nobody's wish.
            PathMeaning::Nothing("") => {}
            PathMeaning::Nothing(_) => return Meaning::Unclear,
        }
    }
    if mended.is_empty() { Meaning::Unclear } else { Meaning::Instead(vec![(name.to_owned(), mended.join(","))]) }
}

/// A text with another dollar sign before some variables, so that docker leaves them to the container's shell.
fn doubled(text: &str, is_own: impl Fn(&str) -> bool) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let one = |part: Part<'_>| match part {
        Part::Text(text) => text.replace('$', "$$"),
        Part::Variable(variable) if is_own(variable.name) => format!("${}", variable.written),
        Part::Variable(variable) => variable.written.to_owned(),
    };
    parts.into_iter().map(one).collect()
}

/// What is backed up beside the paths of `backupbot.backup.path`, which the author did not name; nothing if there is an inventory, or
/// nothing else.
pub(super) fn beside_paths(recipe: &Recipe, service: &Service, label: &Label) -> Option<String> {
    let paths = || label.value.split(',').map(str::trim).filter(|path| !path.is_empty());
    let named: Vec<&str> = paths().filter_map(|path| Recipe::in_volume(service, path)).map(|(volume, _)| volume).collect();
    let mut others: Vec<&str> = recipe.services.values().flat_map(Service::volumes).collect();
    others.retain(|volume| !named.contains(volume) && !is_excluded(recipe, volume));
    others.sort_unstable();
    others.dedup();
    if recipe.inventory.is_some() || named.len() < paths().count() || named.is_empty() || others.is_empty() {
        return None;
    }
    let labels: Vec<String> = others.iter().map(|volume| format!("{VOLUMES}{volume}=false")).collect();
    let (are, them) = if others.len() == 1 { ("is", "excludes it") } else { ("are", "exclude them") };
    Some(format!("{} {are} backed up too, unless {} {them}", volumes(&others), labels.join(" and ")))
}

/// Volumes, in words.
fn volumes(names: &[&str]) -> String {
    format!("{} {}", if names.len() == 1 { "volume" } else { "volumes" }, names.join(" and "))
}

/// Paths in a container, as volumes and paths in them. A variable stays in a path as long as it does not say which volume it is.
fn container_paths(service: &Service, label: &Label) -> Meaning {
    let (written, filled) = (label.written.1.split(','), label.value.split(','));
    if written.clone().count() != filled.clone().count() {
        return Meaning::Unclear;
    }
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let pairs = written.zip(filled).map(|(path, filled)| (path.trim(), filled.trim()));
    for (path, filled) in pairs.filter(|(path, _)| !path.is_empty()) {
        let Some((volume, path)) = Recipe::in_volume(service, path) else { return Meaning::Unclear };
        if is_several(filled) || Recipe::in_volume(service, filled).is_none_or(|(of, _)| of != volume) {
            return Meaning::Unclear;
        }
        match found.iter_mut().find(|(v, _)| *v == volume) {
            Some((_, paths)) => paths.push(path),
            None => found.push((volume, vec![path])),
        }
    }
    let whole: Vec<&str> = found.iter().filter(|(_, paths)| paths.contains(&"")).map(|(v, _)| *v).collect();
    let parts = found.iter().filter(|(volume, _)| !whole.contains(volume));
    let labels: Vec<_> = parts.map(|(volume, paths)| (format!("{VOLUMES}{volume}.path"), paths.join(","))).collect();
    match (labels.is_empty(), whole.is_empty()) {
        (false, _) => Meaning::Instead(labels),
        (true, false) => {
            let are = if whole.len() == 1 { "is backed up as a whole" } else { "are backed up as wholes" };
            Meaning::Needless(format!("{} {are} without a label", volumes(&whole)))
        }
        (true, true) => Meaning::Unclear,
    }
}

/// The label that the author of one with an unknown name most likely looked for.
pub(super) fn hint(name: &str) -> &'static str {
    let rest = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| rest.contains(w));
    let is_hook = has(&["hook", "command", "cmd", "exec", "script", "run", "dump", "pre", "post", "before", "after"]);
    let after = has(&["post", "after"]);
    match (is_hook, rest.contains("restore"), after) {
        (true, false, false) => Hook::BackupPre.label(),
        (true, false, true) => Hook::BackupPost.label(),
        (true, true, _) if has(&["pre-", "prehook", "before"]) => Hook::RestorePre.label(),
        (true, true, _) => Hook::RestorePost.label(),
        (false, ..) if has(&["vol", "path", "exclu", "inclu", "ignore", "skip"]) => "backupbot.backup.volumes.<volume>",
        _ => BACKUP,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::labels::recipe::RecipeFiles;

    #[test]
    fn what_was_meant() {
        let told = |list: &[(&str, &str)]| Meaning::Instead(list.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect());
        for (label, expected) in [
            ("backupbot.backup=true", Meaning::AsWritten),
            ("backupbot.backup=${ON:-true}", Meaning::AsWritten),
            ("backupbot.backup=${ON}", Meaning::AsWritten),
            ("backupbot.backup=Yes", told(&[("backupbot.backup", "true")])),
            ("backupbot.bakup=1", told(&[("backupbot.backup", "true")])),
            ("backupbot.backup=maybe", Meaning::Unclear),
            ("backupbot.volumes.cache=false", told(&[("backupbot.backup.volumes.cache", "false")])),
            ("backupbot.backup.volume.cache=no", told(&[("backupbot.backup.volumes.cache", "false")])),
            ("backupbot.backup.volumes.my_stack_cache=false", told(&[("backupbot.backup.volumes.cache", "false")])),
            ("backupbot.backup.volumes.${STACK_NAME}_data.path=/a", told(&[("backupbot.backup.volumes.data.path", "a")])),
            ("backupbot.backup.volumes.nothing=false", Meaning::Unclear),
            ("backupbot.backup.volumes.data.path=/dumps/x,y", told(&[("backupbot.backup.volumes.data.path", "x,y")])),
            ("backupbot.backup.volumes.data.path=${P:-x}", Meaning::AsWritten),
            ("backupbot.backup.volumes.data.path=../x", Meaning::Unclear),
            ("backupbot.backup.volumes.data.path=x*.sql", Meaning::Unclear),
            ("backupbot.backup.volumes.data.path=x, y", told(&[("backupbot.backup.volumes.data.path", "x,y")])),
            ("backupbot.backup.volumes.data=true", Meaning::Needless("volume data is backed up without it".into())),
            ("backupbot.volumes.data=true", Meaning::Needless("volume data is backed up without it".into())),
            ("backupbot.backup.volumes.data=${ON:-true}", Meaning::AsWritten),
            ("backupbot.backup.path=/dumps/x,/dumps/y,/cache", told(&[("backupbot.backup.volumes.data.path", "x,y")])),
            ("backupbot.backup.path=/dumps", Meaning::Needless("volume data is backed up as a whole without a label".into())),
            ("backupbot.backup.path=/etc", Meaning::Unclear),
            ("backupbot.backup.path=/dumps/${X:-x}", told(&[("backupbot.backup.volumes.data.path", "${X:-x}")])),
            ("backupbot.backup.path=${DIR:-/dumps}/x", Meaning::Unclear),
            ("backupbot.backup.pre_hook=x ${Y}", told(&[("backupbot.backup.pre-hook", "x ${Y}")])),
            ("backupbot.backup.command=x", Meaning::Unclear),
            ("backupbot.backup.path=/dumps/x /cache/y", Meaning::Unclear),
            ("backupbot.backup.volumes.data.path=/dumps/x /dumps/y", Meaning::Unclear),
            ("Backupbot.Backup=true", told(&[("backupbot.backup", "true")])),
            ("backup-bot.backup.volumes.cache=false", told(&[("backupbot.backup.volumes.cache", "false")])),
            ("BackupBot.backup.pre-hook=x ${Y}", told(&[("backupbot.backup.pre-hook", "x ${Y}")])),
            ("backup_bot.volumes.cache=false", told(&[("backupbot.backup.volumes.cache", "false")])),
            ("BackupBot.backup.command=x", Meaning::Unclear),
        ] {
            let text = format!(
                "services:\n  app:\n    volumes: [\"data:/dumps\", \"cache:/cache\"]\n    deploy:\n      labels:\n        - \"{label}\"\nvolumes:\n  data:\n  cache:\n"
            );
            let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
            let app = &recipe.services["app"];
            assert_eq!(meaning(&recipe, app, &app.labels[0]), expected, "{label}");
        }
    }

    #[test]
    fn no_data_is_excluded_on_a_guess() {
        let dir = tempfile::tempdir().expect("a directory");
        let (overlay, inventory) = (dir.path().join("compose.postgres.yml"), dir.path().join("inventory.toml"));
        std::fs::write(&overlay, "services: {app: {image: x}}\nvolumes: {postgres_data: }\n").expect("written");
        let classified = "[[volume]]\nname = 'data'\nservice = 'app'\nmount = '/data'\nclass = 'durable'\nwhy = 'all'\n";
        std::fs::write(&inventory, classified).expect("written");
        let of = |label: &str, volumes: &[&str], inventory: Option<&Path>| {
            let mounts: String = volumes.iter().map(|v| format!("      - {v}:/{v}\n")).collect();
            let declared: String = volumes.iter().map(|v| format!("  {v}:\n")).collect();
            let text = format!(
                "services:\n  app:\n    volumes:\n{mounts}    deploy:\n      labels:\n        - {label}\nvolumes:\n{declared}"
            );
            let inventory = inventory.map(Path::to_owned);
            let sources = RecipeFiles { overlays: vec![overlay.clone()], inventory, ..RecipeFiles::default() };
            let recipe = sources.parse(vec![("compose.yml".into(), text)]).expect("a recipe");
            meaning(&recipe, &recipe.services["app"], &recipe.services["app"].labels[0])
        };
        let excluded = Meaning::Instead(vec![("backupbot.backup.volumes.data".into(), "false".into())]);
        for (label, volumes, inventory, expected) in [
            ("backupbot.backup.volumes.postgres_data=false", &["data"][..], None, Meaning::AsWritten),
            ("backupbot.backup.volumes.old_data=false", &["data"], None, Meaning::Unclear),
            ("backupbot.backup.volumes.app_data=false", &["data", "cache"], None, Meaning::Unclear),
            ("backupbot.backup.volumes.my_data=false", &["data", "cache"], Some(inventory.as_path()), Meaning::Unclear),
            ("backupbot.backup.volumes.my_data=false", &["data", "cache"], None, excluded.clone()),
            ("backupbot.backup.volumes.${STACK_NAME}_data=false", &["data"], None, excluded),
            ("backupbot.backup.volumes.dtaa=no", &["data", "cache"], None, Meaning::Unclear),
        ] {
            assert_eq!(of(label, volumes, inventory), expected, "{label} {volumes:?}");
        }
    }

    #[test]
    fn hints_follow_the_words_of_a_name() {
        for (name, expected) in [
            ("backupbot.backup.command", "backupbot.backup.pre-hook"),
            ("backupbot.backup.exec-after", "backupbot.backup.post-hook"),
            ("backupbot.restore.command", "backupbot.restore.post-hook"),
            ("backupbot.exclude", "backupbot.backup.volumes.<volume>"),
            ("backupbot.enabled", "backupbot.backup"),
        ] {
            assert_eq!(hint(name), expected, "{name}");
        }
    }
}
