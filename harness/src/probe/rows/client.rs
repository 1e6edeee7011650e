//! The client of a database server: it is asked for queries, and gives lines of bytes.

use engine::Engine;
use engine::exec::{Call, Containers as _};
use futures_util::future::BoxFuture;
use recipe::scenario::QUERY;

use crate::error::Result;

/// Bytes of a query at most: the kernel takes no longer argument of a command than 128 KiB.
pub(super) const QUERY_BYTES: usize = 100 << 10;

/// Why a server's database was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failed {
    /// The server answered: it has no such database.
    Absent,
    /// Nobody knows what is in it.
    Unreadable(String),
}

impl Failed {
    /// By what the client said.
    pub(super) fn of(said: String, is_absent: impl Fn(&str) -> bool) -> Self {
        if is_absent(&said) { Self::Absent } else { Self::Unreadable(said) }
    }
}

/// Bytes of one line at most: a row is read whole.
const LONGEST: usize = 256 << 20;

/// Takes a line, without its end.
pub type Line<'a> = &'a mut (dyn FnMut(&[u8]) + Send);

/// Asks a database server.
pub trait Client: Send + Sync {
    /// Runs a query and hands over each line of its answer. The inner error is what the client said when it failed.
    fn ask<'a>(&'a self, query: &'a str, line: Line<'a>) -> BoxFuture<'a, Result<Result<(), String>>>;
}

/// The last line of an answer that is whole: a query ends by asking for it.
pub(super) const END: &str = "end";

/// Takes a line of an answer; an error says what is wrong with it.
pub(super) type Checked<'a> = &'a mut (dyn FnMut(&[u8]) -> Result<(), String> + Send);

/// Runs a query that ends with [`END`], and hands over each line before that until one is wrong. `is_absent` tells from what the
/// client said that there is no such database.
pub(super) async fn ask_whole(
    client: &dyn Client,
    query: &str,
    line: Checked<'_>,
    is_absent: impl Fn(&str) -> bool,
) -> Result<Result<(), Failed>> {
    let (mut wrong, mut ended) = (None, false);
    let mut take = |bytes: &[u8]| {
        if bytes == END.as_bytes() {
            ended = true;
        } else if wrong.is_none() {
            wrong = line(bytes).err();
        }
    };
    let asked = client.ask(query, &mut take).await?;
    Ok(match (asked, wrong) {
        (Err(said), _) => Err(Failed::of(said, is_absent)),
        (Ok(()), Some(wrong)) => Err(Failed::Unreadable(wrong)),
        (Ok(()), None) if !ended => Err(Failed::Unreadable("the client's answer ended before its end".into())),
        (Ok(()), None) => Ok(()),
    })
}

/// A client program in the container of a service.
pub struct InContainer<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// The service's full name.
    pub service: String,
    /// The program and its arguments, with [`QUERY`].
    pub command: &'a [String],
}

impl Client for InContainer<'_> {
    fn ask<'a>(&'a self, query: &'a str, line: Line<'a>) -> BoxFuture<'a, Result<Result<(), String>>> {
        Box::pin(async move {
            let command: Vec<String> = self.command.iter().map(|word| word.replace(QUERY, query)).collect();
            let command: Vec<&str> = command.iter().map(String::as_str).collect();
            let mut lines = Lines::default();
            let call = Call { service: &self.service, command: &command, env: &[], stdin: None };
            let output = self.engine.run(call, &mut |bytes| lines.take(bytes, line)).await?;
            let said = output.stderr.trim().to_owned();
            Ok(match lines.end(line) {
                _ if output.code != 0 => Err(if said.is_empty() { format!("exit code {}", output.code) } else { said }),
                ended => ended,
            })
        })
    }
}

/// Parts a stream of bytes into lines.
#[derive(Default)]
pub struct Lines {
    rest: Vec<u8>,
    too_long: bool,
}

impl Lines {
    /// Takes some bytes of the stream.
    pub fn take(&mut self, mut bytes: &[u8], line: Line<'_>) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            if self.rest.is_empty() {
                line(&bytes[..end]);
            } else {
                self.keep(&bytes[..end]);
                line(&std::mem::take(&mut self.rest));
            }
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.too_long |= self.rest.len() + bytes.len() > LONGEST;
        if !self.too_long {
            self.rest.extend_from_slice(bytes);
        }
    }

    /// The end of the stream.
    pub fn end(mut self, line: Line<'_>) -> Result<(), String> {
        if self.too_long {
            return Err(format!("a row is longer than {} MiB", LONGEST >> 20));
        }
        if !self.rest.is_empty() {
            line(&std::mem::take(&mut self.rest));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client that always says the same.
    struct Says(Result<&'static str, &'static str>);

    impl Client for Says {
        fn ask<'a>(&'a self, _: &'a str, line: Line<'a>) -> BoxFuture<'a, Result<Result<(), String>>> {
            Box::pin(async move {
                Ok(match self.0 {
                    Ok(text) => {
                        text.lines().for_each(|l| line(l.as_bytes()));
                        Ok(())
                    }
                    Err(said) => Err(said.to_owned()),
                })
            })
        }
    }

    #[tokio::test]
    async fn an_answer_counts_only_if_it_is_whole() {
        let asked = async |says| {
            let mut lines = Vec::new();
            let mut line = |bytes: &[u8]| {
                lines.push(String::from_utf8_lossy(bytes).into_owned());
                if bytes == b"bad" { Err("a bad line".to_owned()) } else { Ok(()) }
            };
            let answer = ask_whole(&Says(says), "", &mut line, |said| said == "none").await.expect("asked");
            (answer, lines.join(" "))
        };
        let unreadable = |why: &str| Err(Failed::Unreadable(why.to_owned()));
        assert_eq!(asked(Ok("a\nb\nend")).await, (Ok(()), "a b".into()));
        assert_eq!(asked(Ok("a\nb")).await, (unreadable("the client's answer ended before its end"), "a b".into()));
        assert_eq!(asked(Ok("a\nbad\nc\nend")).await, (unreadable("a bad line"), "a bad".into()));
        assert_eq!(asked(Err("none")).await, (Err(Failed::Absent), String::new()));
        assert_eq!(asked(Err("gone")).await, (unreadable("gone"), String::new()));
    }

    #[test]
    fn lines_come_in_any_parts() {
        for size in 1..9 {
            let mut found = Vec::new();
            let mut lines = Lines::default();
            let mut line = |text: &[u8]| found.push(text.to_vec());
            b"one\n\n\xff\xfe three\nfour".chunks(size).for_each(|part| lines.take(part, &mut line));
            assert_eq!(lines.end(&mut line), Ok(()));
            assert_eq!(found, [&b"one"[..], b"", b"\xff\xfe three", b"four"]);
        }
    }
}
