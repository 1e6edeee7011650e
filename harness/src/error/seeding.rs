//! Why the app does not hold the data that a drill needs. There is nothing to back up then, so nothing can be told of a restore.

/// Why the app does not hold the synthetic data, or does not change it as a drill must.
#[derive(Debug, thiserror::Error)]
pub enum SeedingError {
    /// A user who was just made cannot log in.
    #[error("{account} cannot log in right after {after}: {why}")]
    Login {
        /// The user.
        account: String,
        /// What made the user.
        after: &'static str,
        /// The app's answer.
        why: String,
    },
    /// The mail server refused messages.
    #[error("seeding failed, {failed} deliveries were refused: {}", .said.join("; "))]
    Deliveries {
        /// How many.
        failed: u64,
        /// The server's answers.
        said: Vec<String>,
    },
    /// The mail server took messages, and has them still.
    #[error("mail was accepted but not delivered: {why}")]
    NotDelivered {
        /// What is in the queue.
        why: String,
    },
    /// The app did not do something that its users, or the drill, ask of it.
    #[error("{what}: {why}")]
    Refused {
        /// What was asked.
        what: String,
        /// The answer.
        why: String,
    },
    /// What is there before the backup is not what was submitted.
    #[error(
        "the baseline is not what was submitted, so a restore of it would prove nothing: {differences} differences, the first: {first}"
    )]
    Baseline {
        /// How many findings.
        differences: usize,
        /// The first.
        first: String,
    },
    /// There are too few messages for users who write during the backup.
    #[error("there are too few messages to change while the backup runs; use a larger profile")]
    TooFewMessages,
    /// The users who write during the backup do not get on.
    #[error("writes stalled {when}")]
    Stalled {
        /// When, and what had ended well by then.
        when: String,
    },
}

impl SeedingError {
    /// The app did not do `what`.
    pub fn refused(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Refused { what: what.into(), why: why.to_string() }
    }
}
