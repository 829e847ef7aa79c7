//! The network of a namespace that is there already (`--network ns:PATH`): its interfaces are the VM's, and its addresses
//! the container's. Whoever has made it publishes its ports, and gives it its addresses.

use std::net::IpAddr;
use std::path::Path;

use protocol::{Interface, Network};

use super::attach::{Attached, attach};
use super::{Connection, NetworkError, NetworkPlan, Owner, resolver};

/// Connects a VM with what is at `path`.
pub(super) fn connect(
    plan: &NetworkPlan,
    path: &Path,
    owner: Owner<'_>,
) -> Result<Connection, NetworkError> {
    let Attached { interfaces, attachment } = attach(path, owner.records, &owner.words())?;
    let (ends, interfaces): (Vec<_>, Vec<_>) =
        interfaces.into_iter().map(|attached| (attached.tap, attached.interface)).unzip();
    let has_ipv6 = interfaces.iter().any(|one| usual_address(one, IpAddr::is_ipv6).is_some());
    let resolver = plan.resolver(Some(resolver::of_namespace(path, has_ipv6)));
    if resolver.nameservers.is_empty() && resolver::asks_itself() {
        log::warn!(
            "network namespace {}: this host asks itself for names, whom nobody there reaches: give --dns ADDRESS",
            path.display()
        );
    }
    let guest = Network {
        resolver,
        hosts: plan.given_hosts(),
        own_addresses: interfaces.iter().flat_map(own_addresses).collect(),
        sysctls: plan.sysctls.clone(),
        interfaces,
    };
    Ok(Connection::new(guest, Vec::new(), ends, attachment))
}

/// What the container's own name stands for, as in docker: an address of each family.
fn own_addresses(interface: &Interface) -> impl Iterator<Item = IpAddr> {
    [IpAddr::is_ipv4, IpAddr::is_ipv6]
        .into_iter()
        .filter_map(|is_of_family| usual_address(interface, is_of_family))
}

/// The first address of a family by which others can call it.
fn usual_address(interface: &Interface, is_of_family: fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let is_of_link = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let mut addresses = interface.addresses.iter().map(|address| address.ip);
    addresses.find(|ip| is_of_family(ip) && !is_of_link(ip))
}

#[cfg(test)]
mod tests {
    use protocol::{Cidr, MacAddress};

    use super::*;

    #[test]
    fn a_name_stands_for_an_address_of_each_family() {
        let with = |ips: &[&str]| {
            let cidr = |ip: &&str| Cidr { ip: ip.parse().unwrap(), prefix: 24 };
            let interface = Interface {
                name: "eth0".into(),
                mac: MacAddress([2, 0, 0, 0, 0, 1]),
                mtu: 1500,
                addresses: ips.iter().map(cidr).collect(),
                routes: vec![],
                neighbours: vec![],
            };
            let own: Vec<String> = own_addresses(&interface).map(|ip| ip.to_string()).collect();
            own.join(" ")
        };
        let all = ["fe80::7", "2001:db8::2", "169.254.1.2", "10.0.0.2", "10.0.0.3", "fd00::2"];
        assert_eq!(with(&all), "10.0.0.2 2001:db8::2");
        assert_eq!(with(&["fe80::7", "10.0.0.3"]), "10.0.0.3");
        assert_eq!(with(&["fd00::2"]), "fd00::2");
        assert_eq!(with(&["fe80::7"]), "");
    }
}
