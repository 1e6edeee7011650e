//! The networks of a stack, closed: nothing leaves them. Each has an address for the run's resolver, which answers in the place of the
//! world's; and each service with a door has a network of its own for it, as a recipe's app has the proxy's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use crate::compose::Compose;
use crate::compose::variable::filled;

/// The network that `docker stack deploy` makes for services that name none.
const DEFAULT: &str = "default";

/// How the networks of a stack are deployed.
#[derive(Debug, Clone, Default)]
pub struct Closed {
    /// Services with a door.
    pub doors: BTreeSet<String>,
    /// The subnet of each network that services are on, by its name in the recipe.
    pub subnets: BTreeMap<String, Ipv4Net>,
    /// The scenario's app needs the world outside.
    pub egress: bool,
}

/// The network through which a service's doors are reached, by its name in the compose file.
pub fn door_network(service: &str) -> String {
    format!("door-{service}")
}

/// The networks that a stack's services are on, each with the subnet that the recipe gives it; none where one is to be chosen. A network
/// whose addresses are said in another way is not among them.
pub fn networks(all: &[Compose], env: &BTreeMap<String, String>) -> BTreeMap<String, Option<Ipv4Net>> {
    let with_subnet = |name: String| match ipam(all, &name) {
        None => Some((name, None)),
        Some(ipam) => {
            let subnet = filled(ipam.pointer("/config/0/subnet")?.as_str()?, env).parse().ok()?;
            Some((name, Some(subnet)))
        }
    };
    used(all).into_iter().filter_map(with_subnet).collect()
}

fn used(all: &[Compose]) -> BTreeSet<String> {
    let services: BTreeSet<&str> = all.iter().flat_map(Compose::services).collect();
    services.into_iter().flat_map(|service| networks_of(all, service)).collect()
}

/// What a recipe says about a network's addresses. Of a network that is declared twice, the last declaration counts.
fn ipam<'a>(all: &'a [Compose], network: &str) -> Option<&'a Value> {
    let declared = all.iter().rev().find_map(|c| c.value.pointer(&format!("/networks/{network}")))?;
    declared.get("ipam").filter(|ipam| !ipam.is_null())
}

impl Closed {
    /// The resolver's address in each network: the last one, where the engine, which begins with the first, comes last.
    pub fn resolvers(&self) -> BTreeMap<String, Ipv4Addr> {
        let all = self.subnets.iter().filter(|_| !self.egress);
        all.filter_map(|(name, subnet)| Some((name.clone(), resolver_in(*subnet)?))).collect()
    }

    /// Closes the networks of compose files.
    pub fn close(&self, all: &mut [Compose]) {
        let services: BTreeSet<String> = all.iter().flat_map(Compose::services).map(str::to_owned).collect();
        let resolvers = self.resolvers();
        for service in &services {
            let networks = networks_of(all, service);
            if networks.is_empty() {
                continue;
            }
            let resolver = networks.iter().find_map(|network| resolvers.get(network));
            // The files are merged, so what is said once counts.
            let has = |c: &Compose| c.value.pointer(&format!("/services/{service}")).is_some_and(Value::is_object);
            let Some(first) = all.iter().position(has) else { continue };
            for compose in all.iter_mut() {
                let Some(Value::Object(said)) = compose.value.pointer_mut(&format!("/services/{service}")) else { continue };
                if resolver.is_some() {
                    said.remove("dns");
                    said.remove("dns_search");
                }
            }
            let Some(Value::Object(said)) = all[first].value.pointer_mut(&format!("/services/{service}")) else { continue };
            resolver.map(|address| said.insert("dns".into(), json!([address])));
            if self.doors.contains(service) {
                join(said, &networks, &door_network(service));
            }
        }
        self.declare(all);
    }

    /// Declares the networks: theirs as the recipe has them, and those of doors.
    fn declare(&self, all: &mut [Compose]) {
        let used = used(all);
        let declared: BTreeSet<String> = all.iter().flat_map(Compose::networks).map(str::to_owned).collect();
        if let Some(first) = all.first_mut().and_then(|c| c.value.as_object_mut()) {
            let section = first.entry("networks").or_insert_with(|| json!({}));
            for name in used.difference(&declared) {
                section.as_object_mut().map(|s| s.insert(name.clone(), json!({})));
            }
        }
        let doors: BTreeSet<String> = self.doors.iter().map(|service| door_network(service)).collect();
        for compose in all {
            let section = compose.value.get_mut("networks").and_then(Value::as_object_mut);
            for (name, network) in section.into_iter().flat_map(Map::iter_mut) {
                if network.is_null() {
                    *network = json!({});
                }
                let Some(network) = network.as_object_mut() else { continue };
                network.insert("internal".into(), json!(!self.egress || doors.contains(name)));
                // The resolver and the way in are not Swarm's services.
                network.insert("attachable".into(), json!(true));
                if let Some(subnet) = self.subnets.get(name).filter(|_| !network.contains_key("ipam")) {
                    network.insert("ipam".into(), json!({"config": [{"subnet": subnet.to_string()}]}));
                }
            }
        }
    }
}

/// The last address of a subnet; none of one that is too small to share with a service.
fn resolver_in(subnet: Ipv4Net) -> Option<Ipv4Addr> {
    (subnet.prefix_len() <= 28).then(|| Ipv4Addr::from(u32::from(subnet.broadcast()) - 1))
}

/// The networks that a service is on; none where it shares another one's.
fn networks_of(all: &[Compose], service: &str) -> BTreeSet<String> {
    let said = |key: &'static str| all.iter().filter_map(move |c| c.value.pointer(&format!("/services/{service}/{key}")));
    if said("network_mode").any(|mode| !mode.is_null()) {
        return BTreeSet::new();
    }
    let mut names = BTreeSet::new();
    for networks in said("networks") {
        match networks {
            Value::Array(list) => names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
            Value::Object(map) => names.extend(map.keys().cloned()),
            _ => {}
        }
    }
    if names.is_empty() { BTreeSet::from([DEFAULT.to_owned()]) } else { names }
}

/// Puts a service on one more network.
fn join(service: &mut Map<String, Value>, on: &BTreeSet<String>, network: &str) {
    match service.get_mut("networks") {
        Some(Value::Array(list)) => list.push(json!(network)),
        Some(Value::Object(map)) => drop(map.insert(network.to_owned(), Value::Null)),
        _ => {
            let all: Map<String, Value> =
                on.iter().map(String::as_str).chain([network]).map(|n| (n.to_owned(), Value::Null)).collect();
            service.insert("networks".into(), Value::Object(all));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Compose {
        Compose::parse(Path::new("compose.yml"), text).expect("valid")
    }

    fn closed(subnets: &[(&str, &str)], egress: bool) -> Closed {
        let subnets = subnets.iter().map(|(name, subnet)| ((*name).to_owned(), subnet.parse().expect("a subnet"))).collect();
        Closed { doors: BTreeSet::from(["app".to_owned()]), subnets, egress }
    }

    const RECIPE: &str = "\
services:
  app: {image: a, networks: [proxy, inner], dns: [9.9.9.9]}
  db: {image: b, networks: {inner: {aliases: [database]}}}
  job: {image: c}
networks:
  proxy:
  inner: {driver: overlay, ipam: {config: [{subnet: '${SUBNET}'}]}}
";

    #[test]
    fn nothing_leaves_a_closed_network() {
        let mut all = [parse(RECIPE), parse("services: {db: {dns_search: example.org}}\n")];
        let env = BTreeMap::from([("SUBNET".to_owned(), "10.213.7.0/24".to_owned())]);
        let found = networks(&all, &env);
        let subnets: Vec<_> = found.iter().map(|(name, subnet)| (name.as_str(), subnet.map(|s| s.to_string()))).collect();
        assert_eq!(subnets, [("default", None), ("inner", Some("10.213.7.0/24".to_owned())), ("proxy", None)]);
        let plan = closed(&[("inner", "10.213.7.0/24"), ("proxy", "10.213.8.0/24"), ("default", "10.213.9.0/24")], false);
        plan.close(&mut all);
        let network = |subnet: &str| json!({"internal": true, "attachable": true, "ipam": {"config": [{"subnet": subnet}]}});
        let mut inner = network("${SUBNET}");
        inner["driver"] = json!("overlay");
        assert_eq!(
            all[0].value,
            json!({
                "services": {
                    "app": {"image": "a", "networks": ["proxy", "inner", "door-app"], "dns": ["10.213.7.254"]},
                    "db": {"image": "b", "networks": {"inner": {"aliases": ["database"]}}, "dns": ["10.213.7.254"]},
                    "job": {"image": "c", "dns": ["10.213.9.254"]},
                },
                "networks": {
                    "proxy": network("10.213.8.0/24"),
                    "inner": inner,
                    "default": network("10.213.9.0/24"),
                    "door-app": {"internal": true, "attachable": true},
                },
            })
        );
        assert_eq!(all[1].value, json!({"services": {"db": {}}}));
    }

    #[test]
    fn an_app_that_needs_the_world_keeps_its_networks_open_and_its_door_closed() {
        let mut all = [parse("services: {app: {image: a}}\n")];
        closed(&[("default", "10.213.9.0/24")], true).close(&mut all);
        let pool = json!({"config": [{"subnet": "10.213.9.0/24"}]});
        assert_eq!(
            all[0].value,
            json!({
                "services": {"app": {"image": "a", "networks": {"default": null, "door-app": null}}},
                "networks": {
                    "default": {"internal": false, "attachable": true, "ipam": pool},
                    "door-app": {"internal": true, "attachable": true},
                },
            })
        );
    }

    #[test]
    fn a_service_that_shares_a_network_has_none_of_its_own() {
        let all = [parse("services: {app: {image: a, network_mode: none}}\n")];
        assert_eq!(networks(&all, &BTreeMap::new()), BTreeMap::new());
    }

    #[test]
    fn a_network_whose_addresses_are_not_understood_has_no_resolver() {
        let text = "services: {app: {image: a}}\nnetworks: {default: {ipam: {config: [{subnet: 'fd00::/64'}]}}}\n";
        assert_eq!(networks(&[parse(text)], &BTreeMap::new()), BTreeMap::new());
    }

    #[test]
    fn a_small_subnet_has_no_room_for_a_resolver() {
        assert_eq!(resolver_in("10.0.0.0/29".parse().expect("a subnet")), None);
        assert_eq!(resolver_in("10.0.0.0/16".parse().expect("a subnet")), Some(Ipv4Addr::new(10, 0, 255, 254)));
    }
}
