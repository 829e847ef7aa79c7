//! From a container that is on networks to interfaces for its VM: netavark makes them in a namespace of the container's own,
//! where each gets a TAP.
//!
//! ```text
//!   host ── bridge ── veth │ eth0 ── TAP ═ descriptor ═ VM
//!                          └ namespace
//! ```

use std::net::IpAddr;
use std::path::Path;

use protocol::{Host, Network, Resolver};
use rustix::process::geteuid;

use super::error::NetworkError;
use super::join::{Joined, join};
use super::netavark::Netavark;
use super::store::Networks;
use super::sweep::{has_joined, sweep};
use crate::container::{Config, Containers};
use crate::network::attach::{Attachment, attach};
use crate::network::namespace::OwnNamespace;
use crate::network::{Connection, HostAddress, NetworkPlan, NetworkState, Owner, search_of_host};

/// Of root's, as the networks: they are this machine's, whoever's environment says what.
const NAMESPACES: &str = "/run/bulkhead/namespaces";

/// What a guest asks at most: MAXNS of resolv.h.
const MAX_NAMESERVERS: usize = 3;

/// Being on networks. It ends from the first to the last.
struct Membership {
    _attachment: Attachment,
    _joined: Joined,
    _namespace: OwnNamespace,
}

/// Whether this user may be on networks of names at all.
pub fn check_root() -> Result<(), NetworkError> {
    match geteuid().is_root() {
        true => Ok(()),
        false => Err(NetworkError::NotRoot),
    }
}

/// Puts a container of this process's on its networks. It gets the addresses and ports that it had `before`, as far as they are
/// free.
pub(crate) fn connect(
    networks: &Networks,
    containers: &Containers,
    config: &Config,
    before: &NetworkState,
    owner: Owner<'_>,
) -> Result<Connection, NetworkError> {
    let plan = &config.plan.container.network;
    if config.networks.is_empty() {
        // It was taken off all of them.
        return match plan.ports.is_empty() && plan.egress.is_none() {
            true => Ok(Connection::loopback(plan)),
            false => Err(NetworkError::NowhereToPublish(config.name.clone())),
        };
    }
    check_root()?;
    let base = Path::new(NAMESPACES);
    // Whoever joins undoes what was made in them; then they go.
    let dead = OwnNamespace::adopt_dead(base);
    let namespace = OwnNamespace::new(base)?;
    let joined = join(networks, containers, config, before, &namespace.path())?;
    drop(dead);
    let attached = attach(&namespace.path(), owner.records, &owner.words())?;
    let mut all = attached.interfaces;
    // The kernel has them in the order in which they were made: eth0 is of the first network.
    all.sort_by_key(|one| (one.interface.name.len(), one.interface.name.clone()));
    let (ends, interfaces): (Vec<_>, Vec<_>) =
        all.into_iter().map(|one| (one.tap, one.interface)).unzip();
    let own_addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    let guest = Network {
        own_addresses: own_addresses.map(|address| address.ip).collect(),
        resolver: resolver(plan, joined.nameservers()),
        hosts: hosts(plan, joined.gateway()),
        sysctls: plan.sysctls.clone(),
        interfaces,
    };
    let (ports, egress) = (joined.ports().to_vec(), joined.egress().to_vec());
    let membership =
        Membership { _attachment: attached.attachment, _joined: joined, _namespace: namespace };
    Ok(Connection::new(guest, ports, ends, membership).with_egress(egress))
}

/// Removes what killed supervisors have left, as the next start of a container would.
pub fn sweep_dead(networks: &Networks, containers: &Containers) -> Result<(), NetworkError> {
    let dead = OwnNamespace::adopt_dead(Path::new(NAMESPACES));
    if geteuid().is_root() && (has_joined(networks)? || !dead.is_empty()) {
        sweep(networks, containers, None, &Netavark::wait()?)?;
    }
    drop(dead);
    Ok(())
}

/// Whom it asks: who knows the other containers, and asks others for all else. Names without a dot are tried as they are first, as
/// in docker.
fn resolver(plan: &NetworkPlan, nameservers: &[IpAddr]) -> Resolver {
    let own = Resolver { nameservers: Vec::new(), ..plan.resolver.clone() };
    let mut host = search_of_host();
    if !host.options.iter().any(|option| option.as_bytes().starts_with(b"ndots:")) {
        host.options.push("ndots:0".into());
    }
    host.nameservers = nameservers.iter().copied().take(MAX_NAMESERVERS).collect();
    NetworkPlan { resolver: own, ..NetworkPlan::default() }.resolver(Some(host))
}

/// The names that the plan has. The host is at its end of the first network.
fn hosts(plan: &NetworkPlan, gateway: IpAddr) -> Vec<Host> {
    let address = |address| match address {
        HostAddress::Ip(ip) => ip,
        HostAddress::Gateway => gateway,
    };
    let named = plan.hosts.iter();
    named.map(|host| Host { name: host.name.clone(), ip: address(host.address) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::ExtraHost;

    #[test]
    fn names_are_asked_of_the_networks_whatever_the_plan_says() {
        let all = ["10.89.0.1", "fd00:89::1", "10.89.1.1", "fd00:90::1"];
        let all: Vec<IpAddr> = all.map(|ip| ip.parse().unwrap()).to_vec();
        let own = Resolver {
            nameservers: vec![[9, 9, 9, 9].into()],
            search: vec!["lan".into()],
            options: vec!["ndots:2".into()],
        };
        let plan = NetworkPlan { resolver: own, ..NetworkPlan::default() };
        let Resolver { nameservers, search, options } = resolver(&plan, &all);
        assert_eq!(nameservers, all[..3]);
        assert_eq!((search, options), (vec!["lan".into()], vec!["ndots:2".into()]));
        let usual = resolver(&NetworkPlan::default(), &all[..1]);
        assert!(usual.options.iter().any(|option| option.as_bytes().starts_with(b"ndots:")));
    }

    #[test]
    fn the_host_is_the_gateway() {
        let one = |name: &str, address| ExtraHost { name: name.into(), address };
        let own = IpAddr::from([192, 0, 2, 1]);
        let named = vec![one("host", HostAddress::Gateway), one("db", HostAddress::Ip(own))];
        let plan = NetworkPlan { hosts: named, ..NetworkPlan::default() };
        let gateway = IpAddr::from([10, 89, 0, 1]);
        let ips: Vec<IpAddr> = hosts(&plan, gateway).iter().map(|host| host.ip).collect();
        assert_eq!(ips, [gateway, own]);
    }
}
