//! HTML: one file that needs nothing else, for a browser, a phone, a printer and a screen reader. Everything in it that comes
//! from the run is escaped by the template engine.

use std::collections::{BTreeMap, BTreeSet};

use judge::model::{Finding, Group, Item, Status};
use minijinja::{AutoEscape, Environment};
use recipe::inventory::Class;
use serde::Serialize;
use serde_json::json;

use super::history::Past;
use super::model::{Log, Report, advice, bytes, capitalised, seconds};
use crate::error::{Error, Result};

const REPORT: &str = include_str!("report.html");
const HISTORY: &str = include_str!("history.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("report.js");

/// A finding as a row.
#[derive(Serialize)]
struct Row {
    what: String,
    /// The outcome alone, by which a reader chooses.
    word: String,
    /// The outcome with the property.
    outcome: String,
    detail: String,
    /// Whether the run that it is compared with did not have it.
    new: bool,
}

/// A group of findings.
#[derive(Serialize)]
struct Told {
    what: String,
    kind: &'static str,
    /// The numbers of the groups that it may follow from, from 1.
    follows: Vec<usize>,
    advice: Vec<String>,
    has_details: bool,
    rows: Vec<Row>,
}

/// A bar of the timeline, in hundredths of its width.
#[derive(Serialize)]
struct Bar {
    phase: String,
    left: f64,
    width: f64,
    took: String,
    summary: String,
    ended: bool,
}

/// A part of what the snapshot holds of a volume.
#[derive(Serialize)]
struct Part {
    class: Class,
    size: String,
    files: u64,
    width: f64,
}

/// A rung of the ladder.
#[derive(Serialize)]
struct Rung {
    level: u8,
    name: &'static str,
    word: &'static str,
    detail: String,
    findings: Vec<String>,
    took: String,
}

/// The report as a page.
pub fn page(report: &Report, logs: &[Log]) -> Result<String> {
    let held = report.checks.iter().filter(|c| c.status == Status::Held).count();
    render(
        REPORT,
        &json!({
            "style": STYLE,
            "script": SCRIPT,
            "report": report,
            "word": report.status.word(),
            "compared": report.compared.to_string(),
            "coverage": (!report.coverage.0.is_empty()).then(|| report.coverage.to_string()),
            "left_out": report.coverage.left_out(),
            "needs": report.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "since": report.since.as_ref().map(ToString::to_string),
            "ended": report.ended.as_ref().map(ToString::to_string),
            "held": held,
            "headline": report.headline.as_deref().map(capitalised),
            "groups": groups(report),
            "kinds": amounts(report, |finding| kind(&finding.item)),
            "outcomes": amounts(report, |finding| finding.outcome.to_string()),
            "bars": bars(report),
            "took": seconds(report.phases.iter().filter_map(|p| p.millis).sum()),
            "volumes": volumes(report),
            "recovery": report.recovery.rows(),
            "rungs": rungs(report),
            "blocked_by": report.ladder.as_ref().and_then(crate::ladder::Ladder::blocked_by),
            "logs": logs,
        }),
    )
}

/// Past runs as a page.
pub fn history(past: &[Past]) -> Result<String> {
    let longest = past.iter().filter_map(|p| p.report.recovery.first_login_ms).max().unwrap_or(1).max(1);
    let largest = past.iter().filter_map(|p| p.report.recovery.bytes_read).max().unwrap_or(1).max(1);
    let rows: Vec<_> = past
        .iter()
        .map(|p| {
            let (rto, size) = (p.report.recovery.first_login_ms, p.report.recovery.bytes_read);
            json!({
                "cells": p.cells(),
                "status": p.report.status,
                "rto": rto.map(seconds),
                "rto_height": rto.map_or(0.0, |ms| ms as f64 * 100.0 / longest as f64),
                "size": size.map(bytes),
                "size_height": size.map_or(0.0, |n| n as f64 * 100.0 / largest as f64),
                "name": p.name,
            })
        })
        .collect();
    render(HISTORY, &json!({"style": STYLE, "columns": super::history::COLUMNS, "rows": rows}))
}

fn render(template: &str, context: &serde_json::Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let fail = |e: minijinja::Error| Error::bug(format_args!("the report's template: {e:#}"));
    environment.add_template("page", template).map_err(fail)?;
    environment.get_template("page").and_then(|t| t.render(minijinja::value::Serde(context))).map_err(fail)
}

/// Findings by cause, as the terminal tells them.
fn groups(report: &Report) -> Vec<Told> {
    let new: BTreeSet<usize> = report.since.iter().flat_map(|since| since.new.iter().copied()).collect();
    let row = |(at, finding): (usize, &Finding)| {
        let property = finding.property.as_ref().map_or_else(String::new, |p| format!(" ({p})"));
        Row {
            what: finding.item.told().to_string(),
            word: finding.outcome.to_string(),
            outcome: format!("{}{property}", finding.outcome),
            detail: finding.detail.clone(),
            new: new.contains(&at),
        }
    };
    let told = |group: &Group| {
        let findings = || group.findings.iter().filter_map(|at| Some((*at, report.findings.get(*at)?)));
        Told {
            what: capitalised(&group.what),
            kind: findings().next().map_or("", |(_, finding)| kind(&finding.item)),
            follows: group.follows.iter().map(|at| at + 1).collect(),
            advice: advice(group),
            has_details: findings().any(|(_, finding)| !finding.detail.is_empty()),
            rows: findings().map(row).collect(),
        }
    };
    report.groups.iter().map(told).collect()
}

/// What kind of item it is, in a word by which a reader chooses.
fn kind(item: &Item) -> &'static str {
    match item {
        Item::Step { .. } | Item::Observation { .. } => "the drill itself",
        Item::Secret { .. } => "secrets",
        Item::Mount { .. } | Item::Layer { .. } => "outside the volumes",
        Item::Snapshot { .. } => "the snapshot",
        Item::Database { .. } | Item::Row { .. } | Item::Object { .. } => "databases",
        Item::Key { .. } => "Redis",
        Item::Account { .. } | Item::Folder { .. } | Item::Message { .. } | Item::Script { .. } => "mail",
        Item::File { .. } => "files",
        Item::Fact { .. } => "output of commands",
        Item::Trial { .. } => "what users try",
    }
}

/// How many findings there are of each word that `word` says of them.
fn amounts<W: Ord>(report: &Report, word: impl Fn(&Finding) -> W) -> BTreeMap<W, usize> {
    let mut amounts = BTreeMap::new();
    for finding in &report.findings {
        *amounts.entry(word(finding)).or_default() += 1;
    }
    amounts
}

fn bars(report: &Report) -> Vec<Bar> {
    let end = report.phases.iter().map(|p| p.at_ms + p.millis.unwrap_or_default()).max().unwrap_or(1).max(1) as f64;
    let bar = |p: &super::model::PhaseTime| Bar {
        phase: p.phase.clone(),
        left: p.at_ms as f64 * 100.0 / end,
        width: (p.millis.unwrap_or_default() as f64 * 100.0 / end).max(0.3),
        took: p.millis.map_or_else(|| "did not finish".to_owned(), seconds),
        summary: p.summary.clone(),
        ended: p.millis.is_some(),
    };
    report.phases.iter().map(bar).collect()
}

/// What the snapshot holds of each volume, by class, as shares of the largest volume.
fn volumes(report: &Report) -> Vec<(String, Vec<Part>)> {
    let mut volumes: BTreeMap<String, Vec<(Class, judge::store::Amount)>> = BTreeMap::new();
    for (volume, class, amount) in report.audit.iter().flat_map(|a| &a.captured) {
        volumes.entry(volume.clone()).or_default().push((*class, *amount));
    }
    let largest = volumes.values().map(|parts| parts.iter().map(|(_, a)| a.bytes).sum::<u64>()).max().unwrap_or(1).max(1);
    let part = |(class, amount): (Class, judge::store::Amount)| Part {
        class,
        size: bytes(amount.bytes),
        files: amount.files,
        width: amount.bytes as f64 * 100.0 / largest as f64,
    };
    volumes.into_iter().map(|(volume, parts)| (volume, parts.into_iter().map(part).collect())).collect()
}

fn rungs(report: &Report) -> Vec<Rung> {
    let steps = report.ladder.iter().flat_map(|l| &l.steps);
    steps
        .map(|step| {
            let (word, detail) = step.told();
            let detail = detail.to_owned();
            let findings = step.findings.iter().map(ToString::to_string).collect();
            Rung { level: step.rung.level(), name: step.rung.name(), word, detail, findings, took: seconds(step.millis) }
        })
        .collect()
}
