//! GitLab: <https://docs.gitlab.com/api/>. A pull request is a merge request there, and a comment is a note.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Call, CommitStatus, Dialect, Repository, State};

/// GitLab.
pub struct Gitlab;

fn project(repository: &Repository) -> String {
    format!("{}/api/v4/projects/{}", repository.forge, repository.path.replace('/', "%2F"))
}

fn notes(repository: &Repository, merge_request: u64) -> String {
    format!("{}/merge_requests/{merge_request}/notes", project(repository))
}

impl Dialect for Gitlab {
    fn authorization(&self, token: &str) -> (&'static str, String) {
        ("PRIVATE-TOKEN", token.to_owned())
    }

    fn myself(&self, repository: &Repository) -> Call {
        Call::get(format!("{}/api/v4/user", repository.forge))
    }

    fn status(&self, repository: &Repository, commit: &str, status: &CommitStatus<'_>) -> Call {
        let state = match status.state {
            State::Pending => "pending",
            State::Success => "success",
            State::Failure | State::Error => "failed",
        };
        let mut body = json!({"state": state, "name": status.name, "description": status.description});
        if let Some(link) = status.link {
            body["target_url"] = link.into();
        }
        Call::send(Method::POST, format!("{}/statuses/{commit}", project(repository)), body)
    }

    fn comments(&self, repository: &Repository, pull_request: u64, page: u32) -> Call {
        Call::get(format!("{}?per_page=100&sort=asc&page={page}", notes(repository, pull_request)))
    }

    fn comment(&self, repository: &Repository, pull_request: u64, text: &str) -> Call {
        Call::send(Method::POST, notes(repository, pull_request), json!({"body": text}))
    }

    fn change(&self, repository: &Repository, pull_request: u64, comment: u64, text: &str) -> Call {
        Call::send(Method::PUT, format!("{}/{comment}", notes(repository, pull_request)), json!({"body": text}))
    }

    fn login<'a>(&self, person: &'a Value) -> Option<&'a str> {
        person["username"].as_str()
    }

    fn author<'a>(&self, comment: &'a Value) -> Option<&'a str> {
        self.login(&comment["author"])
    }
}
