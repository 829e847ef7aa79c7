//! A container joins its networks: addresses are leased, ports taken, and netavark makes the rest. All of it is undone
//! together, also for who was killed.

use std::path::{Path, PathBuf};

use protocol::{Cidr, MacAddress};

use super::definition::Network;
use super::error::NetworkError;
use super::lease::Lease;
use super::netavark::{Known, Netavark, Request};
use super::ports::{BoundPort, HeldPort, PublishedPort, hold};
use super::store::Networks;
use super::sweep::{clean, keep_isolation, leave, refresh, remember, sweep};
use crate::container::{Config, Container, Containers, Id, Tenure};
use host::text::in_one_line;

/// A container on its networks. When it is dropped, it has left them.
pub struct Joined {
    interfaces: Vec<JoinedInterface>,
    nameservers: Vec<std::net::IpAddr>,
    ports: Vec<(BoundPort, HeldPort)>,
    networks: Networks,
    request: Request,
    namespace: PathBuf,
    has_left: bool,
}

/// What it has of one network, in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedInterface {
    /// Its name there: `eth0`.
    pub name: String,
    /// The network's name.
    pub network: String,
    /// The address of its card.
    pub mac: MacAddress,
    /// Its addresses.
    pub addresses: Vec<Cidr>,
}

/// Puts a container on all its networks, in the namespace at this path, which is empty and stays until it has left. What a
/// supervisor that was killed has left of this container, or of any, is removed first.
pub fn join(
    networks: &Networks,
    containers: &Containers,
    container: &Container,
    _tenure: &Tenure,
    ports: &[PublishedPort],
    namespace: &Path,
) -> Result<Joined, NetworkError> {
    // Written since this one was read, perhaps.
    let container = containers.find(container.id().as_str())?;
    let netavark = Netavark::wait()?;
    sweep(networks, containers, container.id(), &netavark)?;
    let config = container.config();
    let leased = lease(networks, config).inspect_err(|_| release(networks, config))?;
    let result = join_leased(networks, config, &leased, ports, namespace, &netavark);
    let joined = result.inspect_err(|_| release(networks, config))?;
    refresh(networks, container.id(), &netavark);
    Ok(joined)
}

fn join_leased(
    networks: &Networks,
    config: &Config,
    leased: &[(Network, Lease)],
    ports: &[PublishedPort],
    namespace: &Path,
    netavark: &Netavark,
) -> Result<Joined, NetworkError> {
    let ports = hold(ports)?;
    let members: Vec<_> = config
        .networks
        .iter()
        .zip(leased)
        .map(|(on, (network, lease))| (on, network, lease))
        .collect();
    let bound: Vec<BoundPort> = ports.iter().map(|(port, _)| *port).collect();
    let mut request = Request::new(config, &members, &bound);
    remember(networks, &request)?;
    let set_up =
        netavark.set_up(&request, namespace).map_err(NetworkError::from).and_then(|known| {
            request.set_macs(&known.macs);
            remember(networks, &request)?;
            Ok(known)
        });
    let known = set_up.inspect_err(|_| {
        // It may have come anywhere; what is not there can't be torn down, and is complained about in vain.
        let _ = netavark.tear_down(&request, namespace);
        leave(networks, &request, netavark);
    })?;
    Ok(Joined {
        interfaces: interfaces(leased, &request, &known),
        nameservers: known.nameservers,
        ports,
        networks: networks.clone(),
        request,
        namespace: namespace.to_owned(),
        has_left: false,
    })
}

fn interfaces(
    leased: &[(Network, Lease)],
    request: &Request,
    known: &Known,
) -> Vec<JoinedInterface> {
    let one = |(network, lease): &(Network, Lease)| {
        let name = network.inner_name();
        let prefixes = network.ranges.iter().map(|range| range.subnet.prefix());
        let addresses =
            lease.addresses.iter().zip(prefixes).map(|(&ip, prefix)| Cidr { ip, prefix });
        Some(JoinedInterface {
            name: request.networks.get(&name)?.interface_name.clone(),
            network: network.name.clone(),
            mac: *known.macs.get(&name)?,
            addresses: addresses.collect(),
        })
    };
    leased.iter().filter_map(one).collect()
}

/// An address of each of its networks.
fn lease(networks: &Networks, config: &Config) -> Result<Vec<(Network, Lease)>, NetworkError> {
    let one = |on: &super::Attachment| {
        let leased = networks.change(&on.network, |record| {
            let (ranges, wish) = (&record.network.ranges, &on.identity);
            let lease = record.leases.lease(ranges, &config.id, &wish.addresses, wish.mac);
            let failed = |source| NetworkError::Lease { network: on.name.clone(), source };
            Ok((record.network.clone(), lease.map_err(failed)?))
        });
        match leased {
            Err(NetworkError::NotFound(_)) => {
                Err(NetworkError::Gone { network: on.name.clone(), container: config.name.clone() })
            }
            leased => leased,
        }
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
    /// One of each network, in the order in which they were named.
    pub fn interfaces(&self) -> &[JoinedInterface] {
        &self.interfaces
    }

    /// Whom to ask for the others' names.
    pub fn nameservers(&self) -> &[std::net::IpAddr] {
        &self.nameservers
    }

    /// Its ports on the host.
    pub fn ports(&self) -> impl Iterator<Item = &BoundPort> {
        self.ports.iter().map(|(port, _)| port)
    }

    /// Leaves all networks.
    pub fn undo(mut self) -> Result<(), NetworkError> {
        self.leave()
    }

    fn leave(&mut self) -> Result<(), NetworkError> {
        self.has_left = true;
        let netavark = Netavark::wait()?;
        if let Err(error) = netavark.tear_down(&self.request, &self.namespace) {
            // The namespace has gone before us, or somebody has cleaned up by hand.
            log::debug!("{}", in_one_line(&error));
            clean(&self.networks, &self.request, &netavark)?;
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
