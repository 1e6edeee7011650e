//! What the admin holds, in the terms of Mailu's configuration. No passwords: those
//! come from a secret of the run, and the corpus is public.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::profile::Profile;
use crate::rng::Rng;

/// A mail domain.
#[derive(Debug, Clone, Serialize)]
pub struct Domain {
    /// In IDNA (ASCII) form, lower case.
    pub name: String,
    /// Names whose mail is this domain's.
    pub alternatives: Vec<String>,
    /// The most users; -1 for no limit.
    pub max_users: i64,
    /// The most aliases; -1 for no limit.
    pub max_aliases: i64,
    /// The largest quota of a user, in bytes; 0 for no limit.
    pub max_quota_bytes: u64,
    /// A remark.
    pub comment: String,
}

/// An app password.
#[derive(Debug, Clone, Serialize)]
pub struct Token {
    /// What it is for.
    pub comment: String,
    /// The networks it may be used from.
    pub ip: Vec<String>,
}

/// A mailbox elsewhere that Mailu would fetch from.
#[derive(Debug, Clone, Serialize)]
pub struct Fetch {
    /// `imap` or `pop3`.
    pub protocol: String,
    /// In a reserved domain: nothing answers there.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Whether TLS is used.
    pub tls: bool,
    /// The account there.
    pub username: String,
    /// Whether mail stays there.
    pub keep: bool,
    /// The folders to fetch.
    pub folders: Vec<String>,
}

/// A user, which is a mailbox and a login.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    /// The address, which is also the login.
    pub email: String,
    /// The name shown.
    pub displayed_name: String,
    /// Quota in bytes; 0 for none.
    pub quota_bytes: u64,
    /// Whether the user may administer everything.
    pub global_admin: bool,
    /// Whether the user may log in at all.
    pub enabled: bool,
    /// Whether POP3 is allowed.
    pub enable_pop: bool,
    /// Whether other senders are allowed.
    pub allow_spoofing: bool,
    /// Whether mail is forwarded.
    pub forward_enabled: bool,
    /// Where to.
    pub forward_destination: Vec<String>,
    /// Whether a copy stays.
    pub forward_keep: bool,
    /// Whether an automatic reply is set up.
    pub reply_enabled: bool,
    /// Its subject.
    pub reply_subject: Option<String>,
    /// Its text.
    pub reply_body: Option<String>,
    /// The score from which mail is spam.
    pub spam_threshold: u32,
    /// A remark.
    pub comment: String,
    /// Domains this user manages.
    pub manager_of: Vec<String>,
    /// App passwords.
    pub tokens: Vec<Token>,
    /// Mailboxes elsewhere.
    pub fetches: Vec<Fetch>,
}

/// An address that stands for others.
#[derive(Debug, Clone, Serialize)]
pub struct Alias {
    /// The address; with `wildcard`, `%` in it matches anything.
    pub email: String,
    /// Whether `%` is a wildcard.
    pub wildcard: bool,
    /// Who receives.
    pub destination: Vec<String>,
    /// A remark.
    pub comment: String,
}

/// A domain whose mail is passed on to another server.
#[derive(Debug, Clone, Serialize)]
pub struct Relay {
    /// The domain.
    pub name: String,
    /// The server.
    pub smtp: String,
}

/// All accounts of a corpus.
#[derive(Debug, Clone, Serialize)]
pub struct Accounts {
    /// Mail domains; the first is the main one.
    pub domains: Vec<Domain>,
    /// Users; those who receive mail come first.
    pub users: Vec<User>,
    /// Aliases.
    pub aliases: Vec<Alias>,
    /// Relayed domains.
    pub relays: Vec<Relay>,
    #[serde(skip)]
    mailboxes: usize,
}

/// The relayed domain.
pub const RELAYED: &str = "relayed.example";
/// The server that its mail is passed on to.
pub const RELAY: &str = "relay.relayed.example";

/// `bücher.example` is among them, an internationalised domain in IDNA form.
const DOMAINS: [&str; 3] = ["mail.example", "xn--bcher-kva.example", "co-op.example.org"];

impl Accounts {
    pub(crate) fn generate(seed: u64, profile: &Profile) -> Self {
        let mut rng = Rng::new(seed, "accounts");
        let mailboxes = profile.mailboxes as usize;
        let address = |n: usize| format!("u{:02}@{}", n + 1, DOMAINS[n % DOMAINS.len()]);
        let mut users: Vec<User> = (0..mailboxes).map(|n| user(address(n), &mut rng)).collect();
        users[0].global_admin = true;
        users[0].manager_of = DOMAINS.iter().map(ToString::to_string).collect();
        users[0].tokens = vec![
            Token { comment: "phone".into(), ip: vec![] },
            Token { comment: "laptop, at home only".into(), ip: vec!["192.0.2.0/24".into()] },
        ];
        users[1].reply_enabled = true;
        users[1].reply_subject = Some("Away — back on Monday".into());
        users[1].reply_body = Some("I am away.\nWrite to the others; “soon” is relative.".into());
        users[1].fetches = vec![Fetch {
            protocol: "imap".into(),
            host: "imap.old.invalid".into(),
            port: 993,
            tls: true,
            username: "old-account".into(),
            keep: true,
            folders: vec!["INBOX".into(), "Sent".into()],
        }];
        // Every fifth mailbox forwards to its predecessor, every second of those without keeping a copy.
        for n in (4..mailboxes).step_by(5) {
            users[n].forward_enabled = true;
            users[n].forward_keep = n % 2 == 0;
            users[n].forward_destination = vec![address(n - 1)];
        }
        let mut disabled = user(format!("left@{}", DOMAINS[0]), &mut rng);
        disabled.enabled = false;
        disabled.comment = "left the co-op".into();
        users.push(disabled);
        let mut moved = user(format!("moved@{}", DOMAINS[0]), &mut rng);
        moved.forward_enabled = true;
        moved.forward_keep = false;
        moved.forward_destination = vec![address(0)];
        moved.comment = "moved on; mail goes after".into();
        users.push(moved);

        let domains = DOMAINS
            .iter()
            .enumerate()
            .map(|(n, name)| Domain {
                name: (*name).to_owned(),
                alternatives: if n == 0 { vec!["alt.mail.example".into(), "xn--mal-rma.example".into()] } else { vec![] },
                max_users: if n == 2 { 500 } else { -1 },
                max_aliases: -1,
                max_quota_bytes: if n == 1 { 5_000_000_000 } else { 0 },
                comment: format!("domain {}", n + 1),
            })
            .collect();
        let alias = |email: String, wildcard, destination| Alias { email, wildcard, destination, comment: "seeded".into() };
        let aliases = vec![
            alias(format!("team@{}", DOMAINS[0]), false, vec![address(0), address(1)]),
            alias(format!("post@{}", DOMAINS[1]), false, vec![address(1)]),
            alias(format!("shop-%@{}", DOMAINS[2]), true, vec![address(0)]),
        ];
        let relays = vec![Relay { name: RELAYED.into(), smtp: RELAY.into() }];
        Self { domains, users, aliases, relays, mailboxes }
    }

    /// The users with a mailbox that receives mail, in order.
    pub fn mailboxes(&self) -> &[User] {
        &self.users[..self.mailboxes]
    }

    /// The users who may log in.
    pub fn enabled(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|u| u.enabled)
    }

    /// The users with a mailbox who neither forward their mail nor have it answered automatically: what is sent to them is
    /// there, and nothing else comes of it.
    pub fn quiet(&self) -> impl Iterator<Item = &User> {
        self.mailboxes().iter().filter(|u| !u.forward_enabled && !u.reply_enabled)
    }

    /// A user, and an address with `tag` in it that only leads to that user, so that the user may send as that address. Every tag
    /// gives another address, as a correspondent whom nobody has answered yet. A detail (`u01+tag@…`) would not do: many servers
    /// have none, and where another user may send as anybody, some refuse its owner.
    pub fn correspondent(&self, tag: &str) -> Option<(&User, String)> {
        self.aliases.iter().filter(|a| a.wildcard).find_map(|alias| {
            let address = alias.email.replace('%', tag);
            let owner = self.quiet().find(|u| alias.destination == [u.email.as_str()])?;
            Some((owner, address))
        })
    }

    /// The mailboxes that a message to `recipient` ends up in: through an alias, a wildcard alias, an alternative domain, or a
    /// forward. An address with a detail (`u01+tag@…`) is nobody's, as on a server that was told of no delimiter.
    pub fn deliveries(&self, recipient: &str) -> BTreeSet<String> {
        let (local, domain) = recipient.split_once('@').unwrap_or((recipient, ""));
        let domain = self.domains.iter().find(|d| d.alternatives.iter().any(|a| a == domain)).map_or(domain, |d| d.name.as_str());
        let address = format!("{local}@{domain}");
        if let Some(alias) = self.aliases.iter().find(|a| a.matches(&address)) {
            return alias.destination.iter().flat_map(|to| self.deliveries(to)).collect();
        }
        match self.users.iter().find(|u| u.email == address) {
            Some(user) if user.forward_enabled => {
                let kept = user.forward_keep.then(|| user.email.clone());
                user.forward_destination.iter().cloned().chain(kept).collect()
            }
            Some(user) => BTreeSet::from([user.email.clone()]),
            None => BTreeSet::new(),
        }
    }
}

impl Alias {
    fn matches(&self, address: &str) -> bool {
        match self.email.split_once('%') {
            Some((head, tail)) if self.wildcard => address.starts_with(head) && address.ends_with(tail),
            _ => self.email == address,
        }
    }
}

fn user(email: String, rng: &mut Rng) -> User {
    const NAMES: [&str; 6] =
        ["Ada Lovelace", "Émilie du Châtelet", "Grace \"Amazing\" Hopper", "山田 花子", "O'Neil, Pat", "Łucja Żak"];
    User {
        displayed_name: (*rng.pick(&NAMES)).to_owned(),
        quota_bytes: (1 + rng.below(5)) * 1_000_000_000,
        global_admin: false,
        enabled: true,
        enable_pop: rng.one_in(2),
        allow_spoofing: rng.one_in(4),
        forward_enabled: false,
        forward_destination: vec![],
        forward_keep: true,
        reply_enabled: false,
        reply_subject: None,
        reply_body: None,
        spam_threshold: 60 + rng.below(40) as u32,
        comment: format!("member {}", rng.below(10_000)),
        manager_of: vec![],
        tokens: vec![],
        fetches: vec![],
        email,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts::generate(1, &Profile::named("smoke").expect("built in"))
    }

    #[test]
    fn deliveries_follow_aliases_alternatives_and_forwards() {
        let to = |address: &str| accounts().deliveries(address).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(to("u01@mail.example"), "u01@mail.example");
        assert_eq!(to("u01@alt.mail.example"), "u01@mail.example");
        assert_eq!(to("u01@xn--mal-rma.example"), "u01@mail.example");
        assert_eq!(to("u01+list@mail.example"), "");
        assert_eq!(to("team@mail.example"), "u01@mail.example u02@xn--bcher-kva.example");
        assert_eq!(to("shop-42@co-op.example.org"), "u01@mail.example");
        // u05 forwards to u04 and keeps a copy.
        assert_eq!(to("u05@xn--bcher-kva.example"), "u04@mail.example u05@xn--bcher-kva.example");
        assert_eq!(to("nobody@mail.example"), "");
    }

    /// Whoever may send as anybody, and however many mailboxes there are.
    #[test]
    fn every_seed_has_a_correspondent_who_gets_the_answer() {
        for name in Profile::names() {
            let profile = Profile::named(name).expect("built in");
            for seed in 1..=2000 {
                let accounts = Accounts::generate(seed, &profile);
                let (owner, address) = accounts.correspondent("baseline").expect("a correspondent");
                assert_eq!((owner.email.as_str(), address.as_str()), ("u01@mail.example", "shop-baseline@co-op.example.org"));
                assert!(owner.enabled && !owner.reply_enabled, "{name}, seed {seed}");
                assert_eq!(accounts.deliveries(&address), BTreeSet::from([owner.email.clone()]), "{name}, seed {seed}");
                let answering = accounts.mailboxes().iter().find(|u| u.reply_enabled).expect("somebody is away");
                assert_ne!(answering.email, owner.email, "{name}, seed {seed}");
                assert_eq!(
                    accounts.deliveries(&answering.email),
                    BTreeSet::from([answering.email.clone()]),
                    "{name}, seed {seed}"
                );
            }
        }
    }

    /// Reserved (RFC 2606), and none that apps' forms refuse as special (RFC 6761): `.test` and `.invalid` are among those.
    #[test]
    fn only_reserved_domains_that_forms_accept() {
        for domain in accounts().domains.iter().flat_map(|d| d.alternatives.iter().chain([&d.name])) {
            assert!([".example", ".example.org"].iter().any(|r| domain.ends_with(r)), "{domain}");
        }
    }
}
