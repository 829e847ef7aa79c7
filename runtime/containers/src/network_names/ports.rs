//! Ports of the host's that lead to a container.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A port of the container's that can be reached on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedPort {
    /// Where on the host; everywhere if there is none.
    pub address: Option<IpAddr>,
    /// Any free one if there is none.
    pub host_port: Option<u16>,
    /// Not 0.
    pub container_port: u16,
    /// Of which protocol.
    pub protocol: Protocol,
}

/// What has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// As netavark calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// One whose number on the host is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundPort {
    /// Where on the host; everywhere if there is none.
    pub address: Option<IpAddr>,
    /// On the host.
    pub host_port: u16,
    /// In the container.
    pub container_port: u16,
    /// Of which protocol.
    pub protocol: Protocol,
}

/// A port of the host that is nobody else's as long as this value lives. The firewall leads packets away before they come to
/// its socket.
#[derive(Debug)]
pub struct HeldPort {
    _socket: Socket,
}

#[derive(Debug)]
#[allow(dead_code, reason = "they are kept open")]
enum Socket {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

/// Somebody else has it.
#[derive(Debug, Error)]
#[error("--publish: port {port}/{} of {address} on this host cannot be had", protocol.name())]
pub struct PortError {
    port: u16,
    protocol: Protocol,
    address: IpAddr,
    source: io::Error,
}

/// Takes the ports, and chooses numbers where none are named.
pub fn hold(ports: &[PublishedPort]) -> Result<Vec<(BoundPort, HeldPort)>, PortError> {
    ports.iter().map(hold_one).collect()
}

fn hold_one(published: &PublishedPort) -> Result<(BoundPort, HeldPort), PortError> {
    let PublishedPort { address, host_port, container_port, protocol } = *published;
    let port = host_port.unwrap_or(0);
    let everywhere = Ipv6Addr::UNSPECIFIED.into();
    let bind = |address| match protocol {
        Protocol::Tcp => {
            let socket = TcpListener::bind(SocketAddr::new(address, port))?;
            Ok((socket.local_addr()?.port(), Socket::Tcp(socket)))
        }
        Protocol::Udp => {
            let socket = UdpSocket::bind(SocketAddr::new(address, port))?;
            Ok((socket.local_addr()?.port(), Socket::Udp(socket)))
        }
    };
    let bound = match bind(address.unwrap_or(everywhere)) {
        // A host without IPv6.
        Err(error) if address.is_none() && is_family(&error) => bind(Ipv4Addr::UNSPECIFIED.into()),
        bound => bound,
    };
    let failed =
        |source| PortError { port, protocol, address: address.unwrap_or(everywhere), source };
    let (host_port, socket) = bound.map_err(failed)?;
    Ok((BoundPort { address, host_port, container_port, protocol }, HeldPort { _socket: socket }))
}

fn is_family(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_one_containers() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let any =
                PublishedPort { address: None, host_port: None, container_port: 80, protocol };
            let held = hold(&[any, any]).unwrap();
            let [first, second] = [0, 1].map(|at| held[at].0.host_port);
            assert!(first != 0 && second != 0 && first != second);
            let here = PublishedPort {
                host_port: Some(first),
                address: Some(Ipv4Addr::LOCALHOST.into()),
                ..any
            };
            let error = hold(&[here]).unwrap_err().to_string();
            assert_eq!(
                error,
                format!(
                    "--publish: port {first}/{} of 127.0.0.1 on this host cannot be had",
                    protocol.name()
                )
            );
            drop(held);
            assert_eq!(hold(&[here]).unwrap()[0].0.host_port, first);
        }
    }
}
