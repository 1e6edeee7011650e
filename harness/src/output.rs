//! What commands print. Everything goes through here, so that a reader that leaves early, as `head` does, never ends a command: what
//! it does not read is dropped, and the exit code stays what it would have been.
//!
//! Names, logs and mail are written by strangers. So a terminal or a CI server gets no control characters of theirs, and nothing that it
//! would take for a command.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::LazyLock;

use judge::redact::redact;
use serde::Serialize;

use crate::error::{Error, Result};

/// Prints a text on standard output, made harmless and without the secrets of this process.
///
/// # Errors
/// It cannot be written, and not because nobody reads it: on a full disk, for example.
pub fn text(text: impl Display) -> Result<()> {
    exact(shown(&harmless(&redact(&text.to_string()))))
}

/// Prints a text on standard output as it is: one that another program reads, or one with colours of ours.
///
/// # Errors
/// As of [`text`].
pub fn exact(text: impl Display) -> Result<()> {
    print(&mut io::stdout().lock(), &text)
}

/// Prints a value on standard output as JSON over several lines, without the secrets of this process, in which nothing is left that a
/// terminal or a CI server would act on.
///
/// # Errors
/// As of [`text`].
pub fn json(value: &impl Serialize) -> Result<()> {
    json_text(format_args!("{:#}", serde_json::json!(value)))
}

/// The same on one line.
///
/// # Errors
/// As of [`text`].
pub fn json_line(value: &impl Serialize) -> Result<()> {
    json_text(serde_json::json!(value))
}

fn json_text(text: impl Display) -> Result<()> {
    exact_line(harmless_json(&redact(&text.to_string())))
}

/// Prints a line on standard output as it is.
///
/// # Errors
/// As of [`text`].
pub fn exact_line(line: impl Display) -> Result<()> {
    exact(format_args!("{line}\n"))
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
    let _ = writeln!(io::stderr(), "{}", shown(&harmless(&redact(&line.to_string()))));
}

/// Where the program's own log goes: to standard error, as [`notice`] prints it.
#[derive(Debug)]
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(shown(&harmless(&redact(&text))).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// A text in which no terminal finds a control sequence or a change of direction, and no CI server a command: such characters are written
/// as `\u{1b}`. Line feeds and tabs stay.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) && !COMMANDS.iter().any(|command| text.contains(command)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut rest, mut at_start) = (text, true);
    while let Some(c) = rest.chars().next() {
        let is_command = COMMANDS.iter().any(|command| rest.starts_with(command)) && (at_start || c == '#');
        if is_command || is_control(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        at_start = c == '\n' || (at_start && c.is_whitespace());
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(out)
}

/// Whether the locale shows more than ASCII. `LC_ALL` comes before `LC_CTYPE`, and that before `LANG` (POSIX, 8.2).
pub fn is_utf8() -> bool {
    static IS_UTF8: LazyLock<bool> = LazyLock::new(|| names_utf8(["LC_ALL", "LC_CTYPE", "LANG"].map(std::env::var_os)));
    *IS_UTF8
}

/// Whether the first variable that is set names a locale with UTF-8.
fn names_utf8(variables: [Option<OsString>; 3]) -> bool {
    let locale = variables.into_iter().flatten().find(|value| !value.is_empty()).unwrap_or_default();
    let locale = locale.to_string_lossy().to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A text for a terminal: where the locale has no UTF-8, our own signs are in ASCII. Names stay what they are.
pub fn shown(text: &str) -> Cow<'_, str> {
    if is_utf8() { Cow::Borrowed(text) } else { in_ascii(text) }
}

fn in_ascii(text: &str) -> Cow<'_, str> {
    const SIGNS: [(char, &str); 5] = [('…', "..."), ('→', "->"), ('×', "x"), ('–', "-"), ('·', "-")];
    let sign = |c: char| SIGNS.iter().find(|(sign, _)| *sign == c).map(|(_, ascii)| *ascii);
    if text.is_ascii() || !text.chars().any(|c| sign(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match sign(c) {
            Some(ascii) => out.push_str(ascii),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON that says the same, and in which nothing is left that a terminal or a CI server would act on.
pub fn harmless_json(line: &str) -> Cow<'_, str> {
    let is_odd = |c: char| is_control(c) || c == '#';
    if !line.contains(is_odd) {
        return Cow::Borrowed(line);
    }
    let escaped = |c: char| if is_odd(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(line.chars().map(escaped).collect())
}

/// What CI servers take for a command: GitHub and Gitea at the beginning of a line, Azure and TeamCity, and GitHub's older form, anywhere.
const COMMANDS: [&str; 4] = ["::", "##[", "##vso[", "##teamcity["];

/// Whether a character is not shown but does something: control characters, and those that turn the direction of a text (UAX #9).
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
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
    fn what_strangers_wrote_does_nothing() {
        for plain in ["", "held\n\ttab ü 山", "a::b", "# heading\n## heading"] {
            assert!(matches!(harmless(plain), Cow::Borrowed(_)) || harmless(plain) == plain, "{plain}");
        }
        for (text, expected) in [
            ("\x1b[2Jgone", "\\u{1b}[2Jgone"),
            ("a\r\nb", "a\\u{d}\nb"),
            ("a\n  ::set-output name=x::y", "a\n  \\u{3a}:set-output name=x::y"),
            ("x ##[error] ##vso[task]", "x \\u{23}#[error] \\u{23}#vso[task]"),
            ("\u{202e}txt.exe \u{9b}31m", "\\u{202e}txt.exe \\u{9b}31m"),
        ] {
            assert_eq!(harmless(text), expected);
        }
    }

    #[test]
    fn a_terminal_without_utf8_gets_our_signs_in_ascii() {
        assert_eq!(in_ascii("… and 3 more, pass → fail ×2"), "... and 3 more, pass -> fail x2");
        assert_eq!(in_ascii("Entwürfe"), "Entwürfe");
        let named = |all: [&str; 3]| names_utf8(all.map(|value| Some(value.into())));
        assert!(named(["", "", "de_DE.UTF-8"]) && named(["", "C.utf8", "C"]) && named(["en_US.UTF-8", "C", "C"]));
        assert!(!named(["C", "", "de_DE.UTF-8"]) && !named(["", "", ""]) && !names_utf8([None, None, None]));
    }

    #[test]
    fn json_says_the_same_and_does_nothing() {
        let value = serde_json::json!({"message": "a #1 ##[error] \u{202e}x\u{9b}31m \x1b[2J ü"});
        let line = value.to_string();
        let harmless = harmless_json(&line);
        assert!(!harmless.contains(['#', '\u{202e}', '\u{9b}', '\x1b']), "{harmless}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&harmless).expect("JSON"), value);
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
