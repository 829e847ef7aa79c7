//! What connects a container with others: what it asks for, what it has got, and the programs behind that.
//!
//! ```text
//!   plan ──▶ Connection::open ──▶ a socket or TAPs for the VM's network devices
//!                 │           └─▶ addresses, routes, names for its guest (protocol::Network)
//!                 └── passt, or interfaces ◀── frames ── VM
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | `plan` | what a container asks for |
//! | `device` | what the VM is told of an interface |
//! | `egress` | what it may reach |
//! | `report` | what its interfaces tell of themselves |
//! | `state` | what one has that runs |
//! | `user` | the network of an ordinary user, and the addresses in it |
//! | `passt` | the program that connects it with the world |
//! | `pasta` | the same for a network namespace of a user's own |
//! | `version` | what that program can't do yet |
//! | `greeting` | whether that program is ready |
//! | `ports` | ports of the host's: free ones, and those that are taken |
//! | `holder` | who has a port |
//! | `uplink` | what of the host's network such a program is told |
//! | `resolver` | whom the host asks for names |
//! | `existing` | the network of a namespace that is there already |
//! | [`attach`](mod@attach) | somebody else's namespace, of whose interfaces a VM gets those that it can have |
//! | [`namespace`] | a container's own namespace, and what becomes of it when its owner dies |
//! | [`netns`] | network namespaces of this machine, and how to be in one for a moment |
//! | `netlink` | a conversation with the kernel's network |

pub mod attach;
mod device;
mod egress;
mod error;
mod existing;
mod greeting;
mod holder;
pub mod namespace;
mod netlink;
pub mod netns;
mod passt;
pub(crate) mod pasta;
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

use std::any::Any;
use std::iter::repeat;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use protocol::Network;

pub use device::NetworkInterface;
pub use egress::Egress;
pub use error::NetworkError;
use passt::Passt;
pub(crate) use passt::last_words;
pub use plan::{
    ExtraHost, HostAddress, MTUS, NetworkMode, NetworkPlan, Protocol, PublishedPort, UserNetwork,
};
pub(crate) use report::Reports;
pub use report::{InterfaceUse, sum};
pub(crate) use resolver::search_of_host;
pub use state::{Binding, NetworkState};
pub(crate) use user::{mac_of, names_of, usual_addresses};

use host::text::in_one_line;

/// The name of a container's first interface, as in docker.
const INTERFACE: &str = "eth0";

/// A container's network, which is there as long as this value.
pub(crate) struct Connection {
    /// What its guest is told.
    guest: Network,
    /// What is noted of it.
    state: NetworkState,
    /// The VM's ends, one for each of the guest's interfaces, until the VM has them.
    ends: Vec<OwnedFd>,
    /// What may be reached through each, where that is said of a network.
    egress: Vec<Option<Egress>>,
    /// What is at their other side, and ends with this.
    _behind: Option<Box<dyn Any + Send>>,
}

/// Whose a connection is, for others who want the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner<'a> {
    /// The container, if it has a name.
    pub container: Option<&'a str>,
    /// Where it is written down: this user's folder on a tmpfs.
    pub records: &'a Path,
}

impl Owner<'_> {
    /// `container web, process 123`.
    pub fn words(&self) -> String {
        let process = std::process::id();
        match self.container {
            Some(name) => format!("container {name}, process {process}"),
            None => format!("process {process}"),
        }
    }
}

impl Connection {
    /// Makes what the plan asks for. Ports that it leaves open are those of last time (`kept`), as far as they are free.
    pub fn open(
        plan: &NetworkPlan,
        kept: &[PublishedPort],
        owner: Owner<'_>,
    ) -> Result<Self, NetworkError> {
        let user = match &plan.mode {
            NetworkMode::None => return Ok(Self::loopback(plan)),
            NetworkMode::Namespace(path) => return existing::connect(plan, path, owner),
            NetworkMode::Names => return Err(NetworkError::NoContainer),
            NetworkMode::User(user) => user,
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
        let guest = Network {
            resolver: plan.resolver(None),
            hosts: plan.given_hosts(),
            sysctls: plan.sysctls.clone(),
            ..Network::default()
        };
        let (state, ends, egress) = Default::default();
        Self { guest, state, ends, egress, _behind: None }
    }

    /// What a guest is told, with the VM's end of each of its interfaces, and what is `behind` them.
    pub fn new(
        guest: Network,
        ports: Vec<PublishedPort>,
        ends: Vec<OwnedFd>,
        behind: impl Send + 'static,
    ) -> Self {
        let state = NetworkState { interfaces: guest.interfaces.clone(), ports };
        Self { guest, state, ends, egress: Vec::new(), _behind: Some(Box::new(behind)) }
    }

    /// Through the interfaces only this may be reached.
    pub fn with_egress(self, egress: Vec<Option<Egress>>) -> Self {
        Self { egress, ..self }
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

    /// The VM's devices for it, which let through what is wanted: of the container, or else of a network.
    pub fn devices(&self, egress: Option<&Egress>) -> Vec<NetworkInterface> {
        let of_networks = self.egress.iter().map(Option::as_ref).chain(repeat(None));
        let interfaces = self.guest.interfaces.iter().zip(&self.ends).zip(of_networks);
        let device = interfaces.map(|((interface, end), of_network)| NetworkInterface {
            iface_id: interface.name.clone(),
            fd: end.as_raw_fd(),
            guest_mac: interface.mac.to_string(),
            mtu: interface.mtu,
            egress: egress
                .or(of_network)
                .map(|egress| egress.policy(interface, &self.guest.resolver)),
            report_fd: None,
        });
        device.collect()
    }

    /// The VM has its ends: from now on they are open as long as the VM is there, and no longer.
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
