//! What to drill, as a person names it: a scenario, its folder, or the folder of a recipe.

use std::path::{Path, PathBuf};

use super::folder::{SPEC, list};
use crate::error::{Error, Result};
use crate::near::did_you_mean;
use crate::recipe_folder::RecipeFolder;

/// What is drilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The scenario: its name in the folder of scenarios, or the path of its folder.
    pub scenario: String,
    /// The recipe's folder, if it is not the scenario's own.
    pub recipe: Option<PathBuf>,
}

impl Asked {
    /// Finds what is meant among the scenarios in `root` and the folders.
    ///
    /// # Errors
    /// A folder is neither a scenario nor a recipe that a scenario describes. A name that is no folder is a scenario's.
    pub fn find(root: &Path, what: &str) -> Result<Self> {
        let place = Path::new(what);
        let is_name = !what.contains('/') && what != "." && what != "..";
        if !is_name && !place.is_dir() {
            return Err(Error::Usage(format!(
                "{what}: no such folder; expected a scenario's name, or the folder of a recipe or a scenario"
            )));
        }
        if !place.is_dir() || (is_name && root.join(what).join(SPEC).is_file()) {
            return Ok(Self { scenario: what.to_owned(), recipe: None });
        }
        let place = place.canonicalize().map_err(Error::unreadable(place))?;
        if place.join(SPEC).is_file() {
            return Ok(Self { scenario: place.display().to_string(), recipe: None });
        }
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { scenario: of_recipe(root, &place, &name, &place.display().to_string())?, recipe: Some(place) })
    }
}

/// The scenario in `root` that describes the app of a recipe: the one with the recipe's name, else the one with the name of `TYPE` in its
/// sample. The recipe's files are in `dir`; messages call it `place`. What its files say comes last: they are under test, and a scenario
/// says what a recipe is allowed.
///
/// # Errors
/// The folder is no recipe, or no scenario is called so.
pub fn of_recipe(root: &Path, dir: &Path, name: &str, place: &str) -> Result<String> {
    let folder = RecipeFolder::read(dir)?;
    let kind = folder.kind();
    let names: Vec<String> = [name.to_owned()].into_iter().chain(kind.clone()).collect();
    let known = list(root);
    if let Some(name) = names.iter().find(|name| known.contains(name)) {
        return Ok(name.clone());
    }
    folder.compose(&folder.values(&Default::default()), &[])?;
    let called = kind.as_deref().unwrap_or(name);
    let near = did_you_mean(called, known.iter().map(String::as_str));
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Err(Error::Usage(format!(
        "{place}: no scenario says how to fill and compare the app of this recipe, {called:?}. Scenarios in {}: {known}{near}. Choose one: \
         `restore-drill run SCENARIO --recipe FOLDER`, or --scenario for ladder and ci. Or write one: `restore-drill new {called} \
         --compose FOLDER`",
        root.display(),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, files: &[(&str, &str)]) {
        std::fs::create_dir_all(dir).expect("made");
        files.iter().for_each(|(name, text)| std::fs::write(dir.join(name), text).expect("written"));
    }

    #[test]
    fn a_scenario_is_found_for_a_recipe() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().canonicalize().expect("a place");
        let root = dir.join("scenarios");
        write(&root.join("wiki"), &[(SPEC, "")]);
        write(&root.join("backup"), &[(SPEC, "")]);
        let recipe = ("compose.yml", "services:\n  app:\n    image: a:1\n");
        for (name, sample, found) in [
            ("wiki", "", Some("wiki")),
            ("other", "TYPE=wiki:1.0.0+2\n", Some("wiki")),
            ("wiki", "TYPE=unknown\n", Some("wiki")),
            ("wiki", "TYPE=backup # of which more is allowed\n", Some("wiki")),
            ("wikis", "TYPE=wikis\n", None),
        ] {
            let folder = dir.join(format!("recipes-{}/{name}", sample.len()));
            write(&folder, &[recipe, (".env.sample", sample)]);
            let asked = Asked::find(&root, &folder.display().to_string());
            match found {
                Some(found) => {
                    assert_eq!(asked.expect(found), Asked { scenario: found.into(), recipe: Some(folder) });
                }
                None => {
                    let said = asked.expect_err("unknown").to_string();
                    for part in ["\"wikis\"", "did you mean wiki?", "run SCENARIO --recipe", "restore-drill new wikis"] {
                        assert!(said.contains(part), "{said}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_folder_is_a_scenario_a_recipe_or_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path().canonicalize().expect("a place");
        write(&dir.join("mine"), &[(SPEC, "")]);
        write(&dir.join("empty"), &[]);
        let find = |what: &str| Asked::find(&dir, what);
        let own = dir.join("mine").display().to_string();
        assert_eq!(find(&own).expect("a scenario"), Asked { scenario: own, recipe: None });
        for name in ["mine", "nowhere"] {
            assert_eq!(find(name).expect("a name"), Asked { scenario: name.into(), recipe: None });
        }
        let gone = find(&dir.join("gone").display().to_string()).expect_err("no folder").to_string();
        assert!(gone.contains("gone: no such folder; expected a scenario's name"), "{gone}");
        let said = find(&dir.join("empty").display().to_string()).expect_err("no recipe").to_string();
        assert!(said.contains("no compose file; expected compose.yml"), "{said}");
    }
}
