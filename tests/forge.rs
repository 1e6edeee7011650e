//! What is posted to a forge: the state of a commit, and one comment on a pull request. Without Docker.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use common::forge::{BOT, Forge, TOKEN};
use common::stderr;
use restore_drill::exit_code;
use restore_drill::forge::client::{Client, Commented};
use restore_drill::forge::{CommitStatus, Kind, Repository, State};

const MARKER: &str = "<!-- restore-drill: mailu -->";

fn client(forge: &Forge, kind: Kind, token: &str) -> Client {
    Client::new(kind, Repository::parse(kind, &forge.repository()).expect("a repository"), token).expect("a client")
}

#[tokio::test]
async fn one_comment_is_written_and_then_changed_at_each_forge() {
    for kind in [Kind::Gitea, Kind::Github, Kind::Gitlab] {
        for (page, knows_user) in [(2, true), (0, true), (2, false)] {
            let forge = Forge::start();
            (forge.state().page, forge.state().knows_user) = (page, knows_user);
            // Somebody else's come first, one of them with our marker.
            let others =
                |n: u64| (n, "alice".to_owned(), if n == 2 { format!("{MARKER}\nmine!") } else { format!("> {MARKER}") });
            forge.state().comments = (1..=5).map(others).collect();
            let client = client(&forge, kind, TOKEN);
            assert_eq!(client.comment(7, MARKER, "first").await.expect("posted"), Commented::Written);
            forge.state().comments.push((6, "alice".into(), "thanks".into()));
            let second = client.comment(7, MARKER, "second").await.expect("posted");
            // Where nothing says whose a comment is, none is changed.
            let is_known = knows_user || kind == Kind::Github;
            assert_eq!(second, if is_known { Commented::Changed } else { Commented::Written }, "{kind:?}, {page}");
            {
                let state = forge.state();
                let ours: Vec<&String> = state.comments.iter().filter(|(_, who, _)| who == BOT).map(|(.., text)| text).collect();
                let (first, second) = (format!("{MARKER}\nfirst"), format!("{MARKER}\nsecond"));
                assert_eq!(ours, if is_known { vec![&second] } else { vec![&first, &second] });
                assert!(state.asked.iter().all(|a| !a.ends_with("comments/2") && !a.ends_with("notes/2")), "{:?}", state.asked);
                assert_eq!(state.comments[1].2, format!("{MARKER}\nmine!"), "somebody else's is left alone");
            }
            // Another recipe's is another comment.
            assert_eq!(client.comment(7, "<!-- restore-drill: wiki -->", "third").await.expect("posted"), Commented::Written);
        }
    }
}

#[tokio::test]
async fn too_many_requests_write_no_second_comment() {
    let forge = Forge::start();
    let client = client(&forge, Kind::Github, TOKEN);
    client.comment(7, MARKER, "first").await.expect("posted");
    forge.state().limited = true;
    let said = client.comment(7, MARKER, "second").await.expect_err("refused").to_string();
    assert!(said.contains("rate limit"), "{said}");
    assert_eq!(forge.state().comments.len(), 1);
}

#[tokio::test]
async fn a_commit_gets_its_state() {
    for (kind, name, failed) in
        [(Kind::Gitea, "context", "failure"), (Kind::Github, "context", "failure"), (Kind::Gitlab, "name", "failed")]
    {
        let forge = Forge::start();
        let long = "x".repeat(500);
        let status = CommitStatus {
            state: State::Failure,
            name: "restore-drill/mailu",
            description: &long,
            link: Some("https://ci.example.org/7"),
        };
        client(&forge, kind, TOKEN).set_status("c0ffee", &status).await.expect("posted");
        let (commit, sent) = forge.state().statuses[0].clone();
        assert_eq!((commit.as_str(), &sent["state"], &sent[name]), ("c0ffee", &failed.into(), &"restore-drill/mailu".into()));
        assert_eq!(sent["target_url"], "https://ci.example.org/7");
        assert_eq!(sent["description"].as_str().map(str::len), Some(140));
    }
}

#[tokio::test]
async fn a_forge_that_refuses_is_said_without_the_token() {
    let elsewhere = Forge::start();
    for (broken, expected) in [
        ("500 Internal Server Error".to_owned(), "500 Internal Server Error: {\"message\":\"no, [redacted]\"}".to_owned()),
        (format!("302 Found\r\nLocation: {}/x", elsewhere.url), format!("302 Found, moved to {}/x", elsewhere.url)),
    ] {
        let forge = Forge::start();
        forge.state().broken = Some(broken);
        let error = client(&forge, Kind::Gitea, TOKEN).comment(7, MARKER, "x").await.expect_err("refused");
        assert_eq!(error.exit_code(), exit_code::NOT_POSTED);
        let said = error.to_string();
        assert!(said.starts_with("not posted: the comment on pull request 7 of http://127.0.0.1:"), "{said}");
        assert!(said.contains(&expected) && !said.contains(TOKEN), "{said}");
    }
    assert!(elsewhere.state().asked.is_empty(), "nobody is led to another server");
    let wrong = client(&elsewhere, Kind::Gitea, "another-token").comment(7, MARKER, "x").await.expect_err("refused").to_string();
    assert!(wrong.contains("401 Unauthorized"), "{wrong}");
    let gone = Repository { forge: "http://127.0.0.1:1".into(), path: "coop/mailu".into() };
    let gone = Client::new(Kind::Gitea, gone, TOKEN).expect("a client").comment(7, MARKER, "x").await.expect_err("nobody there");
    assert!(gone.to_string().contains("Connection refused"), "{gone}");
}

/// A recipe's repository, and its newest commit.
fn recipe(dir: &Path) -> String {
    let git = |arguments: &[&str]| common::git(dir, arguments);
    std::fs::write(dir.join("compose.yml"), "services:\n  app:\n    image: nginx:1\n").expect("written");
    common::repository(dir);
    git(&["update-ref", "refs/pull/7/head", "HEAD"]);
    git(&["rev-parse", "HEAD"])
}

/// `ci` in a build of drone that cloned this repository, where no scenario has the recipe's name: it ends before anything is deployed.
fn ci(dir: &Path, variables: &[(&str, &str)], more: &[&str]) -> Output {
    step(dir, variables, more).output().expect("it runs")
}

fn step(dir: &Path, variables: &[(&str, &str)], more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
    command.arg("ci").args(more).args(["--scenarios", "scenarios", "--out"]).arg(dir.join("results")).current_dir(common::root());
    let own = common::git(&common::root(), &["rev-parse", "HEAD"]);
    command.env("DRONE", "true").env("DRONE_BUILD_LINK", "https://drone.example.org/coop/drill/9").env("NO_PROXY", "127.0.0.1");
    command.env("DRONE_COMMIT_SHA", own).env("DRONE_COMMIT_REF", "refs/pull/3/head");
    command.env_remove("RESTORE_DRILL_STATE_DIR");
    command.envs(variables.iter().copied());
    command
}

/// A server that never answers, and a CI server that gives up.
#[test]
fn a_signal_during_the_clone_leaves_results_and_no_clone() {
    let (dir, state) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let clones = || {
        let names = state.path().read_dir().expect("a folder").flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().starts_with("tmp-")).count()
    };
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = format!("https://{}/coop/wiki", silent.local_addr().expect("an address"));
    let mut step = step(dir.path(), &[("RECIPE", &address), ("NO_PROXY", "127.0.0.1"), ("no_proxy", "127.0.0.1")], &[]);
    let mut step = step.env("RESTORE_DRILL_STATE_DIR", state.path()).spawn().expect("it runs");
    let _connection = silent.accept().expect("git asks");
    assert_eq!(clones(), 1, "the clone is under way");
    assert!(Command::new("kill").args(["-TERM", &step.id().to_string()]).status().expect("kill runs").success());
    assert_eq!(step.wait().expect("it ends").code(), Some(exit_code::SIGTERM.into()));
    assert_eq!(clones(), 0, "the clone is removed");
    assert!(dir.path().join("results/results.json").is_file());
}

#[test]
fn what_ends_before_a_verdict_is_posted_on_the_recipes_own_commit() {
    let (forge, dir) = (Forge::start(), tempfile::tempdir().expect("a directory"));
    let folder = dir.path().join("wiki");
    std::fs::create_dir(&folder).expect("made");
    let commit = recipe(&folder);
    let (url, to) = (format!("file://{}", folder.display()), forge.repository());
    let evidence = dir.path().join("run").display().to_string();
    let path = folder.canonicalize().expect("a folder").display().to_string();
    let all = [(&url, ""), (&url, "main"), (&url, commit.as_str()), (&path, ""), (&path, "main")];
    for (place, reference) in all {
        let variables = [("RECIPE", place.as_str()), ("REF", reference), ("PR", "7"), ("GITEA_TOKEN", TOKEN)];
        let output = ci(dir.path(), &variables, &["--post", "gitea", "--post-to", &to, "--evidence", &evidence]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
        assert!(said.contains(&format!("recipe {place}@{commit}\n")) && said.contains("posted:"), "{said}");
        assert!(!said.contains(TOKEN) && said.contains("RESTORE_DRILL_STATE_DIR is not set"), "{said}");
        let statuses = std::mem::take(&mut forge.state().statuses);
        let states: Vec<_> = statuses.iter().map(|(commit, sent)| (commit.as_str(), sent["state"].as_str())).collect();
        assert_eq!(states, [(commit.as_str(), Some("pending")), (commit.as_str(), Some("error"))]);
        assert_eq!(statuses[1].1["context"], "restore-drill/wiki");
        assert_eq!(statuses[1].1["target_url"], "https://drone.example.org/coop/drill/9");
    }
    let comments = forge.state().comments.clone();
    assert_eq!(comments.len(), 1, "{comments:?}");
    let text = &comments[0].2;
    assert!(text.starts_with("<!-- restore-drill: wiki -->\n## Restore drill: ended before a verdict\n"), "{text}");
    assert!(text.contains(&format!("\nTo reproduce: `restore-drill ladder {path}@{commit}`\n")), "{text}");
    assert!(text.ends_with("\nBuild: <https://drone.example.org/coop/drill/9>\n"), "{text}");

    let output = ci(
        dir.path(),
        &[("RECIPE", &url), ("REF", "9.9.9+9"), ("PR", "7"), ("GITEA_TOKEN", TOKEN)],
        &["--post", "gitea", "--post-to", &to],
    );
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{}", stderr(&output));
    let text = forge.state().comments[0].2.clone();
    assert!(text.contains("no tag, branch or commit \"9.9.9+9\"; it has no version tags"), "{text}");
}

#[test]
fn a_post_that_fails_keeps_the_verdict() {
    let (forge, dir) = (Forge::start(), tempfile::tempdir().expect("a directory"));
    forge.state().broken = Some("500 Internal Server Error".into());
    let folder = dir.path().join("wiki");
    std::fs::create_dir(&folder).expect("made");
    recipe(&folder);
    let (url, to) = (format!("file://{}", folder.display()), forge.repository());
    let output = ci(dir.path(), &[("RECIPE", &url), ("PR", "7"), ("GITEA_TOKEN", TOKEN)], &["--post", "gitea", "--post-to", &to]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
    for expected in
        ["note: not posted: the status of commit", "error: not posted: the comment on pull request 7", "no scenario says"]
    {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    assert!(!said.contains(TOKEN), "{said}");
    assert!(dir.path().join("results/results.json").is_file());
}

/// A build's parameters name the recipe, and with it a server. Only the one that the pipeline trusts is asked, with the token or without.
#[test]
fn the_token_is_sent_to_no_server_that_only_a_parameter_names() {
    let (trusted, other, dir) = (Forge::start(), Forge::start(), tempfile::tempdir().expect("a directory"));
    let recipes = format!("{}/coop", trusted.url.replace("http:", "https:"));
    let address = format!("{}/coop/mailu", other.url.replace("http:", "https:"));
    let variables = [("RECIPE", address.as_str()), ("PR", "7"), ("GITEA_TOKEN", TOKEN)];
    let output = ci(dir.path(), &variables, &["--post", "gitea", "--recipes", &recipes]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
    assert!(said.contains("neither that of --recipes") && said.contains("with --post-to"), "{said}");
    assert!(other.state().asked.is_empty(), "{:?}", other.state().asked);
}

/// Everything that is wrong with the parameters of a build is said at once, and nothing is cloned or posted.
#[test]
fn parameters_that_could_do_harm_are_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let output = ci(
        dir.path(),
        &[("RECIPE", "ext::sh -c id"), ("REF", "--upload-pack=id"), ("PR", "7"), ("GITHUB_TOKEN", "")],
        &["--post", "github", "--post-to", "ftp://git.example.org/x", "--compare", "/nonexistent/ladder.json"],
    );
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
    for expected in [
        "the recipe \"ext::sh -c id\" is not cloned",
        "a revision cannot begin with -",
        "--post needs a token in the environment variable GITHUB_TOKEN",
        "\"ftp://git.example.org/x\" is not the address of a repository",
        "/nonexistent/ladder.json",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
    for (variables, expected) in [
        (&[("RECIPE", "--help")][..], "a recipe cannot begin with -"),
        (&[("PR", "seven")], "expected a pull request's number"),
        (&[("RECIPE", "http://git.example.org/coop/wiki")], "only https, ssh and file are known"),
        (&[("RECIPE", "https://git.example.org/coop/wiki@1.0.0+1"), ("REF", "main")], "two revisions of the recipe"),
        (
            &[("RECIPE", "https://evil.example/a/b"), ("RESTORE_DRILL_POST", "gitea"), ("GITEA_TOKEN", TOKEN)],
            "the token is not sent to the server of \"https://evil.example/a/b\"",
        ),
        (&[("RECIPE", "scenarios/radicale"), ("RESTORE_DRILL_POST", "gitea"), ("GITEA_TOKEN", TOKEN)], "give it with --post-to"),
    ] {
        let output = ci(dir.path(), variables, &[]);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains(expected), "{variables:?}: {said}");
    }
    // Where the result goes is found out only after the recipe. What is wrong is kept.
    let report = std::fs::read_to_string(dir.path().join("results/report.md")).expect("a report");
    assert!(report.contains("give it with --post-to"), "{report}");
}

/// `bridge --once`, for a repository of the forge, which is drone too.
fn bridge(forge: &Forge, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restore-drill"));
    command.args(["bridge", &forge.repository(), "--drone", &forge.url, "--build", "coop/recipe-ci", "--once"]).args(more);
    command.env("GITEA_TOKEN", TOKEN).env("DRONE_TOKEN", TOKEN).env("NO_PROXY", "127.0.0.1").output().expect("it runs")
}

#[test]
fn a_comment_starts_one_build_and_is_answered() {
    let forge = Forge::start();
    let ask = |id: u64, author: &str, text: &str| forge.state().comments.push((id, author.into(), text.into()));
    // Whoever writes what the bridge answers is not the bridge.
    ask(1, "mallory", "<!-- restore-drill: answer to 2 -->");
    ask(2, "alice", "!testme");
    ask(3, "mallory", "!testme");
    ask(4, "bob", "> !testme\n\nwhat does that do?");
    forge.state().members = vec!["bob".into()];
    let who = ["--tester", "alice", "--organization", "coop", "--branch", "main"];
    let run = || {
        let output = bridge(&forge, &who);
        assert_eq!((output.status.code(), stderr(&output).contains("error")), (Some(0), false), "{}", stderr(&output));
        forge.state().comments.iter().filter(|(_, who, _)| who == BOT).map(|(.., text)| text.clone()).collect::<Vec<_>>()
    };
    let link = |n: u32| format!("<{}/coop/recipe-ci/{n}>", forge.url);
    let first = format!("<!-- restore-drill: answer to 2 -->\nA drill of `c0ffee0123` was started: {}", link(1));
    let second = "<!-- restore-drill: answer to 3 -->\nmallory may not start a drill here.".to_owned();
    assert_eq!(run(), [first.clone(), second.clone()]);
    assert_eq!(run(), [first.clone(), second.clone()], "a second look changes nothing");
    let recipe = forge.repository().replace(':', "%3A").replace('/', "%2F");
    let build = format!("/api/repos/coop/recipe-ci/builds?branch=main&RECIPE={recipe}&REF=c0ffee0123&PR=7");
    assert_eq!(forge.state().builds, std::slice::from_ref(&build));

    ask(5, "bob", "!testme c0ffee0");
    ask(6, "alice", "!testme deadbeef");
    let third = format!("<!-- restore-drill: answer to 5 -->\nA drill of `c0ffee0123` was started: {}", link(2));
    let fourth =
        "<!-- restore-drill: answer to 6 -->\nThe newest commit is `c0ffee0123`, not `deadbeef`; nothing was started.".to_owned();
    assert_eq!(run(), [first, second, third, fourth]);
    assert_eq!(forge.state().builds, [build.clone(), build]);
}

/// In Gitea, others than the author can change a comment, and whoever imports a repository becomes the author of comments.
#[test]
fn a_comment_that_its_author_may_not_have_written_starts_nothing() {
    let forge = Forge::start();
    forge.state().comments = (1..=3).map(|id| (id, "alice".into(), "!testme".into())).collect();
    forge.state().edited = vec![1];
    forge.state().imported = vec![2];
    let output = bridge(&forge, &["--tester", "alice"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(forge.state().builds.len(), 1);
    let comments = forge.state().comments.clone();
    assert_eq!(comments.len(), 4, "{comments:?}");
    assert!(comments[3].2.contains("answer to 3 -->"));
}

#[test]
fn a_comment_that_cannot_be_answered_keeps_no_other_from_its_answer() {
    let forge = Forge::start();
    forge.state().led_away = Some("carol".into());
    forge.state().comments = vec![(1, "carol".into(), "!testme".into()), (2, "alice".into(), "!testme".into())];
    let output = bridge(&forge, &["--tester", "alice", "--organization", "coop"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(exit_code::NOT_POSTED.into()), "{said}");
    assert!(said.contains("the members of coop") && said.contains("302 Found"), "{said}");
    assert_eq!(forge.state().builds.len(), 1, "{said}");
    assert!(forge.state().comments[2].2.contains("answer to 2 -->\nA drill of `c0ffee0123` was started"), "{said}");
}

#[test]
fn a_build_that_does_not_start_is_said_and_not_tried_again() {
    let forge = Forge::start();
    forge.state().comments.push((1, "alice".into(), "!testme".into()));
    forge.state().starts_none = true;
    let output = bridge(&forge, &["--tester", "alice"]);
    assert_eq!(output.status.code(), Some(exit_code::NOT_POSTED.into()), "{}", stderr(&output));
    let text = forge.state().comments[1].2.clone();
    assert!(text.contains("A drill of `c0ffee0123` could not be started:") && text.contains("drone started no build"), "{text}");
    assert!(bridge(&forge, &["--tester", "alice"]).status.success());
    assert_eq!(forge.state().builds.len(), 1);
    assert_eq!(forge.state().comments.len(), 2);
}

#[test]
fn a_bridge_that_cannot_know_its_own_answers_starts_nothing() {
    let forge = Forge::start();
    forge.state().comments.push((1, "alice".into(), "!testme".into()));
    forge.state().knows_user = false;
    let output = bridge(&forge, &["--tester", "alice"]);
    assert!(stderr(&output).contains("whose the token is; it needs read:user: 403 Forbidden"), "{}", stderr(&output));
    assert_eq!((output.status.code(), forge.state().builds.len()), (Some(exit_code::NOT_POSTED.into()), 0));
    for (recipe, drone, expected) in [
        (
            "wiki",
            "drone",
            [
                "\"wiki\" is not the address of a repository",
                "\"../alice\" is not a valid name",
                "--drone and --build: \"drone/coop/x\"",
            ],
        ),
        (
            "http://gitea:3000/coop/wiki",
            "http://drone",
            [
                "\"http://gitea:3000/coop/wiki\" is not the address of a repository: the token would be sent without encryption",
                "http is for this machine only",
                "--drone and --build: \"http://drone/coop/x\" is not the address of a repository: the token would be sent without",
            ],
        ),
    ] {
        let output = common::restore_drill(&["bridge", recipe, "--tester", "../alice", "--drone", drone, "--build", "coop/x"]);
        let said = stderr(&output);
        for expected in expected {
            assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
        }
    }
}
