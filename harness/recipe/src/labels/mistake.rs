//! What `labels lint` finds, and how it is printed.

use std::fmt::Write as _;

use serde::Serialize;

use super::recipe::Place;
use super::rules::{Lesson, Rule, Severity};

/// One mistake in a recipe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mistake {
    /// Where it is written.
    #[serde(flatten)]
    pub place: Place,
    /// The rule that it breaks.
    pub rule: Rule,
    /// What is written there, and what is wrong with it.
    pub message: String,
}

/// Collects mistakes.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake.
    pub(super) fn add(&mut self, rule: Rule, place: &Place, message: impl Into<String>) {
        self.0.push(Mistake { place: place.clone(), rule, message: message.into() });
    }

    /// All of them in the order of the files, each once.
    pub(super) fn sorted(mut self) -> Vec<Mistake> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Whether any of them is an error.
pub fn is_error(mistakes: &[Mistake]) -> bool {
    mistakes.iter().any(|m| m.rule.lesson().severity == Severity::Error)
}

/// How mistakes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
pub enum OutputFormat {
    /// For people.
    #[default]
    Human,
    /// For programs: one object with a list.
    Json,
    /// For GitHub Actions: annotations.
    Github,
}

/// Prints the mistakes as text.
pub fn render(mistakes: &[Mistake], format: OutputFormat) -> String {
    match format {
        OutputFormat::Human => human(mistakes),
        OutputFormat::Json => json(mistakes),
        OutputFormat::Github => github(mistakes),
    }
}

/// The numbers of errors and of warnings.
pub fn count(mistakes: &[Mistake]) -> (usize, usize) {
    let errors = mistakes.iter().filter(|m| m.rule.lesson().severity == Severity::Error).count();
    (errors, mistakes.len() - errors)
}

fn human(mistakes: &[Mistake]) -> String {
    let mut out = String::new();
    for Mistake { place, rule, message } in mistakes {
        let Lesson { code, severity, summary, reason, fix, .. } = rule.lesson();
        let _ = writeln!(out, "{place}: {} {code}: {summary}", severity.name());
        let _ = writeln!(out, "  {message}\n  why: {reason}\n  fix: {fix}\n");
    }
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let (errors, warnings) = count(mistakes);
    let _ = writeln!(out, "{}, {}", plural(errors, "error"), plural(warnings, "warning"));
    if let Some(first) = mistakes.first() {
        let _ = writeln!(out, "More about a mistake, with an example: restore-drill labels explain {}", first.rule.lesson().code);
    }
    out
}

fn json(mistakes: &[Mistake]) -> String {
    let one = |mistake: &Mistake| {
        let Lesson { code, severity, summary, reason, fix, .. } = mistake.rule.lesson();
        let mut json = serde_json::json!(mistake);
        json["code"] = serde_json::json!(code);
        json["severity"] = serde_json::json!(severity);
        json["summary"] = serde_json::json!(summary);
        json["reason"] = serde_json::json!(reason);
        json["fix"] = serde_json::json!(fix);
        json
    };
    let (errors, warnings) = count(mistakes);
    let all: Vec<_> = mistakes.iter().map(one).collect();
    format!("{:#}\n", serde_json::json!({"version": 1, "errors": errors, "warnings": warnings, "mistakes": all}))
}

/// One annotation a mistake: `::error file=…,line=…,col=…,title=…::message`.
fn github(mistakes: &[Mistake]) -> String {
    let escaped = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| escaped(text).replace(':', "%3A").replace(',', "%2C");
    let one = |Mistake { place, rule, message }: &Mistake| {
        let Lesson { code, severity, summary, reason, fix, .. } = rule.lesson();
        let file = property(&place.file.display().to_string());
        let title = property(&format!("{code} {summary}"));
        let text = escaped(&format!("{message}\n{reason}\n{fix}"));
        format!("::{} file={file},line={},col={},title={title}::{text}\n", severity.name(), place.line, place.column)
    };
    mistakes.iter().map(one).collect()
}
