//! What a drill compared, by kind of check and with how many items, beside what its scenario declares. A run that compared
//! less than its scenario declares is unknown, however well the rest compares.

use std::collections::{BTreeMap, BTreeSet};

use recipe::inventory::Compared;
use recipe::scenario::Checks as Declared;

pub use crate::check::{Check, NotACheck};
use crate::declared;
use crate::ended::Ended;
use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::rows::is_read;
use crate::say::finding;
use crate::secrets::Secrets;
use crate::stage::BASELINE;
use crate::store::{Evidence, RunFact};

/// How many items of each kind of check were compared.
pub type Performed = BTreeMap<Check, u64>;

/// What of the baseline an observation is compared with. Trials count where they were made. Nothing is where the observation was
/// not completed, or the run ended before its end.
pub fn performed(evidence: &Evidence, stage: &str) -> Result<Performed> {
    let mut checks = Performed::new();
    let mut add = |check: Check, n: u64| *checks.entry(check).or_default() += n;
    let Some(before) = evidence.completed(BASELINE)? else { return Ok(checks) };
    if evidence.completed(stage)?.is_none() || !matches!(Ended::read(evidence), Ok(None)) {
        return Ok(checks);
    }
    for (account, _) in evidence.accounts(before)? {
        add(Check::Logins, 1);
        add(Check::Folders, evidence.folders(before, &account)?.len() as u64);
        add(Check::Messages, evidence.message_count(before, &account)?);
        add(Check::Scripts, evidence.scripts(before, &account)?.map_or(0, |s| s.len() as u64));
        add(Check::Quotas, u64::from(evidence.quota(before, &account)?.is_some()));
    }
    for database in evidence.databases()? {
        let checked = is_read(&evidence.checks(before, &database)?);
        for (what, n) in evidence.object_counts(before, &database)? {
            add(Check::Objects { database: database.clone(), what }, n);
        }
        add(Check::Database(database), u64::from(checked));
    }
    for (database, table, n) in evidence.row_counts(before)? {
        add(Check::Rows { database, table }, n);
    }
    for count in evidence.file_counts(before)?.into_iter().filter(|c| c.compared != Compared::No) {
        add(Check::Files(count.volume), count.entries);
    }
    for fact in evidence.facts(before)? {
        add(Check::Fact(fact.fact), u64::from(fact.value.is_some()));
    }
    for (service, n) in evidence.key_counts(before)? {
        add(Check::Keys(service), n);
    }
    add(Check::Mounts, evidence.number(RunFact::Mounts)?.unwrap_or_default());
    // A new value shows something only where what it does to the app was tried.
    if !evidence.not_tried(stage)? {
        // What cannot be read is a finding elsewhere.
        let secrets: Option<Secrets> = declared::optional(evidence, RunFact::Secrets)?.unwrap_or(None);
        add(Check::Secrets, secrets.map_or(0, |s| s.renewed.len() as u64));
    }
    // An audit that ended before it was complete did not see all of any volume.
    if evidence.get(RunFact::Audit)?.is_some() {
        for (volume, n) in evidence.audited()? {
            add(Check::Snapshot(volume), n);
        }
    }
    if !evidence.not_tried(stage)? {
        for seen in evidence.trials(BASELINE)? {
            add(Check::Trial(seen.trial.kind), 1);
        }
    }
    checks.retain(|_, n| *n > 0);
    Ok(checks)
}

/// How what is unread begins where fewer items were compared than `checks.toml` declares.
const COUNTED: &str = "check ";

/// Whether an item is a check of which fewer items were compared than declared. Whatever is lost may be why.
pub(crate) fn is_counted(item: &Item) -> bool {
    matches!(item, Item::Observation { what } if what.starts_with(COUNTED))
}

/// What was declared and not compared, or fewer of it than was declared.
pub(super) fn missing(evidence: &Evidence, stage: &str) -> Result<Vec<Finding>> {
    let declared: Declared = match declared::required(evidence, RunFact::Checks)? {
        Ok(declared) => declared,
        Err(unread) => return Ok(vec![unread]),
    };
    let performed = performed(evidence, stage)?;
    let untried = evidence.not_tried(stage)?;
    let unread = |name: &str, detail| {
        let item = Item::Observation { what: format!("{COUNTED}{name:?}") };
        finding(item, Outcome::Unread, None, detail)
    };
    let short = declared.iter().filter_map(|(name, least)| {
        let Ok(check) = name.parse::<Check>() else {
            return Some(unread(name, "checks.toml declares it, and there is no check of this name".into()));
        };
        if untried && matches!(check, Check::Trial(_) | Check::Secrets) {
            return None;
        }
        let n = performed.get(&check).copied().unwrap_or_default();
        (n < *least).then(|| unread(name, format!("checks.toml declares at least {least}, {n} were compared")))
    });
    Ok(short.collect())
}

/// As `checks.toml` has them, by name.
pub fn text(checks: &Performed) -> String {
    let lines: BTreeSet<String> =
        checks.iter().map(|(check, n)| format!("{} = {n}\n", toml::Value::from(check.to_string()))).collect();
    lines.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::RESTORED;

    #[test]
    fn fewer_than_declared_are_unknown() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let baseline = evidence.observation(BASELINE).expect("an observation");
        let rows = [crate::store::RowSeen { database: "m.db".into(), table: "t".into(), key: "1".into(), columns: "{}".into() }];
        evidence.put_rows(baseline, "m.db", &[], &rows).expect("stored");
        evidence.complete(baseline).expect("stored");
        let restored = evidence.observation(RESTORED).expect("an observation");
        evidence.complete(restored).expect("stored");
        let missing = |declared: &str| {
            evidence.set(RunFact::Checks, declared).expect("stored");
            missing(&evidence, RESTORED).expect("judged")
        };
        assert_eq!(missing("{\"rows of m.db, t\": 1}"), []);
        let found = missing("{\"rows of m.db, t\": 2, \"messages\": 1}");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].outcome, Outcome::Unread);
        assert_eq!(found[1].to_string(), "check \"rows of m.db, t\": unread: checks.toml declares at least 2, 1 were compared");
        let found = missing("{\"mesages\": 1}");
        let expected = "check \"mesages\": unread: checks.toml declares it, and there is no check of this name";
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn checks_are_written_by_name() {
        let rows = |table: &str| Check::Rows { database: "m.db".into(), table: table.into() };
        let checks = Performed::from([(Check::Messages, 3), (rows("b"), 2), (rows("a"), 1), (Check::Files("v".into()), 4)]);
        assert_eq!(text(&checks), "\"files of v\" = 4\n\"messages\" = 3\n\"rows of m.db, a\" = 1\n\"rows of m.db, b\" = 2\n");
    }
}
