//! A mount in compose's short form, `SOURCE:TARGET:OPTIONS`, as docker reads it.

/// What stands before the colon after which the target comes; none of a mount that has a target alone. As docker has it, a letter before
/// the first colon is a drive of Windows, and what follows belongs to it.
pub fn source(text: &str) -> Option<&str> {
    let mut colons = text.match_indices(':').map(|(at, _)| at);
    let first = colons.next()?;
    let is_drive = text[..first].chars().count() == 1 && text.starts_with(char::is_alphabetic);
    let end = if is_drive { colons.next()? } else { first };
    Some(&text[..end])
}

/// Whether a source is the name of a volume. Docker takes for a path what begins like one, and makes a volume of anything else, or fails.
pub fn is_volume(source: &str) -> bool {
    !source.is_empty() && !source.starts_with('.') && source.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_what_docker_takes_for_them() {
        for (text, expected, volume) in [
            ("data:/data", Some("data"), true),
            ("data:/data:ro", Some("data"), true),
            ("_cache:/c", Some("_cache"), true),
            ("./own:/own", Some("./own"), false),
            ("..:/own", Some(".."), false),
            ("/etc:/etc:ro", Some("/etc"), false),
            ("~/x:/x", Some("~/x"), false),
            ("a:x/../../etc:/mnt", Some("a:x/../../etc"), false),
            ("é:/etc:/mnt", Some("é:/etc"), false),
            ("\\\\.\\pipe\\x:/x", Some("\\\\.\\pipe\\x"), false),
            ("a:/data", None, false),
            ("/data", None, false),
            ("", None, false),
        ] {
            assert_eq!(source(text), expected, "{text}");
            assert_eq!(source(text).is_some_and(is_volume), volume, "{text}");
        }
    }
}
