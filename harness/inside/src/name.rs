//! Names are bytes: a file's name may be anything but NUL and `/`. As text, each byte that is not part of a printable character
//! is written as `\x` and two hexadecimal digits, and a backslash as two. Different names stay different, and no name breaks a line.

use std::fmt::Write as _;

/// A name as text.
pub fn escape(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if is_plain(c) => text.push(c),
                c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| byte(&mut text, b)),
            }
        }
        chunk.invalid().iter().for_each(|b| byte(&mut text, *b));
    }
    text
}

/// The name that was escaped; none where a text is no escaped name: each name has one text.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    Some(taken_apart(text)?).filter(|name| escape(name) == text)
}

fn taken_apart(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        name.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            name.push(b'\\');
            rest = after;
        } else {
            let digits = rest.strip_prefix('x')?.get(..2)?;
            name.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[3..];
        }
    }
    name.extend_from_slice(rest.as_bytes());
    Some(name)
}

/// Whether a character is written as it is. Control characters and line separators are not, and neither are characters that
/// change the direction of a line, which could make two names look alike.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn byte(text: &mut String, byte: u8) {
    // Writing to a string does not fail.
    let _ = write!(text, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_printable_stays_as_it_is() {
        for (name, text) in [
            (&b"u01@mail.test/cur/1,S=2:2,S"[..], "u01@mail.test/cur/1,S=2:2,S"),
            ("Entwürfe".as_bytes(), "Entwürfe"),
            (b"new\nline", "new\\x0aline"),
            (b"r\xe9sum\xe9.txt", "r\\xe9sum\\xe9.txt"),
            (b"a\\x0ab", "a\\\\x0ab"),
            ("\u{202e}txt".as_bytes(), "\\xe2\\x80\\xaetxt"),
            (b"", ""),
        ] {
            assert_eq!(escape(name), text);
            assert_eq!(unescape(text).as_deref(), Some(name));
        }
        for text in ["\\", "\\x", "\\x4", "\\y41", "\\xzz", "\\xé", "\\x+a", "\\xE9", "\\x41", "a\n"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_text_of_its_own(name in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = escape(&name);
            prop_assert!(text.chars().all(|c| !c.is_control()));
            prop_assert_eq!(unescape(&text), Some(name));
        }
    }
}
