//! What users do in the app's pages, as `scenario.toml` says it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;

use crate::near::{did_you_mean, nearest};

/// How many people placeholders can name: `{person.1.name}` to `{person.9.name}`.
pub const PEOPLE: u32 = 9;
/// Placeholders of the user who sends the request.
pub const KNOWN: [&str; 2] = ["email", "password"];
/// What a placeholder can name of a person.
pub const OF_A_PERSON: [&str; 3] = ["name", "email", "organization"];

/// Pages that users log in to.
///
/// Paths, forms, bodies and expected texts may have placeholders: `{email}` and `{password}` are the user's own;
/// `{person.1.name}`, `{person.1.email}` and `{person.1.organization}` are those of the first of nine people in the user's address
/// book; any other name is a text that an earlier request took from its answer (`take`).
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// What they are, in a word or two.
    pub name: String,
    /// The door that leads to them.
    pub door: String,
    /// Whether every request sends the user's name and password (RFC 7617).
    #[serde(default)]
    pub basic_auth: bool,
    /// How a user logs in.
    #[serde(default)]
    pub login: Vec<Request>,
    /// What every user does once, before the baseline.
    #[serde(default)]
    pub seed: Vec<Request>,
    /// What must succeed before the backup and after the restore, for some of the users.
    #[serde(default)]
    pub check: Vec<Request>,
    /// How new data gets in, and is looked at and deleted again: by a user of the corpus and, with `users`, by one who is created
    /// for it. It must succeed after every restore.
    #[serde(default)]
    pub write: Vec<Request>,
}

/// A request over HTTP (RFC 9110), and what its answer must be. A redirect is followed only to the same scheme, host and port.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The path to get.
    pub get: Option<String>,
    /// The path to post `form` to.
    pub post: Option<String>,
    /// The path to put `body` to.
    pub put: Option<String>,
    /// The path to delete.
    pub delete: Option<String>,
    /// The content that is put there.
    pub body: Option<String>,
    /// Fields of the form.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// What later requests use from the answer's content, by name: regular expressions with one group.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// The status that the answer must have; without it, any that means success.
    pub status: Option<u16>,
    /// Text that the answer's content must contain.
    pub expect: Option<String>,
}

impl Request {
    /// The method and the path; nothing unless the request has exactly one.
    pub fn target(&self) -> Option<(&'static str, &str)> {
        let mut all = self.paths();
        let target = all.next();
        target.filter(|_| all.next().is_none())
    }

    /// The methods that have a path.
    fn paths(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [("GET", &self.get), ("POST", &self.post), ("PUT", &self.put), ("DELETE", &self.delete)];
        all.into_iter().filter_map(|(method, path)| Some((method, path.as_deref()?)))
    }

    /// Whether it may change what the app has.
    fn writes(&self) -> bool {
        matches!(self.target(), Some(("POST" | "PUT", _)))
    }

    fn first_path(&self) -> String {
        self.paths().next().map(|(_, path)| path.to_owned()).unwrap_or_default()
    }
}

/// Replaces each `{name}` by its value. The error is the first name that has none. Braces around anything else stay.
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

/// A value in `scenario.toml`, and what is wrong with it.
type Wrong = (String, String);

/// Everything that is wrong with the pages of a scenario that has these doors.
pub(super) fn check(all: &[Pages], doors: &BTreeSet<&str>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for pages in all {
        let mut found = Vec::new();
        if !doors.contains(pages.door.as_str()) {
            let near = did_you_mean(&pages.door, doors.iter().copied());
            found.push((pages.door.clone(), format!("no [[door]] is named {:?}{near}", pages.door)));
        }
        let mut known = Placeholders::default();
        pages.login.iter().for_each(|request| check_request(request, &mut known, &mut found));
        // Each may use what the login took, and none what another took.
        for requests in [&pages.seed, &pages.check, &pages.write] {
            let mut known = known.clone();
            requests.iter().for_each(|request| check_request(request, &mut known, &mut found));
        }
        if let Some(first) = pages.write.first().filter(|_| !pages.write.iter().any(Request::writes)) {
            let why = "write: none of its requests puts or posts anything, so nothing new gets in";
            found.push((first.first_path(), why.into()));
        }
        wrong.extend(found.into_iter().map(|(value, why)| (value, format!("pages {:?}: {why}", pages.name))));
    }
    wrong
}

/// The placeholders that a request may have.
#[derive(Debug, Clone, Default)]
struct Placeholders {
    /// Names of what earlier requests took.
    taken: Vec<String>,
}

impl Placeholders {
    fn person(name: &str) -> bool {
        name.strip_prefix("person.").and_then(|rest| rest.split_once('.')).is_some_and(|(number, what)| {
            number.parse::<u32>().is_ok_and(|n| (1..=PEOPLE).contains(&n)) && OF_A_PERSON.contains(&what)
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        KNOWN.into_iter().chain(self.taken.iter().map(String::as_str))
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let known = |name: &str| (Self::person(name) || self.names().any(|n| n == name)).then(String::new);
        fill(text, known).map(drop).map_err(|name| {
            let near = nearest(&name, self.names()).map_or_else(String::new, |n| format!("; did you mean {{{n}}}?"));
            let available: Vec<_> = self.names().map(|n| format!("{{{n}}}")).collect();
            let person = format!("{{person.1..{PEOPLE}.{}}}", OF_A_PERSON.join("|"));
            format!("unknown placeholder {{{name}}}; available: {}, {person}{near}", available.join(", "))
        })
    }
}

/// Adds what is wrong with a request, and to `known` what it takes from its answer.
fn check_request(request: &Request, known: &mut Placeholders, wrong: &mut Vec<Wrong>) {
    let Some((method, path)) = request.target() else {
        wrong.push((request.first_path(), "a request needs exactly one of get, post, put and delete, with a path".into()));
        return;
    };
    let mut add = |value: &str, why: String| wrong.push((value.to_owned(), format!("{method} {path}: {why}")));
    if !path.starts_with('/') {
        add(path, "a path begins with /".into());
    }
    if method != "POST" && !request.form.is_empty() {
        add(path, format!("a {} request has no form; use post", method.to_lowercase()));
    }
    if (method == "PUT") != request.body.is_some() {
        add(path, "put needs a body, and no other request has one".into());
    }
    let texts = request.form.values().chain(&request.body).chain(&request.expect).map(String::as_str);
    for text in [path].into_iter().chain(texts) {
        if let Err(why) = known.check(text) {
            add(text, why);
        }
    }
    for (name, pattern) in &request.take {
        match Regex::new(pattern).map(|r| r.captures_len() - 1) {
            Ok(1) => {}
            Ok(groups) => add(pattern, format!("take.{name}: expected one group in parentheses, found {groups}")),
            Err(e) => add(pattern, format!("take.{name}: {e}")),
        }
        known.taken.push(name.clone());
    }
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
            let mut wrong = Vec::new();
            check_request(&request, &mut Placeholders::default(), &mut wrong);
            wrong.into_iter().map(|(_, why)| why).collect::<Vec<_>>()
        };
        let available = "available: {email}, {password}, {person.1..9.name|email|organization}";
        for (toml, expected) in [
            ("expect = 'x'", vec!["a request needs exactly one of get, post, put and delete, with a path".to_owned()]),
            ("get = '/'\npost = '/'", vec!["a request needs exactly one of get, post, put and delete, with a path".to_owned()]),
            ("put = '/'", vec!["PUT /: put needs a body, and no other request has one".to_owned()]),
            ("get = 'x'", vec!["GET x: a path begins with /".to_owned()]),
            ("get = '/'\nform = {a = 'b'}", vec!["GET /: a get request has no form; use post".to_owned()]),
            ("get = '/{token}'", vec![format!("GET /{{token}}: unknown placeholder {{token}}; {available}")]),
            (
                "post = '/'\nform = {a = '{passwort}', b = '{person.9.name}', c = '{person.10.name}'}",
                vec![
                    format!("POST /: unknown placeholder {{passwort}}; {available}; did you mean {{password}}?"),
                    format!("POST /: unknown placeholder {{person.10.name}}; {available}"),
                ],
            ),
            (
                "get = '/'\ntake = {token = 'ab'}",
                vec!["GET /: take.token: expected one group in parentheses, found 0".to_owned()],
            ),
        ] {
            assert_eq!(wrong(toml), expected, "{toml}");
        }
        assert!(wrong("get = '/'\ntake = {token = 'a(b'}")[0].starts_with("GET /: take.token: regex parse error"));
    }

    #[test]
    fn everything_wrong_in_the_pages_is_reported_together() {
        let pages: Pages = toml::from_str(
            "name = 'p'\ndoor = 'htp'\nlogin = [{get = '/', take = {t = '(a)'}}]\nseed = [{get = '/{t}', take = {s = '(b)'}}]\n\
             check = [{get = '/{t}'}, {get = '/{s}'}]",
        )
        .expect("pages");
        let found = check(&[pages], &BTreeSet::from(["http"]));
        let available = "available: {email}, {password}, {t}, {person.1..9.name|email|organization}";
        assert_eq!(
            found,
            [
                ("htp".to_owned(), "pages \"p\": no [[door]] is named \"htp\"; did you mean http?".to_owned()),
                (
                    "/{s}".to_owned(),
                    format!("pages \"p\": GET /{{s}}: unknown placeholder {{s}}; {available}; did you mean {{t}}?")
                ),
            ]
        );
    }
}
