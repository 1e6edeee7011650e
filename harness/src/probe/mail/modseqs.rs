//! HIGHESTMODSEQ (RFC 7162), which is in the server's indexes: seen before they are dropped, and moved on before the baseline.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use async_imap::error::Error as ImapError;
use async_imap::types::{Capabilities, Flag};
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::folders::{Listed, folders};
use super::session::{ATTEMPTS, CONNECTIONS, Failure, Imap, Session, in_time};
use crate::error::Result;
use crate::secret::Secret;

/// HIGHESTMODSEQ of folders, by account and name.
pub type ModSeqs = HashMap<(String, String), u64>;

/// What was seen before the mail server was made to look at its files again.
#[derive(Debug, Default)]
pub struct FirstLook {
    pub(super) seen: ModSeqs,
    /// Accounts of which it could not be seen, and why.
    pub(super) unread: BTreeMap<String, String>,
}

/// HIGHESTMODSEQ of some folders; of none where the server does not offer CONDSTORE.
pub(super) async fn modseqs_of(
    patience: Duration,
    session: &mut Session,
    offered: &Capabilities,
    account: &str,
    listed: &[Listed],
) -> Result<ModSeqs, Failure> {
    let mut seen = ModSeqs::new();
    if !offered.has_str("CONDSTORE") {
        return Ok(seen);
    }
    for folder in listed {
        let status = in_time(patience, "STATUS", async {
            match session.status(&folder.name, "(HIGHESTMODSEQ)").await {
                // A list may have what is not there any more; reading in full tells.
                Err(ImapError::No(_)) => Ok(None),
                result => result.map(|status| status.highest_modseq),
            }
        });
        if let Some(modseq) = status.await? {
            seen.insert((account.to_owned(), folder.name.clone()), modseq);
        }
    }
    Ok(seen)
}

/// HIGHESTMODSEQ of every folder, before anything makes the mail server look at its files again: it is in the indexes,
/// and rebuilt ones count anew. What cannot be read here has none; reading it in full says why.
pub(super) async fn first_look(imap: &Imap, accounts: &[String], secret: &Secret) -> FirstLook {
    let looked = |account: String| async move {
        let mut seen = look(imap, &account, secret).await;
        for _ in 1..ATTEMPTS {
            if matches!(seen, Err(Failure::Other(_))) {
                seen = look(imap, &account, secret).await;
            }
        }
        (account, seen)
    };
    let looks = futures_util::stream::iter(accounts.to_vec()).map(looked).buffer_unordered(CONNECTIONS);
    let mut all = FirstLook::default();
    for (account, seen) in looks.collect::<Vec<_>>().await {
        match seen {
            Ok(seen) => all.seen.extend(seen),
            // The login is refused to the observation that follows too, and said to be.
            Err(Failure::Refused(_)) => {}
            Err(Failure::Other(why)) => drop(all.unread.insert(account, why)),
        }
    }
    all
}

async fn look(imap: &Imap, account: &str, secret: &Secret) -> Result<ModSeqs, Failure> {
    let mut session = imap.login(account, &secret.password(account)).await?;
    let listed = folders(&mut session, imap.patience).await?;
    let offered = in_time(imap.patience, "CAPABILITY", session.capabilities()).await?;
    let seen = modseqs_of(imap.patience, &mut session, &offered, account, &listed).await?;
    let _ = tokio::time::timeout(imap.patience, session.logout()).await;
    Ok(seen)
}

/// Changes a flag of a message of every INBOX and takes the change back, so that HIGHESTMODSEQ is not what a rebuilt
/// index would begin with.
pub(super) async fn stir(imap: &Imap, accounts: &[String], secret: &Secret) -> Result<(), Failure> {
    let stir = |account: String| async move {
        let mut session = imap.login(&account, &secret.password(&account)).await?;
        if in_time(imap.patience, "SELECT", session.select("INBOX")).await?.exists > 0 {
            let first: Vec<_> =
                in_time(imap.patience, "FETCH", async { session.fetch("1", "(FLAGS)").await?.try_collect::<Vec<_>>().await })
                    .await?;
            let has = first.iter().flat_map(|f| f.flags()).any(|flag| flag == Flag::Deleted);
            for sign in if has { ["-", "+"] } else { ["+", "-"] } {
                let change = format!("{sign}FLAGS.SILENT (\\Deleted)");
                in_time(imap.patience, "STORE", async {
                    session.store("1", &change).await?.try_collect::<Vec<_>>().await.map(drop)
                })
                .await?;
            }
        }
        let _ = tokio::time::timeout(imap.patience, session.logout()).await;
        Ok(())
    };
    futures_util::stream::iter(accounts.to_vec()).map(stir).buffer_unordered(CONNECTIONS).try_collect().await
}
