//! `stats` of containers whose supervisors the test plays.

mod common;

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::thread;

use common::store::Place;
use containers::supervisor::{Reply, Request};
use egress_rules::{Counters, Traffic};
use protocol::Statistics;
use serde_json::Value;

/// Lets a container seem to run, with a supervisor at this abstract address (unix(7)). It does as long as the lock is held.
fn seem_to_run(folder: &Path, address: &str) -> fs::File {
    let path = folder.join("state.json");
    let mut state: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    state["status"] = "running".into();
    state["control"] = address.into();
    fs::write(&path, state.to_string()).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn stats_of_a_silent_container_stand_beside_those_of_others() {
    let test = "stats_of_a_silent_container_stand_beside_those_of_others";
    let Some(place) = Place::new(test) else { return };
    place.says(&["load", "-i", "oci.tar"]);
    place.guest();
    let folder = place.path("data/bulkhead/containers");
    let listen = |name: &str| {
        let guest = ["create", "--kernel", "kernel", "--initramfs", "initramfs"];
        let create = [&guest[..], &["--name", name, "localhost/second:3"]].concat();
        let id = place.says(&create).trim_end().to_owned();
        let address = format!("bulkhead-test-{id}");
        let name = SocketAddr::from_abstract_name(&address).unwrap();
        (UnixListener::bind_addr(&name).unwrap(), seem_to_run(&folder.join(&id), &address))
    };
    // It takes every client, and says nothing to any.
    let _silent = listen("silent");
    let (talking, _lock) = listen("talking");
    thread::spawn(move || {
        for client in talking.incoming() {
            let mut client = client.unwrap();
            let request = protocol::read_message(&mut client).unwrap();
            assert!(matches!(request, Request::Statistics));
            let statistics = Statistics { pids: 7, ..Statistics::default() };
            let traffic = |bytes| Traffic { bytes, packets: 3, dropped: 0 };
            let network = Counters { rx: traffic(1_500), tx: traffic(20) };
            let reply = Reply::Statistics { guest: Box::new(statistics), network };
            protocol::write_message(&mut client, &reply).unwrap();
        }
    });
    let format = ["stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}} {{.MemUsage}}"];
    let both = "talking 7 0B / 0B\nsilent -- -- / --\n";
    assert_eq!(place.says(&format), both);
    assert_eq!(place.says(&[&format[..], &["talking", "silent"]].concat()), both);
    // Docker's columns, and what a person calls a container.
    let table = place.says(&["stats", "--no-stream", "talking"]);
    let heading = table.lines().next().unwrap();
    for column in [
        "CONTAINER ID",
        "NAME",
        "CPU %",
        "MEM USAGE / LIMIT",
        "MEM %",
        "NET I/O",
        "BLOCK I/O",
        "PIDS",
    ] {
        assert!(heading.contains(column), "{heading}");
    }
    let format = "{{.Container}} {{.NetIO}}";
    let said = place.says(&["stats", "--no-stream", "--format", format, "talking"]);
    assert_eq!(said, "talking 1.5kB / 20B\n");
    let said = place.says(&["stats", "--no-stream", "--format", format, "silent"]);
    assert_eq!(said, "silent --\n");
}
