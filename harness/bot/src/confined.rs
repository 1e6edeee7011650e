//! What restic may reach. The bot has all volumes of the engine, and an app can put a link into its own: who follows it there reads or writes
//! somebody else's. So the kernel (Landlock) lets restic open nothing of other volumes, and write nowhere but into the stack's, whatever a
//! path leads through. On a kernel without Landlock only [`crate::aside`] protects; and no kernel keeps it from a file's owner, mode and times.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
    path_beneath_rules,
};

use crate::bot::{Bot, Result};
use crate::contract;

/// The rights that are looked after: those of files, as of Linux 6.2.
const RIGHTS: ABI = ABI::V3;
/// Where restic and the bot write besides.
const OWN: [&str; 3] = ["/tmp", "/dev", contract::SECRETS_ROOT];

/// Whether the kernel can confine a thread.
fn is_supported() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    rules.handle_access(AccessFs::from_all(RIGHTS)).is_ok()
}

impl Bot {
    /// Says that nothing but a look beforehand keeps restic from following links, where that is so.
    pub(crate) fn tell_unconfined(&self) {
        if !is_supported() {
            self.log("WARNING", "this kernel has no Landlock (Linux 6.2), so restic is not confined to the stack's volumes");
        }
    }
}

/// Does something on a thread of its own that is confined to these folders, as are the programs that it starts.
pub(crate) async fn confined<T: Send + 'static>(
    folders: Vec<PathBuf>,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (done, result) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let run = || {
            confine(folders)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|e| format!("a thread for restic: {e}"))?.block_on(work)
        };
        // Nobody waits where the bot has been ended.
        let _ = done.send(run());
    });
    result.await.map_err(|_| "the thread for restic ended early".to_owned())?
}

/// Confines this thread, and what it starts, to these folders, for good. Gives whether the kernel does it.
fn confine(folders: Vec<PathBuf>) -> Result<bool> {
    let variables = ["RESTIC_REPOSITORY", "RESTIC_CACHE_DIR", "TMPDIR"].into_iter().filter_map(std::env::var_os);
    // A repository elsewhere has an address, and is no folder here.
    let own = variables.map(PathBuf::from).chain(OWN.map(PathBuf::from));
    confine_to(folders.into_iter().chain(own), readable(Path::new("/"), Path::new(contract::VOLUMES_ROOT)))
}

fn confine_to(written: impl IntoIterator<Item = PathBuf>, read: Vec<PathBuf>) -> Result<bool> {
    let all = AccessFs::from_all(RIGHTS);
    let restricted = Ruleset::default()
        .handle_access(all)
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(path_beneath_rules(read, AccessFs::from_read(RIGHTS))))
        .and_then(|rules| rules.add_rules(path_beneath_rules(written, all)))
        .and_then(|rules| rules.restrict_self());
    let status = restricted.map_err(|e| format!("the bot cannot be confined to the stack's volumes: {e}"))?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}

/// Everything below a folder that is not on the way to `but`: rules give rights, and take none.
fn readable(folder: &Path, but: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let of = |path: PathBuf| match path.as_path() {
        path if path == but => vec![],
        path if but.starts_with(path) => readable(path, but),
        _ => vec![path],
    };
    entries.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_leads_out_of_no_volume() {
        let dir = tempfile::tempdir().expect("a folder");
        let place = |path: &str| dir.path().join(path);
        for path in ["volumes/own/_data", "volumes/other/_data", "etc"] {
            fs::create_dir_all(place(path)).expect("made");
        }
        fs::write(place("volumes/other/_data/theirs"), "theirs").expect("written");
        symlink(place("volumes/other/_data"), place("volumes/own/_data/link")).expect("linked");
        symlink(place("etc"), place("volumes/own/_data/out")).expect("linked");
        let tried = std::thread::scope(|scope| {
            let confined = scope.spawn(|| {
                let read = readable(Path::new("/"), &place("volumes"));
                let is_enforced = confine_to([place("volumes/own/_data")], read).expect("asked");
                let write = |path: &str| fs::write(place(path), "x").is_ok();
                let tried = (
                    write("volumes/own/_data/new"),
                    write("volumes/own/_data/link/new"),
                    write("volumes/own/_data/out/new"),
                    fs::read(place("volumes/own/_data/link/theirs")).is_ok(),
                    fs::rename(place("volumes/own/_data/link/theirs"), place("volumes/own/_data/taken")).is_ok(),
                    std::process::Command::new("true").status().is_ok_and(|s| s.success()),
                );
                (is_enforced, tried)
            });
            confined.join().expect("tried")
        });
        let may = tried.0;
        assert_eq!(may, is_supported());
        assert_eq!(tried.1, (true, !may, !may, !may, !may, true));
    }

    #[test]
    fn what_is_readable_is_everything_but_what_is_not() {
        let dir = tempfile::tempdir().expect("a folder");
        for path in ["etc", "var/lib/docker/volumes/x", "var/lib/other", "var/log"] {
            fs::create_dir_all(dir.path().join(path)).expect("made");
        }
        let mut all = readable(dir.path(), &dir.path().join("var/lib/docker/volumes"));
        all.sort();
        assert_eq!(all, ["etc", "var/lib/other", "var/log"].map(|path| dir.path().join(path)));
    }
}
