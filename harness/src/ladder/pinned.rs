//! A recipe at a pinned commit, in a directory of the run's own. The user's checkout is read only, and of it nothing but what
//! git has stored: another build may use it meanwhile.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use recipe::git::{self, git};
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::version::Version;
use recipe::near::did_you_mean;
use recipe::scenario;

use super::Taken;
use super::remote::{self, Address};
use crate::error::{Error, Result};

/// Where a recipe is.
#[derive(Debug, Clone)]
pub struct Source {
    /// The recipe's folder in the user's checkout.
    pub dir: PathBuf,
    /// Its name: the folder's.
    pub name: String,
    /// The place that was asked for, without the revision.
    pub place: String,
    /// The revision that was asked for.
    revision: Option<String>,
    /// Whether files are taken as they are.
    dirty: bool,
    /// What the folder is a clone of, which is removed after the last use.
    clone: Option<remote::Clone>,
}

/// A recipe's copy.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// The copy.
    pub dir: PathBuf,
    /// What it is a copy of.
    pub taken: Taken,
}

impl Source {
    /// `PATH`, `NAME` of a recipe in `~/.abra/recipes` or of a scenario; `@REVISION` after it names a tag or commit.
    /// With `dirty`, files are taken as they are, of no commit. A repository's address is cloned.
    pub async fn find(asked: &str, scenarios: &Path, dirty: bool) -> Result<Self> {
        if let Some((address, revision)) = Address::with_revision(asked)? {
            if dirty {
                return Err(Error::Usage(format!(
                    "{asked}: --dirty takes the files of a folder as they are, but this is not a folder"
                )));
            }
            return Self::cloned(&address, revision.as_deref(), None).await;
        }
        Self::folder(asked, scenarios, dirty)
    }

    /// A folder of the user's, or where recipes of that name are.
    fn folder(asked: &str, scenarios: &Path, dirty: bool) -> Result<Self> {
        let (place, revision) = match asked.rsplit_once('@') {
            Some((place, revision)) if !Path::new(asked).exists() => (place, Some(revision.to_owned())),
            _ => (asked, None),
        };
        let recipes = std::env::var_os("ABRA_DIR")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".abra")))
            .map(|abra| abra.join("recipes"));
        let folders = |root: &Path| std::fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
        let names: Vec<String> = recipes
            .iter()
            .flat_map(|root| folders(root))
            .filter_map(|entry| entry.file_name().into_string().ok())
            .chain(scenario::list(scenarios))
            .collect();
        let places: Vec<PathBuf> = [Some(PathBuf::from(place)), recipes.map(|r| r.join(place)), Some(scenarios.join(place))]
            .into_iter()
            .flatten()
            .collect();
        let looked = || places.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        let dir = places.iter().find(|p| p.is_dir()).ok_or_else(|| {
            let near = did_you_mean(place, names.iter().map(String::as_str));
            Error::Usage(format!("no recipe {place:?}; expected a recipe's folder, looked for {}{near}", looked()))
        })?;
        let dir = dir.canonicalize().map_err(Error::io(dir))?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = Self { dir, name, place: place.to_owned(), revision, dirty, clone: None };
        if let (false, Err(why)) = (dirty, git(&source.dir, &["rev-parse", "--is-inside-work-tree"])) {
            return Err(Error::Usage(format!(
                "{}: not in a git repository, so its recipe has no commit to pin; commit it, or take its files as they are with --dirty \
                 ({why})",
                source.dir.display()
            )));
        }
        Ok(source)
    }

    /// A clone of a recipe's repository.
    pub async fn cloned(address: &Address, revision: Option<&str>, pull_request: Option<u64>) -> Result<Self> {
        let clone = address.clone(revision, pull_request).await?;
        let (name, place, revision) = (address.name.clone(), address.url.clone(), Some(clone.commit.clone()));
        Ok(Self { dir: clone.dir().to_owned(), name, place, revision, dirty: false, clone: Some(clone) })
    }

    /// Whether it was cloned, and is no folder of the user's.
    pub fn is_clone(&self) -> bool {
        self.clone.is_some()
    }

    /// Takes another revision.
    pub fn at(self, revision: Option<String>) -> Self {
        Self { revision: revision.or(self.revision), ..self }
    }

    /// The revision that was asked for; a clone has always one.
    pub fn revision(&self) -> Option<&str> {
        self.revision.as_deref()
    }

    /// The commit under test; none where files are taken as they are.
    pub fn commit(&self) -> Result<Option<String>> {
        if self.dirty && self.revision.is_none() {
            return Ok(None);
        }
        self.commit_of(self.revision.as_deref().unwrap_or("HEAD")).map(Some)
    }

    fn lines(&self, arguments: &[&str]) -> Result<Vec<String>> {
        Ok(String::from_utf8_lossy(&git(&self.dir, arguments)?).lines().map(str::to_owned).collect())
    }

    /// Copies the recipe under test into `into`.
    pub fn pin(&self, into: &Path) -> Result<Pinned> {
        match &self.revision {
            Some(revision) => self.pin_at(revision, into),
            None if self.dirty => {
                std::fs::create_dir_all(into).map_err(Error::io(into))?;
                copy(&self.dir, &into.canonicalize().map_err(Error::io(into))?)?;
                Ok(Pinned { dir: into.to_owned(), taken: Taken { version: version(into)?, commit: None } })
            }
            None => {
                let changed = self.lines(&["status", "--porcelain", "--", "."])?;
                if let Some(first) = changed.first() {
                    return Err(Error::Usage(format!(
                        "{}: {} files are not committed, the first: {}; commit them, name a revision ({}@REVISION), or take the \
                         files as they are with --dirty",
                        self.dir.display(),
                        changed.len(),
                        first.trim(),
                        self.name
                    )));
                }
                self.pin_at("HEAD", into)
            }
        }
    }

    fn commit_of(&self, revision: &str) -> Result<String> {
        let wanted = format!("{revision}^{{commit}}");
        let commit = self.lines(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).map_err(|_| {
            let tags = self.versions().unwrap_or_default();
            let near = did_you_mean(revision, tags.iter().map(String::as_str));
            let tags = if tags.is_empty() { "it has no version tags".to_owned() } else { format!("it has {}", tags.join(", ")) };
            let place = if self.is_clone() { self.place.clone() } else { self.dir.display().to_string() };
            Error::Usage(format!("{place}: no tag or commit {revision:?}; {tags}{near}"))
        })?;
        Ok(commit.into_iter().next().unwrap_or_default())
    }

    /// Copies the recipe as it was at a revision into `into`.
    pub fn pin_at(&self, revision: &str, into: &Path) -> Result<Pinned> {
        let commit = self.commit_of(revision)?;
        let prefix = self.lines(&["rev-parse", "--show-prefix"])?.into_iter().next().unwrap_or_default();
        let top = self.lines(&["rev-parse", "--show-toplevel"])?.into_iter().next().unwrap_or_default();
        // In a folder below, git would look for that folder in the tree.
        std::fs::create_dir_all(into).map_err(Error::io(into))?;
        unpack(Path::new(&top), &format!("{commit}:{prefix}"), into)?;
        Ok(Pinned { dir: into.to_owned(), taken: Taken { version: version(into)?, commit: Some(commit) } })
    }

    /// The recipe's version tags, `x.y.z+upstream`, from the oldest.
    pub fn versions(&self) -> Result<Vec<String>> {
        if self.dirty && git(&self.dir, &["rev-parse", "--git-dir"]).is_err() {
            return Ok(vec![]);
        }
        let mut tags: Vec<String> = self.lines(&["tag", "--list"])?.into_iter().filter(|t| number(t).is_some()).collect();
        tags.sort_by_key(|t| number(t));
        Ok(tags)
    }

    /// The version tag before that version; the newest one where it has none.
    pub fn before(&self, version: Option<&str>) -> Result<Option<String>> {
        let now = version.and_then(number);
        Ok(self.versions()?.into_iter().rev().find(|t| now.is_none_or(|now| number(t) < Some(now))))
    }
}

/// The recipe's own part of `x.y.z+upstream`.
pub fn number(version: &str) -> Option<[u64; 3]> {
    Version::parse(version).map(|v| v.recipe)
}

/// The version in the labels of a recipe's folder: `coop-cloud.${STACK_NAME}.version`.
fn version(dir: &Path) -> Result<Option<String>> {
    let recipe = RecipeFiles::find(&[dir.to_owned()])?.read()?;
    Ok(recipe.version().map(|(.., label)| label.value.clone()))
}

/// The most files and folders of a recipe, and the most bytes of all of them. A few kilobytes of git can stand for any number of either.
const MOST_ENTRIES: usize = 10_000;
const MOST_BYTES: u64 = 256 << 20;

/// Unpacks a tree of a repository.
fn unpack(repository: &Path, tree: &str, into: &Path) -> Result<()> {
    let mut command = git::command(repository);
    command.args(["archive", "--format=tar", tree]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut archiving = command.spawn().map_err(Error::io("git"))?;
    let unpacked = archiving.stdout.take().map_or(Ok(()), |archive| unpack_archive(archive, tree, into));
    if unpacked.is_err() {
        // It may have ended already.
        let _ = archiving.kill();
    }
    let output = archiving.wait_with_output().map_err(Error::io("git"))?;
    unpacked?;
    if output.status.success() {
        return Ok(());
    }
    Err(git::failed(repository, "archive", &output.stderr).into())
}

fn unpack_archive(archive: impl Read, tree: &str, into: &Path) -> Result<()> {
    let too_large =
        |what: &str| Error::Usage(format!("{tree}: more than {what}, the most that a recipe may have; nothing was unpacked"));
    let mut archive = tar::Archive::new(archive.take(MOST_BYTES));
    for (at, entry) in archive.entries().map_err(Error::io(into))?.enumerate() {
        if at >= MOST_ENTRIES {
            return Err(too_large(&format!("{MOST_ENTRIES} files")));
        }
        // The archive ends in the middle where it is cut off.
        let mut entry = entry.map_err(|_| too_large(&format!("{} MiB", MOST_BYTES >> 20)))?;
        if entry.size() > MOST_BYTES {
            return Err(too_large(&format!("{} MiB", MOST_BYTES >> 20)));
        }
        entry.unpack_in(into).map_err(Error::io(into))?;
    }
    Ok(())
}

/// Copies a folder, without its repository, and without a folder in it that the copy is in. Links stay links, so that a copy has nothing of
/// what they lead to; pipes, sockets and devices are not a recipe's.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from).map_err(Error::io(from))?.flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(Error::io(&path))?;
        if entry.file_name() == ".git" || to.starts_with(&path) {
        } else if kind.is_dir() {
            std::fs::create_dir(&target).map_err(Error::io(&target))?;
            copy(&path, &target)?;
        } else if kind.is_symlink() {
            let leads = std::fs::read_link(&path).map_err(Error::io(&path))?;
            std::os::unix::fs::symlink(leads, &target).map_err(Error::io(&target))?;
        } else if kind.is_file() {
            std::fs::copy(&path, &target).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A repository with one recipe in a folder, and a tag for each version.
    fn repository(versions: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        git(dir.path(), &["init", "-q", "-b", "main"]);
        std::fs::create_dir(dir.path().join("mailu")).expect("made");
        for version in versions {
            write(dir.path(), version);
            git(dir.path(), &["add", "-A"]);
            git(dir.path(), &["-c", "user.name=a", "-c", "user.email=a@drill.example", "commit", "-q", "-m", version]);
            git(dir.path(), &["tag", version]);
        }
        dir
    }

    fn git(dir: &Path, arguments: &[&str]) {
        let status = Command::new("git").arg("-C").arg(dir).args(arguments).status().expect("git runs");
        assert!(status.success(), "git {arguments:?}");
    }

    fn write(dir: &Path, version: &str) {
        let text = format!(
            "services:\n  app:\n    image: nginx:1\n    deploy:\n      labels:\n        - \"coop-cloud.${{STACK_NAME}}.version={version}\"\n"
        );
        std::fs::write(dir.join("mailu/compose.yml"), text).expect("written");
    }

    fn find(asked: &str, dirty: bool) -> Result<Source> {
        Source::folder(asked, Path::new("nowhere"), dirty)
    }

    #[test]
    fn a_copy_has_nothing_of_what_links_lead_to_and_waits_for_no_pipe() {
        let dir = tempfile::tempdir().expect("a directory");
        let from = dir.path().join("from");
        std::fs::create_dir_all(from.join("sub")).expect("made");
        std::fs::write(dir.path().join("key"), "the host's").expect("written");
        std::fs::write(from.join("sub/own"), "x").expect("written");
        for (leads, link) in [("../key", "key"), ("..", "up"), (".", "loop"), ("sub/own", "own")] {
            std::os::unix::fs::symlink(leads, from.join(link)).expect("linked");
        }
        assert!(Command::new("mkfifo").arg(from.join("pipe")).status().expect("run").success());
        // Of a run in the recipe's own folder.
        let to = from.join("runs/ladder/recipe");
        std::fs::create_dir_all(&to).expect("made");
        std::fs::write(from.join("runs/older"), "x").expect("written");
        copy(&from, &to).expect("copied");
        assert!(!to.join("runs").exists());
        assert_eq!(std::fs::read_to_string(to.join("own")).expect("a link within"), "x");
        for (leads, link) in [("../key", "key"), ("..", "up"), (".", "loop")] {
            assert_eq!(std::fs::read_link(to.join(link)).expect("a link"), Path::new(leads));
        }
        assert!(!to.join("pipe").exists());
    }

    #[test]
    fn a_tree_without_end_is_not_unpacked() {
        let dir = tempfile::tempdir().expect("a directory");
        let header = |size: u64, kind| {
            let mut header = tar::Header::new_ustar();
            header.set_size(size);
            header.set_entry_type(kind);
            header
        };
        let mut many = tar::Builder::new(Vec::new());
        for at in 0..=MOST_ENTRIES {
            let folder = header(0, tar::EntryType::Directory);
            many.append_data(&mut folder.clone(), format!("d{at}"), std::io::empty()).expect("added");
        }
        let many = many.into_inner().expect("an archive");
        let refused = |archive: &[u8], most: &str| {
            let error = unpack_archive(archive, "abc:", dir.path()).expect_err("refused").to_string();
            assert!(error.contains(&format!("more than {most}, the most that a recipe may have")), "{error}");
        };
        refused(&many, "10000 files");
        // What follows never comes.
        let mut large = header(100 << 30, tar::EntryType::Regular);
        large.set_path("zeros").expect("a path");
        large.set_cksum();
        refused(large.as_bytes(), "256 MiB");
        assert!(!dir.path().join("zeros").exists());
    }

    #[test]
    fn a_recipe_is_pinned_at_its_commit_and_the_checkout_only_read() {
        let dir = repository(&["0.9.0+1.26", "1.0.0+1.27", "0.10.0+1.26.1"]);
        let place = dir.path().join("mailu").display().to_string();
        let source = find(&place, false).expect("found");
        assert_eq!(source.versions().expect("tags"), ["0.9.0+1.26", "0.10.0+1.26.1", "1.0.0+1.27"]);
        assert_eq!(source.before(Some("1.0.0+1.27")).expect("tags").as_deref(), Some("0.10.0+1.26.1"));
        assert_eq!(source.before(Some("0.9.0+1.26")).expect("tags"), None);
        let out = tempfile::tempdir().expect("a directory");
        let pinned = source.pin(&out.path().join("new")).expect("pinned");
        assert_eq!(pinned.taken.version.as_deref(), Some("0.10.0+1.26.1"));
        assert_eq!(pinned.taken.commit.as_ref().map(String::len), Some(40));
        let old = find(&format!("{place}@0.9.0+1.26"), false).expect("found").pin(&out.path().join("old")).expect("pinned");
        assert_eq!(old.taken.version.as_deref(), Some("0.9.0+1.26"));
        // Another process holds the index.
        std::fs::write(dir.path().join(".git/index.lock"), "").expect("written");
        source.pin(&out.path().join("locked")).expect("pinned");
    }

    #[test]
    fn what_cannot_be_pinned_says_what_to_do() {
        let dir = repository(&["1.0.0+1.27"]);
        let place = dir.path().join("mailu").display().to_string();
        let out = tempfile::tempdir().expect("a directory");
        let said = |r: Result<Pinned>| r.expect_err("refused").to_string();
        let source = find(&place, false).expect("found");
        let unknown = said(source.pin_at("2.0.0+9", &out.path().join("a")));
        assert!(unknown.contains("no tag or commit \"2.0.0+9\"; it has 1.0.0+1.27"), "{unknown}");
        write(dir.path(), "1.0.1+1.27");
        let dirty = said(source.pin(&out.path().join("b")));
        assert!(
            dirty.contains("1 files are not committed, the first: M mailu/compose.yml") && dirty.contains("--dirty"),
            "{dirty}"
        );
        let taken = find(&place, true).expect("found").pin(&out.path().join("c")).expect("taken").taken;
        assert_eq!(taken, Taken { version: Some("1.0.1+1.27".into()), commit: None });
        let none = tempfile::tempdir().expect("a directory");
        let bare = find(&none.path().display().to_string(), false).expect_err("no repository").to_string();
        assert!(bare.contains("not in a git repository") && bare.contains("--dirty"), "{bare}");
        assert!(find("no-such-recipe", false).expect_err("nowhere").to_string().contains("looked for no-such-recipe, "));
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(number("3.0.2+2024.06.52"), Some([3, 0, 2]));
        for wrong in ["3.0.2", "3.0+1", "v3.0.2+1", "3.0.2+", "latest"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }
}
