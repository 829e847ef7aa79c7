//! A container joins its networks: addresses are leased, ports taken, and netavark makes the rest. All of it is undone
//! together, also for who was killed.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::definition::Network;
use super::error::NetworkError;
use super::lease::Lease;
use super::netavark::{Netavark, Request};
use super::store::Networks;
use super::sweep::{clean, is_remembered, keep_isolation, leave, refresh, remember, sweep};
use crate::container::{Config, Containers, Id};
use crate::network::ports::{Reserved, everywhere, reserve};
use crate::network::{Egress, NetworkState, PublishedPort};
use host::text::in_one_line;

/// A container on its networks. When it is dropped, it has left them.
pub struct Joined {
    nameservers: Vec<IpAddr>,
    _ports: Reserved,
    gateway: IpAddr,
    egress: Vec<Option<Egress>>,
    networks: Networks,
    request: Request,
    namespace: PathBuf,
    has_left: bool,
}

/// Puts a container of this process's on all its networks, in the namespace at this path, which is empty and stays until it has
/// left. The firewall leads these `ports` to it, and it gets the addresses that it had `before`, as far as they are free. What a
/// supervisor that was killed has left of this container, or of any, is removed first.
pub fn join(
    networks: &Networks,
    containers: &Containers,
    config: &Config,
    before: &NetworkState,
    ports: Reserved,
    namespace: &Path,
) -> Result<Joined, NetworkError> {
    let netavark = Netavark::wait()?;
    sweep(networks, containers, Some(&config.id), &netavark)?;
    let leased = lease(networks, config, before).inspect_err(|_| release(networks, config))?;
    let result = join_leased(networks, config, &leased, ports, namespace, &netavark);
    let joined = result.inspect_err(|_| release(networks, config))?;
    refresh(networks, &config.id, &netavark);
    Ok(joined)
}

fn join_leased(
    networks: &Networks,
    config: &Config,
    leased: &[(Network, Lease)],
    ports: Reserved,
    namespace: &Path,
    netavark: &Netavark,
) -> Result<Joined, NetworkError> {
    let filters = leased.iter().find(|(network, _)| network.egress.is_some());
    if let (Some((network, _)), Some(_)) = (filters, &config.plan.container.network.egress) {
        let (container, network) = (config.name.clone(), network.name.clone());
        return Err(NetworkError::TwoFilters { container, network });
    }
    let members: Vec<_> = config
        .networks
        .iter()
        .zip(leased)
        .map(|(on, (network, lease))| (on, network, lease))
        .collect();
    let mut request = Request::new(config, &members, ports.ports());
    remember(networks, &request, namespace)?;
    let set_up =
        netavark.set_up(&request, namespace).map_err(NetworkError::from).and_then(|known| {
            request.set_macs(&known.macs);
            remember(networks, &request, namespace)?;
            Ok(known)
        });
    let known = set_up.inspect_err(|_| {
        // It may have come anywhere; what is not there can't be torn down, and is complained about in vain.
        let _ = netavark.tear_down(&request, namespace);
        leave(networks, &request, netavark);
    })?;
    Ok(Joined {
        nameservers: known.nameservers,
        _ports: ports,
        gateway: leased[0].0.ranges[0].gateway,
        egress: leased.iter().map(|(network, _)| network.egress.clone()).collect(),
        networks: networks.clone(),
        request,
        namespace: namespace.to_owned(),
        has_left: false,
    })
}

/// The container's networks, as they are.
pub fn networks_of(networks: &Networks, config: &Config) -> Result<Vec<Network>, NetworkError> {
    let find = |on: &super::Attachment| {
        networks.find(on.network.as_str()).map_err(|error| gone(error, on, config))
    };
    config.networks.iter().map(find).collect()
}

/// One that is not there any more is named, with what to do about it.
fn gone(error: NetworkError, on: &super::Attachment, config: &Config) -> NetworkError {
    match error {
        NetworkError::NotFound(_) => {
            NetworkError::Gone { network: on.name.clone(), container: config.name.clone() }
        }
        error => error,
    }
}

/// Takes the host's ports for this container on these networks: those `kept` from last time as far as they are free.
pub fn publish(
    config: &Config,
    kept: &[PublishedPort],
    networks: &[Network],
) -> Result<Reserved, NetworkError> {
    let wanted = &config.plan.container.network.ports;
    let ranges = networks.iter().flat_map(|network| &network.ranges);
    let everywhere = everywhere(ranges.map(|range| range.gateway));
    for address in wanted.iter().filter_map(|port| port.address) {
        if !everywhere.iter().any(|it| it.is_ipv6() == address.is_ipv6()) {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            return Err(NetworkError::NoFamily { address, family });
        }
    }
    let ports = reserve(wanted, kept, &everywhere).map_err(NetworkError::Port)?;
    ports.keep().map_err(NetworkError::Port)?;
    Ok(ports)
}

/// An address of each of its networks.
fn lease(
    networks: &Networks,
    config: &Config,
    before: &NetworkState,
) -> Result<Vec<(Network, Lease)>, NetworkError> {
    let before = before.interfaces.iter().flat_map(|interface| &interface.addresses);
    let before: Vec<IpAddr> = before.map(|address| address.ip).collect();
    let one = |on: &super::Attachment| {
        let leased = networks.change(&on.network, |record| {
            let (ranges, wish) = (&record.network.ranges, &on.identity);
            let lease = record.leases.lease(ranges, &config.id, &wish.addresses, &before, wish.mac);
            let failed = |source| NetworkError::Lease { network: on.name.clone(), source };
            Ok((record.network.clone(), lease.map_err(failed)?))
        });
        leased.map_err(|error| gone(error, on, config))
    };
    config.networks.iter().map(one).collect()
}

fn release(networks: &Networks, config: &Config) {
    let on = config.networks.iter().map(|on| &on.network);
    give_back(networks, &config.id, on);
}

fn give_back<'a>(networks: &Networks, container: &Id, of: impl Iterator<Item = &'a Id>) {
    for network in of {
        let released = networks.change(network, |record| {
            record.leases.release(container);
            Ok(())
        });
        match released {
            // Then they are swept by the next who joins.
            Err(error) if !matches!(error, NetworkError::NotFound(_)) => {
                log::warn!("an address stays taken for now: {}", in_one_line(&error));
            }
            _ => {}
        }
    }
}

impl Joined {
    /// What may be reached through each network, in the order of its interfaces, if that is not everything.
    pub fn egress(&self) -> &[Option<Egress>] {
        &self.egress
    }

    /// Where the host is on the first network.
    pub fn gateway(&self) -> IpAddr {
        self.gateway
    }

    /// Whom to ask for the others' names.
    pub fn nameservers(&self) -> &[IpAddr] {
        &self.nameservers
    }

    /// Leaves all networks.
    fn leave(&mut self) -> Result<(), NetworkError> {
        self.has_left = true;
        let netavark = Netavark::wait()?;
        if !is_remembered(&self.networks, &self.request) {
            // Its supervisor was killed, and another has swept up.
            return Ok(());
        }
        if let Err(error) = netavark.tear_down(&self.request, &self.namespace) {
            // The namespace has gone before us, or somebody has cleaned up by hand.
            log::debug!("{}", in_one_line(&error));
            let requests = std::slice::from_ref(&self.request);
            clean(&self.networks, requests, &netavark).into_iter().collect::<Result<(), _>>()?;
        }
        leave(&self.networks, &self.request, &netavark);
        keep_isolation(&self.networks, &netavark);
        let of = self.request.network_info.values().map(|info| &info.id);
        give_back(&self.networks, &self.request.container_id, of);
        Ok(())
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if !self.has_left
            && let Err(error) = self.leave()
        {
            log::warn!(
                "what is left of its networks is removed when a container joins some: {}",
                in_one_line(&error)
            );
        }
    }
}

#[cfg(test)]
mod tests;
