//! Programs of ours that go into images: linked statically, so that they run there whatever C library this machine has. `make dist`
//! puts them beside this program; in a checkout cargo builds them on the spot, as the stand-in images are. Everywhere else,
//! this program itself goes into the images, under their names, and does what they do.

use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::error::{Error, Result};
use crate::installation;

/// The checkout that this program was built in.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The name by which this program was called: in an image that has it, the name of the program that it stands for.
pub fn called_as() -> Option<String> {
    let called = std::env::args_os().next()?;
    Path::new(&called).file_name()?.to_str().map(str::to_owned)
}

/// A program that goes into an image.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The program's name, also in the image.
    pub name: &'static str,
    /// The variable that names it at another place.
    pub variable: &'static str,
}

impl Program {
    /// The program; cargo builds it if it must.
    ///
    /// # Errors
    /// It is not there and cannot be built, or it is linked dynamically.
    pub async fn get(self) -> Result<PathBuf> {
        let program = match self.installed()? {
            Some(program) => program,
            None => self.build().await?,
        };
        self.is_static(program)
    }

    /// The same, of a program that is there; none where it is still to be built.
    ///
    /// # Errors
    /// It is linked dynamically.
    pub fn if_built(self) -> Result<Option<PathBuf>> {
        let built = || self.built_at().filter(|p| p.is_file());
        self.installed()?.or_else(built).map(|program| self.is_static(program)).transpose()
    }

    fn is_static(self, program: PathBuf) -> Result<PathBuf> {
        if is_dynamic(&program).map_err(Error::io(&program))? {
            return Err(Error::Engine(format!(
                "{} is linked dynamically, so it may not start in its image, which has another C library or none. `make build` links \
                 it statically",
                program.display()
            )));
        }
        Ok(program)
    }

    /// The program that was asked for, or that came with this one; else this one, if it can stand for it.
    fn installed(self) -> Result<Option<PathBuf>> {
        if let Some(path) = std::env::var_os(self.variable) {
            return Ok(Some(path.into()));
        }
        if let Some(program) = installation::beside(&format!("libexec/restore-drill/{}", self.name)) {
            return Ok(Some(program));
        }
        let exe = std::env::current_exe().map_err(Error::io("the running program"))?;
        // Where cargo puts this one, it makes a much smaller one.
        let stands_for_it = target(&exe).is_none() && !is_dynamic(&exe).map_err(Error::io(&exe))?;
        Ok(stands_for_it.then_some(exe))
    }

    /// The program where cargo puts it, if this one is there too.
    fn built_at(self) -> Option<PathBuf> {
        Some(target(&std::env::current_exe().ok()?)?.join(self.name)).filter(|p| p.is_file())
    }

    /// Has cargo build the program; where it is up to date that takes a moment.
    async fn build(self) -> Result<PathBuf> {
        let Self { name, variable } = self;
        if !Path::new(CHECKOUT).join("Cargo.lock").is_file() {
            return Err(Error::Engine(format!(
                "no program `{name}` for its image: restore-drill is linked dynamically, so it cannot be used instead. Install it with \
                 `cargo install` in a checkout, or from `make dist`; or set {variable} to the program's path"
            )));
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = tokio::process::Command::new(cargo);
        command.args(["build", "--quiet", "--locked", "--workspace", "--bin", name, "--message-format", "json"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        // What cargo tells a program that it runs, as a test is, would have it build dependencies once more that look at it.
        let of_cargo = |name: &std::ffi::OsString| {
            ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| of_cargo(name)) {
            command.env_remove(name);
        }
        let output = command.current_dir(CHECKOUT).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = output.map_err(|e| Error::Engine(format!("cargo cannot be run to build the program `{name}`: {e}")))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let messages = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let program = messages.filter_map(|m| Some(PathBuf::from(m["executable"].as_str()?))).next_back();
        program.filter(|_| output.status.success()).ok_or_else(|| {
            let last: Vec<&str> = std::str::from_utf8(&output.stderr).unwrap_or_default().lines().take(3).collect();
            Error::Engine(format!("the program `{name}` does not build: {}; `make build` shows all of it", last.join(" / ")))
        })
    }
}

/// The folder of cargo's in which a program is; of a test, the one above.
fn target(exe: &Path) -> Option<&Path> {
    exe.ancestors().skip(1).take(2).find(|dir| dir.join(".fingerprint").is_dir())
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
        let program = Program { name: "backup", variable: "RESTORE_DRILL_NONE" };
        let error = program.is_static("/bin/sh".into()).expect_err("refused").to_string();
        assert!(error.contains("/bin/sh is linked dynamically") && error.contains("make build"), "{error}");
    }
}
