//! `create`: a snapshot of a stack.

use std::path::{Path, PathBuf};

use recipe::labels::{self, Hook};

use crate::bot::{Bot, Manner, Result};
use crate::confined::confined;
use crate::secrets::Copies;
use crate::stack::Stack;
use crate::{contract, restic};

impl Bot {
    /// A snapshot of each stack that has backup switched on.
    pub(crate) async fn create(&self, name: Option<&str>, retries: u32) -> Result<()> {
        let engine = self.engine().await?;
        let mut stacks = Vec::new();
        for stack in self.stacks(&engine, name).await? {
            if stack.enabled(self.manner)? {
                stacks.push(stack);
            }
        }
        if stacks.is_empty() {
            let whose = name.unwrap_or("any stack");
            let none = format!("backup is not switched on: no service of {whose} has the label {}=true", labels::BACKUP);
            if self.manner == Manner::Strict {
                return Err(none);
            }
            // The deployed bot says nothing of it. It has nothing but its own empty folder to take, and no stack's tag to give.
            self.log("WARNING", &none);
            self.ensure_repository().await?;
            let _copies = Copies::new()?;
            return self.backup(vec![contract::SECRETS_ROOT.to_owned()], vec![], None, retries).await;
        }
        self.ensure_repository().await?;
        self.tell_unconfined();
        for stack in stacks {
            let copies = self.copy_secrets(&engine, &stack).await?;
            self.hooks(&engine, &stack, Hook::BackupPre).await?;
            let paths = self.paths_there(&stack)?;
            self.backup(paths, stack.folders().collect(), Some(stack.tag(self.manner)), retries).await?;
            drop(copies);
            self.hooks(&engine, &stack, Hook::BackupPost).await?;
        }
        Ok(())
    }

    /// What a snapshot takes. Asked for after the hooks, as a path may be the dump that a hook writes.
    fn paths_there(&self, stack: &Stack) -> Result<Vec<String>> {
        let paths = stack.paths(|_, _| true);
        if paths.is_empty() && self.manner == Manner::Strict {
            return Err(format!("the labels of stack {} select no volume", stack.name));
        }
        let (mut there, absent): (Vec<_>, Vec<_>) = paths.into_iter().partition(|p| Path::new(p).exists());
        for path in absent {
            let message = format!("{path} does not exist");
            if self.manner == Manner::Strict {
                return Err(message);
            }
            self.log("ERROR", &message);
        }
        there.push(contract::SECRETS_ROOT.to_owned());
        Ok(there)
    }

    /// Has restic take a snapshot of paths in these folders, until it could read every file or there is no attempt left, and prints its
    /// summary.
    async fn backup(&self, paths: Vec<String>, folders: Vec<PathBuf>, tag: Option<String>, retries: u32) -> Result<()> {
        let mut arguments = ["backup", "--json", "--host", "backupbot"].map(str::to_owned).to_vec();
        arguments.extend(tag.into_iter().flat_map(|tag| ["--tag".to_owned(), tag]));
        arguments.extend(paths);
        let mut attempt = 1;
        let summary = loop {
            let arguments = arguments.clone();
            let run = async move { restic::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await };
            match confined(folders.clone(), run).await {
                Ok(output) => break output.lines().last().unwrap_or_default().to_owned(),
                Err(e) if attempt >= retries => return Err(e),
                Err(e) => self.log("WARNING", &format!("attempt {attempt}: {e}")),
            }
            attempt += 1;
        };
        self.print(&summary)
    }

    /// The repository is created on first use; one with another password is an error.
    async fn ensure_repository(&self) -> Result<()> {
        match restic::run(&["cat", "config"]).await {
            Ok(_) => Ok(()),
            Err(e) if contract::no_repository(&e) => {
                self.log("INFO", "creating the repository");
                restic::run(&["init"]).await.map(drop)
            }
            Err(e) => Err(e),
        }
    }
}
