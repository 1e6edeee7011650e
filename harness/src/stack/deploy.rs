//! Deploying a stack as its operators do: `docker stack deploy` merges and interpolates the
//! recipe's files and one of ours, which adds only what a drill needs: the run's labels,
//! images, and an endpoint mode that works on kernels without IPVS.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{HealthStatusEnum, TaskSpec, TaskState};
use bollard::query_parameters::{InspectContainerOptions, ListServicesOptionsBuilder, ListTasksOptionsBuilder};
use engine::{Engine, NAMESPACE_LABEL, is_not_found, label_filter};
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::compose::variable::{literal, made};
use recipe::fence::own::object_name;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::lease::Lease;
use super::ownership::Owned;
use super::{alive, bot_labels, health};
use super::{run_labels, variables};
use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::stack::until;

/// A stack to deploy.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The compose files, merged in order.
    pub compose: Vec<Compose>,
    /// Values of their variables.
    pub env: BTreeMap<String, String>,
    /// Images that replace the recipe's, by service.
    pub images: BTreeMap<String, String>,
    /// Changes of the recipe, on purpose.
    pub edits: Vec<Edit>,
    /// The address of its resolver in each of its networks, by the network's name in the recipe; none where it may ask the world.
    pub resolvers: BTreeMap<String, Ipv4Addr>,
    /// Services of which no container is started.
    pub stopped: BTreeSet<String>,
    /// The Docker secrets that the run makes, by their names in the recipe.
    pub secrets: BTreeMap<String, String>,
    /// Where files are that were made for it; they are removed with the last copy of this.
    pub made: Option<Arc<TempDir>>,
}

/// How long `docker stack deploy` may take. It waits for nothing that it creates.
const DEPLOYING: Duration = Duration::from_secs(600);

impl Stack {
    /// The full name of a service.
    pub fn service(&self, service: &str) -> String {
        format!("{}_{service}", self.name)
    }

    /// The files as handed to `docker stack deploy`: the recipe's without their published ports, which would collide and which
    /// anybody could reach, then ours. All say the same version of the format: docker refuses others.
    fn files(&self, run: &BTreeMap<String, String>, node: Option<&str>, images: &BTreeMap<String, String>) -> Vec<Value> {
        let mut files: Vec<Value> = self.compose.iter().map(|c| c.value.clone()).collect();
        for file in &mut files {
            for service in file.get_mut("services").and_then(Value::as_object_mut).into_iter().flat_map(|s| s.values_mut()) {
                service.as_object_mut().and_then(|s| s.remove("ports"));
                service.get_mut("deploy").and_then(Value::as_object_mut).and_then(|d| d.remove("placement"));
            }
            self.edits.iter().for_each(|e| e.apply(file));
            self.stopped.iter().for_each(|service| Edit::stop(service).apply(file));
            bot_labels::hide(file, &self.env);
            variables::shield(file, &self.env);
            // `docker stack deploy` merges services, but of volumes and networks the last file's wins whole.
            for section in ["volumes", "networks", "secrets", "configs"] {
                for object in file.get_mut(section).and_then(Value::as_object_mut).into_iter().flat_map(|s| s.values_mut()) {
                    add_labels(object, run);
                }
            }
        }
        files.push(self.overlay(run, node, images));
        let version = version(files.iter());
        for file in files.iter_mut().filter_map(Value::as_object_mut) {
            file.insert("version".into(), json!(version));
        }
        files
    }

    /// What a drill adds. Everything runs on the engine's own node: of volumes elsewhere nobody could say whether they are gone.
    fn overlay(&self, run: &BTreeMap<String, String>, node: Option<&str>, images: &BTreeMap<String, String>) -> Value {
        let constraints: Vec<String> = node.iter().map(|node| format!("node.id == {node}")).collect();
        let names: BTreeSet<String> = self.compose.iter().flat_map(Compose::services).map(str::to_owned).collect();
        let services: Map<String, Value> = names
            .into_iter()
            .map(|name| {
                let mut service = json!({
                    "labels": run,
                    "init": true,
                    "deploy": {"labels": run, "endpoint_mode": "dnsrr", "placement": {"constraints": constraints}},
                });
                if let Some(image) = images.get(&name) {
                    service["image"] = json!(image);
                }
                (name, service)
            })
            .collect();
        let mut overlay = json!({"services": services});
        // It is made for services that name no network, also beside declared ones.
        if !self.compose.iter().flat_map(Compose::networks).any(|name| name == "default") {
            overlay["networks"] = json!({"default": {"labels": run, "internal": true}});
        }
        overlay
    }

    /// Gives the secrets that the run makes their content, as files in `dir`. Swarm changes no secret, so each has another name with
    /// another content.
    fn put_secrets(&self, files: &mut [Value], dir: &Path) -> Result<()> {
        for (at, (name, content)) in self.secrets.iter().enumerate() {
            let path = dir.join(format!("secret-{at}"));
            write(&path, content)?;
            for object in files.iter_mut().filter_map(|f| f.get_mut("secrets")?.get_mut(name)?.as_object_mut()) {
                object.insert("name".into(), json!(object_name(&self.name, name, content.as_bytes())));
                object.insert("file".into(), json!(literal(&path.display().to_string())));
            }
        }
        Ok(())
    }

    /// The ids of the images on the engine, by service. By its name, Swarm would ask a registry for an image at each start of a container,
    /// also where it is there, and take what the registry has by now. What is not on the engine keeps its name.
    async fn image_ids(&self, engine: &Engine) -> Result<BTreeMap<String, String>> {
        let mut ids = BTreeMap::new();
        for service in self.compose.iter().flat_map(Compose::services) {
            let written = self.compose.iter().filter_map(|c| c.value["services"][service]["image"].as_str()).next_back();
            let recipes = || written.map(|image| made(image, &self.env)).unwrap_or_default();
            let image = self.images.get(service).cloned().unwrap_or_else(recipes);
            if image.is_empty() {
                continue;
            }
            let found = match engine.docker.inspect_image(&image).await {
                Err(e) if is_not_found(&e) => self.images.get(service).cloned(),
                found => found.context(format!("inspecting image {image}"))?.id,
            };
            ids.extend(found.map(|id| (service.to_owned(), id)));
        }
        Ok(ids)
    }

    /// Deploys the stack. The deploying process keeps the run alive on this machine until it has ended.
    pub async fn deploy(&self, owned: &Owned, lease: &Lease) -> Result<()> {
        let dir = alive::temporary(owned.run())?;
        let node = owned.engine().docker.info().await.context("asking for the engine's node")?.swarm.and_then(|s| s.node_id);
        let mut command = tokio::process::Command::new("docker");
        command.args(["stack", "deploy", "--resolve-image", "never"]);
        let images = self.image_ids(owned.engine()).await?;
        let mut files = self.files(&run_labels(owned.run()), node.as_deref().filter(|id| !id.is_empty()), &images);
        self.put_secrets(&mut files, dir.path())?;
        for (at, value) in files.iter().enumerate() {
            let path = dir.path().join(format!("{at}.json"));
            write(&path, &value.to_string())?;
            command.arg("-c").arg(&path);
        }
        command
            .arg(&self.name)
            .env_clear()
            .envs(variables::environment(&self.env, Some(&owned.engine().host)))
            .stdin(lease.inherit()?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Control-C on a terminal is for the drill, which waits for it.
            .process_group(0)
            .kill_on_drop(true);
        let deploying = async move {
            let output = tokio::time::timeout(DEPLOYING, command.output()).await;
            drop(dir);
            let output =
                output.map_err(|_| Error::Engine(format!("`docker stack deploy` did not end in {} s", DEPLOYING.as_secs())))?;
            output.map_err(|e| {
                Error::Engine(format!(
                    "the docker command line, which merges compose files, cannot be run: {e}. Install it (package docker-cli)"
                ))
            })
        };
        let output = owned.create(deploying).await?;
        if output.status.success() {
            return Ok(());
        }
        let said = variables::unprefixed(&String::from_utf8_lossy(&output.stderr));
        let said: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
        let first = self.compose.first().map(|c| c.file.display().to_string()).unwrap_or_default();
        Err(Error::Engine(format!("docker stack deploy of {first} as {} failed: {}", self.name, said.join(" / "))))
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(Error::io(path))
}

/// Adds labels to a volume, network, secret or config, which may have no properties yet and may not be ours to label.
fn add_labels(object: &mut Value, add: &BTreeMap<String, String>) {
    if object.is_null() {
        *object = json!({});
    }
    let Some(object) = object.as_object_mut().filter(|o| !o.contains_key("external")) else { return };
    let mut all = recipe::compose::labels(object.get("labels"));
    // A recipe does not say what is a run's, nor that it lives.
    all.retain(|name, _| !name.starts_with("restore-drill."));
    all.extend(add.clone());
    object.insert("labels".into(), json!(all));
}

/// The version of the format that all files get: the highest that one of them names, and at least 3.8.
pub(super) fn version<'a>(files: impl Iterator<Item = &'a Value>) -> String {
    let minor = |file: &Value| match file.get("version")? {
        Value::String(text) => text.strip_prefix("3.")?.parse().ok(),
        Value::Number(number) => number.to_string().strip_prefix("3.")?.parse().ok(),
        _ => None,
    };
    format!("3.{}", files.filter_map(minor).fold(8, u32::max))
}

/// Waits until every service of the stack runs as many tasks as it should, healthy where it has a health check: for `deadline`, and
/// besides for as long as the checks themselves may take. `progress` is told (running, wanted).
pub async fn converged(engine: &Engine, stack: &str, deadline: Duration, progress: impl Fn(u64, u64)) -> Result<()> {
    let deadline = deadline.saturating_add(health::allowance(engine, stack).await?);
    let result = until(deadline, || async {
        let filter = label_filter([(NAMESPACE_LABEL, stack)]);
        let what = "listing services";
        let options = ListServicesOptionsBuilder::default().filters(&filter).build();
        let services = engine.docker.list_services(Some(options)).await.context(what)?;
        if services.is_empty() {
            return Ok(Err(format!("waiting for the services of stack {stack}")));
        }
        let options = ListTasksOptionsBuilder::default().filters(&filter).build();
        let tasks = engine.docker.list_tasks(Some(options)).await.context(what)?;
        let (mut ready, mut wanted, mut waiting) = (0, 0, Vec::new());
        for service in services {
            let spec = service.spec.unwrap_or_default();
            let name = spec.name.unwrap_or_default();
            let replicas = spec.mode.and_then(|m| m.replicated).and_then(|r| r.replicas).unwrap_or(1);
            wanted += replicas as u64;
            // A task of an older spec still counts as running while the new one is being prepared.
            let of = |t: Option<&TaskSpec>| t.map(|t| (t.force_update, t.container_spec.clone()));
            let wanted_spec = of(spec.task_template.as_ref());
            let (mut running, mut ending) = (0, false);
            let mut error = None;
            for task in tasks.iter().filter(|t| t.service_id == service.id) {
                let status = task.status.clone().unwrap_or_default();
                if task.desired_state == Some(TaskState::RUNNING)
                    && status.state == Some(TaskState::RUNNING)
                    && of(task.spec.as_ref()) == wanted_spec
                {
                    let id = status.container_status.and_then(|c| c.container_id).unwrap_or_default();
                    if healthy(engine, &id).await? {
                        running += 1;
                    }
                } else if task.desired_state != Some(TaskState::RUNNING) && status.state == Some(TaskState::RUNNING) {
                    ending = true;
                } else if let Some(message) = status.err {
                    error = Some(message);
                }
            }
            ready += running.min(replicas) as u64;
            if ending {
                waiting.push(format!("the end of {name}'s previous task"));
            }
            if running < replicas {
                waiting.push(error.map_or_else(|| name.clone(), |e| format!("{name} (its last task: {e})")));
            }
        }
        progress(ready, wanted);
        Ok(if waiting.is_empty() { Ok(()) } else { Err(format!("waiting for {}", waiting.join(", "))) })
    });
    let Err(error) = result.await else { return Ok(()) };
    let Some(why) = late(&error) else { return Err(error) };
    let named = why.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')));
    let mut services: Vec<&str> = named.filter(|w| w.starts_with(&format!("{stack}_"))).collect();
    services.dedup();
    let mut said = String::new();
    for service in services.into_iter().take(3) {
        said += &format!("\nthe last lines of {service}:\n{}", last_lines(engine, service, 5).await);
    }
    Err(Error::NotConverged(format!("stack {stack} did not converge: {why}{said}")))
}

/// What was still waited for at the deadline, if that is what ended the wait.
fn late(error: &Error) -> Option<String> {
    matches!(error, Error::Docker(engine::Error::Late { .. })).then(|| error.to_string())
}

/// The last lines that a service's container wrote, each indented.
async fn last_lines(engine: &Engine, service: &str, lines: usize) -> String {
    let text = health::last_lines(engine, service, lines).await;
    let said: Vec<String> = text.lines().map(|l| format!("  {l}")).collect();
    if said.is_empty() { "  nothing".to_owned() } else { said[said.len().saturating_sub(lines)..].join("\n") }
}

async fn healthy(engine: &Engine, container: &str) -> Result<bool> {
    match engine.docker.inspect_container(container, None::<InspectContainerOptions>).await {
        Ok(found) => {
            let state = found.state.unwrap_or_default();
            let health = state.health.and_then(|h| h.status);
            Ok(state.running == Some(true)
                && matches!(health, None | Some(HealthStatusEnum::HEALTHY | HealthStatusEnum::NONE | HealthStatusEnum::EMPTY)))
        }
        Err(e) if engine::is_not_found(&e) => Ok(false),
        Err(e) => Err(e).context("inspecting a container"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_that_is_over_is_told_from_an_engine_that_fails() {
        let waiting = until(Duration::ZERO, || async { Ok::<Result<(), String>, Error>(Err("waiting for s_app".into())) });
        assert_eq!(late(&waiting.await.expect_err("late")).as_deref(), Some("after 0 s still waiting for s_app"));
        let failed = until(Duration::ZERO, || async { Err::<Result<(), String>, _>(Error::Engine("s_app".into())) });
        assert_eq!(late(&failed.await.expect_err("failed")), None);
    }

    fn stack(text: &str) -> Stack {
        Stack {
            name: "s".into(),
            compose: vec![Compose::parse(Path::new("compose.yml"), text).expect("valid")],
            env: BTreeMap::new(),
            images: BTreeMap::from([("app".into(), "standin:1".into())]),
            edits: vec![Edit::set("app", "backupbot.backup.volumes.mail", "false"), Edit::unset("app", "gone")],
            resolvers: BTreeMap::new(),
            stopped: BTreeSet::new(),
            secrets: BTreeMap::new(),
            made: None,
        }
    }

    #[test]
    fn the_overlay_labels_everything_and_no_port_is_published() {
        let files = stack(
            "services:\n  app:\n    image: upstream\n    ports: [\"993:993\"]\n    deploy:\n      labels: [\"a=1\", \"gone=1\"]\n      placement: {constraints: [node.role == worker]}\n\
             volumes:\n  mail:\n  not-ours: {external: true}\n\
             networks:\n  internal: {driver: overlay, labels: [\"b=2\"]}\n",
        )
        .files(&run_labels("r"), Some("n1"), &BTreeMap::from([("app".into(), "sha256:1".into())]));
        let run = run_labels("r");
        let mut network = run.clone();
        network.insert("b".into(), "2".into());
        assert_eq!(
            files[0],
            json!({
                "version": "3.8",
                "services": {"app": {
                    "image": "upstream",
                    "deploy": {"labels": {"a": "1", "restore-drill.backupbot.backup.volumes.mail": "false"}},
                }},
                "volumes": {"mail": {"labels": run}, "not-ours": {"external": true}},
                "networks": {"internal": {"driver": "overlay", "labels": network}},
            })
        );
        assert_eq!(
            files[1],
            json!({
                "version": "3.8",
                "services": {"app": {
                    "labels": run, "init": true, "image": "sha256:1",
                    "deploy": {
                        "labels": run, "endpoint_mode": "dnsrr", "placement": {"constraints": ["node.id == n1"]},
                    },
                }},
                "networks": {"default": {"labels": run, "internal": true}},
            })
        );
    }

    #[test]
    fn a_service_that_is_not_started_stays_in_the_stack() {
        let text = "services:\n  app:\n    image: x\n  dumper:\n    image: y\n    deploy: {mode: global, labels: [a=1]}\n";
        let files = Stack { stopped: ["dumper".to_owned()].into(), edits: vec![], ..stack(text) }.files(
            &BTreeMap::new(),
            None,
            &BTreeMap::new(),
        );
        assert_eq!(files[0]["services"]["dumper"]["deploy"], json!({"labels": {"a": "1"}, "replicas": 0}));
        assert!(files[0]["services"]["app"].get("deploy").is_none());
    }

    #[test]
    fn a_secret_with_another_content_is_another_one() {
        let text = "services: {app: {image: x}}\nsecrets: {db: {file: /made}, own: {file: /own, name: s_own}}\n";
        let dir = tempfile::tempdir().expect("a directory");
        let put = |content: &str| {
            let stack = Stack { secrets: BTreeMap::from([("db".into(), content.into())]), edits: vec![], ..stack(text) };
            let mut files = stack.files(&BTreeMap::new(), None, &BTreeMap::new());
            stack.put_secrets(&mut files, dir.path()).expect("put");
            let secrets = files[0]["secrets"].clone();
            assert_eq!((&secrets["own"]["file"], &secrets["own"]["name"]), (&json!("/own"), &json!("s_own")));
            let file = secrets["db"]["file"].as_str().expect("a file");
            assert_eq!(std::fs::read_to_string(file).expect("read"), content);
            secrets["db"]["name"].as_str().expect("a name").to_owned()
        };
        let (old, new) = (put("old"), put("new"));
        assert!(old != new && old.starts_with("s_db_") && new.starts_with("s_db_"), "{old} {new}");
    }

    #[test]
    fn all_files_say_the_highest_version() {
        let files = [json!({"version": "3.3"}), json!({"version": 3.13}), json!({}), json!({"version": "2.4"})];
        assert_eq!((version(files.iter()), version(files[..1].iter())), ("3.13".to_owned(), "3.8".to_owned()));
    }
}
