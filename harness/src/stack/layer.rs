//! A container's own layer: what its programs wrote that is in no volume.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bollard::models::ChangeType;
use engine::Engine;

use crate::error::{Context as _, Result};

/// How many changed paths the engine is asked about, each by a call; the others count as files.
const MOST: usize = 2000;

/// The paths that are in a container and not in its image, or changed there, folders among them.
pub async fn made(engine: &Engine, container: &str) -> Result<Vec<PathBuf>> {
    Ok(changes(engine, container).await?.into_iter().map(|(path, _)| path).collect())
}

/// The same without folders of the image in which something changed.
pub async fn written(engine: &Engine, container: &str) -> Result<BTreeSet<String>> {
    let changes = changes(engine, container).await?;
    let holding: BTreeSet<&Path> = changes.iter().filter_map(|(path, _)| path.parent()).collect();
    let (mut written, mut asked) = (BTreeSet::new(), 0);
    for (path, kind) in &changes {
        let Some(name) = path.to_str() else { continue };
        // A folder in which something was made and removed is changed too.
        if *kind == ChangeType::_0 {
            asked += 1;
            if holding.contains(path.as_path()) || (asked <= MOST && !engine.is_file_in(container, name).await?) {
                continue;
            }
        }
        written.insert(name.to_owned());
    }
    Ok(written)
}

async fn changes(engine: &Engine, container: &str) -> Result<Vec<(PathBuf, ChangeType)>> {
    let changes = engine.docker.container_changes(container).await.context("listing what a container changed")?;
    let there = changes.unwrap_or_default().into_iter().filter(|c| c.kind != ChangeType::_2);
    Ok(there.map(|c| (PathBuf::from(c.path), c.kind)).collect())
}
