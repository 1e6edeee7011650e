//! The services' logs, kept as evidence.

use std::time::Duration;

use futures_util::StreamExt as _;
use judge::redact::redact;

use super::state::Drill;

/// Stores the last of each service's log in the run's directory. A log that cannot be had is no reason to fail.
pub(super) async fn keep_logs(drill: &Drill) {
    use bollard::query_parameters::LogsOptionsBuilder;
    const MOST: usize = 4 << 20;
    let Ok(remains) = drill.app.owned.remains(None).await else { return };
    for service in remains.services {
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).tail("5000").build();
        let mut log = drill.app.engine().docker.service_logs(&service, Some(options));
        let mut text = Vec::new();
        // Swarm does not end the stream while a task is starting.
        while let Ok(Some(Ok(chunk))) = tokio::time::timeout(Duration::from_secs(5), log.next()).await {
            text.extend_from_slice(&chunk.into_bytes());
            if text.len() > MOST {
                break;
            }
        }
        let text = redact(&String::from_utf8_lossy(&text)).into_owned();
        let _ = std::fs::write(drill.run.evidence.dir().join("logs").join(format!("{service}.log")), text);
    }
}
