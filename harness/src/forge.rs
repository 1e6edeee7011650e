//! Forges, where recipes are kept and reviewed: the state of a commit, and one comment on a pull request.
//!
//! What a forge is asked differs a little from one to the other. [`Dialect`] says how, and each forge has a file.

use std::fmt;

use reqwest::{Method, Url};
use serde_json::Value;

use crate::error::{Error, Result};

pub mod client;
mod gitea;
mod github;
mod gitlab;
pub mod http;
pub mod review;

/// A kind of forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Gitea or Forgejo; the token is in GITEA_TOKEN.
    #[value(alias = "forgejo")]
    Gitea,
    /// GitHub; the token is in GITHUB_TOKEN.
    Github,
    /// GitLab; the token is in GITLAB_TOKEN.
    Gitlab,
}

impl Kind {
    /// The environment variable that has the token.
    pub fn token_variable(self) -> &'static str {
        match self {
            Self::Gitea => "GITEA_TOKEN",
            Self::Github => "GITHUB_TOKEN",
            Self::Gitlab => "GITLAB_TOKEN",
        }
    }
}

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The forge: `https://git.example.org`, or what is before the repository's path there.
    pub forge: String,
    /// `owner/name`; at GitLab, with all groups.
    pub path: String,
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.forge, self.path)
    }
}

impl Repository {
    /// The repository at an address that people open or clone. A token is sent there, so it must be `https`; `http` only on this
    /// machine.
    pub fn parse(kind: Kind, address: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::Usage(format!(
                "{address:?} is not the address of a repository: {why}; expected an address such as https://git.example.org/coop/wiki"
            ))
        };
        let url = Url::parse(address).map_err(|e| wrong(&e.to_string()))?;
        let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            "http" => return Err(wrong("the token would be sent without encryption; http is for this machine only")),
            _ => return Err(wrong("only https is known")),
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has more than a host and a path"));
        }
        let path = url.path().trim_matches('/').trim_end_matches(".git");
        let parts: Vec<&str> = path.split('/').collect();
        let named = |part: &&str| !part.starts_with('.') && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if parts.len() < 2 || !parts.iter().all(|p| !p.is_empty() && named(p)) {
            return Err(wrong("its path is not OWNER/NAME"));
        }
        // What is before OWNER/NAME is a part of the forge's address, but at GitLab a group.
        let before = if kind == Kind::Gitlab { 0 } else { parts.len() - 2 };
        let forge = std::iter::once(url.origin().ascii_serialization()).chain(parts[..before].iter().map(|p| (*p).to_owned()));
        Ok(Self { forge: forge.collect::<Vec<_>>().join("/"), path: parts[before..].join("/") })
    }
}

/// The state of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is not known yet.
    Pending,
    /// All is well.
    Success,
    /// Something is not.
    Failure,
    /// It could not be told.
    Error,
}

/// The state of a commit, with what is shown beside it.
#[derive(Debug, Clone, Copy)]
pub struct CommitStatus<'a> {
    /// The state.
    pub state: State,
    /// Whose it is: a commit has one for each name.
    pub name: &'a str,
    /// A line.
    pub description: &'a str,
    /// Where people find more.
    pub link: Option<&'a str>,
}

/// A request: the path is below the forge's address.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    method: Method,
    url: String,
    body: Option<Value>,
}

impl Call {
    /// Asks.
    pub fn get(url: String) -> Self {
        Self { method: Method::GET, url, body: None }
    }

    /// Sends something along.
    pub fn send(method: Method, url: String, body: Value) -> Self {
        Self { method, url, body: Some(body) }
    }
}

/// How a forge is asked.
pub trait Dialect: Send + Sync {
    /// The header that says who asks.
    fn authorization(&self, token: &str) -> (&'static str, String);
    /// Asks who that is.
    fn myself(&self, repository: &Repository) -> Call;
    /// Sets the state of a commit.
    fn status(&self, repository: &Repository, commit: &str, status: &CommitStatus<'_>) -> Call;
    /// Asks for a page of a pull request's comments, the first of which is 1.
    fn comments(&self, repository: &Repository, pull_request: u64, page: u32) -> Call;
    /// Writes a comment.
    fn comment(&self, repository: &Repository, pull_request: u64, text: &str) -> Call;
    /// Changes a comment.
    fn change(&self, repository: &Repository, pull_request: u64, comment: u64, text: &str) -> Call;
    /// Who a person is, in an answer that has one.
    fn login<'a>(&self, person: &'a Value) -> Option<&'a str> {
        person["login"].as_str()
    }
    /// Whether the forge says that a program wrote a comment, which is nobody's account.
    fn is_of_machine(&self, _: &Value) -> bool {
        false
    }
    /// Who wrote a comment.
    fn author<'a>(&self, comment: &'a Value) -> Option<&'a str> {
        self.login(&comment["user"])
    }
}

#[cfg(test)]
mod tests {
    use super::client::dialect;
    use super::*;

    #[test]
    fn a_repository_is_found_by_its_address() {
        for (kind, address, forge, path) in [
            (Kind::Gitea, "https://git.example.org/coop/mailu.git", "https://git.example.org", "coop/mailu"),
            (Kind::Gitea, "https://example.org/git/coop/mailu/", "https://example.org/git", "coop/mailu"),
            (Kind::Gitlab, "https://gitlab.example.org/a/b/mailu", "https://gitlab.example.org", "a/b/mailu"),
            (Kind::Github, "http://127.0.0.1:3000/coop/mailu", "http://127.0.0.1:3000", "coop/mailu"),
        ] {
            let expected = Repository { forge: forge.into(), path: path.into() };
            assert_eq!(Repository::parse(kind, address).expect(address), expected);
        }
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        for (address, why) in [
            ("coop/mailu", "relative URL"),
            ("ssh://git@git.example.org/coop/mailu", "only https"),
            ("https://git.example.org/mailu", "OWNER/NAME"),
            ("https://git.example.org/coop/../mailu", "OWNER/NAME"),
            ("https://git.example.org/coop/ma%2e%2eilu", "OWNER/NAME"),
            ("https://me:secret@git.example.org/coop/mailu", "more than a host"),
            ("https://git.example.org/coop/mailu?x=1", "more than a host"),
            ("http://git.example.org/coop/mailu", "without encryption"),
            ("http://127.0.0.1.example.org/coop/mailu", "without encryption"),
        ] {
            let said = Repository::parse(Kind::Gitea, address).expect_err(address).to_string();
            assert!(said.contains(why), "{address}: {said}");
        }
    }

    #[test]
    fn each_forge_is_asked_in_its_own_way() {
        let status = CommitStatus { state: State::Error, name: "drill", description: "d", link: None };
        for (kind, forge, state, list, change, header) in [
            (
                Kind::Gitea,
                "https://git.example.org",
                "POST https://git.example.org/api/v1/repos/a/b/statuses/c0 \"error\"",
                "https://git.example.org/api/v1/repos/a/b/issues/7/comments?limit=50&page=2",
                "PATCH https://git.example.org/api/v1/repos/a/b/issues/comments/9",
                ("Authorization", "token t"),
            ),
            (
                Kind::Github,
                "https://github.com",
                "POST https://api.github.com/repos/a/b/statuses/c0 \"error\"",
                "https://api.github.com/repos/a/b/issues/7/comments?per_page=100&page=2",
                "PATCH https://api.github.com/repos/a/b/issues/comments/9",
                ("Authorization", "Bearer t"),
            ),
            (
                Kind::Github,
                "https://git.example.org",
                "POST https://git.example.org/api/v3/repos/a/b/statuses/c0 \"error\"",
                "https://git.example.org/api/v3/repos/a/b/issues/7/comments?per_page=100&page=2",
                "PATCH https://git.example.org/api/v3/repos/a/b/issues/comments/9",
                ("Authorization", "Bearer t"),
            ),
            (
                Kind::Gitlab,
                "https://git.example.org",
                "POST https://git.example.org/api/v4/projects/a%2Fb/statuses/c0 \"failed\"",
                "https://git.example.org/api/v4/projects/a%2Fb/merge_requests/7/notes?per_page=100&sort=asc&page=2",
                "PUT https://git.example.org/api/v4/projects/a%2Fb/merge_requests/7/notes/9",
                ("PRIVATE-TOKEN", "t"),
            ),
        ] {
            let (dialect, repository) = (dialect(kind), Repository { forge: forge.into(), path: "a/b".into() });
            let call = dialect.status(&repository, "c0", &status);
            assert_eq!(format!("{} {} {}", call.method, call.url, call.body.expect("a body")["state"]), state);
            assert_eq!(dialect.comments(&repository, 7, 2), Call::get(list.to_owned()));
            let call = dialect.change(&repository, 7, 9, "x");
            assert_eq!(format!("{} {}", call.method, call.url), change);
            assert_eq!(dialect.authorization("t"), (header.0, header.1.to_owned()));
        }
    }
}
