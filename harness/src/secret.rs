//! The secret of a run, from which every password of the run is derived. It lives in memory only; with `--keep` it is also left
//! in a file of the state directory that only its owner may read.
//!
//! Every secret that was derived is known here, so that [`redact`] can take it out of whatever is stored or said: as it is,
//! in hexadecimal digits, and in base64 wherever it begins within a longer text, as in `AUTH PLAIN`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::error::{Error, Result};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The secrets that were derived, and what finds them in a text.
#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    finder: Option<AhoCorasick>,
}

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
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

/// 256 random bits.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one, from the system's random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        rustls::crypto::ring::default_provider()
            .secure_random
            .fill(&mut bytes)
            .map_err(|_| Error::Unknown("the system gave no random numbers".into()))?;
        Ok(Self(bytes))
    }

    /// The secret called `name`: 32 hexadecimal digits, which is also what a Mailu token looks like.
    pub fn derive(&self, name: &str) -> String {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key");
        mac.update(name.as_bytes());
        let secret = hex::encode(&mac.finalize().into_bytes()[..16]);
        let mut known = known();
        if known.secrets.insert(secret.clone()) {
            known.finder = None;
        }
        secret
    }

    /// An app token of an account, by its place among the account's tokens.
    pub fn token(&self, at: usize, account: &str) -> String {
        self.derive(&format!("token {at} {account}"))
    }

    /// The password of an account.
    pub fn password(&self, account: &str) -> String {
        self.derive(&format!("password {account}"))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_secrets_differ_by_name_and_by_run() {
        let (a, b) = (Secret::random().expect("random"), Secret::random().expect("random"));
        assert_eq!(a.password("u@mail.test"), a.password("u@mail.test"));
        assert_ne!(a.password("u@mail.test"), a.password("v@mail.test"));
        assert_ne!(a.password("u@mail.test"), b.password("u@mail.test"));
        assert_eq!(a.derive("x").len(), 32);
    }

    #[test]
    fn no_form_of_a_secret_is_left_in_a_text() {
        use base64::engine::general_purpose::STANDARD;
        let secret = Secret::random().expect("random").password("u@mail.test");
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

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }
}
