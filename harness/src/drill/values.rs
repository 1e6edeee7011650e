//! The values of a recipe's variables in a run: what only a run has stands in the place of placeholders.

use recipe::env::Values;
use recipe::scenario::Scenario;
use recipe::scenario::values::STACK;

use super::generated::Generated;

/// What only a run has.
pub(super) struct OfRun {
    /// A free subnet.
    pub(super) subnet: String,
    /// The host that the run's certificate is for.
    pub(super) host: String,
    /// The stack's name.
    pub(super) stack: String,
}

impl OfRun {
    /// The values of a scenario's recipe, all but its secrets.
    pub(super) fn values(&self, scenario: &Scenario) -> Values {
        let filled = |value: &str| {
            let value = value.replace("{subnet}", &self.subnet).replace("{certificate.host}", &self.host);
            value.replace(STACK, &self.stack)
        };
        scenario.values.iter().map(|(name, value)| (name.clone(), filled(value))).collect()
    }

    /// The same with its secrets.
    pub(super) fn with_secrets(&self, scenario: &Scenario, secrets: &Generated) -> Values {
        let mut values = self.values(scenario);
        for (name, secret) in secrets.values() {
            values.entry(name).and_modify(|value| *value = secret);
        }
        values
    }
}
