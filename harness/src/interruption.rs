//! What ends a run from outside: signals, and the loss of whoever started it. A CI server that cancels a step kills the step's shell
//! and nothing else.

use std::os::unix::process::parent_id;
use std::time::Duration;

use tokio::signal::unix::{Signal as Source, SignalKind, signal};

use crate::error::{Error, Result, Signal};

/// How often to check whether the parent still exists.
const LOOK: Duration = Duration::from_millis(500);
/// The process to which orphans belong.
const INIT: u32 = 1;

/// What is waited for.
pub struct Interruptions {
    interrupt: Source,
    terminate: Source,
    /// None where whoever started this wants it to outlive the terminal, as `nohup` says.
    hangup: Option<Source>,
    /// The process that started this one, until it is gone.
    parent: Option<u32>,
}

impl Interruptions {
    /// Begins to listen. From now on, none of these signals ends the process.
    ///
    /// # Errors
    /// The system takes no handler.
    pub fn listen() -> Result<Self> {
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

    /// Waits for the next one. The loss of the parent comes once.
    pub async fn next(&mut self) -> Signal {
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

    #[test]
    fn nohup_is_known_by_what_the_process_ignores() {
        assert!(is_hangup_ignored("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n"));
        assert!(!is_hangup_ignored("SigIgn:\t0000000000001000\n"));
        assert!(!is_hangup_ignored(""));
    }
}
