//! Faults in what the app does: nobody sees them in rows and files alone, or not all of what they do. Each can be undone.

use std::collections::BTreeSet;

use judge::model::{Item, Outcome};

use super::content::{OTHER_USER, USER, keys, roundcube, row_of, sql};
use super::{MAILU, ROUNDCUBE, baseline, line, within};
use crate::drill::Drill;
use crate::error::Result;

/// A fault in what the app does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    AnyPassword,
    TokenLost,
    AccountEnabled,
    Pop3Toggled,
    SpoofingAllowed,
    AliasMisdirected,
    ForwardDropped,
    ReplyDropped,
    RelayMisdirected,
    KeysSwapped,
    FilterInactive,
    MailCopied,
    QueueLost,
    QuotaMiscounted,
    SpecialUseLost,
    ModSeqLowered,
    ContactHidden,
}

pub(crate) static DEEDS: &[(&str, &str, Deed)] = &[
    ("any-password", "every password is right", Deed::AnyPassword),
    ("token-lost", "an app token is gone", Deed::TokenLost),
    ("account-enabled", "a disabled account is enabled", Deed::AccountEnabled),
    ("pop3-toggled", "a user may use POP3 who might not, or the other way round", Deed::Pop3Toggled),
    ("spoofing-allowed", "a user may send as anybody who might not", Deed::SpoofingAllowed),
    ("alias-misdirected", "an alias leads to one user of two", Deed::AliasMisdirected),
    ("forward-dropped", "a user's mail is not forwarded any more", Deed::ForwardDropped),
    ("reply-dropped", "a user's automatic reply is off", Deed::ReplyDropped),
    ("relay-misdirected", "a relayed domain's mail goes to a server that is none", Deed::RelayMisdirected),
    ("dkim-keys-swapped", "two domains have each other's DKIM key", Deed::KeysSwapped),
    ("sieve-script-inactive", "no sieve script is active", Deed::FilterInactive),
    ("mail-copied", "new mail also goes to a third mailbox", Deed::MailCopied),
    ("queue-lost", "the mail that was in the queue is gone", Deed::QueueLost),
    ("quota-miscounted", "a folder does not count towards the quota", Deed::QuotaMiscounted),
    ("special-use-lost", "the folder for junk is not marked as that", Deed::SpecialUseLost),
    ("modseq-lowered", "a folder's HIGHESTMODSEQ is lower", Deed::ModSeqLowered),
    ("contact-hidden", "a contact of the webmail's address book is marked as deleted", Deed::ContactHidden),
];

/// The alias and the mailbox that [`Deed::AliasMisdirected`] and [`Deed::MailCopied`] leave.
const ALIAS: &str = "team@mail.test";
const THIRD: &str = "u03@co-op.example.org";

/// A front that lets everybody in, whoever asks: it stands for an admin that does.
const OPEN_FRONT: &str = r#"
cp /etc/nginx/nginx.conf /tmp/saved.nginx.conf
imap=$(getent hosts imap | cut -d ' ' -f 1); smtp=$(getent hosts smtp | cut -d ' ' -f 1)
sed -i -e 's|auth_http http://.*;|auth_http http://127.0.0.1:8099/;|' \
  -e "s|^http {|http {\n map \$http_auth_protocol \$to { imap $imap; pop3 $imap; default $smtp; }\n map \$http_auth_protocol \$at { imap 143; pop3 110; default 10025; }\n server { listen 127.0.0.1:8099; location / { add_header Auth-Status OK; add_header Auth-Server \$to; add_header Auth-Port \$at; return 204; } }|" \
  /etc/nginx/nginx.conf
nginx -t -q && nginx -s reload
"#;

impl Deed {
    /// Whether only trials tell of it, or tell more of it.
    pub(crate) fn is_tried(self) -> bool {
        !matches!(self, Self::QueueLost | Self::QuotaMiscounted | Self::SpecialUseLost | Self::ModSeqLowered)
    }

    pub(crate) async fn strike(self, drill: &Drill) -> Result<()> {
        let dovecot = async |edit: &str| {
            let script = format!(
                "cp /etc/dovecot/dovecot.conf /tmp/saved.conf; sed -i \"{edit}\" /etc/dovecot/dovecot.conf; doveadm reload"
            );
            within(drill, "imap", &["sh", "-ec", &script]).await.map(drop)
        };
        match self {
            Self::AnyPassword => within(drill, "app", &["sh", "-ec", OPEN_FRONT]).await.map(drop),
            Self::TokenLost => sql(drill, "DELETE FROM token WHERE comment = 'phone'").await,
            Self::AccountEnabled => sql(drill, "UPDATE user SET enabled = 1 WHERE enabled = 0").await,
            Self::Pop3Toggled => {
                sql(drill, &format!("UPDATE user SET enable_pop = 1 - enable_pop WHERE email = '{OTHER_USER}'")).await
            }
            Self::SpoofingAllowed => {
                let spoofer = self.spoofer(drill);
                sql(drill, &format!("UPDATE user SET allow_spoofing = 1 WHERE email = '{spoofer}'")).await
            }
            Self::AliasMisdirected => {
                sql(drill, &format!("UPDATE alias SET destination = '{USER}' WHERE email = '{ALIAS}'")).await
            }
            Self::ForwardDropped => sql(drill, "UPDATE user SET forward_enabled = 0 WHERE forward_keep = 0").await,
            Self::ReplyDropped => sql(drill, &format!("UPDATE user SET reply_enabled = 0 WHERE email = '{USER}'")).await,
            Self::RelayMisdirected => sql(drill, "UPDATE relay SET smtp = '[127.0.0.1]:9'").await,
            Self::KeysSwapped => {
                let [a, b] = keys(drill)?;
                let script = r#"cd /dkim; cp -p "$1" /tmp/a; cp -p "$2" /tmp/b
                    cat /tmp/b > "$1"; cat /tmp/a > "$2"; touch -r /tmp/a "$1"; touch -r /tmp/b "$2""#;
                within(drill, "admin", &["sh", "-ec", script, "sh", &a, &b]).await.map(drop)
            }
            Self::FilterInactive => within(drill, "imap", &["rm", &format!("/mail/{OTHER_USER}/.dovecot.sieve")]).await.map(drop),
            Self::MailCopied => {
                let script = format!("postconf -e always_bcc={THIRD}; postfix reload");
                within(drill, "smtp", &["sh", "-ec", &script]).await.map(drop)
            }
            Self::QueueLost => within(drill, "smtp", &["postsuper", "-d", "ALL", "hold"]).await.map(drop),
            Self::QuotaMiscounted => dovecot("s/^  quota_vsizes = yes/&\\n  quota_rule2 = Archive*:ignore/").await,
            Self::SpecialUseLost => dovecot("/special_use = .Junk/d").await,
            Self::ContactHidden => roundcube(drill, "UPDATE contacts SET del = 1 WHERE contact_id = 1").await,
            Self::ModSeqLowered => {
                let script = format!("rm /mail/{OTHER_USER}/dovecot.index*");
                within(drill, "imap", &["sh", "-ec", &script]).await.map(drop)
            }
        }
    }

    /// Takes back what is neither in the mail store, nor in the database, nor a key.
    pub(crate) async fn undo(self, drill: &Drill) -> Result<()> {
        match self {
            Self::AnyPassword => {
                let script = "cp /tmp/saved.nginx.conf /etc/nginx/nginx.conf; nginx -s reload";
                within(drill, "app", &["sh", "-ec", script]).await.map(drop)
            }
            Self::MailCopied => within(drill, "smtp", &["sh", "-ec", "postconf -X always_bcc; postfix reload"]).await.map(drop),
            Self::QuotaMiscounted | Self::SpecialUseLost => {
                let script = "cp /tmp/saved.conf /etc/dovecot/dovecot.conf; doveadm reload";
                within(drill, "imap", &["sh", "-ec", script]).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    /// The findings that the sabotage must cause, given the baseline, and none besides.
    pub(crate) fn expected(self, drill: &Drill) -> Result<BTreeSet<String>> {
        let mut expected = BTreeSet::new();
        let mut altered = |item: &Item, property: Option<&str>| {
            expected.insert(line(item, Outcome::Altered, property));
        };
        let row = |table: &str, key: &str| row_of(MAILU, table, key);
        let trials = drill.evidence.trials(judge::BASELINE)?;
        let tried = |part: &str| {
            let named = trials.iter().filter(|t| t.trial.contains(part));
            named.map(|t| Item::Trial { trial: t.trial.clone() }).collect::<Vec<_>>()
        };
        let disabled = drill.corpus.accounts().users.iter().filter(|u| !u.enabled).map(|u| u.email.as_str());
        let folder = |account: &str, folder: &str| Item::Folder { account: account.into(), folder: folder.into() };
        match self {
            Self::AnyPassword => {
                // POP3 and IMAP also ask Dovecot, which knows who is enabled and who may use POP3.
                let pop3 = drill.corpus.accounts().mailboxes().first().is_some_and(|u| u.enable_pop);
                for item in tried("with a wrong password").iter().filter(|i| pop3 || !i.to_string().contains("POP3")) {
                    altered(item, None);
                }
                tried("over SMTP, which is disabled").iter().for_each(|i| altered(i, None));
                tried("with its token \"laptop").iter().for_each(|i| altered(i, None));
            }
            Self::TokenLost => {
                tried("with its token \"phone\"").iter().for_each(|i| altered(i, None));
                expected.insert(line(&row("token", "1"), Outcome::Lost, None));
            }
            Self::AccountEnabled => {
                disabled.for_each(|email| altered(&row("user", email), Some("enabled")));
                tried("which is disabled").iter().for_each(|i| altered(i, None));
            }
            Self::Pop3Toggled => {
                altered(&row("user", OTHER_USER), Some("enable_pop"));
                tried(&format!("login of {OTHER_USER} over POP3"))
                    .iter()
                    .filter(|i| !i.to_string().contains("wrong"))
                    .for_each(|i| altered(i, None));
            }
            Self::SpoofingAllowed => {
                let spoofer = self.spoofer(drill);
                altered(&row("user", &spoofer), Some("allow_spoofing"));
                tried(&format!("mail from {spoofer} as ")).iter().for_each(|i| altered(i, None));
            }
            Self::AliasMisdirected => {
                altered(&row("alias", ALIAS), Some("destination"));
                tried(&format!("an alias, {ALIAS}")).iter().for_each(|i| altered(i, None));
            }
            Self::ForwardDropped => {
                for user in drill.corpus.accounts().users.iter().filter(|u| !u.forward_keep) {
                    altered(&row("user", &user.email), Some("forward_enabled"));
                }
                tried("a forward that keeps none").iter().for_each(|i| altered(i, None));
            }
            Self::ReplyDropped => {
                altered(&row("user", USER), Some("reply_enabled"));
                tried("an automatic reply").iter().for_each(|i| altered(i, None));
            }
            Self::RelayMisdirected => {
                altered(&row("relay", seeds::RELAYED), Some("smtp"));
                tried("mail out").iter().for_each(|i| altered(i, None));
            }
            Self::KeysSwapped => {
                for path in keys(drill)? {
                    let domain = path.trim_end_matches(".dkim.key").to_owned();
                    altered(&Item::File { volume: "dkim".into(), path }, Some("bytes"));
                    let signed = tried("signature of mail from ").into_iter();
                    signed.filter(|i| i.to_string().ends_with(&format!("@{domain}"))).for_each(|i| altered(&i, None));
                }
            }
            Self::FilterInactive => {
                let item = Item::Script { account: OTHER_USER.into(), script: "filter".into() };
                altered(&item, Some("active"));
                tried(&format!("mail that {OTHER_USER}'s filter files")).iter().for_each(|i| altered(i, None));
            }
            Self::MailCopied => {
                let goes_there = |t: &str| t.contains(THIRD);
                for t in trials.iter().filter(|t| t.trial.starts_with("mail ") && !t.trial.starts_with("mail out")) {
                    if t.expected != "refused" && !goes_there(&t.expected) {
                        altered(&Item::Trial { trial: t.trial.clone() }, None);
                    }
                }
            }
            Self::QueueLost => altered(&Item::Fact { fact: judge::MAIL_QUEUE.into() }, None),
            Self::QuotaMiscounted => {
                let (o, evidence) = (baseline(drill)?, &drill.evidence);
                for (account, _) in evidence.accounts(o)? {
                    let archived = |m: &judge::store::MessageSeen| m.folder.starts_with("Archive");
                    let bytes: u64 = evidence.messages(o, &account)?.iter().filter(|m| archived(m)).map(|m| m.size).sum();
                    let used = evidence.quota(o, &account)?.map_or(0, |q| q.used);
                    if bytes / 1024 > 1 + used / 100 {
                        altered(&Item::Account { account }, Some("quota usage"));
                    }
                }
            }
            Self::SpecialUseLost => {
                for (account, _) in drill.evidence.accounts(baseline(drill)?)? {
                    altered(&folder(&account, "Junk"), Some("special-use"));
                }
            }
            Self::ContactHidden => {
                altered(&row_of(ROUNDCUBE, "contacts", "1"), Some("del"));
                // Which user's it is is a matter of who was first.
                let owner = drill.evidence.rows(baseline(drill)?)?.into_iter().find_map(|r| {
                    let columns: serde_json::Value = serde_json::from_str(&r.columns).ok()?;
                    let is_it = r.database == ROUNDCUBE && r.table == "contacts" && r.key == "1";
                    is_it.then(|| columns["email"].as_str().map(str::to_owned))?
                });
                let knows = |account: &str| owner.as_deref() == Some(&drill.corpus.person(account, 1).email);
                for user in drill.corpus.accounts().mailboxes().iter().filter(|u| knows(&u.email)) {
                    tried(&format!("webmail of {}", user.email)).iter().for_each(|i| altered(i, None));
                }
            }
            Self::ModSeqLowered => altered(&folder(OTHER_USER, "INBOX"), Some("highestmodseq")),
        }
        Ok(expected)
    }

    /// The user whose trial it is to send as another and be refused.
    fn spoofer(self, drill: &Drill) -> String {
        let users = drill.corpus.accounts().mailboxes();
        users.iter().skip(1).find(|u| !u.allow_spoofing).map(|u| u.email.clone()).unwrap_or_default()
    }
}
