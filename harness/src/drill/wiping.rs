//! The wipe: stack and volumes removed, a fresh stack deployed, and the absence observed.
//! What is left of the seeded data would make the restore's success worth nothing.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _};

use super::Drill;
use super::proof::{Audited, Baseline, Wiped};
use super::trials::AS_EXPECTED;
use crate::error::{Error, Result};
use crate::events::{Phase, Running};
use crate::evidence::{FactSeen, Login, RowSeen};
use crate::probe::Probe as _;
use crate::probe::mail::Failure;
use crate::scenario::{Class, matches};
use crate::stack::until;
use crate::stack::volumes::{Helper, full_name};

/// The observation of what a fresh deployment has by itself.
const FRESH: &str = "fresh";

impl Drill {
    /// Removes the app with all its data, deploys it afresh, and proves that nothing is left.
    pub async fn wipe(&self, baseline: &Baseline, _: &Audited) -> Result<Wiped> {
        let phase = self.events.phase(Phase::Wipe);
        if let Some(newest) = self.clocks().newest {
            self.evidence.set("newest item ms", &newest.elapsed().as_millis().to_string())?;
        }
        // The stack's own labels are on its volumes too: everything of the stack, and only that.
        let removed = self.owned.remove_all(Some(&self.stack.name), self.removal_deadline()).await?;
        self.deploy_app(&self.stack, |done, all| phase.progress(done, all, "services")).await?;
        self.prove(baseline, removed, phase).await
    }

    /// What a wipe that was skipped can prove, on purpose.
    pub(crate) async fn not_wiped(&self, baseline: &Baseline) -> Result<Wiped> {
        let phase = self.events.phase(Phase::Wipe);
        self.prove(baseline, BTreeSet::new(), phase).await
    }

    async fn prove(&self, baseline: &Baseline, removed: BTreeSet<String>, phase: Running) -> Result<Wiped> {
        let expected: BTreeSet<String> = self.scenario.volumes().iter().map(|v| full_name(&self.stack.name, v)).collect();
        if let Some(volume) = expected.difference(&removed).next() {
            return Err(Error::WipeNotProven(format!("volume {volume} was not removed")));
        }
        let refused = self.logins_refused(baseline).await?;
        let rows = self.rows_gone(baseline).await?;
        let files = self.files_gone(baseline).await?;
        self.facts_gone(baseline).await?;
        self.pages_gone().await?;
        phase.finish(format!("{} volumes removed; {refused} logins refused, {rows} rows and {files} files gone", removed.len()));
        Ok(Wiped { volumes: removed.len() })
    }

    async fn logins_refused(&self, baseline: &Baseline) -> Result<usize> {
        let accounts: Vec<String> = self
            .evidence
            .accounts(baseline.observation)?
            .into_iter()
            .filter(|(_, login)| *login == Login::Read)
            .map(|(account, _)| account)
            .collect();
        let imap = self.imap();
        let total = accounts.len();
        futures_util::stream::iter(accounts)
            .map(|account| {
                let imap = &imap;
                async move {
                    let password = self.secret.password(&account);
                    until(self.converge_deadline(), || async {
                        match imap.login(&account, &password).await {
                            Err(Failure::Refused(_)) => Ok(Ok(())),
                            Ok(_) => Err(Error::WipeNotProven(format!("{account} can still log in"))),
                            Err(Failure::Other(why)) => {
                                Ok(Err(format!("waiting for the login of {account} to be refused: {why}")))
                            }
                        }
                    })
                    .await
                }
            })
            .buffer_unordered(4)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(total)
    }

    async fn rows_gone(&self, baseline: &Baseline) -> Result<usize> {
        let after = self.rows_probe().read().await?;
        let after: BTreeSet<_> =
            after.into_iter().flat_map(|(_, seen)| seen.rows).map(|r| (r.database, r.table, r.key)).collect();
        let place = |r: &RowSeen| (r.database.clone(), r.table.clone(), r.key.clone());
        let fresh: BTreeSet<_> = match self.evidence.completed(FRESH)? {
            Some(fresh) => self.evidence.rows(fresh)?.iter().map(place).collect(),
            None => BTreeSet::new(),
        };
        let mut before = self.evidence.rows(baseline.observation)?;
        before.retain(|row| !fresh.contains(&place(row)));
        match before.iter().find(|row| after.contains(&place(row))) {
            Some(row) => {
                Err(Error::WipeNotProven(format!("database {}, table {} still has row {}", row.database, row.table, row.key)))
            }
            None => Ok(before.len()),
        }
    }

    /// Stores the rows that a fresh deployment makes by itself: after a wipe they are there again.
    pub(super) async fn remember_fresh(&self) -> Result<()> {
        let observation = self.evidence.observation(FRESH)?;
        self.rows_probe().observe(&self.evidence, observation, &|_, _| ()).await?;
        self.evidence.complete(observation)
    }

    /// No user finds in the app's pages what was there.
    async fn pages_gone(&self) -> Result<()> {
        let visits = self.visits().await?;
        match visits.iter().find(|v| v.value.as_deref() == Ok(AS_EXPECTED)) {
            Some(visit) => Err(Error::WipeNotProven(format!("{} still is as it was", visit.trial))),
            None => Ok(()),
        }
    }

    async fn facts_gone(&self, baseline: &Baseline) -> Result<()> {
        let before = self.evidence.facts(baseline.observation)?;
        let after = self.facts_probe().read().await?;
        // A command that printed nothing before, as for an empty queue, proves nothing by that.
        let told = |f: &&FactSeen| f.value.as_ref().is_some_and(|v| !v.is_empty());
        match before.iter().filter(told).find(|b| after.contains(b)) {
            Some(fact) => Err(Error::WipeNotProven(format!("{} still is {:?}", fact.fact, fact.value))),
            None => Ok(()),
        }
    }

    /// No file of the baseline is there with its content, and the durable volumes have no files
    /// but those that a fresh deployment makes.
    async fn files_gone(&self, baseline: &Baseline) -> Result<usize> {
        let mut before = self.evidence.files(baseline.observation)?;
        before.retain(|f| !f.sha256.is_empty());
        let after = self.files_probe().read().await?;
        if let Some(file) =
            before.iter().find(|b| after.iter().any(|a| (&a.volume, &a.path, &a.sha256) == (&b.volume, &b.path, &b.sha256)))
        {
            return Err(Error::WipeNotProven(format!("volume {} still has file {}", file.volume, file.path)));
        }
        for volume in self.scenario.inventory.volumes.iter().filter(|v| v.class == Class::Durable && !v.not_deployed) {
            let helper = Helper::open(&self.owned, &self.helper_image, &full_name(&self.stack.name, &volume.name)).await?;
            let names = helper.names().await;
            helper.close().await?;
            if let Some(name) = names?.iter().find(|n| !volume.fresh.iter().any(|glob| matches(glob, n))) {
                return Err(Error::WipeNotProven(format!("volume {} of a fresh deployment has file {name}", volume.name)));
            }
        }
        Ok(before.len())
    }
}
