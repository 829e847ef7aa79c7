//! What a container has that runs.

use std::net::IpAddr;

use protocol::Interface;
use serde::{Deserialize, Serialize};

use super::ports::everywhere;
use super::{Protocol, PublishedPort};

/// A container's network, the last time that it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkState {
    /// Its interfaces, besides `lo`.
    pub interfaces: Vec<Interface>,
    /// What is published, each with the port of the host's that it got.
    pub ports: Vec<PublishedPort>,
}

/// An address of the host's at which a port of the container's can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct Binding {
    pub container_port: u16,
    pub protocol: Protocol,
    pub host_ip: IpAddr,
    pub host_port: u16,
}

impl NetworkState {
    /// Where on the host its ports are, in their order. What is published everywhere is so for each family.
    pub fn bindings(&self) -> Vec<Binding> {
        let addresses = self.interfaces.iter().flat_map(|interface| &interface.addresses);
        let everywhere = everywhere(addresses.map(|address| address.ip));
        let mut bindings = Vec::new();
        for port in &self.ports {
            let host_ips = match port.address {
                Some(address) => vec![address],
                None => everywhere.clone(),
            };
            bindings.extend(host_ips.into_iter().map(|host_ip| Binding {
                container_port: port.container_port,
                protocol: port.protocol,
                host_ip,
                host_port: port.host_port.unwrap_or_default(),
            }));
        }
        bindings.sort();
        bindings
    }
}

#[cfg(test)]
mod tests {
    use protocol::{Cidr, MacAddress};

    use super::*;

    #[test]
    fn what_is_published_everywhere_is_so_for_each_family_that_there_is() {
        let port = |address: Option<&str>, host_port, container_port| PublishedPort {
            address: address.map(|address| address.parse().unwrap()),
            host_port: Some(host_port),
            container_port,
            protocol: Protocol::Tcp,
        };
        let cidr = |ip: &str, prefix| Cidr { ip: ip.parse().unwrap(), prefix };
        let interface = Interface {
            name: "eth0".into(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            mtu: 1500,
            addresses: vec![cidr("10.0.2.100", 24)],
            routes: vec![],
            neighbours: vec![],
        };
        let ports = vec![port(None, 8443, 443), port(Some("127.0.0.1"), 8080, 80)];
        let mut state = NetworkState { interfaces: vec![interface], ports };
        let shown = |state: &NetworkState| {
            let show =
                |it: &Binding| format!("{} {} {}", it.host_ip, it.host_port, it.container_port);
            state.bindings().iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(shown(&state), ["127.0.0.1 8080 80", "0.0.0.0 8443 443"]);
        state.interfaces[0].addresses.push(cidr("fd00::1", 64));
        assert_eq!(shown(&state), ["127.0.0.1 8080 80", "0.0.0.0 8443 443", ":: 8443 443"]);
        state.interfaces[0].addresses.remove(0);
        assert_eq!(shown(&state), ["127.0.0.1 8080 80", ":: 8443 443"]);
        assert!(NetworkState::default().bindings().is_empty());
    }
}
