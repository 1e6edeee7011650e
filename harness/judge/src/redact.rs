//! Redaction: secrets that are remembered here are taken out of whatever is stored or said, as they are, in hexadecimal digits,
//! and in base64 wherever they begin within a longer text, as in `AUTH PLAIN`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The secrets that are remembered, and what finds them in a text.
#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    finder: Option<AhoCorasick>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Remembers a secret of this process.
pub fn remember(secret: &str) {
    let mut known = known();
    if known.secrets.insert(secret.to_owned()) {
        known.finder = None;
    }
}

/// A text without the secrets of this process.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut known = known();
    if known.finder.is_none() && !known.secrets.is_empty() {
        let forms = known.secrets.iter().flat_map(|s| forms(s));
        // Of a longer and a shorter form at one place, the longer goes.
        known.finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(forms).ok();
    }
    match &known.finder {
        Some(finder) if finder.is_match(text) => {
            let nothing = vec![REDACTED; finder.patterns_len()];
            Cow::Owned(finder.replace_all(text, &nothing))
        }
        _ => Cow::Borrowed(text),
    }
}

/// A secret as it may be written: as it is, in hexadecimal digits, and the part of its base64 that does not depend on what is
/// before and after it.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), hex::encode(secret), hex::encode_upper(secret)];
    for before in 0..3 {
        let text = [&vec![0; before], secret.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&text);
        // Digits that hold bits of what is around.
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        forms.push(encoded[from..to].to_owned());
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_a_secret_is_left_in_a_text() {
        use base64::engine::general_purpose::STANDARD;
        let secret = "5f2c8d0e9b7a46d1c3e8f0a1b2d4c6e9".to_owned();
        remember(&secret);
        let plain = |user: &str| STANDARD.encode(format!("\0{user}\0{secret}"));
        for text in [secret.clone(), hex::encode(&secret), STANDARD.encode(&secret), plain("a"), plain("ab"), plain("abc")] {
            let redacted = redact(&text);
            assert!(redacted.contains(REDACTED), "{text}");
            let rest: String = redacted.split(REDACTED).collect();
            assert!(rest.len() < 24, "{rest}");
        }
        assert_eq!(redact(&format!("a {secret} b")), format!("a {REDACTED} b"));
        assert!(matches!(redact("0123456789abcdef0123456789abcdef"), Cow::Borrowed(_)), "what is no secret stays");
    }
}
