//! What services of a recipe name and no file declares: docker refuses it, one at a time and when the images are built.

use super::Compose;
use super::mount;
use super::yaml::Node;
use crate::error::{Problem, Problems, Result};

/// The sections of which services name entries, and what an entry is called.
const SECTIONS: [(&str, &str); 4] =
    [("networks", "network"), ("volumes", "volume"), ("secrets", "secret"), ("configs", "config")];
/// The network that every stack has.
const DEFAULT: &str = "default";

/// Checks that each network, volume, secret and config of a service is declared in one of the files, which are merged.
///
/// # Errors
/// Everything that is not, with file and line.
pub fn check(all: &[Compose]) -> Result<()> {
    let mut problems = Problems::default();
    for compose in all {
        for (service, _, node) in compose.tree.get("services").into_iter().flat_map(Node::entries) {
            for (section, word) in SECTIONS {
                let named = node.get(section).map(|list| named(section, list)).unwrap_or_default();
                for (name, line) in named.into_iter().filter(|(name, _)| !is_declared(all, section, name)) {
                    let message = format!("{service}: {word} {name:?} is not declared; add it under {section}, at the top level");
                    problems.add(Problem { file: compose.file.clone(), line: Some(line), message });
                }
            }
        }
    }
    problems.into_result()
}

fn is_declared(all: &[Compose], section: &str, name: &str) -> bool {
    (section == "networks" && name == DEFAULT) || all.iter().any(|c| c.names(section).any(|declared| declared == name))
}

/// The entries of a section that a service's list names, each with its line. A name with a variable in it is left to docker.
fn named(section: &str, list: &Node) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    if section == "networks" {
        all.extend(list.entries().map(|(name, key, _)| (name.to_owned(), key.line)));
    }
    for item in list.items() {
        let name = match item.scalar() {
            Some(text) if section == "volumes" => mount::source(&text).filter(|s| mount::is_volume(s)).map(str::to_owned),
            Some(text) => Some(text),
            None => {
                let is_volume = section != "volumes" || item.get("type").and_then(Node::text) == Some("volume");
                item.get("source").filter(|_| is_volume).and_then(Node::scalar)
            }
        };
        all.extend(name.filter(|name| !name.is_empty() && !name.contains('$')).map(|name| (name, item.line)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_no_file_declares_is_named_with_its_line() {
        let parse = |name: &str, text: &str| Compose::parse(Path::new(name), text).expect("valid");
        let first = parse(
            "a.yml",
            "services:\n  app:\n    image: x\n    networks: [default, proxy, lan]\n    secrets:\n      - db\n      - {source: key, target: k}\n    \
             volumes: ['data:/d', './own:/o', '/anon', 'gone:/g', {type: volume, source: more, target: /m}, '${V}:/v']\n    \
             configs: [{source: conf, target: /c}]\nvolumes:\n  data:\nnetworks:\n  proxy: {external: true}\n",
        );
        let second = parse(
            "b.yml",
            "services:\n  app:\n    networks: {lan: {aliases: [a]}, wan: }\nsecrets: {db: {external: true}}\nnetworks: {lan: }\n",
        );
        let said = check(&[first, second]).expect_err("five").to_string();
        let expected = [
            "5 problems:",
            "  a.yml:7: app: secret \"key\" is not declared; add it under secrets, at the top level",
            "  a.yml:8: app: volume \"gone\" is not declared; add it under volumes, at the top level",
            "  a.yml:8: app: volume \"more\" is not declared; add it under volumes, at the top level",
            "  a.yml:9: app: config \"conf\" is not declared; add it under configs, at the top level",
            "  b.yml:3: app: network \"wan\" is not declared; add it under networks, at the top level",
        ];
        assert_eq!(said, expected.join("\n"));
    }
}
