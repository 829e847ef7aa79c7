//! What connects a container with others: what it asks for, what it has got, and the programs behind that.
//!
//! ```text
//!   plan ──▶ Connection::open ──▶ a descriptor for each of the VM's network devices
//!                 │           └─▶ addresses, routes, names for its guest (protocol::Network)
//!                 └── passt, or a namespace with an interface of each network ◀── frames ── VM
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | `plan` | what a container asks for |
//! | `egress` | what it may reach |
//! | `report` | what its interfaces tell of themselves |
//! | `state` | what one has that runs |
//! | `user` | the network of an ordinary user, and the addresses in it |
//! | `passt` | the program that connects it with the world |
//! | `version` | what that program can't do yet |
//! | `greeting` | whether that program is ready |
//! | `ports` | ports of the host's: free ones, and those that are taken |
//! | `holder` | who has a port |
//! | `uplink` | what of the host's network such a program is told |
//! | `resolver` | whom the host asks for names |
//! | [`attach`](mod@attach) | interfaces of an existing network namespace, which a VM gets |
//! | [`netns`], `netlink` | network namespaces, and a conversation with the kernel's network |
//! | [`namespace`] | a container's own namespace, and what becomes of it when its owner dies |

pub mod attach;
mod egress;
mod error;
mod greeting;
mod holder;
pub mod namespace;
mod netlink;
pub mod netns;
mod passt;
mod plan;
pub(crate) mod ports;
mod report;
mod resolver;
mod state;
#[cfg(test)]
pub(crate) mod testing;
mod uplink;
mod user;
mod version;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use protocol::{Host, Network};

use crate::network_names::Membership;

pub use egress::Egress;
pub use error::NetworkError;
use passt::Passt;
pub use plan::{
    ExtraHost, HostAddress, MTUS, NetworkMode, NetworkPlan, Protocol, PublishedPort, UserNetwork,
};
pub(crate) use report::Reports;
pub use report::{InterfaceUse, sum};
pub(crate) use resolver::search_of_host;
pub use state::{Binding, NetworkState};
pub(crate) use user::mac_of;

use crate::plan::NetworkInterface;
use host::text::in_one_line;

/// The name of a container's first interface, as in docker.
const INTERFACE: &str = "eth0";

/// A container's network, which is there as long as this value.
pub(crate) struct Connection {
    /// What its guest is told.
    guest: Network,
    /// What is noted of it.
    state: NetworkState,
    /// The VM's ends, one of each interface, until the VM has them.
    ends: Vec<OwnedFd>,
    _provider: Provider,
}

/// What is behind a connection, and ends with it.
#[expect(dead_code, reason = "they are kept")]
enum Provider {
    Nobody,
    Passt(Passt),
    Networks(Membership),
}

impl Connection {
    /// Makes what the plan asks for. Ports that it leaves open are those of last time (`kept`), as far as they are free.
    pub fn open(plan: &NetworkPlan, kept: &[PublishedPort]) -> Result<Self, NetworkError> {
        let user = match &plan.mode {
            NetworkMode::User(user) => user,
            NetworkMode::None => return Ok(Self::loopback(plan)),
            NetworkMode::Names => return Err(NetworkError::NoContainer),
        };
        match user::connect(plan, user, kept) {
            Err(error) if !plan.is_required() && error.is_of_the_host() => {
                log::warn!("{}: the container runs without a network", in_one_line(&error));
                Ok(Self::loopback(plan))
            }
            result => result,
        }
    }

    /// Nothing but the loopback interface, and the names that the plan has.
    pub fn loopback(plan: &NetworkPlan) -> Self {
        let of_plan = |host: &ExtraHost| match host.address {
            HostAddress::Ip(ip) => Some(Host { name: host.name.clone(), ip }),
            HostAddress::Gateway => None,
        };
        let guest = Network {
            resolver: plan.resolver(None),
            hosts: plan.hosts.iter().filter_map(of_plan).collect(),
            sysctls: plan.sysctls.clone(),
            ..Network::default()
        };
        Self {
            guest,
            state: NetworkState::default(),
            ends: Vec::new(),
            _provider: Provider::Nobody,
        }
    }

    /// What a container has as a member of networks of names, with the VM's ends of its interfaces.
    pub fn of_networks(
        guest: Network,
        state: NetworkState,
        ends: Vec<OwnedFd>,
        membership: Membership,
    ) -> Self {
        Self { guest, state, ends, _provider: Provider::Networks(membership) }
    }

    /// What its guest is told.
    pub fn guest(&self) -> &Network {
        &self.guest
    }

    /// What it is.
    pub fn state(&self) -> &NetworkState {
        &self.state
    }

    /// What the VM inherits.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.ends.iter().map(AsFd::as_fd).collect()
    }

    /// The VM's devices for it, which let through what is wanted.
    pub fn devices(&self, egress: Option<&Egress>) -> Vec<NetworkInterface> {
        let interfaces = self.guest.interfaces.iter().zip(&self.ends);
        let device = interfaces.map(|(interface, end)| NetworkInterface {
            iface_id: interface.name.clone(),
            fd: end.as_raw_fd(),
            guest_mac: interface.mac.to_string(),
            mtu: interface.mtu,
            egress: egress.map(|egress| egress.policy(interface, &self.guest.resolver)),
            report_fd: None,
        });
        device.collect()
    }

    /// The VM has its ends: from now on those are open as long as the VM is there, and no longer.
    pub fn handed_over(&mut self) {
        self.ends.clear();
    }
}

/// Says so where a container is going to run without a network because of what this machine lacks. Who starts it in the
/// background would not hear of it.
pub(crate) fn warn_of_lack(plan: &NetworkPlan) {
    if matches!(plan.mode, NetworkMode::User(_)) && !plan.is_required() && Passt::find().is_none() {
        log::warn!("{}: the container runs without a network", NetworkError::Missing);
    }
}
