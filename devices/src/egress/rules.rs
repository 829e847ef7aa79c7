//! A policy's rules, and the addresses to which names among them led.

use std::net::IpAddr;
use std::time::Duration;

use egress_rules::{
    Domain, Network, Policy, Protocol, Rule, Service, is_link_local, is_unroutable,
};

use super::dns::Name;
use super::table::Table;
use crate::limits::{ADMITTED, ADMITTED_AT_LEAST, ADMITTED_AT_MOST};

/// What a packet is for, in the words of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A port.
    Port(Protocol, u16),
    /// What has no port: a ping, or word that something can't be reached.
    Message,
}

/// Which rule lets a packet through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// One of addresses: for good.
    Network,
    /// One of a name: as long as the address is good.
    Domain,
}

#[derive(Debug)]
pub(super) struct Rules {
    networks: Vec<(Network, Service)>,
    domains: Vec<(Domain, Service)>,
    /// Whether questions for any name may be asked.
    any_name: bool,
    /// Whether networks may open the floor.
    link_local: bool,
    /// Addresses, each with the place of the domain to which it belongs.
    admitted: Table<(IpAddr, usize), ()>,
}

impl Rules {
    pub fn new(policy: &Policy) -> Self {
        let mut rules = Self {
            networks: Vec::new(),
            domains: Vec::new(),
            any_name: false,
            link_local: policy.link_local,
            admitted: Table::new(ADMITTED),
        };
        for rule in &policy.rules {
            match rule {
                Rule::Dns => rules.any_name = true,
                Rule::Network(network, service) => rules.networks.push((*network, *service)),
                Rule::Domain(domain, service) => rules.domains.push((domain.clone(), *service)),
            }
        }
        rules
    }

    /// Whether there may be any question at all.
    pub fn have_names(&self) -> bool {
        self.any_name || !self.domains.is_empty()
    }

    /// Whether a guest may ask for a name.
    pub fn may_ask(&self, name: &Name) -> bool {
        let labels = name.labels();
        self.any_name
            || self.domains.iter().any(|(domain, _)| domain.matches(labels.iter().copied()))
    }

    /// Whether an address is below the floor.
    pub fn is_below_floor(&self, address: IpAddr) -> bool {
        !self.link_local && is_link_local(address)
    }

    /// Whether a rule lets a packet through to an address that is not below the floor.
    pub fn permit(&self, address: IpAddr, purpose: Purpose, now: Duration) -> Option<Permit> {
        let covers = |service: &Service| match purpose {
            Purpose::Port(protocol, port) => service.covers(protocol, port),
            Purpose::Message => service.is_everything(),
        };
        if self
            .networks
            .iter()
            .any(|(network, service)| network.contains(address) && covers(service))
        {
            return Some(Permit::Network);
        }
        let mut domains = self.admitted.keys((address, 0)..=(address, usize::MAX), now);
        domains
            .any(|(_, place)| self.domains.get(*place).is_some_and(|(_, service)| covers(service)))
            .then_some(Permit::Domain)
    }

    /// A resolver told the addresses of a name, and for how many seconds each is good. None that is below the floor is
    /// let through for that, and nothing that is not the address of one host.
    pub fn admit(&mut self, name: &Name, addresses: &[(IpAddr, u32)], now: Duration) {
        let labels = name.labels();
        for (place, (domain, _)) in self.domains.iter().enumerate() {
            if !domain.matches(labels.iter().copied()) {
                continue;
            }
            for (address, seconds) in addresses.iter().filter(|(address, _)| is_a_host(*address)) {
                let good = Duration::from_secs(u64::from(*seconds));
                let key = (*address, place);
                let until = now + good.clamp(ADMITTED_AT_LEAST, ADMITTED_AT_MOST);
                // A shorter promise does not take back a longer one.
                let until = self.admitted.until(&key).map_or(until, |known| known.max(until));
                self.admitted.insert(key, (), until);
            }
        }
    }

    #[cfg(test)]
    pub fn admitted(&self) -> usize {
        self.admitted.len()
    }
}

fn is_a_host(address: IpAddr) -> bool {
    let broadcast = address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    !(is_link_local(address) || is_unroutable(address) || address.is_multicast() || broadcast)
}
