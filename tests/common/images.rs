//! Images that tests and the benchmark build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::Engine;
use recipe::image::ImageContext;
use restore_drill::events::Events;
use restore_drill::images::ensure_images;
use restore_drill::stack::ownership::Owned;

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Images that a test builds, by their names.
pub async fn built(sources: &BTreeMap<String, ImageContext>) -> BTreeMap<String, String> {
    let owned = Owned::new(Engine::connect().await.expect("an engine"), "test");
    ensure_images(&owned, sources, &Events::default(), |_, _| ()).await.expect("built")
}
