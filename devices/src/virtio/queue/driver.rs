//! The driver's side of a queue, for tests.

use std::sync::atomic::Ordering;

use vm_memory::{Bytes, GuestAddress};

use super::{Area, Queue};
use crate::GuestMemory;

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
pub(crate) const INDIRECT: u16 = 4;

/// A descriptor as a driver writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desc {
    pub(crate) addr: u64,
    pub(crate) len: u32,
    pub(crate) flags: u16,
    pub(crate) next: u16,
}

impl Desc {
    pub(crate) fn write(&self, mem: &GuestMemory, table: u64, index: u16) {
        let mut raw = Vec::with_capacity(16);
        raw.extend(self.addr.to_le_bytes());
        raw.extend(self.len.to_le_bytes());
        raw.extend(self.flags.to_le_bytes());
        raw.extend(self.next.to_le_bytes());
        mem.write_slice(&raw, GuestAddress(table + 16 * u64::from(index))).unwrap();
    }
}

/// A queue of up to 256 descriptors in 16 KiB of guest memory.
pub(crate) struct Driver {
    mem: GuestMemory,
    pub(crate) size: u16,
    pub(crate) table: u64,
    pub(crate) avail: u64,
    pub(crate) used: u64,
    pub(crate) next_avail: u16,
    seen_used: u16,
}

impl Driver {
    pub(crate) fn new(mem: &GuestMemory, base: u64, size: u16) -> Self {
        let (table, avail, used) = (base, base + 0x1000, base + 0x2000);
        Self { mem: mem.clone(), size, table, avail, used, next_avail: 0, seen_used: 0 }
    }

    /// The device's side, ready, of a driver that accepted VIRTIO_F_INDIRECT_DESC.
    pub(crate) fn device(&self) -> Queue {
        let mut queue = Queue::new(self.size);
        queue.set_address(Area::Descriptors, self.table);
        queue.set_address(Area::Driver, self.avail);
        queue.set_address(Area::Device, self.used);
        queue.set_ready(true, &self.mem).unwrap();
        queue.set_indirect(true);
        queue
    }

    pub(crate) fn load(&self, addr: u64) -> u16 {
        self.mem.load(GuestAddress(addr), Ordering::SeqCst).unwrap()
    }

    pub(crate) fn store(&self, addr: u64, value: u16) {
        self.mem.store(value, GuestAddress(addr), Ordering::SeqCst).unwrap();
    }

    pub(crate) fn set_used_event(&self, event: u16) {
        self.store(self.avail + 4 + 2 * u64::from(self.size), event);
    }

    pub(crate) fn avail_event(&self) -> u16 {
        self.load(self.used + 4 + 8 * u64::from(self.size))
    }

    pub(crate) fn describe(&self, index: u16, desc: Desc) {
        desc.write(&self.mem, self.table, index);
    }

    /// Offers a chain by its head.
    pub(crate) fn offer(&mut self, head: u16) {
        let slot = u64::from(self.next_avail % self.size);
        self.store(self.avail + 4 + 2 * slot, head);
        self.next_avail = self.next_avail.wrapping_add(1);
        self.store(self.avail + 2, self.next_avail);
    }

    /// Writes a chain of (address, length, writable) from descriptor 0 on, and offers it.
    pub(crate) fn offer_chain(&mut self, buffers: &[(u64, u32, bool)]) {
        for (index, &(addr, len, writable)) in (0..).zip(buffers) {
            let last = usize::from(index) + 1 == buffers.len();
            let flags = if writable { WRITE } else { 0 } | if last { 0 } else { NEXT };
            self.describe(index, Desc { addr, len, flags, next: index + 1 });
        }
        self.offer(0);
    }

    /// The next chain that the device gave back: head and written length.
    pub(crate) fn take_used(&mut self) -> Option<(u32, u32)> {
        if self.load(self.used + 2) == self.seen_used {
            return None;
        }
        let element = self.used + 4 + 8 * u64::from(self.seen_used % self.size);
        self.seen_used = self.seen_used.wrapping_add(1);
        let head = self.mem.read_obj(GuestAddress(element)).unwrap();
        Some((head, self.mem.read_obj(GuestAddress(element + 4)).unwrap()))
    }
}
