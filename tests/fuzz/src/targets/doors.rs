//! What servers say through their doors: ManageSieve, IMAP, POP3, the queue of the mail server, pages. SMTP's replies are read by
//! the library alone.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::TryStreamExt as _;
use recipe::scenario::pages::fill;
use restore_drill::probe::sieve::{Token, response, scripts};
use restore_drill::probe::{dkim, doors, mail, pages, queue};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};

use super::{Target, halves, now, text};

/// ManageSieve's responses.
pub const SIEVE: Target = Target {
    name: "sieve",
    feed: sieve,
    seeds: &[
        b"\"SIEVE\" \"fileinto \\\"x\\\"\"\r\n{5}\r\na\"\r\nb\r\nOK (TAG {3}) \"done\"\r\n",
        b"\"a\" ACTIVE\r\n\"b\"\r\nOK\r\n",
        b"NO (QUOTA) \"too much\"\r\n",
        b"BYE {3+}\r\noff\r\n",
    ],
};

fn sieve(data: &[u8]) {
    let whole = now(response(&mut BufReader::new(data)));
    if let Ok(lines) = &whole {
        assert!(lines.iter().all(|line| !matches!(line.first(), Some(Token::Atom(_)))), "{lines:?}");
        let listed = scripts(lines).unwrap_or_default();
        assert!(listed.iter().all(|(name, _)| !name.contains(char::is_control)), "{listed:?}");
    }
    // In whatever pieces it comes.
    assert_eq!(now(response(&mut BufReader::with_capacity(3, data))), whole);
}

/// A server that says what it says, whatever it is told.
#[derive(Debug)]
struct Recorded(std::io::Cursor<Vec<u8>>);

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// IMAP's responses to LIST and FETCH, with a NUL between.
pub const IMAP: Target = Target {
    name: "imap",
    feed: imap,
    seeds: &[
        b"* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"\r\nA0002 OK done\r\n\0* 1 FETCH (UID 7 FLAGS (\\Seen $x) INTERNALDATE \"01-Jan-2026 00:00:00 +0000\" RFC822.SIZE 3 BODY[] {3}\r\nabc)\r\nA0003 OK done\r\n",
        b"A0002 NO no\r\n\0* 2 EXISTS\r\n* 1 FETCH (FLAGS ())\r\nA0003 OK done\r\n",
    ],
};

fn imap(data: &[u8]) {
    let (list, fetch) = halves(data);
    let said = [b"A0001 OK in\r\n", list, fetch].concat();
    now(async {
        let client = async_imap::Client::new(Recorded(std::io::Cursor::new(said)));
        let Ok(mut session) = client.login("a", "b").await else { return };
        if let Ok(names) = session.list(Some(""), Some("*")).await {
            let _ = names.try_collect::<Vec<_>>().await;
        }
        let Ok(fetched) = session.uid_fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])").await else { return };
        let Ok(fetched) = fetched.try_collect::<Vec<_>>().await else { return };
        for fetch in &fetched {
            if let Ok(Some(message)) = mail::message("INBOX", fetch) {
                assert_eq!(message.sha256.len(), 32);
            }
        }
    });
}

/// A message and its header, a POP3 server's answer, a mail queue's list, a key.
pub const MESSAGE: Target = Target {
    name: "message",
    feed: message,
    seeds: &[
        b"From: a@mail.test\r\nrestore-drill-ITEM: 42\r\n\r\nbody\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=mail.test; s=dkim; h=From; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=aa\r\nFrom: a@mail.test\r\n\r\n",
        b"-ERR [SYS/TEMP] Temporary authentication failure\r\n",
        b"{\"queue_name\": \"hold\", \"queue_id\": \"4D2\", \"message_size\": 345, \"sender\": \"a@mail.test\", \"recipients\": [{\"address\": \"b@relayed.example\"}]}\n",
        b"-----BEGIN RSA PRIVATE KEY-----\nMAo=\n-----END RSA PRIVATE KEY-----\n",
    ],
};

fn message(data: &[u8]) {
    let _ = mail::item(data);
    if let Some(value) = mail::header_field(data, "From") {
        assert!(value == value.trim() && !value.contains('\n'), "{value:?}");
    }
    let text = text(data);
    let _ = doors::pop3_answer(&text);
    if let Ok(queued) = queue::parse(&text) {
        let _ = queue::content(&queued);
    }
    let _ = dkim::record(data);
    let _ = now(dkim::verify(data, &BTreeMap::new()));
}

/// A page and what is looked for in it, with a NUL between.
pub const PAGE: Target = Target {
    name: "page",
    feed: page,
    seeds: &[
        "<td>Zo&#235; &quot;Z&quot; O&#039;Neil &amp; &lt;&#x5c71;&gt; \\ &#119070;/x</td>\0Zoë \"Z\" O'Neil & <山> \\ 𝄞/x"
            .as_bytes(),
        b"{\"name\": \"Zo\\u00eb \\\"Z\\\" \\ud834\\udd1e\\/x \\ud834\"}\0x",
        b"{email} {person.1.name} {} {A {b\0{",
    ],
};

fn page(data: &[u8]) {
    let (content, wanted) = halves(data);
    let (content, wanted) = (text(content), text(wanted));
    let _ = pages::says(&content, &wanted);
    assert!(pages::says(&format!("{content}{wanted}"), &wanted));
    // What looks like an entity is read as one, in JSON too.
    if !wanted.contains('&') && !wanted.chars().any(char::is_control) {
        let as_json = serde_json::json!(wanted).to_string();
        assert!(pages::says(&as_json, &wanted), "{as_json}");
    }
    assert!(pages::said(&content).chars().count() <= 202);
    assert_eq!(fill(&content, |name| Some(format!("{{{name}}}"))).as_deref(), Ok(&*content));
    let _ = fill(&content, |_| None);
}
