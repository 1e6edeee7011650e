//! The sign of life of a run on the engine, which everybody who uses the engine can see, from whichever machine, user and state
//! directory: a config of the swarm that the run renews every few seconds. The engine's own clock dates it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use bollard::models::Config;
use bollard::query_parameters::UpdateConfigOptionsBuilder;
use engine::{Engine, is_not_found, is_out_of_sequence};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::LEASE_LABEL;
use super::alive::{self, Alive, host_id};
use super::mark::{self, Mark, WHAT_LABEL};
use super::ownership::{Owned, lease_name};
use crate::error::{Context as _, Error, Result};
use crate::interruption::interruptible;

/// How often the lease was renewed.
const BEAT_LABEL: &str = "restore-drill.beat";
/// How often a lease is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// A run whose lease was not renewed for so long is dead.
pub const SILENT: SignedDuration = SignedDuration::from_secs(60);

/// What the label of a lease says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The run renews it.
    Held,
    /// The run has ended, and its deployment stays.
    Kept,
    /// Somebody else has ended the run, and removes what it has deployed.
    Ended,
}

impl State {
    /// What a lease says.
    fn of(lease: &Mark) -> Option<Self> {
        let word = lease.label(LEASE_LABEL)?;
        [Self::Held, Self::Kept, Self::Ended].into_iter().find(|state| state.word() == word)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Kept => "kept",
            Self::Ended => "ended",
        }
    }
}

/// The lease of a run of this process, with the run's lock on this machine.
pub struct Lease {
    owned: Owned,
    alive: Alive,
    beat: JoinHandle<()>,
    lost: watch::Receiver<bool>,
}

impl Lease {
    /// Takes the lease of a run, before it creates anything else. `what` is what it does, in a word.
    ///
    /// # Errors
    /// The engine is in no swarm, or fails.
    pub async fn take(owned: &Owned, what: &str) -> Result<Self> {
        let alive = Alive::take(owned.run())?;
        let labels = [(LEASE_LABEL, State::Held.word()), (WHAT_LABEL, what)];
        let created = mark::make(owned, &lease_name(owned.run()), labels.into_iter()).await;
        created.inspect_err(|_| alive.tidy())?;
        let (loses, lost) = watch::channel(false);
        let (engine, name) = (owned.engine().clone(), lease_name(owned.run()));
        let beat = tokio::spawn(async move { keep_renewing(&engine, &name, &loses).await });
        Ok(Self { owned: owned.clone(), alive, beat, lost })
    }

    /// The run.
    pub fn run(&self) -> &str {
        self.owned.run()
    }

    /// Keeps the run alive on this machine until a child process has ended, as [`Alive::inherit`] says.
    pub fn inherit(&self) -> Result<Stdio> {
        self.alive.inherit()
    }

    /// Does `work` unless it is ended: by a signal, or by somebody who takes the lease away. What it created is for the caller to remove.
    ///
    /// # Errors
    /// Those of the work, or what ended it.
    pub async fn interruptible<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            result = interruptible(work) => result,
            () = self.lost() => Err(Error::EndedFromOutside { run: self.run().to_owned() }),
        }
    }

    /// Waits until somebody has taken the lease away.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending().await
        }
    }

    /// Whether the run still has the lease; so it has where the engine does not say.
    pub async fn is_held(&self) -> bool {
        match mark::find(self.owned.engine(), &lease_name(self.owned.run())).await {
            Ok(found) => found.is_some_and(|lease| State::of(&lease) == Some(State::Held)),
            Err(_) => true,
        }
    }

    /// Ends the run: removes what it created, then its place in the line and the lease.
    ///
    /// # Errors
    /// The engine does not do it in time. Then the lease is renewed no more, and any `gc` may try again.
    pub async fn end(&self, deadline: Duration) -> Result<()> {
        let removed = self.owned.remove_all(None, deadline).await;
        self.beat.abort();
        removed?;
        self.owned.remove_leases().await?;
        self.alive.tidy();
        Ok(())
    }

    /// Ends the run, and says on the engine that its deployment stays. Its place in the line is free.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn keep(&self) -> Result<()> {
        self.beat.abort();
        if !relabel(self.owned.engine(), &lease_name(self.owned.run()), LEASE_LABEL, State::Kept.word()).await? {
            return Err(Error::EndedFromOutside { run: self.run().to_owned() });
        }
        self.owned.remove_place().await?;
        self.alive.tidy();
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

async fn keep_renewing(engine: &Engine, name: &str, loses: &watch::Sender<bool>) {
    let mut ticks = tokio::time::interval(BEAT);
    for beat in 0_u64.. {
        ticks.tick().await;
        let beat = beat.to_string();
        let renewed = relabel(engine, name, BEAT_LABEL, &beat);
        match tokio::time::timeout(BEAT * 6, renewed).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                let _ = loses.send(true);
                return;
            }
            Ok(Err(e)) => tracing::debug!("the lease {name} was not renewed: {e}"),
            Err(_) => tracing::debug!("the lease {name} was not renewed: the engine does not answer"),
        }
    }
}

/// Sets a label of a lease that its run holds, which dates it anew. Whether the run still has it.
async fn relabel(engine: &Engine, name: &str, label: &str, value: &str) -> Result<bool> {
    let mut tries = 0;
    loop {
        let Some(lease) = mark::find(engine, name).await?.filter(|lease| State::of(lease) == Some(State::Held)) else {
            return Ok(false);
        };
        match update(engine, lease.config, label, value).await {
            Err(e) if is_not_found(&e) => return Ok(false),
            // A renewal was on its way.
            Err(e) if is_out_of_sequence(&e) && tries < 5 => tries += 1,
            updated => return updated.context(format!("renewing config {name}")).map(|()| true),
        }
    }
}

/// Sets a label of a config as it was read: an error where it was changed since.
async fn update(engine: &Engine, config: Config, label: &str, value: &str) -> Result<(), bollard::errors::Error> {
    let version = config.version.and_then(|v| v.index).unwrap_or_default();
    let mut spec = config.spec.unwrap_or_default();
    spec.labels.get_or_insert_default().insert(label.to_owned(), value.to_owned());
    let options = UpdateConfigOptionsBuilder::default().version(version as i64).build();
    engine.docker.update_config(&config.id.unwrap_or_default(), spec, options).await
}

/// Whether a run lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does; its last sign of life is so old.
    Alive(SignedDuration),
    /// It has ended, and its deployment stays.
    Kept,
    /// It does not.
    Dead,
    /// It was started elsewhere and has no lease, so nothing is known.
    Unknown,
}

/// All leases on an engine at a time.
#[derive(Debug)]
pub struct Leases {
    /// This machine and state directory.
    host: String,
    /// What the engine's clock said.
    pub(super) now: Timestamp,
    of: BTreeMap<String, Mark>,
}

impl Leases {
    /// Reads them.
    ///
    /// # Errors
    /// The engine fails, or says no time.
    pub async fn read(engine: &Engine) -> Result<Self> {
        let leases = mark::all(engine, LEASE_LABEL, lease_name).await?;
        // Asked last, so that no lease is from later.
        let info = engine.docker.info().await.context("asking the engine for its time")?;
        let now = mark::time(info.system_time.as_deref())?;
        let of = leases.into_iter().map(|lease| (lease.run.clone(), lease)).collect();
        Ok(Self { host: host_id()?, now, of })
    }

    /// Whether a run lives, by the host that its objects name. What was killed on this machine is known to be dead at once, by
    /// its lock.
    ///
    /// # Errors
    /// The state directory cannot be read.
    pub fn life(&self, run: &str, host: &str) -> Result<Life> {
        let lease = self.of.get(run);
        let state = lease.and_then(State::of);
        if state == Some(State::Kept) {
            return Ok(Life::Kept);
        }
        let silent = lease.map_or(SignedDuration::ZERO, |l| self.now.duration_since(l.renewed));
        let is_here = lease.map_or(host, |l| &l.host) == self.host;
        Ok(match (alive::is_held(run)?.filter(|_| is_here), lease) {
            (Some(true), _) => Life::Alive(silent),
            (Some(false), _) => Life::Dead,
            (None, Some(_)) if silent <= SILENT && state == Some(State::Held) => Life::Alive(silent),
            (None, Some(_)) => Life::Dead,
            (None, None) if is_here => Life::Dead,
            (None, None) => Life::Unknown,
        })
    }

    /// Whether a run's lease was taken away: whoever has its lock then is removing what it left.
    pub(super) fn is_ended(&self, run: &str) -> bool {
        self.of.get(run).and_then(State::of) == Some(State::Ended)
    }

    /// Takes the lease of a run away, as it was read; so the run sees that it was ended, and whatever becomes of what it deployed is not the
    /// app's doing. Whether it could be: not where the run has renewed it since.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn take_away(&self, engine: &Engine, run: &str) -> Result<bool> {
        let Some(lease) = self.of.get(run).filter(|lease| State::of(lease) == Some(State::Held)) else { return Ok(true) };
        match update(engine, lease.config.clone(), LEASE_LABEL, State::Ended.word()).await {
            Err(e) if is_out_of_sequence(&e) => Ok(false),
            Err(e) if is_not_found(&e) => Ok(true),
            updated => updated.context(format!("ending run {run}")).map(|()| true),
        }
    }

    /// The same of a run that is alive and renews it.
    ///
    /// # Errors
    /// The engine fails.
    pub async fn take_by_force(engine: &Engine, run: &str) -> Result<()> {
        relabel(engine, &lease_name(run), LEASE_LABEL, State::Ended.word()).await.map(drop)
    }

    /// What a run does, and for how long, as it is told to people.
    pub fn told(&self, run: &str) -> String {
        match self.of.get(run) {
            Some(lease) => {
                let silent = self.now.duration_since(lease.renewed).as_secs();
                format!("run {run} ({}, for {}, last sign of life {silent} s ago)", lease.what, ago(self.now, lease.made))
            }
            None => format!("run {run}"),
        }
    }
}

/// How long ago something was, as people say it.
pub(super) fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
