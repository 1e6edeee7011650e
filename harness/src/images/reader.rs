//! The image of the program that works beside an app's data ([`mod@inside`]): it has that one file and nothing else, so it is
//! imported and not built.

use bollard::query_parameters::CreateImageOptionsBuilder;
use engine::Engine;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};

use super::has_image;
use super::program::Program;
use crate::error::{Context as _, Error, Result};

/// The program's name, also in its image.
pub const NAME: &str = "inside";
const INSIDE: Program = Program { name: NAME, variable: "RESTORE_DRILL_INSIDE_PROGRAM" };
/// The image's name, without its tag, which is a hash of the program.
const REPOSITORY: &str = "restore-drill/inside";
/// The program's path in the image.
pub const PATH: &str = "/inside";

/// Makes sure that the image is there, and gives its name; none where the engine's machine cannot run the program, because it has
/// another architecture.
///
/// # Errors
/// The program cannot be had, or the engine does not take the image.
pub async fn ensure(engine: &Engine) -> Result<Option<String>> {
    let version = engine.docker.version().await.context("asking the engine for its version")?;
    let is_other = version.arch.as_deref() != Some(architecture()) || version.os.as_deref() != Some("linux");
    if is_other && std::env::var_os(INSIDE.variable).is_none() {
        return Ok(None);
    }
    let path = INSIDE.get().await?;
    let program = std::fs::read(&path).map_err(Error::io(&path))?;
    let (repository, tag) = (REPOSITORY, hex::encode(Sha256::digest(&program))[..12].to_owned());
    let image = format!("{repository}:{tag}");
    if has_image(engine, &image).await? {
        return Ok(Some(image));
    }
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, PATH.trim_start_matches('/'), program.as_slice()).map_err(Error::io(&path))?;
    let tar = tar.into_inner().map_err(Error::io(&path))?;
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repository).tag(&tag).build();
    let import = engine.docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
    import.try_for_each(|_| async { Ok(()) }).await.context(format!("importing image {image}"))?;
    Ok(Some(image))
}

/// This program's architecture, as engines call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
