//! A recipe as its operator deploys it: its compose files merged and their variables replaced. Every label and mount knows where it is
//! written.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compose::variable::{filled, interpolate, refusal};
use crate::compose::yaml::{Node, Yaml};
use crate::compose::{Compose, MOST};
use crate::error::{Error, Result};
use crate::fence::files;
use crate::git::git;
use crate::inventory::Inventory;
use crate::recipe_folder::RecipeFolder;
use crate::scenario::values::STACK_NAME;
use crate::scenario::{Scenario, Spec};
use crate::toml_file::read_toml;

use super::overlay::listed_together;

pub use super::service::{ConfigMount, Label, Mount, MountSource, Place, SECRETS, Service, VersionOf, version_of};
use super::service::{command_words, secret_file};

/// A recipe.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// The files, in the order in which they are merged.
    pub files: Vec<Arc<PathBuf>>,
    /// Its services.
    pub services: BTreeMap<String, Service>,
    /// Its named volumes, and where each is declared.
    pub volumes: BTreeMap<String, Place>,
    /// The volumes that only its overlays declare, also those overlays that are switched off.
    pub optional: BTreeSet<String>,
    /// The texts of its configs, by name; none for one that is not a file of the recipe.
    pub configs: BTreeMap<String, Option<String>>,
    /// What each volume holds, if the recipe has an inventory.
    pub inventory: Option<Inventory>,
}

/// The files of a recipe, and the values of its variables.
#[derive(Debug, Clone, Default)]
pub struct RecipeFiles {
    /// Compose files, in the order in which they are merged.
    pub files: Vec<PathBuf>,
    /// The folders' other compose files: overlays that are switched off.
    pub overlays: Vec<PathBuf>,
    /// Overlays that the folders' samples switch on together.
    pub together: Vec<Vec<PathBuf>>,
    /// Values of variables.
    pub env: BTreeMap<String, String>,
    /// The inventory's file.
    pub inventory: Option<PathBuf>,
    /// Files that are not written yet: read from here.
    pub unwritten: BTreeMap<PathBuf, String>,
}

/// What an operator's values begin as.
const SAMPLE: &str = ".env.sample";

/// A file of a recipe's own folder, if it is there.
///
/// # Errors
/// It is a link that leads out of the folder, which is a stranger's.
fn own(dir: &Path, name: &str) -> Result<Option<PathBuf>> {
    let file = dir.join(name);
    if file.symlink_metadata().is_err() {
        return Ok(None);
    }
    files::within(dir, &file)?;
    Ok(Some(file))
}

impl RecipeFiles {
    /// Finds the files of recipe folders, or takes single compose files. The files of a folder are those that `COMPOSE_FILE` in its
    /// `.env.sample` lists, else those that its `scenario.toml` lists, else the compose file with a usual name.
    pub fn find(paths: &[PathBuf]) -> Result<Self> {
        Self::find_with(paths, &BTreeMap::new())
    }

    /// The same with an operator's values, which stand in the place of a folder's.
    pub fn find_with(paths: &[PathBuf], operator: &BTreeMap<String, String>) -> Result<Self> {
        let mut found = Self { env: operator.clone(), ..Self::default() };
        for path in paths {
            if !path.exists() {
                return Err(Error::Usage(format!(
                    "{}: no such file or folder; expected a recipe's folder, or its compose files",
                    path.display()
                )));
            }
            if path.is_dir() { found.add_folder(path, operator)? } else { found.files.push(path.clone()) }
        }
        Ok(found)
    }

    fn add_folder(&mut self, dir: &Path, operator: &BTreeMap<String, String>) -> Result<()> {
        let spec: Option<Spec> = own(dir, "scenario.toml")?.map(|file| read_toml(&file)).transpose()?;
        let (mut set, listed) = spec.as_ref().map(|s| (s.env.clone(), s.compose.clone())).unwrap_or_default();
        set.extend(operator.clone());
        let folder = RecipeFolder::read(dir)?;
        let values = folder.values(&set);
        let files = folder.compose(&values, &listed)?;
        let of_standins = spec.and_then(|s| s.standins).map(|s| s.compose).unwrap_or_default();
        let is_optional = |file: &PathBuf| !of_standins.iter().any(|name| dir.join(name) == *file);
        let overlays: Vec<PathBuf> = folder.overlays(&files)?.into_iter().filter(is_optional).collect();
        if let Some(sample) = own(dir, SAMPLE)? {
            let sample = files::read_text(&sample)?;
            let listed = listed_together(&sample).into_iter();
            let known = |names: Vec<&str>| names.iter().map(|n| dir.join(n)).filter(|f| overlays.contains(f)).collect();
            self.together.extend(listed.map(known).filter(|group: &Vec<PathBuf>| !group.is_empty()));
        }
        self.overlays.extend(overlays);
        self.files.extend(files);
        self.env.extend(values);
        if let Some(inventory) = own(dir, "inventory.toml")? {
            self.inventory = Some(inventory);
        }
        Ok(())
    }

    /// The files of a scenario's recipe, with its inventory.
    pub fn of(scenario: &Scenario) -> Result<Self> {
        let files: Vec<PathBuf> = scenario.compose.iter().map(|c| c.file.clone()).collect();
        let overlays = scenario.recipe.overlays(&files)?;
        let mut env = scenario.values.clone();
        // Labels are known by it as it is written.
        env.remove(STACK_NAME);
        let mut found = Self { overlays, files, ..Self::default() };
        (found.env, found.inventory) = (env, Some(scenario.dir.join("inventory.toml")));
        Ok(found)
    }

    /// The overlays that are switched on at a time: those that a line of the sample switches on together, and each other one by itself.
    pub fn combinations(&self) -> Vec<Vec<PathBuf>> {
        let is_alone = |overlay: &&PathBuf| !self.together.iter().any(|group| group.contains(overlay));
        let alone = self.overlays.iter().filter(is_alone).map(|overlay| vec![overlay.clone()]);
        self.together.iter().cloned().chain(alone).collect()
    }

    /// Reads the files.
    pub fn read(&self) -> Result<Recipe> {
        let read = |file: &PathBuf| Ok((file.clone(), files::read_text(file)?));
        self.parse(self.files.iter().map(read).collect::<Result<Vec<_>>>()?)
    }

    /// Reads the same files as they were at a revision of their git repository.
    pub fn read_at(&self, revision: &str) -> Result<Recipe> {
        let show = |file: &PathBuf| {
            let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let shown = git(dir, &["show", "--end-of-options", &format!("{revision}:./{name}")]).map_err(|e| match e {
                Error::Usage(said) => {
                    Error::Usage(format!("--base {revision} is neither a folder nor a revision in git: {said}"))
                }
                e => e,
            })?;
            Ok((dir.join(format!("{revision}:{name}")), String::from_utf8_lossy(&shown).into_owned()))
        };
        self.parse(self.files.iter().map(show).collect::<Result<Vec<_>>>()?)
    }

    /// Merges files that have these texts, in this order.
    pub fn parse(&self, texts: Vec<(PathBuf, String)>) -> Result<Recipe> {
        let mut recipe = Recipe {
            files: Vec::new(),
            services: BTreeMap::new(),
            volumes: BTreeMap::new(),
            optional: self.of_overlays(),
            configs: BTreeMap::new(),
            inventory: self.inventory.as_ref().map(|file| read_toml(file)).transpose()?,
        };
        for (file, text) in texts {
            let compose = Compose::parse(&file, &text)?;
            let file = File { path: Arc::new(file), env: &self.env, left: Cell::new(MOST) };
            for (name, key, _) in compose.tree.get("volumes").iter().flat_map(|v| v.entries()) {
                recipe.volumes.entry(name.to_owned()).or_insert_with(|| file.place(key));
                if !self.overlays.contains(&file.path) {
                    recipe.optional.remove(name);
                }
            }
            for (name, _, node) in compose.tree.get("configs").iter().flat_map(|c| c.entries()) {
                recipe.configs.insert(name.to_owned(), config_text(&file.path, node, &self.unwritten));
            }
            for (name, key, node) in compose.tree.get("services").iter().flat_map(|v| v.entries()) {
                let service = recipe.services.entry(name.to_owned()).or_insert_with(|| Service::at(file.place(key)));
                service.files.push(file.path.clone());
                file.merge(service, node)?;
            }
            recipe.files.push(file.path);
        }
        Ok(recipe)
    }

    /// The volumes that overlays declare. One that cannot be read declares none; whoever deploys with it is told.
    fn of_overlays(&self) -> BTreeSet<String> {
        let read = |file: &PathBuf| Compose::parse(file, &files::read_text(file).ok()?).ok();
        let all = self.overlays.iter().filter_map(read);
        all.flat_map(|compose| compose.volumes().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}

impl Recipe {
    /// Whether a volume is declared, be it in an overlay that is switched off.
    pub fn has_volume(&self, name: &str) -> bool {
        self.volumes.contains_key(name) || self.optional.contains(name)
    }

    /// Every label that backupbot reads, with its service and that service's name.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &Service, &Label)> {
        self.services.iter().flat_map(|(name, s)| s.labels.iter().map(move |l| (name.as_str(), s, l)))
    }

    /// The label that names the recipe's version.
    pub fn version(&self) -> Option<(&str, &Service, &Label)> {
        self.labels().find(|(.., l)| l.version_of() == Some(VersionOf::Recipe))
    }

    /// The labels that named the versions of single services, before a recipe had one version.
    pub fn old_versions(&self) -> impl Iterator<Item = (&str, &Service, &Label)> {
        self.labels().filter(|(.., l)| l.version_of() == Some(VersionOf::Service))
    }

    /// Where a path of a service's container is stored: the volume, and the path in it.
    pub fn in_volume<'r, 'p>(service: &'r Service, path: &'p str) -> Option<(&'r str, &'p str)> {
        let (mount, rest) = service.mount_of(path)?;
        match &mount.source {
            MountSource::Volume(volume) => Some((volume, rest)),
            MountSource::Bind(_) | MountSource::Unnamed => None,
        }
    }
}

struct File<'a> {
    path: Arc<PathBuf>,
    env: &'a BTreeMap<String, String>,
    /// How many bytes its texts may still have.
    left: Cell<usize>,
}

impl File<'_> {
    fn place(&self, node: &Node) -> Place {
        Place { file: self.path.clone(), line: node.line, column: node.column }
    }

    fn text<'t>(&self, text: &'t str, node: &Node) -> Result<(String, Vec<&'t str>)> {
        let wrong = |message| Error::input(self.path.as_ref(), Some(node.line), message);
        let made = interpolate(text, self.env).map_err(|bad| wrong(refusal(bad)))?;
        let Some(left) = self.left.get().checked_sub(made.0.len()) else {
            return Err(wrong(format!(
                "up to here, labels and hooks with the values of their variables have more than {MOST} bytes"
            )));
        };
        self.left.set(left);
        Ok(made)
    }

    /// A later file's values replace an earlier one's: labels by name, mounts by target.
    fn merge(&self, service: &mut Service, node: &Node) -> Result<()> {
        self.is_what_it_must_be(node)?;
        if let Some(image) = node.get("image") {
            service.image = image.text().map(|t| Ok::<_, Error>(self.text(t, image)?.0)).transpose()?;
        }
        if let Some(dir) = node.get("working_dir").and_then(Node::text) {
            service.working_dir = Some(self.text(dir, node)?.0);
        }
        let deploy = node.get("deploy");
        if let Some(replicas) = deploy.and_then(|d| d.get("replicas")).and_then(Node::scalar) {
            service.replicas = self.text(&replicas, node)?.0.parse().ok();
        }
        for (labels, node) in
            [(&mut service.labels, deploy.and_then(|d| d.get("labels"))), (&mut service.container_labels, node.get("labels"))]
        {
            replace(labels, self.labels(node)?, |label| &label.name);
        }
        service.overruled.extend(overruled(&self.labels(deploy.and_then(|d| d.get("labels")))?));
        let mounts = node.get("volumes").map_or(&[][..], Node::items);
        let mounts = mounts.iter().map(|item| self.mount(item)).collect::<Result<_>>()?;
        replace(&mut service.mounts, mounts, |mount| &mount.target);
        let configs = node.get("configs").map_or(&[][..], Node::items);
        replace(&mut service.configs, configs.iter().map(ConfigMount::read).collect(), |config| &config.target);
        service.secrets.extend(node.get("secrets").map_or(&[][..], Node::items).iter().filter_map(secret_file));
        let program: Vec<String> =
            ["entrypoint", "command"].iter().filter_map(|key| node.get(key)).flat_map(command_words).collect();
        if !program.is_empty() {
            service.program = program;
        }
        let networks = node.get("networks").into_iter().flat_map(Node::entries);
        let aliases = networks.filter_map(|(.., network)| network.get("aliases")).flat_map(Node::items).filter_map(Node::text);
        service.aliases.extend(aliases.chain(node.get("hostname").and_then(Node::text)).map(|alias| filled(alias, self.env)));
        for (name, value) in variables(node.get("environment")) {
            service.environment.insert(name, filled(&value, self.env));
        }
        Ok(())
    }

    /// Docker refuses a service of another form. To read nothing of it would be to find nothing wrong with it.
    fn is_what_it_must_be(&self, service: &Node) -> Result<()> {
        let wrong = |node: &Node, what: &str, expected: &str| {
            let shown = node.scalar().map_or_else(|| "a list or a map".to_owned(), |value| format!("{value:?}"));
            Err(Error::input(self.path.as_ref(), Some(node.line), format!("{what}: {shown}; expected {expected}")))
        };
        let is_map = |node: &Node| matches!(node.value, Yaml::Map(_) | Yaml::Null);
        if !is_map(service) {
            return wrong(service, "a service", "a map of its settings, such as image: …");
        }
        if let Some(deploy) = service.get("deploy").filter(|deploy| !is_map(deploy)) {
            return wrong(deploy, "deploy", "a map, such as labels: …");
        }
        let Some(volumes) = service.get("volumes") else { return Ok(()) };
        if !matches!(volumes.value, Yaml::List(_) | Yaml::Null) {
            return wrong(volumes, "volumes", "a list, such as [\"data:/data\"]");
        }
        match volumes.items().iter().find(|item| !matches!(item.value, Yaml::Text(_) | Yaml::Map(_))) {
            Some(item) => wrong(item, "volumes", "items such as \"data:/data\""),
            None => Ok(()),
        }
    }

    fn labels(&self, node: Option<&Node>) -> Result<Vec<Label>> {
        let Some(node) = node else { return Ok(Vec::new()) };
        let mut written = Vec::new();
        match &node.value {
            Yaml::Map(_) => {
                for (name, key, value) in node.entries() {
                    let boolean = matches!(value.value, Yaml::Bool(_));
                    written.push(((name.to_owned(), value.scalar().unwrap_or_default()), (boolean, false), key));
                }
            }
            Yaml::List(items) => {
                for item in items {
                    let text = item.text().ok_or_else(|| {
                        let shown = item.scalar().map(|value| format!("; found {value}")).unwrap_or_default();
                        let message = format!("expected a label such as \"name=value\"{shown}");
                        Error::input(self.path.as_ref(), Some(item.line), message)
                    })?;
                    let (name, value) = text.split_once('=').unwrap_or((text, ""));
                    written.push(((name.to_owned(), value.to_owned()), (false, true), item));
                }
            }
            Yaml::Null => {}
            _ => return Err(Error::input(self.path.as_ref(), Some(node.line), "labels: expected a list or a map")),
        }
        let label = |(written, (boolean, is_item), node): ((String, String), (bool, bool), &Node)| {
            let ((name, in_name), (value, in_value)) = (self.text(&written.0, node)?, self.text(&written.1, node)?);
            let unset = in_name.into_iter().chain(in_value).map(str::to_owned).collect();
            Ok(Label { name, value, written, is_item, boolean, unset, place: self.place(node) })
        };
        written.into_iter().map(label).collect()
    }

    fn mount(&self, node: &Node) -> Result<Mount> {
        let field = |name: &str| node.get(name).and_then(Node::scalar).unwrap_or_default();
        let (kind, source, target, read_only) = match node.text() {
            // SOURCE:TARGET[:MODE], or a target alone.
            Some(short) => {
                let short = self.text(short, node)?.0;
                let mut pieces = split_outside_braces(&short).into_iter();
                let first = pieces.next().unwrap_or_default();
                let (source, target) = pieces.next().map_or_else(|| (String::new(), first.clone()), |t| (first.clone(), t));
                let mode = pieces.next().unwrap_or_default();
                let kind = if source.starts_with(['/', '.', '~', '$']) { "bind" } else { "volume" };
                (kind.to_owned(), source, target, mode.split(',').any(|m| m == "ro"))
            }
            None => {
                let source = self.text(&field("source"), node)?.0;
                let target = self.text(&field("target"), node)?.0;
                (field("type"), source, target, field("read_only") == "true")
            }
        };
        let source = match kind.as_str() {
            "bind" => MountSource::Bind(source),
            "volume" if !source.is_empty() => MountSource::Volume(source),
            _ => MountSource::Unnamed,
        };
        Ok(Mount { source, target, read_only, place: self.place(node) })
    }
}

/// The text of a config, if it is a file of the recipe.
fn config_text(compose: &Path, node: &Node, unwritten: &BTreeMap<PathBuf, String>) -> Option<String> {
    let dir = compose.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = dir.join(node.get("file")?.text()?);
    unwritten.get(&file).cloned().or_else(|| files::read_text_in(dir, &file).ok())
}

/// The variables of `environment`, a map or a list.
fn variables(node: Option<&Node>) -> Vec<(String, String)> {
    let Some(node) = node else { return Vec::new() };
    let items = node.items().iter().filter_map(|item| {
        let text = item.text()?;
        // A name alone has the value that it has where the recipe is deployed.
        Some(text.split_once('=').map_or_else(|| (text, format!("${{{text}}}")), |(name, value)| (name, value.to_owned())))
    });
    let items = items.map(|(name, value)| (name.to_owned(), value));
    items.chain(node.entries().filter_map(|(name, _, value)| Some((name.to_owned(), value.scalar()?)))).collect()
}

/// The labels of one list that a later one with another value overrules, each with that one.
fn overruled(labels: &[Label]) -> Vec<(Label, Label)> {
    let last: HashMap<&String, &Label> = labels.iter().map(|label| (&label.name, label)).collect();
    let pairs = labels.iter().map(|label| (label, last[&label.name]));
    pairs.filter(|(label, last)| label.value != last.value).map(|(label, last)| (label.clone(), last.clone())).collect()
}

/// Adds items; each replaces those before it that have the same key. One pass: files with thousands of labels exist.
fn replace<T>(items: &mut Vec<T>, more: Vec<T>, key: impl Fn(&T) -> &String) {
    items.extend(more);
    let last: HashMap<&String, usize> = items.iter().enumerate().map(|(at, item)| (key(item), at)).collect();
    let stays: Vec<bool> = items.iter().enumerate().map(|(at, item)| last[key(item)] == at).collect();
    let mut stays = stays.into_iter();
    items.retain(|_| stays.next().unwrap_or(true));
}

/// Splits at colons, except those between braces, as in `${NAME:?message}`.
fn split_outside_braces(text: &str) -> Vec<String> {
    let (mut pieces, mut depth) = (vec![String::new()], 0_usize);
    for c in text.chars() {
        depth = match c {
            '{' => depth + 1,
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        if c == ':' && depth == 0 {
            pieces.push(String::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.push(c);
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(texts: &[&str], env: &[(&str, &str)]) -> Recipe {
        let sources =
            RecipeFiles { env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..RecipeFiles::default() };
        let files = texts.iter().enumerate().map(|(i, t)| (PathBuf::from(format!("{i}.yml")), (*t).to_owned()));
        sources.parse(files.collect()).expect("a recipe")
    }

    /// What is in it would be printed with the first mistake in it.
    #[test]
    fn no_file_of_a_recipe_is_read_through_a_link_out_of_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (key, recipe) = (dir.path().join("key"), dir.path().join("recipe"));
        std::fs::create_dir(&recipe).expect("made");
        std::fs::write(&key, "TOKEN=hunter2\n").expect("written");
        std::fs::write(recipe.join("compose.yml"), "services:\n  app:\n    image: a:1\n").expect("written");
        for name in ["scenario.toml", "inventory.toml"] {
            std::os::unix::fs::symlink(&key, recipe.join(name)).expect("linked");
            let read = RecipeFiles::find(std::slice::from_ref(&recipe)).and_then(|files| files.read());
            let said = read.expect_err("refused").to_string();
            assert!(said.contains("leads out of the recipe's folder") && !said.contains("hunter2"), "{said}");
            std::fs::remove_file(recipe.join(name)).expect("removed");
        }
    }

    #[test]
    fn later_files_replace_and_add_as_the_operator_deploys_them() {
        let first = "services:\n  app:\n    image: a:1\n    volumes: [data:/data, \"${CONF:-./c}:/etc/c:ro\"]\n    deploy:\n      labels:\n        - \"x=1\"\n        - \"y=${Y}\"\nvolumes:\n  data:\n";
        let second = "services:\n  app:\n    volumes:\n      - {type: volume, source: more, target: /data}\n    deploy:\n      labels: {x: 2, z: true}\n  db:\n    image: ${IMAGE}\nvolumes:\n  more:\n";
        let recipe = recipe(&[first, second], &[("IMAGE", "redis:7")]);
        let app = &recipe.services["app"];
        let labels: Vec<_> =
            app.labels.iter().map(|l| (l.name.as_str(), l.value.as_str(), l.boolean, l.place.to_string())).collect();
        let expected = [("y", "${Y}", false, "0.yml:8:11"), ("x", "2", false, "1.yml:6:16"), ("z", "true", true, "1.yml:6:22")];
        assert_eq!(labels, expected.map(|(n, v, b, p)| (n, v, b, p.to_owned())));
        assert_eq!(app.labels[0].unset, ["Y"]);
        let mounts: Vec<_> = app.mounts.iter().map(|m| (m.source.clone(), m.target.as_str(), m.read_only)).collect();
        assert_eq!(
            mounts,
            [(MountSource::Bind("./c".into()), "/etc/c", true), (MountSource::Volume("more".into()), "/data", false)]
        );
        assert_eq!(recipe.services["db"].image.as_deref(), Some("redis:7"));
        assert_eq!(recipe.volumes.keys().collect::<Vec<_>>(), ["data", "more"]);
    }

    #[test]
    fn a_folder_says_which_files_it_deploys() {
        let dir = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
        let found = || RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let (base, smtp) = (dir.path().join("compose.yml"), dir.path().join("compose.smtp.yml"));
        ["compose.yml", "compose.smtp.yml"].iter().for_each(|name| write(name, "services:\n  app:\n    image: a:1\n"));
        assert_eq!((found().files, found().overlays), (vec![base.clone()], vec![smtp.clone()]));
        write(".env.sample", "TYPE=app\nCOMPOSE_FILE=\"compose.yml\"\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.smtp.yml\"\n");
        assert_eq!((found().files, found().overlays), (vec![base, smtp], vec![]));
    }
}
