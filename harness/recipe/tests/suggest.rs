//! No wish of an author is lost by a suggestion, however the recipe is written.

use std::collections::BTreeMap;

use proptest::prelude::*;
use recipe::labels::recipe::{Recipe, RecipeFiles};
use recipe::labels::suggest::{Suggestion, suggest};

/// A name and a value.
type Pair = (&'static str, &'static str);

/// Labels as authors write them, and the label that says the same to the bot; none where only the author knows.
const WISHES: &[(&str, &str, Option<Pair>)] = &[
    ("backupbot.backup", "true", Some(("backupbot.backup", "true"))),
    ("backupbot.backup", "True", Some(("backupbot.backup", "true"))),
    ("backupbot.backup", "${ENABLE_BACKUPS:-true}", Some(("backupbot.backup", "true"))),
    ("backupbot.volumes.cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.stack_cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.${STACK_NAME}_cache", "false", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.volumes.cahce", "no", Some(("backupbot.backup.volumes.cache", "false"))),
    ("backupbot.backup.path", "/data/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.volumes.data.path", "/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.volumes.data.path", "/data/keep", Some(("backupbot.backup.volumes.data.path", "keep"))),
    ("backupbot.backup.pre-hook", "/x.sh \\\"a\\\" # b", Some(("backupbot.backup.pre-hook", "/x.sh \\\"a\\\" # b"))),
    ("backupbot.backup.prehook", "it's: so", Some(("backupbot.backup.pre-hook", "it's: so"))),
    ("backupbot.restore.post-hook", "/x.sh ${A:-b}, c", Some(("backupbot.restore.post-hook", "/x.sh b, c"))),
    ("backupbot.backup.command", "pg_dump", None),
    ("backupbot.backup.volumes.nothing", "false", None),
];

/// How the labels of one place are written.
#[derive(Debug, Clone)]
struct Style {
    map: bool,
    quote: char,
    flow: bool,
    comment: bool,
    own_line: bool,
}

fn style() -> impl Strategy<Value = Style> {
    let quote = prop_oneof![Just('"'), Just('\'')];
    (any::<bool>(), quote, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(map, quote, flow, comment, own_line)| Style {
        map,
        quote,
        flow,
        comment,
        own_line,
    })
}

fn quoted(text: &str, quote: char) -> String {
    match quote {
        '\'' => format!("'{}'", text.replace('\'', "''")),
        _ => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// `labels:` with these labels, indented by so much.
fn labels(all: &BTreeMap<&str, &str>, style: &Style, depth: usize, anchor: &str) -> String {
    if all.is_empty() {
        return String::new();
    }
    let one = |(name, value): (&&str, &&str)| match style.map {
        true if name.contains('$') => format!("{}: {}", quoted(name, style.quote), quoted(value, style.quote)),
        true => format!("{name}: {}", quoted(value, style.quote)),
        false => quoted(&format!("{name}={value}"), style.quote),
    };
    let all: Vec<String> = all.iter().map(one).collect();
    if style.flow {
        let (open, close) = if style.map { ('{', '}') } else { ('[', ']') };
        return format!("{:depth$}labels:{anchor} {open}{}{close}\n", "", all.join(", "));
    }
    let inner = depth + 2;
    let dash = if style.map { "" } else { "- " };
    let mut out = format!("{:depth$}labels:{anchor}{}\n", "", if style.comment { " # all of them" } else { "" });
    for line in all {
        if style.own_line {
            out += &format!("{:inner$}# about the next\n", "");
        }
        out += &format!("{:inner$}{dash}{line}{}\n", "", if style.comment { " # why" } else { "" });
    }
    out
}

/// A label's service, where it is written, and which wish it is.
type Wish = (bool, bool, usize);

#[derive(Debug, Clone)]
struct Written {
    wishes: Vec<Wish>,
    styles: Vec<Style>,
    shared: bool,
    last: bool,
    postgres: bool,
    version: bool,
}

fn compose(of: &Written) -> String {
    let at = |db: bool, container: bool| -> BTreeMap<&str, &str> {
        let here = of.wishes.iter().filter(|(d, c, _)| (*d, *c) == (db, container));
        here.map(|(.., wish)| (WISHES[*wish].0, WISHES[*wish].1)).collect()
    };
    let mut out = String::from("version: \"3.8\"\nx-common: &common\n  restart: always # always\nservices:\n");
    for (db, name) in [(false, "app"), (true, "db")] {
        let mut deployed = at(db, false);
        if !db && of.version {
            deployed.insert("coop-cloud.${STACK_NAME}.version", "1.0.0+1");
        }
        let volumes = match (db, of.postgres) {
            (false, _) => "[\"data:/data\", \"cache:/cache\"]",
            (true, true) => "[\"pg:/var/lib/postgresql/data\"]",
            (true, false) => "[\"more:/more\"]",
        };
        let image = if db && of.postgres { "postgres:16" } else { "x/y:1" };
        let container = labels(&at(db, true), &of.styles[usize::from(db)], 4, "");
        let deploy = labels(&deployed, &of.styles[2 + usize::from(db)], 6, "");
        let deploy = if deploy.is_empty() { deploy } else { format!("    deploy: # swarm\n{deploy}") };
        out += &format!("  {name}:\n    <<: *common\n    image: {image}\n    volumes: {volumes}\n");
        out += &if of.last { format!("{deploy}{container}") } else { format!("{container}    networks: [default]\n{deploy}") };
    }
    if of.shared {
        out += "  worker: &w\n    image: x/y:1\n    deploy: &d\n      replicas: 1\n  second:\n    image: x/y:1\n    deploy: *d\n";
    }
    out + "# the volumes\nvolumes:\n  data:\n  cache:\n  more:\n  pg:\n"
}

fn written() -> impl Strategy<Value = Written> {
    let wish = (any::<bool>(), any::<bool>(), 0..WISHES.len());
    let wishes = proptest::collection::vec(wish, 0..6);
    let styles = proptest::collection::vec(style(), 4);
    (wishes, styles, any::<[bool; 4]>()).prop_map(|(mut wishes, styles, [shared, last, postgres, version])| {
        // A place has a name once.
        wishes.sort_by_key(|(d, c, w)| (*d, *c, WISHES[*w].0));
        wishes.dedup_by_key(|(d, c, w)| (*d, *c, WISHES[*w].0));
        Written { wishes, styles, shared, last, postgres, version }
    })
}

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
