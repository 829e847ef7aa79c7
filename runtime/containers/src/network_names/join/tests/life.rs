//! Who is killed, what is flushed, and what ends.

use rustix::process::{Pid, Signal, kill_process};

use super::world::{World, alone, is_alive, named};
use super::*;
use crate::network::testing::until;

#[test]
fn what_a_killed_supervisor_leaves_is_swept() {
    alone("what_a_killed_supervisor_leaves_is_swept", |world: &World| {
        let web = world.network(named("web"));
        let (mut one, mut two) =
            (world.container("one", &["web"]), world.container("two", &["web"]));
        std::mem::forget(one.join(&[ANY]).unwrap());
        let id = one.container.id().clone();
        assert!(world.rules().contains(":80"), "{}", world.rules());
        // Its lease and its rules go with the next who joins, though its namespace is gone.
        one.kill();
        let joined = two.join(&[]).unwrap();
        assert!(!world.rules().contains(":80"), "{}", world.rules());
        let leases = world.networks.leases(&web).unwrap();
        assert!(leases.of(&id).is_none() && leases.of(two.container.id()).is_some());
        drop(joined);
        world.is_clean();
        // Also its own next start sweeps, and what two have left goes with the last.
        std::mem::forget(two.join(&[ANY]).unwrap());
        one.start_again();
        std::mem::forget(one.join(&[ANY]).unwrap());
        one.kill();
        two.kill();
        one.start_again();
        one.join(&[]).unwrap().undo().unwrap();
        world.is_clean();
    });
}

#[test]
fn who_leaves_without_its_namespace_leaves_nothing() {
    alone("who_leaves_without_its_namespace_leaves_nothing", |world: &World| {
        world.network(named("web"));
        let mut one = world.container("one", &["web"]);
        let joined = one.join(&[]).unwrap();
        one.lose_namespace();
        joined.undo().unwrap();
        world.is_clean();
    });
}

#[test]
fn a_flushed_firewall_is_noticed_at_the_next_start() {
    alone("a_flushed_firewall_is_noticed_at_the_next_start", |world: &World| {
        world.network(named("web"));
        world.network(named("db"));
        let (one, two) = (world.container("one", &["web"]), world.container("two", &["db"]));
        let first = one.join(&[ANY]).unwrap();
        let port = first.ports()[0].host_port.unwrap();
        let before = world.rules();
        world.flush();
        assert!(!world.rules().contains(&first.interfaces()[0].addresses[0].ip.to_string()));
        let second = two.join(&[]).unwrap();
        one.serves(80, ([127, 0, 0, 1], port).into());
        // All is there again, in whatever order.
        let after = world.rules();
        assert!(before.lines().all(|rule| after.contains(rule)), "{before}\n{after}");
        second.undo().unwrap();
        first.undo().unwrap();
        world.is_clean();
    });
}

#[test]
fn networks_stay_apart_when_another_ends() {
    alone("networks_stay_apart_when_another_ends", |world: &World| {
        let names = ["aa", "bb", "cc"];
        names.iter().for_each(|name| drop(world.network(named(name))));
        let [a, b, c] = names.map(|name| world.container(name, &[name]));
        let (on_a, _on_b, on_c) =
            (a.join(&[]).unwrap(), b.join(&[]).unwrap(), c.join(&[]).unwrap());
        let address = on_a.interfaces()[0].addresses[0].ip;
        b.is_kept_from(&a, address);
        on_c.undo().unwrap();
        b.is_kept_from(&a, address);
    });
}

#[test]
fn names_come_back_when_their_server_was_killed() {
    alone("names_come_back_when_their_server_was_killed", |world: &World| {
        world.network(named("web"));
        let (one, two) = (world.container("one", &["web"]), world.container("two", &["web"]));
        let kill = || {
            let server = world.name_server().unwrap();
            kill_process(Pid::from_raw(server).unwrap(), Signal::KILL).unwrap();
            until("the server has ended", || !is_alive(server));
        };
        let first = one.join(&[]).unwrap();
        kill();
        let second = two.join(&[]).unwrap();
        let address = second.interfaces()[0].addresses[0].ip;
        one.resolves(first.nameservers()[0], "two", address);
        // Who leaves can do without it.
        kill();
        first.undo().unwrap();
        second.undo().unwrap();
        world.is_clean();
    });
}
