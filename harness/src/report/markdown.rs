//! Markdown: a short comment for a pull request, with the command that reproduces the run.

use std::fmt::Write as _;

use judge::counted;
use judge::model::{Group, Status};

use super::model::{Report, advice, capitalised, seconds};

/// Findings named one by one, shared among the groups.
const NAMED: usize = 20;

/// The report as a comment.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let run = &report.run;
    let _ = match &report.ladder {
        Some(ladder) => {
            writeln!(out, "## {} {}: level {} of 5\n", ladder.recipe, code(&ladder.under_test.to_string()), ladder.level)
        }
        None => writeln!(out, "## Restore drill of {}: {}\n", run.scenario, report.status.word()),
    };
    if let Some(ladder) = &report.ladder {
        if let Some(why) = ladder.blocked_by() {
            let _ = writeln!(out, "What blocks the next level: {}.\n", escaped(&why));
        }
        let _ = writeln!(out, "| rung | | |\n| --- | --- | --- |");
        for step in &ladder.steps {
            let (word, detail) = step.told();
            let bold = if step.outcome.is_sound() { "" } else { "**" };
            let _ = writeln!(out, "| {} {} | {bold}{word}{bold} | {} |", step.rung.level(), step.rung.name(), escaped(detail));
        }
        out.push('\n');
    }
    if let Some(ended) = &report.ended {
        let _ = writeln!(out, "**{}.**\n", escaped(&ended.to_string()));
    }
    if let Some(headline) = report.headline.as_ref().filter(|_| report.ended.is_none()) {
        let _ = writeln!(out, "**{}.**\n", escaped(&capitalised(headline)));
    }
    if let Some(since) = &report.since {
        let _ = writeln!(out, "{since}\n");
    }
    let _ = writeln!(out, "Compared: {}.\n", report.compared);
    if !report.coverage.0.is_empty() {
        let _ = writeln!(out, "Covered: {}.\n", report.coverage);
        for left_out in report.coverage.left_out() {
            let _ = writeln!(out, "- {}", escaped(&left_out));
        }
        if report.coverage.0.iter().any(|part| !part.left_out.is_empty()) {
            out.push('\n');
        }
    }
    for need in &report.needs {
        let _ = writeln!(out, "{}\n", escaped(&need.to_string()));
    }
    match (report.findings.as_slice(), report.status) {
        ([], Status::Held) => {
            let _ = writeln!(out, "All that was compared was restored unchanged.\n");
        }
        ([], _) => {}
        (findings, _) => {
            let _ = writeln!(out, "{}:\n", counted(findings.len() as u64, "finding"));
            let share = (NAMED / report.groups.len().max(1)).max(1);
            for (at, group) in report.groups.iter().enumerate() {
                listed(&mut out, report, at, group, share);
            }
            out.push('\n');
        }
    }
    let recovery = report.recovery.rows();
    if !recovery.is_empty() {
        let _ = writeln!(out, "| recovery | |\n| --- | --- |");
        for (name, value) in recovery {
            let _ = writeln!(out, "| {name} | {value} |");
        }
        out.push('\n');
    }
    let took: u64 = report.phases.iter().filter_map(|p| p.millis).sum();
    let _ = writeln!(
        out,
        "{}, profile {}, seed {}, {}.",
        run.images.as_deref().unwrap_or("no images"),
        run.profile,
        run.seed,
        seconds(took)
    );
    let _ = writeln!(out, "\nTo reproduce: {}", code(&run.reproduce));
    out
}

/// A group of findings, as an item of a list: what became of how many, the first of them, and what to do.
fn listed(out: &mut String, report: &Report, at: usize, group: &Group, share: usize) {
    let follows = group.follows();
    let follows = if follows.is_empty() { follows } else { format!(" ({follows})") };
    let number = format!("{}. ", at + 1);
    // What belongs to an item of a list begins below its text.
    let indent = " ".repeat(number.len());
    let _ = writeln!(out, "{number}**{}**{follows}", escaped(&group.what));
    for said in advice(group) {
        let _ = writeln!(out, "{indent}{}", escaped(&said));
    }
    for finding in group.findings.iter().filter_map(|at| report.findings.get(*at)).take(share) {
        let _ = writeln!(out, "{indent}- {}", escaped(&finding.to_string()));
    }
    if group.findings.len() > share {
        let _ = writeln!(out, "{indent}- … and {} more, listed in the report", group.findings.len() - share);
    }
}

/// Text in which nothing is markup, because it may come from mail.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '@' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// Text in a span of code, with a fence that is longer than any in it.
pub(crate) fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{text}{fence}") } else { format!("{fence} {text} {fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_mail_is_markup() {
        assert_eq!(escaped("<b>|x|</b> *a* @b\n"), "&lt;b&gt;\\|x\\|&lt;/b&gt; \\*a\\* \\@b ");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
    }
}
