//! What netavark is told: the network options of podman (netavark 1.4.0 `src/network/types.rs`, `NetworkOptions`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use protocol::MacAddress;
use serde::{Deserialize, Serialize};

use super::super::attachment::Attachment;
use super::super::definition::Network;
use super::super::lease::Lease;
use super::super::subnet::Subnet;
use crate::container::{Config, Id};
use crate::network::PublishedPort;

/// All about one container. It is kept as long as the container is on its networks: teardown wants it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub container_id: Id,
    container_name: String,
    /// By the name that netavark has for the network.
    pub networks: BTreeMap<String, Member>,
    pub network_info: BTreeMap<String, Info>,
    port_mappings: Vec<PortMapping>,
    /// Whom aardvark-dns asks what it does not know itself; the host's servers if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    dns_servers: Vec<IpAddr>,
}

/// What the container is on a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    pub interface_name: String,
    /// One of each subnet, in their order.
    pub static_ips: Vec<IpAddr>,
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub static_mac: Option<String>,
}

/// What the network is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    pub id: Id,
    name: String,
    driver: String,
    pub network_interface: String,
    pub subnets: Vec<InfoSubnet>,
    ipv6_enabled: bool,
    pub internal: bool,
    dns_enabled: bool,
    ipam_options: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoSubnet {
    pub subnet: Subnet,
    pub gateway: IpAddr,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PortMapping {
    container_port: u16,
    host_port: u16,
    /// All addresses if it is empty.
    host_ip: String,
    protocol: String,
    range: u16,
}

impl Request {
    /// For a container whose networks these are, in the order of its interfaces.
    pub fn new(
        container: &Config,
        networks: &[(&Attachment, &Network, &Lease)],
        ports: &[PublishedPort],
    ) -> Self {
        let (mut members, mut info) = (BTreeMap::new(), BTreeMap::new());
        for (number, (attachment, network, lease)) in networks.iter().enumerate() {
            members.insert(network.inner_name(), member(container, number, attachment, lease));
            info.insert(network.inner_name(), describe(network, number));
        }
        let ports = ports.iter().map(|port| PortMapping {
            container_port: port.container_port,
            // It is known by now.
            host_port: port.host_port.unwrap_or_default(),
            host_ip: port.address.map(|address| address.to_string()).unwrap_or_default(),
            protocol: port.protocol.to_string(),
            range: 1,
        });
        Self {
            container_id: container.id.clone(),
            container_name: container.name.to_lowercase(),
            networks: members,
            network_info: info,
            port_mappings: ports.collect(),
            dns_servers: container.plan.container.network.resolver.nameservers.clone(),
        }
    }

    /// Writes down which cards the container has: whoever stands in for it has the same.
    pub fn set_macs(&mut self, macs: &BTreeMap<String, MacAddress>) {
        for (name, mac) in macs {
            if let Some(member) = self.networks.get_mut(name) {
                member.static_mac = Some(mac.to_string());
            }
        }
    }

    /// The same without a word to aardvark-dns.
    pub fn without_names(mut self) -> Self {
        self.network_info.values_mut().for_each(|info| info.dns_enabled = false);
        self
    }

    /// The container's ports that are published for a family.
    pub fn ports_of(&self, ipv6: bool) -> impl Iterator<Item = u16> {
        let is_of_family = move |port: &&PortMapping| match port.host_ip.parse::<IpAddr>() {
            Ok(address) => address.is_ipv6() == ipv6,
            Err(_) => true,
        };
        self.port_mappings.iter().filter(is_of_family).map(|port| port.container_port)
    }
}

fn member(container: &Config, number: usize, attachment: &Attachment, lease: &Lease) -> Member {
    // aardvark-dns looks for a name in small letters only (1.4.0 `src/backend/mod.rs`, `lookup`). The ID is docker's alias.
    let own = attachment.identity.aliases.iter().map(|alias| alias.to_lowercase());
    let mut aliases: Vec<String> = own.chain([container.id.short().to_owned()]).collect();
    aliases.sort();
    aliases.dedup();
    aliases.retain(|alias| *alias != container.name.to_lowercase());
    Member {
        interface_name: format!("eth{number}"),
        static_ips: lease.addresses.clone(),
        aliases,
        static_mac: lease.card().map(|mac| mac.to_string()),
    }
}

/// How much the default route by the first interface costs, as netavark has it; of several the first is taken.
const METRIC: usize = 100;

fn describe(network: &Network, number: usize) -> Info {
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mtu = network.mtu.map(|mtu| text("mtu", &mtu.to_string()));
    // As docker: no network reaches another.
    let isolate = text("isolate", "true");
    let metric = text("metric", &(METRIC + number).to_string());
    let subnets = network
        .ranges
        .iter()
        .map(|range| InfoSubnet { subnet: range.subnet, gateway: range.gateway });
    Info {
        id: network.id.clone(),
        name: network.inner_name(),
        driver: "bridge".to_owned(),
        network_interface: network.interface.clone(),
        subnets: subnets.collect(),
        ipv6_enabled: network.has_ipv6(),
        internal: network.internal,
        dns_enabled: true,
        ipam_options: [text("driver", "host-local")].into(),
        options: mtu.into_iter().chain([isolate, metric]).collect(),
    }
}
