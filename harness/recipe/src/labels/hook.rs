//! What a hook's command does, without running it: the tools that it starts, the files that it writes, and whether a pipe hides a
//! failure. It reads as much of the shell's grammar as hooks use, and does not guess about the rest.
//!
//! Two libraries could parse the whole grammar. `brush-parser` 0.4 adds 29 crates to the 514 of the lock file, a snapshot-test library
//! among them, and 32 s to a build on two cores; `yash-syntax` needs a newer compiler than this workspace. `conch-parser` adds two
//! crates and no time, but had its last release in 2019. A hook is one line that runs a dump program, so the 90 lines below are the
//! smaller cost.

use std::sync::LazyLock;

use serde::Deserialize;

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The programs that it starts, by name.
    pub tools: Vec<String>,
    /// The absolute paths that it writes.
    pub writes: Vec<String>,
    /// The program whose failure a pipe hides.
    pub hiding: Option<String>,
}

/// An entry of `images.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    name: String,
    tag: String,
    lacks: Vec<String>,
    instead: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Images {
    image: Vec<Image>,
}

static IMAGES: LazyLock<Vec<Image>> =
    LazyLock::new(|| toml::from_str::<Images>(include_str!("images.toml")).map(|all| all.image).unwrap_or_default());

/// What an image has instead of a tool, if it is known not to have that tool.
pub fn lacks(image: &str, tool: &str) -> Option<&'static str> {
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let fits = |pattern: &str| pattern.is_empty() || name == pattern || (pattern.ends_with('/') && name.starts_with(pattern));
    let lacking = |image: &&Image| fits(&image.name) && tag.contains(&image.tag) && image.lacks.iter().any(|t| t == tool);
    IMAGES.iter().find(lacking).map(|image| image.instead.as_str())
}

/// Whether a path holds no data that could be backed up, such as `/dev/null`.
pub fn is_scratch(path: &str) -> bool {
    ["/dev/", "/proc/"].iter().any(|p| path.starts_with(p))
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `;`, `&&`, `||`, `&` or the end of a line: a new command begins.
    Next,
    Pipe,
    /// `>` and `>>`.
    Write,
}

/// Reads a command as a shell would. A script in `sh -c '…'` is read too.
pub fn read(text: &str) -> Command {
    let mut command = Command::default();
    add(text, &mut command, 0);
    command.tools.dedup();
    command
}

/// What is piped into a program so that nobody learns whether it failed, in a script for `sh`: a program, or the word that ends the
/// commands before the pipe. A program that only prints does not count.
pub fn hidden_by_pipe(script: &str) -> Option<String> {
    if script.contains("pipefail") {
        return None;
    }
    let tokens = tokens(script);
    let first = |list: &[Token]| {
        let mut stages = list.split(|t| *t == Token::Pipe);
        let (head, _) = (stages.next()?, stages.next()?);
        // Nothing is before the pipe where a parenthesis was.
        program(head).or_else(|| Some(")".to_owned()))
    };
    tokens.split(|t| *t == Token::Next).filter_map(first).find(|program| !PRINTING.contains(&program.as_str()))
}

/// Programs that do not fail in a way that matters.
const PRINTING: [&str; 4] = ["echo", "printf", "yes", "true"];

fn add(text: &str, command: &mut Command, depth: usize) {
    let tokens = tokens(text);
    let pipefail = text.contains("pipefail");
    for list in tokens.split(|t| *t == Token::Next) {
        let stages: Vec<&[Token]> = list.split(|t| *t == Token::Pipe).map(simple).collect();
        if stages.len() > 1 && !pipefail && command.hiding.is_none() {
            command.hiding = program(stages[0]).filter(|p| !PRINTING.contains(&p.as_str()));
        }
        for stage in stages {
            add_stage(stage, command, depth);
        }
    }
}

/// Words that stand before a command, or that end a compound one.
const RESERVED: [&str; 14] = ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}", "time"];

/// The command in a stage, without the shell's own words before it; nothing of `for NAME in …` and `case WORD in`.
fn simple(stage: &[Token]) -> &[Token] {
    let is = |token: &Token, words: &[&str]| matches!(token, Token::Word(w) if words.contains(&w.as_str()));
    let begin = stage.iter().position(|t| !is(t, &RESERVED)).unwrap_or(stage.len());
    match &stage[begin..] {
        [first, ..] if is(first, &["for", "case"]) => &[],
        command => command,
    }
}

/// The first word that is not an assignment.
fn program(stage: &[Token]) -> Option<String> {
    stage.iter().find_map(|t| match t {
        Token::Word(w) if !w.split_once('=').is_some_and(|(n, _)| n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')) => {
            Some(w.rsplit('/').next().unwrap_or(w).to_owned())
        }
        _ => None,
    })
}

fn add_stage(stage: &[Token], command: &mut Command, depth: usize) {
    let Some(tool) = program(stage) else { return };
    command.tools.push(tool.clone());
    let write = |path: &str, command: &mut Command| {
        if path.starts_with('/') {
            command.writes.push(path.to_owned());
        }
    };
    let words: Vec<&str> = stage.iter().filter_map(|t| if let Token::Word(w) = t { Some(w.as_str()) } else { None }).collect();
    for pair in stage.windows(2) {
        if let [Token::Write, Token::Word(path)] = pair {
            write(path, command);
        }
    }
    // Options that name the file to write, of tools that dump.
    let (after, joined): (&[&str], &[&str]) = match tool.as_str() {
        "pg_dump" | "pg_dumpall" => (&["-f", "--file"], &["--file=", "-f"]),
        "mysqldump" | "mariadb-dump" => (&["-r", "--result-file"], &["--result-file=", "-r"]),
        "mongodump" => (&["--out", "-o", "--archive"], &["--out=", "--archive="]),
        "redis-cli" => (&["--rdb"], &["--rdb="]),
        "tee" => (&["tee", "-a"], &[]),
        "dd" => (&[], &["of="]),
        "curl" | "sort" => (&["-o", "--output"], &["--output="]),
        "tar" if words.get(1).is_some_and(|w| w.trim_start_matches('-').contains('c')) => {
            (&["-f", "cf", "-cf", "czf", "-czf"], &["--file="])
        }
        _ => (&[], &[]),
    };
    for (at, word) in words.iter().enumerate() {
        if after.contains(word)
            && let Some(next) = words.get(at + 1)
        {
            write(next, command);
        } else if let Some(path) = joined.iter().find_map(|j| word.strip_prefix(j)) {
            write(path, command);
        }
        // sqlite3's own language: .backup FILE
        if tool == "sqlite3"
            && let Some(rest) = word.strip_prefix(".backup ")
        {
            let target = rest.split_whitespace().next_back().unwrap_or_default();
            write(target.trim_matches(['\'', '"']), command);
        }
    }
    let shell = ["sh", "bash", "ash", "dash"].contains(&tool.as_str());
    if shell && depth < 4 {
        let script = words.iter().skip(1).skip_while(|w| !(w.starts_with('-') && w.ends_with('c'))).nth(1);
        if let Some(script) = script {
            add(script, command, depth + 1);
        }
    }
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                word.extend(chars.by_ref().take_while(|c| *c != '\''));
            }
            '"' => {
                let word = word.get_or_insert_default();
                while let Some(c) = chars.next().filter(|c| *c != '"') {
                    word.extend(if c == '\\' { chars.next() } else { Some(c) });
                }
            }
            '\\' => word.get_or_insert_default().extend(chars.next()),
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            _ => {
                let token = match c {
                    ';' | '\n' | '(' | ')' => Some(Token::Next),
                    '>' => {
                        // The number of a file descriptor is not an argument; >&1 writes no file.
                        word.take_if(|w| w.chars().all(|c| c.is_ascii_digit()));
                        chars.next_if_eq(&'>');
                        Some(Token::Write)
                    }
                    '&' if tokens.last() == Some(&Token::Write) && word.is_none() => None,
                    '&' => {
                        chars.next_if_eq(&'&');
                        Some(Token::Next)
                    }
                    '|' => Some(if chars.next_if_eq(&'|').is_some() { Token::Next } else { Token::Pipe }),
                    '<' => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hooks_of_real_recipes_do() {
        for (text, tools, writes, hiding) in [
            ("redis-cli save", &["redis-cli"][..], &[][..], None),
            (
                "sh -c 'PGPASSWORD=$(cat /run/secrets/db) pg_dump -U app db > /postgres.dump'",
                &["sh", "cat", "pg_dump"],
                &["/postgres.dump"],
                None,
            ),
            (
                "sh -c \"mysqldump -u root db | gzip > /var/lib/mysql/dump.gz\"",
                &["sh", "mysqldump", "gzip"],
                &["/var/lib/mysql/dump.gz"],
                Some("mysqldump"),
            ),
            ("bash -c 'set -o pipefail; a | b'", &["bash", "set", "a", "b"], &[], None),
            ("/usr/bin/pg_dump --file=/data/x db 2>/dev/null", &["pg_dump"], &["/dev/null", "/data/x"], None),
            ("sh -c 'echo a >&2 && rm -f /dump || true'", &["sh", "echo", "rm", "true"], &[], None),
            ("sqlite3 /data/main.db \".backup '/tmp/x.db'\"", &["sqlite3"], &["/tmp/x.db"], None),
            ("tar -czf /srv/a.tgz /data", &["tar"], &["/srv/a.tgz"], None),
            ("sh -c 'if pg_dump db > /data/d; then gzip /data/d; fi'", &["sh", "pg_dump", "gzip"], &["/data/d"], None),
            ("for f in a b; do tar -cf /data/$f.tar $f; done # a | b > /c", &["tar"], &["/data/$f.tar"], None),
            ("! { while a; do b | c; done; }", &["a", "b", "c"], &[], Some("b")),
            ("", &[], &[], None),
            ("'unclosed", &["unclosed"], &[], None),
        ] {
            let found = read(text);
            assert_eq!(found.writes, writes, "{text}");
            assert_eq!(found.hiding.as_deref(), hiding, "{text}");
            assert_eq!(found.tools, tools, "{text}");
        }
    }

    #[test]
    fn what_a_pipe_hides() {
        for (script, hidden) in [
            ("rspamc symbols | sed -n p", Some("rspamc")),
            ("set -o pipefail; rspamc symbols | sed -n p", None),
            ("out=$(rspamc symbols) && printf '%s' \"$out\" | sed -n p", None),
            ("for f in a b; do cat $f; done | sort", Some("done")),
            ("(cat a; cat b) | sort", Some(")")),
            ("a || b", None),
            ("grep 'a|b' c", None),
            ("x=1 /usr/bin/a | b", Some("a")),
            ("", None),
        ] {
            assert_eq!(hidden_by_pipe(script).as_deref(), hidden, "{script}");
        }
    }

    #[test]
    fn tools_that_images_lack() {
        assert!(lacks("redis:7-alpine", "bash").is_some());
        assert!(lacks("docker.io/library/redis:7-alpine", "bash").is_some());
        assert!(lacks("ghcr.io/mailu/admin:2024.06.52", "sqlite3").is_some());
        assert!(lacks("ghcr.io/mailu/admin:2024.06.52", "python3").is_none());
        assert!(lacks("redis:7", "bash").is_none());
        assert!(lacks("example.org/own:1", "anything").is_none());
    }
}
