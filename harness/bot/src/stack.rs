//! A stack as the engine has it: its services, and what their labels select.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bollard::models::{MountType, Service};
use bollard::query_parameters::ListServicesOptionsBuilder;
use engine::{Engine, NAMESPACE_LABEL, label_filter};
use recipe::labels::{self, BACKUP, Selection};

use crate::bot::{Bot, Manner, Result};
use crate::contract;

/// A stack: its services, and what the labels select.
pub(crate) struct Stack {
    /// Its name.
    pub(crate) name: String,
    /// The recipe's version, where a label says it.
    pub(crate) version: Option<String>,
    /// Its services, by name.
    pub(crate) services: Vec<Service>,
    /// Their labels, in the same order.
    pub(crate) labels: Vec<BTreeMap<String, String>>,
}

impl Bot {
    /// The stack of this name, or all of them.
    pub(crate) async fn stacks(&self, engine: &Engine, name: Option<&str>) -> Result<Vec<Stack>> {
        let filter = name.map_or_else(
            || std::collections::HashMap::from([("label".to_owned(), vec![NAMESPACE_LABEL.to_owned()])]),
            |n| label_filter([(NAMESPACE_LABEL, n)]),
        );
        let options = ListServicesOptionsBuilder::default().filters(&filter).build();
        let mut services = engine.docker.list_services(Some(options)).await.map_err(|e| format!("listing services: {e}"))?;
        // The engine's order varies; hooks run in the order of the services' names.
        services.sort_by_key(|s| s.spec.as_ref().and_then(|s| s.name.clone()));
        let mut stacks: BTreeMap<String, Vec<Service>> = BTreeMap::new();
        for service in services {
            let Some(stack) = labels_of(&service).get(NAMESPACE_LABEL).cloned() else { continue };
            stacks.entry(stack).or_default().push(service);
        }
        if let (Some(name), true) = (name, stacks.is_empty()) {
            return Err(format!("no stack {name}"));
        }
        Ok(stacks.into_iter().map(|(name, services)| Stack::new(name, services)).collect())
    }
}

impl Stack {
    fn new(name: String, services: Vec<Service>) -> Self {
        let labels: Vec<_> = services.iter().map(labels_of).collect();
        let wanted = contract::version_label(&name);
        let version = labels.iter().find_map(|l| l.get(&wanted).cloned());
        Self { name, version, services, labels }
    }

    /// Whether backup is switched on. To the deployed bot any value does that, `false` too, and on any number of services.
    pub(crate) fn enabled(&self, manner: Manner) -> Result<bool> {
        let values: Vec<&String> = self.labels.iter().filter_map(|l| l.get(BACKUP)).collect();
        match manner {
            Manner::Deployed => Ok(values.iter().any(|v| !v.is_empty())),
            Manner::Strict if values.len() > 1 => {
                Err(format!("{} services of stack {} have the label {BACKUP}: one may have it", values.len(), self.name))
            }
            Manner::Strict => Ok(labels::enabled(&self.labels)),
        }
    }

    /// The tag of its snapshots.
    pub(crate) fn tag(&self, manner: Manner) -> String {
        let none = match manner {
            Manner::Deployed => "None",
            Manner::Strict => "unknown",
        };
        contract::tag(&self.name, self.version.as_deref().unwrap_or(none))
    }

    /// The folders of all its named volumes.
    pub(crate) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.services.iter().flat_map(volumes_of).map(|volume| contract::volume_dir(&volume).into())
    }

    /// The paths that the labels select, of the named volumes for which `wanted(service, volume)` holds.
    /// Bind mounts, tmpfs and anonymous volumes are never among them.
    pub(crate) fn paths(&self, wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let mut paths = Vec::new();
        for service in &self.services {
            let prefix = format!("{}_", self.name);
            let full = service.spec.as_ref().and_then(|s| s.name.clone()).unwrap_or_default();
            let short = full.strip_prefix(&prefix).unwrap_or(&full);
            for volume in volumes_of(service) {
                let name = volume.strip_prefix(&prefix).unwrap_or(&volume);
                if !wanted(short, name) {
                    continue;
                }
                let dir = contract::volume_dir(&volume);
                match labels::selection(&self.labels, name) {
                    Selection::Excluded => {}
                    Selection::Whole => paths.push(dir),
                    Selection::Paths(parts) => paths.extend(parts.into_iter().map(|p| format!("{dir}/{p}"))),
                }
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }
}

/// The named volumes that a service mounts, by their full names.
fn volumes_of(service: &Service) -> impl Iterator<Item = String> {
    let spec = service.spec.clone().unwrap_or_default();
    let mounts = spec.task_template.and_then(|t| t.container_spec).and_then(|c| c.mounts).unwrap_or_default();
    mounts.into_iter().filter(|m| m.typ == Some(MountType::VOLUME)).filter_map(|m| m.source)
}

/// The labels of a service, by the names that the contract has for them.
fn labels_of(service: &Service) -> BTreeMap<String, String> {
    let all = service.spec.as_ref().and_then(|s| s.labels.clone()).unwrap_or_default();
    shown(all, &std::env::var(contract::PREFIX).unwrap_or_default())
}

/// Labels of backupbot count only with the prefix, where there is one.
fn shown(all: impl IntoIterator<Item = (String, String)>, prefix: &str) -> BTreeMap<String, String> {
    let name = |name: String| match name.strip_prefix(prefix).filter(|rest| rest.starts_with(labels::PREFIX)) {
        Some(rest) => Some(rest.to_owned()),
        None => (!name.starts_with(labels::PREFIX)).then_some(name),
    };
    all.into_iter().filter_map(|(label, value)| Some((name(label)?, value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(services: &[&[(&str, &str)]]) -> Stack {
        let labels = services.iter().map(|l| l.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        Stack { name: "s".into(), version: None, services: vec![], labels: labels.collect() }
    }

    #[test]
    fn what_switches_backup_on() {
        for (services, deployed, strict) in [
            (&[&[("backupbot.backup", "true")][..], &[]][..], true, Ok(true)),
            (&[&[("backupbot.backup", "True")]], true, Ok(false)),
            (&[&[("backupbot.backup", "false")]], true, Ok(false)),
            (&[&[("backupbot.backup", "")]], false, Ok(false)),
            (&[&[("backupbot.backup.volumes.data", "false")]], false, Ok(false)),
            (&[&[("backupbot.backup", "true")], &[("backupbot.backup", "true")]], true, Err(())),
            (&[], false, Ok(false)),
        ] {
            let stack = stack(services);
            assert_eq!(stack.enabled(Manner::Deployed), Ok(deployed), "{services:?}");
            assert_eq!(stack.enabled(Manner::Strict).map_err(drop), strict, "{services:?}");
        }
    }

    #[test]
    fn a_stack_without_a_version_has_a_tag_too() {
        let none = stack(&[]);
        assert_eq!((none.tag(Manner::Deployed), none.tag(Manner::Strict)), ("s:None".into(), "s:unknown".into()));
        let some = Stack { version: Some("1.0.0+2".into()), ..none };
        assert_eq!(some.tag(Manner::Deployed), "s:1.0.0+2");
    }

    #[test]
    fn labels_count_with_the_prefix_only() {
        let all = || [("backupbot.backup", "a"), ("restore-drill.backupbot.backup", "b"), ("restore-drill.run", "r"), ("x", "y")];
        let shown = |prefix: &str| shown(all().map(|(k, v)| (k.to_owned(), v.to_owned())), prefix);
        let named =
            |names: &[(&str, &str)]| names.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>();
        assert_eq!(shown(""), named(&all()));
        assert_eq!(shown(contract::HIDDEN), named(&[("backupbot.backup", "b"), ("restore-drill.run", "r"), ("x", "y")]));
    }
}
