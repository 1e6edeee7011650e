//! What the documents say is so: their commands parse, their make targets and links exist.

mod common;

use clap::Parser as _;
use recipe::scenario::Scenario;
use restore_drill::cli::Cli;

fn documents() -> Vec<(String, String)> {
    let mut files = vec![common::root().join("README.md")];
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
            [".ci/run"] => assert!(common::root().join(".ci/run").is_file()),
            ["git", "fetch", "--tags"] => {}
            ["docker", "run", ref rest @ ..] => {
                let at = rest.iter().position(|w| *w == "restore-drill").unwrap_or_else(|| panic!("{file}: {command}"));
                Cli::try_parse_from(&rest[at..]).unwrap_or_else(|e| panic!("{file}: {command}: {e}"));
            }
            ["cargo", "test", "--test", name] => {
                assert!(common::root().join(format!("tests/{name}.rs")).is_file(), "{file}: no test {name}");
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
            let path = link.split('#').next().unwrap_or(link);
            if !path.is_empty() && !path.contains("://") {
                assert!(dir.join(path).exists(), "{file}: no {path}");
            }
        }
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
