//! What a hook's command does, without running it: the tools that it starts, the files that it writes and reads, and whether a pipe
//! hides a failure. It reads as much of the shell's grammar as hooks use, and does not guess about the rest.
//!
//! Two libraries could parse the whole grammar. `brush-parser` 0.4 adds 29 crates to the 514 of the lock file, a snapshot-test library
//! among them, and 32 s to a build on two cores; `yash-syntax` needs a newer compiler than this workspace. `conch-parser` adds two
//! crates and no time, but had its last release in 2019. A hook is one line that runs a dump program, or calls a short script that
//! does, so what is below is the smaller cost.

use std::sync::LazyLock;

use regex::Regex;

mod formats;
mod images;
mod shell;
mod tools;

pub use images::lacks;
pub(super) use shell::lacks_part;
use shell::{Token, Variables, assignment, expanded, part_for, tokens};

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// The programs that it starts, by name.
    pub tools: Vec<String>,
    /// The programs that it calls by their paths.
    pub called: Vec<Called>,
    /// The absolute paths that it writes.
    pub writes: Vec<String>,
    /// The absolute paths that it reads for certain.
    pub reads: Vec<String>,
    /// Every other absolute path in it that may be read.
    pub names: Vec<String>,
    /// The forms in which it writes files, where they are known: paths and forms.
    pub written_as: Vec<(String, &'static str)>,
    /// The forms in which it can read files: paths, forms, and the programs.
    pub read_as: Vec<(String, &'static str, String)>,
    /// What it wrote and removes again in any case.
    pub removed: Vec<String>,
    /// The program whose failure a pipe hides.
    pub hiding: Option<String>,
}

/// A program that is called by its path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    /// Its path.
    pub path: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The shell that reads it, as in `sh /script.sh`. Without one, the file must be executable.
    pub shell: Option<String>,
}

impl Command {
    /// Whether it starts a program that writes a database's content.
    pub fn dumps(&self) -> bool {
        self.tools.iter().any(|t| tools::DUMPING.contains(&t.as_str()))
    }

    /// What it writes and does not read again, such as a file that is then packed or moved.
    pub fn results(&self) -> impl Iterator<Item = &String> {
        let read_again = |path: &&String| self.reads.contains(path) || self.names.contains(path);
        self.writes.iter().filter(move |path| !is_scratch(path) && !read_again(path))
    }

    /// Whether it does nothing that could be a dump: it only prints, tidies or waits.
    pub fn is_idle(&self) -> bool {
        let idle = |t: &String| {
            tools::PRINTING.contains(&t.as_str()) || tools::TIDYING.contains(&t.as_str()) || tools::WAITING.contains(&t.as_str())
        };
        self.called.is_empty() && self.tools.iter().all(|t| idle(t) || SHELLS.contains(&t.as_str()))
    }

    /// Adds what another command does that this one calls.
    pub fn add(&mut self, other: Self) {
        self.tools.extend(other.tools);
        self.called.extend(other.called);
        self.writes.extend(other.writes);
        self.reads.extend(other.reads);
        self.names.extend(other.names);
        self.written_as.extend(other.written_as);
        self.read_as.extend(other.read_as);
        self.removed.extend(other.removed);
        self.hiding = self.hiding.take().or(other.hiding);
    }
}

/// Whether a path holds no data that could be backed up, such as `/dev/null` or a log.
pub fn is_scratch(path: &str) -> bool {
    let ending = std::path::Path::new(path).extension();
    ["/dev/", "/proc/"].iter().any(|p| path.starts_with(p)) || ending.is_some_and(|e| e == "log")
}

/// Reads a command as a shell would. A script in `sh -c '…'` is read too.
pub fn read(text: &str) -> Command {
    read_with(text, &Variables::new())
}

/// The same where these variables have values.
pub fn read_with(text: &str, variables: &Variables) -> Command {
    read_in(text, variables, None)
}

/// The same where the container's commands begin in a folder, if it is known.
pub fn read_in(text: &str, variables: &Variables, start: Option<&str>) -> Command {
    let start = start.map(str::to_owned);
    let mut reader = Reader { command: Command::default(), variables: variables.clone(), folder: None, start, depth: 0 };
    reader.script(text, 0);
    reader.command.tools.dedup();
    reader.command
}

/// What a script does when it is called with these arguments.
pub fn read_script(text: &str, arguments: &[String], variables: &Variables, start: Option<&str>) -> Command {
    let mut variables = variables.clone();
    variables.extend(arguments.iter().enumerate().map(|(at, argument)| ((at + 1).to_string(), argument.clone())));
    let mut command = read_in(&part_for(text, arguments), &variables, start);
    if text.contains("pipefail") {
        command.hiding = None;
    }
    command
}

/// The program in the first line of a script, by name.
pub fn interpreter(script: &str) -> Option<&str> {
    let mut words = script.lines().next()?.strip_prefix("#!")?.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    if program == "env" { words.find(|w| !w.starts_with('-')) } else { Some(program) }
}

/// A hook as the deployed bot runs it: without an outer shell and the quotes around its script.
pub fn without_shell(hook: &str) -> &str {
    static OUTER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?s)^\s*(?:/bin/|/usr/bin/)?(?:ba|a|da)?sh\s+-e?c\s+(?:'(?<single>[^']*)'|"(?<double>.*)")\s*$"#)
            .expect("the pattern is a constant, and tested")
    });
    OUTER.captures(hook).and_then(|found| found.name("single").or(found.name("double"))).map_or(hook, |script| script.as_str())
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
        program(&words(head)).or_else(|| Some(")".to_owned()))
    };
    tokens.split(Token::ends).filter_map(first).find(|program| !tools::PRINTING.contains(&program.as_str()))
}

/// Whether an argument may be a part of a script: it is no option, no path, and no program that a wrapper would run.
pub(super) fn may_name_part(argument: &str) -> bool {
    let is_program = SHELLS.contains(&argument) || tools::DUMPING.contains(&argument);
    !argument.starts_with('-') && !argument.contains(['/', '$']) && !is_program
}

/// Words that stand before a command, or that end a compound one.
const RESERVED: [&str; 14] = ["if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}", "time"];
/// Programs that start the one that follows them.
const STARTING: [&str; 4] = ["exec", "nohup", "command", "env"];
/// Programs that read a script.
const SHELLS: [&str; 4] = ["sh", "bash", "ash", "dash"];

/// The command in a stage, without the shell's own words before it; nothing of `for NAME in …` and `case WORD in`.
fn simple(stage: &[Token]) -> &[Token] {
    let is = |token: &Token, words: &[&str]| matches!(token, Token::Word(w) if words.contains(&w.as_str()));
    let begin = stage.iter().position(|t| !is(t, &RESERVED)).unwrap_or(stage.len());
    match &stage[begin..] {
        [first, ..] if is(first, &["for", "case", "function"]) => &[],
        command => command,
    }
}

fn words(stage: &[Token]) -> Vec<&str> {
    stage.iter().filter_map(|t| if let Token::Word(w) = t { Some(w.as_str()) } else { None }).collect()
}

/// The first word that is not an assignment, as a program's name.
fn program(words: &[&str]) -> Option<String> {
    words.iter().find(|w| assignment(w).is_none()).map(|w| name_of(w).to_owned())
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

struct Reader {
    command: Command,
    variables: Variables,
    /// Where `cd` went.
    folder: Option<String>,
    /// Where commands begin, until a `cd`.
    start: Option<String>,
    /// How many `if`, `case` and loops are open: what is in them may not run.
    depth: usize,
}

impl Reader {
    fn script(&mut self, text: &str, depth: usize) {
        let tokens = tokens(text);
        let pipefail = text.contains("pipefail");
        let mut may_not_run = false;
        for list in tokens.split_inclusive(Token::ends) {
            let follows_or = std::mem::replace(&mut may_not_run, list.last() == Some(&Token::Else));
            let list = list.strip_suffix(&[Token::Next]).or_else(|| list.strip_suffix(&[Token::Else])).unwrap_or(list);
            self.enter(list);
            let written = self.command.writes.len();
            let stages: Vec<&[Token]> = list.split(|t| *t == Token::Pipe).map(simple).collect();
            if stages.len() > 1 && !pipefail && self.command.hiding.is_none() {
                self.command.hiding = program(&words(stages[0])).filter(|p| !tools::PRINTING.contains(&p.as_str()));
            }
            let may_run = !follows_or && self.depth == 0;
            stages.iter().filter(|_| may_run).for_each(|stage| self.removes(stage, written));
            stages.into_iter().for_each(|stage| self.stage(stage, depth));
        }
    }

    /// Counts the compound commands that a command opens and closes.
    fn enter(&mut self, list: &[Token]) {
        for word in words(list) {
            match word {
                "if" | "case" | "for" | "while" | "until" | "{" => self.depth += 1,
                "fi" | "esac" | "done" | "}" => self.depth = self.depth.saturating_sub(1),
                word if RESERVED.contains(&word) => {}
                _ => break,
            }
        }
    }

    /// Notes what was written and is removed by this command.
    fn removes(&mut self, stage: &[Token], written: usize) {
        let expanded: Vec<Token> = stage.iter().map(|t| self.expanded(t)).collect();
        if let ["rm" | "unlink", arguments @ ..] = &words(&expanded)[..] {
            let paths: Vec<String> = arguments.iter().filter_map(|path| self.absolute(path)).collect();
            let gone = paths.into_iter().filter(|path| self.command.writes[..written].contains(path));
            self.command.removed.extend(gone.collect::<Vec<_>>());
        }
    }

    fn stage(&mut self, stage: &[Token], depth: usize) {
        let expanded: Vec<Token> = stage.iter().map(|t| self.expanded(t)).collect();
        let mut words: Vec<&str> = Vec::new();
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        let mut before = None;
        for token in &expanded {
            if let Token::Word(word) = token {
                match before {
                    Some(Token::Write) => writes.push(word.clone()),
                    Some(Token::Read) => reads.push(word.clone()),
                    Some(Token::Messages) => {}
                    _ => words.push(word),
                }
            }
            before = Some(token.clone());
        }
        if let Some(first) = words.first().filter(|w| ["export", "readonly", "local", "declare"].contains(w)).copied() {
            self.command.tools.push(first.to_owned());
            words.remove(0);
        }
        let begin = words.iter().position(|w| assignment(w).is_none() && !STARTING.contains(w));
        // Assignments before a program are its own; alone, they are the script's.
        let Some(begin) = begin else {
            words.iter().filter_map(|w| assignment(w)).for_each(|(name, value)| {
                self.variables.insert(name.to_owned(), value.to_owned());
            });
            return;
        };
        self.program(&words[begin..], writes, reads, depth);
    }

    /// A program with its arguments, and what redirections make it write and read.
    fn program(&mut self, words: &[&str], mut writes: Vec<String>, mut reads: Vec<String>, depth: usize) {
        let tool = name_of(words[0]);
        if tool.is_empty() {
            return;
        }
        self.command.tools.push(tool.to_owned());
        if tool == "cd" {
            self.start = None;
            self.folder = words.get(1).filter(|w| w.starts_with('/')).map(|w| (*w).to_owned());
            return;
        }
        if words[0].starts_with('/') {
            self.call(words, None);
        }
        let files = tools::files(tool, words);
        writes.extend(files.writes);
        reads.extend(files.reads);
        let is_data = !tools::PRINTING.contains(&tool);
        let written: Vec<String> = writes.iter().filter(|_| is_data).filter_map(|w| self.absolute(w)).collect();
        let read: Vec<String> = reads.iter().filter_map(|r| self.absolute(r)).collect();
        self.forms(tool, words, &written, &read);
        self.command.removed.retain(|path| !written.contains(path));
        self.command.writes.extend(written);
        self.command.reads.extend(read);
        // A script in a word is read by itself.
        let is_script = SHELLS.contains(&tool) || tool == "su";
        if !tools::TIDYING.contains(&tool) && !is_script {
            let plain = words.iter().skip(1).filter(|w| !writes.iter().any(|written| w.ends_with(written.as_str())));
            let names: Vec<String> = plain.flat_map(|w| self.named(w)).collect();
            self.command.names.extend(names);
        }
        if SHELLS.contains(&tool) && depth < 4 {
            self.inner(words, depth);
        } else if tool == "su" && depth < 4 {
            // su USER -c 'SCRIPT'
            if let Some(script) = words.iter().skip_while(|w| **w != "-c").nth(1) {
                if words.iter().any(|w| ["-", "-l", "--login"].contains(w)) {
                    (self.folder, self.start) = (None, None);
                }
                self.script(script, depth + 1);
            }
        }
    }

    /// Notes the forms of what a program writes and reads. A copy has the form of what was copied.
    fn forms(&mut self, tool: &str, words: &[&str], written: &[String], read: &[String]) {
        let of = |path: &String| self.command.written_as.iter().rev().find(|(p, _)| p == path).map(|(_, form)| *form);
        let copied = read.first().filter(|_| matches!(tool, "cp" | "mv")).and_then(of);
        if let Some(form) = formats::written(tool, words).or(copied) {
            self.command.written_as.extend(written.iter().map(|path| (path.clone(), form)));
        }
        if let Some(form) = formats::read(tool, words) {
            self.command.read_as.extend(read.iter().map(|path| (path.clone(), form, tool.to_owned())));
        }
    }

    /// What a shell is given: `-c 'SCRIPT'`, or a file.
    fn inner(&mut self, words: &[&str], depth: usize) {
        let rest = &words[1..];
        if let Some(at) = rest.iter().position(|w| w.starts_with('-') && !w.starts_with("--") && w.ends_with('c')) {
            if let Some(script) = rest.get(at + 1) {
                self.script(script, depth + 1);
            }
        } else if let Some(at) = rest.iter().position(|w| w.starts_with('/')) {
            self.call(&rest[at..], Some(name_of(words[0]).to_owned()));
        }
    }

    fn call(&mut self, words: &[&str], shell: Option<String>) {
        let arguments = words[1..].iter().map(|w| (*w).to_owned()).collect();
        self.command.called.push(Called { path: words[0].to_owned(), arguments, shell });
    }

    fn expanded(&self, token: &Token) -> Token {
        match token {
            Token::Word(word) => Token::Word(expanded(word, &self.variables)),
            other => other.clone(),
        }
    }

    /// A file's path from the root; nothing if it is relative to a folder that is not known.
    fn absolute(&self, path: &str) -> Option<String> {
        match self.folder.as_ref().or(self.start.as_ref()) {
            _ if path.starts_with('/') => Some(path.to_owned()),
            Some(folder) if !path.is_empty() && !path.starts_with(['-', '$', '&', '\'', '"', '`']) => {
                Some(format!("{}/{path}", folder.trim_end_matches('/')))
            }
            _ => None,
        }
    }

    /// The paths in a word, wherever they stand in it.
    fn named(&self, word: &str) -> Vec<String> {
        static PATH: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"(?:^|[=:'"@,\s(<])(/[^\s'",;:()?]+)"#).expect("the pattern is a constant, and tested")
        });
        let mut found: Vec<String> = PATH.captures_iter(word).map(|c| c[1].to_owned()).collect();
        if found.is_empty() && self.folder.is_some() {
            found.extend(self.absolute(word));
        }
        found
    }
}

#[cfg(test)]
mod tests;
