//! What must be found, filled in from the baseline: each finding by name, so that one too few or one too many shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use judge::model::Item;
use recipe::glob::matches;
use recipe::scenario::faults::expected::Change;
use recipe::scenario::faults::{AS_NEW, Choice, EVERYTHING, Expected, Usage, parted};
use regex::{Captures, Regex};
use seeds::Corpus;

use super::known::{Chosen, Items, Known, numbered};
use crate::error::{FaultError, Result};

/// What stands for a name in a text.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\{(?:mailboxes (?<glob>[^{}]+)|(?<target>[a-z][a-z0-9-]*)\.(?<attribute>[a-z0-9_]+))\}").expect("a constant")
});

/// What fills in texts and findings.
pub struct Filling<'a> {
    /// The corpus, whose addresses may be named.
    pub corpus: &'a Corpus,
    /// What the baseline has; none before it was observed.
    pub items: &'a Items,
    /// Items to name.
    pub targets: &'a BTreeMap<String, Choice>,
    /// State that is lost as a whole.
    pub lost: &'a BTreeMap<String, Vec<Expected>>,
}

impl Filling<'_> {
    /// A text with its placeholders filled in. What is in braces and names nothing here stays as it is.
    pub fn text(&self, text: &str) -> Result<String> {
        let mut missing = None;
        let filled = PLACEHOLDER.replace_all(text, |c: &Captures<'_>| {
            let whole = c[0].to_owned();
            if let Some(glob) = c.name("glob") {
                return self.mailboxes(glob.as_str());
            }
            match self.targets.get(&c["target"]) {
                None => whole,
                Some(choice) => self.of_target(choice, &c["attribute"]).unwrap_or_else(|| {
                    missing = Some(whole);
                    String::new()
                }),
            }
        });
        match missing {
            None => Ok(filled.into_owned()),
            Some(name) => Err(FaultError::NoTarget { name }.into()),
        }
    }

    fn mailboxes(&self, glob: &str) -> String {
        let chosen = self.corpus.accounts().enabled().map(|u| u.email.as_str()).filter(|email| matches(glob, email));
        chosen.collect::<Vec<_>>().join(",")
    }

    fn of_target(&self, choice: &Choice, attribute: &str) -> Option<String> {
        // What a target is chosen by may name another target.
        let choice = self.choice(choice).ok()?;
        let Chosen { known, stars } = self.items.chosen(&choice).into_iter().next()?;
        match attribute.parse::<usize>() {
            Ok(star) => stars.get(star.checked_sub(1)?).cloned(),
            Err(_) if attribute == "item" => Some(known.name.clone()),
            Err(_) => known.attributes.get(attribute).cloned(),
        }
    }

    fn choice(&self, choice: &Choice) -> Result<Choice> {
        let mut filled = choice.clone();
        let lists = filled.having.values_mut().chain(filled.unless.values_mut()).chain([&mut filled.item, &mut filled.but]);
        for text in lists.flat_map(|globs| &mut globs.0) {
            *text = self.text(text)?;
        }
        filled.other = filled.other.map(|text| self.text(&text)).transpose()?;
        filled.without = filled.without.map(|text| self.text(&text)).transpose()?;
        Ok(filled)
    }

    /// The findings, and globs where no item of the baseline is matched.
    pub fn findings<'e>(&self, expected: impl IntoIterator<Item = &'e Expected>) -> Result<BTreeSet<String>> {
        let mut findings = BTreeSet::new();
        expected.into_iter().try_for_each(|e| self.add(e, &mut findings))?;
        Ok(findings)
    }

    fn add(&self, expected: &Expected, to: &mut BTreeSet<String>) -> Result<()> {
        match expected {
            Expected::Finding(name) if self.lost.contains_key(name) => self.lost[name].iter().try_for_each(|e| self.add(e, to)),
            Expected::Finding(name) if name == EVERYTHING => {
                to.extend(self.everything());
                Ok(())
            }
            Expected::Finding(text) if text.starts_with(AS_NEW) => {
                let database = &text[AS_NEW.len()..];
                let none = || FaultError::NotFresh { finding: text.clone(), database: database.to_owned() };
                to.extend(self.items.as_new(database).ok_or_else(none)?.iter().cloned());
                Ok(())
            }
            Expected::Finding(text) => {
                to.extend(self.of_items(&self.text(text)?));
                Ok(())
            }
            Expected::Each(each) => {
                let choice = self.choice(&each.choice())?;
                let finds = self.text(&each.finds)?;
                to.extend(self.items.chosen(&choice).into_iter().map(|chosen| about(&finds, &chosen)));
                Ok(())
            }
            Expected::Usage(usage) => {
                to.extend(self.usage(usage)?);
                Ok(())
            }
        }
    }

    /// The finding for each item of the baseline that it matches; itself where it matches none.
    fn of_items(&self, finding: &str) -> Vec<String> {
        let Some((item, outcome)) = parted(finding).filter(|(item, _)| item.contains('*')) else {
            return vec![finding.to_owned()];
        };
        let choice = Choice { item: recipe::scenario::faults::Globs(vec![item.to_owned()]), ..Choice::default() };
        let chosen = self.items.chosen(&choice);
        if chosen.is_empty() {
            return vec![finding.to_owned()];
        }
        chosen.into_iter().map(|c| format!("{}: {outcome}", c.known.name)).collect()
    }

    /// All state, as far as a fresh deployment does not have it by itself.
    fn everything(&self) -> BTreeSet<String> {
        let attribute = |known: &Known, name: &str| known.attributes.get(name).cloned().unwrap_or_default();
        let lost = |known: &Known| {
            let gone = format!("{}: lost", known.name);
            match &known.item {
                Item::Account { .. } => Some(gone),
                Item::Row { .. } | Item::Key { .. } => (attribute(known, "fresh") == "false").then_some(gone),
                Item::File { .. } => {
                    (attribute(known, "whole") == "true" && attribute(known, "fresh") == "false").then_some(gone)
                }
                Item::Fact { .. } => (!attribute(known, "value").is_empty()).then(|| format!("{}: altered", known.name)),
                _ => None,
            }
        };
        self.items.iter().filter_map(lost).chain(self.items.all_as_new().cloned()).collect()
    }

    /// The mailboxes whose quota usage differs, by more than the judge lets servers differ in counting.
    fn usage(&self, usage: &Usage) -> Result<Vec<String>> {
        let size = |known: &Known| known.attributes.get("size").and_then(|s| s.parse::<u64>().ok()).unwrap_or_default();
        let sum = |globs: &[String]| -> Result<BTreeMap<String, u64>> {
            let globs = globs.iter().map(|g| self.text(g)).collect::<Result<Vec<_>>>()?;
            let choice = Choice { item: recipe::scenario::faults::Globs(globs), ..Choice::default() };
            let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
            for chosen in self.items.chosen(&choice) {
                if let Item::Message { account, .. } = &chosen.known.item {
                    *bytes.entry(account.clone()).or_default() += size(chosen.known);
                }
            }
            Ok(bytes)
        };
        let (all, differing) = (sum(&["mailbox *, folder *, message *".to_owned()])?, sum(&usage.usage.0)?);
        let counts = |account: &String| {
            let is_it = |k: &&Known| matches!(&k.item, Item::Account { account: a } if a == account);
            self.items.iter().find(is_it).is_some_and(|k| k.attributes.get("quota").is_some_and(|q| !q.is_empty()))
        };
        let differs = differing.into_iter().filter(|(account, bytes)| {
            let total = all.get(account).copied().unwrap_or_default();
            let changed = match usage.change {
                Change::Less => total - bytes,
                Change::More => total + bytes,
            };
            let (before, after) = (total.div_ceil(1024), changed.div_ceil(1024));
            counts(account) && before.abs_diff(after) > 1 + before / 100
        });
        Ok(differs.map(|(account, _)| format!("mailbox {account}: altered (quota usage)")).collect())
    }
}

/// A finding about an item that was chosen.
fn about(finds: &str, chosen: &Chosen<'_>) -> String {
    let mut text = numbered(finds, &chosen.stars).replace("{item}", &chosen.known.name);
    for (name, value) in &chosen.known.attributes {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::known::tests::known;
    use recipe::scenario::faults::Faults;

    fn items() -> Items {
        let message = |uid: u32, size| {
            let item = Item::Message { account: "a@mail.test".into(), folder: "INBOX".into(), uid, corpus: None };
            known(item, &[("size", size), ("uid", &uid.to_string())])
        };
        let row =
            |key: &str, fresh| known(Item::Row { database: "m".into(), table: "t".into(), key: key.into() }, &[("fresh", fresh)]);
        let file = |path: &str, fresh| {
            known(Item::File { volume: "v".into(), path: path.into() }, &[("whole", "true"), ("path", path), ("fresh", fresh)])
        };
        let as_new = ["database m, table t, row 2: lost", "database m, index t_i: lost"];
        Items::with_new(
            "m",
            &as_new,
            vec![
                known(Item::Account { account: "a@mail.test".into() }, &[("quota", "100")]),
                message(1, "1000"),
                message(2, "99000"),
                row("1", "true"),
                row("2", "false"),
                file("a", "false"),
                file("made", "true"),
            ],
        )
    }

    fn found(text: &str) -> Result<Vec<String>> {
        let faults: Faults = toml::from_str(text).expect("valid");
        let corpus = Corpus::new(1, seeds::Profile::named("tiny").expect("built in"));
        let items = items();
        let filling = Filling { corpus: &corpus, items: &items, targets: &faults.targets, lost: &faults.lost };
        filling.findings(&faults.faults[0].finds).map(|found| found.into_iter().collect())
    }

    fn finds(finds: &str) -> Vec<String> {
        let target = "[target.file]\nitem = 'volume v, file *'\n[lost]\nrows = ['database m, table t, row *: lost']\n";
        found(&format!("{target}[[fault]]\nname = 'x'\nwhat = 'x'\ngroup = 'content'\nfinds = [{finds}]")).expect("filled in")
    }

    #[test]
    fn a_glob_stands_for_each_item_that_it_matches() {
        assert_eq!(finds("'volume v, file *: lost'"), ["volume v, file a: lost", "volume v, file made: lost"]);
        assert_eq!(finds("'volume w, file *: lost'"), ["volume w, file *: lost"], "an item that is not known beforehand");
        assert_eq!(finds("'rows'"), ["database m, table t, row 1: lost", "database m, table t, row 2: lost"]);
        assert_eq!(finds("'volume v, file {file.path}: altered (mode)'"), ["volume v, file a: altered (mode)"]);
        assert_eq!(
            finds("{ each = 'volume v, file *', where = { path = 'm*' }, finds = 'page {1}: lost' }"),
            ["page made: lost"]
        );
    }

    #[test]
    fn everything_is_what_a_fresh_deployment_does_not_have() {
        assert_eq!(
            finds("'everything'"),
            [
                "database m, index t_i: lost",
                "database m, table t, row 2: lost",
                "mailbox a@mail.test: lost",
                "volume v, file a: lost"
            ]
        );
        assert_eq!(finds("'as new: m'"), ["database m, index t_i: lost", "database m, table t, row 2: lost"]);
        assert!(found("[[fault]]\nname = 'x'\nwhat = 'x'\ngroup = 'content'\nfinds = ['as new: n']").is_err());
    }

    #[test]
    fn quotas_differ_by_more_than_servers_differ_in_counting() {
        let usage = |uid: u32| format!("{{ usage = 'mailbox *, folder *, message with UID {uid}', change = 'less' }}");
        assert_eq!(finds(&usage(1)), [""; 0]);
        assert_eq!(finds(&usage(2)), ["mailbox a@mail.test: altered (quota usage)"]);
    }

    #[test]
    fn a_target_that_is_not_there_is_said() {
        let text = "[target.file]\nitem = 'volume x, file *'\n[[fault]]\nname = 'x'\nwhat = 'x'\ngroup = 'content'\n\
                    finds = ['volume x, file {file.path}: lost']";
        let error = found(text).expect_err("nothing to strike").to_string();
        assert!(error.contains("{file.path}") && error.contains("use a larger profile"), "{error}");
    }
}
