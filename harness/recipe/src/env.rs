//! Files of `NAME=value` lines.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::{Error, Result};
use crate::fence::files;

/// Reads a file of `NAME=value` lines. Empty lines and lines that begin with `#` are skipped; one pair of quotes around a value
/// is removed. The error names the line that is something else.
pub fn read_env(file: &Path) -> Result<BTreeMap<String, String>> {
    parse_env(file, &files::read_text(file)?)
}

/// The same for the text of a file.
pub fn parse_env(file: &Path, text: &str) -> Result<BTreeMap<String, String>> {
    let mut env = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let name_ok = |n: &str| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match line.split_once('=') {
            Some((name, value)) if name_ok(name) => {
                let value = value.trim();
                let bare = ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value);
                env.insert(name.to_owned(), bare.to_owned());
            }
            _ => return Err(Error::input(file, Some(at + 1), format!("{line:?}: expected NAME=value"))),
        }
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_name_the_line_that_is_wrong() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("e.env");
        std::fs::write(&file, "# c\nA=1\nexport B=\"two\"\n\nnonsense\n").expect("written");
        let error = read_env(&file).expect_err("line 5").to_string();
        assert!(error.ends_with("e.env:5: \"nonsense\": expected NAME=value"), "{error}");
        std::fs::write(&file, "A=1\nexport B=\"two\"\n").expect("written");
        let env = read_env(&file).expect("valid");
        assert_eq!(env, BTreeMap::from([("A".into(), "1".into()), ("B".into(), "two".into())]));
    }
}
