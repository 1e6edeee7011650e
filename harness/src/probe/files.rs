//! The files probe: every entry of every volume that a backup owes anything, with its bytes and attributes, as far as the inventory
//! does not say in writing that they are not compared.

use inside::{Content, Entry, Hashed};
use judge::store::{Evidence, FileSeen, ObservationId};
use recipe::inventory::{Compared, Inventory, InventoryVolume};

use super::{Probe, Progress, Reading};
use crate::stack::reader::{Read, Reader};
use crate::stack::volumes::full_name;

/// Entries stored at once.
const BATCH: usize = 500;

/// The files probe.
pub struct Files {
    /// Reads volumes.
    pub reader: Reader,
    /// The stack.
    pub stack: String,
    /// Says what of the volumes is compared.
    pub inventory: Inventory,
}

impl Probe for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let mut seen = 0;
            for volume in self.inventory.deployed().filter(|v| is_owed(v)) {
                let mut batch = Vec::with_capacity(BATCH);
                let mut sink = |read: Read| {
                    match read {
                        Read::Whole(entry) => batch.push(seen_in(volume, entry, true)),
                        Read::InPart(entry) => batch.push(seen_in(volume, entry, false)),
                        Read::Unread(path, _) if volume.treatment(&path).1 == Compared::No => {}
                        Read::Unread(path, why) => evidence.put_file_unread(observation, &volume.name, &path, &why)?,
                    }
                    if batch.len() == BATCH {
                        evidence.put_files(observation, &batch)?;
                        seen += batch.len() as u64;
                        batch.clear();
                        progress(seen, seen);
                    }
                    Ok(())
                };
                self.reader.read(&full_name(&self.stack, &volume.name), &hashed(volume), &mut sink).await?;
                evidence.put_files(observation, &batch)?;
                seen += batch.len() as u64;
            }
            progress(seen, seen);
            Ok(evidence.name_links(observation)?)
        })
    }
}

/// Whether a backup owes a volume anything.
fn is_owed(volume: &InventoryVolume) -> bool {
    !volume.class.is_left_out() || volume.paths.iter().any(|p| !p.class.is_left_out())
}

/// Of which files of a volume the bytes are compared: those that are compared whole.
fn hashed(volume: &InventoryVolume) -> Hashed {
    let dumps = volume.paths.iter().filter_map(|p| Some((p.dump.clone()?, false)));
    let whole = |p: &recipe::inventory::InventoryPath| !p.class.is_left_out() && p.content.is_none();
    let paths = volume.paths.iter().map(|p| (p.path.clone(), whole(p)));
    Hashed { globs: dumps.chain(paths).collect(), others: !volume.class.is_left_out() }
}

/// An entry as it is stored.
fn seen_in(volume: &InventoryVolume, entry: Entry, complete: bool) -> FileSeen {
    let (class, compared) = volume.treatment(&entry.path);
    FileSeen {
        volume: volume.name.clone(),
        kind: entry.kind,
        class,
        compared,
        sha256: match entry.content {
            Content::Sha256(hash) if compared == Compared::Whole => hash,
            _ => String::new(),
        },
        size: entry.size,
        allocated: complete.then_some(entry.allocated),
        uid: entry.uid,
        gid: entry.gid,
        mode: entry.mode,
        mtime: entry.mtime,
        target: entry.target.unwrap_or_default(),
        link: entry.inode.map_or_else(String::new, |inode| inode.to_string()),
        device: entry.device.map_or_else(String::new, |(major, minor)| format!("{major}:{minor}")),
        xattrs: complete.then_some(entry.xattrs),
        path: entry.path,
    }
}
