//! How `abra app secret generate` makes a Docker secret: the variable with its version has a comment that says so, as in
//! `SECRET_DB_PASSWORD_VERSION=v1 # length=32 charset=hex`.
//!
//! What abra knows is recalled and not read from its source, so it stands here alone, and what is not known is passed over.

use crate::compose::variable::{Part, parts};

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Special characters that neither a shell nor an address takes for something else.
const SPECIAL: &str = "!@%^*_-+=";
/// The longest secret that is made.
const LONGEST: usize = 4096;

/// How a secret is made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recipe {
    /// How many characters it has, if that is said.
    pub length: Option<usize>,
    /// The characters that it is made of, if that is said.
    pub alphabet: Option<String>,
    /// Whether the operator inserts it, and abra does not make it.
    pub is_inserted: bool,
}

impl Recipe {
    /// What a comment says, without its `#`.
    pub fn of_comment(comment: &str) -> Self {
        let mut recipe = Self::default();
        for (key, value) in comment.split_whitespace().filter_map(|word| word.split_once('=')) {
            let value = value.trim_matches([',', ';', '"', '\'']);
            match key.trim_start_matches('#').to_ascii_lowercase().as_str() {
                "length" => recipe.length = value.parse().ok().filter(|length| (1..=LONGEST).contains(length)),
                "charset" => recipe.alphabet = alphabet(value),
                "generate" => recipe.is_inserted = value.eq_ignore_ascii_case("false"),
                _ => {}
            }
        }
        recipe
    }
}

/// The characters of one or more sets, separated by commas.
fn alphabet(sets: &str) -> Option<String> {
    let characters = |set: &str| match set.to_ascii_lowercase().as_str() {
        "hex" => Some(HEX.to_owned()),
        "digits" | "numeric" => Some(DIGITS.to_owned()),
        "default" | "alphanumeric" | "safe" => Some(format!("{LETTERS}{DIGITS}")),
        "special" | "safespecial" | "alphanumeric_special" => Some(format!("{LETTERS}{DIGITS}{SPECIAL}")),
        _ => None,
    };
    let mut all: Vec<char> = sets.split(',').filter_map(characters).collect::<String>().chars().collect();
    all.sort_unstable();
    all.dedup();
    (!all.is_empty()).then(|| all.into_iter().collect())
}

/// The variable in the name of a Docker secret that has its version, such as `SECRET_DB_PASSWORD_VERSION`.
pub fn variable(name: &str) -> Option<&str> {
    parts(name).ok()?.into_iter().find_map(|part| match part {
        Part::Variable(v) if v.name.starts_with("SECRET_") && v.name.ends_with("_VERSION") => Some(v.name),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_says_how_a_secret_is_made() {
        let made = |comment: &str| {
            let Recipe { length, alphabet, is_inserted } = Recipe::of_comment(comment);
            (length, alphabet.map(|a| a.len()), is_inserted)
        };
        assert_eq!(made("length=32"), (Some(32), None, false));
        assert_eq!(made(" length=64   charset=hex generate=true"), (Some(64), Some(16), false));
        assert_eq!(made("charset=default,special"), (None, Some(62 + SPECIAL.len()), false));
        assert_eq!(made("generate=false, the admin's token"), (None, None, true));
        assert_eq!(made("generate=False the admin's token"), (None, None, true));
        assert_eq!(made("length=0 charset=runes a note = here"), (None, None, false));
        assert_eq!(made("# length=8"), (Some(8), None, false));
    }

    #[test]
    fn the_version_is_in_the_secrets_name() {
        assert_eq!(variable("${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}"), Some("SECRET_DB_PASSWORD_VERSION"));
        assert_eq!(variable("${STACK_NAME}_db_${SECRET_DB_VERSION:-v1}"), Some("SECRET_DB_VERSION"));
        assert_eq!(variable("db_${VERSION}"), None);
        assert_eq!(variable("${"), None);
    }
}
