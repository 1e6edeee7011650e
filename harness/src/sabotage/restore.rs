//! Faults of the wipe and of the restore.

use std::collections::{BTreeMap, BTreeSet};

use async_imap::types::{Fetch, Flag};
use futures_util::TryStreamExt as _;
use judge::model::{Item, Outcome};

use super::backup::{bot_back, deliver_late, kill_bot};
use super::{Lost, MAILU, all, baseline, line, within};
use crate::backup::{Created, Snapshot};
use crate::drill::proof::{BackedUp, Restarted, Restored, Wiped};
use crate::drill::{Drill, LEFTOVERS};
use crate::error::{Error, Result};
use crate::probe::mail::{Failure, item};
use crate::stack::deploy::Edit;

/// A fault of the wipe or of the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    NotWiped,
    Skipped,
    OneVolume,
    Elsewhere,
    WrongStack,
    OwnersLost,
    ModesLost,
    TimesLost,
    OverOther,
    Twice,
    Older,
    Interrupted,
    HookMissing,
    NotRestarted,
    RedisSaving,
}

pub(crate) static DEEDS: &[(&str, &str, Deed)] = &[
    ("wipe-skipped", "nothing is wiped, and so nothing may be restored", Deed::NotWiped),
    ("restore-skipped", "nothing is restored", Deed::Skipped),
    ("one-volume-restored", "only the accounts' volume is restored", Deed::OneVolume),
    ("restored-elsewhere", "the files go below another root", Deed::Elsewhere),
    ("restored-into-wrong-stack", "the restore names another stack", Deed::WrongStack),
    ("owners-lost", "all mail belongs to root", Deed::OwnersLost),
    ("modes-lost", "everybody may read and write mail and keys", Deed::ModesLost),
    ("mtimes-lost", "mail has the time of the restore", Deed::TimesLost),
    ("restored-over-newer", "the restore goes over a mail store that has a newer message", Deed::OverOther),
    ("restored-twice", "the restore is done twice, which changes nothing", Deed::Twice),
    ("older-snapshot-restored", "an older snapshot is restored", Deed::Older),
    ("restore-interrupted", "the bot is killed between the files and the last hook", Deed::Interrupted),
    ("restore-hook-missing", "no hook puts the database's dump in place", Deed::HookMissing),
    ("services-not-restarted", "the services go on with the memory of before", Deed::NotRestarted),
    ("redis-left-saving", "Redis writes its memory over the restored dump when it is stopped", Deed::RedisSaving),
];

const POST: &str = "backupbot.restore.post-hook";

impl Deed {
    pub(crate) fn edits(self) -> Vec<Edit> {
        match self {
            Self::Interrupted => vec![Edit::set("admin", POST, "touch /tmp/hook-reached; tail -f /dev/null")],
            Self::HookMissing => vec![Edit::unset("admin", POST)],
            Self::RedisSaving => vec![Edit::unset("db", "backupbot.restore.pre-hook")],
            _ => vec![],
        }
    }

    /// Restores and restarts, with the fault.
    pub(crate) async fn commit(self, drill: &Drill, wiped: Wiped, backup: &BackedUp, older: Option<&Older>) -> Result<Restarted> {
        let (stack, snapshot) = (drill.stack.name.as_str(), backup.snapshot());
        let restored = match self {
            Self::Skipped | Self::NotWiped => Restored { _private: () },
            Self::OneVolume => drill.restore_as(wiped, stack, snapshot, &[("VOLUMES", "mailu")]).await?,
            Self::Elsewhere => drill.restore_as(wiped, stack, snapshot, &[("TARGET", "/tmp/elsewhere")]).await?,
            Self::WrongStack => {
                let other = drill.bot_stack.as_ref().map_or("another", |s| s.name.as_str());
                drill.restore_as(wiped, other, snapshot, &[]).await?
            }
            Self::Older => {
                let older = older.ok_or_else(|| Error::Unknown("sabotage: no older snapshot was taken".into()))?;
                drill.restore_as(wiped, stack, &older.snapshot, &[]).await?
            }
            Self::Interrupted => {
                let (restored, killed) =
                    tokio::join!(drill.restore(wiped, backup), kill_bot(drill, "admin", "/tmp/hook-reached"));
                killed?;
                bot_back(drill).await?;
                restored?
            }
            Self::OwnersLost => {
                let restored = drill.restore(wiped, backup).await?;
                within(drill, "imap", &["chown", "-R", "root:root", "/mail"]).await?;
                restored
            }
            Self::ModesLost => {
                let restored = drill.restore(wiped, backup).await?;
                within(drill, "imap", &["sh", "-ec", "chmod -R a+rwX /mail"]).await?;
                within(drill, "admin", &["sh", "-ec", "chmod a+rw /dkim/*"]).await?;
                restored
            }
            Self::TimesLost => {
                let restored = drill.restore(wiped, backup).await?;
                within(drill, "imap", &["sh", "-ec", "find /mail -type f -exec touch {} +"]).await?;
                restored
            }
            Self::Twice => {
                let restored = drill.restore(wiped, backup).await?;
                again(drill, snapshot).await?;
                restored
            }
            Self::OverOther => {
                let restored = drill.restore(wiped, backup).await?;
                let restarted = drill.restart(restored).await?;
                deliver_late(drill).await?;
                again(drill, snapshot).await?;
                drop(restarted);
                Restored { _private: () }
            }
            Self::HookMissing | Self::NotRestarted | Self::RedisSaving => drill.restore(wiped, backup).await?,
        };
        if self == Self::NotRestarted {
            return Ok(Restarted { _private: () });
        }
        drill.restart(restored).await
    }

    /// What the comparison with the baseline must find.
    pub(crate) fn expected(self, drill: &Drill, older: Option<&Older>) -> Result<BTreeSet<String>> {
        let baseline = baseline(drill)?;
        let evidence = &drill.evidence;
        let lost: &[Lost] = match self {
            Self::Skipped | Self::Elsewhere | Self::WrongStack => Lost::ALL,
            Self::OneVolume => &[Lost::Mail, Lost::AddressBooks, Lost::PgpKeys, Lost::Dkim, Lost::Training, Lost::Queue],
            // The hooks of the services after admin never ran.
            Self::Interrupted => &[Lost::Database, Lost::AddressBooks],
            Self::HookMissing => &[Lost::Database],
            Self::NotRestarted | Self::RedisSaving => &[Lost::Training],
            // Postfix renamed what was restored first: it is in the queue twice.
            Self::OverOther => &[Lost::Queue],
            _ => &[],
        };
        let mut expected = all(lost, drill)?;
        let mail = |path: &str| Item::File { volume: "mail".into(), path: path.into() };
        match self {
            Self::NotWiped => expected.extend(LEFTOVERS.map(left)),
            // A hook of the webmail puts a dump in place that was not restored.
            Self::Elsewhere | Self::OneVolume => {
                expected.insert("restore: failed (hook)".to_owned());
            }
            Self::WrongStack => {
                expected.insert("restore: failed (snapshot)".to_owned());
            }
            Self::Interrupted => {
                expected.insert("restore: failed (ended)".to_owned());
            }
            Self::OwnersLost => {
                expected.insert(line(&mail("."), Outcome::Altered, Some("owner")));
                for (account, _) in evidence.accounts(baseline)? {
                    expected.insert(line(&Item::Account { account }, Outcome::Unread, None));
                }
            }
            Self::ModesLost => {
                expected.insert(line(&mail("."), Outcome::Altered, Some("mode")));
                for f in evidence.files(baseline)?.into_iter().filter(|f| f.volume == "dkim") {
                    expected.insert(line(&Item::File { volume: f.volume, path: f.path }, Outcome::Altered, Some("mode")));
                }
            }
            Self::TimesLost => {
                for (account, _) in evidence.accounts(baseline)? {
                    for m in evidence.messages(baseline, &account)? {
                        let item = Item::Message { account: account.clone(), folder: m.folder, uid: m.uid, corpus: m.item };
                        expected.insert(line(&item, Outcome::Altered, Some("internaldate")));
                    }
                }
            }
            Self::OverOther => {
                let account = drill.corpus.accounts().mailboxes()[0].email.clone();
                let folders = evidence.folders(baseline, &account)?;
                let uid = folders.iter().find(|f| f.folder == "INBOX").map_or(0, |f| f.uid_next);
                let item = Item::Message { account, folder: "INBOX".into(), uid, corpus: None };
                expected.insert(line(&item, Outcome::Unexpected, None));
            }
            Self::Older => expected.extend(older.iter().flat_map(|o| o.departures.clone())),
            _ => {}
        }
        Ok(expected)
    }
}

/// How a wipe that is not proven is written down.
pub(super) fn left(kind: &str) -> String {
    format!("wipe: {kind} left")
}

/// The same restore once more, over what is there.
async fn again(drill: &Drill, snapshot: &Snapshot) -> Result<()> {
    let complaints = drill.bot().await?.restore(&drill.stack.name, snapshot, &[]).await?;
    Ok(drill.evidence.put_complaints("restore", &complaints)?)
}

/// A snapshot from which the baseline departs by three known changes.
#[derive(Debug)]
pub struct Older {
    snapshot: Snapshot,
    /// What its restore must show: an expunged message back, flags gone, a row gone.
    departures: Vec<String>,
}

/// An alias that the older snapshot does not know.
const ALIAS: &str = "newer@mail.test";

impl Older {
    /// Takes the snapshot, then expunges a message, flags another one and adds an alias.
    pub(crate) async fn take(drill: &Drill) -> Result<Self> {
        let Created { snapshot, .. } = drill.bot().await?.create(&drill.stack.name, 1).await?;
        let account = drill.corpus.accounts().mailboxes()[0].email.clone();
        let fail = |e: Failure| Error::Unknown(format!("sabotage: {}", e.reason()));
        let (expunged, flagged) = Self::depart(drill, &account).await.map_err(fail)?;
        drill.evidence.expunged(&expunged.1, &account)?;
        let (local, domain) = ALIAS.split_once('@').unwrap_or_default();
        within(drill, "admin", &["flask", "mailu", "alias", local, domain, &account]).await?;
        let message = |(uid, corpus): (u32, String)| Item::Message {
            account: account.clone(),
            folder: "INBOX".into(),
            uid,
            corpus: Some(corpus),
        };
        let departures = vec![
            line(&message(expunged), Outcome::Resurrected, None),
            line(&message(flagged), Outcome::Altered, Some("flags")),
            line(&Item::Row { database: MAILU.into(), table: "alias".into(), key: ALIAS.into() }, Outcome::Lost, None),
        ];
        Ok(Self { snapshot, departures })
    }

    /// Expunges one message of INBOX and gives another every flag: UID and corpus number of each.
    async fn depart(drill: &Drill, account: &str) -> Result<((u32, String), (u32, String)), Failure> {
        let mut session = drill.imap().login(account, &drill.secret.password(account)).await?;
        session.select("INBOX").await?;
        let headers = format!("(UID FLAGS BODY.PEEK[HEADER.FIELDS ({})])", seeds::ITEM_HEADER);
        let fetched: Vec<_> = session.uid_fetch("1:*", &headers).await?.try_collect().await?;
        let has_all = |f: &Fetch| {
            let flags: Vec<Flag<'_>> = f.flags().collect();
            [Flag::Seen, Flag::Answered, Flag::Flagged].iter().all(|flag| flags.contains(flag))
        };
        let all = fetched.iter().filter_map(|f| Some((f.uid?, (f.header().and_then(item)?, has_all(f)))));
        let all: BTreeMap<u32, (String, bool)> = all.collect();
        let none = || Failure::Other(format!("INBOX of {account} has too few messages of the corpus: {}", all.len()));
        let (&gone, (gone_item, _)) = all.iter().next().ok_or_else(none)?;
        let (&kept, (kept_item, _)) = all.iter().skip(1).find(|(_, (_, has_all))| !has_all).ok_or_else(none)?;
        let _: Vec<_> =
            session.uid_store(kept.to_string(), "+FLAGS.SILENT (\\Seen \\Answered \\Flagged)").await?.try_collect().await?;
        let _: Vec<_> = session.uid_store(gone.to_string(), "+FLAGS.SILENT (\\Deleted)").await?.try_collect().await?;
        let _: Vec<_> = session.uid_expunge(gone.to_string()).await?.try_collect().await?;
        session.logout().await?;
        Ok(((gone, gone_item.clone()), (kept, kept_item.clone())))
    }
}
