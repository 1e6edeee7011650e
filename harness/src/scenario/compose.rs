//! A compose file, read: enough to check it, to change what a drill must change, and to
//! hand it on. Merging and interpolating are left to `docker stack deploy`, as operators do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// One compose file. Anchors and merges are resolved; variables are not.
#[derive(Debug, Clone)]
pub struct Compose {
    /// The file.
    pub file: PathBuf,
    /// Its content.
    pub value: Value,
    variables: Vec<Variable>,
}

#[derive(Debug, Clone)]
struct Variable {
    name: String,
    line: usize,
    optional: bool,
}

impl Compose {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
        Self::parse(file, &text)
    }

    /// Parses the text of a file.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        let value: Value = serde_saphyr::from_str(text).map_err(|e| {
            let line = e.location().map(|l| l.line() as usize);
            let message = e.to_string();
            Error::input(file, line, message.lines().next().unwrap_or("not YAML").to_owned())
        })?;
        if !value.get("services").is_some_and(Value::is_object) {
            return Err(Error::input(file, None, "no services: expected a compose file with a map of services"));
        }
        Ok(Self { file: file.to_owned(), value, variables: variables(text) })
    }

    fn names(&self, section: &str) -> impl Iterator<Item = &str> {
        self.value.get(section).and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str)
    }

    /// The names of its services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.names("services")
    }

    /// The names of its top-level volumes.
    pub fn volumes(&self) -> impl Iterator<Item = &str> {
        self.names("volumes")
    }

    /// The names of its top-level networks.
    pub fn networks(&self) -> impl Iterator<Item = &str> {
        self.names("networks")
    }

    /// Checks that every variable without a default has a value.
    pub fn check_env(&self, env: &BTreeMap<String, String>) -> Result<()> {
        match self.variables.iter().find(|v| !v.optional && !env.contains_key(&v.name)) {
            None => Ok(()),
            Some(v) => Err(Error::input(
                &self.file,
                Some(v.line),
                format!("${{{0}}} has no value and no default; set {0} in the scenario's [env] or with --env-file", v.name),
            )),
        }
    }

    /// Labels of a service (`deploy.labels`), written as a list or as a map; uninterpolated.
    pub fn deploy_labels(&self, service: &str) -> BTreeMap<String, String> {
        labels(self.value.pointer(&format!("/services/{service}/deploy/labels")))
    }
}

/// Labels, written as a list of `name=value` or as a map.
pub fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match value {
        Some(Value::Object(map)) => map.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|l| l.split_once('=').map_or((l.to_owned(), String::new()), |(k, v)| (k.to_owned(), v.to_owned())))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// The variables of a compose file, by line: `$NAME`, `${NAME}`, `${NAME:-default}`; `$$` is a dollar sign.
fn variables(text: &str) -> Vec<Variable> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with('#')) {
        let mut rest = line;
        while let Some(dollar) = rest.find('$') {
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
                continue;
            }
            let (braced, body) = rest.strip_prefix('{').map_or((false, rest), |b| (true, b));
            let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
            if end > 0 {
                let optional = braced && (body[end..].starts_with(":-") || body[end..].starts_with('-'));
                found.push(Variable { name: body[..end].to_owned(), line: at + 1, optional });
            }
            rest = &body[end..];
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Compose> {
        Compose::parse(Path::new("compose.yml"), text)
    }

    #[test]
    fn a_variable_without_a_value_is_named_with_its_line() {
        let compose = parse("services:\n  app:\n    image: ${A:-x}$$B\n    command: ${C}\n").expect("valid");
        let error = compose.check_env(&BTreeMap::new()).expect_err("C").to_string();
        assert_eq!(error, "compose.yml:4: ${C} has no value and no default; set C in the scenario's [env] or with --env-file");
        compose.check_env(&BTreeMap::from([("C".into(), String::new())])).expect("C is set");
    }

    #[test]
    fn what_is_not_a_compose_file_is_refused_with_a_place() {
        let error = parse("services:\n  app: [\n").expect_err("unclosed").to_string();
        assert!(error.starts_with("compose.yml:"), "{error}");
        let error = parse("version: 3\n").expect_err("no services").to_string();
        assert!(error.contains("no services"), "{error}");
    }

    #[test]
    fn labels_as_list_and_as_map_are_the_same() {
        let list = parse("services:\n  a:\n    deploy:\n      labels: [\"x=1\", \"y=a=b\"]\n").expect("valid");
        let map = parse("services:\n  a:\n    deploy:\n      labels: {x: 1, y: a=b}\n").expect("valid");
        assert_eq!(list.deploy_labels("a"), map.deploy_labels("a"));
        assert_eq!(list.deploy_labels("a"), BTreeMap::from([("x".into(), "1".into()), ("y".into(), "a=b".into())]));
    }

    #[test]
    fn anchors_and_merges_are_resolved() {
        let compose = parse("x-e: &e {A: 1}\nservices:\n  a:\n    environment:\n      <<: *e\n      B: 2\n").expect("valid");
        assert_eq!(compose.value.pointer("/services/a/environment"), Some(&serde_json::json!({"A": 1, "B": 2})));
    }
}
