//! The text of a compose file, and what is changed in it: ranges of the text, each replaced by another text.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::compose::Compose;
use crate::compose::yaml::Node;
use crate::error::Result;

/// A change of a text: a range of its bytes, and what stands there instead.
pub(super) type Change = (Range<usize>, String);

/// A compose file.
pub(super) struct FileText {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub compose: Compose,
    /// Where each line begins.
    lines: Vec<usize>,
    /// What ends a line.
    pub end: &'static str,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    Double,
    Single,
    Plain,
}

/// A scalar in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    /// Where it is, with its quotes.
    pub range: Range<usize>,
    /// How it is written.
    pub quotes: Quotes,
}

impl FileText {
    /// Reads a text.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let compose = Compose::parse(path, text)?;
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Ok(Self { path: path.to_owned(), text: text.to_owned(), compose, lines, end })
    }

    /// Where a line begins, from 1; the end of the text for one that is not there.
    pub(super) fn line(&self, line: usize) -> usize {
        self.lines.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len())
    }

    /// The text of a line, without its end.
    pub(super) fn line_text(&self, line: usize) -> &str {
        self.text[self.line(line)..self.line(line + 1)].trim_end_matches(['\n', '\r'])
    }

    /// The line of a place in the text, from 1.
    pub(super) fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= at)
    }

    /// How far a line is indented; nothing for one that is empty.
    pub(super) fn indent(&self, line: usize) -> Option<usize> {
        let text = self.line_text(line);
        (!text.trim().is_empty()).then(|| text.len() - text.trim_start().len())
    }

    /// The line after the block that begins in a line: all that is indented further. A comment that is
    /// not does not end it.
    pub(super) fn block_end(&self, line: usize) -> usize {
        let own = self.indent(line).unwrap_or(0);
        let mut end = line + 1;
        for next in line + 1..=self.lines.len() {
            match self.indent(next) {
                Some(indent) if indent <= own && self.line_text(next).trim_start().starts_with('#') => {}
                Some(indent) if indent <= own => break,
                Some(_) => end = next + 1,
                None => {}
            }
        }
        end
    }

    /// Where the content ends: before a line that ends the document.
    pub(super) fn content_end(&self) -> usize {
        let ends = (1..=self.lines.len()).rev().find(|line| !self.line_text(*line).trim().is_empty());
        ends.filter(|line| self.line_text(*line).trim_end() == "...").map_or(self.text.len(), |line| self.line(line))
    }

    /// Whether what begins in a line is all that its mapping has, as far as lines tell.
    pub(super) fn is_only_child(&self, line: usize) -> bool {
        let own = self.indent(line).unwrap_or(0);
        let says = |line: &usize| {
            let text = self.line_text(*line).trim_start();
            !text.is_empty() && !text.starts_with('#')
        };
        let above = (1..line).rev().filter(says).take_while(|l| self.indent(*l).unwrap_or(0) >= own).next().is_some();
        let below = (self.block_end(line)..=self.lines.len()).find(says).is_some_and(|l| self.indent(l).unwrap_or(0) >= own);
        !above && !below
    }

    /// The change that takes a line out.
    pub(super) fn without_line(&self, line: usize) -> Change {
        (self.line(line)..self.line(line + 1), String::new())
    }

    /// The change that gives a key without a value an empty one.
    pub(super) fn emptied(&self, key: &Node, empty: &str) -> Option<Change> {
        let scalar = self.scalar(self.at(key.line, key.column), true)?;
        let colon = scalar.range.end + self.text[scalar.range.end..].find(':')? + 1;
        Some((colon..colon, format!(" {empty}")))
    }

    /// Where a line and a column are in the text.
    pub(super) fn at(&self, line: usize, column: usize) -> usize {
        let begin = self.line(line);
        self.text[begin..].char_indices().nth(column.saturating_sub(1)).map_or(self.text.len(), |(at, _)| begin + at)
    }

    /// Whether a place is between brackets or braces: that of a sequence or mapping in one line.
    pub(super) fn is_in_flow(&self, at: usize) -> bool {
        let before = &self.text[self.line(self.line_of(at))..at];
        let (mut depth, mut quote) = (0_i32, None);
        for c in before.chars() {
            match (quote, c) {
                (Some(q), c) if q == c => quote = None,
                (None, '"' | '\'') => quote = Some(c),
                (None, '[' | '{') => depth += 1,
                (None, ']' | '}') => depth -= 1,
                _ => {}
            }
        }
        depth > 0
    }

    /// The scalar that begins at a place; none if it is a block of lines, or an alias, or has an anchor or a tag.
    pub(super) fn scalar(&self, at: usize, is_key: bool) -> Option<Scalar> {
        let rest = &self.text[at..];
        let (length, quotes) = match rest.chars().next()? {
            '"' => (quoted_length(rest, '"', true)?, Quotes::Double),
            '\'' => (quoted_length(rest, '\'', false)?, Quotes::Single),
            '|' | '>' | '&' | '*' | '!' | '[' | '{' | '\n' | '\r' | '#' => return None,
            _ => (plain_length(rest, is_key, self.is_in_flow(at)), Quotes::Plain),
        };
        (length > 0).then(|| Scalar { range: at..at + length, quotes })
    }

    /// The scalar that is the value of a key.
    pub(super) fn value_of(&self, key: &Scalar) -> Option<Scalar> {
        let rest = &self.text[key.range.end..];
        let after = rest.strip_prefix(':').or_else(|| rest.trim_start().strip_prefix(':'))?;
        let at = self.text.len() - after.trim_start_matches([' ', '\t']).len();
        self.scalar(at, false)
    }

    /// The text with changes made; nothing if two of them are about the same text.
    pub(super) fn changed(&self, changes: &[Change]) -> Option<String> {
        let mut sorted: Vec<&Change> = changes.iter().collect();
        sorted.sort_by_key(|(range, _)| (range.start, range.end));
        sorted.dedup();
        let (mut out, mut done, mut deleted) = (String::new(), 0, false);
        for (range, new) in sorted {
            // Neighbours that are both taken out share their comma.
            if deleted && new.is_empty() && range.start < done {
                done = done.max(range.end);
                continue;
            }
            out += self.text.get(done..range.start)?;
            out += new;
            (done, deleted) = (range.end, new.is_empty());
        }
        out += self.text.get(done..)?;
        Some(out)
    }
}

fn quoted_length(text: &str, quote: char, has_escapes: bool) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if has_escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            // Twice the single quote is one in the text.
            if !has_escapes && chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

fn plain_length(text: &str, is_key: bool, in_flow: bool) -> usize {
    let line = text.lines().next().unwrap_or_default();
    let mut end = line.len();
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        let next = line[at + c.len_utf8()..].chars().next();
        let ends = match c {
            '#' => before.is_whitespace(),
            ':' => is_key && next.is_none_or(|n| n.is_whitespace() || (in_flow && ",]}".contains(n))),
            ',' | ']' | '}' => in_flow,
            _ => false,
        };
        if ends {
            end = at;
            break;
        }
        before = c;
    }
    line[..end].trim_end().len()
}

impl Quotes {
    /// A text as a scalar. A plain one gets quotes where it could be read as something else.
    pub(super) fn write(self, text: &str, in_flow: bool) -> String {
        match self {
            Self::Single if !text.contains(['\n', '\r']) => format!("'{}'", text.replace('\'', "''")),
            Self::Plain if is_plain(text, in_flow) => text.to_owned(),
            // JSON's quoted strings are YAML's.
            _ => serde_json::json!(text).to_string(),
        }
    }
}

/// Whether a text without quotes is read as this text.
fn is_plain(text: &str, in_flow: bool) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    // A version such as 1.0.0+16 is no number to any reader.
    let is_version = text.contains('+') && text.matches('.').count() > 1 && text.starts_with(|c: char| c.is_ascii_digit());
    let begins = is_version || text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/' || c == '$');
    let is_word = WORDS.contains(&text.to_lowercase().as_str());
    let marks = [':', '#', '\n', '\r', '\t', '"', '\'', '&', '*', '!', '|', '>', '%', '@', '`'];
    let of_flow = [',', '[', ']', '{', '}'];
    let is_marked = text.contains(marks) || text.ends_with(' ') || (in_flow && text.contains(of_flow));
    begins && !is_word && !is_marked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> FileText {
        FileText::parse(Path::new("compose.yml"), text).expect("a compose file")
    }

    #[test]
    fn scalars_are_found_with_their_ends() {
        let text = "services:\n  a:\n    x: \"a\\\"b\" # c\n    y: 'it''s'\n    z: plain text # c\n    l: [a=1, \"b\"]\n    m: {k: v, w: u}\n    b: |\n      x\n";
        let file = file(text);
        let of = |line, column, key| file.scalar(file.at(line, column), key).map(|s| &text[s.range]);
        assert_eq!(of(3, 8, false), Some("\"a\\\"b\""));
        assert_eq!(of(4, 8, false), Some("'it''s'"));
        assert_eq!(of(5, 8, false), Some("plain text"));
        assert_eq!(of(6, 9, false), Some("a=1"));
        assert_eq!(of(7, 9, true), Some("k"));
        assert_eq!(of(8, 8, false), None);
        let key = file.scalar(file.at(7, 15), true).expect("w");
        assert_eq!(file.value_of(&key).map(|s| &text[s.range]), Some("u"));
    }

    #[test]
    fn a_comment_ends_no_block() {
        let file = file("services:\n  a:\n    image: x\n# one\n    volumes:\n  # two\n      - y\n# three\n  b:\n    image: z\n");
        assert_eq!((file.block_end(2), file.block_end(5), file.block_end(1)), (8, 8, 11));
    }

    #[test]
    fn what_is_written_is_read_as_the_same_text() {
        for quotes in [Quotes::Double, Quotes::Single, Quotes::Plain] {
            for text in
                ["a=b", "true", "x: y", "a # b", "it's \"so\"", "${A:-b}, c", "/data/é\\", "1", "- a", "*x", "", "1.0.0+16"]
            {
                for (yaml, in_flow) in [
                    (format!("services: {{a: [{}]}}\n", quotes.write(text, true)), true),
                    (format!("services:\n  a:\n    - {}\n", quotes.write(text, false)), false),
                ] {
                    let read = file(&yaml).compose.value["services"]["a"][0].clone();
                    assert_eq!(read, serde_json::json!(text), "{yaml} {in_flow}");
                }
            }
        }
    }

    #[test]
    fn changes_that_meet_are_refused_and_equal_ones_are_made_once() {
        let file = file("services:\n  a:\n");
        assert_eq!(
            file.changed(&[(12..13, "b".into()), (12..13, "b".into()), (0..0, "# c\n".into())]).as_deref(),
            Some("# c\nservices:\n  b:\n")
        );
        assert_eq!(file.changed(&[(0..5, "x".into()), (3..8, String::new())]), None);
    }
}
