//! The folder of a Co-op Cloud recipe: which files it has, and what abra reads in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::env::{EnvFile, Values, exported};
use crate::error::{Error, Problem, Problems, Result};
use crate::fence::files;

/// The operator's settings with their defaults.
pub const SAMPLE: &str = ".env.sample";
/// The script whose exported variables are in force at deployment.
pub const SCRIPT: &str = "abra.sh";
/// The variable that lists the compose files.
const COMPOSE_FILE: &str = "COMPOSE_FILE";
/// What the compose file is called where nothing lists it, from the most usual name.
const COMPOSE_NAMES: [&str; 4] = ["compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"];

/// A recipe's folder.
#[derive(Debug, Clone)]
pub struct RecipeFolder {
    /// The folder.
    pub dir: PathBuf,
    /// `.env.sample`, if there is one.
    pub sample: Option<EnvFile>,
    /// What `abra.sh` exports: versions of configs.
    pub exported: Values,
}

impl RecipeFolder {
    /// Reads a folder's settings. The error lists everything that is wrong in them.
    pub fn read(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            return Err(Error::input(dir, None, "no such folder; expected a recipe's folder"));
        }
        let optional = |name: &str| Some(dir.join(name)).filter(|file| file.symlink_metadata().is_ok());
        let mut problems = Problems::default();
        let sample = optional(SAMPLE).map(|file| files::within(dir, &file).and_then(|_| EnvFile::read(&file)));
        let sample = problems.keep(sample.transpose())?.flatten();
        let script = optional(SCRIPT).map(|file| files::read_text_in(dir, &file));
        let script = problems.keep(script.transpose())?.flatten();
        problems.into_result()?;
        Ok(Self { dir: dir.to_owned(), sample, exported: script.map(|text| exported(&text)).unwrap_or_default() })
    }

    /// The values of variables as abra deploys them: the sample's, with those in `set` in their place, then what `abra.sh` exports.
    pub fn values(&self, set: &Values) -> Values {
        let mut values = self.sample.as_ref().map_or_else(|| set.clone(), |sample| sample.values(set));
        values.extend(self.exported.clone());
        values
    }

    /// The variables that an operator may leave out: those that the sample has commented out.
    pub fn optional(&self) -> BTreeSet<String> {
        self.sample.as_ref().map(|sample| sample.commented_out.clone()).unwrap_or_default()
    }

    /// The kind of app, which is the recipe's name: `TYPE` in the sample, without a version.
    pub fn kind(&self) -> Option<String> {
        let kind = self.values(&Values::new()).remove("TYPE")?;
        kind.split(':').next().filter(|k| !k.is_empty()).map(str::to_owned)
    }

    /// Whether the values list the compose files.
    pub fn lists_compose(&self, values: &Values) -> bool {
        values.get(COMPOSE_FILE).is_some_and(|value| !value.is_empty())
    }

    /// The compose files that are deployed, in the order in which they are merged: those that `COMPOSE_FILE` lists, else `listed`, else
    /// the one that has a usual name. The error names each that is not there.
    pub fn compose(&self, values: &Values, listed: &[String]) -> Result<Vec<PathBuf>> {
        let mut problems = Problems::default();
        let files = self.compose_there(values, listed, &mut problems)?;
        problems.into_result().map(|()| files)
    }

    /// Those of them that are there; the others are among the problems.
    pub(crate) fn compose_there(&self, values: &Values, listed: &[String], problems: &mut Problems) -> Result<Vec<PathBuf>> {
        let names: Vec<&str> = match values.get(COMPOSE_FILE).filter(|value| !value.is_empty()) {
            Some(value) => value.split(':').filter(|n| !n.is_empty()).collect(),
            None => listed.iter().map(String::as_str).collect(),
        };
        if names.is_empty() {
            return Ok(problems.keep(self.usual())?.into_iter().collect());
        }
        let mut files = Vec::new();
        for name in names {
            let file = self.dir.join(name);
            match files::within(&self.dir, &file) {
                Err(Error::Unreadable { source, .. }) => problems.add(self.unreadable(name, values, &source)),
                other => files.extend(problems.keep(other)?.map(|_| file)),
            }
        }
        Ok(files)
    }

    fn unreadable(&self, name: &str, values: &Values, why: &std::io::Error) -> Problem {
        let of_sample = self.sample.as_ref().filter(|s| s.values(&Values::new()).get(COMPOSE_FILE) == values.get(COMPOSE_FILE));
        let listed = of_sample.and_then(|s| Some((s.file.clone(), s.last(COMPOSE_FILE)?.line)));
        let (file, line) = listed.map_or_else(|| (self.dir.clone(), None), |(file, line)| (file, Some(line)));
        Problem { file, line, message: format!("cannot read {name}: {why}") }
    }

    fn usual(&self) -> Result<PathBuf> {
        let found = COMPOSE_NAMES.iter().map(|name| self.dir.join(name)).find(|file| file.exists());
        let file = found.ok_or_else(|| {
            let message = format!("no compose file; expected {}, or COMPOSE_FILE in {SAMPLE}", COMPOSE_NAMES.join(", "));
            Error::input(&self.dir, None, message)
        })?;
        files::within(&self.dir, &file).map(|_| file)
    }

    /// The folder's other compose files, by name: overlays that are switched off.
    pub fn overlays(&self, deployed: &[PathBuf]) -> Result<Vec<PathBuf>> {
        let mut overlays = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(Error::unreadable(&self.dir))?.flatten() {
            let (name, file) = (entry.file_name(), self.dir.join(entry.file_name()));
            if name.to_str().is_some_and(is_overlay) && !deployed.contains(&file) && files::usable(&self.dir, &file).is_ok() {
                overlays.push(file);
            }
        }
        overlays.sort();
        Ok(overlays)
    }
}

/// Whether a file's name is that of an overlay, such as `compose.smtp.yml`.
fn is_overlay(name: &str) -> bool {
    let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml")).unwrap_or_default();
    stem.strip_prefix("docker-").unwrap_or(stem).strip_prefix("compose.").is_some_and(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSE: &str = "services:\n  app:\n    image: a:1\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        files.iter().for_each(|(name, text)| std::fs::write(dir.path().join(name), text).expect("written"));
        dir
    }

    /// Names of the files that are deployed, and of the others.
    fn found(files: &[(&str, &str)], listed: &[&str]) -> Result<(Vec<String>, Vec<String>)> {
        let dir = folder(files);
        let names = |files: &[PathBuf]| {
            files.iter().map(|f| f.file_name().expect("a name").to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let read = RecipeFolder::read(dir.path())?;
        let listed: Vec<String> = listed.iter().map(|n| (*n).to_owned()).collect();
        let compose = read.compose(&read.values(&Values::new()), &listed)?;
        Ok((names(&compose), names(&read.overlays(&compose)?)))
    }

    #[test]
    fn compose_files_are_those_that_an_operator_deploys() {
        let (a, b, c) = (("compose.yml", COMPOSE), ("compose.db.yml", COMPOSE), ("compose.smtp.yml", COMPOSE));
        let sample = |text| (".env.sample", text);
        let grown = "COMPOSE_FILE=\"compose.yml\"\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.db.yml\" # on\n#COMPOSE_FILE=\"$COMPOSE_FILE:compose.smtp.yml\"\n";
        let expected = (vec!["compose.yml".to_owned(), "compose.db.yml".to_owned()], vec!["compose.smtp.yml".to_owned()]);
        assert_eq!(found(&[a, b, c, sample(grown)], &[]).expect("found"), expected);
        assert_eq!(found(&[a, b, c, sample(grown)], &["compose.yml"]).expect("found"), expected, "the sample says so");
        assert_eq!(found(&[a, b, c], &["compose.yml", "compose.db.yml"]).expect("found"), expected);
        for name in COMPOSE_NAMES {
            assert_eq!(found(&[(name, COMPOSE), ("composer.yml", "")], &[]).expect("found"), (vec![name.to_owned()], vec![]));
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        let said = |files: &[(&str, &str)]| found(files, &[]).expect_err("refused").to_string();
        let none = said(&[("readme.md", "")]);
        assert!(none.contains("no compose file; expected compose.yml, compose.yaml, docker-compose.yml"), "{none}");
        let two = said(&[("compose.yml", COMPOSE), (".env.sample", "\nCOMPOSE_FILE=compose.yml:a.yml:b.yml\n")]);
        for part in ["2 problems", ".env.sample:2: cannot read a.yml: ", ".env.sample:2: cannot read b.yml: "] {
            assert!(two.contains(part), "{two}");
        }
        assert!(said(&[(".env.sample", "COMPOSE_FILE=../compose.yml\n")]).contains("cannot read ../compose.yml"));
        let nowhere = RecipeFolder::read(Path::new("no/where")).expect_err("no folder").to_string();
        assert_eq!(nowhere, "no/where: no such folder; expected a recipe's folder");
        let wrong = said(&[("compose.yml", COMPOSE), (".env.sample", "A\nB\n")]);
        assert!(wrong.contains(".env.sample:1: \"A\"") && wrong.contains(".env.sample:2: \"B\""), "{wrong}");
    }

    #[test]
    fn what_the_script_exports_is_in_force() {
        let dir =
            folder(&[(".env.sample", "TYPE=wiki:1.0.0+2\nB_VERSION=v1\nHOST=w.$DOMAIN\n"), ("abra.sh", "export B_VERSION=v3\n")]);
        let read = RecipeFolder::read(dir.path()).expect("read");
        let values = read.values(&Values::from([("DOMAIN".into(), "b.example".into())]));
        assert_eq!((values["B_VERSION"].as_str(), values["HOST"].as_str()), ("v3", "w.b.example"));
        assert_eq!(read.kind().as_deref(), Some("wiki"));
    }
}
