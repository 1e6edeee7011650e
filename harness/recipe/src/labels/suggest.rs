//! `labels suggest`: the labels that back up exactly what the inventory calls durable or valuable, as an edit of the recipe's text
//! that keeps its comments and its order.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::lint::{Mistake, lint};
use super::recipe::{Label, Place, Recipe, RecipeFiles, Service};
use super::rules::Rule;
use super::version::Version;
use super::{BACKUP, Hook, VOLUMES};
use crate::error::{Error, Result};
use crate::fence::files;
use crate::inventory::Class;

/// Labels with one of these mistakes are removed, and what they meant is written again.
const REPLACED: &[Rule] = &[
    Rule::NotEnabled,
    Rule::EnabledTwice,
    Rule::EnabledElsewhere,
    Rule::Version1,
    Rule::ContainerPath,
    Rule::UnknownVolume,
    Rule::UnknownLabel,
    Rule::ContainerLabel,
    Rule::InexactValue,
    Rule::BadPath,
    Rule::PathOfExcluded,
    Rule::NothingLeft,
    Rule::DurableExcluded,
    Rule::ValuableExcluded,
];

/// An edit of a recipe.
#[derive(Debug)]
pub struct Suggestion {
    /// Files, with their text before and after.
    pub files: Vec<(PathBuf, String, String)>,
    /// Assumptions that the user should check, one sentence each.
    pub assumed: Vec<String>,
    /// Mistakes that only a person can correct.
    pub left: Vec<Mistake>,
}

impl Suggestion {
    /// The edit as a unified diff; empty if there is nothing to change.
    pub fn diff(&self) -> String {
        let one = |(file, old, new): &(PathBuf, String, String)| {
            let name = file.display().to_string();
            similar::TextDiff::from_lines(old, new).unified_diff().header(&name, &name).to_string()
        };
        self.files.iter().filter(|(_, old, new)| old != new).map(one).collect()
    }

    /// Writes the files. Each is replaced as a whole or, after an error, left as it was.
    pub fn write(&self) -> Result<()> {
        for (file, _, new) in self.files.iter().filter(|(_, old, new)| old != new) {
            let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(std::path::Path::new("."));
            let temporary = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
            std::fs::write(temporary.path(), new).map_err(Error::io(temporary.path()))?;
            let mode = std::fs::metadata(file).map_err(Error::io(file))?.permissions();
            std::fs::set_permissions(temporary.path(), mode).map_err(Error::io(temporary.path()))?;
            temporary.persist(file).map_err(|e| Error::Io { path: file.clone(), source: e.error })?;
        }
        Ok(())
    }
}

/// Works out what to change so that the recipe backs up exactly what its inventory calls durable or valuable. Without an
/// inventory, every volume counts as such unless its label says otherwise.
///
/// It is an error if a label that must change shares its line with other text.
pub fn suggest(sources: &RecipeFiles) -> Result<Suggestion> {
    let read = |file: &PathBuf| Ok((file.clone(), files::read_text(file)?));
    suggest_for(sources, sources.files.iter().map(read).collect::<Result<Vec<_>>>()?)
}

/// The same for files that have these texts.
pub fn suggest_for(sources: &RecipeFiles, before: Vec<(PathBuf, String)>) -> Result<Suggestion> {
    let recipe = sources.parse(before.clone())?;
    let (main, service) = main_service(&recipe)?;
    let mut assumed = Vec::new();
    let unwanted = unwanted(&recipe, &mut assumed);

    let mut edit = Edit { texts: before.iter().map(|(f, t)| (Arc::new(f.clone()), Lines::new(t))).collect() };
    let replaced: BTreeSet<Place> =
        lint(&recipe, None).into_iter().filter(|m| REPLACED.contains(&m.rule)).map(|m| m.place).collect();
    let is_kept = |l: &&Label| !replaced.contains(&l.place);
    let kept: BTreeSet<&str> = recipe
        .labels()
        .map(|(.., l)| l)
        .filter(is_kept)
        .filter(|l| l.value != "false" || l.name != BACKUP)
        .map(|l| l.name.as_str())
        .collect();

    let mut wanted: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    if recipe.version().is_none() {
        let tag = service.image.as_deref().and_then(|i| i.rsplit_once(':')).map_or("0", |(_, tag)| tag);
        assumed.push(format!("the recipe has no version label yet; its first version is 0.1.0+{tag}"));
        wanted.entry(main).or_default().push(("coop-cloud.${STACK_NAME}.version".into(), format!("0.1.0+{tag}")));
    }
    let volumes = unwanted.iter().map(|v| (format!("{VOLUMES}{v}"), "false"));
    for (name, value) in [(BACKUP.to_owned(), "true")].into_iter().chain(volumes) {
        if !kept.contains(name.as_str()) {
            wanted.entry(main).or_default().push((name, value.to_owned()));
        }
    }
    // Hooks move from the container to the service.
    for (name, service) in &recipe.services {
        let hooks = service.container_labels.iter().filter(|l| Hook::ALL.iter().any(|h| h.label() == l.name));
        for hook in hooks.filter(|h| !kept.contains(h.name.as_str())) {
            wanted.entry(name).or_default().push((hook.name.clone(), hook.value.clone()));
        }
    }

    let changed = !wanted.is_empty() || !replaced.is_empty();
    if let Some((.., label)) = recipe.version().filter(|_| changed)
        && let Some(version) = Version::parse(&label.value)
    {
        edit.replace(&label.place, &version.to_string(), &version.bumped().to_string())?;
    }
    for (name, service) in &recipe.services {
        edit.service(service, &replaced, wanted.remove(name.as_str()).unwrap_or_default())?;
    }
    let after: Vec<(PathBuf, String)> = edit.texts.into_iter().map(|(f, lines)| (f.to_path_buf(), lines.text())).collect();
    let left = lint(&sources.parse(after.clone())?, Some(&recipe));
    let files = before.into_iter().zip(after).map(|((file, old), (_, new))| (file, old, new)).collect();
    Ok(Suggestion { files, assumed, left })
}

fn main_service(recipe: &Recipe) -> Result<(&str, &Service)> {
    let app = recipe.services.get_key_value("app").map(|(name, s)| (name.as_str(), s));
    app.or_else(|| recipe.version().map(|(name, s, _)| (name, s)))
        .or_else(|| recipe.services.iter().next().map(|(name, s)| (name.as_str(), s)))
        .ok_or_else(|| Error::Usage("the recipe has no services".into()))
}

/// The mounted volumes that need no backup.
fn unwanted(recipe: &Recipe, assumed: &mut Vec<String>) -> Vec<String> {
    let mounted: BTreeSet<&str> = recipe.services.values().flat_map(Service::volumes).collect();
    let Some(inventory) = &recipe.inventory else {
        let labels = recipe.labels().filter(|(.., l)| l.value == "false");
        let labels: HashSet<&str> = labels.filter_map(|(.., l)| l.name.strip_prefix(VOLUMES)).collect();
        let (excluded, taken): (Vec<&str>, Vec<&str>) = mounted.iter().partition(|v| labels.contains(**v));
        assumed.push(format!("there is no inventory.toml, so every volume is worth a backup ({})", taken.join(", ")));
        if !excluded.is_empty() && !taken.is_empty() {
            assumed.push(format!("the volumes that labels exclude stay excluded ({})", excluded.join(", ")));
            return excluded.into_iter().map(str::to_owned).collect();
        }
        return Vec::new();
    };
    let junk = inventory.volumes.iter().filter(|v| matches!(v.class, Class::Cache | Class::Regenerated));
    junk.map(|v| v.name.clone()).filter(|v| mounted.contains(v.as_str())).collect()
}

struct Edit {
    texts: Vec<(Arc<PathBuf>, Lines)>,
}

/// The lines of a file. Their numbers are those of the file before any edit.
struct Lines {
    old: Vec<String>,
    /// What each line is replaced by; empty once it is removed.
    new: Vec<String>,
    end: &'static str,
}

impl Lines {
    fn new(text: &str) -> Self {
        let old: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        Self { new: old.clone(), old, end: if text.contains("\r\n") { "\r\n" } else { "\n" } }
    }

    fn text(self) -> String {
        self.new.concat()
    }

    fn indent(&self, at: usize) -> Option<usize> {
        let line = self.old.get(at)?;
        (!line.trim().is_empty()).then(|| line.len() - line.trim_start().len())
    }

    /// The line after the block that begins in line `at`, from 0.
    fn block_end(&self, at: usize) -> usize {
        let own = self.indent(at).unwrap_or(0);
        let mut end = at + 1;
        for next in at + 1..self.old.len() {
            match self.indent(next) {
                Some(indent) if indent <= own => break,
                Some(_) => end = next + 1,
                None => {}
            }
        }
        end
    }

    fn insert_after(&mut self, at: usize, text: &str) {
        if !self.new[at].ends_with('\n') && !self.new[at].is_empty() {
            self.new[at] += self.end;
        }
        self.new[at] += text;
    }
}

/// In which columns of each line labels begin.
struct Neighbours<'a>(HashMap<(&'a PathBuf, usize), BTreeSet<usize>>);

impl<'a> Neighbours<'a> {
    fn new(labels: impl Iterator<Item = &'a Label>) -> Self {
        let mut columns: HashMap<_, BTreeSet<usize>> = HashMap::new();
        for Place { file, line, column } in labels.map(|l| &l.place) {
            columns.entry((file.as_ref(), *line)).or_default().insert(*column);
        }
        Self(columns)
    }

    /// Whether more than one label is in the line of this one.
    fn share_line(&self, place: &Place) -> bool {
        self.0.get(&(place.file.as_ref(), place.line)).is_some_and(|columns| columns.len() > 1)
    }
}

impl Edit {
    fn lines(&mut self, place: &Place) -> &mut Lines {
        let of = |(file, _): &&mut (Arc<PathBuf>, Lines)| **file == *place.file;
        let found = self.texts.iter_mut().find(of);
        &mut found.expect("places are in the files that were read").1
    }

    fn replace(&mut self, place: &Place, from: &str, to: &str) -> Result<()> {
        let line = &mut self.lines(place).new[place.line - 1];
        if !line.contains(from) {
            let message = format!("this line does not contain {from}; change the version to {to} by hand");
            return Err(Error::input(place.file.as_ref(), Some(place.line), message));
        }
        *line = line.replacen(from, to, 1);
        Ok(())
    }

    /// Removes the replaced labels of a service and writes the wanted ones.
    fn service(&mut self, service: &Service, replaced: &BTreeSet<Place>, wanted: Vec<(String, String)>) -> Result<()> {
        let all = || service.labels.iter().chain(&service.container_labels);
        let neighbours = Neighbours::new(all());
        for label in all().filter(|l| replaced.contains(&l.place)) {
            self.check_own_line(label, &neighbours)?;
            let lines = self.lines(&label.place);
            let at = label.place.line - 1;
            for line in at..lines.block_end(at) {
                lines.new[line].clear();
            }
        }
        if !wanted.is_empty() {
            // After the version, else after the last label that is kept, else where the first removed one was.
            let stays = |l: &&Label| !replaced.contains(&l.place);
            let version = service.labels.iter().find(|l| l.name.ends_with(".version"));
            let beside = version.or_else(|| service.labels.iter().rfind(stays)).or(service.labels.first());
            match beside {
                Some(label) => {
                    self.check_own_line(label, &neighbours)?;
                    let lines = self.lines(&label.place);
                    let at = label.place.line - 1;
                    let (indent, end) = (lines.indent(at).unwrap_or(0), lines.end);
                    let text = written(&wanted, indent, lines.old[at].trim_start().starts_with('-'), end);
                    let last = lines.block_end(at) - 1;
                    lines.insert_after(last, &text);
                }
                None => self.new_labels(service, &wanted),
            }
        }
        for (labels, inserted) in [(&service.labels, !wanted.is_empty()), (&service.container_labels, false)] {
            if !inserted && !labels.is_empty() && labels.iter().all(|l| replaced.contains(&l.place)) {
                self.remove_heading(&labels[0].place);
            }
        }
        Ok(())
    }

    /// Only a label on a line of its own can be edited without touching its neighbours.
    fn check_own_line(&mut self, label: &Label, neighbours: &Neighbours<'_>) -> Result<()> {
        let place = &label.place;
        let line = self.lines(place).old[place.line - 1].clone();
        let before: String = line.chars().take(place.column - 1).collect();
        let block = before.trim().is_empty() || before.trim() == "-";
        if block && !neighbours.share_line(place) {
            return Ok(());
        }
        let message =
            format!("{} shares its line with other text; put each label on a line of its own, then try again", label.name);
        Err(Error::input(place.file.as_ref(), Some(place.line), message))
    }

    /// For a service without labels: after its `deploy:`, or at the end of the service.
    fn new_labels(&mut self, service: &Service, wanted: &[(String, String)]) {
        let lines = self.lines(&service.place);
        let at = service.place.line - 1;
        let end = lines.block_end(at);
        let step = (at + 1..end).find_map(|l| lines.indent(l)).unwrap_or(4);
        let unit = step.saturating_sub(lines.indent(at).unwrap_or(2)).max(1);
        let deploy =
            (at + 1..end).find(|l| lines.indent(*l) == Some(step) && lines.old[*l].trim_end() == format!("{:step$}deploy:", ""));
        let (depth, eol) = (step + unit, lines.end);
        let text = format!("{:depth$}labels:{eol}{}", "", written(wanted, depth + unit, true, eol));
        match deploy {
            Some(deploy) => lines.insert_after(deploy, &text),
            None => lines.insert_after(end - 1, &format!("{:step$}deploy:{eol}{text}", "")),
        }
    }

    /// Removes a `labels:` that has no label left, and a `deploy:` that has nothing else.
    fn remove_heading(&mut self, label: &Place) {
        let lines = self.lines(label);
        let mut at = label.line - 1;
        for heading in ["labels:", "deploy:"] {
            let inner = lines.indent(at).unwrap_or(0);
            let is_heading = |l: &usize| lines.old[*l].trim() == heading && lines.indent(*l).is_some_and(|i| i <= inner);
            let Some(above) = (0..at).rev().find(is_heading) else { return };
            if (above + 1..lines.block_end(above).max(label.line)).any(|l| !lines.new[l].trim().is_empty()) {
                return;
            }
            lines.new[above].clear();
            at = above;
        }
    }
}

fn written(labels: &[(String, String)], indent: usize, list: bool, end: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let one = |(name, value): &(String, String)| match list {
        true => format!("{:indent$}- \"{}={}\"{end}", "", quoted(name), quoted(value)),
        false => format!("{:indent$}{name}: \"{}\"{end}", "", quoted(value)),
    };
    labels.iter().map(one).collect()
}
