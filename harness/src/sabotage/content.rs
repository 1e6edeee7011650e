//! Faults in what was restored. Each can be undone, so that all of them strike one deployment in turn.

use std::collections::{BTreeMap, BTreeSet};

use judge::model::{Item, Outcome};
use judge::store::{HARD, MessageSeen, RowSeen};

use super::{MAILU, ROUNDCUBE, baseline, line, within};
use crate::drill::Drill;
use crate::error::{Error, Result};

/// A fault in what was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    MessageAltered,
    MessageTruncated,
    HeaderAdded,
    MessageRemoved,
    MessageDoubled,
    MessageHidden,
    MessageMoved,
    MessageStrayed,
    FlagDropped,
    KeywordDropped,
    DateChanged,
    UidValidityReset,
    FolderRenamed,
    SubscriptionLost,
    RowDeleted,
    RowAdded,
    QuotaChanged,
    PasswordChanged,
    SchemaChanged,
    DatabaseTorn,
    KeyReadable,
    AttributeLost,
    HardLinkBroken,
    SymbolicLinkChanged,
    ScriptLost,
    ScriptEmptied,
    ContactDeleted,
    IdentityChanged,
    PreferencesLost,
    PgpKeyLost,
}

pub(crate) static DEEDS: &[(&str, &str, Deed)] = &[
    ("message-altered", "a byte of a message is another one", Deed::MessageAltered),
    ("message-truncated", "a message is cut off", Deed::MessageTruncated),
    ("header-added", "a message has one more header line", Deed::HeaderAdded),
    ("message-removed", "a message's file is gone", Deed::MessageRemoved),
    ("message-doubled", "a message's file is there twice", Deed::MessageDoubled),
    ("message-hidden", "a message is there twice, and Dovecot's index hides it", Deed::MessageHidden),
    ("message-moved", "a message is in another folder", Deed::MessageMoved),
    ("message-strayed", "a message is in another user's mailbox", Deed::MessageStrayed),
    ("flag-dropped", "a message has no flags any more", Deed::FlagDropped),
    ("keyword-dropped", "a message has no keywords any more", Deed::KeywordDropped),
    ("internaldate-changed", "a message has another INTERNALDATE", Deed::DateChanged),
    ("uidvalidity-reset", "a folder has another UIDVALIDITY", Deed::UidValidityReset),
    ("folder-renamed", "a folder has another name", Deed::FolderRenamed),
    ("subscription-lost", "a folder is not subscribed to any more", Deed::SubscriptionLost),
    ("row-deleted", "an alias' row is gone", Deed::RowDeleted),
    ("row-added", "there is an alias that never was", Deed::RowAdded),
    ("quota-changed", "a user has another quota", Deed::QuotaChanged),
    ("password-hash-changed", "a user has another user's password", Deed::PasswordChanged),
    ("schema-changed", "the database has another schema revision", Deed::SchemaChanged),
    ("database-torn", "the database's file is cut off", Deed::DatabaseTorn),
    ("dkim-key-readable", "everybody may read a DKIM key", Deed::KeyReadable),
    ("extended-attribute-lost", "a DKIM key's extended attribute is gone", Deed::AttributeLost),
    ("hard-link-broken", "a message that was one file in two mailboxes is two files", Deed::HardLinkBroken),
    ("symbolic-link-changed", "the link to the active sieve script is another one", Deed::SymbolicLinkChanged),
    ("sieve-script-lost", "a sieve script is gone", Deed::ScriptLost),
    ("sieve-script-emptied", "the active sieve script is empty", Deed::ScriptEmptied),
    ("contact-deleted", "a contact of the webmail's address book is gone", Deed::ContactDeleted),
    ("identity-changed", "an identity of the webmail has another signature", Deed::IdentityChanged),
    ("preferences-lost", "a user's preferences in the webmail are gone", Deed::PreferencesLost),
    ("pgp-key-lost", "a user's private PGP key is gone", Deed::PgpKeyLost),
];

const ALIAS: &str = "team@mail.test";
const NEW_ALIAS: &str = "never@mail.test";
pub(super) const USER: &str = "u02@xn--bcher-kva.example";
pub(super) const OTHER_USER: &str = "u01@mail.test";
/// Facts of the scenario.
pub(super) const ATTRIBUTES_OF_DKIM: &str = "extended attributes of dkim";
pub(super) const PGP_KEYS: &str = "PGP keys of the webmail";
pub(super) const ATTRIBUTES_OF_MAILU: &str = "extended attributes of mailu";
const FOLDER: &str = "Empty";
const RENAMED: &str = "Renamed";

/// Sets `$file` to the Maildir file of the message with UID `$2` in `$1`; `$copy` is where a copy of it can be made, with its
/// owner and times. Copies: Dovecot delivers one message to several users as hard links of one file.
const FIND: &str = r#"
name=$(sed -n "s/^$2 [^:]*:\(.*\)/\1/p" "$1/dovecot-uidlist"); name=${name%%:*}
file=$(ls "$1"/cur/"$name"* "$1"/new/"$name"* 2>/dev/null | head -n 1)
test -n "$name" && test -n "$file"
copy=/tmp/copy; cp -p "$file" "$copy"
"#;

/// A message that a sabotage strikes.
struct Target {
    account: String,
    message: MessageSeen,
}

impl Target {
    fn item(&self, account: &str, folder: &str, uid: u32) -> Item {
        Item::Message { account: account.into(), folder: folder.into(), uid, corpus: self.message.item.clone() }
    }
}

impl Deed {
    pub(crate) async fn strike(self, drill: &Drill) -> Result<()> {
        match self {
            Self::MessageAltered => {
                // The third byte from the end, before the last line break.
                self.on_message(
                    drill,
                    r#"printf '#' | dd of="$copy" bs=1 seek=$(($(wc -c < "$copy") - 3)) conv=notrunc status=none
                    touch -r "$file" "$copy"; mv "$copy" "$file""#,
                )
                .await
            }
            Self::MessageTruncated => {
                self.on_message(drill, r#"truncate -s -20 "$copy"; touch -r "$file" "$copy"; mv "$copy" "$file""#).await
            }
            Self::HeaderAdded => {
                self.on_message(drill, r#"sed -i '1i X-Added: yes' "$copy"; chown mail:mail "$copy"; touch -r "$file" "$copy"; mv "$copy" "$file""#)
                    .await
            }
            Self::MessageRemoved => self.on_message(drill, r#"rm "$file""#).await,
            Self::MessageDoubled => self.on_message(drill, r#"mv "$copy" "$1/cur/1$(basename "$file")""#).await,
            // Dovecot looks at a folder again when its time has changed.
            Self::MessageHidden => {
                self.on_message(
                    drill,
                    r#"touch -r "$1/cur" /tmp/time; mv "$copy" "$1/cur/1$(basename "$file")"; touch -r /tmp/time "$1/cur""#,
                )
                .await
            }
            Self::MessageMoved => self.on_message(drill, &format!(r#"mv "$file" "$3/.{FOLDER}/cur/""#)).await,
            Self::MessageStrayed => self.on_message(drill, &format!(r#"mv "$file" /mail/{OTHER_USER}/cur/"#)).await,
            Self::FlagDropped => {
                self.on_message(drill, r#"mv "$file" "$(printf %s "$file" | sed 's/:2,[A-Z]*/:2,/')""#).await
            }
            Self::KeywordDropped => {
                self.on_message(drill, r#"mv "$file" "$(printf %s "$file" | sed 's/[a-z]*$//')""#).await
            }
            Self::DateChanged => {
                self.on_message(drill, r#"touch -d "@$(($(stat -c %Y "$file") - 86400))" "$copy"; mv "$copy" "$file""#).await
            }
            Self::UidValidityReset => {
                self.on_message(
                    drill,
                    r#"list="$1/dovecot-uidlist"; v=$(sed -n '1s/.* V\([0-9]*\).*/\1/p' "$list")
                    sed "1s/ V$v/ V$((v + 1))/" "$list" > /tmp/list; cat /tmp/list > "$list""#,
                )
                .await
            }
            Self::FolderRenamed => self.on_message(drill, &format!(r#"mv "$1" "$3/.{RENAMED}""#)).await,
            Self::SubscriptionLost => {
                self.on_message(drill, &format!(r#"cd "$3"; grep -v '^{FOLDER}$' subscriptions > /tmp/list; cat /tmp/list > subscriptions"#))
                    .await
            }
            Self::RowDeleted => sql(drill, &format!("DELETE FROM alias WHERE email = '{ALIAS}'")).await,
            Self::RowAdded => {
                sql(
                    drill,
                    &format!(
                        "INSERT INTO alias (email, localpart, domain_name, destination, wildcard, created_at) \
                         SELECT '{NEW_ALIAS}', 'never', domain_name, destination, wildcard, created_at FROM alias WHERE email = '{ALIAS}'"
                    ),
                )
                .await
            }
            Self::QuotaChanged => {
                sql(drill, &format!("UPDATE user SET quota_bytes = quota_bytes + 1 WHERE email = '{USER}'")).await
            }
            Self::PasswordChanged => {
                sql(
                    drill,
                    &format!(
                        "UPDATE user SET password = (SELECT password FROM user WHERE email = '{OTHER_USER}') WHERE email = '{USER}'"
                    ),
                )
                .await
            }
            Self::SchemaChanged => sql(drill, "UPDATE alembic_version SET version_num = '000000000000'").await,
            Self::DatabaseTorn => within(drill, "admin", &["truncate", "-s", "9000", "/data/main.db"]).await.map(drop),
            Self::KeyReadable => {
                let [a, _] = keys(drill)?;
                within(drill, "admin", &["chmod", "0644", &format!("/dkim/{a}")]).await.map(drop)
            }
            Self::AttributeLost => {
                let [a, _] = keys(drill)?;
                let script = "import os, sys; os.removexattr('/dkim/' + sys.argv[1], 'user.restore-drill')";
                within(drill, "admin", &["python3", "-c", script, &a]).await.map(drop)
            }
            Self::HardLinkBroken => {
                let [a, _] = linked(drill)?;
                let script = r#"cp -p "$1" /tmp/copy; cmp "$1" /tmp/copy; mv /tmp/copy "$1""#;
                within(drill, "imap", &["sh", "-ec", script, "sh", &format!("/mail/{a}")]).await.map(drop)
            }
            Self::SymbolicLinkChanged => {
                on_scripts(drill, "ln -sfn ./sieve/filter.sieve .dovecot.sieve; chown -h mail:mail .dovecot.sieve").await
            }
            Self::ScriptLost => on_scripts(drill, "rm sieve/holiday.sieve").await,
            Self::ContactDeleted => {
                let id = single_contact(drill)?;
                roundcube(drill, &format!("DELETE FROM contacts WHERE contact_id = {id}")).await
            },
            Self::IdentityChanged => roundcube(drill, "UPDATE identities SET signature = 'x' WHERE identity_id = 1").await,
            Self::PreferencesLost => roundcube(drill, "UPDATE users SET preferences = NULL WHERE user_id = 1").await,
            Self::PgpKeyLost => {
                let path = pgp_key(drill)?;
                within(drill, "webmail", &["rm", &format!("/data/{path}")]).await.map(drop)
            }
            Self::ScriptEmptied => on_scripts(drill, ": > sieve/filter.sieve; rm -f .dovecot.svbin sieve/filter.svbin").await,
        }
    }

    /// The findings that the sabotage must cause, given the baseline, and none besides.
    pub(crate) fn expected(self, drill: &Drill) -> Result<BTreeSet<String>> {
        let evidence = &drill.evidence;
        let observation = baseline(drill)?;
        let mut expected = BTreeSet::new();
        let mut expect = |item: &Item, outcome, property: Option<&str>| {
            expected.insert(line(item, outcome, property));
        };
        let uid_next = |account: &str, folder: &str| -> Result<u32> {
            let folders = evidence.folders(observation, account)?;
            Ok(folders.iter().find(|f| f.folder == folder).map_or(0, |f| f.uid_next))
        };
        let row = |table: &str, key: &str| row_of(MAILU, table, key);
        let database = || Item::Database { database: MAILU.into() };
        let script = |script: &str| Item::Script { account: OTHER_USER.into(), script: script.into() };
        let t = self.target(drill)?;
        let (account, folder) = (t.account.as_str(), t.message.folder.as_str());
        let own = t.item(account, folder, t.message.uid);
        match self {
            Self::MessageAltered => expect(&own, Outcome::Altered, Some("bytes")),
            // Dovecot has the size in the file's name, and does not serve a file of another one.
            Self::MessageTruncated | Self::HeaderAdded => expect(&own, Outcome::Altered, Some("unreadable")),
            Self::MessageRemoved => expect(&own, Outcome::Lost, None),
            Self::MessageDoubled | Self::MessageHidden => {
                expect(&t.item(account, folder, uid_next(account, folder)?), Outcome::Duplicated, None);
                let bytes: u64 = evidence.messages(observation, account)?.iter().map(|m| m.size).sum();
                let (before, after) = (bytes.div_ceil(1024), (bytes + t.message.size).div_ceil(1024));
                if evidence.quota(observation, account)?.is_some() && after - before > 1 + before / 100 {
                    expect(&Item::Account { account: account.into() }, Outcome::Altered, Some("quota usage"));
                }
            }
            Self::MessageMoved => expect(&own, Outcome::Misplaced, None),
            Self::MessageStrayed => {
                expect(&own, Outcome::Misplaced, None);
                expect(&t.item(OTHER_USER, "INBOX", uid_next(OTHER_USER, "INBOX")?), Outcome::Unexpected, None);
            }
            Self::FlagDropped => expect(&own, Outcome::Altered, Some("flags")),
            Self::KeywordDropped => expect(&own, Outcome::Altered, Some("keywords")),
            Self::DateChanged => expect(&own, Outcome::Altered, Some("internaldate")),
            Self::UidValidityReset => {
                let item = Item::Folder { account: account.into(), folder: folder.into() };
                expect(&item, Outcome::Altered, Some("uidvalidity"));
            }
            Self::FolderRenamed => {
                expect(&Item::Folder { account: account.into(), folder: folder.into() }, Outcome::Lost, None);
                expect(&Item::Folder { account: account.into(), folder: RENAMED.into() }, Outcome::Unexpected, None);
                for m in evidence.messages(observation, account)?.into_iter().filter(|m| m.folder == folder) {
                    let item = Item::Message { account: account.into(), folder: m.folder, uid: m.uid, corpus: m.item };
                    expect(&item, Outcome::Misplaced, None);
                }
            }
            Self::SubscriptionLost => {
                let item = Item::Folder { account: account.into(), folder: FOLDER.into() };
                expect(&item, Outcome::Altered, Some("subscription"));
            }
            Self::RowDeleted => expect(&row("alias", ALIAS), Outcome::Lost, None),
            Self::RowAdded => expect(&row("alias", NEW_ALIAS), Outcome::Unexpected, None),
            Self::QuotaChanged => expect(&row("user", USER), Outcome::Altered, Some("quota_bytes")),
            Self::PasswordChanged => {
                expect(&row("user", USER), Outcome::Altered, Some("password"));
                expect(&Item::Account { account: USER.into() }, Outcome::Lost, None);
            }
            Self::SchemaChanged => expect(&database(), Outcome::Altered, Some("schema revision")),
            Self::DatabaseTorn => {
                expect(&database(), Outcome::Altered, Some("file"));
                for unread in ["integrity_check", "foreign_key_check", "schema revision"] {
                    expect(&database(), Outcome::Unread, Some(unread));
                }
                rows(evidence.rows(observation)?, MAILU).for_each(|row| expect(&row, Outcome::Lost, None));
                for (account, _) in evidence.accounts(observation)? {
                    expect(&Item::Account { account }, Outcome::Unread, None);
                }
            }
            Self::KeyReadable => {
                let [path, _] = keys(drill)?;
                expect(&Item::File { volume: "dkim".into(), path }, Outcome::Altered, Some("mode"));
            }
            Self::AttributeLost => expect(&Item::Fact { fact: ATTRIBUTES_OF_DKIM.into() }, Outcome::Altered, None),
            Self::HardLinkBroken => {
                for path in linked(drill)? {
                    expect(&Item::File { volume: "mail".into(), path }, Outcome::Altered, Some("link"));
                }
            }
            Self::SymbolicLinkChanged => {
                let path = format!("{OTHER_USER}/.dovecot.sieve");
                expect(&Item::File { volume: "mail".into(), path }, Outcome::Altered, Some("link"));
            }
            Self::ScriptLost => expect(&script("holiday"), Outcome::Lost, None),
            Self::ScriptEmptied => expect(&script("filter"), Outcome::Altered, Some("bytes")),
            Self::ContactDeleted => expect(&row_of(ROUNDCUBE, "contacts", &single_contact(drill)?), Outcome::Lost, None),
            Self::IdentityChanged => expect(&row_of(ROUNDCUBE, "identities", "1"), Outcome::Altered, Some("signature")),
            Self::PreferencesLost => expect(&row_of(ROUNDCUBE, "users", "1"), Outcome::Altered, Some("preferences")),
            Self::PgpKeyLost => {
                expect(&Item::File { volume: "webmail".into(), path: pgp_key(drill)? }, Outcome::Lost, None);
                expect(&Item::Fact { fact: PGP_KEYS.into() }, Outcome::Altered, None);
            }
        }
        Ok(expected)
    }

    /// Runs a script with `$file` and `$copy` of the target, `$1` its folder, `$2` its UID, `$3` its mailbox.
    async fn on_message(self, drill: &Drill, script: &str) -> Result<()> {
        let t = self.target(drill)?;
        let home = format!("/mail/{}", t.account);
        let dir = if t.message.folder == "INBOX" { home.clone() } else { format!("{home}/.{}", t.message.folder) };
        let script = format!("{FIND}{script}");
        within(drill, "imap", &["sh", "-ec", &script, "sh", &dir, &t.message.uid.to_string(), &home]).await.map(drop)
    }

    /// The message struck: one that has flags and keywords, in a folder that the drill made, with a body that ends in a letter,
    /// of which the mailbox has one copy.
    fn target(self, drill: &Drill) -> Result<Target> {
        let observation = baseline(drill)?;
        let plain = |m: &MessageSeen| {
            let kind = m.item.as_ref().and_then(|i| i.parse().ok()).map(|n| drill.corpus.message(n).kind);
            kind.is_some_and(|k| !matches!(k, seeds::Kind::Dots | seeds::Kind::Empty | seeds::Kind::WhiteSpace))
        };
        for (account, _) in drill.evidence.accounts(observation)?.into_iter().filter(|(a, _)| a != OTHER_USER) {
            let messages = drill.evidence.messages(observation, &account)?;
            let copies = |m: &MessageSeen| messages.iter().filter(|o| o.sha256 == m.sha256).count();
            let made = |folder: &str| ["Archive", "Entw", "Lists.&"].iter().any(|f| folder.starts_with(f));
            let fit = |m: &&MessageSeen| made(&m.folder) && !m.flags.is_empty() && !m.keywords.is_empty();
            // Such as go to several mailboxes are one file there.
            let alone = |m: &MessageSeen| {
                let number = m.item.as_ref().and_then(|i| i.parse().ok()).unwrap_or_default();
                let accounts = drill.corpus.accounts();
                let mailboxes: BTreeSet<String> =
                    drill.corpus.message(number).recipients.iter().flat_map(|r| accounts.deliveries(r)).collect();
                mailboxes.len() == 1 && copies(m) == 1
            };
            if let Some(message) = messages.iter().filter(fit).find(|m| plain(m) && alone(m)) {
                return Ok(Target { account, message: message.clone() });
            }
        }
        Err(Error::Unknown("sabotage: no message of the baseline is fit for it; take a larger profile".into()))
    }
}

/// The two names of a message that is one file.
fn linked(drill: &Drill) -> Result<[String; 2]> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in drill.evidence.files(baseline(drill)?)?.into_iter().filter(|f| f.volume == "mail" && f.link.starts_with(HARD)) {
        names.entry(file.link).or_default().push(file.path);
    }
    let mut pairs = names.into_values().filter_map(|names| <[String; 2]>::try_from(names).ok());
    pairs.next().ok_or_else(|| Error::Unknown("sabotage: no message of the baseline is one file with two names".into()))
}

/// A row of a database.
pub(super) fn row_of(database: &str, table: &str, key: &str) -> Item {
    Item::Row { database: database.into(), table: table.into(), key: key.into() }
}

/// The rows of one database.
pub(super) fn rows(all: Vec<RowSeen>, database: &'static str) -> impl Iterator<Item = Item> {
    all.into_iter().filter(move |r| r.database == database).map(|r| row_of(&r.database, &r.table, &r.key))
}

/// The key of a contact of the webmail that is in no group.
fn single_contact(drill: &Drill) -> Result<String> {
    let rows = drill.evidence.rows(baseline(drill)?)?;
    let keys =
        |table: &'static str| rows.iter().filter(move |r| r.database == ROUNDCUBE && r.table == table).map(|r| r.key.as_str());
    let grouped: Vec<&str> = keys("contactgroupmembers").filter_map(|k| k.split_once(',')).map(|(_, contact)| contact).collect();
    let single = keys("contacts").find(|k| !grouped.contains(k)).map(str::to_owned);
    single.ok_or_else(|| Error::Unknown("sabotage: every contact of the baseline is in a group".into()))
}

/// The file of a private PGP key.
fn pgp_key(drill: &Drill) -> Result<String> {
    let files = drill.evidence.files(baseline(drill)?)?;
    let key = files.into_iter().find(|f| f.volume == "webmail" && f.path.contains("/private-keys-v1.d/"));
    key.map(|f| f.path).ok_or_else(|| Error::Unknown("sabotage: the baseline has no PGP key".into()))
}

/// Two DKIM keys.
pub(super) fn keys(drill: &Drill) -> Result<[String; 2]> {
    let files = drill.evidence.files(baseline(drill)?)?;
    let mut keys = files.into_iter().filter(|f| f.volume == "dkim").map(|f| f.path);
    match (keys.next(), keys.next()) {
        (Some(a), Some(b)) => Ok([a, b]),
        _ => Err(Error::Unknown("sabotage: fewer than two DKIM keys".into())),
    }
}

/// Saves what these sabotages strike.
pub(crate) async fn save(drill: &Drill) -> Result<()> {
    within(drill, "imap", &["sh", "-ec", "rm -rf /tmp/saved; mkdir /tmp/saved; cp -a /mail/*@* /tmp/saved/"]).await?;
    within(drill, "smtp", &["sh", "-ec", "rm -rf /tmp/saved; cp -a /queue/hold /tmp/saved"]).await?;
    within(drill, "webmail", &["python3", "-c", COPY_DATABASE, "/data/roundcube.db", "/tmp/saved.db"]).await?;
    within(drill, "webmail", &["cp", "-a", "/data/gpg", "/tmp/saved.gpg"]).await?;
    within(drill, "admin", &["sh", "-ec", "cat /data/main.db > /tmp/saved.db; cp -a /dkim /tmp/saved.dkim"]).await.map(drop)
}

/// Puts back what [`save`] saved: what observing and trying changed too, the mail server's indexes and new mail.
pub(crate) async fn put_back(drill: &Drill) -> Result<()> {
    let script = "cd /mail; for a in *@*; do rm -rf \"$a\"; done; cp -a /tmp/saved/. /mail/";
    let mail = ["sh", "-ec", script];
    let queue = ["sh", "-ec", "postsuper -d ALL; cp -a /tmp/saved/. /queue/hold/"];
    let database = ["python3", "-c", PUT_BACK_DATABASE];
    let keys = ["cp", "-a", "/tmp/saved.dkim/.", "/dkim/"];
    let webmail = async {
        within(drill, "webmail", &["python3", "-c", COPY_DATABASE, "/tmp/saved.db", "/data/roundcube.db"]).await?;
        within(drill, "webmail", &["cp", "-a", "/tmp/saved.gpg/.", "/data/gpg/"]).await
    };
    tokio::try_join!(
        within(drill, "imap", &mail),
        within(drill, "smtp", &queue),
        within(drill, "admin", &database),
        within(drill, "admin", &keys),
        webmail
    )
    .map(drop)
}

/// Others have the database open, and go by the change counter in its header (bytes 24 to 27, and 92 to 95) whether what they
/// have read of it is still true: it has to be one that no state of the database had.
const PUT_BACK_DATABASE: &str = r#"
import pathlib
last = pathlib.Path("/tmp/counter")
counter = (int(last.read_text()) if last.exists() else 1_000_000) + 1000
last.write_text(str(counter))
data = bytearray(open("/tmp/saved.db", "rb").read())
data[24:28] = data[92:96] = counter.to_bytes(4, "big")
with open("/data/main.db", "r+b") as file:
    file.write(data)
    file.truncate()
"#;

/// Copies a database that can be read, in use or not, its write-ahead log with it.
const COPY_DATABASE: &str = "import sqlite3, sys; a, b = map(sqlite3.connect, sys.argv[1:]); a.backup(b); b.close()";

/// Changes one row of Mailu's database.
pub(super) async fn sql(drill: &Drill, statement: &str) -> Result<()> {
    within(drill, "admin", &["python3", "-c", SQL, "/data/main.db", statement]).await.map(drop)
}

/// Changes one row of the webmail's.
pub(super) async fn roundcube(drill: &Drill, statement: &str) -> Result<()> {
    within(drill, "webmail", &["python3", "-c", SQL, "/data/roundcube.db", statement]).await.map(drop)
}

const SQL: &str = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); \
                   n = db.execute(sys.argv[2]).rowcount; db.commit(); sys.exit(0 if n == 1 else 3)";

async fn on_scripts(drill: &Drill, script: &str) -> Result<()> {
    let script = format!("cd /mail/{OTHER_USER}; {script}");
    within(drill, "imap", &["sh", "-ec", &script]).await.map(drop)
}
