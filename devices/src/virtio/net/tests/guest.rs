//! A guest whose buffers are of any size and in any number of pieces.

use std::collections::HashMap;

use egress_rules::Policy;
use vm_memory::{Bytes, GuestAddress};

use super::*;
use crate::Registers;
use crate::egress::Filter;
use crate::testing::{Counter, memory};
use crate::virtio::F_VERSION_1;
use crate::virtio::mmio::Mmio;
use crate::virtio::queue::driver::{Desc, Driver, NEXT, WRITE};

/// Descriptors of each queue.
pub const SIZE: u16 = 16;
/// Where the buffers begin, and how long that of a descriptor may be.
const BUFFERS: u64 = 0x8000;
const LONGEST: u64 = 0x11000;

/// One queue, as the driver sees it.
struct Side {
    driver: Driver,
    number: u64,
    flags: u16,
    free: Vec<u16>,
    /// The pieces of the chains that the device has, by their heads.
    chains: HashMap<u16, Vec<(u16, u32)>>,
}

impl Side {
    fn new(mem: &GuestMemory, number: u64, flags: u16) -> Self {
        let driver = Driver::new(mem, number * 0x3000, SIZE);
        Self { driver, number, flags, free: (0..SIZE).collect(), chains: HashMap::new() }
    }

    fn buffer(&self, index: u16) -> GuestAddress {
        let place = self.number * u64::from(SIZE) + u64::from(index);
        GuestAddress(BUFFERS + place * LONGEST)
    }

    /// Offers a chain of pieces of these lengths, in bytes, that hold `content`; false: there are too few descriptors.
    fn offer(&mut self, mem: &GuestMemory, pieces: &[u32], mut content: &[u8]) -> bool {
        if pieces.len() > self.free.len() {
            return false;
        }
        let indices = self.free.split_off(self.free.len() - pieces.len());
        for (at, (&index, &len)) in indices.iter().zip(pieces).enumerate() {
            let (part, rest) = content.split_at(content.len().min(len as usize));
            mem.write_slice(part, self.buffer(index)).unwrap();
            content = rest;
            let next = indices.get(at + 1).copied();
            let flags = self.flags | next.map_or(0, |_| NEXT);
            let addr = self.buffer(index).0;
            self.driver.describe(index, Desc { addr, len, flags, next: next.unwrap_or(0) });
        }
        let chain = indices.iter().copied().zip(pieces.iter().copied()).collect();
        self.chains.insert(indices[0], chain);
        self.driver.set_used_event(self.driver.next_avail);
        self.driver.offer(indices[0]);
        true
    }

    /// The next chain that comes back: what was written to it.
    fn take(&mut self, mem: &GuestMemory) -> Option<Vec<u8>> {
        let (head, written) = self.driver.take_used()?;
        let pieces = self.chains.remove(&(head as u16)).expect("a chain that the device had");
        let mut bytes = Vec::new();
        for (index, len) in pieces {
            let len = (len as usize).min(written as usize - bytes.len());
            let mut piece = vec![0; len];
            mem.read_slice(&mut piece, self.buffer(index)).unwrap();
            bytes.extend(piece);
            self.free.push(index);
        }
        assert_eq!(bytes.len(), written as usize, "no more than the buffer holds");
        Some(bytes)
    }
}

/// A guest with a running device.
pub struct Guest {
    pub mem: GuestMemory,
    pub mmio: Mmio<Net<Filtered<Peer>>>,
    pub irq: Counter,
    pub peer: Peer,
    link: Link,
    policy: Option<Policy>,
    features: u64,
    rx: Side,
    tx: Side,
}

impl Guest {
    pub fn new(link: Link, peer: &Peer, features: u64) -> Self {
        Self::behind(None, link, peer, features)
    }

    /// One whose frames are filtered.
    pub fn behind(policy: Option<Policy>, link: Link, peer: &Peer, features: u64) -> Self {
        let mem = memory((BUFFERS + 2 * u64::from(SIZE) * LONGEST) as usize);
        let (mmio, irq) = device(&mem, &link, policy.clone(), peer);
        let (rx, tx) = (Side::new(&mem, 0, WRITE), Side::new(&mem, 1, 0));
        let peer = peer.clone();
        let mut guest = Self { mem, mmio, irq, peer, link, policy, features, rx, tx };
        guest.set_up();
        guest
    }

    /// The handshake of virtio 1.2 §3.1.1.
    pub fn set_up(&mut self) {
        self.mem.write_slice(&[0; BUFFERS as usize], GuestAddress(0)).unwrap();
        (self.rx, self.tx) = (Side::new(&self.mem, 0, WRITE), Side::new(&self.mem, 1, 0));
        let features = self.features | F_VERSION_1 | crate::virtio::F_EVENT_IDX;
        let mut steps = vec![(0x70, 0), (0x70, 1), (0x70, 3)];
        steps.extend([(0x24, 0), (0x20, features as u32), (0x24, 1)]);
        steps.extend([(0x20, (features >> 32) as u32), (0x70, 11)]);
        for (number, side) in (0..).zip([&self.rx, &self.tx]) {
            let Driver { table, avail, used, .. } = side.driver;
            steps.extend([(0x30, number), (0x38, SIZE.into()), (0x80, table as u32)]);
            steps.extend([(0x90, avail as u32), (0xa0, used as u32), (0x44, 1)]);
        }
        steps.push((0x70, 15));
        for (register, value) in steps {
            self.mmio.write(register, &u32::to_le_bytes(value));
        }
        assert_eq!(self.register(0x70), 15, "the device takes the features");
        self.notify(RX);
    }

    pub fn register(&mut self, offset: u64) -> u32 {
        let mut value = [0; 4];
        self.mmio.read(offset, &mut value);
        u32::from_le_bytes(value)
    }

    pub fn is_link_up(&mut self) -> bool {
        self.register(0x104) >> 16 & 1 != 0
    }

    pub fn notify(&mut self, queue: usize) {
        while self.mmio.notify(queue) {}
    }

    /// One round of the event loop's; false: nothing has happened.
    pub fn poll(&mut self) -> bool {
        let ready = self.peer.poll(self.mmio.device_mut());
        if ready {
            self.mmio.with_device(|net, queues, mem| net.work(queues, mem));
            if self.mmio.has_backlog() {
                self.notify(RX);
            }
        }
        ready
    }

    /// As long as something happens, which comes to an end.
    pub fn settle(&mut self) {
        let rounds = (0..10_000).take_while(|_| self.poll()).count();
        assert!(rounds < 10_000, "an event loop that is never idle");
    }

    /// Offers a buffer for what comes; false: there are too few descriptors.
    pub fn offer(&mut self, pieces: &[u32]) -> bool {
        self.rx.offer(&self.mem, pieces, &[])
    }

    /// Offers a packet, the first pieces of which have these lengths.
    pub fn send(&mut self, packet: &[u8], pieces: &[u32]) -> bool {
        while self.tx.take(&self.mem).is_some() {}
        let mut rest = packet.len() as u32;
        let mut lens = Vec::new();
        for &piece in pieces.iter().filter(|piece| **piece > 0) {
            lens.push(piece.min(rest));
            rest -= piece.min(rest);
        }
        lens.push(rest);
        lens.retain(|len| *len > 0);
        self.tx.offer(&self.mem, &lens, packet)
    }

    /// How many packets the device has not given back.
    pub fn unsent(&mut self) -> usize {
        while self.tx.take(&self.mem).is_some() {}
        self.tx.chains.len()
    }

    /// The next packet that has come, put together.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut packet = self.rx.take(&self.mem)?;
        let count = u16::from_le_bytes([packet[10], packet[11]]);
        assert!(count >= 1 && (count == 1 || self.features & F_MRG_RXBUF != 0), "{count} buffers");
        for _ in 1..count {
            let more = self.rx.take(&self.mem).expect("all buffers of a packet are there at once");
            packet.extend(more);
        }
        Some(packet)
    }

    /// Another process goes on with the device, and the same peer.
    pub fn snapshot(&mut self) {
        self.mmio.pause();
        assert_eq!(self.peer.world().waits, Waits::default(), "a paused device is not called");
        let state = self.mmio.save();
        let (mut mmio, irq) = device(&self.mem, &self.link, self.policy.clone(), &self.peer);
        mmio.pause();
        mmio.restore(&serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap())
            .unwrap();
        assert_eq!(mmio.save(), state);
        mmio.resume();
        (self.mmio, self.irq) = (mmio, irq);
        self.notify(RX);
    }
}

fn device(
    mem: &GuestMemory,
    link: &Link,
    policy: Option<Policy>,
    peer: &Peer,
) -> (Mmio<Net<Filtered<Peer>>>, Counter) {
    let irq = Counter::default();
    let filter = policy.map(|policy| Filter::new(policy).unwrap());
    let net = Net::new(link, Filtered::new(peer.clone(), filter));
    let bell = Box::new(Counter::default());
    (Mmio::new(net, mem.clone(), Box::new(irq.clone()), bell), irq)
}
