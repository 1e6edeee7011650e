//! JUnit: one test case for each check, and one for each rung of the ladder, as CI servers read them (`docs/schemas/junit.xsd`).

use std::collections::BTreeSet;

use judge::counted;
use judge::model::{Group, Status};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::model::{CheckResult, Report, advice};
use crate::error::{Error, Result};
use crate::ladder::RungOutcome;

/// Findings that a test case lists; the rest are counted.
const NAMED: usize = 50;

/// The report as JUnit's XML.
pub fn xml(report: &Report) -> Result<String> {
    let mut junit = Junit::new("restore-drill");
    let mut suite = TestSuite::new(format!("drill of {}", report.run.scenario));
    let mut group_of = vec![0; report.findings.len()];
    for (group, of) in report.groups.iter().enumerate() {
        for at in of.findings.iter().filter(|at| **at < report.findings.len()) {
            group_of[*at] = group;
        }
    }
    for check in &report.checks {
        let findings: Vec<String> =
            check.findings.iter().filter_map(|at| report.findings.get(*at)).map(ToString::to_string).collect();
        let mut case = TestCase::new(check.name.clone(), status(report, &group_of, check, &findings));
        case.set_classname(format!("restore-drill.{}", report.run.scenario));
        if check.items > 0 {
            case.set_system_out(format!("{} compared", counted(check.items, "item")));
        }
        suite.add_test_case(case);
    }
    suite.add_property(("reproduce", report.run.reproduce.as_str()));
    if !report.coverage.0.is_empty() {
        suite.add_property(("coverage", report.coverage.to_string().as_str()));
    }
    for need in &report.needs {
        suite.add_property(("needs", need.to_string().as_str()));
    }
    if let Some(ended) = &report.ended {
        suite.add_property(("ended", ended.to_string().as_str()));
    }
    junit.add_test_suite(suite);
    if let Some(ladder) = &report.ladder {
        let mut suite = TestSuite::new(format!("ladder of {}", ladder.recipe));
        for step in &ladder.steps {
            let findings: Vec<String> = step.findings.iter().map(ToString::to_string).collect();
            let mut status = match &step.outcome {
                RungOutcome::Pass => TestCaseStatus::success(),
                RungOutcome::NotApplicable { .. } => TestCaseStatus::skipped(),
                RungOutcome::Fail | RungOutcome::Skipped { .. } => TestCaseStatus::non_success(NonSuccessKind::Failure),
                RungOutcome::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
            };
            if step.outcome != RungOutcome::Pass {
                let (word, detail) = step.told();
                status.set_message(format!("{word}: {detail}")).set_description(listed(&findings));
            }
            let mut case = TestCase::new(format!("rung {}: {}", step.rung.level(), step.rung.name()), status);
            case.set_classname(format!("restore-drill.{}.ladder", ladder.recipe));
            case.set_time(std::time::Duration::from_millis(step.millis));
            suite.add_test_case(case);
        }
        junit.add_test_suite(suite);
    }
    let xml = junit.to_string().map_err(|e| Error::bug(format_args!("JUnit: {e}")))?;
    // An extension of nextest's that Jenkins' xUnit plugin refuses; what is skipped stands at its suite.
    Ok(xml.replacen(&format!(" skipped=\"{}\"", junit.skipped), "", 1))
}

/// What came of a check: what became of how many, each finding, and what to do.
fn status(report: &Report, group_of: &[usize], check: &CheckResult, findings: &[String]) -> TestCaseStatus {
    let mut case = match check.status {
        Status::Held => return TestCaseStatus::success(),
        Status::Broken => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    case.set_type(check.status.to_string());
    let groups: BTreeSet<usize> = check.findings.iter().filter_map(|at| group_of.get(*at).copied()).collect();
    let groups: Vec<&Group> = groups.into_iter().filter_map(|at| report.groups.get(at)).collect();
    case.set_message(groups.iter().map(|group| group.what.as_str()).collect::<Vec<_>>().join("; "));
    let advice: Vec<String> = groups.into_iter().flat_map(advice).collect();
    let advice = if advice.is_empty() { String::new() } else { format!("\n\n{}", advice.join("\n")) };
    case.set_description(listed(findings) + &advice);
    case
}

fn listed(findings: &[String]) -> String {
    let mut text = findings.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("\n");
    if findings.len() > NAMED {
        text += &format!("\n… and {} more", findings.len() - NAMED);
    }
    text
}
