//! What reads what others wrote, fed with any bytes: each target is a function that must not panic, must end, and whose own assertions
//! must hold. `tests/fuzz.rs` feeds them with a fixed number of mutated seeds; `make fuzz` has libFuzzer look for more.

use std::borrow::Cow;
use std::future::Future;

use futures_util::FutureExt as _;

mod bot_output;
mod databases;
mod doors;
mod judging;
mod recipes;
mod volumes;

/// A reader of what others wrote.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, which is that of its file in `fuzz_targets`.
    pub name: &'static str,
    /// Feeds it.
    pub feed: fn(&[u8]),
    /// What it reads well, and some of what is nearly so.
    pub seeds: &'static [&'static [u8]],
}

/// All of them.
pub static ALL: [Target; 19] = [
    recipes::COMPOSE,
    recipes::VARIABLE,
    recipes::ENV,
    recipes::HOOK,
    recipes::TOML,
    recipes::GLOB,
    volumes::NAME,
    volumes::LINES,
    volumes::ARCHIVE,
    bot_output::CONTRACT,
    bot_output::RESTIC,
    doors::SIEVE,
    doors::IMAP,
    doors::MESSAGE,
    doors::PAGE,
    databases::SQL,
    databases::REDIS,
    judging::WORDS,
    judging::EVIDENCE,
];

/// Bytes as text: most readers take text, and their callers make it so.
fn text(data: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(data)
}

/// What is before and after the first NUL.
fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}

/// The value of a future that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("all bytes are there, so nothing is waited for")
}
