//! Containers in memory, for tests of what asks them: what a command answers is a function, and what was asked is kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;

use crate::error::Result;
use crate::exec::{Archive, Call, Containers, Output};

/// A command as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The service.
    pub service: String,
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Variables that were added.
    pub env: Vec<(String, String)>,
}

impl Asked {
    fn of(call: Call<'_>) -> Self {
        let env = call.env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Self {
            service: call.service.to_owned(),
            command: call.command.iter().map(ToString::to_string).collect(),
            env: env.collect(),
        }
    }

    /// The value of a variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }
}

type Answer = dyn Fn(&Asked) -> Output + Send + Sync;
type Files = dyn Fn(&str) -> Option<Vec<u8>> + Send + Sync;

/// Containers in memory.
pub struct Fake {
    answer: Box<Answer>,
    files: Box<Files>,
    asked: Mutex<Vec<Asked>>,
}

impl Fake {
    /// Containers in which commands answer so, and no file is.
    pub fn new(answer: impl Fn(&Asked) -> Output + Send + Sync + 'static) -> Self {
        Self { answer: Box::new(answer), files: Box::new(|_| None), asked: Mutex::default() }
    }

    /// The same with files: the tar archive of a path.
    #[must_use]
    pub fn with_files(mut self, files: impl Fn(&str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        self.files = Box::new(files);
        self
    }

    /// What was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Containers for Fake {
    fn run<'a>(&'a self, call: Call<'a>, stdout: &'a mut (dyn FnMut(&[u8]) + Send)) -> BoxFuture<'a, Result<Output>> {
        Box::pin(async move {
            let asked = Asked::of(call);
            let output = (self.answer)(&asked);
            self.lock().push(asked);
            stdout(output.stdout.as_bytes());
            Ok(Output { stdout: String::new(), ..output })
        })
    }

    fn archive<'a>(&'a self, _: &'a str, path: &'a str) -> BoxFuture<'a, Result<Option<Archive>>> {
        let found = (self.files)(path).map(|bytes| futures_util::stream::iter([Ok(bytes.into())]).boxed());
        Box::pin(async move { Ok(found) })
    }
}
