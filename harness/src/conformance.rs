//! What a backupbot v2 must do, as data: `scenarios/backupbot/conformance.toml`. Each case is deployed on a small stack,
//! backed up by the bot under test through the exec contract, looked at, and perhaps restored. What the deployed bot is known to do
//! otherwise than the specification says is listed and keeps the case.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bot::contract;
use engine::Engine;
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::fence::closed::Closed;
use recipe::near;
use recipe::toml_file::read_toml;
use serde::Serialize;

use self::case::{Case, Kept, Seen, Suite, WITH_ATTRIBUTES};
use crate::backup::own::{OwnBot, deploy_bot};
use crate::backup::{Bot, Created, Snapshot};
use crate::drill::BotChoice;
use crate::error::{Error, Result};
use crate::events::{Events, Phase};
use crate::images;
use crate::installation;
use crate::secret::Secret;
use crate::stack::deploy::Stack;
use crate::stack::gc;
use crate::stack::lease::Lease;
use crate::stack::line::wait_for_place;
use crate::stack::ownership::{Owned, stack_name};
use crate::stack::volumes::full_name;
use crate::stack::{self, deploy};

mod case;

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Its name.
    pub case: String,
    /// What it is about.
    pub why: String,
    /// How the bot kept it otherwise than the specification says, as the deployed bot does; none where it kept it as specified.
    pub deviation: Option<String>,
    /// What was not as it must be; empty for a case that was kept.
    pub differences: Vec<String>,
}

/// The bot under test.
#[derive(Debug, Clone, Copy)]
pub struct Tested<'a> {
    /// Which.
    pub choice: BotChoice,
    /// The service of a bot that is there already, where there are several.
    pub service: Option<&'a str>,
    /// Whether ours is told to follow the specification.
    pub strict: bool,
    /// How many drills run at a time beside it.
    pub max_drills: u8,
}

const DEADLINE: Duration = Duration::from_secs(120);
/// Where bash is in a case that has none.
const AWAY: &str = "/bin/bash.away";
/// Services, and the volumes that each mounts at a folder of the same name.
const SERVICES: [(&str, &[&str]); 2] = [("app", &["data", "cache"]), ("db", &["db"])];
/// The files that every case begins with.
const FILES: [(&str, &str); 4] = [("app", "cache/c"), ("app", "data/a/one"), ("app", "data/b/two"), ("db", "db/d")];

/// The names of the cases.
///
/// # Errors
/// The file with the cases cannot be read.
pub fn names(scenarios: &Path) -> Result<Vec<String>> {
    let suite: Suite = read_toml(&installation::bot(scenarios)?.join("conformance.toml"))?;
    Ok(suite.cases.into_iter().map(|case| case.name).collect())
}

/// Runs the cases (all, or those of these names) against a bot. Whatever it creates is its own, and removed on every way out.
pub async fn run(scenarios: &Path, tested: Tested<'_>, names: &[String], events: &Events) -> Result<Vec<Outcome>> {
    let dir = installation::bot(scenarios)?;
    let suite: Suite = read_toml(&dir.join("conformance.toml"))?;
    if let Some(unknown) = names.iter().find(|n| !suite.cases.iter().any(|c| c.name == **n)) {
        return Err(Error::Usage(near::unknown("case", unknown, suite.cases.iter().map(|c| c.name.as_str()))));
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
        wait_for_place(&owned, "conformance", tested.max_drills, waits).await?;
        gc::collect(&engine, gc::Which::Dead, DEADLINE, |_| ()).await?;
        let phase = events.phase(Phase::Deploy);
        let bot = match tested.choice {
            BotChoice::Existing => Bot::existing(&engine, tested.service).await?.shown(&owned),
            BotChoice::Own => {
                let own = OwnBot { dir: &dir, docker_root: info.docker_root_dir.as_deref(), strict: tested.strict };
                let stack = own.stack(&run, image.clone())?;
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
            secrets: BTreeMap::new(),
            stopped: BTreeSet::new(),
            made: None,
            name,
        };
        phase.finish(format!("bot {}", bot.service));
        let tester = Tester { owned: owned.clone(), stack, bot, lease: &lease };
        let mut outcomes = Vec::new();
        for case in &cases {
            let (word, deviation, differences) = match case.judge(&tester.case(case).await?) {
                Kept::Specified => ("kept", None, vec![]),
                Kept::Differently(what) => ("differs", Some(what), vec![]),
                Kept::Not(differences) => ("NOT KEPT", None, differences),
            };
            events.note(format!("{word}: {}", case.name));
            outcomes.push(Outcome { case: case.name.clone(), why: case.why.clone(), deviation, differences });
        }
        Ok(outcomes)
    };
    let result = lease.interruptible(work).await;
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
    /// Runs one case; what was seen.
    async fn case(&self, case: &Case) -> Result<Seen> {
        let edit = |(service, label, value): (&String, &String, &String)| Edit::set(service, label, value);
        let labels = case.labels.iter().flat_map(|(s, labels)| labels.iter().map(move |(l, v)| (s, l, v)));
        Stack { edits: labels.map(edit).collect(), ..self.stack.clone() }.deploy(&self.owned, self.lease).await?;
        deploy::converged(self.owned.engine(), &self.stack.name, DEADLINE, |_, _| ()).await?;
        self.begin().await?;
        if case.links {
            self.exec("app", "cd /data; printf linked > link1; ln link1 link2; ln -s link1 symbolic").await?;
        }
        if case.without_bash {
            for (service, _) in SERVICES {
                self.exec(service, &format!("mv /bin/bash {AWAY}")).await?;
            }
        }

        let Created { snapshot, complaints, .. } = match self.bot.create(&self.stack.name, 1).await {
            Ok(created) => created,
            Err(Error::Bot { complaints, .. }) => {
                let causes = complaints.iter().map(|c| c.cause.to_string()).collect();
                return Ok(Seen { refused: Some(causes), ..Seen::default() });
            }
            Err(e) => return Err(e),
        };
        let (captured, downloaded) = match self.captured(&snapshot).await {
            Ok(files) => files,
            // What cannot be read is not as it must be; the other cases may be.
            Err(e @ (Error::Bot { .. } | Error::Reading(_) | Error::Io { .. })) => {
                (BTreeSet::from([e.to_string()]), BTreeSet::new())
            }
            Err(e) => return Err(e),
        };
        let complaints = complaints.iter().map(|c| c.cause.to_string()).collect();
        let mut seen = Seen { complaints, captured, downloaded, ..Seen::default() };
        if let Some(variables) = &case.restore {
            let variables: Vec<(&str, String)> = variables.iter().map(|(k, v)| (k.as_str(), v.value())).collect();
            self.restore(case, &snapshot, &variables, &mut seen).await?;
        }
        for (service, _) in SERVICES {
            let found = self.exec(service, "cat /tmp/hooks 2>/dev/null || true").await?;
            seen.hooks.insert(service.to_owned(), found.lines().map(str::to_owned).collect());
        }
        Ok(seen)
    }

    /// Changes every file, restores, and looks.
    async fn restore(&self, case: &Case, snapshot: &Snapshot, variables: &[(&str, String)], seen: &mut Seen) -> Result<()> {
        self.change().await?;
        let more: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (*k, v.as_str())).collect();
        seen.restore = match self.bot.restore(&self.stack.name, snapshot, &more).await {
            Ok(complaints) | Err(Error::Bot { complaints, .. }) => complaints.into_iter().map(|c| c.message).collect(),
            Err(e) => return Err(e),
        };
        for path in case.looked_at() {
            let found = self.exec(service_of(path), &format!("cat /{path} 2>/dev/null || echo nothing")).await?;
            seen.after.insert(path.clone(), found.trim().to_owned());
        }
        let found = self.exec("app", &format!("stat -c '%u %g %a %Y' /{WITH_ATTRIBUTES} 2>/dev/null || echo nothing")).await?;
        seen.attributes = Some(found.trim().to_owned());
        Ok(())
    }

    /// Empties the volumes and puts in what every case begins with.
    async fn begin(&self) -> Result<()> {
        for (service, volumes) in SERVICES {
            let mut script = format!("test ! -e {AWAY} || mv {AWAY} /bin/bash; rm -f /tmp/hooks; ");
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

    /// The files in a snapshot, as volume and path: those that the bot lists, and those that it hands over.
    async fn captured(&self, snapshot: &Snapshot) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
        let volumes: Vec<(&str, String)> = SERVICES
            .iter()
            .flat_map(|(_, volumes)| volumes.iter())
            .map(|v| (*v, contract::volume_dir(&full_name(&self.stack.name, v)) + "/"))
            .collect();
        let short = move |path: &str| {
            let known = volumes.iter().find_map(|(name, dir)| Some(format!("{name}/{}", path.strip_prefix(dir.as_str())?)));
            known.unwrap_or_else(|| path.to_owned())
        };
        let mut listed = BTreeSet::new();
        self.bot
            .ls(&self.stack.name, snapshot, &mut |path| {
                listed.insert(path.to_owned());
            })
            .await?;
        // Copies of secrets are no volume's.
        listed.retain(|path| !Path::new(path).starts_with(contract::SECRETS_ROOT));
        let folders: BTreeSet<String> =
            listed.iter().flat_map(|p| Path::new(p).ancestors().skip(1)).map(|f| f.display().to_string()).collect();
        listed.retain(|path| !folders.contains(path));
        if !listed.iter().any(|path| Path::new(path).starts_with(contract::VOLUMES_ROOT)) {
            // restic makes no snapshot of nothing: a bot gives it some folder, which is listed alone.
            return Ok((if listed.len() == 1 { BTreeSet::new() } else { listed }, BTreeSet::new()));
        }
        let each = |(files, others): &mut (BTreeSet<String>, BTreeSet<String>), path: &str, content: Option<&mut dyn Read>| {
            let Some(content) = content else {
                others.insert(path.to_owned());
                return Ok(());
            };
            files.insert(path.to_owned());
            std::io::copy(content, &mut std::io::sink()).map(drop)
        };
        let (files, others) = self.bot.download(&self.stack.name, snapshot, Default::default(), each).await?;
        listed.retain(|path| !others.contains(path));
        Ok((listed.iter().map(|p| short(p)).collect(), files.iter().map(|p| short(p)).collect()))
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
