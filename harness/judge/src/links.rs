//! Hard links: which changes of a file's names the writes of users explain.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::store::{Evidence, ObservationId};

/// A volume, and a path in it.
type Place = (String, String);

/// The files of which the names changed between two observations, and whether users' writes explain it.
#[derive(Default)]
pub(crate) struct Links(BTreeMap<Place, bool>);

impl Links {
    /// Compares two observations. `may_write` says whether users wrote to a path of a volume.
    ///
    /// Users make names and remove them. A name that is there both times is the same file as before, wherever it is.
    pub(crate) fn between(
        evidence: &Evidence,
        before: ObservationId,
        after: ObservationId,
        may_write: impl Fn(&str, &str) -> bool,
    ) -> Result<Self> {
        let (old, new) = (Names::of(evidence, before)?, Names::of(evidence, after)?);
        let mut changed = BTreeMap::new();
        for place in old.links.keys().filter(|place| new.links.contains_key(*place)) {
            let (was, is) = (old.names(place), new.names(place));
            let both = |name: &str| [&old, &new].iter().all(|o| o.links.contains_key(&(place.0.clone(), name.to_owned())));
            let mut others = was.symmetric_difference(&is).peekable();
            if others.peek().is_some() {
                let explained = others.all(|name| may_write(&place.0, name) && !both(name));
                changed.insert(place.clone(), explained);
            }
        }
        Ok(Self(changed))
    }

    /// Whether writes explain all that changed at a path: at a file, or below a folder that stands for the files in it.
    pub(crate) fn explained(&self, volume: &str, path: &str) -> bool {
        let below = |at: &str| path == "." || at.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut changed = self.0.iter().filter(|((of, at), _)| of == volume && below(at)).peekable();
        changed.peek().is_some() && changed.all(|(_, explained)| *explained)
    }
}

/// The entries of an observation.
struct Names {
    /// What the names of one file have in common; empty for a file with one name.
    links: BTreeMap<Place, String>,
    /// The names of each file that has several.
    files: BTreeMap<Place, BTreeSet<String>>,
}

impl Names {
    fn of(evidence: &Evidence, o: ObservationId) -> Result<Self> {
        let (mut links, mut files) = (BTreeMap::new(), BTreeMap::<Place, BTreeSet<String>>::new());
        for file in evidence.files(o)? {
            if !file.link.is_empty() {
                files.entry((file.volume.clone(), file.link.clone())).or_default().insert(file.path.clone());
            }
            links.insert((file.volume, file.path), file.link);
        }
        Ok(Self { links, files })
    }

    /// All names of the file with this one.
    fn names<'a>(&'a self, place: &'a Place) -> BTreeSet<&'a str> {
        let link = self.links.get(place).filter(|link| !link.is_empty());
        let all = link.and_then(|link| self.files.get(&(place.0.clone(), link.clone())));
        all.map_or_else(|| BTreeSet::from([place.1.as_str()]), |all| all.iter().map(String::as_str).collect())
    }
}
