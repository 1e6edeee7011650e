//! Asks docker's own reader whether what is suggested can be deployed, if docker is installed. It needs no engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recipe::compose::Compose;
use recipe::fence::reach;
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::Suggestion;
use recipe::scenario::values::STACK_NAME;

use crate::error::{Error, Result};
use crate::output;
use crate::stack::reading::{self, Said};
use crate::stack::variables;

/// Checks that docker reads what is suggested, if it reads what was there before. It is said if that could not be checked.
///
/// It is an error if it does not; then nothing is written.
pub(super) fn check(sources: &RecipeFiles, suggestion: &Suggestion) -> Result<()> {
    let combinations = std::iter::once(None).chain(sources.overlays.iter().map(Some));
    let mut unchecked = Vec::new();
    for overlay in combinations {
        let files: Vec<&PathBuf> = sources.files.iter().chain(overlay).collect();
        let of = |after: bool| -> Vec<&str> {
            let text = |file: &&PathBuf| {
                let (_, old, new) = suggestion.files.iter().find(|(path, ..)| path == *file)?;
                Some(if after { new.as_str() } else { old.as_str() })
            };
            files.iter().filter_map(text).collect()
        };
        let (before, after) = (of(false), of(true));
        if before == after {
            continue;
        }
        // Docker would read them, and print what is in them where it is not as expected.
        let named = |file: &&PathBuf| suggestion.files.iter().find(|(path, ..)| path == *file);
        let names_others = |(file, old, _): &(PathBuf, String, String)| names_others(file, old, &sources.env);
        if let Some(refused) = files.iter().filter_map(named).find_map(names_others) {
            unchecked.push(refused);
            continue;
        }
        let said = match read(sources, &before)? {
            Said::Read => read(sources, &after)?,
            Said::Refused(why) => {
                Said::Nothing(format!("without the recipe's other files, it does not read what is there: {why}"))
            }
            nothing @ Said::Nothing(_) => nothing,
        };
        match said {
            Said::Read => {}
            Said::Refused(said) => {
                let why = format!("{said}; nothing is suggested. Please report this with your recipe");
                return Err(Error::system("docker rejects the changed files", why));
            }
            Said::Nothing(why) if unchecked.contains(&why) => {}
            Said::Nothing(why) => unchecked.push(why),
        }
    }
    unchecked.iter().for_each(|why| output::notice(format_args!("not checked with docker: {why}")));
    Ok(())
}

/// What is wrong with the files that a compose file names, if it names any but the recipe's own.
fn names_others(file: &Path, text: &str, values: &BTreeMap<String, String>) -> Option<String> {
    let checked = Compose::parse(file, text).and_then(|compose| reach::check_files(&compose, values));
    checked.err().map(|e| e.to_string())
}

/// What docker says of files with these texts.
fn read(sources: &RecipeFiles, texts: &[&str]) -> Result<Said> {
    let mut values = sources.env.clone();
    values.entry(STACK_NAME.into()).or_insert_with(|| "stack".into());
    let texts: Vec<String> = texts.iter().map(|text| variables::shielded(text)).collect();
    reading::read(&texts, &values)
}
