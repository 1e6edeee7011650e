//! Faults of the backup itself: its hooks, the bot, the repository, the moment.

use std::collections::BTreeSet;
use std::time::Duration;

use judge::model::{Item, Outcome};

use super::{line, within, within_bot};
use crate::backup::Snapshot;
use crate::drill::Drill;
use crate::drill::proof::{BackedUp, Baseline};
use crate::error::{Error, Result};
use crate::stack::deploy::Edit;
use crate::stack::until;

/// A fault of the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    HookFails,
    HookWritesNothing,
    HookCutOff,
    BotKilled,
    DiskFull,
    PackTruncated,
    PackFlipped,
    IndexRemoved,
    Forgotten,
    PasswordChanged,
    OtherStackLatest,
    TooEarly,
    CopiedLive,
}

pub(crate) static DEEDS: &[(&str, &str, Deed)] = &[
    ("hook-fails", "the hook that dumps the database ends with an error", Deed::HookFails),
    ("hook-writes-nothing", "the hook writes an empty dump and ends with 0", Deed::HookWritesNothing),
    ("hook-cut-off", "the hook's container restarts half-way through the dump", Deed::HookCutOff),
    ("bot-killed", "the bot is killed while it creates the snapshot", Deed::BotKilled),
    ("repository-disk-full", "the repository's disk is full", Deed::DiskFull),
    ("pack-truncated", "a pack file of the repository is cut off", Deed::PackTruncated),
    ("pack-flipped", "a byte of a pack file is another one", Deed::PackFlipped),
    ("index-removed", "the repository's index is gone", Deed::IndexRemoved),
    ("snapshot-forgotten", "the snapshot is forgotten and pruned", Deed::Forgotten),
    ("password-changed", "the repository has another password", Deed::PasswordChanged),
    ("other-stack-latest", "the latest snapshot is another stack's, and that one is taken", Deed::OtherStackLatest),
    ("backup-too-early", "a message arrives after the backup", Deed::TooEarly),
    ("database-copied-live", "no hook dumps the database, and its file is copied amid a transaction", Deed::CopiedLive),
];

const PRE: &str = "backupbot.backup.pre-hook";
/// A message that is in no corpus.
const LATE: &str = "From: late@corpus.example\r\nSubject: too late for the backup\r\n\r\nIt came after.\r\n";
/// A transaction larger than SQLite's cache, some pages of which are in the database's file long before it ends, and it ends
/// well: it is taken back. Until then the journal alone tells what the file should be.
const TRANSACTION: &str = r#"
import pathlib, sqlite3, time
under_way, over = pathlib.Path("/tmp/under-way"), pathlib.Path("/tmp/over")
over.unlink(missing_ok=True)
db = sqlite3.connect("/data/main.db", isolation_level=None)
db.execute("PRAGMA cache_size = 4")
db.execute("BEGIN IMMEDIATE")
rows = [(f"under-way-{n}", "x" * 500) for n in range(500)]
db.executemany("INSERT INTO config (created_at, name, value) VALUES (date('now'), ?, ?)", rows)
# Another table's pages take the place of the first one's in the cache, its root among them.
db.executemany("INSERT INTO alias (created_at, localpart, email, destination) VALUES (date('now'), 'x', ?, ?)", rows)
under_way.touch()
while not over.exists():
    time.sleep(0.05)
db.execute("ROLLBACK")
under_way.unlink()
"#;
/// Sets `$pack` to the largest pack file: one of data, which restic does not cache.
const PACK: &str =
    "pack=$(find /repository/data -type f -printf '%s %p\\n' | sort -n | tail -n 1 | cut -d' ' -f2); chmod u+w $pack;";

impl Deed {
    pub(crate) fn edits(self) -> Vec<Edit> {
        let hook = |command| vec![Edit::set("admin", PRE, command)];
        match self {
            Self::HookFails => hook("exit 7"),
            Self::HookWritesNothing => hook(": > /data/main.db.backup"),
            Self::HookCutOff => hook("head -c 4096 /data/main.db > /data/main.db.backup; kill 1; tail -f /dev/null"),
            Self::BotKilled => hook("touch /tmp/hook-reached; tail -f /dev/null"),
            Self::CopiedLive => vec![
                Edit::unset("admin", PRE),
                Edit::unset("admin", "backupbot.restore.post-hook"),
                Edit::set("admin", "backupbot.backup.volumes.mailu.path", "main.db,instance"),
            ],
            _ => vec![],
        }
    }

    pub(crate) async fn before(self, drill: &Drill) -> Result<()> {
        if self == Self::DiskFull {
            // Every container has 64 MiB of its own at /dev/shm.
            let script = "mv /repository/data /repository/data.saved; cp -a /repository/data.saved /dev/shm/data
                ln -s /dev/shm/data /repository/data; cat /dev/zero > /dev/shm/filler || true";
            // A first backup makes the repository.
            within_bot(drill, &format!("test -e /repository/config || restic init -q; {script}")).await?;
        }
        Ok(())
    }

    /// Has the bot create a snapshot, and strikes meanwhile.
    pub(crate) async fn create(self, drill: &Drill, baseline: &Baseline) -> Result<Option<BackedUp>> {
        match self {
            Self::BotKilled => {
                let (created, killed) = tokio::join!(drill.backup(baseline), kill_bot(drill, "admin", "/tmp/hook-reached"));
                killed?;
                created
            }
            Self::OtherStackLatest => {
                let Some(own) = drill.backup(baseline).await? else { return Ok(None) };
                let script = "restic backup -q --host backupbot --tag other:1.0.0+1 /etc/hostname
                    restic snapshots --json --tag other:1.0.0+1 | grep -o '\"id\":\"[0-9a-f]*\"' | tail -n 1 | cut -d'\"' -f4";
                let id = within_bot(drill, script).await?.trim().to_owned();
                drop(own);
                Ok(Some(BackedUp { snapshot: Snapshot { id } }))
            }
            Self::CopiedLive => {
                let writer = within(drill, "admin", &["python3", "-c", TRANSACTION]);
                let backup = async {
                    let begun = made(drill, "admin", "/tmp/under-way").await;
                    let created = if begun.is_ok() { drill.backup(baseline).await } else { Ok(None) };
                    within(drill, "admin", &["touch", "/tmp/over"]).await?;
                    begun.and(created)
                };
                let (written, created) = tokio::join!(writer, backup);
                written?;
                created
            }
            _ => drill.backup(baseline).await,
        }
    }

    pub(crate) async fn after(self, drill: &Drill, snapshot: &Snapshot) -> Result<()> {
        let script = match self {
            Self::PackTruncated => format!("{PACK} truncate -s $(($(wc -c < $pack) / 2)) $pack; rm -rf /tmp/restic-cache"),
            Self::PackFlipped => {
                format!(
                    "{PACK} printf '\\377\\000' | dd of=$pack bs=1 seek=100 conv=notrunc status=none; rm -rf /tmp/restic-cache"
                )
            }
            Self::IndexRemoved => "rm -f /repository/index/*; rm -rf /tmp/restic-cache".to_owned(),
            Self::Forgotten => format!("restic forget -q --prune {}", snapshot.id),
            Self::PasswordChanged => "echo another > /tmp/another; restic key passwd --new-password-file /tmp/another".to_owned(),
            Self::TooEarly => return deliver_late(drill).await,
            _ => return Ok(()),
        };
        within_bot(drill, &script).await.map(drop)
    }

    /// What backup and audit must find.
    pub(crate) fn expected(self, drill: &Drill) -> Result<BTreeSet<String>> {
        let all: &[&str] = match self {
            Self::HookFails => &["backup: failed (hook)", "backup: failed (path)"],
            Self::HookWritesNothing => &["snapshot, volume mailu, path main.db.backup: altered (dump)"],
            Self::HookCutOff => &["backup: failed (hook)", "snapshot, volume mailu, path main.db.backup: altered (dump)"],
            Self::BotKilled => &["backup: failed (ended)"],
            Self::DiskFull => &["backup: failed (space)"],
            Self::PackTruncated | Self::PackFlipped | Self::IndexRemoved => &["audit: failed (damage)"],
            Self::CopiedLive => &["snapshot, volume mailu, path main.db.backup: lost (dump)"],
            Self::Forgotten | Self::OtherStackLatest => &["audit: failed (snapshot)"],
            Self::PasswordChanged => &["audit: failed (password)"],
            Self::TooEarly => {
                // The one message in this folder, which so stands for it.
                let path = format!("{}/new", first_account(drill)?);
                let item = Item::Snapshot { volume: "mail".into(), path };
                return Ok(BTreeSet::from([line(&item, Outcome::Lost, None)]));
            }
        };
        Ok(all.iter().map(ToString::to_string).collect())
    }

    /// Makes the repository and the app as they were, given that [`save`] was called before.
    pub(crate) async fn undo(self, drill: &Drill) -> Result<()> {
        match self {
            Self::TooEarly => {
                let file = late_file(drill).await?;
                within(drill, "imap", &["rm", &format!("/mail/{file}")]).await?;
            }
            // It does not answer before its container is there again.
            Self::BotKilled => bot_back(drill).await?,
            _ => {}
        }
        let script = "rm -rf /repository/data /repository/index /repository/snapshots /repository/keys /repository/locks \
                             /repository/config /repository/data.saved /dev/shm/data /dev/shm/filler /tmp/restic-cache
            cp -a /repository/saved/. /repository/";
        within_bot(drill, script).await.map(drop)
    }
}

/// Saves the repository, within its volume: the bot's container may not outlive a sabotage.
pub(crate) async fn save(drill: &Drill) -> Result<()> {
    let script = "rm -rf /repository/saved; mkdir /tmp/saved; cp -a /repository/. /tmp/saved/; mv /tmp/saved /repository/saved";
    within_bot(drill, script).await.map(drop)
}

/// Delivers a message to the first mailbox's INBOX, past the doors.
pub(crate) async fn deliver_late(drill: &Drill) -> Result<()> {
    let service = drill.stack.service("imap");
    let account = first_account(drill)?;
    let command = ["doveadm", "save", "-u", &account, "-m", "INBOX"];
    let output = drill.owned.engine().exec(&service, &command, &[], Some(LATE.as_bytes())).await?;
    Ok(output.ok("sabotage: delivering a message").map(drop)?)
}

fn first_account(drill: &Drill) -> Result<String> {
    let first = drill.corpus.accounts().mailboxes().first().map(|u| u.email.clone());
    first.ok_or_else(|| Error::Unknown("sabotage: the corpus has no mailbox".into()))
}

/// The file of the message that [`deliver_late`] appended, from the mail volume's root.
async fn late_file(drill: &Drill) -> Result<String> {
    let account = first_account(drill)?;
    let script = "cd /mail && grep -l '^Subject: too late for the backup' \"$1\"/cur/* \"$1\"/new/* 2>/dev/null | head -n 1";
    let found = within(drill, "imap", &["sh", "-c", script, "sh", &account]).await?;
    Ok(found.trim().to_owned())
}

/// Ends the bot's container once a hook has made a file in a service's container.
pub(crate) async fn kill_bot(drill: &Drill, service: &str, file: &str) -> Result<()> {
    made(drill, service, file).await?;
    // The first process is an init that hands the signal on.
    within_bot(drill, "kill -TERM 1").await.map(drop)
}

/// Waits until a file is there in a service's container.
async fn made(drill: &Drill, service: &str, file: &str) -> Result<()> {
    let engine = drill.owned.engine();
    let full = drill.stack.service(service);
    until(drill.converge_deadline(), || async {
        let found = engine.exec(&full, &["test", "-e", file], &[], None).await?;
        Ok(if found.code == 0 { Ok(()) } else { Err(format!("waiting for {file} in {full}")) })
    })
    .await
}

/// Waits until the bot answers.
pub(crate) async fn bot_back(drill: &Drill) -> Result<()> {
    let bot = drill.bot().await?;
    until(Duration::from_secs(120), || async {
        match drill.owned.engine().exec(&bot.service, &["true"], &[], None).await {
            Ok(output) if output.code == 0 => Ok(Ok(())),
            Ok(output) => Ok(Err(format!("waiting for the bot: {}", output.stderr.trim()))),
            Err(e) => Ok(Err(format!("waiting for the bot: {e}"))),
        }
    })
    .await
}
