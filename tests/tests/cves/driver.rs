//! A driver of a virtio device, as any guest's kernel may be one.

use devices::virtio::mmio::Mmio;
use devices::virtio::queue::{Area, Queue};
use devices::virtio::{F_VERSION_1, VirtioDevice};
use devices::{GuestMemory, Registers};
use vm_memory::{Bytes, GuestAddress};

/// VIRTQ_DESC_F_NEXT and VIRTQ_DESC_F_WRITE (virtio 1.2 §2.7.5).
pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;

/// Registers (virtio 1.2 §4.2.2).
pub mod register {
    pub const DEVICE_FEATURES: u64 = 0x010;
    pub const DEVICE_FEATURES_SEL: u64 = 0x014;
    pub const DRIVER_FEATURES: u64 = 0x020;
    pub const DRIVER_FEATURES_SEL: u64 = 0x024;
    pub const QUEUE_SEL: u64 = 0x030;
    pub const QUEUE_NUM: u64 = 0x038;
    pub const QUEUE_READY: u64 = 0x044;
    pub const STATUS: u64 = 0x070;
    pub const QUEUE_DESC_LOW: u64 = 0x080;
    pub const QUEUE_DESC_HIGH: u64 = 0x084;
    pub const QUEUE_DRIVER_LOW: u64 = 0x090;
    pub const QUEUE_DEVICE_LOW: u64 = 0x0a0;
    pub const QUEUE_DEVICE_HIGH: u64 = 0x0a4;
    pub const CONFIG: u64 = 0x100;
}

/// All steps to DRIVER_OK, and DEVICE_NEEDS_RESET (virtio 1.2 §2.1).
pub const RUNNING: u32 = 15;
pub const NEEDS_RESET: u32 = 64;

/// A queue in guest memory: 12 KiB from `base` on, for at most 256 descriptors.
pub struct Ring {
    mem: GuestMemory,
    base: u64,
    pub size: u16,
    offered: u16,
    taken: u16,
}

impl Ring {
    /// How much memory it takes, in bytes.
    pub const LEN: u64 = 0x3000;

    pub fn new(mem: &GuestMemory, base: u64, size: u16) -> Ring {
        Ring { mem: mem.clone(), base, size, offered: 0, taken: 0 }
    }

    pub fn table(&self) -> u64 {
        self.base
    }

    pub fn available(&self) -> u64 {
        self.base + 0x1000
    }

    pub fn used(&self) -> u64 {
        self.base + 0x2000
    }

    /// The device's side, without a transport.
    pub fn queue(&self) -> Queue {
        let mut queue = Queue::new(self.size);
        queue.set_address(Area::Descriptors, self.table());
        queue.set_address(Area::Driver, self.available());
        queue.set_address(Area::Device, self.used());
        queue.set_ready(true, &self.mem).unwrap();
        queue
    }

    /// Writes the chain of these (address, length, flags), from descriptor `head` on.
    pub fn describe(&self, head: u16, buffers: &[(u64, u32, u16)]) {
        for (index, &(address, len, flags)) in (head..).zip(buffers) {
            let more = if usize::from(index - head) + 1 < buffers.len() { NEXT } else { 0 };
            let rest = u64::from(len) | u64::from(flags | more) << 32 | u64::from(index + 1) << 48;
            let at = self.table() + 16 * u64::from(index);
            self.mem.write_obj([address, rest], GuestAddress(at)).unwrap();
        }
    }

    /// Makes the chain that begins with this descriptor available.
    pub fn offer(&mut self, head: u16) {
        let slot = u64::from(self.offered % self.size);
        self.mem.write_obj(head, GuestAddress(self.available() + 4 + 2 * slot)).unwrap();
        self.offered = self.offered.wrapping_add(1);
        self.mem.write_obj(self.offered, GuestAddress(self.available() + 2)).unwrap();
    }

    /// The next chain that came back: its head, and how much was written.
    pub fn take_used(&mut self) -> Option<(u32, u32)> {
        let used: u16 = self.mem.read_obj(GuestAddress(self.used() + 2)).unwrap();
        if used == self.taken {
            return None;
        }
        let at = self.used() + 4 + 8 * u64::from(self.taken % self.size);
        self.taken = self.taken.wrapping_add(1);
        let [head, written] = self.mem.read_obj(GuestAddress(at)).unwrap();
        Some((head, written))
    }
}

pub fn put<D: VirtioDevice>(mmio: &mut Mmio<D>, register: u64, value: u32) {
    mmio.write(register, &value.to_le_bytes());
}

pub fn get<D: VirtioDevice>(mmio: &mut Mmio<D>, register: u64) -> u32 {
    let mut value = [0; 4];
    mmio.read(register, &mut value);
    u32::from_le_bytes(value)
}

/// Takes all steps to a running device, which has to offer nothing.
pub fn start<D: VirtioDevice>(mmio: &mut Mmio<D>, rings: &[&Ring]) {
    assert!(negotiate(mmio, 0), "the device takes what every device has");
    drive(mmio, rings);
}

/// Begins anew, and accepts these features besides the version's; false: the device refuses them.
pub fn negotiate<D: VirtioDevice>(mmio: &mut Mmio<D>, features: u64) -> bool {
    for status in [0, 1, 3] {
        put(mmio, register::STATUS, status);
    }
    let features = features | F_VERSION_1;
    for (half, bits) in [(0, features as u32), (1, (features >> 32) as u32)] {
        put(mmio, register::DRIVER_FEATURES_SEL, half);
        put(mmio, register::DRIVER_FEATURES, bits);
    }
    put(mmio, register::STATUS, 11);
    get(mmio, register::STATUS) == 11
}

/// The steps that are left to a running device.
pub fn drive<D: VirtioDevice>(mmio: &mut Mmio<D>, rings: &[&Ring]) {
    for (index, ring) in (0..).zip(rings) {
        put(mmio, register::QUEUE_SEL, index);
        put(mmio, register::QUEUE_NUM, ring.size.into());
        put(mmio, register::QUEUE_DESC_LOW, ring.table() as u32);
        put(mmio, register::QUEUE_DRIVER_LOW, ring.available() as u32);
        put(mmio, register::QUEUE_DEVICE_LOW, ring.used() as u32);
        put(mmio, register::QUEUE_READY, 1);
    }
    put(mmio, register::STATUS, RUNNING);
    assert_eq!(get(mmio, register::STATUS), RUNNING);
}
