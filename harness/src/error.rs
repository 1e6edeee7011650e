//! What can go wrong other than a broken restore, each kind with its exit code.

use std::fmt;
use std::path::PathBuf;

use judge::model::Complaint;

use crate::exit_code;

mod fault;
mod reading;
mod seeding;

pub use fault::FaultError;
pub use reading::ReadingError;
pub use seeding::SeedingError;

/// An error that ends a command. What a restore lost is never an error but a finding.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that the user wrote is wrong, or cannot be read.
    #[error(transparent)]
    Recipe(#[from] recipe::Error),
    /// A run's evidence cannot be read or written.
    #[error(transparent)]
    Judge(#[from] judge::Error),
    /// The engine refused, failed, or did not answer in time.
    #[error(transparent)]
    Docker(#[from] engine::Error),
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The engine cannot be used as it is.
    #[error("{0}")]
    Engine(String),
    /// Something that does not carry this run's label was about to be changed.
    #[error("refused: {kind} {name} is not this run's ({found}); nothing was changed")]
    NotOurs {
        /// `volume`, `service`, …
        kind: &'static str,
        /// Its name.
        name: String,
        /// What its label says.
        found: String,
    },
    /// backupbot said that it failed. In a drill that is a finding; on its own it ends the command.
    #[error("{what} failed: {}", complaints.iter().map(|c| c.message.as_str()).collect::<Vec<_>>().join("; "))]
    Bot {
        /// What it was to do.
        what: String,
        /// What it said.
        complaints: Vec<Complaint>,
    },
    /// A fault cannot be injected.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// Something could not be read whole.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// The app does not hold the data that a drill needs.
    #[error(transparent)]
    Seeding(#[from] SeedingError),
    /// More than one snapshot of a stack appeared during one backup, so it is not known which is its own.
    #[error(
        "{snapshots} snapshots of stack {stack} appeared at once, so another backup ran beside this one: run the drill again while no other backup runs"
    )]
    OtherBackup {
        /// The stack.
        stack: String,
        /// How many.
        snapshots: usize,
    },
    /// A rung of the ladder tried nothing, so it says nothing.
    #[error("nothing was tried")]
    NothingTried,
    /// The run is under way in another process.
    #[error(
        "run {run} is under way in another process: wait until it ends, or end it with `restore-drill gc --run {run} --force`"
    )]
    UnderWay {
        /// The run.
        run: String,
    },
    /// What was to be removed is still there.
    #[error("after {seconds} s, {remains} of run {run} are still there{why}")]
    NotRemoved {
        /// How long it was waited for.
        seconds: u64,
        /// What is there.
        remains: String,
        /// The run.
        run: String,
        /// The last error, after a colon.
        why: String,
    },
    /// The system does not give what a run needs: random numbers, signal handlers, a client for the app's doors.
    #[error("{what}: {why}")]
    System {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// A forge or a CI server did not take something, or did not say something.
    #[error("{what}: {why}")]
    NotPosted {
        /// What, and where.
        what: String,
        /// Why not.
        why: String,
    },
    /// The program itself is wrong.
    #[error("a bug in restore-drill: {0}; please report it with the evidence directory")]
    Bug(String),
    /// A stack's services did not all run in time.
    #[error("{0}")]
    NotConverged(String),
    /// The wipe left something behind, so that a restore would prove nothing.
    #[error("wipe not proven, restore refused: {}", .0.iter().map(|l| l.what.as_str()).collect::<Vec<_>>().join("; "))]
    WipeNotProven(Vec<Leftover>),
    /// A claim was asked for that the run does not prove.
    #[error("{0}")]
    NotHeld(String),
    /// A whole run took longer than it may.
    #[error("the run took longer than the {seconds} s that --deadline allows")]
    Deadline {
        /// What it was given.
        seconds: u64,
    },
    /// Somebody removed the run's lease, and so what it had deployed.
    #[error("run {run} was ended from outside: its lease was removed, as `restore-drill gc --run {run} --force` does")]
    EndedFromOutside {
        /// The run.
        run: String,
    },
    /// A signal ended the run.
    #[error("ended by {0}")]
    Signal(Signal),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// What a wipe left behind, the first of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// One of the kinds that a wipe's proof looks for.
    pub kind: &'static str,
    /// What was found.
    pub what: String,
}

/// What ends a run from outside, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What `kill` sends by default.
    Terminate,
    /// The terminal is gone.
    HangUp,
    /// The process that started the run is gone.
    Orphaned,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::HangUp => "SIGHUP",
            Self::Orphaned => "the loss of the process that started it",
        })
    }
}

/// The result of what can end a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The exit code that this error ends the program with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Recipe(recipe::Error::Input(_) | recipe::Error::Usage(_) | recipe::Error::Unreadable { .. })
            | Self::Usage(_) => exit_code::USAGE,
            Self::Recipe(recipe::Error::Unwritable { source, .. }) | Self::Judge(judge::Error::Io { source, .. })
                if is_of_the_place(source.kind()) =>
            {
                exit_code::USAGE
            }
            Self::Judge(judge::Error::Taken(_) | judge::Error::NoRun(_) | judge::Error::Schema { .. }) => exit_code::USAGE,
            Self::NotHeld(_) => exit_code::BROKEN,
            Self::Engine(_) => exit_code::ENGINE,
            Self::NotPosted { .. } => exit_code::NOT_POSTED,
            Self::Signal(Signal::Interrupt) => exit_code::SIGINT,
            Self::Signal(Signal::Terminate | Signal::Orphaned) => exit_code::SIGTERM,
            Self::Signal(Signal::HangUp) => exit_code::SIGHUP,
            Self::Docker(e) if e.is_unreachable() => exit_code::ENGINE,
            _ => exit_code::UNKNOWN,
        }
    }

    /// Whether something that was waited for did not come in time.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self, Self::NotConverged(_) | Self::Docker(engine::Error::Late { .. }))
    }

    pub(crate) fn input(file: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        recipe::Error::input(file, line, message).into()
    }

    /// The program itself is wrong.
    pub(crate) fn bug(what: impl fmt::Display) -> Self {
        Self::Bug(what.to_string())
    }

    /// The system does not give what a run needs.
    pub(crate) fn system(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::System { what: what.into(), why: why.to_string() }
    }

    /// What makes an error of a file's I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Whether a place cannot be written because of where it is, which who named it can change. A full disk is another matter.
fn is_of_the_place(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as E;
    matches!(
        kind,
        E::NotFound
            | E::PermissionDenied
            | E::AlreadyExists
            | E::NotADirectory
            | E::IsADirectory
            | E::ReadOnlyFilesystem
            | E::InvalidFilename
            | E::InvalidInput
    )
}

/// Adds what was attempted to an engine's error.
pub(crate) trait Context<T> {
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for Result<T, bollard::errors::Error> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        Ok(engine::Context::context(self, what)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_run_from_its_verdict_is_unknown() {
        let errors: [Error; 5] = [
            FaultError::NoneInjected.into(),
            ReadingError::Stalled { what: "reading volume data".into(), seconds: 60 }.into(),
            SeedingError::TooFewMessages.into(),
            Error::bug("a task panicked"),
            engine::Error::Late { seconds: 5, waiting: "waiting for the bot".into() }.into(),
        ];
        for error in errors {
            assert_eq!(error.exit_code(), exit_code::UNKNOWN, "{error}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_mistake_and_a_full_disk_is_not() {
        let said = |kind: std::io::ErrorKind| Error::from(recipe::Error::unwritable("page.html")(kind.into())).exit_code();
        assert_eq!(said(std::io::ErrorKind::NotFound), exit_code::USAGE);
        assert_eq!(said(std::io::ErrorKind::ReadOnlyFilesystem), exit_code::USAGE);
        assert_eq!(said(std::io::ErrorKind::StorageFull), exit_code::UNKNOWN);
        // What the program writes on its own account is not the user's.
        assert_eq!(Error::io("lease")(std::io::ErrorKind::NotFound.into()).exit_code(), exit_code::UNKNOWN);
    }

    #[test]
    fn a_long_line_is_shown_in_part() {
        let error = ReadingError::form("listing the mail queue", "JSON", &"x".repeat(1000)).to_string();
        assert_eq!(error, format!("listing the mail queue: expected JSON, found \"{}\"", "x".repeat(200)));
    }
}
