//! All faults of a scenario.

use std::collections::BTreeSet;

use recipe::scenario::Scenario;
use restore_drill::exit_code;

use super::{restore_drill, scenarios, stderr};

/// All faults of a scenario, by the program itself, two groups at once.
pub fn every_fault_is_caught_and_named(scenario: &str, profile: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = dir.path().join("run");
    let arguments = ["fault", scenario, "--profile", profile, "--evidence", evidence.to_str().expect("a path")];
    let output = restore_drill(&arguments);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{said}");

    let matrix = std::fs::read_to_string(evidence.join("matrix.json")).expect("a matrix");
    let matrix: serde_json::Value = serde_json::from_str(&matrix).expect("JSON");
    let lines = matrix["lines"].as_array().expect("lines");
    let injected: BTreeSet<&str> = lines.iter().filter_map(|l| l["fault"].as_str()).filter(|s| *s != "(no fault)").collect();
    let all = ::restore_drill::fault::of(&Scenario::load(&scenarios(), scenario).expect("a scenario"));
    assert!(all.len() >= 35, "{scenario} has {} faults", all.len());
    assert_eq!(injected, all.iter().map(|f| f.name()).collect::<BTreeSet<_>>(), "none was passed over");
    for line in lines.iter().filter(|l| l["fault"] == "(no fault)") {
        assert_eq!(line["found"], serde_json::json!([]), "a twin must be clean: {line:#}");
    }
    for group in ["labels", "backup", "restore", "content"] {
        let twins = lines.iter().filter(|l| l["group"] == group && l["fault"] == "(no fault)").count();
        assert_eq!(twins, 2, "{group} begins and ends with a twin");
    }
    for check in matrix["not_red"].as_array().expect("checks") {
        assert!(check["reason"].is_string(), "no fault turned this check red: {check:#}");
    }
}
