//! The driver of a network device, and the peer at the other end of its link.

use devices::GuestMemory;
use devices::testing::net::Peer;
use devices::testing::{Counter, memory};
use devices::virtio::mmio::Mmio;
use devices::virtio::net::{HEADER_LEN, Link, Net, RX, TX};
use vm_memory::{Bytes, GuestAddress};

use crate::driver::{NEEDS_RESET, Ring, WRITE, drive, get, negotiate, register};

/// Descriptors of each queue.
pub const SIZE: u16 = 16;
/// Where packets stand, where buffers for them do, and where memory ends.
pub const PACKET_AT: u64 = 0x8000;
pub const BUFFER_AT: u64 = 0x2_0000;
pub const END: u64 = 0x6_0000;

/// A packet whose frame has this length, in bytes, and whose header says nothing.
pub fn packet(frame: usize) -> Vec<u8> {
    [vec![0; HEADER_LEN], (0..frame).map(|at| at as u8).collect()].concat()
}

/// The same, with a header of these fields: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset.
pub fn with_header((flags, kind, words): (u8, u8, [u16; 4]), frame: usize) -> Vec<u8> {
    let mut packet = packet(frame);
    let words = words.map(u16::to_le_bytes).concat();
    packet[..10].copy_from_slice(&[&[flags, kind][..], &words].concat());
    packet
}

pub struct Bench {
    pub mmio: Mmio<Net<Peer>>,
    pub mem: GuestMemory,
    pub peer: Peer,
    pub rings: [Ring; 2],
}

impl Bench {
    /// A running device, whose driver has accepted these features.
    pub fn new(features: u64) -> Bench {
        let (mem, peer) = (memory(END as usize), Peer::with_offloads(usize::MAX));
        let (irq, bell) = (Box::new(Counter::default()), Box::new(Counter::default()));
        let net = Net::new(&Link::default(), peer.clone());
        let mmio = Mmio::new(net, mem.clone(), irq, bell);
        let mut bench = Bench { rings: rings(&mem), mmio, mem, peer };
        bench.start(features);
        bench
    }

    /// Begins anew, as the driver does that finds its device in need of it.
    pub fn start(&mut self, features: u64) {
        self.mem.write_slice(&[0; 2 * Ring::LEN as usize], GuestAddress(0)).unwrap();
        self.rings = rings(&self.mem);
        assert!(negotiate(&mut self.mmio, features));
        drive(&mut self.mmio, &self.rings.each_ref());
        self.rest(RX);
    }

    /// What the event loop does until nothing is left to do, which comes soon.
    pub fn rest(&mut self, queue: usize) {
        let mut turns = 0;
        while self.mmio.notify(queue) {
            turns += 1;
            assert!(turns < 100, "a device that is never done");
        }
        while self.peer.poll(self.mmio.device_mut()) {
            turns += 1;
            assert!(turns < 100, "an event loop that is never idle");
            let _ = self.mmio.with_device(|net, queues, mem| net.work(queues, mem));
        }
    }

    /// Sends what these buffers hold; true: the driver has them back.
    pub fn send(&mut self, buffers: &[(u64, u32, u16)]) -> bool {
        self.rings[TX].describe(0, buffers);
        self.rings[TX].offer(0);
        self.rest(TX);
        let used = self.rings[TX].take_used();
        assert!(used.is_none_or(|used| used == (0, 0)), "nothing is written to a packet");
        used.is_some()
    }

    pub fn send_packet(&mut self, packet: &[u8]) -> bool {
        self.mem.write_slice(packet, GuestAddress(PACKET_AT)).unwrap();
        self.send(&[(PACKET_AT, packet.len() as u32, 0)])
    }

    /// Offers a buffer in these pieces.
    pub fn offer(&mut self, head: u16, pieces: &[(u64, u32, u16)]) {
        self.rings[RX].describe(head, pieces);
        self.rings[RX].offer(head);
        self.rest(RX);
    }

    /// Gives the guest this one packet.
    pub fn give(&mut self, packet: &[u8]) {
        self.peer.world().to_guest.push_back(packet.to_vec());
        self.rest(RX);
    }

    /// The frames that the peer has got since.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let packets = std::mem::take(&mut self.peer.world().from_guest);
        packets.into_iter().map(|packet| packet[HEADER_LEN..].to_vec()).collect()
    }

    pub fn is_broken(&mut self) -> bool {
        get(&mut self.mmio, register::STATUS) & NEEDS_RESET != 0
    }

    /// A packet goes each way.
    pub fn assert_works(&mut self) {
        assert!(!self.is_broken() && self.send_packet(&packet(60)));
        assert_eq!(self.frames(), [&packet(60)[HEADER_LEN..]]);
        self.offer(0, &[(BUFFER_AT, 0x1000, WRITE)]);
        self.give(&packet(70));
        assert_eq!(self.rings[RX].take_used(), Some((0, HEADER_LEN as u32 + 70)));
    }
}

fn rings(mem: &GuestMemory) -> [Ring; 2] {
    [0, Ring::LEN].map(|base| Ring::new(mem, base, SIZE))
}
