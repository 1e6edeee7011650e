//! What a backupbot v2 must do, as data: `scenarios/backupbot/conformance.toml`. Each case is deployed on a small stack,
//! backed up by the bot under test through the exec contract, looked at, and perhaps restored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bot::contract;
use engine::Engine;
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::fence::closed::Closed;
use recipe::scenario::{self};
use recipe::toml_file::read_toml;
use serde::{Deserialize, Serialize};

use crate::backup::own::{bot_stack, deploy_bot};
use crate::backup::{Bot, Created, Snapshot};
use crate::drill::BotChoice;
use crate::error::{Error, Result};
use crate::events::{Events, Phase};
use crate::images;
use crate::interruption::interruptible;
use crate::secret::Secret;
use crate::stack::deploy::Stack;
use crate::stack::gc;
use crate::stack::lease::Lease;
use crate::stack::line::wait_for_place;
use crate::stack::ownership::{Owned, stack_name};
use crate::stack::volumes::full_name;
use crate::stack::{self, deploy};

/// `conformance.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// A set of labels, and what follows from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    why: String,
    #[serde(default)]
    labels: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    links: bool,
    #[serde(default)]
    captured: BTreeSet<String>,
    #[serde(default)]
    complaints: BTreeSet<String>,
    refused: Option<String>,
    #[serde(default)]
    hooks: BTreeMap<String, Vec<String>>,
    restore: Option<BTreeMap<String, String>>,
    #[serde(default)]
    after: BTreeMap<String, String>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub case: String,
    /// What it is about.
    pub why: String,
    /// What was not as it must be; empty for a case that was kept.
    pub differences: Vec<String>,
}

const DEADLINE: Duration = Duration::from_secs(120);
/// Services, and the volumes that each mounts at a folder of the same name.
const SERVICES: [(&str, &[&str]); 2] = [("app", &["data", "cache"]), ("db", &["db"])];
/// The files that every case begins with.
const FILES: [(&str, &str); 4] = [("app", "cache/c"), ("app", "data/a/one"), ("app", "data/b/two"), ("db", "db/d")];
/// Owner, group, mode and time of data/a/one, as `stat` prints them.
const ATTRIBUTES: &str = "1234 2345 640 981173106";

/// Runs the cases (all, or those of these names) against a bot. Whatever it creates is its own, and removed on every way out.
pub async fn run(
    scenarios: &Path,
    (choice, service): (BotChoice, Option<&str>),
    names: &[String],
    max_drills: u8,
    events: &Events,
) -> Result<Vec<Outcome>> {
    let dir = scenario::bot(scenarios);
    let suite: Suite = read_toml(&dir.join("conformance.toml"))?;
    if let Some(unknown) = names.iter().find(|n| !suite.cases.iter().any(|c| c.name == **n)) {
        let known: Vec<&str> = suite.cases.iter().map(|c| c.name.as_str()).collect();
        return Err(Error::Usage(format!("no case {unknown:?}; there are {}", known.join(", "))));
    }
    let cases: Vec<Case> = suite.cases.into_iter().filter(|c| names.is_empty() || names.contains(&c.name)).collect();
    let engine = Engine::connect().await?;
    stack::ensure_swarm(&engine, events).await?;
    let secret = Secret::random()?;
    let run = secret.derive("run id")[..8].to_owned();
    let info = engine.docker.info().await.map_err(|e| Error::Engine(e.to_string()))?;
    let owned = Owned::new(engine.clone(), &run);
    let lease = Lease::take(&owned, "conformance").await?;
    let work = async {
        let phase = events.phase(Phase::Images);
        let mut built = images::ensure_images(&owned, &images::bot::source(&dir).await?, events, |done, all| {
            phase.progress(done, all, "images")
        })
        .await?;
        let image = built.remove("backupbot").unwrap_or_default();
        phase.finish("the bot's, which has a shell");
        let waits = |ahead| events.note(format!("Waiting for drills to end. Ahead in the line: {ahead}."));
        wait_for_place(&owned, "conformance", max_drills, waits).await?;
        gc::collect(&engine, gc::Which::Dead, DEADLINE, |_| ()).await?;
        let phase = events.phase(Phase::Deploy);
        let bot = match choice {
            BotChoice::Existing => Bot::existing(&engine, service).await?,
            BotChoice::Own => {
                let stack = bot_stack(&dir, &run, image.clone(), info.docker_root_dir.as_deref())?;
                deploy_bot(&owned, &stack, &secret, &lease).await?;
                deploy::converged(&engine, &stack.name, DEADLINE, |_, _| ()).await?;
                Bot::of_run(&engine, &run).await?
            }
        };
        let name = stack_name(&run);
        let mut compose = vec![Compose::read(&dir.join("conformance.yml"))?];
        Closed::default().close(&mut compose);
        let stack = Stack {
            env: BTreeMap::from([("STACK_NAME".to_owned(), name.clone())]),
            images: SERVICES.iter().map(|(service, _)| ((*service).to_owned(), image.clone())).collect(),
            compose,
            edits: vec![],
            resolvers: BTreeMap::new(),
            hides_labels: choice == BotChoice::Own,
            made: None,
            name,
        };
        phase.finish(format!("bot {}", bot.service));
        let tester = Tester { owned: owned.clone(), stack, bot, lease: &lease };
        let mut outcomes = Vec::new();
        for case in &cases {
            let differences = tester.case(case).await?;
            let word = if differences.is_empty() { "kept" } else { "NOT KEPT" };
            events.note(format!("{word}: {}", case.name));
            outcomes.push(Outcome { case: case.name.clone(), why: case.why.clone(), differences });
        }
        Ok(outcomes)
    };
    let result = interruptible(work).await;
    let removed = lease.end(DEADLINE).await;
    result.and_then(|outcomes| removed.map(|()| outcomes))
}

struct Tester<'a> {
    owned: Owned,
    stack: Stack,
    bot: Bot,
    lease: &'a Lease,
}

impl Tester<'_> {
    /// Runs one case; what was not as it must be.
    async fn case(&self, case: &Case) -> Result<Vec<String>> {
        let edit = |(service, label, value): (&String, &String, &String)| Edit::set(service, label, value);
        let labels = case.labels.iter().flat_map(|(s, labels)| labels.iter().map(move |(l, v)| (s, l, v)));
        Stack { edits: labels.map(edit).collect(), ..self.stack.clone() }.deploy(&self.owned, self.lease).await?;
        deploy::converged(self.owned.engine(), &self.stack.name, DEADLINE, |_, _| ()).await?;
        self.begin().await?;
        if case.links {
            self.exec("app", "cd /data; printf linked > link1; ln link1 link2; ln -s link1 symbolic").await?;
        }

        let mut differences = Vec::new();
        let mut differ = |what: &str, expected: String, found: String| {
            if expected != found {
                differences.push(format!("{what}: expected {expected}, found {found}"));
            }
        };
        let created = match self.bot.create(&self.stack.name, 1).await {
            Ok(created) => Some(created),
            Err(Error::Bot { complaints, .. }) => {
                let kinds: BTreeSet<&str> = complaints.iter().map(|c| c.cause.name()).collect();
                differ("create refused", format!("{:?}", case.refused.iter().collect::<BTreeSet<_>>()), format!("{kinds:?}"));
                None
            }
            Err(e) => return Err(e),
        };
        let Some(Created { snapshot, complaints, .. }) = created else { return Ok(differences) };
        differ("create refused", format!("{:?}", case.refused), "None".into());
        let kinds: BTreeSet<&str> = complaints.iter().map(|c| c.cause.name()).collect();
        differ("complaints", format!("{:?}", case.complaints), format!("{kinds:?}"));
        differ("captured", format!("{:?}", case.captured), format!("{:?}", self.captured(&snapshot).await?));

        if let Some(variables) = &case.restore {
            self.change().await?;
            let more: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            match self.bot.restore(&self.stack.name, &snapshot, &more).await {
                Ok(complaints) => differ("complaints of the restore", "[]".into(), format!("{complaints:?}")),
                Err(Error::Bot { complaints, .. }) => differ("restore", "no error".into(), format!("{complaints:?}")),
                Err(e) => return Err(e),
            }
            for (path, expected) in &case.after {
                let found = self.exec(service_of(path), &format!("cat /{path} 2>/dev/null || echo nothing")).await?;
                differ(path, expected.clone(), found.trim().to_owned());
            }
            if case.after.get("data/a/one").is_some_and(|c| c == "data/a/one") {
                let found = self.exec("app", "stat -c '%u %g %a %Y' /data/a/one").await?;
                differ("owner, group, mode and time of data/a/one", ATTRIBUTES.into(), found.trim().to_owned());
            }
        }
        for (service, _) in SERVICES {
            let expected = case.hooks.get(service).cloned().unwrap_or_default();
            let found = self.exec(service, "cat /tmp/hooks 2>/dev/null || true").await?;
            differ(&format!("hooks of {service}"), format!("{expected:?}"), format!("{:?}", found.lines().collect::<Vec<_>>()));
        }
        Ok(differences)
    }

    /// Empties the volumes and puts in what every case begins with.
    async fn begin(&self) -> Result<()> {
        for (service, volumes) in SERVICES {
            let mut script = "rm -f /tmp/hooks; ".to_owned();
            for volume in volumes {
                script += &format!("rm -rf /{volume}/*; ");
            }
            for (_, path) in FILES.iter().filter(|(s, _)| *s == service) {
                script += &format!("mkdir -p $(dirname /{path}); printf %s {path} > /{path}; ");
            }
            if service == "app" {
                script += "chown 1234:2345 /data/a/one; chmod 640 /data/a/one; touch -d @981173106 /data/a/one; ";
            }
            self.exec(service, &script).await?;
        }
        Ok(())
    }

    /// Changes every file and adds one.
    async fn change(&self) -> Result<()> {
        for (service, path) in FILES {
            self.exec(service, &format!("rm -f /{path}; printf changed > /{path}")).await?;
        }
        self.exec("app", "printf changed > /data/new").await.map(drop)
    }

    /// The files in a snapshot, as volume and path.
    async fn captured(&self, snapshot: &Snapshot) -> Result<BTreeSet<String>> {
        let volumes: Vec<(&str, String)> = SERVICES
            .iter()
            .flat_map(|(_, volumes)| volumes.iter())
            .map(|v| (*v, contract::volume_dir(&full_name(&self.stack.name, v)) + "/"))
            .collect();
        let mut found = BTreeSet::new();
        self.bot
            .ls(&self.stack.name, snapshot, &mut |path| {
                let known = volumes.iter().find_map(|(name, dir)| Some(format!("{name}/{}", path.strip_prefix(dir.as_str())?)));
                found.insert(known.unwrap_or_else(|| path.to_owned()));
            })
            .await?;
        Ok(found)
    }

    async fn exec(&self, service: &str, script: &str) -> Result<String> {
        let service = self.stack.service(service);
        let output = self.owned.engine().exec(&service, &["sh", "-ec", script], &[], None).await?;
        Ok(output.ok(&format!("a command in {service}")).map(|o| o.stdout)?)
    }
}

fn service_of(path: &str) -> &'static str {
    if path.starts_with("db/") { "db" } else { "app" }
}
