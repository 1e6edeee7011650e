//! The bot's image, and the program that goes into it: linked statically, so that it runs there whatever C library this machine
//! has. `make dist` puts it beside this program; in a checkout cargo builds it on the spot, as the stand-in images are.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use recipe::image::{ImageContext, contexts};

use crate::error::{Error, Result};

/// The program's name, also in the image.
const PROGRAM: &str = "backup";
/// The variable that names it at another place.
const PROGRAM_AT: &str = "RESTORE_DRILL_BACKUP_PROGRAM";
/// The checkout that this program was built in.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The source of the bot's image, which is in `dir`. Builds the program if it must.
///
/// # Errors
/// The program cannot be had, or `dir` cannot be read.
pub async fn source(dir: &Path) -> Result<BTreeMap<String, ImageContext>> {
    let program = match installed()? {
        Some(program) => program,
        None => build().await?,
    };
    with_program(dir, program)
}

/// The same, of a program that is there; none where it is still to be built.
///
/// # Errors
/// As [`source`].
pub fn source_if_built(dir: &Path) -> Result<Option<BTreeMap<String, ImageContext>>> {
    let built = || built_at().filter(|p| p.is_file());
    installed()?.or_else(built).map(|program| with_program(dir, program)).transpose()
}

fn with_program(dir: &Path, program: PathBuf) -> Result<BTreeMap<String, ImageContext>> {
    if is_dynamic(&program).map_err(Error::io(&program))? {
        return Err(Error::Engine(format!(
            "{} is linked dynamically, so it may not start in the bot's image, whose C library is Debian's. `make build` links it \
             statically",
            program.display()
        )));
    }
    let mut sources = contexts(&dir.join("images"), "bot")?;
    if let Some(source) = sources.get_mut("backupbot") {
        source.extra.push((PROGRAM.into(), program));
    }
    Ok(sources)
}

/// The program that was asked for, or that came with this one.
fn installed() -> Result<Option<PathBuf>> {
    if let Some(path) = std::env::var_os(PROGRAM_AT) {
        return Ok(Some(path.into()));
    }
    let exe = std::env::current_exe().map_err(Error::io("the running program"))?;
    let prefix = exe.parent().and_then(Path::parent);
    Ok(prefix.map(|p| p.join("libexec/restore-drill").join(PROGRAM)).filter(|p| p.is_file()))
}

/// Where cargo puts the program: beside this one, or, for a test, one folder above.
fn built_at() -> Option<PathBuf> {
    let exe = std::env::current_exe().ok()?;
    exe.ancestors().skip(1).take(2).map(|dir| dir.join(PROGRAM)).find(|p| p.is_file())
}

/// Has cargo build the program; where it is up to date that takes a moment.
async fn build() -> Result<PathBuf> {
    if !Path::new(CHECKOUT).join("harness/bot").is_dir() {
        return Err(Error::Engine(format!(
            "no program `{PROGRAM}` for the bot's image: it comes with `make dist`, and a checkout builds it. {PROGRAM_AT} names \
             another place"
        )));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = tokio::process::Command::new(cargo);
    command.args(["rustc", "--quiet", "--locked", "--package", "bot", "--bin", PROGRAM, "--message-format", "json"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    command.args(["--", "-C", "target-feature=+crt-static"]);
    let output = command.current_dir(CHECKOUT).stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|e| Error::Engine(format!("cargo cannot be run to build the bot's program: {e}")))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let messages = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let program = messages.filter_map(|m| Some(PathBuf::from(m["executable"].as_str()?))).next_back();
    program.filter(|_| output.status.success()).ok_or_else(|| {
        let last: Vec<&str> = std::str::from_utf8(&output.stderr).unwrap_or_default().lines().take(3).collect();
        Error::Engine(format!("the bot's program does not build: {}; `make build` shows all of it", last.join(" / ")))
    })
}

/// Whether an ELF program (64 bits, little-endian) asks for an interpreter, which is the dynamic linker. Nothing else does.
fn is_dynamic(program: &Path) -> std::io::Result<bool> {
    const INTERPRETER: u32 = 3;
    let mut file = std::fs::File::open(program)?;
    let mut header = [0; 64];
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(false);
    }
    let number = |at: usize, bytes: usize| (0..bytes).rev().fold(0, |n, i| n << 8 | u64::from(header[at + i]));
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    for entry in 0..count {
        let mut kind = [0; 4];
        file.seek(std::io::SeekFrom::Start(table + entry * size))?;
        file.read_exact(&mut kind)?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_an_interpreter_is_dynamic() {
        assert!(is_dynamic(Path::new("/bin/sh")).expect("read"));
        let dir = tempfile::tempdir().expect("a directory");
        let script = dir.path().join("script");
        std::fs::write(&script, "#!/bin/sh\n").expect("written");
        assert!(!is_dynamic(&script).expect("read"));
    }

    #[test]
    fn a_dynamic_program_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = with_program(dir.path(), "/bin/sh".into()).expect_err("refused").to_string();
        assert!(error.contains("/bin/sh is linked dynamically") && error.contains("make build"), "{error}");
    }
}
