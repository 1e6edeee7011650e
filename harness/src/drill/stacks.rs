//! The stacks of an app as a run deploys them: each version of the recipe behind its fence, on networks that are closed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ipnet::Ipv4Net;
use judge::redact::{password_in, remember_bytes, remember_foreign, says_secret};
use recipe::compose::Compose;
use recipe::compose::edit::Edit;
use recipe::env::Values;
use recipe::fence::closed::{Closed, networks};
use recipe::fence::own::{Change, Fence};
use recipe::scenario::Scenario;

use crate::error::{Error, Result};
use crate::stack::alive;
use crate::stack::deploy::Stack;

/// Makes the stacks of a run, which have one name and the same secrets.
pub(super) struct Stacks<'a> {
    /// Their name.
    pub(super) name: String,
    /// The run.
    pub(super) run: &'a str,
    /// The Docker secrets that the run makes, by their names in the recipe.
    pub(super) secrets: &'a BTreeMap<String, String>,
    /// Services of which no container is started.
    pub(super) stopped: BTreeSet<String>,
    /// Whether they run on stand-ins.
    pub(super) standins: bool,
    /// The subnets of networks, by name. Where two versions leave the choice, a network has the same one in both.
    pub(super) chosen: BTreeMap<String, Ipv4Net>,
    /// Subnets to choose from.
    pub(super) free: VecDeque<Ipv4Net>,
}

impl Stacks<'_> {
    /// The stack of a version of the recipe, with these values of variables, images and edits; and how it differs from the recipe.
    pub(super) fn of(
        &mut self,
        scenario: &Scenario,
        env: BTreeMap<String, String>,
        images: BTreeMap<String, String>,
        edits: Vec<Edit>,
    ) -> Result<(Stack, BTreeSet<Change>)> {
        let made = Arc::new(alive::temporary(self.run)?);
        let generated = |name: &str| self.secrets.get(name).cloned().unwrap_or_default();
        let allowed = &scenario.spec.allowed;
        let fence = Fence { stack: &self.name, env: &env, allowed, dir: made.path(), secret: &generated };
        let mut compose = scenario.deployed(self.standins);
        let changes = fence.own(&mut compose)?;
        let closed = self.closed(scenario, &compose, &env);
        closed.close(&mut compose);
        remember_files(&compose)?;
        let (name, resolvers, secrets) = (self.name.clone(), closed.resolvers(), self.secrets.clone());
        let stopped = self.stopped.clone();
        Ok((Stack { name, compose, env, images, edits, resolvers, stopped, secrets, made: Some(made) }, changes))
    }

    /// How the networks of a version are deployed.
    fn closed(&mut self, scenario: &Scenario, compose: &[Compose], env: &BTreeMap<String, String>) -> Closed {
        let mut subnets = BTreeMap::new();
        for (name, subnet) in networks(compose, env) {
            let subnet = subnet.or_else(|| self.chosen.get(&name).copied()).or_else(|| self.free.pop_front());
            if let Some(subnet) = subnet {
                self.chosen.insert(name.clone(), subnet);
                subnets.insert(name, subnet);
            }
        }
        let doors = scenario.spec.doors.iter().map(|d| d.service.clone()).collect();
        Closed { doors, subnets, egress: scenario.spec.egress.is_some() }
    }
}

/// Remembers the values of variables that say by their name, or by a password in an address, that they are secret.
pub(super) fn remember_values(env: &Values, public: &Values) {
    let own = || env.iter().filter(|(name, value)| public.get(*name) != Some(*value));
    own().filter(|(name, _)| says_secret(name)).for_each(|(_, value)| remember_foreign(value));
    own().filter_map(|(_, value)| password_in(value)).for_each(remember_foreign);
}

/// How many networks have no subnet of the recipe's.
pub(super) fn count_to_choose(all: &[&Scenario], standins: bool) -> usize {
    let networks = all.iter().flat_map(|s| networks(&s.deployed(standins), &BTreeMap::new()));
    networks.filter(|(_, subnet)| subnet.is_none()).map(|(name, _)| name).collect::<BTreeSet<_>>().len()
}

/// The most that files of secrets may have together, in bytes: all of it is looked for in whatever is printed.
const MOST: usize = 256 << 10;

/// Remembers what the secrets of compose files have that come from files.
///
/// # Errors
/// They are too large.
fn remember_files(all: &[Compose]) -> Result<()> {
    let secrets = all.iter().filter_map(|c| c.value.get("secrets")?.as_object()).flat_map(|s| s.values());
    // A `$` in a path is written twice.
    let files = secrets.filter_map(|secret| Some(secret.get("file")?.as_str()?.replace("$$", "$")));
    let contents: Vec<Vec<u8>> = files.filter_map(|file| std::fs::read(file).ok()).collect();
    let size: usize = contents.iter().map(Vec::len).sum();
    if size > MOST {
        return Err(Error::Usage(format!(
            "the files of the recipe's secrets have {size} bytes together; expected at most {MOST}"
        )));
    }
    contents.iter().for_each(|content| remember_bytes(content));
    Ok(())
}
