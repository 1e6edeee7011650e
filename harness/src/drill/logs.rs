//! The services' logs, kept as evidence.

use judge::redact::redact;

use super::state::Drill;
use crate::stack::health;

/// The last lines of a container that are kept, and the most bytes of a service.
const LINES: usize = 5000;
const MOST: usize = 4 << 20;

/// Stores the last of the logs of each service's containers in the run's directory. A log that cannot be had is no reason to fail.
pub(super) async fn keep_logs(drill: &Drill) {
    let Ok(remains) = drill.app.owned.remains(None).await else { return };
    for service in remains.services {
        let text = health::logs(drill.app.engine(), &service, LINES, MOST).await.unwrap_or_default();
        let text = redact(&String::from_utf8_lossy(&text)).into_owned();
        let _ = std::fs::write(drill.run.evidence.dir().join("logs").join(format!("{service}.log")), text);
    }
}
