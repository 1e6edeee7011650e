//! Addresses that only one run has. A network of the run's reserves them: the engine makes no two of the kind that overlap, whoever asks,
//! from whichever host and state directory.

use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptions;
use engine::Engine;
use ipnet::Ipv4Net;

use super::ownership::{Owned, stack_name};
use super::run_labels;
use super::volumes::full_name;
use crate::error::{Context as _, Error, Result};

/// The network that reserves them, as a stack's networks are named. The way into the stack is on it.
const NETWORK: &str = "way-in";
/// What the engine says of a network that overlaps another.
const OVERLAPS: &str = "overlap";

/// The addresses of a run.
pub struct Reserved {
    /// The network that reserves them. It is a bridge that hides no address of its own, so nothing that is sent from it to the world gets an
    /// answer.
    pub network: String,
    /// Those of the stack's networks.
    block: Ipv4Net,
}

/// Reserves addresses for a run: 10.213.n.0/24 for the network that says so, and 10.214.n.0/24 for those of the stack.
///
/// # Errors
/// The engine fails, or nothing is free.
pub async fn reserve(owned: &Owned) -> Result<Reserved> {
    let used = used(owned.engine()).await?;
    // The engine is on this machine, or what its routes say does not matter there.
    let routes: Vec<Ipv4Net> = routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default()).collect();
    for n in candidates(first(owned.run()), &used, &routes) {
        let network = full_name(&stack_name(owned.run()), NETWORK);
        match create(owned, &network, block(213, n)).await? {
            Ok(()) => return Ok(Reserved { network, block: block(214, n) }),
            // Somebody else was faster.
            Err(bollard::errors::Error::DockerResponseServerError { message, .. }) if message.contains(OVERLAPS) => {}
            Err(e) => return Err(e).context(format!("creating network {network}")),
        }
    }
    Err(Error::Engine(
        "no free addresses in 10.213.0.0/16 and 10.214.0.0/16; `restore-drill gc` removes what dead runs left".into(),
    ))
}

impl Reserved {
    /// As many subnets as a stack needs, as large as there is room for; none is smaller than a network with a resolver may be.
    ///
    /// # Errors
    /// They are too many.
    pub fn subnets(&self, count: usize) -> Result<Vec<Ipv4Net>> {
        let too_many = || Error::Usage(format!("the recipe has {count} networks; a drill can deploy 16"));
        let length = (26..=28).find(|length| 1 << (length - 24) >= count).ok_or_else(too_many)?;
        Ok(self.block.subnets(length).map_err(Error::bug)?.take(count).collect())
    }
}

fn block(of: u8, n: u8) -> Ipv4Net {
    Ipv4Net::new_assert([10, of, n, 0].into(), 24)
}

/// Where to begin: two runs that begin at once rarely ask for the same.
fn first(run: &str) -> u8 {
    run.bytes().fold(0, |sum, byte| u8::wrapping_add(u8::wrapping_mul(sum, 31), byte))
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

async fn used(engine: &Engine) -> Result<Vec<Ipv4Net>> {
    let networks = engine.docker.list_networks(None::<ListNetworksOptions>).await.context("listing networks")?;
    let configs = networks.into_iter().filter_map(|n| n.ipam).flat_map(|i| i.config.unwrap_or_default());
    Ok(configs.filter_map(|c| c.subnet?.parse().ok()).collect())
}

/// The blocks that no network has, from one on: first those to which the host has no route either, so that nothing of its is led to a run.
/// Where a route takes all of them, such as one to 10.0.0.0/8, a block is a small part of it.
fn candidates(from: u8, used: &[Ipv4Net], routes: &[Ipv4Net]) -> Vec<u8> {
    let is_in = |nets: &[Ipv4Net], n: u8| [213, 214].iter().any(|of| nets.iter().any(|net| overlap(*net, block(*of, n))));
    let free = (0..=u8::MAX).map(|n| n.wrapping_add(from)).filter(|n| !is_in(used, *n));
    let (routed, unrouted): (Vec<u8>, Vec<u8>) = free.partition(|n| is_in(routes, *n));
    [unrouted, routed].concat()
}

/// Where this machine's routes lead, but for the one to everywhere.
fn routes(table: &str) -> impl Iterator<Item = Ipv4Net> + '_ {
    // In the order of the bytes in memory.
    let address = |hex: &str| u32::from_str_radix(hex, 16).ok().map(|n| Ipv4Addr::from(n.to_ne_bytes()));
    let route = move |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (to, mask) = (address(columns.get(1)?)?, address(columns.get(7)?)?);
        Ipv4Net::with_netmask(to, mask).ok()
    };
    table.lines().skip(1).filter_map(route).filter(|net| net.prefix_len() > 0)
}

async fn create(owned: &Owned, name: &str, subnet: Ipv4Net) -> Result<Result<(), bollard::errors::Error>> {
    let config = IpamConfig { subnet: Some(subnet.to_string()), ..Default::default() };
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Default::default() }),
        options: Some([("com.docker.network.bridge.enable_ip_masquerade".to_owned(), "false".to_owned())].into()),
        // Of the run and not of the stack: it is there from before the stack to after the last.
        labels: Some(run_labels(owned.run()).into_iter().collect()),
        ..Default::default()
    };
    let docker = owned.engine().docker.clone();
    owned.create(async move { Ok(docker.create_network(request).await.map(drop)) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_as_many_subnets_as_it_needs_and_all_are_its_own() {
        let reserved = Reserved { network: "n".into(), block: block(214, 7) };
        let text = |count| reserved.subnets(count).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(text(2).expect("some"), ["10.214.7.0/26", "10.214.7.64/26"]);
        assert_eq!(text(5).expect("some").last().map(String::as_str), Some("10.214.7.128/27"));
        assert_eq!(text(16).expect("some").last().map(String::as_str), Some("10.214.7.240/28"));
        assert!(text(17).expect_err("too many").to_string().contains("17 networks"));
    }

    #[test]
    fn addresses_that_the_host_has_a_route_to_are_used() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     wg0\t0000D50A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\nodd\n";
        if cfg!(target_endian = "little") {
            assert_eq!(routes(table).collect::<Vec<_>>(), [Ipv4Net::new_assert([10, 213, 0, 0].into(), 16)]);
        }
        let net = |text: &str| text.parse::<Ipv4Net>().expect("a network");
        let all = candidates(7, &[net("10.213.8.0/24"), net("10.1.0.0/16")], &[net("10.214.0.0/29"), net("10.213.7.0/24")]);
        assert_eq!((all.len(), all[0], &all[253..]), (255, 9, &[7, 0][..]));
        assert_eq!(candidates(0, &[], &[net("10.0.0.0/8")]).len(), 256);
    }

    #[test]
    fn runs_begin_at_different_places() {
        let all: std::collections::BTreeSet<u8> = (0..40).map(|n| first(&format!("{n:08x}"))).collect();
        assert!(all.len() > 20, "{all:?}");
    }
}
