//! The Docker secrets of a stack, for the time of a backup where restic finds them.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use engine::Engine;

use crate::bot::{Bot, Manner, Result};
use crate::contract;
use crate::stack::Stack;

/// The folder with the copies. It is there also where no secret is, and goes with this, whatever became of the backup.
pub(crate) struct Copies;

impl Copies {
    /// An empty folder.
    pub(crate) fn new() -> Result<Self> {
        let root = contract::SECRETS_ROOT;
        // A bot that was killed left some.
        let _ = std::fs::remove_dir_all(root);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(|e| format!("{root}: {e}"))?;
        Ok(Self)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(contract::SECRETS_ROOT);
    }
}

impl Bot {
    /// Copies the stack's Docker secrets to where the snapshot takes them from. One that cannot be read is reported and left out.
    pub(crate) async fn copy_secrets(&self, engine: &Engine, stack: &Stack) -> Result<Copies> {
        let copies = Copies::new()?;
        for service in &stack.services {
            let spec = service.spec.clone().unwrap_or_default();
            let secrets = spec.task_template.and_then(|t| t.container_spec).and_then(|c| c.secrets).unwrap_or_default();
            let Some(container) = engine.container_of(&spec.name.unwrap_or_default()).await.map_err(|e| e.to_string())? else {
                continue;
            };
            for secret in secrets {
                let (Some(name), Some(file)) = (secret.secret_name, secret.file.and_then(|f| f.name)) else { continue };
                let place = if file.starts_with('/') { file } else { format!("/run/secrets/{file}") };
                match engine.exec_in(&container, &["cat", &place], &[], None).await {
                    Ok(read) if read.code == 0 => write(&self.place_of(&stack.name, &name), read.stdout.as_bytes())?,
                    Ok(read) => self.log("ERROR", &format!("secret {name} is not in the backup: {}", read.stderr.trim())),
                    Err(e) => self.log("ERROR", &format!("secret {name} is not in the backup: {e}")),
                }
            }
        }
        Ok(copies)
    }

    fn place_of(&self, stack: &str, secret: &str) -> String {
        match self.manner {
            Manner::Deployed => format!("{}/{secret}", contract::SECRETS_ROOT),
            Manner::Strict => format!("{}/{stack}/{secret}", contract::SECRETS_ROOT),
        }
    }
}

fn write(place: &str, content: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        if let Some(folder) = Path::new(place).parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(place)?.write_all(content)
    };
    write().map_err(|e| format!("{place}: {e}"))
}
