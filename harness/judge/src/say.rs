//! How a finding says what was and what is.

use crate::model::{Finding, Item, Outcome};

pub(crate) fn finding(item: Item, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

pub(crate) fn changed(before: impl std::fmt::Display, after: impl std::fmt::Display) -> String {
    format!("was {before}, is {after}")
}

pub(crate) fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}

pub(crate) fn short(sha256: &[u8]) -> String {
    hex::encode(&sha256[..sha256.len().min(6)])
}

pub(crate) fn short_hex(sha256: &str) -> String {
    sha256.chars().take(12).collect()
}
