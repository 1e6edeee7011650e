//! What an app writes into its container's own layer, in no volume: no backup has it. What is there again after the restore was made anew
//! by the app; what is not there again is lost.

use std::collections::BTreeSet;
use std::path::Path;

use recipe::inventory::Inventory;

use crate::declared;
use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::say::finding;
use crate::stage::BASELINE;
use crate::store::{Evidence, RunFact};

/// Folders whose content nobody expects to last: temporary files, what describes the running system, caches and logs (Filesystem
/// Hierarchy Standard 3.0), and what the kernel makes.
const PASSING: [&str; 9] = ["/tmp", "/var/tmp", "/run", "/var/run", "/var/lock", "/var/cache", "/var/log", "/dev", "/proc"];
/// Folders of that kind wherever they are: caches of users (XDG Base Directory Specification) and of Python.
const CACHES: [&str; 2] = [".cache", "__pycache__"];

/// What services had in their own layers before the backup, and not at this stage, at which the app must have been tried: some of it the
/// app makes anew only when it is used.
pub(crate) fn lost(evidence: &Evidence, stage: &str) -> Result<Vec<Finding>> {
    // What cannot be read is a finding elsewhere.
    let inventory: Option<Inventory> = declared::optional(evidence, RunFact::Inventory)?.unwrap_or(None);
    let after = evidence.layers(stage)?;
    let mut findings = Vec::new();
    for (service, mut paths) in evidence.layers(BASELINE)? {
        let declared: Vec<&str> =
            inventory.iter().flat_map(|i| &i.mounts).filter(|m| m.service == service).map(|m| m.mount.as_str()).collect();
        paths.retain(|path| !passes(path) && !declared.iter().any(|mount| Path::new(path).starts_with(mount)));
        let Some(now) = after.get(&service) else {
            if !paths.is_empty() {
                let item = Item::Layer { service, path: "*".into() };
                let detail = "the service has no running container to look at".to_owned();
                findings.push(finding(item, Outcome::Unread, None, detail));
            }
            continue;
        };
        let gone: BTreeSet<&str> = paths.iter().filter(|path| !now.contains(*path)).map(String::as_str).collect();
        for path in topmost(&gone) {
            let inside = format!("{}/", path.trim_end_matches('/'));
            let below = gone.range(inside.as_str()..).take_while(|other| other.starts_with(&inside)).count();
            let with = if below > 0 { format!(", with {below} below it,") } else { String::new() };
            let detail = format!(
                "it{with} was in the container, in no volume, and is not there after the restore. If nobody needs it, write it into \
                 inventory.toml as [[mount]], with the reason"
            );
            findings.push(finding(Item::Layer { service: service.clone(), path: path.to_owned() }, Outcome::Lost, None, detail));
        }
    }
    Ok(findings)
}

/// Whether nobody expects a path to last.
fn passes(path: &str) -> bool {
    let path = Path::new(path);
    let is_cache = |part: std::path::Component<'_>| CACHES.iter().any(|cache| part.as_os_str() == *cache);
    PASSING.iter().any(|folder| path.starts_with(folder)) || path.components().any(is_cache)
}

/// The paths that are not below another one.
fn topmost<'a>(paths: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let is_below = |path: &str| Path::new(path).ancestors().skip(1).any(|a| a.to_str().is_some_and(|a| paths.contains(a)));
    paths.iter().copied().filter(|path| !is_below(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_expects_to_last() {
        for path in ["/tmp", "/tmp/x", "/run/app.pid", "/root/.cache/pip/x", "/app/__pycache__/a.pyc", "/var/log/app.log"] {
            assert!(passes(path), "{path}");
        }
        for path in ["/tmpdata", "/app/tmp/x", "/var/lib/app/db", "/app/cache", "/var"] {
            assert!(!passes(path), "{path}");
        }
    }

    #[test]
    fn folders_stand_for_what_is_in_them() {
        let paths = ["/a", "/a/b", "/a/b/c", "/ab", "/d/e"].into();
        assert_eq!(topmost(&paths), ["/a", "/ab", "/d/e"]);
    }
}
