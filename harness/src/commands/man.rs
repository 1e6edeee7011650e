//! `man`: a manual page for the program, and one for each command.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use recipe::near::unknown;

use crate::cli::Cli;
use crate::error::{Error, Result};
use crate::{exit_code, output};

/// Prints the page of a command, the program's own if none is named; or writes all pages to a directory.
pub(super) fn man(command: &[String], dir: Option<&Path>) -> Result<u8> {
    let mut program = program();
    program.build();
    match dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(recipe::Error::unwritable(dir))?;
            for (name, page) in pages(&program)? {
                let file = dir.join(name);
                std::fs::write(&file, page).map_err(recipe::Error::unwritable(&file))?;
                output::line(file.display())?;
            }
        }
        None => output::exact(String::from_utf8_lossy(&page(named(&program, command)?)?))?,
    }
    Ok(exit_code::HELD)
}

/// The program, without what every program has.
fn program() -> Command {
    Cli::command().disable_help_subcommand(true).disable_help_flag(true).disable_version_flag(true)
}

/// The command that words name.
fn named<'c>(program: &'c Command, words: &[String]) -> Result<&'c Command> {
    words.iter().try_fold(program, |command, word| {
        command
            .find_subcommand(word)
            .ok_or_else(|| Error::Usage(unknown("command", word, command.get_subcommands().map(Command::get_name))))
    })
}

/// The page of a command and of each below it, with the names of their files.
fn pages(command: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut all = vec![(format!("{}.1", title(command)), page(command)?)];
    for sub in command.get_subcommands() {
        all.extend(pages(sub)?);
    }
    Ok(all)
}

fn title(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// One page.
fn page(command: &Command) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    sections(command, &mut out).map_err(Error::io("the manual page"))?;
    let text = String::from_utf8_lossy(&out);
    // Each section begins with the same definition; one is enough.
    let (definition, rest) = text.split_at(text.find(".TH").unwrap_or_default());
    Ok(format!("{definition}{}", if definition.is_empty() { rest.to_owned() } else { rest.replace(definition, "") }).into_bytes())
}

fn sections(command: &Command, out: &mut Vec<u8>) -> std::io::Result<()> {
    let source = concat!("restore-drill ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone()).source(source);
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    after_options(&after.map(ToString::to_string).unwrap_or_default()).to_writer(out)?;
    see_also(command).to_writer(out)?;
    man.render_version_section(out)
}

/// What the help has behind its options, in sections. Its lines stay lines.
fn after_options(text: &str) -> Roff {
    let mut roff = Roff::default();
    let mut is_open = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (heading, rest) = match line.split_once(':') {
            Some((heading, rest)) if !line.starts_with(' ') => (Some(heading), rest.trim()),
            _ => (None, line),
        };
        if let Some(heading) = heading {
            if std::mem::take(&mut is_open) {
                roff.control("fi", []);
            }
            let heading = if heading == "Exit codes" { "EXIT STATUS".to_owned() } else { heading.to_uppercase() };
            roff.control("SH", [heading.as_str()]);
        }
        if rest.is_empty() {
            continue;
        }
        if heading.is_none() && !std::mem::replace(&mut is_open, true) {
            roff.control("nf", []);
        }
        roff.text([roman(rest)]);
    }
    if is_open {
        roff.control("fi", []);
    }
    roff
}

fn see_also(command: &Command) -> Roff {
    let mut roff = Roff::default();
    let above = title(command).rsplit_once('-').map_or("", |(above, _)| above);
    if above.contains('-') {
        roff.control("SH", ["SEE ALSO"]);
        roff.text([bold(above), roman("(1)")]);
    }
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Command {
        let mut program = program();
        program.build();
        program
    }

    fn text(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        String::from_utf8(page(named(&built(), &words).expect("a command")).expect("a page")).expect("a text")
    }

    #[test]
    fn each_command_has_a_page_with_its_examples() {
        let program = built();
        let names: Vec<String> = pages(&program).expect("pages").into_iter().map(|(name, _)| name).collect();
        for name in ["restore-drill.1", "restore-drill-run.1", "restore-drill-labels.1", "restore-drill-labels-lint.1"] {
            assert!(names.iter().any(|n| n == name), "{name}: {names:?}");
        }
        assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
        let run = text(&["run"]);
        assert_eq!(run.matches(".ds Aq").count(), 2, "{run}");
        let parts = [".TH restore-drill-run 1", ".SH EXAMPLES\n.nf\n", ".fi\n", "RESTORE_DRILL_PROFILE", ".SH \"SEE ALSO\""];
        parts.iter().for_each(|part| assert!(run.contains(part), "{part}: {run}"));
        let program = text(&[]);
        assert!(program.contains(".SH \"EXIT STATUS\"") && !program.contains("SEE ALSO"), "{program}");
    }

    #[test]
    fn a_command_that_is_not_there_is_told_with_the_nearest_one() {
        let error = named(&built(), &["labels".into(), "lin".into()]).expect_err("no such command").to_string();
        assert!(error.ends_with("there are lint, explain, pr, suggest; did you mean lint?"), "{error}");
    }
}
