//! TOML files that a person wrote: an error names the file and the line.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::{Error, Problem, Result};
use crate::fence::files;
use crate::near::did_you_mean;

/// Reads a whole file.
pub fn read_toml<T: DeserializeOwned>(file: &Path) -> Result<T> {
    TomlText::read(file)?.parse()
}

/// Parses the text of a file.
pub fn parse_toml<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T> {
    TomlText { file: file.to_owned(), text: text.to_owned() }.parse()
}

/// The text of a TOML file, which knows in which line a value is written.
#[derive(Debug)]
pub(crate) struct TomlText {
    file: PathBuf,
    text: String,
}

impl TomlText {
    /// Reads the text of a file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = files::read_text(file)?;
        Ok(Self { file: file.to_owned(), text })
    }

    /// Parses it.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        toml::from_str(&self.text).map_err(|e| {
            let line = e.span().map(|span| self.text[..span.start.min(self.text.len())].matches('\n').count() + 1);
            let written = line.and_then(|n| self.text.lines().nth(n - 1)).map(|l| format!(", in: {}", l.trim()));
            Error::input(&self.file, line, e.message().to_owned() + &written.unwrap_or_default() + &suggestion(e.message()))
        })
    }

    /// A problem with a value, at the first line that has it in quotes.
    pub(crate) fn problem(&self, value: &str, message: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: self.line_of(value, 1), message: message.into() }
    }

    /// A problem with a value that is written below a name: at the first line with it, from the first that has the name. A name is
    /// a value in quotes, or a key.
    pub(crate) fn problem_below(&self, name: &str, value: &str, message: impl Into<String>) -> Problem {
        let is_key = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim().trim_matches('"') == name);
        let key = self.text.lines().position(is_key).map(|at| at + 1);
        let from = self.line_of(name, 1).into_iter().chain(key).min().unwrap_or(1);
        let line = self.line_of(value, from).or_else(|| self.line_of(value, 1));
        Problem { file: self.file.clone(), line, message: message.into() }
    }

    /// The first line, not before `from`, that has a value in quotes.
    fn line_of(&self, value: &str, from: usize) -> Option<usize> {
        let quoted = format!("\"{value}\"");
        self.text.lines().skip(from - 1).position(|l| l.contains(&quoted)).map(|at| at + from)
    }

    /// A problem with the file as a whole.
    pub(crate) fn whole(&self, message: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: None, message: message.into() }
    }
}

/// serde's message about an unknown field or variant has that name first and then the known ones, each in backquotes.
fn suggestion(message: &str) -> String {
    if !message.starts_with("unknown ") {
        return String::new();
    }
    let mut names = message.split('`').skip(1).step_by(2);
    names.next().map_or_else(String::new, |unknown| did_you_mean(unknown, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[expect(dead_code, reason = "only its name is read")]
        compose: Option<String>,
    }

    #[test]
    fn an_error_names_the_line_and_the_nearest_field() {
        let text = |text: &str| TomlText { file: "a.toml".into(), text: text.to_owned() };
        let error = text("# c\ncompos = \"x\"\n").parse::<Example>().expect_err("unknown").to_string();
        assert_eq!(error, "a.toml:2: unknown field `compos`, expected `compose`, in: compos = \"x\"; did you mean compose?");
        let problem = text("a = 1\nb = \"x\"\n").problem("x", "bad");
        assert_eq!(problem.to_string(), "a.toml:2: bad");
        let twice = text("a = [\"x\"]\nb = [\n\"x\"]\n[[c]]\nname = \"d\"\nof = \"x\"\n");
        let lines = ["a", "b", "d", "e"].map(|name| twice.problem_below(name, "x", "bad").line);
        assert_eq!(lines, [Some(1), Some(3), Some(6), Some(1)]);
        assert_eq!(text("").whole("empty").to_string(), "a.toml: empty");
    }
}
