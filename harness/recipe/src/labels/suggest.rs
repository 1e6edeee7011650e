//! `labels suggest`: the labels that back up exactly what the inventory calls durable or valuable, as an edit of the recipe's text
//! that keeps its comments, its order and its style. No wish of the author is lost: each label stays, or is written anew where the bot
//! reads it, or is reported.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::image::ImageName;
use super::lint::{Mistake, lint_all};
use super::main_service::main_service;
use super::meaning::beside_paths;
use super::overlay::stay_beside;
use super::recipe::{Label, Recipe, RecipeFiles, Service};
use super::version::Version;
use super::{BACKUP, VOLUMES};
use crate::error::{Error, Result};
use crate::fence::files;
use apply::{Refusals, Texts, apply};
pub use pair::NewFile;
use plan::{At, Edit, Step};

mod apply;
mod pair;
mod plan;
mod spot;
mod text;

/// An edit of a recipe.
#[derive(Debug)]
pub struct Suggestion {
    /// Compose files, with their text before and after.
    pub files: Vec<(PathBuf, String, String)>,
    /// Other files that are written or changed: a script, and the variable with its version.
    pub others: Vec<NewFile>,
    /// What becomes of labels that were there, one sentence each.
    pub said: Vec<String>,
    /// Assumptions that the user should check, one sentence each.
    pub assumed: Vec<String>,
    /// What could not be changed, and why, one sentence each.
    pub by_hand: Vec<String>,
    /// Mistakes that only a person can correct.
    pub left: Vec<Mistake>,
}

impl Suggestion {
    /// The edit as a unified diff that git applies; empty if there is nothing to change. `root` is the folder that its names are from.
    pub fn diff_from(&self, root: &Path) -> String {
        let name = |file: &Path| {
            let file = file.strip_prefix(root).unwrap_or(file);
            let file: PathBuf = file.components().filter(|c| !matches!(c, std::path::Component::CurDir)).collect();
            file.display().to_string().trim_start_matches('/').to_owned()
        };
        let one = |file: &Path, old: Option<&str>, new: &str, mode: &str| {
            let name = name(file);
            let before = old.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{name}"));
            let diff = similar::TextDiff::from_lines(old.unwrap_or_default(), new);
            let diff = diff.unified_diff().header(&before, &format!("b/{name}")).to_string();
            let git = if old.is_none() { format!("diff --git a/{name} b/{name}\nnew file mode {mode}\n") } else { String::new() };
            git + &diff
        };
        let changed = self.files.iter().filter(|(_, old, new)| old != new).map(|(file, old, new)| one(file, Some(old), new, ""));
        let others =
            self.others.iter().map(|f| one(&f.path, f.old.as_deref(), &f.new, if f.is_executable { "100755" } else { "100644" }));
        changed.chain(others).collect()
    }

    /// The edit as a unified diff with the files' names as they were given.
    pub fn diff(&self) -> String {
        self.diff_from(Path::new(""))
    }

    /// Writes the files. Each is replaced as a whole or, after an error, left as it was.
    pub fn write(&self) -> Result<()> {
        for file in &self.others {
            write(&file.path, &file.new, file.is_executable)?;
        }
        for (file, _, new) in self.files.iter().filter(|(_, old, new)| old != new) {
            write(file, new, false)?;
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str, is_executable: bool) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    // A link stays one: what it names is replaced.
    let file = &file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let dir = file.parent().filter(|d| !d.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
    std::fs::write(temporary.path(), text).map_err(Error::io(temporary.path()))?;
    let new = std::fs::Permissions::from_mode(if is_executable { 0o755 } else { 0o644 });
    let mode = std::fs::metadata(file).map_or(new, |there| there.permissions());
    std::fs::set_permissions(temporary.path(), mode).map_err(Error::io(temporary.path()))?;
    temporary.persist(file).map_err(|e| Error::Io { path: file.to_owned(), source: e.error })?;
    Ok(())
}

/// Works out what to change so that the recipe backs up exactly what its inventory calls durable or valuable. Without an
/// inventory, every volume counts as such unless its label says otherwise. Overlays that are switched off are mended too.
pub fn suggest(sources: &RecipeFiles) -> Result<Suggestion> {
    suggest_for(sources, read(&sources.files)?)
}

fn read(paths: &[PathBuf]) -> Result<Texts> {
    paths.iter().map(|file| Ok((file.clone(), files::read_text(file)?))).collect()
}

/// The same for files that have these texts.
pub fn suggest_for(sources: &RecipeFiles, before: Texts) -> Result<Suggestion> {
    let overlays = read(&sources.overlays)?;
    let switch = switch_of_the_author(sources, before.iter().chain(&overlays))?;
    let mut work = Work { sources: sources.clone(), switch, said: Vec::new(), by_hand: Vec::new(), others: Vec::new() };
    let recipe = sources.parse(before.clone())?;
    let mut assumed = Vec::new();
    let unwanted = unwanted(&recipe, &mut assumed);
    let mut texts = work.first_version(before.clone(), &mut assumed)?;
    texts = work.mend(texts, &unwanted)?;
    let mut mended = overlays.clone();
    for files in sources.combinations() {
        let chosen: Texts = mended.iter().filter(|(path, _)| files.contains(path)).cloned().collect();
        let stay = stay_beside(&chosen, &texts)?;
        let with = texts.iter().zip(stay).filter(|(_, stays)| *stays).map(|(file, _)| file.clone());
        let all: Texts = with.chain(chosen).collect();
        let recipe = work.sources.parse(all.clone())?;
        for (path, text) in work.mend(all, &self::unwanted(&recipe, &mut Vec::new()))? {
            if let Some((_, old)) = texts.iter_mut().chain(&mut mended).find(|(other, _)| *other == path) {
                *old = text;
            }
        }
    }
    if texts != before || mended != overlays || !work.others.is_empty() {
        texts = work.raise(texts, &recipe)?;
    }

    let after: Texts = texts.into_iter().chain(mended).collect();
    let left = work.left(&after, &recipe)?;
    let before = before.into_iter().chain(overlays);
    let files = before.zip(after).map(|((file, old), (_, new))| (file, old, new)).collect();
    work.said.dedup();
    Ok(Suggestion { files, others: work.others, said: work.said, assumed, by_hand: work.by_hand, left })
}

/// The value of a new switch: `true`, or what the author writes for every other one, if that is on.
fn switch_of_the_author<'t>(sources: &RecipeFiles, texts: impl Iterator<Item = &'t (PathBuf, String)>) -> Result<String> {
    let recipe = sources.parse(texts.cloned().collect())?;
    let switches = recipe.labels().filter(|(.., l)| l.name == BACKUP);
    let values: BTreeSet<(&str, &str)> = switches.map(|(.., l)| (l.written.1.as_str(), l.value.as_str())).collect();
    let only = values.iter().next().filter(|(_, value)| values.len() == 1 && *value == "true");
    Ok(only.map_or("true", |(written, _)| written).to_owned())
}

struct Work {
    sources: RecipeFiles,
    /// The value of a new switch.
    switch: String,
    said: Vec<String>,
    by_hand: Vec<String>,
    others: Vec<NewFile>,
}

impl Work {
    /// Mends the labels of a combination of files, then gives its databases their dumps.
    fn mend(&mut self, texts: Texts, unwanted: &[String]) -> Result<Texts> {
        let recipe = self.sources.parse(texts.clone())?;
        let (main, _) = main_of(&recipe)?;
        let steps = plan::steps(&recipe, main, unwanted, &self.switch);
        self.told(beside_paths_of(&recipe));
        let mut texts = self.make(texts, &steps)?;
        let recipe = self.sources.parse(texts.clone())?;
        self.told(pair::refusals(&recipe));
        for (step, new) in pair::pairs(&recipe, &self.sources.unwritten) {
            let (done, refused) = apply(&texts, std::slice::from_ref(&step))?;
            if refused.is_empty() {
                texts = done;
                self.said.extend(step.said);
                self.add(new);
            } else {
                self.refuse(refused);
            }
        }
        Ok(texts)
    }

    fn make(&mut self, texts: Texts, steps: &[Step]) -> Result<Texts> {
        let (done, refused) = apply(&texts, steps)?;
        let refusals: HashSet<String> = refused.iter().map(|(step, _)| format!("{step:?}")).collect();
        let made = steps.iter().filter(|s| refusals.is_empty() || !refusals.contains(&format!("{s:?}")));
        self.said.extend(made.filter_map(|s| s.said.clone()));
        self.refuse(refused);
        Ok(done)
    }

    fn refuse(&mut self, refused: Refusals) {
        for (step, why) in refused {
            let inserts = step.edits.iter().filter_map(|edit| match edit {
                Edit::Insert { service, name, value, .. } => Some(format!("{name}={value} under deploy.labels of {service}")),
                _ => None,
            });
            let what = step.said.unwrap_or_else(|| format!("write {}", inserts.collect::<Vec<_>>().join(" and ")));
            self.told(vec![format!("{what}: by hand, because {why}")]);
        }
    }

    /// Keeps sentences about what is left, each once.
    fn told(&mut self, lines: Vec<String>) {
        for line in lines {
            if !self.by_hand.contains(&line) {
                self.by_hand.push(line);
            }
        }
    }

    /// Keeps new files, each once.
    fn add(&mut self, new: Vec<NewFile>) {
        for file in new {
            self.sources.unwritten.insert(file.path.clone(), file.new.clone());
            match self.others.iter_mut().find(|f| f.path == file.path) {
                Some(there) => there.new = file.new,
                None => self.others.push(file),
            }
        }
    }

    /// Gives the recipe its first version, if it has none that could be renamed.
    fn first_version(&mut self, texts: Texts, assumed: &mut Vec<String>) -> Result<Texts> {
        let recipe = self.sources.parse(texts.clone())?;
        let (main, service) = main_of(&recipe)?;
        if has_version(&recipe, main) {
            return Ok(texts);
        }
        let image = ImageName::parse(service.image.as_deref().unwrap_or_default());
        let (upstream, why) = match image.app_version() {
            Some(tag) => (tag, ""),
            None => ("0", "; write the app's version after the +, which the image's name does not say"),
        };
        assumed.push(format!("the recipe has no version label yet; its first version is 0.1.0+{upstream}{why}"));
        let name = "coop-cloud.${STACK_NAME}.version".to_owned();
        let edit = Edit::Insert { service: main.to_owned(), near: None, name, value: format!("0.1.0+{upstream}") };
        self.make(texts, &[Step { said: None, edits: vec![edit] }])
    }

    /// Raises the version that the recipe had before.
    fn raise(&mut self, texts: Texts, before: &Recipe) -> Result<Texts> {
        let recipe = self.sources.parse(texts.clone())?;
        let had = main_service(before).is_some_and(|(main, _)| has_version(before, main));
        let Some((_, _, label)) = recipe.version().filter(|_| had) else { return Ok(texts) };
        let Some(version) = Version::parse(&label.value) else { return Ok(texts) };
        let value = label.written.1.replacen(&version.to_string(), &version.bumped().to_string(), 1);
        // Services that share the label by an anchor have it raised together.
        let sharing = recipe.labels().filter(|(.., l)| l.place == label.place);
        let edits = sharing.map(|(service, _, label)| Edit::Rewrite {
            at: At { service: service.to_owned(), on_container: false, label: label.clone() },
            name: label.written.0.clone(),
            value: value.clone(),
        });
        let raised = format!("{}: the version becomes {value}", label.place);
        let (done, refused) = apply(&texts, &[Step { said: Some(raised), edits: edits.collect() }])?;
        self.refuse(refused);
        Ok(done)
    }

    /// What lint still finds.
    fn left(&self, after: &Texts, before: &Recipe) -> Result<Vec<Mistake>> {
        let text = |path: &PathBuf| {
            let found = after.iter().find(|(file, _)| file == path);
            found.map(|(_, text)| text.clone()).ok_or_else(|| Error::Usage(format!("{} is not there", path.display())))
        };
        lint_all(&self.sources, Some(before), &text)
    }
}

fn main_of(recipe: &Recipe) -> Result<(&str, &Service)> {
    main_service(recipe).ok_or_else(|| Error::Usage("the recipe has no services".into()))
}

/// Whether a recipe has its version, or one of its main service that can be renamed.
fn has_version(recipe: &Recipe, main: &str) -> bool {
    let is_old = |(name, _, label): (&str, &Service, &Label)| name == main && Version::parse(&label.value).is_some();
    recipe.version().is_some() || recipe.old_versions().any(is_old)
}

/// What is backed up beside the paths that labels of an older version name.
fn beside_paths_of(recipe: &Recipe) -> Vec<String> {
    let paths = recipe.labels().filter(|(.., l)| l.name == "backupbot.backup.path");
    paths
        .filter_map(|(_, s, l)| Some(format!("{}: {}={}: {}", l.place, l.name, l.written.1, beside_paths(recipe, s, l)?)))
        .collect()
}

/// The mounted volumes that need no backup.
fn unwanted(recipe: &Recipe, assumed: &mut Vec<String>) -> Vec<String> {
    let mounted: BTreeSet<&str> = recipe.services.values().filter(|s| !s.is_bot()).flat_map(Service::volumes).collect();
    let Some(inventory) = &recipe.inventory else {
        let labels = recipe.labels().filter(|(.., l)| l.value == "false");
        let labels: HashSet<&str> = labels.filter_map(|(.., l)| l.name.strip_prefix(VOLUMES)).collect();
        let (excluded, taken): (Vec<&str>, Vec<&str>) = mounted.iter().partition(|v| labels.contains(**v));
        if !taken.is_empty() {
            assumed.push(format!("there is no inventory.toml, so every volume is worth a backup ({})", taken.join(", ")));
        }
        if !excluded.is_empty() {
            assumed.push(format!("the volumes that labels exclude stay excluded ({})", excluded.join(", ")));
        }
        return Vec::new();
    };
    let junk = inventory.volumes.iter().filter(|v| v.class.is_left_out());
    junk.map(|v| v.name.clone()).filter(|v| mounted.contains(v.as_str())).collect()
}
