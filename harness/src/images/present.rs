//! Whether an image is on the engine.

use engine::{Engine, is_not_found};

use crate::error::{Context as _, Result};

/// Whether an image is present.
pub async fn has_image(engine: &Engine, image: &str) -> Result<bool> {
    match engine.docker.inspect_image(image).await {
        Ok(_) => Ok(true),
        Err(e) if is_not_found(&e) => Ok(false),
        Err(e) => Err(e).context(format!("inspecting image {image}")),
    }
}
