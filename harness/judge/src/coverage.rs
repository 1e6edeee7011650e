//! How much of what there is was compared: of each kind, how many of how many, and what was left out and why. A verdict says no
//! more than that.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::count::{counted, grouped};

/// A kind of what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Volumes, where the inventory does not have all.
    Volumes,
    /// Files and folders that must come back.
    DurableFiles,
    /// Files and folders whose loss costs work, and no data.
    ValuableFiles,
    /// Files and folders that the app or its operator's tools make again.
    OtherFiles,
    /// Tables of databases.
    Tables,
    /// IMAP mailboxes, which users call folders.
    Folders,
    /// Messages.
    Messages,
    /// Sieve scripts.
    Scripts,
    /// What commands print.
    Facts,
    /// What was tried through the doors.
    Trials,
}

impl Kind {
    /// As sentences have it.
    fn noun(self) -> &'static str {
        match self {
            Self::Volumes => "volume",
            Self::DurableFiles => "durable file",
            Self::ValuableFiles => "valuable file",
            Self::OtherFiles => "other file",
            Self::Tables => "table",
            Self::Folders => "folder",
            Self::Messages => "message",
            Self::Scripts => "sieve script",
            Self::Facts => "fact",
            Self::Trials => "trial",
        }
    }
}

/// What the scenario leaves out, and its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// How many.
    pub count: u64,
    /// The scenario's reason.
    pub why: String,
}

/// How many of a kind were compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// The kind.
    pub kind: Kind,
    /// How many were read before the backup and after the restore.
    pub compared: u64,
    /// How many there were before the backup, with what was left out.
    pub total: u64,
    /// What the scenario leaves out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

impl Part {
    /// A kind of which nothing is left out.
    pub(crate) fn of(kind: Kind, compared: u64, total: u64) -> Self {
        Self { kind, compared, total, left_out: vec![] }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", grouped(self.compared), counted(self.total, self.kind.noun()))
    }
}

/// How many of each kind were compared. A kind of which there is nothing is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Coverage(pub Vec<Part>);

impl Coverage {
    /// What was left out, each with its reason, in a sentence of its own.
    pub fn left_out(&self) -> Vec<String> {
        let said = |part: &Part, out: &LeftOut| format!("{} left out: {}", counted(out.count, part.kind.noun()), out.why);
        self.0.iter().flat_map(|part| part.left_out.iter().map(|out| said(part, out))).collect()
    }
}

impl fmt::Display for Coverage {
    /// Without what was left out as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_left_out = |part: &Part| part.left_out.iter().map(|out| out.count).sum::<u64>() == part.total;
        let said: Vec<String> = self.0.iter().filter(|part| !is_left_out(part)).map(ToString::to_string).collect();
        f.write_str(if said.is_empty() { "nothing" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_says_how_many_of_how_many_and_what_was_left_out() {
        let left_out = vec![LeftOut { count: 1, why: "cache".into() }, LeftOut { count: 1200, why: "made anew".into() }];
        let files = Part { left_out, ..Part::of(Kind::DurableFiles, 401, 1602) };
        let coverage = Coverage(vec![files, Part::of(Kind::Tables, 1, 1), Part::of(Kind::Messages, 0, 120)]);
        assert_eq!(coverage.to_string(), "401 of 1,602 durable files, 1 of 1 table, 0 of 120 messages");
        assert_eq!(coverage.left_out(), ["1 durable file left out: cache", "1,200 durable files left out: made anew"]);
        let cache = Part { left_out: vec![LeftOut { count: 9, why: "cache".into() }], ..Part::of(Kind::OtherFiles, 0, 9) };
        assert_eq!(Coverage(vec![cache]).to_string(), "nothing");
        assert_eq!(Coverage::default().to_string(), "nothing");
        let json = serde_json::json!(Coverage(vec![Part::of(Kind::Tables, 1, 2)]));
        assert_eq!(json, serde_json::json!([{"kind": "tables", "compared": 1, "total": 2}]));
    }

    #[test]
    fn each_kind_has_a_word() {
        use Kind::{DurableFiles, Facts, Folders, Messages, OtherFiles, Scripts, Tables, Trials, ValuableFiles};
        let all = [DurableFiles, ValuableFiles, OtherFiles, Tables, Folders, Messages, Scripts, Facts, Trials];
        let words =
            ["durable file", "valuable file", "other file", "table", "folder", "message", "sieve script", "fact", "trial"];
        assert_eq!(all.map(Kind::noun), words);
    }
}
