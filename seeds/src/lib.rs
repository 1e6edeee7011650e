//! The corpus of a drill: accounts and messages as a pure function of (seed, profile).
//!
//! Nothing here does I/O or reads a clock. [`Corpus::message`] computes any one
//! message on its own, so a corpus of any size is streamed, never held; the same
//! seed and profile give the same bytes on every machine and in every version
//! (`tests/golden.rs` pins them). Every address is in a domain reserved by
//! RFC 2606 or RFC 6761.

mod accounts;
mod message;
mod person;
mod profile;
mod rng;
mod script;

pub use accounts::{Accounts, Alias, Domain, Fetch, RELAY, RELAYED, Relay, Token, User};
pub use message::{ITEM_HEADER, Kind, Message, Placement};
pub use person::Person;
pub use profile::{Profile, ProfileError};
pub use script::Script;

/// The synthetic data of one run.
#[derive(Debug, Clone)]
pub struct Corpus {
    seed: u64,
    profile: Profile,
    accounts: Accounts,
}

impl Corpus {
    /// The corpus of `seed` in the shape of `profile`.
    pub fn new(seed: u64, profile: Profile) -> Self {
        let accounts = Accounts::generate(seed, &profile);
        Self { seed, profile, accounts }
    }

    /// Everything that admin holds: domains, users, aliases, relays.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The number of messages to submit; deliveries are more, as some have several recipients.
    pub fn len(&self) -> u64 {
        self.profile.messages
    }

    /// Whether the profile asks for no messages.
    pub fn is_empty(&self) -> bool {
        self.profile.messages == 0
    }

    /// Message `n` (0-based), whole. Independent of every other message, except
    /// that a twin takes the Message-ID of the message before it.
    pub fn message(&self, n: u64) -> Message {
        message::generate(self.seed, &self.profile, &self.accounts, n)
    }

    /// The numbers of all messages, by sender: the place among [`Accounts::mailboxes`]. Computes no message.
    pub fn by_sender(&self) -> Vec<Vec<u64>> {
        let mut numbers = vec![Vec::new(); self.accounts.mailboxes().len()];
        for n in 0..self.len() {
            numbers[message::sender(self.seed, &self.accounts, n)].push(n);
        }
        numbers
    }

    /// All messages in order, computed one at a time.
    pub fn messages(&self) -> impl Iterator<Item = Message> + '_ {
        (0..self.len()).map(|n| self.message(n))
    }

    /// What is done with one delivered message once it is in `mailbox`'s INBOX.
    pub fn placement(&self, n: u64, mailbox: &str) -> Placement {
        message::place(self.seed, n, mailbox)
    }

    /// The sieve scripts of an account; one of them is active.
    pub fn scripts(&self, account: &str) -> Vec<Script> {
        script::generate(self.seed, account)
    }

    /// The List-Id (RFC 2919) of the mail that an account's active script files, and the folder it goes to.
    pub fn list(&self, account: &str) -> (String, &'static str) {
        (script::list(self.seed, account), script::FILED)
    }

    /// The `n`-th person whom a user knows.
    pub fn person(&self, account: &str, n: u32) -> Person {
        person::generate(self.seed, account, n)
    }

    /// The folders that every mailbox is given, as paths from the root.
    pub fn folders(&self) -> &'static [&'static [&'static str]] {
        message::FOLDERS
    }
}
