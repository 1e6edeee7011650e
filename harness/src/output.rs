//! What commands print. Everything goes through here, so that a reader that leaves early, as `head` does, never ends a command: what
//! it does not read is dropped, and the exit code stays what it would have been.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::error::{Error, Result};

/// Prints a text on standard output, as it is.
///
/// # Errors
/// It cannot be written for another reason than that nobody reads it: on a full disk, for example.
pub fn text(text: impl Display) -> Result<()> {
    print(&mut io::stdout().lock(), &text)
}

/// Prints a line on standard output.
///
/// # Errors
/// As of [`text`].
pub fn line(line: impl Display) -> Result<()> {
    text(format_args!("{line}\n"))
}

/// Prints a line on standard error. What cannot be written there is dropped: there is no other place to say so.
pub fn notice(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn print(to: &mut impl Write, text: &impl Display) -> Result<()> {
    match write!(to, "{text}").and_then(|()| to.flush()) {
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Error::io("standard output")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_a_full_disk_is_one() {
        let mut written = Vec::new();
        print(&mut written, &"held").expect("printed");
        assert_eq!(written, b"held");
        print(&mut Failing(ErrorKind::BrokenPipe), &"held").expect("dropped");
        let error = print(&mut Failing(ErrorKind::StorageFull), &"held").expect_err("a full disk").to_string();
        assert!(error.starts_with("standard output: "), "{error}");
    }
}
