//! The mail queue, as `postqueue -j` lists it: what was accepted and not yet delivered.

use engine::Engine;
use engine::exec::{Call, Containers as _};
use recipe::scenario::Queue;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, ReadingError, Result};
use crate::stack::deploy::Stack;

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Queued {
    /// Its id; another one after a restore.
    #[serde(default)]
    pub queue_id: String,
    /// The SHA-256 of header and body, in hexadecimal digits, if it was asked for.
    #[serde(skip)]
    pub sha256: Option<String>,
    /// `active`, `deferred`, `hold`, ….
    pub queue_name: String,
    /// In bytes.
    pub message_size: u64,
    /// The envelope's sender.
    pub sender: String,
    /// The envelope's recipients that are left.
    pub recipients: Vec<Recipient>,
}

/// A recipient of a message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// Why it was not delivered the last time.
    #[serde(default)]
    pub delay_reason: String,
}

impl Queued {
    /// Whether it stays where it is until somebody releases it.
    pub fn is_held(&self) -> bool {
        self.queue_name == "hold"
    }

    /// Whether it is for that address.
    pub fn is_for(&self, address: &str) -> bool {
        self.recipients.iter().any(|r| r.address == address)
    }
}

/// What is in the queue.
pub async fn list(engine: &Engine, stack: &Stack, queue: &Queue) -> Result<Vec<Queued>> {
    let output = engine.exec(&stack.service(&queue.service), &queue.command, &[], None).await?.ok("listing the mail queue")?;
    parse(&output.stdout)
}

/// The same, each with the hash of its content, where the scenario says how it is read.
pub async fn list_whole(engine: &Engine, stack: &Stack, queue: &Queue) -> Result<Vec<Queued>> {
    let mut all = list(engine, stack, queue).await?;
    for queued in all.iter_mut().filter(|_| !queue.content.is_empty()) {
        let command: Vec<String> = queue.content.iter().map(|word| word.replace("{id}", &queued.queue_id)).collect();
        let mut hash = Sha256::new();
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let call = Call { service: &stack.service(&queue.service), command: &words, env: &[], stdin: None };
        engine.run(call, &mut |bytes| hash.update(bytes)).await?.ok("reading a message in the mail queue")?;
        queued.sha256 = Some(hex::encode(hash.finalize()));
    }
    Ok(all)
}

/// What the server's list says, one message in JSON a line.
pub fn parse(text: &str) -> Result<Vec<Queued>> {
    let one = |line: &str| {
        serde_json::from_str(line)
            .map_err(|e| Error::from(ReadingError::form("listing the mail queue", format!("JSON ({e})"), line)))
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(one).collect()
}

/// The content of a queue in words: names of files and times are the queue's own and change.
pub fn content(queue: &[Queued]) -> String {
    let mut lines: Vec<String> = queue
        .iter()
        .map(|q| {
            let to: Vec<&str> = q.recipients.iter().map(|r| r.address.as_str()).collect();
            let hash = q.sha256.as_ref().map_or_else(String::new, |hash| format!(", SHA-256 {hash}"));
            let held = if q.is_held() { ", on hold" } else { "" };
            format!("{} to {}, {} bytes{hash}{held}", q.sender, to.join(" "), q.message_size)
        })
        .collect();
    lines.sort();
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_told_without_what_changes_by_itself() {
        let text = r#"{"queue_name": "hold", "queue_id": "4D2", "arrival_time": 1, "message_size": 345, "forced_expire": false, "sender": "a@mail.test", "recipients": [{"address": "b@relayed.example", "delay_reason": "refused"}]}
{"queue_name": "active", "queue_id": "4D3", "arrival_time": 1, "message_size": 3, "sender": "", "recipients": [{"address": "a@mail.test"}]}
"#;
        let queue = parse(text).expect("a queue");
        assert_eq!(content(&queue), " to a@mail.test, 3 bytes; a@mail.test to b@relayed.example, 345 bytes, on hold");
        assert_eq!(queue[0].queue_id, "4D2");
        let whole: Vec<Queued> = queue.iter().cloned().map(|q| Queued { sha256: Some("aa".into()), ..q }).collect();
        assert_eq!(content(&whole[1..]), " to a@mail.test, 3 bytes, SHA-256 aa");
        assert!(queue[0].is_held() && queue[0].is_for("b@relayed.example") && !queue[1].is_held());
        assert!(parse("postqueue: fatal").expect_err("no JSON").to_string().contains("postqueue: fatal"));
    }
}
