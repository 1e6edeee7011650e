//! Recipes with mistakes that were seen, and recipes that were wrongly blamed: what lint says of each, and what is suggested.

use std::path::{Path, PathBuf};

use recipe::labels::lint::{Mistake, lint_files};
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::suggest::suggest;

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/label_cases");
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).expect("the cases").map(|e| e.expect("a case").path()).collect();
    all.sort();
    all
}

fn codes(mistakes: &[Mistake]) -> Vec<&'static str> {
    mistakes.iter().map(|m| m.rule.lesson().code.as_str()).collect()
}

/// A case's folder, or the one in it.
fn sources(case: &Path) -> RecipeFiles {
    let dir = if case.join("sub").is_dir() { case.join("sub") } else { case.to_owned() };
    RecipeFiles::find(&[dir]).expect("found")
}

/// The rules that each case breaks, and those that are left when the suggestion is made.
const EXPECTED: &[(&str, &[&str], &[&str])] = &[
    ("compose-file-appended", &[], &[]),
    ("compose-file-with-comment", &[], &[]),
    ("suggest-deletes-hooks-of-another-service", &["BB034", "BB034", "BB009", "BB009"], &["BB034", "BB034", "BB034", "BB034"]),
    ("suggest-leaves-empty-labels", &["BB030", "BB009", "BB009"], &["BB034", "BB034"]),
    ("suggest-drops-path-and-exclusion-on-container", &["BB009", "BB009", "BB009"], &[]),
    ("suggest-drops-v1-exclusion", &["BB005"], &[]),
    ("suggest-drops-prefixed-exclusion", &["BB007"], &[]),
    ("leading-slash-path", &["BB028"], &[]),
    ("live-database-copy", &["BB030"], &[]),
    ("excluded-all-but-live-database", &["BB030"], &[]),
    ("dump-never-loaded", &["BB031"], &["BB031"]),
    ("dump-not-in-selected-path", &["BB032"], &["BB032"]),
    ("hook-script-nobody-mounts", &["BB034", "BB034"], &["BB034", "BB034"]),
    ("stateless-recipe", &[], &[]),
    ("postgres-alpine-has-bash", &[], &[]),
    ("mariadb-10.11-has-mysqldump", &["BB034"], &["BB034"]),
    ("mariadb-12-lacks-mysqldump", &["BB019", "BB034"], &["BB019", "BB034"]),
    ("restore-hook-scratch-file", &[], &[]),
    ("version-from-image-name", &["BB001", "BB024"], &[]),
    ("deploy-with-comment", &["BB001", "BB024"], &[]),
    ("more-than-100-aliases", &["BB024"], &[]),
    ("switch-on-two-services", &["BB003", "BB034", "BB034"], &["BB003", "BB034", "BB034"]),
    ("optional-overlay", &["BB030", "BB009"], &["BB031", "BB034"]),
    ("other-file-names", &[], &[]),
    ("patch-does-not-apply", &["BB002", "BB006"], &[]),
    ("shared-anchor", &["BB001"], &["BB001"]),
    ("hint-of-unknown-label", &["BB030", "BB008"], &["BB008"]),
    ("cp-outside-volumes", &["BB018"], &["BB018"]),
    ("path-is-a-container-path", &["BB011"], &[]),
    ("database-in-no-volume", &["BB047", "BB047"], &["BB047", "BB047"]),
    ("pgdata-elsewhere", &["BB030"], &[]),
    ("hook-reads-secret-nobody-mounts", &["BB048", "BB048"], &["BB048", "BB048"]),
    ("suggest-backs-up-the-bot", &[], &[]),
    ("path-of-some-volumes", &["BB006"], &[]),
    ("switch-of-the-operator", &["BB001"], &[]),
    ("configs-last-in-service", &["BB030"], &[]),
    ("overlays-that-belong-together", &[], &[]),
    ("item-with-colon", &["BB049", "BB049", "BB049"], &[]),
    ("old-versions-first-version", &["BB029", "BB029"], &[]),
    ("single-dollar-in-hook", &["BB050", "BB050", "BB050", "BB050"], &[]),
    ("opt-in-switch", &["BB051"], &["BB051"]),
    ("postgres-only-one-database", &["BB030"], &[]),
    ("mariadb-restore-brings-old-accounts", &["BB030"], &[]),
    ("mysql-random-root-password", &["BB030"], &[]),
    ("dump-by-a-program-of-the-image", &[], &[]),
    ("main-service-by-the-alphabet", &["BB001", "BB024"], &[]),
    ("compose-version-3.4", &["BB030"], &["BB030"]),
    ("sidecar-dumps", &[], &[]),
    ("texts", &["BB010", "BB028", "BB031", "BB030"], &["BB031"]),
];

#[test]
fn each_case_breaks_these_rules_and_no_other() {
    let mut wrong = Vec::new();
    for case in cases() {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        // A recipe without volumes is one for `new`.
        if name == "new-without-named-volume" {
            continue;
        }
        let sources = sources(&case);
        let (_, before, after) = EXPECTED.iter().find(|(n, ..)| *n == name).unwrap_or_else(|| panic!("{name} is not expected"));
        let found = lint_files(&sources, None).expect("linted");
        let left = suggest(&sources).expect("a suggestion").left;
        if codes(&found) != *before || codes(&left) != *after {
            wrong.push(format!("(\"{name}\", &{:?}, &{:?}),", codes(&found), codes(&left)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_suggested_for_each_case() {
    let mut all = String::new();
    for case in cases() {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        let suggestion = suggest(&sources(&case)).expect("a suggestion");
        let list = |what: &str, lines: &[String]| lines.iter().map(|l| format!("{what}: {l}\n")).collect::<String>();
        let text = list("assumed", &suggestion.assumed)
            + &list("changed", &suggestion.said)
            + &list("by hand", &suggestion.by_hand)
            + &suggestion.left.iter().map(|m| format!("left: {} {}\n", m.place, m.message)).collect::<String>()
            + &suggestion.diff_from(&case);
        all += &format!("# {name}\n{}\n", text.replace(&format!("{}/", case.display()), ""));
    }
    insta::assert_snapshot!("label_cases", all);
}

/// What is written is read by docker as it is by us, and needs no second suggestion.
#[test]
fn what_is_suggested_can_be_written_and_is_final() {
    for case in cases() {
        let dir = tempfile::tempdir().expect("a directory");
        let from = if case.join("sub").is_dir() { case.join("sub") } else { case.clone() };
        for file in std::fs::read_dir(&from).expect("the files").map(|e| e.expect("a file").path()) {
            std::fs::copy(&file, dir.path().join(file.file_name().expect("a name"))).expect("copied");
        }
        let found = || RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        suggest(&found()).expect("a suggestion").write().expect("written");
        let again = suggest(&found()).expect("a second one");
        assert_eq!((again.diff(), again.said), (String::new(), vec![]), "{}", case.display());
    }
}
