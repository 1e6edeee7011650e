//! The secrets that a run generates for the app, for variables of its compose files and as Docker secrets: of each an old value and a
//! new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use recipe::scenario::secrets::{filled, generated, has_secret};
use recipe::secret_version::Recipe;

use crate::secret::Secret;

/// The generated secrets of an app's deployment: of each variable and of each Docker secret an old value and a new one.
pub(crate) struct Generated {
    secret: Secret,
    /// The variables with a secret in their value, with the placeholders.
    env: BTreeMap<String, String>,
    /// The Docker secrets, by their names in the recipe, and how each is made.
    docker: BTreeMap<String, Recipe>,
    /// The variables and Docker secrets that have their new value.
    new: Mutex<BTreeSet<String>>,
}

impl Generated {
    /// Those of `env`, and these Docker secrets; all have their old values.
    pub(super) fn of(env: &BTreeMap<String, String>, docker: BTreeMap<String, Recipe>, secret: Secret) -> Self {
        let env = env.iter().filter(|(_, value)| has_secret(value)).map(|(k, v)| (k.clone(), v.clone())).collect();
        Self { secret, env, docker, new: Mutex::default() }
    }

    /// The variables that have a secret of their own, and the Docker secrets.
    pub(super) fn names(&self) -> BTreeSet<String> {
        generated(&self.env).into_iter().chain(self.docker.keys().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has its new value now.
    pub(super) fn renewed(&self) -> BTreeSet<String> {
        self.lock().clone()
    }

    /// From now on, these have their new values and all others their old ones.
    pub(super) fn renew(&self, names: BTreeSet<String>) {
        *self.lock() = names;
    }

    /// The variables, with the values that their secrets have now.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        let new = self.renewed();
        let value = |name: &str| self.value(name, new.contains(name));
        self.env.iter().map(|(name, text)| (name.clone(), filled(name, text, value))).collect()
    }

    /// The Docker secrets, with the values that they have now.
    pub(super) fn files(&self) -> BTreeMap<String, String> {
        let new = self.renewed();
        self.docker.keys().map(|name| (name.clone(), self.value(name, new.contains(name)))).collect()
    }

    fn value(&self, name: &str, new: bool) -> String {
        let label = format!("{} {name}", if new { "new" } else { "old" });
        match self.docker.get(name) {
            Some(recipe) => self.secret.made(&label, recipe),
            None => self.secret.derive(&label),
        }
    }

    /// Every secret, old and new, for those who look for one that leaked.
    pub(super) fn all(&self) -> Vec<String> {
        self.names().iter().flat_map(|name| [false, true].map(|new| self.value(name, new))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_secrets_that_are_renewed_change() {
        let env = [("A", "{secret}"), ("B", "{secret}"), ("URL", "db://{secret.A}@db"), ("C", "c")];
        let env = env.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let docker = BTreeMap::from([("db".to_owned(), Recipe::of_comment("length=12 charset=hex"))]);
        let secrets = Generated::of(&env, docker, Secret::random().expect("random"));
        let old = secrets.values();
        assert_eq!(old.keys().map(String::as_str).collect::<Vec<_>>(), ["A", "B", "URL"]);
        assert_eq!(old["URL"], format!("db://{}@db", old["A"]));
        assert_ne!(old["A"], old["B"]);
        let old_files = secrets.files();
        assert_eq!((old_files.len(), old_files["db"].len()), (1, 12));
        secrets.renew(BTreeSet::from(["A".to_owned(), "db".to_owned()]));
        assert_ne!(secrets.files()["db"], old_files["db"]);
        let new = secrets.values();
        assert_eq!((&new["B"], &new["URL"]), (&old["B"], &format!("db://{}@db", new["A"])));
        assert_ne!(new["A"], old["A"]);
        let all = secrets.all();
        assert!(all.len() == 6 && [&old["A"], &new["A"], &old["B"]].iter().all(|value| all.contains(value)));
        secrets.renew(BTreeSet::new());
        assert_eq!((secrets.values(), secrets.files()), (old, old_files));
    }
}
