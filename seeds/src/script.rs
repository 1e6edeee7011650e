//! Sieve scripts (RFC 5228): what users have their mail filtered by.

use crate::rng::Rng;

/// A sieve script of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// Whether it is the active one.
    pub active: bool,
    /// Its text, lines ending in CRLF.
    pub text: String,
}

/// Where the active script files a list's mail.
pub(crate) const FILED: &str = "Lists.rota";

/// The list whose mail an account's active script files.
pub(crate) fn list(seed: u64, account: &str) -> String {
    format!("{}.lists.example", Rng::new(seed, &format!("scripts {account}")).below(100_000))
}

pub(crate) fn generate(seed: u64, account: &str) -> Vec<Script> {
    let list = list(seed, account);
    let days = 1 + Rng::new(seed, &format!("holiday {account}")).below(30);
    let filter = [
        "require [\"fileinto\", \"mailbox\"];".to_owned(),
        format!("# Filters of {account}: \u{201c}gr\u{fc}\u{df}e\u{201d}"),
        format!("if header :contains \"List-Id\" \"{list}\" {{"),
        format!("  fileinto :create \"{FILED}\";"),
        "}".to_owned(),
    ];
    let holiday = ["require \"vacation\";".to_owned(), format!("vacation :days {days} \"Away.\";")];
    let text = |lines: &[String]| lines.iter().map(|l| format!("{l}\r\n")).collect();
    vec![
        Script { name: "filter", active: true, text: text(&filter) },
        Script { name: "holiday", active: false, text: text(&holiday) },
    ]
}
