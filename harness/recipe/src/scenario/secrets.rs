//! Secrets: values of `[env]` that a drill generates, as operators do with `abra app secret generate`.

use std::collections::{BTreeMap, BTreeSet};

/// What stands for a secret of its own in the value of a variable.
const OWN: &str = "{secret}";
/// What stands before the name of another variable, whose secret is meant, and `}`.
const OTHER: &str = "{secret.";

/// The variables that have a secret of their own.
pub fn generated(env: &BTreeMap<String, String>) -> BTreeSet<String> {
    env.iter().filter(|(_, value)| value.contains(OWN)).map(|(name, _)| name.clone()).collect()
}

/// Whether there is a secret in a value: one of its own, or another variable's.
pub fn has_secret(value: &str) -> bool {
    value.contains(OWN) || others(value).next().is_some()
}

/// The value of the variable `name` with the secrets in it; `secret` gives that of a variable.
pub fn filled(name: &str, value: &str, secret: impl Fn(&str) -> String) -> String {
    let own = value.replace(OWN, &secret(name));
    others(value).fold(own, |text, other| text.replace(&format!("{OTHER}{other}}}"), &secret(other)))
}

/// What is wrong with the secrets in `[env]`: the value that is, and why.
pub(super) fn problems(env: &BTreeMap<String, String>) -> Vec<(String, String)> {
    let generated = generated(env);
    let unknown = |name: &str, other: &str| {
        let why =
            format!("{name}: {OTHER}{other}}}: no variable {other:?} with {OWN} in its value; there are: {}", listed(&generated));
        (format!("{OTHER}{other}}}"), why)
    };
    let named = env.iter().flat_map(|(name, value)| others(value).map(move |other| (name, other)));
    named.filter(|(_, other)| !generated.contains(*other)).map(|(name, other)| unknown(name, other)).collect()
}

/// Names for a reader.
pub(super) fn listed(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "none".into() } else { names.iter().map(String::as_str).collect::<Vec<_>>().join(", ") }
}

/// The variables whose secrets a value names.
fn others(value: &str) -> impl Iterator<Item = &str> {
    value.split(OTHER).skip(1).filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn each_variable_has_a_secret_of_its_own_which_others_may_name() {
        let env = env(&[("A", "{secret}"), ("B", "x-{secret}"), ("C", "{subnet}"), ("URL", "db://{secret.A}:{secret.B}@db")]);
        assert_eq!(generated(&env), ["A", "B"].map(str::to_owned).into());
        let value = |name: &str| filled(name, &env[name], |of| format!("<{of}>"));
        assert_eq!(["A", "B", "C", "URL"].map(value), ["<A>", "x-<B>", "{subnet}", "db://<A>:<B>@db"]);
        assert_eq!(["A", "C", "URL"].map(|name| has_secret(&env[name])), [true, false, true]);
        assert_eq!(problems(&env), []);
    }

    #[test]
    fn a_secret_that_is_not_generated_cannot_be_named() {
        let found = problems(&env(&[("A", "{secret}"), ("URL", "{secret.B}")]));
        let why = "URL: {secret.B}: no variable \"B\" with {secret} in its value; there are: A";
        assert_eq!(found, [("{secret.B}".to_owned(), why.to_owned())]);
    }
}
