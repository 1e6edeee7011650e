//! Faults: each is injected on purpose, on real components, and must be found and named, between fault-free twins that hold.
//! Those of Mailu, which take longer than all others together, are in `catalogue`.

mod common;

use restore_drill::exit_code;

use common::faults::every_fault_is_caught_and_named;
use common::stderr;

#[test]
fn every_fault_of_davical_is_caught_and_named() {
    every_fault_is_caught_and_named("davical", "tiny");
}

#[test]
fn every_fault_of_radicale_is_caught_and_named() {
    every_fault_is_caught_and_named("radicale", "tiny");
}

#[test]
fn faults_are_listed_and_names_are_checked() {
    for (scenario, name) in [("mailu", "dkim-excluded"), ("davical", "davical-usr-row-gone"), ("radicale", "data-file-gone")] {
        // The command's name until now.
        for command in ["fault", "sabotage"] {
            let output = common::restore_drill(&[command, "--list", scenario]);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{}", stderr(&output));
            assert!(text.lines().count() >= 35 && text.contains(&format!("  {name} ")), "{text}");
        }
    }
    for (arguments, says) in [
        (&["fault", "mailu", "pack-flip"][..], "did you mean pack-flipped?"),
        (&["fault", "mailu", "pack-flipped", "--group", "content"], "none of these faults is in that group"),
        (&["fault", "mailu", "--group", "contents"], "there are labels, backup, restore, content"),
        (&["fault"], "<SCENARIO>"),
        (&["fault", "mailx", "pack-flipped"], "did you mean mailu?"),
    ] {
        let output = common::restore_drill(arguments);
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}
