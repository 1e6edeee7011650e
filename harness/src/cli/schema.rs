//! What has a schema.

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Schema {
    /// `scenario.toml`.
    Scenario,
    /// `faults.toml`.
    Faults,
    /// `inventory.toml`.
    Inventory,
    /// `report.json`.
    Report,
    /// `ladder.json`.
    Ladder,
}

impl Schema {
    /// The schema, as JSON.
    pub fn json(self) -> serde_json::Value {
        let schema = match self {
            Self::Scenario => schemars::schema_for!(recipe::scenario::Spec),
            Self::Inventory => schemars::schema_for!(recipe::inventory::Inventory),
            Self::Faults => schemars::schema_for!(recipe::scenario::faults::Faults),
            Self::Report => schemars::schema_for!(crate::report::model::Report),
            Self::Ladder => schemars::schema_for!(crate::ladder::Ladder),
        };
        schema.to_value()
    }
}
