//! A message, as a FETCH response has it.

use async_imap::types::{Fetch, Flag};
use judge::model::MessageId;
use judge::store::MessageSeen;
use sha2::{Digest as _, Sha256};

use super::session::Failure;
use crate::error::Result;

/// Message numbers are in the order of UIDs (RFC 3501, 2.3.1.2): clients show messages so.
pub(super) fn in_order(last: &mut (u32, u32), number: u32, uid: u32) -> Result<(), Failure> {
    let (last_number, last_uid) = std::mem::replace(last, (number, uid));
    if (number > last_number) == (uid > last_uid) {
        return Ok(());
    }
    Err(Failure::Other(format!("message {last_number} has UID {last_uid}, and message {number} UID {uid}: not in order")))
}

/// A message without its bytes.
pub(super) fn bare(folder: &str, fetch: &Fetch) -> Result<MessageSeen, Failure> {
    let (Some(uid), Some(date)) = (fetch.uid, fetch.internal_date()) else {
        return Err(Failure::Other("a FETCH response without UID or INTERNALDATE".into()));
    };
    let (mut flags, mut keywords) = (Vec::new(), Vec::new());
    for flag in fetch.flags() {
        match flag {
            Flag::Recent => {}
            Flag::Custom(name) if !name.starts_with('\\') => keywords.push(name.into_owned()),
            Flag::Custom(name) => flags.push(name.into_owned()),
            system => flags.push(format!("\\{system:?}")),
        }
    }
    flags.sort();
    keywords.sort();
    Ok(MessageSeen {
        folder: folder.to_owned(),
        uid,
        sha256: vec![],
        body_sha256: vec![],
        size: 0,
        flags: flags.join(" "),
        keywords: keywords.join(" "),
        internal_date: date.timestamp(),
        item: None,
    })
}

/// A message; none for a FETCH response that only tells of changed flags.
pub fn message(folder: &str, fetch: &Fetch) -> Result<Option<MessageSeen>, Failure> {
    let Some(body) = fetch.body() else { return Ok(None) };
    let Some(size) = fetch.size else { return Err(Failure::Other("a FETCH response without RFC822.SIZE".into())) };
    let header_end = body.windows(4).position(|w| w == b"\r\n\r\n").map_or(body.len(), |at| at + 4);
    Ok(Some(MessageSeen {
        sha256: Sha256::digest(body).to_vec(),
        body_sha256: Sha256::digest(&body[header_end..]).to_vec(),
        size: u64::from(size),
        item: item(&body[..header_end]),
        ..bare(folder, fetch)?
    }))
}

/// Which of the run's own messages a message is, by its header.
pub fn item(header: &[u8]) -> Option<MessageId> {
    header_field(header, seeds::ITEM_HEADER)?.parse().ok()
}

/// The value of a header field that is on one line.
pub fn header_field(message: &[u8], field: &str) -> Option<String> {
    let prefix = format!("{field}:");
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(message.len());
    message[..end].split(|b| *b == b'\n').find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let (name, value) = line.split_at_checked(prefix.len())?;
        name.eq_ignore_ascii_case(&prefix).then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_item_is_read_from_the_header() {
        assert_eq!(item(b"From: a@mail.test\r\nrestore-drill-ITEM: 42\r\n\r\n"), Some(MessageId::Corpus(42)));
        assert_eq!(item(b"Restore-Drill-Item: second\r\n\r\n"), None);
        assert_eq!(item(b"Subject: Restore-Drill-Item: 42\r\n\r\n"), None);
        assert_eq!(item(b"Subject: \xff\r\n\r\n"), None);
    }
}
