//! Which container has which address of a network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use protocol::MacAddress;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::definition::Range;
use crate::container::Id;
use crate::network::mac_of;

/// More than a bridge has ports (Linux `net/bridge/br_private.h`, BR_MAX_PORTS: 1 << 10).
pub const MAX_LEASES: usize = 1024;

/// The addresses of one network that are taken. Each container has one of each of the network's ranges, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    taken: BTreeMap<String, Lease>,
    /// What was chosen last, of each range: one that was given back is given to another as late as can be, since others may
    /// still take it for the first.
    last: Vec<IpAddr>,
}

/// What one container has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// One address of each range.
    pub addresses: Vec<IpAddr>,
    /// The address of its network card, if the person has chosen one.
    pub mac: Option<MacAddress>,
}

impl Lease {
    /// The address of its network card: made of the first, as docker does, so that whoever knew it finds it at once when it is
    /// started again. netavark chooses one where there is no IPv4.
    pub fn card(&self) -> Option<MacAddress> {
        let own = |address: &IpAddr| match address {
            IpAddr::V4(address) => Some(mac_of(*address)),
            IpAddr::V6(_) => None,
        };
        self.mac.or_else(|| self.addresses.iter().find_map(own))
    }
}

/// Why there is no address for a container.
#[derive(Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum LeaseError {
    #[error("ip={address}: {range} {problem}: give another of {first} to {last}")]
    Unfit { address: IpAddr, range: String, problem: &'static str, first: IpAddr, last: IpAddr },
    #[error("ip={address}: the network has {ranges} only: give an address of that")]
    Elsewhere { address: IpAddr, ranges: String },
    #[error("ip={address}: container {owner} has it: give another, or none")]
    Taken { address: IpAddr, owner: String },
    #[error("mac={mac}: container {owner} has it: give another, or none")]
    MacTaken { mac: MacAddress, owner: String },
    #[error("no address of {range} is free: end a container on it, or create a larger network")]
    Full { range: String },
    #[error(
        "{MAX_LEASES} containers are on it, and a bridge takes no more: create another network"
    )]
    Crowded,
}

impl Leases {
    /// Gives a container an address of each range: those of `fixed` that are in it, else those of `before` if they are free, else
    /// any that is. One that it has already is given back first.
    pub fn lease(
        &mut self,
        ranges: &[Range],
        container: &Id,
        fixed: &[IpAddr],
        before: &[IpAddr],
        mac: Option<MacAddress>,
    ) -> Result<Lease, LeaseError> {
        let mut after = self.clone();
        after.release(container);
        let lease = after.choose(ranges, fixed, before, mac)?;
        after.taken.insert(container.as_str().to_owned(), lease.clone());
        *self = after;
        Ok(lease)
    }

    /// Takes a container's addresses back; whether it had any.
    pub fn release(&mut self, container: &Id) -> bool {
        self.taken.remove(container.as_str()).is_some()
    }

    /// Takes back what those have whom `is_gone` names.
    pub fn sweep(&mut self, is_gone: impl Fn(&Id) -> bool) -> bool {
        let before = self.taken.len();
        self.taken.retain(|id, _| Id::try_from(id.clone()).is_ok_and(|id| !is_gone(&id)));
        self.taken.len() < before
    }

    /// What a container has.
    pub fn of(&self, container: &Id) -> Option<&Lease> {
        self.taken.get(container.as_str())
    }

    /// Looks at what the types allow too much of.
    pub fn check(&self, ranges: &[Range]) -> Result<(), String> {
        if self.taken.len() > MAX_LEASES {
            return Err(format!("leases.taken: more than {MAX_LEASES}"));
        }
        let fits = |addresses: &[IpAddr]| {
            addresses.len() == ranges.len()
                && addresses.iter().zip(ranges).all(|(&one, range)| range.subnet.contains(one))
        };
        for (id, lease) in &self.taken {
            Id::try_from(id.clone()).map_err(|problem| format!("leases.taken: {problem}"))?;
            if !fits(&lease.addresses) {
                return Err(format!("leases.taken.{id}: its addresses are not the network's"));
            }
        }
        match self.last.is_empty() || fits(&self.last) {
            true => Ok(()),
            false => Err("leases.last: its addresses are not the network's".to_owned()),
        }
    }

    fn choose(
        &mut self,
        ranges: &[Range],
        fixed: &[IpAddr],
        before: &[IpAddr],
        mac: Option<MacAddress>,
    ) -> Result<Lease, LeaseError> {
        if self.taken.len() >= MAX_LEASES {
            return Err(LeaseError::Crowded);
        }
        self.has_no_card(mac)?;
        if let Some(&address) =
            fixed.iter().find(|&&one| !ranges.iter().any(|range| range.subnet.contains(one)))
        {
            return Err(LeaseError::Elsewhere { address, ranges: list(ranges) });
        }
        let addresses = ranges.iter().enumerate().map(|(at, range)| {
            match fixed.iter().find(|&&one| range.subnet.contains(one)) {
                Some(&address) => self.fix(range, address),
                None => {
                    let had = before.iter().filter(|&&one| range.subnet.contains(one));
                    let again = had.filter_map(|&one| self.fix(range, one).ok()).next();
                    again.map_or_else(|| self.find(range, self.last.get(at).copied()), Ok)
                }
            }
        });
        let addresses: Vec<IpAddr> = addresses.collect::<Result<_, _>>()?;
        let lease = Lease { addresses, mac };
        self.has_no_card(lease.card())?;
        self.last.clone_from(&lease.addresses);
        Ok(lease)
    }

    fn has_no_card(&self, mac: Option<MacAddress>) -> Result<(), LeaseError> {
        let has_it = |(_, lease): &(&String, &Lease)| mac.is_some() && lease.card() == mac;
        match (mac, self.taken.iter().find(has_it)) {
            (Some(mac), Some((owner, _))) => Err(LeaseError::MacTaken { mac, owner: short(owner) }),
            _ => Ok(()),
        }
    }

    fn fix(&self, range: &Range, address: IpAddr) -> Result<IpAddr, LeaseError> {
        let unfit = |problem| {
            let (first, last) = (range.subnet.first(), range.subnet.last());
            LeaseError::Unfit { address, range: range.subnet.to_string(), problem, first, last }
        };
        range.subnet.check_host(address).map_err(|_| unfit("keeps it for itself"))?;
        if address == range.gateway {
            return Err(unfit("has it as its gateway"));
        }
        match self.owner(address) {
            None => Ok(address),
            Some(owner) => Err(LeaseError::Taken { address, owner: short(owner) }),
        }
    }

    /// The first that is free behind the one chosen last, once round. Of so many that are not free one more is: this ends.
    fn find(&self, range: &Range, last: Option<IpAddr>) -> Result<IpAddr, LeaseError> {
        let first = range.subnet.after(last.unwrap_or(range.subnet.address()));
        let is_free = |address| address != range.gateway && self.owner(address).is_none();
        let mut address = first;
        loop {
            if is_free(address) {
                return Ok(address);
            }
            address = range.subnet.after(address);
            if address == first {
                return Err(LeaseError::Full { range: range.subnet.to_string() });
            }
        }
    }

    fn owner(&self, address: IpAddr) -> Option<&str> {
        let mut taken = self.taken.iter();
        taken.find(|(_, lease)| lease.addresses.contains(&address)).map(|(id, _)| id.as_str())
    }
}

fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

fn list(ranges: &[Range]) -> String {
    let all: Vec<String> = ranges.iter().map(|range| range.subnet.to_string()).collect();
    all.join(" and ")
}

#[cfg(test)]
mod tests;
