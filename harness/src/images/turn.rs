//! Whose turn it is to build an image: one run builds it, and others that need it wait. A claim is a config of the swarm with a name of the
//! image's, so two runs cannot have it, wherever they were started.

use std::time::Duration;

use bollard::errors::Error as Docker;
use sha2::{Digest as _, Sha256};

use super::present::has_image;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::stack::lease::{Leases, Life};
use crate::stack::mark;
use crate::stack::ownership::Owned;

/// How long to wait for another run's build.
const PATIENCE: Duration = Duration::from_secs(3900);
/// How often whoever waits looks again.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until an image is there or nobody else builds it. Gives the claim of a run that is to build it; none where the image is there.
///
/// # Errors
/// The engine fails.
pub(super) async fn to_build(owned: &Owned, image: &str, events: &Events) -> Result<Option<Claim>> {
    let name = format!("restore-drill-build-{}", &hex::encode(Sha256::digest(image))[..16]);
    let mut told = false;
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if has_image(owned.engine(), image).await? {
            return Ok(None);
        }
        match mark::make(owned, &name, std::iter::empty()).await {
            Ok(()) => return Ok(Some(Claim { owned: owned.clone(), name })),
            Err(Error::Docker(engine::Error::Docker { source, .. })) if is_taken(&source) => {}
            Err(e) => return Err(e),
        }
        if let Some(claim) = mark::find(owned.engine(), &name).await? {
            let run = &claim.run;
            let life = Leases::read(owned.engine()).await?.life(run, &claim.host)?;
            if life == Life::Dead {
                // By its id: by its name it may be another run's by now.
                Owned::new(owned.engine().clone(), run).remove_claim(&claim.config.id.unwrap_or_default()).await?;
            } else if tokio::time::Instant::now() >= end {
                let minutes = PATIENCE.as_secs() / 60;
                return Err(Error::Engine(format!("run {run} has been building image {image} for {minutes} min, or is dead")));
            } else if !std::mem::replace(&mut told, true) {
                events.note(format!("Image {image} is being built by run {run}: waiting for it."));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a name is taken.
fn is_taken(error: &Docker) -> bool {
    matches!(error, Docker::DockerResponseServerError { status_code: 409, .. })
}

/// The right to build an image.
pub(super) struct Claim {
    owned: Owned,
    name: String,
}

impl Claim {
    /// Gives it up, whatever came of the build.
    pub(super) async fn give_up(self) -> Result<()> {
        match self.owned.remove_claim(&self.name).await {
            // Another run took this one for dead, and builds the same image.
            Err(Error::NotOurs { .. }) => Ok(()),
            result => result,
        }
    }
}
