//! `restore-drill labels`, without Docker: what the program prints, writes and ends with. The rules themselves are tested in the
//! crate `recipe`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use recipe::labels::rules::lessons;

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

#[test]
fn every_code_is_explained() {
    for lesson in lessons() {
        let output = restore_drill(&root(), &["labels", "explain", &lesson.code.to_lowercase()]);
        assert_eq!((output.status.code(), stdout(&output)), (Some(0), lesson.text()));
    }
    let output = restore_drill(&root(), &["labels", "explain", "BB999"]);
    assert_eq!(output.status.code(), Some(64));
    let list = restore_drill(&root(), &["labels", "explain"]);
    let expected: String = lessons().iter().map(|l| format!("{}  {}\n", l.code, l.summary)).collect();
    assert_eq!(stdout(&list), expected);
}

/// No errors; of warnings only those about how some bots run hooks.
#[test]
fn our_own_recipes_have_no_errors() {
    for name in ["mailu", "davical", "radicale"] {
        let output = restore_drill(&root(), &["labels", "lint", &format!("scenarios/{name}"), "--format", "json"]);
        let said: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        let rules: Vec<&str> = said["mistakes"].as_array().expect("a list").iter().filter_map(|m| m["rule"].as_str()).collect();
        assert_eq!(output.status.code(), Some(0), "{name}: {rules:?}");
        assert!(rules.iter().all(|rule| ["quote-in-hook", "no-bash"].contains(rule)), "{name}: {rules:?}");
    }
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
fn mistakes_are_printed_in_three_formats() {
    let dir = recipe(&[("compose.yml", MISTAKEN), ("inventory.toml", INVENTORY)]);
    for format in ["human", "json", "github"] {
        let output = restore_drill(dir.path(), &["labels", "lint", ".", "--format", format]);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(1), ""));
        insta::assert_snapshot!(format!("lint_{format}"), stdout(&output));
    }
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
        - \"traefik.enable=true\"
        - \"backupbot.backup.volumes.cache=false\"
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
    insta::assert_snapshot!("suggest", stdout(&shown));
    let text = || std::fs::read_to_string(dir.path().join("compose.yml")).expect("a file");
    assert_eq!(text(), MISTAKEN, "without --write nothing is changed");
    assert!(restore_drill(dir.path(), &["labels", "suggest", ".", "--write"]).status.success());
    assert_eq!(text(), MENDED);
    assert!(restore_drill(dir.path(), &["labels", "lint", "."]).status.success());
    let again = restore_drill(dir.path(), &["labels", "suggest", "."]);
    assert_eq!((stdout(&again).as_str(), stderr(&again).as_str()), ("", "nothing to change\n"));
}

#[test]
fn a_recipe_without_an_inventory_says_what_is_assumed() {
    let compose = "services:\r\n  web:\r\n    image: a:1\r\n    volumes: [\"d:/d\"]\r\nvolumes:\r\n  d:";
    let dir = recipe(&[("compose.yml", compose)]);
    let output = restore_drill(dir.path(), &["labels", "suggest", ".", "--write"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let assumed = "assumed: there is no inventory.toml, so every volume is worth a backup (d)\n\
                   assumed: the recipe has no version label yet; its first version is 0.1.0+1\nwritten\n";
    assert_eq!(stderr(&output), assumed);
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

/// A recipe's folder below another one.
fn catalogue(recipes: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in recipes {
        std::fs::create_dir(dir.path().join(name)).expect("made");
        std::fs::write(dir.path().join(name).join("compose.yml"), text).expect("written");
    }
    std::fs::create_dir(dir.path().join("no-recipe")).expect("made");
    dir
}

#[test]
fn a_catalogue_is_one_table() {
    let cache = "        - \"backupbot.backup.volumes.cache=";
    let version_1 = "        - \"backupbot.volumes.data=true\"\n";
    let broken = MENDED.replace("cache=false", "cache=no").replace(cache, &format!("{version_1}{cache}"));
    let dir = catalogue(&[("sound", MENDED), ("wrong", &broken)]);
    let lint = |arguments: &[&str]| restore_drill(dir.path(), &[&["labels", "lint", "--catalogue", "."], arguments].concat());
    let table = "recipe  errors  warnings  rules\nsound        0         0\nwrong        2         0  BB005, BB010\n\n2 recipes, 1 without a finding, 2 errors, 0 warnings\n";
    assert_eq!((lint(&[]).status.code(), stdout(&lint(&[])).as_str()), (Some(1), table));
    let json: serde_json::Value = serde_json::from_str(&stdout(&lint(&["--format", "json"]))).expect("JSON");
    assert_eq!(json["recipes"][1]["mistakes"][0]["code"], "BB005");
    std::fs::write(dir.path().join("sound/compose.yml"), "services: [").expect("written");
    let unread = lint(&[]);
    assert_eq!(unread.status.code(), Some(64));
    assert!(stdout(&unread).contains("sound   cannot be read") && stderr(&unread).contains("sound: "), "{}", stderr(&unread));
    let none = restore_drill(dir.path(), &["labels", "lint", "--catalogue", "no-recipe"]);
    assert_eq!(none.status.code(), Some(64), "{}", stderr(&none));
}

#[test]
fn the_diff_is_one_that_git_applies() {
    let outer = tempfile::tempdir().expect("a directory");
    let sub = outer.path().join("sub");
    std::fs::create_dir(&sub).expect("made");
    let compose = "services:\n  app:\n    image: postgres:16\n    volumes: [\"data:/var/lib/postgresql/data\"]\n    deploy:\n      labels:\n        \
                   - \"coop-cloud.${STACK_NAME}.version=1.0.0+1\"\n        - \"backupbot.backup.path=/var/lib/postgresql/data\"\nvolumes:\n  data:\n";
    std::fs::write(sub.join("compose.yml"), compose).expect("written");
    let git = |args: &[&str]| Command::new("git").args(args).current_dir(outer.path()).output().expect("git runs");
    assert!(git(&["init", "-q"]).status.success());
    let absolute = sub.display().to_string();
    for folder in ["sub", "./sub", &absolute] {
        let shown = restore_drill(outer.path(), &["labels", "suggest", folder]);
        assert!(shown.status.success(), "{}", stderr(&shown));
        std::fs::write(outer.path().join("p.diff"), &shown.stdout).expect("written");
        let applied = git(&["apply", "--check", "p.diff"]);
        assert!(applied.status.success(), "{}\n{}", stderr(&applied), stdout(&shown));
    }
    assert!(git(&["apply", "p.diff"]).status.success());
    let lint = restore_drill(outer.path(), &["labels", "lint", "sub"]);
    assert_eq!((lint.status.code(), stdout(&lint).as_str()), (Some(0), "0 errors, 0 warnings\n"));
    assert!(std::fs::read_to_string(sub.join("pg_backup.sh")).expect("a script").starts_with("#!/bin/sh\n"));
}

#[test]
fn what_is_no_compose_file_is_refused_with_its_place() {
    for (text, expected) in [
        ("services:\n  app: [\n", "compose.yml:"),
        ("services:\n  app:\n    image: a\n    image: b\n", "compose.yml:4"),
        (
            "services:\n  app:\n    deploy:\n      labels:\n        - x=${\n",
            "compose.yml:5: \"${\": expected a variable such as ${NAME}",
        ),
        ("services:\n  app:\n    deploy:\n      labels: 7\n", "compose.yml:4: labels: expected a list or a map"),
        ("services:\n  app:\n    deploy:\n      labels: [[1]]\n", "compose.yml:4: expected a label such as"),
        ("\u{0}\u{1}\u{2}", "compose.yml:"),
        ("", "compose.yml: no services"),
    ] {
        let dir = recipe(&[("compose.yml", text)]);
        let output = restore_drill(dir.path(), &["labels", "lint", "."]);
        assert_eq!(output.status.code(), Some(64), "{text}: {}", stdout(&output));
        assert!(stderr(&output).contains(expected), "{expected:?} is not in {}", stderr(&output));
    }
}

#[test]
fn a_file_that_the_user_named_and_that_cannot_be_read_is_a_usage_error() {
    let dir = recipe(&[("compose.yml", MENDED), (".env.sample", "COMPOSE_FILE=compose.yml:compose.smtp.yml\n")]);
    for (arguments, says) in [
        (&["labels", "lint", "nowhere"][..], "nowhere: no such file or folder"),
        (&["labels", "lint", "."], "./.env.sample:1: cannot read compose.smtp.yml: "),
        (&["labels", "suggest", "."], "./.env.sample:1: cannot read compose.smtp.yml: "),
        (&["labels", "lint", "compose.yml", "--env-file", "no.env"], "cannot read no.env: "),
        (&["new", "app", "--compose", "no.yml"], "no.yml: cannot be read: "),
        (&["history", "no-runs"], "cannot read no-runs: "),
    ] {
        let output = restore_drill(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{says:?} is not in {}", stderr(&output));
    }
}
