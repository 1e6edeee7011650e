//! The tools that read labels, without Docker: every rule by its own example, suggestions, and any input at all.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use recipe::labels::lint::lint;
use recipe::labels::recipe::RecipeFiles;
use recipe::labels::rules::{Lesson, Rule, lessons};
use recipe::labels::suggest::suggest;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn restore_drill(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_restore-drill")).args(args).current_dir(dir).output().expect("the program runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A recipe's folder.
fn recipe(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    dir
}

fn example(lesson: &Lesson, compose: &str) -> tempfile::TempDir {
    let dir = recipe(&[("compose.yml", compose)]);
    if let Some(inventory) = &lesson.inventory {
        std::fs::write(dir.path().join("inventory.toml"), inventory).expect("written");
    }
    dir
}

/// The rules that an example breaks, each once.
fn rules(lesson: &Lesson, compose: &str) -> BTreeSet<Rule> {
    let dir = example(lesson, compose);
    let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
    let base = lesson.base.as_ref().map(|b| sources.parse(vec![("base.yml".into(), b.clone())]).expect("a base"));
    lint(&sources.read().expect("a recipe"), base.as_ref()).into_iter().map(|m| m.rule).collect()
}

#[test]
fn every_rule_finds_its_wrong_example_and_passes_its_right_one() {
    for lesson in lessons() {
        assert_eq!(rules(lesson, &lesson.wrong), BTreeSet::from([lesson.name]), "{}: wrong", lesson.code);
        assert_eq!(rules(lesson, &lesson.right), BTreeSet::new(), "{}: right", lesson.code);
    }
}

#[test]
fn codes_are_unique_in_order_and_explained() {
    let codes: Vec<_> = lessons().iter().map(|l| l.code.clone()).collect();
    assert_eq!(codes, (1..=codes.len()).map(|n| format!("BB{n:03}")).collect::<Vec<_>>());
    let names: BTreeSet<Rule> = lessons().iter().map(|l| l.name).collect();
    assert_eq!(names.len(), codes.len());
    for code in codes {
        let output = restore_drill(&root(), &["labels", "explain", &code.to_lowercase()]);
        let text = stdout(&output);
        assert!(output.status.success() && text.starts_with(&code) && text.contains("Right:"), "{text}");
    }
    let output = restore_drill(&root(), &["labels", "explain", "BB999"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn our_own_recipe_is_clean() {
    let output = restore_drill(&root(), &["labels", "lint", "scenarios/mailu"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "0 errors, 0 warnings\n"));
}

const MISTAKEN: &str = "# A recipe with mistakes.
version: \"3.8\"
services:
  app: # the front
    image: nginx:1.27
    volumes:
      - data:/data
      - cache:/cache
    deploy:
      labels:
        # the version
        - \"coop-cloud.${STACK_NAME}.version=1.2.3+1.27.0\"
        - \"traefik.enable=true\"
        - \"backupbot.volumes.data=true\" # version 1
        - \"backupbot.backup.volumes.stack_cache=False\"
  db:
    image: redis:7-alpine
    volumes: [\"redis:/data\"]
    labels:
      backupbot.backup: \"true\"

volumes:
  cache:
  data:
  redis:
";

const INVENTORY: &str = "[[volume]]
name = \"data\"
service = \"app\"
mount = \"/data\"
class = \"durable\"
why = \"What users made.\"
[[volume]]
name = \"cache\"
service = \"app\"
mount = \"/cache\"
class = \"cache\"
why = \"Made anew.\"
[[volume]]
name = \"redis\"
service = \"db\"
mount = \"/data\"
class = \"valuable\"
why = \"Counters.\"
";

#[test]
fn mistakes_are_told_with_their_places_in_three_formats() {
    let dir = recipe(&[("compose.yml", MISTAKEN), ("inventory.toml", INVENTORY)]);
    let lint = |format| restore_drill(dir.path(), &["labels", "lint", ".", "--format", format]);
    let human = lint("human");
    assert_eq!(human.status.code(), Some(1), "{}", stderr(&human));
    let text = stdout(&human);
    for expected in [
        "./compose.yml:14:11: error BB005: ",
        "./compose.yml:15:11: error BB007: ",
        "did you mean cache?",
        "./compose.yml:20:7: error BB009: ",
        "  fix: ",
        "  why: ",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&stdout(&lint("json"))).expect("JSON");
    let first = &json["mistakes"][0];
    assert_eq!((first["code"].as_str(), first["line"].as_u64(), first["column"].as_u64()), (Some("BB005"), Some(14), Some(11)));
    assert_eq!(json["errors"].as_u64(), Some(4), "{json:#}");
    let github = stdout(&lint("github"));
    assert!(github.starts_with("::error file=./compose.yml,line=14,col=11,title=BB005 "), "{github}");
    assert_eq!(github.lines().count(), json["mistakes"].as_array().map_or(0, Vec::len));
}

const MENDED: &str = "# A recipe with mistakes.
version: \"3.8\"
services:
  app: # the front
    image: nginx:1.27
    volumes:
      - data:/data
      - cache:/cache
    deploy:
      labels:
        # the version
        - \"coop-cloud.${STACK_NAME}.version=1.2.4+1.27.0\"
        - \"backupbot.backup=true\"
        - \"backupbot.backup.volumes.cache=false\"
        - \"traefik.enable=true\"
  db:
    image: redis:7-alpine
    volumes: [\"redis:/data\"]

volumes:
  cache:
  data:
  redis:
";

#[test]
fn suggestions_keep_the_rest_of_the_file_and_lint_clean() {
    let dir = recipe(&[("compose.yml", MISTAKEN), ("inventory.toml", INVENTORY)]);
    let shown = restore_drill(dir.path(), &["labels", "suggest", "."]);
    assert!(shown.status.success(), "{}", stderr(&shown));
    assert!(stdout(&shown).contains("-        - \"backupbot.volumes.data=true\" # version 1"), "{}", stdout(&shown));
    let text = || std::fs::read_to_string(dir.path().join("compose.yml")).expect("a file");
    assert_eq!(text(), MISTAKEN, "without --write nothing is changed");
    assert!(restore_drill(dir.path(), &["labels", "suggest", ".", "--write"]).status.success());
    assert_eq!(text(), MENDED);
    assert!(restore_drill(dir.path(), &["labels", "lint", "."]).status.success());
    let again = restore_drill(dir.path(), &["labels", "suggest", "."]);
    assert_eq!((stdout(&again).as_str(), stderr(&again).as_str()), ("", "nothing to change\n"));
}

#[test]
fn suggestions_for_every_wrong_example_leave_only_what_a_person_must_decide() {
    for lesson in lessons() {
        let dir = example(lesson, &lesson.wrong);
        let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let left: Vec<Rule> = match suggest(&sources) {
            Ok(suggestion) => suggestion.left.into_iter().map(|m| m.rule).collect(),
            // Labels that share a line are refused with the place.
            Err(e) => {
                assert!(e.to_string().contains("compose.yml:"), "{e}");
                continue;
            }
        };
        let person = [
            Rule::StateOutsideVolumes,
            Rule::DumpOutsideVolumes,
            Rule::ToolMissing,
            Rule::PipeHidesFailure,
            Rule::BackupHookAlone,
            Rule::RestoreHookAlone,
            Rule::HookNeverRuns,
            Rule::BadVersion,
            Rule::NoValue,
        ];
        assert!(left.iter().all(|r| person.contains(r)), "{}: {left:?}", lesson.code);
    }
}

#[test]
fn a_recipe_without_an_inventory_says_what_is_assumed() {
    let compose = "services:\r\n  web:\r\n    image: a:1\r\n    volumes: [\"d:/d\"]\r\nvolumes:\r\n  d:";
    let dir = recipe(&[("compose.yml", compose)]);
    let output = restore_drill(dir.path(), &["labels", "suggest", ".", "--write"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("assumed: there is no inventory.toml: every volume is worth a backup (d)"),
        "{}",
        stderr(&output)
    );
    let text = std::fs::read_to_string(dir.path().join("compose.yml")).expect("a file");
    let labels = "    deploy:\r\n      labels:\r\n        - \"coop-cloud.${STACK_NAME}.version=0.1.0+1\"\r\n        - \"backupbot.backup=true\"\r\n";
    assert_eq!(text, compose.replace("volumes:\r\n  d:", "") + labels + "volumes:\r\n  d:");
}

#[test]
fn the_version_is_compared_with_a_revision_of_git() {
    let dir = recipe(&[("compose.yml", MENDED)]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let output = Command::new("git").args(identity).args(args).current_dir(dir.path()).output().expect("git runs");
        assert!(output.status.success(), "{}", stderr(&output));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "one"]);
    let lint = || restore_drill(dir.path(), &["labels", "lint", ".", "--base", "HEAD"]);
    assert_eq!(lint().status.code(), Some(0), "{}", stdout(&lint()));
    std::fs::write(dir.path().join("compose.yml"), MENDED.replace("cache=false", "cache=true")).expect("written");
    assert!(stdout(&lint()).contains("labels changed since 1.2.4+1.27.0; expected 1.2.5+1.27.0 or later"), "{}", stdout(&lint()));
    let unknown = restore_drill(dir.path(), &["labels", "lint", ".", "--base", "no-such"]);
    assert_eq!(unknown.status.code(), Some(64), "{}", stderr(&unknown));
}

#[test]
fn what_is_no_compose_file_is_refused_with_its_place() {
    for (text, expected) in [
        ("services:\n  app: [\n", "compose.yml:"),
        ("services:\n  app:\n    image: a\n    image: b\n", "compose.yml:4"),
        ("services:\n  app:\n    deploy:\n      labels:\n        - x=${\n", "compose.yml:5: \"${\": expected a variable"),
        ("services:\n  app:\n    deploy:\n      labels: 7\n", "compose.yml:4: labels: expected a list or a map"),
        ("services:\n  app:\n    deploy:\n      labels: [[1]]\n", "compose.yml:4: expected a label"),
        ("\u{0}\u{1}\u{2}", "compose.yml:"),
        ("", "compose.yml: no services"),
    ] {
        let dir = recipe(&[("compose.yml", text)]);
        let output = restore_drill(dir.path(), &["labels", "lint", "."]);
        assert_eq!(output.status.code(), Some(64), "{text}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{expected:?} is not in {}", stderr(&output));
    }
    let nowhere = restore_drill(&root(), &["labels", "lint", "no/such/place"]);
    assert_eq!(nowhere.status.code(), Some(64), "{}", stderr(&nowhere));
}

/// Texts that look like compose files more often than chance would have it.
fn compose_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("services:\n"),
        Just("  app:\n"),
        Just("    deploy:\n"),
        Just("      labels:\n"),
        Just("        - \""),
        Just("backupbot.backup"),
        Just(".volumes."),
        Just("data"),
        Just(".path"),
        Just("=true\"\n"),
        Just("=false\"\n"),
        Just("${A}"),
        Just("${"),
        Just("$$"),
        Just("    volumes:\n"),
        Just("      - data:/data\n"),
        Just("volumes:\n"),
        Just("  data:\n"),
        Just("&a "),
        Just("*a"),
        Just("<<: "),
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just("'"),
        Just("    image: redis:7-alpine\n"),
        Just("backupbot.backup.pre-hook=sh -c 'a | b > /c'\"\n"),
        Just("\t"),
        Just("é\r\n"),
        Just("coop-cloud.x.version=1.0.0+1\"\n"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Never a panic: an error with its file, or mistakes in places that exist.
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![compose_like(), any::<String>(), any::<Vec<u8>>().prop_map(|b| String::from_utf8_lossy(&b).into_owned())]) {
        let sources = RecipeFiles::default();
        match sources.parse(vec![("compose.yml".into(), text.clone())]) {
            Err(e) => prop_assert!(e.to_string().starts_with("compose.yml"), "{}", e),
            Ok(recipe) => for mistake in lint(&recipe, Some(&recipe)) {
                prop_assert!(mistake.place.line >= 1 && mistake.place.line <= text.lines().count());
            }
        }
    }

    /// A suggestion never breaks a file, and what it wrote needs no second suggestion.
    #[test]
    fn suggestions_are_stable(out in proptest::collection::btree_set("[abc]", 0..3), map in any::<bool>(), typo in any::<bool>()) {
        let mut labels = vec![("coop-cloud.x.version".to_owned(), "1.0.0+1".to_owned())];
        labels.extend(out.iter().map(|v| (format!("backupbot.backup.volumes.{v}"), "false".to_owned())));
        if typo {
            labels.push(("backupbot.bakup".into(), "true".into()));
        }
        let one = |(n, v): &(String, String)| if map { format!("        {n}: \"{v}\"\n") } else { format!("        - \"{n}={v}\"\n") };
        let labels: String = labels.iter().map(one).collect();
        let compose = format!("services:\n  app:\n    image: i:1\n    volumes: [\"a:/a\", \"b:/b\", \"c:/c\"]\n    deploy:\n      labels:\n{labels}volumes:\n  a:\n  b:\n  c:\n");
        let dir = recipe(&[("compose.yml", &compose)]);
        let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let first = suggest(&sources).expect("a suggestion");
        prop_assert!(first.left.is_empty(), "{:?}", first.left);
        first.write().expect("written");
        prop_assert_eq!(suggest(&sources).expect("again").diff(), "");
    }
}
