//! "Did you mean …?": the known name that is close to one that is not known.

/// The candidate that `word` is most likely a misspelling of; nothing if none is close: at most a third of the letters may differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let near = candidates.into_iter().map(|c| (distance(c), c)).filter(|(d, c)| *d <= c.chars().count().max(3) / 3);
    near.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// The end of a message: `; did you mean radicale?`, or nothing.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        for (word, expected) in [
            ("mailx", Some("mailu")),
            ("mail", Some("mailu")),
            ("radicael", Some("radicale")),
            ("nextcloud", None),
            ("", None),
            ("bd", Some("db")),
        ] {
            assert_eq!(nearest(word, ["davical", "mailu", "radicale", "db"]), expected, "{word:?}");
        }
        assert_eq!(did_you_mean("mailx", ["mailu"]), "; did you mean mailu?");
        assert_eq!(did_you_mean("x", ["mailu"]), "");
    }
}
