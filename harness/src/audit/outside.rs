//! What an app keeps outside its stack's volumes, where no backup has it: mounts that are no volumes of the stack, and links that lead
//! out of a volume to something that the app made.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use bollard::models::MountPoint;
use inside::{Hashed, Kind};
use judge::store::Outside;
use recipe::inventory::{Compared, InventoryVolume};

use super::Auditor;
use crate::error::{Context as _, Result};
use crate::stack::layer;
use crate::stack::reader::Read;
use crate::stack::volumes::full_name;

/// A service's running container.
struct Container {
    id: String,
    mounts: Vec<MountPoint>,
}

/// Places of the host that hold nothing of an app's, which recipes mount to learn of the host: its time zone, sockets, devices.
const OF_HOST: [&str; 7] = ["/etc/localtime", "/etc/timezone", "/run", "/var/run", "/dev", "/proc", "/sys"];

impl Auditor {
    /// Looks for what lies outside, of these services of the recipe, and stores it.
    pub async fn look_outside(&self, services: &BTreeSet<String>) -> Result<()> {
        let engine = self.reader.owned.engine();
        let mut containers = BTreeMap::new();
        for service in services {
            if let Some(id) = engine.container_of(&full_name(&self.stack, service)).await? {
                let what = format!("inspecting the container of {service}");
                let inspected = engine.docker.inspect_container(&id, None).await.context(what)?;
                containers.insert(service.clone(), Container { id, mounts: inspected.mounts.unwrap_or_default() });
            }
        }
        let mut outside = Vec::new();
        for (service, container) in &containers {
            for mount in &container.mounts {
                outside.extend(self.of_mount(service, mount).await?);
            }
        }
        outside.extend(self.links(&containers).await?);
        let looked_at = containers.values().map(|c| c.mounts.len() as u64).sum();
        Ok(self.evidence.put_outside(looked_at, &outside)?)
    }

    /// Whether a mount is a volume of the stack.
    fn is_of_stack(&self, mount: &MountPoint) -> bool {
        let prefix = format!("{}_", self.stack);
        mount.typ.as_deref() == Some("volume") && mount.name.as_deref().is_some_and(|name| name.starts_with(&prefix))
    }

    /// What is mounted, unless it is a volume that is compared, or holds nothing that the app wrote.
    async fn of_mount(&self, service: &str, mount: &MountPoint) -> Result<Option<Outside>> {
        let path = mount.destination.clone().unwrap_or_default();
        let declared = self.inventory.mounts.iter().any(|m| m.service == service && m.mount == path);
        let of_host =
            mount.source.as_deref().is_some_and(|source| OF_HOST.iter().any(|place| Path::new(source).starts_with(place)));
        if declared || self.is_of_stack(mount) || mount.rw == Some(false) || of_host {
            return Ok(None);
        }
        let what = match mount.typ.as_deref() {
            Some("bind") => format!("the host's {}", mount.source.as_deref().unwrap_or("file system")),
            // What is in memory is gone with every restart.
            Some("tmpfs") => return Ok(None),
            // One with a name is among the volumes that the inventory lacks.
            Some("volume") => match mount.name.as_deref().filter(|name| is_unnamed(name)) {
                Some(name) if self.has_files(name).await? => "a volume without a name".to_owned(),
                _ => return Ok(None),
            },
            _ => "something that is not a volume".to_owned(),
        };
        Ok(Some(Outside::Mount { service: service.to_owned(), path, what }))
    }

    /// Whether there is any file in a volume.
    async fn has_files(&self, volume: &str) -> Result<bool> {
        let mut any = false;
        let mut sink = |read: Read| {
            any |= !matches!(read, Read::Whole(e) | Read::InPart(e) if e.kind == Kind::Folder);
            Ok(())
        };
        self.reader.read(volume, &Hashed::default(), &mut sink).await?;
        Ok(any)
    }

    /// The links in volumes that lead to something that the app made in its container's own layer, or to what is mounted there
    /// and is no volume of the stack.
    async fn links(&self, containers: &BTreeMap<String, Container>) -> Result<Vec<Outside>> {
        let (mut found, mut changes) = (Vec::new(), BTreeMap::new());
        for (volume, path, target) in self.symlinks().await? {
            let Some(container) = containers.get(&volume.service) else { continue };
            let to = leads_to(Path::new(&volume.mount), &path, &target);
            let over = container.mounts.iter().filter(|m| to.starts_with(m.destination.as_deref().unwrap_or("/nowhere")));
            let what = match over.max_by_key(|m| m.destination.as_ref().map(String::len)) {
                Some(mount) if self.is_of_stack(mount) || mount.rw == Some(false) => continue,
                Some(mount) => {
                    format!("leads to {}, which is on a mount of {}", to.display(), mount.source.as_deref().unwrap_or("the host"))
                }
                None => {
                    if !changes.contains_key(&volume.service) {
                        changes.insert(volume.service.clone(), layer::made(self.reader.owned.engine(), &container.id).await?);
                    }
                    if !changes[&volume.service].iter().any(|path| path.starts_with(&to)) {
                        continue;
                    }
                    format!("leads to {} in the container of {}, which the app has written to", to.display(), volume.service)
                }
            };
            found.push(Outside::Link { volume: volume.name.clone(), path, what });
        }
        Ok(found)
    }

    /// The links of the volumes that a backup owes anything: the volume, the link and its target.
    async fn symlinks(&self) -> Result<Vec<(&InventoryVolume, String, String)>> {
        let mut links = Vec::new();
        for volume in self.inventory.deployed() {
            let mut sink = |read: Read| {
                if let Read::Whole(entry) | Read::InPart(entry) = read
                    && let Some(target) = entry.target
                    && volume.treatment(&entry.path).1 != Compared::No
                {
                    links.push((volume, entry.path, target));
                }
                Ok(())
            };
            self.reader.read(&full_name(&self.stack, &volume.name), &Hashed::default(), &mut sink).await?;
        }
        Ok(links)
    }
}

/// Whether a volume is one that the engine named itself: 64 hexadecimal digits.
fn is_unnamed(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Where a link in a volume leads, in the container in which the volume is mounted.
fn leads_to(mount: &Path, link: &str, target: &str) -> PathBuf {
    let from = mount.join(link);
    let target = from.parent().unwrap_or(mount).join(target);
    let mut path = PathBuf::new();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_links_lead() {
        for (link, target, to) in [
            ("x/attachments", "/srv/attachments", "/srv/attachments"),
            ("x/y", "../z", "/data/z"),
            ("x/y", "../../etc/passwd", "/etc/passwd"),
            ("y", "./a/./b", "/data/a/b"),
            ("y", "../../../..", "/"),
        ] {
            assert_eq!(leads_to(Path::new("/data"), link, target), Path::new(to), "{link} -> {target}");
        }
    }
}
