//! `restore`: the files of a snapshot, back to where they were.

use std::path::PathBuf;

use recipe::labels::Hook;

use crate::aside::Aside;
use crate::bot::{Bot, Result};
use crate::confined::confined;
use crate::restic;

/// What is to be restored.
pub(crate) struct Asked<'a> {
    /// The stack's name.
    pub(crate) stack: &'a str,
    /// An id, or `latest`.
    pub(crate) snapshot: &'a str,
    /// The root below which the files go.
    pub(crate) target: &'a str,
    /// These volumes, or all.
    pub(crate) volumes: Option<Vec<String>>,
    /// The volumes of these services, or of all.
    pub(crate) services: Option<Vec<String>>,
    /// Whether hooks run.
    pub(crate) hooks: bool,
}

impl Bot {
    /// Puts files back; deletes nothing.
    pub(crate) async fn restore(&self, asked: Asked<'_>) -> Result<()> {
        let Asked { stack: name, snapshot, target, volumes, services, hooks } = asked;
        let engine = self.engine().await?;
        let id = self.resolve(snapshot, Some(name)).await?;
        let Some(stack) = self.stacks(&engine, Some(name)).await?.pop() else { return Err(format!("no stack {name}")) };
        let all = |of: &Option<Vec<String>>, n: &str| of.as_ref().is_none_or(|l| l.iter().any(|x| x == n));
        let paths = stack.paths(|service, volume| all(&services, service) && all(&volumes, volume));
        if paths.is_empty() {
            return Err(format!("the labels of stack {name} and the options given select no volume"));
        }
        if hooks {
            self.hooks(&engine, &stack, Hook::RestorePre).await?;
        }
        self.tell_unconfined();
        let below = (target != "/").then(|| PathBuf::from(target));
        if let Some(folder) = &below {
            std::fs::create_dir_all(folder).map_err(|e| format!("{target}: {e}"))?;
        }
        let folders = stack.folders().chain(below).collect();
        let (restored, settled) = confined(folders, put_back(id, target.to_owned(), paths)).await?;
        if let (Err(_), Err(also)) = (&restored, &settled) {
            self.log("ERROR", also);
        }
        let said = restored?;
        settled?;
        self.log("INFO", said.lines().last().unwrap_or_default());
        if hooks {
            self.hooks(&engine, &stack, Hook::RestorePost).await?;
        }
        Ok(())
    }
}

/// Restores paths of a snapshot: what restic said, and whether what stood in the way is settled.
async fn put_back(id: String, target: String, paths: Vec<String>) -> Result<(Result<String>, Result<()>)> {
    let aside = Aside::make_way(&id, &target, &paths).await?;
    let mut arguments = vec!["restore", id.as_str(), "--target", target.as_str()];
    for path in &paths {
        arguments.extend(["--include", path]);
    }
    let restored = restic::run(&arguments).await;
    Ok((restored, aside.settle()))
}
