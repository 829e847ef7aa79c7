//! `--publish [[IP:]HOST:]CONTAINER[/PROTOCOL]`, `--publish-all` and `--expose`, as docker reads them.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use containers::network::{Protocol, PublishedPort};

use crate::flags::Flags;

/// What a person who got it wrong may look at.
const FORM: &str =
    "give [[IP:]HOST_PORT:]CONTAINER_PORT[/tcp|/udp], like 8080:80, 127.0.0.1::80 or 53:53/udp";

const NO_PORT_0: &str = "no container listens on port 0";

/// What one `--publish` says: a range is several ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published(pub Vec<PublishedPort>);

/// What `--expose` says, or an image: ports that a container's programs listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed(pub Vec<(u16, Protocol)>);

/// What is published, and what is exposed besides.
pub fn ports(flags: &Flags, of_image: &[String]) -> (Vec<PublishedPort>, Vec<(u16, Protocol)>) {
    let mut published: Vec<PublishedPort> =
        flags.publish.iter().flat_map(|published| &published.0).copied().collect();
    let of_image = of_image.iter().filter_map(|text| {
        let not_one = |why| log::info!("image: ExposedPorts: {}: {why}", text.escape_debug());
        parse_expose(text).map_err(not_one).ok()
    });
    let mut exposed: Vec<(u16, Protocol)> =
        flags.expose.iter().cloned().chain(of_image).flat_map(|exposed| exposed.0).collect();
    exposed.sort();
    exposed.dedup();
    exposed.retain(|port| !published.iter().any(|of| (of.container_port, of.protocol) == *port));
    if flags.publish_all {
        let anywhere = |(container_port, protocol)| PublishedPort {
            address: None,
            host_port: None,
            container_port,
            protocol,
        };
        published.extend(exposed.drain(..).map(anywhere));
    }
    (published, exposed)
}

/// `80`, `80/udp` or `80-90`.
pub fn parse_expose(text: &str) -> Result<Exposed, String> {
    let (range, protocol) = parse_ports(text)?;
    match range.contains(&0) {
        true => Err(NO_PORT_0.to_owned()),
        false => Ok(Exposed(range.map(|port| (port, protocol)).collect())),
    }
}

/// The ports that a text publishes. Without a port of the host's, or with 0, any free one is taken.
pub fn parse_publish(text: &str) -> Result<Published, String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = parse_protocol(protocol)?;
    let (front, container) = match ports.rsplit_once(':') {
        Some((front, container)) => (Some(front), container),
        None => (None, ports),
    };
    let (address, host) = match front.map(|front| (front, front.rsplit_once(':'))) {
        None => (None, None),
        // As docker has it, none is every address.
        Some((_, Some(("", host)))) => (None, Some(host)),
        Some((_, Some((address, host)))) => (Some(parse_address(address)?), Some(host)),
        Some((host, None)) => (None, Some(host)),
    };
    let container = parse_range(container)?;
    if *container.start() == 0 {
        return Err(NO_PORT_0.to_owned());
    }
    let host = host.filter(|host| !host.is_empty()).map(parse_range).transpose()?;
    let any = |host: &RangeInclusive<u16>| *host == (0..=0);
    let Some(host) = host.filter(|host| !any(host)) else {
        let of =
            |container_port| PublishedPort { address, host_port: None, container_port, protocol };
        return Ok(Published(container.map(of).collect()));
    };
    if host.len() != container.len() || *host.start() == 0 {
        return Err("the two ranges must be of one length, and 0 is in none".to_owned());
    }
    let of = |(host_port, container_port)| PublishedPort {
        address,
        host_port: Some(host_port),
        container_port,
        protocol,
    };
    Ok(Published(host.zip(container).map(of).collect()))
}

/// `80` or `80/udp`: a port of a container's.
pub fn parse_container_port(text: &str) -> Result<(u16, Protocol), String> {
    let (range, protocol) = parse_ports(text)?;
    match range.start() == range.end() {
        true => Ok((*range.start(), protocol)),
        false => Err("give one port, like 80 or 53/udp".to_owned()),
    }
}

/// `80`, `80/udp` or `80-90/tcp`: ports of one side.
pub fn parse_ports(text: &str) -> Result<(RangeInclusive<u16>, Protocol), String> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Ok((parse_range(ports)?, parse_protocol(protocol)?))
}

fn parse_protocol(text: &str) -> Result<Protocol, String> {
    match text {
        "tcp" => Ok(Protocol::Tcp),
        "udp" => Ok(Protocol::Udp),
        other => Err(format!("'{}' is not tcp or udp", other.escape_debug())),
    }
}

/// An address; one of IPv6 is in brackets, so that its colons are its own.
fn parse_address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = match bare {
        Some(text) => text.parse().ok().map(IpAddr::V6),
        None => text.parse().ok().map(IpAddr::V4),
    };
    let shown = text.escape_debug();
    address.ok_or_else(|| format!("'{shown}' is no address (IPv6 goes in brackets): {FORM}"))
}

/// `80` or `80-90`.
fn parse_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let shown = text.escape_debug();
    // `parse` takes a plus sign as well.
    let port =
        |text: &str| text.parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = port(first).zip(port(last)).map(|(first, last)| first..=last);
    let range = range.ok_or_else(|| format!("'{shown}' is no port from 0 to 65535: {FORM}"))?;
    if range.is_empty() {
        return Err(format!("the range {shown} ends before it begins"));
    }
    Ok(range)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::run_arguments;

    fn one(text: &str) -> PublishedPort {
        let Published(ports) = parse_publish(text).unwrap();
        assert_eq!(ports.len(), 1, "{text}");
        ports[0]
    }

    #[test]
    fn ports_are_published_as_in_docker() {
        let port = |address: Option<&str>, host_port, container_port, protocol| PublishedPort {
            address: address.map(|address| address.parse().unwrap()),
            host_port,
            container_port,
            protocol,
        };
        use Protocol::{Tcp, Udp};
        assert_eq!(one("80"), port(None, None, 80, Tcp));
        assert_eq!(one("8080:80"), port(None, Some(8080), 80, Tcp));
        assert_eq!(one("0:80/tcp"), port(None, None, 80, Tcp));
        assert_eq!(one("53:53/udp"), port(None, Some(53), 53, Udp));
        assert_eq!(one("127.0.0.1:8080:80"), port(Some("127.0.0.1"), Some(8080), 80, Tcp));
        assert_eq!(one(":8080:80"), one("8080:80"));
        assert_eq!(one("127.0.0.1::80"), port(Some("127.0.0.1"), None, 80, Tcp));
        assert_eq!(one("127.0.0.1:0:80"), port(Some("127.0.0.1"), None, 80, Tcp));
        assert_eq!(one("[::1]:8080:80/udp"), port(Some("::1"), Some(8080), 80, Udp));
        let Published(range) = parse_publish("8000-8002:80-82").unwrap();
        let ports: Vec<_> =
            range.iter().map(|port| (port.host_port, port.container_port)).collect();
        assert_eq!(ports, [(Some(8000), 80), (Some(8001), 81), (Some(8002), 82)]);
        assert_eq!(parse_publish("80-82").unwrap().0.len(), 3);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "'' is no port"),
            ("web", "'web' is no port from 0 to 65535: give [[IP:]HOST_PORT:]CONTAINER_PORT"),
            ("65536:80", "'65536' is no port"),
            ("+80", "'+80' is no port"),
            ("80:", "'' is no port"),
            ("80/sctp", "'sctp' is not tcp or udp"),
            ("8080:0", "no container listens on port 0"),
            ("90-80", "the range 90-80 ends before it begins"),
            ("1-2:80", "the two ranges must be of one length"),
            ("0-1:80-81", "the two ranges"),
            ("localhost:8080:80", "'localhost' is no address"),
            ("::1:8080:80", "'::1' is no address (IPv6 goes in brackets)"),
        ] {
            let error = parse_publish(text).unwrap_err();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_containers_port_has_a_protocol() {
        assert_eq!(parse_container_port("80"), Ok((80, Protocol::Tcp)));
        assert_eq!(parse_container_port("53/udp"), Ok((53, Protocol::Udp)));
        for wrong in ["", "80-81", "80/sctp", "65536", "8080:80"] {
            assert!(parse_container_port(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_some_ports_or_refused(text in "[-0-9:./a-z\\[\\]]*") {
            if let Ok(Published(ports)) = parse_publish(&text) {
                prop_assert!(!ports.is_empty() && ports.iter().all(|port| port.container_port != 0));
                prop_assert!(ports.iter().all(|port| port.host_port != Some(0)));
            }
        }
    }

    #[test]
    fn what_is_exposed_is_published_where_that_is_asked_for() {
        let of = |words: &[&str]| {
            let flags = run_arguments(&[&["run"], words, &["image"]].concat()).flags;
            let of_image = ["80/tcp", "53/udp", "5060/sctp", "0", "81"].map(str::to_owned);
            let (published, exposed) = ports(&flags, &of_image);
            let published = published.iter().map(|port| {
                format!("{:?} {}/{}", port.host_port, port.container_port, port.protocol)
            });
            let exposed = exposed.iter().map(|(port, protocol)| format!("{port}/{protocol}"));
            (published.collect::<Vec<_>>().join(" "), exposed.collect::<Vec<_>>().join(" "))
        };
        let both = |published: &str, exposed: &str| (published.to_owned(), exposed.to_owned());
        assert_eq!(of(&[]), both("", "53/udp 80/tcp 81/tcp"));
        assert_eq!(
            of(&["--expose", "81-82", "-p", "8080:80"]),
            both("Some(8080) 80/tcp", "53/udp 81/tcp 82/tcp")
        );
        assert_eq!(
            of(&["-P", "-p", "8080:80", "--expose=80"]),
            both("Some(8080) 80/tcp None 53/udp None 81/tcp", "")
        );
        for (text, message) in [("0", "no container"), ("1-", "'1-' is no port"), ("80:80", "")] {
            let error = parse_expose(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
