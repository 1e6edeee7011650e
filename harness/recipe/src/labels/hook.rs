//! What a hook's command does, without running it: the tools that it starts, the files that it writes and reads, and whether a pipe
//! hides a failure. It reads as much of the shell's grammar as hooks use, and does not guess about the rest.
//!
//! Two libraries could parse the whole grammar. `brush-parser` 0.4 adds 29 crates to the 514 of the lock file, a snapshot-test library
//! among them, and 32 s to a build on two cores; `yash-syntax` needs a newer compiler than this workspace. `conch-parser` adds two
//! crates and no time, but had its last release in 2019. A hook is one line that runs a dump program, or calls a short script that
//! does, so what is below is the smaller cost.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

mod failure;
mod formats;
mod images;
mod outer;
mod run;
mod shell;
mod starting;
mod tools;

pub use failure::hidden_by_pipe;
pub use images::lacks;
pub use outer::{broken, unwrapped};
pub use run::{Host, Run};
use shell::{RESERVED, SHELLS, Token, Variables, assignment, expanded, lists, name_of, part_for, program, simple, tokens, words};
pub(super) use shell::{calls_nothing, lacks_part};
use starting::begin_of;

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
    /// What it got from a server: an answer, or a file.
    pub fetched: Vec<String>,
    /// The program whose failure a pipe hides.
    pub hiding: Option<String>,
    /// The program that dumps a database, and whose failure the script ignores.
    pub ignored: Option<String>,
    /// Its programs, with their arguments.
    pub runs: Vec<Run>,
    /// Whether anything in it goes to a file or through a pipe.
    pub sends: bool,
    /// Whether it drops what a database has.
    pub drops: bool,
    /// What it made something else of, and which of its own writes that is.
    taken: Vec<Taken>,
}

/// A file that a program puts into another one, or that is given to a program of which nobody knows what it does with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    path: String,
    /// Whether all that is below it is taken too.
    below: bool,
    /// What the same program writes, by its place among all that is written.
    own: Range<usize>,
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

    /// What it writes and does not make something else of, such as a file that is then packed or moved.
    pub fn results(&self) -> impl Iterator<Item = &String> {
        self.writes.iter().enumerate().filter(move |(at, path)| !is_scratch(path) && !self.is_taken(*at)).map(|(_, path)| path)
    }

    /// What it wrote and removes again, and nobody has by then.
    pub fn lost(&self) -> impl Iterator<Item = &String> {
        let is_taken = move |path: &String| (0..self.writes.len()).any(|at| self.writes[at] == *path && self.is_taken(at));
        self.removed.iter().filter(move |path| !is_taken(path))
    }

    fn is_taken(&self, at: usize) -> bool {
        let written = &self.writes[at];
        let is_below = |taken: &Taken| match taken.path.split_once('*') {
            Some((begin, _)) => written.starts_with(begin),
            None => written.strip_prefix(taken.path.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/')),
        };
        let has = |taken: &&Taken| taken.path == *written || taken.below && is_below(taken);
        self.taken.iter().filter(has).any(|taken| !taken.own.contains(&at))
    }

    /// The program that prints a dump that goes nowhere.
    pub fn dumps_nowhere(&self) -> Option<&str> {
        self.runs.iter().filter(|_| !self.sends).find(|run| run.dumps_nowhere()).map(Run::tool)
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
        let before = self.writes.len();
        let moved = |taken: Taken| Taken { own: taken.own.start + before..taken.own.end + before, ..taken };
        self.taken.extend(other.taken.into_iter().map(moved));
        self.tools.extend(other.tools);
        self.called.extend(other.called);
        self.writes.extend(other.writes);
        self.reads.extend(other.reads);
        self.names.extend(other.names);
        self.written_as.extend(other.written_as);
        self.read_as.extend(other.read_as);
        self.removed.extend(other.removed);
        self.fetched.extend(other.fetched);
        self.runs.extend(other.runs);
        self.hiding = self.hiding.take().or(other.hiding);
        self.ignored = self.ignored.take().or(other.ignored);
        (self.sends, self.drops) = (self.sends || other.sends, self.drops || other.drops);
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
    Reader::new(variables, start).read(text)
}

/// What a script does when it is called with these arguments.
pub fn read_script(text: &str, arguments: &[String], variables: &Variables, start: Option<&str>) -> Command {
    let mut variables = variables.clone();
    variables.extend(arguments.iter().enumerate().map(|(at, argument)| ((at + 1).to_string(), argument.clone())));
    let mut reader = Reader::new(&variables, start);
    reader.ends = failure::ends_at_failure(text);
    let mut command = reader.read(&part_for(text, arguments));
    if text.contains("pipefail") {
        command.hiding = None;
    }
    // What calls the part may do this for it.
    command.sends |= sends(&tokens(text));
    command.drops |= drops(text);
    command
}

/// Whether something in a script goes to a file or through a pipe.
fn sends(tokens: &[Token]) -> bool {
    tokens.iter().any(|t| matches!(t, Token::Write | Token::Pipe))
}

/// Whether a script drops or makes a database, a schema or a table.
fn drops(script: &str) -> bool {
    static DROPS: LazyLock<Regex> = LazyLock::new(|| {
        let pattern =
            r"(?i)\b(?:dropdb|createdb|initdb|dropDatabase|TRUNCATE|(?:DROP|CREATE)\s+(?:DATABASE|SCHEMA|OWNED|TABLE))\b";
        Regex::new(pattern).expect("the pattern is a constant, and tested")
    });
    DROPS.is_match(script)
}

/// The program in the first line of a script, by name.
pub fn interpreter(script: &str) -> Option<&str> {
    let mut words = script.lines().next()?.strip_prefix("#!")?.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    if program == "env" { words.find(|w| !w.starts_with('-')) } else { Some(program) }
}

/// Whether an argument may be a part of a script: it is no option, no path, and no program that a wrapper would run.
pub(super) fn may_name_part(argument: &str) -> bool {
    let is_program = SHELLS.contains(&argument) || tools::DUMPING.contains(&argument);
    !argument.starts_with('-') && !argument.contains(['/', '$']) && !is_program
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
    /// Whether the next script that is read ends at the first command that fails.
    ends: bool,
    /// Whether in the next script that is read, a pipe fails with any of its programs.
    pipefail: bool,
    /// Whether what runs is given something to read, and whether its output is kept.
    around: (bool, bool),
    /// Whether the present command only looks at files.
    looks: bool,
}

impl Reader {
    fn new(variables: &Variables, start: Option<&str>) -> Self {
        let (command, variables, start) = (Command::default(), variables.clone(), start.map(str::to_owned));
        Self {
            command,
            variables,
            folder: None,
            start,
            depth: 0,
            ends: false,
            pipefail: false,
            around: (false, false),
            looks: false,
        }
    }

    fn read(mut self, text: &str) -> Command {
        self.script(text, 0);
        self.command.tools.dedup();
        self.command
    }

    fn script(&mut self, text: &str, depth: usize) {
        let tokens = tokens(text);
        let lists = lists(&tokens);
        let looks_at_pipes = ["pipefail", "PIPESTATUS"].iter().any(|word| text.contains(word));
        let (pipefail, asks) = (std::mem::take(&mut self.pipefail) || looks_at_pipes, text.contains("$?"));
        let ends = std::mem::take(&mut self.ends) || failure::ends_at_failure(text);
        self.command.sends |= sends(&tokens);
        self.command.drops |= drops(text);
        for (at, (list, _)) in lists.iter().enumerate() {
            let follows_or = at > 0 && lists[at - 1].1 == Some(&Token::Else);
            self.enter(list);
            let written = self.command.writes.len();
            let stages: Vec<&[Token]> = list.split(|t| *t == Token::Pipe).map(simple).collect();
            if !pipefail && self.command.hiding.is_none() {
                self.command.hiding = failure::hidden(&stages);
            }
            if !asks && self.command.ignored.is_none() {
                let dump = stages.iter().filter_map(|stage| program(&words(stage))).find(|tool| tools::is_dump(tool));
                self.command.ignored = dump.filter(|_| failure::is_ignored(&lists, at, ends));
            }
            let may_run = !follows_or && self.depth == 0;
            stages.iter().filter(|_| may_run).for_each(|stage| self.removes(stage, written));
            self.stages(&stages, depth);
        }
    }

    /// The programs of a pipe.
    fn stages(&mut self, stages: &[&[Token]], depth: usize) {
        let around = self.around;
        let checks = |stage: &&[Token]| {
            let words = words(stage);
            !stage.contains(&Token::Write) && program(&words).is_some_and(|tool| tools::only_checks(&tool, &words, false))
        };
        let looks = stages.iter().all(checks);
        for (at, stage) in stages.iter().enumerate() {
            self.looks = looks;
            self.around = (around.0 || at > 0, around.1 || at + 1 < stages.len());
            self.stage(stage, depth);
        }
        self.around = around;
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
        let (around, looks) = (self.around, self.looks);
        for token in &expanded {
            if let Token::Inner(script) = token
                && depth < 4
            {
                self.around = (false, true);
                self.script(script, depth + 1);
            }
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
        self.looks = looks;
        self.around = (around.0 || expanded.contains(&Token::Read), around.1 || expanded.contains(&Token::Write));
        if let Some(first) = words.first().filter(|w| ["export", "readonly", "local", "declare"].contains(w)).copied() {
            self.command.tools.push(first.to_owned());
            words.remove(0);
        }
        let begin = begin_of(&words);
        // Assignments before a program are its own; alone, they are the script's.
        let Some(begin) = begin else {
            words.iter().filter_map(|w| assignment(w)).for_each(|(name, value)| {
                self.variables.insert(name.to_owned(), value.to_owned());
            });
            return;
        };
        let own = words[..begin].iter().filter_map(|w| assignment(w)).map(|(name, value)| (name.to_owned(), value.to_owned()));
        let set = run::HOSTS.iter().filter_map(|name| self.variables.get_key_value(*name));
        self.command.runs.push(Run {
            words: words[begin..].iter().map(|w| (*w).to_owned()).collect(),
            environment: set.map(|(name, value)| (name.clone(), value.clone())).chain(own).collect(),
            is_fed: self.around.0,
            is_kept: self.around.1,
        });
        self.program(&words[begin..], writes, reads, depth);
    }

    /// A program with its arguments, and what redirections make it write and read.
    fn program(&mut self, words: &[&str], mut writes: Vec<String>, mut reads: Vec<String>, depth: usize) {
        let tool = name_of(words[0]);
        if tool.is_empty() {
            return;
        }
        self.command.tools.push(tool.to_owned());
        if tool == "cd" || tool == "pushd" {
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
        let checks = tools::only_checks(tool, words, !self.looks);
        let read: Vec<String> = reads.iter().filter(|_| !checks).filter_map(|r| self.absolute(r)).collect();
        self.forms(tool, words, &written, &read);
        self.command.removed.retain(|path| !written.contains(path));
        // A script in a word is read by itself.
        let is_script = SHELLS.contains(&tool) || tool == "su";
        let mut names = Vec::new();
        if !checks && !tools::TIDYING.contains(&tool) && !is_script {
            let plain = words.iter().skip(1).filter(|w| !writes.iter().any(|written| w.ends_with(written.as_str())));
            names.extend(plain.flat_map(|w| self.named(w)));
        }
        let begin = self.command.writes.len();
        let (own, below) = (begin..begin + written.len(), tools::TAKING.contains(&tool));
        let taken = |path: &String| Taken { path: path.clone(), below, own: own.clone() };
        self.command.taken.extend(read.iter().chain(&names).map(taken));
        self.command.fetched.extend(written.iter().filter(|_| matches!(tool, "curl" | "wget")).cloned());
        self.command.writes.extend(written);
        self.command.reads.extend(read);
        self.command.names.extend(names);
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
                self.ends = rest[..=at].iter().any(|w| w.starts_with('-') && !w.starts_with("--") && w.contains('e'));
                self.pipefail = rest[..at].contains(&"pipefail");
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
