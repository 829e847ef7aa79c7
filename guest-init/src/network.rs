//! The container's network. Every process of the guest is in the kernel's first network namespace, whose devices are
//! the VM's: what PID 1 sets up here is what the container has, and what it has no other way to.
//!
//! The host says all of it ([`protocol::Network`]); nothing is asked of the link: no DHCP, no router advertisements.

mod links;
mod message;
mod netlink;
pub(crate) mod sysctl;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use protocol::{Interface, Network};
use rustix::io::Errno;

use crate::error::{During, StartError};
use crate::log::log;
use links::{Link, renames};
use netlink::Netlink;

/// LOOPBACK_IFINDEX, linux/net/flow.h: the number of `lo` in each network namespace.
const LOOPBACK: u32 = 1;

/// How long an address may take until it is in use, looked at in steps: less than a millisecond is usual.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_micros(200);

/// What each container has, before the host has said anything: `lo` up, which gives it 127.0.0.1/8 and ::1, and
/// docker's settings. Without them most containers still run.
pub fn prepare() {
    let raised =
        Netlink::open().and_then(|mut netlink| netlink.change(message::up(LOOPBACK, None)));
    if let Err(error) = raised {
        log(format_args!("network interface lo: {error}"));
    }
    sysctl::set_usual();
}

/// Sets up every interface, then makes the settings.
pub fn set_up(network: &Network) -> Result<(), StartError> {
    if !network.interfaces.is_empty() {
        let mut netlink = Netlink::open().during("open a netlink socket")?;
        set_up_interfaces(&mut netlink, &network.interfaces)?;
    }
    network.sysctls.iter().try_for_each(sysctl::set)
}

fn set_up_interfaces(netlink: &mut Netlink, interfaces: &[Interface]) -> Result<(), StartError> {
    let links = netlink.links().during("list the network devices")?;
    let mut wanted = Vec::new();
    for interface in interfaces {
        let link = links::find(&links, interface.mac).during(format!(
            "interface {}: find the device with the address {}",
            interface.name, interface.mac
        ))?;
        wanted.push((link.index, interface.name.as_str()));
    }
    for (index, name) in renames(&links, &wanted) {
        let what = || format!("interface {name}: give the device {index} this name");
        netlink.change(message::rename(index, &name)).during(what())?;
    }
    for ((index, _), interface) in wanted.iter().zip(interfaces) {
        set_up_interface(netlink, *index, interface)?;
    }
    Ok(())
}

fn set_up_interface(
    netlink: &mut Netlink,
    index: u32,
    interface: &Interface,
) -> Result<(), StartError> {
    let Interface { name, mtu, addresses, routes, neighbours, .. } = interface;
    sysctl::prepare_ipv6(name, addresses.iter().any(|address| address.ip.is_ipv6()))?;
    netlink
        .change(message::up(index, Some(*mtu)))
        .during(format!("interface {name}: raise it with an MTU of {mtu}"))?;
    for address in addresses {
        let what = || format!("interface {name}: add the address {address}");
        netlink.change(message::address(index, *address)).during(what())?;
    }
    for address in addresses.iter().filter(|address| address.ip.is_ipv6()) {
        await_use(netlink, name, address.ip);
    }
    for neighbour in neighbours {
        let what = || format!("interface {name}: add the neighbour {neighbour}");
        netlink.change(message::neighbour(index, *neighbour)).during(what())?;
    }
    // What is on the link may be where a gateway is.
    let (direct, indirect): (Vec<_>, Vec<_>) =
        routes.iter().partition(|route| route.gateway.is_none());
    for route in direct.into_iter().chain(indirect) {
        match netlink.change(message::route(index, route)) {
            // The network of an address is there with the address.
            Err(Errno::EXIST) if route.gateway.is_none() => {}
            result => result.during(format!("interface {name}: add the route {route}"))?,
        }
    }
    Ok(())
}

/// The kernel says that an address of IPv6 is there, and lets packets to it in a moment later, in a thread of its own
/// (linux/net/ipv6/addrconf.c, `addrconf_dad_work`). Until then a call to it, by the container itself, goes out to the
/// link and is answered by nobody for three seconds.
fn await_use(netlink: &mut Netlink, interface: &str, ip: IpAddr) {
    let begin = Instant::now();
    while !netlink.is_own(ip) {
        if begin.elapsed() > PATIENCE {
            return log(format_args!("network interface {interface}: {ip} is not in use yet"));
        }
        sleep(STEP);
    }
}
