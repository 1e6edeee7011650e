//! Which programs the images of other projects have: `images.toml`, with the source of each line.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::labels::image::ImageName;

/// An entry of `images.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    /// The images' names.
    names: Vec<String>,
    /// The first version that it is about. A tag without a version is the newest.
    from: Option<Vec<u64>>,
    /// The first version that it is no more about.
    below: Option<Vec<u64>>,
    /// Only tags with this variant, such as `alpine`.
    variant: Option<String>,
    lacks: Vec<String>,
    instead: String,
    /// Where this was read.
    #[expect(dead_code, reason = "it is for the reader of the file, and a test asks for it by its being required")]
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Images {
    image: Vec<Image>,
}

static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| {
    let images: Images = toml::from_str(include_str!("../images.toml")).expect("images.toml is part of the program, and tested");
    images.image
});

/// What an image has instead of a tool, if it is known not to have that tool.
pub fn lacks(image: &str, tool: &str) -> Option<&'static str> {
    let image = ImageName::parse(image);
    let lacking = |entry: &&Image| {
        entry.names.iter().any(|name| image.is(name))
            && entry.from.as_ref().is_none_or(|from| image.version().is_none_or(|v| v >= *from))
            && entry.below.as_ref().is_none_or(|below| image.version().is_some_and(|v| v < *below))
            && entry.variant.as_ref().is_none_or(|variant| image.has_variant(variant))
            && entry.lacks.iter().any(|t| t == tool)
    };
    IMAGES.iter().find(lacking).map(|entry| entry.instead.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_that_images_lack() {
        for (image, tool) in [
            ("redis:7-alpine", "bash"),
            ("docker.io/library/redis:7-alpine3.20", "bash"),
            ("redis:alpine@sha256:abc", "bash"),
            ("mariadb:12.3", "mysqldump"),
            ("mariadb:11", "mysqldump"),
            ("mariadb", "mysqldump"),
            ("mariadb:latest", "mysqldump"),
            ("mariadb:lts-noble", "mysqldump"),
            ("postgres:16-alpine", "sqlite3"),
            ("mysql:8", "mariadb-dump"),
            ("mariadb:10.3", "mariadb-dump"),
            ("traefik:v3.1", "bash"),
            ("caddy:2", "bash"),
            ("getmeili/meilisearch:v1.14", "bash"),
            ("ghcr.io/mailu/admin:2024.06.52", "sqlite3"),
        ] {
            assert!(lacks(image, tool).is_some(), "{image} {tool}");
        }
        for (image, tool) in [
            ("redis:7", "bash"),
            ("redis:7-bookworm", "bash"),
            ("postgres:16-alpine", "bash"),
            ("wordpress:6-fpm-alpine", "bash"),
            ("ghost:5-alpine", "bash"),
            ("mariadb:10.11", "mysqldump"),
            ("mariadb:10.11-jammy", "mysqldump"),
            ("mariadb:10", "mysqldump"),
            ("mariadb:10.6", "mariadb-dump"),
            ("mariadb:lts", "mariadb-dump"),
            ("mysql:8.4", "mysqldump"),
            ("example.org/own:1", "anything"),
            ("example.org/own:1-alpine", "bash"),
            ("ghcr.io/mailu/admin:2024.06.52", "python3"),
        ] {
            assert!(lacks(image, tool).is_none(), "{image} {tool}");
        }
    }
}
