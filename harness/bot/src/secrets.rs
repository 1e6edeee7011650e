//! The Docker secrets of a stack, for the time of a backup where restic finds them.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use engine::Engine;
use engine::exec::{Call, Containers};

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
            let service = spec.name.unwrap_or_default();
            if engine.container_of(&service).await.map_err(|e| e.to_string())?.is_none() {
                continue;
            }
            for secret in secrets {
                let (Some(name), Some(file)) = (secret.secret_name, secret.file.and_then(|f| f.name)) else { continue };
                let place = if file.starts_with('/') { file } else { format!("/run/secrets/{file}") };
                match read(engine, &service, &place).await {
                    Ok(content) => write(&self.place_of(&stack.name, &name), &content)?,
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

/// The most that is read of a secret, in bytes: what prints it is a program of the app's image.
const MOST: usize = 1 << 20;

/// The bytes of a file in a service's container; they need not be text.
async fn read(containers: &dyn Containers, service: &str, place: &str) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    let call = Call { service, command: &["cat", place], env: &[], stdin: None };
    let mut sink = |bytes: &[u8]| {
        if content.len() <= MOST {
            content.extend_from_slice(bytes);
        }
    };
    let read = containers.run(call, &mut sink).await.map_err(|e| e.to_string())?;
    match read.code {
        0 if content.len() > MOST => Err(format!("more than {MOST} bytes; Swarm's secrets have at most half of that")),
        0 => Ok(content),
        _ => Err(read.stderr.trim().to_owned()),
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use engine::exec::{Archive, Output};

    use super::*;

    /// A container in which every command writes the same, and ends with a code.
    struct Says(&'static [u8], i64);

    type Answer<'a, T> = Pin<Box<dyn Future<Output = engine::Result<T>> + Send + 'a>>;

    impl Containers for Says {
        fn run<'a>(&'a self, _: Call<'a>, stdout: &'a mut (dyn FnMut(&[u8]) + Send)) -> Answer<'a, Output> {
            stdout(self.0);
            let output = Output { code: self.1, stdout: String::new(), stderr: "no such file\n".into() };
            Box::pin(async move { Ok(output) })
        }

        fn archive<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Option<Archive>> {
            Box::pin(async { Ok(None) })
        }
    }

    #[tokio::test]
    async fn a_secret_is_read_as_it_is() {
        let bytes = b"\xff\x00\xfe\n";
        assert_eq!(read(&Says(bytes, 0), "s_app", "/run/secrets/key").await, Ok(bytes.to_vec()));
        assert_eq!(read(&Says(bytes, 1), "s_app", "/run/secrets/key").await, Err("no such file".into()));
    }
}
