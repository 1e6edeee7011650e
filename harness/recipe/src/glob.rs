//! Globs over paths and findings: `*` matches any text, also `/`, and every other character matches itself.

use wildmatch::WildMatchPattern;

/// The matcher's sign for a single character, which we do not use: no path and no finding contains it.
const NO_SINGLE: char = '\0';

/// Whether a text matches a glob. The time is at most proportional to the product of their lengths.
pub fn matches(glob: &str, text: &str) -> bool {
    WildMatchPattern::<'*', NO_SINGLE>::new(glob).matches(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs() {
        for (glob, path, expected) in [
            ("main.db", "main.db", true),
            ("main.db*", "main.db-journal", true),
            ("*/dovecot.index*", "u@mail.test/.Sent/dovecot.index.log", true),
            ("*/dovecot.index*", "dovecot.index", false),
            ("*.key", "mail.test.dkim.key.bak", false),
            ("a?c", "abc", false),
            ("a?c", "a?c", true),
            ("*é*", "café au lait", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(glob, path), expected, "{glob} {path}");
        }
    }

    /// Eight stars against forty letters took 12.6 s with a matcher that tried every split. The test ends, or it never does.
    #[test]
    fn many_stars_end() {
        let (glob, text) = ("a*".repeat(64) + "b", "a".repeat(4096));
        assert!(!matches(&glob, &text));
        assert!(matches(&glob, &(text + "b")));
    }

    /// What a glob means, as its definition says it: slow, and used on short texts only.
    fn defined(glob: &str, text: &str) -> bool {
        match glob.split_once('*') {
            None => glob == text,
            Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
                (0..=tail.len()).filter(|at| tail.is_char_boundary(*at)).any(|at| defined(rest, &tail[at..]))
            }),
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_its_definition_says(glob in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(&glob, &text), defined(&glob, &text));
        }
    }
}
