//! The upgrade: the version under test deployed over the version before, with users' data in it.

use judge::model::Verdict;
use judge::{self, BASELINE, INSTALLED, UPGRADED};

use super::Drill;
use super::proof::{BackedUp, Baseline, Restarted, Wiped};
use crate::error::{Error, Result};
use crate::events::Phase;
use crate::probe::doors::{Answer, Doors};
use crate::probe::pages::Failure;

/// The observation of what a backup of the version before gave on the version under test.
const ACROSS: &str = "restored across versions";

/// The version under test runs in the place of the one before.
#[must_use]
pub struct Upgraded {
    _private: (),
}

impl Drill {
    /// Whether there is a version to upgrade from.
    pub fn upgrades(&self) -> bool {
        self.before.is_some()
    }

    /// Whether the recipe enables backups: that under test, or the one before.
    pub fn enables_backups(&self, before: bool) -> bool {
        let stack = if before { self.before.as_ref() } else { Some(&self.stack) };
        let enabled = |c: &recipe::compose::Compose| {
            c.services().any(|s| c.deploy_labels(s).get("backupbot.backup").is_some_and(|v| v == "true"))
        };
        stack.is_some_and(|s| s.compose.iter().any(enabled))
    }

    /// Deploys the version under test over the one that runs.
    pub async fn upgrade(&self, _: Baseline) -> Result<Upgraded> {
        let phase = self.events.phase(Phase::Upgrade);
        self.evidence.rename_observation(BASELINE, INSTALLED)?;
        self.stack.deploy(&self.owned, &self.alive).await?;
        self.running(|done, all| phase.progress(done, all, "services")).await?;
        self.restart_waves(&self.scenario.spec.upgrade.restart, |_, _| ()).await?;
        phase.finish(format!("stack {} in place", self.stack.name));
        Ok(Upgraded { _private: () })
    }

    /// Compares what is there now with what was there before the upgrade, and tries the app.
    pub async fn upgraded(&self, _: &Upgraded) -> Result<Verdict> {
        self.look(Phase::Observe, UPGRADED).await?;
        self.try_after(UPGRADED, false).await?;
        Ok(judge::across(&self.evidence, INSTALLED, UPGRADED)?)
    }

    /// Restores a backup of the version before onto the version under test, and compares what came of it.
    pub async fn across(&self, wiped: Wiped, backup: &BackedUp) -> Result<Verdict> {
        let restored = self.restore(wiped, backup).await?;
        let restarted: Restarted = self.restart(restored).await?;
        self.observe(&restarted, ACROSS).await?;
        Ok(judge::across(&self.evidence, INSTALLED, ACROSS)?)
    }

    /// Has an account made that was never there, logs it in, and has it deleted. What went wrong, if something did.
    pub async fn new_account(&self) -> Result<Option<String>> {
        let Some(spec) = &self.scenario.spec.users else { return Ok(None) };
        let domain = self.corpus.accounts().domains.first().map(|d| d.name.clone()).unwrap_or_default();
        let email = format!("new-account@{domain}");
        let password = self.password(&email);
        for (there, word) in [(true, "making"), (false, "deleting")] {
            let output = self.user(spec, &email, there).await?;
            if output.code != 0 {
                return Ok(Some(format!("{word} {email}: exit code {}: {}", output.code, output.stderr.trim())));
            }
            match self.lets_in(&email, &password).await? {
                Ok(let_in) if let_in == there => {}
                Ok(true) => return Ok(Some(format!("{email} logs in after it was deleted"))),
                Ok(false) => return Ok(Some(format!("{email} cannot log in after it was made"))),
                Err(why) => return Err(Error::Unknown(format!("the login of {email}: {why}"))),
            }
        }
        Ok(None)
    }

    /// Whether a user can log in, over IMAP or in the app's pages.
    pub(super) async fn lets_in(&self, email: &str, password: &str) -> Result<Answer> {
        if self.mail().is_some() {
            return Ok(Doors::imap(&self.imap(), email, password).await);
        }
        let Some(pages) = self.scenario.spec.pages.iter().find(|p| !p.login.is_empty()) else {
            return Ok(Err("the scenario has neither [mail] nor [[pages]] with a login".into()));
        };
        Ok(match self.visitor(pages, email)?.visit(&[]).await {
            Ok(()) => Ok(true),
            Err(Failure::Answered(_)) => Ok(false),
            Err(Failure::Unknown(why)) => Err(why),
        })
    }
}
