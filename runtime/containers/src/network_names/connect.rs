//! From a container that is on networks to interfaces for its VM: netavark makes them in a namespace of the container's own,
//! where each gets a TAP.
//!
//! ```text
//!   host ── bridge ── veth │ eth0 ── TAP ═ descriptor ═ VM
//!                          └ namespace
//! ```

use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;

use protocol::{Host, Network, Resolver};
use rustix::process::geteuid;

use super::error::NetworkError;
use super::helper;
use super::home;
use super::join::{Joined, join, networks_of, publish};
use super::netavark::Netavark;
use super::store::Networks;
use super::sweep::{has_joined, sweep};
use crate::container::{Config, Containers};
use crate::network::attach::{Attachment, attach};
use crate::network::namespace::OwnNamespace;
use crate::network::ports::Reserved;
use crate::network::{
    Connection, Egress, HostAddress, NetworkPlan, NetworkState, Owner, search_of_host,
};

/// Of root's, as the networks: they are this machine's, whoever's environment says what.
const NAMESPACES: &str = "/run/bulkhead/namespaces";

/// What a guest asks at most: MAXNS of resolv.h.
const MAX_NAMESERVERS: usize = 3;

/// Being on networks. It ends from the first to the last.
pub(super) struct Membership {
    _attachment: Attachment,
    _joined: Joined,
    _namespace: OwnNamespace,
}

/// Says what this user lacks for being on networks of names, as far as that can be seen.
pub fn check() -> Result<(), NetworkError> {
    if !geteuid().is_root() {
        home::check()?;
        Netavark::find()?;
    }
    Ok(())
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
    if !geteuid().is_root() {
        check()?;
        return helper::connect(networks, containers, config, before, owner.records);
    }
    let ports = publish(config, &before.ports, &networks_of(networks, config)?)?;
    let published = ports.ports().to_vec();
    let place = take_place(networks, containers, config, before, ports, None, owner)?;
    let Place { guest, ends, egress, membership } = place;
    Ok(Connection::new(guest, published, ends, membership).with_egress(egress))
}

/// A place on networks.
pub(super) struct Place {
    /// What the guest is told.
    pub guest: Network,
    /// The VM's end of each interface.
    pub ends: Vec<OwnedFd>,
    /// What may be reached through each.
    pub egress: Vec<Option<Egress>>,
    /// What keeps it.
    pub membership: Membership,
}

/// Puts a container on its networks, which are in the network namespace of this process, and leads these `ports` to it. The guest
/// is told these `names`, or else the plan's with the host at the gateway.
pub(super) fn take_place(
    networks: &Networks,
    containers: &Containers,
    config: &Config,
    before: &NetworkState,
    ports: Reserved,
    names: Option<Vec<Host>>,
    owner: Owner<'_>,
) -> Result<Place, NetworkError> {
    let plan = &config.plan.container.network;
    let base = Path::new(NAMESPACES);
    // Whoever joins undoes what was made in them; then they go.
    let dead = OwnNamespace::adopt_dead(base);
    let namespace = OwnNamespace::new(base)?;
    let joined = join(networks, containers, config, before, ports, &namespace.path())?;
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
        hosts: names.unwrap_or_else(|| hosts(plan, joined.gateway())),
        sysctls: plan.sysctls.clone(),
        interfaces,
    };
    let egress = joined.egress().to_vec();
    let membership =
        Membership { _attachment: attached.attachment, _joined: joined, _namespace: namespace };
    Ok(Place { guest, ends, egress, membership })
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
