use std::collections::BTreeSet;
use std::path::Path;

use super::check::{Known, Wrong};
use super::*;

/// What is wrong with the faults of a scenario in `dir`.
fn wrong(faults: &Faults, dir: &Path) -> Vec<Wrong> {
    let set = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
    let (services, databases, rules) = (set(&["app", "db"]), set(&["wiki"]), set(&["no-labels"]));
    let secrets = set(&["DB_PASSWORD"]);
    faults.check(&Known { services: &services, databases: &databases, secrets: &secrets, rules: &rules, dir })
}

fn parse(text: &str) -> Result<Faults, String> {
    toml::from_str(text).map_err(|e| e.message().to_owned())
}

#[test]
fn a_fault_is_read_with_all_that_it_does() {
    let faults = parse(
        r#"
        [lost]
        wiki = ["database wiki, table *, row *: lost"]
        [target.page]
        item = "database wiki, table page, row *"
        where = { title = "A*" }
        [[fault]]
        name = "page-gone"
        what = "A page's row is gone."
        group = "content"
        edit = [{ service = "app", unset = "backupbot.backup" }]
        strike = [{ database = "wiki", sql = "DELETE FROM page WHERE id = {page.key}" }]
        undo = [{ service = "db", script = "undo.py", args = ["{page.key}"] }]
        finds = ["database wiki, table page, row {page.key}: lost", "wiki",
          { each = "trial: *", unless = { expected = ["refused", "*x*"] }, finds = "{item}: altered" },
          { usage = "mailbox *, folder *, message *", change = "less" }]
        "#,
    )
    .expect("valid");
    let fault = &faults.faults[0];
    assert_eq!((fault.group, fault.edits[0].clone()), (Group::Content, Edit::unset("app", "backupbot.backup")));
    assert_eq!(fault.strike[0].place, Place::Database("wiki".into()));
    assert_eq!(fault.undo[0].command, Command::File("undo.py".into(), vec!["{page.key}".into()]));
    assert!(matches!(&fault.finds[2], Expected::Each(each) if each.unless["expected"].0.len() == 2));
    assert!(matches!(&fault.finds[3], Expected::Usage(usage) if usage.change == Change::Less));
    assert_eq!(faults.targets["page"].having["title"], Globs(vec!["A*".into()]));
    let dir = tempfile::tempdir().expect("a directory");
    let missing = wrong(&faults, dir.path());
    let places: Vec<_> = missing.iter().map(|w| (w.below.as_deref(), w.value.as_str())).collect();
    assert_eq!(places, [(Some("page-gone"), "undo.py")]);
    std::fs::create_dir(dir.path().join(FOLDER)).expect("made");
    std::fs::write(dir.path().join(FOLDER).join("undo.py"), "").expect("written");
    assert_eq!(wrong(&faults, dir.path()), []);
}

#[test]
fn what_cannot_be_is_refused() {
    let fault = |more: &str| parse(&format!("[[fault]]\nname = 'a'\nwhat = 'x'\ngroup = 'backup'\n{more}"));
    for (more, says) in [
        ("strikes = []", "unknown field `strikes`"),
        ("strike = [{ service = 'app' }]", "one of command, run, script and sql"),
        ("strike = [{ run = 'true' }]", "one of service, bot = true and database"),
        ("strike = [{ service = 'app', sql = 'x' }]", "sql and database go together"),
        ("strike = [{ service = 'app', script = 'a.rb' }]", "ends in .sh or .py"),
        ("edit = [{ service = 'app', set = 'l' }]", "one of set"),
        ("finds = [{ each = 'a' }]", "expected each with finds"),
        ("finds = [3]", "expected a finding"),
        ("restore = { times = 'thrice' }", "unknown variant `thrice`"),
    ] {
        let error = fault(more).expect_err(more);
        assert!(error.contains(says), "{more}: {error}");
    }
    let dir = tempfile::tempdir().expect("a directory");
    for (more, says) in [
        ("strike = [{ service = 'apps', run = 'true' }]", "no service \"apps\"; there are: app, db"),
        ("strike = [{ database = 'main', sql = 'x' }]", "no database that has a write command \"main\"; there are: wiki"),
        ("lint = ['none']", "no rule of labels lint \"none\""),
        ("renew = ['SALT']", "no secret that inventory.toml keeps \"SALT\"; there are: DB_PASSWORD"),
        ("finds = ['mail']", "is no finding"),
        ("finds = ['volume a, file {key.path}: lost']", "no target \"key\""),
    ] {
        let faults = fault(more).expect(more);
        match &wrong(&faults, dir.path())[..] {
            [one] => assert!(one.message.contains(says), "{more}: {}", one.message),
            other => panic!("{more}: {other:?}"),
        }
    }
}

#[test]
fn what_is_lost_may_be_named_but_not_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let check = |text: &str| {
        let faults = parse(text).expect(text);
        wrong(&faults, dir.path()).into_iter().map(|w| w.message).collect::<Vec<_>>()
    };
    assert!(check("[lost]\nall = ['rows']\nrows = ['database a, table *: lost']").is_empty());
    assert_eq!(check("[lost]\na = ['b']\nb = ['a']"), ["a", "b"].map(|name| format!("lost {name:?} stands for itself")));
    assert_eq!(
        check("[lost]\na = ['b']\nb = ['c']\nc = ['b']"),
        ["b", "c"].map(|name| format!("lost {name:?} stands for itself"))
    );
    // 2^64 paths through 65 names: the test ends, or it never does.
    let lists: String = (0..64).map(|n| format!("n{n} = ['n{0}', 'n{0}']\n", n + 1)).collect();
    assert!(check(&format!("[lost]\n{lists}n64 = ['database a, table *: lost']\n")).is_empty());
}

#[test]
fn findings_end_with_an_outcome() {
    assert_eq!(parted("volume dkim, file a: altered (mode)"), Some(("volume dkim, file a", "altered (mode)")));
    assert_eq!(parted("trial: login of x: altered"), Some(("trial: login of x", "altered")));
    assert_eq!(parted("trial: login of x"), None);
}
