//! Connections to a service of a stack through the engine's API, one command in a container for each: for a machine that reaches the
//! engine and not its host's ports.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use engine::Engine;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Context as _, Error, Result};
use crate::images::reader::PATH;

/// Connections at a time; each is a process on the engine's machine.
const AT_ONCE: usize = 32;
/// How long to wait before the next connection where one could not be taken.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a service may go on once its client has ended.
const LAST_WORDS: Duration = Duration::from_secs(120);

/// Listens on this machine, and passes each connection on to a service, from the container of a relay. Gives the port, and what listens
/// until it is dropped.
///
/// # Errors
/// No port is free.
pub async fn listen(engine: &Engine, container: &str, service: &str, port: u16) -> Result<(u16, AbortOnDropHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::io("a port on 127.0.0.1"))?;
    let here = listener.local_addr().map_err(Error::io("a port on 127.0.0.1"))?.port();
    let (engine, container, to) = (engine.clone(), container.to_owned(), format!("{service}:{port}"));
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let accept = async move {
        // What is under way ends with this.
        let mut passing = tokio::task::JoinSet::new();
        while let Ok(permit) = permits.clone().acquire_owned().await {
            let Ok((client, _)) = listener.accept().await else {
                // Too many files are open, until a connection ends.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            while passing.try_join_next().is_some() {}
            let (engine, container, to) = (engine.clone(), container.clone(), to.clone());
            passing.spawn(async move {
                // A client whose connection closes at once finds the service as it is: not there.
                if let Err(e) = pass(&engine, &container, to, client).await {
                    tracing::debug!("a connection through the engine ended: {e}");
                }
                drop(permit);
            });
        }
    };
    Ok((here, AbortOnDropHandle::new(tokio::spawn(accept))))
}

/// Passes one connection on, until the service has said all.
async fn pass(engine: &Engine, container: &str, to: String, client: TcpStream) -> Result<()> {
    let what = "connecting through the engine";
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec![PATH.to_owned(), "connect".to_owned(), to]),
        ..Default::default()
    };
    let exec = engine.docker.create_exec(container, config).await.context(what)?;
    let StartExecResults::Attached { mut output, mut input } = engine.docker.start_exec(&exec.id, None).await.context(what)?
    else {
        return Err(Error::bug("a command that is not attached"));
    };
    let (mut read, mut write) = client.into_split();
    let there = async {
        let sent = tokio::io::copy(&mut read, &mut input).await;
        // The end of what the client says is the end of the command's input.
        let ended = input.shutdown().await;
        sent.and(ended)
    };
    let back = async {
        while let Some(said) = output.next().await {
            match said.context(what)? {
                LogOutput::StdErr { message } => tracing::debug!("{}", String::from_utf8_lossy(&message).trim_end()),
                said => write.write_all(&said.into_bytes()).await.map_err(Error::io("a client"))?,
            }
        }
        Ok::<_, Error>(())
    };
    tokio::pin!(there, back);
    // What the service says ends the connection; what the client says does not.
    tokio::select! {
        said = &mut back => said,
        _ = &mut there => tokio::time::timeout(LAST_WORDS, back).await.unwrap_or(Ok(())),
    }
}
