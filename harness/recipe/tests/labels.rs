//! Labels: every rule by its own example, whole outputs as snapshots, suggestions, and any input at all.

use std::collections::BTreeSet;

use proptest::prelude::*;
use recipe::labels::lint::{OutputFormat, lint, render};
use recipe::labels::recipe::{Recipe, RecipeFiles};
use recipe::labels::rules::{Lesson, Rule, lessons};
use recipe::labels::suggest::suggest;

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
    if let Some(script) = &lesson.script {
        std::fs::write(dir.path().join("pg_backup.sh"), script).expect("written");
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
fn codes_are_unique_and_in_order() {
    let codes: Vec<_> = lessons().iter().map(|l| l.code.clone()).collect();
    assert_eq!(codes, (1..=codes.len()).map(|n| format!("BB{n:03}")).collect::<Vec<_>>());
    let names: BTreeSet<Rule> = lessons().iter().map(|l| l.name).collect();
    assert_eq!(names.len(), codes.len());
    for lesson in lessons() {
        assert_eq!(Lesson::find(&lesson.code.to_lowercase()).map(|l| l.name), Some(lesson.name));
    }
    assert!(Lesson::find("BB999").is_none());
}

/// The wrong example of every rule, read from a file that exists nowhere.
fn mistakes_of(lesson: &Lesson) -> String {
    let parse = |text: &String| -> Recipe {
        let mut recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text.clone())]).expect("a recipe");
        recipe.inventory = lesson.inventory.as_ref().map(|text| toml::from_str(text).expect("an inventory"));
        recipe
    };
    let base = lesson.base.as_ref().map(parse);
    let mistakes = lint(&parse(&lesson.wrong), base.as_ref());
    mistakes.iter().map(|m| format!("{}: {} {}\n", m.place, lesson.code, m.message)).collect()
}

#[test]
fn what_lint_says_about_every_wrong_example() {
    insta::assert_snapshot!("wrong_examples", lessons().iter().map(mistakes_of).collect::<String>());
}

#[test]
fn what_is_suggested_for_every_wrong_example() {
    let mut all = String::new();
    for lesson in lessons() {
        let dir = example(lesson, &lesson.wrong);
        let suggestion = suggest(&RecipeFiles::find(&[dir.path().to_owned()]).expect("found"));
        let text = suggestion.map_or_else(
            |e| format!("{e}\n"),
            |suggestion| {
                let assumed: String = suggestion.assumed.iter().map(|a| format!("assumed: {a}\n")).collect();
                assumed + &suggestion.diff()
            },
        );
        all += &format!("# {}\n{}", lesson.code, text.replace(&format!("{}/", dir.path().display()), ""));
    }
    insta::assert_snapshot!("suggestions", all);
}

#[test]
fn a_clean_recipe_has_a_short_report() {
    let none = |format| render(&[], format);
    assert_eq!(none(OutputFormat::Human), "0 errors, 0 warnings\n");
    assert_eq!(none(OutputFormat::Json), "{\n  \"errors\": 0,\n  \"mistakes\": [],\n  \"version\": 1,\n  \"warnings\": 0\n}\n");
    assert_eq!(none(OutputFormat::Github), "");
}

#[test]
fn explanations_have_everything_that_an_example_needs() {
    for code in ["BB007", "BB014", "BB026"] {
        insta::assert_snapshot!(format!("explain_{code}"), Lesson::find(code).expect(code).text());
    }
}

/// Each label was compared with every other one, and each unknown volume with every volume: minutes.
#[test]
fn fifteen_thousand_labels_are_read_in_one_pass() {
    const LABELS: usize = 15_000;
    let line = |name: &str| (0..LABELS).map(|i| format!("        - \"backupbot.backup.volumes.{name}{i}.path=a\"\n")).collect();
    let volumes: String = (0..LABELS).map(|i| format!("  v{i}:\n")).collect();
    for (name, mistakes) in [("v", 0), ("x", LABELS)] {
        let labels: String = line(name);
        let compose = format!(
            "services:\n  app:\n    image: a:1\n    volumes: [\"v0:/data\"]\n    deploy:\n      labels:\n        \
             - \"coop-cloud.x.version=1.0.0+1\"\n        - \"backupbot.backup=true\"\n{labels}volumes:\n{volumes}"
        );
        let dir = recipe(&[("compose.yml", &compose)]);
        let files = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        assert_eq!(lint(&files.read().expect("a recipe"), None).len(), mistakes);
        let suggestion = suggest(&files).expect("a suggestion");
        assert_eq!((suggestion.left.len(), suggestion.diff()), (mistakes, String::new()));
    }
}

#[test]
fn suggestions_for_every_wrong_example_leave_only_what_a_person_must_decide() {
    for lesson in lessons() {
        let dir = example(lesson, &lesson.wrong);
        let sources = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let left: Vec<Rule> = suggest(&sources).expect("a suggestion").left.into_iter().map(|m| m.rule).collect();
        let person = [
            Rule::EnabledTwice,
            // A guess could exclude what must be kept.
            Rule::UnknownVolume,
            Rule::PathOfExcluded,
            Rule::BadPath,
            Rule::NothingLeft,
            Rule::StateOutsideVolumes,
            Rule::DumpOutsideVolumes,
            Rule::ToolMissing,
            Rule::PipeHidesFailure,
            Rule::BackupHookAlone,
            Rule::RestoreHookAlone,
            Rule::HookNeverRuns,
            Rule::BadVersion,
            Rule::NoValue,
            Rule::OldVersion,
            Rule::DumpNeverLoaded,
            Rule::DumpLeftOut,
            Rule::RestoreReadsOther,
            Rule::ScriptNotMounted,
            Rule::ScriptNotExecutable,
            Rule::QuoteInHook,
            Rule::NoBash,
            Rule::TwoValues,
            Rule::DumpInOtherForm,
            Rule::ScriptWithoutPart,
            Rule::DatabaseLeftOut,
            Rule::DumpNowhere,
            Rule::RestoreAdds,
            Rule::MaybeDatabase,
            Rule::DatabaseInNoVolume,
            Rule::SecretNotMounted,
            Rule::OffByDefault,
        ];
        assert!(left.iter().all(|r| person.contains(r)), "{}: {left:?}", lesson.code);
    }
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
