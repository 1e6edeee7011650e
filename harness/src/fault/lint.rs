//! What lint and the audit's report say of a changed recipe, beside findings.

use std::collections::BTreeSet;

use judge::audit::AuditReport;
use recipe::compose::edit::Edit;
use recipe::labels::lint::{Mistake, lint};
use recipe::labels::recipe::{Recipe, RecipeFiles};
use recipe::labels::rules::{Lesson, Rule};
use recipe::scenario::Scenario;

use crate::drill::Drill;
use crate::error::Result;

/// What lint says of the scenario's recipe with some changes, and not without them; with `base`, of the change too.
pub fn linted(scenario: &Scenario, edits: &[Edit], base: bool) -> Result<BTreeSet<String>> {
    let (before, after) = (recipe(scenario, &[])?, recipe(scenario, edits)?);
    let of = |mistakes: Vec<Mistake>| -> BTreeSet<String> { mistakes.into_iter().map(|m| said(m.rule)).collect() };
    Ok(&of(lint(&after, base.then_some(&before))) - &of(lint(&before, None)))
}

/// What a rule of lint is called in findings; none for a name that is no rule's.
pub fn rule(name: &str) -> Option<String> {
    Lesson::find(name).map(|lesson| said(lesson.name))
}

fn said(rule: Rule) -> String {
    let lesson = rule.lesson();
    format!("lint: {} {}", lesson.code, lesson.summary)
}

/// The scenario's recipe with some changes, as lint reads it.
fn recipe(scenario: &Scenario, edits: &[Edit]) -> Result<Recipe> {
    let sources = RecipeFiles::of(scenario)?;
    let text = |c: &recipe::compose::Compose| {
        let mut value = c.value.clone();
        edits.iter().for_each(|e| e.apply(&mut value));
        (c.file.clone(), value.to_string())
    };
    Ok(sources.parse(scenario.compose.iter().map(text).collect())?)
}

/// What the audit reports without calling it a fault: junk that was captured.
pub(super) fn reported(drill: &Drill) -> Result<BTreeSet<String>> {
    let Some(report) = AuditReport::read(&drill.run.evidence)? else { return Ok(BTreeSet::new()) };
    let is_junk = |name: &str| {
        let volume = drill.app.scenario.inventory.volumes.iter().find(|v| v.name == name);
        volume.is_some_and(|v| v.class.is_left_out())
    };
    let junk = report.captured.iter().filter(|(v, ..)| is_junk(v)).map(|(v, ..)| format!("snapshot, volume {v}: junk"));
    Ok(junk.collect())
}
