//! What a bridge asks a forge: the open pull requests, who said what there, and who is a member. As Gitea and Forgejo are asked.

use reqwest::StatusCode;
use serde_json::Value;

use super::Call;
use super::client::Client;
use super::http::Failure;
use crate::error::Result;

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The newest commit of its branch.
    pub commit: String,
}

/// A comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// What it says.
    pub text: String,
    /// Whether it says what its author wrote: nobody has changed it, and it was not imported.
    pub is_as_written: bool,
}

impl Client {
    fn asking(&self, what: &str) -> impl Fn(Failure) -> crate::Error {
        let what = format!("asking {} for {what}", self.repository);
        move |e| e.posting(what.clone())
    }

    /// Whose the token is.
    ///
    /// # Errors
    /// The forge does not say.
    pub async fn myself(&self) -> Result<String> {
        let answer = self.ask(self.dialect.myself(&self.repository)).await;
        let login = answer.and_then(|person| {
            self.dialect.login(&person).map(str::to_owned).ok_or_else(|| Failure::None("the answer has no name".into()))
        });
        login.map_err(self.asking("whose the token is; it needs read:user"))
    }

    /// The open pull requests.
    ///
    /// # Errors
    /// The forge does not say.
    pub async fn pull_requests(&self) -> Result<Vec<PullRequest>> {
        let (forge, path) = (&self.repository.forge, &self.repository.path);
        let call = |page| Call::get(format!("{forge}/api/v1/repos/{path}/pulls?state=open&limit=50&page={page}"));
        let all = self.pages(call).await.map_err(self.asking("its pull requests"))?;
        let one = |pull: &Value| {
            Some(PullRequest { number: pull["number"].as_u64()?, commit: pull["head"]["sha"].as_str()?.to_owned() })
        };
        Ok(all.iter().filter_map(one).collect())
    }

    /// The comments on a pull request, from the oldest.
    ///
    /// # Errors
    /// The forge does not say.
    pub async fn said(&self, pull_request: u64) -> Result<Vec<Comment>> {
        let all = self.comments(pull_request).await.map_err(self.asking(&format!("comments on pull request {pull_request}")))?;
        // Others than the author can change a comment in Gitea, and one that was imported may have an author who never wrote it.
        let is_as_written = |comment: &Value| {
            let edited = comment["updated_at"].as_str() != comment["created_at"].as_str();
            !edited && comment["original_author"].as_str().is_none_or(str::is_empty)
        };
        let one = |comment: &Value| {
            Some(Comment {
                is_as_written: is_as_written(comment),
                id: comment["id"].as_u64()?,
                author: self.dialect.author(comment)?.to_owned(),
                text: comment["body"].as_str()?.to_owned(),
            })
        };
        Ok(all.iter().filter_map(one).collect())
    }

    /// Whether somebody is a member of an organization.
    ///
    /// # Errors
    /// The forge does not say.
    pub async fn is_member(&self, organization: &str, login: &str) -> Result<bool> {
        let call = Call::get(format!("{}/api/v1/orgs/{organization}/members/{login}", self.repository.forge));
        match self.ask(call).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused(StatusCode::NOT_FOUND, _)) => Ok(false),
            Err(e) => Err(self.asking(&format!("the members of {organization}"))(e)),
        }
    }
}
