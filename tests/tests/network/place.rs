//! What is in a test's network namespace.

use std::fs;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use bulkhead_tests::{World, busybox_folder, have};

pub use crate::own::{NOT_LOOPBACK, alone};
pub use crate::server::{PATIENCE, Server, fetched};

/// A world with an image, in a network namespace of its own. `None` where that can't be, after a line that says so.
pub fn setting(test: &str) -> Option<World> {
    if !have(test, &["passt", "ip"]) || !alone(test) {
        return None;
    }
    let world = World::new(test)?;
    busybox_folder(&world.path("image"));
    Some(world)
}

/// What comes back of a datagram, which may be lost now and then.
#[track_caller]
pub fn echoed(at: &str, datagram: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut bytes = [0; 2048];
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        socket.send(datagram).unwrap();
        match socket.recv(&mut bytes) {
            Ok(length) => return bytes[..length].to_vec(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{at}: {error}"),
        }
    }
    panic!("{at}: nothing comes back")
}

/// The world's passt.
#[track_caller]
pub fn passt(world: &World) -> u32 {
    let is_it = |process: &u32| {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        name.starts_with("passt")
    };
    let found: Vec<u32> = world.processes().into_iter().filter(is_it).collect();
    match found[..] {
        [process] => process,
        _ => panic!("{found:?}"),
    }
}
