//! What can go wrong with the engine.

/// An engine that cannot be used, a request that it refused, a command that failed, or a wait that took too long.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine cannot be used as it is.
    #[error("{0}")]
    Unusable(String),
    /// The engine refused a request.
    #[error("{context}: {source}")]
    Docker {
        /// What was attempted.
        context: String,
        /// The engine's answer.
        source: Box<bollard::errors::Error>,
    },
    /// No container of a service runs in which a command could.
    #[error("service {service} has no running container to run {program:?} in")]
    NoContainer {
        /// The service's full name.
        service: String,
        /// The command's first word.
        program: String,
    },
    /// A command did not end with 0.
    #[error("{what} ended with exit code {code}: {said}")]
    Command {
        /// What the command was for.
        what: String,
        /// Its exit code.
        code: i64,
        /// Its last lines.
        said: String,
    },
    /// The engine did not give a command's output.
    #[error("{0}: not attached")]
    NotAttached(String),
    /// A command printed a line that is too long to be held.
    #[error("{what} printed a line of more than {} MiB", most >> 20)]
    LongLine {
        /// The command's first word.
        what: String,
        /// The longest line that is taken, in bytes.
        most: usize,
    },
    /// What was waited for did not come.
    #[error("after {seconds} s still {waiting}")]
    Late {
        /// How long it was waited for.
        seconds: u64,
        /// What for: `waiting for …`, `running …`.
        waiting: String,
    },
}

impl Error {
    /// Whether the container that was asked is not there, or went while it was asked: somebody removed it or restarted its service.
    pub fn is_gone(&self) -> bool {
        use bollard::errors::Error as E;
        match self {
            Self::NoContainer { .. } => true,
            Self::Docker { source, .. } => {
                matches!(**source, E::DockerResponseServerError { status_code: 404 | 409, .. } | E::IOError { .. })
            }
            _ => false,
        }
    }

    /// Whether the engine did not answer at all.
    pub fn is_unreachable(&self) -> bool {
        use bollard::errors::Error as E;
        match self {
            Self::Unusable(_) => true,
            Self::Docker { source, .. } => matches!(
                **source,
                E::HyperResponseError { .. } | E::HyperLegacyError { .. } | E::SocketNotFoundError(_) | E::RequestTimeoutError
            ),
            _ => false,
        }
    }
}

/// The first cause of an error: what the system said, without what each layer above it adds.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// The result of asking the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds what was attempted to an engine's error.
pub trait Context<T> {
    /// The result, with what was attempted.
    ///
    /// # Errors
    /// The engine's own.
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Context<T> for Result<T, bollard::errors::Error> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Docker { context: what.into(), source: Box::new(source) })
    }
}

/// Whether the engine says that there is no such object.
pub fn is_not_found(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code: 404, .. })
}

/// Whether the engine says that an object of the swarm was changed after it was read.
pub fn is_out_of_sequence(error: &bollard::errors::Error) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { message, .. } if message.contains("out of sequence"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_went_is_told_from_an_engine_that_refuses() {
        use bollard::errors::Error as E;
        let server = |status_code| E::DockerResponseServerError { status_code, message: "no".into() };
        let docker = |source: E| Error::Docker { context: "running".into(), source: Box::new(source) };
        let none = Error::NoContainer { service: "s".into(), program: "p".into() };
        let cut = E::IOError { err: std::io::Error::from(std::io::ErrorKind::UnexpectedEof) };
        let gone = [none, docker(server(404)), docker(server(409)), docker(cut)].map(|e| e.is_gone());
        assert_eq!(gone, [true; 4]);
        let other =
            [docker(server(500)), docker(E::RequestTimeoutError), Error::Unusable("no swarm".into())].map(|e| e.is_gone());
        assert_eq!(other, [false; 3]);
    }
}
