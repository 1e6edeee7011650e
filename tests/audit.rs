//! `restore-drill audit`, alone, against a stack that is deployed.

mod common;

use std::sync::Arc;

use restore_drill::drill::{self, Drill};
use restore_drill::exit_code;

use common::{assert_nothing_left, guarded, options, restore_drill, stderr};

fn audited(arguments: &[&str], code: u8) -> serde_json::Value {
    // The drill's sign of life goes on meanwhile.
    let output = tokio::task::block_in_place(|| restore_drill(&[&["audit"], arguments, &["--json"]].concat()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code.into()), "{text}{}", stderr(&output));
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployed_stack_is_audited_and_only_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let play = |drill: Arc<Drill>| async move {
        let deployed = drill::deploy(&drill).await?;
        let _provisioned = drill::provision(&drill, deployed).await?;
        let (engine, stack) = (drill.app.owned.engine(), drill.app.stack.name.clone());
        let within = |service: &'static str, script: &'static str| {
            let service = drill.app.stack.service(service);
            async move { engine.exec(&service, &["sh", "-ec", script], &[], None).await?.ok("a change") }
        };

        let whole = audited(&[&stack], exit_code::HELD);
        assert_eq!(whole["verdict"]["status"], "held");
        let snapshot = whole["report"]["snapshot"].as_str().expect("a snapshot").to_owned();
        let captured = whole["report"]["captured"].as_array().expect("amounts");
        assert!(captured.iter().all(|c| c[2]["files"].as_u64() > Some(0)), "{whole:#}");
        assert!(captured.iter().any(|c| c[0] == "dkim" && c[2]["bytes"].as_u64() > Some(1000)), "{whole:#}");

        // A key that was added after the snapshot, and one that changed since.
        within("admin", "echo new > /dkim/new.key; echo other >> /dkim/mail.example.dkim.key").await?;
        let later = audited(&[&stack, "--snapshot", &snapshot], exit_code::BROKEN);
        assert_eq!(later["verdict"]["findings"].as_array().map(Vec::len), Some(1), "{later:#}");
        assert_eq!(later["verdict"]["findings"][0]["path"], "new.key", "{later:#}");
        let differing = later["report"]["differing_first"].as_array().expect("a list");
        assert!(differing.iter().any(|d| d["path"] == "mail.example.dkim.key"), "{later:#}");

        // A hook that does nothing and says that all is well leaves the dump of the backup before.
        let nothing = "at=$(command -v python3); rm $at; printf '#!/bin/sh\\nexit 0\\n' > $at; chmod +x $at";
        within("admin", nothing).await?;
        let stale = audited(&[&stack], exit_code::BROKEN);
        let findings = stale["verdict"]["findings"].as_array().expect("findings");
        let of_dump = |f: &&serde_json::Value| f["path"] == "main.db.backup";
        let dump = findings.iter().find(of_dump).unwrap_or_else(|| panic!("{stale:#}"));
        assert_eq!((&dump["outcome"], &dump["property"]), (&"altered".into(), &"dump".into()), "{stale:#}");

        let unknown = audited(&[&stack, "--snapshot", "deadbeef"], exit_code::BROKEN);
        assert_eq!(unknown["verdict"]["findings"][0]["outcome"], "failed", "{unknown:#}");
        assert_eq!(unknown["verdict"]["findings"][0]["property"], "snapshot", "{unknown:#}");
        // What was audited is as it was.
        within("admin", "test -e /dkim/new.key").await?;
        Ok(drill.app.owned.run().to_owned())
    };
    let (run, _) = guarded(options(dir.path(), "tiny"), play).await.expect("a deployment");
    assert_nothing_left(&run).await;
}

#[test]
fn a_stack_that_is_not_there_and_a_scenario_that_is_not_there() {
    for (arguments, code, says) in [
        (&["audit", "no_such_stack"][..], exit_code::USAGE, "no stack is called \"no_such_stack\"; there are "),
        (&["audit", "no_such_stack", "--scenario", "mailx"], exit_code::USAGE, "davical, mailu, radicale"),
    ] {
        let output = restore_drill(arguments);
        assert_eq!(output.status.code(), Some(code.into()), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}
