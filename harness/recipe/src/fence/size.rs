//! How much a recipe has the engine's managers keep: each object is in the store that production's objects are in too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::files;
use super::reach::{named_files, replicas};
use crate::compose::Compose;
use crate::compose::yaml::Node;
use crate::error::{Problem, Problems, Result};

/// The most objects of a kind.
const MOST: [(&str, usize); 5] = [("services", 100), ("networks", 32), ("volumes", 200), ("secrets", 200), ("configs", 200)];
/// The most containers of all services together.
const MOST_CONTAINERS: u64 = 200;
/// The most bytes of all files of secrets and configs together.
const MOST_BYTES: u64 = 32 << 20;

/// Checks how much compose files that are deployed together make.
///
/// # Errors
/// It is more than a drill makes.
pub fn check(all: &[&Compose], env: &BTreeMap<String, String>) -> Result<()> {
    let mut problems = Problems::default();
    let Some(first) = all.first() else { return Ok(()) };
    let mut add = |message| problems.add(Problem { file: first.file.clone(), line: None, message });
    let entries = |section: &'static str| {
        all.iter()
            .filter_map(move |compose| compose.tree.get(section))
            .flat_map(Node::entries)
            .map(|(name, _, object)| (name, object))
    };
    for (section, most) in MOST {
        let names: BTreeSet<&str> = entries(section).map(|(name, _)| name).collect();
        if names.len() > most {
            add(format!("the recipe has {} {section}; expected at most {most} in a drill", names.len()));
        }
    }
    let mut containers = BTreeMap::<&str, u64>::new();
    for (name, service) in entries("services") {
        let asked = replicas(service, env).and_then(|(asked, _)| asked.parse().ok()).unwrap_or(1);
        let most = containers.entry(name).or_default();
        *most = asked.max(*most);
    }
    let containers = containers.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
    if containers > MOST_CONTAINERS {
        add(format!("the recipe starts {containers} containers; expected at most {MOST_CONTAINERS} in a drill"));
    }
    let size = |compose: &Compose, file: String| {
        let folder = compose.file.parent().unwrap_or_else(|| Path::new("."));
        // What cannot be used is refused elsewhere.
        std::fs::metadata(files::usable(folder, &folder.join(file)).ok()?).ok().map(|m| m.len())
    };
    let of_objects = |compose: &&Compose| {
        let named = named_files(compose, env).into_iter().filter(|(of, ..)| *of != "service");
        named.filter_map(|(.., file)| size(compose, file)).sum::<u64>()
    };
    let bytes: u64 = all.iter().map(of_objects).sum();
    if bytes > MOST_BYTES {
        add(format!("the files of secrets and configs have {bytes} bytes together; expected at most {MOST_BYTES} in a drill"));
    }
    problems.into_result()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(dir: &Path, text: &str) -> String {
        let compose = Compose::parse(&dir.join("compose.yml"), text).expect("valid");
        let env = BTreeMap::from([("MANY".to_owned(), "20".to_owned())]);
        check(&[&compose], &env).map_or_else(|e| e.to_string(), |()| String::new())
    }

    const ONE: &str = "services:\n  app: {image: x}\n";

    #[test]
    fn more_than_a_drill_makes_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("f"), vec![0; 1 << 20]).expect("written");
        let of = |n: usize, object: &str| (0..n).map(|at| format!("  n{at}: {object}\n")).collect::<String>();
        let many = "{image: x, deploy: {replicas: '${MANY}'}}";
        for (text, expected) in [
            (format!("services:\n{}", of(100, "{image: x}")), ""),
            (format!("services:\n{}", of(101, "{image: x}")), "101 services; expected at most 100"),
            (format!("services:\n{}", of(10, many)), ""),
            (format!("services:\n{}", of(11, many)), "starts 220 containers; expected at most 200"),
            (format!("{ONE}configs:\n{}", of(32, "{file: f}")), ""),
            (format!("{ONE}configs:\n{}", of(33, "{file: f}")), "34603008 bytes together"),
            (format!("{ONE}secrets:\n{}", of(201, "{external: true}")), "201 secrets; expected at most 200"),
        ] {
            let said = said(dir.path(), &text);
            assert!(if expected.is_empty() { said.is_empty() } else { said.contains(expected) }, "{said}");
        }
    }
}
