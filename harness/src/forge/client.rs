//! The client of a forge: results, and what a bridge asks.

use std::collections::BTreeSet;

use judge::redact::redact;
use reqwest::StatusCode;
use serde_json::Value;

use super::gitea::Gitea;
use super::github::Github;
use super::gitlab::Gitlab;
use super::http::{Failure, Http};
use super::{Call, CommitStatus, Dialect, Kind, Repository};
use crate::error::Result;

/// Pages, after which the forge is taken to repeat itself.
const PAGES: u32 = 1000;
/// The most that all pages of a list may have together, in bytes.
const MOST: usize = 64 << 20;
/// The longest comment, in bytes: GitHub takes 65,536 characters, and Gitea's database may take as many bytes.
const COMMENT: usize = 60_000;
/// The longest description of a state, in characters: GitHub's.
const DESCRIPTION: usize = 140;

/// Somebody who has a token of a forge, and a repository there.
pub struct Client {
    http: Http,
    pub(super) dialect: Box<dyn Dialect>,
    /// The repository.
    pub repository: Repository,
}

/// How a forge is asked.
pub(super) fn dialect(kind: Kind) -> Box<dyn Dialect> {
    match kind {
        Kind::Gitea => Box::new(Gitea),
        Kind::Github => Box::new(Github),
        Kind::Gitlab => Box::new(Gitlab),
    }
}

/// What became of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commented {
    /// It is new.
    Written,
    /// An older one was changed.
    Changed,
}

impl Client {
    /// For a repository. The token is remembered for redaction.
    pub fn new(kind: Kind, repository: Repository, token: &str) -> Result<Self> {
        let dialect = dialect(kind);
        let http = Http::new(&repository.forge, token, |token| dialect.authorization(token))?;
        Ok(Self { http, dialect, repository })
    }

    /// Sets the state of a commit.
    ///
    /// # Errors
    /// [`crate::error::Error::NotPosted`].
    pub async fn set_status(&self, commit: &str, status: &CommitStatus<'_>) -> Result<()> {
        let description: String = redact(status.description).chars().take(DESCRIPTION).collect();
        let status = CommitStatus { description: &description, ..*status };
        let call = self.dialect.status(&self.repository, commit, &status);
        self.ask(call)
            .await
            .map_err(|e| e.posting(format!("not posted: the status of commit {commit} of {}", self.repository)))?;
        Ok(())
    }

    /// Writes a comment on a pull request; if one of our own there begins with the same marker, it is changed instead.
    ///
    /// # Errors
    /// [`crate::error::Error::NotPosted`].
    pub async fn comment(&self, pull_request: u64, marker: &str, text: &str) -> Result<Commented> {
        let at = |e: Failure| e.posting(format!("not posted: the comment on pull request {pull_request} of {}", self.repository));
        let text = format!("{marker}\n{}", shortened(&redact(text)));
        for id in self.own(pull_request, marker).await.map_err(at)? {
            match self.ask(self.dialect.change(&self.repository, pull_request, id, &text)).await {
                Ok(_) => return Ok(Commented::Changed),
                // Somebody removed it meanwhile. 403 can be a limit of requests, which would write a second comment.
                Err(Failure::Refused(StatusCode::NOT_FOUND, _)) => {}
                Err(e) => return Err(at(e)),
            }
        }
        self.ask(self.dialect.comment(&self.repository, pull_request, &text)).await.map_err(at)?;
        Ok(Commented::Written)
    }

    /// Our own comments that begin with a marker, by their ids. Anybody can write the marker. Where the forge does not say who we are,
    /// none is ours but those that only a machine can have written.
    async fn own(&self, pull_request: u64, marker: &str) -> Result<Vec<u64>, Failure> {
        let all = self.comments(pull_request).await?;
        let marked: Vec<&Value> = all.iter().filter(|c| c["body"].as_str().is_some_and(|b| b.starts_with(marker))).collect();
        if marked.is_empty() {
            return Ok(vec![]);
        }
        // A token may be allowed to comment, and not to ask whose it is.
        let myself = match self.ask(self.dialect.myself(&self.repository)).await {
            Err(Failure::Refused(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, _)) => Value::Null,
            answer => answer?,
        };
        let is_own = |c: &&Value| match self.dialect.login(&myself) {
            Some(login) => self.dialect.author(c) == Some(login),
            None => self.dialect.is_of_machine(c),
        };
        Ok(marked.into_iter().filter(is_own).filter_map(|c| c["id"].as_u64()).collect())
    }

    /// All comments on a pull request, from the oldest.
    pub(super) async fn comments(&self, pull_request: u64) -> Result<Vec<Value>, Failure> {
        self.pages(|page| self.dialect.comments(&self.repository, pull_request, page)).await
    }

    /// All of a list whose parts have an `id`. Some forges give it in pages of a size that they choose; others give all of it for any page.
    pub(super) async fn pages(&self, call: impl Fn(u32) -> Call) -> Result<Vec<Value>, Failure> {
        let (mut all, mut ids, mut bytes) = (Vec::new(), BTreeSet::new(), 0);
        for page in 1..=PAGES {
            let answer = self.ask(call(page)).await?;
            bytes += answer.to_string().len();
            if bytes > MOST {
                return Err(Failure::None(format!("the list has more than {} MiB", MOST >> 20)));
            }
            let Value::Array(parts) = answer else {
                return Err(Failure::None("the answer is no list".into()));
            };
            let new: Vec<Value> = parts.into_iter().filter(|c| c["id"].as_u64().is_some_and(|id| ids.insert(id))).collect();
            if new.is_empty() {
                return Ok(all);
            }
            all.extend(new);
        }
        Err(Failure::None(format!("more than {PAGES} pages")))
    }

    pub(super) async fn ask(&self, call: Call) -> Result<Value, Failure> {
        self.http.ask(call).await
    }
}

/// A text that every forge takes.
fn shortened(text: &str) -> String {
    if text.len() <= COMMENT {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut length = 0;
    let fits = lines.iter().take_while(|line| {
        length += line.len() + 1;
        length <= COMMENT
    });
    format!("{}\n\nThe rest is in the report.\n", fits.copied().collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_comment_ends_at_a_line() {
        assert_eq!(shortened("a\nb\n"), "a\nb\n");
        let long = shortened(&"äöü\n".repeat(20_000));
        assert!(long.len() < COMMENT + 50 && long.ends_with("äöü\n\nThe rest is in the report.\n"), "{}", long.len());
        assert_eq!(shortened(&"x".repeat(COMMENT + 1)), "\n\nThe rest is in the report.\n");
    }
}
