use recipe::labels::rules::{Rule, lessons};

use super::*;

fn catalogue(scenario: &str) -> Vec<Arc<Fault>> {
    let scenarios = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
    of(&Scenario::load(scenarios, scenario).expect("a scenario"))
}

#[test]
fn names_are_unique_and_found() {
    for scenario in ["mailu", "davical", "radicale"] {
        let all = catalogue(scenario);
        let names: BTreeSet<&str> = all.iter().map(|f| f.name()).collect();
        assert_eq!(names.len(), all.len(), "{scenario}");
        for group in Group::ALL {
            assert!(all.iter().any(|f| f.group() == group), "{scenario}: {group}");
        }
        assert!(all.len() >= 35, "{scenario} has {} faults", all.len());
    }
    let all = catalogue("mailu");
    assert_eq!(find(&all, "mail-excluded").expect("in the catalogue").group(), Group::Labels);
    assert!(find(&all, "mail-excludet").expect_err("a typo").to_string().contains("did you mean mail-excluded?"));
}

#[test]
fn each_secret_that_is_kept_has_a_fault_that_renews_it() {
    let renewed = |scenario: &str| catalogue(scenario).iter().flat_map(|f| f.declared.renew.clone()).collect::<Vec<_>>();
    assert_eq!(renewed("davical"), ["DB_PASSWORD"]);
    assert_eq!(renewed("radicale"), [""; 0]);
    let fault = find(&catalogue("davical"), "db-password-not-kept").expect("derived");
    assert!(fault.declared.finds.contains(&Expected::Finding("secret DB_PASSWORD: lost".into())) && fault.declared.tried);
}

#[test]
fn every_fault_is_a_sentence() {
    for scenario in ["mailu", "davical", "radicale"] {
        for fault in catalogue(scenario) {
            let what = fault.what();
            assert!(
                what.ends_with('.') && what.starts_with(|c: char| c.is_uppercase() || !c.is_alphabetic())
                    || what.starts_with("backupbot"),
                "{scenario}: {}: {what}",
                fault.name()
            );
        }
    }
}

/// Rules whose mistakes are not deployed by a fault of their own, and why.
const ONLY_READ: [(Rule, &str); 25] = [
    (Rule::BackupHookAlone, "it is dump-never-loaded of a hook that is not seen to write a dump"),
    (Rule::LeadingSlash, "bots differ in what they make of it"),
    (Rule::OldVersion, "the label is missing, as in version-absent"),
    (Rule::DatabaseWithoutDump, "the app has no database server; database-copied-live is the same of a file"),
    (Rule::DumpNeverLoaded, "backup-hook-alone"),
    (Rule::DumpLeftOut, "path-misspelt: the dump is there, and not taken"),
    (Rule::RestoreReadsOther, "the hook fails, as in restore-hook-alone"),
    (Rule::ScriptNotMounted, "the hook fails, as in hook-tool-missing"),
    (Rule::ScriptNotExecutable, "the hook fails, as in hook-tool-missing"),
    (Rule::QuoteInHook, "it depends on the bot"),
    (Rule::NoBash, "it depends on the bot, and on the image"),
    (Rule::TwoValues, "Docker takes one of the values, so that it is the same as a wrong one"),
    (Rule::DumpInOtherForm, "the hook fails, as in restore-hook-alone"),
    (Rule::ScriptWithoutPart, "the hook fails, as in hook-tool-missing"),
    (Rule::DatabaseLeftOut, "the app has no database server; a volume left out is the same of files"),
    (Rule::DumpNowhere, "the dump is missing, as in hook-tool-missing"),
    (Rule::RestoreAdds, "the app has no database server"),
    (Rule::MaybeDatabase, "the app has no database server; database-copied-live is the same of a file"),
    (Rule::BlankInPaths, "bots differ in what they make of it"),
    (Rule::NeedlessVolume, "the volume is backed up with it and without it"),
    (Rule::DatabaseInNoVolume, "no stand-in has a database server without its volume; data-in-no-volume is the same of files"),
    (Rule::SecretNotMounted, "the hook fails, as in hook-tool-missing"),
    (Rule::ItemWithoutEquals, "the label has another name, as in label-misspelt"),
    (Rule::SingleDollar, "the hook gets other arguments, as in variable-without-value"),
    (Rule::OffByDefault, "bots differ in what they make of it; labels-absent is the same of one that goes by the specification"),
];

#[test]
fn every_rule_of_lint_has_a_fault_that_is_deployed() {
    let all = catalogue("mailu");
    let deployed: BTreeSet<&str> = all.iter().flat_map(|f| &f.declared.lint).map(String::as_str).collect();
    for lesson in lessons() {
        let is_deployed = deployed.contains(lesson.name.to_string().as_str());
        assert!(is_deployed || ONLY_READ.iter().any(|(rule, _)| *rule == lesson.name), "{}", lesson.code);
    }
}

/// What lint says of a recipe is known without an engine.
#[test]
fn lint_finds_exactly_what_each_fault_of_labels_says() {
    let corpus = Corpus::new(1, seeds::Profile::named("tiny").expect("built in"));
    let mut wrong = Vec::new();
    for name in ["mailu", "davical", "radicale"] {
        let scenarios = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
        let scenario = Scenario::load(scenarios, name).expect("a scenario");
        let sources = recipe::labels::recipe::RecipeFiles::find(std::slice::from_ref(&scenario.dir)).expect("found");
        let unchanged = recipe::labels::lint::lint(&sources.read().expect("a recipe"), None);
        assert!(!recipe::labels::lint::is_error(&unchanged), "{name}: {unchanged:?}");
        for fault in of(&scenario).iter().filter(|f| f.group() == Group::Labels) {
            let edits = hooks::Fault::edits(&**fault, &corpus);
            let base = fault.declared.lint.iter().any(|rule| rule == "version-not-bumped");
            let expected: BTreeSet<String> = fault.declared.lint.iter().filter_map(|rule| lint::rule(rule)).collect();
            let found = lint::linted(&scenario, &edits, base).expect("linted");
            if found != expected {
                wrong.push((name, fault.name().to_owned(), expected, found));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A scenario of one service, one volume, files and pages, without a database: what is derived of it, whole.
#[test]
fn the_catalogue_of_a_small_scenario() {
    let expected = [
        (
            Group::Labels,
            "users-left-out collections-left-out labels-absent backup-label-on-container backup-value-not-exact container-path volume-misspelt volume-with-stack-prefix label-misspelt exclusion-value-not-exact path-outside-volume path-misspelt everything-excluded state-outside-volumes version-absent version-malformed version-not-bumped variable-without-value",
        ),
        (
            Group::Backup,
            "link-out-of-the-volume partial-snapshot-said-good repository-disk-full repository-locked repository-locked-after-backup pack-truncated pack-flipped index-removed snapshot-forgotten password-changed other-stack-latest bot-killed",
        ),
        (
            Group::Restore,
            "wipe-skipped collections-of-root restore-skipped restored-into-wrong-stack restored-twice restore-interrupted restored-elsewhere older-snapshot-restored data-owners-lost data-restored-over-newer",
        ),
        (
            Group::Content,
            "attributes-of-files-lost time-precision name-turned-into-another names-not-utf8-collapse other-kinds-lost other-kinds-altered folder-times-lost folders-of-root data-file-altered data-file-gone data-file-added data-mode-changed data-owner-changed data-mtime-changed data-fraction-lost data-xattr-added data-file-linked data-folder-added calendar-and-address-book-1-gone calendar-and-address-book-2-gone",
        ),
    ];
    let all = catalogue("radicale");
    for (group, names) in expected {
        let of: Vec<&str> = all.iter().filter(|f| f.group() == group).map(|f| f.name()).collect();
        assert_eq!(of.join(" "), names, "{group}");
    }
}

/// Of a table that takes no copy of a row no row is doubled; struck together, each table of a database is in one fault.
#[test]
fn rows_are_struck_table_by_table_or_together() {
    let names = |scenario: &str, part: &str| {
        let all = catalogue(scenario);
        all.iter().map(|f| f.name().to_owned()).filter(|name| name.contains(part)).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names("davical", "-usr-row-"), "davical-usr-row-gone davical-usr-row-altered davical-usr-row-added");
    assert_eq!(
        names("davical", "addressbook_resource-row-"),
        ["gone", "altered", "added", "doubled"].map(|word| format!("davical-addressbook_resource-row-{word}")).join(" ")
    );
    assert_eq!(
        names("mailu", "main.db-"),
        "main.db-rows-gone main.db-rows-altered main.db-rows-added main.db-rows-doubled main.db-objects-changed"
    );
}
