//! From networks to what a VM is given.

use std::fs;
use std::net::IpAddr;

use protocol::Interface;

use super::super::super::connect::connect;
use super::world::{World, alone, named};
use super::*;
use crate::network::{Connection, NetworkState, Owner};

fn addresses(connection: &Connection) -> Vec<Vec<IpAddr>> {
    let of = |one: &Interface| one.addresses.iter().map(|address| address.ip).collect();
    connection.guest().interfaces.iter().map(of).collect()
}

#[test]
fn a_vm_is_given_what_netavark_has_made() {
    alone("a_vm_is_given_what_netavark_has_made", |world: &World| {
        let web = world.network(NewNetwork { ipv6: true, ..named("web") });
        world.network(named("other"));
        let one = world.container("one", &["web", "other:mac=02:00:00:00:00:07"]);
        let mut config = one.container.config().clone();
        config.plan.container.network.ports = vec![ANY];
        let records = tempfile::tempdir().unwrap();
        let owner = Owner { container: Some("one"), records: records.path() };
        let start = |before: &NetworkState| {
            connect(&world.networks, &world.containers, &config, before, owner).unwrap()
        };
        let first = start(&NetworkState::default());
        let names: Vec<&str> =
            first.guest().interfaces.iter().map(|one| one.name.as_str()).collect();
        assert_eq!((names, first.descriptors().len()), (vec!["eth0", "eth1"], 2));
        let leases = world.networks.leases(&web).unwrap();
        let lease = leases.of(&config.id).unwrap();
        let had = addresses(&first);
        assert_eq!(had[0], lease.addresses);
        let macs: Vec<_> = first.guest().interfaces.iter().map(|one| one.mac).collect();
        assert_eq!(Some(macs[0]), lease.card());
        assert_eq!(macs[1].to_string(), "02:00:00:00:00:07");
        let resolver = &first.guest().resolver;
        assert!(resolver.nameservers.contains(&web.ranges[0].gateway), "{resolver:?}");
        assert_eq!(first.guest().own_addresses, had.concat());
        first.guest().check().unwrap();
        let before = first.state().clone();
        assert!(before.ports[0].host_port.is_some());
        drop(first);
        world.is_clean();

        // Others were there meanwhile.
        let two = world.container("two", &["web"]);
        let _other = two.join(&[]).unwrap();
        let again = start(&before);
        assert_eq!((addresses(&again), again.state()), (had, &before));
        drop((again, _other));
        world.is_clean();
        for folder in ["/run/bulkhead/namespaces".as_ref(), records.path()] {
            assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{}", folder.display());
        }
    });
}
