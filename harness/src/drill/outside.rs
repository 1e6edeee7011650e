//! What an app keeps outside its stack's volumes, where no backup has it: mounts that are no volumes of the stack, and links that lead
//! out of a volume to something that the app made.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use bollard::models::{ChangeType, MountPoint};
use inside::{Hashed, Kind};
use judge::store::Outside;
use recipe::inventory::{Compared, InventoryVolume};

use super::state::Drill;
use crate::error::{Context as _, Result};
use crate::stack::reader::Read;
use crate::stack::volumes::full_name;

/// A service's running container.
struct Container {
    id: String,
    mounts: Vec<MountPoint>,
}

/// Looks for what lies outside, and stores it.
pub(super) async fn look(drill: &Drill) -> Result<()> {
    let mut containers = BTreeMap::new();
    for service in drill.app.scenario.services() {
        if let Some(id) = drill.app.engine().container_of(&drill.app.stack.service(&service)).await? {
            let what = format!("inspecting the container of {service}");
            let inspected = drill.app.engine().docker.inspect_container(&id, None).await.context(what)?;
            containers.insert(service, Container { id, mounts: inspected.mounts.unwrap_or_default() });
        }
    }
    let mut outside = Vec::new();
    for (service, container) in &containers {
        for mount in &container.mounts {
            outside.extend(of_mount(drill, service, mount).await?);
        }
    }
    outside.extend(links(drill, &containers).await?);
    let looked_at = containers.values().map(|c| c.mounts.len() as u64).sum();
    Ok(drill.run.evidence.put_outside(looked_at, &outside)?)
}

/// Whether a mount is a volume of the stack.
fn is_of_stack(drill: &Drill, mount: &MountPoint) -> bool {
    let prefix = format!("{}_", drill.app.stack.name);
    mount.typ.as_deref() == Some("volume") && mount.name.as_deref().is_some_and(|name| name.starts_with(&prefix))
}

/// What is mounted, unless it is a volume of the stack, or holds nothing that the app wrote.
async fn of_mount(drill: &Drill, service: &str, mount: &MountPoint) -> Result<Option<Outside>> {
    let path = mount.destination.clone().unwrap_or_default();
    let declared = drill.app.scenario.inventory.mounts.iter().any(|m| m.service == service && m.mount == path);
    if declared || is_of_stack(drill, mount) || mount.rw == Some(false) {
        return Ok(None);
    }
    let what = match mount.typ.as_deref() {
        Some("bind") => format!("the host's {}", mount.source.as_deref().unwrap_or("file system")),
        // What is in memory is gone with every restart.
        Some("tmpfs") => return Ok(None),
        Some("volume") => match &mount.name {
            Some(name) if has_files(drill, name).await? => "a volume without a name".to_owned(),
            _ => return Ok(None),
        },
        _ => "something that is not a volume".to_owned(),
    };
    Ok(Some(Outside::Mount { service: service.to_owned(), path, what }))
}

/// Whether there is any file in a volume.
async fn has_files(drill: &Drill, volume: &str) -> Result<bool> {
    let mut any = false;
    let mut sink = |read: Read| {
        any |= !matches!(read, Read::Whole(e) | Read::InPart(e) if e.kind == Kind::Folder);
        Ok(())
    };
    drill.app.reader.read(volume, &Hashed::default(), &mut sink).await?;
    Ok(any)
}

/// The links in volumes that lead to something that the app made in its container's own layer, or to what is mounted there
/// and is no volume of the stack.
async fn links(drill: &Drill, containers: &BTreeMap<String, Container>) -> Result<Vec<Outside>> {
    let (mut found, mut changes) = (Vec::new(), BTreeMap::new());
    for (volume, path, target) in symlinks(drill).await? {
        let Some(container) = containers.get(&volume.service) else { continue };
        let to = leads_to(Path::new(&volume.mount), &path, &target);
        let over = container.mounts.iter().filter(|m| to.starts_with(m.destination.as_deref().unwrap_or("/nowhere")));
        let what = match over.max_by_key(|m| m.destination.as_ref().map(String::len)) {
            Some(mount) if is_of_stack(drill, mount) || mount.rw == Some(false) => continue,
            Some(mount) => {
                format!("leads to {}, which is on a mount of {}", to.display(), mount.source.as_deref().unwrap_or("the host"))
            }
            None => {
                if !changes.contains_key(&volume.service) {
                    changes.insert(volume.service.clone(), made(drill, &container.id).await?);
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
async fn symlinks(drill: &Drill) -> Result<Vec<(&InventoryVolume, String, String)>> {
    let mut links = Vec::new();
    for volume in drill.app.scenario.inventory.deployed() {
        let mut sink = |read: Read| {
            if let Read::Whole(entry) | Read::InPart(entry) = read
                && let Some(target) = entry.target
                && volume.treatment(&entry.path).1 != Compared::No
            {
                links.push((volume, entry.path, target));
            }
            Ok(())
        };
        drill.app.reader.read(&full_name(&drill.app.stack.name, &volume.name), &Hashed::default(), &mut sink).await?;
    }
    Ok(links)
}

/// The paths that are in a container and not in its image, or changed there.
async fn made(drill: &Drill, container: &str) -> Result<Vec<PathBuf>> {
    let changes = drill.app.engine().docker.container_changes(container).await.context("listing what a container changed")?;
    let there = changes.unwrap_or_default().into_iter().filter(|c| c.kind != ChangeType::_2);
    Ok(there.map(|c| PathBuf::from(c.path)).collect())
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
