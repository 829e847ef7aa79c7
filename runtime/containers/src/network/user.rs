//! The network of an ordinary user: one passt for each VM, and addresses that only the two of them see.
//!
//! The guest has an address in 10.0.2.0/24, in which the gateway is 10.0.2.2 and the resolver 10.0.2.3, and where the host
//! has IPv6 another in fd00:0:0:2::/64. Each VM has such a network of its own: all have the same addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use protocol::{Cidr, Host, Interface, MacAddress, Network, Route, Sysctl};

use super::passt::{BUFFER, Link, Passt};
use super::uplink::Uplink;
use super::version::answers_datagrams_of_the_host;
use super::{
    Connection, ExtraHost, HostAddress, INTERFACE, NetworkError, NetworkPlan, Protocol,
    PublishedPort, UserNetwork, ports, resolver,
};

/// The addresses of IPv4 are slirp's, which people know from QEMU (qemu(1), `-netdev user`).
const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 100);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 3);
const PREFIX: u8 = 24;

/// fd00::/8 is for networks that nobody else sees (RFC 4193).
const GUEST_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 0x100);
const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 2);
const RESOLVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 3);
const PREFIX_V6: u8 = 64;

/// Only for the route that leads out of the host, if there is one: a datagram socket that is connected sends nothing
/// (RFC 5737: an address that nobody has).
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The two ends of a link, as the plan and this host have it.
fn link(plan: &NetworkPlan, user: &UserNetwork, uplink: &Uplink) -> Link {
    let guest = plan.ip.unwrap_or(GUEST);
    Link {
        interface: uplink.interface.clone(),
        mtu: user.mtu,
        host_loopback: user.host_loopback,
        guest_mac: plan.mac.unwrap_or(mac_of(guest)),
        gateway_mac: mac_of(GATEWAY),
        guest,
        prefix: PREFIX,
        gateway: GATEWAY,
        guest_v6: uplink.has_ipv6.then_some((plan.ip6.unwrap_or(GUEST_V6), GATEWAY_V6)),
        resolvers: (RESOLVER, RESOLVER_V6),
    }
}

/// The link of a guest that asks for nothing, with this host.
pub(super) fn usual_link() -> Link {
    link(&NetworkPlan::default(), &UserNetwork::default(), &Uplink::find())
}

/// What addresses its guest's end and the gateway have, with the lengths of their prefixes.
pub(crate) fn usual_addresses() -> [(IpAddr, u8); 2] {
    [(GATEWAY.into(), PREFIX), (GATEWAY_V6.into(), PREFIX_V6)]
}

/// As docker makes it of an address (moby, `netutils.GenerateMACFromIP`): locally administered (IEEE 802, §8.2).
pub(crate) fn mac_of(ip: Ipv4Addr) -> MacAddress {
    let [a, b, c, d] = ip.octets();
    MacAddress([0x02, 0x42, a, b, c, d])
}

/// Whether the plan's addresses are of such a network, and nobody else's in it.
pub(super) fn check_addresses(plan: &NetworkPlan) -> Result<(), String> {
    if let Some(ip) = plan.ip {
        let [.., last] = ip.octets();
        let network = |ip: Ipv4Addr| ip.to_bits() >> (32 - PREFIX);
        if network(ip) != network(GUEST) || !(4..=254).contains(&last) {
            return Err(format!(
                "--ip {ip}: give one of 10.0.2.4 to 10.0.2.254, in the network of --network user"
            ));
        }
    }
    if let Some(ip) = plan.ip6 {
        let network = |ip: Ipv6Addr| ip.to_bits() >> (128 - PREFIX_V6);
        let [.., last] = ip.segments();
        if network(ip) != network(GUEST_V6)
            || [GATEWAY_V6, RESOLVER_V6].contains(&ip)
            || ip.segments()[4..] == [0; 4]
            || last == u16::MAX
        {
            return Err(format!(
                "--ip6 {ip}: give an address in fd00:0:0:2::/64, the network of --network user, as fd00:0:0:2::100"
            ));
        }
    }
    if plan.mac == Some(mac_of(GATEWAY)) {
        return Err(format!(
            "--mac-address {}: that is the gateway's: give another",
            mac_of(GATEWAY)
        ));
    }
    Ok(())
}

/// Makes it.
pub(super) fn connect(
    plan: &NetworkPlan,
    user: &UserNetwork,
    kept: &[PublishedPort],
) -> Result<Connection, NetworkError> {
    let program = Passt::find().ok_or(NetworkError::Missing)?;
    let uplink = Uplink::find();
    let link = link(plan, user, &uplink);
    let names = hosts(&plan.hosts, user)?;
    let own = [Some(link.guest.into()), link.guest_v6.map(|(guest, _)| guest.into())];
    let everywhere = ports::everywhere(own.into_iter().flatten());
    let reserved = ports::reserve(&plan.ports, kept, &everywhere)?;
    let (passt, socket) = Passt::start(&program, &link, reserved.ports())?;
    let has_udp = plan.ports.iter().any(|port| port.protocol == Protocol::Udp);
    if has_udp && !user.host_loopback && !answers_datagrams_of_the_host(&program) {
        log::warn!(
            "{} is older than July 2024: programs of this host that call a published UDP port by 127.0.0.1 or ::1 get no \
             answers, others do; --network user:host-loopback gives them some",
            program.display()
        );
    }
    let guest = network(plan, &link, &uplink, names);
    Ok(Connection::new(guest, reserved.ports().to_vec(), vec![socket], passt))
}

/// What the guest is told of it.
fn network(plan: &NetworkPlan, link: &Link, uplink: &Uplink, hosts: Vec<Host>) -> Network {
    let default = |any: IpAddr, gateway: IpAddr| Route {
        destination: Cidr { ip: any, prefix: 0 },
        gateway: Some(gateway),
        onlink: false,
        metric: 0,
    };
    let mut addresses = vec![Cidr { ip: link.guest.into(), prefix: link.prefix }];
    let mut routes = vec![default(Ipv4Addr::UNSPECIFIED.into(), link.gateway.into())];
    if let Some((guest, gateway)) = link.guest_v6 {
        addresses.push(Cidr { ip: guest.into(), prefix: PREFIX_V6 });
        if uplink.reaches_ipv6 {
            routes.push(default(Ipv6Addr::UNSPECIFIED.into(), gateway.into()));
        }
    }
    let own_addresses = addresses.iter().map(|address| address.ip).collect();
    let name = INTERFACE.to_owned();
    let (mac, mtu, neighbours) = (link.guest_mac, link.mtu, Vec::new());
    let interface = Interface { name, mac, mtu, addresses, routes, neighbours };
    let of_host = resolver::of_host(link.resolvers, link.guest_v6.is_some());
    Network {
        interfaces: vec![interface],
        resolver: plan.resolver(Some(of_host)),
        hosts,
        own_addresses,
        // The plan's own come later, and so win.
        sysctls: [&[window()], &plan.sysctls[..]].concat(),
    }
}

/// A guest that lets its peers send no more at once than fits in between (ip-sysctl.rst, `tcp_rmem`, of which a half is
/// window, `tcp_adv_win_scale`; the other values are the kernel's).
fn window() -> Sysctl {
    let value = format!("4096 131072 {}", 2 * BUFFER);
    Sysctl { key: "net.ipv4.tcp_rmem".into(), value: value.into() }
}

/// The names that the plan has, where the host's loopback interface is out of reach.
pub(crate) fn names_of(plan: &NetworkPlan) -> Result<Vec<Host>, NetworkError> {
    hosts(&plan.hosts, &UserNetwork::default())
}

/// The names that the plan has.
fn hosts(hosts: &[ExtraHost], user: &UserNetwork) -> Result<Vec<Host>, NetworkError> {
    let address = |host: &ExtraHost| match host.address {
        HostAddress::Ip(ip) => Ok(ip),
        HostAddress::Gateway if user.host_loopback => Ok(GATEWAY.into()),
        HostAddress::Gateway => {
            own_address().ok_or_else(|| NetworkError::NoHostAddress { name: host.name.to_string() })
        }
    };
    hosts.iter().map(|host| Ok(Host { name: host.name.clone(), ip: address(host)? })).collect()
}

/// The address by which this host calls others, at which it can be called, too.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uplink(has_ipv6: bool, reaches_ipv6: bool) -> Uplink {
        Uplink { interface: "eth7".to_owned(), has_ipv6, reaches_ipv6 }
    }

    fn guest(plan: &NetworkPlan, uplink: &Uplink) -> Network {
        let link = link(plan, &UserNetwork::default(), uplink);
        let network = network(plan, &link, uplink, Vec::new());
        network.check().unwrap();
        network
    }

    #[test]
    fn a_guest_has_what_the_host_has() {
        let shown = |network: &Network| {
            let interface = &network.interfaces[0];
            let addresses = interface.addresses.iter().map(ToString::to_string);
            let routes = interface.routes.iter().map(ToString::to_string);
            addresses.chain(routes).collect::<Vec<_>>().join(", ")
        };
        let plan = NetworkPlan::default();
        let v4 = "10.0.2.100/24, 0.0.0.0/0 via 10.0.2.2";
        assert_eq!(shown(&guest(&plan, &uplink(false, false))), v4);
        let local = "10.0.2.100/24, fd00:0:0:2::100/64, 0.0.0.0/0 via 10.0.2.2";
        assert_eq!(shown(&guest(&plan, &uplink(true, false))), local);
        let both = guest(&plan, &uplink(true, true));
        assert_eq!(shown(&both), format!("{local}, ::/0 via fd00:0:0:2::2"));
        assert_eq!(both.interfaces[0].mac.to_string(), "02:42:0a:00:02:64");
        assert_eq!(both.own_addresses.len(), 2);
    }

    #[test]
    fn addresses_are_of_the_network_and_nobody_elses() {
        let ip = |ip: &str| NetworkPlan { ip: Some(ip.parse().unwrap()), ..NetworkPlan::default() };
        let ip6 =
            |ip: &str| NetworkPlan { ip6: Some(ip.parse().unwrap()), ..NetworkPlan::default() };
        for plan in [ip("10.0.2.4"), ip("10.0.2.254"), ip6("fd00:0:0:2::1"), ip6("fd00:0:0:2:1::")]
        {
            check_addresses(&plan).unwrap();
            guest(&plan, &uplink(true, true));
        }
        for (plan, named) in [
            (ip("10.0.2.0"), "--ip 10.0.2.0: give one of 10.0.2.4"),
            (ip("10.0.2.2"), "--ip 10.0.2.2: "),
            (ip("10.0.2.3"), "--ip 10.0.2.3: "),
            (ip("10.0.2.255"), "--ip 10.0.2.255: "),
            (ip("10.0.3.7"), "--ip 10.0.3.7: "),
            (ip("127.0.0.1"), "--ip 127.0.0.1: "),
            (ip6("fd00:0:0:2::"), "--ip6 fd00:0:0:2::: give an address in fd00:0:0:2::/64"),
            (ip6("fd00:0:0:2::2"), "--ip6 fd00:0:0:2::2: "),
            (ip6("fd00:0:0:3::1"), "--ip6 fd00:0:0:3::1: "),
            (ip6("::1"), "--ip6 ::1: "),
            (
                NetworkPlan { mac: Some(mac_of(GATEWAY)), ..ip("10.0.2.7") },
                "--mac-address 02:42:0a:00:02:02: ",
            ),
        ] {
            let error = check_addresses(&plan).unwrap_err();
            assert!(error.starts_with(named), "{error}");
        }
        let plan = ip("10.0.2.7");
        assert_eq!(
            guest(&plan, &uplink(false, false)).interfaces[0].mac.to_string(),
            "02:42:0a:00:02:07"
        );
    }

    #[test]
    fn the_host_is_the_gateway_where_that_leads_to_it() {
        let wanted = [ExtraHost { name: "host".into(), address: HostAddress::Gateway }];
        let user = UserNetwork { host_loopback: true, ..UserNetwork::default() };
        assert_eq!(hosts(&wanted, &user).unwrap()[0].ip, IpAddr::from(GATEWAY));
        // Without, it is whatever this machine has; never its loopback interface.
        match hosts(&wanted, &UserNetwork::default()) {
            Ok(hosts) => assert!(!hosts[0].ip.is_loopback()),
            Err(error) => assert!(error.to_string().contains("--add-host host:host-gateway")),
        }
    }
}
