//! What lint says of small recipes.
#![allow(dead_code, reason = "each test uses its own part of it")]

use recipe::labels::lint::lint;
use recipe::labels::recipe::RecipeFiles;

/// Where PostgreSQL keeps its files.
pub const PGDATA: &str = "/var/lib/postgresql/data";

/// The codes and messages for a service with one volume and these labels.
pub fn all_said(image: &str, mount: &str, extra: &str, labels: &[&str]) -> Vec<String> {
    let labels: String = labels.iter().map(|l| format!("        - {}\n", serde_json::json!(l))).collect();
    let text = format!(
        "services:\n  app:\n    image: {image}\n    volumes: ['data:{mount}', 'cache:/cache']\n{extra}    deploy:\n      labels:\n        - \
         coop-cloud.${{STACK_NAME}}.version=1.0.0+1\n        - backupbot.backup=true\n{labels}volumes:\n  data:\n  cache:\n"
    );
    let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
    lint(&recipe, None).into_iter().map(|m| format!("{} {}", m.rule.lesson().code, m.message)).collect()
}

/// A recipe of several services: each with its image, its mount and its labels.
pub fn lints(services: &[(&str, &str, &str, &[&str])]) -> Vec<String> {
    let one = |(name, image, mount, labels): &(&str, &str, &str, &[&str])| {
        let labels: String = labels.iter().map(|l| format!("        - {}\n", serde_json::json!(l))).collect();
        format!("  {name}:\n    image: {image}\n    volumes: ['{mount}']\n    deploy:\n      labels:\n        - x=y\n{labels}")
    };
    let services: String = services.iter().map(one).collect();
    let volumes = "volumes:\n  data:\n  one:\n  two:\n";
    let text = format!("services:\n{services}{volumes}");
    let recipe = RecipeFiles::default().parse(vec![("compose.yml".into(), text)]).expect("a recipe");
    lint(&recipe, None).into_iter().map(|m| format!("{} {}", m.rule.lesson().code, m.message)).collect()
}

/// The codes alone.
pub fn codes(found: &[String]) -> Vec<&str> {
    found.iter().map(|m| &m[..5]).collect()
}
