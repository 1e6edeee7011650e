//! Packs the scenarios, so that they are in the program wherever it is copied to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let of = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("no {name}")));
    let scenarios = of("CARGO_MANIFEST_DIR")?.join("../scenarios");
    println!("cargo::rerun-if-changed={}", scenarios.display());
    let mut tar = tar::Builder::new(File::create(of("OUT_DIR")?.join("scenarios.tar"))?);
    // The same files are the same bytes, and scripts stay executable.
    tar.mode(tar::HeaderMode::Deterministic);
    pack(&mut tar, &scenarios, Path::new(""))?;
    tar.into_inner()?.flush()
}

/// Appends what is in a folder, sorted; `name` is the folder's path in the archive.
fn pack(tar: &mut tar::Builder<impl Write>, folder: &Path, name: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = name.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => pack(tar, &entry.path(), &name)?,
            false => tar.append_path_with_name(entry.path(), name)?,
        }
    }
    Ok(())
}
