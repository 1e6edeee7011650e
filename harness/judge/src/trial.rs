//! What is tried as a user would: the kind of a trial, and whom it is about.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod new_data;

pub use new_data::NewData;

/// What stands in the name of a kind where a trial names an account, an address or a domain.
const ANYONE: &str = "…";

/// One trial.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct Trial {
    /// What is tried.
    pub kind: TrialKind,
    /// Whom it is about, in the order in which the kind names them: accounts, addresses, domains, tokens.
    pub of: Vec<String>,
}

impl Trial {
    /// A trial of a kind, and whom it is about.
    pub fn new<T: Into<String>>(kind: TrialKind, of: impl IntoIterator<Item = T>) -> Self {
        Self { kind, of: of.into_iter().map(Into::into).collect() }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |at: usize| self.of.get(at).map_or(ANYONE, String::as_str);
        f.write_str(&self.kind.of(of(0), of(1)))
    }
}

/// The protocol of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// Submission over SMTP.
    Smtp,
    /// ManageSieve.
    Sieve,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Imap, Self::Pop3, Self::Smtp, Self::Sieve];
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
            Self::Smtp => "SMTP",
            Self::Sieve => "ManageSieve",
        })
    }
}

/// How mail is addressed to users of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// To an alias.
    Alias,
    /// To an alias that is a pattern.
    WildcardAlias,
    /// To another name of the domain.
    AlternativeDomain,
    /// To an address with a detail (RFC 5233): `user+detail@domain`.
    Detail,
    /// To an address that nobody has.
    Nobody,
    /// To a user who forwards mail and keeps a copy.
    ForwardWithCopy,
    /// To a user who forwards mail and keeps none.
    ForwardOnly,
    /// To a user who answers automatically.
    AutomaticReply,
}

impl Route {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Alias,
        Self::WildcardAlias,
        Self::AlternativeDomain,
        Self::Detail,
        Self::Nobody,
        Self::ForwardWithCopy,
        Self::ForwardOnly,
        Self::AutomaticReply,
    ];
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "an alias",
            Self::WildcardAlias => "a wildcard alias",
            Self::AlternativeDomain => "an alternative domain",
            Self::Detail => "a detail",
            Self::Nobody => "nobody",
            Self::ForwardWithCopy => "a forward that keeps a copy",
            Self::ForwardOnly => "a forward that keeps none",
            Self::AutomaticReply => "an automatic reply",
        })
    }
}

/// What is tried. Its text is the name of the check in `checks.toml`, after `trial: `.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrialKind {
    /// A user visits pages of the app; their name in the scenario. About: the account.
    Page(String),
    /// A user logs in. About: the account.
    Login(Protocol),
    /// A user logs in with a token. About: the account, the token's comment in quotation marks.
    TokenLogin,
    /// A login with a wrong password. About: the account.
    WrongPassword(Protocol),
    /// A login to a disabled account. About: the account.
    DisabledLogin(Protocol),
    /// Mail to users of the app. About: the address.
    Mail(Route),
    /// Mail that a user's filter files into a folder. About: the account.
    FilteredMail,
    /// Mail from a user of a domain, for whose signature another trial looks. About: the account, the domain.
    SignedMail,
    /// The signature of mail. About: the account.
    Signature,
    /// Mail from a user in another user's name. About: the account, the other account.
    MailAs,
    /// Mail from another server to a user. About: the address.
    MailIn,
    /// Mail from another server to yet another server, which must be refused.
    OpenRelay,
    /// Mail to another server. About: the address.
    MailOut,
    /// Mail that was in the queue when the backup was taken. About: the address.
    QueuedMail,
    /// An account is created.
    NewAccount,
    /// New data, which the app must take after a restore.
    New(NewData),
}

/// What stands before whom a visit to pages is of.
const PAGE_OF: &str = " of ";

impl TrialKind {
    /// The trial in words, about these.
    fn of(&self, a: &str, b: &str) -> String {
        match self {
            Self::Page(name) => format!("{name}{PAGE_OF}{a}"),
            Self::Login(protocol) => format!("login of {a} over {protocol}"),
            Self::TokenLogin => format!("login of {a} with its token {b}"),
            Self::WrongPassword(protocol) => format!("login of {a} over {protocol} with a wrong password"),
            Self::DisabledLogin(protocol) => format!("login of {a} over {protocol}, which is disabled,"),
            Self::Mail(route) => format!("mail to {route}, {a}"),
            Self::FilteredMail => format!("mail that {a}'s filter files"),
            Self::SignedMail => format!("mail from {a}, signed for {b}"),
            Self::Signature => format!("signature of mail from {a}"),
            Self::MailAs => format!("mail from {a} as {b}"),
            Self::MailIn => format!("mail from another server to {a}"),
            Self::OpenRelay => "mail from another server to yet another".into(),
            Self::MailOut => format!("mail out, to {a}"),
            Self::QueuedMail => format!("mail to {a} that was in the queue when the backup was taken"),
            Self::NewAccount => "a new account".into(),
            Self::New(data) => data.of(a, b),
        }
    }

    /// Every kind whose name does not come from a scenario.
    fn fixed() -> impl Iterator<Item = Self> {
        let logins = Protocol::ALL.into_iter().flat_map(|p| [Self::Login(p), Self::WrongPassword(p), Self::DisabledLogin(p)]);
        let others = [
            Self::TokenLogin,
            Self::FilteredMail,
            Self::SignedMail,
            Self::Signature,
            Self::MailAs,
            Self::MailIn,
            Self::OpenRelay,
            Self::MailOut,
            Self::QueuedMail,
            Self::NewAccount,
        ];
        logins.chain(Route::ALL.map(Self::Mail)).chain(others).chain(NewData::FIXED.map(Self::New))
    }
}

impl fmt::Display for TrialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.of(ANYONE, ANYONE))
    }
}

/// A text that is not a kind of trial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no trial {0:?}")]
pub struct NotATrial(pub String);

impl FromStr for TrialKind {
    type Err = NotATrial;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let page = || text.strip_suffix(ANYONE)?.strip_suffix(PAGE_OF).filter(|name| !name.is_empty());
        let page = || page().map(|name| Self::Page(name.to_owned()));
        let named = || NewData::named(text, ANYONE).map(Self::New).or_else(page);
        Self::fixed().find(|kind| kind.to_string() == text).or_else(named).ok_or_else(|| NotATrial(text.to_owned()))
    }
}

impl Serialize for TrialKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TrialKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A trial as JSON has it: in words for a reader, and by its parts for a program.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Form {
    /// What was tried, in words.
    trial: String,
    /// The kind of trial, by the name that it has in `checks.toml`.
    #[schemars(with = "String")]
    tried: TrialKind,
    /// Whom it is about: accounts, addresses, domains.
    of: Vec<String>,
}

impl From<Trial> for Form {
    fn from(trial: Trial) -> Self {
        Self { trial: trial.to_string(), tried: trial.kind, of: trial.of }
    }
}

impl From<Form> for Trial {
    fn from(Form { tried, of, .. }: Form) -> Self {
        Self { kind: tried, of }
    }
}

impl JsonSchema for Trial {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Trial".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Form::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_text_of_its_own_from_which_it_is_read() {
        let named = [
            TrialKind::Page("webmail".into()),
            TrialKind::Page("calendar and address book".into()),
            TrialKind::New(NewData::Page("calendar of all".into())),
            TrialKind::New(NewData::Command("a page".into())),
        ];
        let kinds: Vec<TrialKind> = TrialKind::fixed().chain(named).collect();
        for kind in &kinds {
            assert_eq!(kind.to_string().parse().as_ref(), Ok(kind));
        }
        let texts: std::collections::BTreeSet<String> = kinds.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), kinds.len());
        assert_eq!("mail to somebody".parse::<TrialKind>(), Err(NotATrial("mail to somebody".into())));
        for nothing in [" of …", "… writes to ", "a command writes "] {
            assert_eq!(nothing.parse::<TrialKind>(), Err(NotATrial(nothing.into())));
        }
    }

    #[test]
    fn the_schema_has_the_parts_that_json_has() {
        let schema = schemars::schema_for!(Trial).to_value();
        let parts: Vec<&str> = schema["properties"].as_object().into_iter().flat_map(|p| p.keys()).map(String::as_str).collect();
        assert_eq!((schema["title"].as_str(), parts), (Some("Trial"), vec!["of", "trial", "tried"]));
    }

    #[test]
    fn a_trial_says_whom_it_is_about_and_its_kind_names_nobody() {
        for (trial, text, kind) in [
            (
                Trial::new(TrialKind::Login(Protocol::Pop3), ["u01@mail.test"]),
                "login of u01@mail.test over POP3",
                "login of … over POP3",
            ),
            (
                Trial::new(TrialKind::SignedMail, ["a@mail.test", "xn--bcher-kva.example"]),
                "mail from a@mail.test, signed for xn--bcher-kva.example",
                "mail from …, signed for …",
            ),
            (
                Trial::new(TrialKind::TokenLogin, ["u01@mail.test", "\"laptop, at home\""]),
                "login of u01@mail.test with its token \"laptop, at home\"",
                "login of … with its token …",
            ),
            (Trial::new(TrialKind::Page("webmail".into()), ["u01@mail.test"]), "webmail of u01@mail.test", "webmail of …"),
            (
                Trial::new(TrialKind::New(NewData::Mail), ["new@mail.test", "u01@mail.test"]),
                "new user new@mail.test gets mail from u01@mail.test",
                "new user … gets mail from …",
            ),
        ] {
            assert_eq!((trial.to_string().as_str(), trial.kind.to_string().as_str()), (text, kind));
            let json = serde_json::json!(trial);
            assert_eq!(json, serde_json::json!({"trial": text, "tried": kind, "of": trial.of}));
            assert_eq!(serde_json::from_value::<Trial>(json).ok(), Some(trial));
        }
    }
}
