//! Faults of secrets that a restore needs: the deployment for the restore gets new ones, as if nobody had kept the old.

use recipe::scenario::Scenario;
use recipe::scenario::faults::{Expected, Fault as Declared, Group};

use crate::fault::deed::Derived;

/// The faults of the secrets that a scenario's inventory keeps.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let names = scenario.inventory.secrets.iter().map(|secret| &secret.name);
    names.map(|name| (not_kept(name), None)).collect()
}

fn not_kept(name: &str) -> Declared {
    let what = format!("Nobody kept {name}: the deployment for the restore has another one.");
    let mut fault = Declared::new(format!("{}-not-kept", name.to_lowercase().replace('_', "-")), what, Group::Restore);
    fault.renew = vec![name.to_owned()];
    fault.finds = vec![Expected::Finding(format!("secret {name}: lost"))];
    fault.tried = true;
    fault
}
