//! Whether a door lets somebody in: the answer to a login, over IMAP, POP3 (RFC 1939) and SMTP (RFC 4954).

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::STALL;
use super::mail::{Failure, Imap};
use super::smtp::{NotAccepted, Submission, quit};
use crate::tls::Authority;

/// The longest line taken from a POP3 server, in bytes; RFC 2449 allows 512.
const LINE: u64 = 4096;

/// A login's answer: let in or not; or why nothing can be told.
pub type Answer = Result<bool, String>;

/// The doors of the front, and whom to trust there.
#[derive(Clone)]
pub struct Doors {
    /// The engine's host.
    pub host: String,
    /// The run's authority.
    pub authority: Arc<Authority>,
}

impl Doors {
    /// Tries a login over IMAP.
    pub async fn imap(imap: &Imap, account: &str, password: &str) -> Answer {
        match imap.login(account, password).await {
            Ok(mut session) => {
                let _ = tokio::time::timeout(STALL, session.logout()).await;
                Ok(true)
            }
            Err(Failure::Refused(_)) => Ok(false),
            Err(Failure::Other(why)) => Err(why),
        }
    }

    /// Tries a login over POP3, with TLS from the first byte.
    pub async fn pop3(&self, port: u16, account: &str, password: &str) -> Answer {
        let attempt = async {
            let tls = self.authority.connect(&self.host, port).await.map_err(|e| format!("connecting: {e}"))?;
            let mut connection = BufReader::new(tls);
            let mut answer = String::new();
            for command in ["", &format!("USER {account}"), &format!("PASS {password}")] {
                if !command.is_empty() {
                    let sent = connection.get_mut().write_all(format!("{command}\r\n").as_bytes()).await;
                    sent.map_err(|e| e.to_string())?;
                    connection.get_mut().flush().await.map_err(|e| e.to_string())?;
                }
                answer.clear();
                (&mut connection).take(LINE).read_line(&mut answer).await.map_err(|e| e.to_string())?;
                if !answer.starts_with("+OK") {
                    break;
                }
            }
            let _ = connection.get_mut().write_all(b"QUIT\r\n").await;
            pop3_answer(&answer)
        };
        tokio::time::timeout(STALL, attempt).await.unwrap_or_else(|_| Err(format!("no answer in {} s", STALL.as_secs())))
    }

    /// Tries a login over SMTP, with TLS from the first byte.
    pub async fn smtp(&self, port: u16, account: &str, password: &str) -> Answer {
        match self.submission(port, Some((account, password))).connect().await {
            Ok(connection) => {
                quit(connection).await;
                Ok(true)
            }
            Err(NotAccepted::Permanent(_)) => Ok(false),
            Err(e) => Err(e.reason().to_owned()),
        }
    }

    /// A client that submits mail as an account over TLS, or hands it in as any server outside would, without.
    pub fn submission(&self, port: u16, login: Option<(&str, &str)>) -> Submission {
        Submission::new(&self.host, port, self.authority.clone(), login)
    }
}

/// What POP3's last answer says. A server that is unable says so (RFC 3206), and is not one that refuses.
pub fn pop3_answer(answer: &str) -> Answer {
    let said = answer.trim_end();
    if said.starts_with("+OK") {
        return Ok(true);
    }
    // nginx says what follows, in no brackets, if whom it asks does not answer.
    let is_unable = said.contains("[SYS/") || said.contains("internal server error");
    if said.starts_with("-ERR") && !is_unable {
        return Ok(false);
    }
    Err(if said.is_empty() { "the server closed the connection".to_owned() } else { said.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pop3_server_that_is_unable_does_not_refuse() {
        assert_eq!(pop3_answer("+OK Logged in.\r\n"), Ok(true));
        assert_eq!(pop3_answer("-ERR [AUTH] Authentication credentials invalid\r\n"), Ok(false));
        assert!(pop3_answer("-ERR [SYS/TEMP] Temporary authentication failure\r\n").is_err());
        assert!(pop3_answer("-ERR internal server error\r\n").is_err());
        assert_eq!(pop3_answer(""), Err("the server closed the connection".into()));
    }
}
