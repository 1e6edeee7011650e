//! Messages: nasty on purpose, within RFC 5322's limits, so that a mail server that
//! keeps to the RFCs passes every body on unchanged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use crate::accounts::Accounts;
use crate::profile::Profile;
use crate::rng::Rng;

/// The header field that names the corpus item a message is; it survives every hop.
pub const ITEM_HEADER: &str = "Restore-Drill-Item";

/// What is nasty about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// US-ASCII text.
    Plain,
    /// Lines of nothing but dots, which SMTP has to stuff (RFC 5321, 4.5.2).
    Dots,
    /// Lines of 998 characters, the longest allowed (RFC 5322, 2.1.1).
    LongLines,
    /// No body at all.
    Empty,
    /// UTF-8 text, 8bit.
    EightBit,
    /// ISO-8859-1 text as quoted-printable.
    QuotedPrintable,
    /// A subject of RFC 2047 encoded words, folded.
    EncodedSubject,
    /// multipart/alternative in multipart/mixed.
    Alternative,
    /// An attachment of a random size.
    Attachment,
    /// The same Message-ID as the message before it.
    Twin,
    /// Trailing spaces, tabs, blank lines, form feeds, `From ` at a line's start.
    WhiteSpace,
}

const KINDS: [Kind; 11] = [
    Kind::Plain,
    Kind::Dots,
    Kind::LongLines,
    Kind::Empty,
    Kind::EightBit,
    Kind::QuotedPrintable,
    Kind::EncodedSubject,
    Kind::Alternative,
    Kind::Attachment,
    Kind::WhiteSpace,
    Kind::Twin,
];

/// One message of the corpus.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number in the corpus, from 0.
    pub number: u64,
    /// What is nasty about it.
    pub kind: Kind,
    /// The envelope's sender, who also authenticates.
    pub sender: String,
    /// The envelope's recipients.
    pub recipients: Vec<String>,
    /// RFC 5322 bytes, lines ending in CRLF.
    pub bytes: Vec<u8>,
}

impl Message {
    /// SHA-256 of the body: what follows the first empty line.
    pub fn body_sha256(&self) -> [u8; 32] {
        let at = self.bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(self.bytes.len(), |at| at + 4);
        Sha256::digest(&self.bytes[at..]).into()
    }
}

/// What a client does with one delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Index into [`crate::Corpus::folders`] of the folder it is moved to; none leaves it in INBOX.
    pub folder: Option<usize>,
    /// Index of a folder that gets a copy.
    pub copy: Option<usize>,
    /// System flags (RFC 3501, 2.3.2), without `\Recent`. A message with `\Deleted` is not expunged: it stays.
    pub flags: Vec<&'static str>,
    /// Keywords.
    pub keywords: Vec<&'static str>,
    /// Whether it is expunged, and so must never come back.
    pub expunged: bool,
}

/// Folder paths, to be joined with the server's hierarchy delimiter. Non-ASCII names
/// are in modified UTF-7 (RFC 3501, 5.1.3): `Entwürfe` and `台北`.
pub(crate) const FOLDERS: &[&[&str]] = &[
    &["Archive"],
    &["Archive", "2024"],
    &["Archive", "2024", "Invoices &- receipts"],
    &["Sent"],
    &["Entw&APw-rfe"],
    &["Lists", "&U,BTFw-"],
    &["Empty"],
];

const FLAGS: [&str; 4] = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft"];
const KEYWORDS: [&str; 4] = ["$Forwarded", "$Label1", "NonJunk", "todo"];

pub(crate) fn place(seed: u64, n: u64, mailbox: &str) -> Placement {
    let mut rng = Rng::new(seed, &format!("place {n} {mailbox}"));
    // The last folder stays empty.
    let used = FOLDERS.len() as u64 - 1;
    let folder = (rng.below(10) < 6).then(|| rng.below(used) as usize);
    let copy = rng.one_in(8).then(|| rng.below(used) as usize).filter(|copy| Some(*copy) != folder);
    let mut some = |of: &[&'static str]| of.iter().copied().filter(|_| rng.one_in(3)).collect::<Vec<_>>();
    let (mut flags, keywords) = (some(&FLAGS), some(&KEYWORDS));
    if n % 5 == 2 {
        flags.push("\\Deleted");
    }
    Placement { folder, copy, flags, keywords, expunged: n % 13 == 7 }
}

const WORDS: [&str; 16] = [
    "cooperative",
    "ledger",
    "harbour",
    "minutes",
    "garden",
    "invoice",
    "solar",
    "bread",
    "archive",
    "quorum",
    "bicycle",
    "library",
    "tenancy",
    "assembly",
    "rota",
    "seedling",
];

/// The place of message `n`'s sender among the mailboxes.
pub(crate) fn sender(seed: u64, accounts: &Accounts, n: u64) -> usize {
    sender_of(&mut Rng::new(seed, &format!("message {n}")), accounts)
}

fn sender_of(rng: &mut Rng, accounts: &Accounts) -> usize {
    rng.below(accounts.mailboxes().len() as u64) as usize
}

pub(crate) fn generate(seed: u64, profile: &Profile, accounts: &Accounts, n: u64) -> Message {
    let mut rng = Rng::new(seed, &format!("message {n}"));
    let kind = KINDS[(n % KINDS.len() as u64) as usize];
    let mailboxes = accounts.mailboxes();
    let sender = mailboxes[sender_of(&mut rng, accounts)].email.clone();
    let mut recipients: Vec<String> =
        (0..1 + rng.below(u64::from(profile.max_recipients))).map(|_| rng.pick(mailboxes).email.clone()).collect();
    // The odd doors: alias, wildcard alias, alternative domains. No detail (`u01+order@…`): many servers know none unless told to.
    match n % 20 {
        3 => recipients[0] = "team@mail.example".into(),
        8 => recipients[0] = format!("shop-{n}@co-op.example.org"),
        13 => recipients[0] = "u01@alt.mail.example".into(),
        18 => recipients[0] = "u01@xn--mal-rma.example".into(),
        _ => {}
    }
    recipients.sort();
    recipients.dedup();

    let mut text = Text::default();
    let subject = match kind {
        Kind::EncodedSubject => {
            format!("=?UTF-8?B?{}?=\r\n =?ISO-8859-1?Q?caf=E9_{n}?=", BASE64.encode(format!("Grüße №{n} — 山")))
        }
        _ => format!("{} {} {n}", rng.pick(&WORDS), rng.pick(&WORDS)),
    };
    let id = if kind == Kind::Twin { n - 1 } else { n };
    text.line(&format!("From: {sender}"));
    // Folded, so that every hop has to cope with it.
    text.line(&format!("To: {}", recipients.join(",\r\n\t")));
    text.line(&format!("Subject: {subject}"));
    text.line(&format!("Date: {}", date(n)));
    text.line(&format!("Message-ID: <{seed}.{id}@corpus.example>"));
    text.line(&format!("{ITEM_HEADER}: {n}"));
    text.line("MIME-Version: 1.0");
    body(kind, &mut text, &mut rng, profile, n);
    Message { number: n, kind, sender, recipients, bytes: text.0 }
}

fn body(kind: Kind, text: &mut Text, rng: &mut Rng, profile: &Profile, n: u64) {
    match kind {
        Kind::Plain | Kind::EncodedSubject | Kind::Twin => {
            text.part("text/plain; charset=us-ascii", "7bit");
            text.words(rng, 5);
        }
        Kind::Dots => {
            text.part("text/plain; charset=us-ascii", "7bit");
            for line in [".", "..", "...", ".leading", "", "."] {
                text.line(line);
            }
        }
        Kind::LongLines => {
            text.part("text/plain; charset=us-ascii", "7bit");
            text.line(&"x".repeat(998));
            text.line(&format!(".{}", "y ".repeat(498)));
        }
        Kind::Empty => {
            text.part("text/plain; charset=us-ascii", "7bit");
        }
        Kind::EightBit => {
            text.part("text/plain; charset=utf-8", "8bit");
            text.line("Zażółć gęślą jaźń — 你好，世界 — 🐘");
            text.words(rng, 2);
        }
        Kind::QuotedPrintable => {
            text.part("text/plain; charset=iso-8859-1", "quoted-printable");
            text.line("Caf=E9 cr=E8me, a soft=");
            text.line(" break, an equals sign =3D and a trailing space=20");
        }
        Kind::Alternative => {
            let (outer, inner) = (format!("=_outer_{n}"), format!("=_inner_{n}"));
            text.line(&format!("Content-Type: multipart/mixed;\r\n boundary=\"{outer}\""));
            text.line("");
            text.line("This is a message in parts.");
            text.line(&format!("--{outer}"));
            text.line(&format!("Content-Type: multipart/alternative; boundary=\"{inner}\""));
            text.line("");
            text.line(&format!("--{inner}"));
            text.part("text/plain; charset=utf-8", "8bit");
            text.words(rng, 3);
            text.line(&format!("--{inner}"));
            text.part("text/html; charset=utf-8", "8bit");
            text.line("<p>gr&uuml;&szlig;e</p><script>alert('escaped?')</script>");
            text.line(&format!("--{inner}--"));
            text.line(&format!("--{outer}--"));
        }
        Kind::Attachment => {
            let boundary = format!("=_{n}");
            // Sizes from one byte to the profile's most, each power of two as likely; the first is the largest.
            let most = profile.max_attachment_bytes.max(1);
            let size = match n / KINDS.len() as u64 {
                0 => most,
                1 => 1,
                _ => {
                    let scale = 1 << rng.below(u64::from(most.ilog2()) + 1);
                    (scale + rng.below(scale)).min(most)
                }
            };
            text.line(&format!("Content-Type: multipart/mixed; boundary=\"{boundary}\""));
            text.line("");
            text.line(&format!("--{boundary}"));
            text.part("text/plain; charset=us-ascii", "7bit");
            text.words(rng, 1);
            text.line(&format!("--{boundary}"));
            // A suffix that mail servers take: many refuse `.bin`, and some forty others that programs have.
            text.line(&format!("Content-Disposition: attachment; filename=\"{size}.csv\""));
            text.part("application/octet-stream", "base64");
            let encoded = BASE64.encode(rng.bytes(size as usize));
            for line in encoded.as_bytes().chunks(76) {
                text.0.extend_from_slice(line);
                text.line("");
            }
            text.line(&format!("--{boundary}--"));
        }
        Kind::WhiteSpace => {
            text.part("text/plain; charset=us-ascii", "7bit");
            for line in ["From the start of a line", "trailing spaces   ", "\ttabs\t", "", "", "a form\u{c}feed", "\u{b}", ""] {
                text.line(line);
            }
        }
    }
}

/// A date in 2024, an hour and some seconds apart from one message to the next.
fn date(n: u64) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    // January 2024 began on a Monday.
    let day = n / 24 % 28;
    format!("{}, {:02} Jan 2024 {:02}:{:02}:{:02} +0000", DAYS[(day % 7) as usize], day + 1, n % 24, n % 60, n % 59)
}

#[derive(Default)]
struct Text(Vec<u8>);

impl Text {
    fn line(&mut self, line: &str) {
        self.0.extend_from_slice(line.as_bytes());
        self.0.extend_from_slice(b"\r\n");
    }

    /// The rest of a part's header, and the empty line that ends it.
    fn part(&mut self, content_type: &str, encoding: &str) {
        self.line(&format!("Content-Type: {content_type}"));
        self.line(&format!("Content-Transfer-Encoding: {encoding}"));
        self.line("");
    }

    fn words(&mut self, rng: &mut Rng, lines: usize) {
        for _ in 0..lines {
            let words: Vec<&str> = (0..8).map(|_| *rng.pick(&WORDS)).collect();
            self.line(&words.join(" "));
        }
    }
}
