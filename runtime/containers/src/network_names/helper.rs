//! A container of an ordinary user's on networks: a process of its own enters the [home](super::home) of them, is on the networks
//! there as root's supervisors are on the host, and hands over the VM's ends.
//!
//! ```text
//!   supervisor ── Order ──▶ bulkhead network-join ── enters, forks ──▶ joins, attaches, forwards ports
//!       ▲                                                                    │
//!       └──────────────────── Answer, descriptors of TAPs ───────────────────┘
//! ```
//!
//! The supervisor's end of the socket tells it how long: when that is closed, it leaves the networks and ends. Nobody leaves the
//! namespaces again, and there is one thread while it enters them (setns(2)).

mod process;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use protocol::{FrameError, Network};
use serde::{Deserialize, Serialize};

use super::attachment::MAX_NETWORKS;
use super::error::NetworkError;
use super::store::Networks;
use crate::connection::{Connection as Socket, MOST};
use crate::container::{Config, Containers, Id};
use crate::network::{Connection, Egress, NetworkState, PublishedPort};
pub use process::join_networks;

/// The hidden command that is one.
pub const HELPER: &str = "network-join";

/// With an answer comes an end for each network.
const _: () = assert!(MAX_NETWORKS <= MOST);

/// What one is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    networks: PathBuf,
    containers: PathBuf,
    container: Id,
    /// What it had the last time.
    before: NetworkState,
    /// The folder of this user's running VMs.
    base: PathBuf,
}

/// What it answers, with the VM's ends if it has joined.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum Answer {
    Joined { guest: Network, ports: Vec<PublishedPort>, egress: Vec<Option<Egress>> },
    Failed { message: String },
}

/// A running one. Dropped, it leaves the networks, and has left them.
struct Helper {
    socket: Option<Socket>,
    /// Its end is nothing to speak of.
    is_to_end: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

/// Puts a container of this process's on its networks. `base` is the folder of this user's running VMs.
pub(super) fn connect(
    networks: &Networks,
    containers: &Containers,
    config: &Config,
    before: &NetworkState,
    base: &Path,
) -> Result<Connection, NetworkError> {
    let order = Order {
        networks: networks.folder().to_owned(),
        containers: containers.folder().to_owned(),
        container: config.id.clone(),
        before: before.clone(),
        base: base.to_owned(),
    };
    let mut helper = Helper::start()?;
    let (guest, ports, egress, ends) = helper.ask(&order)?;
    helper.is_to_end.store(false, Ordering::SeqCst);
    Ok(Connection::new(guest, ports, ends, helper).with_egress(egress))
}

type Joined = (Network, Vec<PublishedPort>, Vec<Option<Egress>>, Vec<OwnedFd>);

impl Helper {
    fn start() -> Result<Self, NetworkError> {
        let (socket, its) = UnixStream::pair().map_err(NetworkError::Helper)?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0("bulkhead").arg(HELPER).stdin(OwnedFd::from(its)).stdout(Stdio::null());
        // A Ctrl-C at the terminal is for what runs in the guest.
        let child = command.process_group(0).spawn().map_err(NetworkError::Helper)?;
        // It has the other end of the socket, which this process may not keep.
        drop(command);
        let is_to_end = Arc::new(AtomicBool::new(true));
        let expected = Arc::clone(&is_to_end);
        let watch = thread::Builder::new().name(HELPER.into());
        let watch = watch.spawn(move || wait(child, &expected)).map_err(NetworkError::Helper)?;
        let socket = Some(Socket::new(socket, MAX_NETWORKS));
        Ok(Self { socket, is_to_end, watch: Some(watch) })
    }

    fn ask(&mut self, order: &Order) -> Result<Joined, NetworkError> {
        let gone = || failed(io::Error::from(io::ErrorKind::BrokenPipe).into());
        let socket = self.socket.as_mut().ok_or_else(gone)?;
        socket.send(order, &[]).map_err(failed)?;
        let answer = socket.receive().map_err(failed)?;
        let ends = socket.take_descriptors();
        match answer {
            Answer::Joined { guest, ports, egress } if guest.interfaces.len() == ends.len() => {
                Ok((guest, ports, egress, ends))
            }
            Answer::Joined { .. } => {
                Err(failed(io::Error::from(io::ErrorKind::InvalidData).into()))
            }
            Answer::Failed { message } => Err(NetworkError::Said(message)),
        }
    }
}

/// An error of the talk between the two.
fn failed(error: FrameError) -> NetworkError {
    NetworkError::Helper(match error {
        FrameError::Io(error) => error,
        other => io::Error::other(other),
    })
}

fn wait(mut child: Child, is_to_end: &AtomicBool) {
    let ended = child.wait();
    if let (false, Ok(status)) = (is_to_end.load(Ordering::SeqCst), ended) {
        log::warn!(
            "{HELPER} ended ({status}): the container's ports lead nowhere any more, and its networks last as long as others are \
             on them"
        );
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.is_to_end.store(true, Ordering::SeqCst);
        self.socket = None;
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}
