//! The mail queue, as `postqueue -j` lists it: what was accepted and not yet delivered.

use engine::Engine;
use recipe::scenario::Queue;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::stack::deploy::Stack;

/// A message in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Queued {
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

fn parse(text: &str) -> Result<Vec<Queued>> {
    let one = |line: &str| {
        serde_json::from_str(line)
            .map_err(|e| Error::Unknown(format!("listing the mail queue: expected JSON, found {line:?}: {e}")))
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(one).collect()
}

/// The content of a queue in words: names of files and times are the queue's own and change.
pub fn content(queue: &[Queued]) -> String {
    let mut lines: Vec<String> = queue
        .iter()
        .map(|q| {
            let to: Vec<&str> = q.recipients.iter().map(|r| r.address.as_str()).collect();
            format!("{} to {}, {} bytes", q.sender, to.join(" "), q.message_size)
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
        assert_eq!(content(&queue), " to a@mail.test, 3 bytes; a@mail.test to b@relayed.example, 345 bytes");
        assert!(queue[0].is_held() && queue[0].is_for("b@relayed.example") && !queue[1].is_held());
        assert!(parse("postqueue: fatal").expect_err("no JSON").to_string().contains("postqueue: fatal"));
    }
}
