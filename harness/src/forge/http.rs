//! Requests with a token, and answers of JSON.

use std::sync::Arc;
use std::time::Duration;

use judge::redact::{self, redact};
use reqwest::{StatusCode, redirect};
use serde_json::Value;

use super::Call;
use crate::error::{Error, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most that is read of an answer, in bytes.
const ANSWER: usize = 16 << 20;
/// Characters of an answer that are repeated where it is a refusal.
const SAID: usize = 200;

/// A client that has a token of one server.
pub struct Http {
    client: reqwest::Client,
    authorization: (&'static str, String),
}

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// The server refused.
    Refused(StatusCode, String),
    /// There was no answer, or none that can be read.
    None(String),
}

impl Failure {
    /// As an error, of something that was posted or asked for.
    pub fn posting(self, what: String) -> Error {
        let why = match self {
            Self::Refused(status, said) => format!("{status}{said}"),
            Self::None(why) => why,
        };
        Error::NotPosted { what, why }
    }
}

impl Http {
    /// For a server. The token is remembered for redaction.
    pub fn new(server: &str, token: &str, authorization: impl Fn(&str) -> (&'static str, String)) -> Result<Self> {
        redact::remember_foreign(token);
        let fail = |e: &dyn std::fmt::Display| Error::system("HTTP client", e);
        // Another part of the program may have chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Where a redirection leads to is not whom the token is for.
        let mut client =
            reqwest::Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE).user_agent("restore-drill");
        if server.starts_with("http://") {
            // Nothing is encrypted, so that it does not matter whether this machine knows any authorities.
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|e| fail(&e))?
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            client = client.tls_backend_preconfigured(config);
        }
        let client = client.build().map_err(|e| fail(&chain(&e)))?;
        Ok(Self { client, authorization: authorization(token.trim()) })
    }

    /// Asks, and gives the answer.
    pub async fn ask(&self, call: Call) -> Result<Value, Failure> {
        let (name, value) = &self.authorization;
        let mut request = self.client.request(call.method, &call.url).header(*name, value).header("Accept", "application/json");
        if let Some(body) = call.body {
            request = request.header("Content-Type", "application/json").body(body.to_string());
        }
        let fail = |e: reqwest::Error| Failure::None(redact(&chain(&e)).into_owned());
        let mut answer = request.send().await.map_err(fail)?;
        let (status, moved) = (answer.status(), answer.headers().get("Location").cloned());
        let mut content = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(fail)? {
            content.extend_from_slice(&chunk);
            if content.len() > ANSWER {
                return Err(Failure::None(format!("an answer of more than {} MiB", ANSWER >> 20)));
            }
        }
        if status.is_success() {
            let empty = content.is_empty();
            return serde_json::from_slice(if empty { b"null" } else { &content })
                .map_err(|e| Failure::None(format!("the answer is no JSON: {e}")));
        }
        let mut said = moved.map(|to| format!(", moved to {}", String::from_utf8_lossy(to.as_bytes()))).unwrap_or_default();
        let text: String = String::from_utf8_lossy(&content).split_whitespace().collect::<Vec<_>>().join(" ");
        let text: String = redact(&text).chars().take(SAID).collect();
        if !text.is_empty() {
            said += &format!(": {text}");
        }
        Err(Failure::Refused(status, said))
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source()).map(|e| format!(": {e}"));
    std::iter::once(error.to_string()).chain(causes).collect()
}
