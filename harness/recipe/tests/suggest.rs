//! No wish of an author is lost by a suggestion, however the recipe is written.

mod written;

use proptest::prelude::*;
use recipe::labels::recipe::{Recipe, RecipeFiles};
use recipe::labels::suggest::{Suggestion, suggest};

use written::{WISHES, compose, written};

/// Whether something is said of a label, by its name.
fn is_told(suggestion: &Suggestion, name: &str) -> bool {
    let left = suggestion.left.iter().any(|m| m.message.contains(name));
    left || suggestion.by_hand.iter().any(|line| line.contains(name))
}

fn deployed(recipe: &Recipe, name: &str, value: &str) -> bool {
    recipe.labels().any(|(.., l)| l.name == name && l.value == value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_wish_is_kept_or_told(of in written()) {
        let text = compose(&of);
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("compose.yml");
        std::fs::write(&file, &text).expect("written");
        let found = || RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let before = found().read();
        prop_assert!(before.is_ok(), "{text}\n{before:?}");
        let suggestion = suggest(&found()).expect("a suggestion");
        suggestion.write().expect("written");
        let new = std::fs::read_to_string(&file).expect("a file");
        let after = found().read();
        prop_assert!(after.is_ok(), "{new}\n{after:?}");
        let after = after.expect("read");

        for (.., wish) in &of.wishes {
            let (name, value, meant) = WISHES[*wish];
            let kept = meant.is_some_and(|(name, value)| deployed(&after, name, value));
            let shown = name.replace("${STACK_NAME}", "stack");
            prop_assert!(kept || is_told(&suggestion, name) || is_told(&suggestion, &shown), "{name}={value} is lost:\n{text}\n{new}\n{:?}", suggestion.by_hand);
        }
        // Every comment of its own line is still there.
        let comments = |text: &str| text.lines().filter(|l| l.trim_start().starts_with('#')).count();
        prop_assert_eq!(comments(&new), comments(&text), "{}", new);
        let again = suggest(&found()).expect("again");
        prop_assert_eq!(again.diff(), "", "{}", new);
    }
}

/// However the service is written, it gets the switch, or it is said why not; and nothing else of it changes.
#[test]
fn labels_are_added_to_a_service_in_any_form() {
    for (service, is_made) in [
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:  # swarm only\n      replicas: 1\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy: {replicas: 1} # c\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy: {}\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n", true),
        ("  app:\n    image: x/y:1\n    deploy: *deploy # c\n    volumes: [\"data:/data\"]\n", true),
        (
            "  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n      labels: [] # none\n      replicas: 1\n",
            true,
        ),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n      labels: {}\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n      labels: # none\n      replicas: 1\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n        labels: [a=1, 'b=2']\n", true),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n        labels: {a: 1, b: 'two'} # c\n", true),
        (
            "  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n        labels:\n        - a=1\n        - b=2 # c\n",
            true,
        ),
        ("  app:\n    <<: *base\n    volumes: [\"data:/data\"]\n", false),
        ("  app: {image: \"x/y:1\", volumes: [\"data:/data\"]}\n", false),
        ("  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]", true),
    ] {
        let text = format!(
            "x-deploy: &deploy\n  replicas: 2\nx-base: &base\n  image: x/y:1\n  deploy:\n    labels: [a=1]\nvolumes:\n  data:\nservices:\n  other:\n    <<: *base\n    deploy: *deploy\n  third:\n    <<: *base\n{service}"
        );
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("compose.yml"), &text).expect("written");
        let found = || RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
        let suggestion = suggest(&found()).expect("a suggestion");
        suggestion.write().expect("written");
        let after = found().read().expect("read");
        let new = std::fs::read_to_string(dir.path().join("compose.yml")).expect("a file");
        assert_eq!(deployed(&after, "backupbot.backup", "true"), is_made, "{service}\n{new}\n{:?}", suggestion.by_hand);
        assert_eq!(suggestion.by_hand.is_empty(), is_made, "{service}: {:?}", suggestion.by_hand);
        assert_eq!(suggest(&found()).expect("again").diff(), "", "{new}");
    }
}

/// A recipe's folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    dir
}

fn found(dir: &tempfile::TempDir) -> RecipeFiles {
    RecipeFiles::find(&[dir.path().to_owned()]).expect("found")
}

#[test]
fn a_label_for_an_overlays_volume_is_right_in_the_base_file() {
    let base = "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\n    deploy:\n      labels:\n        - backupbot.backup=true\n        \
                - coop-cloud.${STACK_NAME}.version=1.0.0+1\nvolumes:\n  data:\n";
    let overlay = "services:\n  app:\n    volumes: ['cache:/cache']\nvolumes:\n  cache:\n";
    let entry = |name: &str, class: &str| {
        format!("[[volume]]\nname = '{name}'\nservice = 'app'\nmount = '/{name}'\nclass = '{class}'\nwhy = 'so'\n")
    };
    let inventory = entry("data", "durable") + &entry("cache", "cache");
    let dir = folder(&[("compose.yml", base), ("compose.cache.yml", overlay), ("inventory.toml", &inventory)]);
    let suggestion = suggest(&found(&dir)).expect("a suggestion");
    assert!(suggestion.diff().contains("+        - backupbot.backup.volumes.cache=false"), "{}", suggestion.diff());
    assert!(suggestion.left.is_empty(), "{:?}", suggestion.left);
    suggestion.write().expect("written");
    assert_eq!(suggest(&found(&dir)).expect("again").diff(), "");
}

#[test]
fn a_switch_of_an_overlay_stays_in_it() {
    let base =
        "services:\n  app:\n    image: x/y:1\n    deploy:\n      labels:\n        - coop-cloud.${STACK_NAME}.version=1.0.0+1\n";
    for switch in ["backupbot.backup=true", "backupbot.backup=True"] {
        let overlay = format!(
            "services:\n  db:\n    image: x/z:1\n    volumes: ['data:/data']\n    deploy:\n      labels:\n        - {switch}\nvolumes:\n  data:\n"
        );
        let dir = folder(&[("compose.yml", base), ("compose.db.yml", &overlay)]);
        suggest(&found(&dir)).expect("a suggestion").write().expect("written");
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
        assert!(!text("compose.yml").contains("backupbot"), "{}", text("compose.yml"));
        assert!(text("compose.db.yml").contains("backupbot.backup=true"), "{}", text("compose.db.yml"));
    }
}

#[test]
fn a_switch_with_a_variable_that_is_off_does_not_switch_backup_on() {
    let text = "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\n    labels:\n      - backupbot.backup=true\n    deploy:\n      \
                labels:\n        - coop-cloud.${STACK_NAME}.version=1.0.0+1\n  db:\n    image: x/z:1\n    deploy:\n      labels:\n        \
                - backupbot.backup=${ON:-false}\n  web:\n    image: x/w:1\n    deploy:\n      labels:\n        - \
                backupbot.backup=${ON:-false}\nvolumes:\n  data:\n";
    let suggestion = suggest(&found(&folder(&[("compose.yml", text)]))).expect("a suggestion");
    assert!(!suggestion.said.iter().any(|line| line.contains("switches backup on")), "{:?}", suggestion.said);
}

#[test]
fn a_compose_file_that_is_a_link_stays_one() {
    let text = "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\nvolumes:\n  data:\n";
    let dir = folder(&[("base.yaml", text)]);
    let link = dir.path().join("compose.yml");
    std::os::unix::fs::symlink("base.yaml", &link).expect("a link");
    suggest(&RecipeFiles { files: vec![link.clone()], ..RecipeFiles::default() })
        .expect("a suggestion")
        .write()
        .expect("written");
    assert!(link.symlink_metadata().expect("there").is_symlink());
    assert!(std::fs::read_to_string(dir.path().join("base.yaml")).expect("a file").contains("backupbot.backup=true"));
}

#[test]
fn a_label_moves_into_a_list_in_one_line_that_loses_its_only_one() {
    for list in ["[\"backupbot.restore=true\"]", "{backupbot.restore: \"true\"}", "['backupbot.restore=true', ]"] {
        let text = format!(
            "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\n    labels: ['backupbot.backup=true']\n    deploy:\n      labels: {list} # c\nvolumes:\n  data:\n"
        );
        let dir = folder(&[("compose.yml", &text)]);
        let suggestion = suggest(&found(&dir)).expect("a suggestion");
        assert_eq!(suggestion.by_hand, Vec::<String>::new(), "{list}");
        suggestion.write().expect("written");
        assert_eq!(suggest(&found(&dir)).expect("again").diff(), "");
    }
}

const VERSION: &str = "coop-cloud.${STACK_NAME}.version=1.0.0+1";

/// What a suggestion makes of a compose file; it is written, and there is nothing left to suggest.
fn suggested(text: &str) -> (Suggestion, String) {
    let dir = folder(&[("compose.yml", text)]);
    let suggestion = suggest(&found(&dir)).expect("a suggestion");
    suggestion.write().expect("written");
    assert_eq!(suggest(&found(&dir)).expect("again").diff(), "", "{text}");
    let new = std::fs::read_to_string(dir.path().join("compose.yml")).expect("a file");
    (suggestion, new)
}

#[test]
fn a_database_gets_its_dump_wherever_its_labels_are() {
    let app = format!("  app:\n    image: x/y:1\n    deploy:\n      labels: [\"{VERSION}\", \"backupbot.backup=true\"]\n");
    let db = "  db:\n    image: postgres:16\n    volumes: [\"pg:/var/lib/postgresql/data\"]\n";
    for deploy in [
        "",
        "    deploy:\n      labels:\n        - \"a=b\"\n",
        "    deploy:\n      labels:\n        a: \"b\"\n",
        "    deploy: {}\n",
    ] {
        for (before, after) in [("volumes:\n  pg:\n", ""), ("", "volumes:\n  pg:\n"), ("volumes:\n  pg:\n", "...\n")] {
            let (suggestion, new) = suggested(&format!("{before}services:\n{app}{db}{deploy}{after}"));
            assert_eq!((suggestion.by_hand, suggestion.left), (vec![], vec![]), "{deploy}{after}{new}");
        }
    }
}

#[test]
fn no_mapping_is_left_without_a_key() {
    for (part, expected) in [
        (
            "x-b: &b\n  labels: # c\n    backupbot.backup: \"true\"\nservices:\n  app:\n    <<: [*b]\n",
            "  labels: {} # c\nservices",
        ),
        ("x-b: &b\n  labels:\n    - backupbot.backup=true\nservices:\n  app:\n    <<: *b\n", "  labels: []\nservices"),
        (
            "services:\n  db:\n    labels:\n      - backupbot.restore=true\n    # c\n  app:\n",
            "  db:\n    labels: []\n    # c\n  app:",
        ),
        (
            "services:\n  db:\n    deploy:\n      labels:\n        - backupbot.restore=true\n  app:\n",
            "  db:\n    deploy: {}\n  app:",
        ),
    ] {
        let (_, new) = suggested(&format!(
            "{part}    image: x/y:1\n    volumes: ['data:/data']\n    deploy:\n      labels: ['{VERSION}', a=b]\nvolumes:\n  data:\n"
        ));
        assert!(new.contains(expected), "{new}");
    }
}

#[test]
fn a_label_that_services_share_is_written_once_for_all_of_them() {
    let (suggestion, new) = suggested(&format!(
        "x-labels: &labels\n  - \"{VERSION}\"\n  - backupbot.volumes.cache=false\nservices:\n  app: &app\n    image: x/y:1\n    volumes: \
         ['data:/data', 'cache:/cache']\n    deploy:\n      labels: *labels\n  worker:\n    <<: *app\nvolumes:\n  data:\n  cache:\n"
    ));
    assert!(new.contains("  - backupbot.backup.volumes.cache=false\n"), "{new}");
    let [switch] = &suggestion.by_hand[..] else { panic!("{:?}", suggestion.by_hand) };
    assert!(switch.ends_with("comes from an anchor that worker has too"), "{switch}");
}

#[test]
fn versions_keep_their_style_and_a_refusal_names_what_was_not_done() {
    let labels = "backupbot.volumes.cache: !!str false\n";
    for (version, expected) in
        [("1.0.0+1", Some(": 1.0.1+1\n")), ("\"1.0.0+1\"", Some(": \"1.0.1+1\"\n")), ("!!str 1.0.0+1", None)]
    {
        let (suggestion, new) = suggested(&format!(
            "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data', 'cache:/cache']\n    deploy:\n      labels:\n        \
             coop-cloud.${{STACK_NAME}}.version: {version}\n        backupbot.backup: 'true'\n        {labels}volumes:\n  data:\n  cache:\n"
        ));
        match expected {
            Some(expected) => assert!(new.contains(expected), "{new}"),
            None => {
                let [line] = &suggestion.by_hand[..] else { panic!("{:?}", suggestion.by_hand) };
                assert!(line.contains("compose.yml:7:9: the version becomes 1.0.1+1: by hand"), "{line}");
            }
        }
    }
}

#[test]
fn what_is_said_of_a_label_of_several_lines_is_one_line() {
    let (suggestion, _) = suggested(
        "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\n    labels:\n      backupbot.backup: 'true'\n      \
         backupbot.backup.pre-hook: |\n        a\n        b\nvolumes:\n  data:\n",
    );
    assert!(suggestion.said.iter().all(|line| !line.contains('\n')), "{:?}", suggestion.said);
}

#[test]
fn a_hook_that_is_there_is_never_overruled_by_a_new_one() {
    for hook in ["", "echo start", "rm -f /old"] {
        let (_, new) = suggested(&format!(
            "services:\n  app:\n    image: postgres:16\n    volumes: ['data:/var/lib/postgresql/data']\n    deploy:\n      labels:\n        \
             - {VERSION}\n        - backupbot.backup=true\n        - backupbot.backup.pre-hook={hook}\nvolumes:\n  data:\n"
        ));
        assert!(!new.contains("pg_backup"), "{new}");
    }
}

#[test]
fn labels_with_a_misspelt_beginning_are_mended_or_told() {
    let (suggestion, new) = suggested(&format!(
        "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data', 'cache:/cache']\n    deploy:\n      labels:\n        - {VERSION}\n        \
         - Backupbot.Backup=true\n        - backup-bot.volumes.cache=false\n        - backup_bot.backup.exclude=/data/tmp\nvolumes:\n  data:\n  cache:\n"
    ));
    assert!(new.contains("- backupbot.backup=true\n        - backupbot.backup.volumes.cache=false\n"), "{new}");
    assert!(is_told(&suggestion, "backup_bot.backup.exclude"), "{:?}", suggestion.left);
}

const SWITCH: &str =
    "  app:\n    image: x/y:1\n    deploy:\n      labels: ['coop-cloud.${STACK_NAME}.version=1.0.0+1', backupbot.backup=true]\n";

fn postgres(name: &str) -> String {
    format!("  {name}:\n    image: postgres:16\n    volumes: ['{name}:/var/lib/postgresql/data']\n")
}

#[test]
fn two_servers_share_one_script() {
    let volumes = "volumes:\n  one:\n  two:\n";
    let once = |text: &str| text.matches("\n  pg_backup:\n").count() == 1 && text.matches("- source: pg_backup\n").count() == 2;
    let (suggestion, new) = suggested(&format!("services:\n{SWITCH}{}{}{volumes}", postgres("one"), postgres("two")));
    assert_eq!((suggestion.by_hand, suggestion.left), (vec![], vec![]), "{new}");
    assert!(once(&new), "{new}");

    // The second server comes when the first one has its script.
    let dir = folder(&[("compose.yml", &format!("services:\n{SWITCH}{}{volumes}", postgres("one")))]);
    suggest(&found(&dir)).expect("a suggestion").write().expect("written");
    let file = dir.path().join("compose.yml");
    let text =
        std::fs::read_to_string(&file).expect("a file").replace("\nvolumes:\n", &format!("\n{}volumes:\n", postgres("two")));
    std::fs::write(&file, text).expect("written");
    let suggestion = suggest(&found(&dir)).expect("a suggestion");
    assert_eq!((&suggestion.others, &suggestion.by_hand), (&vec![], &vec![]));
    suggestion.write().expect("written");
    let new = std::fs::read_to_string(&file).expect("a file");
    assert!(once(&new), "{new}");
    assert_eq!(suggest(&found(&dir)).expect("again").diff(), "");
}

#[test]
fn each_of_two_alternative_overlays_gets_its_own_dump() {
    let base = format!("services:\n{SWITCH}");
    let overlay = |image: &str, mount: &str| {
        format!("services:\n  db:\n    image: {image}\n    volumes: ['{mount}']\nvolumes:\n  {}:\n", &mount[..2])
    };
    let files = [
        ("compose.yml", base),
        ("compose.mariadb.yml", overlay("mariadb:10.11", "my:/var/lib/mysql")),
        ("compose.postgres.yml", overlay("postgres:13", "pg:/var/lib/postgresql/data")),
        (".env.sample", "COMPOSE_FILE=compose.yml:compose.mariadb.yml\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    for files in [&files[..], &files[..3]] {
        let dir = folder(files);
        let suggestion = suggest(&found(&dir)).expect("a suggestion");
        assert_eq!((&suggestion.by_hand, &suggestion.left), (&vec![], &vec![]));
        suggestion.write().expect("written");
        let text = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
        let (mariadb, postgres) = (text("compose.mariadb.yml"), text("compose.postgres.yml"));
        assert!(mariadb.contains("/mariadb_backup.sh backup") && !mariadb.contains("pg_backup"), "{mariadb}");
        assert!(postgres.contains("/pg_backup.sh backup") && !postgres.contains("mariadb_backup"), "{postgres}");
        assert_eq!(suggest(&found(&dir)).expect("again").diff(), "");
    }
}

#[test]
fn only_images_whose_variables_are_known_get_a_script() {
    for image in ["docker.io/bitnami/postgresql:15", "timescale/timescaledb:2.14-pg15", "x/own-postgres:1"] {
        let text = format!("services:\n{SWITCH}{}volumes:\n  one:\n", postgres("one"));
        let mount = if image.contains("bitnami") { "/bitnami/postgresql" } else { "/var/lib/postgresql/data" };
        let (suggestion, new) = suggested(&text.replace("postgres:16", image).replace("/var/lib/postgresql/data", mount));
        assert!(!new.contains("pg_backup") && suggestion.left.len() == 1, "{new}\n{:?}", suggestion.left);
    }
}

#[test]
fn comments_stay_with_what_they_are_about() {
    let (_, new) = suggested(
        "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data', 'cache:/cache']\n    labels:\n      # what the bot needs\n      - \
         \"backupbot.backup=true\"   # on\n      - \"backupbot.backup.volumes.cache=false\" # thumbnails\n      - \"a=1\" # mine\n    \
         deploy:\n      labels:\n        - \"coop-cloud.${STACK_NAME}.version=1.0.0+1\" # renovate\nvolumes:\n  data:\n  cache:\n",
    );
    for line in [
        "        - \"backupbot.backup=true\"   # on\n",
        "        - \"backupbot.backup.volumes.cache=false\" # thumbnails\n",
        "      - \"a=1\" # mine\n",
        "        - \"coop-cloud.${STACK_NAME}.version=1.0.1+1\" # renovate\n",
    ] {
        assert!(new.contains(line), "{line}{new}");
    }
    // A comment at the beginning of a line is no end of the service.
    let db = postgres("one").replace("    volumes", "# to do: a health check\n    volumes");
    let (suggestion, new) = suggested(&format!("services:\n{SWITCH}{db}volumes:\n  one:\n"));
    assert_eq!((suggestion.by_hand, suggestion.left), (vec![], vec![]), "{new}");
    assert!(new.contains("/pg_backup.sh backup") && new.contains("\n# to do: a health check\n"), "{new}");
}

#[test]
fn nothing_is_dumped_where_nobody_can_log_in() {
    let db = |user: &str| {
        let environment = format!("{{MYSQL_RANDOM_ROOT_PASSWORD: '1'{user}}}");
        format!("  db:\n    image: mysql:8\n    environment: {environment}\n    volumes: ['my:/var/lib/mysql']\n")
    };
    for (user, is_made) in [("", false), (", MYSQL_USER: app", true)] {
        let (suggestion, new) = suggested(&format!("services:\n{SWITCH}{}volumes:\n  my:\n", db(user)));
        assert_eq!(new.contains("/mysql_backup.sh backup"), is_made, "{new}");
        let says =
            suggestion.by_hand.iter().any(|line| line.ends_with("the password of root is random, and there is no other account"));
        assert_eq!(says, !is_made, "{:?}", suggestion.by_hand);
    }
}

/// Of two labels about one volume that contradict each other, the one that has effect goes on having it, also if lint is asked again.
#[test]
fn a_label_without_effect_does_not_overrule_one_that_has_it() {
    let text = |container: &str, deployed: &str| {
        format!(
            "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data', 'cache:/cache']\n    labels: [{container}]\n    deploy:\n      \
             labels:\n        - {VERSION}\n        - backupbot.backup=true\n        - backupbot.backup.volumes.cache=true\n{deployed}\
             volumes:\n  data:\n  cache:\n"
        )
    };
    for (container, deployed) in
        [("backupbot.backup.volumes.cache=false", ""), ("", "        - backupbot.volumes.cache=false\n"), ("", "")]
    {
        let (_, new) = suggested(&text(container, deployed));
        let is_contested = !container.is_empty() || !deployed.is_empty();
        assert_eq!(new.contains("- backupbot.backup.volumes.cache=true"), is_contested, "{new}");
        assert!(!new.contains("- backupbot.backup.volumes.cache=false"), "{new}");
    }
}

#[test]
fn paths_with_colons_or_semicolons_between_them_are_not_one_path() {
    for paths in ["/data/up:/data/conf", "/data/up;/data/conf"] {
        let (_, new) = suggested(&format!(
            "services:\n  app:\n    image: x/y:1\n    volumes: ['data:/data']\n    deploy:\n      labels:\n        - {VERSION}\n        \
             - backupbot.backup=true\n        - backupbot.backup.path={paths}\nvolumes:\n  data:\n"
        ));
        assert!(!new.contains("volumes.data.path"), "{new}");
    }
}
