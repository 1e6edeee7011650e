//! Sabotage: faults committed on purpose, each with exactly the findings it must cause.
//! A check that no sabotage turns red is not known to check anything.
//!
//! [`catalogue`] lists them. One of them strikes a whole drill (`run --sabotage`), or all of a group strike one
//! deployment in turn ([`run`]), between fault-free twins that must hold.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use judge::BASELINE;
use judge::model::{Finding, Item, Outcome};
use judge::store::ObservationId;
use recipe::scenario::{self, Scenario};
use seeds::Corpus;
use serde::Serialize;

use crate::drill::Drill;
use crate::drill::proof::{BackedUp, Baseline, Restarted, Wiped};
use crate::error::{Error, Result};
use crate::stack::deploy::{Change, Edit};

pub mod backup;
pub mod behaviour;
pub mod content;
pub mod labels;
pub mod restore;
pub mod run;

/// The scenario that the catalogue strikes: it knows where its services keep what.
pub const SCENARIO: &str = "mailu";
/// Its databases.
pub(crate) const MAILU: &str = "main.db";
pub(crate) const ROUNDCUBE: &str = "roundcube.db";

/// Where a sabotage strikes; those of one group share a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// The recipe's labels.
    Labels,
    /// The backup and the repository.
    Backup,
    /// The wipe and the restore.
    Restore,
    /// What was restored.
    Content,
}

impl Group {
    /// All of them, in the order of a drill.
    pub const ALL: [Self; 4] = [Self::Labels, Self::Backup, Self::Restore, Self::Content];
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Labels => "labels",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Content => "content",
        })
    }
}

/// A fault.
#[derive(Debug)]
pub struct Sabotage {
    /// The name on the command line.
    pub name: &'static str,
    /// What is done, in a line.
    pub what: &'static str,
    deed: Deed,
}

#[derive(Debug)]
enum Deed {
    Label(&'static labels::Mistake),
    Backup(backup::Deed),
    Restore(restore::Deed),
    Content(content::Deed),
    Behaviour(behaviour::Deed),
    /// One that the scenario declares.
    Declared(&'static scenario::Mistake),
}

static CATALOGUE: LazyLock<Vec<Sabotage>> = LazyLock::new(|| {
    let labels = labels::MISTAKES.iter().map(|m| Sabotage { name: m.name, what: m.what, deed: Deed::Label(m) });
    let backup = backup::DEEDS.iter().map(|(name, what, deed)| Sabotage { name, what, deed: Deed::Backup(*deed) });
    let restore = restore::DEEDS.iter().map(|(name, what, deed)| Sabotage { name, what, deed: Deed::Restore(*deed) });
    let content = content::DEEDS.iter().map(|(name, what, deed)| Sabotage { name, what, deed: Deed::Content(*deed) });
    let behaviour = behaviour::DEEDS.iter().map(|(name, what, deed)| Sabotage { name, what, deed: Deed::Behaviour(*deed) });
    labels.chain(backup).chain(restore).chain(content).chain(behaviour).collect()
});

/// Every sabotage, by group.
pub fn catalogue() -> &'static [Sabotage] {
    &CATALOGUE
}

/// The sabotages of a scenario: the catalogue, which strikes Mailu, or those that it declares.
pub fn of(scenario: &Scenario) -> Vec<&'static Sabotage> {
    if scenario.name == SCENARIO {
        return catalogue().iter().collect();
    }
    let declared = |mistake: &scenario::Mistake| -> &'static Sabotage {
        // A few, once a process: what is on the command line lives as long as it.
        let mistake: &'static scenario::Mistake = Box::leak(Box::new(mistake.clone()));
        Box::leak(Box::new(Sabotage { name: &mistake.name, what: &mistake.what, deed: Deed::Declared(mistake) }))
    };
    scenario.spec.sabotages.iter().map(declared).collect()
}

/// The sabotage of that name among a scenario's; the error knows the nearest one.
pub fn find(all: &[&'static Sabotage], name: &str) -> Result<&'static Sabotage> {
    all.iter().copied().find(|s| s.name == name).ok_or_else(|| {
        let nearest = all.iter().map(|s| s.name).min_by_key(|n| strsim::damerau_levenshtein(n, name));
        let hint = nearest.map_or_else(|| "the scenario declares none".to_owned(), |n| format!("did you mean {n}?"));
        Error::Usage(format!("no such sabotage: {name:?}; {hint} `restore-drill sabotage --list SCENARIO` lists them"))
    })
}

/// Of globs those that match no finding, and the findings that none matches.
pub fn uncovered<'a>(globs: &'a BTreeSet<String>, found: &'a BTreeSet<String>) -> (Vec<&'a String>, Vec<&'a String>) {
    let missed = globs.iter().filter(|g| !found.iter().any(|f| recipe::glob::matches(g, f)));
    let more = found.iter().filter(|f| !globs.iter().any(|g| recipe::glob::matches(g, f)));
    (missed.collect(), more.collect())
}

/// What a finding says, without its prose.
pub fn line(item: &Item, outcome: Outcome, property: Option<&str>) -> String {
    property.map_or_else(|| format!("{item}: {outcome}"), |p| format!("{item}: {outcome} ({p})"))
}

/// What findings say, without their prose.
pub fn essence(findings: &[Finding]) -> BTreeSet<String> {
    findings.iter().map(|f| line(&f.item, f.outcome, f.property.as_deref())).collect()
}

/// State that is not back as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Every folder, message and script, behind logins that work.
    Mail,
    /// Every row of Mailu's database, and every login with them.
    Database,
    /// Every row of the webmail's: address books, identities, preferences.
    AddressBooks,
    /// Users' PGP keys.
    PgpKeys,
    /// The DKIM keys.
    Dkim,
    /// Mailu's `instance`, of which a fresh deployment makes its own.
    Instance,
    /// What Redis holds.
    Training,
    /// The mail in the queue, or that it is there once.
    Queue,
}

impl Lost {
    pub(crate) const ALL: &'static [Self] =
        &[Self::Database, Self::AddressBooks, Self::PgpKeys, Self::Dkim, Self::Instance, Self::Training, Self::Queue];

    fn add(self, drill: &Drill, to: &mut BTreeSet<String>) -> Result<()> {
        let evidence = &drill.evidence;
        let baseline = baseline(drill)?;
        let mut expect = |item: &Item, outcome, property: Option<&str>| {
            to.insert(line(item, outcome, property));
        };
        match self {
            Self::Mail => {
                for (account, _) in evidence.accounts(baseline)? {
                    if evidence.quota(baseline, &account)?.is_some_and(|q| q.used > 1) {
                        expect(&Item::Account { account: account.clone() }, Outcome::Altered, Some("quota usage"));
                    }
                    for folder in evidence.folders(baseline, &account)? {
                        let item = Item::Folder { account: account.clone(), folder: folder.folder.clone() };
                        // Dovecot makes these by itself, under another UIDVALIDITY.
                        if ["INBOX", "Trash", "Drafts", "Sent", "Junk"].contains(&folder.folder.as_str()) {
                            expect(&item, Outcome::Altered, Some("uidvalidity"));
                        } else {
                            expect(&item, Outcome::Lost, None);
                        }
                    }
                    for m in evidence.messages(baseline, &account)? {
                        let item = Item::Message { account: account.clone(), folder: m.folder, uid: m.uid, corpus: m.item };
                        expect(&item, Outcome::Lost, None);
                    }
                    for s in evidence.scripts(baseline, &account)?.unwrap_or_default() {
                        expect(&Item::Script { account: account.clone(), script: s.script }, Outcome::Lost, None);
                    }
                }
            }
            Self::Database => {
                for (account, _) in evidence.accounts(baseline)? {
                    expect(&Item::Account { account }, Outcome::Lost, None);
                }
                content::rows(evidence.rows(baseline)?, MAILU).for_each(|row| expect(&row, Outcome::Lost, None));
            }
            Self::AddressBooks => {
                content::rows(evidence.rows(baseline)?, ROUNDCUBE).for_each(|row| expect(&row, Outcome::Lost, None));
            }
            Self::PgpKeys => {
                for file in evidence.files(baseline)?.into_iter().filter(|f| f.volume == "webmail") {
                    // The start makes the folder itself anew.
                    if file.path != "gpg" {
                        expect(&Item::File { volume: file.volume, path: file.path }, Outcome::Lost, None);
                    }
                }
                expect(&Item::Fact { fact: content::PGP_KEYS.into() }, Outcome::Altered, None);
            }
            Self::Dkim => {
                for file in evidence.files(baseline)?.into_iter().filter(|f| f.volume == "dkim") {
                    expect(&Item::File { volume: file.volume, path: file.path }, Outcome::Lost, None);
                }
                expect(&Item::Fact { fact: content::ATTRIBUTES_OF_DKIM.into() }, Outcome::Altered, None);
            }
            Self::Instance => {
                let item = Item::File { volume: "mailu".into(), path: "instance".into() };
                expect(&item, Outcome::Altered, Some("bytes"));
                expect(&item, Outcome::Altered, Some("mtime"));
                expect(&Item::Fact { fact: content::ATTRIBUTES_OF_MAILU.into() }, Outcome::Altered, None);
            }
            Self::Queue => expect(&Item::Fact { fact: judge::MAIL_QUEUE.into() }, Outcome::Altered, None),
            Self::Training => {
                for fact in evidence.facts(baseline)?.into_iter().filter(|f| f.fact.contains("spam")) {
                    expect(&Item::Fact { fact: fact.fact }, Outcome::Altered, None);
                }
            }
        }
        Ok(())
    }
}

/// What the loss of some state says in findings.
pub(crate) fn all(lost: &[Lost], drill: &Drill) -> Result<BTreeSet<String>> {
    let mut expected = BTreeSet::new();
    lost.iter().try_for_each(|l| l.add(drill, &mut expected))?;
    Ok(expected)
}

impl Sabotage {
    /// The sabotage of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|s| s.name == name)
    }

    /// Where it strikes.
    pub fn group(&self) -> Group {
        match self.deed {
            Deed::Label(_) | Deed::Declared(_) => Group::Labels,
            Deed::Backup(_) => Group::Backup,
            Deed::Restore(_) => Group::Restore,
            Deed::Content(_) | Deed::Behaviour(_) => Group::Content,
        }
    }

    /// Changes of the recipe.
    pub fn edits(&self, corpus: &Corpus) -> Vec<Edit> {
        match &self.deed {
            Deed::Label(mistake) => mistake.edits(corpus),
            Deed::Backup(deed) => deed.edits(),
            Deed::Restore(deed) => deed.edits(),
            Deed::Declared(mistake) => mistake.labels.iter().map(edit).collect(),
            Deed::Content(_) | Deed::Behaviour(_) => vec![],
        }
    }

    /// Whether it takes a snapshot from which the baseline departs.
    pub(crate) fn wants_older(&self) -> bool {
        matches!(self.deed, Deed::Restore(restore::Deed::Older))
    }

    /// Whether trials tell of it, and so are made; with others they would only take their time.
    pub(crate) fn is_tried(&self) -> bool {
        match self.deed {
            Deed::Behaviour(deed) => deed.is_tried(),
            Deed::Declared(_) => true,
            _ => false,
        }
    }

    pub(crate) fn skips_wipe(&self) -> bool {
        matches!(self.deed, Deed::Restore(restore::Deed::NotWiped))
    }

    /// Strikes before the backup.
    pub(crate) async fn before_backup(&self, drill: &Drill) -> Result<()> {
        match self.deed {
            Deed::Backup(deed) => deed.before(drill).await,
            _ => Ok(()),
        }
    }

    /// Has the bot create a snapshot, and strikes meanwhile.
    pub(crate) async fn create(&self, drill: &Drill, baseline: &Baseline) -> Result<Option<BackedUp>> {
        match self.deed {
            Deed::Backup(deed) => deed.create(drill, baseline).await,
            _ => drill.backup(baseline).await,
        }
    }

    /// Strikes between the backup and the audit.
    pub(crate) async fn after_backup(&self, drill: &Drill, backup: &BackedUp) -> Result<()> {
        match self.deed {
            Deed::Backup(deed) => deed.after(drill, backup.snapshot()).await,
            _ => Ok(()),
        }
    }

    /// Has the bot restore the snapshot, and the services restarted, with the fault.
    pub(crate) async fn restore(
        &self,
        drill: &Drill,
        wiped: Wiped,
        backup: &BackedUp,
        older: Option<&restore::Older>,
    ) -> Result<Restarted> {
        match self.deed {
            Deed::Restore(deed) => deed.commit(drill, wiped, backup, older).await,
            _ => drill.restart(drill.restore(wiped, backup).await?).await,
        }
    }

    /// Strikes what was restored.
    pub async fn strike(&self, drill: &Drill) -> Result<()> {
        match self.deed {
            Deed::Content(deed) => deed.strike(drill).await,
            Deed::Behaviour(deed) => deed.strike(drill).await,
            _ => Ok(()),
        }
    }

    /// What a whole drill with it must find.
    pub fn expected(&self, drill: &Drill) -> Result<BTreeSet<String>> {
        match self.deed {
            Deed::Label(mistake) => {
                let mut expected = mistake.expected(drill)?;
                // Lint and the audit's report tell more than findings do.
                expected.retain(|e| !e.starts_with("lint: ") && !e.ends_with(": junk") && !e.ends_with("not captured"));
                expected.extend(all(mistake.lost, drill)?);
                Ok(expected)
            }
            Deed::Declared(mistake) => Ok(mistake.finds.iter().cloned().collect()),
            Deed::Backup(deed) => deed.expected(drill),
            Deed::Restore(deed) => deed.expected(drill, None),
            Deed::Content(deed) => deed.expected(drill),
            Deed::Behaviour(deed) => deed.expected(drill),
        }
    }

    /// Takes back what it did to what was restored, given that [`save`] was called before it struck.
    pub async fn undo(&self, drill: &Drill) -> Result<()> {
        match self.deed {
            Deed::Behaviour(deed) => deed.undo(drill).await,
            _ => Ok(()),
        }?;
        content::put_back(drill).await
    }
}

fn edit(label: &'static scenario::LabelEdit) -> Edit {
    let name = label.name.as_str().into();
    let change = match &label.value {
        Some(value) => Change::Set(name, value.as_str().into()),
        None => Change::Unset(name),
    };
    Edit { service: label.service.as_str().into(), change }
}

/// Saves what the sabotages of what was restored strike.
pub async fn save(drill: &Drill) -> Result<()> {
    content::save(drill).await
}

/// Puts back what [`save`] saved: observing and trying change the mail server's indexes and mail too.
pub async fn put_back(drill: &Drill) -> Result<()> {
    content::put_back(drill).await
}

pub(crate) fn baseline(drill: &Drill) -> Result<ObservationId> {
    drill.evidence.completed(BASELINE)?.ok_or_else(|| Error::Unknown("sabotage before the baseline".into()))
}

/// Runs a command in the container of one of the app's services; it must end with 0.
pub(crate) async fn within(drill: &Drill, service: &str, command: &[&str]) -> Result<String> {
    let service = drill.stack.service(service);
    let output = drill.owned.engine().exec(&service, command, &[], None).await?;
    Ok(output.ok(&format!("sabotage in {service}")).map(|o| o.stdout)?)
}

/// The same in the bot's container, by a shell.
pub(crate) async fn within_bot(drill: &Drill, script: &str) -> Result<String> {
    let bot = drill.bot().await?;
    let output = drill.owned.engine().exec(&bot.service, &["sh", "-ec", script], &[], None).await?;
    Ok(output.ok("sabotage in the bot").map(|o| o.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<&str> = catalogue().iter().map(|s| s.name).collect();
        assert_eq!(names.len(), catalogue().len());
        for group in Group::ALL {
            assert!(catalogue().iter().any(|s| s.group() == group), "{group}");
        }
        assert_eq!(Sabotage::named("mail-excluded").map(Sabotage::group), Some(Group::Labels));
        let all: Vec<_> = catalogue().iter().collect();
        assert!(find(&all, "mail-excludet").expect_err("a typo").to_string().contains("did you mean mail-excluded?"));
    }

    #[test]
    fn globs_cover_all_that_is_found_and_nothing_else() {
        let set = |of: &[&str]| of.iter().map(|s| (*s).to_owned()).collect::<BTreeSet<_>>();
        let globs = set(&["database wiki, table *: lost", "backup: failed (hook)"]);
        let uncovered = |found: &[&str]| {
            let found = set(found);
            let (missed, more) = uncovered(&globs, &found);
            (missed.len(), more.len())
        };
        assert_eq!(uncovered(&["database wiki, table a, row 1: lost", "backup: failed (hook)"]), (0, 0));
        assert_eq!(uncovered(&["backup: failed (hook)"]), (1, 0), "a glob that matches nothing");
        assert_eq!(uncovered(&["database wiki, table a, row 1: lost", "backup: failed (hook)", "more"]), (0, 1));
        assert_eq!(uncovered(&[]), (2, 0));
    }

    #[test]
    fn every_rule_of_lint_has_a_mistake_that_is_deployed() {
        let deployed: BTreeSet<_> = labels::MISTAKES.iter().flat_map(|m| m.lint).collect();
        for lesson in recipe::labels::rules::lessons() {
            assert!(deployed.contains(&lesson.name), "{}", lesson.code);
        }
    }
}
