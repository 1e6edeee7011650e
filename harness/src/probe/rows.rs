//! The rows probe: databases, each read whole. SQLite files are copied out of their volume with their journal; servers are asked by
//! their own clients.
//!
//! - `choice`: what of a database is compared. `store`: where it goes. `cell`: how values are kept.
//! - `sqlite`, `postgresql`, `mariadb`: how each dialect lists its tables, and what else a database is.

use std::path::Path;

use judge::store::{Evidence, ObservationId};
use recipe::scenario::{Database as Spec, Dialect};

use self::client::{Client, Failed, InContainer};
use self::store::Store;
use super::{Probe, Progress, Reading, When};
use crate::error::Result;
use crate::stack::alive;
use crate::stack::ownership::Owned;
use crate::stack::volumes::{Helper, full_name};

mod cell;
mod choice;
pub mod client;
mod mariadb;
mod named;
mod postgresql;
mod sqlite;
mod store;

pub use sqlite::bound;

/// How what is said of a database begins that is there and cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// Copies made before the database counts as unreadable: one taken in the middle of a write is torn.
const COPIES: u32 = 3;

/// The rows probe.
pub struct Rows {
    /// The run.
    pub owned: Owned,
    /// The stack.
    pub stack: String,
    /// An image that is present, for the helper container.
    pub image: String,
    /// What to read.
    pub specs: Vec<Spec>,
}

impl Probe for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn when(&self) -> When {
        When::AfterLogins
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let each = self.specs.iter().map(|spec| self.read(spec, evidence, observation));
            let rows = futures_util::future::try_join_all(each).await?.into_iter().sum();
            progress(rows, rows);
            Ok(())
        })
    }
}

impl Rows {
    /// Reads a database. What cannot be read is what was observed, and no error. Gives how many rows there are.
    async fn read(&self, spec: &Spec, evidence: &Evidence, observation: ObservationId) -> Result<u64> {
        match (spec.sqlite(), spec.server()) {
            (Some((volume, file)), _) => self.copied(spec, volume, file, evidence, observation).await,
            (None, Some(service)) => {
                let service = format!("{}_{service}", self.stack);
                let client = InContainer { engine: self.owned.engine(), service, command: &spec.command };
                ask(&client, spec, &self.specs, evidence, observation).await
            }
            (None, None) => Ok(0),
        }
    }

    /// Copies a database out and reads it. A database that is not there has no rows.
    async fn copied(
        &self,
        spec: &Spec,
        volume: &str,
        database: &str,
        evidence: &Evidence,
        observation: ObservationId,
    ) -> Result<u64> {
        let volume = full_name(&self.stack, volume);
        let helper = Helper::open(&self.owned, &self.image, &volume).await?;
        let mut copies = 0;
        let rows = loop {
            copies += 1;
            let dir = alive::temporary(self.owned.run())?;
            let file = dir.path().join("copy.db");
            if !helper.copy_out(database, &file).await? {
                Store::begin(evidence, observation, spec, &self.specs)?.give_up(judge::ABSENT)?;
                break 0;
            }
            for suffix in ["-journal", "-wal"] {
                helper.copy_out(&format!("{database}{suffix}"), &dir.path().join(format!("copy.db{suffix}"))).await?;
            }
            match read_file(&file, spec, &self.specs, evidence, observation)? {
                // The app may have written between the copies of the file and of its log.
                Ok(rows) if copies == COPIES || is_whole(evidence, observation, &spec.name)? => break rows,
                Ok(_) => {}
                // A database that cannot be read is what was observed, and not as it was at the baseline.
                Err(why) if copies == COPIES => {
                    Store::begin(evidence, observation, spec, &self.specs)?.give_up(&format!("{UNREADABLE}: {why}"))?;
                    break 0;
                }
                Err(_) => {}
            }
        };
        helper.close().await?;
        Ok(rows)
    }
}

/// Whether SQLite's own check found nothing wrong in the copy that was read last.
fn is_whole(evidence: &Evidence, observation: ObservationId, database: &str) -> Result<bool> {
    Ok(evidence.checks(observation, database)?.iter().all(|(check, said)| check != sqlite::INTEGRITY || said == "ok"))
}

/// Reads a copy of an SQLite file, one of all databases that the scenario describes, and stores what it has. Gives how many rows there are;
/// the inner error says why it cannot be read.
///
/// # Errors
/// That the evidence could not be written.
pub fn read_file(
    file: &Path,
    spec: &Spec,
    all: &[Spec],
    evidence: &Evidence,
    observation: ObservationId,
) -> Result<Result<u64, String>> {
    let mut store = Store::begin(evidence, observation, spec, all)?;
    sqlite::read(file, &mut store)?.map_or_else(|why| Ok(Err(why)), |()| store.finish().map(Ok))
}

/// Asks a server for a database, one of all that the scenario describes, and stores what it has. Gives how many rows there are.
///
/// # Errors
/// That the client could not be run, or the evidence not written. What the server says is evidence.
pub async fn ask(client: &dyn Client, spec: &Spec, all: &[Spec], evidence: &Evidence, observation: ObservationId) -> Result<u64> {
    let mut store = Store::begin(evidence, observation, spec, all)?;
    let read = match spec.dialect {
        Dialect::Postgresql => postgresql::read(client, &mut store).await?,
        Dialect::Mariadb => mariadb::read(client, &mut store).await?,
        Dialect::Sqlite => Err(Failed::Unreadable("a SQLite database has no server".into())),
    };
    match read {
        Ok(()) => store.finish(),
        Err(Failed::Absent) => store.give_up(judge::ABSENT).map(|()| 0),
        Err(Failed::Unreadable(why)) => store.give_up(&format!("{UNREADABLE}: {why}")).map(|()| 0),
    }
}

#[cfg(test)]
mod tests;
