//! The driver's side of a queue whose every buffer is one chain of two descriptors.

use vm_memory::{Bytes, GuestAddress};

use crate::GuestMemory;
use crate::virtio::queue::{Area, Queue};

/// VIRTQ_DESC_F_NEXT and VIRTQ_DESC_F_WRITE (virtio 1.2 §2.7.5).
const NEXT: u16 = 1;
const WRITE: u16 = 2;

/// A queue in guest memory, and its buffers.
pub struct Ring {
    pub queue: Queue,
    base: u64,
    /// Descriptors; there are half as many buffers.
    size: u16,
    buffer_len: u32,
    split: u32,
    free: Vec<u16>,
    available: u16,
    used: u16,
}

impl Ring {
    /// `buffers` (a power of two) of `buffer_len` bytes, in memory from `base` on, of which the
    /// first `split` bytes are a descriptor of their own.
    pub fn new(
        mem: &GuestMemory,
        base: u64,
        buffers: u16,
        buffer_len: u32,
        split: u32,
        writable: bool,
    ) -> Self {
        let size = buffers * 2;
        let mut ring = Self {
            queue: Queue::new(size),
            base,
            size,
            buffer_len,
            split,
            free: (0..buffers).rev().collect(),
            available: 0,
            used: 0,
        };
        let flags = if writable { WRITE } else { 0 };
        for buffer in 0..buffers {
            let at = ring.buffer(buffer).0;
            for (index, addr, len, flags, next) in [
                (buffer * 2, at, split, flags | NEXT, buffer * 2 + 1),
                (buffer * 2 + 1, at + u64::from(split), buffer_len - split, flags, 0),
            ] {
                let at = GuestAddress(base + u64::from(index) * 16);
                mem.write_obj(addr, at).unwrap();
                mem.write_obj(len, GuestAddress(at.0 + 8)).unwrap();
                mem.write_obj(flags, GuestAddress(at.0 + 12)).unwrap();
                mem.write_obj(next, GuestAddress(at.0 + 14)).unwrap();
            }
        }
        let (descriptors, driver, device) = (base, ring.driver_area(), ring.device_area());
        ring.queue.set_size(size).unwrap();
        ring.queue.set_address(Area::Descriptors, descriptors);
        ring.queue.set_address(Area::Driver, driver);
        ring.queue.set_address(Area::Device, device);
        ring.queue.set_ready(true, mem).unwrap();
        ring
    }

    /// How much memory such a ring takes, at most.
    pub fn footprint(buffers: u16, buffer_len: u32) -> u64 {
        0x10000 + u64::from(buffers) * u64::from(buffer_len)
    }

    fn driver_area(&self) -> u64 {
        self.base + 0x4000
    }

    fn device_area(&self) -> u64 {
        self.base + 0x8000
    }

    fn buffer(&self, buffer: u16) -> GuestAddress {
        GuestAddress(self.base + 0x10000 + u64::from(buffer) * u64::from(self.buffer_len))
    }

    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Offers a free buffer that starts with `content`, and is no longer unless that is empty;
    /// false: there is none.
    pub fn offer(&mut self, mem: &GuestMemory, content: &[u8]) -> bool {
        let Some(buffer) = self.free.pop() else { return false };
        mem.write_slice(content, self.buffer(buffer)).unwrap();
        if !content.is_empty() {
            let first = self.split.min(content.len() as u32);
            for (index, len) in [first, content.len() as u32 - first].into_iter().enumerate() {
                let descriptor = u64::from(buffer) * 2 + index as u64;
                mem.write_obj(len, GuestAddress(self.base + descriptor * 16 + 8)).unwrap();
            }
        }
        let slot = u64::from(self.available % self.size);
        mem.write_obj(buffer * 2, GuestAddress(self.driver_area() + 4 + slot * 2)).unwrap();
        self.available = self.available.wrapping_add(1);
        mem.write_obj(self.available, GuestAddress(self.driver_area() + 2)).unwrap();
        true
    }

    /// The next used buffer's written bytes; the buffer is free again.
    pub fn take(&mut self, mem: &GuestMemory) -> Option<Vec<u8>> {
        let used: u16 = mem.read_obj(GuestAddress(self.device_area() + 2)).unwrap();
        if used == self.used {
            return None;
        }
        let slot = u64::from(self.used % self.size);
        let element: [u32; 2] =
            mem.read_obj(GuestAddress(self.device_area() + 4 + slot * 8)).unwrap();
        self.used = self.used.wrapping_add(1);
        let buffer = element[0] as u16 / 2;
        assert!(!self.free.contains(&buffer), "used twice");
        let mut bytes = vec![0; element[1] as usize];
        mem.read_slice(&mut bytes, self.buffer(buffer)).unwrap();
        self.free.push(buffer);
        Some(bytes)
    }
}
