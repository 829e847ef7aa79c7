//! The flags about a container's network, but for those about ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use containers::network::{ExtraHost, HostAddress, MTUS, NetworkMode, NetworkPlan, UserNetwork};
use protocol::{ByteString, Host, MacAddress, Network, Resolver, Sysctl};

use crate::egress::egress;
use crate::error::CommandError;
use crate::flags::Flags;
use crate::network_flag::parse_wish;
use crate::publish::ports;
use containers::network_names::Wish;

/// What `--add-host` calls the host (docker/cli `opts.HostGatewayName`).
const HOST_GATEWAY: &str = "host-gateway";

/// One `--network`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkFlag {
    /// Of this kind.
    Mode(NetworkMode),
    /// One that has a name.
    Named(Wish),
}

/// What the flags ask for, and which ports the image says that its programs listen on.
pub fn network(flags: &Flags, of_image: &[String]) -> Result<NetworkPlan, CommandError> {
    let words =
        |words: &[String]| words.iter().map(|word| ByteString::from(word.as_str())).collect();
    let (ports, exposed) = ports(flags, of_image);
    // What is said of the only network is said to it.
    let is_single = wishes(flags)?.len() == 1;
    let plan = NetworkPlan {
        mode: mode(flags)?,
        ports,
        exposed,
        mac: flags.mac_address.filter(|_| !is_single),
        ip: flags.ip.filter(|_| !is_single),
        ip6: flags.ip6.filter(|_| !is_single),
        resolver: Resolver {
            nameservers: flags.dns.clone(),
            search: words(&flags.dns_search),
            options: words(&flags.dns_option),
        },
        hosts: flags.add_host.clone(),
        sysctls: last_of_each(&flags.sysctl),
        egress: egress(&flags.egress, flags.egress_link_local)?,
    };
    plan.check().map_err(CommandError::Usage)?;
    // There may be too many of something.
    let checked = Network {
        resolver: plan.resolver.clone(),
        hosts: plan.hosts.iter().map(host).collect(),
        sysctls: plan.sysctls.clone(),
        ..Network::default()
    };
    checked.check().map_err(|error| CommandError::Usage(error.to_string()))?;
    Ok(plan)
}

/// One kind, or networks that have names.
fn mode(flags: &Flags) -> Result<NetworkMode, CommandError> {
    let mut modes = flags.network.iter().filter_map(|flag| match flag {
        NetworkFlag::Mode(mode) => Some(mode),
        NetworkFlag::Named(_) => None,
    });
    match (modes.next(), flags.network.len()) {
        (None, 0) => Ok(NetworkMode::User(UserNetwork::default())),
        (None, _) => Ok(NetworkMode::Names),
        (Some(mode), 1) => Ok(mode.clone()),
        (Some(mode), _) => {
            let message = format!("--network {mode} excludes all others: leave one of both out");
            Err(CommandError::Usage(message))
        }
    }
}

/// The networks of names that the container is to be on. `--ip`, `--ip6` and `--mac-address` are those on the only one.
pub fn wishes(flags: &Flags) -> Result<Vec<Wish>, CommandError> {
    let named = flags.network.iter().filter_map(|flag| match flag {
        NetworkFlag::Mode(_) => None,
        NetworkFlag::Named(wish) => Some(wish.clone()),
    });
    let mut wishes: Vec<Wish> = named.collect();
    if let [Wish { network, identity }] = &mut wishes[..] {
        identity.addresses.extend(flags.ip.map(IpAddr::from));
        identity.addresses.extend(flags.ip6.map(IpAddr::from));
        if let Some(mac) = flags.mac_address
            && identity.mac.replace(mac).is_some_and(|other| other != mac)
        {
            let message =
                format!("--mac-address {mac}: --network {network} has another: give one of both");
            return Err(CommandError::Usage(message));
        }
        let wrong = |why| CommandError::Usage(format!("--network {network}: {why}"));
        identity.check().map_err(wrong)?;
    }
    Ok(wishes)
}

fn host(host: &ExtraHost) -> Host {
    let ip = match host.address {
        HostAddress::Ip(ip) => ip,
        HostAddress::Gateway => Ipv4Addr::LOCALHOST.into(),
    };
    Host { name: host.name.clone(), ip }
}

/// Of two settings of one name the later counts.
fn last_of_each(sysctls: &[Sysctl]) -> Vec<Sysctl> {
    let mut last: Vec<Sysctl> = Vec::new();
    for sysctl in sysctls {
        last.retain(|other| !other.parts().eq(sysctl.parts()));
        last.push(sysctl.clone());
    }
    last
}

/// What docker and podman take for a kind of network, and is none here.
const NO_KIND: [&str; 6] = ["", "host", "bridge", "default", "container", "private"];

/// `none`, `user`, `user:OPTION,…`, where a colon between options does as well, or `ns:PATH`; else a network's name.
pub fn parse_network(text: &str) -> Result<NetworkFlag, String> {
    let (name, options) =
        text.split_once(':').map_or((text, None), |(name, options)| (name, Some(options)));
    match (name, options) {
        ("none", None) => return Ok(NetworkFlag::Mode(NetworkMode::None)),
        ("none", Some(_)) => return Err("none takes no options: give none".to_owned()),
        ("ns", path) => return parse_namespace(path.unwrap_or_default()),
        ("user", _) => {}
        (name, _) if NO_KIND.contains(&name) => {
            return Err(
                "give none, user, user with options, as user:mtu=1500,host-loopback, ns:PATH for a network namespace, or the name \
                 of a network, which bulkhead network create makes"
                    .to_owned(),
            );
        }
        _ => return parse_wish(text).map(NetworkFlag::Named),
    }
    let mut user = UserNetwork { required: true, ..UserNetwork::default() };
    for option in options.into_iter().flat_map(|options| options.split([',', ':'])) {
        match option.split_once('=') {
            Some(("mtu", value)) => user.mtu = parse_mtu(value)?,
            None if option == "host-loopback" => user.host_loopback = true,
            _ => {
                let option = option.escape_debug();
                return Err(format!(
                    "'{option}' is no option of user: there are mtu=BYTES and host-loopback"
                ));
            }
        }
    }
    Ok(NetworkFlag::Mode(NetworkMode::User(user)))
}

/// Whoever runs the container is in another folder than whoever gives a path.
fn parse_namespace(path: &str) -> Result<NetworkFlag, String> {
    if path.is_empty() {
        return Err("give the namespace's path, like ns:/run/netns/NAME".to_owned());
    }
    let absolute = std::path::absolute(path).ok().filter(|path| path.to_str().is_some());
    let absolute = absolute.ok_or_else(|| {
        format!("'{}' needs a folder: give an absolute path", path.escape_debug())
    })?;
    Ok(NetworkFlag::Mode(NetworkMode::Namespace(absolute)))
}

fn parse_mtu(text: &str) -> Result<u32, String> {
    // `parse` takes a plus sign as well.
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let mtu = text.parse().ok().filter(|mtu| digits && MTUS.contains(mtu));
    let (least, most) = MTUS.into_inner();
    mtu.ok_or_else(|| format!("mtu={}: give {least} to {most} bytes", text.escape_debug()))
}

/// An address at which somebody can be.
fn is_ones(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    let is_mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    !(is_broadcast || is_mapped || ip.is_unspecified() || ip.is_multicast())
}

/// Whom to ask for names.
pub fn parse_dns(text: &str) -> Result<IpAddr, String> {
    let ip = text.parse().ok().filter(|ip| is_ones(*ip));
    ip.ok_or_else(|| "give a name server's address, like 9.9.9.9 or 2620:fe::fe".to_owned())
}

/// A domain that short names are tried in; `.` for none.
pub fn parse_dns_search(text: &str) -> Result<String, String> {
    let of_domain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    // RFC 1035, §2.3.4.
    let is_one = (1..=255).contains(&text.len()) && text.bytes().all(of_domain);
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "give a domain, like example.org, or . for none".to_owned())
}

/// An option of resolv.conf(5).
pub fn parse_dns_option(text: &str) -> Result<String, String> {
    let of_option = |byte: u8| byte.is_ascii_graphic() && !b"#;".contains(&byte);
    let is_one = (1..=255).contains(&text.len()) && text.bytes().all(of_option);
    is_one
        .then(|| text.to_owned())
        .ok_or_else(|| "give an option of resolv.conf, like ndots:2".to_owned())
}

/// `NAME:IP` or `NAME=IP`, where the address may be in brackets, or `host-gateway`.
pub fn parse_add_host(text: &str) -> Result<ExtraHost, String> {
    let form =
        || "give NAME:ADDRESS, like db:10.0.0.7, or NAME:host-gateway for the host".to_owned();
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(form)?;
    let of_name = |byte: u8| byte.is_ascii_graphic() && !b"#".contains(&byte);
    if !(1..=255).contains(&name.len()) || !name.bytes().all(of_name) {
        let name = name.escape_debug();
        return Err(format!("'{name}' is no name of a host: {}", form()));
    }
    let name = ByteString::from(name);
    if address == HOST_GATEWAY {
        return Ok(ExtraHost { name, address: HostAddress::Gateway });
    }
    let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']'));
    let ip = bare.unwrap_or(address).parse().ok();
    let ip = ip.ok_or_else(|| format!("'{}' is no address: {}", address.escape_debug(), form()))?;
    Ok(ExtraHost { name, address: HostAddress::Ip(ip) })
}

/// The container's address.
pub fn parse_ip(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| "give an address of IPv4, like 10.0.2.15".to_owned())
}

/// Likewise.
pub fn parse_ip6(text: &str) -> Result<Ipv6Addr, String> {
    text.parse().map_err(|_| "give an address of IPv6, like fd00:0:0:2::15".to_owned())
}

/// Six bytes, with colons or hyphens between them.
pub fn parse_mac(text: &str) -> Result<MacAddress, String> {
    let form = || "give six bytes in hexadecimal digits, like 02:42:0a:00:02:0f".to_owned();
    let separator = if text.contains('-') { '-' } else { ':' };
    let byte = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        u8::from_str_radix(part, 16).ok().filter(|_| digits)
    };
    let bytes: Option<Vec<u8>> = text.split(separator).map(byte).collect();
    let bytes: [u8; 6] = bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(form)?;
    // IEEE 802.3, §3.2.3: the lowest bit of the first byte.
    if bytes[0] & 1 != 0 {
        return Err(format!("that is a group's address (its first byte is odd): {}", form()));
    }
    if bytes == [0; 6] {
        return Err(format!("that is nobody's address: {}", form()));
    }
    Ok(MacAddress(bytes))
}

/// `NAME=VALUE`, of the network's settings.
pub fn parse_sysctl(text: &str) -> Result<Sysctl, String> {
    let (key, value) = text.split_once('=').ok_or("give NAME=VALUE, like net.ipv4.ip_forward=1")?;
    let sysctl = Sysctl { key: key.into(), value: value.into() };
    if sysctl.parts().next() != Some(b"net") {
        return Err("only settings of the network can be made: give net.NAME=VALUE, like net.ipv4.ip_forward=1".to_owned());
    }
    let network = Network { sysctls: vec![sysctl.clone()], ..Network::default() };
    network.check().map_err(|error| error.to_string())?;
    Ok(sysctl)
}

#[cfg(test)]
mod tests;
