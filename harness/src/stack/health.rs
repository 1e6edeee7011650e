//! Health checks: how long a stack's services may take to be healthy, and what they say meanwhile. Swarm shows nothing of a service's log
//! until a task of it is healthy, so the containers are asked.

use std::time::Duration;

use bollard::models::{ContainerConfig, HealthConfig};
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptionsBuilder, ListServicesOptionsBuilder, LogsOptionsBuilder,
};
use engine::{Engine, NAMESPACE_LABEL, SERVICE_LABEL, label_filter};
use futures_util::StreamExt as _;

use crate::error::{Context as _, Result};
use crate::stack::until;

/// What the engine does where a check does not say it: the time between two, and how many must fail.
const INTERVAL: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
/// How much longer a stack may take because of its health checks, at most.
const MOST: Duration = Duration::from_secs(3600);
/// How long a service may be without a container before its health check cannot be known.
const CONTAINER: Duration = Duration::from_secs(60);
/// How long a log may be silent before it is over: the engine ends no stream of a container that is being started.
const SILENCE: Duration = Duration::from_secs(5);

/// How long the health checks of a stack's services let it take to be healthy, if one service after the other waits for the one before,
/// and the slowest needs all its tries; not more than an hour.
///
/// # Errors
/// The engine fails.
pub async fn allowance(engine: &Engine, stack: &str) -> Result<Duration> {
    let filter = label_filter([(NAMESPACE_LABEL, stack)]);
    let options = ListServicesOptionsBuilder::default().filters(&filter).build();
    let services = engine.docker.list_services(Some(options)).await.context("listing services")?;
    let mut checks = Vec::new();
    for spec in services.into_iter().filter_map(|service| service.spec) {
        let image = spec.task_template.and_then(|t| t.container_spec).and_then(|c| c.image).unwrap_or_default();
        checks.extend(match of(engine, &spec.name.unwrap_or_default()).await? {
            Some(check) => Some(check),
            // No container was made yet. An image that is not there is still to be pulled.
            None => engine.docker.inspect_image(&image).await.ok().and_then(|image| image.config?.healthcheck),
        });
    }
    checks.retain(is_on);
    Ok(allowed(&checks))
}

/// The health check of a service, taken from its newest container, where the settings of its recipe and its image are merged. The engine
/// also returns it with the service, but in a field that the client library does not know.
///
/// # Errors
/// The engine fails.
pub async fn of(engine: &Engine, service: &str) -> Result<Option<HealthConfig>> {
    Ok(newest(engine, service).await?.and_then(|container| container.healthcheck))
}

/// The health check of a service that may be between two containers: waits for one.
///
/// # Errors
/// The engine fails, or the service has no container.
pub async fn certain(engine: &Engine, service: &str) -> Result<Option<HealthConfig>> {
    let found = until(CONTAINER, || async {
        let waiting = || format!("a container of service {service}, which tells its health check");
        Ok(newest(engine, service).await?.ok_or_else(waiting))
    });
    Ok(found.await?.healthcheck)
}

/// What a service's newest container was made of; none where there is no container.
async fn newest(engine: &Engine, service: &str) -> Result<Option<ContainerConfig>> {
    let Some(newest) = containers(engine, service).await?.pop() else { return Ok(None) };
    match engine.docker.inspect_container(&newest, None::<InspectContainerOptions>).await {
        Ok(found) => Ok(found.config),
        Err(e) if engine::is_not_found(&e) => Ok(None),
        Err(e) => Err(e).context("inspecting a container"),
    }
}

fn is_on(check: &HealthConfig) -> bool {
    check.test.as_ref().and_then(|test| test.first()).is_some_and(|word| word != "NONE")
}

fn allowed(checks: &[HealthConfig]) -> Duration {
    let nanoseconds = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).map(Duration::from_nanos);
    let interval = |c: &HealthConfig| nanoseconds(c.interval).unwrap_or(INTERVAL);
    let retries = |c: &HealthConfig| c.retries.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(RETRIES);
    let slow =
        |c: &HealthConfig| nanoseconds(c.start_period).unwrap_or_default().saturating_add(interval(c).saturating_mul(retries(c)));
    let slowest = checks.iter().map(slow).max().unwrap_or_default();
    checks.iter().map(interval).fold(slowest, Duration::saturating_add).min(MOST)
}

/// The containers of a service, those that ended too, from the oldest.
async fn containers(engine: &Engine, service: &str) -> Result<Vec<String>> {
    let filter = label_filter([(SERVICE_LABEL, service)]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    let mut found = engine.docker.list_containers(Some(options)).await.context("listing containers")?;
    found.sort_by_key(|c| c.created);
    Ok(found.into_iter().filter_map(|c| c.id).collect())
}

/// The end of the log of a service's newest container.
pub async fn last_lines(engine: &Engine, service: &str, lines: usize) -> String {
    let newest = containers(engine, service).await.ok().and_then(|mut all| all.pop());
    let text = match newest {
        Some(container) => log(engine, &container, lines, false, usize::MAX).await,
        None => vec![],
    };
    String::from_utf8_lossy(&text).into_owned()
}

/// The logs of a service's containers with times, the last lines of each, and of all not more than some bytes.
///
/// # Errors
/// The engine fails.
pub async fn logs(engine: &Engine, service: &str, lines: usize, most: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for container in containers(engine, service).await? {
        all.extend(log(engine, &container, lines, true, most.saturating_sub(all.len())).await);
    }
    Ok(all)
}

async fn log(engine: &Engine, container: &str, lines: usize, timestamps: bool, most: usize) -> Vec<u8> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(timestamps).tail(&lines.to_string()).build();
    let mut log = engine.docker.logs(container, Some(options));
    let mut text = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout(SILENCE, log.next()).await {
        text.extend_from_slice(&chunk.into_bytes());
        if text.len() > most {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval: i64, start_period: i64, retries: i64) -> HealthConfig {
        let (second, set) = (1_000_000_000, |n| Some(n).filter(|n| *n > 0));
        HealthConfig {
            test: Some(vec!["CMD".into(), "true".into()]),
            interval: set(interval * second),
            start_period: set(start_period * second),
            retries: set(retries),
            ..HealthConfig::default()
        }
    }

    #[test]
    fn a_stack_has_the_time_that_its_health_checks_give_it() {
        assert_eq!(allowed(&[]), Duration::ZERO);
        // What the engine does by itself: 30 s between two, and three of them.
        assert_eq!(allowed(&[check(0, 0, 0)]), Duration::from_secs(30 + 90));
        assert_eq!(allowed(&[check(10, 0, 2), check(0, 350, 0)]), Duration::from_secs(10 + 30 + 350 + 90));
    }

    #[test]
    fn no_health_check_gives_a_stack_endless_time() {
        assert_eq!(allowed(&[check(1, 1_000 * 3600, 0)]), MOST);
        let most = i64::MAX;
        let endless = HealthConfig { interval: Some(most), start_period: Some(most), retries: Some(most), ..check(1, 0, 0) };
        assert_eq!(allowed(&[endless.clone(), endless]), MOST);
        let often = HealthConfig { interval: Some(most), retries: Some(u32::MAX.into()), ..check(1, 0, 0) };
        assert_eq!(allowed(&[often]), MOST);
    }

    #[test]
    fn a_check_can_be_off() {
        assert!(is_on(&check(1, 0, 0)));
        assert!(!is_on(&HealthConfig::default()));
        assert!(!is_on(&HealthConfig { test: Some(vec!["NONE".into()]), ..check(1, 0, 0) }));
    }
}
