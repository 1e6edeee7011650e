//! Counts how much of what there is was compared, from the store.

use std::collections::BTreeSet;

use recipe::inventory::{Class, Compared, Inventory};

use crate::coverage::{Coverage, Kind, LeftOut, Part};
use crate::declared;
use crate::error::Result;
use crate::rows::is_read;
use crate::store::{Evidence, FileCount, Login, ObservationId, RunFact};

/// What of an observation was compared with another.
pub(crate) fn read(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<Coverage> {
    let mut all = Vec::from_iter(unlisted(evidence)?);
    all.extend(files(evidence, before, after)?);
    all.push(tables(evidence, before, after)?);
    all.extend(mail(evidence, before, after)?);
    all.push(facts(evidence, before, after)?);
    all.retain(|part| part.total > 0);
    Ok(Coverage(all))
}

/// Adds what was tried before, and again at a stage.
pub(crate) fn add_trials(coverage: &mut Coverage, evidence: &Evidence, before: &str, stage: &str) -> Result<()> {
    let (tried, again) = (evidence.trials(before)?, evidence.trials(stage)?);
    let told = |trial: &_| again.iter().any(|a| a.trial == *trial && a.value.is_ok());
    let compared = tried.iter().filter(|t| told(&t.trial)).count() as u64;
    if !tried.is_empty() {
        coverage.0.push(Part::of(Kind::Trials, compared, tried.len() as u64));
    }
    Ok(())
}

/// The volumes that the inventory does not have. A declaration that cannot be read is a finding elsewhere.
pub(crate) fn unlisted_names(evidence: &Evidence) -> Result<BTreeSet<String>> {
    let unlisted: Option<BTreeSet<String>> = declared::optional(evidence, RunFact::UnlistedVolumes)?.unwrap_or(None);
    Ok(unlisted.unwrap_or_default())
}

/// Volumes, if there are some that the inventory does not have: nobody said what is in those.
pub(crate) fn unlisted(evidence: &Evidence) -> Result<Option<Part>> {
    // What cannot be read is a finding elsewhere.
    let inventory: Option<Inventory> = declared::optional(evidence, RunFact::Inventory)?.unwrap_or(None);
    let unlisted = unlisted_names(evidence)?;
    if unlisted.is_empty() {
        return Ok(None);
    }
    let known = inventory.map_or(0, |i| i.deployed().count()) as u64;
    let why = format!("not in inventory.toml: {}", unlisted.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
    let count = unlisted.len() as u64;
    Ok(Some(Part { left_out: vec![LeftOut { count, why }], ..Part::of(Kind::Volumes, known, known + count) }))
}

/// Entries of volumes by what a backup owes them. What could not be read, before or after, was not compared.
fn files(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<Vec<Part>> {
    let kind = |class| match class {
        Class::Durable => Kind::DurableFiles,
        Class::Valuable => Kind::ValuableFiles,
        Class::Cache | Class::Regenerated => Kind::OtherFiles,
    };
    // An inventory that cannot be read is a finding elsewhere.
    let inventory: Option<Inventory> = declared::optional(evidence, RunFact::Inventory)?.unwrap_or(None);
    let unread = evidence.durable_files_unread(before, after)?;
    let mut parts = [Kind::DurableFiles, Kind::ValuableFiles, Kind::OtherFiles].map(|kind| Part::of(kind, 0, 0));
    let unlisted = unlisted_names(evidence)?;
    for FileCount { volume, class, compared, entries } in evidence.file_counts(before)? {
        if unlisted.contains(&volume) {
            continue;
        }
        for part in parts.iter_mut().filter(|part| part.kind == kind(class)) {
            part.total += entries;
            if compared == Compared::No {
                part.left_out.push(LeftOut { count: entries, why: why_not(inventory.as_ref(), &volume, class) });
            } else {
                part.compared += entries;
            }
        }
    }
    parts[0].compared = parts[0].compared.saturating_sub(unread);
    Ok(parts.into())
}

/// Why files of a class are not compared, in the inventory's words.
fn why_not(inventory: Option<&Inventory>, volume: &str, class: Class) -> String {
    if !class.is_left_out() {
        return format!("volume {volume}: dumps that hooks write; what is in them is compared where it came from");
    }
    let of = inventory.into_iter().flat_map(|i| &i.volumes).filter(|v| v.name == volume);
    let reasons = of.flat_map(|v| {
        let paths = v.paths.iter().filter(|p| p.class == class).map(|p| p.why.as_str());
        (v.class == class).then_some(v.why.as_str()).into_iter().chain(paths)
    });
    let reasons: BTreeSet<&str> = reasons.collect();
    format!("volume {volume}, {class}: {}", reasons.into_iter().collect::<Vec<_>>().join(" "))
}

/// Tables, empty ones too: of a database that could not be read again, none was compared.
fn tables(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<Part> {
    let with_rows = evidence.row_counts(before)?;
    let mut part = Part::of(Kind::Tables, 0, 0);
    for database in evidence.databases()? {
        let of_rows = with_rows.iter().filter(|(of, ..)| *of == database).count();
        let n = evidence.tables(before, &database)?.len().max(of_rows) as u64;
        part.total += n;
        part.compared += if is_read(&evidence.checks(after, &database)?) { n } else { 0 };
    }
    Ok(part)
}

/// Folders, messages and scripts: what is behind a login that was not let in again was not compared.
fn mail(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<[Part; 3]> {
    let logins = evidence.accounts(after)?;
    let read = |account: &str| logins.iter().any(|(a, login)| a == account && *login == Login::Read);
    let mut parts = [Kind::Folders, Kind::Messages, Kind::Scripts].map(|kind| Part::of(kind, 0, 0));
    for (account, _) in evidence.accounts(before)? {
        let scripts = evidence.scripts(before, &account)?.map_or(0, |s| s.len() as u64);
        let folders = evidence.folders(before, &account)?.len() as u64;
        let totals = [folders, evidence.message_count(before, &account)?, scripts];
        let there = [read(&account), read(&account), evidence.scripts(after, &account)?.is_ok()];
        for ((part, n), there) in parts.iter_mut().zip(totals).zip(there) {
            part.total += n;
            part.compared += if there { n } else { 0 };
        }
    }
    Ok(parts)
}

fn facts(evidence: &Evidence, before: ObservationId, after: ObservationId) -> Result<Part> {
    let (old, new) = (evidence.facts(before)?, evidence.facts(after)?);
    let told = |fact: &str| new.iter().any(|n| n.fact == fact && n.value.is_some());
    let compared = old.iter().filter(|o| o.value.as_ref().is_some_and(|v| !v.is_empty()) && told(&o.fact)).count() as u64;
    Ok(Part::of(Kind::Facts, compared, old.len() as u64))
}
