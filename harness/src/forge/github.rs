//! GitHub: <https://docs.github.com/rest>.

use reqwest::Method;
use serde_json::{Value, json};

use super::gitea::status_body;
use super::{Call, CommitStatus, Dialect, Repository};

/// GitHub, or a GitHub Enterprise server.
pub struct Github;

fn api(repository: &Repository) -> String {
    match repository.forge.as_str() {
        "https://github.com" => "https://api.github.com".to_owned(),
        server => format!("{server}/api/v3"),
    }
}

fn repo(repository: &Repository) -> String {
    format!("{}/repos/{}", api(repository), repository.path)
}

impl Dialect for Github {
    fn authorization(&self, token: &str) -> (&'static str, String) {
        ("Authorization", format!("Bearer {token}"))
    }

    fn myself(&self, repository: &Repository) -> Call {
        Call::get(format!("{}/user", api(repository)))
    }

    fn status(&self, repository: &Repository, commit: &str, status: &CommitStatus<'_>) -> Call {
        Call::send(Method::POST, format!("{}/statuses/{commit}", repo(repository)), status_body(status))
    }

    fn comments(&self, repository: &Repository, pull_request: u64, page: u32) -> Call {
        Call::get(format!("{}/issues/{pull_request}/comments?per_page=100&page={page}", repo(repository)))
    }

    fn comment(&self, repository: &Repository, pull_request: u64, text: &str) -> Call {
        Call::send(Method::POST, format!("{}/issues/{pull_request}/comments", repo(repository)), json!({"body": text}))
    }

    fn change(&self, repository: &Repository, _: u64, comment: u64, text: &str) -> Call {
        Call::send(Method::PATCH, format!("{}/issues/comments/{comment}", repo(repository)), json!({"body": text}))
    }

    // A workflow's own token may not ask whose it is.
    fn is_of_machine(&self, comment: &Value) -> bool {
        comment["user"]["type"] == "Bot"
    }
}
