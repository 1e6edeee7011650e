//! The folders of a mailbox, as LIST and LSUB tell of them.

use std::time::Duration;

use futures_util::TryStreamExt as _;

use super::session::{Failure, Session, in_time};
use crate::error::Result;

/// A folder as LIST and LSUB tell of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The name as the server gives it.
    pub name: String,
    /// Whether LSUB has it.
    pub subscribed: bool,
    /// What it is for (RFC 6154), sorted, space-separated.
    pub special_use: String,
}

/// The folders of a session, by name; names that cannot be selected are left out.
pub async fn folders(session: &mut Session, patience: Duration) -> Result<Vec<Listed>, Failure> {
    let listed: Vec<_> =
        in_time(patience, "LIST", async { session.list(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    // The client library does not tell a refusal from an empty list, and every mailbox has an INBOX (RFC 9051, 5.1).
    if listed.is_empty() {
        return Err(Failure::Other("LIST gave no folder, not even INBOX".into()));
    }
    let subscribed: Vec<_> =
        in_time(patience, "LSUB", async { session.lsub(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    use async_imap::types::NameAttribute as Attribute;
    let absent = |a: &Attribute<'_>| match a {
        Attribute::NoSelect => true,
        // RFC 5258: a parent of folders that is none itself.
        Attribute::Extension(name) => name.eq_ignore_ascii_case("\\NonExistent"),
        _ => false,
    };
    let mut names: Vec<Listed> = listed
        .iter()
        .filter(|n| !n.attributes().iter().any(absent))
        .map(|n| Listed {
            name: n.name().to_owned(),
            subscribed: subscribed.iter().any(|s| s.name() == n.name()),
            special_use: special_use(n.attributes()),
        })
        .collect();
    names.sort();
    Ok(names)
}

/// The folders that LSUB has and that are not among `listed`: a subscription outlives its folder (RFC 9051, 6.3.7).
pub(super) async fn subscribed_alone(
    session: &mut Session,
    patience: Duration,
    listed: &[Listed],
) -> Result<Vec<String>, Failure> {
    let subscribed: Vec<_> =
        in_time(patience, "LSUB", async { session.lsub(Some(""), Some("*")).await?.try_collect::<Vec<_>>().await }).await?;
    let there = |name: &str| listed.iter().any(|l| l.name == name);
    Ok(subscribed.iter().map(|s| s.name().to_owned()).filter(|name| !there(name)).collect())
}

/// The attributes of RFC 6154 among those of a folder.
fn special_use(attributes: &[async_imap::types::NameAttribute<'_>]) -> String {
    use async_imap::types::NameAttribute as Attribute;
    let name = |a: &Attribute<'_>| {
        Some(match a {
            Attribute::All => "\\All",
            Attribute::Archive => "\\Archive",
            Attribute::Drafts => "\\Drafts",
            Attribute::Flagged => "\\Flagged",
            Attribute::Junk => "\\Junk",
            Attribute::Sent => "\\Sent",
            Attribute::Trash => "\\Trash",
            _ => return None,
        })
    };
    let mut names: Vec<&str> = attributes.iter().filter_map(name).collect();
    names.sort_unstable();
    names.join(" ")
}
