//! The app's pages, over HTTP as a user's browser asks for them: a login, then what users do there, as the scenario says.

use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;
use std::sync::Arc;

use regex::Regex;
use reqwest::{Client, redirect};
use seeds::Corpus;

use super::STALL;
use super::doors::Doors;
use crate::error::{Error, Result};
use crate::scenario::{Pages as Spec, Request, Spec as Scenario};

/// The most that is read of one answer, in bytes.
const CONTENT: usize = 8 << 20;
/// The people that placeholders name, from the first.
const PEOPLE: u32 = 9;
/// Placeholders of every request.
const KNOWN: [&str; 2] = ["email", "password"];
/// What can be named of a person.
const OF_A_PERSON: [&str; 3] = ["name", "email", "organization"];

/// Why a visit did not go well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The app answered, and not as it must.
    Answered(String),
    /// Nothing can be told: there was no answer, or the app said that it is unable to (RFC 9110, 15.6).
    Unknown(String),
}

impl Failure {
    /// Why, in a line.
    pub fn reason(&self) -> &str {
        match self {
            Self::Answered(why) | Self::Unknown(why) => why,
        }
    }
}

/// Where the app's pages are.
pub struct Origin {
    /// The engine's host, and whom to trust there.
    pub doors: Doors,
    /// The port of the door.
    pub port: u16,
    /// Whether the door has TLS.
    pub tls: bool,
}

/// A user at the app's pages.
pub struct Visitor<'a> {
    spec: &'a Spec,
    client: Client,
    origin: String,
    values: BTreeMap<String, String>,
}

impl<'a> Visitor<'a> {
    /// A browser without cookies in front of a door.
    pub fn new(spec: &'a Spec, origin: &Origin, corpus: &Corpus, account: &str, password: &str) -> Result<Self> {
        let fail = |e: &dyn std::fmt::Display| Error::Unknown(format!("HTTP client: {e}"));
        let Origin { doors, port, tls } = origin;
        let host = &doors.authority.host;
        let addresses = (doors.host.as_str(), *port).to_socket_addrs().map_err(|e| fail(&e))?;
        let client = Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(doors.authority.client()?))
            .resolve_to_addrs(host, &addresses.collect::<Vec<_>>())
            .no_proxy()
            .cookie_store(true)
            .redirect(redirect::Policy::limited(10))
            .timeout(STALL)
            .build()
            .map_err(|e| fail(&e))?;
        let mut values = BTreeMap::from([("email".to_owned(), account.to_owned()), ("password".to_owned(), password.to_owned())]);
        for n in 1..=PEOPLE {
            let person = corpus.person(account, n);
            for (what, value) in OF_A_PERSON.into_iter().zip([person.name, person.email, person.organization]) {
                values.insert(format!("person.{n}.{what}"), value);
            }
        }
        let scheme = if *tls { "https" } else { "http" };
        Ok(Self { spec, client, origin: format!("{scheme}://{host}:{port}"), values })
    }

    /// Logs in, and makes these requests one after another.
    pub async fn visit(mut self, requests: &[Request]) -> Result<(), Failure> {
        for request in self.spec.login.iter().chain(requests) {
            let Some((method, path)) = request.target() else { continue };
            let at = |why: String| format!("{method} {path}: {why}");
            self.request(request, path).await.map_err(|e| match e {
                Failure::Answered(why) => Failure::Answered(at(why)),
                Failure::Unknown(why) => Failure::Unknown(at(why)),
            })?;
        }
        Ok(())
    }

    async fn request(&mut self, request: &Request, path: &str) -> Result<(), Failure> {
        let url = format!("{}{}", self.origin, self.filled(path));
        let mut built = if request.post.is_some() {
            let form: BTreeMap<&String, String> = request.form.iter().map(|(k, v)| (k, self.filled(v))).collect();
            self.client.post(url).form(&form)
        } else if let (Some(_), Some(body)) = (&request.put, &request.body) {
            self.client.put(url).body(self.filled(body))
        } else {
            self.client.get(url)
        };
        if self.spec.basic_auth {
            built = built.basic_auth(&self.values["email"], Some(&self.values["password"]));
        }
        // An address has what a client asked for in it, and so a form's values: it stays out of what is said.
        let fail = |e: reqwest::Error| Failure::Unknown(chain(&e.without_url()));
        let mut answer = built.send().await.map_err(fail)?;
        let status = answer.status();
        let mut content = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(fail)? {
            content.extend_from_slice(&chunk);
            if content.len() > CONTENT {
                return Err(Failure::Unknown(format!("an answer of more than {} MiB", CONTENT >> 20)));
            }
        }
        if status.is_server_error() {
            return Err(Failure::Unknown(format!("status {status}")));
        }
        if !request.status.map_or(status.is_success(), |expected| status == expected) {
            return Err(Failure::Answered(format!("status {status}")));
        }
        let content = String::from_utf8_lossy(&content);
        if let Some(expected) = &request.expect {
            let filled = self.filled(expected);
            if ![filled.as_str(), &html(&filled), &json(&filled)].iter().any(|form| content.contains(form)) {
                return Err(Failure::Answered(format!("{filled:?} is not in the answer")));
            }
        }
        for (name, pattern) in &request.take {
            let taken = Regex::new(pattern).ok().and_then(|r| Some(r.captures(&content)?.get(1)?.as_str().to_owned()));
            let taken = taken.ok_or_else(|| Failure::Answered(format!("no {name} in the answer")))?;
            self.values.insert(name.clone(), taken);
        }
        Ok(())
    }

    /// A text with what is known of the user in it.
    pub(crate) fn filled(&self, text: &str) -> String {
        fill(text, |name| self.values.get(name).cloned()).unwrap_or_else(|_| text.to_owned())
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source()).map(|e| format!(": {e}"));
    std::iter::once(error.to_string()).chain(causes).collect()
}

/// Text as HTML has it, and as a string of JSON in a script has it.
fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#039;")
}

fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].replace('/', "\\/")
}

/// Puts values in the place of `{name}`s; an error is a name that has none. Braces around anything but a name stay.
fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
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

/// What is wrong with the pages of a scenario: the value, and why.
pub fn check(scenario: &Scenario) -> Result<(), (String, String)> {
    for pages in &scenario.pages {
        let of = &pages.name;
        if !scenario.doors.iter().any(|d| d.name == pages.door) {
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

    #[test]
    fn text_is_found_as_pages_and_scripts_have_it() {
        assert_eq!(html("A & \"B\" <c>"), "A &amp; &quot;B&quot; &lt;c&gt;");
        assert_eq!(json("A/\"B\""), "A\\/\\\"B\\\"");
    }
}
