//! Recipe folders as they are published: what lint reads of them is what is deployed.

use std::path::Path;

use recipe::labels::recipe::{Recipe, RecipeFiles};

const APP: &str = "services:\n  app:\n    image: x/y:1\n    volumes: [\"data:/data\"]\n    deploy:\n      labels:\n        \
                   - \"coop-cloud.${STACK_NAME}.version=1.0.0+1\"\n        - \"backupbot.backup=true\"\nvolumes:\n  data:\n";
const DB: &str = "services:\n  db:\n    image: postgres:16\n";

/// What is read of a folder with these files: the recipe, and the names of the overlays that are switched off.
fn read(files: &[(&str, &str)]) -> (Recipe, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let found = RecipeFiles::find(&[dir.path().to_owned()]).expect("found");
    let name = |file: &Path| file.file_name().expect("a name").to_string_lossy().into_owned();
    (found.read().expect("read"), found.overlays.iter().map(|f| name(f)).collect())
}

fn services(recipe: &Recipe) -> Vec<&str> {
    recipe.services.keys().map(String::as_str).collect()
}

#[test]
fn a_list_of_compose_files_grows_by_what_is_above() {
    let sample = "TYPE=app\nCOMPOSE_FILE=\"compose.yml\"\nCOMPOSE_FILE=\"$COMPOSE_FILE:compose.db.yml\"\n";
    let (recipe, off) = read(&[("compose.yml", APP), ("compose.db.yml", DB), (".env.sample", sample)]);
    assert_eq!((services(&recipe), off), (vec!["app", "db"], vec![]));
}

#[test]
fn an_overlay_that_is_commented_out_is_off_and_known() {
    for off in ["#COMPOSE_FILE=\"$COMPOSE_FILE:compose.db.yml\"", "  # COMPOSE_FILE=compose.yml:compose.db.yml", ""] {
        let sample = format!("COMPOSE_FILE=\"compose.yml\"\n{off}\n");
        let (recipe, overlays) = read(&[("compose.yml", APP), ("compose.db.yml", DB), (".env.sample", &sample)]);
        assert_eq!((services(&recipe), overlays), (vec!["app"], vec!["compose.db.yml".to_owned()]), "{off}");
    }
}

#[test]
fn a_comment_behind_a_value_is_no_part_of_it() {
    for line in ["\"compose.yml\"  # add compose.db.yml for postgres", "compose.yml # add \"compose.db.yml\"", "'compose.yml' #x"]
    {
        let (recipe, _) = read(&[("compose.yml", APP), (".env.sample", &format!("COMPOSE_FILE={line}\n"))]);
        assert_eq!(services(&recipe), ["app"], "{line}");
    }
}

#[test]
fn compose_files_have_other_usual_names() {
    for name in ["compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml"] {
        let (recipe, _) = read(&[(name, APP)]);
        assert_eq!(services(&recipe), ["app"], "{name}");
        assert!(recipe.files[0].ends_with(name));
    }
}

#[test]
fn versions_that_the_script_exports_are_values() {
    let compose = APP.replace("x/y:1", "x/y:${APP_VERSION}");
    let files = [("compose.yml", compose.as_str()), ("abra.sh", "#!/bin/bash\nexport APP_VERSION=v7 # of the config\n")];
    let (recipe, _) = read(&files);
    assert_eq!(recipe.services["app"].image.as_deref(), Some("x/y:v7"));
}
