//! In which form programs write and read dumps: `formats.toml`, with the source of each line.

use std::sync::LazyLock;

use serde::Deserialize;

/// An entry of `formats.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    tools: Vec<String>,
    #[serde(default)]
    with: Vec<String>,
    form: Option<String>,
    /// Where this was read.
    #[expect(dead_code, reason = "it is for the reader of the file, and a test asks for it by its being required")]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Formats {
    writes: Vec<Format>,
    reads: Vec<Format>,
}

static FORMATS: LazyLock<Formats> =
    LazyLock::new(|| toml::from_str(include_str!("formats.toml")).expect("formats.toml is part of the program, and tested"));

/// The form of what a program writes, if it is known. `words` begins with the program.
pub(super) fn written(tool: &str, words: &[&str]) -> Option<&'static str> {
    form(&FORMATS.writes, tool, words)
}

/// The form of what a program can read, if it is known.
pub(super) fn read(tool: &str, words: &[&str]) -> Option<&'static str> {
    form(&FORMATS.reads, tool, words)
}

fn form(all: &'static [Format], tool: &str, words: &[&str]) -> Option<&'static str> {
    let joined = words.windows(2).filter(|pair| pair[0] == "-F" || pair[0] == "--format");
    let joined: Vec<String> =
        joined.map(|pair| if pair[0] == "-F" { format!("-F{}", pair[1]) } else { pair.join("=") }).collect();
    let has =
        |begin: &String| words.iter().copied().chain(joined.iter().map(String::as_str)).any(|w| w.starts_with(begin.as_str()));
    let fits = |f: &&Format| f.tools.iter().any(|t| t == tool) && (f.with.is_empty() || f.with.iter().any(has));
    all.iter().find(fits)?.form.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_dumps() {
        for (command, expected) in [
            ("pg_dump -Fc app", Some("an archive of pg_dump")),
            ("pg_dump -F c app", Some("an archive of pg_dump")),
            ("pg_dump --format custom app", Some("an archive of pg_dump")),
            ("pg_dump -Z 9 app", None),
            ("pg_dump -U app app", Some("SQL text")),
            ("mongodump --archive=/a --gzip", Some("a gzipped dump of mongodump")),
            ("cp a b", None),
        ] {
            let words: Vec<&str> = command.split(' ').collect();
            assert_eq!(written(words[0], &words), expected, "{command}");
        }
        assert_eq!(read("psql", &["psql"]), Some("SQL text"));
        assert_eq!(read("cat", &["cat"]), None);
    }
}
