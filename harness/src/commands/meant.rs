//! The run that was meant, where a directory is named that has none.

use std::path::{Path, PathBuf};

use recipe::near::nearest;

use crate::error::Error;
use crate::report::history::{RUNS, runs};

/// Names the run that was most likely meant, and says where runs are listed.
pub(super) fn with_run(error: Error) -> Error {
    let Error::Judge(judge::Error::NoRun(dir)) = &error else { return error };
    let near = meant(dir).map_or_else(String::new, |run| format!("; did you mean {}?", run.display()));
    Error::Usage(format!("{error}; `restore-drill history` lists the runs in {RUNS}{near}"))
}

/// A run beside the directory, or of that name where runs are.
fn meant(dir: &Path) -> Option<PathBuf> {
    // A ladder's run is in its directory.
    let dir = if dir.ends_with("run") { dir.parent()? } else { dir };
    let name = dir.file_name()?.to_str()?;
    let beside = dir.parent().map(Path::to_owned);
    beside.into_iter().chain([PathBuf::from(RUNS)]).find_map(|root| {
        let runs = runs(&root);
        let names: Vec<&str> = runs.iter().filter_map(|run| run.file_name()?.to_str()).collect();
        nearest(name, names).map(|near| root.join(near))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_almost_the_same_name_is_meant() {
        let dir = tempfile::tempdir().expect("a directory");
        for (run, file) in [("1a2b3c4d", "evidence.db"), ("ladder-1", "ladder.json"), ("nothing", "page.html")] {
            std::fs::create_dir_all(dir.path().join(run)).expect("made");
            std::fs::write(dir.path().join(run).join(file), "").expect("written");
        }
        let said = |name: &str| with_run(judge::Error::NoRun(dir.path().join(name)).into()).to_string();
        assert!(
            said("1a2b3c4e").ends_with(&format!("did you mean {}?", dir.path().join("1a2b3c4d").display())),
            "{}",
            said("1a2b3c4e")
        );
        assert!(said("ladder-2/run").ends_with(&format!("did you mean {}?", dir.path().join("ladder-1").display())));
        for name in ["no run", "x", ""] {
            assert!(said(name).ends_with("lists the runs in runs"), "{}", said(name));
        }
        assert_eq!(with_run(Error::Usage("other".into())).to_string(), "other");
    }
}
