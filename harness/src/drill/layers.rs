//! What services write into their containers' own layer, in no volume: listed before the backup and after it, and again once the restored
//! app was tried.

use judge::BASELINE;
use judge::store::Layers;

use super::state::Drill;
use crate::error::Result;
use crate::stack::layer;

/// Lists what is in the layers now, and stores it.
pub(super) async fn look(drill: &Drill, stage: &str) -> Result<()> {
    Ok(drill.run.evidence.put_layers(stage, &seen(drill).await?)?)
}

/// Forgets what was there before the backup and is gone after it, such as a lock: the app itself can do without.
pub(super) async fn look_again(drill: &Drill) -> Result<()> {
    let lasting = lasting(drill.run.evidence.layers(BASELINE)?, &seen(drill).await?);
    Ok(drill.run.evidence.put_layers(BASELINE, &lasting)?)
}

/// What is in both; of a service that was not looked at again, what was there before.
fn lasting(mut before: Layers, after: &Layers) -> Layers {
    for (service, paths) in &mut before {
        let after = after.get(service);
        paths.retain(|path| after.is_none_or(|after| after.contains(path)));
    }
    before
}

async fn seen(drill: &Drill) -> Result<Layers> {
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
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_after_the_backup_is_forgotten() {
        let layers = |all: &[(&str, &[&str])]| -> Layers {
            all.iter()
                .map(|(service, paths)| ((*service).to_owned(), paths.iter().map(|path| (*path).to_owned()).collect()))
                .collect()
        };
        let before = layers(&[("app", &["/srv/data", "/srv/lock"]), ("db", &["/srv/x"])]);
        let after = layers(&[("app", &["/srv/data", "/srv/new"])]);
        assert_eq!(lasting(before, &after), layers(&[("app", &["/srv/data"]), ("db", &["/srv/x"])]));
    }
}
