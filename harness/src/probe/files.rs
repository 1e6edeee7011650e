//! The files probe: files in volumes, by hash, owner, mode and time; or everything in them, by owner and mode.

use std::collections::HashMap;

use judge::store::{Evidence, FileSeen, HARD, ObservationId};
use recipe::inventory::{Class, Inventory};
use recipe::scenario::ComparedFiles as Spec;

use super::{Probe, Progress, Reading};
use crate::stack::ownership::Owned;
use crate::stack::volumes::{Helper, full_name};

/// Files stored at once.
const BATCH: usize = 500;

/// The files probe.
pub struct Files {
    /// The run.
    pub owned: Owned,
    /// The stack.
    pub stack: String,
    /// An image that is present, for the helper container.
    pub image: String,
    /// What to read.
    pub specs: Vec<Spec>,
    /// Tells what the app makes anew, which is not compared.
    pub inventory: Inventory,
}

impl Probe for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let mut seen = 0;
            for spec in &self.specs {
                let volume = self.inventory.volumes.iter().find(|v| v.name == spec.volume);
                let kept = |path: &str| {
                    (!spec.attributes_only || !path.is_empty())
                        && volume.is_none_or(|v| matches!(v.owed(path).0, Class::Durable | Class::Valuable))
                };
                let mut batch = Vec::with_capacity(BATCH);
                // What is not kept may be the first name of what is.
                let mut others = HashMap::new();
                let mut store = |mut file: FileSeen| {
                    if !kept(&file.path) {
                        if !spec.attributes_only {
                            others.insert(file.path, (file.sha256, file.size));
                        }
                        return Ok(());
                    }
                    if let Some(first) = file.link.strip_prefix(HARD).and_then(|first| others.get(first)) {
                        (file.sha256, file.size) = first.clone();
                    }
                    batch.push(file);
                    if batch.len() == BATCH {
                        evidence.put_files(observation, &batch)?;
                        seen += batch.len() as u64;
                        batch.clear();
                        progress(seen, seen);
                    }
                    Ok(())
                };
                let helper = Helper::open(&self.owned, &self.image, &full_name(&self.stack, &spec.volume)).await?;
                let read = helper.files(&spec.volume, &spec.path, spec.attributes_only, &mut store).await;
                helper.close().await?;
                read?;
                evidence.put_files(observation, &batch)?;
                seen += batch.len() as u64;
            }
            progress(seen, seen);
            Ok(evidence.name_links(observation)?)
        })
    }
}
