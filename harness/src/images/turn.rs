//! Whose turn it is to build an image: one run builds it, and others that need it wait. A claim is a config of the swarm with a name of the
//! image's, so two runs cannot have it, wherever they were started.

use std::time::Duration;

use bollard::errors::Error as Docker;
use engine::is_not_found;
use sha2::{Digest as _, Sha256};

use super::present::has_image;
use crate::error::{Context as _, Error, Result};
use crate::events::Events;
use crate::stack::lease::{self, Leases, Life};
use crate::stack::ownership::Owned;
use crate::stack::{HOST_LABEL, RUN_LABEL};

/// How often whoever waits looks again.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until an image is there or nobody else builds it. Gives the claim of a run that is to build it; none where the image is there.
///
/// # Errors
/// The engine fails.
pub(super) async fn to_build(owned: &Owned, image: &str, events: &Events) -> Result<Option<Claim>> {
    let name = format!("restore-drill-build-{}", &hex::encode(Sha256::digest(image))[..16]);
    let mut told = false;
    loop {
        if has_image(owned.engine(), image).await? {
            return Ok(None);
        }
        match lease::create(owned, &name, std::iter::empty()).await {
            Ok(()) => return Ok(Some(Claim { owned: owned.clone(), name })),
            Err(Error::Docker(engine::Error::Docker { source, .. })) if is_taken(&source) => {}
            Err(e) => return Err(e),
        }
        let Some((run, life)) = builder(owned, &name).await? else { continue };
        if !matches!(life, Life::Alive(_)) {
            Owned::new(owned.engine().clone(), &run).remove_claim(&name).await?;
            continue;
        }
        if !std::mem::replace(&mut told, true) {
            events.note(format!("Image {image} is being built by run {run}: waiting for it."));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether a name is taken.
fn is_taken(error: &Docker) -> bool {
    matches!(error, Docker::DockerResponseServerError { status_code: 409, .. })
}

/// Who has a claim, and whether it lives; none where the claim is gone.
async fn builder(owned: &Owned, name: &str) -> Result<Option<(String, Life)>> {
    let config = match owned.engine().docker.inspect_config(name).await {
        Err(e) if is_not_found(&e) => return Ok(None),
        found => found.context(format!("inspecting config {name}"))?,
    };
    let labels = config.spec.and_then(|s| s.labels).unwrap_or_default();
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let (run, host) = (label(RUN_LABEL), label(HOST_LABEL));
    let life = Leases::read(owned.engine()).await?.life(&run, &host)?;
    Ok(Some((run, life)))
}

/// The right to build an image.
pub(super) struct Claim {
    owned: Owned,
    name: String,
}

impl Claim {
    /// Gives it up, whatever came of the build.
    pub(super) async fn give_up(self) -> Result<()> {
        self.owned.remove_claim(&self.name).await
    }
}
