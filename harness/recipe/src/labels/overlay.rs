//! Overlays that stand in one another's place, such as one for each database that an app can use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::compose::Compose;
use crate::error::Result;

/// Which files are deployed together with overlays: all but those that one stands in the place of. Both set the image of the same
/// service, and neither is the base file, which is the first.
pub(super) fn stay_beside(overlays: &[(PathBuf, String)], files: &[(PathBuf, String)]) -> Result<Vec<bool>> {
    let own: BTreeSet<String> =
        overlays.iter().map(|(path, text)| images(path, text)).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    let stays = |(at, (path, text)): (usize, &(PathBuf, String))| Ok(at == 0 || images(path, text)?.is_disjoint(&own));
    files.iter().enumerate().map(stays).collect()
}

/// The files that each `COMPOSE_FILE` which is commented out in a sample of an operator's values lists: they are switched on together.
pub(super) fn listed_together(sample: &str) -> Vec<Vec<&str>> {
    let lines = sample.lines().filter_map(|line| line.trim_start().strip_prefix('#'));
    let values = lines.filter_map(|line| line.trim_start_matches(['#', ' ', '\t']).strip_prefix("COMPOSE_FILE="));
    values.map(|value| value.split('#').next().unwrap_or(value).trim().trim_matches(['"', '\'']).split(':').collect()).collect()
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
        let stay = |text: &str| stay_beside(&[file("compose.x.yml", text)], &files).expect("read");
        assert_eq!(stay("services: {db: {image: postgres}}"), [true, false, true, true]);
        assert_eq!(stay("services: {db: {environment: {A: b}}}"), [true, true, true, true]);
    }

    #[test]
    fn files_that_a_line_of_the_sample_switches_on_together() {
        let sample = "TYPE=x\nCOMPOSE_FILE=\"compose.yml\"\n#COMPOSE_FILE=\"$COMPOSE_FILE:compose.a.yml:compose.b.yml\"\n# COMPOSE_FILE=compose.yml:compose.c.yml # c\n# the COMPOSE_FILE\n";
        assert_eq!(
            listed_together(sample),
            [vec!["$COMPOSE_FILE", "compose.a.yml", "compose.b.yml"], vec!["compose.yml", "compose.c.yml"]]
        );
    }
}
