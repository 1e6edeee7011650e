//! Variables in a compose file's texts, as `docker stack deploy` replaces them: `$NAME`, `${NAME}`,
//! `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}`, `${NAME?error}`; `$$` is a dollar sign.

use std::collections::BTreeMap;

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// As it is.
    Text(&'a str),
    /// A variable.
    Variable {
        /// Its name.
        name: &'a str,
        /// What stands for it if it has no value.
        default: Option<&'a str>,
        /// As written.
        written: &'a str,
    },
}

/// The pieces of a text, or the part of it that is no variable.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, &str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let after = &from[1..];
        if after.starts_with('$') {
            parts.push(Part::Text(&from[..1]));
            rest = &from[2..];
            continue;
        }
        let (body, written) = match after.strip_prefix('{') {
            Some(inside) => {
                let end = inside.find('}').ok_or(from)?;
                (&inside[..end], &from[..end + 3])
            }
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                (&after[..end], &from[..=end])
            }
        };
        let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
        let (name, operator) = body.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(written);
        }
        let default = operator.strip_prefix(":-").or_else(|| operator.strip_prefix('-'));
        if default.is_none() && !operator.is_empty() && !operator.trim_start_matches(':').starts_with(['?', '+']) {
            return Err(written);
        }
        parts.push(Part::Variable { name, default, written });
        rest = &from[written.len()..];
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

/// A text with its variables replaced. What has neither value nor default stays as written and is listed.
pub fn interpolate<'a>(text: &'a str, env: &BTreeMap<String, String>) -> Result<(String, Vec<&'a str>), &'a str> {
    let mut unset = Vec::new();
    let pieces = parts(text)?.into_iter().map(|part| match part {
        Part::Text(text) => text,
        Part::Variable { name, default, written } => env.get(name).map(String::as_str).or(default).unwrap_or_else(|| {
            unset.push(name);
            written
        }),
    });
    let out = pieces.collect();
    Ok((out, unset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_docker_replaces_them() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("E".to_owned(), String::new())]);
        for (text, expected, unset) in [
            ("plain", "plain", &[][..]),
            ("$A-${A}$$A", "1-1$A", &[]),
            ("${B:-x y}|${B-}|${A:-x}", "x y||1", &[]),
            ("${B}.$C.${D:?must}", "${B}.$C.${D:?must}", &["B", "C", "D"]),
            ("é$A€", "é1€", &[]),
            ("[${E}]", "[]", &[]),
        ] {
            assert_eq!(interpolate(text, &env), Ok((expected.to_owned(), unset.to_vec())), "{text}");
        }
        for (text, bad) in [("a ${A", "${A"), ("x$", "$"), ("${}", "${}"), ("${A!b} c", "${A!b}"), ("$1", "$1"), ("$é", "$")] {
            assert_eq!(interpolate(text, &env), Err(bad), "{text}");
        }
    }
}
