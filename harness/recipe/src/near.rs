//! "Did you mean …?": the known name that is close to one that is not known.

/// The candidate that `word` is most likely a misspelling of; nothing if none is close: at most a third of the letters may differ.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::damerau_levenshtein(word, candidate);
    let near = candidates.into_iter().map(|c| (distance(c), c)).filter(|(d, c)| *d <= c.chars().count().max(3) / 3);
    near.min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// What is said of a name that is none: all that there are, and the one that was most likely meant.
pub fn unknown<'a>(what: &str, word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = candidates.into_iter().collect();
    let near = did_you_mean(word, all.iter().copied());
    let there_are = if all.is_empty() { "there are none".to_owned() } else { format!("there are {}", all.join(", ")) };
    format!("no {what} is called {word:?}; {there_are}{near}")
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
        assert_eq!(
            unknown("rung", "lnt", ["install", "lint"]),
            "no rung is called \"lnt\"; there are install, lint; did you mean lint?"
        );
        assert_eq!(unknown("case", "x", []), "no case is called \"x\"; there are none");
    }
}
