//! What the helper does.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use protocol::{Host, Interface};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, set_parent_process_death_signal, waitpid};

use super::{Answer, Order, Socket, failed};
use crate::container::{Config, Containers};
use crate::network::ports::Reserved;
use crate::network::{NetworkState, Owner, names_of};
use crate::network_names::attachment::MAX_NETWORKS;
use crate::network_names::connect::{Place, take_place};
use crate::network_names::definition::Network;
use crate::network_names::error::NetworkError;
use crate::network_names::forward::Forwarder;
use crate::network_names::home::{self, Stay};
use crate::network_names::join::{networks_of, publish};
use crate::network_names::store::Networks;
use host::text::in_one_line;

/// Where attachments are written down in the home, which is theirs alone: they go with it.
const RECORDS: &str = "/run/bulkhead";

/// All that comes from outside of the home.
struct Prepared {
    networks: Networks,
    containers: Containers,
    config: Config,
    before: NetworkState,
    all: Vec<Network>,
    names: Vec<Host>,
    ports: Reserved,
    /// The one who was in this container's place before has left.
    _place: File,
    stay: Stay,
}

/// Puts the container that the order at stdin names on its networks, and keeps it there until stdin ends.
pub fn join_networks() -> Result<(), NetworkError> {
    let socket = rustix::stdio::stdin().try_clone_to_owned().map_err(NetworkError::Helper)?;
    let mut socket = Socket::new(UnixStream::from(socket), MAX_NETWORKS);
    let null = File::open("/dev/null").map_err(NetworkError::Helper)?;
    rustix::stdio::dup2_stdin(&null).map_err(|error| NetworkError::Helper(error.into()))?;
    let order: Order = socket.receive().map_err(failed)?;
    let base = order.base.clone();
    let prepared = match prepare(order) {
        Ok(prepared) => prepared,
        Err(error) => {
            refuse(&socket, &error);
            home::sweep(&base);
            return Ok(());
        }
    };
    // SAFETY: this process has one thread: the child has all that it needs.
    match unsafe { libc::fork() } {
        0 => {
            // Whoever waits for it tells of its end.
            let _ = set_parent_process_death_signal(Some(Signal::KILL));
            live(prepared, socket);
            Ok(())
        }
        child => {
            let failed = io::Error::last_os_error();
            let stay = prepared.stay;
            drop(socket);
            let Some(child) = Pid::from_raw(child).filter(|_| child > 0) else {
                return Err(NetworkError::Helper(failed));
            };
            while let Err(Errno::INTR) = waitpid(Some(child), WaitOptions::empty()) {}
            drop(stay);
            home::sweep(&base);
            Ok(())
        }
    }
}

/// Takes what is the host's, and enters the home.
fn prepare(order: Order) -> Result<Prepared, NetworkError> {
    let Order { networks, containers, container, before, base } = order;
    let (networks, containers) = (Networks::open(networks)?, Containers::open(containers)?);
    let container = containers.find(container.as_str())?;
    let place = alone(container.folder()).map_err(NetworkError::Helper)?;
    let config = container.config().clone();
    let all = networks_of(&networks, &config)?;
    let ports = publish(&config, &before.ports, &all)?;
    let names = names_of(&config.plan.container.network).map_err(NetworkError::Port)?;
    let stay = home::enter(&base)?;
    Ok(Prepared { networks, containers, config, before, all, names, ports, _place: place, stay })
}

/// Waits until nobody else is in this container's place, whose supervisor was killed.
fn alone(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    flock(&folder, FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// In the home.
fn live(prepared: Prepared, socket: Socket) {
    let Prepared { networks, containers, config, before, all, names, ports, stay, _place } =
        prepared;
    let published = ports.ports().to_vec();
    let none = Reserved::default();
    let owner = Owner { container: Some(&config.name), records: Path::new(RECORDS) };
    let made = take_place(&networks, &containers, &config, &before, none, Some(names), owner);
    let Place { guest, ends, egress, membership } = match made {
        Ok(place) => place,
        Err(error) => return refuse(&socket, &error),
    };
    let target = |is_ipv6| target(&guest.interfaces, &all, is_ipv6);
    let forwarder = Forwarder::new(ports, target(false), target(true));
    let descriptors: Vec<_> = ends.iter().map(AsFd::as_fd).collect();
    let answer = Answer::Joined { guest, ports: published, egress };
    let answered = socket.send(&answer, &descriptors);
    drop(ends);
    // Without a supervisor nobody needs them.
    if answered.is_ok()
        && let Err(error) = forwarder.run(socket.as_fd())
    {
        log::warn!("ports lead nowhere any more: {error}");
    }
    drop(membership);
    drop(stay);
}

/// The container's address to which ports of this family lead: of a network that others reach, as root's do; of the other
/// family if there is none.
fn target(interfaces: &[Interface], networks: &[Network], is_ipv6: bool) -> Option<IpAddr> {
    let open = interfaces.iter().zip(networks).filter(|(_, network)| !network.internal);
    let addresses = open.flat_map(|(interface, _)| &interface.addresses).map(|one| one.ip);
    let usable: Vec<IpAddr> = addresses
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    usable.iter().find(|ip| ip.is_ipv6() == is_ipv6).or(usable.first()).copied()
}

fn refuse(socket: &Socket, error: &NetworkError) {
    // Whoever is gone does not hear it.
    let _ = socket.send(&Answer::Failed { message: in_one_line(error) }, &[]);
}
