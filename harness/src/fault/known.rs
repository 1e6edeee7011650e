//! What the baseline has, item by item, each with the attributes by which a fault's data may choose it.

use std::collections::{BTreeMap, BTreeSet};

use judge::model::{Item, MessageId};
use judge::store::{Evidence, ObservationId};
use recipe::glob::matches;
use recipe::inventory::Compared;
use recipe::scenario::faults::{Choice, Globs};
use seeds::Corpus;
use serde_json::Value;

use super::glob::{Glob, any};
use crate::drill::Drill;
use crate::error::Result;

/// An item of the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// As findings name it.
    pub name: String,
    /// What it is.
    pub item: Item,
    /// What it has: a row's columns, a message's flags, ….
    pub attributes: BTreeMap<String, String>,
}

/// An item that was chosen, and what the stars of the glob matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// The item.
    pub known: &'a Known,
    /// What the first star matched, the second, ….
    pub stars: Vec<String>,
}

/// All items of the baseline, in order.
#[derive(Debug, Default)]
pub struct Items(
    Vec<Known>,
    /* Findings where a database is as in a fresh deployment. */ BTreeMap<String, BTreeSet<String>>,
);

/// What kind of item a glob of findings is about: what is behind a mailbox's name is of another kind.
fn is_about(glob: &str, item: &Item) -> bool {
    let has = |part: &str| glob.contains(part);
    match item {
        Item::Trial { .. } => glob.starts_with("trial: "),
        Item::Account { .. } => {
            glob.starts_with("mailbox ") && !has(", folder ") && !has(", message ") && !has(", sieve script ")
        }
        Item::Folder { .. } => glob.starts_with("mailbox ") && has(", folder ") && !has(", message "),
        Item::Message { .. } => glob.starts_with("mailbox ") && has(", message "),
        Item::Script { .. } => glob.starts_with("mailbox ") && has(", sieve script "),
        Item::Database { .. } => glob.starts_with("database ") && !has(", "),
        Item::Row { .. } => glob.starts_with("database ") && has(", row "),
        Item::Object { .. } => glob.starts_with("database ") && has(", ") && !has(", row "),
        Item::File { .. } => glob.starts_with("volume "),
        Item::Key { .. } => glob.starts_with("redis "),
        Item::Fact { .. } => {
            !["trial: ", "mailbox ", "database ", "volume ", "snapshot", "redis "].iter().any(|p| glob.starts_with(p))
        }
        Item::Mount { .. }
        | Item::Layer { .. }
        | Item::Snapshot { .. }
        | Item::Secret { .. }
        | Item::Step { .. }
        | Item::Observation { .. } => false,
    }
}

impl Items {
    /// The items of these, in this order.
    #[cfg(test)]
    pub fn of(items: Vec<Known>) -> Self {
        Self(items, BTreeMap::new())
    }

    /// The same, and what is found of a database that is as in a fresh deployment.
    #[cfg(test)]
    pub fn with_new(database: &str, findings: &[&str], items: Vec<Known>) -> Self {
        let findings = findings.iter().map(ToString::to_string).collect();
        Self(items, BTreeMap::from([(database.to_owned(), findings)]))
    }

    /// Those of a drill's baseline; none before it was observed.
    pub fn of_baseline(drill: &Drill) -> Result<Self> {
        let evidence = &drill.run.evidence;
        let Some(baseline) = evidence.completed(judge::BASELINE)? else { return Ok(Self::default()) };
        Self::read(evidence, &drill.run.corpus, baseline, evidence.completed(judge::FRESH)?)
    }

    /// Reads them from a run's evidence. `fresh` is what a fresh deployment has by itself.
    pub fn read(evidence: &Evidence, corpus: &Corpus, baseline: ObservationId, fresh: Option<ObservationId>) -> Result<Self> {
        let mut items = Self::default();
        items.mail(evidence, corpus, baseline)?;
        items.rows(evidence, baseline, fresh)?;
        items.files(evidence, baseline, fresh)?;
        for (service, _) in evidence.redis(baseline)? {
            for (k, is_fresh) in evidence.keys(baseline, &service, fresh)? {
                let item = Item::Key { service: service.clone(), number: Some(k.database), key: k.key.clone() };
                let attributes =
                    [("key", k.key), ("type", k.kind), ("expires", k.expires.to_string()), ("fresh", is_fresh.to_string())];
                items.add(item, attributes);
            }
        }
        for fact in evidence.facts(baseline)? {
            let value = fact.value.unwrap_or_default();
            items.add(Item::Fact { fact: fact.fact }, [("value", value)]);
        }
        for trial in evidence.trials(judge::BASELINE)? {
            items.add(Item::Trial { trial: trial.trial }, [("expected", trial.expected)]);
        }
        Ok(items)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.0.iter()
    }

    fn add<const N: usize>(&mut self, item: Item, attributes: [(&str, String); N]) {
        let attributes = attributes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        self.0.push(Known { name: item.to_string(), item, attributes });
    }

    fn mail(&mut self, evidence: &Evidence, corpus: &Corpus, o: ObservationId) -> Result<()> {
        // How many mailboxes and folders have a message of the corpus.
        let mut copies: BTreeMap<MessageId, u32> = BTreeMap::new();
        let accounts = evidence.accounts(o)?;
        for (account, _) in &accounts {
            for item in evidence.messages(o, account)?.into_iter().filter_map(|m| m.item) {
                *copies.entry(item).or_default() += 1;
            }
        }
        for (account, _) in accounts {
            let quota = evidence.quota(o, &account)?.map(|q| q.used.to_string()).unwrap_or_default();
            self.add(Item::Account { account: account.clone() }, [("account", account.clone()), ("quota", quota)]);
            let folders = evidence.folders(o, &account)?;
            for f in &folders {
                let item = Item::Folder { account: account.clone(), folder: f.folder.clone() };
                let (folder, uid_next) = (f.folder.clone(), f.uid_next.to_string());
                self.add(item, [("account", account.clone()), ("folder", folder), ("uidnext", uid_next)]);
            }
            for m in evidence.messages(o, &account)? {
                let uid_next = folders.iter().find(|f| f.folder == m.folder).map_or(0, |f| f.uid_next).to_string();
                let number = m.item.and_then(MessageId::corpus);
                let kind = number.map(|n| kebab(&format!("{:?}", corpus.message(n).kind))).unwrap_or_default();
                let corpus = m.item.map(|id| id.to_string()).unwrap_or_default();
                let copies = m.item.and_then(|id| copies.get(&id)).copied().unwrap_or_default().to_string();
                let item = Item::Message { account: account.clone(), folder: m.folder.clone(), uid: m.uid, corpus: m.item };
                let attributes = [
                    ("account", account.clone()),
                    ("folder", m.folder),
                    ("uid", m.uid.to_string()),
                    ("uidnext", uid_next),
                    ("flags", m.flags),
                    ("keywords", m.keywords),
                    ("size", m.size.to_string()),
                    ("kind", kind),
                    ("corpus", corpus),
                    ("copies", copies),
                ];
                self.add(item, attributes);
            }
            for s in evidence.scripts(o, &account)?.unwrap_or_default() {
                let item = Item::Script { account: account.clone(), script: s.script };
                self.add(item, [("account", account.clone()), ("active", s.active.to_string())]);
            }
        }
        Ok(())
    }

    fn rows(&mut self, evidence: &Evidence, o: ObservationId, fresh: Option<ObservationId>) -> Result<()> {
        for database in evidence.databases()? {
            self.objects(evidence, o, &database)?;
            if let Some(fresh) = fresh {
                self.1.insert(database.clone(), judge::database_as(evidence, o, fresh, &database)?);
            }
            self.add(Item::Database { database }, []);
        }
        let fresh = fresh.map(|f| evidence.rows(f)).transpose()?.unwrap_or_default();
        let fresh: BTreeSet<_> = fresh.into_iter().map(|r| (r.database, r.table, r.key)).collect();
        for row in evidence.rows(o)? {
            let is_fresh = fresh.contains(&(row.database.clone(), row.table.clone(), row.key.clone()));
            let columns: BTreeMap<String, Value> = serde_json::from_str(&row.columns).unwrap_or_default();
            let mut attributes: BTreeMap<String, String> = columns.into_iter().map(|(k, v)| (k, text(v))).collect();
            attributes.insert("key".into(), row.key.clone());
            attributes.insert("fresh".into(), is_fresh.to_string());
            let item = Item::Row { database: row.database, table: row.table, key: row.key };
            self.0.push(Known { name: item.to_string(), item, attributes });
        }
        Ok(())
    }

    fn objects(&mut self, evidence: &Evidence, o: ObservationId, database: &str) -> Result<()> {
        let mut objects: BTreeMap<(String, String), BTreeMap<String, String>> = BTreeMap::new();
        for seen in evidence.objects(o, database)?.into_iter().filter(|x| !x.what.is_empty()) {
            objects.entry((seen.what, seen.name)).or_default().insert(seen.property, seen.value);
        }
        for ((what, name), attributes) in objects {
            let item = Item::Object { database: database.to_owned(), what, name };
            self.0.push(Known { name: item.to_string(), item, attributes });
        }
        Ok(())
    }

    /// How a database that is as in a fresh deployment differs from the baseline; none of one that was not observed.
    pub fn as_new(&self, database: &str) -> Option<&BTreeSet<String>> {
        self.1.get(database)
    }

    /// The same of all databases.
    pub fn all_as_new(&self) -> impl Iterator<Item = &String> {
        self.1.values().flatten()
    }

    fn files(&mut self, evidence: &Evidence, o: ObservationId, fresh: Option<ObservationId>) -> Result<()> {
        let files = evidence.files(o)?;
        let mut names: BTreeMap<(String, String), u32> = BTreeMap::new();
        for file in files.iter().filter(|f| !f.link.is_empty()) {
            *names.entry((file.volume.clone(), file.link.clone())).or_default() += 1;
        }
        // By volume and path, the hash: what a fresh deployment makes with other bytes is altered where it is not restored.
        let fresh: BTreeMap<(String, String), String> = match fresh {
            Some(fresh) => evidence.files(fresh)?.into_iter().map(|f| ((f.volume, f.path), f.sha256)).collect(),
            None => BTreeMap::new(),
        };
        for f in files.into_iter().filter(|f| f.compared != Compared::No) {
            let names = names.get(&(f.volume.clone(), f.link.clone())).copied().unwrap_or(1).to_string();
            let whole = f.compared == Compared::Whole;
            let made = fresh.get(&(f.volume.clone(), f.path.clone()));
            let attributes = [
                ("type", f.kind.name().to_owned()),
                ("fresh", made.is_some().to_string()),
                ("made-anew", made.is_some_and(|hash| *hash != f.sha256).to_string()),
                ("compared", f.compared.name().to_owned()),
                ("volume", f.volume.clone()),
                ("path", f.path.clone()),
                ("mode", format!("{:04o}", f.mode)),
                ("owner", format!("{}:{}", f.uid, f.gid)),
                ("size", f.size.to_string()),
                ("link", f.link),
                ("names", names),
                ("whole", whole.to_string()),
            ];
            self.add(Item::File { volume: f.volume, path: f.path }, attributes);
        }
        Ok(())
    }

    /// The items that are chosen, in order.
    pub fn chosen(&self, choice: &Choice) -> Vec<Chosen<'_>> {
        let globs: Vec<Glob> = choice.item.0.iter().map(|g| Glob::new(g)).collect();
        let chosen = self.0.iter().filter_map(|known| {
            let stars = choice.item.0.iter().zip(&globs).find_map(|(text, glob)| {
                let stars = glob.stars(&known.name)?;
                is_about(text, &known.item).then_some(stars)
            })?;
            let other = match &choice.other {
                None => known,
                Some(other) => {
                    let name = numbered(other, &stars);
                    self.0.iter().find(|k| k.name == name)?
                }
            };
            if choice.without.as_ref().is_some_and(|glob| self.has(&numbered(glob, &stars))) {
                return None;
            }
            let fits = !any(&choice.but.0, &known.name) && has_all(other, &choice.having) && has_none(other, &choice.unless);
            fits.then_some(Chosen { known, stars })
        });
        chosen.collect()
    }
}

impl Items {
    /// Whether there is an item that a glob matches.
    fn has(&self, glob: &str) -> bool {
        self.0.iter().any(|k| is_about(glob, &k.item) && matches(glob, &k.name))
    }
}

fn attribute<'a>(known: &'a Known, name: &str) -> &'a str {
    known.attributes.get(name).map_or("", String::as_str)
}

fn has_all(known: &Known, having: &BTreeMap<String, Globs>) -> bool {
    having.iter().all(|(name, globs)| any(&globs.0, attribute(known, name)))
}

fn has_none(known: &Known, unless: &BTreeMap<String, Globs>) -> bool {
    unless.iter().all(|(name, globs)| !any(&globs.0, attribute(known, name)))
}

/// A text in which `{1}`, `{2}`, … stand for what the stars of a glob matched.
pub fn numbered(text: &str, stars: &[String]) -> String {
    let fill = |text: String, (at, star): (usize, &String)| text.replace(&format!("{{{}}}", at + 1), star);
    stars.iter().enumerate().fold(text.to_owned(), fill)
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// `LongLines` as `long-lines`.
fn kebab(camel: &str) -> String {
    let mut word = String::new();
    for c in camel.chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(c.to_lowercase());
    }
    word
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use judge::model::{Protocol, Trial, TrialKind};

    /// An item with its attributes.
    pub(in crate::fault) fn known(item: Item, attributes: &[(&str, &str)]) -> Known {
        let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Known { name: item.to_string(), item, attributes }
    }

    fn items() -> Items {
        let row = |key: &str| Item::Row { database: "m.db".into(), table: "user".into(), key: key.into() };
        Items::of(vec![
            known(Item::Account { account: "a@mail.test".into() }, &[]),
            known(Item::Folder { account: "a@mail.test".into(), folder: "INBOX".into() }, &[("uidnext", "7")]),
            known(row("a@mail.test"), &[("enabled", "1")]),
            known(row("b@mail.test"), &[("enabled", "0")]),
            known(
                Item::Trial { trial: Trial::new(TrialKind::Login(Protocol::Pop3), ["a@mail.test"]) },
                &[("expected", "let in")],
            ),
            known(Item::Fact { fact: "spam training".into() }, &[]),
        ])
    }

    fn names(choice: &str) -> Vec<String> {
        let choice: Choice = toml::from_str(choice).expect("valid");
        items().chosen(&choice).into_iter().map(|c| c.known.name.clone()).collect()
    }

    #[test]
    fn a_glob_is_about_one_kind_of_item() {
        assert_eq!(names("item = 'mailbox *'"), ["mailbox a@mail.test"]);
        assert_eq!(names("item = 'mailbox *, folder *'"), ["mailbox a@mail.test, folder INBOX"]);
        assert_eq!(names("item = '*spam*'"), ["spam training"]);
        assert_eq!(names("item = 'database *, table *, row *'").len(), 2);
        assert_eq!(names("item = 'database *, index *'").len(), 0);
    }

    #[test]
    fn items_are_chosen_by_what_they_have() {
        let users = "item = 'database m.db, table user, row *'\n";
        assert_eq!(names(&format!("{users}where = {{ enabled = '0' }}")), ["database m.db, table user, row b@mail.test"]);
        assert_eq!(names(&format!("{users}unless = {{ enabled = ['0', '2'] }}")), ["database m.db, table user, row a@mail.test"]);
        assert_eq!(names(&format!("{users}but = '*row a@*'")), ["database m.db, table user, row b@mail.test"]);
        let trial = "item = 'trial: login of * over POP3'\nof = 'database m.db, table user, row {1}'\n";
        assert_eq!(names(&format!("{trial}where = {{ enabled = '1' }}")).len(), 1);
        assert_eq!(names(&format!("{trial}where = {{ enabled = '0' }}")).len(), 0);
    }

    #[test]
    fn kinds_are_words() {
        assert_eq!(kebab("LongLines"), "long-lines");
    }
}
