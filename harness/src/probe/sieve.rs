//! The sieve probe: every script of every account, through the ManageSieve door (RFC 5804), as its user.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, TryStreamExt as _};
use judge::store::{Evidence, ObservationId, ScriptSeen};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Probe, Progress, Reading, STALL};
use crate::secret::Secret;
use crate::tls::Authority;

/// Accounts read at once.
const CONNECTIONS: usize = 4;
/// The longest line and the longest script that are taken, in bytes.
const MOST: usize = 1 << 20;
/// The most lines in a response.
const LINES: usize = 10_000;

/// How long a server that is not able to check a password is asked again.
const LATER: Duration = Duration::from_secs(20);
/// The time between two tries.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether a server refused because it could not check the password now (RFC 5804, 1.3: TRYLATER).
fn is_temporary(why: &str) -> bool {
    why.contains("(TRYLATER)") || why.contains("Temporary authentication failure")
}

/// What a login that failed says of the password: a server that says NO to it refused it.
fn refusal(why: String) -> Try<bool> {
    if why.starts_with("login: NO") && !is_temporary(&why) { Ok(false) } else { Err(why) }
}

/// The ManageSieve door: where it is, and whom to trust.
#[derive(Clone)]
pub struct Sieve {
    /// The engine's host.
    pub host: String,
    /// The published port (4190 inside).
    pub port: u16,
    /// The run's authority.
    pub authority: Arc<Authority>,
}

/// An authenticated session.
pub struct Session(BufReader<TlsStream<TcpStream>>);

/// A string or an atom of a response; a literal counts as a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A string.
    Text(Vec<u8>),
    /// An atom, or a response code.
    Atom(String),
}

/// A line of a response.
pub type Line = Vec<Token>;
/// What was asked for, or why there is none.
pub type Try<T> = std::result::Result<T, String>;

async fn in_time<T>(what: &str, step: impl Future<Output = Try<T>>) -> Try<T> {
    let late = |_| Err(format!("{what}: no answer in {} s", STALL.as_secs()));
    tokio::time::timeout(STALL, step).await.unwrap_or_else(late).map_err(|e| format!("{what}: {e}"))
}

impl Sieve {
    /// Connects, has the connection encrypted, checks the certificate and logs in. Never sends a password in the clear. A server that
    /// asks to come back later is asked again, for a while.
    pub async fn login(&self, account: &str, password: &str) -> Try<Session> {
        let end = tokio::time::Instant::now() + LATER;
        loop {
            match self.login_now(account, password).await {
                Err(why) if is_temporary(&why) && tokio::time::Instant::now() < end => tokio::time::sleep(AGAIN).await,
                done => return done,
            }
        }
    }

    /// Tries a login: whether the server lets somebody in; an error where that cannot be told.
    pub async fn lets_in(&self, account: &str, password: &str) -> Try<bool> {
        match self.login(account, password).await {
            Ok(session) => {
                session.logout().await;
                Ok(true)
            }
            Err(why) => refusal(why),
        }
    }

    async fn login_now(&self, account: &str, password: &str) -> Try<Session> {
        let connect = async {
            let fail = |e: &dyn std::fmt::Display| e.to_string();
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| fail(&e))?;
            let mut plain = BufReader::new(tcp);
            let greeting = response(&mut plain).await?;
            let can = |line: &Line| matches!(line.first(), Some(Token::Text(t)) if t.eq_ignore_ascii_case(b"STARTTLS"));
            if !greeting.iter().any(can) {
                return Err("the server offers no STARTTLS".into());
            }
            send(&mut plain, b"STARTTLS\r\n").await?;
            response(&mut plain).await?;
            let tls = self.authority.encrypt(plain.into_inner()).await.map_err(|e| fail(&e))?;
            let mut tls = BufReader::new(tls);
            // The capabilities again, now to be trusted (RFC 5804, 2.2).
            response(&mut tls).await?;
            Ok(tls)
        };
        let mut session = Session(in_time("connecting", connect).await?);
        let credentials = STANDARD.encode(format!("\0{account}\0{password}"));
        session.command("login", format!("AUTHENTICATE \"PLAIN\" \"{credentials}\"\r\n").as_bytes()).await?;
        Ok(session)
    }
}

impl Session {
    async fn command(&mut self, what: &str, bytes: &[u8]) -> Try<Vec<Line>> {
        in_time(what, async {
            send(&mut self.0, bytes).await?;
            response(&mut self.0).await
        })
        .await
    }

    /// Stores a script.
    pub async fn put(&mut self, name: &str, text: &str) -> Try<()> {
        let command = format!("PUTSCRIPT {} {{{}+}}\r\n{text}\r\n", quoted(name), text.len());
        self.command("PUTSCRIPT", command.as_bytes()).await.map(drop)
    }

    /// Makes a script the active one.
    pub async fn activate(&mut self, name: &str) -> Try<()> {
        self.command("SETACTIVE", format!("SETACTIVE {}\r\n", quoted(name)).as_bytes()).await.map(drop)
    }

    /// The scripts: name, whether it is active.
    pub async fn list(&mut self) -> Try<Vec<(String, bool)>> {
        scripts(&self.command("LISTSCRIPTS", b"LISTSCRIPTS\r\n").await?)
    }

    /// A script's bytes.
    pub async fn get(&mut self, name: &str) -> Try<Vec<u8>> {
        let lines = self.command("GETSCRIPT", format!("GETSCRIPT {}\r\n", quoted(name)).as_bytes()).await?;
        match lines.into_iter().next().and_then(|line| line.into_iter().next()) {
            Some(Token::Text(bytes)) => Ok(bytes),
            other => Err(format!("GETSCRIPT: expected a script, found {other:?}")),
        }
    }

    /// Deletes a script that is not the active one.
    pub async fn delete(&mut self, name: &str) -> Try<()> {
        self.command("DELETESCRIPT", format!("DELETESCRIPT {}\r\n", quoted(name)).as_bytes()).await.map(drop)
    }

    /// Says goodbye.
    pub async fn logout(mut self) {
        let _ = self.command("LOGOUT", b"LOGOUT\r\n").await;
    }
}

/// The scripts that a response to LISTSCRIPTS lists. Their names go into commands: one that no script can have (RFC 5804, 1.6) could
/// be a command of its own.
pub fn scripts(lines: &[Line]) -> Try<Vec<(String, bool)>> {
    let name = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(name) if !name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) => Ok(name.to_owned()),
        _ => Err(format!("LISTSCRIPTS: \"{}\" is no script's name", bytes.escape_ascii())),
    };
    let one = |line: &Line| match line.as_slice() {
        [Token::Text(bytes)] => Ok((name(bytes)?, false)),
        [Token::Text(bytes), Token::Atom(active)] if active.eq_ignore_ascii_case("ACTIVE") => Ok((name(bytes)?, true)),
        other => Err(format!("LISTSCRIPTS: unexpected line {other:?}")),
    };
    lines.iter().map(one).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Try<()> {
    to.write_all(bytes).await.map_err(|e| e.to_string())?;
    to.flush().await.map_err(|e| e.to_string())
}

/// The lines of a response up to its `OK`; `NO` and `BYE` are errors.
pub async fn response(from: &mut (impl AsyncBufRead + Unpin)) -> Try<Vec<Line>> {
    let mut lines = Vec::new();
    loop {
        let line = line(from).await?;
        if let Some(Token::Atom(word)) = line.first() {
            let said = line.iter().skip(1).map(|t| match t {
                Token::Text(bytes) => text(bytes),
                Token::Atom(atom) => atom.clone(),
            });
            match word.to_ascii_uppercase().as_str() {
                "OK" => return Ok(lines),
                word @ ("NO" | "BYE") => return Err(format!("{word} {}", said.collect::<Vec<_>>().join(" "))),
                _ => return Err(format!("unexpected answer {word:?}")),
            }
        }
        if lines.len() == LINES {
            return Err(format!("more than {LINES} lines in one response"));
        }
        lines.push(line);
    }
}

/// One line, its literals included (RFC 5804, 4).
async fn line(from: &mut (impl AsyncBufRead + Unpin)) -> Try<Line> {
    let mut tokens = Vec::new();
    loop {
        let mut bytes = Vec::new();
        let n = (&mut *from).take(MOST as u64).read_until(b'\n', &mut bytes).await.map_err(|e| e.to_string())?;
        if n == 0 {
            return Err("the server closed the connection".into());
        }
        let Some(bytes) = bytes.strip_suffix(b"\n") else { return Err(format!("a line of more than {MOST} bytes, or cut off")) };
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let literal = tokenise(bytes, &mut tokens)?;
        let Some(size) = literal else { return Ok(tokens) };
        let mut content = vec![0; size];
        from.read_exact(&mut content).await.map_err(|e| format!("a literal of {size} bytes: {e}"))?;
        tokens.push(Token::Text(content));
    }
}

/// Adds the tokens of a part of a line; the size of the literal that follows it, if one does.
fn tokenise(bytes: &[u8], tokens: &mut Line) -> Try<Option<usize>> {
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        match first {
            b' ' => rest = after,
            b'"' => {
                let (mut value, mut at, mut closed) = (Vec::new(), 0, false);
                while at < after.len() && !closed {
                    match after[at] {
                        b'"' => closed = true,
                        b'\\' if at + 1 < after.len() => {
                            at += 1;
                            value.push(after[at]);
                        }
                        byte => value.push(byte),
                    }
                    at += 1;
                }
                if !closed {
                    return Err("a quoted string without its end".into());
                }
                tokens.push(Token::Text(value));
                rest = &after[at..];
            }
            b'{' => {
                let size =
                    after.strip_suffix(b"}").map(|d| d.strip_suffix(b"+").unwrap_or(d)).map(text).and_then(|d| d.parse().ok());
                return match size {
                    Some(size) if size <= MOST => Ok(Some(size)),
                    _ => Err(format!("a literal that is no literal, or larger than {MOST} bytes: {:?}", text(rest))),
                };
            }
            // A response code may hold what looks like anything: it is one atom.
            b'(' => {
                let end = rest.iter().position(|b| *b == b')').map_or(rest.len(), |at| at + 1);
                tokens.push(Token::Atom(text(&rest[..end])));
                rest = &rest[end..];
            }
            _ => {
                let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
                tokens.push(Token::Atom(text(&rest[..end])));
                rest = &rest[end..];
            }
        }
    }
    Ok(None)
}

/// The sieve probe.
pub struct Scripts {
    /// The door.
    pub sieve: Sieve,
    /// The accounts.
    pub accounts: Vec<String>,
    /// What their passwords are derived from.
    pub secret: Secret,
}

impl Probe for Scripts {
    fn name(&self) -> &'static str {
        "sieve"
    }

    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a> {
        Box::pin(async move {
            let total = self.accounts.len() as u64;
            futures_util::stream::iter(self.accounts.clone().into_iter().zip(1..))
                .map(|(account, at)| async move {
                    let scripts = self.read(&account).await;
                    progress(at, total);
                    evidence.put_scripts(observation, &account, &scripts)
                })
                .buffer_unordered(CONNECTIONS)
                .try_collect::<Vec<()>>()
                .await?;
            Ok(())
        })
    }
}

impl Scripts {
    async fn read(&self, account: &str) -> Try<Vec<ScriptSeen>> {
        let mut session = self.sieve.login(account, &self.secret.password(account)).await?;
        let mut scripts = Vec::new();
        for (script, active) in session.list().await? {
            let sha256 = hex::encode(Sha256::digest(session.get(&script).await?));
            scripts.push(ScriptSeen { script, active, sha256 });
        }
        session.logout().await;
        Ok(scripts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Try<Vec<Line>> {
        response(&mut BufReader::new(bytes)).await
    }

    fn words(words: &[&str]) -> Line {
        words.iter().map(|w| Token::Text(w.as_bytes().to_vec())).collect()
    }

    #[tokio::test]
    async fn responses_with_quoted_strings_literals_and_codes() {
        let lines = read(b"\"SIEVE\" \"fileinto \\\"x\\\"\"\r\n{5}\r\na\"\r\nb\r\nOK (TAG {3}) \"done\"\r\n").await;
        assert_eq!(lines, Ok(vec![words(&["SIEVE", "fileinto \"x\""]), words(&["a\"\r\nb"])]));
        let active = read(b"\"a\" ACTIVE\r\nOK\r\n").await;
        assert_eq!(active, Ok(vec![vec![Token::Text(b"a".to_vec()), Token::Atom("ACTIVE".into())]]));
        assert_eq!(read(b"NO (QUOTA) \"too much\"\r\n").await, Err("NO (QUOTA) too much".into()));
        assert_eq!(read(b"BYE {3}\r\noff\r\n").await, Err("BYE off".into()));
    }

    #[test]
    fn only_a_server_that_is_not_able_is_asked_again() {
        assert!(is_temporary("login: NO (TRYLATER) Temporary authentication failure. [host:2026-11-26 16:17:40]"));
        assert!(!is_temporary("login: NO Authentication failed."));
    }

    #[test]
    fn a_name_that_no_script_can_have_goes_into_no_command() {
        let listed = |name: &[u8]| scripts(&[vec![Token::Text(name.to_vec()), Token::Atom("active".into())]]);
        assert_eq!(listed("Abwesenheit für \"Büro\"".as_bytes()), Ok(vec![("Abwesenheit für \"Büro\"".into(), true)]));
        assert_eq!(listed(b"a\r\nLOGOUT"), Err("LISTSCRIPTS: \"a\\r\\nLOGOUT\" is no script's name".into()));
        assert!(listed(b"\xff").is_err());
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error_and_never_a_panic() {
        for bytes in [
            &b""[..],
            b"\"a",
            b"\"a\r\nOK\r\n",
            b"{9999999999}\r\n",
            b"{5}\r\nab",
            b"{x}\r\n",
            b"MAYBE\r\n",
            b"\xff\x00\r\n",
            b"\"a\\",
        ] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
    }
}
