//! Files in volumes: bytes, owners, modes, times, links.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::property;
use crate::say::{changed, finding, short_hex, time};
use crate::store::{FilePair, FileSeen, HARD};

/// Files and folders named one by one; of more that differ in the same way, their highest common folder.
const NAMED: usize = 3;

pub(crate) fn files(
    pairs: &[FilePair],
    findings: &mut Vec<Finding>,
    is_there: impl Fn(&str, &str) -> Result<bool>,
) -> Result<()> {
    let item = |f: &FileSeen| Item::File { volume: f.volume.clone(), path: f.path.clone() };
    // By volume and property: path, and what differs.
    let mut attributes: BTreeMap<(&str, &str), Vec<(&str, String)>> = BTreeMap::new();
    for pair in pairs {
        let (o, n) = match pair {
            (Some(o), Some(n)) => (o, n),
            (Some(o), None) => {
                findings.push(finding(item(o), Outcome::Lost, None, String::new()));
                continue;
            }
            (None, Some(n)) => {
                findings.push(finding(item(n), Outcome::Unexpected, None, String::new()));
                continue;
            }
            (None, None) => continue,
        };
        let whole = !o.sha256.is_empty();
        let mut differ = |property, was: String, is: String| {
            if was == is {
                return;
            }
            if whole {
                findings.push(finding(item(o), Outcome::Altered, Some(property), changed(was, is)));
            } else {
                attributes.entry((&o.volume, property)).or_default().push((&o.path, changed(was, is)));
            }
        };
        differ(property::OWNER, format!("{}:{}", o.uid, o.gid), format!("{}:{}", n.uid, n.gid));
        differ(property::MODE, format!("{:04o}", o.mode), format!("{:04o}", n.mode));
        // Another file may be gone for a reason of its own: what it was the same as is compared where both are there.
        let there = match o.link.strip_prefix(HARD) {
            Some(first) if o.link != n.link => is_there(&o.volume, first)?,
            _ => true,
        };
        if there {
            differ(property::LINK, o.link.clone(), n.link.clone());
        }
        if whole {
            differ(property::BYTES, short_hex(&o.sha256), short_hex(&n.sha256));
            differ(property::MTIME, time(o.mtime as i64), time(n.mtime as i64));
        }
    }
    for ((volume, property), all) in attributes {
        let mut altered = |path: &str, detail| {
            let item = Item::File { volume: volume.into(), path: path.into() };
            findings.push(finding(item, Outcome::Altered, Some(property), detail));
        };
        if all.len() <= NAMED {
            all.into_iter().for_each(|(path, detail)| altered(path, detail));
        } else {
            let (first, detail) = &all[0];
            altered(common_folder(&all), format!("{} files and folders; for example, {first} {detail}", all.len()));
        }
    }
    Ok(())
}

/// The highest folder that all of some paths are in; `.` for the volume.
fn common_folder<'a>(paths: &[(&'a str, String)]) -> &'a str {
    let first = paths.first().map_or("", |(p, _)| *p);
    let mut folders = first.match_indices('/').map(|(at, _)| &first[..at]).collect::<Vec<_>>();
    folders.reverse();
    let all_in = |folder: &&str| paths.iter().all(|(p, _)| p.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    folders.into_iter().find(all_in).unwrap_or(".")
}
