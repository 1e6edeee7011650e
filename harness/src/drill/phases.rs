//! The phases around the engine: deploy and settle; what they wait for.

use std::time::Duration;

use futures_util::StreamExt as _;
use judge::redact::redact;
use recipe::scenario::{Door, ServiceCommand, Tls};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::proof::Seeded;
use super::{BotChoice, Drill};
use crate::backup::Bot;
use crate::error::Context as _;
use crate::error::{Error, Result};
use crate::events::Phase;
use crate::secret::Secret;
use crate::stack::deploy;
use crate::stack::deploy::Stack;
use crate::stack::ownership::Owned;
use crate::stack::run_labels;
use crate::stack::slots::Alive;
use crate::stack::until;
use crate::stack::volumes::Helper;
use recipe::compose::edit::Edit;

/// The stack runs and answers on its doors.
#[must_use]
pub struct Deployed {
    _private: (),
}

/// The queue is empty.
#[must_use]
pub struct Settled {
    _private: (),
}

impl Drill {
    /// Deploys the app and the bot, and waits until both run and the app answers on its doors.
    pub async fn deploy(&self) -> Result<Deployed> {
        let phase = self.events.phase(Phase::Deploy);
        if let Some(bot) = &self.bot_stack {
            deploy_bot(&self.owned, bot, &self.secret, &self.alive).await?;
        }
        let first = self.before.as_ref().unwrap_or(&self.stack);
        self.deploy_app(first, |done, all| phase.progress(done, all, "services")).await?;
        if let Some(bot) = &self.bot_stack {
            deploy::converged(self.engine(), &bot.name, self.converge_deadline(), |_, _| ()).await?;
        }
        phase.finish(format!("stack {}, doors {}", self.stack.name, self.doors()));
        Ok(Deployed { _private: () })
    }

    fn doors(&self) -> String {
        let doors: Vec<String> = self.ports.iter().map(|(name, port)| format!("{name} {}:{port}", self.host)).collect();
        doors.join(", ")
    }

    pub(crate) fn converge_deadline(&self) -> Duration {
        Duration::from_secs(self.scenario.spec.deadlines.converge)
    }

    pub(super) fn removal_deadline(&self) -> Duration {
        Duration::from_secs(self.scenario.spec.deadlines.removal)
    }

    /// Puts the certificate in place, deploys the app's stack, waits for it.
    pub(super) async fn deploy_app(&self, stack: &Stack, progress: impl Fn(u64, u64)) -> Result<()> {
        if let Some(place) = &self.scenario.spec.certificate {
            let helper = Helper::create(&self.owned, &self.helper_image, &self.stack.name, &place.volume).await?;
            let files = [
                (place.cert.as_str(), 0o644, self.authority.cert_pem.as_bytes()),
                (place.key.as_str(), 0o600, self.authority.key_pem.as_bytes()),
            ];
            helper.write(&files).await?;
            helper.close().await?;
        }
        stack.deploy(&self.owned, &self.alive).await?;
        self.up(progress).await
    }

    /// Deploys the app's stack once more, over what runs, with these changes of the recipe; waits until it converged.
    pub(crate) async fn redeploy(&self, edits: Vec<Edit>) -> Result<()> {
        Stack { edits, ..self.stack.clone() }.deploy(&self.owned, &self.alive).await?;
        deploy::converged(self.engine(), &self.stack.name, self.converge_deadline(), |_, _| ()).await
    }

    /// Waits until a service's own readiness command ends with 0.
    async fn ready(&self, check: &ServiceCommand) -> Result<()> {
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

    /// Waits until the app's services run and are ready and its doors answer.
    pub(super) async fn up(&self, progress: impl Fn(u64, u64)) -> Result<()> {
        self.running(progress).await?;
        self.answering().await
    }

    /// Restarts services wave by wave; the doors need answer only after the last, as the front may keep the address of a
    /// service that was.
    pub(super) async fn restart_waves(&self, waves: &[Vec<String>], progress: impl Fn(u64, u64)) -> Result<()> {
        for wave in waves {
            for service in wave {
                self.owned.restart(&self.stack.service(service)).await?;
            }
            self.running(&progress).await?;
        }
        self.answering().await
    }

    /// Waits until the app's services run and are ready.
    pub(super) async fn running(&self, progress: impl Fn(u64, u64)) -> Result<()> {
        deploy::converged(self.engine(), &self.stack.name, self.converge_deadline(), progress).await?;
        if self.standins {
            for check in self.scenario.spec.standins.iter().flat_map(|s| &s.ready) {
                self.ready(check).await?;
            }
        }
        Ok(())
    }

    /// Waits until the app answers on its doors.
    async fn answering(&self) -> Result<()> {
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
    fn has_pages(&self, door: &Door) -> bool {
        self.scenario.spec.pages.iter().any(|p| p.door == door.name)
    }

    /// Whether what a door said first is what an app says that is there.
    fn welcome(&self, door: &Door, line: &str) -> std::result::Result<(), String> {
        match &door.greeting {
            Some(expected) if !line.starts_with(expected) => Err(format!("it says {line:?}, expected {expected:?}")),
            // An engine's proxy accepts connections before the app does, and a front says 502 to 504 of an app that is not there.
            None if self.has_pages(door) => match line.split_whitespace().collect::<Vec<_>>()[..] {
                [protocol, "502" | "503" | "504", ..] if protocol.starts_with("HTTP/") => Err(format!("it says {line:?}")),
                [protocol, _, ..] if protocol.starts_with("HTTP/") => Ok(()),
                _ => Err(format!("it says {line:?}, expected a status line of HTTP")),
            },
            _ => Ok(()),
        }
    }

    /// The first line that a door says, over TLS that the run's authority vouches for where TLS begins at once: unasked, or to
    /// a request where pages are behind it; nothing where another client speaks first.
    async fn greeting(&self, door: &Door) -> std::io::Result<String> {
        async fn line(mut connection: impl AsyncRead + AsyncWrite + Unpin, first: Option<&str>) -> std::io::Result<String> {
            let mut line = String::new();
            if let Some(first) = first {
                connection.write_all(first.as_bytes()).await?;
                BufReader::new(connection).read_line(&mut line).await?;
            }
            Ok(line)
        }
        let port = self.port(&door.name);
        let request = format!("HEAD / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        // What is sent before a line is read.
        let first = match &door.greeting {
            Some(_) => Some(""),
            None => self.has_pages(door).then_some(request.as_str()),
        };
        match door.tls {
            Tls::Implicit => line(self.authority.connect(&self.host, port).await?, first).await,
            Tls::Starttls | Tls::None => line(TcpStream::connect((self.host.as_str(), port)).await?, first).await,
        }
    }

    /// Waits until the mail queue is empty: every accepted message is delivered or bounced.
    /// The deadline is for the queue to get shorter, not for it to be empty.
    pub async fn settle(&self, _: Seeded) -> Result<Settled> {
        if self.mail().is_none() {
            return Ok(Settled { _private: () });
        }
        let phase = self.events.phase(Phase::Settle);
        let mut shortest = None;
        let mut last = 0;
        loop {
            let before = shortest;
            let result = until(Duration::from_secs(self.scenario.spec.deadlines.settle), || async {
                let queued = self.queued().await?;
                Ok(if queued == 0 || before.is_none_or(|b| queued < b) {
                    Ok(queued)
                } else {
                    Err(format!("{queued} messages are in the queue, and it does not get shorter"))
                })
            })
            .await;
            let queued = result.map_err(|e| Error::Unknown(format!("mail was accepted and not delivered: {e}")))?;
            last = last.max(queued);
            phase.progress(last - queued, last, "messages");
            if queued == 0 {
                break;
            }
            shortest = Some(queued);
        }
        phase.finish("the queue is empty");
        Ok(Settled { _private: () })
    }

    async fn queued(&self) -> Result<u64> {
        Ok(self.queue().await?.len() as u64)
    }

    /// The bot that this run drives.
    pub async fn bot(&self) -> Result<Bot> {
        let run = (self.options.backupbot == BotChoice::Own).then(|| self.owned.run());
        Bot::find(self.engine(), run).await
    }

    /// Stores the last of each service's log in the run's directory. A log that cannot be had is no reason to fail.
    pub(super) async fn keep_logs(&self) {
        use bollard::query_parameters::LogsOptionsBuilder;
        const MOST: usize = 4 << 20;
        let Ok(remains) = self.owned.remains(None).await else { return };
        for service in remains.services {
            let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).tail("5000").build();
            let mut log = self.engine().docker.service_logs(&service, Some(options));
            let mut text = Vec::new();
            // Swarm does not end the stream while a task is starting.
            while let Ok(Some(Ok(chunk))) = tokio::time::timeout(Duration::from_secs(5), log.next()).await {
                text.extend_from_slice(&chunk.into_bytes());
                if text.len() > MOST {
                    break;
                }
            }
            let text = redact(&String::from_utf8_lossy(&text)).into_owned();
            let _ = std::fs::write(self.evidence.dir().join("logs").join(format!("{service}.log")), text);
        }
    }
}

/// Deploys the bot's stack, its repository's password first.
pub(crate) async fn deploy_bot(owned: &Owned, bot: &Stack, secret: &Secret, alive: &Alive) -> Result<()> {
    let spec = bollard::models::SecretSpec {
        name: Some(format!("{}_restic_password", bot.name)),
        labels: Some(run_labels(&bot.run).into_iter().collect()),
        data: Some(base64_of(&secret.derive("restic"))),
        ..Default::default()
    };
    let docker = owned.engine().docker.clone();
    owned.create(async move { docker.create_secret(spec).await.context("creating the repository's password") }).await?;
    bot.deploy(owned, alive).await
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
