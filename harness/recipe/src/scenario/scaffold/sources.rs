//! What a new scenario is made from: compose files, or a recipe's folder with all that its deployment needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::compose::Compose;
use crate::env::Values;
use crate::error::{Error, Problems, Result};
use crate::fence::files;
use crate::recipe_folder::{RecipeFolder, SAMPLE, SCRIPT};

/// The sources of a scenario.
#[derive(Debug)]
pub(super) struct Sources {
    /// The compose files' names, in the order in which they are merged.
    pub(super) names: Vec<String>,
    /// The compose files as one.
    pub(super) compose: Compose,
    /// What is copied into the scenario's folder: the name there, and the file.
    pub(super) copies: BTreeMap<String, PathBuf>,
    /// The values that the recipe has for its variables, and the variables that may be left out.
    pub(super) known: BTreeSet<String>,
}

impl Sources {
    /// Reads compose files, or the one folder of a recipe. The error lists everything that cannot be read.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut problems = Problems::default();
        let (mut copies, mut known, mut listed) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for path in paths {
            if !path.is_dir() {
                listed.push((path.parent().map(Path::to_owned).unwrap_or_default(), path.clone()));
                continue;
            }
            let Some(folder) = problems.keep(RecipeFolder::read(path))? else { continue };
            let values = folder.values(&Values::new());
            let there = folder.compose_there(&values, &[], &mut problems)?;
            listed.extend(there.into_iter().map(|file| (path.clone(), file)));
            let settings = [SAMPLE, SCRIPT].map(|name| (name.to_owned(), path.join(name)));
            copies.extend(settings.into_iter().filter(|(_, file)| file.is_file()));
            known.extend(values.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name));
            known.extend(folder.optional());
        }
        let (mut names, mut merged) = (Vec::new(), Value::Null);
        for (root, file) in &listed {
            let Some(compose) = problems.keep(Compose::read(file))? else { continue };
            for name in named_files(&compose.value) {
                if problems.keep(files::usable(root, &root.join(&name)))?.is_some() {
                    copies.insert(name.clone(), root.join(&name));
                }
            }
            let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
            copies.insert(name.clone(), file.clone());
            names.push(name);
            merge(&mut merged, compose.value);
        }
        problems.into_result()?;
        let first = listed.first().ok_or_else(|| Error::Usage("--compose names no file".into()))?;
        let compose = Compose::parse(&first.1, &merged.to_string())?;
        Ok(Self { names, compose, copies, known })
    }
}

/// The files that a compose file's configs, secrets and services name.
fn named_files(compose: &Value) -> BTreeSet<String> {
    let section = |name: &str| compose[name].as_object().into_iter().flat_map(|s| s.values()).collect::<Vec<_>>();
    let mut all: Vec<&Value> = Vec::new();
    all.extend(section("configs").into_iter().chain(section("secrets")).map(|object| &object["file"]));
    for service in section("services") {
        match &service["env_file"] {
            Value::Array(list) => all.extend(list),
            other => all.push(other),
        }
    }
    all.into_iter().filter_map(Value::as_str).map(|f| f.trim_start_matches("./").to_owned()).collect()
}

/// Merges a compose file into one: maps by their keys, lists one after the other, of anything else the later one.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            more.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (Value::Array(into), Value::Array(more)) => into.extend(more),
        (_, Value::Null) => {}
        (into, more) => *into = more,
    }
}
