//! Keys of Redis: type, value, whether they expire.

use crate::error::Result;
use crate::model::{Finding, Item, Outcome};
use crate::property;
use crate::say::{changed, finding, short_hex};
use crate::store::{Evidence, KeyPair, KeySeen, ObservationId};

/// What stands for all keys of all databases of a service.
const ALL: &str = "*";

/// Compares the keys of two observations, and gives how many there were.
pub(crate) fn keys(evidence: &Evidence, before: ObservationId, after: ObservationId, findings: &mut Vec<Finding>) -> Result<u64> {
    let now = evidence.redis(after)?;
    let mut unread = Vec::new();
    for (service, _) in evidence.redis(before)? {
        let why = match now.iter().find(|(s, _)| *s == service) {
            Some((_, None)) => continue,
            Some((_, Some(why))) => why.clone(),
            None => "its keys were not read".to_owned(),
        };
        findings.push(whole(&service, why));
        unread.push(service);
    }
    let differ = evidence.key_pairs(before, after)?;
    // Of what could not be read, nothing is known to be lost.
    findings.extend(differ.iter().filter(|(service, ..)| !unread.contains(service)).flat_map(of_pair));
    Ok(evidence.key_counts(before)?.iter().map(|(_, n)| n).sum())
}

/// The services whose keys an observation could not read.
pub(crate) fn unread(evidence: &Evidence, o: ObservationId) -> Result<Vec<Finding>> {
    let unread = evidence.redis(o)?.into_iter().filter_map(|(service, why)| Some(whole(&service, why?)));
    Ok(unread.collect())
}

fn whole(service: &str, why: String) -> Finding {
    let item = Item::Key { service: service.to_owned(), number: None, key: ALL.to_owned() };
    finding(item, Outcome::Unread, None, why)
}

fn of_pair((service, before, after): &KeyPair) -> Vec<Finding> {
    let item = |k: &KeySeen| Item::Key { service: service.clone(), number: Some(k.database), key: k.key.clone() };
    match (before, after) {
        (Some(was), None) => vec![finding(item(was), Outcome::Lost, None, String::new())],
        (None, Some(is)) => vec![finding(item(is), Outcome::Unexpected, None, String::new())],
        (Some(was), Some(is)) => {
            let mut found = Vec::new();
            let mut differ = |property, was: String, is: String| {
                if was != is {
                    found.push((property, changed(was, is)));
                }
            };
            let value = |k: &KeySeen| format!("{} ({} long)", short_hex(&k.value), k.length);
            // What is soon gone may change until then.
            if !was.soon {
                differ(property::KIND, was.kind.clone(), is.kind.clone());
                differ(property::VALUE, value(was), value(is));
            }
            let expires = |k: &KeySeen| if k.expires { "that it expires" } else { "that it stays" }.to_owned();
            differ(property::EXPIRY, expires(was), expires(is));
            found.into_iter().map(|(p, detail)| finding(item(was), Outcome::Altered, Some(p), detail)).collect()
        }
        (None, None) => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str, value: &str, expires: bool) -> KeySeen {
        KeySeen { database: 0, key: key.into(), kind: "string".into(), expires, soon: false, length: 1, value: value.into() }
    }

    fn found(before: &[KeySeen], after: Result<&[KeySeen], Option<&str>>) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let (old, new) = (evidence.observation("a").expect("begun"), evidence.observation("b").expect("begun"));
        evidence.put_redis(old, "db", None).expect("stored");
        evidence.put_keys(old, "db", before).expect("stored");
        match after {
            Ok(keys) => {
                evidence.put_redis(new, "db", None).expect("stored");
                evidence.put_keys(new, "db", keys).expect("stored");
            }
            Err(Some(why)) => evidence.put_redis(new, "db", Some(why)).expect("stored"),
            Err(None) => {}
        }
        let mut findings = Vec::new();
        assert_eq!(keys(&evidence, old, new, &mut findings).expect("judged"), before.len() as u64);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_are_lost_altered_unexpected_or_unread() {
        let (a, b) = (key("a", "11", false), key("b", "22", true));
        let before = [a.clone(), b.clone()];
        assert_eq!(found(&before, Ok(&before)), Vec::<String>::new());
        assert_eq!(found(&before, Ok(std::slice::from_ref(&b))), ["redis db, database 0, key a: lost"]);
        assert_eq!(found(std::slice::from_ref(&b), Ok(&before)), ["redis db, database 0, key a: unexpected"]);
        let other = KeySeen { kind: "list".into(), expires: true, ..key("a", "33", false) };
        assert_eq!(
            found(&before, Ok(&[other, b])),
            [
                "redis db, database 0, key a: altered (type): was string, is list",
                "redis db, database 0, key a: altered (value): was 11 (1 long), is 33 (1 long)",
                "redis db, database 0, key a: altered (expiry): was that it stays, is that it expires",
            ]
        );
        assert_eq!(found(&before, Err(Some("no answer"))), ["redis db, key *: unread: no answer"]);
        assert_eq!(found(&before, Err(None)), ["redis db, key *: unread: its keys were not read"]);
    }

    /// Time goes on between two observations: a key that is soon gone in one of them is not lost, and not new.
    #[test]
    fn a_key_that_is_soon_gone_is_neither_lost_nor_new() {
        let kept = key("a", "11", true);
        let soon = KeySeen { soon: true, ..kept.clone() };
        let judged = |before: &[KeySeen], after: &[KeySeen]| {
            let dir = tempfile::tempdir().expect("a directory");
            let evidence = Evidence::create(dir.path()).expect("evidence");
            let (old, new) = (evidence.observation("a").expect("begun"), evidence.observation("b").expect("begun"));
            for (o, keys) in [(old, before), (new, after)] {
                evidence.put_redis(o, "db", None).expect("stored");
                evidence.put_keys(o, "db", keys).expect("stored");
            }
            let mut findings = Vec::new();
            keys(&evidence, old, new, &mut findings).expect("judged");
            findings.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let soon = [soon];
        assert_eq!(judged(std::slice::from_ref(&kept), &soon), [""; 0]);
        assert_eq!((judged(&soon, &[]), judged(&[], &soon)), (vec![], vec![]));
        let other = KeySeen { value: "22".into(), ..soon[0].clone() };
        assert_eq!(judged(&soon, std::slice::from_ref(&other)), [""; 0]);
        assert_eq!(judged(std::slice::from_ref(&kept), &[other]).len(), 1, "one that was not may not change");
        assert_eq!(judged(std::slice::from_ref(&kept), &[]), ["redis db, database 0, key a: lost"]);
        let stays = ["redis db, database 0, key a: altered (expiry): was that it expires, is that it stays"];
        assert_eq!(judged(&soon, &[key("a", "11", false)]), stays);
    }

    #[test]
    fn what_is_left_after_a_wipe_is_not_what_a_fresh_deployment_has() {
        let dir = tempfile::tempdir().expect("a directory");
        let evidence = Evidence::create(dir.path()).expect("evidence");
        let o = ["fresh", "before", "after"].map(|name| evidence.observation(name).expect("begun"));
        let (own, users) = (key("own", "1", false), key("users", "2", false));
        for (o, keys) in o.iter().zip([vec![own.clone()], vec![own.clone(), users.clone()], vec![own, users]]) {
            evidence.put_keys(*o, "db", &keys).expect("stored");
        }
        let left = |older| {
            let own = crate::store::Own { before: o[1], fresh: Some(o[0]), older };
            evidence.key_still_there(own, o[2]).expect("read")
        };
        assert_eq!(left(None), Some(("db".into(), 0, "users".into())));
        assert_eq!(left(Some(o[0])), None, "the upgrade may have made it");
        let fresh: Vec<bool> = evidence.keys(o[1], "db", Some(o[0])).expect("read").into_iter().map(|(_, fresh)| fresh).collect();
        assert_eq!(fresh, [true, false]);
    }
}
