//! The secret of a run, from which every password of the run is derived. It lives in memory only; with `--keep` it is also left
//! in a file of the state directory that only its owner may read.
//!
//! Every secret that was derived is remembered for redaction.

use hmac::{Hmac, KeyInit as _, Mac as _};
use judge::redact;
use sha2::Sha256;

use crate::error::{Error, Result};

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
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key");
        mac.update(name.as_bytes());
        let secret = hex::encode(&mac.finalize().into_bytes()[..16]);
        redact::remember(&secret);
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
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret(…)");
    }
}
