//! Whether somebody learns that a program of a hook failed.

use std::sync::LazyLock;

use regex::Regex;

use super::shell::{Token, lists, program, simple, tokens, words};
use super::tools;

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
    let of_list = |(list, _): &(&[Token], Option<&Token>)| {
        let inner = list.iter().find_map(|t| if let Token::Inner(script) = t { hidden_by_pipe(script) } else { None });
        inner.or_else(|| first(list).filter(|program| !tools::PRINTING.contains(&program.as_str())))
    };
    lists(&tokens).iter().find_map(of_list)
}

/// The first program of a pipe that dumps or loads a database, or writes a file. Without pipefail, its failure is hidden.
pub(super) fn hidden(stages: &[&[Token]]) -> Option<String> {
    let named: Vec<String> = stages.iter().map(|stage| program(&words(stage)).unwrap_or_default()).collect();
    let (last, before) = named.split_last()?;
    let (first, _) = before.split_first()?;
    let writes = |stage: &&[Token]| {
        let redirects =
            stage.windows(2).any(|pair| matches!(pair, [Token::Write, Token::Word(file)] if !file.starts_with("/dev/")));
        redirects || program(&words(stage)).is_some_and(|tool| !tools::files(&tool, &words(stage)).writes.is_empty())
    };
    let matters = before.iter().any(|t| tools::is_dump(t))
        || before[1..].iter().chain([last]).any(|t| tools::loads(t))
        || stages[1..].iter().any(writes);
    (matters && !first.is_empty() && !tools::PRINTING.contains(&first.as_str())).then(|| first.clone())
}

/// Whether a script ends at the first command that fails.
pub(super) fn ends_at_failure(script: &str) -> bool {
    static SET: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)(?:^|[;&])\s*set\s+(?:-\w+\s+)*(?:-\w*e|-\w*o\s+errexit)|\A#!.*\s-\w*e")
            .expect("the pattern is a constant, and tested")
    });
    SET.is_match(script)
}

/// Whether the script goes on after the command at this place as if it had not failed, and ends well. `ends`: it ends at the first
/// command that fails.
pub(super) fn is_ignored(lists: &[(&[Token], Option<&Token>)], at: usize, ends: bool) -> bool {
    let first = |at: usize| lists.get(at).and_then(|(list, _)| words(list).first().copied()).unwrap_or_default();
    if ["if", "while", "until", "elif", "!"].contains(&first(at)) {
        return false;
    }
    let Some(last) = (at..lists.len()).find(|at| lists[*at].1 != Some(&Token::And)) else { return false };
    let later = || lists[last + 1..].iter().filter_map(|(list, _)| program(&words(simple(list))));
    match lists[last].1 {
        Some(Token::Behind) => !later().any(|tool| tool == "wait"),
        Some(Token::Else) => {
            let ends_well = || words(lists[last + 1].0)[..] == [first(last + 1), "0"];
            if ["exit", "return"].contains(&first(last + 1)) && lists.len() > last + 1 && ends_well() {
                return true;
            }
            let gives_up = later().nth(1).is_some_and(|tool| ["exit", "return", "false"].contains(&tool.as_str()));
            ["true", ":", "echo", "printf"].contains(&first(last + 1)) && !gives_up
        }
        Some(Token::Next) if !ends => {
            let next = (last + 1..lists.len()).map(first).find(|word| !word.is_empty());
            let goes_on = next.is_some_and(|word| !["fi", "esac", "done", "}", "elif", "else"].contains(&word));
            goes_on && !later().any(|tool| ["test", "[", "[[", "grep", "exit"].contains(&tool.as_str()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pipe_hides() {
        for (script, hidden) in [
            ("rspamc symbols | sed -n p", Some("rspamc")),
            ("set -o pipefail; rspamc symbols | sed -n p", None),
            ("out=$(rspamc symbols) && printf '%s' \"$out\" | sed -n p", None),
            ("out=$(rspamc symbols | sed -n p)", Some("rspamc")),
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
    fn a_script_that_ends_at_the_first_failure() {
        for (script, ends) in [
            ("#!/bin/sh\nset -eu\na\n", true),
            ("#!/bin/sh -e\na\n", true),
            ("set -x -euo pipefail; a", true),
            ("set -o errexit\na", true),
            ("#!/bin/sh\nset -u\na\n", false),
            ("set -- a -e", false),
            ("", false),
        ] {
            assert_eq!(ends_at_failure(script), ends, "{script}");
        }
    }
}
