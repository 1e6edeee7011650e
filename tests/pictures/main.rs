//! `make pictures`: the pictures of README.md, made from two drills: what a terminal shows of one that holds, and the page of one with
//! a fault.

#![expect(clippy::print_stdout, reason = "the results are printed")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anstyle_svg::Term;
use clap::Parser;

/// The largest picture, in bytes: a page with pictures should open at once.
const LARGEST: u64 = 300_000;
/// The columns of the terminal.
const COLUMNS: usize = 110;
/// The size of the page's picture, in pixels.
const WINDOW: (u32, u32) = (1100, 1100);

/// Pictures of real drills.
#[derive(Parser)]
struct Cli {
    /// The program.
    #[arg(long, default_value = "target/debug/restore-drill")]
    program: PathBuf,
    /// The folder of scenarios.
    #[arg(long, default_value = "scenarios")]
    scenarios: PathBuf,
    /// The scenario.
    #[arg(long, default_value = "mailu")]
    scenario: String,
    /// The fault in the page.
    #[arg(long, default_value = "mail-excluded")]
    fault: String,
    /// Where the pictures are written.
    #[arg(long, default_value = "docs/pictures")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match pictures(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            println!("pictures: {e}");
            ExitCode::FAILURE
        }
    }
}

fn pictures(cli: &Cli) -> Result<(), String> {
    std::fs::create_dir_all(&cli.out).map_err(|e| format!("{}: {e}", cli.out.display()))?;
    // Runs are stored in a folder of their own, where the scenarios are too: so no path of this machine is in a picture.
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let scenarios = std::path::absolute(&cli.scenarios).map_err(|e| e.to_string())?;
    std::os::unix::fs::symlink(&scenarios, dir.path().join("scenarios")).map_err(|e| format!("{}: {e}", scenarios.display()))?;
    let program = |words: &[&str]| run(cli, dir.path(), words);

    let held = ["run", &cli.scenario, "--profile", "tiny"];
    let (code, said) = program(&held)?;
    expect(0, code, &said)?;
    let screen = format!("$ restore-drill {}\n{}", held.join(" "), shown(&said));
    let terminal = cli.out.join("terminal.svg");
    std::fs::write(&terminal, Term::new().render_svg(&screen)).map_err(|e| format!("{}: {e}", terminal.display()))?;

    let (code, said) = program(&["run", &cli.scenario, "--profile", "tiny", "--fault", &cli.fault, "--evidence", "broken"])?;
    expect(1, code, &said)?;
    let (code, said) = program(&["report", "broken", "--html", "report.html"])?;
    expect(0, code, &said)?;
    let page = cli.out.join("report.png");
    photograph(&dir.path().join("report.html"), &page)?;

    for picture in [terminal, page] {
        let bytes = picture.metadata().map_err(|e| format!("{}: {e}", picture.display()))?.len();
        println!("{}: {bytes} bytes", picture.display());
        if bytes > LARGEST {
            return Err(format!("{} is larger than {LARGEST} bytes", picture.display()));
        }
    }
    Ok(())
}

/// Runs the program in a directory. Gives its exit code, and what a terminal shows: both of its outputs, with colours.
fn run(cli: &Cli, dir: &Path, words: &[&str]) -> Result<(Option<i32>, String), String> {
    let (mut reader, writer) = std::io::pipe().map_err(|e| e.to_string())?;
    let mut command = Command::new(std::path::absolute(&cli.program).map_err(|e| e.to_string())?);
    command.args(words).current_dir(dir).env_remove("RESTORE_DRILL_SCENARIOS");
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1");
    command.stdout(writer.try_clone().map_err(|e| e.to_string())?).stderr(writer);
    let mut child = command.spawn().map_err(|e| format!("{}: {e}; `make build` makes it", cli.program.display()))?;
    // The command has the ends into which is written; they have to go, or reading would not end.
    drop(command);
    let mut said = String::new();
    reader.read_to_string(&mut said).map_err(|e| e.to_string())?;
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok((status.code(), said))
}

/// What stays on a terminal: the line of a phase replaces those of its progress, and long lines are cut off.
fn shown(said: &str) -> String {
    let is_progress =
        |line: &str| [" …", " a second"].iter().any(|end| console::strip_ansi_codes(line).trim_end().ends_with(end));
    let lines = said.lines().filter(|line| !is_progress(line));
    lines.map(|line| console::truncate_str(line, COLUMNS, "…").into_owned() + "\n").collect()
}

fn expect(expected: i32, code: Option<i32>, said: &str) -> Result<(), String> {
    if code == Some(expected) { Ok(()) } else { Err(format!("exit code {code:?}, but expected {expected}:\n{said}")) }
}

/// Takes a picture of a page, in a browser without a window.
fn photograph(page: &Path, picture: &Path) -> Result<(), String> {
    let mut browser = Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]);
    browser.arg(format!("--window-size={},{}", WINDOW.0, WINDOW.1));
    let picture = std::path::absolute(picture).map_err(|e| e.to_string())?;
    browser.arg(format!("--screenshot={}", picture.display())).arg(format!("file://{}", page.display()));
    let output = browser.output().map_err(|e| format!("chromium: {e}; `.ci/setup test` installs it"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
