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

pub(crate) fn generate(seed: u64, account: &str) -> Vec<Script> {
    let mut rng = Rng::new(seed, &format!("scripts {account}"));
    let list = rng.below(100_000);
    let filter = [
        "require [\"fileinto\", \"mailbox\"];".to_owned(),
        format!("# Filters of {account}: \u{201c}gr\u{fc}\u{df}e\u{201d}"),
        format!("if header :contains \"List-Id\" \"{list}.lists.example\" {{"),
        "  fileinto :create \"Lists.rota\";".to_owned(),
        "}".to_owned(),
    ];
    let holiday = ["require \"vacation\";".to_owned(), format!("vacation :days {} \"Away.\";", 1 + rng.below(30))];
    let text = |lines: &[String]| lines.iter().map(|l| format!("{l}\r\n")).collect();
    vec![
        Script { name: "filter", active: true, text: text(&filter) },
        Script { name: "holiday", active: false, text: text(&holiday) },
    ]
}
