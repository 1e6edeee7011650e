//! Globs of findings and items, and what their stars matched.

use std::collections::BTreeSet;

use recipe::glob::matches;
use regex::Regex;

/// A glob, in which `*` stands for any text, of which what its stars match is wanted.
pub struct Glob(Regex);

impl Glob {
    /// The glob of a text.
    pub fn new(text: &str) -> Self {
        let parts: Vec<String> = text.split('*').map(regex::escape).collect();
        let pattern = format!("(?s)^{}$", parts.join("(.*?)"));
        Self(Regex::new(&pattern).expect("escaped text with groups between is a regular expression"))
    }

    /// What its stars matched, if it matches.
    pub fn stars(&self, text: &str) -> Option<Vec<String>> {
        let captures = self.0.captures(text)?;
        Some(captures.iter().skip(1).map(|group| group.map_or_else(String::new, |g| g.as_str().to_owned())).collect())
    }
}

/// Whether one of some globs matches.
pub fn any(globs: &[String], text: &str) -> bool {
    globs.iter().any(|g| matches(g, text))
}

/// Of what was expected, each a finding or a glob of findings, what matches none that was found; and the findings that
/// nothing expects.
pub fn uncovered<'a>(expected: &'a BTreeSet<String>, found: &'a BTreeSet<String>) -> (Vec<&'a String>, Vec<&'a String>) {
    let meets = |expected: &str, found: &str| expected == found || expected.contains('*') && matches(expected, found);
    let missed = expected.iter().filter(|e| !found.contains(*e) && !found.iter().any(|f| meets(e, f))).collect();
    let more = found.iter().filter(|f| !expected.contains(*f) && !expected.iter().any(|e| meets(e, f))).collect();
    (missed, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_what_a_glob_left_open() {
        let stars = |glob: &str, text: &str| Glob::new(glob).stars(text);
        assert_eq!(stars("volume dkim, file *.key", "volume dkim, file mail.test.key"), Some(vec!["mail.test".into()]));
        assert_eq!(stars("a*b*c", "a1b2c"), Some(vec!["1".into(), "2".into()]));
        assert_eq!(stars("a.c", "abc"), None);
        assert_eq!(stars("main.db", "main.db"), Some(vec![]));
    }

    #[test]
    fn what_is_expected_covers_all_that_is_found_and_nothing_else() {
        let set = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        let expected = set(&["database wiki, table *: lost", "backup: failed (hook)"]);
        let uncovered = |found: &[&str]| {
            let found = set(found);
            let (missed, more) = uncovered(&expected, &found);
            (missed.len(), more.len())
        };
        assert_eq!(uncovered(&["database wiki, table a, row 1: lost", "backup: failed (hook)"]), (0, 0));
        assert_eq!(uncovered(&["backup: failed (hook)"]), (1, 0), "a glob that matches nothing");
        assert_eq!(uncovered(&["database wiki, table a, row 1: lost", "backup: failed (hook)", "more"]), (0, 1));
        assert_eq!(uncovered(&[]), (2, 0));
    }
}
