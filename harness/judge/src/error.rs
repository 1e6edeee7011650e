//! What keeps a run from being read or judged.

use std::path::PathBuf;

/// An error of the store. What a restore lost is never an error but a finding.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory that should get a run has one.
    #[error("{} holds a run already; choose another --evidence directory", .0.display())]
    Taken(PathBuf),
    /// A directory that should have a run has none.
    #[error("{} holds no evidence.db; expected the directory that a run printed as its evidence", .0.display())]
    NoRun(PathBuf),
    /// The store is of another version of this program.
    #[error("{}: schema version {found}, expected {expected}; judge it with the restore-drill that wrote it", path.display())]
    Schema {
        /// The store.
        path: PathBuf,
        /// The version that it has.
        found: i64,
        /// The version that this program reads.
        expected: i64,
    },
    /// The store could not be read or written.
    #[error("evidence {}: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A fact of the run is not in the form that it should have.
    #[error("evidence {}: the run's {key:?} cannot be read: {source}", path.display())]
    Fact {
        /// The file.
        path: PathBuf,
        /// The fact's key.
        key: &'static str,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The run's directory could not be made.
    #[error("the run's directory {} cannot be made: {source}; --evidence names another", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An observation that is asked for was not completed.
    #[error("{0}")]
    Incomplete(String),
}

/// The result of reading a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;
