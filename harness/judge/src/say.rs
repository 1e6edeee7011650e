//! How a finding says what was and what is.

use crate::model::{Finding, Item, Outcome};

pub(crate) fn finding(item: Item, outcome: Outcome, property: Option<&str>, detail: String) -> Finding {
    Finding { item, outcome, property: property.map(str::to_owned), detail }
}

pub(crate) fn changed(before: impl std::fmt::Display, after: impl std::fmt::Display) -> String {
    format!("was {before}, is {after}")
}

/// Characters of a value that are shown.
pub(crate) const PART: usize = 160;

/// A value on one line, cut off where it is long.
pub(crate) fn part(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(PART + 1).collect();
    if line.chars().count() <= PART { line } else { line.chars().take(PART - 1).chain(['…']).collect() }
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
