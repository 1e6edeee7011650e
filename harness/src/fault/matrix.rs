//! What came of faults: of each what had to be found and what was, and which checks none of them turned red.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use recipe::glob::matches;
use recipe::scenario::faults::{Group, Unproven};
use serde::Serialize;

use super::glob::uncovered;
use crate::events::Event;

/// The name of the fault-free twin.
pub const TWIN: &str = "(no fault)";

/// What came of one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its name.
    pub fault: String,
    /// Where it strikes.
    pub group: Group,
    /// What is wrong then, in a sentence.
    pub what: String,
    /// The findings that it must cause; with stars, whatever matches.
    pub expected: BTreeSet<String>,
    /// The findings that there were.
    pub found: BTreeSet<String>,
    /// The same by check.
    pub red: BTreeSet<String>,
    /// How long it took, milliseconds.
    pub millis: u64,
}

impl Line {
    /// Whether exactly what had to be found was found.
    pub fn caught(&self) -> bool {
        let (missed, more) = self.odd();
        missed.is_empty() && more.is_empty()
    }

    /// What was expected and not found, and what was found and not expected.
    pub fn odd(&self) -> (Vec<&String>, Vec<&String>) {
        uncovered(&self.expected, &self.found)
    }

    /// As an event.
    pub fn event(&self) -> Event {
        let (fault, group) = (self.fault.clone(), self.group.to_string());
        Event::FaultJudged { fault, group, caught: self.caught(), millis: self.millis }
    }
}

/// What the judge can report of a check and no fault has shown, and why none can, if that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotRed {
    /// The check, and what it can report.
    pub check: String,
    /// Why.
    pub reason: Option<String>,
}

/// Every fault that was injected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Matrix {
    /// Of this form.
    pub version: u32,
    /// One for each fault, and one for each twin.
    pub lines: Vec<Line>,
    /// What no fault has shown of the scenario's checks; empty where only some faults were injected.
    pub not_red: Vec<NotRed>,
}

impl Matrix {
    /// The matrix of some lines. `checks` are what can be reported of the scenario, where all of its faults were injected.
    pub fn new(lines: Vec<Line>, checks: &BTreeSet<String>, unproven: &[Unproven]) -> Self {
        let red: BTreeSet<&String> = lines.iter().filter(|l| l.caught()).flat_map(|l| &l.red).collect();
        let reason = |check: &str| unproven.iter().find(|u| matches(&u.check, check)).map(|u| u.reason.clone());
        let not_red = checks.iter().filter(|c| !red.contains(c));
        let not_red = not_red.map(|check| NotRed { check: check.clone(), reason: reason(check) }).collect();
        Self { version: 2, lines, not_red }
    }

    /// Whether every fault was caught, every twin was clean and each check was turned red in every way that it can be, or has a reason why not.
    /// No lines prove nothing.
    pub fn whole(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(Line::caught) && self.not_red.iter().all(|n| n.reason.is_some())
    }

    /// The names of the faults that were not caught; a twin that did not hold has none.
    pub fn missed(&self) -> Vec<&str> {
        self.lines.iter().filter(|l| !l.caught() && l.fault != TWIN).map(|l| l.fault.as_str()).collect()
    }

    /// As text: one row a fault, and under it what was missed or too much.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{:9} {:32} {:>8} {:>5} {:>8}", "group", "fault", "expected", "found", "time");
        for line in &self.lines {
            let word = if line.caught() { "" } else { "  MISSED" };
            let (expected, found) = (line.expected.len(), line.found.len());
            let seconds = line.millis as f64 / 1000.0;
            let _ = writeln!(out, "{:9} {:32} {expected:>8} {found:>5} {seconds:>6.1} s{word}", line.group, line.fault);
            let (missed, more) = line.odd();
            for (mark, these) in [("expected", missed), ("found   ", more)] {
                for finding in these.into_iter().take(10) {
                    let _ = writeln!(out, "            {mark}  {finding}");
                }
            }
        }
        let faults = self.lines.iter().filter(|l| l.fault != TWIN);
        let (caught, all) = (faults.clone().filter(|l| l.caught()).count(), faults.count());
        self.unproven(&mut out);
        let _ = writeln!(out, "{caught} of {all} faults caught");
        out
    }

    fn unproven(&self, out: &mut String) {
        let mut reasons: BTreeMap<Option<&String>, Vec<&str>> = BTreeMap::new();
        for NotRed { check, reason } in &self.not_red {
            reasons.entry(reason.as_ref()).or_default().push(check);
        }
        for (reason, checks) in reasons {
            match reason {
                Some(reason) => out.push_str(&format!("\nchecks that no fault can turn red: {reason}\n")),
                None => out.push_str("\nCHECKS THAT NO FAULT TURNED RED: add a fault, or give a reason in faults.toml\n"),
            }
            checks.iter().for_each(|check| out.push_str(&format!("  {check}\n")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, expected: &[&str], found: &[&str]) -> Line {
        let set = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let (expected, found) = (set(expected), set(found));
        let red = set(&["files of x"]);
        Line { fault: name.into(), group: Group::Content, what: String::new(), expected, found, red, millis: 1500 }
    }

    fn matrix(lines: &[Line]) -> Matrix {
        Matrix::new(lines.to_vec(), &BTreeSet::new(), &[])
    }

    #[test]
    fn a_matrix_is_whole_when_exactly_the_expected_was_found() {
        let whole = |lines: &[Line]| matrix(lines).whole();
        assert!(whole(&[line(TWIN, &[], &[]), line("a", &["x: lost"], &["x: lost"])]));
        assert!(whole(&[line("a", &["file *: lost"], &["file b: lost"])]), "a glob");
        assert!(!whole(&[]), "nothing injected proves nothing");
        assert!(!whole(&[line("a", &["x: lost"], &[])]), "undetected");
        assert!(!whole(&[line("a", &["x: lost"], &["y: lost"])]), "misnamed");
        assert!(!whole(&[line("a", &["x: lost"], &["x: lost", "y: lost"])]), "too much");
        assert!(!whole(&[line(TWIN, &[], &["x: lost"])]), "a twin that does not hold");
    }

    #[test]
    fn a_check_that_no_fault_turned_red_is_a_failure_without_a_reason() {
        let checks = BTreeSet::from(["files of x".to_owned(), "fact y".to_owned()]);
        let lines = [line("a", &["x: lost"], &["x: lost"])];
        let matrix = |unproven: &[Unproven]| Matrix::new(lines.to_vec(), &checks, unproven);
        assert!(!matrix(&[]).whole());
        assert_eq!(matrix(&[]).not_red, [NotRed { check: "fact y".into(), reason: None }]);
        assert!(matrix(&[]).text().contains("CHECKS THAT NO FAULT TURNED RED"));
        assert!(matrix(&[Unproven { check: "fact *".into(), reason: "Nothing changes it.".into() }]).whole());
    }

    #[test]
    fn the_text_names_what_was_missed_and_what_was_too_much() {
        let text = matrix(&[line(TWIN, &[], &[]), line("a", &["x: lost"], &["y: lost"])]).text();
        assert!(text.contains("content   a                                       1     1    1.5 s  MISSED\n"), "{text}");
        assert!(text.contains("            expected  x: lost\n            found     y: lost\n0 of 1 faults caught\n"), "{text}");
    }
}
