//! The files probe: files in volumes, by hash, owner, mode and time; or everything in them, by owner and mode.

use super::Probe;
use crate::error::Result;
use crate::evidence::{Evidence, FileSeen, ObservationId};
use crate::scenario::{Class, Files as Spec, Inventory};
use crate::stack::ownership::Owned;
use crate::stack::volumes::{Helper, full_name};

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

    async fn observe(&self, evidence: &Evidence, observation: ObservationId, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<()> {
        let files = self.read().await?;
        evidence.put_files(observation, &files)?;
        progress(files.len() as u64, files.len() as u64);
        Ok(())
    }
}

impl Files {
    /// The files that are there.
    pub async fn read(&self) -> Result<Vec<FileSeen>> {
        let mut files = Vec::new();
        for spec in &self.specs {
            let helper = Helper::open(&self.owned, &self.image, &full_name(&self.stack, &spec.volume)).await?;
            let found = helper.files(&spec.volume, &spec.path, spec.attributes_only).await;
            helper.close().await?;
            let mut found = found?;
            if let Some(volume) = self.inventory.volumes.iter().find(|v| v.name == spec.volume) {
                found.retain(|f| matches!(volume.owed(&f.path).0, Class::Durable | Class::Valuable));
            }
            found.retain(|f| !spec.attributes_only || !f.path.is_empty());
            files.extend(found);
        }
        Ok(files)
    }
}
