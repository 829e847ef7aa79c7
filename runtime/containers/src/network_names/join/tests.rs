//! With the real netavark, aardvark-dns and firewall, in namespaces of a test's own.

mod connected;
mod life;
mod node;
mod world;

use std::net::IpAddr;

use world::{World, alone};

use super::super::netavark::NetavarkError;
use super::super::{NewNetwork, Subnet};
use super::*;
use crate::network::{self, Protocol};

/// Any port of the host's, for a web server.
const ANY: PublishedPort =
    PublishedPort { address: None, host_port: None, container_port: 80, protocol: Protocol::Tcp };

#[test]
fn containers_find_each_other_by_name() {
    alone("containers_find_each_other_by_name", |world: &World| {
        world.network(NewNetwork { ipv6: true, ..world::named("web") });
        let (one, two) =
            (world.container("one", &["web"]), world.container("Two", &["web:alias=Data.Base"]));
        let (first, second) = (one.join(&[]).unwrap(), two.join(&[]).unwrap());
        let addresses: Vec<IpAddr> =
            second.interfaces()[0].addresses.iter().map(|one| one.ip).collect();
        assert_eq!(addresses.len(), 2);
        for name in ["two", "TWO", "data.base", two.container.id().short()] {
            for &server in first.nameservers() {
                addresses.iter().for_each(|&address| one.resolves(server, name, address));
            }
        }
        for &address in &addresses {
            one.talks_to(&two, address);
        }
        // It is what the kernel has, and the guest's card gets it.
        assert_eq!(first.interfaces()[0].name, "eth0");
        assert_eq!(one.mac("eth0"), first.interfaces()[0].mac);
        first.undo().unwrap();
        second.undo().unwrap();
        world.is_clean();
    });
}

#[test]
fn wishes_are_granted() {
    alone("wishes_are_granted", |world: &World| {
        let subnets = vec![Subnet::parse("10.7.0.0/24").unwrap()];
        world.network(NewNetwork { subnets, mtu: Some(1300), ..world::named("a") });
        world.network(NewNetwork { ipv6: true, no_ipv4: true, ..world::named("six") });
        let one = world.container("one", &["a:ip=10.7.0.99,mac=02:00:00:00:00:07", "six"]);
        let joined = one.join(&[]).unwrap();
        let interfaces = joined.interfaces();
        let [a, six] = &interfaces[..] else { panic!("{interfaces:?}") };
        assert_eq!(
            (a.addresses[0].to_string(), a.mac.clone()),
            ("10.7.0.99/24".into(), "02:00:00:00:00:07".into())
        );
        assert_eq!((one.mac("eth0"), one.mtu("eth0")), (a.mac.clone(), "1300".to_owned()));
        assert!(six.name == "eth1" && six.addresses.len() == 1 && six.addresses[0].ip.is_ipv6());
        // What it has nobody else gets, and that is said before anything is made.
        for (wish, message) in [
            ("a:ip=10.7.0.99", "ip=10.7.0.99: container"),
            ("a:mac=02:00:00:00:00:07", "mac=02:00:00:00:00:07: container"),
        ] {
            let two = world.container("two", &[wish]);
            let error = in_one_line(&two.join(&[]).err().unwrap());
            assert!(error.starts_with("network a: ") && error.contains(message), "{error}");
            two.remove();
        }
        drop(joined);
        world.is_clean();
    });
}

#[test]
fn ports_of_the_host_lead_to_the_container() {
    alone("ports_of_the_host_lead_to_the_container", |world: &World| {
        world.network(world::named("web"));
        let (one, two) = (world.container("one", &["web"]), world.container("two", &["web"]));
        let joined = one.join(&[ANY]).unwrap();
        let port = joined.ports()[0].host_port.unwrap();
        one.serves(80, ([127, 0, 0, 1], port).into());
        let same = PublishedPort { host_port: Some(port), ..ANY };
        let error = two.join(&[same]).err().unwrap();
        assert!(matches!(error, NetworkError::Port(network::NetworkError::Taken(..))), "{error}");
        assert!(in_one_line(&error).contains(&format!("port {port}/tcp")), "{error}");
        drop(joined);
        world.is_clean();
    });
}

#[test]
fn a_set_up_that_fails_half_way_leaves_nothing() {
    alone("a_set_up_that_fails_half_way_leaves_nothing", |world: &World| {
        world.network(world::named("a"));
        let b = world.network(world::named("b"));
        let one = world.container("one", &["a", "b"]);
        let fails = |message: &str| {
            let error = one.join(&[]).err().unwrap();
            assert!(
                matches!(error, NetworkError::Netavark(NetavarkError::Failed { .. })),
                "{error}"
            );
            let line = in_one_line(&error);
            assert!(
                line.starts_with("netavark setup: ")
                    && line.contains(message)
                    && !line.contains('\n'),
                "{line}"
            );
            world.is_clean();
        };
        // The second network's place is taken, within and without.
        one.ip(&["link", "add", "eth1", "type", "bridge"]);
        fails("eth1 already exists");
        // It was in a namespace that was to be empty, and has gone with the rest.
        world.ip(&["link", "add", &b.interface, "type", "veth", "peer", "other"]);
        fails("already exists but is a");
        world.ip(&["link", "del", &b.interface]);
        // And now it is free.
        one.join(&[]).unwrap().undo().unwrap();
        world.is_clean();
    });
}

#[test]
fn an_internal_network_has_no_way_out() {
    alone("an_internal_network_has_no_way_out", |world: &World| {
        world.network(NewNetwork { internal: true, ..world::named("in") });
        let (one, two) = (world.container("one", &["in"]), world.container("two", &["in"]));
        let (_first, second) = (one.join(&[]).unwrap(), two.join(&[]).unwrap());
        one.talks_to(&two, second.interfaces()[0].addresses[0].ip);
        assert!(!one.ip(&["route"]).contains("default"));
    });
}
