//! Names of IMAP folders as people read them. A server gives what is not ASCII in modified UTF-7 (RFC 3501, 5.1.3).

use base64::Engine as _;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

const ENGINE: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A name as people read it; none where it is no modified UTF-7.
pub(crate) fn decoded(name: &str) -> Option<String> {
    let mut parts = name.split('&');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (encoded, plain) = part.split_once('-')?;
        if encoded.is_empty() {
            decoded.push('&');
        } else {
            let bytes = ENGINE.decode(encoded).ok()?;
            let units: Vec<u16> =
                bytes.chunks(2).map(|two| two.try_into().map(u16::from_be_bytes)).collect::<Result<_, _>>().ok()?;
            decoded.push_str(&String::from_utf16(&units).ok()?);
        }
        decoded.push_str(plain);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_their_users_wrote_them() {
        for (name, expected) in [
            ("INBOX", Some("INBOX")),
            ("Entw&APw-rfe", Some("Entwürfe")),
            ("Lists.&U,BTFw-", Some("Lists.台北")),
            ("Invoices &- receipts", Some("Invoices & receipts")),
            ("&2D3cyQ-", Some("📉")),
            ("a & b", None),
            ("&A-", None),
            ("&APw", None),
            ("&2D0-", None),
            ("&!!!-", None),
        ] {
            assert_eq!(decoded(name).as_deref(), expected, "{name}");
        }
    }
}
