//! Bad input: a clear error that names the place, the right exit code, nothing left behind.

mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use restore_drill::backup::Snapshot;
use restore_drill::drill::{self, Drill};
use restore_drill::exit_code;

use common::{assert_nothing_left, copy_of_scenarios, guarded, options, stderr};

fn edit(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).expect("a file");
    assert!(text.contains(from), "{} has no {from:?}", file.display());
    std::fs::write(file, text.replacen(from, to, 1)).expect("written");
}

/// Runs a drill of `scenario` in a copy of the scenarios and expects it to fail; nothing of it may be left.
fn fails(copy: &Path, arguments: &[&str], code: u8, says: &[&str]) -> String {
    let evidence = copy.join("evidence");
    let output = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .arg("--scenarios")
        .arg(copy.join("scenarios"))
        .args(["run"])
        .args(arguments)
        .args(["--profile", "tiny", "--evidence"])
        .arg(&evidence)
        .output()
        .expect("the program runs");
    let said = check(&output, code, says);
    if let Ok(evidence) = judge::store::Evidence::open(&evidence) {
        let run = evidence.get(judge::store::RunFact::Run).expect("read").expect("a run");
        let listed = Command::new("docker")
            .args(["ps", "-aq", "--filter", &format!("label=restore-drill.run={run}")])
            .output()
            .expect("docker runs");
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "", "containers of run {run} are left");
    }
    said
}

fn check(output: &Output, code: u8, says: &[&str]) -> String {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code.into()), "{said}");
    for text in says {
        assert!(said.contains(text), "{text:?} is not in: {said}");
    }
    said
}

/// Users who write while the backup runs need something to write to: a profile has it or not before anything is deployed.
#[test]
fn too_few_messages_for_writers_are_refused_at_once() {
    let copy = copy_of_scenarios();
    let said = fails(copy.path(), &["mailu", "--live"], restore_drill::exit_code::USAGE, &["--profile smoke"]);
    assert!(!said.contains("deploy"), "{said}");
}

#[test]
fn the_command_line() {
    for (arguments, says) in [
        (&["run"][..], "<SCENARIO>"),
        (&["run", "mailu", "--fault", "mail-exclude"], "did you mean mail-excluded?"),
        (&["run", "mailu", "--connections", "0"], "1..=64"),
        (&["walk"], "unrecognized subcommand"),
        (&["run", "mailu", "--profile", "smok"], "there are tiny, smoke, default, large"),
        (&["run", "mailx"], "davical, mailu, radicale; --scenarios names another folder; did you mean mailu?"),
        (&["judge", "/nonexistent"], "holds no evidence.db"),
    ] {
        check(&common::restore_drill(arguments), exit_code::USAGE, &[says]);
    }
}

/// A drill would mend them on its way to docker, and hold of a recipe that no operator can deploy.
#[test]
fn what_docker_refuses_is_refused_before_anything_is_created() {
    let (labels, volumes) = ("        - \"backupbot.backup=true\"\n", "    volumes:\n");
    for (from, to, says) in [
        (labels, "        - backupbot.backup: 'true'\n", "must be a string"),
        (labels, "        - \"backupbot.backup=true\"\n        - true\n", "must be a string"),
        (volumes, "    env_file: [{path: compose.yml}]\n    volumes:\n", "env_file"),
        (volumes, "    labels: {a: true}\n    volumes:\n", "labels.a must be"),
        (volumes, "    no_such_key: 1\n    volumes:\n", "Additional property no_such_key is not allowed"),
    ] {
        let copy = copy_of_scenarios();
        edit(&copy.path().join("scenarios/radicale/compose.yml"), from, to);
        let said = fails(copy.path(), &["radicale"], exit_code::USAGE, &["docker refuses ", "radicale/compose.yml", says]);
        assert!(!copy.path().join("evidence").exists(), "{said}");
    }
}

#[test]
fn a_malformed_scenario_or_inventory_names_file_and_line() {
    for (file, from, to, says) in [
        (
            "scenario.toml",
            "greeting = \"220 \"",
            "greeting = 220",
            &["scenario.toml:25:", "invalid type: integer", "greeting = 220"][..],
        ),
        ("scenario.toml", "[mail.queue]", "[mail.quue]", &["scenario.toml:", "unknown field `quue`"]),
        (
            "scenario.toml",
            "restart = [[\"db\",",
            "restart = [[\"database\",",
            &["scenario.toml:", "no service \"database\"", "admin, antispam, app, db"],
        ),
        ("scenario.toml", "volume = \"dkim\"", "volume = \"dkimm\"", &["scenario.toml:", "no volume \"dkimm\""]),
        ("scenario.toml", "[mail.queue", "[mail.queue[", &["scenario.toml:"]),
        (
            "scenario.toml",
            "pw = \"{password}\"",
            "pw = \"{passwort}\"",
            &["scenario.toml:", "unknown placeholder {passwort}", "did you mean {password}?"],
        ),
        (
            "scenario.toml",
            "restart = [[\"imap\", \"smtp\"]",
            "restart = [[\"front\"]",
            &["scenario.toml", "upgrade: no service \"front\""],
        ),
        ("inventory.toml", "class = \"durable\"", "class = \"precious\"", &["inventory.toml:8:", "precious", "durable"]),
        (
            "inventory.toml",
            "name = \"redis\"",
            "name = \"redys\"",
            &["inventory.toml:", "volume \"redys\" is in no compose file"],
        ),
        (
            "inventory.toml",
            "name = \"mail\"\n",
            "name = \"mailu\"\n",
            &["inventory.toml", "volume \"mail\" of the compose files is missing"],
        ),
        ("compose.yml", "services:\n", "services: [\n", &["compose.yml:"]),
        ("compose.yml", "${DOMAIN}", "${DOMAYN}", &["compose.yml:6:", "${DOMAYN} has no value"]),
    ] {
        let copy = copy_of_scenarios();
        edit(&copy.path().join("scenarios/mailu").join(file), from, to);
        fails(copy.path(), &["mailu"], exit_code::USAGE, says);
    }
}

#[test]
fn an_env_file_names_its_line() {
    let copy = copy_of_scenarios();
    let file = copy.path().join("my.env");
    std::fs::write(&file, "# mine\nDOMAIN mail.test\n").expect("written");
    fails(
        copy.path(),
        &["mailu", "--env-file", file.to_str().expect("a path")],
        exit_code::USAGE,
        &["my.env:2:", "expected NAME=value"],
    );
}

#[test]
fn an_engine_that_does_not_answer() {
    for host in ["unix:///nonexistent.sock", "tcp://127.0.0.1:1", "ssh://nobody@host.invalid"] {
        for arguments in [&["run", "mailu", "--evidence", "/nonexistent/never-written"][..], &["gc"], &["doctor"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
                .args(arguments)
                .env("DOCKER_HOST", host)
                .current_dir(common::root())
                .output()
                .expect("the program runs");
            let all = format!("{}{}", stderr(&output), String::from_utf8_lossy(&output.stdout));
            assert_eq!(output.status.code(), Some(exit_code::ENGINE.into()), "{all}");
            assert!(all.contains("no Docker engine at") && all.contains(host), "{all}");
        }
    }
}

/// An engine that says of itself that it is a worker: a scripted server, as there is one node here only.
#[test]
fn a_node_that_is_no_manager() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = format!("tcp://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n) = connection.read(&mut buffer) {
                    if n == 0 {
                        return;
                    }
                    let request = String::from_utf8_lossy(&buffer[..n]);
                    let body = if request.contains("/info") {
                        r#"{"ID":"x","Swarm":{"LocalNodeState":"active","ControlAvailable":false}}"#
                    } else if request.contains("/version") {
                        r#"{"ApiVersion":"1.41","Version":"20.10"}"#
                    } else {
                        "{}"
                    };
                    let answer = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    if connection.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let dir = tempfile::tempdir().expect("a directory");
    let output = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["run", "mailu", "--evidence"])
        .arg(dir.path().join("run"))
        .env("DOCKER_HOST", host)
        .current_dir(common::root())
        .output()
        .expect("the program runs");
    check(&output, exit_code::ENGINE, &["this node is a swarm worker", "docker node promote"]);
}

#[test]
fn images_that_are_neither_present_nor_buildable() {
    let copy = copy_of_scenarios();
    edit(&copy.path().join("scenarios/mailu/images/db/Dockerfile"), "WORKDIR /data", "RUN echo no such luck; exit 9");
    fails(copy.path(), &["mailu"], exit_code::ENGINE, &["building image restore-drill/mailu-db:", "no such luck"]);
    let copy = copy_of_scenarios();
    fails(
        copy.path(),
        &["mailu", "--images", "recipe"],
        exit_code::ENGINE,
        &["images that are not on the engine: ", "ghcr.io/mailu/nginx:2024.06.52", "--images standin"],
    );
}

#[test]
fn a_disk_nearly_full() {
    let copy = copy_of_scenarios();
    fails(
        copy.path(),
        &["mailu", "--min-free-gib", "100000000"],
        exit_code::ENGINE,
        &["disk nearly full", "docker system prune"],
    );
}

#[test]
fn a_bot_that_is_not_there() {
    let copy = copy_of_scenarios();
    fails(
        copy.path(),
        &["mailu", "--backupbot", "existing"],
        exit_code::ENGINE,
        &["no backupbot", "coop-cloud.backupbot.enabled=true"],
    );
}

/// A repository with another password, and a snapshot that is not there: the bot's own words, and no verdict.
#[tokio::test(flavor = "multi_thread")]
async fn the_bot_refuses_a_wrong_password_and_an_unknown_snapshot() {
    let dir = tempfile::tempdir().expect("a directory");
    let play = |drill: Arc<Drill>| async move {
        let _deployed = drill::deploy(&drill).await?;
        let bot = drill.app.bot().await?;
        let stack = drill.app.stack.name.clone();
        assert_eq!(bot.snapshots(&stack).await?, []);

        let engine = drill.app.owned.engine();
        let script = "echo other > /tmp/other; RESTIC_PASSWORD_FILE=/tmp/other restic init -q";
        engine.exec(&bot.service, &["sh", "-ec", script], &[], None).await?.ok("another password")?;
        let error = bot.create(&stack, 1).await.expect_err("a wrong password").to_string();
        assert!(error.contains("wrong password"), "{error}");

        engine.exec(&bot.service, &["sh", "-ec", "rm -rf /repository/*"], &[], None).await?.ok("a new repository")?;
        let restore_drill::backup::Created { snapshot, complaints, .. } = bot.create(&stack, 1).await?;
        assert_eq!(complaints, []);
        assert_eq!(bot.snapshots(&stack).await?, std::slice::from_ref(&snapshot));
        let mut listed = Vec::new();
        bot.ls(&stack, &snapshot, &mut |path| listed.push(path.to_owned())).await?;
        let main_db = format!("/var/lib/docker/volumes/{stack}_mailu/_data/main.db.backup");
        assert!(listed.contains(&main_db), "{listed:?}");
        assert!(!listed.iter().any(|p| p.contains("_certs/") || p.contains("_rspamd/")), "excluded by label: {listed:?}");

        // A restore that fails leaves what it was to replace: also links, which the bot moves out of restic's way.
        let admin = drill.app.stack.service("admin");
        let within = async |script: &str| engine.exec(&admin, &["sh", "-ec", script], &[], None).await?.ok("links");
        let whole = "cd /dkim; for f in one two three; do test \"$(cat $f)\" = key; done; test -z \"$(ls -A | grep '^[.]')\"";
        within("cd /dkim; echo key > one; ln one two; ln -s one three").await?;
        let linked = bot.create(&stack, 1).await?.snapshot;
        // Of the same size, so that restic does not try again and again; its cache still has the list of files.
        let damage = "cp -a /repository/data /tmp/data; find /repository/data -type f | while read f; do
            size=$(stat -c %s $f); chmod u+w $f; head -c $size /dev/zero > $f; done";
        engine.exec(&bot.service, &["sh", "-ec", damage], &[], None).await?.ok("damage")?;
        bot.restore(&stack, &linked, &[]).await.expect_err("packs of zeros");
        within(whole).await?;
        let mended = "rm -rf /repository/data; cp -a /tmp/data /repository/data";
        engine.exec(&bot.service, &["sh", "-ec", mended], &[], None).await?.ok("mended")?;
        assert_eq!(bot.restore(&stack, &linked, &[]).await?, []);
        within(whole).await?;

        let unknown = Snapshot { id: "deadbeef".into() };
        let error = bot.restore(&stack, &unknown, &[]).await.expect_err("unknown").to_string();
        assert!(error.contains("no snapshot deadbeef of stack"), "{error}");
        let error = bot.create("no-such-stack", 1).await.expect_err("no stack").to_string();
        assert!(error.contains("no stack no-such-stack"), "{error}");
        let error = bot.create(&drill.app.bot_stack.as_ref().expect("a bot").name, 1).await.expect_err("no label").to_string();
        assert!(error.contains("there is no new snapshot of stack"), "{error}");
        Ok(drill.app.owned.run().to_owned())
    };
    let (run, _) = guarded(options(dir.path(), "tiny"), play).await.expect("a deployment");
    assert_nothing_left(&run).await;
}
