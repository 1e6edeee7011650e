//! The labels of backupbot on a run's services: hidden from every bot but the run's own, and shown to one that was there already while
//! it works.

use std::collections::{BTreeMap, HashMap};
use std::process::{Output, Stdio};
use std::time::Duration;

use bollard::query_parameters::ListServicesOptionsBuilder;
use bot::contract::{ENABLED_LABEL, HIDDEN};
use engine::{NAMESPACE_LABEL, is_not_found, label_filter};
use recipe::compose::change_labels;
use recipe::compose::variable::made;
use recipe::labels::PREFIX;
use serde_json::Value;
use tokio::process::Command;

use super::ownership::Owned;
use super::variables;
use crate::error::{Context as _, Error, Result};

/// How long one update of a service's labels may take. It starts no container.
const UPDATING: Duration = Duration::from_secs(60);
/// How often an update is tried that Swarm's own updates of the service overtake.
const TRIES: u32 = 20;
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(200);

/// Hides them in a compose file, and the one by which clients find a bot, so that nobody outside takes them for his own. The labels are a map
/// by now, and docker replaces no variables in a map's keys, so that is done here, after all edits.
pub(super) fn hide(file: &mut Value, values: &BTreeMap<String, String>) {
    let hidden = |name: String| {
        let finds_a_bot = || (name == ENABLED_LABEL.0).then(|| format!("{HIDDEN}{name}"));
        hidden_name(&name).or_else(finds_a_bot).unwrap_or(name)
    };
    for service in file.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(|s| s.values_mut()) {
        change_labels(service, |all| {
            *all = std::mem::take(all).into_iter().map(|(k, v)| (hidden(made(&k, values)), v)).collect()
        });
    }
}

/// Shows a stack's labels to every bot while `work` lasts. No container is started anew by that.
pub(crate) async fn shown<T>(owned: &Owned, stack: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = match rename(owned, stack, shown_name).await {
        Ok(()) => work.await,
        Err(e) => Err(e),
    };
    match hide_again(owned, stack).await {
        // What the bot says went wrong does not end a run; labels that stay shown do.
        Err(e) if matches!(result, Ok(_) | Err(Error::Bot { .. })) => Err(e),
        _ => result,
    }
}

/// Hides a stack's labels that are shown.
pub(crate) async fn hide_again(owned: &Owned, stack: &str) -> Result<()> {
    rename(owned, stack, hidden_name).await
}

/// The name that a hidden label of backupbot has for every bot.
fn shown_name(label: &str) -> Option<String> {
    label.strip_prefix(HIDDEN).filter(|rest| rest.starts_with(PREFIX)).map(str::to_owned)
}

/// The name that a label of backupbot has while it is hidden.
fn hidden_name(label: &str) -> Option<String> {
    label.starts_with(PREFIX).then(|| format!("{HIDDEN}{label}"))
}

/// Gives labels of a stack's services other names, where `name` has one.
async fn rename(owned: &Owned, stack: &str, name: fn(&str) -> Option<String>) -> Result<()> {
    let filter = label_filter([(NAMESPACE_LABEL, stack)]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let listed = owned.engine().docker.list_services(Some(options)).await.context("listing services")?;
    for spec in listed.into_iter().filter_map(|service| service.spec) {
        let (service, labels) = (spec.name.unwrap_or_default(), spec.labels.unwrap_or_default());
        owned.check_service(&service, &labels)?;
        let arguments = changes(&labels, name);
        if !arguments.is_empty() {
            update(owned, &service, &arguments).await?;
        }
    }
    Ok(())
}

/// The options of `docker service update` that rename labels.
fn changes(labels: &HashMap<String, String>, name: fn(&str) -> Option<String>) -> Vec<String> {
    let renamed = labels.iter().filter_map(|(label, value)| Some((label, name(label)?, value)));
    renamed
        .flat_map(|(old, new, value)| ["--label-rm".into(), old.clone(), "--label-add".into(), format!("{new}={value}")])
        .collect()
}

/// Changes a service, if it is still there.
async fn update(owned: &Owned, service: &str, arguments: &[String]) -> Result<()> {
    let fail = |why: &str| Error::Engine(format!("docker service update of {service}: {why}"));
    for _ in 0..TRIES {
        let output = updated(owned, service, arguments).await.map_err(|why| fail(&why))?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || is_gone(owned, service).await? {
            return Ok(());
        }
        if !said.contains("out of sequence") {
            return Err(fail(said.trim()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(fail("other updates overtook it again and again"))
}

/// Through the command line, which keeps every property of a service that it does not know: a lost one would start containers anew.
async fn updated(owned: &Owned, service: &str, arguments: &[String]) -> Result<Output, String> {
    let mut command = Command::new("docker");
    command.args(["service", "update", "--detach", "--quiet", "--no-resolve-image"]).args(arguments).arg(service);
    command.env_clear().envs(variables::environment(&BTreeMap::new(), Some(&owned.engine().host)));
    command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let output = tokio::time::timeout(UPDATING, command.output()).await;
    output.map_err(|_| format!("no end in {} s", UPDATING.as_secs()))?.map_err(|e| e.to_string())
}

/// Whether somebody removed the service meanwhile.
async fn is_gone(owned: &Owned, service: &str) -> Result<bool> {
    let found = owned.engine().docker.inspect_service(service, None::<bollard::query_parameters::InspectServiceOptions>).await;
    match found {
        Err(e) if is_not_found(&e) => Ok(true),
        found => found.map(|_| false).context("inspecting a service"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_of_backupbot_are_hidden_from_other_bots() {
        let mut file = json!({"services": {"app": {
            "labels": {"backupbot.backup": "true"},
            "deploy": {"labels": ["coop-cloud.${NAME}.version=1", "backupbot.backup.volumes.a=false", "coop-cloud.backupbot.enabled=true"]},
        }}});
        hide(&mut file, &BTreeMap::from([("NAME".to_owned(), "s".to_owned())]));
        assert_eq!(
            file["services"]["app"],
            json!({
                "labels": {"restore-drill.backupbot.backup": "true"},
                "deploy": {"labels": {
                    "coop-cloud.s.version": "1",
                    "restore-drill.backupbot.backup.volumes.a": "false",
                    "restore-drill.coop-cloud.backupbot.enabled": "true",
                }},
            })
        );
    }

    #[test]
    fn only_labels_of_backupbot_are_shown_and_hidden_again() {
        let labels =
            |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<HashMap<_, _>>();
        let others = [("restore-drill.run", "r"), ("restore-drill.coop-cloud.backupbot.enabled", "true"), ("x", "y")];
        assert!(changes(&labels(&others), shown_name).is_empty() && changes(&labels(&others), hidden_name).is_empty());
        let hidden = labels(&[("restore-drill.backupbot.backup.pre-hook", "echo a=b")]);
        let (old, new) = ("restore-drill.backupbot.backup.pre-hook", "backupbot.backup.pre-hook");
        assert_eq!(changes(&hidden, shown_name), ["--label-rm", old, "--label-add", &format!("{new}=echo a=b")]);
        let shown = labels(&[(new, "echo a=b")]);
        assert_eq!(changes(&shown, hidden_name), ["--label-rm", new, "--label-add", &format!("{old}=echo a=b")]);
    }
}
