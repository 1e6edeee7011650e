//! The bridge from a comment on a pull request to a build of drone, whose server does not hear comments. It keeps no state: what it has
//! answered, it sees on the pull request.

use judge::redact::redact;
use reqwest::{Method, Url};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::forge::Call;
use crate::forge::client::Client;
use crate::forge::http::Http;
use crate::forge::review::{Comment, PullRequest};
use crate::ladder::remote::is_name;
use crate::output;

/// drone, and the repository whose builds test recipes.
pub struct Drone {
    http: Http,
    server: String,
    repository: String,
    branch: Option<String>,
}

/// Who may start a build.
#[derive(Debug, Clone, Default)]
pub struct Testers {
    /// By their names.
    pub names: Vec<String>,
    /// The members of an organization.
    pub organization: Option<String>,
}

/// The bridge.
pub struct Bridge {
    /// The repositories of recipes.
    pub recipes: Vec<Client>,
    /// Who may start a build.
    pub testers: Testers,
    /// What starts them.
    pub drone: Drone,
    /// The comment that asks for one.
    pub word: String,
}

impl Drone {
    /// The drone at an address.
    pub fn new(server: &str, repository: &str, branch: Option<&str>, token: &str) -> Result<Self> {
        let http = Http::new(server, token, |token| ("Authorization", format!("Bearer {token}")))?;
        let server = server.trim_end_matches('/').to_owned();
        Ok(Self { http, server, repository: repository.to_owned(), branch: branch.map(str::to_owned) })
    }

    /// Starts a build with parameters. Gives its link.
    async fn start(&self, parameters: &[(&str, &str)]) -> Result<String> {
        let what = || format!("not started: a build of {}/{}", self.server, self.repository);
        let why = |why: &str| Error::NotPosted { what: what(), why: why.to_owned() };
        let mut url =
            Url::parse(&format!("{}/api/repos/{}/builds", self.server, self.repository)).map_err(|e| why(&e.to_string()))?;
        let branch = self.branch.as_deref().map(|branch| ("branch", branch));
        url.query_pairs_mut().extend_pairs(branch.iter().chain(parameters));
        let build = self.http.ask(Call::send(Method::POST, url.into(), Value::Null)).await.map_err(|e| e.posting(what()))?;
        // Where no pipeline is for the event, there is no build, and no error.
        let number = build["number"]
            .as_u64()
            .ok_or_else(|| why("drone started no build; its .drone.yml needs a pipeline with the event custom"))?;
        Ok(format!("{}/{}/{number}", self.server, self.repository))
    }
}

/// What an answer begins with.
fn marker(comment: u64) -> String {
    format!("<!-- restore-drill: answer to {comment} -->")
}

/// What a comment asks for: nothing, a build, or a build of a commit that begins with these digits.
fn asked<'a>(word: &str, text: &'a str) -> Option<Option<&'a str>> {
    let mut words = text.split_whitespace();
    if words.next() != Some(word) {
        return None;
    }
    match (words.next(), words.next()) {
        (None, _) => Some(None),
        (Some(digits), None) if digits.len() >= 7 && digits.chars().all(|c| c.is_ascii_hexdigit()) => Some(Some(digits)),
        _ => None,
    }
}

/// Two results, one after the other. Of two errors, the first is said here.
fn and(first: Result<()>, second: Result<()>) -> Result<()> {
    match (first, second) {
        (Err(first), Err(second)) => {
            output::notice(format_args!("error: {first}"));
            Err(second)
        }
        (first, second) => first.and(second),
    }
}

impl Bridge {
    /// Answers every comment that asks for a build and has no answer. Gives the number of repositories that could not be read or
    /// answered, each of which is said.
    pub async fn round(&self) -> usize {
        let mut failed = 0;
        for recipe in &self.recipes {
            if let Err(e) = self.recipe(recipe).await {
                output::notice(format_args!("error: {e}"));
                failed += 1;
            }
        }
        failed
    }

    async fn recipe(&self, recipe: &Client) -> Result<()> {
        let myself = recipe.myself().await?;
        let mut all = Ok(());
        for pull in recipe.pull_requests().await? {
            all = and(all, self.pull(recipe, &pull, &myself).await);
        }
        all
    }

    /// Answers the comments on a pull request. One that cannot be answered, as where it is locked, keeps no other from its answer.
    async fn pull(&self, recipe: &Client, pull: &PullRequest, myself: &str) -> Result<()> {
        let said = recipe.said(pull.number).await?;
        let answered = |comment: &Comment| {
            let marker = marker(comment.id);
            said.iter().any(|answer| answer.author == myself && answer.text.starts_with(&marker))
        };
        let mut all = Ok(());
        for comment in said.iter().filter(|c| c.author != myself && c.is_as_written && !answered(c)) {
            if let Some(digits) = asked(&self.word, &comment.text) {
                all = and(all, self.answer(recipe, pull, comment, digits).await);
            }
        }
        all
    }

    /// Answers first, and starts the build then: so none is started twice, whatever fails.
    async fn answer(&self, recipe: &Client, pull: &PullRequest, comment: &Comment, digits: Option<&str>) -> Result<()> {
        let (marker, commit) = (marker(comment.id), &pull.commit);
        let refusal = match digits.filter(|digits| !commit.starts_with(&digits.to_lowercase())) {
            _ if !self.may(recipe, &comment.author).await? => Some(format!("{} may not start a drill here.", comment.author)),
            Some(digits) => Some(format!("The newest commit is `{commit}`, not `{digits}`; nothing was started.")),
            None => None,
        };
        if let Some(refusal) = refusal {
            recipe.comment(pull.number, &marker, &refusal).await?;
            return Ok(());
        }
        recipe.comment(pull.number, &marker, &format!("A drill of `{commit}` is being started.")).await?;
        let (address, number) = (recipe.repository.to_string(), pull.number.to_string());
        let started = self.drone.start(&[("RECIPE", &address), ("REF", commit), ("PR", &number)]).await;
        let text = match &started {
            Ok(link) => format!("A drill of `{commit}` was started: <{link}>"),
            Err(e) => format!(
                "A drill of `{commit}` could not be started:\n\n    {}",
                output::harmless(&redact(&e.to_string())).replace('\n', " ")
            ),
        };
        recipe.comment(pull.number, &marker, &text).await?;
        output::notice(format_args!(
            "{} #{number}, {}: {}",
            recipe.repository,
            comment.author,
            text.lines().next().unwrap_or_default()
        ));
        started.map(|_| ())
    }

    async fn may(&self, recipe: &Client, author: &str) -> Result<bool> {
        if self.testers.names.iter().any(|name| name.eq_ignore_ascii_case(author)) {
            return Ok(true);
        }
        match &self.testers.organization {
            // The name becomes a part of an address.
            Some(_) if !is_name(author) => Ok(false),
            Some(organization) => recipe.is_member(organization, author).await,
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_asks_for_a_build_or_does_not() {
        for (text, expected) in [
            ("!testme", Some(None)),
            (" !testme\r\n", Some(None)),
            ("!testme 0123abc", Some(Some("0123abc"))),
            ("> !testme", None),
            ("!testme please", None),
            ("!testme 0123abc now", None),
            ("please !testme", None),
            ("!testmenot", None),
            ("", None),
        ] {
            assert_eq!(asked("!testme", text), expected, "{text:?}");
        }
    }
}
