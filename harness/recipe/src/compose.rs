//! A compose file: parsed far enough to check it and to change what a drill must change. `docker stack deploy` does the merging and
//! the interpolation, as it does for operators.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::{Error, Problem, Problems, Result};
use crate::fence::files;

pub mod edit;
pub mod mount;
pub mod references;
pub mod variable;
pub mod yaml;

use variable::{Fallback, Part, Variable, parts};
use yaml::Node;

/// One compose file. Anchors and merges are resolved; variables are not.
#[derive(Debug, Clone)]
pub struct Compose {
    /// The file.
    pub file: PathBuf,
    /// Its content, with the place of every value.
    pub tree: Node,
    /// Its content, without places.
    pub value: Value,
}

/// The most that the texts of a file may be with their variables replaced, in bytes.
pub(crate) const MOST: usize = 16 << 20;

impl Compose {
    /// Reads a file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = files::read_text(file)?;
        Self::parse(file, &text)
    }

    /// Parses the text of a file.
    pub fn parse(file: &Path, text: &str) -> Result<Self> {
        let tree = Node::parse(file, text)?;
        let value = tree.json();
        if !value.get("services").is_some_and(Value::is_object) {
            return Err(Error::input(file, None, "no services: expected a compose file, which has a map of services"));
        }
        Ok(Self { file: file.to_owned(), tree, value })
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

    /// Checks that every variable without a default has a value. An error lists each variable that has none, once, and each text
    /// that cannot be interpolated.
    pub fn check_env(&self, env: &BTreeMap<String, String>) -> Result<()> {
        self.check_needed(env, &BTreeSet::new(), |_| true)
    }

    /// The same, but those in `optional` may have none, as docker puts an empty text in their place; and of labels only those count that
    /// are deployed.
    pub fn check_needed(
        &self,
        env: &BTreeMap<String, String>,
        optional: &BTreeSet<String>,
        is_deployed: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let (mut problems, mut named) = (Problems::default(), BTreeSet::new());
        let mut add = |node: &Node, message| problems.add(Problem { file: self.file.clone(), line: Some(node.line), message });
        let left_out = self.labels_but(is_deployed);
        let (mut length, mut is_too_long) = (0, false);
        self.tree.walk(&mut |text, node| match parts(text) {
            _ if left_out.contains(&(node.line, node.column)) => {}
            Ok(parts) => {
                length += variable::made(text, env).len();
                if length > MOST && !std::mem::replace(&mut is_too_long, true) {
                    add(
                        node,
                        format!("up to here, the file's texts with the values of their variables have more than {MOST} bytes"),
                    );
                }
                let variables = parts.iter().filter_map(|p| if let Part::Variable(v) = p { Some(v) } else { None });
                let may_be_empty = |v: &Variable<'_>| v.fallback == Fallback::Empty && optional.contains(v.name);
                let needed = variables.filter(|v| v.value(env).is_none() && !may_be_empty(v)).map(|v| v.name);
                for name in needed.filter(|name| named.insert(*name)) {
                    let how = format!("set {name} in the scenario's [env] or with --env-file");
                    add(node, format!("${{{name}}} has no value and no default; {how}"));
                }
            }
            Err(bad) => add(node, variable::refusal(bad)),
        });
        problems.into_result()
    }

    /// The places, line and column, of labels of services other than these.
    fn labels_but(&self, is_meant: impl Fn(&str) -> bool) -> BTreeSet<(usize, usize)> {
        let services = self.tree.get("services").into_iter().flat_map(Node::entries);
        let lists = services.flat_map(|(_, _, s)| [s.get("labels"), s.get("deploy").and_then(|d| d.get("labels"))]).flatten();
        let mut places = BTreeSet::new();
        for list in lists {
            let items = list.items().iter().filter(|item| item.text().is_some_and(|text| !is_meant(name_of(text))));
            places.extend(items.map(|item| (item.line, item.column)));
            for (_, key, value) in list.entries().filter(|(name, ..)| !is_meant(name)) {
                places.extend([(key.line, key.column), (value.line, value.column)]);
            }
        }
        places
    }

    /// The labels of a service (`deploy.labels`), with their variables as written.
    pub fn deploy_labels(&self, service: &str) -> BTreeMap<String, String> {
        labels(self.value.pointer(&format!("/services/{service}/deploy/labels")))
    }
}

/// The name of a label that is written as `name=value`.
fn name_of(label: &str) -> &str {
    label.split_once('=').map_or(label, |(name, _)| name)
}

/// Labels by name, from a list of `name=value` or from a map.
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

/// Changes the labels of a service, both those of its container and those of its deployment (`deploy.labels`).
pub fn change_labels(service: &mut Value, mut change: impl FnMut(&mut BTreeMap<String, String>)) {
    for place in ["/labels", "/deploy/labels"] {
        let Some(said) = service.pointer_mut(place).filter(|said| !said.is_null()) else { continue };
        let mut all = labels(Some(said));
        change(&mut all);
        *said = serde_json::json!(all);
    }
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
    fn what_docker_leaves_empty_may_be_left_out_and_labels_that_are_not_deployed_do_not_count() {
        let text = "services:\n  app:\n    image: a:${TAG}${MUST:?}\n    deploy:\n      labels:\n        - \"traefik.rule=${HOST}${MORE:?}\"\n        \
                    - \"backupbot.x=${B}\"\n  db:\n    labels: {traefik.a: '${C}', backupbot.b: '${D}'}\n";
        let optional = ["TAG", "MUST"].map(str::to_owned).into();
        let deployed = |name: &str| name.starts_with("backupbot.");
        let said =
            parse(text).expect("valid").check_needed(&BTreeMap::new(), &optional, deployed).expect_err("three").to_string();
        let lines: Vec<&str> = said.lines().map(|l| l.trim().split(" has").next().unwrap_or_default()).collect();
        assert_eq!(lines, ["3 problems:", "compose.yml:3: ${MUST}", "compose.yml:7: ${B}", "compose.yml:9: ${D}"]);
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
