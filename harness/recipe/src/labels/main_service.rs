//! The main service of a recipe, and where the switch of its backup belongs.

use super::VOLUMES;
use super::database::is_server;
use super::image::ImageName;
use super::recipe::{Mount, MountSource, Place, Recipe, Service};

/// Images of caches and proxies, which are not what a recipe is about.
const HELPERS: [&str; 5] = ["redis", "memcached", "valkey/valkey", "rabbitmq", "nginx"];

/// The main service: `app`, else the one with the version, else the first in the files that is neither a database nor a helper.
pub(super) fn main_service(recipe: &Recipe) -> Option<(&str, &Service)> {
    let app = || recipe.services.get_key_value("app").map(|(name, s)| (name.as_str(), s));
    let versioned = || recipe.version().map(|(name, s, _)| (name, s));
    let is_helper = |service: &Service| {
        let image = service.image.as_deref().unwrap_or_default();
        is_server(image) || HELPERS.iter().any(|name| ImageName::parse(image).is(name))
    };
    let order = |service: &Service| {
        let file = recipe.files.iter().position(|file| *file == service.place.file);
        (is_helper(service), file, service.place.line, service.place.column)
    };
    let first = || recipe.services.iter().min_by_key(|(_, s)| order(s)).map(|(name, s)| (name.as_str(), s));
    app().or_else(versioned).or_else(first)
}

/// The mounts of named volumes that no label excludes, each with the name of its service.
pub(super) fn wanted(recipe: &Recipe) -> Vec<(&str, &Mount)> {
    let excludes =
        |volume: &str| recipe.labels().any(|(.., l)| l.value == "false" && l.name.strip_prefix(VOLUMES) == Some(volume));
    let is_wanted = |mount: &&Mount| matches!(&mount.source, MountSource::Volume(name) if !excludes(name));
    recipe.services.iter().flat_map(|(name, s)| s.mounts.iter().filter(is_wanted).map(move |m| (name.as_str(), m))).collect()
}

/// The service that should have the switch, and a place in the file where it belongs: the main service; where only an overlay has
/// volumes, a service of that overlay.
pub(super) fn switch_place<'r>(recipe: &'r Recipe, main: &'r str) -> (&'r str, Option<&'r Place>) {
    let wanted = wanted(recipe);
    let is_base = |place: &Place| recipe.files.first() == Some(&place.file);
    let has_main = |place: &Place| recipe.services.get(main).is_some_and(|s| s.files.contains(&place.file));
    match wanted.first() {
        Some((service, mount)) if !wanted.iter().any(|(_, m)| is_base(&m.place)) => {
            (if has_main(&mount.place) { main } else { service }, Some(&mount.place))
        }
        _ => (main, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::recipe::RecipeFiles;

    fn recipe(texts: &[&str]) -> Recipe {
        let files = texts.iter().enumerate().map(|(at, text)| (format!("{at}.yml").into(), (*text).to_owned()));
        RecipeFiles::default().parse(files.collect()).expect("a recipe")
    }

    #[test]
    fn the_main_service_is_the_first_that_is_no_helper() {
        for (services, main) in [
            ("web: {image: x/y}, app: {image: x/z}", "app"),
            ("wordpress: {image: 'wordpress:6'}, cache: {image: 'redis:alpine'}", "wordpress"),
            ("a-db: {image: 'postgres:16'}, web: {image: x/y}", "web"),
            ("z: {image: x/y}, a: {image: x/y, deploy: {labels: ['coop-cloud.x.version=1.0.0+1']}}", "a"),
            ("db: {image: 'postgres:16'}", "db"),
        ] {
            let recipe = recipe(&[&format!("services: {{{services}}}")]);
            assert_eq!(main_service(&recipe).map(|(name, _)| name), Some(main), "{services}");
        }
    }

    #[test]
    fn the_switch_is_where_the_volumes_are() {
        let (bare, full) = ("services: {app: {image: x/y}}", "services: {app: {image: x/y, volumes: ['d:/d']}}\nvolumes: {d: }");
        let overlay = "services: {db: {image: x/z, volumes: ['e:/e']}}\nvolumes: {e: }";
        let of_app = "services: {app: {volumes: ['e:/e']}}\nvolumes: {e: }";
        for (files, service, file) in [
            (&[full][..], "app", None),
            (&[bare, overlay], "db", Some("1.yml")),
            (&[bare, of_app], "app", Some("1.yml")),
            (&[full, overlay], "app", None),
        ] {
            let recipe = recipe(files);
            let (found, place) = switch_place(&recipe, "app");
            let in_file = place.map(|p| p.file.display().to_string());
            assert_eq!((found, in_file.as_deref()), (service, file), "{files:?}");
        }
    }
}
