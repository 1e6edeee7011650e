//! The Docker engine that a drill runs on: the API client, commands in containers, waiting with a deadline. What a run creates,
//! and so may remove, is known one level above.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;

pub mod error;
pub mod exec;
pub mod fake;
mod place;

pub use error::{Context, Error, Result, is_not_found, is_out_of_sequence};

/// Swarm's own label for the stack of an object.
pub const NAMESPACE_LABEL: &str = "com.docker.stack.namespace";
/// Swarm's own label for the service of a container.
pub const SERVICE_LABEL: &str = "com.docker.swarm.service.name";

/// How long one command in a container may take, unless somebody says otherwise.
const COMMAND: Duration = Duration::from_secs(3600);

/// A connection to the engine that `DOCKER_HOST` or docker's context names, or to the local one.
#[derive(Clone)]
pub struct Engine {
    /// The API client, its version negotiated with the engine's.
    pub docker: Docker,
    /// Its address, for the docker command.
    pub host: String,
    /// How long one command in a container may take.
    patience: Duration,
}

impl Engine {
    /// Connects and negotiates the API version.
    pub async fn connect() -> Result<Self> {
        let host = place::address()?;
        let fail = |e: bollard::errors::Error| {
            Error::Unusable(format!(
                "no Docker engine at {host}: {}. Start it, or set DOCKER_HOST; `restore-drill doctor` checks more",
                error::cause(&e)
            ))
        };
        let docker = Docker::connect_with_host(&host).map_err(fail)?.with_timeout(Duration::from_secs(120));
        let docker = docker.negotiate_version().await.map_err(fail)?;
        docker.ping().await.map_err(fail)?;
        Ok(Self { docker, host, patience: COMMAND })
    }

    /// The same, where one command in a container may take this long.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

/// A label filter for the engine's list calls.
pub fn label_filter<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), labels.into_iter().map(|(k, v)| format!("{k}={v}")).collect())])
}

/// Polls `check` until it gives a value or `deadline` is over; `check` says what it still waits for.
pub async fn until<T, F, E>(deadline: Duration, mut check: impl FnMut() -> F) -> Result<T, E>
where
    F: Future<Output = Result<Result<T, String>, E>>,
    E: From<Error>,
{
    let end = tokio::time::Instant::now() + deadline;
    let mut pause = Duration::from_millis(50);
    loop {
        match check().await? {
            Ok(value) => return Ok(value),
            Err(waiting) if tokio::time::Instant::now() >= end => {
                return Err(Error::Late { seconds: deadline.as_secs(), waiting }.into());
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 3 / 2).min(Duration::from_millis(500));
    }
}
