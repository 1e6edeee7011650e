//! Reads assignments as a shell does, and a little more: a value without quotes may have spaces.

use std::collections::BTreeMap;

use crate::compose::variable::Variable;

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value, in pieces.
    value: Vec<Piece>,
    /// The comment after the value, without `#`.
    pub comment: Option<String>,
    /// Its line, from 1.
    pub line: usize,
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// What stands between the braces of `${…}`, or the name of `$NAME`.
    Variable(String),
}

impl Assignment {
    /// Its value, of at most `most` bytes; none if it is longer. A variable that is not set is empty.
    pub(super) fn value(&self, known: &BTreeMap<String, String>, most: usize) -> Option<String> {
        let mut value = String::new();
        for piece in &self.value {
            value += match piece {
                Piece::Text(text) => text,
                Piece::Variable(body) => Variable::parse(body, body).value(known).unwrap_or_default(),
            };
            if value.len() > most {
                return None;
            }
        }
        Some(value)
    }

    /// Whether a shell would run a command to get the value.
    pub(super) fn is_computed(&self) -> bool {
        self.value.iter().any(|p| matches!(p, Piece::Text(text) if text.contains("$(") || text.contains('`')))
    }
}

/// Where a text is read.
pub(super) struct Reader<'a> {
    rest: &'a str,
    /// The line, from 1.
    line: usize,
}

/// A line, and what is wrong there.
type Wrong = (usize, String);

/// A value while it is read.
#[derive(Default)]
struct Value {
    pieces: Vec<Piece>,
    text: String,
}

impl Value {
    fn variable(&mut self, body: &str) {
        self.end_text();
        self.pieces.push(Piece::Variable(body.to_owned()));
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text)));
        }
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && c != '\n'
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    /// The next assignment; none at the end.
    pub(super) fn assignment(&mut self) -> Option<Result<Assignment, Wrong>> {
        loop {
            self.blanks();
            match self.rest.chars().next()? {
                '\n' => self.take(1),
                '#' => self.rest_of_line(),
                _ => break,
            };
        }
        let (line, begin) = (self.line, self.rest);
        let written = begin.lines().next().unwrap_or_default().trim_end();
        Some(self.read().map_err(|why| {
            // What is wrong is that line, and not what would have been read from there.
            (self.rest, self.line) = (begin, line);
            self.rest_of_line();
            (line, format!("{written:?}: {why}"))
        }))
    }

    fn read(&mut self) -> Result<Assignment, String> {
        const EXPECTED: &str = "expected NAME=value";
        let line = self.line;
        if let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with(is_blank)) {
            self.rest = rest;
            self.blanks();
        }
        let end = self.rest.find(|c| !is_of_name(c)).unwrap_or(self.rest.len());
        let name = self.take(end);
        if name.is_empty() || !self.rest.starts_with('=') {
            return Err(EXPECTED.to_owned());
        }
        self.take(1);
        let value = self.value()?;
        let comment = self.rest.starts_with('#').then(|| self.rest_of_line().trim_start_matches('#').trim().to_owned());
        Ok(Assignment { name: name.to_owned(), value, comment, line })
    }

    /// A value up to its comment or the end of its line.
    fn value(&mut self) -> Result<Vec<Piece>, String> {
        let mut value = Value::default();
        let mut blanks = self.blanks();
        let is_quoted = self.rest.starts_with(['"', '\'']);
        let mut is_first = true;
        while let Some(c) = self.rest.chars().next() {
            if c == '\n' || (c == '#' && !blanks.is_empty()) {
                break;
            }
            if !blanks.is_empty() && !is_first {
                if is_quoted {
                    return Err("expected nothing but a comment after the quoted value".to_owned());
                }
                value.text += blanks;
            }
            is_first = false;
            match c {
                '"' | '\'' if self.is_closed(c, is_quoted) => {
                    self.take(1);
                    if c == '"' { self.double_quoted(&mut value) } else { self.single_quoted(&mut value) }
                }
                '"' | '\'' if is_quoted => {
                    return Err(format!("the quote is not closed; expected another {c} after the value"));
                }
                '\\' => self.escaped(&mut value),
                '$' => self.variable(&mut value),
                _ => value.text += self.take(c.len_utf8()),
            }
            blanks = self.blanks();
        }
        value.end_text();
        Ok(value.pieces)
    }

    /// Whether a quote here has an end: on its line; anywhere, if the value begins with a quote.
    fn is_closed(&self, quote: char, anywhere: bool) -> bool {
        let inside = if anywhere { self.rest } else { self.rest.lines().next().unwrap_or_default() };
        let mut is_escaped = false;
        inside.chars().skip(1).any(|c| {
            let is_end = c == quote && !is_escaped;
            is_escaped = quote == '"' && c == '\\' && !is_escaped;
            is_end
        })
    }

    fn single_quoted(&mut self, value: &mut Value) {
        let end = self.rest.find('\'').unwrap_or(self.rest.len());
        value.text += self.take(end);
        self.take(1);
    }

    fn double_quoted(&mut self, value: &mut Value) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => {
                    self.take(1);
                    return;
                }
                '\\' if self.rest[1..].starts_with(['"', '\\', '$', '`', '\n']) => self.escaped(value),
                '$' => self.variable(value),
                _ => value.text += self.take(c.len_utf8()),
            }
        }
    }

    /// A backslash and what it keeps as it is; one at the end of a line joins it with the next.
    fn escaped(&mut self, value: &mut Value) {
        self.take(1);
        match self.rest.chars().next() {
            Some('\n') | None => {
                self.take(1);
            }
            Some(c) => value.text += self.take(c.len_utf8()),
        }
    }

    /// `$NAME` or `${…}`; any other dollar sign is one.
    fn variable(&mut self, value: &mut Value) {
        let after = &self.rest[1..];
        let is_name = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if let Some(body) = after.strip_prefix('{').and_then(|b| b.split_once('}')).map(|(b, _)| b).filter(|b| is_name(b)) {
            value.variable(body);
            self.take(body.len() + 3);
            return;
        }
        let end = after.find(|c| !is_of_name(c)).unwrap_or(after.len());
        let name = &after[..end];
        if is_name(name) {
            value.variable(name);
            self.take(end + 1);
        } else {
            value.text += self.take(1);
        }
    }

    fn blanks(&mut self) -> &'a str {
        let end = self.rest.find(|c| !is_blank(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn rest_of_line(&mut self) -> &'a str {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.take(end)
    }

    /// Takes that many bytes, or what there is.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes.min(self.rest.len()));
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}
