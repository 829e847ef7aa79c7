//! The real model between a simulated guest, which checks it, and a host in memory.

mod guest;
mod hostile;
mod requests;
mod rings;
mod rules;
mod snapshot;
mod streams;

use super::packet::HEADER_LEN;
use super::{BUF_ALLOC, ConnectionId, Vsock};
use crate::testing::vsock::Host;
use crate::virtio::VirtioDevice;
use guest::{CID, Guest};

/// The three parties.
struct Bench {
    vsock: Vsock<Host>,
    guest: Guest,
    host: Host,
}

impl Bench {
    fn new(rx_buffers: u16, rx_data: u32, split: u32) -> Self {
        let host = Host::with_room(usize::MAX);
        let mut vsock = Vsock::new(CID, host.clone());
        vsock.activate(0, &[]);
        Self { vsock, guest: Guest::new(rx_buffers, HEADER_LEN + rx_data, split), host }
    }

    /// Four rx buffers of 4 KiB.
    fn ordinary() -> Self {
        Self::new(4, 4096, HEADER_LEN)
    }

    /// Everyone does what there is to do; says how much that was.
    fn step(&mut self) -> usize {
        self.guest.offer_rx(usize::MAX);
        self.guest.kick(&mut self.vsock);
        self.guest.exchange() + self.host.poll(&mut self.vsock)
    }

    /// Until nothing is left to do.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..1_000_000 {
            quiet = if self.step() == 0 { quiet + 1 } else { 0 };
            if quiet == 2 {
                return;
            }
        }
        panic!("a busy loop");
    }

    /// An open connection that the guest asked for, and the index of its stream.
    fn connected(&mut self, guest_port: u32) -> (ConnectionId, usize) {
        let id = ConnectionId { host_port: 1024, guest_port };
        self.guest.connect(id);
        self.settle();
        assert!(self.guest.sockets[&id].open);
        (id, self.host.world().streams.len() - 1)
    }
}

/// Byte `position` of stream `seed`: wrong order, loss and mixed-up streams all show.
fn pattern(seed: u32, position: usize) -> u8 {
    let mixed = (position as u32 ^ seed.rotate_left(16)).wrapping_mul(0x9e37_79b1);
    (mixed >> 24) as u8
}

fn patterned(seed: u32, from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(|position| pattern(seed, position)).collect()
}
