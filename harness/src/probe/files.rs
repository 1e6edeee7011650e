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
    /// Mailboxes that no login reaches.
    pub unreached: Unreached,
}

/// Mailboxes that no login reaches: their messages are compared as files, with their bytes.
#[derive(Debug, Clone, Default)]
pub struct Unreached {
    /// The volume that has a folder for each mailbox; none where the scenario names none.
    pub volume: Option<String>,
    /// The folders.
    pub folders: Vec<String>,
}

impl Unreached {
    /// The folders in a volume.
    fn in_volume(&self, volume: &str) -> impl Iterator<Item = &str> {
        let is_it = self.volume.as_deref() == Some(volume);
        self.folders.iter().filter(move |_| is_it).map(String::as_str)
    }

    /// Whether an entry is in one of them.
    fn has(&self, volume: &str, path: &str) -> bool {
        let of = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.in_volume(volume).any(of)
    }
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
                        Read::Whole(entry) => batch.push(self.seen_in(volume, entry, true)),
                        Read::InPart(entry) => batch.push(self.seen_in(volume, entry, false)),
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
                self.reader.read(&full_name(&self.stack, &volume.name), &self.hashed(volume), &mut sink).await?;
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

impl Files {
    /// Of which files of a volume the bytes are compared: those that are compared whole.
    fn hashed(&self, volume: &InventoryVolume) -> Hashed {
        let unreached = self.unreached.in_volume(&volume.name).map(|folder| (format!("{folder}/*"), true));
        let dumps = volume.paths.iter().filter_map(|p| Some((p.dump.clone()?, false)));
        let whole = |p: &recipe::inventory::InventoryPath| !p.class.is_left_out() && p.content.is_none();
        let paths = volume.paths.iter().map(|p| (p.path.clone(), whole(p)));
        Hashed { globs: dumps.chain(unreached).chain(paths).collect(), others: !volume.class.is_left_out() }
    }

    /// An entry as it is stored.
    fn seen_in(&self, volume: &InventoryVolume, entry: Entry, complete: bool) -> FileSeen {
        let (class, mut compared) = volume.treatment(&entry.path);
        // Where messages are compared, a mailbox that nobody can open is not.
        if compared == Compared::Attributes && self.unreached.has(&volume.name, &entry.path) {
            compared = Compared::Whole;
        }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_no_login_reaches_is_known_by_its_folder() {
        let unreached = Unreached { volume: Some("mail".into()), folders: vec!["left@mail.test".into()] };
        assert!(unreached.has("mail", "left@mail.test/new/1"));
        assert!(!unreached.has("mail", "left@mail.test"));
        assert!(!unreached.has("mail", "left@mail.test.example/new/1"));
        assert!(!unreached.has("mail", "u01@mail.test/new/1"));
        assert!(!unreached.has("other", "left@mail.test/new/1"));
    }
}
