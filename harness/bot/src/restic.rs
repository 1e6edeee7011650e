//! restic: how it is run, and what it prints with `--json`, as far as it is needed.

use serde_json::Value;
use tokio::process::Command;

use crate::contract;

/// restic with some arguments; its password is in the contract's file unless a variable says otherwise.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("restic");
    if std::env::var_os("RESTIC_PASSWORD_FILE").is_none() {
        command.env("RESTIC_PASSWORD_FILE", contract::PASSWORD_FILE);
    }
    command.args(arguments).kill_on_drop(true);
    command
}

/// Runs restic and gives what it printed; its error is its own words.
pub(crate) async fn run(arguments: &[&str]) -> Result<String, String> {
    let output = command(arguments).output().await.map_err(|e| format!("restic cannot be run: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(said(&format!("restic {}", arguments.first().unwrap_or(&"")), &output.stderr))
}

/// A program's own words: the first lines, as what follows an error may be a stack trace, and the last, as what goes before it may
/// be a row of attempts.
pub(crate) fn said(program: &str, stderr: &[u8]) -> String {
    const EACH: usize = 5;
    let text = String::from_utf8_lossy(stderr);
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.len() > 2 * EACH {
        lines.drain(EACH..lines.len() - EACH);
    }
    format!("{program}: {}", lines.join(" / "))
}

/// A snapshot in restic's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its whole id.
    pub id: String,
    /// When it was created.
    pub time: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Snapshot {
    /// The first eight characters of its id, by which restic knows it too.
    pub fn short(&self) -> String {
        self.id.chars().take(8).collect()
    }
}

/// The snapshots that `snapshots` lists, oldest first; with `stack` those of that stack. One without an id is none.
pub fn snapshots(json: &str, stack: Option<&str>) -> Result<Vec<Snapshot>, String> {
    let listed: Vec<Value> = serde_json::from_str(json).map_err(|e| format!("restic snapshots: {e}"))?;
    let one = |s: &Value| {
        let tags = s["tags"].as_array().into_iter().flatten().filter_map(|t| t.as_str().map(str::to_owned)).collect();
        Some(Snapshot { id: s["id"].as_str()?.to_owned(), time: s["time"].as_str().unwrap_or_default().to_owned(), tags })
    };
    let all = listed.iter().filter_map(one);
    let prefix = stack.map(|stack| format!("{stack}:"));
    let wanted = |s: &Snapshot| prefix.as_ref().is_none_or(|prefix| s.tags.iter().any(|t| t.starts_with(prefix)));
    Ok(all.filter(wanted).collect())
}

/// An entry of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `file`, `dir`, `symlink`, ….
    pub kind: String,
    /// Its path.
    pub path: String,
    /// When it was last modified.
    pub mtime: String,
    /// In bytes, where it has a size.
    pub size: Option<u64>,
}

/// The entries that `ls` lists, one a line. Other lines are left out, such as the first, which is about the snapshot.
pub fn nodes(lines: &str) -> impl Iterator<Item = Node> + '_ {
    lines.lines().filter_map(|line| {
        let node: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| node[key].as_str().map(str::to_owned);
        Some(Node {
            kind: text("type")?,
            path: text("path")?,
            mtime: text("mtime").unwrap_or_default(),
            size: node["size"].as_u64(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshots_of_a_stack_are_those_with_its_tag() {
        let json = r#"[{"id": "aaaaaaaa11", "time": "2026-11-24", "tags": ["s:1"]}, {"id": "bbbbbbbb22", "tags": ["st:1", "x"]}, {"tags": []}]"#;
        let ids = |stack| snapshots(json, stack).expect("a list").into_iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(None), ["aaaaaaaa11", "bbbbbbbb22"]);
        assert_eq!(ids(Some("s")), ["aaaaaaaa11"]);
        assert_eq!(snapshots(json, None).expect("a list")[0].short(), "aaaaaaaa");
        assert!(snapshots("{}", None).expect_err("no list").starts_with("restic snapshots: "));
    }

    #[test]
    fn an_id_that_is_no_hexadecimal_number_is_cut_between_characters() {
        let found = snapshots(r#"[{"id": "aaaaaaaé"}, {"id": "é"}]"#, None).expect("a list");
        assert_eq!(found.iter().map(Snapshot::short).collect::<Vec<_>>(), ["aaaaaaaé", "é"]);
    }

    #[test]
    fn what_is_no_entry_is_left_out() {
        let lines = "{\"struct_type\": \"snapshot\"}\n{\"type\": \"file\", \"path\": \"/a b\", \"size\": 3, \"mtime\": \"m\"}\nno JSON\n{\"type\": \"dir\", \"path\": \"/\"}\n";
        let node =
            |kind: &str, path: &str, mtime: &str, size| Node { kind: kind.into(), path: path.into(), mtime: mtime.into(), size };
        assert_eq!(nodes(lines).collect::<Vec<_>>(), [node("file", "/a b", "m", Some(3)), node("dir", "/", "", None)]);
    }
}
