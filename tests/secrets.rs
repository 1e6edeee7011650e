//! Secrets: what a service writes into its log is not in what a run leaves behind, in no form; and a restored app that needs an old one
//! is said to need it.

mod common;

use std::sync::Arc;

use base64::Engine as _;
use judge::model::{BotStep, Cause, Complaint};
use judge::redact::REDACTED;
use restore_drill::drill::{self, Drill};

use common::{assert_no_secret, assert_nothing_left, guarded, options, secrets};

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_not_left_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = options(&dir.path().join("run"), "tiny");
    options.scenario = "radicale".into();
    // Of the operator's file, the value whose name says so.
    let operators = "an-operator's/password-with-32-letters";
    let env_file = dir.path().join("env");
    std::fs::write(&env_file, format!("SMTP_RELAY_PASSWORD={operators}\nREALM=not-secret-at-all\n")).expect("written");
    options.env_file = Some(env_file.clone());
    let play = move |drill: Arc<Drill>| async move {
        let mut secrets = secrets(&drill);
        secrets.push(operators.to_owned());
        // As a careless app logs what it got: plain, in a header of basic authentication, in hexadecimal digits.
        let user = &drill.run.corpus.accounts().users[0].email;
        let password = drill.run.password(user);
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let log = format!(
            "password {password}\nAuthorization: Basic {basic}\nhex {}\nrelay {operators}, realm not-secret-at-all\n",
            hex::encode(&password)
        );
        let deployed = drill::deploy(&drill).await?;
        let _provisioned = drill::provision(&drill, deployed).await?;
        let service = drill.app.stack.service("app");
        let write = ["sh", "-ec", "cat > /proc/1/fd/2"];
        drill.app.owned.engine().exec(&service, &write, &[], Some(log.as_bytes())).await?.ok("writing into the log")?;
        let complaint = Complaint { cause: Cause::Other, message: format!("it said {password}") };
        drill.run.evidence.put_complaints(BotStep::Backup, &[complaint])?;
        // No other service's environment, and no argument that the engine shows, has the repository's password.
        let listed = std::process::Command::new("docker")
            .args(["ps", "-q", "--filter", &format!("label=restore-drill.run={}", drill.app.owned.run())])
            .output()
            .expect("docker runs");
        let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
        let shown =
            std::process::Command::new("docker").arg("inspect").args(ids.split_whitespace()).output().expect("docker runs");
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.contains("RESTIC_REPOSITORY") && !shown.contains(&drill.run.secret().derive("restic")));
        assert!(secrets.iter().all(|s| !shown.contains(s)), "{shown}");
        Ok((drill.app.owned.run().to_owned(), secrets))
    };
    let ((run, secrets), evidence) = guarded(options, play).await.expect("a deployment");
    assert_nothing_left(&run).await;
    drop(evidence);
    let output = common::restore_drill(&["report", dir.path().join("run").to_str().expect("a path")]);
    assert!(output.status.success(), "{}", common::stderr(&output));
    std::fs::remove_file(env_file).expect("removed");
    assert_no_secret(dir.path(), &secrets);
    let logs = std::fs::read_dir(dir.path().join("run/logs")).expect("logs").flatten();
    let text: String = logs.map(|l| std::fs::read_to_string(l.path()).expect("a log")).collect();
    assert_eq!(text.matches(REDACTED).count(), 4, "{text}");
    assert!(text.contains("not-secret-at-all"), "{text}");
}

/// A drill of DAViCal whose inventory keeps no secret, with more in scenario.toml: what it said, and the text of each report.
fn nothing_kept(more: &str) -> (String, Vec<String>) {
    let copy = common::copy_of_scenarios();
    let change = |file: &str, change: &dyn Fn(&str) -> String| {
        let file = copy.path().join("scenarios/davical").join(file);
        let text = std::fs::read_to_string(&file).expect("a file");
        std::fs::write(&file, change(&text)).expect("written");
    };
    change("inventory.toml", &|text| text.split("[[secret]]").next().expect("what is before it").to_owned());
    change("scenario.toml", &|text| format!("{text}\n{more}"));
    let (root, evidence) = (copy.path().join("scenarios"), copy.path().join("run"));
    let (root, evidence) = (root.to_str().expect("a path"), evidence.to_str().expect("a path"));
    let output = common::restore_drill(&["--scenarios", root, "run", "davical", "--profile", "tiny", "--evidence", evidence]);
    let said = common::stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(common::restore_drill(&["report", evidence]).status.success());
    let reports = ["report.html", "report.json", "report.md", "junit.xml"];
    let reports = reports.map(|file| std::fs::read_to_string(copy.path().join("run").join(file)).expect(file));
    (said, reports.to_vec())
}

/// The dump has the password of the database's role, and the new deployment another one. The password of the app's administrator is new
/// too, and nothing needs the old one.
#[test]
fn a_secret_that_nobody_kept_and_the_restored_app_needs_is_named() {
    let (said, reports) = nothing_kept("[deadlines]\nconverge = 45\n");
    let needs = "needs DB_PASSWORD, which no backup has";
    assert!(said.contains(&format!("secret DB_PASSWORD: lost: the restored app {needs}")), "{said}");
    assert!(!said.contains("secret ADMIN_PASSWORD"), "{said}");
    assert!(reports.iter().all(|text| text.replace('\\', "").contains(needs)), "{reports:#?}");
}

/// Where the app is restarted after the restore, it waits for its database and does not come up. The drill goes on with the old value,
/// and everything else is as before.
#[test]
fn an_app_that_does_not_come_up_without_an_old_secret_is_said_to_need_it() {
    let (said, _) = nothing_kept("[restore]\nrestart = [[\"app\"]]\n[deadlines]\nconverge = 45\n");
    let found: Vec<&str> = said.lines().filter(|line| line.starts_with("     - ")).collect();
    let down =
        "secret DB_PASSWORD: lost: the restored app needs DB_PASSWORD, which no backup has: with a new value it does not come up";
    assert!(found.len() == 1 && found[0].contains(down), "{said}");
}
