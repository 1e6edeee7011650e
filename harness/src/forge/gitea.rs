//! Gitea and Forgejo: <https://docs.gitea.com/api>.

use reqwest::Method;
use serde_json::json;

use super::{Call, CommitStatus, Dialect, Repository, State};

/// Gitea or Forgejo.
pub struct Gitea;

fn api(repository: &Repository) -> String {
    format!("{}/api/v1/repos/{}", repository.forge, repository.path)
}

/// The word of Gitea and GitHub.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Success => "success",
        State::Failure => "failure",
        State::Error => "error",
    }
}

/// A commit's state, as Gitea and GitHub have it.
pub(super) fn status_body(status: &CommitStatus<'_>) -> serde_json::Value {
    let CommitStatus { state, name, description, link } = status;
    json!({"state": word(*state), "context": name, "description": description, "target_url": link.unwrap_or_default()})
}

impl Dialect for Gitea {
    fn authorization(&self, token: &str) -> (&'static str, String) {
        ("Authorization", format!("token {token}"))
    }

    fn myself(&self, repository: &Repository) -> Call {
        Call::get(format!("{}/api/v1/user", repository.forge))
    }

    fn status(&self, repository: &Repository, commit: &str, status: &CommitStatus<'_>) -> Call {
        Call::send(Method::POST, format!("{}/statuses/{commit}", api(repository)), status_body(status))
    }

    fn comments(&self, repository: &Repository, pull_request: u64, page: u32) -> Call {
        Call::get(format!("{}/issues/{pull_request}/comments?limit=50&page={page}", api(repository)))
    }

    fn comment(&self, repository: &Repository, pull_request: u64, text: &str) -> Call {
        Call::send(Method::POST, format!("{}/issues/{pull_request}/comments", api(repository)), json!({"body": text}))
    }

    fn change(&self, repository: &Repository, _: u64, comment: u64, text: &str) -> Call {
        Call::send(Method::PATCH, format!("{}/issues/comments/{comment}", api(repository)), json!({"body": text}))
    }
}
