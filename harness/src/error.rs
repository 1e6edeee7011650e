//! What can go wrong other than a broken restore, each kind with its exit code.

use std::fmt;
use std::path::PathBuf;

use crate::exit_code;

/// An error that ends a command. What a restore lost is never an error but a finding.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that the user wrote is wrong.
    #[error("{}: {message}", Place(file, *line))]
    Input {
        /// The file.
        file: PathBuf,
        /// Its line, from 1, where known.
        line: Option<usize>,
        /// The value, what was expected, and what to do.
        message: String,
    },
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The engine cannot be used as it is.
    #[error("{0}")]
    Engine(String),
    /// The engine refused a request.
    #[error("{context}: {source}")]
    Docker {
        /// What was attempted.
        context: String,
        /// The engine's answer.
        source: Box<bollard::errors::Error>,
    },
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
        complaints: Vec<crate::backup::Complaint>,
    },
    /// The run could not get to a verdict.
    #[error("{0}")]
    Unknown(String),
    /// A stack's services did not all run in time.
    #[error("{0}")]
    NotConverged(String),
    /// The wipe left something behind, so that a restore would prove nothing.
    #[error("wipe not proven, restore refused: {}", .0.iter().map(|l| l.what.as_str()).collect::<Vec<_>>().join("; "))]
    WipeNotProven(Vec<Leftover>),
    /// A claim was asked for that the run does not prove.
    #[error("{0}")]
    NotHeld(String),
    /// A signal ended the run.
    #[error("ended by {0}")]
    Signal(Signal),
    /// The evidence directory could not be read or written.
    #[error("evidence {}: {source}", path.display())]
    Evidence {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
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

/// The signals that end a run in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What `kill` sends by default.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

struct Place<'a>(&'a PathBuf, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())?;
        self.1.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// The result of what can end a command.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The exit code that this error ends the program with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Input { .. } | Self::Usage(_) => exit_code::USAGE,
            Self::NotHeld(_) => exit_code::BROKEN,
            Self::Engine(_) => exit_code::ENGINE,
            Self::Signal(Signal::Interrupt) => exit_code::SIGINT,
            Self::Signal(Signal::Terminate) => exit_code::SIGTERM,
            Self::Docker { source, .. } if unreachable(source) => exit_code::ENGINE,
            _ => exit_code::UNKNOWN,
        }
    }

    pub(crate) fn input(file: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self::Input { file: file.into(), line, message: message.into() }
    }

    /// What makes an error of a file's I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

fn unreachable(error: &bollard::errors::Error) -> bool {
    use bollard::errors::Error as E;
    matches!(
        error,
        E::HyperResponseError { .. } | E::HyperLegacyError { .. } | E::SocketNotFoundError(_) | E::RequestTimeoutError
    )
}

/// Adds what was attempted to an engine's error.
pub(crate) trait Context<T> {
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for Result<T, bollard::errors::Error> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Docker { context: what.into(), source: Box::new(source) })
    }
}

/// Whether the engine says that there is no such object.
pub(crate) fn is_not_found(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}
