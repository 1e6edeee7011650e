//! What ends a run from outside: signals, and the loss of whoever started it. A CI server that cancels a step kills the step's shell
//! and nothing else.

use std::os::unix::process::parent_id;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{Signal as Source, SignalKind, signal};

use crate::error::{Error, Result, Signal};

/// How often to check whether the parent still exists.
const LOOK: Duration = Duration::from_millis(500);
/// The process to which orphans belong.
const INIT: u32 = 1;

/// What is waited for.
pub struct Interruptions(Option<Sources>);

struct Sources {
    interrupt: Source,
    terminate: Source,
    /// None where whoever started this wants it to outlive the terminal, as `nohup` says.
    hangup: Option<Source>,
    /// The process that started this one, until it is gone.
    parent: Option<u32>,
}

/// Those that nobody waits for at the moment. What arrives meanwhile is not lost: once there is a handler, a signal that nobody listens to
/// would do nothing.
static KEPT: Mutex<Option<Sources>> = Mutex::new(None);

impl Interruptions {
    /// Begins to listen. From now on, none of these signals ends the process.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn listen() -> Result<Self> {
        let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.map_or_else(Sources::new, Ok).map(|sources| Self(Some(sources)))
    }

    /// Waits for the next one. The loss of the parent comes once.
    pub async fn next(&mut self) -> Signal {
        match &mut self.0 {
            Some(sources) => sources.next().await,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Interruptions {
    fn drop(&mut self) {
        *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = self.0.take();
    }
}

impl Sources {
    fn new() -> Result<Self> {
        let handler = |kind| signal(kind).map_err(|e| Error::system("signal handlers cannot be installed", e));
        // A CI server's runner may itself run under `nohup`; its steps are not to outlive their shells.
        let is_ci = std::env::var_os("CI").is_some();
        let outlives = !is_ci && is_hangup_ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        Ok(Self {
            interrupt: handler(SignalKind::interrupt())?,
            terminate: handler(SignalKind::terminate())?,
            hangup: if outlives { None } else { Some(handler(SignalKind::hangup())?) },
            parent: Some(parent_id()).filter(|parent| *parent > INIT && !outlives),
        })
    }

    async fn next(&mut self) -> Signal {
        let Self { interrupt, terminate, hangup, parent } = self;
        let hangup = async {
            match hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            () = hangup => Signal::HangUp,
            () = lost(parent) => Signal::Orphaned,
        }
    }
}

/// Waits until the parent is gone, and forgets it.
async fn lost(parent: &mut Option<u32>) {
    let Some(known) = *parent else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(LOOK);
    while parent_id() == known {
        ticks.tick().await;
    }
    *parent = None;
}

/// Whether the process was told to ignore SIGHUP: the first bit of the signals that Linux says it ignores.
fn is_hangup_ignored(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// Does `work` unless it is ended from outside; what it created is for the caller to remove.
///
/// # Errors
/// Those of the work, or what ended it.
pub async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut interruptions = Interruptions::listen()?;
    tokio::select! {
        result = work => result,
        signal = interruptions.next() => Err(Error::Signal(signal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_arrives_while_nobody_waits_is_not_lost() {
        interruptible(async { Ok(()) }).await.expect("nothing ends it");
        let own = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &own]).status().expect("kill runs").success());
        let ended = tokio::time::timeout(Duration::from_secs(60), interruptible(std::future::pending::<Result<()>>()));
        assert!(matches!(ended.await.expect("in time"), Err(Error::Signal(Signal::Terminate))));
    }

    #[test]
    fn nohup_is_known_by_what_the_process_ignores() {
        assert!(is_hangup_ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n"));
        assert!(!is_hangup_ignored("SigIgn:\t0000000000001000\n"));
        assert!(!is_hangup_ignored(""));
    }
}
