//! What users do in the app's pages, as a scenario has it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;

/// The people that placeholders name, from the first.
pub const PEOPLE: u32 = 9;
/// Placeholders of every request.
pub const KNOWN: [&str; 2] = ["email", "password"];
/// What can be named of a person.
pub const OF_A_PERSON: [&str; 3] = ["name", "email", "organization"];

/// Pages that users log in to. In paths, forms and what is expected, `{email}` and `{password}` stand for a user's,
/// `{person.1.name}`, `{person.1.email}` and `{person.1.organization}` for those of the first of nine people whom the user
/// knows, and the name of what a step before took for that.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// What they are, in a word or two.
    pub name: String,
    /// The door that they are behind.
    pub door: String,
    /// Whether every request has the user's name and password (RFC 7617).
    #[serde(default)]
    pub basic_auth: bool,
    /// How a user logs in.
    #[serde(default)]
    pub login: Vec<Request>,
    /// What every user does once, before the baseline.
    #[serde(default)]
    pub seed: Vec<Request>,
    /// What must go well before the backup and after the restore, for some users.
    #[serde(default)]
    pub check: Vec<Request>,
}

/// A request over HTTP (RFC 9110), and what its answer must be; redirections are followed.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The path that is got.
    pub get: Option<String>,
    /// The path that `form` is posted to.
    pub post: Option<String>,
    /// The path that `body` is put to.
    pub put: Option<String>,
    /// What is put there.
    pub body: Option<String>,
    /// Fields of the form.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// What is taken from the answer's content, by name: regular expressions with one group.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// The answer's status, where success is not what must come.
    pub status: Option<u16>,
    /// Text that the answer's content must have.
    pub expect: Option<String>,
}

impl Request {
    /// The method and the path; none unless there is exactly one.
    pub fn target(&self) -> Option<(&'static str, &str)> {
        match (&self.get, &self.post, &self.put) {
            (Some(path), None, None) => Some(("GET", path)),
            (None, Some(path), None) => Some(("POST", path)),
            (None, None, Some(path)) => Some(("PUT", path)),
            _ => None,
        }
    }
}
/// Puts values in the place of `{name}`s; an error is a name that has none. Braces around anything but a name stay.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_'))
    };
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        match from[1..].split_once('}') {
            Some((name, after)) if is_name(name) => {
                out.push_str(&value(name).ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            _ => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// What is wrong with the pages of a scenario that has these doors: the value, and why.
pub fn check(all: &[Pages], doors: &BTreeSet<&str>) -> Result<(), (String, String)> {
    for pages in all {
        let of = &pages.name;
        if !doors.contains(pages.door.as_str()) {
            return Err((pages.door.clone(), format!("pages {of:?}: no [[door]] named {:?}", pages.door)));
        }
        // What the login takes is there for both; what the one takes is not there for the other.
        for requests in [&pages.seed, &pages.check] {
            let mut taken: Vec<String> = KNOWN.map(str::to_owned).to_vec();
            taken.extend((1..=PEOPLE).flat_map(|n| OF_A_PERSON.map(|what| format!("person.{n}.{what}"))));
            for request in pages.login.iter().chain(requests) {
                check_request(request, &mut taken).map_err(|(value, why)| (value, format!("pages {of:?}: {why}")))?;
            }
        }
    }
    Ok(())
}

fn check_request(request: &Request, taken: &mut Vec<String>) -> Result<(), (String, String)> {
    let Some((method, path)) = request.target() else {
        let one = [&request.get, &request.post, &request.put].into_iter().flatten().next().cloned().unwrap_or_default();
        return Err((one, "a request has one of get, post and put, and a path there".into()));
    };
    if !path.starts_with('/') {
        return Err((path.to_owned(), format!("{path:?}: expected a path, which begins with /")));
    }
    if method == "GET" && !request.form.is_empty() {
        return Err((path.to_owned(), format!("GET {path}: a form is posted; use post")));
    }
    if (method == "PUT") != request.body.is_some() {
        return Err((path.to_owned(), format!("{method} {path}: put has a body, and nothing else has one")));
    }
    let texts = request.form.values().chain(&request.body).chain(&request.expect).map(String::as_str);
    for text in [path].into_iter().chain(texts) {
        fill(text, |name| taken.iter().any(|t| t == name).then(String::new)).map_err(|name| {
            let known = taken.iter().filter(|t| !t.starts_with("person.")).map(String::as_str).collect::<Vec<_>>().join(", ");
            let why = format!(
                "nothing is known as {{{name}}} there; known are {known}, and person.1.name to person.{PEOPLE}.organization"
            );
            (text.to_owned(), format!("{method} {path}: {why}"))
        })?;
    }
    for (name, pattern) in &request.take {
        match Regex::new(pattern).map(|r| r.captures_len()) {
            Ok(2) => taken.push(name.clone()),
            Ok(groups) => {
                let why = format!("take.{name}: expected one group in parentheses, the pattern has {}", groups - 1);
                return Err((pattern.clone(), format!("{method} {path}: {why}")));
            }
            Err(e) => return Err((pattern.clone(), format!("{method} {path}: take.{name}: {e}"))),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_and_other_braces_stay() {
        let value = |name: &str| (name == "a.1").then(|| "x".to_owned());
        assert_eq!(fill("{a.1}{a.1} {} {\"j\": {a.1}} {A}", value), Ok("xx {} {\"j\": x} {A}".into()));
        assert_eq!(fill("{b}", value), Err("b".into()));
        assert_eq!(fill("{a.1", value), Ok("{a.1".into()));
    }

    #[test]
    fn requests_that_cannot_be_made_are_refused() {
        let wrong = |toml: &str| {
            let request: Request = toml::from_str(toml).expect("a request");
            check_request(&request, &mut vec!["email".into()]).expect_err(toml).1
        };
        assert!(wrong("expect = 'x'").contains("one of get, post and put"));
        assert!(wrong("get = '/'\npost = '/'").contains("one of get, post and put"));
        assert!(wrong("put = '/'").contains("put has a body"));
        assert!(wrong("get = 'x'").contains("begins with /"));
        assert!(wrong("get = '/'\nform = {a = 'b'}").contains("use post"));
        assert!(wrong("get = '/{token}'").contains("nothing is known as {token} there; known are email"));
        assert!(wrong("get = '/'\ntake = {token = 'a(b'}").contains("take.token"));
        assert!(wrong("get = '/'\ntake = {token = 'ab'}").contains("expected one group in parentheses, the pattern has 0"));
    }
}
