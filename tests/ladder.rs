//! The recipe ladder: a recipe without labels, one with them, one that loses address books in an upgrade.

mod common;

use std::path::Path;
use std::process::Output;

use recipe::rung::Rung;
use restore_drill::exit_code;
use restore_drill::ladder::{Ladder, RungOutcome};

/// Mailu's recipe at several versions: tags of a repository, as `~/.abra/recipes/mailu` has them.
fn recipes() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let recipe = dir.path().join("mailu");
    std::fs::create_dir(&recipe).expect("made");
    common::git(&recipe, &["init", "-q", "-b", "main"]);
    let scenario = common::scenarios().join("mailu");
    for file in [".env.sample", "redis.sh", "sqlite.py"] {
        std::fs::copy(scenario.join(file), recipe.join(file)).expect("copied");
    }
    let labelled = std::fs::read_to_string(scenario.join("compose.yml")).expect("a recipe");
    assert!(labelled.contains("version=3.0.2+2024.06.52"), "the recipe has another version");
    let older = |text: &str| text.replace("2024.06.52", "2.0.47");
    // Labels, and what is said of them.
    let of_labels = |line: &str| line.contains("backupbot.") || line.starts_with("        # ");
    let unlabelled: String = labelled.lines().filter(|l| !of_labels(l)).map(|l| format!("{l}\n")).collect();
    let unlabelled = unlabelled.replace("    deploy:\n      labels:\n\n", "\n");
    for (version, text) in [
        ("2.1.0+2.0.47", older(&unlabelled)),
        ("2.1.1+2.0.47", older(&labelled)),
        ("3.0.0+2024.06.52", unlabelled.replace("webmail:/data\n", "webmail:/elsewhere\n")),
        ("3.0.1+2024.06.52", unlabelled),
        ("3.0.2+2024.06.52", labelled),
    ] {
        let (own, _) = version.split_once('+').expect("a version");
        std::fs::write(recipe.join("compose.yml"), text.replace("version=3.0.2", &format!("version={own}"))).expect("written");
        common::git(&recipe, &["add", "-A"]);
        common::git(&recipe, &["commit", "-q", "-m", version]);
        common::git(&recipe, &["tag", version]);
    }
    dir
}

/// `restore-drill ladder` of a version, with its directory `name` beside the recipe.
fn climb(dir: &Path, name: &str, version: &str, more: &[&str]) -> Output {
    let (recipe, evidence) = (dir.join(format!("mailu@{version}")).display().to_string(), dir.join(name).display().to_string());
    let mut arguments = vec!["ladder", &recipe, "--profile", "tiny", "--evidence", &evidence];
    arguments.extend(more);
    common::restore_drill(&arguments)
}

fn ladder(dir: &Path, name: &str, output: &Output) -> Ladder {
    Ladder::read(&dir.join(name).join("ladder.json")).unwrap_or_else(|e| panic!("{e}: {}", common::stderr(output)))
}

fn outcome(ladder: &Ladder, rung: Rung) -> &RungOutcome {
    &ladder.steps.iter().find(|s| s.rung == rung).expect("a rung").outcome
}

#[test]
fn a_recipe_climbs_as_high_as_its_labels_reach_and_no_higher() {
    let dir = recipes();
    let dir = dir.path();
    let (unlabelled, losing) = std::thread::scope(|s| {
        let unlabelled = s.spawn(|| climb(dir, "before", "3.0.1+2024.06.52", &["--from", "2.1.0+2.0.47"]));
        let losing = s.spawn(|| climb(dir, "losing", "3.0.0+2024.06.52", &["--from", "2.1.0+2.0.47"]));
        (unlabelled.join().expect("climbed"), losing.join().expect("climbed"))
    });

    let before = ladder(dir, "before", &unlabelled);
    assert_eq!((unlabelled.status.code(), before.level), (Some(exit_code::BROKEN.into()), 2), "{}", before.text());
    let RungOutcome::Skipped { reason } = outcome(&before, Rung::BackupRestore) else { panic!("{}", before.text()) };
    assert_eq!(reason, "no service has backupbot.backup=true, but these volumes are durable: mailu, dkim, mail, webmail");
    assert_eq!(outcome(&before, Rung::Functional), &RungOutcome::Pass, "{}", before.text());

    let lost = ladder(dir, "losing", &losing);
    assert_eq!((outcome(&lost, Rung::Upgrade), lost.level), (&RungOutcome::Fail, 1), "{}", lost.text());
    let upgrade = lost.steps.iter().find(|s| s.rung == Rung::Upgrade).expect("a rung");
    assert!(upgrade.findings.iter().any(|f| f.to_string().contains("trial: webmail of")), "{}", lost.text());

    let file = dir.join("before/ladder.json").display().to_string();
    let labelled = climb(dir, "after", "3.0.2+2024.06.52", &["--from", "2.1.1+2.0.47", "--compare", &file]);
    let after = ladder(dir, "after", &labelled);
    assert_eq!((labelled.status.code(), after.level), (Some(exit_code::HELD.into()), 5), "{}", after.text());
    let said = String::from_utf8_lossy(&labelled.stdout).into_owned();
    assert!(said.contains("level before 2, now 5; before, backup and restore was skipped: "), "{said}");
    assert!(said.contains("* backup and restore skipped → pass"), "{said}");
    // A pull request's text says both levels, and what was in the way.
    let (old, new) = (dir.join("before").display().to_string(), dir.join("after").display().to_string());
    let pr = common::restore_drill(&["labels", "pr", &new, "--before", &old]);
    let text = String::from_utf8_lossy(&pr.stdout).into_owned();
    assert!(
        text.contains("| before | 2 of 5 |") && text.contains("| after | 5 of 5 | held | 0 |"),
        "{text}{}",
        common::stderr(&pr)
    );
    assert!(text.contains("What kept the level down before: backup and restore was skipped"), "{text}");
    // The schema went from the older revision to the newer one: there was something to upgrade.
    let evidence = judge::store::Evidence::open(&dir.join("after/run")).expect("evidence");
    let revision = |name: &str| {
        let o = evidence.completed(name).expect("read").expect("an observation");
        evidence.rows_of(o, "main.db", "alembic_version").expect("read").pop().map(|row| row.key)
    };
    assert_eq!(revision("installed").as_deref(), Some("6b8f5e8caaa9"));
    for newer in ["upgraded", "restored across versions", "restored"] {
        assert_eq!(revision(newer).as_deref(), Some("0ba45693748d"), "{newer}");
    }
}

#[test]
fn what_would_prove_nothing_is_refused_before_anything_is_deployed() {
    let dir = recipes();
    let refused = |more: &[&str], why: &str| {
        let output = climb(dir.path(), "refused", "3.0.2+2024.06.52", more);
        let said = common::stderr(&output);
        assert_eq!(output.status.code(), Some(exit_code::USAGE.into()), "{said}");
        assert!(said.contains(why), "{said}");
        std::fs::remove_dir_all(dir.path().join("refused")).unwrap_or_default();
    };
    refused(&["--from", "3.0.2+2024.06.52"], "changes nothing: the same version and the same images");
    refused(&["--from", "9.9.9+1"], "no tag or commit \"9.9.9+1\"; it has 2.1.0+2.0.47");
    refused(&["--compare", "Cargo.toml"], "not a ladder.json");
    refused(&["--not-applicable", "upgrade="], "a reason is missing after =");
}
