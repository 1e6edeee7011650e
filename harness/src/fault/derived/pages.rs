//! Faults of pages: what a user must find there is gone, from the rows and files that held it.

use bot::contract::volume_dir;
use futures_util::future::BoxFuture;
use judge::model::{Item, Outcome, Trial, TrialKind, essence as line};
use recipe::scenario::faults::{Fault as Declared, Group};
use recipe::scenario::{Pages, Scenario};

use super::files;
use super::rows::delete;
use crate::drill::{self, Drill};
use crate::error::{FaultError, Result};
use crate::fault::act::in_bot;
use crate::fault::deed::{Deed, Derived, When};
use crate::fault::known::Items;
use crate::stack::volumes::full_name;

/// A check of pages whose data is gone, for the first user.
#[derive(Debug)]
struct DataGone {
    pages: Pages,
    /// The text that the check expects.
    expect: String,
}

/// The faults of a scenario's pages.
pub fn faults(scenario: &Scenario) -> Vec<Derived> {
    let of_pages = |pages: &Pages| {
        let name = pages.name.to_lowercase().replace(' ', "-");
        let expected = pages.check.iter().filter_map(|c| Some((c.target()?.1.to_owned(), c.expect.clone()?)));
        let fault = |(at, (path, expect)): (usize, (String, String))| {
            let what = format!("What a user must find at {path} is missing.");
            let mut declared = Declared::new(format!("{name}-{}-gone", at + 1), what, Group::Content);
            declared.tried = true;
            (declared, Some(Box::new(DataGone { pages: pages.clone(), expect }) as Box<dyn Deed>))
        };
        expected.enumerate().map(fault).collect::<Vec<_>>()
    };
    scenario.spec.pages.iter().flat_map(of_pages).collect()
}

impl Deed for DataGone {
    fn when(&self) -> When {
        When::Restored
    }

    fn strike<'a>(&'a self, drill: &'a Drill, items: &'a Items) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let first = drill.run.corpus.accounts().mailboxes().first().map(|u| u.email.clone());
            let user = first.ok_or_else(|| FaultError::Nothing { what: "user".into(), place: "the corpus".into() })?;
            let text = drill::visitor(drill, &self.pages, &user)?.filled(&self.expect);
            let trial = Item::Trial { trial: Trial::new(TrialKind::Page(self.pages.name.clone()), [user.as_str()]) };
            let mut found = vec![line(&trial, Outcome::Altered, None)];
            for known in items.iter().filter(|k| k.attributes.values().any(|value| value.contains(&text))) {
                if let Item::Row { .. } = &known.item {
                    delete(drill, &known.item).await?;
                    found.push(line(&known.item, Outcome::Lost, None));
                }
            }
            for volume in files::compared(&drill.app.scenario) {
                let dir = volume_dir(&full_name(&drill.app.stack.name, volume));
                let script = "cd \"$1\"; grep -rlF -- \"$2\" . | while read -r file; do rm \"$file\"; echo \"${file#./}\"; done";
                let struck = in_bot(drill, script, &[&dir, &text]).await?;
                let compared = |path: &&str| {
                    let item = Item::File { volume: volume.to_owned(), path: (*path).to_owned() };
                    items.iter().any(|k| k.item == item)
                };
                let lost =
                    |path: &str| line(&Item::File { volume: volume.to_owned(), path: path.to_owned() }, Outcome::Lost, None);
                found.extend(struck.lines().filter(compared).map(lost));
            }
            Ok(found)
        })
    }
}
