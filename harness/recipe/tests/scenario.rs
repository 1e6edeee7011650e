//! Scenarios: everything that is wrong in one is reported together.

use std::collections::BTreeMap;
use std::path::Path;

use recipe::scenario::Scenario;

const COMPOSE: &str = "services:
  app:
    image: app:1
    environment: {A: \"${A}\", B: \"${B:-b}\", C: \"${C:?must}\"}
    volumes: [\"data:/data\", \"cache:/cache\"]
  db:
    image: db:1
volumes:
  data:
  cache:
";

const SPEC: &str = "description = \"An app\"
compose = [\"compose.yml\"]
[[door]]
name = \"http\"
service = \"app\"
port = 80
tls = \"none\"
[[write]]
name = \"a page\"
service = \"app\"
command = [\"make-page\"]
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
why = \"The app makes it again.\"
";

/// A folder of scenarios with one, called `wiki`.
fn scenarios(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(root.path().join("wiki")).expect("made");
    for (name, text) in files {
        std::fs::write(root.path().join("wiki").join(name), text).expect("written");
    }
    root
}

/// The error of a scenario, with paths from the folder of scenarios.
fn error(root: &Path, name: &str) -> String {
    let error = Scenario::load(root, name).expect_err("a wrong scenario").to_string();
    error.replace(&format!("{}/", root.display()), "").replace(&root.display().to_string(), "scenarios")
}

#[test]
fn a_scenario_is_loaded_and_its_variables_are_checked_together() {
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", SPEC), ("inventory.toml", INVENTORY)]);
    let scenario = Scenario::load(root.path(), "wiki").expect("a scenario");
    assert_eq!(scenario.services().into_iter().collect::<Vec<_>>(), ["app", "db"]);
    let error = scenario.check_env(&BTreeMap::new()).expect_err("two have no value").to_string();
    insta::assert_snapshot!("variables_without_a_value", error.replace(&root.path().display().to_string(), ""));
    let env = BTreeMap::from([("A".to_owned(), String::new()), ("C".to_owned(), "c".to_owned())]);
    scenario.check_env(&env).expect("all have a value");
}

#[test]
fn everything_that_does_not_fit_together_is_reported() {
    let spec = SPEC.replace("\"none\"", "\"implicit\"").replace("\"app\"", "\"ap\"")
        + "[[file]]
volume = \"data\"
path = \".\"
[[seed]]
service = \"aap\"
command = [\"true\"]
[[database]]
name = \"main\"
service = \"bd\"
command = [\"psql\"]
dialect = \"postgresql\"
table = []
leave_out = [{table = \"log\", why = \"\"}]
[[pages]]
name = \"ui\"
door = \"web\"
check = [{get = \"x\"}, {get = \"/{tokn}\", expect = \"{emial}\"}]
[restore]
restart = [[\"app\", \"cache\"]]
";
    let inventory = INVENTORY.replace("\"data\"", "\"dat\"").replacen("\"app\"", "\"web\"", 1)
        + "fresh = [\"*\"]
[[volume.path]]
path = \"main.db\"
class = \"durable\"
content = \"rows of mian\"
why = \"It is dumped.\"
[[volume.path]]
path = \"base/*\"
class = \"durable\"
names = \"changing\"
why = \"A server's own.\"
[[mount]]
service = \"ap\"
mount = \"/srv\"
why = \"Nothing is there.\"
";
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &spec), ("inventory.toml", &inventory)]);
    insta::assert_snapshot!("does_not_fit_together", error(root.path(), "wiki"));
}

#[test]
fn only_generated_secrets_can_be_kept_and_named() {
    let spec = SPEC.to_owned() + "[env]\nDB_PASSWORD = \"{secret}\"\nDOMAIN = \"app.test\"\nURL = \"db://{secret.DOMAIN}@db\"\n";
    let secret = |name: &str, keep: &str| format!("[[secret]]\nname = \"{name}\"\nkeep = \"{keep}\"\n");
    let inventory = INVENTORY.to_owned() + &secret("DB_PASWORD", "The dump has it.") + &secret("DB_PASSWORD", " ");
    let faults = "[[fault]]\nname = \"a\"\nwhat = \"A.\"\ngroup = \"restore\"\nrenew = [\"DOMAIN\"]\n";
    let files = [("compose.yml", COMPOSE), ("scenario.toml", &spec), ("inventory.toml", &inventory), ("faults.toml", faults)];
    insta::assert_snapshot!("secrets_that_are_not_generated", error(scenarios(&files).path(), "wiki"));
    let (spec, inventory) = (
        spec.replace("{secret.DOMAIN}", "{secret.DB_PASSWORD}"),
        INVENTORY.to_owned() + &secret("DB_PASSWORD", "The dump has it."),
    );
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &spec), ("inventory.toml", &inventory)]);
    let kept = Scenario::load(root.path(), "wiki").expect("a scenario").inventory.secrets;
    assert_eq!(kept.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["DB_PASSWORD"]);
}

#[test]
fn a_scenario_that_never_writes_to_the_app_is_refused() {
    let spec = SPEC.split("[[write]]").next().expect("what is before it");
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", spec), ("inventory.toml", INVENTORY)]);
    insta::assert_snapshot!("never_writes", error(root.path(), "wiki"));
    let reads = format!(
        "{spec}[users]\nservice = \"app\"\ncreate = [\"c\"]\ndelete = [\"d\"]\n\
         [[pages]]\nname = \"ui\"\ndoor = \"http\"\nwrite = [{{ get = \"/\" }}]\n"
    );
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &reads), ("inventory.toml", INVENTORY)]);
    insta::assert_snapshot!("writes_nothing", error(root.path(), "wiki"));
}

/// What came of one would stand for both; and what is deployed is compared, whatever the inventory says.
#[test]
fn two_of_one_name_and_a_volume_that_is_deployed_after_all_are_reported() {
    let write = SPEC.split_once("[[write]]").map(|(_, write)| format!("[[write]]{write}")).expect("a write");
    let inventory = INVENTORY.replacen("class = \"durable\"", "class = \"durable\"\nnot_deployed = true", 1);
    let spec = SPEC.to_owned() + &write;
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &spec), ("inventory.toml", &inventory)]);
    let error = error(root.path(), "wiki");
    for said in ["two [[write]] are called \"a page\"", "volume \"data\" is deployed by this recipe, so it is to be compared"] {
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_fact_that_would_hide_a_failure_is_reported() {
    let spec = SPEC.to_owned()
        + "[[fact]]
name = \"jobs\"
service = \"app\"
command = [\"sh\", \"-c\", \"list-jobs | sort\"]
may_be_empty = \"A new app has no jobs.\"
[[fact]]
name = \"users\"
service = \"app\"
command = [\"bash\", \"-c\", \"set -o pipefail; list-users | sort\"]
may_be_empty = \" \"
";
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &spec), ("inventory.toml", INVENTORY)]);
    insta::assert_snapshot!("fact_that_hides_a_failure", error(root.path(), "wiki"));
    let whole = spec.replace("list-jobs | sort", "list-jobs").replace("\" \"", "\"none yet\"");
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &whole), ("inventory.toml", INVENTORY)]);
    let scenario = Scenario::load(root.path(), "wiki").expect("a scenario");
    assert_eq!(scenario.spec.may_be_empty(), BTreeMap::from([("jobs", "A new app has no jobs."), ("users", "none yet")]));
}

#[test]
fn every_file_that_cannot_be_parsed_is_reported() {
    let spec = SPEC.replace("[\"compose.yml\"]", "[\"compose.yml\", \"compose.smtp.yml\", \"broken.yml\"]");
    let inventory = INVENTORY.replacen("class = \"durable\"", "class = \"durabel\"", 1);
    let root = scenarios(&[
        ("compose.yml", COMPOSE),
        ("broken.yml", "services: [\n"),
        ("scenario.toml", &spec),
        ("inventory.toml", &inventory),
        ("checks.toml", "mail = \"many\"\n"),
    ]);
    insta::assert_snapshot!("cannot_be_parsed", error(root.path(), "wiki"));
    let root = scenarios(&[("compose.yml", COMPOSE), ("scenario.toml", &(SPEC.to_owned() + "[deadlines]\nconvrge = 1\n"))]);
    insta::assert_snapshot!("unknown_field_and_no_inventory", error(root.path(), "wiki"));
}

#[test]
fn an_unknown_scenario_is_a_usage_error_with_the_nearest_one() {
    let root = scenarios(&[("scenario.toml", SPEC)]);
    insta::assert_snapshot!("unknown_scenario", error(root.path(), "wikki"));
    insta::assert_snapshot!("no_scenarios", error(&root.path().join("wiki"), "x"));
}

const FAULTS: &str = "save = [{ service = \"apps\", run = \"true\" }]
[lost]
pages = [\"pages\", \"gone\"]
[also]
volume-gone = [\"gone\"]
[[fault]]
name = \"page-gone\"
what = \"A page is gone.\"
group = \"content\"
strike = [{ service = \"apps\", script = \"strike.sh\" }]
finds = [\"page {page.key}: lost\", \"gone\"]
[[fault]]
name = \"page-gone\"
what = \"A page is gone.\"
group = \"content\"
strike = [{ database = \"wiki\", sql = \"DELETE\" }]
";

#[test]
fn everything_that_is_wrong_with_faults_is_reported() {
    let files = [("compose.yml", COMPOSE), ("scenario.toml", SPEC), ("inventory.toml", INVENTORY), ("faults.toml", FAULTS)];
    let root = scenarios(&files);
    insta::assert_snapshot!("wrong_faults", error(root.path(), "wiki"));
}
