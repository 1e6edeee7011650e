//! What can be wrong with what is written in files.

use std::fmt;
use std::path::PathBuf;

/// An error of whoever wrote a file, or of the system that could not read it.
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
    /// What was asked for is not there.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

struct Place<'a>(&'a PathBuf, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())?;
        self.1.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// The result of reading what is written.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error in a file, at a line where it is known.
    pub fn input(file: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self::Input { file: file.into(), line, message: message.into() }
    }

    /// What makes an error of a file's I/O error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
