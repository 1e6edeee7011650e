//! What is read of the repository: `snapshots`, `ls`, `download`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tokio::process::Command;

use crate::bot::{Bot, Manner, Result};
use crate::restic::{self, said};

/// The archive that `download` writes.
const ARCHIVE: &str = "/tmp/backup.tar.gz";

impl Bot {
    /// The stack's snapshots, oldest first.
    pub(crate) async fn list_snapshots(&self, stack: Option<&str>) -> Result<()> {
        for s in self.snapshots(stack).await? {
            let (time, tags) = (&s.time, s.tags.join(","));
            if self.json {
                self.print(&json!({"time": time, "id": s.id, "tags": tags}).to_string())?;
            } else {
                self.print(&format!("{time} {} {tags}", s.short()))?;
            }
        }
        Ok(())
    }

    /// What is in a folder of a snapshot, or its whole tree, folders among it. The specification's list is of all files.
    pub(crate) async fn ls(&self, id: &str, folder: Option<&String>) -> Result<()> {
        let folder = folder.filter(|_| self.manner == Manner::Deployed);
        let arguments: Vec<&str> = ["ls", "--json", id].into_iter().chain(folder.map(String::as_str)).collect();
        let listed = restic::run(&arguments).await?;
        for node in restic::nodes(&listed) {
            match self.manner {
                Manner::Deployed => self.print(&node.path)?,
                Manner::Strict if node.kind == "file" => {
                    self.print(&format!("{} {} {}", node.mtime, node.size.unwrap_or_default(), node.path))?;
                }
                Manner::Strict => {}
            }
        }
        Ok(())
    }

    /// Writes a path of a snapshot into an archive: as a tar of its own within, as the deployed bot does, or its files at once.
    pub(crate) async fn download(&self, id: &str, path: &str) -> Result<()> {
        let folder = Work::new()?;
        let stem = Path::new(path).file_name().unwrap_or_default().display().to_string();
        let tar = folder.0.join(format!("{stem}.tar"));
        written(restic::command(&["dump", "--archive", "tar", id, path]), "restic dump", &tar).await?;
        let mut pack = match self.manner {
            Manner::Deployed => Command::new("tar"),
            Manner::Strict => Command::new("gzip"),
        };
        match self.manner {
            Manner::Deployed => {
                pack.args(["--use-compress-program=gzip -1", "-cf", "-", "-C"]).arg(&folder.0).arg(format!("{stem}.tar"))
            }
            Manner::Strict => pack.args(["-1", "-c"]).arg(&tar),
        };
        written(pack, "packing", Path::new(ARCHIVE)).await?;
        let size = std::fs::metadata(ARCHIVE).map_err(|e| format!("{ARCHIVE}: {e}"))?.len();
        self.print(&format!("Backup has been written to {ARCHIVE} with a size of {size} bytes"))
    }
}

/// A folder that goes with this.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("backup.{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes what a program prints into a file.
async fn written(mut program: Command, name: &str, file: &Path) -> Result<()> {
    let out = std::fs::File::create(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let started = program.stdout(out).stderr(Stdio::piped()).kill_on_drop(true).spawn();
    let ended = started.map_err(|e| format!("{name} cannot be run: {e}"))?.wait_with_output().await;
    let output = ended.map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() { Ok(()) } else { Err(said(name, &output.stderr)) }
}
