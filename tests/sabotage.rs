//! The sabotage catalogue: every fault is committed on purpose, on real components, and must be found and named, between
//! fault-free twins that hold.

mod common;

use std::collections::BTreeSet;

use restore_drill::exit_code;
use restore_drill::sabotage::catalogue;

use common::stderr;

/// The whole catalogue, by the program itself, two groups at once.
#[test]
fn every_sabotage_is_caught_and_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = dir.path().join("run");
    let output = common::restore_drill(&["sabotage", "mailu", "--evidence", evidence.to_str().expect("a path")]);
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert_eq!(output.status.code(), Some(exit_code::HELD.into()), "{said}");

    let matrix = std::fs::read_to_string(evidence.join("matrix.json")).expect("a matrix");
    let matrix: serde_json::Value = serde_json::from_str(&matrix).expect("JSON");
    let lines = matrix["lines"].as_array().expect("lines");
    let committed: BTreeSet<&str> = lines.iter().filter_map(|l| l["sabotage"].as_str()).filter(|s| *s != "(no fault)").collect();
    assert_eq!(committed, catalogue().iter().map(|s| s.name).collect::<BTreeSet<_>>(), "none was passed over");
    for line in lines {
        assert_eq!(line["expected"], line["found"], "{line:#}");
        // A twin must be clean; almost every fault must show.
        let immune = ["(no fault)", "restored-twice"].contains(&line["sabotage"].as_str().expect("a name"));
        assert!(line["sabotage"] != "(no fault)" || line["found"] == serde_json::json!([]), "{line:#}");
        assert!(immune || line["found"] != serde_json::json!([]), "a fault without a finding: {line:#}");
    }
    for group in ["labels", "backup", "restore", "content"] {
        let twins = lines.iter().filter(|l| l["group"] == group && l["sabotage"] == "(no fault)").count();
        assert_eq!(twins, 2, "{group} begins and ends with a twin");
    }
}

#[test]
fn the_catalogue_is_listed_and_names_are_checked() {
    let output = common::restore_drill(&["sabotage", "--list"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    assert_eq!(text.lines().count(), catalogue().len());
    for (arguments, says) in [
        (&["sabotage", "mailu", "pack-flip"][..], "did you mean pack-flipped?"),
        (&["sabotage", "mailu", "pack-flipped", "--group", "content"], "none of these sabotages is in that group"),
        (&["sabotage"], "<SCENARIO>"),
        (&["sabotage", "mailx", "pack-flipped"], "there are davical, mailu, radicale"),
    ] {
        let output = common::restore_drill(arguments);
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}
