//! TOML files that a person wrote: an error names the file and the line.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Reads a whole file.
pub fn read_toml<T: DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).map_err(Error::io(file))?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::input(file, line, e.message().to_owned() + &quoted(&text, line))
    })
}

fn quoted(text: &str, line: Option<usize>) -> String {
    line.and_then(|n| text.lines().nth(n - 1)).map_or_else(String::new, |l| format!(", in: {}", l.trim()))
}

/// The first line that mentions `value` in quotes, for errors found after parsing.
pub(crate) fn line_of(file: &Path, value: &str) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().position(|l| l.contains(&format!("\"{value}\""))).map(|at| at + 1)
}
