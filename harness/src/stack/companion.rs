//! Containers of `inside` in an app's stack. They have the stack's label, so they go where the stack goes.

use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkConnectRequest, NetworkingConfig, PortBinding,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};

use super::ownership::Owned;
use super::{stack_labels, until};
use crate::error::{Context as _, Error, Result};
use crate::images::reader::PATH;

/// How long a network may take to give an address back that was given away before.
const ADDRESS: Duration = Duration::from_secs(60);

/// A container to start.
pub struct Companion<'a> {
    /// What it is, for errors: "the stack's resolver".
    pub what: &'static str,
    /// The right to create it.
    pub owned: &'a Owned,
    /// The image of `inside`.
    pub image: &'a str,
    /// The stack's name.
    pub stack: &'a str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The names of the networks that it joins, each with its address there, where that must be known. There is at least one.
    pub networks: Vec<(String, Option<Ipv4Addr>)>,
    /// Ports of its own that the engine's host shows on 127.0.0.1, where it chooses.
    pub ports: Vec<u16>,
}

impl Companion<'_> {
    /// Starts it. Gives its id.
    ///
    /// # Errors
    /// A network is not there, an address is taken, or the engine fails.
    pub async fn start(self) -> Result<String> {
        let what = self.what;
        let docker = self.owned.engine().docker.clone();
        let mut networks = self.networks.into_iter();
        let (first, address) = networks.next().ok_or_else(|| Error::bug(format_args!("{what} is on no network")))?;
        let binding = || vec![PortBinding { host_ip: Some("127.0.0.1".into()), host_port: None }];
        let ports = self.ports.iter().map(|port| format!("{port}/tcp"));
        let body = ContainerCreateBody {
            image: Some(self.image.into()),
            cmd: Some([PATH.to_owned()].into_iter().chain(self.arguments).collect()),
            labels: Some(stack_labels(self.owned.run(), self.stack).into_iter().collect()),
            exposed_ports: Some(ports.clone().collect()),
            host_config: Some(HostConfig {
                network_mode: Some(first.clone()),
                port_bindings: Some(ports.map(|port| (port, Some(binding()))).collect()),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".into()]),
                cap_add: Some(vec!["NET_BIND_SERVICE".into()]),
                security_opt: Some(vec!["no-new-privileges".into()]),
                // It passes on connections, and no packets of theirs; and it asks no resolver outside.
                sysctls: Some([("net.ipv4.ip_forward".to_owned(), "0".to_owned())].into()),
                dns: Some(vec!["127.0.0.1".into()]),
                ..Default::default()
            }),
            networking_config: Some(NetworkingConfig { endpoints_config: Some([(first, endpoint(address))].into()) }),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().build();
        let creator = docker.clone();
        let created = self.owned.create(async move { creator.create_container(Some(options), body).await.context(what) });
        let id = created.await?.id;
        for (network, address) in networks {
            let joining = || NetworkConnectRequest { container: id.clone(), endpoint_config: Some(endpoint(address)) };
            until(ADDRESS, || async { refused(docker.connect_network(&network, joining()).await, what) }).await?;
        }
        let starting = || docker.start_container(&id, None::<StartContainerOptions>);
        until(ADDRESS, || async { refused(starting().await, what) }).await?;
        Ok(id)
    }
}

fn endpoint(address: Option<Ipv4Addr>) -> EndpointSettings {
    let ipam = address.map(|a| EndpointIpamConfig { ipv4_address: Some(a.to_string()), ..Default::default() });
    EndpointSettings { ipam_config: ipam, ..Default::default() }
}

/// The reason to wait and try again: a network may take a moment to appear, or to free the addresses of removed containers.
fn refused(result: Result<(), bollard::errors::Error>, what: &str) -> Result<Result<(), String>> {
    match result {
        Err(bollard::errors::Error::DockerResponseServerError { message, .. })
            if ["already in use", "could not find", "not found", "attaching to network failed"]
                .iter()
                .any(|known| message.contains(known)) =>
        {
            Ok(Err(format!("waiting for the networks of {what}: {message}")))
        }
        result => result.context(what).map(Ok),
    }
}
