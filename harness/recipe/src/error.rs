//! What can be wrong with files, and with the names of files.

use std::fmt;
use std::path::PathBuf;

/// Why a file, or what a user asked for, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Files that the user wrote are wrong. The list has everything that was found, and at least one problem.
    #[error("{}", Listed(.0))]
    Input(Vec<Problem>),
    /// The user asked for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// A file that the user named cannot be read, most often because it does not exist.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file or folder that the user named cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file could not be read or written for a reason that is not the user's, such as a full disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// One thing that is wrong in a file. Its text is `file:line: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1, where known.
    pub line: Option<usize>,
    /// The value, what was expected, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))?;
        write!(f, ": {}", self.message)
    }
}

/// One problem as it is; more of them counted and one a line.
struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.0 {
            return problem.fmt(f);
        }
        write!(f, "{} problems:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// The result of reading files.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// One problem in a file, at a line where it is known.
    pub fn input(file: impl Into<PathBuf>, line: Option<usize>, message: impl Into<String>) -> Self {
        Self::Input(vec![Problem { file: file.into(), line, message: message.into() }])
    }

    /// Wraps the system's error about a file that the user named, for `map_err`.
    pub fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unreadable { path, source }
    }

    /// Wraps the system's error about a file or folder that the user named and that is to be written, for `map_err`.
    pub fn unwritable(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Unwritable { path, source }
    }

    /// Wraps the system's error about any other file, for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Collects what is wrong, so that a user sees all of it at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem.
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// The value; or nothing, and its problems are kept. An error that is not about the user's files ends the reading.
    pub fn keep<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Input(problems)) => {
                self.0.extend(problems);
                Ok(None)
            }
            Err(Error::Unreadable { path, source }) => {
                self.0.push(Problem { file: path, line: None, message: format!("cannot be read: {source}") });
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// An error if there was a problem. Those of a file are together, in the order of its lines.
    pub fn into_result(mut self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let files: Vec<PathBuf> = self.0.iter().map(|p| p.file.clone()).collect();
        self.0.sort_by_key(|p| (files.iter().position(|f| *f == p.file), p.line.unwrap_or(usize::MAX)));
        Err(Error::Input(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_problem_is_a_line_and_more_are_a_list() {
        let one = Error::input("a.toml", Some(3), "no such service");
        assert_eq!(one.to_string(), "a.toml:3: no such service");
        let mut problems = Problems::default();
        assert!(problems.keep::<()>(Err(one)).expect("kept").is_none());
        assert_eq!(problems.keep(Ok(1)).expect("a value"), Some(1));
        problems.add(Problem { file: "b.toml".into(), line: None, message: "empty".into() });
        let error = problems.into_result().expect_err("two problems").to_string();
        assert_eq!(error, "2 problems:\n  a.toml:3: no such service\n  b.toml: empty");
        assert!(Problems::default().into_result().is_ok());
    }
}
