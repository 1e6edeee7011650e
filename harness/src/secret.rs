//! The secret of a run, from which every password of the run is derived. It lives in memory only; with `--keep` it is also left
//! in a file of the state directory that only its owner may read.
//!
//! Every secret that was derived is remembered for redaction.

use hmac::{Hmac, KeyInit as _, Mac as _};
use judge::redact;
use sha2::Sha256;

use crate::error::{Error, Result};

/// What a secret of which only the length is said is made of.
const ALPHANUMERIC: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

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
            .map_err(|_| Error::system("random numbers", "the system gave none"))?;
        Ok(Self(bytes))
    }

    /// The secret called `name`: 32 hexadecimal digits, a form that every app takes as a password or a token.
    pub fn derive(&self, name: &str) -> String {
        let secret = hex::encode(&self.block(name)[..16]);
        redact::remember(&secret);
        secret
    }

    fn block(&self, name: &str) -> [u8; 32] {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key");
        mac.update(name.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The secret called `name` as a comment in the recipe says that it is made; else as the others are.
    pub fn made(&self, name: &str, as_said: &recipe::secret_version::Recipe) -> String {
        let derived = self.derive(name);
        if as_said.length.is_none() && as_said.alphabet.is_none() {
            return derived;
        }
        let letters: Vec<char> = as_said.alphabet.as_deref().unwrap_or(ALPHANUMERIC).chars().collect();
        let length = as_said.length.unwrap_or(derived.len());
        let blocks = (0_u32..).flat_map(|at| self.block(&format!("{name}, part {at}")));
        let secret: String = blocks.map(|byte| letters[usize::from(byte) % letters.len()]).take(length).collect();
        redact::remember_foreign(&secret);
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
    fn a_secret_is_made_as_the_recipe_says() {
        let secret = Secret::random().expect("random");
        let made = |name: &str, comment: &str| secret.made(name, &recipe::secret_version::Recipe::of_comment(comment));
        assert_eq!(made("x", "a note"), secret.derive("x"));
        let hex = made("x", "length=70 charset=hex");
        assert!(hex.len() == 70 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)), "{hex}");
        let long = made("x", "length=100");
        assert!(long.len() == 100 && long.chars().all(|c| c.is_ascii_alphanumeric()), "{long}");
        assert!(long.chars().any(|c| c > 'f') && long[..50] != long[50..] && long != made("y", "length=100"), "{long}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }
}
