//! The older snapshot: what changes between it and the baseline, so that its restore shows.

use std::collections::BTreeMap;

use async_imap::types::{Fetch, Flag};
use futures_util::TryStreamExt as _;
use futures_util::future::BoxFuture;
use judge::model::{Item, MessageId, Outcome, essence as line};
use recipe::labels::VOLUMES;
use recipe::scenario::Scenario;

use super::{files, rows};
use crate::drill::Drill;
use crate::drill::fault::Strike;
use crate::error::{Result, SeedingError};
use crate::fault::deed::{Deed, When};
use crate::fault::known::Items;
use crate::fault::labels::Labels;
use crate::probe::mail::{Failure, item};

/// What changes after the older snapshot.
#[derive(Debug)]
pub enum Departure {
    /// A message is expunged, and another one flagged.
    Mail,
    /// A file is added.
    File(files::Struck),
    /// A row changes.
    Row(Box<rows::Struck>),
}

impl Departure {
    /// The change that a scenario's data allows; none where nothing is compared that can be changed.
    pub fn of(scenario: &Scenario) -> Option<Self> {
        if scenario.spec.mail.is_some() {
            return Some(Self::Mail);
        }
        let labels = Labels::of(scenario);
        // A new file is in the backup where all of its volume is.
        let all_of = |volume: &&str| labels.value(&format!("{VOLUMES}{volume}.path")).is_none();
        let file = files::compared(scenario).find(all_of).map(|volume| Self::File(files::Struck::added(volume)));
        file.or_else(|| {
            rows::tables(scenario).next().map(|(database, table)| Self::Row(Box::new(rows::Struck::altered(database, table))))
        })
    }
}

impl Deed for Departure {
    fn when(&self) -> When {
        When::Departing
    }

    fn strike<'a>(&'a self, drill: &'a Drill, items: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            match self {
                Self::Mail => mail(drill).await,
                Self::File(struck) => {
                    struck.strike(drill, items).await?;
                    Ok(vec![line(&struck.new_file(), Outcome::Lost, None)])
                }
                Self::Row(struck) => struck.depart(drill).await,
            }
        })
    }

    fn undo<'a>(&'a self, _drill: &'a Drill) -> Strike<'a> {
        Box::pin(async { Ok(()) })
    }
}

/// Expunges a message of the first mailbox and flags another one. Gives what the restore of the older snapshot must show.
async fn mail(drill: &Drill) -> Result<Vec<String>> {
    let account = drill.run.corpus.accounts().mailboxes()[0].email.clone();
    let fail = |e: Failure| SeedingError::refused("changing mail after the older snapshot", e.reason());
    let (expunged, flagged) = change_messages(drill, &account).await.map_err(fail)?;
    drill.run.evidence.expunged(expunged.1, &account)?;
    let message = |(uid, corpus): (u32, MessageId)| Item::Message {
        account: account.clone(),
        folder: "INBOX".into(),
        uid,
        corpus: Some(corpus),
    };
    Ok(vec![line(&message(expunged), Outcome::Resurrected, None), line(&message(flagged), Outcome::Altered, Some("flags"))])
}

/// Expunges one message of INBOX and gives another every flag: UID and corpus number of each.
async fn change_messages(drill: &Drill, account: &str) -> Result<((u32, MessageId), (u32, MessageId)), Failure> {
    let mut session = drill.app.imap().login(account, &drill.run.secret.password(account)).await?;
    session.select("INBOX").await?;
    let headers = format!("(UID FLAGS BODY.PEEK[HEADER.FIELDS ({})])", seeds::ITEM_HEADER);
    let fetched: Vec<_> = session.uid_fetch("1:*", &headers).await?.try_collect().await?;
    let has_all = |f: &Fetch| {
        let flags: Vec<Flag<'_>> = f.flags().collect();
        [Flag::Seen, Flag::Answered, Flag::Flagged].iter().all(|flag| flags.contains(flag))
    };
    let all = fetched.iter().filter_map(|f| Some((f.uid?, (f.header().and_then(item)?, has_all(f)))));
    let all: BTreeMap<u32, (MessageId, bool)> = all.collect();
    let none = || Failure::Other(format!("INBOX of {account} has too few messages of the corpus: {}", all.len()));
    let (&gone, (gone_item, _)) = all.iter().next().ok_or_else(none)?;
    let (&kept, (kept_item, _)) = all.iter().skip(1).find(|(_, (_, has_all))| !has_all).ok_or_else(none)?;
    let _: Vec<_> =
        session.uid_store(kept.to_string(), "+FLAGS.SILENT (\\Seen \\Answered \\Flagged)").await?.try_collect().await?;
    let _: Vec<_> = session.uid_store(gone.to_string(), "+FLAGS.SILENT (\\Deleted)").await?.try_collect().await?;
    let _: Vec<_> = session.uid_expunge(gone.to_string()).await?.try_collect().await?;
    session.logout().await?;
    Ok(((gone, *gone_item), (kept, *kept_item)))
}
