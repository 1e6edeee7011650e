//! Which of a run's own messages a message is.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A message that the run itself made. As text, in the header of the message, in the store and in reports, `42` is number 42 of the
/// corpus and `live-3` the fourth message that was delivered while the backup ran. Both count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageId {
    /// A message of the corpus.
    Corpus(u64),
    /// A message that was delivered while the backup ran.
    Live(u64),
}

/// How the id of a message begins that was delivered while the backup ran.
const LIVE: &str = "live-";

/// A text that is not the id of a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of a message; expected a number, or `live-` and a number")]
pub struct NotAMessageId(pub String);

impl MessageId {
    /// The number in the corpus, for a message of the corpus.
    pub fn corpus(self) -> Option<u64> {
        match self {
            Self::Corpus(number) => Some(number),
            Self::Live(_) => None,
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corpus(number) => write!(f, "{number}"),
            Self::Live(number) => write!(f, "{LIVE}{number}"),
        }
    }
}

impl FromStr for MessageId {
    type Err = NotAMessageId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (make, digits): (fn(u64) -> Self, &str) = match text.strip_prefix(LIVE) {
            Some(digits) => (Self::Live, digits),
            None => (Self::Corpus, text),
        };
        // `parse` alone would take a sign.
        let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
        number.map(make).ok_or_else(|| NotAMessageId(text.to_owned()))
    }
}

impl Serialize for MessageId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl ToSql for MessageId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.to_string().into())
    }
}

impl FromSql for MessageId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|e| FromSqlError::Other(Box::new(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_is_none_and_never_message_0() {
        for (text, id) in [("0", MessageId::Corpus(0)), ("42", MessageId::Corpus(42)), ("live-3", MessageId::Live(3))] {
            assert_eq!((text.parse(), id.to_string().as_str()), (Ok(id), text));
        }
        for text in ["", "live-", "live", "-1", "+1", "1 ", "live-+1", "x", "99999999999999999999999"] {
            assert_eq!(text.parse::<MessageId>(), Err(NotAMessageId(text.into())));
        }
    }

    #[test]
    fn json_has_it_as_text() {
        let json = serde_json::json!([MessageId::Corpus(42), MessageId::Live(3)]);
        assert_eq!(json.to_string(), r#"["42","live-3"]"#);
        assert_eq!(serde_json::from_value::<Vec<MessageId>>(json).ok(), Some(vec![MessageId::Corpus(42), MessageId::Live(3)]));
        assert!(serde_json::from_str::<MessageId>("\"second\"").is_err());
    }
}
