//! What `make dist` and `make image` make works where nothing of this repository is: the programs need no library, and the tool's
//! own image drills an app, and so does the program alone.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use restore_drill::images::BASES;

use common::{assert_nothing_left, restore_drill, root, stderr};

/// The folder that `make dist PROFILE=dev` made, which must be as new as the program that is tested.
fn dist() -> PathBuf {
    let again = "`make dist PROFILE=dev` makes it";
    let made = std::fs::read_dir(root().join("target/dist")).unwrap_or_else(|e| panic!("no target/dist: {e}; {again}"));
    let dir =
        made.flatten().map(|e| e.path()).find(|p| p.is_dir()).unwrap_or_else(|| panic!("no folder in target/dist; {again}"));
    let time =
        |file: &Path| file.metadata().and_then(|m| m.modified()).unwrap_or_else(|e| panic!("{}: {e}; {again}", file.display()));
    let tested = time(Path::new(env!("CARGO_BIN_EXE_restore-drill")));
    assert!(time(&dir.join("bin/restore-drill")) >= tested, "target/dist is older than the program; {again}");
    dir
}

/// What a shell says of a script, in a directory.
fn sh(dir: &Path, script: &str) -> Output {
    Command::new("/bin/sh").args(["-ec", script]).current_dir(dir).output().expect("a shell runs")
}

fn ok(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a program is loaded without a dynamic linker.
fn is_static(program: &Path) -> bool {
    let output = Command::new("ldd").arg(program).output().expect("ldd runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
    said.contains("statically linked") || said.contains("not a dynamic executable")
}

#[test]
fn the_programs_are_static_and_find_what_came_with_them() {
    let dist = dist();
    for program in ["bin/restore-drill", "libexec/restore-drill/backup"] {
        assert!(is_static(&dist.join(program)), "{program}");
    }
    assert!(!is_static(&std::env::current_exe().expect("this test")), "nothing is dynamic here");

    // As its user unpacks it, with a checksum, in a folder of another name.
    let dir = tempfile::tempdir().expect("a directory");
    let archive = format!("{}.tar.gz", dist.display());
    ok(sh(dist.parent().expect("a folder"), &format!("sha256sum -c {archive}.sha256")));
    ok(sh(dir.path(), &format!("mkdir prefix here && tar -xzf {archive} -C prefix --strip-components=1")));
    let here = dir.path().join("here");
    let said = ok(sh(&here, "../prefix/bin/restore-drill list"));
    assert!(said.contains("scenarios: davical, mailu, radicale\n"), "{said}");
    // A folder of the user's own comes first, and has no bot: the one that came with the program is its bot.
    std::fs::create_dir(here.join("scenarios")).expect("made");
    let said = ok(sh(&here, "../prefix/bin/restore-drill list"));
    assert!(said.contains("scenarios: \n"), "{said}");
    let made = ok(sh(
        &here,
        "../prefix/bin/restore-drill new wiki --compose ../prefix/share/restore-drill/scenarios/radicale/compose.yml",
    ));
    assert!(made.contains("scenarios/wiki/scenario.toml"), "{made}");
    let bot = ok(sh(&here, "../prefix/bin/restore-drill doctor"));
    assert!(!bot.contains("backup program"), "{bot}");
    for file in ["man/man1/restore-drill.1", "bash-completion/completions/restore-drill", "restore-drill/LICENSE"] {
        let text = std::fs::read_to_string(dir.path().join("prefix/share").join(file)).expect(file);
        assert!(text.len() > 1000, "{file}");
    }
}

/// As `cargo install` leaves it: one program, and nothing of the checkout.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_alone_drills_an_app() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name);
    for folder in ["bin", "here", "state"] {
        std::fs::create_dir(path(folder)).expect("made");
    }
    std::fs::copy(env!("CARGO_BIN_EXE_restore-drill"), path("bin/restore-drill")).expect("copied");
    let alone = |arguments: &str| {
        let state = path("state");
        sh(&path("here"), &format!("RESTORE_DRILL_STATE_DIR={} ../bin/restore-drill {arguments}", state.display()))
    };
    let said = ok(alone("list"));
    assert!(said.contains("scenarios: davical, mailu, radicale\n"), "{said}");
    let images = || -> BTreeSet<String> {
        let format = "{{.Repository}}:{{.Tag}}";
        let listed = Command::new("docker").args(["images", "--format", format, "restore-drill/*"]).output().expect("docker");
        String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect()
    };
    let before = images();
    let said = alone("run radicale --profile tiny --evidence held");
    // The images with this program, which is larger than those for images, are of no use to others.
    let of_program = ["restore-drill/inside:", "restore-drill/bot-"];
    let new = images().into_iter().filter(|i| !before.contains(i) && of_program.iter().any(|name| i.starts_with(name)));
    let removed = Command::new("docker").args(["rmi", "-f"]).args(new).output().expect("docker");
    assert_eq!(ok(said).trim(), "held");
    assert!(removed.status.success(), "it has an image of its own: {}", stderr(&removed));
    assert_nothing_left(&run_of(&path("here/held"))).await;
}

/// The run that is stored in a directory.
fn run_of(dir: &Path) -> String {
    let summary = std::fs::read_to_string(dir.join("summary.json")).expect("a summary");
    let summary: serde_json::Value = serde_json::from_str(&summary).expect("JSON");
    summary["run"].as_str().expect("a run").to_owned()
}

/// Removes an image and a volume of this test's own.
struct Made {
    image: String,
    volume: String,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "-f", &self.image]).output();
        let _ = Command::new("docker").args(["volume", "rm", "-f", &self.volume]).output();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_drills_an_app() {
    dist();
    // The stand-ins are there, and with them the base that this machine can have.
    ok(restore_drill(&["images", "radicale"]));
    let there = |base: &&str| Command::new("docker").args(["image", "inspect", base]).output().expect("docker").status.success();
    let base = BASES.into_iter().find(there).expect("a base image");
    let name = format!("restore-drill-packaging-{}", std::process::id());
    let made = Made { image: format!("{name}:test"), volume: name };
    ok(sh(&root(), &format!("make image IMAGE={} BASE={base}", made.image)));

    // The documented command, of an app that is up sooner.
    let text = std::fs::read_to_string(root().join("docs/install.md")).expect("a document");
    let documented = text.lines().find(|l| l.starts_with("docker run ")).expect("a command");
    let run = |arguments: &str| {
        let command = documented.replace("-v restore-drill-state:", &format!("-v {}:", made.volume));
        command.replace(" restore-drill run mailu", &format!(" {} {arguments}", made.image))
    };
    let dir = tempfile::tempdir().expect("a directory");
    let said = sh(dir.path(), &run("run radicale --profile tiny --evidence held"));
    assert!(stderr(&said).contains("HELD: "), "{}", stderr(&said));
    assert_eq!(ok(said).trim(), "held");
    assert_nothing_left(&run_of(&dir.path().join("held"))).await;
    // A fault gives the same exit code there.
    let broken = sh(dir.path(), &run("run radicale --profile tiny --fault users-left-out --evidence broken"));
    assert_eq!(broken.status.code(), Some(1), "{}", stderr(&broken));
    // Without the engine's socket it says what is missing.
    let socket = "-v /var/run/docker.sock:/var/run/docker.sock";
    let alone = sh(dir.path(), &run("run radicale").replace(socket, ""));
    assert_eq!(alone.status.code(), Some(69), "{}", stderr(&alone));
    assert!(stderr(&alone).contains("DOCKER_HOST"), "{}", stderr(&alone));
}
