//! What no backup can have, because it lies outside the stack's volumes, in the store.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::evidence::Evidence;
use super::run::RunFact;
use crate::error::Result;

/// What services wrote into their containers' own layers: by service, the paths in the container.
pub type Layers = BTreeMap<String, BTreeSet<String>>;

/// What an app keeps outside its stack's volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// A mount of a service that is no volume of the stack.
    Mount {
        /// The service.
        service: String,
        /// Where it is mounted in the container.
        path: String,
        /// What is mounted there.
        what: String,
    },
    /// A symbolic link in a volume.
    Link {
        /// The volume's compose name.
        volume: String,
        /// The link, from the volume's root, escaped.
        path: String,
        /// Where it leads, and what is there.
        what: String,
    },
}

impl Evidence {
    /// Stores what lies outside; what was known before is replaced. `looked_at` mounts were looked at.
    pub fn put_outside(&self, looked_at: u64, all: &[Outside]) -> Result<()> {
        self.set_number(RunFact::Mounts, looked_at)?;
        self.with(|db| {
            let tx = db.transaction()?;
            tx.execute("DELETE FROM outside", [])?;
            for outside in all {
                let (kind, place, path, what) = match outside {
                    Outside::Mount { service, path, what } => ("mount", service, path, what),
                    Outside::Link { volume, path, what } => ("link", volume, path, what),
                };
                tx.execute("INSERT INTO outside VALUES (?, ?, ?, ?)", params![kind, place, path, what])?;
            }
            tx.commit()
        })
    }

    /// What lies outside.
    pub fn outside(&self) -> Result<Vec<Outside>> {
        self.with(|db| {
            db.prepare("SELECT kind = 'mount', place, path, what FROM outside ORDER BY kind, place, path")?
                .query_map([], |r| {
                    let (place, path, what) = (r.get(1)?, r.get(2)?, r.get(3)?);
                    Ok(if r.get(0)? {
                        Outside::Mount { service: place, path, what }
                    } else {
                        Outside::Link { volume: place, path, what }
                    })
                })?
                .collect()
        })
    }

    /// Stores what each service had written into its container's own layer at a stage; what was known before is replaced.
    pub fn put_layers(&self, stage: &str, layers: &Layers) -> Result<()> {
        self.with(|db| {
            let tx = db.transaction()?;
            tx.execute("DELETE FROM layer WHERE stage = ?", [stage])?;
            for (service, paths) in layers {
                for path in [""].into_iter().chain(paths.iter().map(String::as_str)) {
                    tx.execute("INSERT INTO layer VALUES (?, ?, ?)", params![stage, service, path])?;
                }
            }
            tx.commit()
        })
    }

    /// What each service had written into its container's own layer at a stage.
    pub fn layers(&self, stage: &str) -> Result<Layers> {
        let rows: Vec<(String, String)> = self.with(|db| {
            db.prepare("SELECT service, path FROM layer WHERE stage = ?")?
                .query_map([stage], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect()
        })?;
        let mut layers = Layers::new();
        for (service, path) in rows {
            let paths = layers.entry(service).or_default();
            if !path.is_empty() {
                paths.insert(path);
            }
        }
        Ok(layers)
    }
}
