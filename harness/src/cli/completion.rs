//! What a shell completes: besides commands and options also the names that there are, of scenarios, profiles, faults, runs and more.
//!
//! The script of a shell calls the program with [`VARIABLE`] set to the shell's name, and behind `--` the words of the command line.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Command;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _};
use clap_complete::env::{EnvCompleter, Shells};
use recipe::labels::rules::lessons;
use recipe::near::unknown;
use recipe::scenario::faults::Group;
use recipe::scenario::{self, Scenario};

use crate::error::{Error, Result};
use crate::installation;
use crate::report::history::{RUNS, runs};

/// Set by a shell's script to the shell's name.
pub const VARIABLE: &str = "RESTORE_DRILL_COMPLETE";
/// The program's name, in the PATH.
const PROGRAM: &str = "restore-drill";

/// Gives the names that an argument may have, each with what it means.
type Names = fn(&Context) -> Vec<(String, Option<String>)>;

/// The words of the command line, and what they say of where things are.
struct Context {
    scenarios: PathBuf,
    words: Vec<String>,
    commands: Vec<String>,
}

/// Which names an argument of a command takes. Paths are completed besides.
const TAKEN: [(&[&str], &str, Names); 26] = [
    (&["run"], "scenario", scenarios),
    (&["fault"], "scenario", scenarios),
    (&["images"], "scenario", scenarios),
    (&["audit"], "scenario", scenarios),
    (&["ladder"], "scenario", scenarios),
    (&["ladder"], "recipe", scenarios),
    (&["ci"], "scenario", scenarios),
    (&["run"], "profile", profiles),
    (&["fault"], "profile", profiles),
    (&["ladder"], "profile", profiles),
    (&["ci"], "profile", profiles),
    (&["run"], "fault", faults),
    (&["fault"], "names", faults),
    (&["fault"], "group", groups),
    (&["ladder"], "not_applicable", rungs),
    (&["ci"], "not_applicable", rungs),
    (&["report"], "dir", stored),
    (&["judge"], "dir", stored),
    (&["repro"], "dir", stored),
    (&["labels", "pr"], "evidence", stored),
    (&["labels", "pr"], "before", stored),
    (&["gc"], "run", run_ids),
    (&["explain"], "finding", findings),
    (&["labels", "explain"], "code", codes),
    (&["conformance"], "names", cases),
    (&["man"], "command", commands),
];

/// The script that a shell reads.
///
/// # Errors
/// It cannot be written.
pub fn script(shell: clap_complete::Shell) -> Result<String> {
    let mut script = Vec::new();
    let name = shell.to_string();
    completer(&name)?.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script).map_err(Error::io("completions"))?;
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if name == "zsh" {
        // From a folder of functions, zsh runs the script when something is to be completed for the first time.
        script += "if [ \"$funcstack[1]\" = _restore-drill ]; then _clap_dynamic_completer_restore_drill \"$@\"; fi\n";
    }
    Ok(script)
}

/// What a shell may put in the place of the last word; nothing if no shell asks.
///
/// # Errors
/// No such shell is known.
pub fn asked(command: impl FnOnce() -> Command) -> Result<Option<String>> {
    let Some(shell) = std::env::var(VARIABLE).ok().filter(|shell| !shell.is_empty()) else { return Ok(None) };
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let command = command();
    let context = Arc::new(Context::of(&words, &command));
    let (mut command, mut out) = (with_names(command, &context), Vec::new());
    let here = std::env::current_dir().ok();
    completer(&shell)?.write_complete(&mut command, words, here.as_deref(), &mut out).map_err(Error::io("completions"))?;
    Ok(Some(String::from_utf8_lossy(&out).into_owned()))
}

fn completer(shell: &str) -> Result<&'static dyn EnvCompleter> {
    const SHELLS: Shells<'static> = Shells::builtins();
    let names = || SHELLS.names().collect::<Vec<_>>();
    SHELLS.0.iter().copied().find(|known| known.is(shell)).ok_or_else(|| Error::Usage(unknown("shell", shell, names())))
}

/// The command, where arguments know which names there are.
fn with_names(command: Command, context: &Arc<Context>) -> Command {
    TAKEN.iter().fold(command, |command, (path, id, names)| {
        let (context, names) = (context.clone(), *names);
        let completer = move |current: &OsStr| candidates(current, names(&context));
        below(command, path, &|sub: Command| sub.mut_arg(*id, |arg| arg.add(ArgValueCompleter::new(completer.clone()))))
    })
}

/// Changes the command at the end of a path of commands.
fn below(command: Command, path: &[&'static str], change: &dyn Fn(Command) -> Command) -> Command {
    match path.split_first() {
        Some((first, rest)) => command.mut_subcommand(*first, |sub| below(sub, rest, change)),
        None => change(command),
    }
}

/// The names that begin with what is there; and paths, if it may be the beginning of one.
fn candidates(current: &OsStr, names: Vec<(String, Option<String>)>) -> Vec<CompletionCandidate> {
    let begun = current.to_string_lossy();
    let mut all: Vec<CompletionCandidate> = names
        .into_iter()
        .filter(|(name, _)| name.starts_with(&*begun))
        .map(|(name, what)| CompletionCandidate::new(name).help(what.map(Into::into)))
        .collect();
    if all.is_empty() {
        all = PathCompleter::any().complete(current);
    }
    all
}

impl Context {
    fn of(words: &[OsString], command: &Command) -> Self {
        let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let after = words.iter().skip_while(|word| *word != "--scenarios").nth(1).cloned();
        let joined = words.iter().find_map(|word| word.strip_prefix("--scenarios=")).map(str::to_owned);
        let asked = after.or(joined).or_else(|| std::env::var("RESTORE_DRILL_SCENARIOS").ok());
        let asked = asked.filter(|asked| !asked.is_empty()).map_or_else(|| PathBuf::from(scenario::FOLDER), PathBuf::from);
        let commands = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        Self { scenarios: installation::scenarios(asked).unwrap_or_default(), words, commands }
    }
}

fn bare(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<(String, Option<String>)> {
    names.into_iter().map(|name| (name.into(), None)).collect()
}

fn scenarios(context: &Context) -> Vec<(String, Option<String>)> {
    bare(scenario::list(&context.scenarios))
}

fn profiles(_: &Context) -> Vec<(String, Option<String>)> {
    bare(seeds::Profile::names())
}

/// The faults of the scenario that the command line names; of all, if it names none.
fn faults(context: &Context) -> Vec<(String, Option<String>)> {
    let all = scenario::list(&context.scenarios);
    let named: Vec<String> = all.iter().filter(|name| context.words.contains(name)).cloned().collect();
    let of = if named.is_empty() { all } else { named };
    let mut faults: Vec<(String, Option<String>)> = Vec::new();
    for scenario in of.iter().filter_map(|name| Scenario::load(&context.scenarios, name).ok()) {
        for fault in crate::fault::of(&scenario) {
            if !faults.iter().any(|(name, _)| name == fault.name()) {
                faults.push((fault.name().to_owned(), Some(fault.what().to_owned())));
            }
        }
    }
    faults
}

fn groups(_: &Context) -> Vec<(String, Option<String>)> {
    bare(Group::ALL.map(Group::name))
}

fn rungs(_: &Context) -> Vec<(String, Option<String>)> {
    bare(super::ladder::rung_names().into_iter().map(|rung| format!("{rung}=")))
}

/// The runs in the usual directory, the newest first.
fn stored(_: &Context) -> Vec<(String, Option<String>)> {
    bare(runs(Path::new(RUNS)).into_iter().map(|run| run.display().to_string()))
}

fn run_ids(_: &Context) -> Vec<(String, Option<String>)> {
    bare(runs(Path::new(RUNS)).into_iter().filter_map(|run| run.file_name()?.to_str().map(str::to_owned)))
}

fn findings(_: &Context) -> Vec<(String, Option<String>)> {
    judge::meaning::all().iter().map(|meaning| (meaning.name.clone(), Some(meaning.means.clone()))).collect()
}

fn codes(_: &Context) -> Vec<(String, Option<String>)> {
    lessons().iter().map(|lesson| (lesson.code.clone(), Some(lesson.summary.clone()))).collect()
}

fn cases(context: &Context) -> Vec<(String, Option<String>)> {
    bare(crate::conformance::names(&context.scenarios).unwrap_or_default())
}

fn commands(context: &Context) -> Vec<(String, Option<String>)> {
    bare(context.commands.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(words: &[&str]) -> Vec<String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        let command = || <crate::cli::Cli as clap::CommandFactory>::command();
        let context =
            Context { scenarios: concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios").into(), ..Context::of(&words, &command()) };
        let mut command = with_names(command(), &Arc::new(context));
        let at = words.len() - 1;
        let found = clap_complete::engine::complete(&mut command, words, at, None).expect("completed");
        found.into_iter().map(|candidate| candidate.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn names_are_completed_where_they_are_taken() {
        for (words, expected) in [
            (&["restore-drill", "ru"][..], &["run"][..]),
            (&["restore-drill", "run", "m"], &["mailu"]),
            (&["restore-drill", "run", "mailu", "--profile", ""], &["tiny", "smoke", "default", "large"]),
            (&["restore-drill", "run", "radicale", "--fault", "data-file-g"], &["data-file-gone"]),
            (&["restore-drill", "fault", "radicale", "data-file-g"], &["data-file-gone"]),
            (&["restore-drill", "fault", "radicale", "--group", "c"], &["content"]),
            (&["restore-drill", "explain", "uidv"], &["uidvalidity"]),
            (&["restore-drill", "labels", "explain", "BB007"], &["BB007"]),
            (&["restore-drill", "ladder", "radicale", "--not-applicable", "up"], &["upgrade="]),
            (&["restore-drill", "schema", "inv"], &["inventory"]),
            (&["restore-drill", "man", "hist"], &["history"]),
            (&["restore-drill", "conformance", "one-pa"], &["one-path"]),
        ] {
            assert_eq!(completed(words), expected, "{words:?}");
        }
    }

    #[test]
    fn the_faults_are_those_of_the_scenario_that_is_named() {
        let of = |scenario: &str| completed(&["restore-drill", "run", scenario, "--fault", ""]);
        assert!(of("mailu").contains(&"mail-excluded".to_owned()) && !of("radicale").contains(&"mail-excluded".to_owned()));
        assert!(of("other").contains(&"mail-excluded".to_owned()));
    }

    #[test]
    fn every_argument_that_takes_a_name_is_there() {
        for (path, id, _) in TAKEN {
            let command = <crate::cli::Cli as clap::CommandFactory>::command();
            let found = path.iter().try_fold(&command, |command, name| command.find_subcommand(name)).expect("a command");
            assert!(found.get_arguments().any(|arg| arg.get_id() == id), "{path:?} {id}");
        }
    }
}
