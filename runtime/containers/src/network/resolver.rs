//! Whom the host asks for names, resolv.conf(5).

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use protocol::{ByteString, Resolver};

const FILE: &str = "/etc/resolv.conf";

/// Whom systemd-resolved asks, where the host asks that (systemd-resolved.service(8)); docker looks there, too.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

/// Where `ip netns` has namespaces, and the files that they have instead of the host's (ip-netns(8)).
const NAMESPACES: [&str; 2] = ["/run/netns", "/var/run/netns"];
const OF_NAMESPACES: &str = "/etc/netns";

/// More than anybody writes there, in bytes.
const MAX_SIZE: u64 = 64 << 10;

/// How many of each kind are taken: MAXNS of resolv.h, and what [`protocol::Network::check`] lets through.
const MAX_NAMESERVERS: usize = 3;
const MAX_WORDS: usize = 32;
const MAX_WORD: usize = 255;

/// The host's, as far as a guest can use it. What listens on the host's loopback interface (systemd-resolved, dnsmasq) is
/// asked by passt, at these addresses.
pub fn of_host(by_passt: (Ipv4Addr, Ipv6Addr), has_ipv6: bool) -> Resolver {
    parse(&read(Path::new(FILE)), Some(by_passt), has_ipv6)
}

/// How it tries names, whomever it asks.
pub fn search_of_host() -> Resolver {
    Resolver { nameservers: Vec::new(), ..parse(&read(Path::new(FILE)), None, true) }
}

/// That of the network namespace at `path`, or else the host's. What listens on the host's loopback interface is out of its
/// reach.
pub fn of_namespace(path: &Path, has_ipv6: bool) -> Resolver {
    let is_named = |parent: &Path| NAMESPACES.iter().any(|folder| parent == Path::new(folder));
    let name = path.file_name().filter(|_| path.parent().is_some_and(is_named));
    let own = name.map(|name| Path::new(OF_NAMESPACES).join(name).join("resolv.conf"));
    let files = own.into_iter().chain([FILE, UPSTREAM].map(PathBuf::from));
    let mut resolvers = files.map(|file| parse(&read(&file), None, has_ipv6));
    resolvers.find(|resolver| !resolver.nameservers.is_empty()).unwrap_or_default()
}

/// Whether the host asks anybody, if only itself.
pub fn asks_itself() -> bool {
    !of_host((Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST), true).nameservers.is_empty()
}

/// None means that nobody is asked.
fn read(file: &Path) -> String {
    let mut text = Vec::new();
    let _ = File::open(file).and_then(|file| file.take(MAX_SIZE).read_to_end(&mut text));
    String::from_utf8_lossy(&text).into_owned()
}

fn parse(text: &str, by_passt: Option<(Ipv4Addr, Ipv6Addr)>, has_ipv6: bool) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") => {
                let ip = words.next().and_then(|word| word.parse().ok());
                let ip = ip.and_then(|ip| for_guest(ip, by_passt, has_ipv6));
                let nameservers = &mut resolver.nameservers;
                if let Some(ip) = ip
                    && nameservers.len() < MAX_NAMESERVERS
                    && !nameservers.contains(&ip)
                {
                    nameservers.push(ip);
                }
            }
            // The last of several counts, and `domain` is a list of one.
            Some("search" | "domain") => resolver.search = list(words),
            Some("options") => {
                resolver.options.extend(list(words));
                resolver.options.truncate(MAX_WORDS);
            }
            _ => {}
        }
    }
    resolver
}

/// A nameserver, as the guest reaches it.
fn for_guest(ip: IpAddr, by_passt: Option<(Ipv4Addr, Ipv6Addr)>, has_ipv6: bool) -> Option<IpAddr> {
    match ip.to_canonical() {
        // 0.0.0.0 is the host itself, too (resolver(3)).
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_unspecified() => Some(by_passt?.0.into()),
        IpAddr::V4(ip) if ip.is_broadcast() || ip.is_multicast() => None,
        IpAddr::V6(_) if !has_ipv6 => None,
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unspecified() => Some(by_passt?.1.into()),
        IpAddr::V6(ip) if ip.is_multicast() || ip.is_unicast_link_local() => None,
        ip => Some(ip),
    }
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> Vec<ByteString> {
    let words = words.take_while(|word| !word.starts_with(['#', ';']));
    let usable = words.filter(|word| {
        word.len() <= MAX_WORD && !word.bytes().any(|byte| byte.is_ascii_control() || byte == b'#')
    });
    usable.take(MAX_WORDS).map(ByteString::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use protocol::Network;

    use super::*;

    const BY_PASST: (Ipv4Addr, Ipv6Addr) =
        (Ipv4Addr::new(10, 0, 2, 3), Ipv6Addr::new(0xfd00, 0, 0, 2, 0, 0, 0, 3));

    fn shown(text: &str, has_ipv6: bool) -> String {
        let Resolver { nameservers, search, options } = parse(text, Some(BY_PASST), has_ipv6);
        let nameservers: Vec<_> = nameservers.iter().map(ToString::to_string).collect();
        let words = |words: &[ByteString]| {
            words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        format!("{} | {} | {}", nameservers.join(" "), words(&search), words(&options))
    }

    #[test]
    fn who_listens_on_the_hosts_loopback_is_asked_by_passt() {
        let text =
            "# comment\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan example.org\n";
        assert_eq!(shown(text, true), "10.0.2.3 | lan example.org | edns0 trust-ad");
        let text =
            "nameserver ::1\nnameserver 192.168.1.1\nnameserver 127.0.0.1\nnameserver 127.0.0.2\n";
        assert_eq!(shown(text, true), "fd00:0:0:2::3 192.168.1.1 10.0.2.3 |  | ");
        assert_eq!(shown(text, false), "192.168.1.1 10.0.2.3 |  | ");
    }

    #[test]
    fn what_a_guest_cannot_use_is_left_out() {
        let text = "nameserver fe80::1%eth0\nnameserver fe80::1\nnameserver\nnameserver x\nnameserver 224.0.0.1\n\
            domain first\nsearch a b # c\nnonsense\noptions timeout:1\noptions rotate\n";
        assert_eq!(shown(text, true), " | a b | timeout:1 rotate");
        assert_eq!(shown("", true), " |  | ");
        let many: String = (1..9).map(|last| format!("nameserver 9.9.9.{last}\n")).collect();
        assert_eq!(shown(&many, true), "9.9.9.1 9.9.9.2 9.9.9.3 |  | ");
    }

    #[test]
    fn the_hosts_loopback_interface_is_reached_by_passt_alone() {
        let text = "nameserver 127.0.0.53\nnameserver ::1\nnameserver 9.9.9.9\n";
        let nameservers = parse(text, None, true).nameservers;
        assert_eq!(nameservers, [IpAddr::from([9, 9, 9, 9])]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_the_file_says_a_guest_takes_it(
            text in "((nameserver|search|domain|options|#)[ \t][^\n]{0,300}\n){0,8}",
            has_ipv6: bool,
            has_passt: bool,
        ) {
            let by_passt = has_passt.then_some(BY_PASST);
            let resolver = parse(&text, by_passt, has_ipv6);
            let network = Network { resolver, ..Network::default() };
            prop_assert_eq!(network.check(), Ok(()));
        }
    }
}
