//! The deployment of a drill: the app's stack and the bot's, the doors that lead in, and the right to all of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use engine::Engine;
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::compose::variable::filled;
use recipe::scenario::{Door, MailServer, Queue, Scenario, ServiceCommand, Tls};
use seeds::Accounts;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::generated::Generated;
use crate::backup::Bot;
use crate::error::Result;
use crate::probe::STALL;
use crate::probe::doors::Doors;
use crate::probe::files::{Files, Unreached};
use crate::probe::mail::Imap;
use crate::probe::queue::{self, Queued};
use crate::probe::redis::Redis;
use crate::probe::rows::Rows;
use crate::probe::sieve::Sieve;
use crate::probe::smtp::Submission;
use crate::stack::deploy::{self, Stack};
use crate::stack::lease::Lease;
use crate::stack::ownership::Owned;
use crate::stack::reader::Reader;
use crate::stack::relay::{HOST, Relay};
use crate::stack::resolver::Resolver;
use crate::stack::until;
use crate::stack::volumes::Helper;
use crate::tls::Authority;

/// The longest first line of a door, bytes. One that goes on and on is no greeting.
const LONGEST_GREETING: u64 = 64 << 10;
/// The time between two demands to try again what is in the queue.
const FLUSH: Duration = Duration::from_secs(5);

/// The app as it is deployed.
pub struct Deployment {
    /// The scenario that describes it.
    pub scenario: Scenario,
    /// The right to what the run creates.
    pub owned: Owned,
    /// The app's stack.
    pub stack: Stack,
    /// The stack of the version that is deployed first and then upgraded.
    pub(super) before: Option<Stack>,
    /// The bot's stack, if the drill deploys one.
    pub bot_stack: Option<Stack>,
    /// The service of a bot that was there already, where it was named.
    pub(super) bot_service: Option<String>,
    /// Whether the app runs on stand-ins.
    pub(super) standins: bool,
    pub(super) authority: Arc<Authority>,
    /// An image that is present, for helper containers.
    pub(super) helper_image: String,
    /// Reads volumes.
    pub(super) reader: Reader,
    /// The doors of the app.
    pub relay: Relay,
    /// What answers the app's look-ups.
    pub(super) resolver: Resolver,
    /// What the variables of its compose files have that is secret, and its Docker secrets.
    pub(super) secrets: Generated,
    /// When the mail server was last asked to try again what it could not deliver.
    pub(super) flushed: Mutex<Option<Instant>>,
    pub(super) lease: Arc<Lease>,
}

impl Deployment {
    /// The engine that it runs on.
    pub fn engine(&self) -> &Engine {
        self.owned.engine()
    }

    /// The bot that this run drives.
    pub async fn bot(&self) -> Result<Bot> {
        match &self.bot_stack {
            Some(_) => Bot::of_run(self.engine(), self.owned.run()).await,
            None => Ok(Bot::existing(self.engine(), self.bot_service.as_deref()).await?.shown(&self.owned)),
        }
    }

    /// The mail server, in an app that is one.
    pub(crate) fn mail(&self) -> Option<&MailServer> {
        self.scenario.spec.mail.as_ref()
    }

    /// The host and the port of a door; port 0 while it is not open.
    pub fn door(&self, name: &str) -> (&str, u16) {
        (HOST, self.port(name))
    }

    pub(crate) fn port(&self, door: &str) -> u16 {
        self.relay.port(door).unwrap_or_default()
    }

    /// Whom the front's certificate is from.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn doors_of_run(&self) -> Doors {
        Doors { host: HOST.into(), authority: self.authority.clone() }
    }

    /// A client that submits mail as an account, or hands it in as another server does.
    pub fn submission(&self, login: Option<(&str, &str)>) -> Submission {
        let door = if login.is_some() { "submissions" } else { "smtp" };
        self.doors_of_run().submission(self.port(door), login)
    }

    /// The IMAP door.
    pub fn imap(&self) -> Imap {
        Imap { host: HOST.into(), port: self.port("imaps"), authority: self.authority.clone(), patience: STALL }
    }

    /// The ManageSieve door, if the scenario has one.
    pub(crate) fn sieve(&self) -> Option<Sieve> {
        let port = self.relay.port("managesieve")?;
        Some(Sieve { host: HOST.into(), port, authority: self.authority.clone() })
    }

    /// Whether there is a world outside that is the run's: names that its resolver knows, and a mail server that takes mail.
    pub(crate) fn has_world(&self) -> bool {
        self.mail().is_some() && !self.stack.resolvers.is_empty()
    }

    pub(crate) async fn queue(&self) -> Result<Vec<Queued>> {
        match self.mail() {
            Some(mail) => queue::list(self.engine(), &self.stack, &mail.queue).await,
            None => Ok(vec![]),
        }
    }

    /// Waits until none of the mail of a kind is in the queue. What could not be delivered, as a service was not there yet, is tried again
    /// now: a server by itself may wait for minutes.
    pub(crate) async fn delivered(&self, deadline: Duration, waits: impl Fn(&Queued) -> bool) -> Result<()> {
        until(deadline, || async {
            let waiting: Vec<Queued> = self.queue().await?.into_iter().filter(&waits).collect();
            if waiting.iter().any(|q| q.queue_name == "deferred") {
                self.flush_queue().await?;
            }
            Ok(if waiting.is_empty() { Ok(()) } else { Err(format!("{} messages are in the queue", waiting.len())) })
        })
        .await
    }

    /// Has the mail server try again what it could not deliver, if that was not asked for just now.
    pub(crate) async fn flush_queue(&self) -> Result<()> {
        if self.mail().is_none_or(|mail| mail.queue.flush.is_empty()) {
            return Ok(());
        }
        {
            let mut last = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < FLUSH) {
                return Ok(());
            }
            *last = Some(Instant::now());
        }
        self.have_queue(|queue| &queue.flush, "flushing the mail queue").await
    }

    /// Has a command of the queue's run.
    pub(crate) async fn have_queue(&self, command: impl Fn(&Queue) -> &Vec<String>, what: &str) -> Result<()> {
        let Some(mail) = self.mail() else { return Ok(()) };
        let service = self.stack.service(&mail.queue.service);
        Ok(self.engine().exec(&service, command(&mail.queue), &[], None).await?.ok(what).map(drop)?)
    }

    pub(crate) fn rows_probe(&self) -> Rows {
        Rows {
            owned: self.owned.clone(),
            stack: self.stack.name.clone(),
            image: self.helper_image.clone(),
            specs: self.scenario.spec.databases.clone(),
        }
    }

    pub(crate) fn redis_probe(&self) -> Redis {
        Redis { engine: self.engine().clone(), stack: self.stack.clone(), specs: self.scenario.spec.redis.clone() }
    }

    /// What reads the files of the scenario, whose users these are.
    pub fn files_probe(&self, accounts: &Accounts) -> Files {
        let places = self.scenario.spec.users.as_ref().and_then(|u| u.places.as_ref());
        let disabled = accounts.users.iter().filter(|u| !u.enabled).map(|u| u.email.clone());
        Files {
            reader: self.reader.clone(),
            stack: self.stack.name.clone(),
            inventory: self.scenario.whole_inventory(),
            unreached: Unreached { volume: places.and_then(|p| p.mailboxes.clone()), folders: disabled.collect() },
        }
    }

    /// Whether there is a version to upgrade from.
    pub fn upgrades(&self) -> bool {
        self.before.is_some()
    }

    /// Whether the recipe enables backups: that under test, or the one before. The deployed bot takes any value for a switch.
    pub fn enables_backups(&self, before: bool) -> bool {
        let stack = if before { self.before.as_ref() } else { Some(&self.stack) };
        stack.is_some_and(|stack| {
            let is_on = |value: &String| !filled(value, &stack.env).is_empty();
            let enabled = |c: &Compose| c.services().any(|s| c.deploy_labels(s).get("backupbot.backup").is_some_and(is_on));
            stack.compose.iter().any(enabled)
        })
    }

    pub(crate) fn converge_deadline(&self) -> Duration {
        Duration::from_secs(self.scenario.spec.deadlines.converge)
    }

    pub(crate) fn removal_deadline(&self) -> Duration {
        Duration::from_secs(self.scenario.spec.deadlines.removal)
    }

    /// The doors with their addresses, as text.
    pub(super) fn door_list(&self) -> String {
        let doors: Vec<String> = self.relay.ports().into_iter().map(|(name, port)| format!("{name} {HOST}:{port}")).collect();
        doors.join(", ")
    }

    /// Puts the certificate in place, deploys the app's stack, waits for it.
    pub(crate) async fn deploy_app(&self, stack: &Stack, progress: impl Fn(u64, u64)) -> Result<()> {
        if let Some(place) = &self.scenario.spec.certificate {
            let helper = Helper::create(&self.owned, &self.helper_image, &self.stack.name, &place.volume).await?;
            let files = [
                (place.cert.as_str(), 0o644, self.authority.cert_pem.as_bytes()),
                (place.key.as_str(), 0o600, self.authority.key_pem.as_bytes()),
            ];
            helper.write(&files).await?;
            helper.close().await?;
        }
        self.with_secrets(stack).deploy(&self.owned, &self.lease).await?;
        tokio::try_join!(self.open_doors(stack), self.running(progress))?;
        self.answering().await
    }

    /// Starts what a stack that is deployed has besides its services: its resolver, and the way in.
    pub(super) async fn open_doors(&self, stack: &Stack) -> Result<()> {
        let resolver = self.resolver.start(&self.owned, &stack.name, &stack.resolvers);
        tokio::try_join!(resolver, self.relay.open(&self.owned, &stack.name)).map(drop)
    }

    /// Every secret that the run generates for the app, the old and the new values.
    pub fn secrets(&self) -> Vec<String> {
        self.secrets.all()
    }

    /// The stack with the secrets that it has now.
    pub(super) fn with_secrets(&self, stack: &Stack) -> Stack {
        let mut env = stack.env.clone();
        env.extend(self.secrets.values());
        Stack { env, secrets: self.secrets.files(), ..stack.clone() }
    }

    /// Deploys the app's stack once more, over what runs, with these changes of the recipe; waits until it converged.
    pub(crate) async fn redeploy(&self, edits: Vec<Edit>) -> Result<()> {
        Stack { edits, ..self.with_secrets(&self.stack) }.deploy(&self.owned, &self.lease).await?;
        deploy::converged(self.engine(), &self.stack.name, self.converge_deadline(), |_, _| ()).await
    }

    /// Deploys the app's stack once more, over what runs, and restarts what is restarted after a restore.
    pub(super) async fn deploy_again(&self) -> Result<()> {
        self.redeploy(self.stack.edits.clone()).await?;
        self.running(|_, _| ()).await?;
        self.restart_waves(&self.scenario.spec.restore.restart, |_, _| ()).await
    }

    /// Restarts services wave by wave; the doors need answer only after the last, as the front may keep the address of a
    /// service that was.
    pub(crate) async fn restart_waves(&self, waves: &[Vec<String>], progress: impl Fn(u64, u64)) -> Result<()> {
        for wave in waves {
            for service in wave {
                self.owned.restart(&self.stack.service(service)).await?;
            }
            self.running(&progress).await?;
        }
        self.answering().await?;
        // Mail that was tried while a service of a later wave was not there.
        self.flush_queue().await
    }

    /// Waits until the app's services run and are ready.
    pub(crate) async fn running(&self, progress: impl Fn(u64, u64)) -> Result<()> {
        deploy::converged(self.engine(), &self.stack.name, self.converge_deadline(), progress).await?;
        if self.standins {
            for check in self.scenario.spec.standins.iter().flat_map(|s| &s.ready) {
                self.ready(check).await?;
            }
        }
        Ok(())
    }

    /// Waits until a service's own readiness command ends with 0.
    pub(crate) async fn ready(&self, check: &ServiceCommand) -> Result<()> {
        let service = self.stack.service(&check.service);
        until(self.converge_deadline(), || async {
            // A container that ends meanwhile is one more reason to wait.
            let why = match self.engine().exec(&service, &check.command, &[], None).await {
                Ok(output) if output.code == 0 => return Ok(Ok(())),
                Ok(output) => output.stderr.trim().to_owned(),
                Err(e) => e.to_string(),
            };
            Ok(Err(format!("waiting for {service} to be ready: {why}")))
        })
        .await
    }

    /// Waits until the app answers on its doors.
    pub(crate) async fn answering(&self) -> Result<()> {
        for door in &self.scenario.spec.doors {
            until(self.converge_deadline(), || async {
                let greeting = tokio::time::timeout(Duration::from_secs(10), self.greeting(door)).await;
                Ok(match greeting {
                    Ok(Ok(line)) => {
                        self.welcome(door, line.trim()).map_err(|why| format!("waiting for door {}: {why}", door.name))
                    }
                    Ok(Err(e)) => Err(format!("waiting for door {}: {e}", door.name)),
                    Err(_) => Err(format!("waiting for door {}: it says nothing", door.name)),
                })
            })
            .await?;
        }
        Ok(())
    }

    /// Whether an app's pages are behind a door.
    pub(crate) fn has_pages(&self, door: &Door) -> bool {
        self.scenario.spec.pages.iter().any(|p| p.door == door.name)
    }

    /// Whether what a door said first is what an app says that is there.
    pub(crate) fn welcome(&self, door: &Door, line: &str) -> std::result::Result<(), String> {
        match &door.greeting {
            Some(expected) if !line.starts_with(expected) => Err(format!("it says {line:?}, expected {expected:?}")),
            // The relay accepts connections before the app does, and a front says 502 to 504 of an app that is not there.
            None if self.has_pages(door) => match line.split_whitespace().collect::<Vec<_>>()[..] {
                [protocol, "502" | "503" | "504", ..] if protocol.starts_with("HTTP/") => Err(format!("it says {line:?}")),
                [protocol, _, ..] if protocol.starts_with("HTTP/") => Ok(()),
                _ => Err(format!("it says {line:?}, expected a status line of HTTP")),
            },
            _ => Ok(()),
        }
    }

    /// The first line that a door says, with a TLS certificate signed by the run's own authority where TLS begins at once: unasked, or to
    /// a request where pages are behind it; nothing where another client speaks first.
    pub(crate) async fn greeting(&self, door: &Door) -> std::io::Result<String> {
        async fn line(mut connection: impl AsyncRead + AsyncWrite + Unpin, first: Option<&str>) -> std::io::Result<String> {
            let mut line = String::new();
            if let Some(first) = first {
                connection.write_all(first.as_bytes()).await?;
                BufReader::new(connection.take(LONGEST_GREETING)).read_line(&mut line).await?;
            }
            Ok(line)
        }
        let port = self.port(&door.name);
        let request = format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", HOST);
        // What is sent before a line is read.
        let first = match &door.greeting {
            Some(_) => Some(""),
            None => self.has_pages(door).then_some(request.as_str()),
        };
        match door.tls {
            Tls::Implicit => line(self.authority.connect(HOST, port).await?, first).await,
            Tls::Starttls | Tls::None => line(TcpStream::connect((HOST, port)).await?, first).await,
        }
    }
}
