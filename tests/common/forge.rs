//! A forge for tests: an HTTP server that speaks the few calls that results are posted with, as Gitea, GitHub and GitLab do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

/// The token that it takes.
pub const TOKEN: &str = "t0ken-of-the-drill-bot";
/// Who has that token.
pub const BOT: &str = "drill-bot";

/// What the forge holds, and how it behaves.
#[derive(Default)]
pub struct State {
    /// The commits' states, as they were sent, each with its commit.
    pub statuses: Vec<(String, Value)>,
    /// The comments of pull request 7: id, author, text.
    pub comments: Vec<(u64, String, String)>,
    /// The comments that somebody changed since.
    pub edited: Vec<u64>,
    /// Those that were imported, by somebody who became their author.
    pub imported: Vec<u64>,
    /// The members of the organization `coop`.
    pub members: Vec<String>,
    /// Whom it is asked about as a member, and redirects elsewhere instead of answering.
    pub led_away: Option<String>,
    /// The builds that were started, by their requests: for tests, the forge is drone too.
    pub builds: Vec<String>,
    /// Whether drone starts none, as it does where no pipeline is for the event.
    pub starts_none: bool,
    /// What was asked, as `GET /path`.
    pub asked: Vec<String>,
    /// Comments on a page; 0 gives all of them on any page, as Gitea does.
    pub page: usize,
    /// Whether there were too many requests to change a comment.
    pub limited: bool,
    /// Whether it says whose a token is.
    pub knows_user: bool,
    /// What it answers instead: status and headers.
    pub broken: Option<String>,
}

/// A forge that answers on this machine.
pub struct Forge {
    /// Its address.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Forge {
    /// Starts one.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { page: 2, knows_user: true, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &mut shared.lock().expect("not poisoned"));
            }
        });
        Self { url, state }
    }

    /// What it holds.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// The address of a repository there.
    pub fn repository(&self) -> String {
        format!("{}/coop/mailu", self.url)
    }
}

fn answer(stream: TcpStream, state: &mut State) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let (mut line, mut length, mut token) = (String::new(), 0, String::new());
    reader.read_line(&mut line).expect("a request");
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).expect("a header");
        let Some((name, value)) = header.trim().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().expect("a number"),
            "authorization" => token = value.split(' ').next_back().unwrap_or_default().to_owned(),
            "private-token" => token = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    state.asked.push(format!("{method} {target}"));
    let (status, answer) = match &state.broken {
        Some(broken) => (broken.clone(), json!({"message": format!("no, {token}")})),
        None if token != TOKEN => ("401 Unauthorized".to_owned(), json!({"message": "token is required"})),
        None => {
            let (status, answer) = speak(state, &method, &target, &body);
            (status.to_owned(), answer)
        }
    };
    // An answer of 204 has nothing in it.
    let text = if status.starts_with("204") { String::new() } else { answer.to_string() };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close", text.len());
    let _ = (&stream).write_all(format!("{head}\r\n\r\n{text}").as_bytes());
}

/// A comment as each of the forges writes it.
fn comment(state: &State, (id, author, text): &(u64, String, String)) -> Value {
    let (created, now) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    let updated = if state.edited.contains(id) { now } else { created };
    let original = if state.imported.contains(id) { "somebody" } else { "" };
    let kind = if author == BOT { "Bot" } else { "User" };
    json!({
        "id": id, "body": text, "user": {"login": author, "type": kind}, "author": {"username": author},
        "created_at": created, "updated_at": updated, "original_author": original
    })
}

fn speak(state: &mut State, method: &str, target: &str, body: &Value) -> (&'static str, Value) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let page: usize = query.split('&').find_map(|q| q.strip_prefix("page=")).and_then(|p| p.parse().ok()).unwrap_or(1);
    // What is before differs: /api/v1/repos/coop/mailu, /api/v3/repos/coop/mailu, /api/v4/projects/coop%2Fmailu.
    let bases = ["/api/v1/repos/coop/mailu", "/api/v3/repos/coop/mailu", "/api/v4/projects/coop%2Fmailu"];
    let text = || body["body"].as_str().unwrap_or_default().to_owned();
    if path.ends_with("/user") {
        return if state.knows_user {
            ("200 OK", json!({"login": BOT, "username": BOT}))
        } else {
            ("403 Forbidden", json!({"message": "token does not have the scope read:user"}))
        };
    }
    match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
        ("POST", ["", "api", "repos", "coop", "recipe-ci", "builds"]) => {
            state.builds.push(target.to_owned());
            let build = json!({"number": state.builds.len()});
            return ("200 OK", if state.starts_none { Value::Null } else { build });
        }
        ("GET", ["", "api", "v1", "orgs", "coop", "members", name]) => {
            if state.led_away.as_deref() == Some(*name) {
                return ("302 Found\r\nLocation: /api/v1/orgs/coop/public_members/x", Value::Null);
            }
            let is_member = state.members.iter().any(|m| m == name);
            return (if is_member { "204 No Content" } else { "404 Not Found" }, Value::Null);
        }
        _ => {}
    }
    let Some(rest) = bases.iter().find_map(|base| path.strip_prefix(base)) else { return ("404 Not Found", json!({})) };
    let parts: Vec<&str> = rest.trim_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["pulls"]) => {
            let pull = json!({"id": 70, "number": 7, "head": {"sha": "c0ffee0123"}});
            ("200 OK", if page == 1 { json!([pull]) } else { json!([]) })
        }
        ("POST", ["statuses", commit]) => {
            state.statuses.push(((*commit).to_owned(), body.clone()));
            ("201 Created", json!({}))
        }
        ("GET", ["issues", "7", "comments"] | ["merge_requests", "7", "notes"]) => {
            let all = state.comments.iter().map(|said| comment(state, said));
            let some: Vec<Value> =
                if state.page == 0 { all.collect() } else { all.skip((page - 1) * state.page).take(state.page).collect() };
            ("200 OK", Value::Array(some))
        }
        ("POST", ["issues", "7", "comments"] | ["merge_requests", "7", "notes"]) => {
            let id = 100 + state.comments.len() as u64;
            state.comments.push((id, BOT.to_owned(), text()));
            ("201 Created", json!({"id": id}))
        }
        ("PATCH", ["issues", "comments", id]) | ("PUT", ["merge_requests", "7", "notes", id]) => {
            match state.comments.iter_mut().find(|(known, ..)| known.to_string() == *id) {
                _ if state.limited => ("403 Forbidden", json!({"message": "API rate limit exceeded"})),
                Some((_, author, _)) if author != BOT => ("403 Forbidden", json!({"message": "not yours"})),
                Some((.., old)) => {
                    *old = text();
                    ("200 OK", json!({}))
                }
                None => ("404 Not Found", json!({})),
            }
        }
        _ => ("404 Not Found", json!({})),
    }
}
