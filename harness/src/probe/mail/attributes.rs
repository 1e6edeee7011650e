//! What a server keeps of a folder beside its messages: its identity, who may use it, and what is noted of it.
//!
//! The client library does not know these answers, so they are read here, on its connection, when it has nothing more to ask.

use std::time::Duration;

use async_imap::types::Capabilities;
use judge::property::{ACL, ANNOTATION, GUID};
use judge::store::FolderAttribute;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

use super::folders::Listed;
use super::session::{Bounded, Failure, Session, in_time};
use crate::error::Result;

/// The longest answer that is taken, in bytes.
const ANSWER: usize = 4 << 20;

/// What the server tells of these folders, and of the mailbox as a whole; nothing of what it does not know. Nothing else may be asked in
/// the session after it.
pub(super) async fn attributes(
    session: &mut Session,
    patience: Duration,
    offered: &Capabilities,
    listed: &[Listed],
) -> Result<Vec<FolderAttribute>, Failure> {
    let mut asking = Asking { stream: BufReader::new(session.as_mut()), patience, asked: 0 };
    // Where RFC 8474 is not offered, a server may have the identity under this name, without announcing it.
    let mut identity = Some(if offered.has_str("OBJECTID") { "MAILBOXID" } else { "X-GUID" });
    let mut all = Vec::new();
    for Listed { name, .. } in listed {
        let folder = quoted(name);
        let mut add = |property: &str, of: String, value: String| {
            all.push(FolderAttribute { folder: name.clone(), property: property.to_owned(), of, value });
        };
        if let Some(item) = identity {
            match asking.ask(&format!("STATUS {folder} ({item})")).await? {
                Answer::Told(responses) => identity_of(&responses, item).into_iter().for_each(|id| add(GUID, String::new(), id)),
                Answer::Refused => {}
                Answer::NotKnown => identity = None,
            }
        }
        if offered.has_str("ACL")
            && let Answer::Told(responses) = asking.ask(&format!("GETACL {folder}")).await?
        {
            rights_of(&responses).into_iter().for_each(|(who, rights)| add(ACL, who, rights));
        }
        if offered.has_str("METADATA")
            && let Answer::Told(responses) = asking.ask(&annotations_wanted(&folder, "/private /shared")).await?
        {
            annotations_of(&responses).into_iter().for_each(|(entry, value)| add(ANNOTATION, entry, value));
        }
    }
    // What the user noted of the mailbox as a whole has no folder. What is shared there is one and the same for all users.
    if (offered.has_str("METADATA") || offered.has_str("METADATA-SERVER"))
        && let Answer::Told(responses) = asking.ask(&annotations_wanted("\"\"", "/private")).await?
    {
        all.extend(annotations_of(&responses).into_iter().map(|(of, value)| FolderAttribute {
            folder: String::new(),
            property: ANNOTATION.to_owned(),
            of,
            value,
        }));
    }
    Ok(all)
}

/// A folder's name as an argument.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

fn annotations_wanted(folder: &str, entries: &str) -> String {
    format!("GETMETADATA (DEPTH infinity) {folder} ({entries})")
}

/// What came of a command.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// OK, and the responses before it.
    Told(Vec<Vec<Token>>),
    /// NO: not of this folder, or not to this user.
    Refused,
    /// BAD: the server does not know the command.
    NotKnown,
}

struct Asking<'a> {
    stream: BufReader<&'a mut Bounded>,
    patience: Duration,
    asked: u32,
}

impl Asking<'_> {
    async fn ask(&mut self, command: &str) -> Result<Answer, Failure> {
        let what = command.split(' ').next().unwrap_or_default().to_owned();
        in_time(self.patience, &what, self.asked(command)).await
    }

    async fn asked(&mut self, command: &str) -> Result<Answer, Failure> {
        self.asked += 1;
        let tag = format!("F{}", self.asked);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes()).await.map_err(lost)?;
        self.stream.get_mut().flush().await.map_err(lost)?;
        let mut responses = Vec::new();
        let mut left = ANSWER;
        loop {
            let tokens = tokens(&self.response(&mut left).await?).ok_or_else(|| other("an answer that cannot be read"))?;
            let is = |at: usize, word: &str| tokens.get(at).is_some_and(|t| t.is(word));
            if is(0, &tag) {
                return match () {
                    () if is(1, "OK") => Ok(Answer::Told(responses)),
                    () if is(1, "NO") => Ok(Answer::Refused),
                    () if is(1, "BAD") => Ok(Answer::NotKnown),
                    () => Err(other("an answer that is none of OK, NO and BAD")),
                };
            }
            if is(1, "BYE") {
                return Err(other("the server ended the session"));
            }
            responses.push(tokens);
        }
    }

    /// A response: a line, and the literals in it with the lines that continue after them. `left` is how many bytes may come.
    async fn response(&mut self, left: &mut usize) -> Result<Vec<u8>, Failure> {
        let mut response = Vec::new();
        loop {
            let most = *left as u64;
            let read = (&mut self.stream).take(most).read_until(b'\n', &mut response).await.map_err(lost)?;
            *left -= read;
            if !response.ends_with(b"\n") {
                return Err(other(if *left == 0 { "an answer of more than 4 MiB" } else { "the server closed the connection" }));
            }
            let Some(length) = literal(&response) else { return Ok(response) };
            *left = left.checked_sub(length).ok_or_else(|| other("an answer of more than 4 MiB"))?;
            let from = response.len();
            response.resize(from + length, 0);
            self.stream.read_exact(&mut response[from..]).await.map_err(lost)?;
        }
    }
}

fn other(why: &str) -> Failure {
    Failure::Other(why.to_owned())
}

fn lost(error: std::io::Error) -> Failure {
    Failure::Other(error.to_string())
}

/// The length of the literal that a line ends with: `{5}`, `~{5}` (RFC 9051, 4.3).
fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let digits = &line[line.iter().rposition(|b| *b == b'{')? + 1..];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A part of a response.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Text(Vec<u8>),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        self.bytes().is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn text(&self) -> Option<String> {
        self.bytes().map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

/// The parts of a response; none where a quoted text or a literal does not end.
fn tokens(mut rest: &[u8]) -> Option<Vec<Token>> {
    let mut all = Vec::new();
    while let Some(first) = rest.first() {
        match first {
            b' ' | b'\r' | b'\n' => rest = &rest[1..],
            b'(' | b')' => {
                all.push(if *first == b'(' { Token::Open } else { Token::Close });
                rest = &rest[1..];
            }
            b'"' => {
                let (text, behind) = quoted_text(&rest[1..])?;
                all.push(Token::Text(text));
                rest = behind;
            }
            _ => {
                let end = rest.iter().position(|b| b" ()\r\n".contains(b)).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                rest = behind;
                if let (Some(length), Some(bytes)) = (literal(&[word, b"\r\n"].concat()), behind.strip_prefix(b"\r\n")) {
                    all.push(Token::Text(bytes.get(..length)?.to_vec()));
                    rest = &bytes[length..];
                } else {
                    all.push(Token::Text(word.to_vec()));
                }
            }
        }
    }
    Some(all)
}

/// A quoted text up to its end, and what is behind it.
fn quoted_text(from: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut text, mut at) = (Vec::new(), 0);
    loop {
        match from.get(at)? {
            b'"' => return Some((text, &from[at + 1..])),
            b'\\' => {
                text.push(*from.get(at + 1)?);
                at += 2;
            }
            byte => {
                text.push(*byte);
                at += 1;
            }
        }
    }
}

/// The responses of a kind, after the folder's name.
fn of_kind<'a>(responses: &'a [Vec<Token>], kind: &'a str) -> impl Iterator<Item = &'a [Token]> {
    responses.iter().filter(move |r| r.get(1).is_some_and(|t| t.is(kind))).filter_map(|r| r.get(3..))
}

/// `* STATUS INBOX (X-GUID 1234)`, `* STATUS INBOX (MAILBOXID (F1234))` (RFC 8474).
fn identity_of(responses: &[Vec<Token>], item: &str) -> Option<String> {
    of_kind(responses, "STATUS")
        .find_map(|tokens| tokens.iter().skip_while(|t| !t.is(item)).skip(1).find(|t| **t != Token::Open)?.text())
}

/// `* ACL INBOX fred rwipslda anyone r` (RFC 4314). The order of rights has no meaning.
fn rights_of(responses: &[Vec<Token>]) -> Vec<(String, String)> {
    let pair = |pair: &[Token]| {
        let mut rights: Vec<char> = pair[1].text()?.chars().collect();
        rights.sort_unstable();
        Some((pair[0].text()?, rights.into_iter().collect()))
    };
    of_kind(responses, "ACL").flat_map(|tokens| tokens.chunks_exact(2).filter_map(pair)).collect()
}

/// `* METADATA INBOX (/private/comment "mine")` (RFC 5464). Of a value its SHA-256: what a user notes is private.
fn annotations_of(responses: &[Vec<Token>]) -> Vec<(String, String)> {
    let pair = |pair: &[Token]| Some((pair[0].text()?, hex::encode(Sha256::digest(pair[1].bytes()?))));
    let entries = |tokens: &'_ [Token]| match tokens {
        [Token::Open, entries @ .., Token::Close] => entries.chunks_exact(2).filter_map(pair).collect(),
        _ => vec![],
    };
    of_kind(responses, "METADATA").flat_map(entries).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(text: &str) -> Vec<Vec<Token>> {
        vec![tokens(text.as_bytes()).expect("a response")]
    }

    #[test]
    fn an_identity_is_told_under_either_name() {
        let guid = responses("* STATUS \"a \\\"b\\\" (c\" (MESSAGES 0 X-GUID 584cc32e4c29096b14000000351c0f53)\r\n");
        assert_eq!(identity_of(&guid, "X-GUID").as_deref(), Some("584cc32e4c29096b14000000351c0f53"));
        let others = responses("* STATUS {5}\r\n7 \"(7 (mailboxid (F2212ea87))\r\n");
        assert_eq!(identity_of(&others, "MAILBOXID").as_deref(), Some("F2212ea87"));
        assert_eq!(identity_of(&responses("* STATUS INBOX (MESSAGES 0)\r\n"), "X-GUID"), None);
        assert_eq!(identity_of(&responses("* STATUS INBOX (X-GUID)\r\n"), "X-GUID").as_deref(), None);
    }

    #[test]
    fn rights_are_told_by_whom_they_are_given_to() {
        let told = rights_of(&responses("* ACL INBOX \"fred smith\" rwip -anyone {2}\r\nlr\r\n"));
        assert_eq!(told, [("fred smith".into(), "iprw".into()), ("-anyone".into(), "lr".to_owned())]);
        assert_eq!(rights_of(&responses("* ACL INBOX\r\n")), []);
    }

    #[test]
    fn of_an_annotation_the_hash_is_kept() {
        let told = annotations_of(&responses("* METADATA INBOX (/private/comment {5}\r\nhe\"lo /shared/x \"\")\r\n"));
        let hash = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
        assert_eq!(told, [("/private/comment".into(), hash(b"he\"lo")), ("/shared/x".to_owned(), hash(b""))]);
    }

    #[test]
    fn what_does_not_end_is_no_response() {
        for text in ["* STATUS \"INBOX", "* METADATA INBOX (/private/x {50}\r\nshort)", "\"\\"] {
            assert_eq!(tokens(text.as_bytes()), None, "{text}");
        }
    }
}
