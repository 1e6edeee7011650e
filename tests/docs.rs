//! What the documents say is so: their commands parse, their make targets and links exist.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use recipe::scenario::Scenario;
use restore_drill::cli::Cli;
use restore_drill::events::Phase;

/// Every page for people, README.md first.
fn documents() -> Vec<(String, String)> {
    let mut files: Vec<_> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|f| common::root().join(f)).into();
    files.extend(std::fs::read_dir(common::root().join("docs")).into_iter().flatten().flatten().map(|e| e.path()));
    files
        .into_iter()
        .filter(|f| f.extension().is_some_and(|e| e == "md"))
        .map(|f| (f.display().to_string(), std::fs::read_to_string(&f).expect("a document")))
        .collect()
}

/// The lines of ```sh blocks.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (file, text) in documents() {
        let mut inside = false;
        for line in text.lines() {
            match line.trim() {
                "```sh" => inside = true,
                "```" => inside = false,
                command if inside && !command.is_empty() => found.push((file.clone(), command.to_owned())),
                _ => {}
            }
        }
    }
    found
}

/// The crates of the workspace, and which of them each one imports.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = |file: &str| -> toml::Table {
        std::fs::read_to_string(common::root().join(file)).expect("a manifest").parse().expect("TOML")
    };
    let members = manifest("Cargo.toml")["workspace"]["members"].as_array().expect("members").clone();
    let imports = members.iter().map(|member| {
        let manifest = manifest(&format!("{}/Cargo.toml", member.as_str().expect("a folder")));
        let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
        (name, manifest["dependencies"].as_table().expect("a table").keys().cloned().collect::<BTreeSet<_>>())
    });
    let imports: BTreeMap<_, _> = imports.collect();
    let ours: BTreeSet<String> = imports.keys().cloned().collect();
    imports.into_iter().map(|(name, all)| (name, &all & &ours)).collect()
}

/// The anchors of a page's headings, as GitHub and Gitea make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut code = false;
    let headings = text.lines().filter(|line| {
        code ^= line.trim_start().starts_with("```");
        !code && line.starts_with('#')
    });
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The commands of `.drone.yml`, and of the pipelines that the documents show.
fn of_pipelines() -> Vec<(String, String)> {
    let mut files = documents();
    let drone = common::root().join(".drone.yml");
    files.push((drone.display().to_string(), std::fs::read_to_string(drone).expect("a pipeline")));
    let mut found = Vec::new();
    for (file, text) in files {
        let mut of_a_step = false;
        for line in text.lines().map(str::trim) {
            match line.strip_prefix("- ") {
                _ if line == "commands:" => of_a_step = true,
                Some(run) if run.starts_with("run: ") => found.push((file.clone(), run["run: ".len()..].to_owned())),
                Some(step) if step.starts_with("name: ") => of_a_step = false,
                Some(command) if of_a_step => found.push((file.clone(), command.to_owned())),
                _ => of_a_step = false,
            }
        }
    }
    assert!(found.len() >= 5, "{found:?}");
    found
}

#[test]
fn every_command_is_known() {
    let makefile = std::fs::read_to_string(common::root().join("Makefile")).expect("a Makefile");
    let commands = commands();
    assert!(commands.len() >= 5, "{commands:?}");
    for (file, command) in commands.into_iter().chain(of_pipelines()) {
        let bare = command.split(" #").next().unwrap_or(&command).trim();
        let words: Vec<&str> = bare.split_whitespace().collect();
        match words[..] {
            ["make", ref targets @ ..] if !targets.is_empty() => {
                for target in targets {
                    assert!(makefile.contains(&format!("\n{target}:")), "{file}: no target {target}");
                }
            }
            [script @ (".ci/run" | ".ci/runner")] => assert!(common::root().join(script).is_file()),
            ["git", "fetch", "--tags"] => {}
            ["docker", "run", ref rest @ ..] => {
                let at = rest.iter().position(|w| *w == "restore-drill").unwrap_or_else(|| panic!("{file}: {command}"));
                Cli::try_parse_from(&rest[at..]).unwrap_or_else(|e| panic!("{file}: {command}: {e}"));
            }
            ["cargo", "check", "--workspace", "--all-targets"] => {}
            ["cargo", "test", "-p", name] => assert!(crates().contains_key(name), "{file}: no crate {name}"),
            ["cargo", "test", "--test", name, ref tests @ ..] => {
                let source = std::fs::read_to_string(common::root().join(format!("tests/{name}.rs")));
                let source = source.unwrap_or_else(|e| panic!("{file}: {command}: {e}"));
                for test in tests {
                    assert!(source.contains(&format!("fn {test}(")), "{file}: no test {test} in {name}");
                }
            }
            ["cargo", "install", "--path", path] => {
                assert!(common::root().join(path).join("Cargo.toml").is_file(), "{file}: {path}")
            }
            ["restore-drill" | "./target/debug/restore-drill", ..] => {
                // `--help` and `--version` come as errors that are none.
                if let Err(e) = Cli::try_parse_from(&words) {
                    assert!(!e.use_stderr(), "{file}: {command}: {e}");
                }
            }
            _ => panic!("{file}: a command that no test knows: {command}"),
        }
    }
}

#[test]
fn every_relative_link_leads_somewhere() {
    for (file, text) in documents() {
        let dir = std::path::Path::new(&file).parent().expect("a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { std::path::PathBuf::from(&file) } else { dir.join(path) };
            assert!(target.exists(), "{file}: no {path}");
            if !anchor.is_empty() {
                let there = anchors(&std::fs::read_to_string(&target).expect("a page"));
                assert!(there.contains(anchor), "{file}: no heading {anchor} in {}: {there:?}", target.display());
            }
        }
    }
}

/// `harness/src/cli.rs` and the like, but for those with a placeholder in them.
#[test]
fn every_source_that_is_named_exists() {
    let mut named = 0;
    for (file, text) in documents() {
        for code in text.split('`').skip(1).step_by(2) {
            let ours = ["harness/", "seeds/", "tests/", ".ci/"].iter().any(|folder| code.starts_with(folder));
            if ours && !code.contains([' ', '<', '\n']) {
                assert!(common::root().join(code).exists(), "{file}: no {code}");
                named += 1;
            }
        }
    }
    assert!(named > 20, "{named}");
}

#[test]
fn every_crate_is_in_the_architecture_with_what_it_imports() {
    let read = |file: &str| std::fs::read_to_string(common::root().join(file)).expect("a document");
    let (page, picture) = (read("docs/architecture.md"), read("docs/architecture.svg"));
    let crates = crates();
    for (name, imports) in &crates {
        let row = page.lines().find(|l| l.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/architecture.md has no row for crate {name}"));
        let said = row.trim_end_matches([' ', '|']).rsplit(" | ").next().expect("a cell");
        let said: BTreeSet<String> = match said.trim() {
            "all others" => crates.keys().filter(|other| *other != name).cloned().collect(),
            _ if row.ends_with("| |") => BTreeSet::new(),
            names => names.split(", ").map(|n| n.trim_matches('`').to_owned()).collect(),
        };
        assert_eq!(&said, imports, "what {name} imports");
        assert!(
            picture.contains(&format!(">{name}<")) || picture.contains(&format!(">{name}, the program<")),
            "{name} is not drawn"
        );
    }
}

#[test]
fn every_phase_is_explained() {
    let page = std::fs::read_to_string(common::root().join("docs/drill.md")).expect("a document");
    let explained: Vec<&str> = page.lines().filter_map(|l| l.strip_prefix("| ")?.split(" |").next()).collect();
    for phase in Phase::ALL {
        assert!(explained.contains(&phase.name()), "docs/drill.md has no row for phase {}", phase.name());
    }
}

#[test]
fn the_exit_codes_in_the_readme_are_the_programs() {
    let readme = &documents()[0].1;
    for line in restore_drill::exit_code::TABLE.lines().skip(1) {
        let (code, meaning) = line.trim().split_once(' ').expect("a code and its meaning");
        let row = format!("| {code} | {} |", meaning.trim());
        assert!(readme.contains(&row), "README has no row {row:?}");
    }
}

/// The tables of docs/faults.md have every fault of Mailu, by name and with its sentence.
#[test]
fn every_fault_is_documented() {
    let text = std::fs::read_to_string(common::root().join("docs/faults.md")).expect("a document");
    let mailu = Scenario::load(&common::scenarios(), "mailu").expect("a scenario");
    for fault in restore_drill::fault::of(&mailu) {
        let row = format!("| {} | {} |", fault.name(), fault.what());
        assert!(text.contains(&row), "docs/faults.md has no row {row:?}");
    }
}

#[test]
fn help_doctor_and_list_work() {
    let output = common::restore_drill(&["--help"]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && help.contains("Exit codes:") && help.contains("69"), "{help}");
    let output = common::restore_drill(&["doctor"]);
    let checks = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{checks}");
    for what in ["engine", "API version", "swarm", "IPVS", "disk", "images", "backupbot"] {
        assert!(checks.contains(what), "{what}: {checks}");
    }
    let output = common::restore_drill(&["list"]);
    assert!(
        String::from_utf8_lossy(&output.stdout)
            .contains("scenarios: davical, mailu, radicale\nprofiles: tiny, smoke, default, large\n")
    );
}
