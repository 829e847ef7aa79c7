//! Ports of the host's.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::slice;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

use super::holder::holder;
use super::{NetworkError, Protocol, PublishedPort};

/// How many free ports are tried where each must be free for several addresses: ours.
const ATTEMPTS: usize = 64;

/// Ports that nobody else gets: passt takes them over as long as this value is there.
#[derive(Debug, Default)]
pub struct Reserved {
    ports: Vec<PublishedPort>,
    sockets: Vec<(OwnedFd, PublishedPort)>,
}

impl Reserved {
    /// All of them, each with its port of the host's.
    pub fn ports(&self) -> &[PublishedPort] {
        &self.ports
    }

    /// The sockets that have them, for who serves them himself.
    pub fn into_sockets(self) -> Vec<(OwnedFd, PublishedPort)> {
        self.sockets
    }

    /// Nobody takes them over: a firewall leads packets away before they come here. Of TCP, only a port at which somebody
    /// listens is taken.
    pub fn keep(&self) -> Result<(), NetworkError> {
        for (socket, port) in &self.sockets {
            if port.protocol == Protocol::Tcp {
                listen(socket, 0).map_err(|error| explain(*port, error))?;
            }
        }
        Ok(())
    }
}

/// The addresses that stand for all of the host's, of each family that these are of.
pub fn everywhere(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let addresses: Vec<IpAddr> = addresses.into_iter().collect();
    let all = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let is_one = |any: &IpAddr| addresses.iter().any(|own| own.is_ipv6() == any.is_ipv6());
    all.into_iter().filter(is_one).collect()
}

/// Takes the host's ports that are `wanted`, those without an address at all of `everywhere`. One that may be any is the one
/// of last time (`kept`) if that is free, and else another.
pub fn reserve(
    wanted: &[PublishedPort],
    kept: &[PublishedPort],
    everywhere: &[IpAddr],
) -> Result<Reserved, NetworkError> {
    let mut ports = wanted.to_vec();
    let mut sockets = Vec::new();
    // First those that are no other's.
    for port in ports.iter().filter(|port| port.host_port.is_some()) {
        let has_ipv6 = everywhere.iter().any(IpAddr::is_ipv6);
        if !has_ipv6 && port.address.is_some_and(|address| address.is_ipv6()) {
            return Err(NetworkError::NoIpv6(*port));
        }
        let taken = take(port, everywhere).map_err(|error| explain(*port, error))?;
        sockets.extend(taken.into_iter().map(|socket| (socket, *port)));
    }
    for at in 0..ports.len() {
        if ports[at].host_port.is_none() {
            let (port, taken) = take_any(&ports, at, kept, everywhere)?;
            ports[at] = port;
            sockets.extend(taken.into_iter().map(|socket| (socket, port)));
        }
    }
    Ok(Reserved { ports, sockets })
}

fn take_any(
    ports: &[PublishedPort],
    at: usize,
    kept: &[PublishedPort],
    everywhere: &[IpAddr],
) -> Result<(PublishedPort, Vec<OwnedFd>), NetworkError> {
    let wanted = ports[at];
    // passt has one socket for a number, whatever the address.
    let is_used = |host_port: u16| {
        let is_it = |other: &PublishedPort| {
            other.protocol == wanted.protocol && other.host_port == Some(host_port)
        };
        ports.iter().any(is_it)
    };
    let is_same = |old: &&PublishedPort| PublishedPort { host_port: None, ..**old } == wanted;
    let before = kept.iter().filter(is_same).find_map(|old| {
        old.host_port.filter(|port| !is_used(*port))?;
        Some((*old, take(old, everywhere).ok()?))
    });
    if let Some(found) = before {
        return Ok(found);
    }
    for _ in 0..ATTEMPTS {
        let first = addresses(&wanted, everywhere).first().copied();
        let socket = bound(first.unwrap_or(Ipv4Addr::UNSPECIFIED.into()), 0, wanted.protocol);
        let socket = socket.map_err(|error| explain(wanted, error))?;
        let host_port = port_of(&socket).map_err(|error| explain(wanted, error))?;
        drop(socket);
        let port = PublishedPort { host_port: Some(host_port), ..wanted };
        if !is_used(host_port)
            && let Ok(sockets) = take(&port, everywhere)
        {
            return Ok((port, sockets));
        }
    }
    let PublishedPort { container_port, protocol, .. } = wanted;
    Err(NetworkError::NoneFree { container_port, protocol })
}

/// Where it is bound.
fn addresses<'a>(port: &'a PublishedPort, everywhere: &'a [IpAddr]) -> &'a [IpAddr] {
    port.address.as_ref().map_or(everywhere, slice::from_ref)
}

/// Sockets that have this port.
fn take(port: &PublishedPort, everywhere: &[IpAddr]) -> Result<Vec<OwnedFd>, Errno> {
    let number = port.host_port.unwrap_or_default();
    let addresses = addresses(port, everywhere).iter();
    addresses.map(|address| bound(*address, number, port.protocol)).collect()
}

/// A socket that has this port, which passt can have beside it: it says SO_REUSEADDR (passt's util.c, `sock_l4`).
fn bound(address: IpAddr, port: u16, protocol: Protocol) -> Result<OwnedFd, Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let kind = match protocol {
        Protocol::Tcp => SocketType::STREAM,
        Protocol::Udp => SocketType::DGRAM,
    };
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    // socket(7): of TCP, only a port at which somebody listens is taken, not one of connections that have ended.
    if protocol == Protocol::Tcp {
        set_socket_reuseaddr(&socket, true)?;
    }
    bind(&socket, &SocketAddr::new(address, port))?;
    // Of UDP, whoever says it may share a port with another that does. Only passt shall.
    set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

fn port_of(socket: &OwnedFd) -> Result<u16, Errno> {
    let address = SocketAddr::try_from(getsockname(socket)?)?;
    Ok(address.port())
}

fn explain(port: PublishedPort, error: Errno) -> NetworkError {
    match (error, port.host_port) {
        (Errno::ADDRINUSE, Some(number)) => {
            NetworkError::Taken(port, holder(number, port.protocol))
        }
        (Errno::ACCESS, Some(_)) => {
            let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
            let start = start.unwrap_or_default().trim().to_owned();
            NetworkError::Privileged { port, start }
        }
        _ => NetworkError::Port { port, source: io::Error::from(error) },
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    const IPV4: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED)];

    fn port(host_port: Option<u16>, container_port: u16, protocol: Protocol) -> PublishedPort {
        let address = Some(Ipv4Addr::LOCALHOST.into());
        PublishedPort { address, host_port, container_port, protocol }
    }

    #[test]
    fn free_ports_are_found_and_kept() {
        let wanted = [
            port(None, 80, Protocol::Tcp),
            port(None, 80, Protocol::Udp),
            PublishedPort { address: None, ..port(None, 81, Protocol::Tcp) },
        ];
        let reserved = reserve(&wanted, &[], &IPV4).unwrap();
        let first = reserved.ports().to_vec();
        assert!(first.iter().all(|port| port.host_port.is_some_and(|number| number != 0)));
        // Nobody else gets them meanwhile.
        let number = first[1].host_port.unwrap();
        assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).is_err());
        let others = reserve(&wanted, &first, &IPV4).unwrap();
        assert_ne!(others.ports()[1], first[1]);
        drop((reserved, others));
        assert_eq!(reserve(&wanted, &first, &IPV4).unwrap().ports(), first);
    }

    #[test]
    fn a_port_that_is_taken_is_named_and_its_holder() {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = [
            port(Some(tcp.local_addr().unwrap().port()), 80, Protocol::Tcp),
            port(Some(udp.local_addr().unwrap().port()), 53, Protocol::Udp),
        ];
        for port in taken {
            let error = reserve(&[port], &[], &IPV4).err().unwrap().to_string();
            let number = port.host_port.unwrap();
            let named = format!("port {number}/{} of 127.0.0.1 is taken by process", port.protocol);
            assert!(error.starts_with(&named), "{error}");
            assert!(error.contains(&std::process::id().to_string()), "{error}");
            // Everywhere is there, too.
            let everywhere = PublishedPort { address: None, ..port };
            let error = reserve(&[everywhere], &[], &IPV4).err().unwrap().to_string();
            assert!(
                error.contains(&format!("port {number}/{} of this host", port.protocol)),
                "{error}"
            );
        }
        // Where any port does, another one is taken.
        let open = PublishedPort { host_port: None, ..taken[0] };
        let reserved = reserve(&[open], &taken, &IPV4).unwrap();
        assert_ne!(reserved.ports()[0].host_port, taken[0].host_port);
    }

    #[test]
    fn an_address_that_is_not_the_hosts_is_named() {
        // RFC 5737: nobody's.
        let nobodys = PublishedPort {
            address: Some(Ipv4Addr::new(192, 0, 2, 7).into()),
            ..port(Some(8080), 80, Protocol::Tcp)
        };
        let error = reserve(&[nobodys], &[], &IPV4).err().unwrap();
        assert_eq!(error.to_string(), "port 8080/tcp of 192.0.2.7 cannot be published");
        let loopback = PublishedPort { address: Some(Ipv6Addr::LOCALHOST.into()), ..nobodys };
        let error = reserve(&[loopback], &[], &IPV4).err().unwrap().to_string();
        assert!(error.starts_with("port 8080/tcp of [::1] cannot be published: passt"), "{error}");
    }

    #[test]
    fn everywhere_is_where_a_container_has_an_address() {
        let both = [Ipv4Addr::UNSPECIFIED.into(), IpAddr::from(Ipv6Addr::UNSPECIFIED)];
        let [v4, v6] = [IpAddr::from([10, 0, 0, 2]), "fd00::2".parse().unwrap()];
        assert_eq!(everywhere([v6, v4, v6]), both);
        assert_eq!((everywhere([v4]), everywhere([v6])), (both[..1].into(), both[1..].into()));
        assert!(everywhere([]).is_empty());
        // Where it has none nobody is kept from listening.
        let any = PublishedPort { address: None, ..port(None, 80, Protocol::Udp) };
        let reserved = reserve(&[any], &[], &both[1..]).unwrap();
        let number = reserved.ports()[0].host_port.unwrap();
        drop(UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).unwrap());
        assert!(UdpSocket::bind((Ipv6Addr::LOCALHOST, number)).is_err());
    }
}
