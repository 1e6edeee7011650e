//! The networks of a stack, closed: nothing leaves them. Each has an address for the run's resolver, which answers in the place of the
//! world's; and each service with a door has a network of its own for it, as a recipe's app has the proxy's.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

use crate::compose::Compose;
use crate::compose::variable::filled;

/// A resolver that nobody is: each container's own address.
const NOBODY: Ipv4Addr = Ipv4Addr::LOCALHOST;
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
    let with_subnet = |name: String| match pools(all, &name) {
        [] => Some((name, None)),
        pools => {
            let subnet = |pool: &Value| filled(pool.get("subnet")?.as_str()?, env).parse().ok();
            let subnet = pools.iter().find_map(subnet)?;
            Some((name, Some(subnet)))
        }
    };
    used(all).into_iter().filter_map(with_subnet).collect()
}

fn used(all: &[Compose]) -> BTreeSet<String> {
    let services: BTreeSet<&str> = all.iter().flat_map(Compose::services).collect();
    services.into_iter().flat_map(|service| networks_of(all, service)).collect()
}

/// The pools of addresses that a recipe gives to a network. Of a network that is declared twice, the last declaration counts.
fn pools<'a>(all: &'a [Compose], network: &str) -> &'a [Value] {
    let declared = all.iter().rev().find_map(|c| c.value.get("networks")?.get(network));
    declared.map_or(&[], pools_of)
}

fn pools_of(network: &Value) -> &[Value] {
    network.pointer("/ipam/config").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

impl Closed {
    /// The resolver's address in each network: the last usable one, which the engine, beginning with the first, gives away late.
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
            let resolver = networks.iter().find_map(|network| resolvers.get(network));
            if !self.egress {
                for said in all.iter_mut().filter_map(|compose| said_of(compose, service)) {
                    said.remove("dns");
                    said.remove("dns_search");
                }
            }
            // The files are merged, so what is said once counts.
            let Some(said) = all.iter_mut().find_map(|compose| said_of(compose, service)) else { continue };
            if !self.egress {
                // Where there is none, the engine must not ask its host's instead.
                said.insert("dns".into(), json!([resolver.unwrap_or(&NOBODY)]));
            }
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
                let has_pools = !pools_of(network).is_empty();
                let Some(network) = network.as_object_mut() else { continue };
                // Those that the recipe closes stay closed.
                if !self.egress || doors.contains(name) {
                    network.insert("internal".into(), json!(true));
                }
                // The resolver and the way in are not Swarm's services.
                network.insert("attachable".into(), json!(true));
                if let Some(subnet) = self.subnets.get(name).filter(|_| !has_pools) {
                    network.insert("ipam".into(), json!({"config": [{"subnet": subnet.to_string()}]}));
                }
            }
        }
    }
}

/// What a compose file says of a service.
fn said_of<'a>(compose: &'a mut Compose, service: &str) -> Option<&'a mut Map<String, Value>> {
    compose.value.get_mut("services")?.get_mut(service)?.as_object_mut()
}

/// The last usable address of a subnet; none of one that is too small to share with a service.
fn resolver_in(subnet: Ipv4Net) -> Option<Ipv4Addr> {
    (subnet.prefix_len() <= 28).then(|| Ipv4Addr::from(u32::from(subnet.broadcast()) - 1))
}

/// The networks that a service is on. `docker stack deploy` does not read `network_mode`.
fn networks_of(all: &[Compose], service: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for networks in all.iter().filter_map(|c| c.value.get("services")?.get(service)?.get("networks")) {
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
        Some(Value::Array(list)) if !list.is_empty() => list.push(json!(network)),
        Some(Value::Object(map)) if !map.is_empty() => drop(map.insert(network.to_owned(), Value::Null)),
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
                    "default": {"attachable": true, "ipam": pool},
                    "door-app": {"internal": true, "attachable": true},
                },
            })
        );
    }

    #[test]
    fn a_service_is_on_the_default_network_whatever_its_mode_and_however_it_names_none() {
        for form in ["network_mode: none", "networks: []", "networks: {}", "networks:"] {
            let mut all = [parse(&format!("services:\n  app:\n    image: a\n    {form}\n"))];
            assert_eq!(networks(&all, &BTreeMap::new()), BTreeMap::from([("default".to_owned(), None)]), "{form}");
            closed(&[("default", "10.213.9.0/24")], false).close(&mut all);
            let value = &all[0].value;
            assert_eq!(value["services"]["app"]["networks"], json!({"default": null, "door-app": null}), "{form}");
            assert_eq!(value["networks"]["default"]["internal"], json!(true), "{form}");
        }
    }

    #[test]
    fn a_network_without_pools_gets_one_and_one_that_the_recipe_closes_stays_closed() {
        for ipam in ["ipam:", "ipam: {}", "ipam: {driver: default}", "ipam: {config: []}"] {
            let text =
                format!("services: {{app: {{image: a, networks: [n]}}}}\nnetworks:\n  n:\n    internal: true\n    {ipam}\n");
            let mut all = [parse(&text)];
            assert_eq!(networks(&all, &BTreeMap::new()), BTreeMap::from([("n".to_owned(), None)]), "{ipam}");
            closed(&[("n", "10.213.9.0/24")], true).close(&mut all);
            let network = &all[0].value["networks"]["n"];
            assert_eq!(network["ipam"], json!({"config": [{"subnet": "10.213.9.0/24"}]}), "{ipam}");
            assert_eq!(network["internal"], json!(true), "{ipam}");
        }
    }

    #[test]
    fn the_first_pool_of_ipv4_counts() {
        let text = "services: {app: {image: a}}\nnetworks: {default: {ipam: {config: [{subnet: 'fd00::/64'}, {subnet: 10.1.0.0/16}]}}}\n";
        assert_eq!(networks(&[parse(text)], &BTreeMap::new())["default"], "10.1.0.0/16".parse().ok());
    }

    #[test]
    fn a_network_whose_addresses_are_not_understood_has_no_resolver() {
        let text = "services: {app: {image: a}}\nnetworks: {default: {ipam: {config: [{subnet: 'fd00::/64'}]}}}\n";
        let mut all = [parse(text)];
        assert_eq!(networks(&all, &BTreeMap::new()), BTreeMap::new());
        closed(&[], false).close(&mut all);
        assert_eq!(all[0].value["services"]["app"]["dns"], json!(["127.0.0.1"]), "the engine does not ask its host's");
    }

    #[test]
    fn a_small_subnet_has_no_room_for_a_resolver() {
        assert_eq!(resolver_in("10.0.0.0/29".parse().expect("a subnet")), None);
        assert_eq!(resolver_in("10.0.0.0/16".parse().expect("a subnet")), Some(Ipv4Addr::new(10, 0, 255, 254)));
    }
}
