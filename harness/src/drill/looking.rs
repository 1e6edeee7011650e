//! A look at what is there, in a phase of its own.

use judge::store::{FileCount, ObservationId};
use recipe::inventory::Compared;

use super::seeing;
use super::state::Drill;
use crate::error::Result;
use crate::events::Phase;

/// Observes what is there now, in a phase of its own.
pub(super) async fn look(drill: &Drill, phase: Phase, name: &str) -> Result<ObservationId> {
    let phase = drill.run.events.phase(phase);
    let observation = seeing::see(drill, name, &phase).await?;
    phase.finish(counts(drill, observation)?);
    Ok(observation)
}

pub(super) fn counts(drill: &Drill, o: ObservationId) -> Result<String> {
    let accounts = drill.run.evidence.accounts(o)?;
    let mut messages = 0;
    for (account, _) in &accounts {
        messages += drill.run.evidence.folders(o, account)?.iter().map(|f| u64::from(f.messages)).sum::<u64>();
    }
    let rows: u64 = drill.run.evidence.row_counts(o)?.iter().map(|(_, _, n)| n).sum();
    let compared = |c: &FileCount| c.compared != Compared::No;
    let files: u64 = drill.run.evidence.file_counts(o)?.into_iter().filter(compared).map(|c| c.entries).sum();
    let mail = if accounts.is_empty() { String::new() } else { format!("{messages} messages in {} mailboxes, ", accounts.len()) };
    Ok(format!("{mail}{rows} rows, {files} files and folders"))
}
