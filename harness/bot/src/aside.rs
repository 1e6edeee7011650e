//! What restic cannot restore over.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::bot::Result;
use crate::restic::{self, Node};

/// Files that stand aside while restic makes them anew.
pub(crate) struct Aside(Vec<(PathBuf, PathBuf)>);

impl Aside {
    /// Moves aside what restic 0.14, which is Debian 12's, cannot restore over, and a restore is about to make anew: a symbolic
    /// link that is there is an error to it, and of a file with hard links that are there it removes all but one, without a word.
    pub(crate) async fn make_way(id: &str, target: &str, paths: &[String]) -> Result<Self> {
        let listed = restic::run(&["ls", "--json", id]).await?;
        let mut in_the_way = Vec::new();
        for Node { path, .. } in restic::nodes(&listed).filter(|node| matches!(node.kind.as_str(), "symlink" | "file")) {
            let place = Path::new(target).join(path.trim_start_matches('/'));
            let Ok(there) = place.symlink_metadata() else { continue };
            let linked = there.is_symlink() || (there.is_file() && there.nlink() > 1);
            if linked && paths.iter().any(|p| Path::new(&path).starts_with(p)) {
                // A name that begins with a dot is no message in a Maildir.
                let name = format!(".before-restore.{}", place.file_name().unwrap_or_default().display());
                in_the_way.push((place.clone(), place.with_file_name(name)));
            }
        }
        in_the_way.iter().try_for_each(|(from, to)| std::fs::rename(from, to).map_err(|e| format!("{}: {e}", from.display())))?;
        Ok(Self(in_the_way))
    }

    /// After the restore: what was made anew replaces what stood aside, and what was not gets its place back.
    pub(crate) fn settle(self) -> Result<()> {
        self.0.into_iter().try_for_each(|(place, aside)| {
            let made = place.symlink_metadata().is_ok();
            let settled = if made { std::fs::remove_file(&aside) } else { std::fs::rename(&aside, &place) };
            settled.map_err(|e| format!("{}: {e}", place.display()))
        })
    }
}
