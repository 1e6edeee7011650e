//! What a run stored, read again by another version of the program, after a crash, or edited: the judge never holds what it cannot
//! read.

use std::cell::RefCell;

use judge::model::{BotStep, Cause, Finding, MessageId, Status, TrialKind, Verdict};
use judge::store::{Evidence, FactSeen, RowSeen, RunFact};
use judge::{BASELINE, RESTORED, meaning};
use tempfile::TempDir;

use super::{Target, halves, text};

/// Names of checks, of trials and of messages; findings and verdicts in JSON.
pub const WORDS: Target = Target {
    name: "words",
    feed: words,
    seeds: &[
        b"rows of m.db: user",
        "trial: login of … over POP3".as_bytes(),
        "new user … gets mail from …".as_bytes(),
        b"live-3",
        b"volume v, file a/b: altered (bytes): was aa, is bb",
        b"{\"status\":\"broken\",\"counts\":{},\"findings\":[{\"item\":{\"kind\":\"file\",\"volume\":\"v\",\"path\":\"p\"},\"outcome\":\"lost\",\"property\":null,\"detail\":\"\"}]}",
    ],
};

fn words(data: &[u8]) {
    let text = text(data);
    if let Ok(check) = text.parse::<judge::checks::Check>() {
        assert_eq!(check.to_string(), text);
    }
    if let Ok(kind) = text.parse::<TrialKind>() {
        assert_eq!(kind.to_string(), text);
    }
    if let Ok(id) = text.parse::<MessageId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    let _ = (text.parse::<BotStep>(), text.parse::<Cause>());
    let _ = meaning::find(&text);
    if let Ok(finding) = serde_json::from_str::<Finding>(&text) {
        let again = serde_json::to_string(&finding).expect("JSON");
        assert_eq!(serde_json::from_str::<Finding>(&again).ok(), Some(finding));
    }
    if let Ok(verdict) = serde_json::from_str::<Verdict>(&text) {
        let _ = serde_json::to_string(&verdict).expect("JSON");
    }
}

/// A fact of the run, whose number the first byte is, and the columns of a row before and after, with NULs between.
pub const EVIDENCE: Target = Target {
    name: "evidence",
    feed: evidence,
    seeds: &[
        b"\x08{\"messages\": 1}\0{\"a\": 1}\0{\"a\": 2}",
        b"\x0d{\"volume\": []}\0{\"a\": {\"blob\": \"00\"}}\0[]",
        b"\x12{\"phase\":\"wipe\",\"why\":\"x\",\"restored\":false}\0{}\0{}",
        b"\x13{\"f\": \"why\"}\0\0",
        b"\x14[1, 2]\0{\"a\": \"x\"}\0{\"a\": \"y\"}",
        b"\x07{\"database\":\"m.db\",\"table\":\"user\"}\0{}\0{}",
    ],
};

thread_local! {
    static RUN: RefCell<Option<(TempDir, Evidence)>> = const { RefCell::new(None) };
}

/// The evidence of one run for all inputs: what was observed is replaced.
fn run() -> (TempDir, Evidence) {
    let dir = tempfile::tempdir().expect("a directory");
    let evidence = Evidence::create(dir.path()).expect("evidence");
    (dir, evidence)
}

fn evidence(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let (declared, rows) = halves(rest);
    let (before, after) = halves(rows);
    let declared = text(declared);
    let fact = RunFact::ALL[usize::from(*choice & 0x7f) % RunFact::ALL.len()];
    let lost = *choice < 0x80;
    let must_be_read = [RunFact::Checks, RunFact::MayBeEmpty, RunFact::Ended, RunFact::LiveBackup, RunFact::Inventory];
    let unreadable = must_be_read.contains(&fact) && serde_json::from_str::<serde_json::Value>(&declared).is_err();
    RUN.with_borrow_mut(|kept| {
        let (_, evidence) = kept.get_or_insert_with(run);
        evidence.set(RunFact::Databases, "m.db").expect("stored");
        evidence.set(RunFact::Checks, "{}").expect("stored");
        evidence.set(RunFact::Ended, "null").expect("stored");
        let (is, after) = if lost { ("gone", after) } else { ("there", before) };
        for (name, columns, value) in [(BASELINE, before, "there"), (RESTORED, after, is)] {
            let o = evidence.observation(name).expect("an observation");
            let columns = text(columns).into_owned();
            let row = RowSeen { database: "m.db".into(), table: "user".into(), key: "1".into(), columns };
            evidence.put_rows(o, "m.db", &[("file".into(), "readable".into())], &[row]).expect("stored");
            evidence.put_facts(o, &[FactSeen { fact: "f".into(), value: Some(value.into()) }]).expect("stored");
            evidence.complete(o).expect("stored");
        }
        let was = evidence.get(fact).expect("read");
        evidence.set(fact, &declared).expect("stored");
        // An error says that it could not be judged.
        if let Ok(verdict) = judge::judge(evidence, RESTORED) {
            assert!(verdict.status != Status::Held || !(lost || unreadable), "{fact:?}: {declared:?}");
        }
        let _ = judge::checks::performed(evidence, RESTORED);
        let _ = judge::audited(evidence);
        // What was not stored is as if it were not there.
        evidence.set(fact, was.as_deref().unwrap_or("null")).expect("stored");
    });
}
