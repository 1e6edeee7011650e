//! What a drill compared, by kind of check and with how many items, beside what its scenario declares. A run that compared
//! less than was declared cannot tell, however well the rest compares.

use recipe::scenario::Checks;

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::say::finding;
use crate::stage::BASELINE;
use crate::store::Evidence;

/// Where a run keeps what its scenario declares.
pub const DECLARED: &str = "checks";

/// What of the baseline an observation is held against; trials count where they were made.
pub fn performed(evidence: &Evidence, stage: &str) -> Result<Checks> {
    let mut checks = Checks::new();
    let mut add = |what: String, n: u64| *checks.entry(what).or_default() += n;
    let Some(before) = evidence.completed(BASELINE)? else { return Ok(checks) };
    for (account, _) in evidence.accounts(before)? {
        add("logins over IMAP".into(), 1);
        add("folders".into(), evidence.folders(before, &account)?.len() as u64);
        add("messages".into(), evidence.message_count(before, &account)?);
        add("sieve scripts".into(), evidence.scripts(before, &account)?.map_or(0, |s| s.len() as u64));
        add("quotas".into(), u64::from(evidence.quota(before, &account)?.is_some()));
    }
    for database in evidence.databases()? {
        add(format!("database {database}"), u64::from(!evidence.checks(before, &database)?.is_empty()));
    }
    for (database, table, n) in evidence.row_counts(before)? {
        add(format!("rows of {database}, {table}"), n);
    }
    for (volume, whole, n) in evidence.file_kinds(before)? {
        add(format!("{} of {volume}", if whole { "files" } else { "owners and modes" }), n);
    }
    for fact in evidence.facts(before)? {
        add(format!("fact {}", fact.fact), u64::from(fact.value.is_some()));
    }
    for (volume, n) in evidence.audited()? {
        add(format!("snapshot of {volume}"), n);
    }
    if !evidence.not_tried(stage)? {
        for trial in evidence.trials(BASELINE)? {
            add(format!("{TRIAL}{}", kind_of(&trial.trial)), 1);
        }
    }
    checks.retain(|_, n| *n > 0);
    Ok(checks)
}

/// The check that an item is of.
pub fn of(item: &Item, performed: &Checks) -> String {
    match item {
        Item::Account { .. } => "logins over IMAP".into(),
        Item::Folder { .. } => "folders".into(),
        Item::Message { .. } => "messages".into(),
        Item::Script { .. } => "sieve scripts".into(),
        Item::Database { database } => format!("database {database}"),
        Item::Row { database, table, .. } => format!("rows of {database}, {table}"),
        Item::File { volume, .. } => {
            let (whole, who) = (format!("files of {volume}"), format!("owners and modes of {volume}"));
            if performed.contains_key(&who) && !performed.contains_key(&whole) { who } else { whole }
        }
        Item::Snapshot { volume, .. } => format!("snapshot of {volume}"),
        Item::Fact { fact } => format!("fact {fact}"),
        Item::Trial { trial } => format!("{TRIAL}{}", kind_of(trial)),
        Item::Step { step } => format!("step {step}"),
        Item::Observation { what } => what.clone(),
    }
}

const TRIAL: &str = "trial: ";

/// A trial without whom it is about: addresses and domains are the corpus' own.
fn kind_of(trial: &str) -> String {
    // What is quoted is the corpus' own too.
    let (mut text, quoted) = (String::new(), trial.split('"'));
    for (at, part) in quoted.enumerate() {
        text += if at % 2 == 0 { part } else { "…" };
    }
    let word = |word: &str| {
        let bare = word.trim_end_matches([',', '.', ':']).trim_end_matches("'s");
        if bare.contains(['@', '.']) { word.replace(bare, "…") } else { word.to_owned() }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// What was declared and not compared, or fewer of it.
pub(super) fn missing(evidence: &Evidence, stage: &str) -> Result<Vec<Finding>> {
    let declared: Checks = evidence.get(DECLARED)?.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let performed = performed(evidence, stage)?;
    let untried = evidence.not_tried(stage)?;
    let short = declared.iter().filter(|(what, _)| !(untried && what.starts_with(TRIAL))).filter_map(|(what, least)| {
        let n = performed.get(what).copied().unwrap_or_default();
        (n < *least).then(|| {
            let item = Item::Observation { what: format!("check {what:?}") };
            finding(item, Outcome::Unread, None, format!("at least {least} are declared, {n} were compared"))
        })
    });
    Ok(short.collect())
}

/// As `checks.toml` has them.
pub fn text(checks: &Checks) -> String {
    let line = |(what, n): (&String, &u64)| format!("{} = {n}\n", toml::Value::from(what.as_str()));
    checks.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_trial_names_nobody() {
        for (trial, kind) in [
            ("login of u01@mail.test over POP3", "login of … over POP3"),
            ("mail from a@mail.test, signed for xn--bcher-kva.example", "mail from …, signed for …"),
            ("mail that u01@mail.test's filter files", "mail that …'s filter files"),
            ("login of u01@mail.test with its token \"laptop, at home\"", "login of … with its token …"),
        ] {
            assert_eq!(kind_of(trial), kind);
        }
    }

    #[test]
    fn fewer_than_declared_are_unknown() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let baseline = evidence.observation(BASELINE).expect("an observation");
        let rows = [crate::store::RowSeen { database: "m.db".into(), table: "t".into(), key: "1".into(), columns: "{}".into() }];
        evidence.put_rows(baseline, "m.db", &[], &rows).expect("stored");
        evidence.complete(baseline).expect("stored");
        let missing = |declared: &str| {
            evidence.set(DECLARED, declared).expect("stored");
            missing(&evidence, "restored").expect("judged")
        };
        assert_eq!(missing("{\"rows of m.db, t\": 1}"), []);
        let found = missing("{\"rows of m.db, t\": 2, \"messages\": 1}");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].outcome, Outcome::Unread);
        assert_eq!(found[1].to_string(), "check \"rows of m.db, t\": unread: at least 2 are declared, 1 were compared");
    }
}
