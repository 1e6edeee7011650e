//! Reports from a run's directory alone: JSON by its schema, JUnit, Markdown, and the page in a real browser. The runs here are
//! made by hand, so that they can be as large and as hostile as a report must stand.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use judge::model::{MessageId, Status};
use judge::store::{AlteredSeen, Evidence, Login, MessageSeen, RunFact};
use judge::{BASELINE, RESTORED, judge};
use restore_drill::report::model::Report;

use common::{restore_drill, root, stderr, valid_junit};

const HOSTILE: &str = "\"><script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">";

/// A run in which `lost` of `messages` messages are not back. Folders are named by mail users: one of them means harm.
fn run(dir: &Path, messages: u32, lost: u32) -> Evidence {
    let evidence = Evidence::create(dir).expect("evidence");
    for (fact, value) in [
        (RunFact::Run, "1a2b3c4d"),
        (RunFact::Scenario, "mailu"),
        (RunFact::Profile, "smoke"),
        (RunFact::Seed, "1"),
        (RunFact::Images, "stand-in images"),
        (RunFact::Snapshot, "deadbeef"),
        (RunFact::Reproduce, "restore-drill run mailu --profile smoke --seed 1"),
        (RunFact::FirstLoginMs, "12345"),
        (RunFact::NewestItemMs, "9000"),
        (RunFact::BytesRead, "4096"),
        (RunFact::BytesAdded, "1024"),
        (RunFact::Environment, "{\"engine\": \"<b>28</b>\"}"),
        (RunFact::Checks, "{}"),
        (RunFact::Databases, ""),
    ] {
        evidence.set(fact, value).expect("stored");
    }
    let seen = |uid: u32| MessageSeen {
        folder: if uid == 1 { HOSTILE.into() } else { "INBOX".into() },
        uid,
        sha256: uid.to_be_bytes().to_vec(),
        body_sha256: vec![],
        size: 1,
        flags: String::new(),
        keywords: String::new(),
        internal_date: 0,
        item: Some(MessageId::Corpus(uid.into())),
    };
    for (name, from) in [(BASELINE, 1), (RESTORED, lost + 1)] {
        let o = evidence.observation(name).expect("an observation");
        for account in ["u01@mail.test", "u02@mail.test"] {
            evidence.put_account(o, account, &Login::Read).expect("stored");
        }
        let all: Vec<MessageSeen> = (from..=messages).map(seen).collect();
        evidence.put_messages(o, "u01@mail.test", &all).expect("stored");
        evidence.complete(o).expect("stored");
    }
    let events = [
        r#"{"event":"started","run":"1a2b3c4d","scenario":"mailu","profile":"smoke","seed":1,"time":"2026-01-01T00:00:00Z"}"#,
        r#"{"event":"phase-started","phase":"backup","time":"2026-01-01T00:00:01Z"}"#,
        r#"{"event":"phase-finished","phase":"backup","millis":1500,"summary":"snapshot <i>deadbeef</i>","time":"2026-01-01T00:00:02.5Z"}"#,
        r#"{"event":"phase-started","phase":"restore","time":"2026-01-01T00:00:03Z"}"#,
        r#"{"event":"phase-finished","phase":"restore","millis":2500,"summary":"done","time":"2026-01-01T00:00:05.5Z"}"#,
    ];
    std::fs::write(dir.join("events.jsonl"), events.join("\n")).expect("written");
    std::fs::write(dir.join("logs/rd_imap.log"), format!("line\n{HOSTILE}\n")).expect("written");
    evidence
}

fn reported(dir: &Path) {
    let output = restore_drill(&["report", dir.to_str().expect("a path")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn json_is_as_its_published_schema_says() {
    for (name, lost) in [("scenario", 0), ("inventory", 0), ("faults", 0), ("ladder", 0), ("report", 3)] {
        let output = restore_drill(&["schema", name]);
        let printed = String::from_utf8(output.stdout).expect("UTF-8");
        let file = root().join(format!("docs/schemas/{name}.json"));
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(published == printed, "run: restore-drill schema {name} > docs/schemas/{name}.json");
        if name == "report" {
            let dir = tempfile::tempdir().expect("a directory");
            run(dir.path(), 9, lost);
            reported(dir.path());
            let text = std::fs::read_to_string(dir.path().join("report.json")).expect("a report");
            let (schema, value) = (serde_json::from_str(&printed).expect("JSON"), serde_json::from_str(&text).expect("JSON"));
            let validator = jsonschema::validator_for(&schema).expect("a schema");
            let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}");
            assert!(!validator.is_valid(&serde_json::json!({"form": 1})), "a schema that takes anything");
        }
    }
    let scenario = restore_drill(&["schema", "scenario"]);
    let schema = serde_json::from_slice(&scenario.stdout).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for name in recipe::scenario::list(&common::scenarios()) {
        let text = std::fs::read_to_string(common::scenarios().join(&name).join("scenario.toml")).expect("a scenario");
        let value: toml::Value = toml::from_str(&text).expect("TOML");
        let errors: Vec<String> = validator.iter_errors(&serde_json::json!(value)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn a_report_has_figures_checks_and_the_verdict() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = run(dir.path(), 9, 3);
    assert_eq!(judge(&evidence, RESTORED).expect("a verdict").status, Status::Broken);
    reported(dir.path());
    let report = Report::load(&dir.path().join("report.json")).expect("a report");
    assert_eq!((report.status, report.findings.len()), (Status::Broken, 3));
    let messages = report.checks.iter().find(|c| c.name == "messages").expect("a check");
    assert_eq!((messages.items, messages.status, messages.findings.as_slice()), (9, Status::Broken, &[0, 1, 2][..]));
    let r = report.recovery;
    assert_eq!((r.backup_ms, r.restore_ms, r.first_login_ms, r.newest_item_ms), (Some(1500), Some(2500), Some(12345), None));
    assert_eq!(r.dedup_ratio, Some(4.0));

    let junit = std::fs::read_to_string(dir.path().join("junit.xml")).expect("JUnit");
    valid_junit(&dir.path().join("junit.xml")).expect("as its schema says");
    let wrong = dir.path().join("wrong.xml");
    std::fs::write(&wrong, junit.replace("classname", "class")).expect("written");
    assert!(valid_junit(&wrong).expect_err("a schema that takes anything").contains("'class'"));
    let read = quick_junit::Report::deserialize_from_str(&junit).expect("JUnit that can be read");
    assert_eq!((read.tests, read.failures, read.errors), (2, 1, 0), "{junit}");
    assert!(!junit.contains("<script>") && junit.contains("&lt;script&gt;"), "{junit}");

    let markdown = std::fs::read_to_string(dir.path().join("report.md")).expect("Markdown");
    assert!(markdown.starts_with("## Restore drill of mailu: BROKEN\n") && markdown.contains("3 findings"), "{markdown}");
    assert!(
        !markdown.contains("<script") && markdown.contains("| start of the restore to first login (RTO) | 12.3 s |"),
        "{markdown}"
    );
}

/// The body as it was submitted is computed from profile and seed, and held against the one that is there.
#[test]
fn what_changed_in_a_message_is_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = run(dir.path(), 9, 0);
    let corpus = seeds::Corpus::new(1, seeds::Profile::named("smoke").expect("a profile"));
    let (submitted, restored) = (corpus.message(3).bytes, evidence.completed(RESTORED).expect("read").expect("an observation"));
    let text = String::from_utf8_lossy(&submitted).into_owned();
    let at = text.find("\r\n\r\n").expect("a header") + 4;
    let other = format!("{}<script>alert(1)</script>\r\n{}", &text[..at], &text[at..]);
    for (uid, bytes) in [(3, other.into_bytes()), (4, submitted)] {
        let (account, folder) = ("u01@mail.test".to_owned(), "INBOX".to_owned());
        let seen = AlteredSeen { account, folder, uid, item: Some(MessageId::Corpus(3)), bytes };
        evidence.put_altered(restored, &seen).expect("stored");
    }
    drop(evidence);
    reported(dir.path());
    let report = Report::load(&dir.path().join("report.json")).expect("a report");
    assert_eq!(report.altered.len(), 2);
    assert!(report.altered[0].difference.contains("\n+<script>alert(1)</script>"), "{}", report.altered[0].difference);
    assert!(report.altered[1].difference.starts_with("only the header changed"), "{}", report.altered[1].difference);
    let page = std::fs::read_to_string(dir.path().join("report.html")).expect("a page");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert(1)"));
}

#[test]
fn directories_that_hold_no_whole_run_are_reported_as_unknown_or_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused = |dir: &Path, expected: &str| {
        let output = restore_drill(&["report", dir.to_str().expect("a path")]);
        assert_eq!(output.status.code(), Some(64), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    };
    refused(dir.path(), "holds no evidence.db");
    // Half-written: nothing was observed after the restore.
    let half = dir.path().join("half");
    let evidence = Evidence::create(&half).expect("evidence");
    evidence.set(RunFact::Run, "half").expect("stored");
    drop(evidence);
    reported(&half);
    assert_eq!(Report::load(&half.join("report.json")).expect("a report").status, Status::Unknown);
    // Of a newer version.
    let newer = dir.path().join("newer");
    drop(run(&newer, 1, 0));
    rusqlite::Connection::open(newer.join("evidence.db"))
        .expect("a database")
        .pragma_update(None, "user_version", 99)
        .expect("set");
    refused(&newer, "schema version 99");
    std::fs::write(dir.path().join("report.json"), "{\"form\": 99}").expect("written");
    let error = Report::load(&dir.path().join("report.json")).expect_err("newer").to_string();
    assert!(error.contains("a report has format 99"), "{error}");
}

#[test]
fn history_has_every_run_that_can_be_read() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(run(&dir.path().join("first"), 9, 0));
    drop(run(&dir.path().join("second"), 9, 4));
    std::fs::create_dir(dir.path().join("broken")).expect("made");
    std::fs::write(dir.path().join("broken/evidence.db"), "no database").expect("written");
    let page = dir.path().join("trend.html");
    let output = restore_drill(&["history", dir.path().to_str().expect("a path"), "--html", page.to_str().expect("a path")]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let row = |name: &str| table.lines().find(|l| l.contains(name)).unwrap_or_default().to_owned();
    assert!(row("first").contains("held") && row("second").contains("broken") && row("first").contains("12.3 s"), "{table}");
    assert!(stderr(&output).contains("not read: broken"), "{}", stderr(&output));
    assert!(std::fs::read_to_string(page).expect("a page").contains("<title>first: 12.3 s</title>"));
}

#[test]
fn a_finding_is_explained_and_the_manual_is_whole() {
    let out = |arguments: &[&str]| {
        let output = restore_drill(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let text = out(&["explain", "mailbox u01@mail.test, folder INBOX: altered (uidvalidity): was 1, is 2"]);
    assert!(text.starts_with("uidvalidity\n") && text.contains("Usual causes:") && text.contains("What to do:"), "{text}");
    assert_eq!(restore_drill(&["explain", "xyzzy plugh"]).status.code(), Some(64));
    assert!(out(&["man"]).contains(".TH restore-drill"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(out(&["completions", shell]).contains("restore-drill"), "{shell}");
    }
}

/// A driver that ends with the test.
struct Driver(Child, u16);

impl Driver {
    fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("chromedriver runs; `.ci/setup test` installs it"), port)
    }

    async fn client(&self) -> Client {
        let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let capabilities = serde_json::json!({"goog:chromeOptions": {"args": arguments}});
        let serde_json::Value::Object(capabilities) = capabilities else { unreachable!("an object") };
        let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        loop {
            match builder.connect(&format!("http://127.0.0.1:{}", self.1)).await {
                Ok(client) => return client,
                Err(e) if std::time::Instant::now() > deadline => panic!("no browser: {e}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn number(client: &Client, script: &str) -> u64 {
    client.execute(script, vec![]).await.expect("a script").as_u64().expect("a number")
}

async fn wait_for(client: &Client, what: &str, script: &str) {
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !client.execute(script, vec![]).await.expect("a script").as_bool().expect("yes or no") {
        assert!(std::time::Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ten thousand findings can be searched, filtered, folded; nothing that came from mail runs; a phone shows no part of the page
/// beyond its edge; both colour schemes have ink on paper; paper shows what was folded.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_in_a_browser() {
    const LOST: u32 = 10_000;
    let dir = tempfile::tempdir().expect("a directory");
    drop(run(dir.path(), LOST + 5, LOST));
    reported(dir.path());
    let driver = Driver::start();
    let client = driver.client().await;
    client.goto(&format!("file://{}", dir.path().join("report.html").display())).await.expect("the page");

    assert_eq!(client.title().await.expect("a title"), "BROKEN: restore drill of mailu", "something from mail ran");
    let verdict = client.find(Locator::Id("verdict")).await.expect("the verdict").text().await.expect("text");
    assert_eq!(verdict, "BROKEN");
    assert_eq!(number(&client, "return document.querySelectorAll('main script, main img, main b, main i').length").await, 0);
    let hostile = client.find(Locator::XPath("//td[contains(., 'onerror')]")).await.expect("shown as text");
    assert!(hostile.text().await.expect("text").contains("<script>"));
    assert_eq!(number(&client, "return performance.getEntriesByType('resource').length").await, 0, "something was loaded");

    let visible = "return [...document.querySelectorAll('.findings tbody tr')].filter((r) => !r.hidden).length";
    assert_eq!(number(&client, visible).await, u64::from(LOST));
    let search = client.find(Locator::Id("search")).await.expect("the search");
    search.send_keys("UID 4711").await.expect("typed");
    wait_for(&client, "the search", "return document.getElementById('shown').textContent.startsWith('1 of ')").await;
    assert_eq!(number(&client, visible).await, 1);
    search.clear().await.expect("cleared");
    client.execute("document.getElementById('search').dispatchEvent(new Event('input'))", vec![]).await.expect("an event");
    wait_for(&client, "all again", "return document.getElementById('shown').textContent.startsWith('10000 of ')").await;
    client.find(Locator::Id("outcome")).await.expect("a filter").select_by_value("lost").await.expect("selected");
    assert_eq!(number(&client, visible).await, u64::from(LOST));
    // By kind and by tile: nothing of another kind, and all again.
    let kind = "document.getElementById('kind')";
    for (name, shown) in [("the drill itself", 0), ("mail", u64::from(LOST))] {
        let choose = format!(
            "const k = {kind}; k.add(new Option('{name}')); k.value = '{name}'; k.dispatchEvent(new Event('change')); {visible}"
        );
        assert_eq!(number(&client, &choose).await, shown, "{name}");
    }
    let tile = client.find(Locator::Css("button.tile[data-outcome=lost]")).await.expect("a tile");
    tile.click().await.expect("clicked");
    assert_eq!(tile.attr("aria-pressed").await.expect("asked").as_deref(), Some("false"), "it was chosen, and is not any more");
    tile.click().await.expect("clicked");
    assert_eq!(tile.attr("aria-pressed").await.expect("asked").as_deref(), Some("true"));
    // A link to a group opens it.
    client.find(Locator::Id("collapse")).await.expect("a button").click().await.expect("clicked");
    client.execute("location.hash = '#group-1'", vec![]).await.expect("followed");
    wait_for(&client, "the link", "return document.getElementById('group-1').open").await;
    client.find(Locator::Css("button.copy")).await.expect("a button").click().await.expect("clicked");
    wait_for(&client, "copied", "return document.querySelector('button.copy').textContent !== 'Copy'").await;
    let headline = client.find(Locator::Id("headline")).await.expect("a headline").text().await.expect("text");
    assert_eq!(headline, "10,000 of 10,005 messages are lost.");
    client.find(Locator::Id("collapse")).await.expect("a button").click().await.expect("clicked");
    let open = "return document.querySelectorAll('details.findings[open]').length";
    assert_eq!(number(&client, open).await, 0);
    client.find(Locator::Id("expand")).await.expect("a button").click().await.expect("clicked");
    assert!(number(&client, open).await > 0);
    client.find(Locator::Id("collapse")).await.expect("a button").click().await.expect("clicked");
    client.execute("window.dispatchEvent(new Event('beforeprint'))", vec![]).await.expect("an event");
    assert!(number(&client, open).await > 0, "what is folded is not on paper");

    // Each control has a label, each picture a description, each table heads.
    let nameless = "return [...document.querySelectorAll('input, select')].filter((c) => c.labels.length === 0).length \
        + [...document.querySelectorAll('svg')].filter((s) => !s.getAttribute('aria-label')).length \
        + [...document.querySelectorAll('table')].filter((t) => !t.querySelector('th')).length";
    assert_eq!(number(&client, nameless).await, 0);
    client.set_window_size(390, 800).await.expect("a phone");
    assert!(
        number(&client, "return Math.max(0, document.documentElement.scrollWidth - window.innerWidth)").await <= 1,
        "wider than a phone"
    );
    let ink = "const s = getComputedStyle(document.body); return s.color !== s.backgroundColor";
    assert_eq!(client.execute(ink, vec![]).await.expect("a script"), serde_json::json!(true));
    client.close().await.expect("closed");
}
