//! Faults derived from what a scenario says of its volumes, dumps, tables and pages, so that a new app has its catalogue on its
//! first day.

use std::fmt;

use futures_util::future::BoxFuture;
use recipe::scenario::Scenario;
use recipe::scenario::faults::Fault as Declared;

use super::known::Items;
use crate::drill::Drill;
use crate::drill::fault::Strike;
use crate::error::Result;

pub mod departure;
mod dumps;
mod files;
mod pages;
mod rows;
pub mod volumes;

/// Where a deed strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Between the older snapshot and the baseline.
    Departing,
    /// Between the wipe and the restore.
    BeforeRestore,
    /// Between the restore and the restart of the services.
    AfterRestore,
    /// Once the services run on what was restored.
    Restored,
}

/// What a fault does that data cannot say: it looks for what it strikes.
pub trait Deed: fmt::Debug + Send + Sync {
    /// Where it strikes.
    fn when(&self) -> When;

    /// Strikes. Gives what must be found of it.
    fn strike<'a>(&'a self, drill: &'a Drill, items: &'a Items) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Undoes what restoring the snapshot again does not.
    fn undo<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// A fault, and what it does that data cannot say.
pub type Derived = (Declared, Option<Box<dyn Deed>>);

/// The faults that are derived from a scenario; none where it says that it has its own of each kind.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    if scenario.faults.derive == Some(false) {
        return vec![];
    }
    [volumes::faults(scenario), dumps::faults(scenario), files::faults(scenario), rows::faults(scenario), pages::faults(scenario)]
        .into_iter()
        .flatten()
        .collect()
}
