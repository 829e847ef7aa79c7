//! passt: a network for one VM without any right on the host. It speaks with the VM's network device over a socket, and
//! with the world by sockets of its own, as any program of the user's does (passt(1)).
//!
//! It locks itself in: namespaces of its own, an empty root, a filter of system calls; as root it becomes `nobody`. It ends
//! when the VM's end of the socket is closed, and so with the VM, whatever ends that. (As `nobody` it has no parent-death
//! signal any more, prctl(2).)

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::env;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use host::child::spawn_bound;
use host::program;
use host::text::printable;
use protocol::MacAddress;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::greeting::{Guest, greet};
use super::{NetworkError, Protocol, PublishedPort};

/// The program.
const PROGRAM: &str = "passt";

/// It answers a few milliseconds after its start. One that does not is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The variable with the folder of this user's running VMs.
const OWNER: &str = "XDG_RUNTIME_DIR";

/// How much may be on its way to the guest, in bytes: what every user may ask for (linux/net/core/sock.c, `SK_WMEM_MAX`,
/// of which the kernel makes twice as much, socket(7)). What does not fit in is lost, which Debian 12's passt notices two
/// seconds later.
pub const BUFFER: usize = 212_992;

/// How much of what it says is kept, in bytes: its last lines.
const TAIL: usize = 2048;

/// What it says where there is nobody to log to (passt's util.c, `passt_vsyslog`), which is no reason for anything.
const NO_LOG: &[u8] = b"Failed to send ";

/// A link between a guest and the world.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    /// An interface of the host's.
    pub interface: String,
    /// How long a packet may be, in bytes.
    pub mtu: u32,
    /// Whether the gateway's addresses lead to the host's loopback interface.
    pub host_loopback: bool,
    pub guest_mac: MacAddress,
    pub gateway_mac: MacAddress,
    pub guest: Ipv4Addr,
    pub prefix: u8,
    pub gateway: Ipv4Addr,
    /// The guest and the gateway, if there is IPv6.
    pub guest_v6: Option<(Ipv6Addr, Ipv6Addr)>,
    /// Where the guest finds the host's own resolver.
    pub resolvers: (Ipv4Addr, Ipv6Addr),
}

/// A running one. Dropped, it is ended.
#[derive(Debug)]
pub struct Passt {
    pidfd: OwnedFd,
    /// Its end is nothing to speak of.
    is_to_end: Arc<AtomicBool>,
    /// What it said last.
    watch: Option<JoinHandle<String>>,
}

impl Passt {
    /// Where the program is.
    pub fn find() -> Option<PathBuf> {
        program::on_path(PROGRAM)
    }

    /// Starts one that publishes these ports, each with one of the host's, and waits until it is ready; the VM's end of the
    /// socket.
    pub fn start(
        program: &Path,
        link: &Link,
        ports: &[PublishedPort],
    ) -> Result<(Self, OwnedFd), NetworkError> {
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let (ours, its) = pair.map_err(|error| NetworkError::Start(error.into()))?;
        let widened = set_socket_send_buffer_size(&its, BUFFER);
        widened.map_err(|error| NetworkError::Start(error.into()))?;
        let mut command = Command::new(program);
        command.args(arguments(link, ports)).arg("--fd").arg(its.as_raw_fd().to_string());
        // It needs nothing of the environment, in which there may be secrets; but whoever looks at it sees whose it is.
        command.env_clear().envs(env::var_os(OWNER).map(|folder| (OWNER, folder)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = spawn_bound(&mut command, &[its.as_fd()], Signal::KILL);
        drop(its);
        let passt = Self::watch(child.map_err(NetworkError::Start)?)?;
        let has_ipv6 = link.guest_v6.is_some();
        let guest = Guest { mac: link.guest_mac, ip: link.guest, has_ipv6 };
        match greet(ours, &guest, link.gateway, PATIENCE) {
            Ok(socket) => {
                passt.is_to_end.store(false, Ordering::SeqCst);
                Ok((passt, socket))
            }
            Err(error) => Err(passt.explain(error)),
        }
    }

    fn watch(mut child: Child) -> Result<Self, NetworkError> {
        let is_to_end = Arc::new(AtomicBool::new(true));
        let expected = Arc::clone(&is_to_end);
        let stderr = child.stderr.take();
        let opened = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let pidfd = match opened {
            Ok(pidfd) => pidfd,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(NetworkError::Start(error.into()));
            }
        };
        let watch = move || {
            let said = stderr.map(last_words).unwrap_or_default();
            let ended = child.wait().ok().filter(|status| !status.success());
            if let (false, Some(status)) = (expected.load(Ordering::SeqCst), ended) {
                let how = how(status);
                log::warn!("{PROGRAM} {how}: the container has no network any more: {said}");
            }
            said
        };
        let watch = thread::Builder::new().name(PROGRAM.into()).spawn(watch);
        Ok(Self { pidfd, is_to_end, watch: Some(watch.map_err(NetworkError::Start)?) })
    }

    /// Why it is not ready.
    fn explain(mut self, error: io::Error) -> NetworkError {
        use io::ErrorKind::{BrokenPipe, ConnectionReset, TimedOut, UnexpectedEof};
        let said = self.end();
        match error.kind() {
            // Before its end it has said why.
            BrokenPipe | ConnectionReset | UnexpectedEof => NetworkError::Ended { said },
            TimedOut => NetworkError::Silent { seconds: PATIENCE.as_secs(), said },
            _ => NetworkError::Speak(error),
        }
    }

    /// Ends it; what it said last.
    fn end(&mut self) -> String {
        self.is_to_end.store(true, Ordering::SeqCst);
        // It may have ended by itself: the number is its own until it is waited for, and a pidfd is nobody else's later.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        let said = self.watch.take().and_then(|watch| watch.join().ok());
        said.unwrap_or_default()
    }
}

impl Drop for Passt {
    fn drop(&mut self) {
        self.end();
    }
}

/// What it is told, but for its socket.
pub(super) fn arguments(link: &Link, ports: &[PublishedPort]) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["--foreground", "--quiet", "--no-dhcp", "--no-dhcpv6", "--no-ra"].map(String::from).into();
    if !link.host_loopback {
        arguments.push("--no-map-gw".to_owned());
    }
    let mut set = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    set("--interface", link.interface.clone());
    set("--mtu", link.mtu.to_string());
    set("--mac-addr", link.gateway_mac.to_string());
    set("--address", link.guest.to_string());
    set("--netmask", link.prefix.to_string());
    set("--gateway", link.gateway.to_string());
    set("--dns-forward", link.resolvers.0.to_string());
    if let Some((guest, gateway)) = link.guest_v6 {
        set("--address", guest.to_string());
        set("--gateway", gateway.to_string());
        set("--dns-forward", link.resolvers.1.to_string());
    }
    for port in ports {
        let flag = match port.protocol {
            Protocol::Tcp => "--tcp-ports",
            Protocol::Udp => "--udp-ports",
        };
        set(flag, specification(port));
    }
    if link.guest_v6.is_none() {
        arguments.push("--ipv4-only".to_owned());
    }
    arguments
}

/// `[ADDRESS/]HOST:CONTAINER` (passt(1), `--tcp-ports`).
fn specification(port: &PublishedPort) -> String {
    let address = port.address.map(|address| format!("{address}/")).unwrap_or_default();
    format!("{address}{}:{}", port.host_port.unwrap_or_default(), port.container_port)
}

/// The last lines of all that it says, on one line on which a terminal does nothing but show it.
pub(crate) fn last_words(mut stderr: impl Read) -> String {
    let mut tail = VecDeque::new();
    let mut chunk = [0; TAIL];
    // An error is an end, too.
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        tail.extend(&chunk[..read]);
        tail.drain(..tail.len().saturating_sub(TAIL));
    }
    const LINES: usize = 3;
    let lines = tail.make_contiguous().split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let lines: Vec<String> =
        lines.filter(|line| !line.is_empty() && !line.starts_with(NO_LOG)).map(printable).collect();
    match &lines[lines.len().saturating_sub(LINES)..] {
        [] => "it said nothing".to_owned(),
        lines => lines.join(" | "),
    }
}

fn how(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, code) => format!("ended with status {}", code.unwrap_or_default()),
    }
}
