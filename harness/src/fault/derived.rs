//! Faults derived from what a scenario says of its volumes, dumps, tables and pages, so that a new app has its catalogue on its
//! first day.

use recipe::scenario::Scenario;
use recipe::scenario::faults::Derive;

use super::deed::Derived;

pub mod departure;
mod dumps;
mod files;
mod objects;
mod pages;
mod rows;
mod secrets;
mod sql;
pub mod volumes;

/// The faults that are derived from a scenario.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    if scenario.faults.derive == Derive::Together {
        return [files::together(scenario), rows::together(scenario), objects::together(scenario), secrets::faults(scenario)]
            .into_iter()
            .flatten()
            .collect();
    }
    [
        volumes::faults(scenario),
        dumps::faults(scenario),
        files::faults(scenario),
        rows::faults(scenario),
        objects::faults(scenario),
        pages::faults(scenario),
        secrets::faults(scenario),
    ]
    .into_iter()
    .flatten()
    .collect()
}
