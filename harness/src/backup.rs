//! The client of backupbot. It knows the exec contract of [`contract`] and nothing else of
//! the bot, so that a deployed `backup-bot-two` and our own take each other's place.

use std::io::Read;
use std::sync::Arc;

use bollard::query_parameters::ListServicesOptionsBuilder;
use bot::contract::{self, ENABLED_LABEL, HIDDEN, PROGRAM, Stored};
use engine::exec::{Call, Containers, Output};
use engine::{Engine, label_filter};
use judge::model::{BotStep, Cause, Complaint};
use judge::store::Evidence;
use recipe::near::did_you_mean;

use crate::error::Context as _;
use crate::error::{Error, ReadingError, Result};
use crate::stack::ownership::Owned;
use crate::stack::volumes::{entries, read_archive};
use crate::stack::{RUN_LABEL, bot_labels};

pub mod archive;
mod listed;
pub mod own;

/// A bot, found by its label.
#[derive(Clone)]
pub struct Bot {
    containers: Arc<dyn Containers>,
    /// Its service's full name.
    pub service: String,
    /// The run whose services it does not see unless they are shown to it.
    shown: Option<Owned>,
}

/// A restic snapshot, as the bot reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// restic's id, short or long.
    pub id: String,
}

/// A snapshot that was created now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Which.
    pub snapshot: Snapshot,
    /// What it took, if the bot says so.
    pub stored: Option<Stored>,
    /// What the bot complained of and went on, such as a hook that failed.
    pub complaints: Vec<Complaint>,
}

impl Bot {
    /// The bot that a run deployed.
    ///
    /// # Errors
    /// There is none.
    pub async fn of_run(engine: &Engine, run: &str) -> Result<Self> {
        let label = format!("{HIDDEN}{}", ENABLED_LABEL.0);
        let found = services(engine, &label).await?.into_iter().find(|(_, of)| of.as_deref() == Some(run));
        let none = || Error::Engine(format!("no backupbot: no service on this engine has the label {label} and is run {run}'s"));
        Ok(Self { containers: Arc::new(engine.clone()), service: found.ok_or_else(none)?.0, shown: None })
    }

    /// The bot that no drill deployed: the one of this name, or the only one.
    ///
    /// # Errors
    /// There is none, or it is not known which one is meant.
    pub async fn existing(engine: &Engine, service: Option<&str>) -> Result<Self> {
        let all: Vec<String> =
            services(engine, ENABLED_LABEL.0).await?.into_iter().filter(|(_, of)| of.is_none()).map(|(name, _)| name).collect();
        let (name, value) = ENABLED_LABEL;
        let chosen = match (service, all.as_slice()) {
            (_, []) => {
                return Err(Error::Engine(format!(
                    "no backupbot: no service on this engine has the label {name}={value}. Deploy backup-bot-two, or leave --backupbot \
                     at `own`"
                )));
            }
            (Some(service), all) => all.iter().find(|known| *known == service),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let which = || {
            let wrong = service.map_or_else(String::new, |s| format!("{s} is not a backupbot. "));
            let near = service.map_or_else(String::new, |s| did_you_mean(s, all.iter().map(String::as_str)));
            Error::Usage(format!("{wrong}This engine has {}: choose one with --bot-service{near}", all.join(", ")))
        };
        Ok(Self { containers: Arc::new(engine.clone()), service: chosen.ok_or_else(which)?.clone(), shown: None })
    }

    /// The same bot, to which a run's labels are shown while it backs up and restores.
    #[must_use]
    pub fn shown(self, owned: &Owned) -> Self {
        Self { shown: Some(owned.clone()), ..self }
    }

    /// Calls a command that reads the labels of a stack.
    async fn call_seeing(&self, stack: &str, command: &str, env: &[(&str, &str)]) -> Result<Output> {
        let calling = self.call(command, env);
        match &self.shown {
            Some(owned) => bot_labels::shown(owned, stack, calling).await,
            None => calling.await,
        }
    }

    /// Removes a snapshot of a stack from the repository, and nothing else: what only it had stays until somebody prunes.
    ///
    /// # Errors
    /// It is not the stack's, or restic did not.
    pub async fn forget(&self, stack: &str, snapshot: &Snapshot) -> Result<()> {
        let known = self.restic(&["snapshots", "--json", &snapshot.id]).await?;
        if !listed::is_of(stack, &known.stdout) {
            return Err(Error::Bot {
                what: "the removal of a snapshot".into(),
                complaints: vec![Complaint {
                    cause: Cause::Other,
                    message: format!("neither its tags nor its paths name stack {stack}"),
                }],
            });
        }
        self.restic(&["forget", "-q", &snapshot.id]).await.map(drop)
    }

    /// Has restic do something in the bot's container.
    async fn restic(&self, arguments: &[&str]) -> Result<Output> {
        let file = contract::PASSWORD_FILE;
        let script = format!("RESTIC_PASSWORD_FILE=${{RESTIC_PASSWORD_FILE:-{file}}} exec restic \"$@\"");
        let command = [&["sh", "-ec", &script, "sh"], arguments].concat();
        let call = Call { service: &self.service, command: &command, env: &[], stdin: None };
        let output = self.containers.output(call).await.map_err(|e| gone("restic", e))?;
        judged(&format!("restic {}", arguments.join(" ")), output).map(|(output, _)| output)
    }

    async fn call(&self, command: &str, env: &[(&str, &str)]) -> Result<Output> {
        let mut all = contract::ENVIRONMENT.to_vec();
        all.extend_from_slice(env);
        let call = Call { service: &self.service, command: &[PROGRAM, "--", command], env: &all, stdin: None };
        self.containers.output(call).await.map_err(|e| gone(command, e))
    }

    /// Creates a snapshot of a stack: the one that is in the repository afterwards and was not before. With several `tries`, the
    /// bot takes another snapshot as long as files go while restic reads them, and the last one counts: the one that is whole.
    pub async fn create(&self, stack: &str, tries: u32) -> Result<Created> {
        const WHAT: &str = "backupbot's create";
        let before = self.snapshots(stack).await?;
        let (output, complaints) =
            judged(WHAT, self.call_seeing(stack, "create", &[("SERVICE", stack), (contract::TRIES, &tries.to_string())]).await?)?;
        let mut after = self.snapshots(stack).await?;
        after.retain(|s| !before.contains(s));
        let fail = |cause: Cause, message| Error::Bot { what: WHAT.into(), complaints: vec![Complaint { cause, message }] };
        match after.as_slice() {
            [.., last] if after.len() <= tries as usize => {
                let stored = contract::stored(&output.stdout).or_else(|| contract::stored(&output.stderr));
                Ok(Created { snapshot: last.clone(), stored, complaints })
            }
            [] => Err(fail(
                Cause::NoSnapshot,
                format!(
                    "it ended with exit code 0, and there is no new snapshot of stack {stack}: \
                     are the labels `deploy.labels`, and is there a {}=true among them? The bot passes over a stack without it",
                    recipe::labels::BACKUP
                ),
            )),
            more => Err(Error::OtherBackup { stack: stack.to_owned(), snapshots: more.len() }),
        }
    }

    /// The snapshots of a stack, oldest first. A repository that does not exist yet has none.
    pub async fn snapshots(&self, stack: &str) -> Result<Vec<Snapshot>> {
        let output = self.call("snapshots", &[("SERVICE", stack)]).await?;
        if output.code != 0 && contract::no_repository(&output.stderr) {
            return Ok(vec![]);
        }
        let (output, _) = judged("backupbot's snapshots", output)?;
        Ok(contract::snapshot_ids(&output.stdout).into_iter().map(|id| Snapshot { id }).collect())
    }

    /// Restores a snapshot of a stack in place; `more` are further variables of the contract. Gives what the bot complained
    /// of and went on.
    pub async fn restore(&self, stack: &str, snapshot: &Snapshot, more: &[(&str, &str)]) -> Result<Vec<Complaint>> {
        let mut env = vec![("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), ("TARGET", "/")];
        env.extend_from_slice(more);
        let what = format!("backupbot's restore of snapshot {}", snapshot.id);
        judged(&what, self.call_seeing(stack, "restore", &env).await?).map(|(_, complaints)| complaints)
    }

    /// Hands over the paths in a snapshot, one by one. Folders are among them, and what else is no file, if the bot does not tell them
    /// apart.
    pub async fn ls(&self, stack: &str, snapshot: &Snapshot, path: &mut (dyn FnMut(&str) + Send)) -> Result<()> {
        let mut env = contract::ENVIRONMENT.to_vec();
        env.extend([("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), (contract::SHOW_ALL, "true")]);
        let mut line = |line: &str| {
            contract::path(line).iter().for_each(|p| path(p));
        };
        let call = Call { service: &self.service, command: &[PROGRAM, "--", "ls"], env: &env, stdin: None };
        let output = self.containers.lines(call, &mut line).await.map_err(|e| gone("ls", e))?;
        judged("backupbot's ls", output).map(drop)
    }

    /// Streams what is in a snapshot to `file`: whole path, escaped ([`inside::name`]), and the content of a regular file.
    pub async fn download<T: Send + 'static>(
        &self,
        stack: &str,
        snapshot: &Snapshot,
        mut state: T,
        file: impl Fn(&mut T, &str, Option<&mut dyn Read>) -> std::io::Result<()> + Send + 'static,
    ) -> Result<T> {
        let root = contract::VOLUMES_ROOT;
        let env = [("SERVICE", stack), ("SNAPSHOT", snapshot.id.as_str()), (contract::DOWNLOAD_PATH, root)];
        let what = format!("backupbot's download of {root}");
        let (output, _) = judged(&what, self.call("download", &env).await?)?;
        let nowhere = || ReadingError::form(what.as_str(), "the name of an archive", output.stdout.trim());
        let place = contract::downloaded(&output.stdout).or_else(|| contract::downloaded(&output.stderr)).ok_or_else(nowhere)?;
        let outer = self.containers.archive(&self.service, place).await.map_err(|e| gone("download", e))?.ok_or_else(nowhere)?;
        let read = move |outer: &mut dyn Read| {
            // The engine gives an archive in which the bot's is the one file.
            entries(outer, |bots| archive::each(bots.content, &mut |path, content| file(&mut state, path, content)))?;
            Ok(state)
        };
        read_archive(outer, &what, read).await
    }
}

/// The services that say by a label that they are a bot, each with the run that deployed it, if one did.
async fn services(engine: &Engine, label: &str) -> Result<Vec<(String, Option<String>)>> {
    let filter = label_filter([(label, ENABLED_LABEL.1)]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let found = engine.docker.list_services(Some(options)).await.context("looking for backupbot")?;
    let named = found.into_iter().filter_map(|s| s.spec).filter_map(|spec| {
        let run = spec.labels.as_ref().and_then(|l| l.get(RUN_LABEL)).cloned();
        Some((spec.name?, run))
    });
    Ok(named.collect())
}

/// The result of a step of the bot's; none, and stored, where the bot said that it failed.
pub fn step<T>(evidence: &Evidence, step: BotStep, result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(Error::Bot { complaints, .. }) => Ok(evidence.put_complaints(step, &complaints).map(|()| None)?),
        result => result.map(Some),
    }
}

/// The result of an audit. One that could not be made is stored with its reason, and whatever it saw until then stays; the run goes on.
/// An error of the run itself (its evidence, the engine, a signal) ends it; what only came too late does not.
pub fn audited(evidence: &Evidence, result: Result<()>) -> Result<()> {
    let result = match result {
        Err(e @ (Error::Reading(_) | Error::Bug(_) | Error::Io { .. } | Error::Docker(engine::Error::Late { .. }))) => {
            let complaints = vec![Complaint { cause: Cause::Unread, message: e.to_string() }];
            Err(Error::Bot { what: "the audit".into(), complaints })
        }
        result => result,
    };
    step(evidence, BotStep::Audit, result).map(drop)
}

/// The error of a call whose container was not there, or went while it ran: somebody removed it, so it tells nothing of the backup.
fn gone(command: &str, error: engine::Error) -> Error {
    if !error.is_gone() {
        return error.into();
    }
    let message = format!("the bot's container is gone: {error}");
    Error::Bot { what: format!("backupbot's {command}"), complaints: vec![Complaint { cause: Cause::Ended, message }] }
}

/// Why the bot or restic failed, as far as its words tell.
fn cause(said: &str) -> Cause {
    contract::cause(said).parse().unwrap_or(Cause::Other)
}

/// What the bot or restic said went wrong.
fn complaint(said: String) -> Complaint {
    let cause = cause(&said);
    let message = match cause {
        Cause::Locked => format!("another backup or prune holds the repository, or left its lock there: {said}"),
        _ => said,
    };
    Complaint { cause, message }
}

/// What a call printed and complained of, if it ended with 0.
fn judged(what: &str, output: Output) -> Result<(Output, Vec<Complaint>)> {
    let mut complaints: Vec<Complaint> =
        contract::errors(&output.stderr).chain(contract::errors(&output.stdout)).map(complaint).collect();
    if output.code == 0 {
        return Ok((output, complaints));
    }
    let killed = output.code < 0 || output.code > 128;
    if killed || complaints.iter().all(|c| c.cause == Cause::Hook) {
        // It ended with words of its own, or with none.
        let tail = output.clone().ok(what).err().map_or_else(String::new, |e| e.to_string());
        complaints.push(if killed { Complaint { cause: Cause::Ended, message: tail } } else { complaint(tail) });
    }
    Err(Error::Bot { what: what.to_owned(), complaints })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use engine::fake::{Asked, Fake};

    use super::*;

    /// A bot in memory: its snapshots by stack, and what it does wrong.
    #[derive(Default)]
    struct Memory {
        snapshots: BTreeMap<String, Vec<String>>,
        /// What `create` and `restore` log beside their work, as lines of the contract's form.
        log: String,
        /// How many snapshots `create` makes.
        makes: usize,
        /// The exit code of `create` and `restore`.
        code: i64,
    }

    impl Memory {
        fn answer(&mut self, asked: &Asked) -> Output {
            let stack = asked.variable("SERVICE").unwrap_or_default().to_owned();
            let made = self.snapshots.entry(stack).or_default();
            let stdout = match asked.command.last().map(String::as_str) {
                Some("create") => {
                    for _ in 0..self.makes {
                        made.push(format!("{:08x}", 0xa000_0000_u32 + made.len() as u32));
                    }
                    "{\"message_type\":\"summary\",\"data_added\":5,\"total_bytes_processed\":9}\n".to_owned()
                }
                Some("snapshots") => return Output { stdout: made.join("\n"), ..Output::default() },
                Some("ls") => "2026-11-26T00:00:00Z 3 /var/lib/docker/volumes/s_data/_data/a b\n".to_owned(),
                Some("download") => "/tmp/backup.tar\n".to_owned(),
                _ => String::new(),
            };
            Output { code: self.code, stdout, stderr: self.log.clone() }
        }
    }

    fn bot(memory: Memory) -> (Bot, Arc<Fake>) {
        let memory = Mutex::new(memory);
        let fake = Fake::new(move |asked| memory.lock().expect("not poisoned").answer(asked)).with_files(|path| {
            let inner = tar_of("var/lib/docker/volumes/s_data/_data/a b", b"abc");
            (path == "/tmp/backup.tar").then(|| tar_of("backup.tar", &inner))
        });
        let fake = Arc::new(fake);
        (Bot { containers: fake.clone(), service: "bot_app".into(), shown: None }, fake)
    }

    fn tar_of(name: &str, content: &[u8]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, content).expect("appended");
        tar.into_inner().expect("a tar")
    }

    #[tokio::test]
    async fn the_snapshot_that_was_not_there_before_is_the_one_created() {
        let old = BTreeMap::from([("s".to_owned(), vec!["01234567".to_owned()]), ("t".to_owned(), vec!["89abcdef".to_owned()])]);
        let (bot, fake) = bot(Memory { snapshots: old, makes: 1, ..Memory::default() });
        let created = bot.create("s", 1).await.expect("created");
        let snapshot = Snapshot { id: "a0000001".into() };
        let stored = Some(Stored { read: 9, added: 5 });
        assert_eq!(created, Created { snapshot, stored, complaints: vec![] });
        let commands: Vec<String> = fake.asked().iter().map(|a| a.command.join(" ")).collect();
        assert_eq!(commands, ["/usr/bin/backup -- snapshots", "/usr/bin/backup -- create", "/usr/bin/backup -- snapshots"]);
        assert!(fake.asked().iter().all(|a| a.service == "bot_app" && a.variable("NONINTERACTIVE") == Some("true")));
    }

    #[tokio::test]
    async fn a_bot_that_makes_none_or_too_many_is_not_believed() {
        let said = |makes| async move {
            let (bot, _) = bot(Memory { makes, ..Memory::default() });
            bot.create("s", 1).await.expect_err("no snapshot of its own")
        };
        let Error::Bot { complaints, .. } = said(0).await else { panic!("no complaint") };
        assert_eq!(complaints.len(), 1, "{complaints:?}");
        assert!(complaints[0].message.contains("no new snapshot of stack s"), "{complaints:?}");
        assert!(said(2).await.to_string().contains("2 snapshots of stack s appeared at once"));
    }

    #[tokio::test]
    async fn a_hook_that_failed_is_a_complaint_and_an_exit_code_an_error() {
        let deployed = "Failed to run command bash -c 'set -o pipefail;exit 7' in s_app.1.x: ";
        let log = format!("{}\n", serde_json::json!({"message_type": "ERROR", "message": deployed}));
        let (bot_with_hook, _) = bot(Memory { makes: 1, log, ..Memory::default() });
        let created = bot_with_hook.create("s", 1).await.expect("created");
        assert_eq!(created.complaints.iter().map(|c| c.cause).collect::<Vec<_>>(), [Cause::Hook]);
        let log = "{\"level\":\"ERROR\",\"message\":\"backupbot.backup.pre-hook of s_app: exit code 7\"}\n".to_owned();
        let (bot_with_hook, _) = bot(Memory { makes: 1, log: log.clone(), ..Memory::default() });
        let created = bot_with_hook.create("s", 1).await.expect("created");
        assert_eq!(created.complaints.len(), 1, "{:?}", created.complaints);
        let (failed, _) = bot(Memory { log, code: 1, ..Memory::default() });
        let snapshot = Snapshot { id: "a0000000".into() };
        let Err(Error::Bot { complaints, .. }) = failed.restore("s", &snapshot, &[]).await else { panic!("no error") };
        assert!(complaints.iter().any(|c| c.message.contains("pre-hook")), "{complaints:?}");
    }

    #[tokio::test]
    async fn what_the_bot_says_went_wrong_is_stored_and_other_errors_end_the_step() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let (bot, _) = bot(Memory { code: 1, ..Memory::default() });
        let restored = bot.restore("s", &Snapshot { id: "a0000000".into() }, &[]).await;
        assert!(matches!(step(&evidence, BotStep::Restore, restored), Ok(None)));
        assert_eq!(evidence.complaints().expect("read").len(), 1);
        assert!(step::<()>(&evidence, BotStep::Restore, Err(Error::NothingTried)).is_err());
        assert_eq!(evidence.complaints().expect("read").len(), 1);
    }

    #[tokio::test]
    async fn a_bot_that_was_killed_and_a_lock_that_was_left_are_named() {
        let causes = |code, log: &str| {
            let (bot, _) = bot(Memory { code, log: log.into(), ..Memory::default() });
            async move {
                match bot.restore("s", &Snapshot { id: "a0000000".into() }, &[]).await {
                    Err(Error::Bot { complaints, .. }) => complaints.into_iter().map(|c| c.cause).collect::<Vec<_>>(),
                    other => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(causes(137, "").await, [Cause::Ended]);
        assert_eq!(causes(-1, "").await, [Cause::Ended]);
        let said = "restic restore: unable to create lock in backend: repository is already locked exclusively by PID 42";
        let log = format!("{}\n", serde_json::json!({"level": "ERROR", "message": said}));
        assert_eq!(causes(1, &log).await, [Cause::Locked]);
        let (locked, _) = bot(Memory { code: 1, log: log.clone(), ..Memory::default() });
        let error = locked.restore("s", &Snapshot { id: "a0000000".into() }, &[]).await.expect_err("locked").to_string();
        assert!(error.contains("another backup or prune holds the repository"), "{error}");
        assert_eq!(causes(137, &log).await, [Cause::Locked, Cause::Ended]);
        assert_eq!(causes(1, "").await, [Cause::Other]);
    }

    #[test]
    fn a_container_that_went_is_a_complaint_and_another_error_is_not() {
        let none = engine::Error::NoContainer { service: "bot_app".into(), program: "/usr/bin/backup".into() };
        let Error::Bot { what, complaints } = gone("ls", none) else { panic!("no complaint") };
        assert_eq!((what.as_str(), complaints.len(), complaints[0].cause), ("backupbot's ls", 1, Cause::Ended));
        assert!(matches!(gone("ls", engine::Error::NotAttached("x".into())), Error::Docker(_)));
    }

    #[test]
    fn an_audit_that_could_not_be_made_is_stored_and_the_run_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        assert!(audited(&evidence, Ok(())).is_ok());
        let unread = ReadingError::Unread { what: "volume data".into(), why: "torn".into() };
        assert!(audited(&evidence, Err(unread.into())).is_ok());
        let stored: Vec<_> =
            evidence.complaints().expect("read").into_iter().map(|(step, c)| (step, c.cause, c.message)).collect();
        assert_eq!(stored, [(BotStep::Audit, Cause::Unread, "volume data: torn".to_owned())]);
        let late = engine::Error::Late { seconds: 3600, waiting: "waiting for the end of ls".into() };
        assert!(audited(&evidence, Err(late.into())).is_ok());
        assert!(audited(&evidence, Err(Error::Signal(crate::error::Signal::Interrupt))).is_err());
        assert!(audited(&evidence, Err(Error::Engine("no swarm".into()))).is_err());
        assert_eq!(evidence.complaints().expect("read").len(), 2);
    }

    #[tokio::test]
    async fn files_are_listed_and_read_out_of_the_archive_in_the_archive() {
        let (bot, fake) = bot(Memory::default());
        let snapshot = Snapshot { id: "a0000000".into() };
        let mut listed = Vec::new();
        bot.ls("s", &snapshot, &mut |path| listed.push(path.to_owned())).await.expect("listed");
        assert_eq!(listed, ["/var/lib/docker/volumes/s_data/_data/a b"]);
        assert_eq!(fake.asked()[0].variable("SHOW_ALL"), Some("true"));
        let keep = |all: &mut Vec<(String, String)>, path: &str, content: Option<&mut dyn Read>| {
            let mut text = String::new();
            content.expect("a file").read_to_string(&mut text)?;
            all.push((path.to_owned(), text));
            Ok(())
        };
        let read = bot.download("s", &snapshot, Vec::new(), keep).await.expect("read");
        assert_eq!(read, [("/var/lib/docker/volumes/s_data/_data/a b".to_owned(), "abc".to_owned())]);
    }
}
