//! The app's pages, over HTTP as a user's browser asks for them: a login, then what users do there, as the scenario says.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::ToSocketAddrs as _;
use std::sync::{Arc, LazyLock};

use recipe::scenario::pages::{OF_A_PERSON, PEOPLE, fill};
use recipe::scenario::{Pages as Spec, Request};
use regex::{Captures, Regex};
use reqwest::{Client, redirect};
use seeds::Corpus;

use super::STALL;
use super::doors::Doors;
use crate::error::{Error, Result};

/// The most that is read of one answer, in bytes.
const CONTENT: usize = 8 << 20;

/// Characters of an answer that are repeated where it is not as it must be.
const SAID: usize = 200;

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

/// Redirections that are followed one after another.
const REDIRECTIONS: usize = 10;

/// Where the app's pages are.
pub struct Origin {
    /// The host of the doors, and whom to trust there.
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
    /// Whether an error of the server is its answer, and not merely a sign that it is unable to answer now.
    strict: bool,
}

impl<'a> Visitor<'a> {
    /// A browser without cookies in front of a door.
    pub fn new(spec: &'a Spec, origin: &Origin, corpus: &Corpus, account: &str, password: &str) -> Result<Self> {
        let fail = |e: &dyn std::fmt::Display| Error::system("HTTP client", e);
        let Origin { doors, port, tls } = origin;
        let host = &doors.authority.host;
        let scheme = if *tls { "https" } else { "http" };
        let addresses = (doors.host.as_str(), *port).to_socket_addrs().map_err(|e| fail(&e))?;
        let client = Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(doors.authority.client()?))
            .resolve_to_addrs(host, &addresses.collect::<Vec<_>>())
            .no_proxy()
            .cookie_store(true)
            .redirect(within(scheme, host, *port))
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
        Ok(Self { spec, client, origin: format!("{scheme}://{host}:{port}"), values, strict: false })
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

    /// The same for requests that write: a server that fails to store what it is given (500) has answered.
    pub async fn write(mut self, requests: &[Request]) -> Result<(), Failure> {
        self.strict = true;
        self.visit(requests).await
    }

    async fn request(&mut self, request: &Request, path: &str) -> Result<(), Failure> {
        let url = format!("{}{}", self.origin, self.filled(path));
        let mut built = if request.post.is_some() {
            let form: BTreeMap<&String, String> = request.form.iter().map(|(k, v)| (k, self.filled(v))).collect();
            self.client.post(url).form(&form)
        } else if let (Some(_), Some(body)) = (&request.put, &request.body) {
            self.client.put(url).body(self.filled(body))
        } else if request.delete.is_some() {
            self.client.delete(url)
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
        let content = String::from_utf8_lossy(&content);
        // 502 to 504 are of a front whose app is not there (RFC 9110, 15.6).
        if status.is_server_error() && (!self.strict || (502..=504).contains(&status.as_u16())) {
            return Err(Failure::Unknown(format!("status {status}")));
        }
        if !request.status.map_or(status.is_success(), |expected| status == expected) {
            let said = if self.strict { said(&content) } else { String::new() };
            return Err(Failure::Answered(format!("status {status}{said}")));
        }
        if let Some(expected) = &request.expect {
            let filled = self.filled(expected);
            if !says(&content, &filled) {
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

/// Follows what leads to the door itself. An app says its port or, as it does not know where it is published, none. Anything else is
/// somebody else's, and what leads there is the answer.
fn within(scheme: &'static str, host: &str, port: u16) -> redirect::Policy {
    let host = host.to_owned();
    redirect::Policy::custom(move |attempt| {
        let url = attempt.url();
        let is_door = url.scheme() == scheme && url.host_str() == Some(&host) && url.port().is_none_or(|p| p == port);
        match attempt.previous().len() {
            0..=REDIRECTIONS if is_door => attempt.follow(),
            0..=REDIRECTIONS => attempt.stop(),
            _ => attempt.error("too many redirections"),
        }
    })
}

/// The begin of what an answer says, without its tags.
pub fn said(content: &str) -> String {
    let (mut text, mut tag) = (String::new(), false);
    for c in content.chars() {
        match c {
            '<' => tag = true,
            '>' => {
                tag = false;
                text.push(' ');
            }
            _ if !tag => text.push(c),
            _ => {}
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().take(SAID).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source()).map(|e| format!(": {e}"));
    std::iter::once(error.to_string()).chain(causes).collect()
}

/// Whether an answer has a text: as it is, or as HTML, a string of JSON, or one within the other has it.
pub fn says(content: &str, text: &str) -> bool {
    if content.contains(text) {
        return true;
    }
    let once = plain(content);
    once.contains(text) || plain(&once).contains(text)
}

/// What stands for another character in HTML and in JSON: a run of `\u0000`, `\"`, `&#x0;`, `&#0;`, `&amp;`.
static ESCAPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?P<utf16>(?:\\u[0-9a-fA-F]{4})+)|\\(?P<itself>["\\/])|&#[xX](?P<hex>[0-9a-fA-F]+);|&#(?P<dec>[0-9]+);|&(?P<name>amp|lt|gt|quot|apos);"#)
        .ok()
});

/// A text with the characters that are written in another way.
fn plain(text: &str) -> Cow<'_, str> {
    let Some(escaped) = &*ESCAPED else { return Cow::Borrowed(text) };
    escaped.replace_all(text, |found: &Captures<'_>| {
        let part = |name: &str| found.name(name).map(|m| m.as_str());
        let number = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let one = part("hex").and_then(|hex| number(hex, 16)).or_else(|| part("dec").and_then(|dec| number(dec, 10)));
        match (part("utf16"), part("itself"), part("name"), one) {
            (Some(units), ..) => {
                let units: Vec<u16> = units.split("\\u").filter_map(|u| u16::from_str_radix(u, 16).ok()).collect();
                String::from_utf16_lossy(&units)
            }
            (_, Some(itself), ..) => itself.to_owned(),
            (.., Some("amp"), _) => "&".into(),
            (.., Some("lt"), _) => "<".into(),
            (.., Some("gt"), _) => ">".into(),
            (.., Some("quot"), _) => "\"".into(),
            (.., Some(_), _) => "'".into(),
            (.., Some(one)) => one.into(),
            _ => found[0].to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_as_pages_and_scripts_have_it() {
        let name = "Zoë \"Z\" O'Neil & <山田> \\ 𝄞/x";
        for content in [
            name.to_owned(),
            serde_json::json!({ "name": name }).to_string(),
            serde_json::json!({ "name": name }).to_string().replace('/', "\\/"),
            r#"{"name": "Zo\u00eb \"Z\" O'Neil & <\u5c71\u7530> \\ \ud834\udd1e\/x"}"#.to_owned(),
            r#"{"name": "Zo\u00EB \u0022Z\u0022 O\u0027Neil \u0026 \u003C\u5C71\u7530\u003E \\ \uD834\uDD1E/x"}"#.to_owned(),
            "<td>Zo&#235; &quot;Z&quot; O&#039;Neil &amp; &lt;&#x5c71;&#X7530;&gt; \\ &#119070;/x</td>".to_owned(),
            r#"<script>add("Zo\u00eb &quot;Z&quot; O&apos;Neil &amp; &lt;山田&gt; \\ 𝄞\/x")</script>"#.to_owned(),
        ] {
            assert!(says(&content, name), "{content}");
            assert!(!says(&content, "Zoe"), "{content}");
        }
        assert_eq!(plain("a & b &unknown; \\n &#xffffffff;"), "a & b &unknown; \\n &#xffffffff;");
    }

    /// A server that leads everybody to another place; counts who came.
    async fn leading_to(place: String) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let came = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = came.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let mut request = [0; 1024];
                let _ = client.read(&mut request).await;
                let answer = if place == "itself" && n == 0 {
                    "HTTP/1.1 302 Found\r\nLocation: http://app.test/there\r\n".to_owned()
                } else if place == "itself" {
                    "HTTP/1.1 200 OK\r\n".to_owned()
                } else {
                    format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\n")
                };
                let _ = client.write_all(format!("{answer}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await;
            }
        });
        (port, came)
    }

    #[tokio::test]
    async fn a_visitor_stays_at_the_door() {
        let came = |came: &std::sync::atomic::AtomicUsize| came.load(std::sync::atomic::Ordering::SeqCst);
        let (other, came_there) = leading_to("itself".into()).await;
        let spec: Spec = toml::from_str("name = 'pages'\ndoor = 'http'\nlogin = []\n").expect("a spec");
        let get: Request = toml::from_str("get = '/'").expect("a request");
        let authority = Arc::new(crate::tls::Authority::issue("app.test").expect("an authority"));
        let visit = async |port| {
            let doors = Doors { host: "127.0.0.1".into(), authority: authority.clone() };
            let corpus = Corpus::new(1, seeds::Profile::named("tiny").expect("built in"));
            let visitor =
                Visitor::new(&spec, &Origin { doors, port, tls: false }, &corpus, "a@app.test", "p").expect("a visitor");
            visitor.visit(std::slice::from_ref(&get)).await
        };
        for place in [format!("http://127.0.0.1:{other}/"), format!("http://app.test:{other}/"), "https://app.test/".to_owned()] {
            let (port, _) = leading_to(place.clone()).await;
            let answer = visit(port).await;
            assert!(
                matches!(&answer, Err(Failure::Answered(why)) if why.contains("302")),
                "{place}: {:?}",
                answer.err().map(|e| e.reason().to_owned())
            );
        }
        assert_eq!(came(&came_there), 0, "nobody was led there");
        let (port, came_here) = leading_to("itself".into()).await;
        assert!(visit(port).await.is_ok(), "an app leads to itself, without the port that it does not know");
        assert_eq!(came(&came_here), 2);
    }

    #[test]
    fn an_answer_is_repeated_without_its_tags() {
        assert_eq!(said("<html><p>duplicate key</p>\n value</html>"), ": duplicate key value");
        assert_eq!(said("<html></html>"), "");
        assert_eq!(said(&"x".repeat(300)).len(), 2 + SAID);
    }
}
