//! A value of a database as evidence keeps it: typed, so that NULL, 'NULL', 1, '1' and a blob differ.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Bytes of a value that are kept; of a longer one, the hash.
const LONGEST: usize = 16 << 10;

/// A text, whatever its bytes.
pub(super) fn text(bytes: &[u8]) -> Value {
    if bytes.len() > LONGEST {
        return long("text", bytes);
    }
    std::str::from_utf8(bytes).map_or_else(|_| json!({"text": hex::encode(bytes)}), |text| json!(text))
}

/// Bytes that are no text.
pub(super) fn blob(bytes: &[u8]) -> Value {
    if bytes.len() > LONGEST { long("blob", bytes) } else { json!({"blob": hex::encode(bytes)}) }
}

fn long(kind: &str, bytes: &[u8]) -> Value {
    json!({kind: format!("sha256:{}", hex::encode(Sha256::digest(bytes))), "bytes": bytes.len()})
}

/// A number as a server prints it; one that is no whole number stays as it is printed.
pub(super) fn number(printed: &[u8]) -> Value {
    let whole = std::str::from_utf8(printed).ok().and_then(|text| Some((text, text.parse::<i64>().ok()?)));
    whole.filter(|(text, n)| *text == n.to_string()).map_or_else(|| text(printed), |(_, n)| json!(n))
}

/// The SHA-256 of a secret; NULL is none.
pub(super) fn secret(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::String(text) => json!(format!("sha256:{}", hex::encode(Sha256::digest(text)))),
        other => json!(format!("sha256:{}", hex::encode(Sha256::digest(other.to_string())))),
    }
}

/// A value in a row's key.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(typed) => typed.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Value::Null => "NULL".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_alike_differ() {
        let values =
            [Value::Null, text(b"NULL"), number(b"1"), text(b"1"), blob(b"1"), text(b"\xff"), blob(b"\xff"), number(b"01")];
        for (at, one) in values.iter().enumerate() {
            assert!(values[at + 1..].iter().all(|other| other != one), "{one}");
        }
    }

    #[test]
    fn of_a_long_value_the_hash_is_kept() {
        let (one, other) = (vec![b'a'; LONGEST + 1], vec![b'a'; LONGEST + 2]);
        assert!(text(&one).to_string().len() < 200 && text(&one) != text(&other) && text(&one) != blob(&one));
    }

    #[test]
    fn a_secret_is_a_hash_and_null_is_none() {
        assert_eq!(secret(&Value::Null), Value::Null);
        assert_ne!(secret(&json!("1")), secret(&json!({"blob": "31"})));
        assert!(secret(&json!("geheim")).as_str().is_some_and(|s| s.starts_with("sha256:") && s.len() == 71));
    }
}
