//! Overlays that stand in one another's place, such as one for each database that an app can use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::compose::Compose;
use crate::error::Result;

/// Which files are deployed together with an overlay: all but those that it stands in the place of. Both set the image of the same
/// service, and neither is the base file, which is the first.
pub(super) fn stay_beside(overlay: (&Path, &str), files: &[(PathBuf, String)]) -> Result<Vec<bool>> {
    let own = images(overlay.0, overlay.1)?;
    let stays = |(at, (path, text)): (usize, &(PathBuf, String))| Ok(at == 0 || images(path, text)?.is_disjoint(&own));
    files.iter().enumerate().map(stays).collect()
}

/// The services whose image a file sets.
fn images(path: &Path, text: &str) -> Result<BTreeSet<String>> {
    let compose = Compose::parse(path, text)?;
    let services = compose.tree.get("services").into_iter().flat_map(|services| services.entries());
    Ok(services.filter(|(.., service)| service.get("image").is_some()).map(|(name, ..)| name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_stands_in_the_place_of_one_that_sets_the_same_image() {
        let file = |name: &str, text: &str| (PathBuf::from(name), text.to_owned());
        let files = [
            file("compose.yml", "services: {app: {image: a}, db: {image: b}}"),
            file("compose.mariadb.yml", "services: {db: {image: mariadb}}"),
            file("compose.tune.yml", "services: {db: {command: x}}"),
            file("compose.mail.yml", "services: {mail: {image: m}}"),
        ];
        let stay = |text: &str| stay_beside((Path::new("compose.x.yml"), text), &files).expect("read");
        assert_eq!(stay("services: {db: {image: postgres}}"), [true, false, true, true]);
        assert_eq!(stay("services: {db: {environment: {A: b}}}"), [true, true, true, true]);
    }
}
