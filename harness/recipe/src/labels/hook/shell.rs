//! The words of a shell's command, as far as hooks use its grammar.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Stands for a dollar sign that begins no variable, because it is quoted.
const QUOTED_DOLLAR: char = '\u{1}';

/// A piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, with quotes taken off and variables as they are written.
    Word(String),
    /// The script of a `$(…)` in the word before.
    Inner(String),
    /// `;` or the end of a line: a new command begins.
    Next,
    /// `(`, `)` or `;;`: a new command begins, and what runs after it is not known.
    Group,
    /// `&&`: the next command begins, and runs only if the one before succeeds.
    And,
    /// `&`: the next command begins, and nobody waits for the one before.
    Behind,
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
        matches!(self, Self::Next | Self::Group | Self::And | Self::Behind | Self::Else)
    }
}

/// Splits a command into its pieces.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut inner: Vec<String> = Vec::new();
    let mut here: Vec<String> = Vec::new();
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
                if c == '(' && word.as_ref().is_some_and(|w| w.ends_with('$')) {
                    let script = inside(&mut chars);
                    word.get_or_insert_default().push_str(&format!("({script})"));
                    inner.push(script);
                    continue;
                }
                let token = match c {
                    ';' => Some(if chars.next_if_eq(&';').is_some() { Token::Group } else { Token::Next }),
                    '\n' => {
                        here.drain(..).for_each(|end| skip_to(&mut chars, &end));
                        Some(Token::Next)
                    }
                    // Arithmetic.
                    '(' if word.is_none() && chars.next_if_eq(&'(').is_some() => {
                        let _ = inside(&mut chars);
                        let _ = chars.next_if_eq(&')');
                        None
                    }
                    '(' | ')' => Some(Token::Group),
                    // A comparison.
                    '<' | '>' if is_test(&tokens) => None,
                    '>' => {
                        // The number of a file descriptor is not an argument; >&1 writes no file.
                        let stream = word.take_if(|w| w.chars().all(|c| c.is_ascii_digit()));
                        let _ = chars.next_if(|c| ['>', '|'].contains(c));
                        let to_stream = to_stream(&mut chars);
                        Some(if to_stream || stream.is_some_and(|s| s != "1") { Token::Messages } else { Token::Write })
                    }
                    '<' => {
                        let is_text = chars.clone().take(2).eq("<<".chars());
                        chars.by_ref().take(if is_text { 2 } else { 0 }).for_each(drop);
                        here.extend(is_here(&mut chars, &tokens));
                        Some(Token::Read)
                    }
                    '&' if chars.next_if_eq(&'>').is_some() => Some(Token::Write),
                    '&' => Some(if chars.next_if_eq(&'&').is_some() { Token::And } else { Token::Behind }),
                    '|' => Some(if chars.next_if_eq(&'|').is_some() { Token::Else } else { Token::Pipe }),
                    c if c.is_whitespace() => None,
                    c => {
                        word.get_or_insert_default().push(c);
                        continue;
                    }
                };
                tokens.extend(word.take().map(Token::Word));
                tokens.extend(inner.drain(..).map(Token::Inner));
                tokens.extend(token);
            }
        }
    }
    tokens.extend(word.map(Token::Word));
    tokens.extend(inner.into_iter().map(Token::Inner));
    tokens
}

/// The words of the command that is being read.
fn present(tokens: &[Token]) -> impl DoubleEndedIterator<Item = &str> {
    let begin = tokens.iter().rposition(|t| t.ends() || *t == Token::Pipe).map_or(0, |at| at + 1);
    tokens[begin..].iter().filter_map(|t| if let Token::Word(word) = t { Some(word.as_str()) } else { None })
}

/// Whether what is being read is between `[[` and `]]`.
fn is_test(tokens: &[Token]) -> bool {
    present(tokens).any(|word| word == "[[") && !present(tokens).any(|word| word == "]]")
}

/// The line at which a here-document ends, if one begins after a `<` and is no script of a shell's. It is left to be read.
fn is_here(chars: &mut Peekable<Chars<'_>>, tokens: &[Token]) -> Option<String> {
    let rest: String = chars.clone().take(LONGEST_END).collect();
    let end = rest.strip_prefix('<').filter(|rest| !rest.starts_with('<'))?;
    let end = end.strip_prefix('-').unwrap_or(end).trim_start_matches([' ', '\t']);
    let end = end.split(|c: char| c.is_whitespace() || ";|&<>()".contains(c)).next()?;
    let end: String = end.chars().filter(|c| !['"', '\'', '\\'].contains(c)).collect();
    let is_script =
        present(tokens).any(|word| SHELLS.contains(&name_of(word)) || ["su", "ssh", "docker"].contains(&name_of(word)));
    (!end.is_empty() && !is_script).then_some(end)
}

/// The longest line at which a here-document may end.
const LONGEST_END: usize = 200;

/// Takes all lines up to the one that ends a here-document.
fn skip_to(chars: &mut Peekable<Chars<'_>>, end: &str) {
    while chars.peek().is_some() {
        let line: String = chars.by_ref().take_while(|c| *c != '\n').collect();
        if line.trim_start_matches('\t') == end {
            break;
        }
    }
}

/// A text up to the parenthesis that closes it, which is taken too.
fn inside(chars: &mut Peekable<Chars<'_>>) -> String {
    let (mut depth, mut quote, mut text) = (0_usize, None, String::new());
    for c in chars.by_ref() {
        match (quote, c) {
            (None, ')') if depth == 0 => break,
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        text.push(c);
    }
    text
}

/// Takes the `&` of `>&2` and of `>&-`. Before anything else it belongs to the name of a file.
fn to_stream(chars: &mut Peekable<Chars<'_>>) -> bool {
    chars.next_if_eq(&'&').is_some() && chars.peek().is_some_and(|c| c.is_ascii_digit() || *c == '-')
}

/// The commands of a script, each with what ends it.
pub(super) fn lists<'t>(tokens: &'t [Token]) -> Vec<(&'t [Token], Option<&'t Token>)> {
    let parted = |list: &'t [Token]| match list.split_last() {
        Some((end, command)) if end.ends() => (command, Some(end)),
        _ => (list, None),
    };
    tokens.split_inclusive(Token::ends).map(parted).collect()
}

fn quoted(c: char) -> char {
    if c == '$' { QUOTED_DOLLAR } else { c }
}

/// Words that stand before a command, or that end a compound one.
pub(super) const RESERVED: [&str; 14] =
    ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}", "time"];
/// Programs that read a script.
pub(super) const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];

/// The command in a stage, without the shell's own words before it; nothing of `for NAME in …` and `case WORD in`.
pub(super) fn simple(stage: &[Token]) -> &[Token] {
    let is = |token: &Token, words: &[&str]| matches!(token, Token::Word(w) if words.contains(&w.as_str()));
    let begin = stage.iter().position(|t| !is(t, &RESERVED)).unwrap_or(stage.len());
    match &stage[begin..] {
        [first, ..] if is(first, &["for", "case", "function"]) => &[],
        command => command,
    }
}

/// The words in it.
pub(super) fn words(stage: &[Token]) -> Vec<&str> {
    stage.iter().filter_map(|t| if let Token::Word(w) = t { Some(w.as_str()) } else { None }).collect()
}

/// The first word that is not an assignment, as a program's name.
pub(super) fn program(words: &[&str]) -> Option<String> {
    words.iter().find(|w| assignment(w).is_none()).map(|w| name_of(w).to_owned())
}

/// The name of a program, without the folder that it is in.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The longest word with its variables replaced, in bytes.
const MOST: usize = 64 << 10;

/// The values of variables.
pub(super) type Variables = BTreeMap<String, String>;

/// `NAME=value`, as a word.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let fit = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    (fit && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some((name, value))
}

/// A word with the variables that have a value replaced, as long as it does not get too long.
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
    let mut length = word.len();
    let short = |found: &Captures<'_>| {
        let value = value(found);
        length += value.len();
        // A variable that doubles another one, and so on, would fill any memory.
        if length > MOST { found[0].to_owned() } else { value }
    };
    VARIABLE.replace_all(word, short).replace(QUOTED_DOLLAR, "$")
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

/// The head of a function.
static FUNCTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*(?:function\s+[\w-]+|[\w-]+\s*\(\s*\))").expect("the pattern is a constant, and tested")
});

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
    static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)(?:^|;;)\s*\(?[^()#;\n]*[*?$\[][^()#;\n]*\)").expect("the pattern is a constant, and tested")
    });
    if function(script, argument).is_some() || branch(script, argument).is_some() {
        return false;
    }
    let begin = CHOOSES.find(script).map(|found| found.end());
    let chooses = begin.is_some_and(|at| !PATTERN.is_match(&script[at..]));
    chooses || begin.is_none() && CALLS.is_match(script) && FUNCTION.is_match(script)
}

/// Whether a script defines functions, and has no command that could call them.
pub(in crate::labels) fn calls_nothing(script: &str) -> bool {
    const SETTING: [&str; 8] = ["set", "export", "readonly", "declare", "local", "umask", "cd", "shopt"];
    let (mut top, mut inside, mut functions) = (String::new(), None, 0);
    for line in script.lines() {
        let indent = line.len() - line.trim_start().len();
        if inside.is_some_and(|own| line.trim_start().starts_with('}') && indent <= own) {
            inside = None;
        } else if inside.is_none() && FUNCTION.is_match(line) {
            functions += 1;
            let is_closed = line.split_once('{').is_some_and(|(_, body)| body.contains('}'));
            inside = (!is_closed).then_some(indent);
        } else if inside.is_none() {
            top.extend([line, "\n"]);
        }
    }
    let tokens = tokens(&top);
    let does = |list: &[Token]| program(&words(list)).is_some_and(|tool| !SETTING.contains(&tool.as_str()));
    functions > 0 && inside.is_none() && !lists(&tokens).iter().any(|(list, _)| does(list))
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

/// A branch of `case`: from `name)`, at the beginning of a line or after another branch, to `;;`.
fn branch(script: &str, name: &str) -> Option<String> {
    let other = r#"[\w"'-]+"#;
    let name = regex::escape(name);
    let pattern = format!(r#"(?m)(?:^|;;|;&|\bin\b)\s*\(?\s*(?:{other}\s*\|\s*)*["']?{name}["']?\s*(?:\|\s*{other}\s*)*\)"#);
    let head = Regex::new(&pattern).ok()?;
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
    fn a_substitution_is_a_part_of_its_word() {
        let word = |text: &str| Token::Word(text.into());
        assert_eq!(
            tokens("A=$(cat \"$B\") c -p$(d (e)) > f"),
            [
                word("A=$(cat \"$B\")"),
                Token::Inner("cat \"$B\"".into()),
                word("c"),
                word("-p$(d (e))"),
                Token::Inner("d (e)".into()),
                Token::Write,
                word("f")
            ]
        );
    }

    #[test]
    fn texts_and_comparisons_are_no_commands() {
        let words = |text: &str| {
            let words = tokens(text).into_iter().filter_map(|t| if let Token::Word(word) = t { Some(word) } else { None });
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(words("psql <<SQL\ndelete from s where expires > now();\nit's\nSQL\nb"), "psql SQL b");
        assert_eq!(words("cat <<-'X' > f\n\ty\n\tX\nb"), "cat -X f b");
        assert_eq!(words("bash <<E\npg_dump > f\nE\nb"), "bash E pg_dump f E b");
        assert_eq!(words("psql <<< x\nb"), "psql x b");
        let writes = |text: &str| tokens(text).contains(&Token::Write);
        for (text, is_written) in [
            ("[[ $a > 100 ]]", false),
            ("[[ $a > 100 ]] && b > c", true),
            ("(( a > 100 ))", false),
            ("if (( $(stat -c %s f) > 100 )); then :; fi", false),
            ("((a)) && b > c", true),
            ("(a) > c", true),
        ] {
            assert_eq!(writes(text), is_written, "{text}");
        }
    }

    #[test]
    fn what_ends_a_command() {
        for (text, end) in [
            ("a; b", Token::Next),
            ("a\nb", Token::Next),
            ("a && b", Token::And),
            ("a || b", Token::Else),
            ("a & b", Token::Behind),
            ("a ;; b", Token::Group),
            ("(a) b", Token::Group),
        ] {
            let tokens = tokens(text);
            let found = lists(&tokens).into_iter().find(|(list, _)| !list.is_empty()).and_then(|(_, end)| end);
            assert_eq!(found, Some(&end), "{text}");
        }
        // What goes to another stream, and what goes to a file.
        for (text, to) in
            [("a >&2", Token::Messages), ("a 2>&1", Token::Messages), ("a &> b", Token::Write), ("a >| b", Token::Write)]
        {
            assert_eq!(tokens(text).get(1), Some(&to), "{text}");
            assert_eq!(tokens(text).len(), 3, "{text}");
        }
    }

    #[test]
    fn a_script_that_calls_none_of_its_functions() {
        for (script, nothing) in [
            ("#!/bin/bash\nset -e\nA=b\nbackup() {\n  a \"$1\"\n}\n\nrestore() {\n  b\n}\n", true),
            ("backup() { a; }\n# backup\n", true),
            ("backup()\n{\n  a\n}\n", true),
            ("backup() { a; } # b\n\"$@\"\n", false),
            ("backup() {\n  a\n  }\n\"$@\"\n", false),
            ("backup() {\n  a\n}\nbackup\n", false),
            ("backup() {\n  a\n}\n\"$@\"\n", false),
            ("backup() {\n  a\n}\ncase $1 in backup) backup ;; esac\n", false),
            ("log() {\n  a\n}\npg_dump > b\n", false),
            ("pg_dump > b\n", false),
            ("A=b\n", false),
        ] {
            assert_eq!(calls_nothing(script), nothing, "{script}");
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
            ("case $1 in\n  backup | create )\n    a ;;\n  restore | load )\n    b ;;\nesac\n", false),
            ("case $1 in\n  backup | create )\n    a ;;\n  load | re* )\n    b ;;\nesac\n", false),
            ("case $1 in\n  backup | create )\n    a ;;\nesac\n", true),
            ("case $1 in backup) a > $F;; restore) b < $F;; esac\n", false),
            ("case $1 in backup) a > $F;; esac\n", true),
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
