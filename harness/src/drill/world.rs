//! The world outside as the app finds it: the names of the run's domains and of those who write to them and are written to. Mail to
//! strangers reaches the run's own server, and mail from them passes a server that looks up who sends.

use std::collections::BTreeMap;

use inside::{Records, Zone};
use recipe::scenario::{Door, Scenario};
use seeds::{Accounts, RELAY, RELAYED};

use crate::stack::resolver::World;

/// A sender at another server.
pub(super) const STRANGER: &str = "stranger@drill.example";
/// Somebody at another server that the app finds by its name in DNS.
pub(super) const SOMEBODY: &str = "somebody@elsewhere.example";
/// The recipient of the mail that is in the queue while the backup is taken.
pub(super) const PARKED: &str = "parked@relayed.example";
/// The recipient of mail to the relayed domain.
pub(super) const RELAYED_MAIL: &str = "trial@relayed.example";

/// Who may send as a stranger: whoever is on a private network (RFC 1918), as the way into the stack is.
const ANYBODY_HERE: &str = "v=spf1 ip4:10.0.0.0/8 ip4:172.16.0.0/12 ip4:192.168.0.0/16 -all";

/// What an app finds of the world at first: mail to [`PARKED`] is put off.
pub(super) fn of(scenario: &Scenario, accounts: &Accounts) -> World {
    let mut zone = BTreeMap::new();
    if scenario.spec.mail.is_some() {
        zone.extend(outside());
        zone.extend(domains(scenario, accounts));
    }
    World { zone: Zone(zone), busy: vec![PARKED.to_owned()] }
}

/// The domains of strangers, and the server that takes their mail.
fn outside() -> impl Iterator<Item = (String, Records)> {
    let domain = |of: &str| of.rsplit('@').next().unwrap_or_default().to_owned();
    [domain(STRANGER), domain(SOMEBODY), RELAYED.to_owned()].into_iter().flat_map(|domain| {
        let host = format!("mx.{domain}");
        let server = Records { own: true, ..Records::default() };
        let mail = Records { mx: vec![host.clone()], txt: vec![ANYBODY_HERE.into()], own: true, ..Records::default() };
        [(host, server.clone()), (domain, mail), (RELAY.to_owned(), server)]
    })
}

/// The run's domains: their mail is for the app.
fn domains(scenario: &Scenario, accounts: &Accounts) -> BTreeMap<String, Records> {
    let Some(host) = scenario.spec.certificate.as_ref().map(|c| c.host.clone()) else { return BTreeMap::new() };
    let names = accounts.domains.iter().flat_map(|d| [&d.name].into_iter().chain(&d.alternatives));
    let mail = || Records { mx: vec![host.clone()], txt: vec!["v=spf1 mx -all".into()], ..Records::default() };
    let mut zone: BTreeMap<String, Records> = names.map(|name| (name.clone(), mail())).collect();
    let takes_mail = |d: &&Door| d.name == "smtp" || d.name == "submissions";
    zone.entry(host.clone()).or_default().service = scenario.spec.doors.iter().find(takes_mail).map(|d| d.service.clone());
    zone
}

/// Adds the domains' DKIM keys, each under the name of its DNS record.
pub(super) fn publish(world: &mut World, keys: &BTreeMap<String, String>) {
    let records = keys.iter().map(|(name, key)| (name.clone(), Records { txt: vec![key.clone()], ..Records::default() }));
    world.zone.0.extend(records);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_and_the_runs_domains_have_names() {
        let dir = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
        let profile = seeds::Profile::named("tiny").expect("built in");
        let corpus = seeds::Corpus::new(1, profile);
        let load = |name| Scenario::load(dir, name).expect("a scenario");
        let mut world = of(&load("mailu"), corpus.accounts());
        publish(&mut world, &BTreeMap::from([("dkim._domainkey.mail.example".to_owned(), "v=DKIM1".to_owned())]));
        let zone = &world.zone.0;
        for domain in corpus.accounts().domains.iter().flat_map(|d| [&d.name].into_iter().chain(&d.alternatives)) {
            let [host] = &zone[domain].mx[..] else { panic!("{domain}: {:?}", zone[domain]) };
            assert_eq!((host.as_str(), zone[host].service.as_deref()), ("front.mail.example", Some("app")));
            assert_eq!(zone[domain].txt, ["v=spf1 mx -all"]);
        }
        for stranger in ["drill.example", "elsewhere.example", RELAYED] {
            assert!(zone[stranger].own && zone[&zone[stranger].mx[0]].own, "{stranger}");
        }
        assert!(zone[RELAY].own && world.busy == [PARKED]);
        assert_eq!(zone["dkim._domainkey.mail.example"].txt, ["v=DKIM1"]);
        assert_eq!(of(&load("radicale"), corpus.accounts()).zone, Zone::default(), "an app that takes no mail");
    }
}
