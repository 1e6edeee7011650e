//! What services write into their containers' own layer, in no volume: listed before the backup, and again once the restored app was tried.

use judge::store::Layers;

use super::state::Drill;
use crate::error::Result;
use crate::stack::layer;

/// Lists what is in the layers now, and stores it.
pub(super) async fn look(drill: &Drill, stage: &str) -> Result<()> {
    let engine = drill.app.engine();
    let mut layers = Layers::new();
    for service in drill.app.scenario.services() {
        let Some(container) = engine.container_of(&drill.app.stack.service(&service)).await? else { continue };
        match layer::written(engine, &container).await {
            Ok(paths) => drop(layers.insert(service, paths)),
            // A container that ended meanwhile has no layer any more.
            Err(e) if engine.container_of(&drill.app.stack.service(&service)).await?.as_ref() == Some(&container) => {
                return Err(e);
            }
            Err(_) => {}
        }
    }
    Ok(drill.run.evidence.put_layers(stage, &layers)?)
}
