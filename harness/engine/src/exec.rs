//! Commands in the running container of a service, and files out of it.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, ListContainersOptionsBuilder,
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;

use crate::error::{Context as _, Error, Result, is_not_found};
use crate::{Engine, SERVICE_LABEL, label_filter};

/// What a command printed, and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Exit code.
    pub code: i64,
    /// Standard output, of which at most [`LIMIT`] bytes are kept.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// How often to check whether a command still runs after its output has ended.
const RUNNING: Duration = Duration::from_millis(200);

/// The bit of a mode by which the engine marks a folder: that of Go's `fs.ModeDir`, not the kernel's.
const FOLDER: u32 = 1 << 31;

/// Bytes kept of each stream.
pub const LIMIT: usize = 64 << 20;

impl Output {
    /// The output, if the command ended with 0.
    pub fn ok(self, what: &str) -> Result<Self> {
        if self.code == 0 {
            return Ok(self);
        }
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let tail: Vec<&str> = text.trim().lines().rev().take(5).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        Err(Error::Command { what: what.to_owned(), code: self.code, said: tail.join(" / ") })
    }
}

/// A tar archive as it is read, chunk by chunk.
pub type Archive = BoxStream<'static, std::io::Result<Bytes>>;

/// A command for the running container of a service.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The service's full name.
    pub service: &'a str,
    /// The command and its arguments.
    pub command: &'a [&'a str],
    /// Variables that are added to the container's own.
    pub env: &'a [(&'a str, &'a str)],
    /// What the command reads from its standard input.
    pub stdin: Option<&'a [u8]>,
}

/// What a client needs of services' containers. The engine gives it; [`crate::fake`] stands in for it in tests.
pub trait Containers: Send + Sync {
    /// Runs a command. Its standard output goes to `stdout`, and is not in what is returned.
    fn run<'a>(&'a self, call: Call<'a>, stdout: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, Result<Output>>;

    /// The tar archive of a path in the container of a service; none where nothing is there.
    fn archive<'a>(&'a self, service: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Archive>>>;

    /// Runs a command and keeps at most [`LIMIT`] bytes of its standard output.
    fn output<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Output>> {
        Box::pin(async move {
            let mut stdout = Vec::new();
            let output = self.run(call, &mut |bytes| keep(&mut stdout, bytes)).await?;
            Ok(Output { stdout: text(&stdout), ..output })
        })
    }

    /// Runs a command and hands over its standard output line by line. There may be any number of lines, of at most [`LIMIT`] bytes each.
    fn lines<'a>(&'a self, call: Call<'a>, line: &'a mut (dyn FnMut(&str) + Send)) -> BoxFuture<'a, Result<Output>> {
        Box::pin(async move {
            let (mut rest, mut is_too_long) = (Vec::new(), false);
            let mut sink = |bytes: &[u8]| {
                is_too_long = is_too_long || rest.len() + bytes.len() > LIMIT;
                if is_too_long {
                    return rest.clear();
                }
                rest.extend_from_slice(bytes);
                if let Some(end) = rest.iter().rposition(|b| *b == b'\n') {
                    // A carriage return is part of the line: it may be part of a name.
                    String::from_utf8_lossy(&rest[..end]).split('\n').for_each(&mut *line);
                    rest.drain(..=end);
                }
            };
            let output = self.run(call, &mut sink).await?;
            if is_too_long {
                let what = call.command.first().copied().unwrap_or_default();
                return Err(Error::LongLine { what: what.to_owned(), most: LIMIT });
            }
            if !rest.is_empty() {
                line(&String::from_utf8_lossy(&rest));
            }
            Ok(output)
        })
    }
}

impl Containers for Engine {
    fn run<'a>(&'a self, call: Call<'a>, stdout: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, Result<Output>> {
        Box::pin(async move {
            let container = self.running(call.service, call.command).await?;
            self.exec_to(&container, call.command, call.env, call.stdin, stdout).await
        })
    }

    fn archive<'a>(&'a self, service: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Archive>>> {
        Box::pin(async move {
            let container = self.running(service, &[path]).await?;
            self.archive_in(&container, path).await
        })
    }
}

impl Engine {
    /// The id of the service's running container.
    pub async fn container_of(&self, service: &str) -> Result<Option<String>> {
        let filter = label_filter([(SERVICE_LABEL, service)]);
        let options = ListContainersOptionsBuilder::default().filters(&filter).build();
        let found = self.docker.list_containers(Some(options)).await.context("listing containers")?;
        Ok(found.into_iter().max_by_key(|c| c.created).and_then(|c| c.id))
    }

    /// Runs a command in the service's container, with `env` added and `stdin` given.
    pub async fn exec<S: AsRef<str> + Sync>(
        &self,
        service: &str,
        command: &[S],
        env: &[(&str, &str)],
        stdin: Option<&[u8]>,
    ) -> Result<Output> {
        let command: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
        self.output(Call { service, command: &command, env, stdin }).await
    }

    /// Runs a command in a container.
    pub async fn exec_in(&self, container: &str, command: &[&str], env: &[(&str, &str)], stdin: Option<&[u8]>) -> Result<Output> {
        let mut stdout = Vec::new();
        let output = self.exec_to(container, command, env, stdin, &mut |bytes| keep(&mut stdout, bytes)).await?;
        Ok(Output { stdout: text(&stdout), ..output })
    }

    /// The tar archive of a path in a container; none where nothing is there.
    pub async fn archive_in(&self, container: &str, path: &str) -> Result<Option<Archive>> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let docker = self.docker.clone();
        let mut stream = Box::pin(docker.download_from_container(container, Some(options)));
        let first = match stream.next().await {
            Some(Err(e)) if is_not_found(&e) => return Ok(None),
            Some(first) => first.with(|| format!("reading {path} of a container"))?,
            None => return Ok(None),
        };
        let all = futures_util::stream::once(async { Ok(first) }).chain(stream).map_err(std::io::Error::other);
        Ok(Some(all.boxed()))
    }

    /// Whether there is anything at a path in a container that is no folder.
    pub async fn is_file_in(&self, container: &str, path: &str) -> Result<bool> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        match self.docker.get_container_archive_info(container, Some(options)).await {
            Ok(stat) => Ok(stat.file_mode & FOLDER == 0),
            Err(e) if is_not_found(&e) => Ok(false),
            Err(e) => Err(e).with(|| format!("asking what {path} of a container is")),
        }
    }

    async fn running(&self, service: &str, command: &[&str]) -> Result<String> {
        let program = || command.first().copied().unwrap_or_default().to_owned();
        let none = || Error::NoContainer { service: service.to_owned(), program: program() };
        self.container_of(service).await?.ok_or_else(none)
    }

    /// Runs a command; its standard output goes to `sink` and is not in what is returned.
    async fn exec_to(
        &self,
        container: &str,
        command: &[&str],
        env: &[(&str, &str)],
        stdin: Option<&[u8]>,
        sink: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Output> {
        let what = || format!("running {} in container {}", command.join(" "), &container[..container.len().min(12)]);
        let config = CreateExecOptions {
            cmd: Some(command.iter().map(ToString::to_string).collect::<Vec<String>>()),
            env: Some(env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
            attach_stdin: Some(stdin.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let id = self.docker.create_exec(container, config).await.with(what)?.id;
        let StartExecResults::Attached { mut output, mut input } = self.docker.start_exec(&id, None).await.with(what)? else {
            return Err(Error::NotAttached(what()));
        };
        let mut stderr = Vec::new();
        let feed = async {
            if let Some(bytes) = stdin {
                // A command that ends early closes its end; its exit code tells.
                let _ = input.write_all(bytes).await;
                let _ = input.shutdown().await;
            }
            Ok::<_, Error>(())
        };
        let drain = async {
            while let Some(chunk) = output.next().await {
                match chunk.with(what)? {
                    LogOutput::StdErr { message } => keep(&mut stderr, &message),
                    LogOutput::StdOut { message } | LogOutput::Console { message } => sink(&message),
                    LogOutput::StdIn { .. } => {}
                }
            }
            Ok(())
        };
        let whole = async {
            tokio::try_join!(feed, drain)?;
            self.ended(&id, &what).await
        };
        let late = |_| Error::Late { seconds: self.patience.as_secs(), waiting: what() };
        let code = tokio::time::timeout(self.patience, whole).await.map_err(late)??;
        Ok(Output { code, stdout: String::new(), stderr: text(&stderr) })
    }

    /// Waits until a command has ended. It may run on after its output has: it closed that, or the engine let go of it.
    async fn ended(&self, id: &str, what: &impl Fn() -> String) -> Result<i64> {
        loop {
            let found = self.docker.inspect_exec(id).await.with(what)?;
            if found.running != Some(true) {
                return Ok(found.exit_code.unwrap_or(-1));
            }
            tokio::time::sleep(RUNNING).await;
        }
    }
}

/// A text in which bytes that are not UTF-8 are written as `\xe9`, so that two of them are not taken for the same.
pub fn text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn keep(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let room = LIMIT.saturating_sub(buffer.len());
    buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

trait With<T> {
    fn with(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T> With<T> for Result<T, bollard::errors::Error> {
    fn with(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Docker { context: what(), source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_give_another_text() {
        assert_eq!(text("Zoë".as_bytes()), "Zoë");
        assert_eq!([text(b"Zo\xeb!"), text(b"Zo\xea!")], ["Zo\\xeb!", "Zo\\xea!"]);
    }
}
