//! Marks: configs of the swarm by which a run tells everybody who uses the engine something of itself, such as that it lives. The engine
//! gives a name only once, and its own clock dates them.

use std::collections::HashMap;

use bollard::models::{Config, ConfigSpec};
use bollard::query_parameters::ListConfigsOptionsBuilder;
use engine::{Engine, is_not_found};
use jiff::Timestamp;

use super::objects::in_swarm;
use super::ownership::Owned;
use super::{HOST_LABEL, RUN_LABEL, run_labels};
use crate::error::{Context as _, Error, Result};

/// What the run does, such as the name of its scenario.
pub(super) const WHAT_LABEL: &str = "restore-drill.what";

/// A mark that was read.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    /// The run.
    pub(crate) run: String,
    /// The machine and state directory that the run was started from.
    pub(crate) host: String,
    /// What the run does.
    pub(super) what: String,
    /// When it was made.
    pub(super) made: Timestamp,
    /// When its labels were last set.
    pub(super) renewed: Timestamp,
    /// As the engine has it.
    pub(crate) config: Config,
}

impl Mark {
    fn of(config: Config) -> Result<Self> {
        // bollard has another type for dates wherever its feature `time` is on, as a library of the tests has it; as JSON they are always text.
        let dates = serde_json::to_value(&config).map_err(Error::bug)?;
        let (made, renewed) = (time(dates["CreatedAt"].as_str())?, time(dates["UpdatedAt"].as_str())?);
        let label = |name: &str| config.spec.as_ref().and_then(|s| s.labels.as_ref()?.get(name).cloned()).unwrap_or_default();
        Ok(Self { run: label(RUN_LABEL), host: label(HOST_LABEL), what: label(WHAT_LABEL), made, renewed, config })
    }

    /// A label.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.config.spec.as_ref()?.labels.as_ref()?.get(name).map(String::as_str)
    }
}

/// Makes a mark of a run's. Its one byte says nothing: a config cannot be empty.
pub(crate) async fn make<'a>(owned: &Owned, name: &str, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Result<()> {
    let mut all = run_labels(owned.run());
    all.extend(labels.map(|(k, v)| (k.to_owned(), v.to_owned())));
    let spec = ConfigSpec {
        name: Some(name.to_owned()),
        labels: Some(all.into_iter().collect()),
        data: Some("Cg==".into()),
        ..Default::default()
    };
    let (docker, name) = (owned.engine().docker.clone(), name.to_owned());
    owned.create(async move { docker.create_config(spec).await.context(format!("creating config {name}")) }).await?;
    Ok(())
}

/// The mark of this name; none where there is none.
pub(crate) async fn find(engine: &Engine, name: &str) -> Result<Option<Mark>> {
    match engine.docker.inspect_config(name).await {
        Err(e) if is_not_found(&e) => Ok(None),
        found => Mark::of(found.context(format!("inspecting config {name}"))?).map(Some),
    }
}

/// The marks that have a label, and the name that `name` gives a run's. What else has the label is none.
pub(super) async fn all(engine: &Engine, label: &str, name: impl Fn(&str) -> String) -> Result<Vec<Mark>> {
    let filter = HashMap::from([("label", vec![label])]);
    let options = ListConfigsOptionsBuilder::default().filters(&filter).build();
    let configs = in_swarm(engine.docker.list_configs(Some(options)).await).context("listing configs")?;
    let mut marks = configs.into_iter().map(Mark::of).collect::<Result<Vec<_>>>()?;
    marks.retain(|mark| mark.config.spec.as_ref().and_then(|s| s.name.as_deref()) == Some(&name(&mark.run)));
    Ok(marks)
}

/// A time of the engine's.
pub(super) fn time(text: Option<&str>) -> Result<Timestamp> {
    let text = text.unwrap_or_default();
    text.parse().map_err(|e| Error::Engine(format!("the engine gives a time that cannot be read: {text:?}: {e}")))
}
