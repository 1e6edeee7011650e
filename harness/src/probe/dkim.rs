//! DKIM (RFC 6376): whether a message's signature verifies against a key record that was read before.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::cache::NoCache;
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

/// The key record (RFC 6376, 3.6.1) that belongs to a private RSA key in PEM form. The private key is in no error.
pub fn record(pem: &[u8]) -> Result<String, String> {
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| "not a private key in PEM form".to_owned())?;
    let key = RsaKey::<Sha256>::from_key_der(key).map_err(|_| "not an RSA key".to_owned())?;
    Ok(format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(key.public_key())))
}

/// Key records by DNS name: what a resolver would answer, and nothing besides.
struct Records<'a>(&'a BTreeMap<String, String>);

impl ResolverCache<Box<str>, Txt> for Records<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let wanted = |known: &&String| {
            let with_dot: Box<str> = format!("{known}.").into();
            let without: Box<str> = known.as_str().into();
            with_dot.borrow() == name || without.borrow() == name
        };
        let found = self.0.iter().find(|(known, _)| wanted(known));
        // A name that is not there has no record; no query leaves this machine.
        Some(match found.map(|(_, record)| DomainKey::parse(record.as_bytes())) {
            Some(Ok(key)) => Txt::DomainKey(Arc::new(key)),
            Some(Err(e)) => Txt::Error(e),
            None => Txt::Error(mail_auth::Error::Io("no key record".into())),
        })
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

type Nothing<K, V> = NoCache<K, RecordSet<V>>;
/// A message with what is known of the DNS: key records, and nothing else.
type Question<'x> = Parameters<
    'x,
    &'x AuthenticatedMessage<'x>,
    Records<'x>,
    Nothing<Box<str>, MX>,
    Nothing<Box<str>, Ipv4Addr>,
    Nothing<Box<str>, Ipv6Addr>,
    Nothing<IpAddr, Box<str>>,
>;

/// What the signatures of a message say, given key records by name, `selector._domainkey.domain`.
pub async fn verify(message: &[u8], records: &BTreeMap<String, String>) -> Result<String, String> {
    let Some(parsed) = AuthenticatedMessage::parse(message) else { return Err("not a message".into()) };
    let resolver = MessageAuthenticator::new_system_conf().map_err(|e| format!("no resolver: {e}"))?;
    let cache = Records(records);
    let question: Question<'_> = Parameters::new(&parsed).with_txt_cache(&cache);
    let results = resolver.verify_dkim(question).await;
    let said: Vec<String> = results
        .iter()
        .map(|output| {
            let domain = output.signature().map_or("?", |s| s.d.as_str());
            match output.result() {
                DkimResult::Pass => format!("valid for {domain}"),
                DkimResult::Fail(e) | DkimResult::Neutral(e) | DkimResult::PermError(e) | DkimResult::TempError(e) => {
                    format!("invalid for {domain}: {e}")
                }
                DkimResult::None => format!("none for {domain}"),
            }
        })
        .collect();
    Ok(if said.is_empty() { "no signature".to_owned() } else { said.join("; ") })
}

#[cfg(test)]
mod tests {
    use mail_auth::common::headers::HeaderWriter as _;
    use mail_auth::dkim::DkimSigner;
    use mail_auth::dkim::generate::DkimKeyPair;

    use super::*;

    const MESSAGE: &str = "From: a@mail.test\r\nSubject: signed\r\n\r\nA body.\r\n";

    /// A private key as PEM.
    fn key() -> String {
        let pair = DkimKeyPair::generate_rsa(1024).expect("a key");
        let (kind, key) = ("RSA PRIVATE KEY", STANDARD.encode(pair.private_key()));
        format!("-----BEGIN {kind}-----\n{key}\n-----END {kind}-----\n")
    }

    fn signed(pem: &str) -> String {
        let key = RsaKey::<Sha256>::from_key_der(PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("RSA");
        let signer = DkimSigner::from_key(key).domain("mail.test").selector("dkim").headers(["From", "Subject"]);
        signer.sign(MESSAGE.as_bytes()).expect("signed").to_header() + MESSAGE
    }

    fn records(pem: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("dkim._domainkey.mail.test".to_owned(), record(pem.as_bytes()).expect("a record"))])
    }

    #[tokio::test]
    async fn a_signature_is_valid_for_its_key_and_its_message_alone() {
        let pem = key();
        let message = signed(&pem);
        assert_eq!(verify(message.as_bytes(), &records(&pem)).await, Ok("valid for mail.test".into()));
        let changed = message.replace("A body", "Another body");
        for (message, records) in [(&message, records(&key())), (&changed, records(&pem)), (&message, BTreeMap::new())] {
            let said = verify(message.as_bytes(), &records).await.expect("told");
            assert!(said.starts_with("invalid for mail.test: "), "{said}");
        }
        assert_eq!(verify(MESSAGE.as_bytes(), &records(&pem)).await, Ok("no signature".into()));
    }

    #[test]
    fn what_is_no_key_is_not_in_the_error() {
        assert_eq!(record(b"geheim"), Err("not a private key in PEM form".into()));
    }
}
