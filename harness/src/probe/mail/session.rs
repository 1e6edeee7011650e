//! The IMAP door: a connection that holds no more than what fits, a login, and what a refusal looks like.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_imap::error::Error as ImapError;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::error::Result;
use crate::tls::Authority;

/// Mailboxes read at once. A server may allow some 20 connections per user and address; two cores serve about this many.
pub const CONNECTIONS: usize = 4;
/// The longest line that is taken, in bytes; RFC 5322 allows 998 in a message, and a parser has to hold it.
const LINE: u64 = 16 << 20;
/// The longest response that is taken, in bytes: a message and what is said of it.
const RESPONSE: u64 = 96 << 20;
/// Attempts at reading one account, where the cause may pass. The last one reads a folder that fails message by message.
pub(super) const ATTEMPTS: u32 = 3;

/// An authenticated IMAP session.
pub type Session = async_imap::Session<Bounded>;

/// A connection on which no line and no response is longer than what can be held: the client library holds both whole.
#[derive(Debug)]
pub struct Bounded {
    inner: TlsStream<TcpStream>,
    line: u64,
    /// Bytes since the last response was handed on.
    pub(super) response: Arc<AtomicU64>,
    /// How long the server may say nothing while it is listened to.
    patience: Duration,
    /// When it has said nothing for too long; none while nobody waits.
    silence: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl AsyncRead for Bounded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        if polled.is_ready() {
            self.silence = None;
        } else {
            let patience = self.patience;
            let silence = self.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
            if silence.as_mut().poll(cx).is_ready() {
                let why = format!("no answer in {} s", patience.as_secs());
                return Poll::Ready(Err(std::io::Error::new(std::io::ErrorKind::TimedOut, why)));
            }
        }
        let new = &buf.filled()[before..];
        self.line = match new.iter().rev().position(|b| *b == b'\n') {
            Some(since) => since as u64,
            None => self.line + new.len() as u64,
        };
        let response = self.response.fetch_add(new.len() as u64, Ordering::Relaxed) + new.len() as u64;
        for (length, most, what) in [(self.line, LINE, "line"), (response, RESPONSE, "response")] {
            if length > most {
                return Poll::Ready(Err(std::io::Error::other(format!("a {what} of more than {} MiB", most >> 20))));
            }
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        // A new command is answered by new responses.
        self.response.store(0, Ordering::Relaxed);
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// The IMAP door: where it is, and whom to trust.
#[derive(Clone)]
pub struct Imap {
    /// The engine's host.
    pub host: String,
    /// The published port of implicit TLS (993 inside).
    pub port: u16,
    /// The run's authority.
    pub authority: Arc<Authority>,
    /// The longest wait for one response; [`STALL`](crate::probe::STALL) outside tests.
    pub patience: Duration,
}

/// Why a session or a reading failed.
#[derive(Debug)]
pub enum Failure {
    /// The server denied the login: a `NO` that says so.
    Refused(String),
    /// Anything else.
    Other(String),
}

impl Failure {
    /// The reason in words.
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused(why) | Self::Other(why) => why,
        }
    }
}

impl From<ImapError> for Failure {
    fn from(error: ImapError) -> Self {
        Self::Other(error.to_string())
    }
}

/// The result of a step, unless the server does not answer in time.
pub(super) async fn in_time<T, E: Into<Failure>>(
    patience: Duration,
    what: &str,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(patience, step).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Failure::Other(format!("{what}: no answer in {} s", patience.as_secs()))),
    }
}

impl Imap {
    /// Connects, checks the certificate, reads the greeting and logs in.
    pub async fn login(&self, account: &str, password: &str) -> Result<Session, Failure> {
        let other = |what: &str, e: &dyn std::fmt::Display| Failure::Other(format!("{what}: {e}"));
        let connect = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| other("connecting", &e))?;
            let tls = self.authority.encrypt(tcp).await.map_err(|e| other("TLS", &e))?;
            let mut client = async_imap::Client::new(Bounded {
                inner: tls,
                line: 0,
                response: Arc::default(),
                patience: self.patience,
                silence: None,
            });
            let greeting = client.read_response().await.map_err(|e| other("greeting", &e))?;
            greeting.ok_or_else(|| Failure::Other("the server closed the connection before its greeting".into()))?;
            Ok::<_, Failure>(client)
        };
        let client = in_time(self.patience, "connecting", connect).await?;
        in_time(self.patience, "login", async {
            client.login(account, password).await.map_err(|(e, _)| match &e {
                ImapError::No(text) if refusal(text) => Failure::Refused(plain(text)),
                _ => Failure::Other(format!("login: {e}")),
            })
        })
        .await
    }
}

/// Whether a `NO` says that the credentials are wrong (RFC 5530: AUTHENTICATIONFAILED), not that the server is unable.
fn refusal(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    !text.contains("UNAVAILABLE")
        && (text.contains("AUTHENTICATIONFAILED")
            || text.contains("AUTHENTICATION FAILED")
            || text.contains("CREDENTIALS INVALID"))
}

/// The server's words out of the client's rendering, `code: …, info: Some("…")`.
fn plain(text: &str) -> String {
    text.split_once("info: Some(\"").and_then(|(_, rest)| rest.strip_suffix("\")")).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_denial_of_the_credentials_is_a_refusal() {
        assert!(refusal("code: None, info: Some(\"[AUTHENTICATIONFAILED] Authentication credentials invalid\")"));
        assert!(refusal("code: None, info: Some(\"Authentication failed.\")"));
        assert!(!refusal("code: None, info: Some(\"[UNAVAILABLE] Temporary authentication failure\")"));
        assert!(!refusal("code: None, info: Some(\"internal server error\")"));
        assert_eq!(plain("code: None, info: Some(\"no\")"), "no");
    }
}
