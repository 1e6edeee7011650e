//! The words of a shell's command, as far as hooks use its grammar.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Stands for a dollar sign that begins no variable, because it is quoted.
const QUOTED_DOLLAR: char = '\u{1}';

/// A piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, with quotes taken off and variables as they are written.
    Word(String),
    /// `;`, `&&`, `&` or the end of a line: a new command begins.
    Next,
    /// `||`: the next command begins, and runs only if the one before fails.
    Else,
    /// `|`
    Pipe,
    /// `<`
    Read,
    /// `>` and `>>`.
    Write,
    /// The same for a stream other than the output: messages.
    Messages,
}

impl Token {
    /// Whether a new command begins after it.
    pub(super) fn ends(&self) -> bool {
        matches!(self, Self::Next | Self::Else)
    }
}

/// Splits a command into its pieces.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|c| *c != '\'').map(|c| if c == '$' { QUOTED_DOLLAR } else { c }));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    word.extend(if c == '\\' { chars.next().map(quoted) } else { Some(c) });
                }
            }
            '\\' if chars.next_if_eq(&'\n').is_some() => {}
            '\\' => word.get_or_insert_default().extend(chars.next().map(quoted)),
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            _ => {
                let token = match c {
                    ';' | '\n' | '(' | ')' => Some(Token::Next),
                    '>' => {
                        // The number of a file descriptor is not an argument; >&1 writes no file.
                        let stream = word.take_if(|w| w.chars().all(|c| c.is_ascii_digit()));
                        chars.next_if_eq(&'>');
                        Some(if stream.is_some_and(|s| s != "1") { Token::Messages } else { Token::Write })
                    }
                    '<' => Some(Token::Read),
                    '&' if matches!(tokens.last(), Some(Token::Write | Token::Messages)) && word.is_none() => None,
                    '&' => {
                        chars.next_if_eq(&'&');
                        Some(Token::Next)
                    }
                    '|' => Some(if chars.next_if_eq(&'|').is_some() { Token::Else } else { Token::Pipe }),
                    c if c.is_whitespace() => None,
                    c => {
                        word.get_or_insert_default().push(c);
                        continue;
                    }
                };
                tokens.extend(word.take().map(Token::Word));
                tokens.extend(token);
            }
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens
}

fn quoted(c: char) -> char {
    if c == '$' { QUOTED_DOLLAR } else { c }
}

/// The values of variables.
pub(super) type Variables = BTreeMap<String, String>;

/// `NAME=value`, as a word.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let fit = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    (fit && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some((name, value))
}

/// A word with the variables that have a value replaced.
pub(super) fn expanded(word: &str, variables: &Variables) -> String {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"\$(?:(?<bare>[A-Za-z_][A-Za-z0-9_]*)|\{(?<braced>[A-Za-z_][A-Za-z0-9_]*)(?::?-(?<default>[^}$]*))?\})";
        Regex::new(pattern).expect("the pattern is a constant, and tested")
    });
    let value = |found: &Captures<'_>| {
        let name = found.name("bare").or(found.name("braced")).map_or("", |m| m.as_str());
        let default = found.name("default").map(|m| m.as_str().to_owned());
        variables.get(name).cloned().or(default).unwrap_or_else(|| found[0].to_owned())
    };
    VARIABLE.replace_all(word, value).replace(QUOTED_DOLLAR, "$")
}

/// The part of a script that runs with these arguments: the body of the function that the first one names, or the branch of `case`;
/// with it, what stands before any function. The whole script where it has neither.
pub(super) fn part_for(script: &str, arguments: &[String]) -> String {
    let Some(first) = arguments.first() else { return script.to_owned() };
    let assigned: String = script.lines().map(str::trim_start).filter(|l| assigns(l)).flat_map(|l| [l, "\n"]).collect();
    match function(script, first).or_else(|| branch(script, first)) {
        Some(body) => assigned + &body,
        None => script.to_owned(),
    }
}

/// Whether a script has nothing for a first argument: it runs the function that the argument names, and there is none; or it chooses
/// by `case`, and no branch is for it.
pub(in crate::labels) fn lacks_part(script: &str, argument: &str) -> bool {
    // With exec it would be a program, never a function.
    static CALLS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^\s*"?\$(?:[@1*]|\{[@1*]\})"?\s*(?:#.*)?$"#).expect("the pattern is a constant, and tested")
    });
    static CHOOSES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)^\s*case\s+"?\$\{?1[^}\s]*\}?"?\s+in\b"#).expect("the pattern is a constant, and tested")
    });
    static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(?:function\s+[\w-]+|[\w-]+\s*\(\))").expect("the pattern is a constant, and tested")
    });
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)(?:^|;;)\s*\(?[^\s()#]*[*?$\[][^\s()]*\)").expect("the pattern is a constant, and tested")
    });
    if function(script, argument).is_some() || branch(script, argument).is_some() {
        return false;
    }
    let begin = CHOOSES.find(script).map(|found| found.end());
    let chooses = begin.is_some_and(|at| !PATTERN.is_match(&script[at..]));
    chooses || begin.is_none() && CALLS.is_match(script) && FUNCTION.is_match(script)
}

/// Whether a line has nothing but assignments.
fn assigns(line: &str) -> bool {
    let line = ["export ", "readonly ", "declare "].iter().find_map(|w| line.strip_prefix(w)).unwrap_or(line);
    let words = tokens(line);
    !words.is_empty() && words.iter().all(|t| matches!(t, Token::Word(word) if assignment(word).is_some()))
}

/// The lines of a function's body, up to a line that has no more than its closing brace at the function's own indentation.
fn function(script: &str, name: &str) -> Option<String> {
    let heads = [format!("{name}()"), format!("{name} ()"), format!("function {name}")];
    let mut lines = script.lines().skip_while(|l| {
        let line = l.trim_start();
        !heads.iter().any(|h| {
            line.strip_prefix(h.as_str()).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        })
    });
    let head = lines.next()?;
    let indent = head.len() - head.trim_start().len();
    if let Some((_, body)) = head.split_once('{').filter(|(_, body)| body.trim_end().ends_with('}')) {
        return Some(body.trim_end().trim_end_matches('}').to_owned());
    }
    let closes = |l: &&str| l.trim() == "}" && l.len() - l.trim_start().len() <= indent;
    Some(lines.take_while(|l| !closes(l)).filter(|l| l.trim() != "{").flat_map(|l| [l, "\n"]).collect())
}

/// A branch of `case`: from `name)` to `;;`.
fn branch(script: &str, name: &str) -> Option<String> {
    let head = Regex::new(&format!(r#"(?m)^\s*\(?(?:[\w|"'-]+\|)?["']?{}["']?(?:\|[\w|"'-]+)?\)"#, regex::escape(name))).ok()?;
    let body = &script[head.find(script)?.end()..];
    Some(body.split(";;").next().unwrap_or(body).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_unless_they_are_quoted() {
        let variables = Variables::from([("A".into(), "/data".into())]);
        for (text, expected) in [
            ("$A/x", "/data/x"),
            ("\"${A}/x\"", "/data/x"),
            ("'$A/x'", "$A/x"),
            ("\\$A", "$A"),
            ("${B:-/y}", "/y"),
            ("$B.${C}", "$B.${C}"),
            ("$AB", "$AB"),
        ] {
            let [Token::Word(word)] = &tokens(text)[..] else { panic!("{text}: one word") };
            assert_eq!(expanded(word, &variables), expected, "{text}");
        }
    }

    #[test]
    fn a_script_without_a_part_for_an_argument() {
        for (script, lacks) in [
            ("backup() {\n  a\n}\n$@\n", true),
            ("backup() {\n  a\n}\n\"$1\" # run\n", true),
            ("log() {\n  a\n}\nexec \"$@\"\n", false),
            ("function backup {\n  a\n}\nrestore () {\n  b\n}\n\"${1}\"\n", false),
            ("case \"$1\" in\n  backup) a ;;\nesac\n", true),
            ("case \"${1:-backup}\" in\n  backup) a ;;\nesac\n", true),
            ("case $1 in\n  backup) a ;;\n  *) b ;;\nesac\n", false),
            ("case $1 in backup) a ;; re*)\n b ;;\nesac\n", false),
            ("case $1 in\n  backup) a ;;\n  load|restore) b ;;\nesac\n", false),
            ("if [ \"$1\" = restore ]; then b; fi\n", false),
            ("pg_dump > /d\n", false),
            ("log() { echo; }\npg_dump \"$@\" > /d\n", false),
        ] {
            assert_eq!(lacks_part(script, "restore"), lacks, "{script}");
        }
    }

    #[test]
    fn the_part_of_a_script_that_runs() {
        let functions = "#!/bin/bash\nset -e\nFILE=/data/b\nfunction backup {\n  if a; then\n    b > $FILE\n  fi\n}\nrestore() {\n  c < $FILE\n}\n\"$@\"\n";
        let backup = vec!["backup".to_owned()];
        assert_eq!(part_for(functions, &backup), "FILE=/data/b\n  if a; then\n    b > $FILE\n  fi\n");
        assert_eq!(part_for(functions, &["restore".to_owned()]), "FILE=/data/b\n  c < $FILE\n");
        assert_eq!(part_for(functions, &["other".to_owned()]), functions);
        let cases = "case \"$1\" in\n  backup) a > /b ;;\n  restore|load)\n    c < /b\n    ;;\nesac\n";
        assert_eq!(part_for(cases, &backup), " a > /b ");
        assert_eq!(part_for(cases, &["load".to_owned()]).trim(), "c < /b");
        assert_eq!(part_for("backup() { a > /b; }\n$1", &backup), " a > /b; ");
    }
}
