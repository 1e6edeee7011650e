//! The pair of hooks that dumps a database and loads the dump: a script, mounted as a config whose version `abra.sh` exports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::plan::{At, Edit, Step};
use crate::env;
use crate::fence::files;
use crate::labels::database::Server;
use crate::labels::flow::flows;
use crate::labels::lint::without_dump;
use crate::labels::recipe::{ConfigMount, Label, Recipe, Service};
use crate::labels::{Hook, VOLUMES, hook, paths_of};
use crate::recipe_folder::SCRIPT;

/// A file that a recipe gets, or that is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The file.
    pub path: PathBuf,
    /// Its text before; nothing if it is new.
    pub old: Option<String>,
    /// Its text.
    pub new: String,
    /// Whether it is a program.
    pub is_executable: bool,
}

/// The pairs for a recipe's databases without a dump, each as a step with the files that it needs.
pub(super) fn pairs(recipe: &Recipe, unwritten: &BTreeMap<PathBuf, String>) -> Vec<(Step, Vec<NewFile>)> {
    let flows = flows(recipe);
    let mut made: Vec<(Step, Vec<NewFile>)> = Vec::new();
    let mut files: BTreeMap<PathBuf, String> = unwritten.clone();
    for (name, server) in without_dump(recipe, &flows) {
        let service = &recipe.services[name];
        let has_hooks =
            [Hook::BackupPre, Hook::RestorePre, Hook::RestorePost].into_iter().any(|h| service.label(h.label()).is_some());
        // A hook that is there already, and what it loads, is its author's to judge. So is an image that nobody knows.
        if has_hooks || server.is_guess || is_locked(service, &server) {
            continue;
        }
        if let Some((step, new)) = pair(recipe, name, &server, &files) {
            files.extend(new.iter().map(|f| (f.path.clone(), f.new.clone())));
            made.push((step, new));
        }
    }
    made
}

fn is_locked(service: &Service, server: &Server<'_>) -> bool {
    server.engine.pair.as_ref().is_some_and(|pair| pair.is_locked(service))
}

/// Why databases without a dump get none.
pub(super) fn refusals(recipe: &Recipe) -> Vec<String> {
    let bare = without_dump(recipe, &flows(recipe)).into_iter().filter(|(name, s)| is_locked(&recipe.services[*name], s));
    let said = |(name, server): (&str, Server<'_>)| {
        let (place, engine) = (&server.mount.place, &server.engine.name);
        format!("{place}: {name} gets no dump of {engine}: the password of root is random, and there is no other account")
    };
    bare.map(said).collect()
}

fn pair(recipe: &Recipe, name: &str, server: &Server<'_>, files: &BTreeMap<PathBuf, String>) -> Option<(Step, Vec<NewFile>)> {
    let engine = server.engine;
    let customary = engine.pair.as_ref()?;
    // The server's own file: another one may have an alternative to it.
    let near = &server.mount.place;
    let dir = near.file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Some(step) = mounted_pair(recipe, name, server) {
        return Some((step, Vec::new()));
    }
    let script = customary.script(&server.mount.target);
    let Named { config, path, is_declared } = free_name(recipe, dir, name, &customary.config, &script, files)?;
    let version = (!is_declared).then(|| format!("{}_VERSION", config.to_uppercase()));
    let mut new = Vec::new();
    if let Some(version) = &version {
        new.push(NewFile { path, old: None, new: script, is_executable: true });
        new.extend(exported(dir, version, files)?);
    }

    let mut edits = vec![Edit::Config { service: name.to_owned(), near: near.clone(), config: config.clone(), version }];
    edits.extend(calls(recipe, name, server, &format!("/{config}.sh"), &customary.dump));
    let said =
        format!("{near}: {name} gets a dump of {}: {config}.sh, called before the backup and after the restore", engine.name);
    Some((Step { said: Some(said), edits }, new))
}

/// The labels that call a script before the backup and after the restore, and select the dump that it writes.
fn calls(recipe: &Recipe, name: &str, server: &Server<'_>, script: &str, dump: &str) -> Vec<Edit> {
    let insert = |label: &str, value: String| Edit::Insert {
        service: name.to_owned(),
        near: Some(server.mount.place.clone()),
        name: label.to_owned(),
        value,
    };
    let mut edits = vec![
        insert(Hook::BackupPre.label(), format!("{script} backup")),
        insert(Hook::RestorePost.label(), format!("{script} restore")),
    ];
    let path_label = format!("{VOLUMES}{}.path", server.volume);
    match recipe.labels().find(|(.., l)| l.name == path_label) {
        None => edits.push(insert(&path_label, dump.to_owned())),
        Some((of, _, label)) => edits.extend(selected(of, label, dump)),
    }
    edits
}

/// The step that calls a script which the service mounts already: it dumps with `backup`, and loads the same file with `restore`.
fn mounted_pair(recipe: &Recipe, name: &str, server: &Server<'_>) -> Option<Step> {
    let service = &recipe.services[name];
    let dump_of = |config: &ConfigMount| {
        let text = recipe.configs.get(&config.source)?.as_deref()?;
        let part = |name: &str| hook::read_script(text, &[name.to_owned()], &service.environment, None);
        let (backup, restore) = (part("backup"), part("restore"));
        let is_pair = backup.tools.iter().any(|tool| server.engine.dumps.contains(tool)) && !restore.dumps();
        let path = backup.results().find(|path| is_pair && (restore.reads.contains(path) || restore.names.contains(path)))?;
        let (volume, path) = Recipe::in_volume(service, path)?;
        (volume == server.volume && !path.contains(['$', '*'])).then(|| path.to_owned())
    };
    let mounted = service.configs.iter().filter(|config| config.executable);
    let (script, dump) = mounted.into_iter().find_map(|config| Some((&config.target, dump_of(config)?)))?;
    let (place, engine) = (&server.mount.place, &server.engine.name);
    let said = format!(
        "{place}: {name} gets a dump of {engine}: {script}, which it mounts, is called before the backup and after the restore"
    );
    Some(Step { said: Some(said), edits: calls(recipe, name, server, script, &dump) })
}

/// The label that selects paths of the volume selects the dump too.
fn selected(service: &str, label: &Label, dump: &str) -> Option<Edit> {
    if paths_of(&label.value).iter().any(|path| path == dump) {
        return None;
    }
    let at = At { service: service.to_owned(), on_container: false, label: label.clone() };
    Some(Edit::Rewrite { at, name: label.written.0.clone(), value: format!("{},{dump}", label.written.1) })
}

/// A config with a script.
struct Named {
    config: String,
    path: PathBuf,
    /// Whether the recipe has it already, with the same script.
    is_declared: bool,
}

/// A name for the config and its file that nothing has yet, or that has the same script.
fn free_name(
    recipe: &Recipe,
    dir: &Path,
    service: &str,
    custom: &str,
    script: &str,
    files: &BTreeMap<PathBuf, String>,
) -> Option<Named> {
    let own = format!("{custom}_{}", service.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
    [custom.to_owned(), own].into_iter().find_map(|config| {
        let path = dir.join(format!("{config}.sh"));
        let there = recipe.configs.get(&config);
        let is_declared = there.is_some_and(|text| text.as_deref() == Some(script));
        let is_free = there.is_none() && path.symlink_metadata().is_err() && !files.contains_key(&path);
        let is_same = there.is_none() && files.get(&path).is_some_and(|text| text == script);
        (is_free || is_same || is_declared).then_some(Named { config, path, is_declared })
    })
}

/// `abra.sh` with the config's version.
fn exported(dir: &Path, version: &str, files: &BTreeMap<PathBuf, String>) -> Option<Option<NewFile>> {
    let path = dir.join(SCRIPT);
    let on_disk = match path.symlink_metadata() {
        Ok(_) => Some(files::read_text_in(dir, &path).ok()?),
        Err(_) => None,
    };
    let now = files.get(&path).cloned().or_else(|| on_disk.clone()).unwrap_or_default();
    // A value that a command prints is not read, and is there all the same.
    let assigned = format!("export {version}=");
    if env::exported(&now).contains_key(version) || now.lines().any(|l| l.starts_with(&assigned)) {
        return Some(None);
    }
    let gap = if now.is_empty() || now.ends_with('\n') { "" } else { "\n" };
    let new = format!("{now}{gap}export {version}=v1\n");
    Some(Some(NewFile { path, old: on_disk, new, is_executable: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exported_version_is_there() {
        let dir = Path::new("/no/such/recipe");
        for (script, is_there) in [
            ("export PG_VERSION=v2\n", true),
            ("export PG_VERSION=$(date)\n", true),
            ("# export PG_VERSION=v2\n", false),
            ("export X_PG_VERSION=v2\n", false),
        ] {
            let files = BTreeMap::from([(dir.join(SCRIPT), script.to_owned())]);
            let new = exported(dir, "PG_VERSION", &files).expect("readable");
            let expected = (!is_there).then(|| format!("{script}export PG_VERSION=v1\n"));
            assert_eq!(new.map(|f| f.new), expected, "{script}");
        }
    }
}
