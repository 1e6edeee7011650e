//! Databases: their checks and their rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Finding, Item, Outcome};
use crate::say::{changed, finding};
use crate::stage::Versions;
use crate::store::RowSeen;

pub(crate) fn database(name: &str, old: &[(String, String)], new: &[(String, String)], findings: &mut Vec<Finding>) {
    let item = || Item::Database { database: name.into() };
    let new: BTreeMap<&str, &str> = new.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    for (property, was) in old {
        match new.get(property.as_str()) {
            Some(is) if is == was => {}
            Some(is) => findings.push(finding(item(), Outcome::Altered, Some(property), changed(was, is))),
            None => findings.push(finding(item(), Outcome::Unread, Some(property), "it was not read".into())),
        }
    }
}

pub(crate) fn rows(old: &[RowSeen], new: &[RowSeen], versions: Versions, findings: &mut Vec<Finding>) {
    let place = |r: &RowSeen| (r.database.clone(), r.table.clone(), r.key.clone());
    let item = |r: &RowSeen| Item::Row { database: r.database.clone(), table: r.table.clone(), key: r.key.clone() };
    let after: BTreeMap<_, _> = new.iter().map(|r| (place(r), r)).collect();
    let before: BTreeSet<_> = old.iter().map(place).collect();
    for o in old {
        let Some(n) = after.get(&place(o)) else {
            findings.push(finding(item(o), Outcome::Lost, None, String::new()));
            continue;
        };
        if o.columns == n.columns {
            continue;
        }
        let parse = |text: &str| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(text).unwrap_or_default();
        let (was, is) = (parse(&o.columns), parse(&n.columns));
        let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for name in names.into_iter().filter(|n| versions == Versions::Same || was.contains_key(*n)) {
            let show = |v: Option<&serde_json::Value>| v.map_or_else(|| "absent".to_owned(), ToString::to_string);
            let (was, is) = (show(was.get(name)), show(is.get(name)));
            if was != is {
                findings.push(finding(item(o), Outcome::Altered, Some(name), changed(was, is)));
            }
        }
    }
    let tables: BTreeSet<_> = old.iter().map(|r| (&r.database, &r.table)).collect();
    let known = |r: &RowSeen| versions == Versions::Same || tables.contains(&(&r.database, &r.table));
    for n in new.iter().filter(|n| !before.contains(&place(n)) && known(n)) {
        findings.push(finding(item(n), Outcome::Unexpected, None, String::new()));
    }
}
