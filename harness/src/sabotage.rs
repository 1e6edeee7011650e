//! Sabotage: faults committed on purpose, each with exactly the findings it must cause.
//! A check that no sabotage turns red is not known to check anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::drill::Drill;
use crate::error::{Error, Result};
use crate::evidence::{MessageSeen, ObservationId};
use crate::judge::BASELINE;
use crate::model::{Finding, Item, Outcome};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Sabotage {
    /// Nothing is restored.
    RestoreSkipped,
    /// Nothing is wiped.
    WipeSkipped,
    /// A label leaves the mail volume out of the backup.
    MailExcluded,
    /// A label leaves the DKIM keys out of the backup.
    DkimExcluded,
    /// One byte of a message's file is another one.
    MessageAltered,
    /// A message's file is gone.
    MessageRemoved,
    /// A message's file is there twice.
    MessageDoubled,
    /// A message is unread again.
    FlagDropped,
    /// An alias' row is gone.
    RowDeleted,
    /// A user's quota is another one.
    QuotaChanged,
}

/// What a finding says, without its prose.
pub type Expected = (Item, Outcome, Option<String>);

/// The part of findings that a sabotage states in advance.
pub fn essence(findings: &[Finding]) -> BTreeSet<Expected> {
    findings.iter().map(|f| (f.item.clone(), f.outcome, f.property.clone())).collect()
}

/// A message that a sabotage strikes.
struct Target {
    account: String,
    message: MessageSeen,
}

impl Sabotage {
    /// Those that strike what was restored, and can be undone.
    pub const CONTENT: [Self; 6] = [
        Self::MessageAltered,
        Self::MessageRemoved,
        Self::MessageDoubled,
        Self::FlagDropped,
        Self::RowDeleted,
        Self::QuotaChanged,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::RestoreSkipped => "restore-skipped",
            Self::WipeSkipped => "wipe-skipped",
            Self::MailExcluded => "mail-excluded",
            Self::DkimExcluded => "dkim-excluded",
            Self::MessageAltered => "message-altered",
            Self::MessageRemoved => "message-removed",
            Self::MessageDoubled => "message-doubled",
            Self::FlagDropped => "flag-dropped",
            Self::RowDeleted => "row-deleted",
            Self::QuotaChanged => "quota-changed",
        }
    }

    pub(crate) fn skips_restore(self) -> bool {
        self == Self::RestoreSkipped
    }

    pub(crate) fn skips_wipe(self) -> bool {
        self == Self::WipeSkipped
    }

    /// Changes of the recipe's deploy labels, by service.
    pub(crate) fn labels(self) -> BTreeMap<String, BTreeMap<String, Option<String>>> {
        let exclude = |volume: &str| {
            let label = format!("{}{volume}", crate::labels::VOLUMES);
            BTreeMap::from([("app".to_owned(), BTreeMap::from([(label, Some("false".to_owned()))]))])
        };
        match self {
            Self::MailExcluded => exclude("mail"),
            Self::DkimExcluded => exclude("dkim"),
            _ => BTreeMap::new(),
        }
    }

    /// Strikes what was restored. A sabotage of another phase does nothing here.
    pub async fn strike(self, drill: &Drill) -> Result<()> {
        let mail = |script: &'static str| async move {
            let target = self.target(drill)?;
            let uid = target.message.uid.to_string();
            let dir = match target.message.folder.as_str() {
                "INBOX" => format!("/mail/{}", target.account),
                folder => format!("/mail/{}/.{folder}", target.account),
            };
            let script = format!("{FIND}{script}");
            run(drill, "imap", &["sh", "-ec", &script, "sh", &dir, &uid, &format!("/mail/{}", target.account)]).await
        };
        match self {
            Self::MessageAltered => {
                // The third byte from the end, before the last line break: size and time stay. In a copy that takes the
                // file's place, for Dovecot delivers one message to several users as hard links of one file.
                mail(
                    r#"copy=/tmp/copy; cp -p "$file" "$copy"
                    printf '#' | dd of="$copy" bs=1 seek=$(($(wc -c < "$copy") - 3)) conv=notrunc status=none
                    touch -r "$file" "$copy"; mv "$copy" "$file""#,
                )
                .await
            }
            Self::MessageRemoved => mail(r#"rm "$file""#).await,
            Self::MessageDoubled => mail(r#"cp -p "$file" "$1/cur/1$(basename "$file")""#).await,
            Self::FlagDropped => mail(r#"mv "$file" "$(printf %s "$file" | sed 's/\(:2,[A-Z]*\)S/\1/')""#).await,
            Self::RowDeleted => sql(drill, &format!("DELETE FROM alias WHERE email = '{ALIAS}'")).await,
            Self::QuotaChanged => {
                sql(drill, &format!("UPDATE user SET quota_bytes = quota_bytes + 1 WHERE email = '{USER}'")).await
            }
            _ => Ok(()),
        }
    }

    /// Takes back what [`Self::strike`] did, given that [`save`] was called before it.
    pub async fn undo(self, drill: &Drill) -> Result<()> {
        match self {
            Self::MessageAltered | Self::MessageRemoved | Self::MessageDoubled | Self::FlagDropped => {
                run(drill, "imap", &["sh", "-ec", "cd /mail; for a in *@*; do rm -rf \"$a\"; done; cp -a /tmp/saved/. /mail/"])
                    .await
            }
            Self::RowDeleted | Self::QuotaChanged => {
                run(drill, "admin", &["sh", "-ec", "cat /tmp/saved.db > /data/main.db"]).await
            }
            _ => Ok(()),
        }
    }

    /// The findings that the sabotage must cause, given the baseline, and none besides.
    pub fn expected(self, drill: &Drill) -> Result<BTreeSet<Expected>> {
        let evidence = &drill.evidence;
        let baseline = baseline(drill)?;
        let mut expected = BTreeSet::new();
        let mut expect = |item, outcome, property: Option<&str>| {
            expected.insert((item, outcome, property.map(str::to_owned)));
        };
        let message = |t: &Target, uid| Item::Message {
            account: t.account.clone(),
            folder: t.message.folder.clone(),
            uid,
            corpus: t.message.item.clone(),
        };
        match self {
            Self::RestoreSkipped => {
                for (account, _) in evidence.accounts(baseline)? {
                    expect(Item::Account { account }, Outcome::Lost, None);
                }
                for row in evidence.rows(baseline)? {
                    expect(Item::Row { table: row.table, key: row.key }, Outcome::Lost, None);
                }
                for file in evidence.files(baseline)? {
                    // A fresh deployment makes an `instance` of its own.
                    let (outcome, property) =
                        if file.volume == "mailu" { (Outcome::Altered, Some("bytes")) } else { (Outcome::Lost, None) };
                    expect(Item::File { volume: file.volume, path: file.path }, outcome, property);
                }
            }
            Self::MailExcluded => {
                expect(Item::Snapshot { volume: "mail".into(), path: ".".into() }, Outcome::Lost, None);
                for (account, _) in evidence.accounts(baseline)? {
                    for folder in evidence.folders(baseline, &account)? {
                        let item = Item::Folder { account: account.clone(), folder: folder.folder.clone() };
                        // Dovecot makes these by itself, under another UIDVALIDITY.
                        if ["INBOX", "Trash", "Drafts", "Sent", "Junk"].contains(&folder.folder.as_str()) {
                            expect(item, Outcome::Altered, Some("uidvalidity"));
                        } else {
                            expect(item, Outcome::Lost, None);
                        }
                    }
                    for m in evidence.messages(baseline, &account)? {
                        let item = Item::Message { account: account.clone(), folder: m.folder, uid: m.uid, corpus: m.item };
                        expect(item, Outcome::Lost, None);
                    }
                }
            }
            Self::DkimExcluded => {
                expect(Item::Snapshot { volume: "dkim".into(), path: ".".into() }, Outcome::Lost, None);
                for file in evidence.files(baseline)?.into_iter().filter(|f| f.volume == "dkim") {
                    expect(Item::File { volume: file.volume, path: file.path }, Outcome::Lost, None);
                }
            }
            Self::MessageAltered => {
                let t = self.target(drill)?;
                expect(message(&t, t.message.uid), Outcome::Altered, Some("bytes"));
            }
            Self::MessageRemoved => {
                let t = self.target(drill)?;
                expect(message(&t, t.message.uid), Outcome::Lost, None);
            }
            Self::MessageDoubled => {
                let t = self.target(drill)?;
                let folders = evidence.folders(baseline, &t.account)?;
                let uid = folders.iter().find(|f| f.folder == t.message.folder).map_or(0, |f| f.uid_next);
                expect(message(&t, uid), Outcome::Duplicated, None);
            }
            Self::FlagDropped => {
                let t = self.target(drill)?;
                expect(message(&t, t.message.uid), Outcome::Altered, Some("flags"));
            }
            Self::RowDeleted => expect(Item::Row { table: "alias".into(), key: ALIAS.into() }, Outcome::Lost, None),
            Self::QuotaChanged => {
                expect(Item::Row { table: "user".into(), key: USER.into() }, Outcome::Altered, Some("quota_bytes"))
            }
            Self::WipeSkipped => {}
        }
        Ok(expected)
    }

    /// The message struck: one that is seen, in a folder that is not INBOX, with a body that ends in a letter.
    fn target(self, drill: &Drill) -> Result<Target> {
        let baseline = baseline(drill)?;
        let plain = |m: &MessageSeen| {
            let kind = m.item.as_ref().and_then(|i| i.parse().ok()).map(|n| drill.corpus.message(n).kind);
            matches!(kind, Some(seeds::Kind::Plain | seeds::Kind::EncodedSubject | seeds::Kind::Twin))
        };
        for (account, _) in drill.evidence.accounts(baseline)? {
            let messages = drill.evidence.messages(baseline, &account)?;
            let copies = |m: &MessageSeen| messages.iter().filter(|o| o.sha256 == m.sha256).count();
            let found = messages.iter().find(|m| m.folder != "INBOX" && m.flags.contains("\\Seen") && plain(m) && copies(m) == 1);
            if let Some(message) = found {
                return Ok(Target { account, message: message.clone() });
            }
        }
        Err(Error::Unknown(format!("sabotage {}: no message of the baseline is fit for it; take a larger profile", self.name())))
    }
}

/// Sets `$file` to the Maildir file of the message with UID `$2` in `$1`.
const FIND: &str = r#"
name=$(sed -n "s/^$2 [^:]*:\(.*\)/\1/p" "$1/dovecot-uidlist"); name=${name%%:*}
file=$(ls "$1"/cur/"$name"* "$1"/new/"$name"* 2>/dev/null | head -n 1)
test -n "$name" && test -n "$file"
"#;
const ALIAS: &str = "team@mail.test";
const USER: &str = "u02@xn--bcher-kva.example";

fn baseline(drill: &Drill) -> Result<ObservationId> {
    drill.evidence.completed(BASELINE)?.ok_or_else(|| Error::Unknown("sabotage before the baseline".into()))
}

/// Saves what the content sabotages strike.
pub async fn save(drill: &Drill) -> Result<()> {
    run(drill, "imap", &["sh", "-ec", "rm -rf /tmp/saved; mkdir /tmp/saved; cp -a /mail/*@* /tmp/saved/"]).await?;
    run(drill, "admin", &["sh", "-ec", "cat /data/main.db > /tmp/saved.db"]).await
}

async fn sql(drill: &Drill, statement: &str) -> Result<()> {
    let script = "import sqlite3, sys; db = sqlite3.connect('/data/main.db'); \
                  n = db.execute(sys.argv[1]).rowcount; db.commit(); sys.exit(0 if n == 1 else 3)";
    run(drill, "admin", &["python3", "-c", script, statement]).await
}

async fn run(drill: &Drill, service: &str, command: &[&str]) -> Result<()> {
    let service = drill.stack.service(service);
    drill.owned.engine().exec(&service, command, &[], None).await?.ok("sabotage").map(drop)
}
