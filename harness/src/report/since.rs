//! What is new in a run since an earlier one of the same drill.

use std::fmt;

use judge::counted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What has changed since an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Since {
    /// The earlier run's id.
    pub run: String,
    /// When it began, RFC 3339.
    pub began: Option<String>,
    /// The positions of the findings that it did not have, in the report's list, from 0.
    pub new: Vec<usize>,
    /// How many of its findings are gone.
    pub gone: u64,
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let new = match self.new.len() {
            0 => "no finding is new".to_owned(),
            n => format!("{} new", counted(n as u64, "finding is/findings are")),
        };
        let gone = match self.gone {
            0 => "none is gone".to_owned(),
            n => format!("{} gone", counted(n, "is/are")),
        };
        write!(f, "Since run {}: {new}, {gone}.", self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_in_a_sentence() {
        let since = |new: usize, gone| Since { run: "r".into(), began: None, new: (0..new).collect(), gone }.to_string();
        assert_eq!(since(0, 0), "Since run r: no finding is new, none is gone.");
        assert_eq!(since(1, 1), "Since run r: 1 finding is new, 1 is gone.");
        assert_eq!(since(2000, 3), "Since run r: 2,000 findings are new, 3 are gone.");
    }
}
