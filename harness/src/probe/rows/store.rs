//! Where a dialect puts what it reads of a database: into the evidence, as far as it is compared.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use judge::store::{Evidence, ObjectSeen, ObservationId, RowSeen, RowWriter};
use judge::{FILE, READABLE, SETTINGS};
use recipe::scenario::Database;

use super::choice::{Choices, Plan, Shape};
use crate::error::Result;

/// Objects that are stored at once.
const BATCH: usize = 500;

/// Takes what is read of one database.
pub(super) struct Store<'a> {
    evidence: &'a Evidence,
    observation: ObservationId,
    pub spec: &'a Database,
    choices: Choices<'a>,
    rows: RowWriter<'a>,
    objects: Vec<ObjectSeen>,
    checks: Vec<(String, String)>,
    /// What went wrong with storing; a dialect asks for it once it has read.
    failed: Option<judge::Error>,
}

impl<'a> Store<'a> {
    /// Whether the run asks whoever reads for it to end.
    pub(super) fn ending(&self) -> Arc<AtomicBool> {
        self.evidence.ending()
    }

    /// Begins to take a database, one of all that the scenario describes. What was stored of it before is forgotten.
    pub(super) fn begin(
        evidence: &'a Evidence,
        observation: ObservationId,
        spec: &'a Database,
        all: &'a [Database],
    ) -> Result<Self> {
        evidence.forget_database(observation, &spec.name)?;
        Ok(Self {
            evidence,
            observation,
            spec,
            choices: Choices::of(spec, all),
            rows: evidence.row_writer(observation, &spec.name),
            objects: Vec::new(),
            checks: Vec::new(),
            failed: None,
        })
    }

    fn keep(&mut self, stored: judge::Result<()>) -> bool {
        if let Err(e) = stored {
            self.failed.get_or_insert(e);
        }
        self.failed.is_none()
    }

    /// Takes what is said of the database as a whole.
    pub(super) fn check(&mut self, property: &str, value: String) {
        if self.choices.compares(&ObjectSeen { property: property.to_owned(), ..ObjectSeen::default() }) {
            self.checks.push((property.to_owned(), value));
        }
    }

    /// Takes that a check could not be made of the database as a whole, and why.
    pub(super) fn untold(&mut self, property: &str, why: &str) {
        self.choices.untold(property, why);
    }

    /// Takes a table. Gives how it is read.
    pub(super) fn table(&mut self, shape: &Shape) -> Plan {
        let plan = self.choices.plan(shape);
        let stored = self.evidence.put_table(self.observation, &self.spec.name, &plan.seen);
        self.keep(stored);
        plan
    }

    /// Whether a property of an object is compared. Asked where it takes long to read.
    pub(super) fn compares(&mut self, object: &ObjectSeen) -> bool {
        self.choices.compares(object)
    }

    /// Takes a property of an object.
    pub(super) fn object(&mut self, object: ObjectSeen) {
        if self.choices.compares(&object) {
            self.objects.push(object);
        }
        if self.objects.len() >= BATCH {
            self.flush();
        }
    }

    /// Takes that the server has another database.
    pub(super) fn other_database(&mut self, name: &str) {
        if let Some(object) = self.choices.other_database(name) {
            self.objects.push(object);
        }
    }

    /// Takes a row. False once nothing can be stored any more.
    pub(super) fn row(&mut self, row: RowSeen) -> bool {
        let stored = self.rows.add(row);
        self.keep(stored)
    }

    fn flush(&mut self) {
        let objects = std::mem::take(&mut self.objects);
        let stored = self.evidence.put_objects(self.observation, &self.spec.name, &objects);
        self.keep(stored);
    }

    /// An error if something could not be stored.
    pub(super) fn taken(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), |e| Err(e.into()))
    }

    /// Ends with a database that was read whole. Gives how many rows it has.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.flush();
        self.taken()?;
        let Self { evidence, observation, spec, choices, rows, mut checks, .. } = self;
        let rows = rows.finish()?;
        checks.push((FILE.to_owned(), READABLE.to_owned()));
        checks.push((SETTINGS.to_owned(), choices.unmatched()));
        evidence.put_checks(observation, &spec.name, &checks)?;
        Ok(rows)
    }

    /// Ends with a database that is not there, or cannot be read.
    pub(super) fn give_up(self, why: &str) -> Result<()> {
        let Self { evidence, observation, spec, .. } = self;
        evidence.forget_database(observation, &spec.name)?;
        Ok(evidence.put_checks(observation, &spec.name, &[(FILE.to_owned(), why.to_owned())])?)
    }
}
