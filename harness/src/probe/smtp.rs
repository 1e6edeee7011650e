//! Mail submission over SMTP (RFC 5321, 6409), by connections that are kept. What is written goes out when an answer is awaited:
//! an end of data in a packet of its own would wait for the packets before it to be acknowledged.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::STALL;
use crate::tls::Authority;

/// So many times as long may the answer to its end take: ten minutes (RFC 5321, 4.5.3.2.6).
const AT_THE_END: u32 = 10;
/// Bytes that are kept until an answer is awaited.
const TOGETHER: usize = 256 << 10;

/// Why a message was not accepted, or is not known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAccepted {
    /// The server says to try again (4xx).
    Transient(String),
    /// The server refuses for good (5xx).
    Permanent(String),
    /// The connection was not made, or was lost before the end of data: it was not accepted.
    NotSent(String),
    /// The connection was lost after the end of data, before the answer: it may have been accepted, and once more could be
    /// twice.
    Indeterminate(String),
}

impl NotAccepted {
    /// What was said.
    pub fn reason(&self) -> &str {
        match self {
            Self::Transient(why) | Self::Permanent(why) | Self::NotSent(why) | Self::Indeterminate(why) => why,
        }
    }

    /// A reply, else what `lost` makes of it.
    fn of(e: &SmtpError, lost: fn(String) -> Self) -> Self {
        let kind = match (e.is_transient(), e.is_permanent()) {
            (true, _) => Self::Transient,
            (_, true) => Self::Permanent,
            _ => lost,
        };
        kind(e.to_string())
    }
}

/// A client of one submission door, as one account or, without one, as any server outside.
pub struct Submission {
    host: String,
    port: u16,
    authority: Arc<Authority>,
    login: Option<Credentials>,
    patience: Duration,
    /// Connections on which nothing is under way.
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl Submission {
    /// Connects when it first sends; as an account with TLS from the first byte, else without.
    pub fn new(host: &str, port: u16, authority: Arc<Authority>, login: Option<(&str, &str)>) -> Self {
        let login = login.map(|(account, password)| Credentials::new(account.to_owned(), password.to_owned()));
        Self { host: host.to_owned(), port, authority, login, patience: STALL, idle: Mutex::default() }
    }

    /// Connects and logs in.
    pub async fn connect(&self) -> Result<AsyncSmtpConnection, NotAccepted> {
        let lost = |e: std::io::Error| NotAccepted::NotSent(format!("connecting: {e}"));
        let place = (self.host.as_str(), self.port);
        let connecting = async {
            let stream: Box<dyn AsyncTokioStream> = match self.login {
                None => {
                    let tcp = TcpStream::connect(place).await.map_err(lost)?;
                    let peer = tcp.peer_addr().map_err(lost)?;
                    Box::new(Together::new(tcp, peer))
                }
                Some(_) => {
                    let tls = self.authority.connect(place.0, place.1).await.map_err(lost)?;
                    let peer = tls.get_ref().0.peer_addr().map_err(lost)?;
                    Box::new(Together::new(tls, peer))
                }
            };
            let hello = ClientId::Domain("drill.example".into());
            let answered = |e: SmtpError| NotAccepted::of(&e, NotAccepted::NotSent);
            let mut connection = AsyncSmtpConnection::connect_with_transport(stream, &hello).await.map_err(answered)?;
            if let Some(login) = &self.login {
                connection.auth(DEFAULT_MECHANISMS, login).await.map_err(answered)?;
            }
            Ok(connection)
        };
        timely(self.patience, connecting, NotAccepted::NotSent).await
    }

    /// Submits a message over a connection that is idle, or a new one; how many are open is how many are sent at once. Gives
    /// the server's answer.
    pub async fn send(&self, from: &str, to: &[&str], message: &[u8]) -> Result<String, NotAccepted> {
        let address = |a: &str| a.parse::<Address>().map_err(|e| NotAccepted::Permanent(format!("{a}: {e}")));
        let recipients = to.iter().map(|to| address(to)).collect::<Result<Vec<_>, _>>()?;
        let envelope = Envelope::new(Some(address(from)?), recipients).map_err(|e| NotAccepted::Permanent(e.to_string()))?;
        // The client ends the data with CRLF "." CRLF whatever it ends with: the last CRLF is its own.
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        if let Some(kept) = self.idle() {
            match self.send_over(kept, &envelope, message).await {
                // The server may have closed it long ago.
                Err(NotAccepted::NotSent(why)) => tracing::debug!("a kept connection: {why}"),
                answered => return answered,
            }
        }
        self.send_over(self.connect().await?, &envelope, message).await
    }

    /// Keeps the connection where the message was accepted.
    async fn send_over(
        &self,
        mut connection: AsyncSmtpConnection,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<String, NotAccepted> {
        let answer = self.deliver(&mut connection, envelope, message).await;
        match answer {
            Ok(_) => self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection),
            Err(NotAccepted::Transient(_) | NotAccepted::Permanent(_)) => quit(connection).await,
            Err(NotAccepted::NotSent(_) | NotAccepted::Indeterminate(_)) => {}
        }
        answer
    }

    async fn deliver(
        &self,
        connection: &mut AsyncSmtpConnection,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<String, NotAccepted> {
        let answered = |e: SmtpError| NotAccepted::of(&e, NotAccepted::NotSent);
        let beginning = async {
            let eight_bit = (!message.is_ascii()).then_some(MailParameter::Body(MailBodyParameter::EightBitMime));
            let ascii = envelope.to().iter().chain(envelope.from()).all(|a| AsRef::<str>::as_ref(a).is_ascii());
            let international = (!ascii).then_some(MailParameter::SmtpUtfEight);
            let parameters = eight_bit.into_iter().chain(international).collect();
            connection.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(answered)?;
            for to in envelope.to() {
                connection.command(Rcpt::new(to.clone(), vec![])).await.map_err(answered)?;
            }
            connection.command(Data).await.map_err(answered).map(drop)
        };
        timely(self.patience, beginning, NotAccepted::NotSent).await?;
        let ending = async { connection.message(message).await.map_err(|e| NotAccepted::of(&e, NotAccepted::Indeterminate)) };
        let answer = timely(self.patience * AT_THE_END, ending, NotAccepted::Indeterminate).await?;
        Ok(answer.message().collect::<Vec<_>>().join(" "))
    }

    fn idle(&self) -> Option<AsyncSmtpConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Says goodbye on every connection.
    pub async fn close(self) {
        while let Some(connection) = self.idle() {
            quit(connection).await;
        }
    }
}

/// Says goodbye.
pub(super) async fn quit(mut connection: AsyncSmtpConnection) {
    let _ = tokio::time::timeout(STALL, connection.quit()).await;
}

async fn timely<T>(
    patience: Duration,
    step: impl Future<Output = Result<T, NotAccepted>>,
    lost: fn(String) -> NotAccepted,
) -> Result<T, NotAccepted> {
    let late = |_| Err(lost(format!("no answer in {} s", patience.as_secs())));
    tokio::time::timeout(patience, step).await.unwrap_or_else(late)
}

/// A stream whose writes go out together when something is to be read.
#[derive(Debug)]
struct Together<S> {
    inner: S,
    peer: SocketAddr,
    out: Vec<u8>,
    gone: usize,
}

impl<S: AsyncWrite + Unpin> Together<S> {
    fn new(inner: S, peer: SocketAddr) -> Self {
        Self { inner, peer, out: Vec::new(), gone: 0 }
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        while self.gone < self.out.len() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, &self.out[self.gone..]))? {
                0 => return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into())),
                n => self.gone += n,
            }
        }
        self.out.clear();
        self.gone = 0;
        Pin::new(&mut self.inner).poll_flush(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Together<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Together<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        if self.out.len() >= TOGETHER {
            ready!(self.poll_out(cx))?;
        }
        let n = bytes.len().min(TOGETHER - self.out.len());
        self.out.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync + std::fmt::Debug> AsyncTokioStream for Together<S> {
    fn peer_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    const EHLO: &str = "250-mail.test\r\n250 8BITMIME\r\n";

    /// A server that answers each line of a connection, its greeting and an end of data as a script says; with nothing more to
    /// say it closes. Gives what it was told.
    async fn serve(scripts: Vec<Vec<&'static str>>) -> (Submission, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let told = tokio::spawn(async move {
            let mut told = Vec::new();
            for script in scripts {
                let (connection, _) = listener.accept().await.expect("a client");
                let mut connection = BufReader::new(connection);
                for answer in script {
                    connection.get_mut().write_all(answer.as_bytes()).await.expect("answered");
                    let data = answer.starts_with("354");
                    let mut line = String::new();
                    while connection.read_line(&mut line).await.is_ok_and(|n| n > 0) && data && !line.ends_with("\r\n.\r\n") {}
                    told.push(line.trim_end().to_owned());
                }
            }
            told
        });
        let authority = Arc::new(Authority::issue("front.mail.test").expect("an authority"));
        (Submission::new("127.0.0.1", port, authority, None), told)
    }

    async fn send(submission: &Submission) -> Result<String, NotAccepted> {
        submission.send("a@mail.test", &["b@mail.test"], b"Subject: x\r\n\r\n.dot").await
    }

    #[tokio::test]
    async fn what_became_of_a_message_is_told_by_where_the_connection_ended() {
        let ok = "250 2.0.0 Ok\r\n";
        for (script, expected) in [
            (vec!["554 5.7.1 no\r\n"], NotAccepted::Permanent(String::new())),
            (vec!["220 mail.test\r\n", EHLO], NotAccepted::NotSent(String::new())),
            (vec!["220 mail.test\r\n", EHLO, ok], NotAccepted::NotSent(String::new())),
            (vec!["220 mail.test\r\n", EHLO, ok, "451 4.7.1 later\r\n", ok], NotAccepted::Transient(String::new())),
            (vec!["220 mail.test\r\n", EHLO, ok, "550 5.1.1 nobody\r\n", ok], NotAccepted::Permanent(String::new())),
            (vec!["220 mail.test\r\n", EHLO, ok, ok], NotAccepted::NotSent(String::new())),
            (vec!["220 mail.test\r\n", EHLO, ok, ok, "354 go on\r\n"], NotAccepted::Indeterminate(String::new())),
            (
                vec!["220 mail.test\r\n", EHLO, ok, ok, "354 go on\r\n", "552 5.2.2 full\r\n", ok],
                NotAccepted::Permanent(String::new()),
            ),
        ] {
            let (submission, _) = serve(vec![script.clone()]).await;
            let found = send(&submission).await.expect_err("not accepted");
            assert_eq!(std::mem::discriminant(&found), std::mem::discriminant(&expected), "{script:?}: {found:?}");
        }
    }

    #[tokio::test]
    async fn a_kept_connection_that_was_closed_is_made_anew() {
        let ok = "250 2.0.0 Ok\r\n";
        let once = vec!["220 mail.test\r\n", EHLO, ok, ok, "354 go on\r\n", "250 2.0.0 queued\r\n"];
        let mut twice = once.clone();
        twice.extend([ok, ok, "354 go on\r\n", "250 2.0.0 queued again\r\n", "221 bye\r\n"]);
        // The first server has read the second message's MAIL when it closes.
        let (submission, told) = serve(vec![once, twice]).await;
        for answer in ["2.0.0 queued", "2.0.0 queued", "2.0.0 queued again"] {
            assert_eq!(send(&submission).await, Ok(answer.to_owned()));
        }
        submission.close().await;
        let told = told.await.expect("served");
        let first = ["EHLO drill.example", "MAIL FROM:<a@mail.test>", "RCPT TO:<b@mail.test>", "DATA"];
        let message = "Subject: x\r\n\r\n..dot\r\n.";
        let again = ["MAIL FROM:<a@mail.test>", "RCPT TO:<b@mail.test>", "DATA", message, "QUIT", ""];
        let expected = [&first[..], &[message, "MAIL FROM:<a@mail.test>"], &first, &[message], &again].concat();
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn a_server_that_stalls_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let authority = Arc::new(Authority::issue("front.mail.test").expect("an authority"));
        let patience = Duration::from_millis(10);
        let submission = Submission { patience, ..Submission::new("127.0.0.1", port, authority, None) };
        assert_eq!(send(&submission).await, Err(NotAccepted::NotSent("no answer in 0 s".into())));
    }

    #[tokio::test]
    async fn what_is_written_goes_out_together_when_something_is_read() {
        let (near, mut far) = tokio::io::duplex(4 * TOGETHER);
        let mut stream = Together::new(near, "127.0.0.1:25".parse().expect("an address"));
        for part in ["a message", "\r\n.\r\n"] {
            stream.write_all(part.as_bytes()).await.expect("kept");
            stream.flush().await.expect("kept");
        }
        let mut got = vec![0; 2 * TOGETHER];
        let nothing = futures_util::poll!(std::pin::pin!(far.read(&mut got)));
        assert!(nothing.is_pending(), "{nothing:?}");
        let mut answer = [0; 3];
        let exchange = tokio::join!(stream.read(&mut answer), async {
            let n = far.read(&mut got).await.expect("read");
            far.write_all(b"250").await.expect("answered");
            String::from_utf8_lossy(&got[..n]).into_owned()
        });
        assert_eq!((exchange.0.expect("read"), exchange.1.as_str()), (3, "a message\r\n.\r\n"));
        // More than is kept goes out before.
        let much = vec![b'x'; TOGETHER * 5 / 2];
        let (written, read) = tokio::join!(
            async {
                stream.write_all(&much).await.expect("written");
                stream.shutdown().await
            },
            async {
                let mut all = Vec::new();
                far.read_to_end(&mut all).await.map(|_| all)
            }
        );
        written.expect("closed");
        assert!(read.expect("read") == much);
    }
}
