//! `labels lint --catalogue`: one line for each recipe of a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use recipe::labels::lint::{Mistake, OutputFormat, count, is_error, lint_files};
use recipe::labels::recipe::RecipeFiles;

use crate::error::{Error, Result};
use crate::{exit_code, output};

/// What is said of one recipe.
struct Row {
    name: String,
    said: std::result::Result<Vec<Mistake>, String>,
}

/// Lints every recipe in a folder, and prints a table.
///
/// It is an error if the folder has no recipe.
pub(super) fn lint(dir: &Path, operator: &BTreeMap<String, String>, format: OutputFormat) -> Result<u8> {
    let rows: Vec<Row> = recipes(dir)?.iter().map(|recipe| row(recipe, operator)).collect();
    if rows.is_empty() {
        return Err(Error::Usage(format!("{}: no folder in it has a compose file; expected a folder of recipes", dir.display())));
    }
    match format {
        OutputFormat::Human => printed(table(&rows), format)?,
        OutputFormat::Json => printed(json(&rows), format)?,
        OutputFormat::Github => {
            let all: Vec<Mistake> = rows.iter().filter_map(|r| r.said.as_ref().ok()).flatten().cloned().collect();
            printed(recipe::labels::lint::render(&all, format), format)?;
        }
    }
    for row in &rows {
        if let Err(why) = &row.said {
            output::notice(format_args!("{}: {why}", row.name));
        }
    }
    if rows.iter().any(|row| row.said.is_err()) {
        return Ok(exit_code::USAGE);
    }
    let broken = rows.iter().any(|row| row.said.as_ref().is_ok_and(|all| is_error(all)));
    Ok(if broken { exit_code::BROKEN } else { exit_code::HELD })
}

/// Prints a report: for people, or exactly.
pub(super) fn printed(text: String, format: OutputFormat) -> Result<()> {
    if format == OutputFormat::Human { output::text(text) } else { output::exact(text) }
}

/// The folders that have a compose file, by name.
fn recipes(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).map_err(recipe::Error::unreadable(dir))?;
    let has_compose = |dir: &PathBuf| {
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        names.into_iter().any(|name| {
            let is_compose = name.starts_with("compose") || name.starts_with("docker-compose");
            is_compose && (name.ends_with(".yml") || name.ends_with(".yaml"))
        })
    };
    let found: BTreeSet<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.is_dir()).filter(has_compose).collect();
    Ok(found.into_iter().collect())
}

fn row(dir: &Path, operator: &BTreeMap<String, String>) -> Row {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = RecipeFiles::find_with(&[dir.to_owned()], operator).and_then(|sources| lint_files(&sources, None));
    Row { name, said: said.map_err(|e| e.to_string()) }
}

/// The codes of a recipe's mistakes, with how often each occurs.
fn codes(mistakes: &[Mistake]) -> String {
    let mut all: BTreeMap<&str, usize> = BTreeMap::new();
    for mistake in mistakes {
        *all.entry(&mistake.rule.lesson().code).or_default() += 1;
    }
    let one = |(code, times): (&str, usize)| if times == 1 { code.to_owned() } else { format!("{code} ×{times}") };
    all.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or_default().max("recipe".len());
    let mut out = format!("{:width$}  errors  warnings  rules\n", "recipe");
    let (mut errors, mut warnings) = (0, 0);
    for Row { name, said } in rows {
        match said {
            Ok(mistakes) => {
                let (e, w) = count(mistakes);
                (errors, warnings) = (errors + e, warnings + w);
                let line = format!("{name:width$}  {e:>6}  {w:>8}  {}", codes(mistakes));
                out += line.trim_end();
                out.push('\n');
            }
            Err(_) => out += &format!("{name:width$}  cannot be read\n"),
        }
    }
    let clean = rows.iter().filter(|r| r.said.as_ref().is_ok_and(|all| all.is_empty())).count();
    out + &format!("\n{} recipes, {clean} without a finding, {errors} errors, {warnings} warnings\n", rows.len())
}

fn json(rows: &[Row]) -> String {
    let one = |row: &Row| match &row.said {
        Ok(mistakes) => {
            let (errors, warnings) = count(mistakes);
            let all: Vec<_> = mistakes
                .iter()
                .map(|m| serde_json::json!({"code": m.rule.lesson().code, "place": m.place.to_string(), "message": m.message}))
                .collect();
            serde_json::json!({"recipe": row.name, "errors": errors, "warnings": warnings, "mistakes": all})
        }
        Err(why) => serde_json::json!({"recipe": row.name, "error": why}),
    };
    format!("{:#}\n", serde_json::json!({"version": 1, "recipes": rows.iter().map(one).collect::<Vec<_>>()}))
}
