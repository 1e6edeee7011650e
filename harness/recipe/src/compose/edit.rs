//! Changes of a recipe, made on purpose.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use super::labels;

/// A change of a recipe's service.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Edit {
    /// The service.
    pub service: String,
    /// What is changed.
    pub change: Change,
}

/// What is changed of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A label under `deploy.labels`, and its value.
    Set(String, String),
    /// A label under `deploy.labels` that is taken out.
    Unset(String),
    /// A label under `labels`, and its value.
    OnContainer(String, String),
    /// One more entry of `volumes`.
    Mount(String),
    /// `deploy.replicas`.
    Replicas(u64),
    /// `command`: what the container runs.
    Command(Vec<String>),
}

/// A change as it is written.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The service.
    service: String,
    /// A label under `deploy.labels` that gets the value `to`.
    set: Option<String>,
    /// A label under `labels` that gets the value `to`.
    set_on_container: Option<String>,
    /// The value.
    to: Option<String>,
    /// A label under `deploy.labels` that is taken out.
    unset: Option<String>,
    /// One more entry of `volumes`.
    mount: Option<String>,
    /// `deploy.replicas`.
    replicas: Option<u64>,
    /// What the container runs.
    command: Option<Vec<String>>,
}

impl schemars::JsonSchema for Edit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Edit".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Written::json_schema(generator)
    }
}

impl TryFrom<Written> for Edit {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { service, set, set_on_container, to, unset, mount, replicas, command } = written;
        let change = match (set, set_on_container, to, unset, mount, replicas, command) {
            (Some(label), None, Some(value), None, None, None, None) => Change::Set(label, value),
            (None, Some(label), Some(value), None, None, None, None) => Change::OnContainer(label, value),
            (None, None, None, Some(label), None, None, None) => Change::Unset(label),
            (None, None, None, None, Some(mount), None, None) => Change::Mount(mount),
            (None, None, None, None, None, Some(replicas), None) => Change::Replicas(replicas),
            (None, None, None, None, None, None, Some(command)) => Change::Command(command),
            _ => {
                return Err("an edit has one of set, set_on_container (each with to), unset, mount, replicas and command".into());
            }
        };
        Ok(Self { service, change })
    }
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = &self.service;
        match &self.change {
            Change::Set(name, value) => write!(f, "label {name}={value} of {service}"),
            Change::Unset(name) => write!(f, "label {name} taken off {service}"),
            Change::OnContainer(name, value) => write!(f, "label {name}={value} of the containers of {service}"),
            Change::Mount(mount) => write!(f, "mount {mount} of {service}"),
            Change::Replicas(n) => write!(f, "{n} containers of {service}"),
            Change::Command(command) => write!(f, "command {command:?} of {service}"),
        }
    }
}

impl Edit {
    /// Starts no container of a service.
    pub fn stop(service: &str) -> Self {
        Self { service: service.to_owned(), change: Change::Replicas(0) }
    }

    /// Sets a label under `deploy.labels`.
    pub fn set(service: &str, label: &str, value: &str) -> Self {
        Self { service: service.to_owned(), change: Change::Set(label.to_owned(), value.to_owned()) }
    }

    /// Takes a label out of `deploy.labels`.
    pub fn unset(service: &str, label: &str) -> Self {
        Self { service: service.to_owned(), change: Change::Unset(label.to_owned()) }
    }

    /// Whether compose files, which are merged, are not already as the change makes them.
    pub fn changes<'a>(&self, files: impl IntoIterator<Item = &'a Value>) -> bool {
        let services: Vec<&Value> = files.into_iter().filter_map(|file| file.get("services")?.get(&self.service)).collect();
        // Of what several files say, the last one counts.
        let said = |place: &str| services.iter().filter_map(|service| service.pointer(place)).next_back();
        let label = |place: &str, name: &str| {
            services.iter().filter_map(|service| labels(service.pointer(place)).remove(name)).next_back()
        };
        !services.is_empty()
            && match &self.change {
                Change::Set(name, value) => label("/deploy/labels", name).as_ref() != Some(value),
                Change::Unset(name) => label("/deploy/labels", name).is_some(),
                Change::OnContainer(name, value) => label("/labels", name).as_ref() != Some(value),
                Change::Mount(_) => true,
                Change::Replicas(n) => said("/deploy/replicas") != Some(&json!(n)),
                Change::Command(command) => said("/command") != Some(&json!(command)),
            }
    }

    /// Makes the change in a compose file, if it has the service.
    pub fn apply(&self, file: &mut Value) {
        let place = format!("/services/{}", self.service);
        let Some(service) = file.pointer_mut(&place).and_then(Value::as_object_mut) else { return };
        let mut deploy = service.get("deploy").filter(|d| d.is_object()).cloned().unwrap_or_else(|| json!({}));
        let mut relabel = |change: &dyn Fn(&mut BTreeMap<String, String>)| {
            let mut all = labels(deploy.get("labels"));
            change(&mut all);
            deploy["labels"] = json!(all);
        };
        match &self.change {
            Change::Set(name, value) => relabel(&|all| drop(all.insert(name.clone(), value.clone()))),
            Change::Unset(name) => relabel(&|all| drop(all.remove(name))),
            Change::OnContainer(name, value) => {
                let mut all = labels(service.get("labels"));
                all.insert(name.clone(), value.clone());
                service.insert("labels".into(), json!(all));
            }
            Change::Mount(mount) => {
                let mounts = service.entry("volumes").or_insert_with(|| json!([]));
                mounts.as_array_mut().into_iter().for_each(|m| m.push(json!(mount)));
            }
            Change::Replicas(n) => {
                // A global service has no number of containers.
                deploy.as_object_mut().map(|d| d.remove("mode"));
                deploy["replicas"] = json!(n);
            }
            Change::Command(command) => drop(service.insert("command".into(), json!(command))),
        }
        service.insert("deploy".into(), deploy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_is_told_from_what_does() {
        let files = [
            json!({"services": {"app": {"command": ["a"], "deploy": {"replicas": 1, "labels": ["x=1", "y=1"]}}, "db": {}}}),
            json!({"services": {"app": {"deploy": {"labels": {"y": 2}}}}}),
        ];
        let command = |text: &str| Edit { service: "app".into(), change: Change::Command(vec![text.into()]) };
        for (edit, changes) in [
            (Edit::set("app", "x", "1"), false),
            (Edit::set("app", "x", "2"), true),
            (Edit::set("app", "y", "1"), true),
            (Edit::set("app", "y", "2"), false),
            (Edit::set("db", "x", "1"), true),
            (Edit::set("gone", "x", "1"), false),
            (Edit::unset("app", "y"), true),
            (Edit::unset("app", "z"), false),
            (Edit::stop("app"), true),
            (Edit::stop("db"), true),
            (command("a"), false),
            (command("b"), true),
        ] {
            assert_eq!(edit.changes(&files), changes, "{edit}");
            let mut after = files.clone();
            after.iter_mut().for_each(|file| edit.apply(file));
            assert!(!edit.changes(&after), "{edit}, twice");
        }
    }
}
