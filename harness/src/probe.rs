//! Probes: each reads one kind of state through one door and stores what it saw.
//! What they saw is judged later, by [`judge`], from the store alone.

use std::time::Duration;

use futures_util::future::BoxFuture;
use judge::store::{Evidence, ObservationId};

use crate::error::Result;

pub mod dkim;
pub mod doors;
pub mod facts;
pub mod files;
pub mod mail;
pub mod pages;
pub mod queue;
pub mod redis;
pub mod rows;
pub mod sieve;
pub mod smtp;

/// The longest wait for one answer of a server.
pub const STALL: Duration = Duration::from_secs(60);

/// When a probe may read what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At any time, beside others.
    Anytime,
    /// Once nobody logs in any more: a login may change it, as a password's hash that is written anew.
    AfterLogins,
}

/// Told how far a probe is: done, total.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);
/// A reading under way.
pub type Reading<'a> = BoxFuture<'a, Result<()>>;

/// Reads one kind of state of the deployed app.
///
/// What could not be read is stored as unread, where the store has a place for that;
/// an `Err` means that nothing can be said, and ends the run as unknown.
pub trait Probe: Send + Sync {
    /// The name in output.
    fn name(&self) -> &'static str;

    /// When it may read.
    fn when(&self) -> When {
        When::Anytime
    }

    /// Reads everything and stores it under `observation`.
    fn observe<'a>(&'a self, evidence: &'a Evidence, observation: ObservationId, progress: Progress<'a>) -> Reading<'a>;
}

/// Has probes read, those that may beside one another and beside `logins`, the others once these are over.
///
/// # Errors
/// The first that a probe gives.
pub async fn observe_all(
    probes: &[Box<dyn Probe>],
    evidence: &Evidence,
    observation: ObservationId,
    logins: impl Future<Output = Result<()>>,
) -> Result<()> {
    let read = async |when: When| {
        let of = probes.iter().filter(|p| p.when() == when);
        let readings = of.map(|probe| async move {
            tracing::debug!(probe = probe.name(), "observing");
            probe.observe(evidence, observation, &|_, _| ()).await
        });
        futures_util::future::try_join_all(readings).await.map(drop)
    };
    let after = async {
        logins.await?;
        read(When::AfterLogins).await
    };
    tokio::try_join!(read(When::Anytime), after).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A probe that keeps when it read.
    struct Kept(&'static str, When, Arc<Mutex<Vec<&'static str>>>);

    impl Probe for Kept {
        fn name(&self) -> &'static str {
            self.0
        }

        fn when(&self) -> When {
            self.1
        }

        fn observe<'a>(&'a self, _: &'a Evidence, _: ObservationId, _: Progress<'a>) -> Reading<'a> {
            Box::pin(async move {
                self.2.lock().expect("not poisoned").push(self.0);
                if self.0 == "broken" { Err(crate::Error::NothingTried) } else { Ok(()) }
            })
        }
    }

    async fn order(names: &[(&'static str, When)]) -> (Result<()>, Vec<&'static str>) {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let observation = evidence.observation("restored").expect("begun");
        let order = Arc::new(Mutex::new(Vec::new()));
        let probe = |(name, when): &(&'static str, When)| Box::new(Kept(name, *when, order.clone())) as Box<dyn Probe>;
        let probes: Vec<Box<dyn Probe>> = names.iter().map(probe).collect();
        let logins = async {
            order.lock().expect("not poisoned").push("logins");
            Ok(())
        };
        let result = observe_all(&probes, &evidence, observation, logins).await;
        let order = order.lock().expect("not poisoned").clone();
        (result, order)
    }

    #[tokio::test]
    async fn what_a_login_may_change_is_read_after_the_logins() {
        let (result, order) = order(&[("rows", When::AfterLogins), ("files", When::Anytime)]).await;
        assert!(result.is_ok());
        let at = |name| order.iter().position(|n| *n == name).expect("read");
        assert!(at("logins") < at("rows") && order.contains(&"files"), "{order:?}");
    }

    #[tokio::test]
    async fn a_probe_that_can_say_nothing_ends_the_observation() {
        assert!(order(&[("files", When::Anytime), ("broken", When::Anytime)]).await.0.is_err());
        assert!(order(&[("broken", When::AfterLogins)]).await.0.is_err());
    }
}
