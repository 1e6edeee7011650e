//! The help of each command: a screen, as wide as the terminal, with the commands grouped by who uses them.

use clap::builder::StyledStr;
use clap::{Arg, Command};

/// Who uses which commands.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Drill an app", &["run", "fault", "repro", "list"]),
    ("Check a recipe", &["labels", "new", "ladder", "ci", "bridge"]),
    ("Read results", &["report", "explain", "history", "judge"]),
    ("Operate", &["audit", "gc", "conformance"]),
    ("Set up", &["doctor", "images", "config", "completions", "man", "schema"]),
];
/// The narrowest and the widest screen that is written for, and the one where it is not known, in columns.
const WIDTHS: (usize, usize, usize) = (30, 100, 80);
/// The widest first column; what is longer has its text on the next line.
const FIRST: usize = 27;
/// A screen that is narrower than this has no second column.
const TWO_COLUMNS: usize = 60;

/// How wide the terminal is.
pub fn width() -> usize {
    let of_terminal = console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal.or_else(of_environment).unwrap_or(WIDTHS.2).clamp(WIDTHS.0, WIDTHS.1)
}

/// The command, where it and each command below it has such a help.
pub fn with_screens(command: Command, width: usize) -> Command {
    let mut built = command.clone();
    built.build();
    of_command(command, &built, width)
}

fn of_command(command: Command, built: &Command, width: usize) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    let command = names.into_iter().fold(command, |command, name| match built.find_subcommand(&name) {
        Some(below) => command.mut_subcommand(name, |sub| of_command(sub, below, width)),
        None => command,
    });
    command.override_help(StyledStr::from(screen(built, width)))
}

/// The help of a command that is built.
fn screen(command: &Command, width: usize) -> String {
    let mut screen = Screen { out: String::new(), width };
    let about = command.get_long_about().or_else(|| command.get_about()).map(ToString::to_string).unwrap_or_default();
    about.split("\n\n").for_each(|paragraph| screen.paragraph(paragraph));
    let usage = command.clone().render_usage().to_string();
    screen.wrapped(&usage, 0, 7);
    let is_root = command.get_bin_name() == Some(command.get_name()) || command.get_bin_name().is_none();
    if is_root {
        screen.out.push('\n');
        let longest = command.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or_default();
        for (heading, names) in GROUPS {
            screen.heading(heading);
            screen.rows(longest, names.iter().filter_map(|name| about_of(command.find_subcommand(name)?)));
        }
    } else if command.has_subcommands() {
        screen.out.push('\n');
        screen.heading("Commands");
        screen.rows(0, command.get_subcommands().filter(|sub| sub.get_name() != "help").filter_map(about_of));
    }
    let (positional, named): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && !is_common(arg, is_root)).partition(|arg| arg.is_positional());
    for (heading, arguments) in [("Arguments", positional), ("Options", named)] {
        if !arguments.is_empty() {
            screen.out.push('\n');
            screen.heading(heading);
            screen.rows(0, arguments.into_iter().map(|arg| (spelled(arg), meaning(arg))));
        }
    }
    if let Some(after) = command.get_after_help() {
        screen.out.push('\n');
        after.to_string().lines().for_each(|line| screen.after(line));
    }
    screen.out
}

fn about_of(command: &Command) -> Option<(String, String)> {
    Some((command.get_name().to_owned(), command.get_about()?.to_string()))
}

/// Whether an option is of every command, and so not told here: the program's own help tells it once.
fn is_common(arg: &Arg, is_root: bool) -> bool {
    ["help", "version"].contains(&arg.get_id().as_str()) || (arg.is_global_set() && !is_root)
}

fn spelled(arg: &Arg) -> String {
    let short = arg.get_short().filter(|_| !arg.is_positional()).map(|short| format!("-{short}, ")).unwrap_or_default();
    short + &arg.to_string()
}

/// What an argument means, its default, and the values that it may have.
fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    if !arg.get_num_args().is_some_and(|range| range.takes_values()) {
        return text;
    }
    let values: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = format!("default: {}", defaults.join(", "));
    text += &match (values.is_empty(), defaults.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!(" [{default}]"),
        (false, true) => format!(" [{}]", values.join(", ")),
        (false, false) => format!(" [{}; {default}]", values.join(", ")),
    };
    text
}

struct Screen {
    out: String,
    width: usize,
}

impl Screen {
    fn heading(&mut self, text: &str) {
        self.out += &format!("\u{1b}[1m{text}\u{1b}[0m\n");
    }

    fn paragraph(&mut self, text: &str) {
        self.wrapped(text, 0, 0);
        self.out.push('\n');
    }

    /// Words that begin at a column, and go on at another one.
    fn wrapped(&mut self, text: &str, mut at: usize, indent: usize) {
        let mut is_first = true;
        for word in text.split_whitespace() {
            let length = word.chars().count();
            if !is_first && at + 1 + length > self.width {
                self.out += &format!("\n{:indent$}", "");
                at = indent;
            } else if !is_first {
                self.out.push(' ');
                at += 1;
            }
            self.out += word;
            at += length;
            is_first = false;
        }
        self.out.push('\n');
    }

    /// Names, and what each means, in two columns if there is room. The first one has at least so many letters.
    fn rows(&mut self, least: usize, rows: impl Iterator<Item = (String, String)>) {
        let rows: Vec<(String, String)> = rows.collect();
        let first =
            rows.iter().map(|(name, _)| name.chars().count()).filter(|n| *n <= FIRST).max().unwrap_or_default().max(least);
        let indent = if self.width < TWO_COLUMNS { 6 } else { first + 4 };
        for (name, text) in rows {
            self.out += &format!("  {name}");
            let at = name.chars().count() + 2;
            if self.width < TWO_COLUMNS || at + 2 > indent {
                self.out += &format!("\n{:indent$}", "");
            } else {
                self.out += &" ".repeat(indent - at);
            }
            self.wrapped(&text, indent, indent);
        }
    }

    /// A line of what follows the options: a heading, an example with what it does, or a text.
    fn after(&mut self, line: &str) {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        let is_narrow = line.chars().count() > self.width;
        match bare.split_once("   ") {
            _ if line.ends_with(':') && indent == 0 => self.heading(line.trim_end_matches(':')),
            Some((example, what)) if is_narrow => {
                self.out += &" ".repeat(indent);
                self.wrapped(example, indent, indent + 2);
                self.out += &" ".repeat(indent + 4);
                self.wrapped(what, indent + 4, indent + 4);
            }
            _ if is_narrow => {
                self.out += &" ".repeat(indent);
                self.wrapped(bare, indent, indent + 2);
            }
            _ => self.out += &format!("{line}\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        Command::new("prog").about("Proves things. And more of them, at length, so that it wraps.").subcommand(
            Command::new("run")
                .about("Run it")
                .arg(Arg::new("what").required(true).help("What to run"))
                .arg(Arg::new("much").long("much").value_parser(["little", "lots"]).default_value("lots").help("How much"))
                .after_help("Examples:\n  prog run it            at once\n\nExit codes: 0 well"),
        )
    }

    fn help(words: &[&str], width: usize) -> String {
        let error = with_screens(command(), width).try_get_matches_from(words).expect_err("help");
        error.to_string()
    }

    #[test]
    fn a_screen_has_its_examples_and_is_as_wide_as_the_terminal() {
        assert_eq!(
            help(&["prog", "run", "--help"], 80),
            "Run it\n\nUsage: prog run [OPTIONS] <what>\n\nArguments\n  <what>  What to run\n\nOptions\n  --much <much>  How much [little, lots; \
             default: lots]\n\nExamples\n  prog run it            at once\n\nExit codes: 0 well\n"
        );
        assert_eq!(
            help(&["prog", "run", "-h"], 30),
            "Run it\n\nUsage: prog run [OPTIONS]\n       <what>\n\nArguments\n  <what>\n      What to run\n\nOptions\n  --much <much>\n      \
             How much [little, lots;\n      default: lots]\n\nExamples\n  prog run it\n      at once\n\nExit codes: 0 well\n"
        );
    }

    #[test]
    fn the_program_groups_its_commands() {
        let help = help(&["prog", "--help"], 40);
        assert!(help.starts_with("Proves things. And more of them, at\nlength, so that it wraps.\n\nUsage: "), "{help}");
        assert!(help.contains("\nDrill an app\n  run\n      Run it\n"), "{help}");
    }
}
