//! Entries of volumes: whether they are there, their bytes, and every attribute.

use std::collections::{BTreeMap, BTreeSet};

use inside::Kind;
use recipe::inventory::Compared;

use crate::count::counted;
use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::property;
use crate::say::{changed, finding, short_hex, time};
use crate::store::{Evidence, FileSeen, ObservationId, Outside, Xattrs};

/// Entries named one by one; of more that differ in the same way, their highest common folder.
const NAMED: usize = 3;
/// Nanoseconds in a second.
const SECOND: i64 = 1_000_000_000;
/// A file with holes is worth a note if it takes this many times as much of the disk, and at least so many bytes more.
const SWOLLEN: u64 = 2;
const SWOLLEN_BYTES: u64 = 1 << 20;

/// The extended attributes that are ACLs (acl(5)).
const ACL: &str = "system.posix_acl_";
/// The one that is the capabilities of a program (capabilities(7)).
const CAPABILITY: &str = "security.capability";

/// What differs between the entries of two observations.
pub(crate) fn files(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<Vec<Finding>> {
    let mut found = Found { restless: evidence.restless_folders(before, after)?, ..Found::default() };
    let pairs = evidence.file_pairs(before, after)?;
    for pair in &pairs {
        match pair {
            (Some(was), Some(is)) => {
                found.compare(was, is, |path| evidence.has_file(after, &was.volume, path))?;
            }
            (Some(was), None) => found.gone.entry((&was.volume, Outcome::Lost)).or_default().push(was),
            (None, Some(is)) => found.gone.entry((&is.volume, Outcome::Unexpected)).or_default().push(is),
            (None, None) => {}
        }
    }
    let mut findings = found.findings();
    for (volume, path, why) in evidence.files_unread(after)? {
        findings.push(finding(Item::File { volume, path }, Outcome::Unread, None, why));
    }
    let in_part = [evidence.volumes_read_in_part(before)?, evidence.volumes_read_in_part(after)?];
    for volume in in_part.into_iter().flatten().collect::<BTreeSet<_>>() {
        let what = Item::Observation { what: format!("extended attributes, ACLs and fractions of a second of volume {volume}") };
        let detail = "the reader of volumes cannot run on this engine, and the engine's archives do not carry them".to_owned();
        findings.push(finding(what, Outcome::Unread, None, detail));
    }
    Ok(findings)
}

/// What the app keeps where no backup has it.
pub(crate) fn outside(evidence: &Evidence) -> Result<Vec<Finding>> {
    let say = |outside| match outside {
        Outside::Mount { service, path, what } => {
            let detail = format!(
                "{what} is mounted there, and no backup has what is in it. If none needs it, write it into inventory.toml as [[mount]], \
                 with the reason"
            );
            finding(Item::Mount { service, path }, Outcome::Lost, None, detail)
        }
        Outside::Link { volume, path, what } => {
            let detail = format!("the link {what}, which is in no volume of the stack, so no backup has it");
            finding(Item::File { volume, path }, Outcome::Lost, Some(property::TARGET), detail)
        }
    };
    Ok(evidence.outside()?.into_iter().map(say).collect())
}

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    findings: Vec<Finding>,
    /// Folders whose time tells nothing.
    restless: BTreeSet<(String, String)>,
    /// Entries whose content is compared elsewhere: by volume and property, path and what differs.
    attributes: BTreeMap<(&'a str, &'static str), Vec<(&'a str, String)>>,
    /// Entries that are in one observation only: by volume and what became of them.
    gone: BTreeMap<(&'a str, Outcome), Vec<&'a FileSeen>>,
}

impl<'a> Found<'a> {
    fn compare(&mut self, was: &'a FileSeen, is: &FileSeen, is_there: impl Fn(&str) -> Result<bool>) -> Result<()> {
        if was.kind != is.kind {
            let detail = changed(was.kind.name(), is.kind.name());
            self.findings.push(finding(item(was), Outcome::Altered, Some(property::KIND), detail));
            return Ok(());
        }
        self.differ(was, property::OWNER, format!("{}:{}", was.uid, was.gid), format!("{}:{}", is.uid, is.gid));
        self.differ(was, property::MODE, format!("{:04o}", was.mode), format!("{:04o}", is.mode));
        self.differ(was, property::TARGET, was.target.clone(), is.target.clone());
        self.differ(was, property::DEVICE, was.device.clone(), is.device.clone());
        // The first of a file's names may be lost for a reason of its own: then the others are compared among themselves.
        if was.link != is.link && (was.link.is_empty() || is_there(&was.link)?) {
            self.differ(was, property::LINK, was.link.clone(), is.link.clone());
        }
        if let (Some(old), Some(new)) = (&was.xattrs, &is.xattrs) {
            self.xattrs(was, old, new);
        }
        if was.compared == Compared::Whole {
            self.content(was, is);
        }
        Ok(())
    }

    /// Bytes and time of an entry that is compared whole.
    fn content(&mut self, was: &'a FileSeen, is: &FileSeen) {
        self.differ(was, property::BYTES, short_hex(&was.sha256), short_hex(&is.sha256));
        let restless = was.kind == Kind::Folder && self.restless.contains(&(was.volume.clone(), was.path.clone()));
        // An archive of the engine has whole seconds, and no time of a socket is worth anything: its app makes it anew.
        let precise = was.xattrs.is_some() && is.xattrs.is_some();
        let same = if precise { was.mtime == is.mtime } else { was.mtime.div_euclid(SECOND) == is.mtime.div_euclid(SECOND) };
        if !same && !restless && was.kind != Kind::Socket {
            self.differ(was, property::MTIME, time(was.mtime), time(is.mtime));
        }
        if let (Some(before), Some(after)) = (was.allocated, is.allocated)
            && before < was.size
            && was.sha256 == is.sha256
            && after > before.saturating_mul(SWOLLEN)
            && after - before > SWOLLEN_BYTES
        {
            let times = after.checked_div(before).map_or_else(String::new, |n| format!(", {n} times as much"));
            let (after, before) = (after.div_ceil(1024), before.div_ceil(1024));
            let detail = format!("it had holes and came back full: it takes {after} KiB of the disk, {before} KiB before{times}");
            self.findings.push(finding(item(was), Outcome::Noted, Some(property::HOLES), detail));
        }
    }

    fn xattrs(&mut self, was: &'a FileSeen, old: &Xattrs, new: &Xattrs) {
        let kind = |name: &str| match name {
            CAPABILITY => property::CAPABILITY,
            name if name.starts_with(ACL) => property::ACL,
            _ => property::XATTR,
        };
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mut said: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for name in names {
            let what = match (old.get(name), new.get(name)) {
                (Some(a), Some(b)) if a == b => continue,
                (Some(_), Some(_)) => "changed",
                (Some(_), None) => "is missing",
                (None, _) => "was not there before",
            };
            said.entry(kind(name)).or_default().push(format!("{name} {what}"));
        }
        for (property, said) in said {
            self.differ(was, property, String::new(), said.join(", "));
        }
    }

    /// Says that a property is not what it was; where there was nothing to compare with, what is said stands alone.
    fn differ(&mut self, file: &'a FileSeen, property: &'static str, was: String, is: String) {
        if was == is {
            return;
        }
        let detail = match property {
            property::ACL | property::CAPABILITY | property::XATTR => is,
            property::LINK => links(&was, &is),
            _ => changed(was, is),
        };
        if file.compared == Compared::Whole {
            self.findings.push(finding(item(file), Outcome::Altered, Some(property), detail));
        } else {
            self.attributes.entry((&file.volume, property)).or_default().push((&file.path, detail));
        }
    }

    fn findings(self) -> Vec<Finding> {
        let Self { mut findings, attributes, gone, .. } = self;
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
        for ((_, outcome), files) in gone {
            findings.extend(named(outcome, &files));
        }
        findings
    }
}

fn item(file: &FileSeen) -> Item {
    Item::File { volume: file.volume.clone(), path: file.path.clone() }
}

fn links(was: &str, is: &str) -> String {
    match (was, is) {
        ("", is) => format!("it has another name now: {is}"),
        (was, "") => format!("it was the same file as {was}, and is a copy now"),
        (was, is) => format!("it was the same file as {was}, and is the same as {is} now"),
    }
}

/// Each entry by name; but a folder stands for what is in it and is compared elsewhere too.
fn named(outcome: Outcome, files: &[&FileSeen]) -> Vec<Finding> {
    let folders: BTreeSet<&str> = files.iter().filter(|f| f.kind == Kind::Folder).map(|f| f.path.as_str()).collect();
    let folder_of = |f: &FileSeen| {
        let folders_above = f.path.match_indices('/').map(|(at, _)| &f.path[..at]);
        folders_above.filter(|_| f.compared != Compared::Whole).find_map(|folder| folders.get(folder).copied())
    };
    let mut below: BTreeMap<&str, u64> = BTreeMap::new();
    for folder in files.iter().filter_map(|f| folder_of(f)) {
        *below.entry(folder).or_default() += 1;
    }
    let say = |f: &&FileSeen| {
        let with = |n: &u64| format!("with {} in it", counted(*n, "entry/entries"));
        let detail = below.get(f.path.as_str()).filter(|_| f.kind == Kind::Folder).map_or_else(String::new, with);
        finding(item(f), outcome, None, detail)
    };
    files.iter().filter(|f| folder_of(f).is_none()).map(say).collect()
}

/// The highest folder that all of some paths are in; `.` for the volume.
fn common_folder<'a>(paths: &[(&'a str, String)]) -> &'a str {
    let first = paths.first().map_or("", |(p, _)| *p);
    let mut folders = first.match_indices('/').map(|(at, _)| &first[..at]).collect::<Vec<_>>();
    folders.reverse();
    let all_in = |folder: &&str| paths.iter().all(|(p, _)| p.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    folders.into_iter().find(all_in).unwrap_or(".")
}
