//! Why something could not be read whole. What was read until then counts for nothing.

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// It is there, and cannot be read.
    #[error("{what}: {why}")]
    Unread {
        /// What was read.
        what: String,
        /// Why not.
        why: String,
    },
    /// A program in the stack, the bot or the engine answered in a form that it must not use.
    #[error("{what}: expected {expected}, found {found:?}")]
    Form {
        /// What was done.
        what: String,
        /// The form that it must have.
        expected: String,
        /// The line that has another one, or its beginning.
        found: String,
    },
    /// Nothing came any more.
    #[error("{what}: no data for {seconds} s")]
    Stalled {
        /// What was read.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The answer ended before its end.
    #[error("{what} was cut off: {said}")]
    CutOff {
        /// What was read.
        what: String,
        /// What the reader said last.
        said: String,
    },
}

impl ReadingError {
    /// A line that does not have the form it must have. Of a long one, the beginning is enough.
    pub fn form(what: impl Into<String>, expected: impl Into<String>, line: &str) -> Self {
        const SHOWN: usize = 200;
        Self::Form { what: what.into(), expected: expected.into(), found: line.chars().take(SHOWN).collect() }
    }
}
