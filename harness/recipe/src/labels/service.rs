//! A service of a recipe: what its compose files say of it that a backup has to do with. Every label and mount knows where it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::compose::yaml::{Node, Yaml};

/// A place in a file; line and column from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file.
    pub file: Arc<PathBuf>,
    /// Its line.
    pub line: usize,
    /// Its column, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// A label of a service.
#[derive(Debug, Clone)]
pub struct Label {
    /// Its name, with variables replaced.
    pub name: String,
    /// Its value, with variables replaced.
    pub value: String,
    /// Its name and its value as they are written.
    pub written: (String, String),
    /// Whether it is an item of a list, and not of a map.
    pub is_item: bool,
    /// Whether the value is written as a YAML boolean, which compose files do not allow.
    pub boolean: bool,
    /// Its variables that have neither a value nor a default.
    pub unset: Vec<String>,
    /// Where it is written.
    pub place: Place,
}

/// A config that a service mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMount {
    /// Its name.
    pub source: String,
    /// The path of its file in the container.
    pub target: String,
    /// Whether the file may be executed.
    pub executable: bool,
}

/// Where the content of a mount is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountSource {
    /// In a named volume, which backupbot backs up.
    Volume(String),
    /// At a path of the host, which backupbot does not back up.
    Bind(String),
    /// In an anonymous volume or a tmpfs.
    Unnamed,
}

/// A mount of a service.
#[derive(Debug, Clone)]
pub struct Mount {
    /// Where its content is stored.
    pub source: MountSource,
    /// Its path in the container.
    pub target: String,
    /// Whether the service can only read it.
    pub read_only: bool,
    /// Where it is written.
    pub place: Place,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Where it is first defined.
    pub place: Place,
    /// The files that it is in.
    pub files: Vec<Arc<PathBuf>>,
    /// Its image.
    pub image: Option<String>,
    /// `deploy.labels`, which backupbot reads.
    pub labels: Vec<Label>,
    /// Labels of `deploy.labels` that a later one with another value overrules in the same list, each with that one.
    pub overruled: Vec<(Label, Label)>,
    /// `labels`, which backupbot does not read.
    pub container_labels: Vec<Label>,
    /// Its mounts.
    pub mounts: Vec<Mount>,
    /// Its configs.
    pub configs: Vec<ConfigMount>,
    /// The files of its secrets in its containers.
    pub secrets: Vec<String>,
    /// The words of its entrypoint and of its command, as far as the recipe says them.
    pub program: Vec<String>,
    /// Where the commands of its containers begin, if the recipe says so.
    pub working_dir: Option<String>,
    /// The variables of its containers.
    pub environment: BTreeMap<String, String>,
    /// Its other names in its networks.
    pub aliases: Vec<String>,
    /// How many containers it has, if the recipe says so.
    pub replicas: Option<u64>,
}

/// What a version label is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionOf {
    /// The recipe: `coop-cloud.<stack>.version`.
    Recipe,
    /// One service, in old recipes: `coop-cloud.<stack>.<service>.version`.
    Service,
}

impl Label {
    /// What it gives the version of, if it is a version label.
    pub fn version_of(&self) -> Option<VersionOf> {
        version_of(&self.written.0)
    }

    /// The label that the author meant by a list item such as `name: value` or `name = value`, which everybody reads as a label with a
    /// different name.
    pub fn misread(&self) -> Option<Self> {
        let ((name, value), written) = (meant(&self.name, &self.value)?, meant(&self.written.0, &self.written.1)?);
        self.is_item.then(|| Self { name, value, written, ..self.clone() })
    }
}

/// The name and the value of an item that has a colon in the place of `=`, or blanks around it.
fn meant(name: &str, value: &str) -> Option<(String, String)> {
    let is_name = |text: &str| !text.trim().is_empty() && !text.trim().contains(char::is_whitespace);
    if let Some((before, after)) = name.split_once(':').filter(|(before, after)| is_name(before) && after.starts_with(' ')) {
        let rest = if value.is_empty() { after.to_owned() } else { format!("{after}={value}") };
        return Some((before.trim().to_owned(), rest.trim().to_owned()));
    }
    (name.ends_with(' ') && is_name(name)).then(|| (name.trim().to_owned(), value.trim().to_owned()))
}

/// What a label with this name gives the version of, if it is a version label.
pub fn version_of(name: &str) -> Option<VersionOf> {
    let named = name.strip_prefix("coop-cloud.")?.strip_suffix(".version")?;
    // The stack's name is a variable, and has no dots once it is deployed.
    let stack = named.find('}').filter(|_| named.starts_with("${")).map_or(0, |end| end + 1);
    Some(if named[stack..].contains('.') { VersionOf::Service } else { VersionOf::Recipe })
}

impl Service {
    /// One that says nothing yet.
    pub(super) fn at(place: Place) -> Self {
        Self {
            place,
            files: Vec::new(),
            image: None,
            labels: Vec::new(),
            overruled: Vec::new(),
            container_labels: Vec::new(),
            mounts: Vec::new(),
            configs: Vec::new(),
            secrets: Vec::new(),
            program: Vec::new(),
            working_dir: None,
            environment: BTreeMap::new(),
            aliases: Vec::new(),
            replicas: None,
        }
    }

    /// Whether it is the bot itself, which clients find by this label.
    pub fn is_bot(&self) -> bool {
        self.label("coop-cloud.backupbot.enabled").is_some_and(|label| label.value == "true")
    }

    /// The label with this name.
    pub fn label(&self, name: &str) -> Option<&Label> {
        self.labels.iter().find(|l| l.name == name)
    }

    /// The mount that a path of its container is in, and the path from there.
    pub fn mount_of<'p>(&self, path: &'p str) -> Option<(&Mount, &'p str)> {
        let below = |mount: &Mount| {
            let rest = path.strip_prefix(mount.target.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_matches('/'))
        };
        let mounts = self.mounts.iter().filter_map(|m| Some((m, below(m)?)));
        mounts.max_by_key(|(m, _)| m.target.trim_end_matches('/').len())
    }

    /// The names of the named volumes that it mounts.
    pub fn volumes(&self) -> impl Iterator<Item = &str> {
        self.mounts.iter().filter_map(|m| if let MountSource::Volume(name) = &m.source { Some(name.as_str()) } else { None })
    }
}

/// Where Swarm puts a secret, unless it is told otherwise.
pub const SECRETS: &str = "/run/secrets/";

/// The file of a secret in a container: `/run/secrets/<source>`, or its target.
pub(super) fn secret_file(node: &Node) -> Option<String> {
    let field = |name: &str| node.get(name).and_then(Node::scalar).filter(|t| !t.is_empty());
    let name = node.text().map(str::to_owned).or_else(|| field("target")).or_else(|| field("source"))?;
    Some(if name.starts_with('/') { name } else { format!("{SECRETS}{name}") })
}

/// The words of an entrypoint or a command, a list or a text.
pub(super) fn command_words(node: &Node) -> Vec<String> {
    match node.text() {
        Some(text) => text.split_whitespace().map(str::to_owned).collect(),
        None => node.items().iter().filter_map(Node::scalar).collect(),
    }
}

impl ConfigMount {
    /// Swarm mounts a config at `/<source>` with mode 0444, unless it is told otherwise.
    pub(super) fn read(node: &Node) -> Self {
        let field = |name: &str| node.get(name).and_then(Node::scalar).filter(|t| !t.is_empty());
        let source = node.text().map(str::to_owned).or_else(|| field("source")).unwrap_or_default();
        let target = field("target").unwrap_or_else(|| format!("/{source}"));
        let target = if target.starts_with('/') { target } else { format!("/{target}") };
        let mode = node.get("mode").and_then(|mode| match &mode.value {
            Yaml::Number(number) => number.as_u64(),
            // As docker's reader: 0555 is octal.
            Yaml::Text(text) => u64::from_str_radix(text.trim_start_matches("0o"), 8).ok(),
            _ => None,
        });
        Self { source, target, executable: mode.is_some_and(|mode| mode & 0o111 != 0) }
    }
}
