//! Redaction: secrets that are remembered here are taken out of whatever is stored or said, as they are, in hexadecimal digits, in
//! base64 wherever they begin within a longer text, as in `AUTH PLAIN`, and as addresses and JSON have them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The secrets that are remembered, and what finds them in a text.
#[derive(Default)]
struct Known {
    secrets: BTreeSet<Vec<u8>>,
    finder: Option<Result<AhoCorasick, BuildError>>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an address must encode (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The shortest value that is worth looking for: a shorter one is in many texts by chance.
const SHORTEST: usize = 6;
/// The shortest line of a longer secret, such as a private key, that is looked for by itself.
const SHORTEST_LINE: usize = 16;

/// Parts of a variable's name that say that its value is secret.
const SECRET: [&str; 12] =
    ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "PW", "PWD", "TOKEN", "KEY", "APIKEY", "CREDENTIALS", "SALT"];

/// What a part of it may end with, as in PGPASSWORD.
const ENDS: [&str; 6] = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY"];

/// The password in an address with a user's name, such as `postgres://app:password@db/app` (RFC 3986, 3.2.1).
pub fn password_in(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (user, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

/// Whether a variable's name says that its value is secret.
pub fn says_secret(name: &str) -> bool {
    let is_secret = |part: &str| {
        let part = part.to_ascii_uppercase();
        SECRET.contains(&part.as_str()) || ENDS.iter().any(|end| part.ends_with(end))
    };
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(is_secret)
}

/// Remembers what somebody else keeps secret, also if it is no text. What is short is not looked for.
pub fn remember_bytes(secret: &[u8]) {
    match std::str::from_utf8(secret) {
        Ok(text) => remember_foreign(text),
        Err(_) if secret.len() >= SHORTEST => remember_as(secret.to_owned()),
        Err(_) => {}
    }
}

/// Remembers a text that somebody else keeps secret, as a whole and, where it has several lines, by the line. What is short is not
/// looked for.
pub fn remember_foreign(secret: &str) {
    let secret = secret.trim();
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
    let all = [secret].into_iter().filter(|s| s.len() >= SHORTEST).chain(lines);
    all.for_each(remember);
}

/// Remembers a secret of this process.
pub fn remember(secret: &str) {
    remember_as(secret.as_bytes().to_owned());
}

fn remember_as(secret: Vec<u8>) {
    let mut known = known();
    if known.secrets.insert(secret) {
        known.finder = None;
    }
}

/// A text without the secrets of this process.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut known = known();
    if known.finder.is_none() && !known.secrets.is_empty() {
        let forms = known.secrets.iter().flat_map(|s| forms(s));
        // Of a longer and a shorter form at one place, the longer goes.
        let builder =
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).kind(Some(AhoCorasickKind::ContiguousNFA)).clone();
        known.finder = Some(builder.build(forms));
    }
    match &known.finder {
        Some(Err(_)) => Cow::Borrowed(REDACTED),
        Some(Ok(finder)) if finder.is_match(text) => {
            let nothing = vec![REDACTED; finder.patterns_len()];
            Cow::Owned(finder.replace_all(text, &nothing))
        }
        _ => Cow::Borrowed(text),
    }
}

/// The same in the texts of a JSON value. A single word in lower case, by which programs know an outcome, stays: a weak secret may be the
/// same word.
pub fn redact_texts(value: &mut serde_json::Value) {
    let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
    match value {
        serde_json::Value::String(text) if !is_word(text) => *text = redact(text).into_owned(),
        serde_json::Value::Array(all) => all.iter_mut().for_each(redact_texts),
        serde_json::Value::Object(all) => all.values_mut().for_each(redact_texts),
        _ => {}
    }
}

/// A secret as it may be written: as it is, in hexadecimal digits, and the part of its base64 that does not depend on what is
/// before and after it. In the place of bytes that are not UTF-8, texts have U+FFFD.
fn forms(secret: &[u8]) -> Vec<String> {
    let shown = String::from_utf8_lossy(secret);
    let mut forms = vec![hex::encode(secret), hex::encode_upper(secret)];
    for before in 0..3 {
        let text = [&vec![0; before], secret].concat();
        let encoded = STANDARD_NO_PAD.encode(&text);
        // Digits that hold bits of what is around.
        let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        let digits = &encoded[from..to];
        // Addresses have other digits for two of them (RFC 4648, 5).
        forms.extend([digits.replace('+', "-").replace('/', "_"), digits.to_owned()]);
    }
    for set in [NON_ALPHANUMERIC, RESERVED] {
        let encoded = percent_encode(secret, set).to_string();
        // Some write the digits in lower case.
        forms.extend([encoded.replace("%2F", "%2f"), encoded.replace("%20", "+"), encoded]);
    }
    // With few readable characters, that form would match anything.
    if shown.chars().filter(|c| *c != char::REPLACEMENT_CHARACTER).count() >= SHORTEST || std::str::from_utf8(secret).is_ok() {
        let quoted = serde_json::Value::from(shown.as_ref()).to_string();
        let quoted = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        forms.extend([quoted.replace('/', "\\/"), quoted.to_owned(), shown.into_owned()]);
    }
    // A very short one has forms that are empty.
    forms.retain(|form| !form.is_empty());
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_that_its_value_is_secret() {
        for name in ["SECRET_KEY", "DB_PASSWORD", "smtp.pass", "API-TOKEN", "SECRET", "admin_pw", "PGPASSWORD", "jwtsecret"] {
            assert!(says_secret(name), "{name}");
        }
        for name in ["DOMAIN", "KEYCLOAK_HOST", "PASSENGER_COUNT", "TOKENIZER", ""] {
            assert!(!says_secret(name), "{name}");
        }
    }

    #[test]
    fn a_password_in_an_address_is_found() {
        assert_eq!(password_in("postgres://app:pass:word@db:5432/app?x=a@b"), Some("pass:word"));
        for none in ["postgres://db/app", "app:password@db", "https://user@host/", "https://host/a:b@c", ""] {
            assert_eq!(password_in(none), None, "{none}");
        }
    }

    #[test]
    fn what_an_operator_keeps_secret_is_redacted_in_every_form() {
        remember_foreign("an operator's \"pass/word\"\n");
        remember_foreign("-----BEGIN KEY-----\nbm90IGEga2V5IGF0IGFsbA==\n-----END KEY-----\n");
        remember_foreign("my-pass/word");
        remember_foreign("v1");
        for text in [
            "an operator's \"pass/word\"",
            "{\"p\": \"an operator's \\\"pass/word\\\"\"}",
            "https://u:an%20operator%27s%20%22pass%2Fword%22@host",
            "https://u:my-pass%2Fword@host https://u:my-pass%2fword@host https://u:my%2Dpass%2Fword@host",
            "a line: bm90IGEga2V5IGF0IGFsbA==",
        ] {
            assert!(redact(text).contains(REDACTED), "{text}");
        }
        assert_eq!(redact("v1 stays"), "v1 stays");
    }

    #[test]
    fn words_of_an_outcome_stay_in_json() {
        remember_foreign("outcome-that-is-a-secret");
        let mut value = serde_json::json!({"rung": "outcome-that-is-a-secret", "says": ["it is outcome-that-is-a-secret"]});
        redact_texts(&mut value);
        assert_eq!(value, serde_json::json!({"rung": "outcome-that-is-a-secret", "says": ["it is [redacted]"]}));
    }

    #[test]
    fn a_secret_that_is_no_text_is_redacted() {
        use base64::engine::general_purpose::STANDARD;
        let (key, mixed) = (b"\xff\xfe\x80\x81\x90\xa0\xb0\xc0", b"\xffbinary-and-text\xfe");
        remember_bytes(key);
        remember_bytes(mixed);
        remember_bytes(b"\xffv1");
        remember_bytes(b"an operator's text\n");
        for bytes in [&key[..], mixed] {
            for text in [
                hex::encode(bytes),
                hex::encode_upper(bytes),
                STANDARD.encode(bytes),
                percent_encode(bytes, RESERVED).to_string(),
            ] {
                assert!(redact(&format!("a {text} b")).contains(REDACTED), "{text}");
            }
        }
        assert!(redact(&String::from_utf8_lossy(mixed)).contains(REDACTED));
        assert!(redact("an operator's text").contains(REDACTED));
        // As any other eight bytes that are no text.
        assert_eq!(redact(&String::from_utf8_lossy(key)), "\u{fffd}".repeat(8));
        assert_eq!(redact("ff7631 stays"), "ff7631 stays");
    }

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
