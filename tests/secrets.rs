//! Secrets that a service writes into its log are not in what a run leaves behind, in no form.

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
    let play = |drill: Arc<Drill>| async move {
        let secrets = secrets(&drill);
        // As a careless app logs what it got: plain, in a header of basic authentication, in hexadecimal digits.
        let user = &drill.run.corpus.accounts().users[0].email;
        let password = drill.run.password(user);
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let log = format!("password {password}\nAuthorization: Basic {basic}\nhex {}\n", hex::encode(&password));
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
    assert_no_secret(dir.path(), &secrets);
    let logs = std::fs::read_dir(dir.path().join("run/logs")).expect("logs").flatten();
    let text: String = logs.map(|l| std::fs::read_to_string(l.path()).expect("a log")).collect();
    assert_eq!(text.matches(REDACTED).count(), 3, "{text}");
}
