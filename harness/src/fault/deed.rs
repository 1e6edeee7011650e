//! What a fault does that data cannot say.

use std::fmt;

use futures_util::future::BoxFuture;
use recipe::scenario::faults::{Fault as Declared, Group};

use super::known::Items;
use crate::drill::Drill;
use crate::drill::fault::Strike;
use crate::error::Result;

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

/// A fault in restored data: its name, what is wrong, what it does.
pub fn in_content(name: String, what: String, deed: impl Deed + 'static) -> Derived {
    (Declared::new(name, what, Group::Content), Some(Box::new(deed)))
}

/// Several deeds in one.
#[derive(Debug)]
pub struct Together(pub Vec<Box<dyn Deed>>);

impl Deed for Together {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, items: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for deed in &self.0 {
                found.extend(deed.strike(drill, items).await?);
            }
            Ok(found)
        })
    }

    fn undo<'a>(&'a self, drill: &'a Drill) -> Strike<'a> {
        Box::pin(async move {
            for deed in &self.0 {
                deed.undo(drill).await?;
            }
            Ok(())
        })
    }
}
