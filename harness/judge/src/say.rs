//! How a finding says what was and what is.

use crate::model::{Finding, Item, Outcome};

pub(crate) fn finding(item: Item, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

pub(crate) fn changed(before: impl std::fmt::Display, after: impl std::fmt::Display) -> String {
    format!("was {before}, is {after}")
}

/// Nanoseconds since 1970 as a time.
pub(crate) fn time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(nanoseconds.into()).map_or_else(|_| nanoseconds.to_string(), |t| t.to_string())
}

pub(crate) fn short(sha256: &[u8]) -> String {
    hex::encode(&sha256[..sha256.len().min(6)])
}

pub(crate) fn short_hex(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}
